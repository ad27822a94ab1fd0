"""To the optimum of a quadratic, exactly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.solvers.closed_form import fast_forward
from descend.solvers.history import History
from descend.solvers.optimizers import SGD
from descend.solvers.rates import best_rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.objectives.quadratic import GramObjective

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
