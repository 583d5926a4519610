"""Repairs the broken projects of tests/data/repair and reports, by stage, how many were; `scripts/bench repair`
calls this.

What the node hands back is not believed: its files are compiled and tested once more, with the tests as they
were written.
"""

import argparse
import json
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import machine
import servers

ANSWER_PATIENCE_SECONDS = 900


@dataclass(frozen=True)
class Case:
    id: str
    family: str
    set: str
    good: dict
    broken: dict


@dataclass(frozen=True)
class Pass:
    """One way over all cases, on a node of its own configuration."""
    name: str
    memory: bool
    model: bool
    learn: bool = False


# The memory of the third and fourth pass is what the first pass with a model has learned from the seed cases.
PASSES = (
    Pass("compiler alone", memory=False, model=False),
    Pass("model", memory=False, model=True),
    Pass("model, learning", memory=True, model=True, learn=True),
    Pass("memory, no model", memory=True, model=False),
    Pass("memory and model", memory=True, model=True),
)


@dataclass
class Outcome:
    case: Case
    verdict: str
    by: str = ""
    attempts: int = 0
    tokens: int = 0
    seconds: float = 0.0
    note: str = ""
    diff: str = field(default="", repr=False)


def main() -> None:
    options = read_options()
    cases = [case for case in read_cases(options.checkout / "tests/data/repair") if wanted(case, options)]
    if not cases:
        sys.exit("error: no case is left: see tests/data/repair/cases.toml")
    busy = None if options.force else machine.await_quiet()
    if busy:
        sys.exit(f"error: {busy}: no time would mean anything; end them, or measure anyway with --force")
    results = {}
    for number, chosen in enumerate(PASSES, 1):
        if str(number) in options.passes.split(","):
            results[chosen.name] = measure(options, chosen, cases)
    text = "\n\n".join([table(results), families(results), failures(results)])
    (options.results / "repair.md").write_text(text + "\n")
    raw = {name: [vars(o) | {"case": o.case.id, "set": o.case.set, "family": o.case.family} for o in outcomes]
           for name, outcomes in results.items()}
    (options.results / "repair.json").write_text(json.dumps(raw, indent=1))
    print(text)
    say(f"raw results, configs and logs: {options.results}")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench repair", description=__doc__)
    for name in ("home", "checkout", "results"):
        parser.add_argument(f"--{name}", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--passes", default="1,2,3,4,5",
                        help="; ".join(f"{number}: {chosen.name}" for number, chosen in enumerate(PASSES, 1)))
    parser.add_argument("--set", default="all", choices=["seed", "held-out", "all"])
    parser.add_argument("--case", default="", help="names of cases, with commas")
    parser.add_argument("--family", default="", help="names of families, with commas")
    parser.add_argument("--learn", default="seed", choices=["seed", "held-out", "all"],
                        help="what the third pass repairs and remembers; the others see what it learned")
    parser.add_argument("--attempts", type=int, default=3, help="rounds of the model")
    parser.add_argument("--candidates", type=int, default=2, help="candidates of a round")
    parser.add_argument("--coder", type=Path, help="GGUF file of the coding model (default: that of the coder profile)")
    parser.add_argument("--force", action="store_true", help="measure on a busy machine too")
    return parser.parse_args()


def wanted(case: Case, options: argparse.Namespace) -> bool:
    return (options.set in ("all", case.set)
            and (not options.case or case.id in options.case.split(","))
            and (not options.family or case.family in options.family.split(",")))


def read_cases(folder: Path) -> list[Case]:
    cases = []
    for row in tomllib.loads((folder / "cases.toml").read_text())["case"]:
        good = read_project(folder / "projects" / f"{row['project']}.txt")
        text = good[row["file"]]
        if text.count(row["find"]) != 1:
            sys.exit(f"error: cases.toml: `find` of {row['id']} does not stand exactly once in {row['file']}")
        broken = good | {row["file"]: text.replace(row["find"], row["replace"])}
        cases.append(Case(row["id"], row["family"], row["set"], good, broken))
    return cases


def read_project(file: Path) -> dict:
    files, name = {}, ""
    for line in file.read_text().splitlines(keepends=True):
        if line.startswith("[filename: "):
            name = line.strip().removeprefix("[filename: ").removesuffix("]")
            files[name] = ""
        else:
            files[name] += line
    return {name: text.rstrip("\n") + "\n" for name, text in files.items()}


def measure(options: argparse.Namespace, chosen: Pass, cases: list[Case]) -> list[Outcome]:
    say(f"==> {chosen.name}: {len(cases)} projects")
    if chosen.learn:
        cases = [case for case in cases if options.learn in ("all", case.set)]
    server = start(options, chosen)
    outcomes = []
    try:
        for case in cases:
            outcomes.append(outcome := repair(server, options, chosen, case))
            say(f"    {case.id}: {outcome.verdict} {outcome.by} {outcome.seconds:.1f} s {outcome.note[:120]}")
    finally:
        server.stop()
    return outcomes


def start(options: argparse.Namespace, chosen: Pass) -> servers.Server:
    config = options.results / f"{chosen.name.replace(' ', '-').replace(',', '')}.toml"
    config.write_text(config_text(options, chosen))
    return servers.start_with(config, servers.plain_places(options))


