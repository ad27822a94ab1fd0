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
    """A table too large for memory: its first rows, and its parts."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    @property
    def head(self) -> Table:
        """The first rows; the kinds of their columns are those of every part."""
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
        """An identifier of the table's contents, which changes when the table does."""
        ...

    @property
    def scattered(self) -> bool:
        """Whether its parts can be sent to other processes and read there, in any order."""
        ...

    @property
    def quick(self) -> bool:
        """Whether reading its rows again is faster than writing them to a scratch file."""
        ...

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Yield the parts, in their order, with some of the columns; the same parts every time."""
        ...
