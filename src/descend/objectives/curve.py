"""Any loss over rows whose linear predictor is an expression in named parameters, block by block."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.reductions import total_of
from descend.base.threads import block_rows, map_slices, summed
from descend.formula.evaluate import values_of
from descend.formula.tangents import tangents_of
from descend.objectives.curve_loss import CurveLoss, TangentSums

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from descend.base.typing import Floats
    from descend.formula.ast import Curve
    from descend.objectives.losses import Loss
    from descend.objectives.penalties import Penalty
    from descend.objectives.rows import DesignRows

AT_WORK = 4  # arrays that an expression holds besides its derivatives, about


@dataclass(frozen=True)
class CurveObjective(CurveLoss):
    """loss(f(x; parameters), Y) over rows in memory.

    curve: the expressions, one an output, with the names of its columns (those of ``data.X``, in order) and of its
    parameters (the flat vector ``w``, in order). Where these rows are a ``part`` of more, no sum is divided by their
    count.
    """

    data: DesignRows
    curve: Curve
    loss: Loss
    penalty: Penalty
    part: bool = False

    @property
    def X(self) -> Floats:
        """The columns, rows x columns."""
        return self.data.X

    @property
    def Y(self) -> Floats:
        """The targets, rows x targets."""
        return self.data.Y

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.data)

    @property
    def targets(self) -> int:
        """The number of targets."""
        return int(self.Y.shape[1])

    @property
    def share(self) -> float:
        """What one element's loss counts for: 1 where these rows are a part of more, as in ``CurveLoss`` otherwise."""
        return 1.0 if self.part else super().share

    def predictor(self, w: Floats) -> Floats:
        """Return the linear predictor, rows x outputs."""
        return predictor_of(self.curve, self.X, w)

    def linearised(self, w: Floats, rows: slice = slice(None)) -> tuple[Floats, Floats]:
        """Return the linear predictor (rows x outputs) and its derivative (rows x outputs x parameters)."""
        return tangents_at(self.curve, self.X[rows], w)

    def value(self, w: Floats) -> float:
        """Return the loss at ``w``; not finite where it overflows or is not defined."""

        def part(rows: slice) -> tuple[Floats, ...]:
            Z = predictor_of(self.curve, self.X[rows], w)
            return (np.array([(self.loss.value(Z, self.Y[rows]) * self._weight(rows)).sum()]),)

        (total,) = summed(part, self.rows, self._block_rows)
        return float(total[0]) * self.share + float(self.penalty.value(w[:, None]))

    def value_and_gradient(self, w: Floats) -> tuple[float, Floats]:
        """Return both from one reading of the rows."""

        def part(rows: slice) -> tuple[Floats, ...]:
            Z, J = self.linearised(w, rows)
            weight, Y = self._weight(rows), self.Y[rows]
            slopes = self.loss.slope(Z, Y) * weight
            return np.array([(self.loss.value(Z, Y) * weight).sum()]), np.einsum("ia,iap->p", slopes, J)

        total, slope = summed(part, self.rows, self._block_rows)
        value = float(total[0]) * self.share + float(self.penalty.value(w[:, None]))
        return value, slope * self.share + self.penalty.gradient(w[:, None], w.dtype).ravel()

    def gauss_newton(self, w: Floats) -> tuple[float, Floats, Floats]:
        """Return the loss, its derivative, and J'CJ with C the loss's curvature: the Hessian without f's own."""

        def part(rows: slice) -> tuple[Floats, ...]:
            Z, J = self.linearised(w, rows)
            weight, Y = self._weight(rows), self.Y[rows]
            slopes = self.loss.slope(Z, Y) * weight
            rooted = J * np.sqrt(np.maximum(self.loss.curvature(Z, Y) * weight, 0.0))[:, :, None]
            flat = rooted.reshape(-1, J.shape[2])
            total = np.array([(self.loss.value(Z, Y) * weight).sum()])
            return total, np.einsum("ia,iap->p", slopes, J), flat.T @ flat

        total, slope, curvature = summed(part, self.rows, self._block_rows)
        value = float(total[0]) * self.share + float(self.penalty.value(w[:, None]))
        gradient = slope * self.share + self.penalty.gradient(w[:, None], w.dtype).ravel()
        return value, gradient, curvature * self.share + np.diag(self.penalty.curvatures)

    def triangle(self, w: Floats) -> Floats:
        """Return R with R'R the sum over the rows of J'CJ: the triangles of blocks, factored again (TSQR)."""

        def task(rows: slice) -> Floats:
            Z, J = self.linearised(w, rows)
            curvature = np.maximum(self.loss.curvature(Z, self.Y[rows]) * self._weight(rows), 0.0)
            return triangle_of((J * np.sqrt(curvature)[:, :, None]).reshape(-1, w.size))

        return stacked(list(map_slices(task, self.rows, self._block_rows)))

    def tangents(self, w: Floats) -> TangentSums:
        """Return the triangular factors of the derivative, and the sums of squares."""

        def task(rows: slice) -> TangentSums:
            Z, J = self.linearised(w, rows)
            weight, Y = self._weight(rows), self.Y[rows]
            root = 1.0 if self.data.weight is None else np.sqrt(self.data.weight[rows])
            factors = tuple(triangle_of(J[:, output] * root) for output in range(self.outputs))
            residuals, targets = (np.square(values) * weight for values in (Z - Y, Y))
            return TangentSums(factors, residuals.sum(axis=0), targets.sum(axis=0))

        return joined_tangents(list(map_slices(task, self.rows, self._block_rows)))

    def target_squares(self) -> float:
        """Return the sum of the squared targets, of rows that count by their weight."""
        return float((np.square(self.Y) * self._weight(slice(None))).sum())

    def on(self, data: DesignRows) -> CurveObjective:
        """Return the same loss on other rows."""
        return replace(self, data=data)

    def sampled(self, every: int, seed: int = 0) -> CurveObjective:
        """Return the loss over one row out of ``every`` so many neighbours, drawn at random."""
        size = self.rows // every
        return self.on(self.data.take(np.arange(size) * every + np.random.default_rng(seed).integers(0, every, size)))

    def shuffled(self, random: np.random.Generator) -> Any:
        """Return an order of the rows drawn at random."""
        return random.permutation(self.rows)

    def batches(self, size: int, order: Any, *, drop_last: bool = False) -> Iterator[CurveObjective]:
        """Yield the objective of each ``size`` rows in an order; the last, smaller one too unless ``drop_last``."""
        rows = order.size // size * size if drop_last else order.size
        for first in range(0, rows, size):
            yield self.on(self.data.take(order[first : min(first + size, rows)]))

    def _weight(self, rows: slice) -> Floats | float:
        return 1.0 if self.data.weight is None else self.data.weight[rows]

    @property
    def _block_rows(self) -> int:
        return block_rows(self.outputs * (len(self.curve.parameters) + 1) + AT_WORK)


