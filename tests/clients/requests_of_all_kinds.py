"""Requests of every kind that a node serves, with what a healthy node may answer."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

import checks

WORDS = "fox river house garden winter letter engine market teacher window paper summer music stone".split()
SCHEMA = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer", "minimum": 0, "maximum": 99}},
          "required": ["name", "age"], "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "note", "parameters": SCHEMA}}
# Room for the longest object of the schema.
SCHEMA_TOKENS = 80


@dataclass
class Kind:
    name: str
    path: str
    body: dict | bytes
    statuses: frozenset[int] = frozenset({200})
    may_leave: bool = True
    fits: Callable[[bytes], bool] = bool


def text(chooser: random.Random, words: int) -> str:
    return " ".join(chooser.choice(WORDS) for _ in range(words))


def choose(chooser: random.Random, tokens: int) -> Kind:
    """A random kind; text kinds are more frequent, as with users."""
    makers = [chat, chat, stream, stream, stream, tools, schema, completion, embeddings, tokenize, bad]
    return chooser.choice(makers)(chooser, tokens)


def _chat(chooser: random.Random, tokens: int) -> dict:
    question = f"Write about {text(chooser, chooser.choice([3, 10, 60, 200]))}."
    shared = [{"role": "system", "content": "You write short texts. " * 8}] if chooser.random() < 0.5 else []
    return {"model": checks.CHAT, "messages": [*shared, {"role": "user", "content": question}],
            "max_tokens": chooser.randint(1, tokens), "temperature": chooser.choice([0, 1])}


def chat(chooser, tokens) -> Kind:
    return Kind("chat", "/v1/chat/completions", _chat(chooser, tokens), fits=has("choices"))


def stream(chooser, tokens) -> Kind:
    body = {**_chat(chooser, tokens), "stream": True, "n": chooser.choice([1, 1, 2])}
    return Kind("stream", "/v1/chat/completions", body, fits=lambda data: data.rstrip().endswith(b"data: [DONE]"))


def tools(chooser, tokens) -> Kind:
    body = {**_chat(chooser, tokens), "tools": [TOOL], "tool_choice": "required", "max_tokens": SCHEMA_TOKENS}
    return Kind("tools", "/v1/chat/completions", body, fits=has("choices"))


def schema(chooser, tokens) -> Kind:
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA}}
    body = {**_chat(chooser, tokens), "response_format": wanted, "max_tokens": SCHEMA_TOKENS}
    return Kind("schema", "/v1/chat/completions", body, fits=_answers_json)


def completion(chooser, tokens) -> Kind:
    body = {"model": checks.CHAT, "prompt": text(chooser, 12), "max_tokens": chooser.randint(1, tokens),
            "stream": chooser.random() < 0.5}
    return Kind("completion", "/v1/completions", body)


def embeddings(chooser, _) -> Kind:
    texts = [text(chooser, chooser.randint(1, 60)) for _ in range(chooser.choice([1, 4, 32]))]
    return Kind("embeddings", "/v1/embeddings", {"model": checks.EMBED, "input": texts}, fits=has("data"))


def tokenize(chooser, _) -> Kind:
    body = {"model": checks.CHAT, "content": text(chooser, chooser.randint(1, 500))}
    return Kind("tokenize", "/tokenize", body, fits=has("tokens"))


def bad(chooser, tokens) -> Kind:
    """Refused before it costs anything, or cut off in the middle."""
    body = _chat(chooser, tokens)
    wrong = chooser.choice([b"", b"{", b"\xff\xfe", json.dumps(body).encode()[:-9], {**body, "temperature": 9},
                            {**body, "messages": "hello"}, {**body, "max_tokens": -1}, {**body, "model": "none"}])
    return Kind("bad", "/v1/chat/completions", wrong, statuses=frozenset({400, 404, 422}), may_leave=False)


def has(field: str) -> Callable[[bytes], bool]:
    return lambda data: bool(json.loads(data).get(field))


def _answers_json(data: bytes) -> bool:
    choice = json.loads(data)["choices"][0]
    return choice["finish_reason"] == "stop" and set(json.loads(choice["message"]["content"])) == {"name", "age"}
