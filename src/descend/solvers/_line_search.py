"""The line search: how far to go along a direction, until the loss has fallen enough and falls less steeply.

A length is accepted by the (weak) Wolfe conditions: the loss has fallen by a share of what the slope at the start
promises, and the slope is less steep than at the start (Nocedal and Wright 2006, section 3.1). A trial that is too far
is followed by one between it and the last good one, at the minimum of the cubic through both. A trial that still falls
steeply is followed by one further away, up to tenfold, so that a plain of even slope is crossed in few trials.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from descend.base.typing import Floats
    from descend.objectives.objective import Objective

EPSILON = float(np.finfo(np.float64).eps)
DECREASE = 1e-4  # of what the slope promises, c1: the usual value (Nocedal and Wright 2006, section 3.1)
FLATTENING = 0.9  # of the slope at the start, c2: the usual value for quasi-Newton; it makes s'y > 0 for every step
MARGIN = 0.1  # of an interval: a trial stays so far from its ends, or the interval would not shrink
LEAST_GROWTH, MOST_GROWTH = 2.0, 10.0  # times the last length: a longer trial is at the slope's root, within these
LOSS_ROUNDING = 100 * EPSILON  # of the loss: by how much the sum over the rows may be wrong
TRIALS = 40  # from a length of 1, tenfold ones reach from 1e-40 to 1e40
TRIALS_IN_ROUNDING = 3  # where the fall that is sought is below the rounding of the loss


@dataclass(frozen=True)
class Point:
    """Parameters with the loss and its gradient there."""

    w: Floats
    value: float
    gradient: Floats

    @classmethod
    def at(cls, objective: Objective, w: Floats) -> Point:
        """Read the rows at ``w``."""
        return cls(w, *objective.value_and_gradient(w))


@dataclass(frozen=True)
class Trial:
    """A length ``t`` with the loss, its slope along the direction, and the point that it leads to.

    ``shown``: whether the loss itself, and not the gradient alone, shows that the point is lower.
    """

    t: float
    value: float
    slope: float
    point: Point | None = None
    shown: bool = True

    @property
    def finite(self) -> bool:
        """Whether nothing has overflowed."""
        return bool(np.isfinite(self.value) and np.isfinite(self.slope))


def along(objective: Objective, start: Point, step: Floats) -> Callable[[float], Trial]:
    """Return a function that reads the rows at a length along ``step`` from ``start``."""

    def look(t: float) -> Trial:
        with np.errstate(over="ignore", invalid="ignore"):
            point = Point.at(objective, start.w + t * step)
            return Trial(t, point.value, float(point.gradient @ step), point)

    return look


def line_search(look: Callable[[float], Trial], start: Trial, shortest: float = 0.0) -> Trial | None:
    """Return a trial that satisfies both Wolfe conditions, else the last that satisfies the first; None without one.

    start: the trial at t = 0, whose slope is below 0. The first trial is at t = 1.
    shortest: the length below which the parameters do not change any more.
    Where the loss has changed by no more than its rounding, a slope that is less steep in size than at the start is
    enough (in the spirit of the approximate Wolfe conditions of Hager and Zhang 2005).
    """
    rounding = LOSS_ROUNDING * abs(start.value)
    low, high, t = start, None, 1.0
    for _ in range(TRIALS if -start.slope > rounding else TRIALS_IN_ROUNDING):
        trial = look(t)
        even = abs(trial.value - start.value) <= rounding and abs(trial.slope) <= FLATTENING * abs(start.slope)
        if not trial.finite or not (trial.value <= start.value + DECREASE * t * start.slope or even):
            high = trial
        elif trial.slope >= FLATTENING * start.slope:
            return trial
        else:
            low = trial
        t = _further(start, low) if high is None else _between(low, high)
        if t <= shortest or (high is not None and high.t - low.t <= EPSILON * high.t):
            break
    return low if low.t > 0 else None


def _further(start: Trial, last: Trial) -> float:
    """Return where a straight line through the slopes has its root, within 2 to 10 times the last length."""
    gained = last.slope - start.slope
    root = -start.slope / gained if gained > 0 else np.inf
    return last.t * float(np.clip(root, LEAST_GROWTH, MOST_GROWTH))


def _between(low: Trial, high: Trial) -> float:
    """Return the minimum of the cubic through both ends, MARGIN away from them; the middle where there is none.

    (Nocedal and Wright 2006, equation 3.59.)
    """
    wide = high.t - low.t
    if not high.finite:
        return low.t + MARGIN * wide
    with np.errstate(all="ignore"):  # slopes whose squares overflow have no cubic
        a = low.slope + high.slope - 3 * (high.value - low.value) / wide
        root = np.sqrt(a * a - low.slope * high.slope)
        share = 1 - (high.slope + root - a) / (high.slope - low.slope + 2 * root)
    return low.t + wide * float(np.clip(share, MARGIN, 1 - MARGIN) if np.isfinite(share) else 0.5)
