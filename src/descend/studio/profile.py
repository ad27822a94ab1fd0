"""The profile of a table: the content of each column, its histogram and missing cells; and a first hypothesis."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from descend.base.errors import FormulaError, TableError
from descend.formula.ast import ROW_NUMBERS, Name
from descend.formula.notation import quoted
from descend.formula.parser import parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.tables.table import Kind, Table

BARS = 16
LEVELS = 8
FEW_VALUES = 4
FEW_LEVELS = 20
LOOKED_AT = 1_000_000  # values that a histogram counts
LONGEST = 80  # letters shown of a level


@dataclass(frozen=True)
class ColumnProfile:
    """The profile of one column.

    Of numbers ``bars`` are the histogram (of a very long column: of some evenly spaced rows), ``low`` and ``high`` its
    ends, and ``bad`` counts the cells without a finite number. Of text and booleans ``bars`` count the commonest
    ``levels``, the commonest first, out of ``distinct`` ones. Images and other kinds have neither. ``fault`` says why a
    column cannot be used at all.
    """

    name: str
    kind: Kind
    missing: int
    bars: list[int] = field(default_factory=list)
    low: float | None = None
    high: float | None = None
    levels: list[str] = field(default_factory=list)
    distinct: int | None = None
    bad: int = 0
    fault: TableError | None = None

    @property
    def varies(self) -> bool:
        """Whether the column holds numbers that are not all the same, none of them bad."""
        return self.kind == "number" and not self.bad and self.low is not None and self.low != self.high

    @property
    def fills(self) -> bool:
        """Whether the column's numbers are spread over their whole range."""
        return sum(count > 0 for count in self.bars) > max(len(self.bars) // 2, FEW_VALUES)

    @property
    def groups(self) -> bool:
        """Whether the column sorts the rows into a few classes."""
        return self.distinct is not None and 2 <= self.distinct <= FEW_LEVELS


@dataclass(frozen=True)
class Profile:
    """The columns of a table; ``partial``: only of its first rows, while the rest is still being read.

    ``heading``: the cells of a text's first line, where that line was read as a row.
    """

    name: str
    rows: int
    columns: list[ColumnProfile]
    partial: bool = False
    heading: tuple[str, ...] = ()

    @property
    def fault(self) -> TableError | None:
        """The error of the first column that cannot be used."""
        return next((column.fault for column in self.columns if column.fault is not None), None)


def profile(table: Table, *, partial: bool = False) -> Profile:
    """Return the profile of every column of a table."""
    heading: tuple[str, ...] = ()
    if table.source is not None and not table.source.header:
        heading = next((tuple(cell.strip() for cell in cells) for _, cells in table.source.records() if cells), ())
    return Profile(table.name, table.rows, [_column(table, name) for name in table.columns], partial, heading)


def propose(about: Table | Profile) -> str:
    """Return a first hypothesis, "" where the columns suggest none.


    Of a table with an image: its label. Else the target is the last numeric column that fills its range (a year or a
        code does not), or the last that varies; its feature is the first other numeric column, or without one the first
        other column of a few classes.
    """
    columns = (about if isinstance(about, Profile) else profile(about)).columns
    columns = [column for column in columns if _can_be_named(column.name) and column.name != ROW_NUMBERS]
    images = [column for column in columns if column.kind == "image"]
    numbers = [column for column in columns if column.varies]
    classes = [column for column in columns if column.groups]
    targets = [column for column in columns if column.varies or column.groups]
    if not targets:
        return ""
    target = targets[-1]
    if not images:
        target = next((column for column in reversed(targets) if column.varies and column.fills), target)
    inputs = [column for column in images or [*numbers, *classes] if column is not target]
    return f"{quoted(target.name)} ~ {quoted(inputs[0].name)}" if inputs else ""


def _column(table: Table, name: str) -> ColumnProfile:
    try:
        kind = table.kind(name)
    except TableError as error:  # numbers with a decimal comma: harmless while unused
        return ColumnProfile(name, "other", table.frame[name].null_count(), fault=error)
    if kind == "number":
        return _numbers(table, name)
    if kind in ("text", "boolean"):
        return _levels(table, name, kind)
    return ColumnProfile(name, kind, table.frame[name].null_count())


def _numbers(table: Table, name: str) -> ColumnProfile:
    values, wrong = _values(table, name)
    holes = np.isnan(values)
    infinite = int(np.isinf(values).sum())
    missing = int(holes.sum()) if wrong is None else int((holes & ~wrong).sum())
    bad = infinite + (0 if wrong is None else int(wrong.sum()))
    good = values[np.isfinite(values)] if infinite or holes.any() else values
    if not good.size:
        return ColumnProfile(name, "number", missing, bad=bad)
    low, high = float(good.min()), float(good.max())
    bars = _bars(good[:: -(-good.size // LOOKED_AT)], low, high)
    return ColumnProfile(name, "number", missing, bars, low, high, bad=bad)


def _values(table: Table, name: str) -> tuple[Floats, NDArray[np.bool_] | None]:
    """Return a column's numbers and a mask of the other cells; a cheap cast is not cached."""
    series = table.frame[name]
    if series.dtype.is_numeric() and not table.codes:
        return series.cast(float).fill_null(np.nan).to_numpy(), None
    return table.parsed(name)


def _bars(values: Floats, low: float, high: float) -> list[int]:
    """Return how many values lie in each of BARS equal parts from ``low`` to ``high``.

    A few whole numbers have a bar each.
    """
    if high - low < BARS and low.is_integer() and (values == np.floor(values)).all():
        return _counted((values - low).astype(np.int64), int(high - low) + 1)
    span = high / 2 - low / 2  # halved, so that it cannot overflow
    if span == 0:
        return [int(values.size)]
    places = ((values / 2 - low / 2) / span * BARS).astype(np.int64)
    return _counted(np.minimum(places, BARS - 1), BARS)


def _counted(places: NDArray[np.int64], bars: int) -> list[int]:
    return [int(count) for count in np.bincount(places, minlength=bars)]


def _levels(table: Table, name: str, kind: Kind) -> ColumnProfile:
    labels = table.labels(name)
    missing = labels.null_count()
    counts = labels.drop_nulls().alias("level").value_counts(name="rows")
    common = counts.sort("rows", "level", descending=[True, False]).head(LEVELS)
    levels = [level if len(level) <= LONGEST else level[: LONGEST - 1] + "…" for level in common["level"].to_list()]
    return ColumnProfile(name, kind, missing, common["rows"].to_list(), levels=levels, distinct=counts.height)


def _can_be_named(name: str) -> bool:
    """Tell whether a formula can name a column: a name with a backtick cannot be quoted."""
    try:
        return parse(f"{quoted(name)} ~ 1").targets == (Name(name),)
    except FormulaError:
        return False
