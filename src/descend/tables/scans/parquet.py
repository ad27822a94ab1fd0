"""Parquet files as a scan: ranges of rows, each read by itself."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from descend.base.errors import TableError
from descend.base.texts import plain_name
from descend.tables.scans.partitions import Cell, Partitions, require_same, with_cells
from descend.tables.scans.remote import is_address, options_for, remote_error
from descend.tables.table import Kind, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from descend.tables.scans.partitions import Found
    from descend.tables.text.numerals import Notation


ASKED = 8  # files at an address that are asked for at once
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
    notations: dict[str, Notation]
    missing: tuple[str, ...]
    cells: tuple[Cell, ...] = ()

    def table(self) -> Table:
        """Read the rows; raises TableError where the file is missing, damaged, or has other columns."""
        added = [cell.key for cell in self.cells]
        own = [column for column in self.columns if column not in added]
        if own or not added:
            frame = read_rows(self.path, self.name, own, self.start, self.rows)
        else:
            frame = pl.select(pl.repeat(0, self.rows, dtype=pl.Int8).alias(""))
        if added:
            frame = with_cells(frame, self.cells, self.kinds).select(self.columns)
        return Table(
            frame, self.name, self.missing, first=self.start, kinds=dict(self.kinds), notations=dict(self.notations)
        )


@dataclass(frozen=True)
class ParquetScan:
    """Parquet files of the same columns, one after another.

    ``files`` are their paths (or addresses), what a person calls each, how many rows and how many bytes it has;
    ``cells`` what each one's folders say of its rows (``year=2024``). ``group`` is how many rows are encoded together.
    ``partitions`` is into how many parts the rows are cut where that is asked for; files are never put together.
    """

    name: str
    head: Table
    rows: int
    size: int
    mark: str
    files: tuple[tuple[str, str, int, int], ...]
    cells: tuple[tuple[Cell, ...], ...]
    group: int = 0
    scattered: bool = True
    partitions: int | None = None

    @classmethod
    def of(cls, name: str, files: Sequence[Found], missing: tuple[str, ...], decimal: str = ".") -> ParquetScan:
        """Read the files' footers; raises TableError where one is damaged or has other columns than the first."""
        looked = _footers(files)
        for file, (schema, _) in zip(files, looked, strict=True):
            _require_alike(files[0].name, looked[0][0], file.name, schema)
        known = tuple((file.path, file.name, rows, file.size) for file, (_, rows) in zip(files, looked, strict=True))
        rows = sum(height for _, _, height, _ in known)
        if not rows:
            raise TableError("table.no-rows", file=name)
        added = Partitions.of(files, list(looked[0][0]), missing)
        cells = tuple(added.cells(file) for file in files)
        index = next(index for index, file in enumerate(known) if file[2])
        path, called, height, _ = known[index]
        frame = read_rows(path, called, None, 0, min(height, HEAD_ROWS)).select(list(looked[0][0]))
        first = Table(with_cells(frame, cells[index], added.kinds), called, missing, kinds=dict(added.kinds))
        head = Table(first.frame, name, missing, decimal, kinds=dict(added.kinds), places=first)
        seen = [(called, *rest) for _, called, *rest in known], cells
        mark = hashlib.sha256(repr(seen).encode()).hexdigest()[:16]
        group = _group(path, called) if height > FEWEST else 0
        return cls(name, head, rows, sum(size for *_, size in known), mark, known, cells, group)

    @property
    def added(self) -> list[str]:
        """The columns that folders' names add."""
        return [cell.key for cell in self.cells[0]]

    @property
    def quick(self) -> bool:
        """Whether the files are here: their numbers need not be read as text."""
        return not any(is_address(path) for path, *_ in self.files)

    def parts(self, columns: Sequence[str]) -> Iterator[ParquetPart]:
        """Yield ranges of rows of the files, in their order."""
        most = _together(max(PART_CELLS // max(len(columns), 1), FEWEST), self.group)
        if self.partitions is not None:
            most = -(-self.rows // self.partitions)
        kinds, notations = self.head.judged(columns)
        first = 0
        for (path, called, height, size), cells in zip(self.files, self.cells, strict=True):
            added = tuple(cell for cell in cells if cell.key in columns)
            whole = ParquetPart(
                path, called, 0, height, first, size, tuple(columns), kinds, notations, self.head.missing, added
            )
            for start in range(0, height, most):
                rows = min(most, height - start)
                yield replace(whole, start=start, rows=rows, first=first + start, size=size * rows // height)
            first += height


def _together(most: int, group: int) -> int:
    """Return the rows of a part: about ``most``, in whole row groups, as a group is decoded whole."""
    if group <= most:
        return most // group * group if group else most
    return group if group <= 2 * most else -(-group // -(-group // most))


def _group(path: str, name: str) -> int:
    """Return the rows of a row group of a file; 0 where that is unknown."""
    if is_address(path) or not hasattr(pl.LazyFrame, "collect_batches"):
        return 0
    try:
        lazy = _lazy(path).select(pl.first())
        return next((frame.height for frame in lazy.collect_batches(maintain_order=True)), 0)
    except (Exception, pl.exceptions.PanicException) as error:
        raise _told(error, path, name, "table.not-found") from error


def read_rows(path: str, name: str, columns: Sequence[str] | None, start: int, rows: int) -> pl.DataFrame:
    """Read some rows of a Parquet file."""
    try:
        lazy = _lazy(path)
        frame = (lazy if columns is None else lazy.select(columns)).slice(start, rows).collect()
    except pl.exceptions.ColumnNotFoundError as error:
        found = ", ".join(_lazy(path).collect_schema())
        raise TableError("table.part-columns", file=name, found=found, expected=", ".join(columns or ())) from error
    except (Exception, pl.exceptions.PanicException) as error:  # every reader has errors of its own
        raise _told(error, path, name, "table.part-missing") from error
    if frame.height != rows:
        raise TableError("table.part-changed", file=name)
    return frame


def _lazy(path: str) -> pl.LazyFrame:
    """Return a file's rows, the names of its columns plain."""
    lazy = pl.scan_parquet(path, glob=False, hive_partitioning=False, storage_options=options_for(path))
    names = {name: plain_name(name) for name in lazy.collect_schema()}
    if any(name != made for name, made in names.items()):
        return lazy.rename(names)
    return lazy


def _told(error: BaseException, path: str, name: str, missing: str) -> TableError:
    """Return the TableError for an error of Polars' reader; ``missing`` is the code for a file that does not exist."""
    if is_address(path):
        return remote_error(error, path, "parquet")
    if isinstance(error, FileNotFoundError):
        return TableError(missing, file=name)
    return TableError("table.damaged", file=name, kind="parquet", reason=str(error).split("\n")[0][:200])


def _footers(files: Sequence[Found]) -> list[tuple[pl.Schema, int]]:
    """Return the columns and the number of rows of every file; files at an address are read several at a time."""
    if not is_address(files[0].path):
        return [_footer(file) for file in files]
    with ThreadPoolExecutor(ASKED) as threads:
        return list(threads.map(_footer, files))


def _footer(file: Found) -> tuple[pl.Schema, int]:
    try:
        lazy = _lazy(file.path)
        return lazy.collect_schema(), int(lazy.select(pl.len()).collect().item())
    except (Exception, pl.exceptions.PanicException) as error:
        raise _told(error, file.path, file.name, "table.not-found") from error


def _require_alike(first: str, expected: pl.Schema, file: str, found: pl.Schema) -> None:
    """Raise TableError where two files' columns differ, by name or in what they can hold."""
    require_same(first, list(expected), file, list(found))
    for column, dtype in expected.items():
        kinds = {_sort(dtype), _sort(found[column])}
        if len(kinds - {"null"}) > 1:
            values = {"first": first, "column": column, "expected": str(dtype), "found": str(found[column])}
            raise TableError("table.column-type", file=file, **values)


def _sort(dtype: pl.DataType) -> str:
    """Return the sort of a type: columns of one sort can be concatenated."""
    if dtype == pl.Null:
        return "null"
    if dtype.is_numeric():
        return "number"
    return "text" if dtype in (pl.String, pl.Categorical, pl.Enum) else str(dtype)
