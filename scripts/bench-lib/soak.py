"""Asks for mixed things many times, hangs up at random, and looks whether anything is left behind:
sequences, permits, instances, threads, file descriptors, memory. `scripts/bench soak` calls this.

An answer may be a refusal (the requests with mistakes want one) but never a 500, and never none.
"""

import argparse
import asyncio
import random
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import machine
import servers
from connection import Connection

# A tenth of the requests warms up caches, pools and allocators, so that what grows afterwards is a leak.
WARM_UP_SHARE = 0.1
HANG_UP_SHARE = 0.3
# Allocators keep what streams of the busiest moment needed; a leak of a kilobyte per request is ten times this.
GROWTH_MAX_MIB = 64
SETTLE_SECONDS = 30


def main() -> None:
    options = read_options()
    server = start(options)
    try:
        problems = asyncio.run(soak(server, options))
    finally:
        server.stop()
    for problem in problems:
        say(f"LEFT BEHIND: {problem}")
    say(f"log and config: {options.results}")
    if problems:
        sys.exit(1)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench soak", description=__doc__)
    for name in ("home", "checkout", "results"):
        parser.add_argument(f"--{name}", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def start(options: argparse.Namespace) -> servers.Server:
    home, config = options.home, options.results / "soak.toml"
    chat, embedding = servers.small_models(home)
    config.write_text(
        f'[knowledge]\nenabled = false\n[compile]\nenabled = false\n'
        f'[[models]]\nname = "chat"\nkind = "chat"\npath = "{chat}"\napp = "{home}/apps/chat.wasm"\n'
        f'sequences_max = 8\ncontext_tokens = 2048\nqueue_max = 64\n'
        f'[[models]]\nname = "embed"\nkind = "embedding"\npath = "{embedding}"\napp = "{home}/apps/embed.wasm"\n')
    return servers.start_with(config, servers.plain_places(options))


async def soak(server: servers.Server, options: argparse.Namespace) -> list[str]:
    chance = random.Random(options.seed)
    warm_up = int(options.requests * WARM_UP_SHARE)
    await ask_all(server, chance, (warm_up, options.at_once))
    before = await settled(server)
    begun = time.monotonic()
    answers = await ask_all(server, chance, (options.requests - warm_up, options.at_once))
    took = time.monotonic() - begun
    after = await settled(server)
    say(f"{options.requests} requests, {took:.0f} s after the warm-up: "
        + ", ".join(f"{count} {what}" for what, count in answers.most_common()))
    for name in before:
        say(f"    {name}: {before[name]} -> {after[name]}")
    return left_behind(before, after, answers)


async def ask_all(server: servers.Server, chance: random.Random, amount: tuple[int, int]) -> Counter:
    count, at_once = amount
    answers, waiting = Counter(), iter([plan(chance) for _ in range(count)])

    async def worker() -> None:
        connection = Connection(server.url)
        for path, body, hang_up_s in waiting:
            answers[await ask(connection, (path, body), hang_up_s)] += 1
        await connection.close()

    await asyncio.gather(*[worker() for _ in range(at_once)])
    return answers


async def ask(connection: Connection, request: tuple[str, dict], hang_up_s: float | None) -> str:
    try:
        status, _ = await asyncio.wait_for(connection.post_whole(*request), hang_up_s or 300)
        return str(status)
    except TimeoutError:
        await connection.close()
        return "hung up" if hang_up_s else "no answer"
    except (OSError, asyncio.IncompleteReadError) as error:
        await connection.close()
        return f"broken: {type(error).__name__}"


def plan(chance: random.Random) -> tuple[str, dict, float | None]:
    path, body = chance.choice(KINDS)(chance)
    hang_up_s = chance.expovariate(4) if chance.random() < HANG_UP_SHARE else None
    return path, body, hang_up_s


def words(chance: random.Random, most: int = 40) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(chance.randint(1, most)))


