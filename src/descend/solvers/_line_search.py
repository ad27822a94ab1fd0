"""The line search: how far to go along a direction.

The Wolfe conditions say when to stop: the loss has fallen by a share of what its slope promised, and is not falling as
steeply any more. A trial that is too far is drawn in, one that still falls steeply goes on further, for as long as it
does: on a plain where the loss falls evenly the steps grow tenfold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.objectives.objective import OverRows

    Floats = NDArray[np.floating[Any]]

TINY = float(np.finfo(np.float64).eps)
FALL = 1e-4  # of what the slope promises (Nocedal and Wright 2006, 3.1): nearly any fall will do
FLATTER = 0.9  # of the slope at the start (the same, for quasi-Newton): such a step teaches a curvature above 0
NEAREST = 0.1  # of an interval: what a cubic proposes stays so far from its ends, or the interval would not shrink
LEAST_GROWTH, GROWTH = 2.0, 10.0  # times as far at a time: as the slope says, within these
ROUNDING = 100 * TINY  # of the loss: what the sum over the rows may be wrong by
TRIALS = 40  # from a step of 1 tenfold ones reach from 1e-40 to 1e40
FEW_TRIALS = 3  # where the loss cannot show the fall any more


@dataclass(frozen=True)
class Point:
    """Parameters with the loss and its gradient there."""

    w: Floats
    value: float
    gradient: Floats

    @classmethod
    def at(cls, objective: OverRows, w: Floats) -> Point:
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


def along(objective: OverRows, start: Point, step: Floats) -> Callable[[float], Trial]:
    """Return what reads the rows at a length along ``step``."""

    def look(t: float) -> Trial:
        with np.errstate(over="ignore", invalid="ignore"):
            point = Point.at(objective, start.w + t * step)
            return Trial(t, point.value, float(point.gradient @ step), point)

    return look


def line_search(look: Callable[[float], Trial], start: Trial, shortest: float = 0.0) -> Trial | None:
    """Return a trial that satisfies the Wolfe conditions, else the lowest that fell steeply; None where none is lower.

    start: the trial at t = 0, whose slope is below 0.
    shortest: the length at which the parameters do not change any more.
    Within rounding of the loss the slope decides (Hager and Zhang 2005, approximate Wolfe conditions).
    """
    rounding = ROUNDING * abs(start.value)
    low, high, t = start, None, 1.0
    for _ in range(TRIALS if -start.slope > rounding else FEW_TRIALS):
        trial = look(t)
        even = abs(trial.value - start.value) <= rounding and abs(trial.slope) <= FLATTER * abs(start.slope)
        if not trial.finite or not (trial.value <= start.value + FALL * t * start.slope or even):
            high = trial
        elif trial.slope >= FLATTER * start.slope:
            return trial
        else:
            low = trial
        t = _further(start, low) if high is None else _between(low, high)
        if t <= shortest or (high is not None and high.t - low.t <= TINY * high.t):
            break
    return low if low.t > 0 else None


def _further(start: Trial, last: Trial) -> float:
    """Return where a straight line through the slopes has its root, within 2 to 10 times the last length."""
    gained = last.slope - start.slope
    root = -start.slope / gained if gained > 0 else np.inf
    return last.t * float(np.clip(root, LEAST_GROWTH, GROWTH))


def _between(low: Trial, high: Trial) -> float:
    """Return where the cubic through both ends has its minimum, kept away from the ends; half way without one."""
    wide = high.t - low.t
    if not high.finite:
        return low.t + NEAREST * wide
    with np.errstate(all="ignore"):  # slopes whose squares overflow have no cubic
        a = low.slope + high.slope - 3 * (high.value - low.value) / wide
        root = np.sqrt(a * a - low.slope * high.slope)
        share = 1 - (high.slope + root - a) / (high.slope - low.slope + 2 * root)
    return low.t + wide * float(np.clip(share, NEAREST, 1 - NEAREST) if np.isfinite(share) else 0.5)
