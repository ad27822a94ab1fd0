"""Any loss over the rows of a design matrix in memory, block by block: each block is read once a pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.threads import QUIET, block_rows, map_slices, summed
from descend.objectives._base import HeldRows, RowsBase
from descend.objectives.rows import DesignRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from descend.base.typing import Floats
    from descend.objectives.losses import Loss
    from descend.objectives.penalties import Penalty

GATHERED_BYTES = 40_000_000
BATCHES_BYTES = 1_000_000


@dataclass(frozen=True)
class RowsObjective(HeldRows, RowsBase):
    """loss(X W, Y) over the rows, plus a ``penalty`` on W.

    ``data`` are the rows; W has ``outputs`` columns. The arithmetic runs in X's dtype. Where ``every`` is above 1, only
    one row out of so many counts. Where these rows are a ``part`` of more, no sum is divided by their count.
    """

    data: DesignRows
    loss: Loss
    outputs: int
    penalty: Penalty
    every: int = 1
    part: bool = False

    @property
    def columns(self) -> int:
        """The columns of X."""
        return int(self.X.shape[1])

    @property
    def resident(self) -> None:
        """Nothing: the rows are at hand."""

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.X) // self.every

    @property
    def cells(self) -> int:
        """How many numbers X has, of a sample too."""
        return int(self.X.size)

    @property
    def dtype(self) -> np.dtype[Any]:
        """What the arithmetic runs in."""
        return self.X.dtype

    @property
    def heaviest(self) -> float:
        """The largest weight of a row."""
        return 1.0 if self.data.weight is None else float(self.data.weight.max())

    def in_memory(self) -> RowsObjective:
        """Return itself: the rows of this part have been read."""
        return self

    def value(self, w: Floats) -> float:
        """Return the loss at ``w``."""
        W = w.reshape(self.shape)

        def part(rows: slice) -> tuple[Floats, ...]:
            block = self._block(rows)
            X, Y, weights = block.X, block.Y, block.weight
            Z = X @ W if moved else np.zeros((len(Y), self.outputs), X.dtype)
            return (np.array([self._total_and_slope(Z, Y, weights)[0]]),)

        moved = bool(W.any())  # at zero nothing of X counts, so it need not be read

        (total,) = self._summed(part)
        with np.errstate(over="ignore"):
            return float(total[0] * self.X.dtype.type(self.share) + self.penalty.value(W))

    def value_and_gradient(self, w: Floats) -> tuple[float, Floats]:
        """Return both from one reading of the rows."""
        W = w.reshape(self.shape)
        share = self.X.dtype.type(self.share)

        def part(rows: slice) -> tuple[Floats, ...]:
            block = self._block(rows)
            X, Y, weights = block.X, block.Y, block.weight
            total, slopes = self._total_and_slope(X @ W, Y, weights)
            slopes *= share
            return np.array([total]), slopes.T @ X  # the faster way round

        total, turned = self._summed(part)
        G = np.ascontiguousarray(turned.T)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.penalty.active:
                G += self.penalty.gradient(W, G.dtype)
            return float(total[0] * share + self.penalty.value(W)), G.ravel()

    def in_double(self) -> RowsObjective:
        """Return the same loss with its arithmetic in float64."""
        if self.X.dtype == np.float64:
            return self
        return replace(self, data=self.data.astype(np.float64))

    def hessian(self, w: Floats) -> Floats:
        """Return the second derivative at ``w``, parameters x parameters, in float64."""
        W, (columns, outputs) = w.reshape(self.shape), self.shape

        def part(rows: slice) -> tuple[Floats, ...]:
            block = self._block(rows)
            X, Y, weights = block.X, block.Y, block.weight
            total = np.zeros((columns, outputs, columns, outputs))
            for a, b, bends in self.loss.curvatures(X @ W, Y):
                if weights is not None:
                    bends = bends * weights[:, 0]
                if a == b and (bends >= 0).all():
                    rooted = X * np.sqrt(bends)[:, None]
                    total[:, a, :, a] += rooted.T @ rooted
                    continue
                product = X.T @ (X * bends[:, None])
                total[:, a, :, b] += product
                if a != b:
                    total[:, b, :, a] += product.T
            return (total,)

        (total,) = self._summed(part, squared=True)
        ridge = np.repeat(self.penalty.curvatures, outputs)
        hessian = total.reshape(w.size, w.size) * self.share + np.diag(ridge)
        return np.asarray((hessian + hessian.T) / 2, dtype=np.float64)

    def mean_hessian(self, w: Floats) -> Floats:
        """Return the mean over the outputs of their own parts of the Hessian at ``w``, columns x columns."""
        W = w.reshape(self.shape)

        def part(rows: slice) -> tuple[Floats, ...]:
            block = self._block(rows)
            X, Y, weights = block.X, block.Y, block.weight
            bends = self.loss.curvature(X @ W, Y).mean(axis=1, keepdims=True)
            rooted = X * np.sqrt(bends if weights is None else bends * weights)
            return (rooted.T @ rooted,)

        (total,) = self._summed(part, squared=True)
        return np.asarray(total * self.share + np.diag(self.penalty.curvatures), dtype=np.float64)

    def moments(self) -> tuple[Floats, Floats, Floats]:
        """Return X'X, X'Y and the diagonal of Y'Y (1 x targets), in float64, from one reading of the rows."""

        def part(rows: slice) -> tuple[Floats, ...]:
            X, Y = self.rooted(rows)
            return X.T @ X, X.T @ Y, np.square(Y).sum(axis=0, keepdims=True)

        gram, cross, squares = self._summed(part, squared=True)
        return gram, cross, squares

    def residual_squares(self, w: Floats) -> Floats:
        """Return the sum of the squared differences of X W and Y, of each target."""
        W = w.reshape(self.shape)

        def part(rows: slice) -> tuple[Floats, ...]:
            X, Y = self.rooted(rows)
            return (np.square(X @ W - Y).sum(axis=0),)

        return self._summed(part)[0]

    def triangle(self, lengths: Floats) -> Floats:
        """Return R of a QR factorisation of X with its columns divided by ``lengths``, block by block.

        Rows count by the root of their weight.
        The triangles of blocks, set upon one another and factored again (Demmel et al. 2012, TSQR).
        """

        def task(rows: slice) -> Floats:
            return np.asarray(np.linalg.qr(self.rooted(rows)[0] / lengths, mode="r"))

        width = self.X.shape[1]
        return np.asarray(np.linalg.qr(np.concatenate(list(map_slices(task, self.rows, self._block_rows(width)))), "r"))

    def information_triangle(self, w: Floats, lengths: Floats) -> Floats:
        """Return R with R'R the Hessian of the sum of the losses at ``w``, of parameters over their ``lengths``.

        Of a loss that no shift of all outputs changes, it is that of all parameters but the first output's. R is of the
        rows by the roots of their curvatures, so its condition number is the root of the Hessian's.
        """
        W = w.reshape(self.shape)

        def task(rows: slice) -> Floats:
            block = self._block(rows)
            X, Y, weights = block.X, block.Y, block.weight
            roots = self.loss.curvature_root(X @ W, Y)
            if weights is not None:
                roots = roots * np.sqrt(weights)[:, :, None]
            laid = (X[:, None, :, None] * roots[:, :, None, :]).reshape(len(X) * roots.shape[1], -1)
            return np.asarray(np.linalg.qr(laid / lengths, mode="r"))

        size = max(self._block_rows(lengths.size) // self.outputs, 1)
        return np.asarray(np.linalg.qr(np.concatenate(list(map_slices(task, self.rows, size))), "r"))

    def longest_row(self, inverse_root: Floats | None = None) -> float:
        """Return the greatest length of a row of X, or of X times ``inverse_root``."""

        def task(rows: slice) -> float:
            X = self._block(rows).X.astype(np.float64, copy=False)
            X = X if inverse_root is None else X @ inverse_root
            return float(np.sqrt(np.einsum("ij,ij->i", X, X).max()))

        return max(map_slices(task, self.rows, self._block_rows(self.X.shape[1])))

    def predictor(self, w: Floats) -> Floats:
        """Return X W, rows x outputs."""
        W = w.reshape(self.shape)
        blocks = map_slices(lambda rows: self._block(rows).X @ W, self.rows, self._block_rows(self.X.shape[1]))
        return np.concatenate(list(blocks))

    def products(self) -> Floats:
        """Return X'X or, of fewer rows than columns, X X', which has the same eigenvalues but for zeros."""
        if self.every > 1 or not 0 < self.rows < self.X.shape[1]:
            return self.gram()
        X, _ = self.rooted(slice(0, self.rows))
        with np.errstate(**QUIET):
            return np.asarray(X @ X.T)

    def batches(self, size: int, order: Any, *, drop_last: bool = False) -> Iterator[RowsObjective]:
        """Yield the objective of each ``size`` rows in an order; the last, smaller one too unless ``drop_last``.

        A batch is good until the next one is asked for: rows are gathered a cache's worth at a time, into one buffer.
        """
        rows = order.size // size * size if drop_last else order.size
        together = size * max(BATCHES_BYTES // (size * self.X[:1].nbytes), 1)
        X, Y = np.empty((min(together, rows), self.X.shape[1]), self.X.dtype), self.Y[order[:rows]]
        weights = None if self.data.weight is None else self.data.weight[order[:rows]]
        for first in range(0, rows, together):
            chosen = order[first : min(first + together, rows)]
            self.X.take(chosen, axis=0, out=X[: chosen.size], mode="clip")
            for start in range(0, chosen.size, size):
                stop = min(start + size, chosen.size)
                own = slice(first + start, first + stop)
                weight = None if weights is None else weights[own]
                yield replace(self, data=DesignRows(X[start:stop], Y[own], weight))

    def sampled(self, every: int, seed: int = 0) -> RowsObjective:
        """Return the objective of one row out of ``every`` so many neighbours, drawn at random.

        So neither a sorted table nor one with a period misleads it. Of a sample too large to copy, each block takes
        rows that are evenly spaced from a start of its own.
        """
        size = len(self.X) // every
        if size * self.X[0].nbytes > GATHERED_BYTES:
            return replace(self, every=every)
        return replace(self, data=self.data.one_in(every, seed))

    def _block(self, rows: slice) -> DesignRows:
        if self.every > 1:
            start = rows.start * self.every + int(np.random.default_rng(rows.start).integers(self.every))
            rows = slice(start, rows.stop * self.every, self.every)
        return self.data.part(rows)

    def rooted(self, rows: slice) -> tuple[Floats, Floats]:
        """Return a block of X and Y in float64, each row times the root of its weight: so its squares count for it."""
        block = self._block(rows)
        X, Y = block.X.astype(np.float64, copy=False), block.Y.astype(np.float64, copy=False)
        if block.weight is None:
            return X, Y
        roots = np.sqrt(block.weight.astype(np.float64))
        return X * roots, Y * roots

    def _summed(self, part: Any, *, squared: bool = False) -> tuple[Floats, ...]:
        size = block_rows(self.X.shape[1] + self.outputs, self.X.itemsize, squared=squared)
        return summed(part, self.rows, size)

    def _block_rows(self, columns: int) -> int:
        return max(block_rows(columns), 4 * columns)
