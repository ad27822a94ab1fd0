"""The minimum of a quadratic loss, exactly, with the first epochs of the gradient descent that leads to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from descend.solvers.closed_form import fast_forward
from descend.solvers.history import History
from descend.solvers.optimizers import SGD
from descend.solvers.rates import best_rate

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.objectives.quadratic import GramObjective

FIRST_EPOCHS = 1000  # epochs of the descent at most: a picture of it needs no more
VANISHED = 1e-8  # of the gradient's first norm: what the recorded epochs end at


def quadratic_minimum(objective: GramObjective, w: Floats) -> History:
    """Return the limit of gradient descent from ``w`` at its best rate: the minimum that is nearest to ``w``.

    The history has the descent's first epochs, at most FIRST_EPOCHS, until the gradient has all but vanished; its
    weights are those of the limit. Where the curvatures differ by more than float64 can hold (``trustworthy``), it has
    the start alone, for no descent would arrive.
    """
    weights = objective.minimum_near(w)
    if not objective.trustworthy:
        return _solved(objective, w, weights)
    descent = fast_forward(objective, w, SGD(best_rate(objective.curvatures)), FIRST_EPOCHS, tolerance=VANISHED)
    return replace(
        descent,
        weights=weights,
        stop="optimum",
        optimizer="auto",
        final_loss=objective.value(weights),
        final_gradient_norm=float(np.linalg.norm(objective.gradient(weights))),
        gap=0.0,
    )


def _solved(objective: GramObjective, w: Floats, weights: Floats) -> History:
    """Return a history of the start and the minimum alone."""
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
