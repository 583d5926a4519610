"""Keeps a fixed number of requests in flight, and turns their answers into figures."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

import machine
from answer import Answer, ask
from connection import Connection


@dataclass
class Run:
    answers: list[Answer]
    wall_s: float
    cpu_s: float

    @property
    def good(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.error is None]


async def closed_loop(server, bodies: list[dict], at_once: int) -> Run:
    """As many workers as `at_once`; each asks the next as soon as its answer is whole."""
    waiting, answers = iter(bodies), []

    async def worker() -> None:
        connection = Connection(server.url)
        for body in waiting:
            answers.append(await ask(connection, body))
        await connection.close()

    started, cpu = time.perf_counter(), machine.cpu_seconds(server.pid)
    await asyncio.gather(*[worker() for _ in range(at_once)])
    wall = time.perf_counter() - started
    return Run(answers, wall, machine.cpu_seconds(server.pid) - cpu)


def percentile(values: list[float], percent: float) -> float:
    """Between neighbours linearly."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def milliseconds(name: str, seconds: list[float], percents: tuple) -> dict:
    """Nothing when nothing was measured: a missing figure is shown as missing."""
    if not seconds:
        return {}
    return {f"{name}_p{percent}_ms": percentile(seconds, percent) * 1000 for percent in percents}


def tally(answers: list) -> dict:
    errors = Counter(answer.error for answer in answers if answer.error)
    return {"requests": len(answers), "ok": len(answers) - errors.total(), "errors": dict(errors)}


def figures(run: Run) -> dict:
    good = run.good
    found = tally(run.answers)
    if not good:
        return found
    tokens = sum(answer.tokens for answer in good)
    found |= {
        "tokens_per_s": tokens / run.wall_s,
        "cpu_s_per_1000_tokens": run.cpu_s * 1000 / max(1, tokens),
        "answer_tokens": tokens / len(good),
        "prompt_tokens": sum(answer.prompt_tokens for answer in good) / len(good),
        "cached_tokens": sum(answer.cached_tokens for answer in good) / len(good),
    }
    found |= milliseconds("first", [answer.first_s for answer in good], (50, 95))
    found |= milliseconds("gap", [gap for answer in good for gap in answer.gaps_s], (50, 95))
    found |= milliseconds("per_token", [answer.per_token_s for answer in good], (50,))
    return found | milliseconds("whole", [answer.whole_s for answer in good], (50, 95))