def chat(chance: random.Random, **more) -> tuple[str, dict]:
    messages = [{"role": "system", "content": chance.choice(("You are brief.", "Answer like a pirate."))},
                {"role": "user", "content": words(chance)}]
    body = {"model": "chat", "messages": messages, "max_tokens": chance.randint(1, 12),
            "stream": chance.random() < 0.6}
    return "/v1/chat/completions", body | more


KINDS = (
    chat,
    chat,
    lambda chance: chat(chance, n=2, seed=chance.randint(0, 9)),
    lambda chance: chat(chance, logprobs=True, top_logprobs=3),
    lambda chance: chat(chance, response_format={"type": "json_schema", "json_schema": {
        "name": "a", "strict": True, "schema": {"type": "object", "properties": {"x": {"type": "boolean"}},
                                               "required": ["x"], "additionalProperties": False}}}),
    lambda chance: chat(chance, tool_choice="required", tools=[{"type": "function", "function": {
        "name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}}]),
    lambda chance: chat(chance, temperature=9),
    lambda chance: chat(chance, no_such_field=1),
    lambda chance: chat(chance, messages=[{"role": "user", "content": words(chance, 6000)}]),
    lambda chance: ("/v1/completions", {"model": "chat", "prompt": words(chance), "max_tokens": 8,
                                        "stream": chance.random() < 0.5}),
    lambda chance: ("/v1/responses", {"model": "chat", "input": words(chance), "max_output_tokens": 16,
                                      "stream": chance.random() < 0.5}),
    lambda chance: ("/v1/messages", {"model": "chat", "max_tokens": 8, "stream": chance.random() < 0.5,
                                     "messages": [{"role": "user", "content": words(chance)}]}),
    lambda chance: ("/v1/embeddings", {"model": "embed", "input": [words(chance) for _ in range(chance.randint(1, 4))]}),
    lambda chance: ("/tokenize", {"model": "chat", "content": words(chance)}),
    lambda chance: ("/v1/rerank", {"model": "embed", "query": words(chance, 5),
                                   "documents": [words(chance) for _ in range(3)]}),
)

WORDS = ("the", "ship", "sails", "over", "a", "quiet", "sea", "while", "stars", "and", "a", "moon", "tell", "me",
         "why", "Grüße", "船", "1984", "{", "}", "<|im_end|>", "`code`", "\n")


async def settled(server: servers.Server) -> dict:
    """What the node holds once nothing runs any more."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while busy(server) and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
    await asyncio.sleep(2)
    held = {name: metric(server, name) for name in GAUGES}
    for pid in machine.tree(server.pid):
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        place = sum(key.startswith(f"{name} threads") for key in held)
        held[f"{name} threads {place}"] = len(list(Path(f"/proc/{pid}/task").iterdir()))
        held[f"{name} descriptors {place}"] = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        held[f"{name} MiB {place}"] = resident_mib(pid)
    return held


GAUGES = ("gaia_requests_active", "gaia_sequences_active", "gaia_sequences_queued", "gaia_instances_active",
          "gaia_worker_restarts_total", "gaia_traps_total")


def busy(server: servers.Server) -> bool:
    return any(metric(server, name) for name in GAUGES[:4])


def metric(server: servers.Server, name: str) -> float:
    with urllib.request.urlopen(server.url + "/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines
               if line.startswith((name + " ", name + "{")))


def resident_mib(pid: int) -> float:
    """Without pages of files: a model's are read in as they are needed."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("RssAnon"))
    return round(int(line.split()[1]) / 1024, 1)


def left_behind(before: dict, after: dict, answers: Counter) -> list[str]:
    problems = [f"{after[name]:.0f} in {name}" for name in GAUGES if after[name]]
    for name, value in after.items():
        most = before.get(name, 0) + (GROWTH_MAX_MIB if " MiB " in name else 8)
        if name not in GAUGES and value > most:
            problems.append(f"{name} grew from {before.get(name, 0)} to {value}")
    unwanted = {what: count for what, count in answers.items() if what.startswith("5") or not what[0].isdigit()}
    unwanted.pop("hung up", None)
    return problems + [f"{count} answers were `{what}`" for what, count in unwanted.items()]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
