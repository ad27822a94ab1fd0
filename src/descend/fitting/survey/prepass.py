"""What must be known of a scan before it is surveyed: shifts, the means that fill gaps, polynomials on the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from descend.base.errors import TableError
from descend.design.encodings.poly import PolyCode
from descend.design.matrix import INTERCEPT
from descend.fitting.survey.survey import Plan, filled_columns, lay, levels_of, sum_labels, survey_part
from descend.formula.ast import Poly
from descend.formula.evaluate import values_of
from descend.tables.columns import gather
from descend.tables.labels import merged, ordered_levels, same_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.tables.executors import Reading
    from descend.tables.scan import Part, Scan


@dataclass(frozen=True)
class Known:
    """What is known of some numbers: their sum, how many they are, the least and the greatest."""

    total: float
    count: int
    low: float
    high: float

    @classmethod
    def of(cls, values: Floats) -> Known:
        """Look at numbers, of which there may be none."""
        return cls(
            float(values.sum()), values.size, float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
        )

    def __add__(self, other: Known) -> Known:
        """Put two together."""
        ends = min(self.low, other.low), max(self.high, other.high)
        return Known(self.total + other.total, self.count + other.count, *ends)

    @property
    def mean(self) -> float:
        """Their mean, which rounding takes no farther than they lie."""
        return min(max(self.total / self.count, self.low), self.high)


@dataclass(frozen=True)
class Early:
    """What is known of every number column's cells, and of expressions over the fitted rows."""

    cells: dict[str, Known]
    expressions: dict[str, Known]

    def __add__(self, other: Early) -> Early:
        """Put two together."""
        cells = {name: known + other.cells[name] for name, known in self.cells.items()}
        return Early(cells, {text: known + other.expressions[text] for text, known in self.expressions.items()})


def prepared(plan: Plan, scan: Scan, reading: Reading) -> Plan:
    """Return the plan with what a survey of the scan needs to know.

    Means that fill missing cells take a reading of the rows; orthogonal polynomials one for their range and one for
    their recurrence. Everything else is taken from the head. Raises TableError for a column without a number.
    """
    polys = {str(factor): factor for term in plan.hypothesis.terms for factor in term if isinstance(factor, Poly)}
    orthogonal = {text: poly for text, poly in polys.items() if not poly.raw}
    plan = replace(plan, polys={text: PolyCode.legendre(poly, 0, 1) for text, poly in polys.items() if poly.raw})
    if plan.missing == "mean" or orthogonal:
        early = reading.sum(
            "preparing", partial(early_part, plan, tuple(orthogonal.values())), scan.parts(list(plan.wanted))
        )
        for name, known in early.cells.items():
            if not known.count:
                raise TableError("table.all-missing", file=scan.name, column=name)
        fills = {name: known.mean for name, known in early.cells.items()}
        ranges = {text: (known.low, known.high) for text, known in early.expressions.items()}
        legendre = {text: PolyCode.legendre(poly, *ranges[text]) for text, poly in orthogonal.items()}
        plan = replace(plan, fills=fills, polys={**plan.polys, **legendre})
    if orthogonal:
        plan = replace(plan, polys={**plan.polys, **_on_rows(plan, orthogonal, scan, reading)})
    return replace(plan, shifts=_shifts(plan, scan))


def classes_of(plan: Plan, scan: Scan, reading: Reading) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of the rows that are not left out for missing cells, and a number for the class of each.

    It takes a reading: of the target alone, where no row is left out.
    """
    columns = list(plan.wanted if plan.missing == "drop" else plan.target_uses)
    found = list(reading.each("preparing", partial(classes_part, plan), scan.parts(columns)))
    labels = pl.concat([labels.cast(pl.String) for _, labels in found])
    (target,) = plan.target_uses
    if scan.head.kind(target) == "number":
        levels = ordered_levels(labels.unique().to_list())
        labels = labels.replace(same_numbers(levels, merged(levels), numbers=False))
    return np.concatenate([numbers for numbers, _ in found]), labels.rank("dense").to_numpy().astype(np.int64) - 1


def classes_part(plan: Plan, part: Part) -> tuple[NDArray[np.int64], pl.Series]:
    """Read a part for the numbers of its rows that are not left out, and their classes."""
    table = part.table()
    (target,) = plan.target_uses
    if plan.missing == "drop":
        data = filled_columns(plan, table)
        return part.first + data.rows, data.labels[target].cast(pl.String)
    labels = table.labels(target)
    return part.first + np.flatnonzero(labels.is_not_null()), labels.drop_nulls()


def early_part(plan: Plan, polys: tuple[Poly, ...], part: Part) -> Early:
    """Read a part for the means of its columns and the range of the polynomials' variables over its fitted rows."""
    table = part.table()
    numbers = {name: table.numbers(name) for name, use in plan.wanted.items() if use == "number"}
    cells = {name: Known.of(values[~np.isnan(values)]) for name, values in numbers.items()}
    fitted = plan.draw.keys(part.first, part.rows) >= plan.draw.held
    expressions = {}
    for poly in polys:
        values = np.broadcast_to(values_of(poly.expression, numbers), fitted.shape)[fitted]
        expressions[str(poly)] = Known.of(values[np.isfinite(values)])
    return Early(cells, expressions)


def _on_rows(plan: Plan, polys: dict[str, Poly], scan: Scan, reading: Reading) -> dict[str, PolyCode]:
    """Return the polynomials that are orthogonal on the fitted rows."""
    alone = replace(plan.hypothesis, terms=tuple((poly,) for poly in polys.values()), intercept=True)
    survey = reading.sum(
        "preparing", partial(survey_part, replace(plan, hypothesis=alone, target=None)), scan.parts(list(plan.wanted))
    )
    return {text: plan.polys[text].on_rows(survey.sums([INTERCEPT, *plan.polys[text].names])) for text in polys}


def _shifts(plan: Plan, scan: Scan) -> dict[str, float]:
    """Return about the mean of every column, from the first rows; 0 where a part without its level lacks the column."""
    head = scan.head
    data = gather(plan.wanted, head, missing="drop", means=plan.fills, required=plan.target_uses, whole=False)
    if not len(data):
        return {}
    blocks = plan.blocks(levels_of(plan.uses, data))
    labels = sum_labels(plan, blocks)
    X = np.empty((len(labels), len(data)))
    lay(X, plan, blocks, data, np.zeros(len(labels)))
    with np.errstate(over="ignore", invalid="ignore"):
        means = np.clip(X.mean(axis=1), X.min(axis=1), X.max(axis=1))  # of a constant column its number itself
    by_level = [any(code.levels for code in block.codes) for block in blocks for _ in block.names]
    means[[True, *by_level, *(False for _ in plan.expressions)]] = 0.0
    return {label: float(mean) for label, mean in zip(labels, means, strict=True) if np.isfinite(mean)}
