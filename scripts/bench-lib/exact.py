"""The points of an export, and the nearest of them by comparing with all: what an index is held against."""

import heapq
import json
import math
import operator
import random
import subprocess
from array import array
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

try:
    import numpy
except ImportError:
    numpy = None

# What is compared for all questions together where numpy is missing: about half a minute.
COMPARED_MAX = 2_000_000


@dataclass
class Points:
    """Vectors stand behind each other and have length 1; a text is kept as what `words` makes of it."""
    ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    sections: list[tuple[str, str]] = field(default_factory=list)
    vectors: array = field(default_factory=lambda: array("f"))

    def __len__(self) -> int:
        return len(self.ids)

    def questions_max(self) -> int:
        """How many questions can be compared with all points in sane time."""
        return 1000 if numpy else max(10, COMPARED_MAX // max(1, len(self)))

    def nearest(self, asked: list[float], count: int) -> list[int]:
        """Places of the nearest points by cosine, the nearest first."""
        if numpy:
            matrix = numpy.frombuffer(self.vectors, dtype=numpy.float32).reshape(len(self), len(asked))
            likeness = matrix @ numpy.array(asked, dtype=numpy.float32)
            places = numpy.argpartition(-likeness, min(count, len(self)) - 1)[:count]
            return [int(place) for place in places[numpy.argsort(-likeness[places])]]
        width, all_values = len(asked), memoryview(self.vectors)
        likeness = [sum(map(operator.mul, asked, all_values[place:place + width]))
                    for place in range(0, len(self.vectors), width)]
        return heapq.nlargest(count, range(len(self)), likeness.__getitem__)

    def nearest_texts(self, asked: list[float], count: int) -> set[str]:
        """The nearest texts; each counts once, as in the node's answers."""
        texts = {}
        for place in self.nearest(asked, min(len(self), count * 5)):
            if self.texts[place]:
                texts.setdefault(self.texts[place])
        return set(list(texts)[:count])

    def questions(self, chance: random.Random, count: int) -> list[tuple[str, set[str]]]:
        """Headings that stand over one section alone, and the ids of that section's chunks."""
        sections = defaultdict(set)
        for section, point in zip(self.sections, self.ids):
            if len(section[0].split()) >= 2:
                sections[section].add(point)
        by_heading = defaultdict(list)
        for (heading, _), ids in sections.items():
            by_heading[heading].append(ids)
        alone = sorted((heading, ids[0]) for heading, ids in by_heading.items() if len(ids) == 1)
        return chance.sample(alone, min(count, len(alone)))


def read(export: Path) -> Points:
    """Line by line: of 100,000 points the whole is a gigabyte."""
    points = Points()
    with subprocess.Popen(["zstd", "-dc", export], stdout=subprocess.PIPE) as unpacking:
        for line in unpacking.stdout:
            record = json.loads(line)
            if "payload" not in record:
                continue  # the header, or the end
            payload = record["payload"]
            points.ids.append(record["id"])
            points.texts.append(words(payload.get("source", "")))
            points.sections.append((payload.get("heading", "").split(" › ")[-1].strip(), payload.get("document", "")))
            points.vectors.extend(of_length_one(record["vector"]))
    if unpacking.returncode != 0:
        raise RuntimeError(f"zstd can't read {export}")
    return points


def words(text: str) -> str:
    return " ".join(text.split())


def of_length_one(vector: list[float]) -> list[float]:
    length = math.sqrt(sum(map(operator.mul, vector, vector))) or 1.0
    return [value / length for value in vector]
