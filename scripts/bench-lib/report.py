"""Medians over the rounds and their ratios, as Markdown tables."""

import statistics

from scenario import Column, Scenario

NODE, PEER = "node", "llama-server"
MISSING = "–"


def markdown(results: dict, scenarios: dict) -> str:
    parts = [_head(results)]
    for name, rows in results["scenarios"].items():
        parts.append(_section(scenarios[name], rows))
    return "\n\n".join(parts) + "\n"


def _head(results: dict) -> str:
    machine, versions, settings = results["machine"], results["versions"], results["settings"]
    models = ", ".join(versions["model"].values())
    lines = [
        f"# Node and llama-server, {results['started']}",
        "",
        f"- machine: {machine['cpu']}, {settings['threads']} threads of {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, Linux {machine['kernel']}",
        f"- load before and after: {results['load_before']:.1f}, {results['load_after']:.1f}"
        + (f"; NOT QUIET: {results['busy']}, believe no figure" if results["busy"] else ""),
        f"- node: {versions['node']}, checkout {versions['commit']}, binary {versions['node_binary_sha256']}",
        f"- llama-server: {versions['peer']}",
        f"- models: {models}",
        f"- medians of {settings['rounds']} rounds, {settings['requests']} requests per case and round, "
        f"{settings['answer_tokens']} tokens of answer, greedy; ratio = node / llama-server, where more is better for rates and less for times"
        + ("; QUICK: figures mean nothing" if settings["quick"] else ""),
    ]
    return "\n".join(lines)


def _section(scenario: Scenario, rows: list[dict]) -> str:
    titles = ["", "", *[column.title for column in scenario.columns], "ok"]
    lines = [f"## {scenario.name}: {scenario.title}", "", _line(titles), "|" + "---|" * len(titles)]
    for case in dict.fromkeys(row["case"] for row in rows):
        lines += _case(scenario, case, [row for row in rows if row["case"] == case])
    lines += ["", scenario.notes] if scenario.notes else []
    return "\n".join(lines + _faults(rows))


def _case(scenario: Scenario, case: str, rows: list[dict]) -> list[str]:
    node, peer = ([row for row in rows if row["server"] == name] for name in (NODE, PEER))
    ratios = [_ratio(column, node, peer) for column in scenario.columns]
    return [_line([case, NODE, *_figures(scenario, node)]),
            _line([case, PEER, *_figures(scenario, peer)]),
            _line([case, "ratio", *ratios, ""])]


def _figures(scenario: Scenario, rows: list[dict]) -> list[str]:
    values = [median(rows, column.key) for column in scenario.columns]
    shown = [MISSING if value is None else f"{value:.{column.digits}f}"
             for value, column in zip(values, scenario.columns)]
    ok, asked = (sum(row["figures"].get(key, 0) for row in rows) for key in ("ok", "requests"))
    return [*shown, f"{ok}/{asked}" if asked and ok else "FAILED"]


def median(rows: list[dict], key: str) -> float | None:
    values = [row["figures"][key] for row in rows if key in row["figures"]]
    return statistics.median(values) if values else None


def _ratio(column: Column, node: list[dict], peer: list[dict]) -> str:
    ours, theirs = median(node, column.key), median(peer, column.key)
    if not column.ratio or ours is None or not theirs:
        return ""
    return f"**{ours / theirs:.2f}**"


def _faults(rows: list[dict]) -> list[str]:
    """What went wrong, each thing once with its count."""
    counts = {}
    for row in rows:
        for error, count in row["figures"].get("errors", {}).items():
            key = (row["case"], row["server"], error)
            counts[key] = counts.get(key, 0) + count
    found = [f"- failed: {case}, {server}, {count}×: `{error.replace('`', ' ')}`"
             for (case, server, error), count in counts.items()]
    return ["", *found] if found else []


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def summary(results: dict) -> dict:
    """The same medians for programs: scenario, case, server, figure."""
    found = {}
    for name, rows in results["scenarios"].items():
        for row in rows:
            same = [other for other in rows if (other["case"], other["server"]) == (row["case"], row["server"])]
            keys = {key for other in same for key, value in other["figures"].items() if isinstance(value, int | float)}
            case = found.setdefault(name, {}).setdefault(row["case"], {})
            case.setdefault(row["server"], {key: median(same, key) for key in sorted(keys)})
    return found
