"""What the client scripts share: where the node is, and a tally that cannot pass by doing nothing.

GAIA_TEST_URL    http://HOST:PORT of a running node, needed
GAIA_TEST_KEY    its key (default "none": a node without keys)
GAIA_TEST_CHAT   name of a chat model (default "chat")
GAIA_TEST_EMBED  name of an embedding model (default "embed")
GAIA_TEST_EYES   "1" if the chat model takes pictures; without it they must be refused

A script runs all its groups of checks, or those named as arguments, prints a line for each check, and
ends with 0 and "all checks passed", or with 1. Models are small: checks are about shape and
guarantees, never about cleverness.
"""

import os
import sys
import traceback

KEY = os.environ.get("GAIA_TEST_KEY", "none")
CHAT = os.environ.get("GAIA_TEST_CHAT", "chat")
EYES = os.environ.get("GAIA_TEST_EYES") == "1"
EMBED = os.environ.get("GAIA_TEST_EMBED", "embed")


def url() -> str:
    found = os.environ.get("GAIA_TEST_URL", "").rstrip("/")
    if not found:
        sys.exit("GAIA_TEST_URL is not set: give http://HOST:PORT of a running node")
    return found


class Checks:
    """Goes on after a failure: one run tells all that is wrong."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed: list[str] = []

    def that(self, condition, what: str, found=None) -> None:
        if condition:
            self.passed += 1
            print(f"ok: {what}", flush=True)
        else:
            self.fail(what if found is None else f"{what}; found {str(found)[:500]}")

    def equal(self, found, wanted, what: str) -> None:
        self.that(found == wanted, what, f"{found!r}, not {wanted!r}")

    def alike(self, found: str, wanted: str, what: str) -> None:
        """Greedy texts that begin alike. From the cache, or beside others, rounding differs, and a near
        tie between two tokens may fall the other way."""
        self.that(found and wanted and found[:8] == wanted[:8], what, f"{found!r} and {wanted!r}")

    def refused(self, call, status, what: str, param: str | None = None) -> None:
        """The call ends with an error of this HTTP status, or one of them, that blames `param`."""
        statuses = status if isinstance(status, tuple) else (status,)
        try:
            answer = call()
        except Exception as error:  # Each SDK has its own classes; all carry the status.
            blamed = getattr(error, "param", None) or str(error)
            fits = getattr(error, "status_code", None) in statuses and (param is None or param in blamed)
            self.that(fits, what, f"{type(error).__name__}: {error}")
        else:
            self.fail(f"{what}; it was answered: {str(answer)[:300]}")

    def shown(self, ask, param: str) -> None:
        """`ask(True)` shows a picture, `ask(False)` says the same words alone; both give prompt tokens."""
        if not EYES:
            self.refused(lambda: ask(True), 400, "a picture for a model that sees none is refused", param)
            return
        with_picture, words = ask(True), ask(False)
        self.that(with_picture > words + 3, "a picture takes its place in the prompt", (with_picture, words))
        self.equal(ask(True), with_picture, "and the same each time")

    def fail(self, what: str) -> None:
        self.failed.append(what)
        print(f"FAILED: {what}", flush=True)

    def finish(self) -> None:
        """Ends the program: 0 only if something was checked and nothing failed."""
        if self.failed or not self.passed:
            sys.exit(f"{len(self.failed)} of {self.passed + len(self.failed)} checks failed")
        print(f"all checks passed ({self.passed})")


def run(groups: dict) -> None:
    """Ends the program: 0 only if every group checked something and nothing failed."""
    chosen = sys.argv[1:] or list(groups)
    if unknown := [name for name in chosen if name not in groups]:
        sys.exit(f"no group {unknown[0]!r}; there are {', '.join(groups)}")
    checks = Checks()
    for name in chosen:
        _run_group(name, groups[name], checks)
    checks.finish()


def _run_group(name: str, group, checks: Checks) -> None:
    before = checks.passed + len(checks.failed)
    try:
        group(checks)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[1]
        checks.fail(f"{name}: line {place.lineno}: {type(error).__name__}: {str(error)[:500]}")
    if checks.passed + len(checks.failed) == before:
        checks.fail(f"{name}: nothing was checked")
