"""To the optimum: what ``--optimizer auto`` uses. Exact for a quadratic, scipy's L-BFGS for everything else."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.foresight import best_rate
from descend.history import SNAPSHOT_NUMBERS, SNAPSHOTS, History, Stop
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
    way = _Way(objective, on_epoch)
    way.record(w)
    stop: Stop = "optimum"
    try:
        for stage in objective.stages():
            options = {"maxiter": iterations, "maxfun": 2 * iterations, "maxcor": 20, "ftol": 1e-16, "gtol": 1e-10}
            found = minimize(
                stage.value_and_gradient, way.last, jac=True, method="L-BFGS-B", callback=way.record, options=options
            )
            way.record(found.x)
            way.slope = float(np.linalg.norm(found.jac))
            if found.nit >= iterations:
                stop = "epochs"
    except KeyboardInterrupt:
        stop = "interrupted"
    return History(
        epoch=np.arange(len(way.slopes)),
        loss=np.array(way.losses[: len(way.slopes)]),
        gradient_norm=np.array(way.slopes),
        weights=way.best,
        snapshot_epoch=np.array(list(way.snapshots), dtype=np.int64),
        snapshots=np.array(list(way.snapshots.values())),
        stop=stop,
        optimizer="auto",
        lr=float("nan"),
        elapsed=perf_counter() - started,
        final_loss=way.least,
        final_gradient_norm=way.slope,
    )


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


class _Way:
    """The record of a quasi-Newton run; of the parameters it keeps every one at first, then fewer."""

    def __init__(self, objective: RowsObjective, on_epoch: Callable[[int, float], None] | None) -> None:
        self.objective, self.on_epoch = objective, on_epoch
        self.losses: list[float] = []
        self.slopes: list[float] = []
        self.snapshots: dict[int, Floats] = {}
        self.stride = 1
        self.best: Floats = np.empty(0)
        self.last: Floats = np.empty(0)
        self.least = float("inf")
        self.slope = float("nan")

    def record(self, w: Floats) -> None:
        """Take down the loss, the gradient and now and then the parameters."""
        value, gradient = self.objective.value_and_gradient(w)
        self.last = w.copy()
        if value < self.least or not self.losses:
            self.best, self.least = self.last, value
        step = len(self.losses)
        self.losses.append(value)
        self.slopes.append(float(np.linalg.norm(gradient)))
        if step % self.stride == 0:
            self.snapshots[step] = self.last
        if len(self.snapshots) > max(min(SNAPSHOTS, SNAPSHOT_NUMBERS // w.size), 4):
            self.stride *= 2
            self.snapshots = {step: kept for step, kept in self.snapshots.items() if step % self.stride == 0}
        if self.on_epoch is not None:
            self.on_epoch(step, value)
