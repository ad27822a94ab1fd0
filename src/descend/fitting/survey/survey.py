"""The survey: one reading of a scan that finds all that a design, a least squares and a test need to know of the rows.

Every part gives its own survey, with all the columns that its rows' levels ask for; where two are put together, the
columns that one of them lacks were 0 in all its rows. So it does not matter who read which rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from descend.base.double_double import add, pair
from descend.base.errors import DesignError, FitError
from descend.base.threads import block_rows
from descend.design.blocks import blocks_of
from descend.design.encodings.levels import LevelCode, category_of, level_list
from descend.design.encodings.number import NumberCode
from descend.design.matrix import INTERCEPT
from descend.formula.ast import Arithmetic, Name
from descend.formula.evaluate import values_of
from descend.tables.columns import Columns, gather

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from descend.base.double_double import Pair
    from descend.base.typing import Floats
    from descend.design.blocks import Block
    from descend.design.encodings import FactorEncoding
    from descend.design.encodings.image import ImageCode
    from descend.design.encodings.poly import PolyCode
    from descend.formula.ast import Expression, Factor, Hypothesis
    from descend.objectives.target import Target
    from descend.tables.columns import Use
    from descend.tables.row_sampling import Draw
    from descend.tables.scan import Part
    from descend.tables.table import Table

    Keys = NDArray[np.uint32]

LAYERS = 64
MOST_NAMES = 10_000  # columns whose products still fit in memory: 1.6 GB


@dataclass(frozen=True)
class Plan:
    """What a survey is to find; it goes to whoever reads a part.

    ``uses`` and ``target_uses`` say how the columns are read; ``target`` is that of a linear hypothesis, None for
    classes. A column's numbers are summed less its shift, so that an offset costs no digits. ``fills`` are what missing
    cells become under ``missing`` "mean"; ``polys`` and ``images`` how those terms are coded.
    """

    hypothesis: Hypothesis
    uses: dict[str, Use]
    target_uses: dict[str, Use]
    target: Target | None
    draw: Draw
    missing: str = "error"
    fills: dict[str, float] = field(default_factory=dict)
    shifts: dict[str, float] = field(default_factory=dict)
    layered: bool = False
    polys: dict[str, PolyCode] = field(default_factory=dict)
    images: dict[str, ImageCode] = field(default_factory=dict)

    @property
    def wanted(self) -> dict[str, Use]:
        """How each column that is read is used."""
        return {**self.uses, **self.target_uses}

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The targets that are numbers."""
        return () if self.target is None else self.target.expressions

    @property
    def labels(self) -> dict[str, str]:
        """The label, among those of a survey, of each number column that stands there as it is."""
        terms = [term[0] for term in self.hypothesis.terms if len(term) == 1]
        plain = [factor.expression for factor in terms if isinstance(factor, Arithmetic)]
        labels = {one.name: one.name for one in plain if isinstance(one, Name) and self.uses[one.name] == "number"}
        targets = {one.name: target_label(i) for i, one in enumerate(self.expressions) if isinstance(one, Name)}
        return {**labels, **targets}

    def coded(self, levels: Mapping[str, tuple[str, ...]]) -> tuple[Block, ...]:
        """Return the terms' blocks, of categories that have these levels."""

        def encode(factor: Factor) -> FactorEncoding:
            column = category_of(factor, self.uses)
            if column is not None:
                return LevelCode(column, levels[column])
            return self.polys.get(str(factor)) or self.images.get(str(factor)) or NumberCode.of(factor)

        return blocks_of(self.hypothesis, self.uses, encode)

    def blocks(self, levels: Mapping[str, tuple[str, ...]]) -> tuple[Block, ...]:
        """Return the terms' blocks with a column for every level."""
        made = self.coded(levels)
        return tuple(replace(block, codes=tuple(code.with_every_level() for code in block.codes)) for block in made)


@dataclass(frozen=True)
class NumberedRows:
    """Rows that were kept as they are, and their numbers in the whole table."""

    numbers: NDArray[np.int64]
    frame: pl.DataFrame


