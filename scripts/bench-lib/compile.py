"""Measures the compile service against bare cargo, turn by turn: what a job costs more, crates that are
compiled ahead, eight jobs at once, idle memory, and streams of a chat beside jobs. With --soak N also N
mixed jobs, and whether they leave anything behind. `scripts/bench compile` calls this.
"""

import argparse
import asyncio
import itertools
import json
import random
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

import machine
import prompts
import servers
from answer import ask
from compile_projects import CALLS, CRATES, HELLO, Bare, mixed
from connection import Connection
from load import percentile
from soak import resident_mib

AT_ONCE = 8
STREAM_TOKENS = 128
# Allocators keep what the busiest moment needed.
GROWTH_MAX_MIB = 64


def main() -> None:
    options = read_options()
    if not options.force and (busy := machine.await_quiet()):
        sys.exit(f"error: {busy}: no figure would mean anything; end them, or measure anyway with --force")
    found = {"machine": machine.describe(), "load": machine.busy_share()}
    found["idle_mib"] = idle_memory(options)
    server, bare = start(options, "compile"), Bare(options.home)
    try:
        found |= asyncio.run(measure(server, bare, options))
    finally:
        bare.close()
        server.stop()
    (options.results / "compile.json").write_text(json.dumps(found, indent=1))
    print(markdown(found))
    say(f"raw results, configs and logs: {options.results}")
    if found.get("soak", {}).get("problems"):
        sys.exit(1)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench compile", description=__doc__)
    for name in ("home", "checkout", "results"):
        parser.add_argument(f"--{name}", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=9, help="turns of each; the median counts")
    parser.add_argument("--soak", type=int, default=0, help="mixed jobs to look for leaks with")
    parser.add_argument("--node", type=Path, help="a gaia-node, with its other programs beside it")
    parser.add_argument("--force", action="store_true", help="measure on a busy machine too")
    return parser.parse_args()


def start(options: argparse.Namespace, name: str, enabled: bool = True) -> servers.Server:
    home, config = options.home, options.results / f"{name}.toml"
    chat = next((home / "models").glob("SmolLM2*.gguf"))
    config.write_text(
        f'[knowledge]\nenabled = false\n[compile]\nenabled = {json.dumps(enabled)}\nat_once = {machine.cores()}\n'
        f'[[models]]\nname = "bench"\nkind = "chat"\npath = "{chat}"\napp = "{home}/apps/chat.wasm"\nload = "demand"\n')
    places = servers.Places(home=home, checkout=options.checkout, results=options.results, models={}, peer="",
                            threads=machine.cores())
    port = servers.free_port()
    command = [options.node or servers.node_program(places), "start", "--config", config, "--listen", f"127.0.0.1:{port}"]
    return servers.start_program(name, command, port, "/ready", places)


def idle_memory(options: argparse.Namespace) -> dict:
    found = {}
    for name, enabled in (("without", False), ("with", True)):
        server = start(options, f"idle-{name}", enabled)
        time.sleep(2)
        found[name] = resident_mib(server.pid)
        server.stop()
    return found


async def measure(server: servers.Server, bare: Bare, options: argparse.Namespace) -> dict:
    await job(server, {"files": HELLO})
    found = {"single": await single(server, bare, options.rounds), "many": await many(server, bare, options.rounds),
             "beside": await beside(server)}
    if options.soak:
        found["soak"] = await soak(server, options.soak)
    return found


async def job(server: servers.Server, body: dict, wanted=("ok",)) -> dict:
    """The answer, with the seconds that a client waited."""
    connection, begun = Connection(server.url), time.perf_counter()
    status, text = await connection.post_whole("/v1/compile", {"detail": "summary"} | body)
    seconds = time.perf_counter() - begun
    await connection.close()
    if status != 200 or (answer := json.loads(text))["verdict"] not in wanted:
        raise RuntimeError(f"status {status}: {text[:500]!r}")
    return answer | {"seconds": seconds}


