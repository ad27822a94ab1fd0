"""The minimum of an equation over rows too many to hold their residuals: Gauss-Newton by sums over the rows.

Each step takes one reading of all rows, which gives the loss, its gradient and J'CJ. What J'CJ leaves out of the
Hessian, the equation's own curvature, is taken from a few rows in memory at first, and then learnt from the gradients
of the steps, as quasi-Newton methods do (Dennis, Gay and Welsch 1981). So a run that begins at the minimum of the few
rows takes a few readings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from descend.formula.separable import linear_in
from descend.solvers._any_loss import SMOOTHING, AnyLoss, certainty
from descend.solvers._curve_end import CurveEnd, end_of
from descend.solvers._scaled_svd import ScaledSVD
from descend.solvers._separable import PenaltyRows, Projection, System

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.curve import CurveObjective
    from descend.objectives.curve_loss import CurveLoss
    from descend.solvers._levenberg import Box

    Told = Callable[[Floats, float, Floats], None]

STEPS = 60  # readings with a step, at most
STILL = 1e-10  # of each parameter: a step so short is not taken, and the run has ended
NOTHING = 1e-13  # of what all parameters do to the curve: the same
SHRINKING = 0.5  # of the step before: where the loss shows nothing any more, a step that is longer is rounding
UNSEEN = 1e-12  # of the loss: what a step gains less is not seen in it for sure
SHARP = 1e-9  # of the mean residual: a corner so narrow is as good as one
HALVINGS = 40  # of a step that raises the loss
HARD = 1e-10  # of the largest eigenvalue of J'CJ with columns of length 1: products of rows lose half of the digits
FLAT = 1e-12  # of the largest singular value: the rows do not tell such a direction from none
SKEW = 1e-3  # of the lengths: between a step and what it lacks, a smaller product would make too much of it


@dataclass(frozen=True)
class CurveSums:
    """The loss over all rows at ``w``, its gradient, and J'CJ."""

    w: Floats
    loss: float
    gradient: Floats
    curvature: Floats

    @property
    def finite(self) -> bool:
        """Whether the equation is defined there."""
        return bool(np.isfinite(self.loss) and np.isfinite(self.gradient).all() and np.isfinite(self.curvature).all())


@dataclass(frozen=True)
class BulkRun:
    """A run over all rows; ``few`` are some of them in memory."""

    objective: CurveLoss
    few: CurveObjective
    box: Box

    def go(self, start: Floats, told: Told) -> tuple[CurveSums, CurveLoss, bool]:
        """Go from ``start`` to a minimum; return the sums there, the smooth loss they are of, and if steps were spent.

        told: hears the parameters, the loss and the gradient of each step, the start's too. A loss with corners is
        minimised with these rounded, ever less, until the loss itself no longer shows the difference.
        """
        if not self.objective.loss.cornered:
            return self._down(start, told)
        w, loss, value = start, self.objective.loss, self.objective.value(start)
        size = SMOOTHING * loss.residual(value)
        while True:
            smooth = replace(self, objective=self.objective.under(loss.rounded(size)))
            at, objective, spent = smooth._down(w, self._aside(told))
            w, before, value = at.w, value, self.objective.value(at.w)
            residual = loss.residual(value)
            sharp = size <= SHARP * residual and before - value <= UNSEEN * value
            if sharp or spent or not residual or objective.loss == loss:
                return at, objective, spent
            size = SMOOTHING * min(size, residual)

    def sums(self, w: Floats) -> CurveSums:
        """Read all rows."""
        return CurveSums(w, *self.objective.gauss_newton(w))

    def _aside(self, told: Told) -> Told:
        """Return who is told the loss itself where a rounded one is minimised."""
        return lambda w, loss, gradient: told(w, self.objective.value(w), gradient)

    def _down(self, start: Floats, told: Told) -> tuple[CurveSums, CurveLoss, bool]:
        at, before = self.sums(start), np.inf
        told(start, at.loss, at.gradient)
        if not at.finite:
            return at, self.objective, False
        own = self._own(start)
        for _ in range(STEPS):
            free = self.box.free(at.w, at.gradient)
            if not free.any() or at.loss <= certainty(self.objective):
                return at, self.objective, False
            move = np.zeros_like(at.w)
            move[free] = self._step(at, own, free)
            gain = -float(at.gradient @ move) / 2
            length = _length(at, move)
            seen = gain > UNSEEN * abs(at.loss)
            if length <= 1.0 or not (seen or length < SHRINKING * before):
                return at, self.objective, False
            lower = self._lower(at, move, seen=seen)
            if lower is None:
                return at, self.objective, False
            own += _learnt(at, lower, own)
            at, before = lower, length
            told(at.w, at.loss, at.gradient)
        return at, self.objective, True

    def _lower(self, at: CurveSums, move: Floats, *, seen: bool) -> CurveSums | None:
        """Return the sums after a step, halved for as long as it raises the loss; None where none lowers it."""
        most = at.loss if seen else at.loss + UNSEEN * abs(at.loss)
        for _ in range(HALVINGS):
            there = self.box.clipped(at.w + move)
            if np.array_equal(there, at.w):
                return None
            found = self.sums(there)
            if found.finite and found.loss <= most:
                return found
            solved = self._solved_for(found) if seen and found.finite else None
            if solved is not None and solved.loss < at.loss:
                return solved
            move = move / 2
        return None

    def _solved_for(self, at: CurveSums) -> CurveSums | None:
        """Return the sums where the linear parameters are those of the least loss beside the others.

        None where there are none. A step of the others along a bent valley of the loss leaves it, and this leads back.
        """
        names = zip(self.objective.curve.parameters, self.box.open, strict=True)
        linear = set(linear_in(self.objective.curve)) if self.objective.loss.quadratic else set()
        places = np.array([name in linear and unbounded for name, unbounded in names])
        if not places.any():
            return None
        move = np.zeros_like(at.w)
        svd = ScaledSVD.of(at.curvature[np.ix_(places, places)])
        move[places] = -svd.solve(at.gradient[places])
        return self.sums(at.w + move)

    def _step(self, at: CurveSums, own: Floats, free: NDArray[np.bool_]) -> Floats:
        """Return the step of the free parameters: Newton's with the equation's ``own`` curvature, or Gauss-Newton's."""
        curvature, gradient = at.curvature[np.ix_(free, free)], at.gradient[free]
        plain = _solved(curvature, curvature, gradient)
        if plain is not None:
            step = _solved(curvature + own[np.ix_(free, free)], curvature, gradient)
            return plain if step is None else step
        triangle = triangle_under(self.objective, at.w)
        svd = ScaledSVD.of(triangle[:, free], rank=FLAT)
        return np.asarray(-(svd.V @ ((svd.V.T @ (gradient / svd.scale)) / np.square(svd.s))) / svd.scale / 2)

    def _own(self, w: Floats) -> Floats:
        """Return the few rows' Hessian less their J'CJ, as much as all rows have; zeros where it is not known."""
        few = self.few.under(self.objective.loss)
        few = replace(few, penalty=few.penalty.scaled(0.0))
        own = few.hessian(w) - few.gauss_newton(w)[2]
        own *= self.objective.share * self.objective.elements / (few.share * few.elements)
        return own if np.isfinite(own).all() else np.zeros_like(own)


