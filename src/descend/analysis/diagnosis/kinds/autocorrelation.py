"""Whether the errors of rows that follow one another in time are alike: the test of Durbin and Watson."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from descend.analysis.diagnosis.finding import FINDINGS, FindingKind, Sign
from descend.base.messages import Note
from descend.formula.notation import quoted
from descend.formula.roles import toggled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.analysis.diagnosis.change import Change
    from descend.analysis.diagnosis.evidence import Evidence
    from descend.analysis.diagnosis.remedies.case import Case
    from descend.analysis.diagnosis.subsample import Subsample
    from descend.base.typing import Floats
    from descend.tables.table import Table

    Order = NDArray[np.int64]

ROWS = 15  # fewer show only what is plain to see
FREEDOM = 10  # rows that the columns must leave over
ALIKE = 1e-3  # chance of errors as alike where they are not, over all targets (Bonferroni)
APART = 0.05  # the same with a term in time that mends it
MATERIAL = 0.1  # correlation of an error with the next: less widens a mean's standard error by less than a tenth
EXACT = 1e-12  # of the target's variance: what is left is rounding
STEADY = 0.9  # of a column's steps that are the usual one: dates and years have gaps
SEARCHED = 100  # columns of a table in which one that orders the rows is looked for
HEAD = 8  # cells that tell most columns that do not
DATE = r"^\d{4}([-/.]?\d{2}){1,2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$"  # in order as texts are


def look_at_neighbours(evidence: Evidence) -> list[Sign]:
    """Return the targets whose least-squares errors resemble the errors of the rows before them.

    Only where a column orders the rows in time: distinct dates, or numbers that rise by even steps from row to row.
    The column itself, as a term, is the remedy where with it the errors are alike no more.
    """
    if not evidence.over.loss.quadratic or evidence.design.pixels.any():
        return []
    sample = evidence.linearised_sample
    if evidence.rows > sample.rows or not sample.factored or sample.rows < ROWS:
        return []
    clock = _clock(evidence)
    if clock is None:
        return []
    column, order, time = clock
    found = []
    for output, name in enumerate(evidence.target.outputs):
        told = _tested(evidence, sample, output, order)
        if told is None or told["chance"] >= ALIKE or told["correlation"] < MATERIAL:
            continue
        values: dict[str, Any] = {"column": column, "target": name, **told}
        added = None
        if time is not None and evidence.curve is None:
            added = _tested(evidence, sample.wider(time[sample.chosen]), output, order, time)
        if added is not None and added["chance"] > APART:
            values |= {"term": quoted(column), "remedy": "finding.autocorrelated.time"}
        if evidence.curve is not None and column in evidence.design.uses:
            values["remedy"] = "finding.autocorrelated.curve"
        found.append(Sign("autocorrelated", values))
    return found


def durbin_watson_test(errors: Floats, basis: Floats) -> tuple[float, float]:
    """Return the statistic of Durbin and Watson, and the chance of a smaller one where errors are independent.

    errors: of least squares, in their order; basis: orthonormal columns that span the design's (rows x columns, 0
    columns for a sample so large that they do not matter). The chance is that of 4 times a beta variable with the
    statistic's exact mean and variance under normal errors (Durbin and Watson 1950, section 4; 1951, section 4).
    """
    from scipy.special import betainc

    rows, columns = basis.shape
    statistic = float(np.square(np.diff(errors)).sum() / (errors @ errors))
    differences = _second_differences(basis)
    inner = basis.T @ differences
    first = 2.0 * (rows - 1) - float(np.trace(inner))
    second = 2.0 * (3 * rows - 4) - 2.0 * float(np.square(differences).sum()) + float(np.square(inner).sum())
    freedom = rows - columns
    mean = first / freedom
    variance = 2.0 * (second - first * mean) / (freedom * (freedom + 2.0))
    middle, spread = mean / 4.0, variance / 16.0
    size = middle * (1.0 - middle) / spread - 1.0
    return statistic, float(betainc(size * middle, size * (1.0 - middle), min(statistic / 4.0, 1.0)))


def _second_differences(basis: Floats) -> Floats:
    """Return D'D times columns, where D takes the difference of a row and the row before."""
    steps = np.diff(basis, axis=0)
    return np.asarray(np.concatenate([-steps[:1], -np.diff(steps, axis=0), steps[-1:]]))


