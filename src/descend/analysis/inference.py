"""Standard errors, tests and intervals of a fit at its optimum.

Squared error: classical least squares, t with rows - columns degrees of freedom. A likelihood: the inverse of the
information at its maximum, z (Wald). With several classes they are of the coefficients less those of the first class,
for the rows determine only these differences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from descend.analysis._information import (
    DIGITS,
    EPSILON,
    EVEN,
    Root,
    information_root,
    inverted,
    spread_out,
    triangle_among,
)
from descend.analysis.refined_least_squares import HARD, in_blocks
from descend.base.arguments import require
from descend.base.double_double import rounded
from descend.base.errors import OptionError
from descend.base.messages import Note
from descend.objectives.links import softmax

if TYPE_CHECKING:
    from descend.analysis.refined_least_squares import Exact
    from descend.base.double_double import Pair
    from descend.base.typing import Floats
    from descend.design.matrix import Design
    from descend.objectives.objective import OverRows
    from descend.objectives.quadratic import GramObjective

MOST = 500  # columns, or parameters of classes: a Hessian of more is not computed for its inference
TENSORS = ("root", "variances", "errors")


@dataclass(frozen=True)
class Inference:
    """The uncertainty of a fit.

    ``root`` times its transpose is the covariance of the standardised columns' parameters, columns x columns, to be
    multiplied by each target's residual variance in ``variances``; or, for classes, of all parameters but the first
    class's (column by column) with a variance of 1; or, for a curve, of its parameters as it is. Where ``rest`` is
    there, root + rest is a root with twice the digits for the columns as they are in the table. ``errors`` (columns x
    outputs, of classes without the first) are standard errors in the units of the table, NaN of a column or parameter
    of which the rows say nothing; ``freedom`` the degrees of freedom of t, None for z.
    """

    root: Floats
    variances: Floats
    errors: Floats
    freedom: int | None
    rest: Floats | None = None

    def quantile(self, level: float) -> float:
        """Return the half-width, in standard errors, of an interval with coverage ``level``; raises OptionError."""
        from scipy.special import ndtri, stdtrit

        require("level", level, "float")
        if not 0 < level < 1:
            raise OptionError("option.share", name="interval", value=level)
        tail = (1 + level) / 2
        return float(ndtri(tail) if self.freedom is None else stdtrit(self.freedom, tail))

    def statistics(self, coefficients: Floats) -> Floats:
        """Return the t or z statistics: coefficients over their standard errors, NaN where an error is 0."""
        return np.divide(coefficients, self.errors, out=np.full_like(coefficients, np.nan), where=self.errors > 0)

    def p_values(self, coefficients: Floats) -> Floats:
        """Return two-sided p-values of the hypothesis that a coefficient is 0."""
        from scipy.special import ndtr, stdtr

        away = -np.abs(self.statistics(coefficients))
        return np.asarray(2 * (ndtr(away) if self.freedom is None else stdtr(self.freedom, away)))

    def scores(self, X: Floats) -> Floats:
        """Return rows of the standardised design times the root; of classes rows x outputs x parameters."""
        if self.freedom is not None:
            return X @ self.root
        roots = self.root.reshape(X.shape[1], self.errors.shape[1], -1)
        return np.asarray(np.einsum("ij,jaq->iaq", X, roots))

    def exact_scores(self, X: Pair) -> Floats:
        """Return the same of the columns as they are in the table; asks for a ``rest``."""
        assert self.rest is not None
        return rounded(in_blocks(X, (self.root, self.rest)))

    def spread(self, scores: Floats) -> Floats:
        """Return the standard error of the linear predictor of rows by their scores, rows x outputs.

        Scores that all outputs share (rows x parameters) are in units of each output's residual deviation.
        """
        lengths = np.sqrt(np.square(scores).sum(axis=-1))
        return np.outer(lengths, np.sqrt(self.variances)) if scores.ndim == 2 else lengths

    def mean_interval(self, Z: Floats, scores: Floats, level: float) -> tuple[Floats, Floats]:
        """Return the confidence limits of the linear predictor ``Z``, rows x outputs each."""
        reach = self.quantile(level) * self.spread(scores)
        return Z - reach, Z + reach

    def row_interval(self, Z: Floats, scores: Floats, level: float) -> tuple[Floats, Floats]:
        """Return the prediction limits of a new row's target: the mean's variance plus the residual variance."""
        reach = self.quantile(level) * np.sqrt(np.square(self.spread(scores)) + self.variances)
        return Z - reach, Z + reach

    def class_interval(self, Z: Floats, scores: Floats, level: float) -> tuple[Floats, Floats]:
        """Return the confidence limits of class probabilities, rows x classes, by the delta method on log-odds."""
        P = softmax(np.concatenate([np.zeros_like(Z), Z], axis=1) if Z.shape[1] == 1 else Z)
        low, high = np.empty_like(P), np.empty_like(P)
        quantile = self.quantile(level)
        for index in range(P.shape[1]):
            # d log(p / (1 - p)) / dz_c = ([c is index] - p_c) / (1 - p), with 1 - p the sum of the others
            rest = np.maximum(np.delete(P, index, axis=1).sum(axis=1), np.finfo(np.float64).tiny)
            slope = -P[:, 1:] / rest[:, None]
            if index:
                slope[:, index - 1] = 1.0
            reach = quantile * np.sqrt(np.square(np.einsum("ia,iaq->iq", slope, scores)).sum(axis=1))
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

    quadratic: the Gram engine of squared error; exact: its least squares with twice float64's digits; hessian: that of
    a likelihood at the optimum. Columns of zeros have no part in it, and no standard error.
    """
    found = _inferred(objective, design, weights, quadratic, exact, hessian)
    if isinstance(found, Inference):
        found.errors[~design.live] = np.nan
    return found


