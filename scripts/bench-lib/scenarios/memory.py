"""Memory of the server's processes without the model's file, after the start and after work.

/proc/PID/smaps tells each mapping's share (Pss: a page that k processes map counts 1/k for each).
Own memory is the sum of these shares over the server's processes, mappings of the model's file left
out: anonymous memory (heap, stacks, key-value cache, weights that were repacked), shared memory, and
what is resident of programs, libraries and other files. The anonymous and the private part of it are
in the results too, from smaps_rollup (Pss_Anon; Private_Clean + Private_Dirty).
"""

import asyncio
from pathlib import Path

import machine
import prompts
from load import closed_loop, tally
from scenario import Case, Column, Scenario, Settings
from servers import Setup

STREAMS = 16
# What a server frees once it is idle counts as free.
REST_SECONDS = 3


def cases(_: Settings) -> list[Case]:
    return [Case(Setup("chat", STREAMS, 1024), ("idle", "after work"), measure, fresh=True)]


async def measure(server, seed: str, settings: Settings) -> dict:
    # The first request brings what is loaded lazily.
    first = await closed_loop(server, [prompts.chat("Hello.", 4)], 1)
    idle = await _rested(server)
    streams = settings.scaled(STREAMS, 2)
    bodies = [prompts.chat(prompts.question(f"{seed} {number}", 64), settings.answer_tokens)
              for number in range(streams)]
    work = await closed_loop(server, bodies, streams)
    return {"idle": tally(first.answers) | idle, "after work": tally(work.answers) | await _rested(server)}


async def _rested(server) -> dict:
    await asyncio.sleep(REST_SECONDS)
    totals = {}
    for pid in machine.tree(server.pid):
        for key, mib in (_rollup(pid) | _by_model(pid)).items():
            totals[key] = totals.get(key, 0) + mib
    totals["processes"] = len(machine.tree(server.pid))
    totals["own_mib"] = totals["pss_mib"] - totals["model_share_mib"]
    return totals


def _rollup(pid: int) -> dict:
    kib = dict(_sizes(Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()))
    return {"pss_mib": kib["Pss"] / 1024, "anonymous_mib": kib["Pss_Anon"] / 1024, "resident_mib": kib["Rss"] / 1024,
            "private_mib": (kib["Private_Clean"] + kib["Private_Dirty"]) / 1024}


def _by_model(pid: int) -> dict:
    """What the mappings of GGUF files hold: their share, and all that is resident."""
    kib, inside = {"Pss": 0, "Rss": 0}, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if not line.split(" ", 1)[0].endswith(":"):
            inside = line.endswith(".gguf")
        elif inside and line[:4] in ("Pss:", "Rss:"):
            kib[line[:3]] += int(line.split()[1])
    return {"model_share_mib": kib["Pss"] / 1024, "model_resident_mib": kib["Rss"] / 1024}


def _sizes(lines: list[str]):
    for line in lines:
        name, _, size = line.partition(":")
        if size.endswith(" kB"):
            yield name, int(size.split()[0])


SCENARIO = Scenario(
    name="memory",
    title=f"Memory of the server's processes, with room for {STREAMS} requests of 1024 tokens",
    columns=(
        Column("own memory, MiB", "own_mib"),
        Column("anonymous part", "anonymous_mib"),
        Column("private part", "private_mib"),
        Column("the model's file, resident", "model_resident_mib"),
        Column("resident in all", "resident_mib"),
        Column("processes", "processes", 0, ratio=False),
    ),
    cases=cases,
    notes="Own memory: proportional shares (Pss of /proc/PID/smaps) of all mappings but the model's file, summed "
          "over the server's processes (host and worker of the node). Anonymous: Pss_Anon; private: Private_Clean + "
          "Private_Dirty, both of smaps_rollup. Resident in all counts what two processes share twice.",
)
