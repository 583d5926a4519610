"""Spoilt requests to every POST route: refused in order, and the node lives on.

Usage: fuzz.py [--requests 2000] [--at-once 8] [--seed 1] [--only NUMBER] [--quick]
--quick: 300 requests. --only: one request of this seed again, with all that was sent and answered.
Needs a running node; see checks.py for the environment.

Allowed are 2xx, 4xx with a JSON error, and 503 with Retry-After. A spoilt limit may ask for a long
answer: after some seconds without one the client leaves, which is counted. Loading and unloading of
models by name is left out, for a node without models refuses all the rest.
"""

import argparse
import http.client
import json
import random
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import checks
from mutations import mutate
from requests_of_all_kinds import SCHEMA, TOOL
from wire import Node, Reply

PATIENCE_SECONDS = 20
HEALTH_PATIENCE_SECONDS = 10
QUIET_SECONDS = 60
# Longer waits than this are answers that were asked for by accident; more of them would be a hang.
LEFT_SHARE_MAX = 0.1
# Words that only the inside of a node has.
INSIDE = ("panicked", "/root/", "/home/", ".rs:", "unwrap", "serde", "RUST_BACKTRACE")

USER = [{"role": "user", "content": "Hello."}]
FORMAT = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": SCHEMA}}
CLAUDE_TOOL = {"name": "note", "description": "Keep a note.", "input_schema": SCHEMA}
FORM = (b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n--b\r\n'
        b'Content-Disposition: form-data; name="file"; filename="a.md"\r\n\r\nA text.\r\n--b--\r\n')


def bodies() -> list[tuple[str, dict | bytes, tuple]]:
    """Route, a good body for it, and what else than 200 is a good answer to that."""
    chat = {"model": checks.CHAT, "messages": USER, "max_tokens": 3, "temperature": 0}
    respond = {"model": checks.CHAT, "input": "Hello.", "max_output_tokens": 16}
    claude = {"model": checks.CHAT, "messages": USER, "max_tokens": 3}
    rerank = {"model": checks.EMBED, "query": "fox", "documents": ["a fox", "a house"], "top_n": 1}
    tokenize = {"model": checks.CHAT, "content": "Hello there", "add_special": True, "with_pieces": True}
    return [
        ("/v1/chat/completions", chat, ()),
        ("/v1/chat/completions", {**chat, "stream": True, "n": 2, "stop": ["a"], "seed": 1, "logprobs": True, "top_logprobs": 2,
                                  "stream_options": {"include_usage": True}, "logit_bias": {"5": 1}, "top_p": 0.5}, ()),
        ("/v1/chat/completions", {**chat, "tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False}, ()),
        ("/v1/chat/completions", {**chat, "response_format": FORMAT, "metadata": {"a": "b"}, "user": "u"}, ()),
        ("/v1/completions", {"model": checks.CHAT, "prompt": ["Hello", "There"], "max_tokens": 2, "echo": True, "logprobs": 1}, ()),
        ("/v1/embeddings", {"model": checks.EMBED, "input": ["a", "b"], "encoding_format": "base64", "dimensions": 32}, ()),
        ("/v1/responses", {**respond, "store": False, "text": {"format": {"type": "text"}}, "instructions": "Be short."}, ()),
        ("/v1/responses", {**respond, "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hello."}]}],
                           "stream": True, "tools": [{"type": "function", **TOOL["function"]}]}, ()),
        ("/v1/messages", {**claude, "system": "Be short.", "stop_sequences": ["a"], "temperature": 0.5}, ()),
        ("/v1/messages", {**claude, "stream": True, "tools": [CLAUDE_TOOL], "tool_choice": {"type": "any"}}, ()),
        ("/v1/messages/count_tokens", {"model": checks.CHAT, "messages": USER}, ()),
        ("/v1/rerank", rerank, ()),
        ("/rerank", rerank, ()),
        ("/v1/tokenize", tokenize, ()),
        ("/tokenize", tokenize, ()),
        ("/v1/detokenize", {"model": checks.CHAT, "tokens": [1, 2, 3]}, ()),
        ("/detokenize", {"model": checks.CHAT, "tokens": [1, 2, 3]}, ()),
        ("/v1/chunks", {"id": "file-none", "filename": "a.md", "chunk_capacity": 100}, (404,)),
        ("/v1/files", FORM, (200, 201)),
        ("/admin/models", {"name": "fuzz", "kind": "chat", "path": "/nowhere/none.gguf", "app": "/nowhere/none.wasm"},
         (400, 401, 403, 404, 409, 422)),
    ]


