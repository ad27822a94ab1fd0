"""Any loss of an equation near a point as squared residuals, so that a step on it is one of least squares."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from descend.solvers._levenberg import STEPS, descend_curve
from descend.solvers._line_search import EPSILON
from descend.solvers._separable import PenaltyRows, System

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.objectives.curve import CurveObjective
    from descend.objectives.curve_loss import CurveLoss
    from descend.objectives.losses import Loss
    from descend.solvers._levenberg import Box, CurveDescent, Note

FLATTEST = 1e-8  # of the largest curvature of a row: what is flatter, or bends down, counts as so much
SMOOTHING = 0.1  # of the mean residual, the first width of a corner, and then of the last
SHARPEST = 1e-11  # of the mean residual: a corner so narrow is as good as one


@dataclass(frozen=True)
class AnyLoss:
    """A loss as a function of all parameters; its curvature is J'CJ with C the loss's own, by row and output."""

    objective: CurveObjective

    def parameters(self, nonlinear: Floats, linear: Floats) -> Floats:
        """Return the parameters."""
        return nonlinear

    def system(self, nonlinear: Floats) -> System | None:
        """Return residuals with the loss's slope and curvature at these parameters; None where it is not defined."""
        objective, w = self.objective, nonlinear
        weight = 1.0 if objective.data.weight is None else objective.data.weight
        with np.errstate(all="ignore"):
            Z, J = objective.linearised(w)
            loss = float((objective.loss.value(Z, objective.Y) * weight).sum()) * objective.share
            slope = objective.loss.slope(Z, objective.Y) * (weight * objective.share)
            curvature = objective.loss.curvature(Z, objective.Y) * (weight * objective.share)
            least = FLATTEST * float(curvature.max(initial=0.0))
            curvature = np.maximum(curvature, least if least > 0 else 1.0)
            r = self._penalty.under((slope / np.sqrt(2 * curvature)).ravel(), w)
            K = self._penalty.under_slopes((J * np.sqrt(curvature / 2)[:, :, None]).reshape(-1, w.size))
            loss += float(objective.penalty.value(w[:, None]))
        if not (np.isfinite(loss) and np.isfinite(r).all() and np.isfinite(K).all()):
            return None
        return System(r, K, np.empty(0), loss)

    @cached_property
    def _penalty(self) -> PenaltyRows:
        return PenaltyRows(self.objective.penalty)


def descend_any_loss(
    objective: CurveObjective, start: Floats, box: Box, *, steps: int = STEPS, note: Note | None = None
) -> CurveDescent:
    """Go down from ``start`` (all parameters) to a minimum of any loss.

    A loss with corners is minimised with these rounded, ever less, each from the last one's minimum (Madsen and Nielsen
    1993). note: called with the parameters and the system of each step, with the loss itself.
    """
    if not objective.loss.cornered:
        return descend_curve(AnyLoss(objective), start, box, steps=steps, floor=certainty(objective), note=note)
    w, made, size = start, 0, np.inf
    while True:
        value = objective.value(box.clipped(w))
        size = SMOOTHING * min(size, objective.loss.residual(value) if np.isfinite(value) else np.inf)
        smoothed = objective.loss.rounded(size) if np.isfinite(size) else objective.loss
        found = descend_curve(
            AnyLoss(objective.under(smoothed)), w, box, steps=max(steps - made, 1), note=_told(objective, note)
        )
        w, made = found.nonlinear, made + found.steps
        value = objective.value(w)
        sharp = smoothed == objective.loss or size <= SHARPEST * objective.loss.residual(value)
        if sharp or made >= steps or found.stop == "undefined" or not value:
            return replace(found, loss=value, steps=made)


def certainty(objective: CurveLoss) -> float:
    """Return the loss at which each row's class is certain, of a loss that falls for ever there; 0 of any other."""
    return EPSILON * objective.share * objective.rows if objective.loss.endless else 0.0


def sharpest(objective: CurveLoss, w: Floats) -> Loss:
    """Return the smooth loss that stands for one with corners near its minimum ``w``; the loss itself without them."""
    return objective.loss.rounded(SHARPEST * objective.loss.residual(objective.value(w)))


def _told(objective: CurveObjective, note: Note | None) -> Note | None:
    """Return a note that is told the loss itself where a rounded one is minimised."""
    if note is None:
        return None
    return lambda w, system: note(w, system._replace(loss=objective.value(w)))
