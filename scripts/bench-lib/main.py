"""Measures scenario by scenario, node and llama-server in turn; scripts/bench calls this."""

import argparse
import asyncio
import itertools
import json
import os
import sys
import time
from pathlib import Path

import machine
import prompts
import report
import scenarios
import servers
from load import closed_loop
from scenario import Case, Scenario, Settings

STARTERS = {report.NODE: servers.start_node, report.PEER: servers.start_peer}


def main() -> None:
    options = read_options()
    places = servers.Places(
        home=options.home, checkout=options.checkout, results=options.results, peer=options.peer,
        threads=options.threads, models={"chat": options.chat_model, "embedding": options.embedding_model})
    settings = Settings(options.requests, options.max_tokens, options.levels, options.quick)
    busy = None if options.force and options.quick else check_quiet(options.force)
    results = {"started": time.strftime("%Y-%m-%d %H:%M:%S"), "machine": machine.describe(),
               "versions": servers.versions(places), "load_before": os.getloadavg()[0], "busy": busy,
               "settings": {**vars(settings), "rounds": options.rounds, "threads": options.threads},
               "scenarios": {}}
    for name in options.scenario:
        say(f"==> {name}: {scenarios.ALL[name].title}")
        results["scenarios"][name] = Bench(places, settings, options.rounds).measure(scenarios.ALL[name])
    results["load_after"] = os.getloadavg()[0]
    finish(results, places)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("home", "checkout", "results", "chat-model", "embedding-model"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--peer", default="")
    parser.add_argument("--scenario", type=scenario_names, default=list(scenarios.ALL))
    parser.add_argument("--levels", type=numbers, default=None)
    parser.add_argument("--rounds", type=positive, default=None)
    parser.add_argument("--requests", type=positive, default=None)
    parser.add_argument("--max-tokens", type=positive, default=None)
    parser.add_argument("--threads", type=positive, default=None)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--force", action="store_true")
    options = parser.parse_args()
    usual = {"levels": (1, 4, 8, 16, 32), "rounds": 3, "requests": 32, "max_tokens": 64,
             "threads": machine.cores()}
    quick = {"levels": (1, 17), "rounds": 1, "requests": 2, "max_tokens": 8, "threads": 1}
    for name, value in (quick if options.quick else usual).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def scenario_names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in scenarios.ALL]:
        raise argparse.ArgumentTypeError(f"no scenario '{unknown[0]}'; there are {', '.join(scenarios.ALL)}")
    return names


def numbers(text: str) -> tuple[int, ...]:
    return tuple(positive(part) for part in text.split(","))


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not above 0")
    return number


def check_quiet(force: bool) -> str | None:
    """Ends the program on a busy machine, unless told to measure anyway."""
    say("looking whether the machine is quiet")
    busy = machine.busy_reason() if force else machine.await_quiet()
    if busy and not force:
        sys.exit(f"error: {busy}: no figure would mean anything; end them, or measure anyway with --force")
    return busy


class Bench:
    """One scenario. A server that does not start or ends fails its cases and stops no other."""

    def __init__(self, places: servers.Places, settings: Settings, rounds: int) -> None:
        self.places, self.settings, self.rounds = places, settings, rounds
        self.rows = []

    def measure(self, scenario: Scenario) -> list[dict]:
        for setup, cases in itertools.groupby(scenario.cases(self.settings), key=lambda case: case.setup):
            cases = list(cases)
            if cases[0].fresh:
                for number in range(self.rounds):
                    self._with_servers(setup, cases, [number])
            else:
                self._with_servers(setup, cases, range(self.rounds))
        return self.rows

    def _with_servers(self, setup: servers.Setup, cases: list[Case], rounds) -> None:
        running = {}
        try:
            for name, start in STARTERS.items():
                running[name] = self._start(start, setup)
            self._measure_rounds(running, cases, rounds)
        finally:
            for server in running.values():
                if isinstance(server, servers.Server):
                    server.stop()

    def _start(self, start, setup: servers.Setup) -> servers.Server | str:
        """What kept it from starting stands in its place."""
        try:
            server = start(self.places, setup)
        except (servers.NotStarted, OSError) as error:
            say(f"    {error}")
            return str(error)
        if setup.kind == "chat":
            asyncio.run(closed_loop(server, [prompts.chat("Hello.", 4)], 1))
        return server

    def _measure_rounds(self, running: dict, cases: list[Case], rounds) -> None:
        """Turn by turn, so that a busy spell meets both; who is first changes from round to round."""
        for number in rounds:
            order = list(running) if number % 2 == 0 else list(reversed(running))
            for case, name in itertools.product(cases, order):
                self._turn(case, name, running[name], number)

    def _turn(self, case: Case, name: str, server: servers.Server | str, number: int) -> None:
        if isinstance(server, str):
            found = failed(case, server)
        elif not server.runs():
            found = failed(case, f"the {name} ended: {servers.last_words(server.log)}")
        else:
            found = asyncio.run(case.measure(server, f"round {number}", self.settings))
        for row, figures in found.items():
            self.rows.append({"case": row, "server": name, "round": number, "figures": figures})
            say(f"    round {number + 1}, {row}, {name}: {figures['ok']}/{figures['requests']} ok")


def failed(case: Case, error: str) -> dict:
    return {row: {"requests": 1, "ok": 0, "errors": {error: 1}} for row in case.rows}


def finish(results: dict, places: servers.Places) -> None:
    text = report.markdown(results, scenarios.ALL)
    results["medians"] = report.summary(results)
    (places.results / "results.json").write_text(json.dumps(results, indent=1))
    (places.results / "report.md").write_text(text)
    print(text)
    say(f"raw results, configs and logs: {places.results}")
    rows = [row["figures"] for measured in results["scenarios"].values() for row in measured]
    if any(figures["ok"] < figures["requests"] for figures in rows):
        sys.exit("error: not all requests were answered; the report says which")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
