"""Any loss over rows whose linear predictor is an expression in named parameters, block by block."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.reductions import total_of
from descend.base.threads import block_rows, map_slices, summed
from descend.formula.curvatures import curvatures_of
from descend.formula.evaluate import values_of
from descend.formula.tangents import tangents_of
from descend.objectives._base import HeldRows
from descend.objectives.curve_loss import CurveLoss, TangentSums

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from descend.base.typing import Floats
    from descend.formula.ast import Curve
    from descend.formula.tangents import Slopes
    from descend.objectives.losses import Loss
    from descend.objectives.penalties import Penalty
    from descend.objectives.rows import DesignRows

ALONE = 10_000  # numbers whose products the linear algebra library sums on one thread, always in the same order
AT_WORK = 4  # arrays that an expression holds besides its derivatives, about


@dataclass(frozen=True)
class CurveObjective(HeldRows, CurveLoss):
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
    def at_hand(self) -> CurveObjective:
        """Itself: all rows are."""
        return self

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.data)

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
        return self._whole(total[0], w)

    def value_and_gradient(self, w: Floats) -> tuple[float, Floats]:
        """Return both from one reading of the rows."""

        def part(rows: slice) -> tuple[Floats, ...]:
            Z, slopes = self._tangents(w, rows)
            total, pull = self._pulled(Z, rows)
            return total, self._gradient(slopes, pull)

        total, gradient = summed(part, self.rows, self._block_rows)
        return self._whole(total[0], w), self._slope(gradient, w)

    def gauss_newton(self, w: Floats) -> tuple[float, Floats, Floats]:
        """Return the loss, its derivative, and J'CJ with C the loss's curvature: the Hessian without f's own.

        Where the loss is not convex C counts as 0.
        """

        def part(rows: slice) -> tuple[Floats, ...]:
            Z, slopes = self._tangents(w, rows)
            total, pull = self._pulled(Z, rows)
            bends = [np.maximum(bend, 0.0) for bend in self._bends(Z, rows)]
            return total, self._gradient(slopes, pull), self._crossed(slopes, bends, len(Z))

        total, gradient, curvature = summed(part, self.rows, self._block_rows)
        return self._whole(total[0], w), self._slope(gradient, w), self._bent(curvature)

    def hessian(self, w: Floats) -> Floats:
        """Return the second derivative at ``w`` (parameters x parameters): J'CJ, and slopes times the curve's own."""

        def part(rows: slice) -> tuple[Floats, ...]:
            X = self.X[rows]
            columns, named = _columns(self.curve, X), _named(self.curve, w)
            made = [curvatures_of(expression, columns, named) for expression in self.curve.expressions]
            Z = _side_by_side([values for values, _, _ in made], len(X))
            _, pull = self._pulled(Z, rows)
            total = self._crossed([slopes for _, slopes, _ in made], self._bends(Z, rows), len(X))
            for output, (_, _, seconds) in enumerate(made):
                for (p, q), second in seconds.items():
                    term, first, other = _dot(second, pull[:, output], len(X)), self._places[p], self._places[q]
                    total[first, other] += term
                    total[other, first] = total[first, other]
            return (total,)

        (curvature,) = summed(part, self.rows, block_rows(self.outputs * len(self.curve.parameters) ** 2 + AT_WORK))
        return self._bent(curvature)

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
        return self.on(self.data.one_in(every, seed))

    def batches(self, size: int, order: Any, *, drop_last: bool = False) -> Iterator[CurveObjective]:
        """Yield the objective of each ``size`` rows in an order; the last, smaller one too unless ``drop_last``."""
        rows = order.size // size * size if drop_last else order.size
        for first in range(0, rows, size):
            yield self.on(self.data.take(order[first : min(first + size, rows)]))

    def _tangents(self, w: Floats, rows: slice) -> tuple[Floats, list[Slopes]]:
        """Return the linear predictor of some rows, and for each output its derivatives, a vector or a number each."""
        X = self.X[rows]
        columns, named = _columns(self.curve, X), _named(self.curve, w)
        made = [tangents_of(expression, columns, named) for expression in self.curve.expressions]
        return _side_by_side([values for values, _ in made], len(X)), [slopes for _, slopes in made]

    def _pulled(self, Z: Floats, rows: slice) -> tuple[Floats, Floats]:
        """Return the sum of the losses of some rows, and their slopes, with the weights."""
        weight = None if self.data.weight is None else self.data.weight[rows]
        total, pull = self._total_and_slope(Z, self.Y[rows], weight)
        return np.array([total]), pull

    def _bends(self, Z: Floats, rows: slice) -> list[Floats]:
        """Return the loss's curvature of each output with the weights: a vector, or a number for all rows."""
        weight = None if self.data.weight is None else self.data.weight[rows]
        if self.loss.quadratic:
            steady = np.asarray(self.loss.curvature_limit)
            return [steady if weight is None else steady * weight[:, 0]] * self.outputs
        bends = self.loss.curvature(Z, self.Y[rows])
        return list((bends if weight is None else bends * weight).T)

    def _gradient(self, slopes: list[Slopes], pull: Floats) -> Floats:
        total = np.zeros(len(self.curve.parameters))
        for output, own in enumerate(slopes):
            for name, slope in own.items():
                total[self._places[name]] += _dot(slope, pull[:, output], len(pull))
        return total

    def _crossed(self, slopes: list[Slopes], bends: list[Floats], rows: int) -> Floats:
        """Return J'CJ of some rows from the vectors and numbers that J consists of."""
        total = np.zeros((len(self.curve.parameters),) * 2)
        for own, bend in zip(slopes, bends, strict=True):
            named = list(own.items())
            for count, (p, slope) in enumerate(named):
                first = self._places[p]
                bent = slope if bend.ndim == 0 else slope * bend
                for q, other in named[count:]:
                    second = self._places[q]
                    total[first, second] += _dot(bent, other, rows) * (bend if bend.ndim == 0 else 1.0)
                    total[second, first] = total[first, second]
        return total

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.curve.parameters)}

    def _weight(self, rows: slice) -> Floats | float:
        return 1.0 if self.data.weight is None else self.data.weight[rows]

    @property
    def _block_rows(self) -> int:
        return block_rows(self.outputs * (len(self.curve.parameters) + 1) + AT_WORK)


