"""The outcome of a lab: its checks, and in a lesson the parts that lead to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.base.messages import Note
    from descend.labs import Lab, Lesson

    Cell = str | Note


@dataclass(frozen=True)
class Check:
    """One figure: its description (a message code and values), the printed and the computed value, and the result.

    In a lesson ``printed`` is the value that was expected before the run.
    """

    code: str
    values: dict[str, Any]
    printed: Any
    ours: Any
    good: bool


@dataclass(frozen=True)
class Section:
    """A part of a lesson: its text, a table where there is one, and its checks.

    A ``title`` starts a group of parts.
    """

    told: Note
    heads: Sequence[Cell] = ()
    rows: Sequence[Sequence[Cell]] = ()
    checks: Sequence[Check] = ()
    title: bool = False


@dataclass(frozen=True)
class Line:
    """A line of code in one of two libraries; ``refusal`` is the error that it raised, if any."""

    library: str
    code: str
    shape: str = ""
    dtype: str = ""
    refusal: str = ""
    check: Check | None = None


@dataclass(frozen=True)
class Snippet:
    """A part of a lesson in code: its text, the given values, the same step in each library, and the result."""

    told: Note
    given: str
    lines: Sequence[Line]
    result: str

    @property
    def checks(self) -> list[Check]:
        """The checks of the lines that could be run."""
        return [line.check for line in self.lines if line.check is not None]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a lab: its checks, and a lesson's parts in order.

    ``equation`` is what a worked example came to, and ``coefficients`` its numbers by name, where these are finite.
    """

    lab: Lab | Lesson
    checks: list[Check]
    parts: Sequence[Section | Snippet] = ()
    equation: str = ""
    coefficients: dict[str, Any] = field(default_factory=dict)

    @property
    def good(self) -> int:
        """The number of checks that hold."""
        return sum(check.good for check in self.checks)

    @property
    def whole(self) -> bool:
        """Whether every check holds."""
        return self.good == len(self.checks)
