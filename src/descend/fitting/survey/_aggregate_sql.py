"""Sums of products by a database: aggregate queries, of which only the sums come back."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np

from descend.tables.databases.sql import number_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.base.typing import Floats
    from descend.tables.databases.scan import Database

SUMS = 1600  # of one query: PostgreSQL gives 1664 columns, SQLite 2000


@dataclass(frozen=True)
class ColumnSums:
    """How many rows a sum is over, and in how many of them a column had no value.

    ``low`` and ``high`` are each column's least and greatest number, ``totals`` the sums that were asked beside.
    """

    rows: int
    gaps: int
    low: Floats
    high: Floats
    totals: tuple[float, ...] = ()


def gram(
    database: Database, columns: Sequence[tuple[str, str, float]], where: str = "true", others: Sequence[str] = ()
) -> tuple[Floats, ColumnSums]:
    """Return the sums over rows of the products of each pair of columns, each less its shift.

    columns: of each its label, the SQL of its number and its shift; the first is the constant 1.
    where: the SQL of the condition under which a row counts.
    others: the SQL of numbers that are only summed.

    Every 1,600 sums are one query, which is one reading of the rows by the database: one for 54 columns, five for 120.
    Where a column has no value in some row (``gaps``) the sums are of no use, for they are over different rows.
    """
    width = len(columns)
    listed = [f"({sql}) - {number_sql(shift, database.dialect)} as c{i}" for i, (_, sql, shift) in enumerate(columns)]
    listed += [f"{sql} as t{i}" for i, sql in enumerate(others)]
    whole = "offset 0" if database.dialect == "postgresql" else "limit -1"  # so each column is worked out only once
    inner = f"(select {', '.join(listed)} from {database.source} where {where} {whole}) as q"
    gap = " or ".join(f"c{i} is null" for i in range(width))
    pairs = list(combinations_with_replacement(range(width), 2))
    asked = [f"sum(c{i} * c{j})" if i else f"sum(c{j})" for i, j in pairs]
    asked += [f"{end}(c{i})" for end in ("min", "max") for i in range(width)]
    asked += [f"sum(t{i})" for i in range(len(others))]
    rows, gaps, values = 0, 0, list[float]()
    for start in range(0, len(asked), SUMS):
        counted = f"count(*), sum(case when {gap} then 1 else 0 end)"
        rows, gaps, *found = database.ask(f"select {counted}, {', '.join(asked[start : start + SUMS])} from {inner}")[0]
        nothing = np.nan if rows else 0.0
        values += [nothing if value is None else float(value) for value in found]
    sums, low, high = np.zeros((width, width)), values[len(pairs) :], values[len(pairs) + width :]
    for (i, j), value in zip(pairs, values, strict=False):
        sums[i, j] = sums[j, i] = value
    ends = np.array(low[:width]), np.array(high[:width])
    return sums, ColumnSums(int(rows), int(gaps or 0), *ends, tuple(high[width:]))
