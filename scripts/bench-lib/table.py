#!/usr/bin/env python3
"""Turn a folder of measurements of scripts/bench into Markdown, medians over the rounds."""

import json
import statistics
import sys
from pathlib import Path

COLUMNS = (
    ("tokens/s", "out_tok_s"),
    ("first token p50 ms", "ttft_p50_ms"),
    ("first token p95 ms", "ttft_p95_ms"),
    ("between tokens p50 ms", "itl_p50_ms"),
    ("CPU s per 1000 tokens", "cpu_s_per_ktok"),
)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    lines = (folder / "measurements.json").read_text().splitlines()
    rows = [row for line in lines for row in json.loads(line)]
    print(f"Medians of {rounds(rows)} rounds, {rows[0]['requests']} requests each, "
          f"prompts of {rows[0]['prompt_tok_avg']:.0f} tokens; one-minute load {load(rows)}.\n")
    print_table(rows)
    wasm_path = folder / "wasm-path.txt"
    if wasm_path.exists():
        print("\nThe wasm path alone:\n")
        print(wasm_path.read_text().strip())


def rounds(rows: list) -> int:
    first = rows[0]
    return sum(row["label"] == first["label"] and row["concurrency"] == first["concurrency"] for row in rows)


def load(rows: list) -> str:
    loads = [row["load1"] for row in rows]
    return f"{min(loads)} to {max(loads)}"


def print_table(rows: list) -> None:
    print("| streams | | " + " | ".join(title for title, _ in COLUMNS) + " |")
    print("|---|---|" + "---|" * len(COLUMNS))
    for level in sorted({row["concurrency"] for row in rows}):
        node, peer = (medians(rows, label, level) for label in ("node", "peer"))
        print_row(level, "node", node)
        print_row(level, "llama-server", peer)
        print_row(level, "ratio", [f"{a / b:.2f}" if b else "–" for a, b in zip(node, peer)])


def medians(rows: list, label: str, level: int) -> list:
    chosen = [row for row in rows if row["label"] == label and row["concurrency"] == level]
    return [round(statistics.median(row[key] for row in chosen), 1) for _, key in COLUMNS]


def print_row(level: int, name: str, values: list) -> None:
    print(f"| {level} | {name} | " + " | ".join(str(value) for value in values) + " |")


if __name__ == "__main__":
    main()
