"""Where the time of an answer goes: the engine's threads, the app in WasmEdge, the rest of the worker,
the host. `scripts/bench overhead` calls this.

CPU time by thread, from /proc/PID/task/TID/schedstat (nanoseconds), read every few milliseconds, for
the threads of an app end with their request: what one uses after the last look is missed.
"""

import argparse
import asyncio
import json
import sys
from collections import defaultdict
from pathlib import Path

import machine
import prompts
import servers
from load import Run, closed_loop, percentile

LOOK_SECONDS = 0.02
SLOTS = 8
SLOT_TOKENS = 1024
QUESTION_TOKENS = 64
ANSWER_TOKENS = 128
# What threads of the worker are called, besides the engine's own.
APP_THREADS = {"app"}
PARTS = ("engine", "app", "worker", "host")


def main() -> None:
    options = read_options()
    busy = machine.await_quiet()
    if busy:
        print(f"the machine is busy ({busy}): shares of CPU time hold, times don't", file=sys.stderr)
    server = servers.start_with(write_config(options), servers.plain_places(options))
    try:
        found = asyncio.run(measure(server, options.requests))
    finally:
        server.stop()
    (options.results / "overhead.json").write_text(json.dumps(found, indent=2))
    print(report(found))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench overhead", description=__doc__)
    for name in ("home", "checkout", "results"):
        parser.add_argument(f"--{name}", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--requests", type=int, default=64, help="requests of each case")
    return parser.parse_args()


def write_config(options: argparse.Namespace) -> Path:
    chat, _ = servers.small_models(options.home)
    config = options.results / "overhead.toml"
    config.write_text(
        f'[knowledge]\nenabled = false\n[compile]\nenabled = false\n'
        f'[[models]]\nname = "bench"\nkind = "chat"\npath = "{chat}"\napp = "{options.home}/apps/chat.wasm"\n'
        f'sequences_max = {SLOTS}\ncontext_tokens = {SLOT_TOKENS}\nqueue_max = 64\n')
    return config


async def measure(server: servers.Server, requests: int) -> dict:
    short = prompts.chat(prompts.question("short", QUESTION_TOKENS), 1)
    long = [prompts.chat(prompts.question(f"long {number}", QUESTION_TOKENS), ANSWER_TOKENS)
            for number in range(requests)]
    # The first requests bring what is loaded lazily, and the short prompt into the cache.
    await closed_loop(server, [short] * 4, 1)
    return {"one": await case(server, [short] * requests, 1),
            "one stream": await case(server, long, 1),
            f"{SLOTS} streams": await case(server, long[::-1], SLOTS)}


async def case(server: servers.Server, bodies: list[dict], at_once: int) -> dict:
    clocks = Clocks(server.pid)
    before = clocks.parts()
    looking = asyncio.create_task(clocks.look_on())
    try:
        run = await closed_loop(server, bodies, at_once)
    finally:
        looking.cancel()
    after = clocks.parts()
    if len(run.good) < len(bodies):
        raise SystemExit(f"{len(bodies) - len(run.good)} requests failed: {run.answers[0].error}")
    return figures(run) | {part: after[part] - before[part] for part in PARTS}


def figures(run: Run) -> dict:
    return {"requests": len(run.good), "tokens": sum(answer.tokens for answer in run.good), "wall_s": run.wall_s,
            "whole_p50_ms": percentile([answer.whole_s for answer in run.good], 50) * 1000}


class Clocks:
    """CPU seconds of all threads of host and worker, those that ended included as they were last seen."""

    def __init__(self, pid: int):
        self.host = pid
        self.seen: dict[tuple[int, int], tuple[str, float]] = {}

    async def look_on(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        for pid in machine.tree(self.host):
            for task in Path(f"/proc/{pid}/task").iterdir():
                try:
                    nanoseconds = int((task / "schedstat").read_text().split()[0])
                    part = self.part(pid, int(task.name), (task / "comm").read_text().strip())
                except OSError:
                    continue
                self.seen[pid, int(task.name)] = part, nanoseconds / 1e9

    def part(self, pid: int, thread: int, name: str) -> str:
        if pid == self.host:
            return "host"
        if name in APP_THREADS:
            return "app"
        # ggml's threads have the name of the program that made them, which is its first thread's.
        is_ggml = name == "gaia-worker" and thread != pid
        return "engine" if name == "engine" or is_ggml else "worker"

    def parts(self) -> dict:
        self.look()
        totals = defaultdict(float)
        for part, seconds in self.seen.values():
            totals[part] += seconds
        return totals


def report(found: dict) -> str:
    one = found["one"]
    lines = ["| CPU time | " + " | ".join(PARTS) + " |", "|---|" + "---|" * len(PARTS),
             row("of a request for one token, its prompt in the cache, ms", [1e3 * one[part] / one["requests"]
                                                                            for part in PARTS])]
    for name in list(found)[1:]:
        each = [1e3 * per_token(found[name], one, part) for part in PARTS]
        lines += [row(f"of a token, {name}, ms", each),
                  row("… share, %", [100 * time / sum(each) for time in each])]
    lines.append(f"\nA request for one token took {one['whole_p50_ms']:.1f} ms in the median, with the client's part.")
    return "\n".join(lines)


def per_token(case: dict, one: dict, part: str) -> float:
    """Without what each request costs anyhow; of the engine it is all, prompts too."""
    requests = 0 if part == "engine" else case["requests"] * one[part] / one["requests"]
    return max(0.0, case[part] - requests) / case["tokens"]


def row(name: str, numbers: list[float]) -> str:
    return f"| {name} | " + " | ".join(f"{number:.3f}" for number in numbers) + " |"


if __name__ == "__main__":
    main()
