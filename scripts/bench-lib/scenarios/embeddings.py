"""256 texts into vectors: in one request, and one by one with 16 requests at once."""

import asyncio
import json
import math
import time

import machine
import prompts
from answer import PATIENCE_SECONDS
from connection import Connection
from load import milliseconds
from scenario import Case, Column, Scenario, Settings
from servers import Setup

TEXTS = 256
TEXTS_QUICK = 16
TEXT_TOKENS = 30
AT_ONCE = 16
# A text's first and last token are the model's own marks.
MARKS = 2


def cases(_: Settings) -> list[Case]:
    return [Case(Setup("embedding", AT_ONCE, 512), ("one request", "one by one"), measure)]


async def measure(server, seed: str, settings: Settings) -> dict:
    count = settings.scaled(TEXTS, TEXTS_QUICK)
    together = [prompts.words(f"{seed} together {number}", TEXT_TOKENS - MARKS) for number in range(count)]
    apart = [prompts.words(f"{seed} apart {number}", TEXT_TOKENS - MARKS) for number in range(count)]
    return {"one request": await _timed(server, [together]),
            "one by one": await _timed(server, [[text] for text in apart])}


async def _timed(server, requests: list[list[str]]) -> dict:
    waiting, seconds, errors = iter(requests), [], {}

    async def worker() -> None:
        connection = Connection(server.url)
        for texts in waiting:
            started = time.perf_counter()
            error = await _embed(connection, texts)
            if error:
                errors[error] = errors.get(error, 0) + 1
                await connection.close()
            else:
                seconds.append(time.perf_counter() - started)
        await connection.close()

    started, cpu = time.perf_counter(), machine.cpu_seconds(server.pid)
    await asyncio.gather(*[worker() for _ in range(AT_ONCE)])
    wall = time.perf_counter() - started
    found = {"requests": len(requests), "ok": len(seconds), "errors": errors}
    texts = len(seconds) * len(requests[0])
    if texts:
        found["texts_per_s"] = texts / wall
        found["cpu_s_per_1000_texts"] = (machine.cpu_seconds(server.pid) - cpu) * 1000 / texts
    return found | milliseconds("whole", seconds, (50, 95))


async def _embed(connection: Connection, texts: list[str]) -> str | None:
    """What was wrong, if anything."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            status, body = await connection.post_whole("/v1/embeddings", {"model": "bench", "input": texts})
        if status != 200:
            return f"HTTP {status}: {body[:200].decode(errors='replace')}"
        return _fault([row["embedding"] for row in json.loads(body)["data"]], len(texts))
    except TimeoutError:
        return f"no answer within {PATIENCE_SECONDS} s"
    except (OSError, asyncio.IncompleteReadError, ValueError, LookupError, TypeError) as error:
        return f"{type(error).__name__}: {error}"


def _fault(vectors: list[list[float]], wanted: int) -> str | None:
    """A vector for each text, each of length one: otherwise another amount of work was measured."""
    if len(vectors) != wanted:
        return f"{len(vectors)} vectors for {wanted} texts"
    lengths = [math.hypot(*vector) for vector in vectors]
    return None if all(abs(length - 1) < 0.01 for length in lengths) else "a vector is not of length one"


SCENARIO = Scenario(
    name="embeddings",
    title=f"{TEXTS} texts of about {TEXT_TOKENS} tokens into vectors, in one request or {AT_ONCE} requests at once",
    columns=(
        Column("texts/s", "texts_per_s"),
        Column("request p50, ms", "whole_p50_ms", 0),
        Column("p95", "whole_p95_ms", 0),
        Column("CPU s per 1000 texts", "cpu_s_per_1000_texts", 2),
    ),
    cases=cases,
)
