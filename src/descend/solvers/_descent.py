"""One descent: a direction, a line search along it and an ending, repeated; losses with corners are smoothed first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from descend.solvers._direction import Direction, penalty_and_gradient
from descend.solvers._line_search import EPSILON, Point, Trial, along, line_search
from descend.solvers._surrogate import surrogate_step
from descend.solvers._termination import CLOSE, Ending, Outcome, outcome
from descend.solvers.effort import hessian_is_small

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.objectives.losses import Loss
    from descend.objectives.objective import OverRows
    from descend.solvers._recorder import StepRecorder

SHORT = 0.1  # of a Newton step: where a fresh one must be cut to less, the Hessian is a poor model, and is damped
SMOOTHING = 0.1  # of the mean residual, the first width of a corner, and then of the last: each is a few steps away
SMOOTHING_EXCESS = 1e-10  # of the loss: the smoothed minimum may lie so far above the minimum
SMOOTHING_SHARE = 0.01  # of a smoothing's own error: its minimum is not sought more closely


@dataclass
class DescentState:
    """Where a descent is: the parameters, the steps left, the inverse Hessian, the last smoothing, the decrement."""

    w: Floats
    left: int
    direction: Direction = field(default_factory=Direction)
    size: float = np.inf
    decrement: float = np.inf

    def minimise(
        self, objective: OverRows, ending: Ending, recorder: StepRecorder | None = None, start: Point | None = None
    ) -> Outcome:
        """Go to the minimum of the loss and record each step.

        start: the loss and its gradient at ``w``, if they have been read already.
        """
        if recorder is not None and start is None:
            start = self._back_to_the_best(objective, recorder)
        if not objective.loss.cornered:
            return self.descend(objective, ending, recorder, start=start)
        return self._smooth_corners(objective, ending, recorder, start)

    def _smooth_corners(
        self, objective: OverRows, ending: Ending, recorder: StepRecorder | None, start: Point | None
    ) -> Outcome:
        """Minimise ever less smoothed losses, each from the minimum of the last, until the smoothing does not count.

        (Madsen and Nielsen 1993, for absolute errors.) The gap between the minimum of a smoothed loss and that of the
        loss itself is known, for the slopes there are a feasible point of the dual linear programme.
        """
        loss, spread = objective.loss, min(objective.shape[0] / objective.rows, 1.0)
        value = objective.value(self.w) if start is None else start.value
        while np.isfinite(value):
            residual = loss.residual(max(value - penalty_and_gradient(objective, self.w)[0], EPSILON * value))
            self.size = SMOOTHING * min(self.size, residual)
            smoothed = loss.rounded(self.size)
            if smoothed == loss:
                return self.descend(objective, ending, recorder, start=start)
            start = None
            own_error = SMOOTHING_SHARE * spread * self.size / residual if residual else 0.0
            self.direction.reset()
            enough = Ending(ending.enough, max(ending.share, own_error))
            found = self.descend(objective.under(smoothed), enough, recorder, told=loss)
            value = objective.value(self.w)
            gap = smoothed.shortfall
            if gap is None:
                continue
            left = objective.under(gap).value(self.w) + self.decrement
            if left <= max(ending.enough, max(ending.share, SMOOTHING_EXCESS) * abs(value)):
                return "arrived"
            if found != "arrived" or self.size <= EPSILON * abs(value) or not value:
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

        told: the loss that is recorded, where it is not the one that is minimised.
        """
        point = Point.at(objective, self.w) if start is None else start
        while self.left > 0:
            if objective.loss.endless and point.value <= EPSILON * objective.share * objective.rows:
                return "stalled"  # each row's class is certain: the loss has no minimum, and nothing shows it
            self.left -= 1
            self.direction.refresh(objective, point)
            step = self.direction.step(point.gradient)
            self.decrement = -float(point.gradient @ step) / 2
            if ending.arrived(self.decrement, point.value):
                if self.direction.undistorted:
                    return "arrived"
                self.direction.reset()
                continue
            if self._stale(objective, ending, point):
                self.direction.reset()  # the curvature has changed since the seed was computed
                ending.reset()
                continue
            trial = self._step(objective, point, step)
            if trial is None:
                if ending.below_rounding(self.decrement, point.value) or not self._another_direction(objective):
                    return outcome(objective, point, self.decrement)
                continue
            assert trial.point is not None
            if trial.t < SHORT and self.direction.fresh:
                self.direction.start_damping(objective)
            self.direction.update(trial.point.w - point.w, trial.point.gradient - point.gradient)
            point = trial.point
            ending.note(self.decrement)
            self.w = point.w
            if recorder is not None:
                shown = point if told is None else Point.at(objective.under(told), point.w)
                recorder.step(shown.w, shown.value, shown.gradient, shown=trial.shown)
        return "spent"

    def _step(self, objective: OverRows, point: Point, step: Floats) -> Trial | None:
        """Return where a line search along the step ends, None where nothing is lower."""
        if not np.isfinite(self.decrement):
            return None
        if objective.resident is not None:
            step = surrogate_step(objective, objective.resident, point.w, point.gradient, step)
        longest = float(np.abs(step).max())
        shortest = EPSILON * float(np.abs(point.w).max()) / longest if longest else np.inf
        start = Trial(0.0, point.value, float(point.gradient @ step))
        return line_search(along(objective, point, step), start, shortest) or self._unshown(objective, point, step)

    def _unshown(self, objective: OverRows, point: Point, step: Floats) -> Trial | None:
        """Return the end of a Newton step whose gain rounding hides in the loss but not in the gradient, else None.

        Near the minimum of a self-concordant loss the step leaves far less than a quarter of the decrement (Boyd and
        Vandenberghe 2004, section 9.6), which is what is asked of it here.
        """
        loss, close = objective.loss, CLOSE * abs(point.value)
        if loss.concordance is None or not self.direction.fresh or not self.decrement <= close:
            return None
        found = Point.at(objective, point.w + step)
        left = -float(found.gradient @ self.direction.step(found.gradient)) / 2
        shown = left <= self.decrement / 4 and abs(found.value - point.value) <= close
        return Trial(1.0, found.value, float(found.gradient @ step), found, shown=False) if shown else None

    def _stale(self, objective: OverRows, ending: Ending, point: Point) -> bool:
        """Tell whether the seed is too old: an exact one once steps do not halve the decrement, else by its age."""
        if self.direction.fresh or ending.below_rounding(self.decrement, point.value):
            return False
        return not ending.halved(self.decrement) if hessian_is_small(*objective.shape) else self.direction.old

    def _another_direction(self, objective: OverRows) -> bool:
        """Compute the seed again, or damp it; False where both are done."""
        if self.direction.fresh:
            return self.direction.start_damping(objective)
        self.direction.reset()
        return True

    def _back_to_the_best(self, objective: OverRows, recorder: StepRecorder) -> Point | None:
        """Record where the samples' minimum led to, where the loss is lower there; else go back to the start."""
        if np.array_equal(self.w, recorder.last):
            return None
        found = Point.at(objective, self.w)
        if found.value <= recorder.least:
            recorder.step(found.w, found.value, found.gradient)
            return found
        self.w = recorder.last
        self.direction.reset()
        return None