def _tested(
    evidence: Evidence, sample: Subsample, output: int, order: Order, more: Floats | None = None
) -> dict[str, float] | None:
    """Return the statistic of a target's errors, the correlation that it stands for, and its chance.

    None where too few rows are left over, or nothing but rounding. more: one more column of all rows, which the sample
    has as its last.
    """
    X, y = evidence.linearised.X, evidence.linearised.Y[:, output].astype(np.float64)
    weights = sample.root @ (sample.basis.T @ sample.Y[:, output])
    errors = y - X @ weights[: X.shape[1]]
    if more is not None:
        errors = errors - weights[-1] * more
    freedom = y.size - sample.basis.shape[1]
    if freedom < FREEDOM or float(errors @ errors) <= EXACT * float(np.square(y - y.mean()).sum()):
        return None
    basis = sample.basis[order] if sample.whole else np.empty((y.size, 0))
    statistic, chance = durbin_watson_test(errors[order], basis)
    targets = len(evidence.target.outputs)
    return {"statistic": statistic, "correlation": 1.0 - statistic / 2.0, "chance": min(1.0, chance * targets)}


def _clock(evidence: Evidence) -> tuple[str, Order, Floats | None] | None:
    """Return the first column of the table that orders the rows in time, that order, and the column's numbers.

    The numbers are None for dates, and for a column that the hypothesis has already.
    """
    table, rows = evidence.data.table, evidence.data.rows
    for column in table.columns[:SEARCHED]:
        if column in evidence.target.columns:
            continue
        dates = _dates(table, column)
        if dates is not None and dates[rows].n_unique() == rows.size:
            return column, dates[rows].arg_sort().to_numpy().astype(np.int64), None
        numbers = _rising(table, column)
        if numbers is not None:
            used = column in evidence.design.uses
            return column, np.argsort(rows, kind="stable"), None if used else numbers[rows] - numbers[rows].mean()
    return None


def _dates(table: Table, column: str) -> pl.Series | None:
    """Return what orders the rows as the dates or times of a column do, None where it holds none."""
    series = table.frame[column]
    if table.is_moment(column):
        return None if series.null_count() else series.to_physical()
    if series.dtype != pl.String:
        return None
    for cells in (series.head(HEAD), series):
        if cells.null_count() or not cells.str.contains(DATE).all():
            return None
    return series


def _rising(table: Table, column: str) -> Floats | None:
    """Return the numbers of a column that rise, or fall, by even steps from row to row."""
    series = table.frame[column]
    if not (series.dtype.is_numeric() or series.dtype == pl.String):
        return None
    if not _is_steady(series.head(HEAD).cast(pl.Float64, strict=False).to_numpy()) or table.kind(column) != "number":
        return None
    numbers = table.parsed(column)[0]
    return numbers if _is_steady(numbers) else None


def _is_steady(numbers: Floats) -> bool:
    """Tell whether numbers all rise or all fall, nearly all by the same step."""
    steps = np.diff(numbers)
    if steps.size < 2 or not np.isfinite(steps).all() or not ((steps > 0).all() or (steps < 0).all()):
        return False
    return bool(np.isclose(steps, np.median(steps), rtol=1e-6).mean() >= min(STEADY, 1 - 1.5 / steps.size))


def _add_time(case: Case) -> list[Change]:
    """Add the column that orders the rows, where with it the errors are alike no more."""
    if "term" not in case.values:
        return []
    column = case.values["column"]
    text = toggled(case.formula, column, list(dict.fromkeys([*case.known, column])))
    return case.writing(Note("remedy.bend", {"term": case.values["term"]}), text)


FINDINGS.add(
    FindingKind(
        "autocorrelated",
        look_at_neighbours,
        "residuals",
        needs="errors",
        offers=_add_time,
        unless=("curvature", "missing-code"),
    )
)
