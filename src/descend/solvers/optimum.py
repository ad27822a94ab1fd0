"""To the optimum: what ``--optimizer auto`` uses. Exact for a quadratic, scipy's L-BFGS for everything else."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.foresight import best_rate
from descend.history import History, Stop
from descend.optimizers import SGD
from descend.solvers.fast_forward import fast_forward

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.objectives.gram import GramObjective
    from descend.objectives.rows import RowsObjective

    Floats = NDArray[np.floating[Any]]

STORY = 1000


def limit(objective: GramObjective, w: Floats) -> History:
    """Return gradient descent at its best rate and where it arrives after ever more epochs: the minimum, exactly.

    The history tells the first epochs, at most a thousand of them, until the gradient has all but vanished; the
    weights are those of the limit. From ``w`` that is the minimum nearest to it, where there are several.
    """
    told = fast_forward(objective, w, SGD(best_rate(objective.curvatures)), STORY, tolerance=1e-8)
    weights = objective.minimum_near(w)
    return replace(
        told,
        weights=weights,
        stop="optimum",
        optimizer="auto",
        final_loss=objective.value(weights),
        final_gradient_norm=float(np.linalg.norm(objective.gradient(weights))),
        gap=0.0,
    )


def quasi_newton(
    objective: RowsObjective,
    w: Floats,
    *,
    iterations: int = 15_000,
    on_epoch: Callable[[int, float], None] | None = None,
) -> History:
    """Return the way of L-BFGS (Liu and Nocedal 1989) to the minimum; a loss with corners is rounded less and less."""
    from scipy.optimize import minimize

    started = perf_counter()
    losses, slopes, snapshots = [], [], []

    def record(at: Floats) -> None:
        value, gradient = objective.value_and_gradient(at)
        losses.append(value)
        slopes.append(float(np.linalg.norm(gradient)))
        snapshots.append(at.copy())
        if on_epoch is not None:
            on_epoch(len(losses) - 1, value)

    record(w)
    stop: Stop = "optimum"
    slope = slopes[-1]
    try:
        for stage in objective.stages():
            options = {
                "maxiter": iterations,
                "maxfun": 2 * iterations,
                "maxcor": 20,
                "ftol": 1e-16,
                "gtol": 1e-10,
            }
            found = minimize(
                stage.value_and_gradient,
                snapshots[-1],
                jac=True,
                method="L-BFGS-B",
                callback=record,
                options=options,
            )
            record(found.x)
            slope = float(np.linalg.norm(found.jac))
            if found.nit >= iterations:
                stop = "epochs"
    except KeyboardInterrupt:
        stop = "interrupted"
    best = int(np.nanargmin(losses))
    kept = np.unique(np.linspace(0, len(snapshots) - 1, 500).astype(np.int64))
    return History(
        epoch=np.arange(len(losses)),
        loss=np.array(losses),
        gradient_norm=np.array(slopes),
        weights=snapshots[best],
        snapshot_epoch=kept,
        snapshots=np.array([snapshots[index] for index in kept]),
        stop=stop,
        optimizer="auto",
        lr=float("nan"),
        elapsed=perf_counter() - started,
        final_loss=losses[best],
        final_gradient_norm=slope,
    )
