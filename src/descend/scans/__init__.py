"""Scans: tables that are read part by part, again and again, and never held whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from descend.tables import Table


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
    """A table too large to hold: a ``head`` of its first rows, and parts.

    ``name`` is what a person calls it. What the head's columns hold (``kind``) is what those of every part hold.
    ``mark`` tells it from another table, and from itself once it has changed. Where it is ``scattered``, its parts can
    be sent to other processes and read there, in any order; else they are read here, one after another.
    """

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    @property
    def head(self) -> Table:
        """The first rows."""
        ...

    @property
    def rows(self) -> int:
        """How many rows there are."""
        ...

    @property
    def size(self) -> int:
        """Bytes of the source, 0 where that is not known."""
        ...

    @property
    def mark(self) -> str:
        """What another table, or a changed one, has not."""
        ...

    @property
    def scattered(self) -> bool:
        """Whether any process can read a part."""
        ...

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Yield the parts, in their order, with some of the columns; the same parts every time."""
        ...