def triangle_under(objective: CurveLoss, w: Floats) -> Floats:
    """Return K with 2 K'K the curvature of the loss and its penalty, of few rows."""
    return PenaltyRows(objective.penalty).under_slopes(objective.triangle(w) * np.sqrt(objective.share / 2))


def bulk_system(objective: CurveLoss, at: CurveSums) -> System:
    """Return the loss near a point as a system of few rows: its slope is 2 K'r and its curvature 2 K'K.

    r is of least length: without what no parameter changes of the residuals.
    """
    K = triangle_under(objective, at.w)
    svd = ScaledSVD.of(K)
    return System(svd.U @ ((svd.V.T @ (at.gradient / 2 / svd.scale)) / svd.s), K, np.empty(0), at.loss)


def bulk_end(objective: CurveLoss, few: CurveObjective, start: Floats, at: CurveSums, box: Box) -> CurveEnd:
    """Return the facts of an end of a run whose few rows had their minimum at ``start``; of a smooth loss."""
    few = few.under(objective.loss)
    first = (Projection(few) if few.loss.quadratic else AnyLoss(few)).system(start)
    last = bulk_system(objective, at)
    return end_of(objective, first or last, last, start, at.w, box)


def _learnt(before: CurveSums, after: CurveSums, own: Floats) -> Floats:
    """Return what a step's gradients add to the equation's own curvature, by the symmetric rank-one formula.

    So that the Hessian gives the change of the gradient (Nocedal and Wright 2006, section 6.2).
    """
    move, change = after.w - before.w, after.gradient - before.gradient
    short = change - ((before.curvature + after.curvature) / 2 + own) @ move
    along, size = float(short @ move), float(np.linalg.norm(short) * np.linalg.norm(move))
    return np.outer(short, short) / along if abs(along) > SKEW * size else np.zeros_like(own)


def _solved(made: Floats, curvature: Floats, gradient: Floats) -> Floats | None:
    """Return the step down by a Hessian; None where it is not positive, or too ill-conditioned for its digits."""
    scale = np.sqrt(np.diag(curvature))
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(made / scale[:, None] / scale)
    if not values[0] > HARD * values[-1]:
        return None
    return np.asarray(-(vectors @ ((vectors.T @ (gradient / scale)) / values)) / scale)


def _length(at: CurveSums, move: Floats) -> float:
    """Return how long a step is in lengths of one that is next to nothing."""
    size, reach = np.abs(at.w), np.sqrt(np.maximum(np.diag(at.curvature), 0.0))
    whole = float(np.linalg.norm(reach * at.w))
    each = np.divide(np.abs(move), STILL * size, out=np.where(move == 0, 0.0, np.inf), where=size > 0)
    alike = np.divide(reach * np.abs(move), NOTHING * whole, out=np.full_like(move, np.inf), where=whole > 0)
    return float(np.minimum(each, alike).max(initial=0.0))
