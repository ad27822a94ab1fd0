"""Levenberg-Marquardt (Levenberg 1944, Marquardt 1963) with the columns scaled as by More (1978), within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np

from descend.solvers._scaled_svd import ScaledSVD, lengths

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.solvers._separable import System

    Note = Callable[[Floats, System], None]

STEPS = 1000  # at most
DAMPING = 1e-3  # of the largest squared singular value, at first
EASED, RAISED = 1 / 5, 4.0  # what a step that lowers the loss, or does not, makes of the damping
LONGEST = 0.9  # a step, as a share of the parameters or of the start: a longer one may cross a pole of the equation
NEXT_TO_NOTHING = 1e-13  # a step of such a share of the parameters is the last one
NO_GAIN, TIMES = 1e-14, 4  # of the loss: so many steps in a row that gain less are the last ones
TRIES = 60  # dampings of a step that does not lower the loss: 4^60 shortens any step to nothing

End = Literal["still", "stuck", "spent", "undefined"]


class Box(NamedTuple):
    """The least and the greatest value of each parameter; infinite where there is none."""

    low: Floats
    high: Floats

    @classmethod
    def of(cls, bounds: tuple[Floats, Floats] | None, size: int) -> Box:
        """Return the least and the greatest values of so many parameters as a box; None: without bounds."""
        if bounds is None:
            return cls(np.full(size, -np.inf), np.full(size, np.inf))
        return cls(*(np.asarray(bound, dtype=np.float64) for bound in bounds))

    @property
    def open(self) -> NDArray[np.bool_]:
        """Which parameters have no bound."""
        return np.isinf(self.low) & np.isinf(self.high)

    def at(self, places: NDArray[Any]) -> Box:
        """Return the bounds of some of the parameters."""
        return Box(self.low[places], self.high[places])

    def clipped(self, w: Floats) -> Floats:
        """Return the nearest parameters within the bounds."""
        return np.asarray(np.clip(w, self.low, self.high))

    def free(self, w: Floats, slope: Floats) -> NDArray[np.bool_]:
        """Tell which parameters can go down the slope: those that it does not press against a bound."""
        return np.asarray(~(((w <= self.low) & (slope > 0)) | ((w >= self.high) & (slope < 0))))


class Searched(Protocol):
    """A loss as a function of the parameters that are searched for: a ``Projection``, or any loss."""

    def system(self, nonlinear: Floats) -> System | None:
        """Return the residuals, their derivative and the loss; None where they are not defined."""
        ...

    def parameters(self, nonlinear: Floats, linear: Floats) -> Floats:
        """Return all parameters, those that are solved for too."""
        ...


@dataclass(frozen=True)
class CurveDescent:
    """Where a descent ended: all parameters, those that were searched for, their loss, how many steps, and why.

    scale: the greatest length that the column of each searched parameter had.
    stop: "still" where steps or gains are down to rounding, "stuck" where no step lowers the loss, "spent" after the
    most steps, "undefined" where the start is outside the equation's domain (w and loss are then not finite).
    """

    w: Floats
    nonlinear: Floats
    loss: float
    steps: int
    stop: End
    scale: Floats


def descend_curve(
    problem: Searched,
    start: Floats,
    box: Box | None = None,
    *,
    steps: int = STEPS,
    enough: float = NO_GAIN,
    floor: float = 0.0,
    note: Note | None = None,
) -> CurveDescent:
    """Go down from ``start`` (the searched parameters) to a minimum.

    box: the bounds of the searched parameters. enough: the share of the loss that a step must gain; four in a row that
    gain less are the end, and so is a loss of ``floor``. note: called with the searched parameters and the system of
    each step, the start's too. A step to where the equation is not defined counts as one that does not lower the loss.
    """
    box = Box.of(None, start.size) if box is None else box
    at = box.clipped(start.astype(np.float64))
    with np.errstate(all="ignore"):
        system = problem.system(at)
        if system is None or not np.isfinite(system.loss):
            nothing = np.full(at.size, np.nan)
            return CurveDescent(nothing, at, np.inf, 0, "undefined", nothing)
        return _descended(problem, at, system, box, steps, enough, floor, note or (lambda at, system: None))


def _descended(
    problem: Searched, at: Floats, system: System, box: Box, steps: int, enough: float, floor: float, note: Note
) -> CurveDescent:
    scale: Floats = np.zeros(at.size)
    stop: End = "spent"
    damping, idle, step, start = DAMPING, 0, 0, at
    note(at, system)
    while step < steps:
        scale = np.maximum(scale, lengths(system.K))
        free = box.free(at, system.K.T @ system.r)
        if not free.any():
            stop = "still"
            break
        svd, reach = ScaledSVD.of(system.K[:, free], scale[free]), float(np.linalg.norm(scale * at))
        longest = LONGEST * max(reach, float(np.linalg.norm(scale * start)))
        for _ in range(TRIES):
            move = np.zeros_like(at)
            move[free] = -svd.solve(system.r, damping * svd.top**2)
            length = float(np.linalg.norm(scale * move))
            if length > longest > 0.0:
                move *= longest / length
            there = box.clipped(at + move)
            last = bool(np.linalg.norm(scale * (there - at)) <= NEXT_TO_NOTHING * reach)
            found = problem.system(there) if np.isfinite(there).all() else None
            if last or (found is not None and found.loss < system.loss):
                break
            damping *= RAISED
        lower = found is not None and found.loss < system.loss
        if lower:
            assert found is not None
            idle = idle + 1 if system.loss - found.loss <= enough * abs(system.loss) else 0
            at, system, step, damping = there, found, step + 1, damping * EASED
            note(at, system)
        if last or not lower or idle >= TIMES or system.loss <= floor:
            stop = "still" if last or lower else "stuck"
            break
    return CurveDescent(problem.parameters(at, system.linear), at, system.loss, step, stop, scale)
