"""A scan that fits in memory, as one table."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import polars as pl

from descend.tables.executors import Threads
from descend.tables.scans.parquet import ParquetScan
from descend.tables.scans.text import TextScan
from descend.tables.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from descend.tables.scan import Part, Scan


@dataclass(frozen=True)
class Joined:
    """The files and lines of rows of joined parts; a part is read again to find a line."""

    starts: tuple[int, ...]
    parts: tuple[Part, ...]

    def file(self, row: int) -> str:
        """Return what a person calls the file of a row."""
        return self._part(row)[0].table().name

    def line(self, row: int) -> int:
        """Return the line, or the row, of that file."""
        part, start = self._part(row)
        return part.table().line(row - start)

    def _part(self, row: int) -> tuple[Part, int]:
        index = bisect_right(self.starts, row) - 1
        return self.parts[index], self.starts[index]


@dataclass(frozen=True)
class Drawn:
    """The files and lines of rows that were sampled from a scan; a part is read again to find a line."""

    numbers: NDArray[np.int64]
    scan: Scan
    columns: tuple[str, ...]

    def file(self, row: int) -> str:
        """Return what a person calls the file of a row."""
        part = self._part(row)
        return self.scan.name if part is None else part.table().name

    def line(self, row: int) -> int:
        """Return the line, or the row, of that file; of a query, which is not run again, the row of the whole."""
        number, part = int(self.numbers[row]), self._part(row)
        return number + 1 if part is None else part.table().line(number - part.first)

    def _part(self, row: int) -> Part | None:
        number = int(self.numbers[row])
        parts = self.scan.parts(self.columns) if self.scan.scattered else ()
        return next((part for part in parts if part.first <= number < part.first + part.rows), None)


def collect(scan: Scan) -> Table:
    """Read every part of a scan into one table; raises TableError where one cannot be read."""
    head = scan.head
    parts = tuple(scan.parts(head.columns))
    frames = list(_frames(scan, parts))
    starts = tuple(accumulate((frame.height for frame in frames[:-1]), initial=0))
    added = scan.added if isinstance(scan, (TextScan, ParquetScan)) else []
    return Table(
        pl.concat(frames, how="vertical_relaxed"),
        scan.name,
        head.missing,
        head.decimal,
        head.source,
        head.notes,
        kinds={key: head.kind(key) for key in added},
        places=Joined(starts, parts),
    )


def _frames(scan: Scan, parts: tuple[Part, ...]) -> Iterator[pl.DataFrame]:
    if scan.scattered:
        yield from Threads().each(_frame, parts)
    else:
        yield from map(_frame, parts)


def _frame(part: Part) -> pl.DataFrame:
    return part.table().frame
