"""Sums pushed down to a database: of a linear hypothesis only they travel, and the few rows that are kept.

What is asked gives what a survey that reads the rows gives, but for the rounding of sums: a database adds the numbers
one after another, which over 10^8 rows costs about four digits of sixteen. PostgreSQL stops at a number that is too
large or too small for double precision; the rows are to be read then.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from descend.base.double_double import pair
from descend.base.errors import TableError
from descend.design.matrix import INTERCEPT
from descend.fitting.survey._aggregate_sql import gram
from descend.fitting.survey.survey import LAYERS, NumberedRows, Survey, target_label
from descend.formula.ast import Category
from descend.tables.databases.query import BATCH
from descend.tables.databases.scan import Cells
from descend.tables.databases.sql import expression_sql, has_sql, key_sql, keyed_sql, number_sql, real_sql, value_sql
from descend.tables.row_sampling import KEYS
from descend.tables.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.design.blocks import Block
    from descend.fitting.survey.survey import Plan
    from descend.formula.ast import Expression
    from descend.tables.databases.query import QueryScan
    from descend.tables.databases.scan import Database

MOST_COLUMNS = 120  # whose products are summed: 5 queries; of more, the rows are sooner read
MOST_LEVELS = 500


def survey_in_database(scan: QueryScan, plan: Plan) -> Survey | None:
    """Return the survey of a scan's rows from sums that the database makes.

    None where that cannot be done, or where something is wrong with a row: then the rows are to be read, which tells
    what it is. Raises TableError where the connection is lost.
    """
    if not _possible(scan, plan):
        return None
    try:
        return _Asked(scan, plan).survey()
    except TableError as error:
        if error.code != "table.query":  # a number that is too large, for example
            raise
        return None


def _possible(scan: QueryScan, plan: Plan) -> bool:
    """Tell whether all that a plan wants has its SQL."""
    cells = scan.database.columns
    texts = [name for name, use in plan.wanted.items() if use == "number" and cells[name].dtype == pl.String]
    coded = bool(scan.head.codes)  # which only those who read the rows know
    factors = [factor for term in plan.hypothesis.terms for factor in term]
    written = [factor.expression for factor in factors if not isinstance(factor, Category)]
    spelt = all(has_sql(expression, scan.database.dialect) for expression in (*written, *plan.hypothesis.targets))
    learnt = all(code.has_sql for code in (*plan.polys.values(), *plan.images.values()))
    return plan.target is not None and not coded and not texts and spelt and learnt


def _keyed(scan: QueryScan, seed: int) -> tuple[Database, str]:
    """Return the database with a source that has the keys of its rows, and their SQL."""
    database = copy(scan.database)
    if database.dialect == "sqlite":
        return database, key_sql(database.row, seed, "sqlite", scan.rows)
    stem = "key"
    while any(name.startswith(stem) for name in database.columns):
        stem += "_"
    database.source, key = keyed_sql(database.source, database.row, seed, scan.rows, stem)
    return database, key


class _Asked:
    """What a plan asks of a database."""

    def __init__(self, scan: QueryScan, plan: Plan) -> None:
        self.scan, self.plan, self.dialect = scan, plan, scan.database.dialect
        self.database, self.key = _keyed(scan, plan.draw.seed)
        self.numbers = {name: self._number(name) for name, use in plan.wanted.items() if use == "number"}
        self.gaps = {name: self._gap(name) for name in self.numbers}
        self.levels: dict[str, dict[str, dict[Any, int]]] = {}

    def survey(self) -> Survey | None:
        """Return the survey, None where something is wrong with a row."""
        missing = False
        for name in [name for name, use in self.plan.wanted.items() if use == "category"]:
            found = self._labelled(name, "true")
            if found is None:
                return None
            missing |= None in found
            self.gaps[name] = self._among(name, found.pop(None, {}))
            self.levels[name] = {str(label): values for label, values in found.items()}
        # most tables have no missing cells: that there is none is found in the sums, which are over such rows too
        whole = None if missing else self._summed("true", self.scan.rows, {}, [*self.gaps.values(), *self._wrong()])
        if whole is not None or self.plan.missing == "error":
            return whole
        settled = self._settled()
        if settled is None or not settled[1]:
            return None
        if settled[1] < self.scan.rows:  # a level that only rows without a cell had is none
            self.levels = {name: self._levels(name, settled[0]) for name in self.levels}
        return self._summed(*settled)

    def _summed(self, keep: str, rows: int, filled: dict[str, int], watched: Sequence[str] = ()) -> Survey | None:
        """Return the survey of the rows that are kept, None where a sum over them or the ``watched`` is none."""
        draw = self.plan.draw
        fitted = f"{keep} and {self.key} >= {draw.held}" if draw.held else keep
        blocks = self.plan.blocks({name: tuple(sorted(levels)) for name, levels in self.levels.items()})
        columns = self._columns(blocks)
        if len(columns) > MOST_COLUMNS:
            return None
        others = [name for name in self.numbers if name not in self.plan.labels]
        where = " or ".join([f"({fitted})", *watched])
        products, counts = gram(self.database, columns, where, [self.numbers[name] for name in others])
        if counts.gaps or not np.isfinite(products).all() or not np.isfinite(counts.totals).all():
            return None
        tested, shown = self._kept(keep)
        return Survey(
            tuple(name for name, _, _ in columns), pair(products), counts.low, counts.high, rows, counts.rows,
            dict(zip(others, counts.totals, strict=True)),
            self._counted(columns, blocks, products[0], fitted), filled, self.scan.rows - rows, tested, shown,
            self._layers(fitted),
        )  # fmt: skip

    def _gap(self, name: str) -> str:
        """Return the condition that a number is missing."""
        value = self.database.columns[name].value
        real = self.dialect == "postgresql" and self.database.columns[name].dtype == pl.Float64
        return f"({value} is null or {value} = 'NaN')" if real else f"({value} is null)"

    def _wrong(self) -> list[str]:
        """Return the conditions that a cell is there and is no finite number; in SQLite it may be a text."""
        made = []
        for name, number in self.numbers.items():
            cells = self.database.columns[name]
            if self.dialect == "sqlite":
                made.append(f"({number} is null and not {self.gaps[name]}) or {cells.value} in (9e999, -9e999)")
            elif cells.dtype == pl.Float64:
                made.append(f"{cells.value} in ('Infinity', '-Infinity')")
        return made

    def _number(self, name: str) -> str:
        """Return the SQL of a column's number."""
        cells = self.database.columns[name]
        if self.dialect == "sqlite":
            return real_sql(cells.value)
        return f"({cells.value})::int::float8" if cells.dtype == pl.Boolean else f"({cells.value})::float8"

    def _plain(self, name: str) -> str:
        """Return the SQL of a column's cell, compared byte by byte whatever its collation."""
        value = self.database.columns[name].value
        if self.dialect == "sqlite":
            return f"(+{value}) collate binary"
        return f'({value}) collate "C"' if self.database.columns[name].dtype == pl.String else f"({value})"

    def _among(self, name: str, values: Iterable[Any]) -> str:
        """Return the condition that a cell is one of some values, of which None is one."""
        values = list(values)
        listed = ", ".join(value_sql(value, self.dialect) for value in values if value is not None)
        conditions = [f"{self._plain(name)} in ({listed})"] if listed else []
        if None in values:
            conditions.append(f"{self._plain(name)} is null")
        return f"({' or '.join(conditions)})" if conditions else "false"

    def _labelled(self, name: str, where: str) -> dict[str | None, dict[Any, int]] | None:
        """Return the values of a category, with the rows that have each, by their label (None: missing).

        None where there are very many.
        """
        found = self.database.ask(
            f"select {self._plain(name)}, count(*) from {self.database.source} where {where} "
            f"group by 1 limit {MOST_LEVELS + 1}"
        )
        if len(found) > MOST_LEVELS:
            return None
        frame = pl.DataFrame([self.database.series(name, [value for value, _ in found])])
        table = Table(frame, self.scan.name, self.scan.head.missing, kinds={name: self.scan.head.kind(name)})
        made: dict[str | None, dict[Any, int]] = {}
        for (value, rows), label in zip(found, table.labels(name).to_list(), strict=True):
            made.setdefault(label, {})[value] = int(rows)
        return made

    def _levels(self, name: str, where: str) -> dict[str, dict[Any, int]]:
        """Return the same of rows of which no cell is missing."""
        return {str(label): values for label, values in (self._labelled(name, where) or {}).items()}

    def _settled(self) -> tuple[str, int, dict[str, int]] | None:
        """Settle missing cells: return the condition that a row is kept, how many are, and cells filled by column."""
        plan = self.plan
        keep = f"not ({' or '.join(self.gaps.values())})"
        conditions = [keep, " or ".join(self._wrong()) or "false", *self.gaps.values()]
        sums = ", ".join(f"sum(case when {condition} then 1 else 0 end)" for condition in conditions)
        kept, bad, *found = map(int, self.database.ask(f"select {sums} from {self.database.source}")[0])
        gaps = {name: count for name, count in zip(self.gaps, found, strict=True) if count}
        if bad or (gaps and plan.missing == "error"):
            return None
        if not gaps:
            return "true", self.scan.rows, {}
        if plan.missing == "drop":
            return keep, kept, {}
        if not all(name in plan.fills and name not in plan.target_uses for name in gaps):
            return None
        for name in gaps:
            fill = number_sql(plan.fills[name], self.dialect)
            self.numbers[name] = f"(case when {self.gaps[name]} then {fill} else {self.numbers[name]} end)"
        return "true", self.scan.rows, gaps

    def _columns(self, blocks: Sequence[Block]) -> list[tuple[str, str, float]]:
        """Return label, SQL and shift of the constant, of all columns of all terms, and of the targets."""
        made = [(INTERCEPT, "1")]
        for block in blocks:
            columns = block.codes[0].sql(self)
            for code in block.codes[1:]:
                columns = [f"({left} * {right})" for right in code.sql(self) for left in columns]
            made += zip(block.names, columns, strict=True)
        for index, expression in enumerate(self.plan.expressions):
            made.append((target_label(index), self.number(expression)))
        return [(name, sql, self.plan.shifts.get(name, 0.0)) for name, sql in made]

    def number(self, expression: Expression) -> str:
        """Return the SQL of an expression's value."""
        return expression_sql(expression, self.dialect, self.numbers)

    def indicator(self, column: str, level: str) -> str:
        """Return the SQL of a 1 in rows of a category's level, and a 0 in others."""
        one, nothing = number_sql(1.0, self.dialect), number_sql(0.0, self.dialect)
        return f"(case when {self._among(column, self.levels[column][level])} then {one} else {nothing} end)"

    def _counted(
        self, columns: Sequence[tuple[str, str, float]], blocks: Sequence[Block], totals: Floats, fitted: str
    ) -> dict[str, dict[str, int]]:
        """Return how many fitted rows have each level, from the columns' totals where the levels are columns."""
        firsts = [block.codes[0] for block in blocks if len(block.codes) == 1]
        alone = {code.column for code in firsts if code.levels}
        added = {
            name: round(total + shift * totals[0]) for (name, _, shift), total in zip(columns, totals, strict=True)
        }
        made = {}
        for name, levels in self.levels.items():
            if name in alone:
                made[name] = {level: added[f"{name}[{level}]"] for level in levels}
            else:
                found = self._levels(name, fitted)
                made[name] = {level: sum(found.get(level, {}).values()) for level in levels}
        return made

    def _kept(self, keep: str) -> tuple[list[NumberedRows], list[NumberedRows]]:
        """Return the rows that are tested and those that are looked at."""
        draw, wanted = self.plan.draw, list(self.plan.wanted)
        tested: list[NumberedRows] = []
        shown: list[NumberedRows] = []
        if not draw.tested and draw.shown >= KEYS:
            return tested, shown
        cells = {str(place): self.database.columns[name] for place, name in enumerate(wanted)}
        cells |= {"row": Cells(self.database.row, pl.Int64), "key": Cells(self.key, pl.Int64)}
        last = (
            KEYS - draw.shown
        )  # so many keys are those of shown rows; moved on by as many they come before the tested
        where = f"{keep} and (({self.key} + {last}) & {KEYS - 1}) < {draw.tested + last}"
        for frame in self.database.frames(cells, BATCH, where):
            numbers, keys = frame["row"].to_numpy(), frame["key"].to_numpy().astype(np.uint32)
            rows = frame.select(pl.col(str(place)).alias(name) for place, name in enumerate(wanted))
            for into, chosen in zip((tested, shown), draw.kept(keys), strict=True):
                if chosen.any():
                    into.append(NumberedRows(numbers[chosen], rows.filter(chosen)))
        return tested, shown

    def _layers(self, fitted: str) -> NDArray[np.int64]:
        """Return how many fitted rows there are by their keys' last bits, where the plan wants it."""
        layers = np.zeros(LAYERS, dtype=np.int64)
        if self.plan.layered:
            low = f"({self.key}) & {LAYERS - 1}"
            source = self.database.source
            for layer, rows in self.database.ask(f"select {low}, count(*) from {source} where {fitted} group by 1"):
                layers[int(layer)] = int(rows)
        return layers
