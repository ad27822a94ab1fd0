"""Quasi-Newton on growing samples: what ``--optimizer auto`` uses for every loss but squared error.

A descent is a direction (``direction``), a line search along it (``search``) and an ending (``ending``), over and over
(Liu and Nocedal 1989). On a large table the minimum of a small sample is found first, then of a larger one from there:
few readings of all rows are left to do. Where a reading is dear, it brings the Hessian as well, and the steps are
Newton's, led by a few rows that are at hand (``leading``). Corners are rounded, less and less (``corners``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.solvers.direction import Direction, penalty, whole
from descend.solvers.ending import Ending, Outcome, outcome
from descend.solvers.leading import led
from descend.solvers.search import TINY, Point, Trial, along, line_search
from descend.solvers.way import Way

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.history import History, Stop
    from descend.losses import Loss
    from descend.objectives import OverRows
    from descend.solvers.checkpoints import Checkpoint

    Floats = NDArray[np.floating[Any]]

LARGE = 2_000_000  # cells: a reading of fewer is over before samples are drawn
HUGE = 200_000_000  # cells: from here on a reading is worth more than the last digits
ROWS_A_COLUMN = 30  # of a sample: with fewer its minimum is no nearer than the start
ROWS_FOR_A_GUESS = 8  # the same where only the outputs' mean of the Hessian is asked of it
SAMPLES = (64, 12)  # one row out of so many; a quarter of the rows where a twelfth is too few
OWN_ERROR = 0.15  # of the loss, times parameters over rows: a third of what a sample's minimum is off by itself
ENOUGH = 1e-10  # of the loss, where a reading is worth more
SHOWN = 1e-25  # of the loss: nearer than this the weights have all digits but the last two or three
SHORT = 0.1  # of a fresh Newton step: where no more of it can be gone, the Hessian says nothing of the way
CORNER = 0.1  # of the mean residual, at first, and then of the last: each leads to the next in a few steps
SURE = 1e-10  # of the loss: by how much a corner's rounding may be above the minimum
STARTED_AGAIN = 1000  # steps at most
EASED = 0.01  # of what a rounding is off by itself: nearer than this its minimum says no more


def quasi_newton(
    objective: OverRows,
    w: Floats,
    *,
    tolerance: float | None = None,
    iterations: int = 1000,
    on_epoch: Callable[[int, float], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> History:
    """Return the way from ``w`` to the minimum.

    tolerance: stop when the Newton decrement g'H^-1 g / 2, near the minimum what the loss is above it, falls under it
        (where H is only guessed at, an estimate); None: as far as float64 goes (where a reading is dear, as far as the
        weights show), or on a large table with very many parameters, and on a huge one, when it is 1e-10 of the loss.
    iterations: steps over all rows at most.
    checkpoint: where the way is kept as it goes, and taken up again.
    The history tells the start (on a large table without its gradient, which would cost a reading) and every step over
    all rows; a Ctrl-C ends it with what was reached. It stops at the "optimum", or "stalled" where no step lowers the
    loss although the gradient has not vanished, or after so many "epochs".
    """
    way = Way(on_epoch, checkpoint, iterations)
    stop: Stop = "optimum"
    try:
        descent = _Descent(way.last if way.begun else w.astype(np.float64), iterations)
        samples = [] if way.steps > 1 else _samples(objective)
        start = None
        if samples and not way.begun:
            way.record(descent.w, objective.value(descent.w), None)
        elif not way.begun:
            start = Point.at(objective, descent.w)
            way.record(start.w, start.value, start.gradient)
        for sample in samples:
            descent.direction = Direction()
            descent.minimise(sample, Ending(tolerance or 0.0, OWN_ERROR * objective.shape[0] / sample.rows))
        descent.direction.pairs.clear()
        reached = descent.minimise(objective, _ending(objective, tolerance), way, start)
        reached = _from_elsewhere(objective, w, way, reached)
        stop = {"arrived": "optimum", "stalled": "stalled", "spent": "epochs"}[reached]
    except KeyboardInterrupt:
        stop = "interrupted"
    return way.history(stop)


def _ending(objective: OverRows, tolerance: float | None) -> Ending:
    """Return when to stop: at a tolerance, else as the table's size asks for."""
    if tolerance is not None:
        return Ending(tolerance)
    cheap = objective.cells < (HUGE if whole(objective) else LARGE)
    near = SHOWN if objective.few is not None else 0.0  # what the weights do not show is no reading worth
    return Ending(0.0, near if cheap else ENOUGH)


