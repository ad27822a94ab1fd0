"""Any loss over the rows of a design matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.losses import AbsoluteError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.losses import Loss

    Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class RowsObjective:
    """loss(X W, Y) over the rows, plus ``l2`` |W|^2 over the ``penalised`` columns.

    X is rows x columns, Y rows x targets (class codes for cross-entropy); W has ``outputs`` columns. The arithmetic
    runs in X's dtype.
    """

    X: Floats
    Y: Floats
    loss: Loss
    outputs: int
    l2: float
    penalised: NDArray[np.bool_]

    @property
    def shape(self) -> tuple[int, int]:
        """Columns and outputs."""
        return self.X.shape[1], self.outputs

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.X)

    @property
    def _share(self) -> float:
        """What one element's loss counts for: 1 over rows and targets for a mean."""
        return 1 / max(self.Y.size, 1) if self.loss.mean else 1.0

    def value(self, w: Floats) -> float:
        """Return the loss at ``w``."""
        W = w.reshape(self.shape)
        with np.errstate(over="ignore", invalid="ignore"):
            total = self.loss.value(self.X @ W, self.Y).sum() * self.X.dtype.type(self._share)
            return float(total + self._penalty(W))

    def gradient(self, w: Floats) -> Floats:
        """Return the derivative at ``w``."""
        return self.value_and_gradient(w)[1]

    def value_and_gradient(self, w: Floats) -> tuple[float, Floats]:
        """Return both from one product with X."""
        W = w.reshape(self.shape)
        share = self.X.dtype.type(self._share)
        with np.errstate(over="ignore", invalid="ignore"):
            Z = self.X @ W
            total = self.loss.value(Z, self.Y).sum() * share
            G = self.X.T @ (self.loss.slope(Z, self.Y) * share)
            if self.l2:
                G += 2 * self.l2 * np.where(self.penalised[:, None], W, 0).astype(G.dtype)
            return float(total + self._penalty(W)), G.ravel()

    def curvature_limit(self) -> float | None:
        """Return the loss's largest second derivative times the largest eigenvalue of X'X over its count."""
        if self.loss.curvature_limit is None:
            return None
        X = self.X.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            gram = X.T @ X
        if not np.isfinite(gram).all():
            return float("inf")
        return self.loss.curvature_limit * float(np.linalg.eigvalsh(gram)[-1]) * self._share + 2 * self.l2

    def row_curvature_limit(self) -> float | None:
        """Return the same for the worst single row: what every minibatch keeps under."""
        if self.loss.curvature_limit is None:
            return None
        longest = float(np.square(self.X.astype(np.float64)).sum(axis=1).max())
        share = self._share * self.rows if self.loss.mean else 1.0
        return self.loss.curvature_limit * longest * share + 2 * self.l2

    def shuffled(self, order: NDArray[np.int64]) -> RowsObjective:
        """Return the same rows in another order; they are gathered once, which batches then share."""
        return self._with(self.X[order], self.Y[order])

    def batch(self, start: int, stop: int) -> RowsObjective:
        """Return the objective of some neighbouring rows, without copying them."""
        return self._with(self.X[start:stop], self.Y[start:stop])

    def stages(self) -> list[RowsObjective]:
        """Return the objectives that lead a quasi-Newton solver here: itself, after rounder ones if it has corners."""
        if not isinstance(self.loss, AbsoluteError):
            return [self]
        spread = float(np.abs(self.Y - np.median(self.Y, axis=0)).mean()) or 1.0
        return [self.with_loss(self.loss.rounded(spread * 10.0**-power)) for power in range(1, 9)]

    def with_loss(self, loss: Loss) -> RowsObjective:
        """Return the objective with another loss over the same rows."""
        return RowsObjective(self.X, self.Y, loss, self.outputs, self.l2, self.penalised)

    def _with(self, X: Floats, Y: Floats) -> RowsObjective:
        return RowsObjective(X, Y, self.loss, self.outputs, self.l2, self.penalised)

    def _penalty(self, W: Floats) -> float:
        return self.l2 * float(np.square(W[self.penalised]).sum()) if self.l2 else 0.0
