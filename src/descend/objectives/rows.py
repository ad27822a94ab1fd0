"""Any loss over the rows of a design matrix, in blocked passes: a block is read once for all that is asked of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.losses import AbsoluteError
from descend.threads import block_rows, in_order, summed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.losses import Loss

    Floats = NDArray[np.floating[Any]]

GATHERED_BYTES = 32_000_000


@dataclass(frozen=True)
class RowsObjective:
    """loss(X W, Y) over the rows, plus ``l2`` |W|^2 over the ``penalised`` columns.

    X is rows x columns, Y rows x targets (class codes for cross-entropy); W has ``outputs`` columns. The arithmetic
    runs in X's dtype. Where ``chosen`` is given, only those rows count.
    """

    X: Floats
    Y: Floats
    loss: Loss
    outputs: int
    l2: float
    penalised: NDArray[np.bool_]
    chosen: NDArray[np.int64] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Columns and outputs."""
        return self.X.shape[1], self.outputs

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.X) if self.chosen is None else self.chosen.size

    @property
    def elements(self) -> int:
        """Rows times targets: what a mean is divided by."""
        return max(self.rows * int(self.Y.shape[1]), 1)

    @property
    def share(self) -> float:
        """What one element's loss counts for: 1 over rows and targets for a mean."""
        return 1 / self.elements if self.loss.mean else 1.0

    def value(self, w: Floats) -> float:
        """Return the loss at ``w``."""
        W = w.reshape(self.shape)

        def part(rows: slice) -> tuple[Floats, ...]:
            if not W.any():  # nothing of X counts: the loss of a start from zero is had without reading it
                Y = self.Y[rows if self.chosen is None else self.chosen[rows]]
                return (self.loss.value(np.zeros((len(Y), self.outputs), self.X.dtype), Y).sum(keepdims=True),)
            X, Y = self._block(rows)
            return (self.loss.value(X @ W, Y).sum(keepdims=True),)

        (total,) = self._summed(part)
        with np.errstate(over="ignore"):
            return float(total[0, 0] * self.X.dtype.type(self.share) + self._penalty(W))

    def gradient(self, w: Floats) -> Floats:
        """Return the derivative at ``w``."""
        return self.value_and_gradient(w)[1]

    def value_and_gradient(self, w: Floats) -> tuple[float, Floats]:
        """Return both from one reading of the rows."""
        W = w.reshape(self.shape)
        share = self.X.dtype.type(self.share)

        def part(rows: slice) -> tuple[Floats, ...]:
            X, Y = self._block(rows)
            values, slopes = self.loss.value_and_slope(X @ W, Y)
            slopes *= share
            return values.sum(keepdims=True), X.T @ slopes

        total, G = self._summed(part)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.l2:
                G += 2 * self.l2 * np.where(self.penalised[:, None], W, 0).astype(G.dtype)
            return float(total[0, 0] * share + self._penalty(W)), G.ravel()

    def hessian(self, w: Floats) -> Floats:
        """Return the second derivative at ``w``, parameters x parameters, in float64."""
        W, (columns, outputs) = w.reshape(self.shape), self.shape

        def part(rows: slice) -> tuple[Floats, ...]:
            X, Y = self._block(rows)
            total = np.zeros((columns, outputs, columns, outputs))
            for a, b, weights in self.loss.curvatures(X @ W, Y):
                if a == b and (weights >= 0).all():
                    rooted = X * np.sqrt(weights)[:, None]
                    total[:, a, :, a] += rooted.T @ rooted
                    continue
                product = X.T @ (X * weights[:, None])
                total[:, a, :, b] += product
                if a != b:
                    total[:, b, :, a] += product.T
            return (total,)

        (total,) = self._summed(part)
        ridge = np.repeat(2 * self.l2 * self.penalised, outputs)
        hessian = total.reshape(w.size, w.size) * self.share + np.diag(ridge)
        return np.asarray((hessian + hessian.T) / 2, dtype=np.float64)

    def mean_curvatures(self, w: Floats) -> Floats:
        """Return the mean over the rows of the second derivative in each output at ``w``."""
        W = w.reshape(self.shape)

        def part(rows: slice) -> tuple[Floats, ...]:
            X, Y = self._block(rows)
            return (self.loss.curvature(X @ W, Y).sum(axis=0),)

        return self._summed(part)[0] / self.rows

    def moments(self) -> tuple[Floats, Floats, Floats]:
        """Return X'X, X'Y and the diagonal of Y'Y (1 x targets), in float64, from one reading of the rows."""

        def part(rows: slice) -> tuple[Floats, ...]:
            X, Y = self._block(rows)
            X, Y = X.astype(np.float64, copy=False), Y.astype(np.float64, copy=False)
            return X.T @ X, X.T @ Y, np.square(Y).sum(axis=0, keepdims=True)

        gram, cross, squares = self._summed(part)
        return gram, cross, squares

    def triangle(self, lengths: Floats) -> Floats:
        """Return R of a QR factorisation of X with its columns divided by ``lengths``, block by block.

        The triangles of blocks, set upon one another and factored again (Demmel et al. 2012, TSQR).
        """

        def task(stretch: range) -> Floats:
            X = self._block(slice(stretch.start, stretch.stop))[0].astype(np.float64, copy=False)
            return np.asarray(np.linalg.qr(X / lengths, mode="r"))

        width = self.X.shape[1]
        return np.asarray(np.linalg.qr(np.concatenate(list(in_order(task, self.rows, self._task_rows(width)))), "r"))

    def longest_row(self, inverse_root: Floats | None = None) -> float:
        """Return the greatest length of a row of X, or of X times ``inverse_root``."""

        def task(stretch: range) -> float:
            X = self._block(slice(stretch.start, stretch.stop))[0].astype(np.float64, copy=False)
            X = X if inverse_root is None else X @ inverse_root
            return float(np.sqrt(np.einsum("ij,ij->i", X, X).max()))

        return max(in_order(task, self.rows, self._task_rows(self.X.shape[1])))

    def predictor(self, w: Floats) -> Floats:
        """Return X W, rows x outputs."""
        W = w.reshape(self.shape)
        stretches = in_order(
            lambda stretch: self._block(slice(stretch.start, stretch.stop))[0] @ W,
            self.rows,
            self._task_rows(self.X.shape[1]),
        )
        return np.concatenate(list(stretches))

    def curvature_limit(self) -> float | None:
        """Return the loss's largest second derivative times the largest eigenvalue of X'X over its count."""
        if self.loss.curvature_limit is None:
            return None
        gram = self.moments()[0]
        if not np.isfinite(gram).all():
            return float("inf")
        return self.loss.curvature_limit * float(np.linalg.eigvalsh(gram)[-1]) * self.share + 2 * self.l2

    def row_curvature_limit(self) -> float | None:
        """Return the same for the worst single row: what every minibatch keeps under."""
        if self.loss.curvature_limit is None:
            return None
        share = self.share * self.rows if self.loss.mean else 1.0
        return self.loss.curvature_limit * self.longest_row() ** 2 * share + 2 * self.l2

    def shuffled(self, order: NDArray[np.int64]) -> RowsObjective:
        """Return the same rows in another order; they are gathered once, which batches then share."""
        return replace(self, X=self.X[order], Y=self.Y[order])

    def batch(self, start: int, stop: int) -> RowsObjective:
        """Return the objective of some neighbouring rows, without copying them."""
        return replace(self, X=self.X[start:stop], Y=self.Y[start:stop])

    def sampled(self, every: int, seed: int = 0) -> RowsObjective:
        """Return the objective of one row out of ``every`` so many neighbours, drawn anew for each.

        So neither a sorted table nor one with a period misleads it. A large sample is gathered as it is read.
        """
        first = np.arange(0, len(self.X) - every + 1, every)
        chosen = first + np.random.default_rng(seed).integers(0, every, first.size)
        if chosen.size * self.X[0].nbytes <= GATHERED_BYTES:
            return replace(self, X=self.X[chosen], Y=self.Y[chosen])
        return replace(self, chosen=chosen)

    def stages(self) -> list[RowsObjective]:
        """Return the objectives that lead a quasi-Newton solver here: itself, after rounder ones if it has corners."""
        if not isinstance(self.loss, AbsoluteError):
            return [self]
        spread = float(np.abs(self.Y - np.median(self.Y, axis=0)).mean()) or 1.0
        return [replace(self, loss=self.loss.rounded(spread * 10.0**-power)) for power in range(1, 9)]

    def _block(self, rows: slice) -> tuple[Floats, Floats]:
        if self.chosen is None:
            return self.X[rows], self.Y[rows]
        chosen = self.chosen[rows]
        return self.X[chosen], self.Y[chosen]

    def _summed(self, part: Any) -> tuple[Floats, ...]:
        return summed(part, self.rows, self.X.shape[1] + self.outputs, self.X.itemsize)

    def _task_rows(self, columns: int) -> int:
        return max(block_rows(columns), 4 * columns)

    def _penalty(self, W: Floats) -> float:
        return self.l2 * float(np.square(W[self.penalised]).sum()) if self.l2 else 0.0