def _samples(objective: OverRows) -> list[OverRows]:
    """Return a sixty-fourth and a twelfth of the rows of a large table, or a quarter, where these are enough.

    Where a reading is dear: those that are at hand.
    """
    enough = (ROWS_A_COLUMN if whole(objective) else ROWS_FOR_A_GUESS) * objective.shape[0]
    if objective.few is not None:
        return [objective.few] if objective.few.rows >= enough else []
    if objective.cells < LARGE:
        return []
    shares = SAMPLES if objective.rows // SAMPLES[-1] >= enough else (4,)
    return [objective.sampled(every, seed=every) for every in shares if objective.rows // every >= enough]


def _from_elsewhere(objective: OverRows, w: Floats, way: Way, reached: Outcome) -> Outcome:
    """Look whether a loss with hollows is lower where another start leads to; go there then.

    The other starts are zero, and the minimum of the convex loss that this one is nearly, where errors are small. Where
    rows are left that the loss is not convex for, nothing is known of other hollows, and nothing is claimed.
    """
    convex, doubtful = objective.loss.convex, objective.loss.hollow
    if convex is None or doubtful is None:
        return reached
    for easier in (None, convex):
        other = _Descent(np.zeros_like(w, dtype=np.float64), STARTED_AGAIN)
        if easier is not None:
            other.minimise(objective.under(easier), Ending(0.0))
            other.direction.forget()
        found = other.minimise(objective, Ending(0.0))
        point = Point.at(objective, other.w)
        if point.value < way.least:
            reached = found
            way.record(point.w, point.value, point.gradient)
    return "stalled" if objective.under(doubtful).value(way.best) > 0 else reached


@dataclass
class _Descent:
    """Where the search stands, what is known of the curvature, and how round corners are."""

    w: Floats
    iterations: int
    direction: Direction = field(default_factory=Direction)
    size: float = np.inf
    decrement: float = np.inf

    def minimise(
        self, objective: OverRows, ending: Ending, way: Way | None = None, start: Point | None = None
    ) -> Outcome:
        """Go to the minimum of the loss, by way of rounder ones where it has corners; a ``way`` tells every step.

        start: where it begins, if that has been read already.
        """
        if way is not None and start is None:
            start = self._back_to_the_best(objective, way)
        if not objective.loss.cornered:
            return self.descend(objective, ending, way, start=start)
        return self._round_corners(objective, ending, way)

    def _round_corners(self, objective: OverRows, ending: Ending, way: Way | None) -> Outcome:
        """Go to the minima of ever less rounded losses, each from that of the last, until the rounding does not count.

        So Madsen and Nielsen (1993) minimise absolute errors. How far the minimum of a rounded loss can be from that
        of the loss itself is known: the slopes there are a feasible point of the dual linear programme.
        """
        loss, spread = objective.loss, min(objective.shape[0] / objective.rows, 1.0)
        value = objective.value(self.w)
        while np.isfinite(value):
            residual = loss.residual(max(value - penalty(objective, self.w)[0], TINY * value))
            self.size = CORNER * min(self.size, residual)
            rounded = loss.rounded(self.size)
            if rounded == loss:
                return self.descend(objective, ending, way)
            own_error = EASED * spread * self.size / residual if residual else 0.0
            self.direction.forget()
            enough = Ending(ending.enough, max(ending.share, own_error))
            found = self.descend(objective.under(rounded), enough, way, told=loss)
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
        way: Way | None = None,
        *,
        told: Loss | None = None,
        start: Point | None = None,
    ) -> Outcome:
        """Step until the decrement is small enough, or no step lowers the loss any more.

        told: the loss that the ``way`` tells of, where it is not the one that is descended on.
        """
        point = Point.at(objective, self.w) if start is None else start
        for _ in range(self.iterations):
            self.direction.look(objective, point)
            step = self.direction.step(point.gradient)
            self.decrement = -float(point.gradient @ step) / 2
            if ending.arrived(self.decrement, point.value):
                if self.direction.sure:
                    return "arrived"
                self.direction.forget()
                continue
            if self._stale(objective, ending, point):
                self.direction.forget()  # the curvature has changed on the way
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
            if way is not None:
                shown = point if told is None else Point.at(objective.under(told), point.w)
                way.record(shown.w, shown.value, shown.gradient)
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
        return line_search(along(objective, point, step), start, shortest)

    def _stale(self, objective: OverRows, ending: Ending, point: Point) -> bool:
        """Tell whether the guess of the curvature has grown too old to be of use."""
        if self.direction.fresh or ending.settling(self.decrement, point.value):
            return False
        return not ending.halved(self.decrement) if whole(objective) else self.direction.old

    def _another_direction(self, objective: OverRows) -> bool:
        """Take the curvature anew, or damp it; False where both are done."""
        if self.direction.fresh:
            return self.direction.damp(objective)
        self.direction.forget()
        return True

    def _back_to_the_best(self, objective: OverRows, way: Way) -> Point | None:
        """Go back to the start where samples have led to a higher loss; tell of where they led where it is lower."""
        if np.array_equal(self.w, way.last):
            return None
        found = Point.at(objective, self.w)
        if found.value <= way.least:
            way.record(found.w, found.value, found.gradient)
            return found
        self.w = way.last
        self.direction.forget()
        return None
