"""What retrieval adds to the first token: the same prompt twice, once found and put together by the node and
once sent as it is. Each begins with a number that no other has, so that nothing of it is in the model's
cache, and few passages keep the model's own time, which scatters, short."""

import random
import statistics
import time

from client import Client

LIMIT = 2
PASSAGES_TOKENS_MAX = 260
# Tokens that two prompts may differ by: the numbers that they begin with.
TOKENS_APART_MAX = 3


def turn(client: Client, collection: str, question: str, embed) -> dict | None:
    """Milliseconds of each part; nothing if no passage was found, or the prompts were not the same."""
    said, user = f"{unseen()} Answer from these passages.", {"role": "user", "content": question}
    wish = {"collections": [collection], "limit": LIMIT, "tokens_max": PASSAGES_TOKENS_MAX, "rag_prompt": said}
    grounded = first(client, [user], wish)
    passages = "\n".join(shown(passage) for passage in grounded["citations"])
    system = {"role": "system", "content": f"{unseen()} Answer from these passages.\n{passages}"}
    plain = first(client, [system, user], False)
    if not passages or abs(grounded["tokens"] - plain["tokens"]) > TOKENS_APART_MAX:
        return None
    begun = time.monotonic()
    embed(question + " once more")
    embedding_ms = (time.monotonic() - begun) * 1000
    return {"grounded_ms": grounded["ms"], "plain_ms": plain["ms"], "tokens": grounded["tokens"],
            "embedding_ms": embedding_ms, "added_ms": grounded["ms"] - plain["ms"],
            "beyond_embedding_ms": grounded["ms"] - plain["ms"] - embedding_ms}


def first(client: Client, messages: list[dict], knowledge) -> dict:
    """The first text of an answer: when it came, on which passages it rests, tokens of its prompt."""
    body = {"model": "chat", "stream": True, "max_tokens": 2, "temperature": 0, "knowledge": knowledge,
            "messages": messages, "stream_options": {"include_usage": True}}
    begun, took, cited, tokens = time.monotonic(), None, [], 0
    for chunk in client.stream("/v1/chat/completions", body):
        cited = chunk.get("citations") or cited
        tokens = (chunk.get("usage") or {}).get("prompt_tokens", tokens)
        if took is None and chunk["choices"] and chunk["choices"][0]["delta"].get("content"):
            took = time.monotonic() - begun
    ended = time.monotonic() - begun
    return {"ms": 1000 * (took or ended), "citations": cited, "tokens": tokens}


def shown(passage: dict) -> str:
    """As the node puts it before a model."""
    place = " › ".join(plain(passage[key]) for key in ("document", "heading") if key in passage)
    place = f' from="{place}"' if place else ""
    return f'<passage number="{passage["number"]}"{place}>\n{passage["text"].strip()}\n</passage>'


def plain(text: str) -> str:
    return "".join(c for c in text if c not in '"<>')[:200]


def unseen() -> int:
    return random.randrange(10**8, 10**9)


def summary(turns: list[dict]) -> dict:
    if len(turns) < 4:
        return {"turns": len(turns)}
    low, middle, high = statistics.quantiles([one["beyond_embedding_ms"] for one in turns], n=4)
    medians = {key: statistics.median(one[key] for one in turns) for key in turns[0]}
    return {"turns": len(turns), **medians, "beyond_embedding_ms": middle, "beyond_embedding_quartiles_ms": [low, high]}


def told(found: dict) -> str:
    if "grounded_ms" not in found:
        return f"First token: only {found['turns']} answers could be compared."
    low, high = found["beyond_embedding_quartiles_ms"]
    return (f"First token of {found['turns']} answers, prompts of {found['tokens']:.0f} tokens: {found['grounded_ms']:.0f} ms "
            f"with retrieval, {found['plain_ms']:.0f} ms with the same prompt sent as it is. Retrieval adds "
            f"{found['added_ms']:.0f} ms, {found['beyond_embedding_ms']:.0f} ms beyond the embedding of {found['embedding_ms']:.0f} ms "
            f"(half of the answers: {low:.0f} to {high:.0f} ms).")
