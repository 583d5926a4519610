"""One streamed chat answer, with the moment at which each piece of it arrived."""

import asyncio
import json
import time
from dataclasses import dataclass, field

from connection import Connection

PATIENCE_SECONDS = 300


@dataclass
class Answer:
    started: float = field(default_factory=time.perf_counter)
    ended: float = 0.0
    arrivals: list[float] = field(default_factory=list)
    text: str = ""
    tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    finished: bool = False
    error: str | None = None

    @property
    def first_s(self) -> float:
        return self.arrivals[0] - self.started

    @property
    def whole_s(self) -> float:
        return self.ended - self.started

    @property
    def gaps_s(self) -> list[float]:
        return [later - earlier for earlier, later in zip(self.arrivals, self.arrivals[1:])]

    @property
    def per_token_s(self) -> float:
        """Time per token behind the first: a piece may hold several."""
        return (self.arrivals[-1] - self.arrivals[0]) / max(1, self.tokens - 1)


async def ask(connection: Connection, body: dict) -> Answer:
    """Never raises for what a server does: that is the answer's error."""
    answer = Answer()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await _read(connection, body, answer)
    except TimeoutError:
        answer.error = f"no whole answer within {PATIENCE_SECONDS} s"
    except (OSError, asyncio.IncompleteReadError, ValueError, LookupError) as error:
        answer.error = f"{type(error).__name__}: {error}"
    answer.ended = time.perf_counter()
    if answer.error:
        await connection.close()
    return answer


async def _read(connection: Connection, body: dict, answer: Answer) -> None:
    body = {**body, "stream": True, "stream_options": {"include_usage": True}}
    status, rest = 0, b""
    async for piece in connection.post("/v1/chat/completions", body):
        if isinstance(piece, int):
            status = piece
            continue
        rest += piece
        if status == 200:
            rest = _lines(rest, answer)
    answer.tokens = answer.tokens or len(answer.arrivals)
    answer.error = answer.error or _fault(answer, status, rest)


def _fault(answer: Answer, status: int, rest: bytes) -> str | None:
    if status != 200:
        return f"HTTP {status}: {rest[:200].decode(errors='replace')}"
    if not answer.finished:
        return "the stream ended without [DONE]"
    return None if answer.arrivals else "an answer without text"


def _lines(data: bytes, answer: Answer) -> bytes:
    """Takes the whole lines; what is left of the last one."""
    *lines, rest = data.split(b"\n")
    for line in lines:
        if line.startswith(b"data:"):
            _event(line[5:].strip(), answer)
    return rest


def _event(data: bytes, answer: Answer) -> None:
    if data == b"[DONE]":
        answer.finished = True
        return
    event = json.loads(data)
    if event.get("error"):
        answer.error = str(event["error"])[:200]
    _usage(event.get("usage") or {}, answer)
    for choice in event.get("choices") or []:
        delta = choice.get("delta") or {}
        text = delta.get("content") or delta.get("reasoning_content")
        if text:
            answer.arrivals.append(time.perf_counter())
            answer.text += text


def _usage(usage: dict, answer: Answer) -> None:
    answer.tokens = usage.get("completion_tokens") or answer.tokens
    answer.prompt_tokens = usage.get("prompt_tokens") or answer.prompt_tokens
    details = usage.get("prompt_tokens_details") or {}
    answer.cached_tokens = details.get("cached_tokens") or answer.cached_tokens
