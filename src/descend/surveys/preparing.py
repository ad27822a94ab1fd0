"""What must be known of a scan before it is surveyed: shifts, the means that fill gaps, polynomials on the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.coding import LevelCode, PolyCode
from descend.columns import gather
from descend.design import INTERCEPT
from descend.errors import TableError
from descend.surveys.survey import Plan, labels_of, lay, levels_of, survey_part
from descend.terms import Poly
from descend.transforms import evaluate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.scans import Part, Scan
    from descend.workers import Reading

    Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Early:
    """Of every number column the sum and the count of its cells, of expressions the least and the greatest value."""

    sums: dict[str, tuple[float, int]]
    ranges: dict[str, tuple[float, float]]

    def __add__(self, other: Early) -> Early:
        """Put two together."""
        sums = {name: (total + other.sums[name][0], n + other.sums[name][1]) for name, (total, n) in self.sums.items()}
        ranges = {
            text: (min(low, other.ranges[text][0]), max(high, other.ranges[text][1]))
            for text, (low, high) in self.ranges.items()
        }
        return Early(sums, ranges)


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
        for name, (_, count) in early.sums.items():
            if not count:
                raise TableError("table.all-missing", file=scan.name, column=name)
        fills = {name: total / count for name, (total, count) in early.sums.items()}
        legendre = {text: PolyCode.legendre(poly, *early.ranges[text]) for text, poly in orthogonal.items()}
        plan = replace(plan, fills=fills, polys={**plan.polys, **legendre})
    if orthogonal:
        plan = replace(plan, polys={**plan.polys, **_on_rows(plan, orthogonal, scan, reading)})
    return replace(plan, shifts=_shifts(plan, scan))


def early_part(plan: Plan, polys: tuple[Poly, ...], part: Part) -> Early:
    """Read a part for the means of its columns and the range of the polynomials' variables over its fitted rows."""
    table = part.table()
    numbers = {name: table.numbers(name) for name, use in plan.wanted.items() if use == "number"}
    gaps = {name: np.isnan(values) for name, values in numbers.items()}
    sums = {name: (float(values[~gaps[name]].sum()), int((~gaps[name]).sum())) for name, values in numbers.items()}
    fitted = plan.draw.keys(part.first, part.rows) >= plan.draw.held
    ranges = {}
    for poly in polys:
        values = np.broadcast_to(evaluate(poly.expression, numbers), fitted.shape)[fitted]
        values = values[np.isfinite(values)]
        ends = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
        ranges[str(poly)] = ends
    return Early(sums, ranges)


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
    labels = labels_of(plan, blocks)
    X = np.empty((len(labels), len(data)))
    lay(X, plan, blocks, data, np.zeros(len(labels)))
    with np.errstate(over="ignore", invalid="ignore"):
        means = X.mean(axis=1)
    by_level = [any(isinstance(code, LevelCode) for code in block.codes) for block in blocks for _ in block.names]
    means[[True, *by_level, *(False for _ in plan.expressions)]] = 0.0
    return {label: float(mean) for label, mean in zip(labels, means, strict=True) if np.isfinite(mean)}
