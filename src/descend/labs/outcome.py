"""What comes out of a lab, however it was run: checks, and in a lesson the parts that lead to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.base.messages import Note
    from descend.labs import Lab, Lesson

    Cell = str | Note


@dataclass(frozen=True)
class Check:
    """One figure: what it is (a code of messages and its values), as printed, as it came out, whether it holds.

    In a lesson ``printed`` is what was expected of it before it was run.
    """

    code: str
    values: dict[str, Any]
    printed: Any
    ours: Any
    good: bool


@dataclass(frozen=True)
class Section:
    """A part of a lesson: what is said, perhaps a table that shows it, and what is checked of it.

    A ``title`` opens the parts that follow.
    """

    told: Note
    heads: Sequence[Cell] = ()
    rows: Sequence[Sequence[Cell]] = ()
    checks: Sequence[Check] = ()
    title: bool = False


@dataclass(frozen=True)
class Line:
    """A line of code in one of two libraries; ``refusal`` is the error with which it was refused, if it was."""

    library: str
    code: str
    shape: str = ""
    dtype: str = ""
    refusal: str = ""
    check: Check | None = None


@dataclass(frozen=True)
class Snippet:
    """A part of a lesson in code: what is said, the values at hand, the same in every library, and what it gives."""

    told: Note
    given: str
    lines: Sequence[Line]
    result: str

    @property
    def checks(self) -> list[Check]:
        """The checks of those lines that could be run."""
        return [line.check for line in self.lines if line.check is not None]


@dataclass(frozen=True)
class Outcome:
    """A lab that was run: its checks, and a lesson's parts in the order in which they are told."""

    lab: Lab | Lesson
    checks: list[Check]
    parts: Sequence[Section | Snippet] = ()

    @property
    def good(self) -> int:
        """The number of checks that hold."""
        return sum(check.good for check in self.checks)

    @property
    def whole(self) -> bool:
        """Whether every check holds."""
        return self.good == len(self.checks)
