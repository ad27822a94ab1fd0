"""Standard errors, tests and intervals of a fit at its optimum.

Squared error: classical least squares, t with rows - columns degrees of freedom. Cross-entropy: the inverse of the
information at the maximum of the likelihood, z (Wald); with several classes of the coefficients less those of the
first class, which alone the rows determine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.errors import OptionError
from descend.losses import BinaryCrossEntropy, CrossEntropy, SquaredError, softmax
from descend.messages import Note

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.design import Design
    from descend.exact import Exact
    from descend.objectives import OverRows
    from descend.objectives.gram import GramObjective

    Floats = NDArray[np.floating[Any]]

MOST = 500
SINGULAR = 1e-13
TENSORS = ("covariance", "variances", "errors")


@dataclass(frozen=True)
class Inference:
    """What the rows leave uncertain.

    ``covariance`` is that of the standardised columns' parameters: columns x columns, to be multiplied by each
    target's residual variance in ``variances``; or, for classes, of all parameters but the first class's (column by
    column) with a variance of 1. ``errors`` (columns x outputs, of classes without the first) are standard errors in
    the units of the table; ``freedom`` the degrees of freedom of t, None for z.
    """

    covariance: Floats
    variances: Floats
    errors: Floats
    freedom: int | None

    def quantile(self, level: float) -> float:
        """Return how many standard errors reach to each side of an interval that holds with probability ``level``."""
        from scipy.special import ndtri, stdtrit

        if not 0 < level < 1:
            raise OptionError("option.share", name="interval", value=level)
        tail = (1 + level) / 2
        return float(ndtri(tail) if self.freedom is None else stdtrit(self.freedom, tail))

    def statistics(self, coefficients: Floats) -> Floats:
        """Return coefficients over their standard errors, NaN where an error is 0."""
        return np.divide(coefficients, self.errors, out=np.full_like(coefficients, np.nan), where=self.errors > 0)

    def p_values(self, coefficients: Floats) -> Floats:
        """Return the probability of a statistic as far from 0 where the true coefficient is 0, two-sided."""
        from scipy.special import ndtr, stdtr

        away = -np.abs(self.statistics(coefficients))
        return np.asarray(2 * (ndtr(away) if self.freedom is None else stdtr(self.freedom, away)))

    def spread(self, X: Floats) -> Floats:
        """Return the standard error of the linear predictor of rows of the standardised design, rows x outputs."""
        outputs = self.errors.shape[1]
        if self.freedom is not None:
            leverage = np.einsum("ij,jk,ik->i", X, self.covariance, X)
            return np.asarray(np.sqrt(np.maximum(leverage, 0)[:, None] * self.variances))
        blocks = self.covariance.reshape(X.shape[1], outputs, X.shape[1], outputs)
        variance = np.einsum("ij,jakc,ik->iac", X, blocks, X)
        return np.asarray(np.sqrt(np.maximum(np.einsum("iaa->ia", variance), 0)))

    def mean_interval(self, X: Floats, weights: Floats, level: float) -> tuple[Floats, Floats]:
        """Return between what the linear predictor lies, rows x outputs each."""
        middle, reach = X @ weights, self.quantile(level) * self.spread(X)
        return middle - reach, middle + reach

    def row_interval(self, X: Floats, weights: Floats, level: float) -> tuple[Floats, Floats]:
        """Return between what a new row's target lies: the mean's uncertainty and the rows' own spread."""
        reach = self.quantile(level) * np.sqrt(np.square(self.spread(X)) + self.variances)
        return X @ weights - reach, X @ weights + reach

    def class_interval(self, X: Floats, weights: Floats, level: float) -> tuple[Floats, Floats]:
        """Return between what each class's probability lies, rows x classes, by the delta method on its log-odds."""
        outputs = self.errors.shape[1]
        blocks = self.covariance.reshape(X.shape[1], outputs, X.shape[1], outputs)
        contrasts = np.einsum("ij,jakc,ik->iac", X, blocks, X)
        Z = X @ weights
        P = softmax(np.concatenate([np.zeros_like(Z), Z], axis=1) if Z.shape[1] == 1 else Z)
        low, high = np.empty_like(P), np.empty_like(P)
        quantile = self.quantile(level)
        for index in range(P.shape[1]):
            # d log(p / (1 - p)) / dz_c = ([c is index] - p_c) / (1 - p)
            rest = np.maximum(1 - P[:, index], np.finfo(np.float64).tiny)
            slope = -P[:, 1:] / rest[:, None]
            if index:
                slope[:, index - 1] += 1 / rest
            reach = quantile * np.sqrt(np.maximum(np.einsum("ia,iac,ic->i", slope, contrasts, slope), 0))
            with np.errstate(divide="ignore", over="ignore"):
                odds = np.log(P[:, index]) - np.log(rest)
                low[:, index], high[:, index] = 1 / (1 + np.exp(reach - odds)), 1 / (1 + np.exp(-reach - odds))
        return low, high


