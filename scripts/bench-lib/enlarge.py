"""Makes a larger export of an export: beside its points stand new ones, each mixed of two of them.

A new text is the first half of one and the second half of the other, its vector lies between theirs. So
an index has as much to do as with so many real texts, more than with vectors by chance, for each point
has near neighbours. What a new text means is nonsense: ranking is not to be judged among them.
"""

import hashlib
import json
import random
import subprocess
import uuid
from pathlib import Path

# How far a new vector lies from the first of its parents towards the second.
SHARES = (0.1, 0.5)


def enlarge(source: Path, target: Path, size: int, chance: random.Random) -> None:
    """Writes `target` with `size` points, those of `source` among them."""
    header, *lines = unpacked(source)
    points = [json.loads(line) for line in lines if b'"payload"' in line]
    ids = sorted(str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(size - len(points)))
    new = (mixed(point_id, *chance.sample(points, 2), chance.uniform(*SHARES)) for point_id in ids)
    header = json.loads(header)
    header["header"]["points"] = size
    write(target, header, in_order(points, new))


def unpacked(file: Path) -> list[bytes]:
    return subprocess.run(["zstd", "-dc", file], capture_output=True, check=True).stdout.splitlines()


def mixed(point_id: str, one: dict, other: dict, share: float) -> dict:
    vector = [round(a * (1 - share) + b * share, 6) for a, b in zip(one["vector"], other["vector"])]
    first, second = one["payload"]["source"].split(), other["payload"]["source"].split()
    text = " ".join(first[:len(first) // 2] + second[len(second) // 2:])
    payload = one["payload"] | {"source": text, "document": f"mixed/{point_id}"}
    return {"id": point_id, "vector": vector, "payload": payload}


def in_order(points: list[dict], new):
    """Both are in the order of their ids: a file of points is, too."""
    waiting = iter(points)
    point = next(waiting, None)
    for one in new:
        while point is not None and point["id"] < one["id"]:
            yield point
            point = next(waiting, None)
        yield one
    if point is not None:
        yield point
        yield from waiting


def write(target: Path, header: dict, points) -> None:
    digest, length, records = hashlib.sha256(), 0, 0
    with subprocess.Popen(["zstd", "-1", "-q", "-f", "-o", target], stdin=subprocess.PIPE) as packing:
        def put(record: dict) -> None:
            nonlocal length
            line = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
            digest.update(line)
            length += len(line)
            packing.stdin.write(line)

        put(header)
        for records, point in enumerate(points, 1):
            put(point)
        end = {"trailer": {"records": records, "bytes": length, "sha256": digest.hexdigest()}}
        packing.stdin.write(json.dumps(end).encode() + b"\n")
    if packing.returncode != 0:
        raise RuntimeError(f"zstd can't write {target}")
