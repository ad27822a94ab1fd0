"""A query on an SQLite file, opened for reading only."""

from __future__ import annotations

import math
import re
import sqlite3
import weakref
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from descend.base.errors import TableError
from descend.formula.functions import FUNCTIONS
from descend.tables.databases.scan import Cells, checked, checked_names, numbered
from descend.tables.databases.sql import Dialect, name_sql
from descend.tables.formats import folder_refused
from descend.tables.labels import number_label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

SCHEME = "sqlite:///"
CALLED: dict[str, Callable[..., float]] = {"power": math.pow, "floor": math.floor}  # what the SQL of expressions calls
for function in FUNCTIONS.values():
    CALLED |= function.sqlite
RENAMED = re.compile(r"^column\d+|:\d+$")  # what SQLite may have made of a name
ARGUMENTS = 100  # of a function: SQLite takes at least so many


class SQLite:
    """A query on a file; see ``Database``."""

    dialect: Dialect = "sqlite"

    def __init__(self, address: str, query: str) -> None:
        """Open the file and have the query checked; raises TableError."""
        path = Path(address.removeprefix(SCHEME))
        self.name = path.name
        self.address = str(path.resolve())
        self.query = checked(query, self.name)
        self._connection = _opened(path)
        self._end = weakref.finalize(self, self._connection.close)
        try:
            self._look()
        except BaseException:
            self.close()
            raise

    def _look(self) -> None:
        """Let SQLite describe the query's columns."""
        with self._told():
            for name, function in CALLED.items():
                _provide(self._connection, name, function)
        names, given = self._described()
        called = checked_names(given, self.name)
        self.columns = {own: Cells(f"q.{name_sql(name)}") for own, name in zip(called, names, strict=True)}
        self.row, self.source = numbered(self.query, names, _every(names))

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a select."""
        with self._told():
            return self._connection.execute(sql).fetchall()

    def frames(self, cells: Mapping[str, Cells], size: int, where: str = "true") -> Iterator[pl.DataFrame]:
        """Yield the rows that meet a condition."""
        listed = ", ".join(cell.value for cell in cells.values())
        with self._told():
            cursor = self._connection.execute(f"select {listed} from {self.source} where {where}")
        try:
            while True:
                with self._told():
                    rows = cursor.fetchmany(size)
                if not rows:
                    return
                made = zip(cells.items(), zip(*rows, strict=True), strict=True)
                yield pl.DataFrame([_series(name, values, cell.dtype) for (name, cell), values in made])
        finally:
            with suppress(sqlite3.ProgrammingError):  # whoever stopped reading may have closed the connection since
                cursor.close()

    def series(self, column: str, values: Sequence[Any]) -> pl.Series:
        """Return cells of a column as a frame has them."""
        return _series(column, values, self.columns[column].dtype)

    def count(self) -> int:
        """Return how many rows there are."""
        return int(self.ask(f"select count(*) from (\n{self.query}\n) as q")[0][0])

    def close(self) -> None:
        """End the transaction and the connection."""
        self._end()

    def _described(self) -> tuple[list[str], list[str]]:
        """Return the names of the query's columns as a query of it has them, and as it gives them itself.

        SQLite calls a second column ``a`` of a query in a query ``a:1``, and one called ``TRUE`` ``column2``. Raises
        TableError where the query is more than one statement, or changes something.
        """
        with self._told():
            steps = self._connection.execute(f"explain {self.query}").fetchall()
            if any(step[1] == "Transaction" and step[3] for step in steps):
                raise TableError("table.query-changes", file=self.name, reason="attempt to write a readonly database")
            found = self._connection.execute(f"select * from (\n{self.query}\n) as q limit 0").description
            names = [str(column[0]) for column in found]
            if not any(RENAMED.search(name) for name in names):
                return names, names
            cursor = self._connection.execute(self.query)
            given = [str(column[0]) for column in cursor.description]
            cursor.close()
        return names, given

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Raise SQLite's errors as TableError."""
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            reason = str(error)
            if "one statement" in reason:
                raise TableError("table.query-several", file=self.name) from error
            if isinstance(error, sqlite3.ProgrammingError) and "closed" in reason:
                raise TableError("table.query-lost", file=self.name, reason=reason) from error
            raise TableError("table.query", file=self.name, reason=reason) from error


def _opened(path: Path) -> sqlite3.Connection:
    """Return a connection to a file, in a transaction that sees one state of it."""
    if not path.exists():
        raise TableError("table.not-found", file=str(path))
    if path.is_dir():
        raise folder_refused(str(path))
    connection = None
    try:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False, isolation_level=None
        )
        connection.execute("begin")
        connection.execute("select count(*) from sqlite_master").fetchall()
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        if isinstance(error, sqlite3.OperationalError):  # locked, or not to be opened
            raise TableError("table.no-access", file=path.name, reason=str(error)) from error
        raise TableError("table.damaged", file=path.name, kind="sqlite", reason=str(error)) from error
    return connection


def _provide(connection: sqlite3.Connection, name: str, function: Callable[..., float]) -> None:
    """Register a function that SQLite was built without; where it is undefined it is NULL."""
    places = 2 if name == "power" else 1
    try:
        connection.execute(f"select {name}({', '.join(['1.0'] * places)})").fetchall()
    except sqlite3.OperationalError:

        def defined(*values: float | None) -> float | None:
            try:
                return None if None in values else float(function(*values))
            except (ValueError, OverflowError, TypeError):
                return None

        connection.create_function(name, places, defined, deterministic=True)


def _every(names: Sequence[str]) -> str:
    """Return a condition that names all columns; it is true at the first, so that the others are not evaluated."""
    types = [f"typeof(q.{name_sql(name)})" for name in names]
    groups = [types[start : start + ARGUMENTS] for start in range(0, len(types), ARGUMENTS)]
    return " or ".join(f"coalesce({', '.join([*group, '1'])}) is not null" for group in groups)


def _series(name: str, values: Sequence[Any], dtype: pl.DataType | type[pl.DataType] | None) -> pl.Series:
    """Return cells as a column: SQLite's may hold whole numbers, fractions, texts and bytes in one.

    Where there is a text among them, or the column is one of texts, all are; whole numbers alone are not rounded.
    """
    found = {type(value) for value in values} - {type(None)}
    if dtype == pl.String or str in found or (bytes in found and len(found) > 1):
        return pl.Series(name, [None if value is None else _text(value) for value in values], pl.String)
    if bytes in found:
        return pl.Series(name, values, pl.Binary)
    if not found:
        return pl.Series(name, values, dtype or pl.Null)
    return pl.Series(name, values, pl.Float64 if float in found else pl.Int64, strict=False)


def _text(value: str | float | bytes) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return number_label(value) if isinstance(value, float) and math.isfinite(value) else str(value)