def main() -> None:
    options = read_options()
    fuzz = Fuzz(checks.url(), options.seed)
    if options.only is not None:
        fuzz.show(options.only)
        return
    check = checks.Checks()
    restarts = fuzz.node.metrics()["gaia_worker_restarts_total"]
    check_good(check, fuzz, "before")
    fuzz.run(options.requests, options.at_once)
    check.that(not fuzz.faults, "each spoilt request was answered in order", f"{len(fuzz.faults)}:\n" + "\n".join(fuzz.faults[:20]))
    left = fuzz.outcomes["left"]
    check.that(left <= LEFT_SHARE_MAX * options.requests, f"few answers were too long to wait for ({left})")
    check_alive(check, fuzz, restarts)
    check_good(check, fuzz, "afterwards")
    check.finish()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.requests = 300
    return options


class Fuzz:
    def __init__(self, url: str, seed: int) -> None:
        self.node, self.seed = Node(url, checks.KEY, PATIENCE_SECONDS), seed
        self.patient = Node(url, checks.KEY)
        self.outcomes, self.faults, self.lock = Counter(), [], threading.Lock()

    def request(self, number: int) -> tuple[str, bytes]:
        chooser = random.Random(f"{self.seed} {number}")
        path, body, _ = chooser.choice(bodies())
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return path, mutate(chooser, data)

    def run(self, count: int, at_once: int) -> None:
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(self._one, range(count)))
        for outcome, times in sorted(self.outcomes.items()):
            print(f"    {times:6} {outcome}")

    def _one(self, number: int) -> None:
        path, body = self.request(number)
        fault = None
        try:
            reply = self.send(self.node, path, body)
            outcome, fault = str(reply.status), fault_of(reply)
            self.clean(path, reply)
        except TimeoutError:
            outcome, fault = "left", self._unhealthy()
        except ConnectionError:
            # A body that is too large may be refused while it is still being sent.
            outcome, fault = "closed", None if len(body) > 1 << 24 else "the connection was closed without an answer"
        except (OSError, http.client.HTTPException) as error:
            outcome, fault = "broken", f"{type(error).__name__}: {error}"
        with self.lock:
            self.outcomes[outcome] += 1
            if fault:
                self.faults.append(f"  --only {number}: {path}: {fault}")

    def send(self, node: Node, path: str, body: bytes) -> Reply:
        kind = "multipart/form-data; boundary=b" if path == "/v1/files" else "application/json"
        return node.post(path, body, kind)

    def clean(self, path: str, reply: Reply) -> None:
        """A node that serves others too keeps no files of ours."""
        made = reply.json() if path == "/v1/files" and reply.status < 300 else None
        if made:
            self.patient.delete(f"/v1/files/{made['id']}")

    def _unhealthy(self) -> str | None:
        try:
            status = Node(checks.url(), checks.KEY, HEALTH_PATIENCE_SECONDS).get("/health").status
        except OSError as error:
            return f"the node does not answer: {error}"
        return None if status == 200 else f"/health says {status}"

    def show(self, number: int) -> None:
        path, body = self.request(number)
        print(f"POST {path}\n{body[:4000].decode(errors='backslashreplace')}\n({len(body)} bytes)\n")
        reply = self.send(self.patient, path, body)
        print(f"{reply.status} {reply.headers}\n{reply.body[:4000].decode(errors='backslashreplace')}")
        fault = fault_of(reply)
        sys.exit(f"FAILED: {fault}" if fault else 0)


def fault_of(reply: Reply) -> str | None:
    if 200 <= reply.status < 300:
        return None
    if reply.status == 503:
        return None if "retry-after" in reply.headers else "503 without Retry-After"
    if not 400 <= reply.status < 500:
        return f"status {reply.status}: {reply.body[:200]!r}"
    answer = reply.json()
    error = answer.get("error") if isinstance(answer, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    if not message or not isinstance(message, str):
        return f"{reply.status} without a JSON error: {reply.body[:200]!r}"
    inside = [word for word in INSIDE if word in message]
    return f"an error tells of the inside: {message[:200]}" if inside else None


def check_good(check: checks.Checks, fuzz: Fuzz, when: str) -> None:
    """Without it, a node that refuses everything would pass."""
    for number, (path, body, others) in enumerate(bodies()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply = fuzz.send(fuzz.patient, path, data)
        fuzz.clean(path, reply)
        check.that(reply.status in (200, *others), f"{when}: good body {number + 1} for {path} is taken", f"{reply.status} {reply.body[:200]!r}")


def check_alive(check: checks.Checks, fuzz: Fuzz, restarts: float) -> None:
    deadline = time.monotonic() + QUIET_SECONDS
    while (busy := fuzz.patient.metrics()["gaia_sequences_active"]) and time.monotonic() < deadline:
        time.sleep(0.5)
    check.equal(busy, 0, "nothing is active any more")
    check.equal(fuzz.patient.get("/ready").status, 200, "the node is ready")
    check.equal(fuzz.patient.metrics()["gaia_worker_restarts_total"], restarts, "no worker was started again")


if __name__ == "__main__":
    main()