# Name, files, command, more of the request, whether bare cargo does the same.
CASES = (
    ("hello check", HELLO, "check", {}, True),
    ("hello build", HELLO, "build", {}, True),
    ("serde, tokio, clap: check", CALLS, "check", {}, False),
    ("serde, tokio, clap with derives: check", CRATES, "check", {}, True),
    ("serde, tokio, clap with derives: build", CRATES, "build", {}, True),
    ("serde, tokio, clap with derives: check, not compiled ahead", CRATES, "check", {"release": True}, False),
)


async def single(server: servers.Server, bare: Bare, rounds: int) -> dict:
    """Cold crates take long: they get a third of the turns, and bare cargo knows no others."""
    found = {}
    for case in CASES:
        try:
            found[case[0]] = await single_case(server, bare, (case, rounds))
        except RuntimeError as error:
            found[case[0]] = {"error": str(error)}
        say(f"    {case[0]}: {found[case[0]]}")
    return found


async def single_case(server: servers.Server, bare: Bare, what: tuple) -> dict:
    (_, files, command, more, compared), rounds = what
    times = {"node": [], "cargo": [], "prepare": [], "in_cargo": []}
    for _ in range(rounds if files is HELLO else max(1, rounds // 3)):
        answer = await job(server, {"files": files, "command": command} | more)
        times["node"].append(answer["seconds"] * 1000)
        times["prepare"].append(answer["timings"]["prepare_ms"])
        times["in_cargo"].append(answer["timings"]["cargo_ms"])
        if compared:
            times["cargo"].append(bare.seconds(files, command) * 1000)
    return {key: statistics.median(values) for key, values in times.items() if values}


async def many(server: servers.Server, bare: Bare, rounds: int) -> dict:
    """What the cores would need at the least is what the jobs took of them, divided by the cores."""
    node, cargo, ideal = [], [], []
    for _ in range(max(1, rounds // 3)):
        begun = time.perf_counter()
        answers = await asyncio.gather(*[job(server, {"files": HELLO}) for _ in range(AT_ONCE)])
        node.append(time.perf_counter() - begun)
        ideal.append(sum(answer["cpu_ms"] for answer in answers) / 1000 / machine.cores())
        cargo.append(bare.many(AT_ONCE, machine.cores()))
    return {"node_s": statistics.median(node), "cargo_s": statistics.median(cargo), "ideal_s": statistics.median(ideal)}


async def beside(server: servers.Server) -> dict:
    """Time between tokens of one stream and of four, alone and with as many jobs as there may be."""
    connection, found = Connection(server.url), {}
    await ask(connection, prompts.chat("Hello.", 4))
    await connection.close()
    for streams, jobs in itertools.product((1, 4), (0, machine.cores())):
        stop = asyncio.Event()
        busy = [asyncio.create_task(keep_busy(server, stop)) for _ in range(jobs)]
        await asyncio.sleep(1 if jobs else 0)
        gaps = await asyncio.gather(*[stream(server, f"{streams} {jobs} {number}") for number in range(streams)])
        stop.set()
        done = sum(await asyncio.gather(*busy))
        gaps = [gap * 1000 for own in gaps for gap in own]
        found[f"{streams} streams, {jobs} jobs"] = {
            "p50_ms": percentile(gaps, 50), "p95_ms": percentile(gaps, 95), "jobs": done}
        say(f"    {streams} streams, {jobs} jobs: {found[f'{streams} streams, {jobs} jobs']}")
    return found


async def stream(server: servers.Server, seed: str) -> list[float]:
    connection = Connection(server.url)
    answer = await ask(connection, prompts.chat(prompts.question(seed, 32), STREAM_TOKENS))
    await connection.close()
    if answer.error:
        raise RuntimeError(answer.error)
    return answer.gaps_s


async def keep_busy(server: servers.Server, stop: asyncio.Event) -> int:
    done = 0
    while not stop.is_set():
        await job(server, {"files": HELLO, "command": "build"})
        done += 1
    return done


async def soak(server: servers.Server, count: int) -> dict:
    """A tenth warms up, so that what grows afterwards is a leak."""
    chance, ends = random.Random(1), Counter()
    await mixed_jobs(server, chance, max(8, count // 10), ends)
    before, ends = held(server), Counter()
    begun = time.monotonic()
    await mixed_jobs(server, chance, count, ends)
    took = time.monotonic() - begun
    await asyncio.sleep(2)
    after = held(server)
    problems = [what for what in ends if what.startswith("wrong")]
    for name, value in after.items():
        if value > before[name] + {"MiB": GROWTH_MAX_MIB, "threads": 8, "descriptors": 4}.get(name, 0):
            problems.append(f"{name}: {before[name]} -> {value}")
    return {"jobs": count, "seconds": took, "ends": ends, "before": before, "after": after, "problems": problems}


async def mixed_jobs(server: servers.Server, chance: random.Random, count: int, ends: Counter) -> None:
    waiting = iter([mixed(chance) for _ in range(count)])

    async def worker() -> None:
        for body, wanted in waiting:
            try:
                ends[(await job(server, body, wanted))["verdict"]] += 1
            except (RuntimeError, OSError, asyncio.IncompleteReadError) as error:
                ends[f"wrong: {body.get('code', 'files')!r}: {error}"] += 1

    await asyncio.gather(*[worker() for _ in range(2 * machine.cores())])


def held(server: servers.Server) -> dict:
    process = Path(f"/proc/{server.pid}")
    tag = f"gaia-jail-{server.pid}-"
    return {
        "MiB": resident_mib(server.pid),
        "threads": len(list((process / "task").iterdir())),
        "descriptors": len(list((process / "fd").iterdir())),
        "mounts": len((process / "mountinfo").read_text().splitlines()),
        "cgroups": sum(1 for _ in Path("/sys/fs/cgroup").rglob(f"{tag}*")),
        "processes": len(machine.tree(server.pid)),
    }


def markdown(found: dict) -> str:
    hello = found["single"]["hello check"]["node"]
    lines = ["| job | node, ms | bare cargo, ms | more, ms | sandbox alone, ms | of hello's check |", "|---|---|---|---|---|---|"]
    for name, row in found["single"].items():
        if "error" in row:
            lines.append(f"| {name} | {row['error'][:100]} | | | | |")
            continue
        cargo = row.get("cargo")
        compared = f"{cargo:.0f} | {row['node'] - cargo:.0f}" if cargo else "— | —"
        lines.append(f"| {name} | {row['node']:.0f} | {compared} | {row['prepare']:.0f} | {row['node'] / hello:.2f}× |")
    many, idle = found["many"], found["idle_mib"]
    alone = hello * AT_ONCE / 1000 / machine.cores()
    lines += ["", f"{AT_ONCE} checks at once on {machine.cores()} cores: {many['node_s']:.2f} s, bare cargo {many['cargo_s']:.2f} s; "
              f"one after another on each core they would take {alone:.2f} s, the processes themselves need {many['ideal_s']:.2f} s of the cores.",
              f"Idle memory of the host: {idle['with']} MiB with the service, {idle['without']} MiB without.", "",
              "| streams beside jobs | between tokens p50, ms | p95, ms | jobs done |", "|---|---|---|---|"]
    lines += [f"| {name} | {row['p50_ms']:.1f} | {row['p95_ms']:.1f} | {row['jobs']} |" for name, row in found["beside"].items()]
    if soaked := found.get("soak"):
        lines += ["", f"Soak: {soaked['jobs']} jobs in {soaked['seconds']:.0f} s, {dict(soaked['ends'])}; held before "
                  f"{soaked['before']}, after {soaked['after']}; left behind: {soaked['problems'] or 'nothing'}."]
    return "\n".join(lines)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