@dataclass(frozen=True)
class Survey:
    """What the rows of one or more parts say.

    ``products`` are the sums over the ``fitted`` rows of each pair of ``names``: the constant, all columns of all terms
    and the targets, each less its shift, ``low`` and ``high`` the least and the greatest of each; ``totals`` the sums
    of number columns that are not among them. ``levels`` has each category's levels, with how many fitted rows have
    them; ``filled`` and ``dropped`` count missing cells and the rows left out for them. ``tested`` and ``shown`` are
    rows kept for the test and for a diagnosis; ``layers`` counts the fitted rows by their keys' last bits.
    """

    names: tuple[str, ...]
    products: Pair
    low: Floats
    high: Floats
    rows: int
    fitted: int
    totals: dict[str, float]
    levels: dict[str, dict[str, int]]
    filled: dict[str, int]
    dropped: int
    tested: list[NumberedRows]
    shown: list[NumberedRows]
    layers: NDArray[np.int64]

    def __add__(self, other: Survey) -> Survey:
        """Put two together; the other's rows come after this one's."""
        if self.names != other.names:
            names = tuple(dict.fromkeys((*self.names, *other.names)))
            return _spread(self, names) + _spread(other, names)
        levels = {name: dict(counts) for name, counts in self.levels.items()}
        for name, counts in other.levels.items():
            mine = levels.setdefault(name, {})
            for level, count in counts.items():
                mine[level] = mine.get(level, 0) + count
        filled = {
            name: self.filled.get(name, 0) + other.filled.get(name, 0) for name in {**self.filled, **other.filled}
        }
        return Survey(
            self.names,
            add(self.products, other.products),
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            self.rows + other.rows,
            self.fitted + other.fitted,
            {name: total + other.totals[name] for name, total in self.totals.items()},
            levels,
            filled,
            self.dropped + other.dropped,
            self.tested + other.tested,
            self.shown + other.shown,
            self.layers + other.layers,
        )

    def sums(self, names: list[str]) -> Floats:
        """Return the products of some of the names in some order."""
        places = [self.names.index(name) for name in names]
        return (self.products[0] + self.products[1])[np.ix_(places, places)]

    def ends(self, names: list[str]) -> tuple[Floats, Floats]:
        """Return the least and the greatest number of some of the names, each less its shift."""
        places = [self.names.index(name) for name in names]
        return self.low[places], self.high[places]


def target_label(index: int) -> str:
    """Return what a target is called among a survey's names, where a column may be called the same."""
    return f"(target {index + 1})"


def survey_part(plan: Plan, part: Part) -> Survey:
    """Read a part and survey it; raises TableError or DesignError for what is wrong with a row."""
    table = part.table()
    data = complete_columns(plan, table)
    made = None if data is None else _surveyed(plan, part, table, data)
    if made is not None:
        return made
    data = filled_columns(plan, table)  # something is missing, or not finite
    made = _surveyed(plan, part, table, data)
    if made is None:
        for block in plan.blocks(levels_of(plan.uses, data)):
            block.columns(data)
        if plan.target is not None:
            plan.target.encode(data)
        raise FitError("fit.squares-not-finite")
    return made


def filled_columns(plan: Plan, table: Table) -> Columns:
    """Return the columns that are used with their missing cells settled; raises TableError where they may not be."""
    return gather(plan.wanted, table, missing=plan.missing, means=plan.fills, required=plan.target_uses, whole=False)


def complete_columns(plan: Plan, table: Table) -> Columns | None:
    """Return the columns as they are, uncopied, where no cell is missing; NaN is left to be found in the sums."""
    numbers, labels, images = {}, {}, {}
    for name, use in plan.wanted.items():
        if table.frame[name].null_count() and use != "image":
            return None
        if use == "number":
            series = table.frame[name]
            plain = series.dtype.is_numeric() and not table.codes
            numbers[name] = series.cast(pl.Float64).to_numpy() if plain else table.numbers(name)
        elif use == "category":
            labels[name] = table.labels(name, packed=True)
            if labels[name].null_count():
                return None
        else:
            images[name] = table.images(name)
    return Columns(numbers, labels, _counting(table.rows), table, {}, images=images)


@lru_cache(maxsize=2)
def _counting(rows: int) -> NDArray[np.int64]:
    """Return 0, 1, 2 ...: nearly all parts of a file have as many rows."""
    return np.arange(rows)