def infer(
    objective: OverRows,
    design: Design,
    weights: Floats,
    quadratic: GramObjective | None,
    exact: Exact | None,
    hessian: Floats | None,
) -> Inference | Note:
    """Return the inference of a fit at its optimum, or why there is none.

    quadratic: squared error's curvatures; exact: its sharpened answer; hessian: cross-entropy's at the optimum.
    """
    loss = objective.loss
    if objective.l2:
        return Note("inference.penalised", {})
    if isinstance(loss, SquaredError):
        if quadratic is None:  # batches, or float32: never quite there
            return Note("inference.not-optimum", {})
        freedom = objective.rows - weights.shape[0]
        if freedom < 1:
            return Note("inference.no-freedom", {"rows": objective.rows, "columns": weights.shape[0]})
        if quadratic.flat.size or weights.shape[0] > MOST:
            return Note("inference.collinear" if quadratic.flat.size else "inference.many", {"most": MOST})
        return _least_squares(objective, design, quadratic, exact, freedom)
    if not isinstance(loss, (BinaryCrossEntropy, CrossEntropy)):
        return Note("inference.loss", {"loss": loss.name})
    if hessian is None:
        return Note("inference.many", {"most": MOST})
    return _likelihood(objective, design, weights, hessian)


def _least_squares(
    objective: OverRows, design: Design, quadratic: GramObjective, exact: Exact | None, freedom: int
) -> Inference:
    share = 2 * objective.share
    if quadratic.trustworthy:
        covariance = (quadratic.directions * (share / quadratic.curvatures)) @ quadratic.directions.T
    else:
        root = np.linalg.inv(objective.triangle(np.ones(len(quadratic.curvatures))))
        covariance = root @ root.T
    if exact is not None:
        squares, raw = exact.residuals, np.diag(exact.inverse)
    else:
        if objective.targets == 1:
            squares = np.array([quadratic.least / objective.share])
        else:
            squares = objective.residual_squares(quadratic.minimum.ravel())
        to_raw = design.to_raw(np.eye(len(covariance)))
        raw = np.einsum("ij,jk,ik->i", to_raw, covariance, to_raw)
    variances = squares / freedom
    return Inference(covariance, variances, np.sqrt(np.outer(raw, variances)), freedom)


def _likelihood(objective: OverRows, design: Design, weights: Floats, hessian: Floats) -> Inference | Note:
    columns, outputs = weights.shape
    information = hessian / objective.share
    if outputs > 1:
        rest = np.arange(columns * outputs).reshape(columns, outputs)[:, 1:].ravel()
        information = information[np.ix_(rest, rest)]
    values, vectors = np.linalg.eigh(information)
    if not values[0] > SINGULAR * values[-1]:
        return Note("inference.flat", {})
    covariance = (vectors / values) @ vectors.T
    each = max(outputs - 1, 1)
    to_raw = np.kron(design.to_raw(np.eye(columns)), np.eye(each))
    errors = np.sqrt(np.einsum("ij,jk,ik->i", to_raw, covariance, to_raw)).reshape(columns, each)
    return Inference(covariance, np.ones(each), errors, None)