def config_text(options: argparse.Namespace, chosen: Pass) -> str:
    home = options.home
    text = (f'[knowledge]\nfolder = "{options.results}/knowledge"\n'
            f'[coder]\nmemory = {str(chosen.memory).lower()}\n' + ('model = "coder"\n' if chosen.model else "")
            + f'[[models]]\nname = "embedder"\nkind = "embedding"\npath = "{embedder(home)}"\n'
            f'app = "{home}/apps/embed.wasm"\n')
    if chosen.model:
        text += (f'[[models]]\nname = "coder"\nkind = "chat"\npath = "{coder(options)}"\napp = "{home}/apps/chat.wasm"\n'
                 'sequences_max = 4\ncontext_tokens = 8192\n')
    return text


def embedder(home: Path) -> Path:
    return next((home / "models").glob("*MiniLM*.gguf"))


def coder(options: argparse.Namespace) -> Path:
    found = options.coder or next((options.home / "models").glob("[Qq]wen2.5-[Cc]oder*.gguf"), None)
    if not found or not found.is_file():
        sys.exit("error: no coding model: run scripts/setup --coder, or leave passes 2, 3 and 5 out")
    return found.resolve()


def repair(server: servers.Server, options: argparse.Namespace, chosen: Pass, case: Case) -> Outcome:
    begun = time.monotonic()
    status, answer = post(server, "/v1/repair", {
        "files": case.broken, "goal": "test", "without_model": not chosen.model, "learn": chosen.learn,
        "attempts": options.attempts, "candidates": options.candidates, "detail": "raw"})
    seconds = time.monotonic() - begun
    if status != 200:
        return Outcome(case, "error", seconds=seconds, note=str(answer)[:300])
    spent = answer.get("spent", {})
    return Outcome(
        case, judge(server, case, answer), by=answer.get("by") or "", attempts=len(answer.get("attempts", [])),
        tokens=spent.get("completion_tokens", 0), seconds=seconds, note=answer.get("message", ""),
        diff=answer.get("diff", ""))


def judge(server: servers.Server, case: Case, answer: dict) -> str:
    """By the tests as they were: `wrong` compiles and fails them, or pretends."""
    files = {**case.broken, **answer["files"]}
    files = {name: with_tests_of(text, case.good.get(name, "")) for name, text in files.items()}
    files |= {name: text for name, text in case.good.items() if name.startswith("tests/")}
    status, checked = post(server, "/v1/compile", {"files": files, "command": "test", "detail": "summary"})
    verdict = checked.get("verdict") if status == 200 else f"error {status}"
    if verdict == "ok":
        return "repaired"
    if answer["success"] or verdict == "test_failure":
        return "wrong"
    return "not repaired"


def with_tests_of(text: str, good: str) -> str:
    """The same with the test module as it was written."""
    mark = "#[cfg(test)]"
    if mark not in good:
        return text
    return text.split(mark)[0] + mark + good.split(mark, 1)[1]


def post(server: servers.Server, path: str, body: dict) -> tuple[int, dict]:
    request = urllib.request.Request(server.url + path, json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_PATIENCE_SECONDS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, {"error": error.read().decode(errors="replace")}
    except OSError as error:
        return 0, {"error": str(error)}


def table(results: dict) -> str:
    lines = ["| pass | projects | repaired | wrong | by suggestions / memory / model | compiled | tokens | seconds, median |",
             "|---|---|---|---|---|---|---|---|"]
    for name, outcomes in results.items():
        for part in ("seed", "held-out"):
            some = [outcome for outcome in outcomes if outcome.case.set == part]
            if some:
                lines.append(row(f"{name}, {part}", some))
    return "\n".join(lines)


def row(name: str, outcomes: list[Outcome]) -> str:
    repaired = [outcome for outcome in outcomes if outcome.verdict == "repaired"]
    wrong = sum(outcome.verdict == "wrong" for outcome in outcomes)
    by = Counter(outcome.by for outcome in repaired)
    count = len(outcomes)
    return (f"| {name} | {count} | {len(repaired)} ({len(repaired) / count:.0%}) | {wrong} ({wrong / count:.0%}) "
            f"| {by['suggestions']} / {by['memory']} / {by['model']} | {mean(o.attempts for o in outcomes):.1f} "
            f"| {mean(o.tokens for o in outcomes):.0f} | {sorted(o.seconds for o in outcomes)[count // 2]:.1f} |")


def mean(numbers) -> float:
    numbers = list(numbers)
    return sum(numbers) / max(1, len(numbers))


def families(results: dict) -> str:
    names = sorted({outcome.case.family for outcomes in results.values() for outcome in outcomes})
    lines = ["| repaired of | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for name, outcomes in results.items():
        cells = []
        for family in names:
            some = [outcome for outcome in outcomes if outcome.case.family == family]
            cells.append(f"{sum(outcome.verdict == 'repaired' for outcome in some)}/{len(some)}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def failures(results: dict) -> str:
    lines = []
    for name, outcomes in results.items():
        for outcome in outcomes:
            if outcome.verdict != "repaired":
                lines.append(f"- {name}: {outcome.case.id} ({outcome.case.set}): {outcome.verdict}. {outcome.note[:160]}")
    return "\n".join(lines)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
