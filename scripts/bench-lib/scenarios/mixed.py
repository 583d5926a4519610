"""Do long prompts make others stutter? Four streams run all the while long prompts come one by one."""

import asyncio
import itertools

import machine
import prompts
from answer import Answer, ask
from connection import Connection
from load import milliseconds, tally
from scenario import Case, Column, Scenario, Settings
from servers import Setup

STREAMS = 4
LONG_TOKENS = 1500
LONG_TOKENS_QUICK = 100
LONG_ANSWER_TOKENS = 16
# Long enough that a stream spends its time between tokens, not with its own prompt.
SHORT_ANSWER_TOKENS = 192
SHORT_ANSWER_TOKENS_QUICK = 24
SHORT_QUESTION_TOKENS = 32


def cases(_: Settings) -> list[Case]:
    return [Case(Setup("chat", 8, 2048), ("mixed",), measure)]


async def measure(server, seed: str, settings: Settings) -> dict:
    stop, short = asyncio.Event(), []
    cpu = machine.cpu_seconds(server.pid)
    tokens = settings.scaled(SHORT_ANSWER_TOKENS, SHORT_ANSWER_TOKENS_QUICK)
    streams = [asyncio.create_task(_stream(server, _questions(f"{seed} {number}", tokens), stop, short))
               for number in range(STREAMS)]
    try:
        long = await _long_prompts(server, seed, settings)
    finally:
        stop.set()
        await asyncio.gather(*streams)
    return {"mixed": _figures(short, long) | {"cpu_s": machine.cpu_seconds(server.pid) - cpu}}


def _questions(seed: str, answer_tokens: int):
    for number in itertools.count():
        yield prompts.chat(prompts.question(f"{seed} short {number}", SHORT_QUESTION_TOKENS), answer_tokens)


async def _stream(server, bodies, stop: asyncio.Event, answers: list[Answer]) -> None:
    """One after the other until told to stop; the last one is finished, not cut off."""
    connection = Connection(server.url)
    for body in bodies:
        if stop.is_set():
            break
        answers.append(await ask(connection, body))
        if answers[-1].error:
            break
    await connection.close()


async def _long_prompts(server, seed: str, settings: Settings) -> list[Answer]:
    connection, answers = Connection(server.url), []
    tokens = settings.scaled(LONG_TOKENS, LONG_TOKENS_QUICK)
    # The streams run first.
    await asyncio.sleep(0.5)
    for number in range(max(2, settings.requests // 4)):
        question = prompts.question(f"{seed} long {number}", tokens)
        answers.append(await ask(connection, prompts.chat(question, LONG_ANSWER_TOKENS)))
    await connection.close()
    return answers


def _figures(short: list[Answer], long: list[Answer]) -> dict:
    """Gaps count from the first long prompt to the end of the last one."""
    begin, end = long[0].started, long[-1].ended
    gaps = [later - earlier for answer in short for earlier, later in itertools.pairwise(answer.arrivals)
            if begin <= later and earlier <= end]
    good = [answer for answer in long if not answer.error]
    found = tally(short + long) | milliseconds("gap", gaps, (50, 95, 99, 100))
    found |= milliseconds("long_first", [answer.first_s for answer in good], (50, 95))
    if good:
        found["long_prompt_tokens"] = sum(answer.prompt_tokens for answer in good) / len(good)
        during = sum(begin <= at <= end for answer in short for at in answer.arrivals)
        found["short_pieces_per_s"] = during / (end - begin)
    return found


SCENARIO = Scenario(
    name="mixed",
    title=f"{STREAMS} streams while prompts of {LONG_TOKENS} tokens come one after the other",
    columns=(
        Column("streams: between pieces p50, ms", "gap_p50_ms"),
        Column("p95", "gap_p95_ms"),
        Column("p99", "gap_p99_ms"),
        Column("max", "gap_p100_ms"),
        Column("pieces/s", "short_pieces_per_s"),
        Column("long: first token p50, ms", "long_first_p50_ms", 0),
        Column("p95", "long_first_p95_ms", 0),
        Column("prompt tokens", "long_prompt_tokens", 0, ratio=False),
    ),
    cases=cases,
)
