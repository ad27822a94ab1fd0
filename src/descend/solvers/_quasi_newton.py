"""Quasi-Newton on growing samples: what ``--optimizer auto`` uses for every loss but squared error.

A ``descent`` is a direction (``direction``), a line search along it (``search``) and an ending (``ending``), over and
over (Liu and Nocedal 1989); corners are rounded there, less and less. On a large table the minimum of a small sample is
found first, then of a larger one from there: few readings of all rows are left to do. Where a reading is dear, it
brings the Hessian as well, and the steps are Newton's, led by a few rows that are at hand (``leading``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.threads import QUIET
from descend.solvers._descent import DescentState
from descend.solvers._direction import Direction, has_small_hessian
from descend.solvers._line_search import Point
from descend.solvers._recorder import StepRecorder
from descend.solvers._termination import Ending, Outcome
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.objectives.objective import OverRows
    from descend.solvers.history import History, Stop

    Floats = NDArray[np.floating[Any]]

LARGE = 2_000_000  # cells: a reading of fewer is over before samples are drawn
HUGE = 200_000_000  # cells: from here on a reading is worth more than the last digits
ROWS_A_COLUMN = 30  # of a sample: with fewer its minimum is no nearer than the start
ROWS_FOR_A_GUESS = 8  # the same where only the outputs' mean of the Hessian is asked of it
SAMPLES = (64, 12)  # one row out of so many; a quarter of the rows where a twelfth is too few
OWN_ERROR = 0.15  # of the loss, times columns over rows: a third of what a sample's minimum is off by itself
ENOUGH = 1e-10  # of the loss, where a reading is worth more
SHOWN = 1e-25  # of the loss: nearer than this the weights have all digits but the last two or three
STARTED_AGAIN = 1000  # steps at most


def quasi_newton(
    objective: OverRows,
    w: Floats,
    *,
    tolerance: float | None = None,
    iterations: int = 1000,
    run: RunOptions = DEFAULT_OPTIONS,
) -> History:
    """Return the way from ``w`` to the minimum.

    tolerance: stop when the Newton decrement g'H^-1 g / 2, near the minimum what the loss is above it, falls under it
        (where H is only guessed at, an estimate); None: as far as float64 goes (where a reading is dear, as far as the
        weights show), or on a large table with very many parameters, and on a huge one, when it is 1e-10 of the loss.
    iterations: steps over all rows at most.
    The history tells the start (on a large table without its gradient, which would cost a reading) and every step over
    all rows; a Ctrl-C ends it with what was reached. It stops at the "optimum", or "stalled" where no step lowers the
    loss although the gradient has not vanished, or after so many "epochs".
    """
    recorder = StepRecorder(run, iterations)
    stops: dict[Outcome, Stop] = {"arrived": "optimum", "stalled": "stalled", "spent": "epochs"}
    try:
        with np.errstate(**QUIET):  # far away numbers overflow: whoever sees one that is not finite turns back
            reached = _descended(objective, w, recorder, tolerance, iterations)
    except KeyboardInterrupt:
        if not len(recorder):
            recorder.note(w.astype(np.float64), objective.value(w), float("nan"))
        return recorder.history("interrupted", "auto", float("nan"))
    return recorder.history(stops[reached], "auto", float("nan"))


def _descended(
    objective: OverRows, w: Floats, recorder: StepRecorder, tolerance: float | None, iterations: int
) -> Outcome:
    """Go to the minimum of samples and of all rows, and tell the way over these."""
    descent = DescentState(recorder.last if len(recorder) else w.astype(np.float64), iterations)
    samples = [] if len(recorder) > 1 else _samples(objective)
    start = None
    if samples and not len(recorder):
        recorder.step(descent.w, objective.value(descent.w), None)
    elif not len(recorder):
        start = Point.at(objective, descent.w)
        recorder.step(start.w, start.value, start.gradient)
    for sample in samples:
        descent.direction, descent.left = Direction(), iterations
        descent.minimise(sample, Ending(tolerance or 0.0, OWN_ERROR * objective.shape[0] / sample.rows))
    descent.direction.pairs.clear()
    descent.left = iterations
    reached = descent.minimise(objective, _ending(objective, tolerance), recorder, start)
    return _from_elsewhere(objective, w, recorder, reached)


def _ending(objective: OverRows, tolerance: float | None) -> Ending:
    """Return when to stop: at a tolerance, else as the table's size asks for."""
    if tolerance is not None:
        return Ending(tolerance)
    cheap = objective.cells < (HUGE if has_small_hessian(objective) else LARGE)
    near = SHOWN if objective.few is not None else 0.0  # what the weights do not show is no reading worth
    return Ending(0.0, near if cheap else ENOUGH)


def _samples(objective: OverRows) -> list[OverRows]:
    """Return a sixty-fourth and a twelfth of the rows of a large table, or a quarter, where these are enough.

    Where a reading is dear: those that are at hand.
    """
    enough = (ROWS_A_COLUMN if has_small_hessian(objective) else ROWS_FOR_A_GUESS) * objective.shape[0]
    if objective.few is not None:
        return [objective.few] if objective.few.rows >= enough else []
    if objective.cells < LARGE:
        return []
    shares = SAMPLES if objective.rows // SAMPLES[-1] >= enough else (4,)
    return [objective.sampled(every, seed=every) for every in shares if objective.rows // every >= enough]


def _from_elsewhere(objective: OverRows, w: Floats, recorder: StepRecorder, reached: Outcome) -> Outcome:
    """Look whether a loss with hollows is lower where another start leads to; go there then.

    The other starts are zero, and the minimum of the convex loss that this one is nearly, where errors are small. Where
    rows are left that the loss is not convex for, nothing is known of other hollows, and nothing is claimed.
    """
    convex, doubtful = objective.loss.convex, objective.loss.hollow
    if convex is None or doubtful is None:
        return reached
    for easier in (None, convex):
        other = DescentState(np.zeros_like(w, dtype=np.float64), STARTED_AGAIN)
        if easier is not None:
            other.minimise(objective.under(easier), Ending(0.0))
            other.direction.forget()
        found = other.minimise(objective, Ending(0.0))
        point = Point.at(objective, other.w)
        if point.value < recorder.least:
            reached = found
            recorder.step(point.w, point.value, point.gradient)
    return "stalled" if objective.under(doubtful).value(recorder.best) > 0 else reached
