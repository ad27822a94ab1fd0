"""L-BFGS from an exact Hessian: what ``--optimizer auto`` uses for every loss but squared error.

A descent (``_descent``) repeats a direction (``_direction``), a line search (``_line_search``) and an ending
(``_termination``), as in Liu and Nocedal (1989). On a large table it first finds the minimum of a small sample, then
of a larger one from there, so that few readings of all rows are left. Where each reading is expensive, it gives the
Hessian as well, and the steps are those of a surrogate (``_surrogate``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.base.threads import QUIET
from descend.solvers._descent import DescentState
from descend.solvers._direction import ROWS_FOR_A_SEED, Direction
from descend.solvers._line_search import Point
from descend.solvers._recorder import StepRecorder
from descend.solvers._termination import Ending, Outcome
from descend.solvers.effort import hessian_is_small
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.objectives.objective import OverRows
    from descend.solvers.history import History, Stop

LARGE = 2_000_000  # cells: a reading of fewer takes milliseconds, and is over before samples are drawn
HUGE = 200_000_000  # cells: a reading of more takes a good part of a second, which the last digits are not worth
ROWS_A_COLUMN = 30  # of a sample: with fewer its minimum is no nearer to that of all rows than the start is
SAMPLES = (64, 12)  # one row in so many; one in four where a twelfth is too few
SAMPLE_ERROR = 0.15  # of the loss, times columns over rows. The minimum of a sample of n rows has an expected excess
# of p / (2 n) of a log-likelihood (Wilks 1938; half of Akaike's correction): a third of that is close enough
LARGE_TABLE_EXCESS = 1e-10  # of the loss, where the last digits are not worth a reading; an optimum claims 1e-8
WEIGHTS_ROUNDING = 1e-25  # of the loss: as weights are off by the root of the excess, they then have 12 right digits
RESTART_STEPS = 1000  # steps from another start at most


def lbfgs(
    objective: OverRows,
    w: Floats,
    *,
    tolerance: float | None = None,
    iterations: int = 1000,
    run: RunOptions = DEFAULT_OPTIONS,
) -> History:
    """Return the history of a run from ``w`` to the minimum.

    tolerance: stop when the Newton decrement g'H^-1 g / 2, near the minimum the excess of the loss over it, is at most
        this (an estimate where H is not exact). None: go on to rounding; to the rounding of the weights where readings
        are expensive; to 1e-10 of the loss on a large table with very many parameters, and on a huge one.
    iterations: steps over all rows at most.
    The history has the start (on a large table without its gradient, which would cost a reading) and every step over
    all rows; an interrupt (Ctrl-C) ends it with what was reached. It stops at the "optimum", or "stalled" where no step
    lowers the loss although the gradient has not vanished, or after so many "epochs".
    """
    recorder = StepRecorder(run, iterations)
    stops: dict[Outcome, Stop] = {"arrived": "optimum", "stalled": "stalled", "spent": "epochs"}
    try:
        with np.errstate(**QUIET):  # numbers overflow far away; a step to where they do is not taken
            stop = stops[_descended(objective, w, recorder, tolerance, iterations)]
    except KeyboardInterrupt:
        stop = "interrupted"
        if not len(recorder):
            recorder.note(w.astype(np.float64), objective.value(w), float("nan"))
    return recorder.history(stop, "auto", float("nan"))


def _descended(
    objective: OverRows, w: Floats, recorder: StepRecorder, tolerance: float | None, iterations: int
) -> Outcome:
    """Go to the minimum of samples and then of all rows, and record the steps over all rows."""
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
        descent.minimise(sample, Ending(tolerance or 0.0, SAMPLE_ERROR * objective.shape[0] / sample.rows))
    descent.direction.pairs.clear()
    descent.left = iterations
    reached = descent.minimise(objective, _ending(objective, tolerance), recorder, start)
    return _from_other_starts(objective, w, recorder, reached)


def _ending(objective: OverRows, tolerance: float | None) -> Ending:
    """Return when to stop: at a tolerance, else as the table's size asks for."""
    if tolerance is not None:
        return Ending(tolerance)
    cheap = objective.cells < (HUGE if hessian_is_small(*objective.shape) else LARGE)
    near = WEIGHTS_ROUNDING if objective.resident is not None else 0.0
    return Ending(0.0, near if cheap else LARGE_TABLE_EXCESS)


def _samples(objective: OverRows) -> list[OverRows]:
    """Return a sixty-fourth and a twelfth of the rows of a large table, or a quarter, where these are enough.

    Where readings are expensive, the only sample is the rows that stay in memory.
    """
    enough = (ROWS_A_COLUMN if hessian_is_small(*objective.shape) else ROWS_FOR_A_SEED) * objective.shape[0]
    if objective.resident is not None:
        return [objective.resident] if objective.resident.rows >= enough else []
    if objective.cells < LARGE:
        return []
    shares = SAMPLES if objective.rows // SAMPLES[-1] >= enough else (4,)
    return [objective.sampled(every, seed=every) for every in shares if objective.rows // every >= enough]


def _from_other_starts(objective: OverRows, w: Floats, recorder: StepRecorder, reached: Outcome) -> Outcome:
    """Look for a lower minimum of a loss that is not convex, from two other starts, and go there.

    The starts are zero, and the minimum of the convex loss that this one is close to where errors are small. Where rows
    end in the part where the loss is not convex, other minima may be lower, and no optimum is claimed.
    """
    convex, doubtful = objective.loss.convex, objective.loss.hollow
    if convex is None or doubtful is None:
        return reached
    for easier in (None, convex):
        other = DescentState(np.zeros_like(w, dtype=np.float64), RESTART_STEPS)
        if easier is not None:
            other.minimise(objective.under(easier), Ending(0.0))
            other.direction.reset()
        found = other.minimise(objective, Ending(0.0))
        point = Point.at(objective, other.w)
        if point.value < recorder.least:
            reached = found
            recorder.step(point.w, point.value, point.gradient)
    return "stalled" if objective.under(doubtful).value(recorder.best) > 0 else reached
