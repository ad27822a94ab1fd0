"""Squared error from its sufficient statistics: after one pass over the rows it costs columns^2, whatever the rows.

With H the Hessian, w* the minimum nearest to the start of a search and L* the loss there,
L(w) = L* + 1/2 (w - w*)' H (w - w*): a sum of terms that are never negative, so no digits cancel near the minimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.objectives.rows import RowsObjective

    Floats = NDArray[np.floating[Any]]

EASY = 1e-10
TRUSTED = 1e-13
ROUNDS = 5


@dataclass(frozen=True)
class GramObjective:
    """A quadratic in its own eigenvectors.

    ``curvatures`` are the Hessian's eigenvalues, smallest first (0 where a direction changes nothing), ``directions``
    its eigenvectors in columns, ``minimum`` (columns x outputs) a minimum, ``least`` the loss there, and ``flat``
    (columns x directions, orthonormal) the directions along which the minimum stays one.
    """

    curvatures: Floats
    directions: Floats
    minimum: Floats
    least: float
    flat: Floats

    @classmethod
    def of(cls, objective: RowsObjective) -> GramObjective:
        """Read the rows of a squared-error objective once (and again for the residuals)."""
        X, Y = objective.X.astype(np.float64, copy=False), objective.Y.astype(np.float64, copy=False)
        share = 1 / Y.size if objective.loss.mean else 1.0
        ridge = 2 * objective.l2 * objective.penalised.astype(np.float64)
        hessian = 2 * share * (X.T @ X) + np.diag(ridge)
        minimum, flat = _least_squares(X, Y, hessian, 2 * share, ridge)
        curvatures, directions = np.linalg.eigh(hessian)
        curvatures = np.maximum(curvatures, 0.0)
        curvatures[: flat.shape[1]] = 0.0
        return cls(curvatures, directions, minimum, objective.value(minimum.ravel()), flat)

    @property
    def shape(self) -> tuple[int, int]:
        """Columns and outputs."""
        rows, columns = self.minimum.shape
        return rows, columns

    def offsets(self, w: Floats) -> Floats:
        """Return w - w* in the eigenvectors, columns x outputs; 0 along flat directions, where the loss is the same."""
        offsets = self.directions.T @ (w.reshape(self.shape) - self.minimum)
        return np.where(self.curvatures[:, None] > 0, offsets, 0.0)

    def minimum_near(self, w: Floats) -> Floats:
        """Return the minimum that gradient descent from ``w`` comes to, flat: the one nearest to ``w``."""
        away = w.reshape(self.shape) - self.minimum
        return (self.minimum + self.flat @ (self.flat.T @ away)).ravel()

    def value(self, w: Floats) -> float:
        """Return the loss at ``w``."""
        with np.errstate(over="ignore", invalid="ignore"):
            return float(self.least + (self.curvatures[:, None] * np.square(self.offsets(w))).sum() / 2)

    def gradient(self, w: Floats) -> Floats:
        """Return the derivative at ``w``."""
        with np.errstate(over="ignore", invalid="ignore"):
            return (self.directions @ (self.curvatures[:, None] * self.offsets(w))).ravel()

    def value_and_gradient(self, w: Floats) -> tuple[float, Floats]:
        """Return both."""
        return self.value(w), self.gradient(w)

    def curvature_limit(self) -> float:
        """Return the largest curvature."""
        return float(self.curvatures[-1])

    @property
    def trustworthy(self) -> bool:
        """Whether the curvatures that count are all well above the rounding of the largest."""
        counting = self.curvatures[self.flat.shape[1] :]
        return bool(counting.size == 0 or counting[0] > TRUSTED * counting[-1])


def _least_squares(X: Floats, Y: Floats, hessian: Floats, scale: float, ridge: Floats) -> tuple[Floats, Floats]:
    """Return a minimum (columns x targets) and an orthonormal basis of what does not change the loss.

    With every column scaled to one (van der Sluis 1969) the Gram matrix serves while it is well conditioned; else the
    singular values of the triangle of a QR factorisation of the rows. Rounds on the residual win back digits.
    """
    lengths = np.sqrt(np.diag(hessian))
    lengths[lengths == 0] = 1.0
    values, vectors = np.linalg.eigh(hessian / np.outer(lengths, lengths))
    if not values[0] > EASY * values[-1]:
        rows = np.concatenate([np.sqrt(scale) * X, np.diag(np.sqrt(ridge))[ridge > 0]]) / lengths
        triangle = np.linalg.qr(rows, mode="r")
        _, singular, transposed = np.linalg.svd(triangle, full_matrices=True)
        vectors = transposed.T
        values = np.zeros(X.shape[1])
        values[: singular.size] = singular**2
        solid = np.sqrt(values) > np.finfo(np.float64).eps * max(rows.shape) * np.sqrt(values[0])
    else:
        solid = np.ones(values.size, dtype=bool)
    inverse = np.divide(1.0, values, out=np.zeros_like(values), where=solid)
    minimum = np.zeros((X.shape[1], Y.shape[1]))
    for _ in range(ROUNDS):
        gradient = scale * (X.T @ (X @ minimum - Y)) + ridge[:, None] * minimum
        step = vectors @ (inverse[:, None] * (vectors.T @ (gradient / lengths[:, None])))
        minimum = minimum - step / lengths[:, None]
    flat = vectors[:, ~solid] / lengths[:, None]
    return minimum, np.linalg.qr(flat)[0] if flat.size else flat
