"""Outliers judged on the scale of their target: counts, and values whose spread grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from descend.formula.ast import Name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.analysis.diagnosis.evidence import Evidence
    from descend.analysis.diagnosis.subsample import Subsample
    from descend.base.typing import Floats

Scale = Literal["own", "log", "spread"]

OUTLYING = 0.01  # chance of an outlier where there is none, over all rows and targets (Bonferroni)
LOG_OF_SQUARE = -1.2704  # the mean of the logarithm of a squared standard normal: psi(1/2) + log 2
LEAST = 0.05  # of the mean count: the least that is expected of a row, where the line gives less


def far_on_their_scale(
    evidence: Evidence, sample: Subsample, output: int, rows: NDArray[np.int64], scale: Scale
) -> NDArray[np.bool_]:
    """Tell which of the fitted ``rows`` are outliers also on the scale on which the target's errors are even.

    Counts: of those that a Poisson of the fitted mean, as wide as the rows make it (McCullagh and Nelder 1989, section
    6.2.3), all but never gives, and in the logarithm. ``scale`` log: in the logarithm; spread: beside errors that are
    as large as those of the others there. Any other target: all are.
    """
    far = np.ones(rows.size, dtype=bool)
    if rows.size and scale == "spread":
        far &= _in_spread(evidence, sample, output, rows)
    if not rows.size or evidence.curve is not None or not isinstance(evidence.target.expressions[output], Name):
        return far
    truth = evidence.data.numbers[evidence.target.columns[output]]
    counts = truth.min() >= 0 and bool((truth == np.floor(truth)).all())
    if counts:
        far &= _poisson(evidence, sample, truth, rows)
    if counts or (scale == "log" and truth.min() > 0):
        far &= _in_logs(evidence, sample, np.log1p(truth) if counts else np.log(truth), rows)
    return far


def _fitted(evidence: Evidence, sample: Subsample, y: Floats) -> Floats:
    weights = sample.root @ (sample.basis.T @ y[sample.chosen])
    return np.asarray(evidence.linearised.X.astype(np.float64, copy=False) @ weights)


def _poisson(evidence: Evidence, sample: Subsample, y: Floats, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    from scipy.special import gammainc, gammaincc

    mean = np.maximum(_fitted(evidence, sample, y), LEAST * y.mean())
    squares = np.square(y - mean) / mean
    kept = np.delete(np.arange(y.size), rows)
    wide = max(float(squares[kept].sum()) / max(kept.size - sample.basis.shape[1], 1), 1.0)
    counts, expected = y[rows] / wide, mean[rows] / wide
    chance = np.where(
        y[rows] > mean[rows], gammainc(np.maximum(counts, 1e-9), expected), gammaincc(counts + 1, expected)
    )
    return np.asarray(2 * chance * y.size < OUTLYING)


def _in_logs(evidence: Evidence, sample: Subsample, y: Floats, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    from scipy.special import stdtr

    errors = y - _fitted(evidence, sample, y)
    kept = np.delete(np.arange(y.size), rows)
    freedom = max(kept.size - sample.basis.shape[1], 1)
    spread = np.sqrt(np.square(errors[kept]).sum() / freedom)
    return np.asarray(2 * stdtr(freedom, -np.abs(errors[rows]) / np.maximum(spread, 1e-300)) * y.size < OUTLYING)


def _in_spread(evidence: Evidence, sample: Subsample, output: int, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Compare errors with a spread whose logarithm is linear in the columns (Harvey 1976), fitted to the other rows."""
    from scipy.special import stdtr

    X, y = evidence.linearised.X, evidence.linearised.Y[:, output]
    others = sample.among(~np.isin(sample.chosen, rows))
    wider = others.wider(np.ones(len(X))[others.chosen])
    weights = others.root @ (others.basis.T @ others.Y[:, output])
    squares = np.square(others.Y[:, output] - others.X @ weights)
    logs = np.log(np.maximum(squares, np.finfo(np.float64).tiny)) - LOG_OF_SQUARE
    growth = wider.root @ (wider.basis.T @ logs)
    own = X[rows].astype(np.float64)
    spread = np.exp((np.column_stack([own, np.ones(rows.size)]) @ growth) / 2)
    freedom = max(others.chosen.size - others.basis.shape[1], 1)
    sizes = np.abs(y[rows] - own @ weights) / np.maximum(spread, 1e-300)
    return np.asarray(2 * stdtr(freedom, -sizes) * y.size < OUTLYING)