def _surveyed(plan: Plan, part: Part, table: Table, data: Columns) -> Survey | None:
    """Return the survey of a part's rows, None where a sum is not finite."""
    keys = plan.draw.keys(part.first, part.rows)
    mine = keys if len(data) == part.rows else keys[data.rows]
    held = mine < plan.draw.held
    levels = {name: _counted(data.labels[name], held) for name, use in plan.wanted.items() if use == "category"}
    blocks = plan.blocks(levels_of(plan.uses, data))
    names = sum_labels(plan, blocks)
    if len(names) > MOST_NAMES:
        raise DesignError("design.too-many-columns", columns=len(names), most=MOST_NAMES)
    shifts = np.array([plan.shifts.get(name, 0.0) for name in names])
    size = block_rows(len(names))
    room = np.empty((len(names), min(size, max(len(data), 1))))
    products, sound = pair(np.zeros((len(names), len(names)))), True
    low, high = _no_ends(len(names))
    for start in range(0, len(data), size):
        rows = slice(start, min(start + size, len(data)))
        X = room[:, : rows.stop - rows.start]
        lay(X, plan, blocks, data.part(rows), shifts)
        aside = np.flatnonzero(held[rows])
        sound = sound and bool(np.isfinite(X[:, aside]).all())  # of the others the sums tell
        if aside.size < X.shape[1]:
            X[:, aside] = X[:, [np.argmin(held[rows])]]  # a fitted row's, so that the ends are those of such rows
            low, high = np.minimum(low, X.min(axis=1)), np.maximum(high, X.max(axis=1))
        X[:, aside] = 0.0
        products = add(products, pair(X @ X.T))
    if not sound or not np.isfinite(products[0]).all():
        return None
    filled = {str(note.values["column"]): int(note.values["count"]) for note in data.notes if "column" in note.values}
    tested, shown = (_kept(plan, part, table, data, chosen) for chosen in plan.draw.kept(mine))
    layers = np.bincount(mine[~held] % LAYERS, minlength=LAYERS) if plan.layered else np.zeros(LAYERS, dtype=np.int64)
    fitted = int(held.size - held.sum())
    dropped = part.rows - len(data)
    others = [name for name in data.numbers if name not in plan.labels]
    totals = {name: float(data.numbers[name].sum(where=~held)) for name in others}
    return Survey(
        tuple(names), products, low, high, len(data), fitted, totals, levels, filled, dropped, tested, shown, layers
    )  # fmt: skip


def sum_labels(plan: Plan, blocks: tuple[Block, ...]) -> list[str]:
    """Return what the constant, the columns and the targets are called."""
    targets = range(len(plan.expressions))
    return [INTERCEPT, *(name for block in blocks for name in block.names), *map(target_label, targets)]


def lay(X: Floats, plan: Plan, blocks: tuple[Block, ...], data: Columns, shifts: Floats) -> None:
    """Write the constant, the columns and the targets of some rows into X (labels x rows), each less its shift."""
    X[0] = 1.0
    place = 1
    for block in blocks:
        if block.value is not None:
            np.subtract(values_of(block.value, data.numbers), shifts[place], out=X[place])
            place += 1
            continue
        columns = block.columns(data).T
        np.subtract(columns, shifts[place : place + len(columns), None], out=X[place : place + len(columns)])
        place += len(columns)
    for expression in plan.expressions:
        np.subtract(values_of(expression, data.numbers), shifts[place], out=X[place])
        place += 1


def levels_of(uses: Mapping[str, Use], data: Columns) -> dict[str, tuple[str, ...]]:
    """Return the levels of each category that some rows have."""
    return {name: level_list(name, data) for name, use in uses.items() if use == "category"}


def _kept(plan: Plan, part: Part, table: Table, data: Columns, chosen: NDArray[np.bool_]) -> list[NumberedRows]:
    """Return the chosen ones of the rows as they are in the table."""
    places = data.rows[chosen]
    if not places.size:
        return []
    columns = [table.frame[name].gather(places) for name in plan.wanted]  # a frame's own would wait for Polars' threads
    return [NumberedRows(part.first + places, pl.DataFrame(columns))]


def _counted(labels: pl.Series, held: NDArray[np.bool_]) -> dict[str, int]:
    """Return how many fitted rows have each level; 0 for one that only rows that are held back have."""
    if isinstance(labels.dtype, pl.Enum):
        codes, names = labels.to_physical().to_numpy(), labels.dtype.categories.to_list()
        return dict(zip(names, np.bincount(codes[~held], minlength=len(names)).tolist(), strict=True))
    every = dict.fromkeys(labels.unique().to_list(), 0)
    counts = labels.filter(~held).value_counts()
    return every | dict(counts.iter_rows())


def _spread(survey: Survey, names: tuple[str, ...]) -> Survey:
    """Return a survey with more names, of which the new ones were 0 in every row."""
    places = [names.index(name) for name in survey.names]
    made = np.zeros((len(names), len(names))), np.zeros((len(names), len(names)))
    for whole, known in zip(made, survey.products, strict=True):
        whole[np.ix_(places, places)] = known
    ends = np.zeros((2, len(names))) if survey.fitted else _no_ends(len(names))
    ends[:, places] = survey.low, survey.high
    return replace(survey, names=names, products=made, low=ends[0], high=ends[1])


def _no_ends(width: int) -> Floats:
    """Return the least and the greatest numbers of no rows, 2 x width."""
    return np.repeat([[np.inf], [-np.inf]], width, axis=1)
