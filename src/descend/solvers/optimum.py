"""To the optimum of a quadratic, exactly, and of losses that have no curvature to go by, by scipy's L-BFGS."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.foresight import best_rate
from descend.history import History, Stop
from descend.optimizers import SGD
from descend.solvers.fast_forward import fast_forward
from descend.solvers.way import Way

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.objectives import OverRows
    from descend.objectives.gram import GramObjective
    from descend.solvers.checkpoints import Checkpoint

    Floats = NDArray[np.floating[Any]]

STORY = 1000


def limit(objective: GramObjective, w: Floats) -> History:
    """Return gradient descent at its best rate and where it arrives after ever more epochs: the minimum, exactly.

    The history tells the first epochs, at most a thousand of them, until the gradient has all but vanished; the
    weights are those of the limit. From ``w`` that is the minimum nearest to it, where there are several. Where the
    curvatures differ by more than float64 can hold, the minimum is given without a way to it.
    """
    weights = objective.minimum_near(w)
    if not objective.trustworthy:
        return _solved(objective, w, weights)
    told = fast_forward(objective, w, SGD(best_rate(objective.curvatures)), STORY, tolerance=1e-8)
    return replace(
        told,
        weights=weights,
        stop="optimum",
        optimizer="auto",
        final_loss=objective.value(weights),
        final_gradient_norm=float(np.linalg.norm(objective.gradient(weights))),
        gap=0.0,
    )


def lbfgs(
    objective: OverRows,
    w: Floats,
    *,
    iterations: int = 15_000,
    on_epoch: Callable[[int, float], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> History:
    """Return the way of scipy's L-BFGS to a minimum, for losses with corners, rounded less and less, and hollows."""
    from scipy.optimize import minimize

    way = Way(on_epoch, checkpoint, iterations)
    stop: Stop = "optimum"

    def record(w: Floats) -> None:
        way.record(w, *objective.value_and_gradient(w))

    if not way.begun:
        record(w)
    try:
        for stage in objective.stages():
            options = {"maxiter": iterations, "maxfun": 2 * iterations, "maxcor": 20, "ftol": 1e-16, "gtol": 1e-10}
            found = minimize(
                stage.value_and_gradient, way.last, jac=True, method="L-BFGS-B", callback=record, options=options
            )
            record(found.x)
            if found.nit >= iterations:
                stop = "epochs"
    except KeyboardInterrupt:
        stop = "interrupted"
    return way.history(stop)


def _solved(objective: GramObjective, w: Floats, weights: Floats) -> History:
    """Return the minimum without a way there: the curvatures are so uneven that no descent would arrive."""
    start, slope = objective.value(w), float(np.linalg.norm(objective.gradient(w)))
    return History(
        epoch=np.zeros(1, dtype=np.int64),
        loss=np.array([start]),
        gradient_norm=np.array([slope]),
        weights=weights,
        snapshot_epoch=np.zeros(1, dtype=np.int64),
        snapshots=w[None, :].copy(),
        stop="solved",
        optimizer="auto",
        lr=float("nan"),
        final_loss=objective.least,
        final_gradient_norm=float("nan"),
    )
