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
from descend.solvers._curve_run import CurveRun
from descend.solvers._curve_trials import TriedStarts, tried_starts
from descend.solvers._levenberg import Box
from descend.solvers._recorder import StepRecorder
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions
from descend.solvers.search import Search

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.objectives.curve import CurveObjective
    from descend.solvers.history import History, Stop

NAME = "levenberg-marquardt"
MOST_STEPS = 100_000  # that a run which is taken up from a checkpoint can have made


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
    """
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
    history = recorder.history(stop, NAME, float("nan"))
    if w is not None:  # rounding hides in the losses which of the last steps is the best: it is the last one
        history = replace(history, weights=w, final_loss=loss)
    with np.errstate(all="ignore"):
        reached, others = (0, ()) if w is None else tried.beside(w, objective, left)
    search = Search(
        starts=tried.refined + max(own, int(start is not None)), given=start is not None, drawn=tried.drawn,
        reached=reached + own, others=others, seconds=perf_counter() - began, at_bound=facts.at_bound,
        undetermined=facts.undetermined, endless=facts.endless,
    )  # fmt: skip
    return history, search
