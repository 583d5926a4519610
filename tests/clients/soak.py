"""Many requests of all kinds with random disconnects: does the node end as it began?

Usage: soak.py [--requests 10000] [--at-once 32] [--seed 1] [--quick] [--slow]
--quick: 300 requests. --slow: for debug builds; answers of 4 tokens.
Needs a running node on this machine; see checks.py for the environment.

After the first tenth, and once all is over and the node is quiet, the script reads /metrics and /proc
of the host and its workers. Sequences, requests and queues must be at 0 again, and threads, file
descriptors and memory near the first reading: leaks grow with requests, caches fill early.
"""

import argparse
import http.client
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import checks
import requests_of_all_kinds as kinds
from wire import Node, children

# A full node may always say so.
FULL = {429}
QUIET_SECONDS = 60
# Slack over the first reading. Threads of a pool and idle connections come and go.
THREADS_SLACK = 8
FILES_SLACK = 16
MEMORY_SHARE = 0.10
MEMORY_SLACK_MIB = 32
IDLE = ("gaia_requests_active", "gaia_sequences_active", "gaia_sequences_queued", "gaia_instances_active")


def main() -> None:
    options = read_options()
    node = Node(checks.url(), checks.KEY)
    check = checks.Checks()
    pid = node.pid()
    workers = children(pid)
    print(f"host {pid}, workers {workers}; {options.requests} requests, {options.at_once} at once, seed {options.seed}")
    soak = Soak(node, options)
    before = node.metrics()
    soak.run(0, max(options.at_once, options.requests // 10))
    early = settle(node, pid, check, "after the first tenth")
    for part in range(2, 11):
        soak.run(soak.done, max(soak.done, options.requests * part // 10))
    late = settle(node, pid, check, "at the end")
    judge_answers(check, soak, options)
    judge_processes(check, early, late)
    check.equal(children(pid), workers, "no worker was replaced")
    metrics = node.metrics()
    for name in ("gaia_worker_restarts_total", "gaia_traps_total"):
        check.equal(metrics[name], before[name], f"{name} did not grow")
    check.finish()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--slow", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.requests = 300
    return options


class Soak:
    def __init__(self, node: Node, options: argparse.Namespace) -> None:
        self.node, self.options, self.done = node, options, 0
        self.statuses, self.faults = Counter(), []
        self.lock = threading.Lock()

    def run(self, begin: int, end: int) -> None:
        started = time.monotonic()
        with ThreadPoolExecutor(self.options.at_once) as pool:
            list(pool.map(self._one, range(begin, end)))
        self.done = end
        print(f"    {end} of {self.options.requests} requests done, "
              f"{(end - begin) / (time.monotonic() - started):.1f} a second", flush=True)

    def _one(self, number: int) -> None:
        chooser = random.Random(f"{self.options.seed} {number}")
        kind = kinds.choose(chooser, 4 if self.options.slow else 16)
        fault = None
        try:
            outcome = self._ask(kind, chooser)
            if outcome not in ("left", *map(str, kind.statuses | FULL)):
                fault = f"{kind.name}: {outcome}"
        except (OSError, http.client.HTTPException) as error:
            outcome, fault = "broken", f"{kind.name}: {type(error).__name__}: {error}"
        with self.lock:
            self.statuses[f"{kind.name} {outcome}"] += 1
            if fault:
                self.faults.append(fault)

    def _ask(self, kind: kinds.Kind, chooser: random.Random) -> str:
        if kind.may_leave and chooser.random() < 0.2:
            self.node.abandon(kind.path, kind.body, chooser.choice([0, 0, 1, 3, 9]))
            return "left"
        reply = self.node.post(kind.path, kind.body)
        if reply.status == 200 and not kind.fits(reply.body):
            return f"200 with a wrong body: {reply.body[-200:]!r}"
        return str(reply.status)


def settle(node: Node, pid: int, check: checks.Checks, when: str) -> dict:
    """Waits until the node is idle; what its processes hold then."""
    deadline = time.monotonic() + QUIET_SECONDS
    while (busy := {name: value for name in IDLE if (value := node.metrics()[name])}) and time.monotonic() < deadline:
        time.sleep(0.5)
    check.that(not busy, f"nothing is active {when}", busy)
    # Idle connections close, and an allocator gives back what it keeps for a while.
    time.sleep(3)
    found = {"host": usage(pid)} | {f"worker {number + 1}": usage(child) for number, child in enumerate(children(pid))}
    for process, numbers in found.items():
        print(f"    {when}: {process}: " + ", ".join(f"{name} {value}" for name, value in numbers.items()), flush=True)
    return found


def usage(pid: int) -> dict:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {"threads": int(status["Threads"]), "files": len(list(Path(f"/proc/{pid}/fd").iterdir())),
            "resident_mib": int(status["VmRSS"].split()[0]) // 1024}


def judge_answers(check: checks.Checks, soak: Soak, options: argparse.Namespace) -> None:
    for outcome, count in sorted(soak.statuses.items()):
        print(f"    {count:6} {outcome}")
    check.equal(soak.statuses.total(), options.requests, "each request had an end")
    check.that(not soak.faults, "each answer was one of those expected", f"{len(soak.faults)}: {soak.faults[:5]}")
    full = sum(count for outcome, count in soak.statuses.items() if outcome.endswith(" 429"))
    check.that(full < options.requests / 2, "most requests found room", full)


def judge_processes(check: checks.Checks, early: dict, late: dict) -> None:
    check.equal(late.keys(), early.keys(), "the same processes run")
    for process in early.keys() & late.keys():
        first, last = early[process], late[process]
        near(check, process, "threads", first, last, THREADS_SLACK)
        near(check, process, "files", first, last, FILES_SLACK)
        near(check, process, "resident_mib", first, last, MEMORY_SLACK_MIB + MEMORY_SHARE * first["resident_mib"])


def near(check, process, name, first, last, slack) -> None:
    check.that(last[name] <= first[name] + slack, f"{process}: {name} {first[name]} -> {last[name]} (slack {slack:.0f})")


if __name__ == "__main__":
    main()
