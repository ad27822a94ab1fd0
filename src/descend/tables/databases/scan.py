"""What a scan needs of a database: one select, run any number of times in one read-only transaction.

Whatever is asked is asked of ``source``: the query with its rows numbered. The numbering keeps conditions out of the
query, and naming every column keeps all of them in it: a planner that leaves some out may take an index and give the
rows in another order. So the rows have the same numbers in every reading and in every sum.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from descend.base.errors import TableError
from descend.base.texts import plain_name
from descend.tables.databases.sql import name_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl

    from descend.tables.databases.sql import Dialect

SELECTS = ("select", "with", "values", "table")
# a last semicolon, and comments after it in which nothing is quoted
END = re.compile(r"""[\s;]*;(?:\s|--[^\n'"]*(?:\n|\Z)|/\*[^*'"]*\*/)*\Z""")
COMMENT = re.compile(r"--[^\n]*(?:\n|$)|/\*.*?\*/|[\s(]+", re.DOTALL)


@dataclass(frozen=True)
class Cells:
    """What is read of a column: the SQL of a cell, and the type of a frame's column (None: as the cells are)."""

    value: str
    dtype: pl.DataType | type[pl.DataType] | None = None


class Database(Protocol):
    """A query on a connection.

    ``name`` is what a person calls the database and ``address`` tells it from others, both without a password.
    ``columns`` are the query's, ``row`` is the SQL of a row's number (from 0), and ``source`` what follows ``from``.
    """

    name: str
    address: str
    dialect: Dialect
    columns: dict[str, Cells]
    row: str
    source: str

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a select in the transaction; raises TableError, after which another may be asked."""
        ...

    def frames(self, cells: Mapping[str, Cells], size: int, where: str = "true") -> Iterator[pl.DataFrame]:
        """Yield the rows that meet a condition in the query's order, ``size`` of them at a time."""
        ...

    def series(self, column: str, values: Sequence[Any]) -> pl.Series:
        """Return cells of a column as a frame has them."""
        ...

    def count(self) -> int:
        """Return how many rows the query gives."""
        ...

    def close(self) -> None:
        """End the transaction and the connection; again changes nothing."""
        ...


def checked(query: str, name: str) -> str:
    """Return a query without its last semicolon; raises TableError where it is none, or no select."""
    bare = END.sub("", query).strip()
    if not bare:
        raise TableError("table.query-needed", file=name)
    start = 0
    while (comment := COMMENT.match(bare, start)) and comment.end() > start:
        start = comment.end()
    word = re.match(r"\w*", bare[start:])
    first = word.group() if word else ""
    if first.lower() not in SELECTS:
        raise TableError("table.query-not-select", file=name, found=first or bare[start : start + 10])
    return bare


def checked_names(names: Sequence[str], name: str) -> list[str]:
    """Return the plain names of columns; raises TableError for one without a name, and two of the same."""
    seen: dict[str, None] = {}
    for number, column in enumerate(map(plain_name, names), start=1):
        if not column:
            raise TableError("table.query-no-name", file=name, number=number)
        if column in seen:
            raise TableError("table.repeated-column", column=column)
        seen[column] = None
    return list(seen)


def numbered(query: str, names: Sequence[str], every: str) -> tuple[str, str]:
    """Return the SQL of a row's number and of the query with its rows numbered.

    ``every`` is a condition that always holds and names all columns.
    """
    row = "row"
    while row in map(str.lower, names):
        row += "_"
    number = name_sql(row)
    inner = f"select q.*, row_number() over () - 1 as {number} from (\n{query}\n) as q"
    return f"q.{number}", f"(select * from ({inner}) as q where {every}) as q"
