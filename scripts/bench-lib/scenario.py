"""What a scenario is made of."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from servers import Setup


@dataclass(frozen=True)
class Column:
    title: str
    key: str
    digits: int = 1
    # A figure without a meaning as a ratio, such as a count.
    ratio: bool = True


@dataclass(frozen=True)
class Settings:
    """`requests` is for each case, round and server."""
    requests: int
    answer_tokens: int
    levels: tuple[int, ...]
    quick: bool

    def scaled(self, usual: int, quick: int) -> int:
        """What a case measures, or the least that still tells whether it works."""
        return quick if self.quick else usual


@dataclass(frozen=True)
class Case:
    """One turn of one server: `measure` gives the figures of each row that the turn fills."""
    setup: Setup
    rows: tuple[str, ...]
    # Called with the server, a seed that both servers share, and the settings.
    measure: Callable[..., Awaitable[dict[str, dict]]]
    # The memory of a server that has worked is not that of a fresh one.
    fresh: bool = False


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    columns: tuple[Column, ...]
    cases: Callable[[Settings], list[Case]]
    notes: str = ""
