"""A quadratic over fewer rows than columns, from what the rows span: rows x rows where the columns' would be wider.

With X = U S V' the Hessian's eigenvectors are V, and all that is orthogonal to them changes nothing but a penalty.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from descend.base.errors import FitError
from descend.base.threads import one_blas_thread
from descend.objectives.in_memory import RowsObjective
from descend.objectives.sufficient_statistics import require_digits

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.objectives.objective import OverRows

EVEN = 1e-6  # squared singular values that differ by less have nine digits from the rows' products


def spectrum(objective: RowsObjective, start: Floats | None) -> tuple[Floats, Floats, Floats]:
    """Return the Hessian's curvatures, smallest first, their directions (columns x directions) and a minimum.

    Where there is a penalty, the columns that it leaves alone and ``start`` (flat; None: 0) are among what is spanned,
    and one direction in which nothing else bends the loss: along all others the minimum and the start are 0.
    """
    X, Y = objective.rooted(slice(0, objective.rows))
    scale = 2 * objective.share
    with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(np.square(X).sum() * scale):
            raise FitError("fit.squares-not-finite")
        require_digits(np.square(Y).sum(axis=0), Y)
        if not objective.penalty.active:
            left, sizes, directions = _singular(X)
            minimum = directions @ (left.T @ Y / sizes[:, None])
            return scale * sizes[::-1] ** 2, directions[:, ::-1], minimum
        basis = _basis(X, objective, start)
        A = X @ basis
        bent = basis.T @ (objective.penalty.curvatures[:, None] * basis)
        curvatures, turned = np.linalg.eigh(scale * A.T @ A + bent)
        solid = curvatures > np.finfo(np.float64).eps * len(basis) * curvatures[-1]
        curvatures, directions = curvatures[solid], basis @ turned[:, solid]
        minimum = directions @ ((directions.T @ (scale * X.T @ Y)) / curvatures[:, None])
        minimum[~objective.penalty.free & ~X.any(axis=0)] = 0.0  # of a column of zeros, but for rounding
        return curvatures, directions, minimum


def _singular(X: Floats) -> tuple[Floats, Floats, Floats]:
    """Return X's left vectors, singular values (falling, those that are not rounding) and right vectors in columns."""
    unit = float(np.abs(X).max(initial=0.0)) or 1.0
    X = X / unit
    values, left = np.linalg.eigh(X @ X.T)
    if values[0] > EVEN * values[-1]:
        sizes = np.sqrt(values[::-1])
        left = left[:, ::-1]
        return left, sizes * unit, X.T @ (left / sizes)
    left, sizes, right = np.linalg.svd(X, full_matrices=False)
    solid = sizes > np.finfo(np.float64).eps * max(X.shape) * sizes.max(initial=0.0)
    return left[:, solid], sizes[solid] * unit, right[solid].T


def _basis(X: Floats, objective: RowsObjective, start: Floats | None) -> Floats:
    """Return orthonormal columns that span the rows, what a penalty leaves alone, the start, and a direction more."""
    free = np.flatnonzero(objective.penalty.counts == 0)
    alone = np.zeros((X.shape[1], free.size))
    alone[free, np.arange(free.size)] = 1.0
    begun = np.zeros((X.shape[1], 0)) if start is None else start.reshape(objective.shape)
    spanned = np.hstack([alone, begun, np.cos(np.arange(X.shape[1]))[:, None], X.T])
    lengths = np.sqrt(np.square(spanned).sum(axis=0))
    basis, sizes, _ = np.linalg.svd(spanned / np.where(lengths > 0, lengths, 1.0), full_matrices=False)
    return np.asarray(basis[:, sizes > np.finfo(np.float64).eps * len(basis) * sizes[0]])


def is_wide(objective: OverRows) -> TypeGuard[RowsObjective]:
    """Tell whether the rows are at hand and fewer than the columns, all of which a penalty shrinks alike or not."""
    if not isinstance(objective, RowsObjective) or objective.every > 1:
        return False
    return objective.penalty.even and objective.rows < objective.shape[0]


def narrowed(objective: RowsObjective, start: Floats) -> tuple[RowsObjective, Floats, Floats]:
    """Return the same loss over no more columns than rows and what the penalty leaves alone, and the way back.

    A descent from ``start`` (flat) moves in the span of the rows only: the parameters are ``basis`` (columns x
    directions, orthonormal) times those of the narrow objective, and ``across``, what the start has beside them.
    """
    free = np.flatnonzero(objective.penalty.counts == 0)
    alone = np.zeros((objective.shape[0], free.size))
    alone[free, np.arange(free.size)] = 1.0
    X = objective.X.astype(np.float64)
    X[:, free] = 0.0
    with one_blas_thread():
        basis = np.hstack([alone, _singular(X)[2]])
        W = start.reshape(objective.shape)
        across = np.zeros_like(W) if objective.penalty.active else W - basis @ (basis.T @ W)
        within = np.arange(basis.shape[1]) >= free.size
        shown = (objective.X @ basis).astype(objective.X.dtype)
    return (
        replace(
            objective,
            data=replace(objective.data, X=shown),
            penalty=objective.penalty.counting(within.astype(np.float64)),
        ),
        basis,
        across,
    )