def _inferred(
    objective: OverRows,
    design: Design,
    weights: Floats,
    quadratic: GramObjective | None,
    exact: Exact | None,
    hessian: Floats | None,
) -> Inference | Note:
    loss, columns = objective.loss, int(design.live.sum())
    if objective.penalty.active:
        return Note("inference.penalised", {})
    if loss.quadratic:
        if quadratic is None:  # batches, or float32: never quite there
            return Note("inference.not-optimum", {})
        quadratic, freedom = quadratic.among(design.live), objective.rows - columns
        if freedom < 1:
            return Note("inference.no-freedom", {"rows": objective.rows, "columns": columns})
        if quadratic.undetermined or columns > MOST:
            return Note("inference.collinear" if quadratic.undetermined else "inference.many", {"most": MOST})
        if exact is not None and quadratic.column_condition > HARD:
            return _of_pairs(exact, freedom)
        return _least_squares(objective, design, weights, quadratic, exact, freedom)
    if not loss.likelihood:
        return Note("inference.loss", {"loss": loss.name})
    if hessian is None:
        return Note("inference.many", {"most": MOST})
    return _likelihood(objective, design, weights, hessian)


def _of_pairs(exact: Exact, freedom: int) -> Inference:
    variances = exact.squares / freedom
    lengths = np.sqrt(np.square(rounded(exact.root)).sum(axis=1))
    return Inference(exact.root[0], variances, np.outer(lengths, np.sqrt(variances)), freedom, exact.root[1])


def _least_squares(
    objective: OverRows,
    design: Design,
    weights: Floats,
    quadratic: GramObjective,
    exact: Exact | None,
    freedom: int,
) -> Inference | Note:
    share, curvatures, live = 2 * objective.share, quadratic.curvatures, design.live
    if curvatures.size and curvatures[0] > EVEN * curvatures[-1]:
        found = Root(quadratic.directions * np.sqrt(share / curvatures), quadratic.column_condition)
    else:
        sizes = np.where(live, design.scaled_sizes, 1.0) * np.sqrt(objective.rows)
        found = inverted(triangle_among(objective.triangle(sizes), live), sizes[live])
    root = spread_out(found.root, live)
    if exact is not None:
        squares, lengths = exact.squares, _lengths(rounded(exact.root))
    else:
        if objective.targets == 1:
            squares = np.array([quadratic.least / objective.share])
        else:
            minimum = np.zeros_like(weights)
            minimum[live] = quadratic.minimum
            squares = objective.residual_squares(minimum.ravel())
        lengths = _lengths(design.to_raw(root))
    variances = squares / freedom
    if exact is None:
        columns = len(curvatures)
        narrow = np.sqrt(variances * columns / objective.rows)  # the mean's error, of a row like the others
        rounding = _rounding(design)
        steep = np.abs(weights) * (design.scaled_sizes * rounding * design.penalised)[:, None]
        told = np.sqrt((curvatures[:, None] * np.square(quadratic.directions.T @ weights[live])).sum(axis=0) / share)
        usual = 10 * np.sqrt(columns / objective.rows) * told  # no less than what a sum of so many is rounded by
        lost = (EPSILON * steep.sum(axis=0) > DIGITS * narrow) & (steep.sum(axis=0) > usual)
        if lost.any() or not EPSILON * found.condition * rounding.max(initial=1.0) < DIGITS:
            return Note("inference.digits", {})
    return Inference(root, variances, np.outer(lengths, np.sqrt(variances)), freedom)


def _likelihood(objective: OverRows, design: Design, weights: Floats, hessian: Floats) -> Inference | Note:
    columns, outputs = weights.shape
    each = max(outputs - 1, 1)
    found = information_root(objective, weights.ravel(), hessian, design.live)
    if not found.carried:
        return Note("inference.flat" if found.flat else "inference.digits", {})
    lengths = _lengths(design.to_raw(found.root.reshape(columns, -1)).reshape(columns, each, -1))
    steep = EPSILON * np.abs(_contrasts(weights) * (design.scaled_sizes * design.penalised)[:, None]).sum(axis=0)
    if (steep > DIGITS * np.sqrt(design.live.sum() / objective.rows)).any():
        return Note("inference.digits", {})
    return Inference(found.root, np.ones(each), lengths, None)


def _contrasts(weights: Floats) -> Floats:
    return weights[:, 1:] - weights[:, :1] if weights.shape[1] > 1 else weights


def _lengths(root: Floats) -> Floats:
    return np.asarray(np.sqrt(np.square(root).sum(axis=-1)))


def _rounding(design: Design) -> Floats:
    """Return by how many last places of its own spread each standardised column is rounded.

    A number of the table less its mean is rounded once; of a power or a product its own rounding is left.
    """
    spreads = design.scaled_sizes * design.scales
    far = np.divide(design.sizes, spreads, out=np.ones_like(spreads), where=spreads > 0)
    return np.where(design.computed, far, 1.0)
