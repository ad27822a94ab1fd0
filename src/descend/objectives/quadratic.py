"""Squared error from its sufficient statistics: after one pass over the rows it costs columns^2, whatever the rows.

With H the Hessian, w* the minimum nearest to the start of a search and L* the loss there,
L(w) = L* + 1/2 (w - w*)' H (w - w*): a sum of terms that are never negative, so no digits cancel near the minimum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from descend.base.errors import FitError
from descend.objectives.sufficient_statistics import require_digits
from descend.objectives.wide import is_wide, spectrum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.objective import OverRows

EASY = 1e-10
SURE = 1e-3
TRUSTED = 1e-13
EVEN = 10
ROUNDS = 5
SMALL = 1_000_000


@dataclass(frozen=True)
class GramObjective:
    """A quadratic in its own eigenvectors.

    ``curvatures`` are the Hessian's eigenvalues, smallest first (0 where a direction changes nothing), ``directions``
    its eigenvectors in columns, ``minimum`` (columns x outputs) a minimum, ``least`` the loss there, and ``flat``
    (columns x directions, orthonormal) the directions along which the minimum stays one. ``elements`` is what the sum
    over the rows is divided by. With fewer rows than columns the eigenvectors are those of the rows' span alone;
    ``beyond`` it every direction has the same curvature: 0, or the penalty's.
    """

    curvatures: Floats
    directions: Floats
    minimum: Floats
    least: float
    flat: Floats
    elements: int = 1
    beyond: float = 0.0

    @classmethod
    def of(cls, objective: OverRows, start: Floats | None = None) -> GramObjective:
        """Read the rows of a squared-error objective once, and again where the digits ask for it.

        start: the parameters (flat) that a run begins with; default 0.
        """
        objective = objective.in_double()
        elements = objective.elements if objective.loss.mean else 1
        if is_wide(objective):
            curvatures, directions, minimum = spectrum(objective, start)
            least = objective.value(minimum.ravel())
            if not (np.isfinite(least) and np.isfinite(curvatures).all()):
                raise FitError("fit.squares-not-finite")
            flat = np.empty((len(minimum), 0))
            return cls(curvatures, directions, minimum, least, flat, elements, objective.penalty.curvature_limit)
        gram, cross, squares = objective.moments()
        scale = 2 * objective.share
        ridge = objective.penalty.curvatures
        with np.errstate(over="ignore", invalid="ignore"):
            hessian = scale * gram + np.diag(ridge)
        if not (np.isfinite(hessian).all() and np.isfinite(cross).all() and np.isfinite(squares).all()):
            raise FitError("fit.squares-not-finite")
        require_digits(squares, cross)
        live = np.diag(hessian) > 0  # a column of zeros leaves the others' digits alone
        curvatures, directions = np.linalg.eigh(hessian[np.ix_(live, live)])
        curvatures = np.maximum(curvatures, 0.0)
        system = _System.of(objective, hessian, scale, ridge, curvatures, directions)
        minimum, refined = system.solve(objective, scale * cross)
        curvatures[: system.flat.shape[1]] = 0.0
        axes = np.eye(live.size)
        flat = np.concatenate([axes[:, ~live], axes[:, live] @ system.flat], axis=1)
        curvatures = np.concatenate([np.zeros((~live).sum()), curvatures])
        directions = np.concatenate([axes[:, ~live], axes[:, live] @ directions], axis=1)
        total = float(squares.sum()) * objective.share
        least = total - float((scale / 2 * cross * minimum).sum())
        if refined or not least > SURE * total:
            least = objective.value(minimum.ravel())
        return cls(curvatures, directions, minimum, least, flat, elements)

    def among(self, live: NDArray[np.bool_]) -> GramObjective:
        """Return that of some columns, where the others are of zeros, without a penalty."""
        directions, flat = (found[:, ~found[~live].any(axis=0)][live] for found in (self.directions, self.flat))
        curvatures = self.curvatures[~self.directions[~live].any(axis=0)]
        return replace(self, curvatures=curvatures, directions=directions, minimum=self.minimum[live], flat=flat)

    @property
    def shape(self) -> tuple[int, int]:
        """Columns and outputs."""
        rows, columns = self.minimum.shape
        return rows, columns

    @property
    def undetermined(self) -> int:
        """How many directions change nothing."""
        return int(self.flat.shape[1]) + (0 if self.beyond else len(self.minimum) - int(self.curvatures.size))

    def offsets(self, w: Floats) -> Floats:
        """Return w - w* in the eigenvectors, columns x outputs; 0 along flat directions, where the loss is the same."""
        offsets = self.directions.T @ (w.reshape(self.shape) - self.minimum)
        return np.where(self.curvatures[:, None] > 0, offsets, 0.0)

    def minimum_near(self, w: Floats) -> Floats:
        """Return the minimum that gradient descent from ``w`` comes to, flat: the one nearest to ``w``."""
        away = w.reshape(self.shape) - self.minimum
        if not self.beyond:
            away = self._across(away) + self.flat @ (self.flat.T @ away)
            return (self.minimum + away).ravel()
        return self.minimum.ravel()

    def _across(self, away: Floats) -> Floats:
        """Return the part of columns x outputs that none of the directions has."""
        if self.curvatures.size == len(self.minimum):
            return np.zeros_like(away)
        return np.asarray(away - self.directions @ (self.directions.T @ away))

    def excess(self, w: Floats) -> float:
        """Return by how much the loss at ``w`` is above the least."""
        with np.errstate(over="ignore", invalid="ignore"):
            inside = (self.curvatures[:, None] * np.square(self.offsets(w))).sum()
            across = np.square(self._across(w.reshape(self.shape))).sum() if self.beyond else 0.0
            return float((inside + self.beyond * across) / 2)

    def value(self, w: Floats) -> float:
        """Return the loss at ``w``."""
        return self.least + self.excess(w)

    def gradient(self, w: Floats) -> Floats:
        """Return the derivative at ``w``."""
        with np.errstate(over="ignore", invalid="ignore"):
            inside = self.directions @ (self.curvatures[:, None] * self.offsets(w))
            return (inside + self.beyond * self._across(w.reshape(self.shape)) if self.beyond else inside).ravel()

    def value_and_gradient(self, w: Floats) -> tuple[float, Floats]:
        """Return both."""
        return self.value(w), self.gradient(w)

    def curvature_limit(self) -> float:
        """Return the largest curvature."""
        return max(float(self.curvatures[-1]) if self.curvatures.size else 0.0, self.beyond)

    @property
    def trustworthy(self) -> bool:
        """Whether the curvatures that count are all well above the rounding of the largest."""
        counting = self.curvatures[self.flat.shape[1] :]
        return bool(counting.size == 0 or counting[0] > TRUSTED * counting[-1])

    @property
    def column_condition(self) -> float:
        """The condition number of the columns, the root of the Hessian's; infinite where that is past telling."""
        counting = self.curvatures[self.flat.shape[1] :]
        if not self.trustworthy:
            return float("inf")
        return float(np.sqrt(counting[-1] / counting[0])) if counting.size else 1.0