def tangents_at(curve: Curve, X: Floats, w: Floats) -> tuple[Floats, Floats]:
    """Return the linear predictor (rows x outputs) and its derivative (rows x outputs x parameters) at ``w``."""
    columns, named = _columns(curve, X), _named(curve, w)
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
    named = _named(curve, w)

    def part(rows: slice) -> Floats:
        columns = _columns(curve, X[rows])
        made = [values_of(expression, columns, named) for expression in curve.expressions]
        return _side_by_side(made, len(X[rows]))

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


def _named(curve: Curve, w: Floats) -> dict[str, float]:
    return dict(zip(curve.parameters, w.tolist(), strict=True))


def _columns(curve: Curve, X: Floats) -> dict[str, Floats]:
    return {name: X[:, place] for place, name in enumerate(curve.columns)}


def _side_by_side(vectors: list[Floats], rows: int) -> Floats:
    """Return vectors, or numbers for all rows, as columns: rows x outputs."""
    made = [values if np.ndim(values) else np.full(rows, values) for values in vectors]
    return made[0][:, None] if len(made) == 1 else np.stack(made).T


def _dot(one: Floats, other: Floats, rows: int) -> float:
    """Return the sum over rows of a product; each factor is a vector, or a number for all rows."""
    if np.ndim(one) and np.ndim(other):
        return float(sum(one[first : first + ALONE] @ other[first : first + ALONE] for first in range(0, rows, ALONE)))
    return float(np.multiply(one, other).sum() if np.ndim(one) or np.ndim(other) else rows * one * other)


def _joined(blocks: Sequence[Floats]) -> Floats:
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
