"""Findings of the least-squares residuals: outliers, influential rows, curvature, uneven spread.

The residuals are those at the least-squares optimum, wherever the run has stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from descend.analysis.diagnosis.finding import FINDINGS, FindingKind, Sign
from descend.analysis.diagnosis.kinds._residual_curvature import curvature_sign, find_bend, squared
from descend.analysis.diagnosis.kinds._scales import OUTLYING, Scale, far_on_their_scale
from descend.analysis.diagnosis.remedies.settings import huber
from descend.analysis.diagnosis.remedies.terms import bend as bend_column
from descend.analysis.diagnosis.remedies.terms import predict_logarithm
from descend.formula.ast import Name
from descend.formula.notation import quoted

if TYPE_CHECKING:
    from descend.analysis.diagnosis.evidence import Evidence
    from descend.analysis.diagnosis.remedies.case import Offer
    from descend.analysis.diagnosis.subsample import Subsample
    from descend.base.typing import Floats, Rows

ROWS = 20  # with fewer no row is judged by the others
TESTED_ROWS = 30  # the tests of curvature and spread need more
FREEDOM = 10  # rows that the columns must leave over
UNEVEN = 1e-3  # chance of an uneven spread where there is none, over all targets
MATERIAL = 0.01  # share of the squared errors that the columns must explain: with many rows anything is significant
EXACT = 1e-12  # of the target's variance: what is left is rounding
ROUNDED = 1e-28  # of its squares: the same
LEVERAGE = 0.5  # a row that pulls the fit half of the way to itself (Huber 1981, section 7.2)
LEVERAGE_OF_EVEN = 3.0  # times the mean leverage: with few rows a column all of them are high
INFLUENCE = 1.0  # Cook's distance that moves the fit out of what is likely (Cook and Weisberg 1982)
ALONE = 1 - 1e-9  # leverage of a row that alone determines a column: its error is 0
NAMED = 5  # rows told
CANDIDATES = 1000  # of a sampled table: the rows with the largest errors
NONE_LEFT = 1e-14  # of the squared errors, so that a row that all others agree against has a finite value


@dataclass(frozen=True)
class _Errors:
    """The least-squares errors of one target on the sample, their sum of squares and the degrees of freedom."""

    output: int
    name: str
    fitted: Floats
    errors: Floats
    squares: float
    freedom: int

    @classmethod
    def of(cls, sample: Subsample, output: int, name: str) -> _Errors | None:
        """Compute them; None where too few degrees of freedom are left, or the errors are rounding."""
        y, basis = sample.Y[:, output], sample.basis
        fitted = basis @ (basis.T @ y)
        errors = y - fitted
        squares, freedom = float(errors @ errors), y.size - basis.shape[1]
        rounding = max(EXACT * float(np.square(y - y.mean()).sum()), ROUNDED * float(y @ y))
        if freedom < FREEDOM or not squares > rounding:
            return None
        return cls(output, name, fitted, errors, squares, freedom)


def look_at_residuals(evidence: Evidence) -> list[Sign]:
    """Return what the residuals of every target show.

    A bend or an uneven spread counts only if it is there without the outliers too. An outlier counts only if it is one
    after the bend is fitted, and compared with a spread that is allowed to change.
    """
    if not evidence.over.loss.quadratic or evidence.design.pixels.any():
        return []
    sample = evidence.linearised_sample
    if sample.rows < ROWS or not sample.factored:
        return []
    found: list[Sign] = []
    for output, name in enumerate(evidence.target.outputs):
        left = _Errors.of(sample, output, name)
        if left is None:
            continue
        outlying, rows = _outliers(evidence, sample, left)
        pulling, more = _influential(evidence, sample, left, rows)
        apart = np.isin(sample.chosen, np.concatenate([rows, more]))
        if sample.rows < TESTED_ROWS:
            found += outlying + pulling
            continue
        others = sample.among(~apart) if apart.any() else sample
        again = _Errors.of(others, output, name)
        bend = find_bend(evidence, sample, left.errors)
        if bend is not None and apart.any():
            bend = None if again is None else find_bend(evidence, others, again.errors)
        if bend is not None and outlying:
            column = squared(evidence, evidence.linearised.X[:, bend.column].astype(np.float64))
            curved = _Errors.of(sample.wider(column[sample.chosen]), output, name)
            outlying = [] if curved is None else _outliers(evidence, sample, curved, column)[0]
        uneven = _uneven(evidence, others, again) if bend is None and again is not None else []
        if outlying and uneven:
            scale: Scale = "log" if "written" in uneven[0].values else "spread"
            outlying = _outliers(evidence, sample, left, scale=scale)[0]
        found += outlying + pulling + uneven + ([] if bend is None else [curvature_sign(evidence, bend, name)])
    return found


def _outliers(
    evidence: Evidence, sample: Subsample, left: _Errors, column: Floats | None = None, *, scale: Scale = "own"
) -> tuple[list[Sign], Rows]:
    """Find outliers by their externally studentised residuals; return also their positions among the fitted rows.

    On a large table the residuals of all rows are computed, and the leverage of the largest from the sample with the
    row added. ``column``: one more column, of all rows; ``scale``: where they must be outliers too, see
    ``far_on_their_scale``.
    """
    from scipy.special import stdtr

    plain, X = sample, evidence.linearised.X
    if column is not None:
        sample = sample.wider(column[sample.chosen])
    if sample.whole:
        errors, freedom, squares = left.errors, left.freedom, left.squares
        rows = np.arange(errors.size)
        leverage = np.square(sample.basis).sum(axis=1)
    else:
        weights = (sample.root @ (sample.basis.T @ sample.Y[:, left.output])).astype(X.dtype)
        every = evidence.linearised.Y[:, left.output] - X @ weights[: X.shape[1]]
        if column is not None:
            every -= weights[-1] * column
        squares, freedom = float(every @ every), every.size - sample.basis.shape[1]
        rows = np.sort(np.argpartition(-np.abs(every), CANDIDATES)[:CANDIDATES])
        errors = every[rows].astype(np.float64)
        largest = X[rows] if column is None else np.column_stack([X[rows], column[rows]])
        pull = np.square(largest @ sample.root).sum(axis=1) * (sample.chosen.size / sample.rows)
        leverage = pull / (1 + pull)
    judged = leverage < ALONE
    rows, errors, leverage = rows[judged], errors[judged], leverage[judged]
    rest = np.maximum(squares * (1 - leverage) - errors**2, NONE_LEFT * squares)
    sizes = np.abs(errors) * np.sqrt((freedom - 1) / rest)
    chance = 2 * stdtr(freedom - 1, -sizes) * sample.rows * len(evidence.target.outputs)
    outlying = np.flatnonzero(chance < OUTLYING)
    outlying = outlying[far_on_their_scale(evidence, plain, left.output, rows[outlying], scale)]
    if not outlying.size:
        return [], rows[outlying]
    worst = rows[outlying[np.argsort(-sizes[outlying], kind="stable")]]
    shown = np.sort(worst[:NAMED])
    data = evidence.data.take(shown)
    truth = evidence.target.truth(data)[:, left.output]
    weights = plain.root @ (plain.basis.T @ plain.Y)
    expected = evidence.expected(data, weights)[:, left.output]
    lines = [f"{data.line(row)}: {truth[row]:.6g}, {expected[row]:.6g}" for row in range(shown.size)]
    values = {
        "target": left.name,
        "count": int(outlying.size),
        "rows": "; ".join(lines) + ("; …" if outlying.size > NAMED else ""),
        "size": float(sizes.max()),
    }
    return [Sign("outliers", values)], rows[outlying]


def _influential(evidence: Evidence, sample: Subsample, left: _Errors, outliers: Rows) -> tuple[list[Sign], Rows]:
    """Find influential rows that are no outliers: of high leverage and a large Cook's distance (Cook 1977).

    Returns also their positions among the fitted rows.
    """
    if evidence.curve is not None:  # its tangents are no columns that could be named
        return [], np.empty(0, dtype=np.int64)
    rank = sample.basis.shape[1]
    leverage = np.square(sample.basis).sum(axis=1)
    least = max(LEVERAGE, LEVERAGE_OF_EVEN * rank / leverage.size)
    high = np.flatnonzero((leverage > least) & (leverage < ALONE))
    h = leverage[high]
    moved = left.errors[high] ** 2 * h / ((1 - h) ** 2 * rank * left.squares / left.freedom)
    high = high[moved > INFLUENCE]
    high = high[~np.isin(sample.chosen[high], outliers)]
    if not high.size:
        return [], sample.chosen[high]
    design, shown = evidence.design, high[np.argsort(-leverage[high], kind="stable")][:NAMED]
    lines = []
    for row in np.sort(shown):
        x = sample.X[row]
        far = int(np.argmax(np.abs(x - sample.X.mean(axis=0)) / np.maximum(sample.X.std(axis=0), 1e-300)))
        value = x[far] * design.scales[far] + design.means[far]
        lines.append(f"{evidence.data.line(int(sample.chosen[row]))}: {design.names[far]} = {value:.6g}")
    values = {
        "target": left.name,
        "count": int(high.size),
        "rows": "; ".join(lines) + ("; …" if high.size > NAMED else ""),
        "leverage": float(leverage[shown[0]]),
    }
    return [Sign("high-leverage", values)], sample.chosen[high]


def _uneven(evidence: Evidence, sample: Subsample, left: _Errors) -> list[Sign]:
    """Find errors that are larger for some rows than for others, by the studentised Breusch-Pagan test (Koenker 1981).

    The target's logarithm is the remedy only where errors grow with the target and are more even in the logarithm.
    """
    found = _evenness(sample, left.errors)
    if found is None:
        return []
    explained, share, chance = found
    targets = len(evidence.target.outputs)
    if share <= MATERIAL or chance * targets >= UNEVEN:
        return []
    values = {"target": left.name, "chance": chance * targets, "share": share}
    expression = evidence.target.expressions[left.output]
    truth = evidence.data.numbers[evidence.target.columns[left.output]]
    alone = evidence.curve is None and isinstance(expression, Name) and "~" not in expression.name and targets == 1
    if alone and not evidence.design.hypothesis.written and float(explained @ left.fitted) > 0 and truth.min() > 0:
        logs = np.log(truth[sample.chosen])
        other = _evenness(sample, logs - sample.basis @ (sample.basis.T @ logs))
        if other is None or other[1] < share:
            text = evidence.design.hypothesis.text
            values["written"] = f'"log({quoted(str(expression))}) {text[text.find("~") :]}"'
            values["remedy"] = "finding.heteroscedastic.log"
    return [Sign("heteroscedastic", values)]


def _evenness(sample: Subsample, errors: Floats) -> tuple[Floats, float, float] | None:
    """Return the part of the squared errors that the columns explain, its share and its p-value; None for no errors."""
    from scipy.special import chdtrc

    basis = sample.basis
    ones = np.ones(len(basis))
    rest = ones - basis @ (basis.T @ ones)
    if rest @ rest > EXACT * ones.size:
        basis = np.column_stack([basis, rest / np.sqrt(rest @ rest)])
    squares = float(errors @ errors)
    if not squares > 0:
        return None
    sizes = np.square(errors) / squares
    sizes -= sizes.mean()
    explained, directions = basis @ (basis.T @ sizes), basis.shape[1] - 1
    spread = float(sizes @ sizes)
    if directions < 1 or spread * sizes.size <= EXACT:
        return None
    share = float(explained @ explained) / spread
    return explained, share, float(chdtrc(directions, share * sizes.size))


def _kind(name: str, offers: Offer | None = None, *unless: str) -> None:
    FINDINGS.add(FindingKind(name, look_at_residuals, "residuals", needs="errors", offers=offers, unless=unless))


_kind("outliers", huber)
_kind("high-leverage")
_kind("heteroscedastic", predict_logarithm)
_kind("curvature", bend_column("column"), "missing-code")