@dataclass(frozen=True)
class _System:
    """The normal equations with every column scaled to one (van der Sluis 1969), by eigenvalues.

    They come from the Gram matrix while it is well conditioned, else from the singular values of the triangle of a QR
    factorisation of the rows. ``solid`` marks the eigenvalues that are more than rounding. They are of the ``live``
    columns, which are not of zeros.
    """

    live: NDArray[np.bool_]

    lengths: Floats
    values: Floats
    vectors: Floats
    solid: NDArray[np.bool_]

    @classmethod
    def of(
        cls, objective: OverRows, hessian: Floats, scale: float, ridge: Floats, values: Floats, vectors: Floats
    ) -> _System:
        """Take the Hessian's own eigenvalues where its columns are of a size, else scale them first."""
        live = np.diag(hessian) > 0
        hessian, ridge = hessian[np.ix_(live, live)], ridge[live]
        lengths = np.sqrt(np.diag(hessian))
        if lengths.max(initial=0.0) < EVEN * lengths.min(initial=np.inf):
            lengths = np.ones_like(lengths)
        else:
            values, vectors = np.linalg.eigh(hessian / np.outer(lengths, lengths))
        if values.size == 0 or values[0] > EASY * values[-1]:
            return cls(live, lengths, values, vectors, np.ones(values.size, dtype=bool))
        every = np.ones(live.size)
        every[live] = lengths
        triangle = np.sqrt(scale) * objective.triangle(every)[:, live]
        if ridge.any():
            triangle = np.concatenate([triangle, (np.diag(np.sqrt(ridge)) / lengths)[ridge > 0]])
        _, singular, transposed = np.linalg.svd(triangle, full_matrices=True)
        values = np.zeros(lengths.size)
        values[: singular.size] = singular**2
        limit = np.finfo(np.float64).eps * max(objective.rows, lengths.size) * singular[0]
        return cls(live, lengths, values, transposed.T, np.sqrt(values) > limit)

    @property
    def flat(self) -> Floats:
        """An orthonormal basis of what does not change the loss, columns x directions."""
        flat = self.vectors[:, ~self.solid] / self.lengths[:, None]
        return np.linalg.qr(flat)[0] if flat.size else flat

    def correction(self, gradient: Floats) -> Floats:
        """Return H^-1 times a gradient, 0 along flat directions."""
        inverse = np.divide(1.0, self.values, out=np.zeros_like(self.values), where=self.solid)
        along = self.vectors.T @ (gradient / self.lengths[:, None])
        return np.asarray(self.vectors @ (inverse[:, None] * along) / self.lengths[:, None])

    def solve(self, objective: OverRows, right: Floats) -> tuple[Floats, bool]:
        """Return the minimum, and whether rounds on the residual of the rows were made to win back its digits."""
        minimum = np.zeros_like(right)
        minimum[self.live] = self.correction(right[self.live])
        easy = bool(self.solid.all() and (self.values.size == 0 or self.values[0] > SURE * self.values[-1]))
        if easy and objective.cells > SMALL:
            return minimum, False
        for _ in range(ROUNDS):
            step = self.correction(objective.gradient(minimum.ravel()).reshape(minimum.shape)[self.live])
            minimum[self.live] -= step
            lengths = self.lengths[:, None]
            most = np.abs(minimum[self.live] * lengths).max(initial=0.0)
            if np.abs(step * lengths).max(initial=0.0) <= 1e-15 * most:
                break
        return minimum, True
