"""The minimum of the loss of an equation: what ``--optimizer auto`` uses for a curve.

Of squared error the linear parameters are solved for at every step (``_separable``); any other loss is squared error of
its slopes and curvatures near a point (``_any_loss``). The others are found by Levenberg-Marquardt (``_levenberg``),
and the last digits of squared error with residuals in twice float64's digits (``_polish``).
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from descend.base.threads import one_blas_thread
from descend.solvers._curve_end import CurveEnd
from descend.solvers._curve_in_bulk import BulkRun, bulk_end
from descend.solvers._curve_run import CurveRun
from descend.solvers._curve_trials import TriedStarts, tried_starts
from descend.solvers._levenberg import Box
from descend.solvers._recorder import StepRecorder
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions
from descend.solvers.search import OtherMinimum, Search

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from descend.base.typing import Floats
    from descend.objectives.curve import CurveObjective
    from descend.objectives.curve_loss import CurveLoss
    from descend.solvers.history import History, Stop

NAME = "levenberg-marquardt"
MANY, FEW = 50_000, 10_000  # rows times outputs from which a run begins at the minimum of few rows, and so few
MOST_STEPS = 100_000  # that a run which is taken up from a checkpoint can have made


def box_of(limits: Mapping[str, tuple[float, float]], names: Sequence[str]) -> tuple[Floats, Floats]:
    """Return the least and the greatest value of each parameter, infinite where it has no bound.

    >>> low, high = box_of({"b": (0.0, 5.0)}, ["a", "b"])
    >>> low.tolist(), high.tolist()
    ([-inf, 0.0], [inf, 5.0])
    """
    ends = [limits.get(name, (-np.inf, np.inf)) for name in names]
    return np.array([low for low, _ in ends]), np.array([high for _, high in ends])


def minimise_curve(
    objective: CurveObjective,
    start: Floats | None,
    bounds: tuple[Floats, Floats] | None = None,
    *,
    seed: int = 0,
    budget: float = 2.0,
    run: RunOptions = DEFAULT_OPTIONS,
) -> tuple[History, Search]:
    """Return the history of a run to the minimum, and how it was searched for.

    start: all parameters, in the order of ``curve.parameters``; None: starts are drawn from the ``seed``.
    bounds: the least and the greatest value of each parameter, infinite where there is none.
    budget: how many seconds the search among drawn starts takes, about, counted as work; 0: none beside a start that
    is given. Else the way goes on from a drawn start where that leads lower than the given one by more than chance.
    The history has the start and every step of the way from it. It stops at the "optimum", or "stalled" where the
    steps come to an end that is no minimum (the ``Search`` says whether the parameters go on without end), or after a
    thousand steps ("epochs"); an interrupt (Ctrl-C) ends it with what was reached.
    Of many rows the run begins at the minimum of some of them, as in ``minimise_curve_in_bulk``; where that leads to no
    minimum of all, every step is of all rows.
    """
    if objective.rows * objective.outputs > MANY:
        few = objective.sampled(-(-objective.rows // FEW), seed)
        found, search = minimise_curve_in_bulk(objective, few, start, bounds, seed=seed, budget=budget, run=run)
        if found.stop in ("optimum", "interrupted") or search.endless:
            return found, search
    began, box = perf_counter(), Box.of(bounds, objective.shape[0])
    recorder = StepRecorder(run, MOST_STEPS)
    first = box.clipped(np.ones(objective.shape[0]) if start is None else start.astype(np.float64))
    if len(recorder):
        first = recorder.snapshots[0]
    stop: Stop = "interrupted"
    facts, w, tried, left = CurveEnd(), None, TriedStarts(box), None
    own = 1  # starts beside the drawn ones that led to ``w``
    try:
        with np.errstate(all="ignore"), one_blas_thread():
            if start is None and not len(recorder):
                tried = tried_starts(objective, box, seed=seed, budget=budget)
                first, own = (first, 1) if tried.first is None else (tried.first, 0)
            w, loss, facts, stop = CurveRun(objective, box, recorder).go(first, tried.origin)
            if start is not None and budget > 0:
                tried = tried_starts(objective, box, seed=seed, budget=budget)
                if tried.first is not None and tried.far_below(w):
                    own, left = 0, w if facts.arrived else None
                    recorder.step(tried.first, *objective.value_and_gradient(tried.first))
                    w, loss, facts, stop = CurveRun(objective, box, recorder).go(tried.first, tried.origin)
    except KeyboardInterrupt:
        if not len(recorder):
            recorder.note(first, objective.value(first), float("nan"))
    history = _ended(recorder, stop, None if w is None else (w, loss))
    with np.errstate(all="ignore"):
        reached, others = (0, ()) if w is None else tried.beside(w, objective, left)
    search = Search(
        starts=tried.refined + max(own, int(start is not None)), given=start is not None, drawn=tried.drawn,
        reached=reached + own, others=others, seconds=perf_counter() - began, at_bound=facts.at_bound,
        undetermined=facts.undetermined, endless=facts.endless,
    )  # fmt: skip
    return history, search


def minimise_curve_in_bulk(
    objective: CurveLoss,
    few: CurveObjective,
    start: Floats | None,
    bounds: tuple[Floats, Floats] | None = None,
    *,
    seed: int = 0,
    budget: float = 2.0,
    run: RunOptions = DEFAULT_OPTIONS,
) -> tuple[History, Search]:
    """Return the same over rows that are too many to be held at once, by few readings of them.

    few: some of the rows, drawn at random. Their minimum is searched for as by ``minimise_curve``, and the run begins
    there; the history is of the loss over all rows. Its loss is not finite where the equation is defined for the few
    rows at that minimum, but not for all.
    """
    began, box = perf_counter(), Box.of(bounds, objective.shape[0])
    near, search = minimise_curve(few, start, bounds, seed=seed, budget=budget)
    if near.stop == "interrupted":
        return near, search
    recorder = StepRecorder(run, MOST_STEPS)
    first = recorder.last if len(recorder) else near.weights
    stop: Stop = "interrupted"
    facts, w = CurveEnd(), None

    def told(w: Floats, loss: float, gradient: Floats) -> None:
        if not np.array_equal(w, recorder.last):
            recorder.step(w, loss, np.where(box.free(w, gradient), gradient, 0.0))

    try:
        with np.errstate(all="ignore"), one_blas_thread():
            at, smooth, spent = BulkRun(objective, few, box).go(first, told)
            w, loss = at.w, objective.value(at.w) if objective.loss.cornered else at.loss
            if at.finite:
                facts = bulk_end(smooth, few, near.weights, at, box)
            stop = "epochs" if spent else "optimum" if facts.arrived else "stalled"
    except KeyboardInterrupt:
        if not len(recorder):
            raise
    history = _ended(recorder, stop, None if w is None else (w, loss))
    return history, replace(
        search, others=_of_all(search.others, near.final_loss, history.final_loss),
        seconds=perf_counter() - began, at_bound=facts.at_bound, undetermined=facts.undetermined,
        endless=facts.endless or search.endless,
    )  # fmt: skip


def _ended(recorder: StepRecorder, stop: Stop, end: tuple[Floats, float] | None) -> History:
    """Return the history of a run and its end, parameters and loss, where it came to one.

    Rounding hides in the losses which of the last steps is the best: it is the last one.
    """
    history = recorder.history(stop, NAME, float("nan"))
    return history if end is None else replace(history, weights=end[0], final_loss=end[1])


def _of_all(others: Sequence[OtherMinimum], few: float, whole: float) -> tuple[OtherMinimum, ...]:
    """Return other minima with losses as all rows have them, about: by the loss of the least one."""
    return tuple(replace(other, loss=other.loss * whole / few) for other in others) if few > 0 else tuple(others)
