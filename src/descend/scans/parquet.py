"""Parquet files as a scan: ranges of rows, each read by itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from descend.errors import TableError
from descend.tables import Kind, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HEAD_ROWS = 10_000
PART_CELLS = 4_000_000  # numbers of a part: 32 MB, and as much again while they are decoded
FEWEST = 50_000  # rows of a part: fewer are a page of a file, which would be decoded for nothing


@dataclass(frozen=True)
class ParquetPart:
    """``rows`` rows of a file from its row ``start``; ``first`` is the number of the first in the whole scan."""

    path: str
    name: str
    start: int
    rows: int
    first: int
    size: int
    columns: tuple[str, ...]
    kinds: dict[str, Kind]
    missing: tuple[str, ...]

    def table(self) -> Table:
        """Read the rows; raises TableError where the file is missing, damaged, or has other columns."""
        frame = read_rows(self.path, self.name, self.columns, self.start, self.rows)
        return Table(frame, self.name, self.missing, first=self.start, kinds=dict(self.kinds))


@dataclass(frozen=True)
class ParquetScan:
    """Parquet files of the same columns, one after another.

    ``files`` are their paths (or addresses), what a person calls each, how many rows and how many bytes it has.
    """

    name: str
    head: Table
    rows: int
    size: int
    mark: str
    files: tuple[tuple[str, str, int, int], ...]
    scattered: bool = True

    @classmethod
    def of(cls, name: str, files: Sequence[tuple[str, str, int]], missing: tuple[str, ...]) -> ParquetScan:
        """Look at the files' footers; ``files`` are paths, what a person calls each, and sizes in bytes.

        Raises TableError where one is damaged.
        """
        known = tuple((path, called, _height(path, called), size) for path, called, size in files)
        rows = sum(height for _, _, height, _ in known)
        if not rows:
            raise TableError("table.no-rows", file=name)
        path, called, height, _ = next(file for file in known if file[2])
        head = Table(read_rows(path, called, None, 0, min(height, HEAD_ROWS)), name, missing)
        mark = hashlib.sha256(repr([(called, *rest) for _, called, *rest in known]).encode()).hexdigest()[:16]
        return cls(name, head, rows, sum(size for *_, size in known), mark, known)

    def parts(self, columns: Sequence[str]) -> Iterator[ParquetPart]:
        """Yield ranges of rows of the files, in their order."""
        most = max(PART_CELLS // max(len(columns), 1), FEWEST)
        kinds = {column: self.head.kind(column) for column in columns}
        first = 0
        for path, called, height, size in self.files:
            whole = ParquetPart(path, called, 0, height, first, size, tuple(columns), kinds, self.head.missing)
            for start in range(0, height, most):
                rows = min(most, height - start)
                yield replace(whole, start=start, rows=rows, first=first + start, size=size * rows // height)
            first += height


def read_rows(path: str, name: str, columns: Sequence[str] | None, start: int, rows: int) -> pl.DataFrame:
    """Read some rows of a Parquet file."""
    lazy = pl.scan_parquet(path, glob=False, hive_partitioning=False)
    if columns is not None:
        lazy = lazy.select(columns)
    try:
        frame = lazy.slice(start, rows).collect()
    except pl.exceptions.ColumnNotFoundError as error:
        found = ", ".join(pl.read_parquet_schema(path))
        raise TableError("table.part-columns", file=name, found=found, expected=", ".join(columns or ())) from error
    except FileNotFoundError as error:
        raise TableError("table.part-missing", file=name) from error
    except (Exception, pl.exceptions.PanicException) as error:  # every reader has errors of its own
        raise TableError("table.damaged", file=name, kind="parquet", reason=str(error).split("\n")[0][:200]) from error
    if frame.height != rows:
        raise TableError("table.part-changed", file=name)
    return frame


def _height(path: str, name: str) -> int:
    try:
        return int(pl.scan_parquet(path, glob=False, hive_partitioning=False).select(pl.len()).collect().item())
    except FileNotFoundError as error:
        raise TableError("table.not-found", file=name) from error
    except (Exception, pl.exceptions.PanicException) as error:
        raise TableError("table.damaged", file=name, kind="parquet", reason=str(error).split("\n")[0][:200]) from error
