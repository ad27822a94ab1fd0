"""The rows of a squared error squeezed into as few as it has columns: the same loss everywhere, at no cost of rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from descend.objectives.rows import DesignRows

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.objectives.in_memory import RowsObjective

FACTORED = 20_000_000


def squeeze(objective: RowsObjective) -> RowsObjective:
    """Return a squared error over at most columns + targets rows with the same value, gradient and Hessian everywhere.

    |X W - Y| = |R [W; -1]| with R the triangle of a QR factorisation of [X Y], blocks of rows set upon one another
    (Demmel et al. 2012). Of very many numbers R is a square root of the moments [X Y]'[X Y] instead, from their
    eigenvectors: one pass at the speed of a product, with half the digits along directions that hardly count.
    """
    columns = objective.X.shape[1]
    width = columns + objective.Y.shape[1]
    if objective.rows * width <= FACTORED:
        both = _with_columns(objective, np.concatenate([objective.X, objective.Y], axis=1))
        triangle = both.triangle(np.ones(width))
    else:
        triangle = _root(objective)
    if objective.loss.mean:
        triangle = triangle * np.sqrt(len(triangle) / objective.rows)  # a mean divides by the rows there are
    return replace(objective, data=DesignRows(triangle[:, :columns], triangle[:, columns:]), every=1)


def _root(objective: RowsObjective) -> Floats:
    """Return a square root of [X Y]'[X Y] from one reading of the columns and two of the targets."""
    columns = objective.X.shape[1]
    targets = objective.Y.shape[1]
    gram, cross, _ = objective.moments()
    moments = np.zeros((columns + targets, columns + targets))
    moments[:columns, :columns], moments[:columns, columns:], moments[columns:, :columns] = gram, cross, cross.T
    moments[columns:, columns:] = _with_columns(objective, objective.Y).moments()[0]
    values, vectors = np.linalg.eigh(moments)
    return np.asarray(np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T)


def _with_columns(objective: RowsObjective, X: Floats) -> RowsObjective:
    return replace(objective, data=replace(objective.data, X=X))
