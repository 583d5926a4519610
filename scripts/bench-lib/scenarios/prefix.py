"""A long system prompt that all share: 8 at once that nobody has seen, then 8 more behind the same one."""

import prompts
from load import Run, closed_loop, figures
from scenario import Case, Column, Scenario, Settings
from servers import Setup

AT_ONCE = 8
PREFIX_TOKENS = 400
PREFIX_TOKENS_QUICK = 50
QUESTION_TOKENS = 32


def cases(_: Settings) -> list[Case]:
    return [Case(Setup("chat", 16, 1024), ("cold", "warm"), measure)]


async def measure(server, seed: str, settings: Settings) -> dict:
    """Several prefixes, each cold once: one alone would be eight answers a round."""
    cold, warm = [], []
    for number in range(max(1, settings.requests // AT_ONCE)):
        prefix = prompts.words(f"{seed} prefix {number}", settings.scaled(PREFIX_TOKENS, PREFIX_TOKENS_QUICK))
        cold.append(await _turn(server, f"{seed} {number} cold", prefix, settings))
        warm.append(await _turn(server, f"{seed} {number} warm", prefix, settings))
    found = {"cold": figures(_joined(cold)), "warm": figures(_joined(warm))}
    _compare(found["cold"], found["warm"])
    return found


async def _turn(server, seed: str, prefix: str, settings: Settings) -> Run:
    at_once = settings.scaled(AT_ONCE, 2)
    bodies = [prompts.chat(prompts.question(f"{seed} {number}", QUESTION_TOKENS), settings.answer_tokens, prefix)
              for number in range(at_once)]
    return await closed_loop(server, bodies, at_once)


def _joined(runs: list[Run]) -> Run:
    return Run([answer for run in runs for answer in run.answers],
               sum(run.wall_s for run in runs), sum(run.cpu_s for run in runs))


def _compare(cold: dict, warm: dict) -> None:
    """How much a server gains from its own cache."""
    if cold["ok"] and warm["ok"]:
        warm["cold_to_warm_first"] = cold["first_p50_ms"] / warm["first_p50_ms"]
        warm["cold_to_warm_speed"] = cold["tokens_per_s"] / warm["tokens_per_s"]


SCENARIO = Scenario(
    name="prefix",
    title=f"A shared system prompt of {PREFIX_TOKENS} tokens, {AT_ONCE} at once",
    columns=(
        Column("first token p50, ms", "first_p50_ms", 0),
        Column("p95", "first_p95_ms", 0),
        Column("tokens/s", "tokens_per_s"),
        Column("cold/warm first token", "cold_to_warm_first", 2, ratio=False),
        Column("cold/warm tokens/s", "cold_to_warm_speed", 2, ratio=False),
        Column("prompt tokens", "prompt_tokens", 0, ratio=False),
        Column("cached", "cached_tokens", 0, ratio=False),
    ),
    cases=cases,
)