def tangents_at(curve: Curve, X: Floats, w: Floats) -> tuple[Floats, Floats]:
    """Return the linear predictor (rows x outputs) and its derivative (rows x outputs x parameters) at ``w``."""
    named = dict(zip(curve.parameters, w.tolist(), strict=True))
    columns = {name: X[:, place] for place, name in enumerate(curve.columns)}
    places = {name: place for place, name in enumerate(curve.parameters)}
    Z = np.empty((len(X), len(curve.expressions)))
    J = np.zeros((len(X), len(curve.expressions), len(places)))
    for output, expression in enumerate(curve.expressions):
        Z[:, output], slopes = tangents_of(expression, columns, named)
        for name, slope in slopes.items():
            J[:, output, places[name]] = slope
    return Z, J


def predictor_of(curve: Curve, X: Floats, w: Floats) -> Floats:
    """Return the linear predictor, rows x outputs, of rows of the curve's columns; not finite where it is undefined."""
    named = dict(zip(curve.parameters, w.tolist(), strict=True))

    def part(rows: slice) -> Floats:
        columns = {name: X[rows, place] for place, name in enumerate(curve.columns)}
        made = [values_of(expression, columns, named) for expression in curve.expressions]
        return np.stack([np.broadcast_to(values, len(X[rows])) for values in made], axis=1)

    return _joined(list(map_slices(part, len(X), block_rows(len(curve.expressions) + AT_WORK))))


def joined_tangents(parts: Sequence[TangentSums]) -> TangentSums:
    """Return what all rows say, from what blocks or parts of them say."""
    triangles = tuple(stacked(same) for same in zip(*(one.triangles for one in parts), strict=True))
    residuals, targets = total_of((one.residuals, one.targets) for one in parts)
    return TangentSums(triangles, residuals, targets)


def stacked(triangles: Sequence[Floats]) -> Floats:
    """Return R of the rows of some triangular factors, one upon the other (Demmel et al. 2012)."""
    return triangles[0] if len(triangles) == 1 else triangle_of(np.concatenate(triangles))


def triangle_of(J: Floats) -> Floats:
    """Return R of a QR factorisation."""
    return np.asarray(np.linalg.qr(J, mode="r"))


def _joined(blocks: Sequence[Floats]) -> Floats:
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
