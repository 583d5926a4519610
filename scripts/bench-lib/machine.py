"""What the machine is, how busy it is, and what a process tree has used of it."""

import os
import platform
import time
from pathlib import Path

# A share of all cores; a quiet machine stays under a few percent.
BUSY_SHARE_MAX = 0.15
SAMPLE_SECONDS = 3
QUIET_PATIENCE_SECONDS = 120


def cores() -> int:
    return len(os.sched_getaffinity(0))


def describe() -> dict:
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    return {"cpu": cpu, "cores": cores(), "memory_gib": round(memory_kib / (1 << 20), 1),
            "kernel": platform.release()}


def busy_share() -> float:
    """Of all cores, over a few seconds; time stolen by other guests counts too."""
    def read() -> tuple[int, int]:
        numbers = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(numbers), numbers[3] + numbers[4]
    (all_before, idle_before), _ = read(), time.sleep(SAMPLE_SECONDS)
    all_after, idle_after = read()
    return 1 - (idle_after - idle_before) / max(1, all_after - all_before)


def busy_reason() -> str | None:
    """What keeps the machine busy; nothing when it is quiet."""
    share = busy_share()
    if share <= BUSY_SHARE_MAX:
        return None
    return f"other programs take {share:.0%} of {cores()} cores (load {os.getloadavg()[0]:.1f})"


def await_quiet() -> str | None:
    """Gives what just ran, a build for example, time to end; what is still busy then."""
    deadline = time.monotonic() + QUIET_PATIENCE_SECONDS
    while (busy := busy_reason()) and time.monotonic() < deadline:
        pass
    return busy


def tree(pid: int) -> list[int]:
    """The process and its living descendants."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for process in found:
        found += parents.get(process, [])
    return found


def cpu_seconds(pid: int) -> float:
    """Of the tree, ended children included."""
    ticks = sum(sum(int(field) for field in fields[11:15])
                for process in tree(pid) if (fields := _stat(process)))
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """The fields behind the name, the state being the first; none when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []
