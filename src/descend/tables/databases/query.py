"""A query on a database as a scan: its rows come one batch after another, and are read here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl

from descend.base.errors import TableError
from descend.tables.databases._postgresql import SCHEMES, PostgreSQL
from descend.tables.databases._sqlite import SCHEME, SQLite
from descend.tables.reading_options import MISSING
from descend.tables.scans.parquet import HEAD_ROWS, PART_CELLS
from descend.tables.table import Kind, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from descend.tables.databases.scan import Database
    from descend.tables.text.numerals import Notation

BATCH = 50_000


@dataclass(frozen=True)
class QueryPart:
    """Consecutive rows of a query's result, already fetched."""

    first: int
    rows: int
    frame: pl.DataFrame = field(repr=False)
    name: str
    kinds: dict[str, Kind]
    notations: dict[str, Notation]
    missing: tuple[str, ...]
    size: int = 0

    def table(self) -> Table:
        """Return the rows."""
        kinds, notations = dict(self.kinds), dict(self.notations)
        return Table(self.frame, self.name, self.missing, first=self.first, kinds=kinds, notations=notations)


@dataclass(frozen=True, eq=False)
class QueryScan:
    """A query's rows, in its own order, which is the same in every reading of one scan.

    ``database`` is the connection; it is closed by ``close``, at the end of a ``with``, or with the last that uses it.
    """

    name: str
    head: Table
    rows: int
    size: int
    mark: str
    database: Database = field(repr=False)
    scattered: bool = False
    quick: bool = False

    def parts(self, columns: Sequence[str]) -> Iterator[QueryPart]:
        """Yield batches of rows with some of the columns.

        Raises TableError where the connection is lost, and where the query gives more or fewer rows than before.
        """
        kinds, notations = self.head.judged(columns)
        cells = {column: self.database.columns[column] for column in columns}
        first = 0
        for frame in self.database.frames(cells, min(BATCH, max(PART_CELLS // max(len(cells), 1), 1))):
            yield QueryPart(first, frame.height, frame, self.name, kinds, notations, self.head.missing)
            first += frame.height
        if first != self.rows:
            raise TableError("table.query-unsteady", file=self.name, found=first, expected=self.rows)

    def close(self) -> None:
        """Close the connection."""
        self.database.close()

    def __enter__(self) -> QueryScan:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_query(address: str, query: str, *, missing: Sequence[str] = MISSING) -> QueryScan:
    """Open a query: one select, run in a transaction that reads only.

    address: ``postgresql://user:password@host:port/database`` (the extra ``[sql]``), the path of an SQLite file, or
        ``sqlite:///file.db``.

    Where the query does not say in which order its rows come, the database does, and in a fit they are drawn for the
    test by their place in it: order by a column in which no two are the same where the same fit is to be made again.

    Raises TableError, which never shows a password.
    """
    database = _database(address, query)
    try:
        head = _head(database, tuple(missing))
        rows = database.count()
    except BaseException:
        database.close()
        raise
    told = repr((database.address, query, rows, head.frame.schema, head.frame.head(20).rows()))
    mark = hashlib.sha256(told.encode(errors="replace")).hexdigest()[:16]
    return QueryScan(database.name, head, rows, 0, mark, database)


def _database(address: str, query: str) -> Database:
    if address.startswith(SCHEMES):
        return PostgreSQL(address, query)
    scheme, found, _ = address.partition("://")
    if found and not address.startswith(SCHEME):
        raise TableError("table.query-scheme", found=scheme)
    return SQLite(address, query)


def _head(database: Database, missing: tuple[str, ...]) -> Table:
    """Return the first rows, and keep what the columns of an SQLite file hold there: numbers, of any kind, or texts."""
    frames = database.frames(database.columns, HEAD_ROWS)
    frame = next(frames, None)
    frames.close()  # type: ignore[attr-defined]
    if frame is None:
        raise TableError("table.query-no-rows", file=database.name)
    for name, cells in database.columns.items():
        if cells.dtype is None:
            found = type(frame[name].dtype)
            database.columns[name] = replace(cells, dtype=pl.Float64 if found in (pl.Int64, pl.Null) else found)
    return Table(frame, database.name, missing)
