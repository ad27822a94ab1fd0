"""Squared error over a table's rows as squared error over as many rows as there are columns and targets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from descend.objectives.rows import RowsObjective


def squeeze(objective: RowsObjective) -> RowsObjective:
    """Return an objective of few rows with the same loss, gradient and Hessian everywhere.

    [X Y] = Q R, and Q, with orthonormal columns, does not change the length of a residual.
    """
    columns = objective.X.shape[1]
    triangle = np.asarray(np.linalg.qr(np.concatenate([objective.X, objective.Y], axis=1), mode="r"))
    if objective.loss.mean:
        triangle *= np.sqrt(len(triangle) / objective.rows)
    return replace(objective, X=triangle[:, :columns].copy(), Y=triangle[:, columns:].copy())
