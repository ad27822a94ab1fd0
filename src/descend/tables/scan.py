"""Scans: tables that are read part by part, any number of times, and never held whole in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from descend.tables.table import Table


class Part(Protocol):
    """Consecutive rows of a scan: ``rows`` of them, of which ``first`` is the number of the first in the whole.

    ``size`` is how many bytes of the source they take, for a report of progress.
    """

    @property
    def first(self) -> int:
        """The number of the first row, from 0."""
        ...

    @property
    def rows(self) -> int:
        """How many rows there are."""
        ...

    @property
    def size(self) -> int:
        """Bytes of the source, 0 where that is not known."""
        ...

    def table(self) -> Table:
        """Read the rows; raises TableError, naming the file, where they cannot be read."""
        ...


class Scan(Protocol):
    """A table too large to hold: the head of its rows, and parts."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    @property
    def head(self) -> Table:
        """The first rows; what their columns hold is what those of every part hold."""
        ...

    @property
    def rows(self) -> int:
        """How many rows there are."""
        ...

    @property
    def size(self) -> int:
        """How many bytes the source has, 0 where that is not known."""
        ...

    @property
    def mark(self) -> str:
        """What tells it from another table, and from itself once it has changed."""
        ...

    @property
    def scattered(self) -> bool:
        """Whether its parts can be sent to other processes and read there, in any order."""
        ...

    @property
    def quick(self) -> bool:
        """Whether reading its rows again takes less time than writing them down does."""
        ...

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Yield the parts, in their order, with some of the columns; the same parts every time."""
        ...
