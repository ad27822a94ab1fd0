"""One descent: a direction, a search along it and an ending, over and over; corners are rounded, less and less."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.solvers._direction import Direction, has_small_hessian, penalty
from descend.solvers._leading_block import led
from descend.solvers._line_search import TINY, Point, Trial, along, line_search
from descend.solvers._termination import CLOSE, Ending, Outcome, outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.objectives.losses import Loss
    from descend.objectives.objective import OverRows
    from descend.solvers._recorder import StepRecorder

    Floats = NDArray[np.floating[Any]]

SHORT = 0.1  # of a fresh Newton step: where no more of it can be gone, the Hessian says nothing of the way
CORNER = 0.1  # of the mean residual, at first, and then of the last: each leads to the next in a few steps
SURE = 1e-10  # of the loss: by how much a corner's rounding may be above the minimum
EASED = 0.01  # of what a rounding is off by itself: nearer than this its minimum says no more


@dataclass
class DescentState:
    """Where a descent stands, how many steps it has left, what it knows of the curvature, and how round corners are."""

    w: Floats
    left: int
    direction: Direction = field(default_factory=Direction)
    size: float = np.inf
    decrement: float = np.inf

    def minimise(
        self, objective: OverRows, ending: Ending, recorder: StepRecorder | None = None, start: Point | None = None
    ) -> Outcome:
        """Go to the minimum of the loss, by way of rounder ones where it has corners; a ``recorder`` hears each step.

        start: where it begins, if that has been read already.
        """
        if recorder is not None and start is None:
            start = self._back_to_the_best(objective, recorder)
        if not objective.loss.cornered:
            return self.descend(objective, ending, recorder, start=start)
        return self._round_corners(objective, ending, recorder, start)

    def _round_corners(
        self, objective: OverRows, ending: Ending, recorder: StepRecorder | None, start: Point | None
    ) -> Outcome:
        """Go to the minima of ever less rounded losses, each from that of the last, until the rounding does not count.

        So Madsen and Nielsen (1993) minimise absolute errors. How far the minimum of a rounded loss can be from that
        of the loss itself is known: the slopes there are a feasible point of the dual linear programme.
        """
        loss, spread = objective.loss, min(objective.shape[0] / objective.rows, 1.0)
        value = objective.value(self.w) if start is None else start.value
        while np.isfinite(value):
            residual = loss.residual(max(value - penalty(objective, self.w)[0], TINY * value))
            self.size = CORNER * min(self.size, residual)
            rounded = loss.rounded(self.size)
            if rounded == loss:
                return self.descend(objective, ending, recorder, start=start)
            start = None
            own_error = EASED * spread * self.size / residual if residual else 0.0
            self.direction.forget()
            enough = Ending(ending.enough, max(ending.share, own_error))
            found = self.descend(objective.under(rounded), enough, recorder, told=loss)
            value = objective.value(self.w)
            short = rounded.shortfall
            if short is None:
                continue
            left = objective.under(short).value(self.w) + self.decrement
            if left <= max(ending.enough, max(ending.share, SURE) * abs(value)):
                return "arrived"
            if found != "arrived" or self.size <= TINY * abs(value) or not value:
                return outcome(objective, Point(self.w, value, self.w), left)
        return "stalled"

    def descend(
        self,
        objective: OverRows,
        ending: Ending,
        recorder: StepRecorder | None = None,
        *,
        told: Loss | None = None,
        start: Point | None = None,
    ) -> Outcome:
        """Step until the decrement is small enough, or no step lowers the loss any more.

        told: the loss that is recorded, where it is not the one that is descended on.
        """
        point = Point.at(objective, self.w) if start is None else start
        while self.left > 0:
            if objective.loss.endless and point.value <= TINY * objective.share * objective.rows:
                return "stalled"  # each row's class is certain: the loss falls for ever, and nothing shows it
            self.left -= 1
            self.direction.look(objective, point)
            step = self.direction.step(point.gradient)
            self.decrement = -float(point.gradient @ step) / 2
            if ending.arrived(self.decrement, point.value):
                if self.direction.sure:
                    return "arrived"
                self.direction.forget()
                continue
            if self._stale(objective, ending, point):
                self.direction.forget()  # the curvature has changed since
                ending.forget()
                continue
            trial = self._step(objective, point, step)
            if trial is None:
                if ending.settling(self.decrement, point.value) or not self._another_direction(objective):
                    return outcome(objective, point, self.decrement)
                continue
            assert trial.point is not None
            if trial.t < SHORT and self.direction.fresh:
                self.direction.damp(objective)
            self.direction.learn(trial.point.w - point.w, trial.point.gradient - point.gradient)
            point = trial.point
            ending.passed(self.decrement)
            self.w = point.w
            if recorder is not None:
                shown = point if told is None else Point.at(objective.under(told), point.w)
                recorder.step(shown.w, shown.value, shown.gradient, shown=trial.shown)
        return "spent"

    def _step(self, objective: OverRows, point: Point, step: Floats) -> Trial | None:
        """Return where a line search along the step ends, None where nothing is lower."""
        if not np.isfinite(self.decrement):
            return None
        if objective.few is not None:
            step = led(objective, objective.few, point.w, point.gradient, step)
        longest = float(np.abs(step).max())
        shortest = TINY * float(np.abs(point.w).max()) / longest if longest else np.inf
        start = Trial(0.0, point.value, float(point.gradient @ step))
        return line_search(along(objective, point, step), start, shortest) or self._unshown(objective, point, step)

    def _unshown(self, objective: OverRows, point: Point, step: Floats) -> Trial | None:
        """Return the end of a step that the loss is too rounded to show, where the gradient shows it; else None.

        So near the minimum of a self-concordant loss a Newton step leaves far less than a quarter of the decrement.
        """
        loss, close = objective.loss, CLOSE * abs(point.value)
        if loss.concordance is None or not self.direction.fresh or not self.decrement <= close:
            return None
        found = Point.at(objective, point.w + step)
        left = -float(found.gradient @ self.direction.step(found.gradient)) / 2
        shown = left <= self.decrement / 4 and abs(found.value - point.value) <= close
        return Trial(1.0, found.value, float(found.gradient @ step), found, shown=False) if shown else None

    def _stale(self, objective: OverRows, ending: Ending, point: Point) -> bool:
        """Tell whether the guess of the curvature has grown too old to be of use."""
        if self.direction.fresh or ending.settling(self.decrement, point.value):
            return False
        return not ending.halved(self.decrement) if has_small_hessian(objective) else self.direction.old

    def _another_direction(self, objective: OverRows) -> bool:
        """Take the curvature anew, or damp it; False where both are done."""
        if self.direction.fresh:
            return self.direction.damp(objective)
        self.direction.forget()
        return True

    def _back_to_the_best(self, objective: OverRows, recorder: StepRecorder) -> Point | None:
        """Go back to the start where samples have led to a higher loss; tell of where they led where it is lower."""
        if np.array_equal(self.w, recorder.last):
            return None
        found = Point.at(objective, self.w)
        if found.value <= recorder.least:
            recorder.step(found.w, found.value, found.gradient)
            return found
        self.w = recorder.last
        self.direction.forget()
        return None
