"""The rows that a diagnosis looks at closely: all of them, or a random sample of a large table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.design.blocks import Block
    from descend.design.matrix import Design
    from descend.objectives.in_memory import RowsObjective

ROWS = 20_000  # of a sample: an effect that a test does not find in so many rows is too small to matter
CELLS = 4_000_000  # numbers: the time to factorise more is noticeable
TALL = 5  # rows of a sample for each column, at least
FACTORED = 2e10  # operations of a factorisation, at most: more would take longer than the fit


@dataclass(frozen=True)
class Subsample:
    """A sample of the fitted rows: X and Y as the solver has them, in float64.

    ``rows`` is the number of fitted rows, ``chosen`` the positions of the sample among them, in order.
    """

    rows: int
    chosen: NDArray[np.int64]
    X: Floats
    Y: Floats

    @classmethod
    def of(cls, objective: RowsObjective) -> Subsample:
        """Draw the sample; the same rows each time for the same table."""
        X, Y = objective.X, objective.Y
        rows, columns = X.shape
        most = min(ROWS, max(CELLS // columns, TALL * columns))
        chosen = np.arange(rows)
        if rows > most:
            chosen = np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
            X, Y = X[chosen], Y[chosen]
        return cls(rows, chosen, X.astype(np.float64, copy=False), Y.astype(np.float64, copy=False))

    @property
    def whole(self) -> bool:
        """Whether these are all the rows."""
        return self.chosen.size == self.rows

    @property
    def factored(self) -> bool:
        """Whether the columns are few enough to be factorised."""
        rows, columns = self.X.shape
        return bool(float(rows) * columns * min(rows, columns) <= FACTORED)

    @cached_property
    def _svd(self) -> tuple[Floats, Floats, Floats, Floats, NDArray[np.bool_]]:
        lengths = np.abs(self.X).max(axis=0)
        lengths[lengths == 0] = 1.0
        Q, R = np.linalg.qr(self.X / lengths)
        U, spread, V = np.linalg.svd(R, full_matrices=False)
        solid = spread > np.finfo(np.float64).eps * max(self.X.shape) * spread[0]
        return Q @ U, spread, V.T, lengths, solid

    @cached_property
    def basis(self) -> Floats:
        """Orthonormal columns that span those of X, rows x rank."""
        U, _, _, _, solid = self._svd
        return U[:, solid]

    @cached_property
    def root(self) -> Floats:
        """The matrix that X is multiplied by to give the basis, columns x rank."""
        _, spread, V, lengths, solid = self._svd
        return np.asarray(V[:, solid] / spread[solid] / lengths[:, None])

    @cached_property
    def flat(self) -> Floats:
        """The null space of X, columns x directions."""
        _, _, V, lengths, solid = self._svd
        return np.asarray(V[:, ~solid] / lengths[:, None])

    def among(self, mask: NDArray[np.bool_]) -> Subsample:
        """Return only the marked rows of these."""
        return Subsample(self.rows, self.chosen[mask], self.X[mask], self.Y[mask])

    def wider(self, column: Floats) -> Subsample:
        """Return the same rows with one more column, the last."""
        return Subsample(self.rows, self.chosen, np.column_stack([self.X, column]), self.Y)

    def even(self, columns: NDArray[np.intp], *, centred: bool) -> tuple[Floats, Floats]:
        """Return singular values (falling) and right vectors (columns x values) of columns of length 1."""
        largest = np.abs(self.X[:, columns]).max(axis=0)
        X = self.X[:, columns] / np.where(largest > 0, largest, 1.0)
        if centred:
            X = X - X.mean(axis=0)
        lengths = np.sqrt(np.square(X).sum(axis=0))
        _, spread, V = np.linalg.svd(np.linalg.qr(X / np.where(lengths > 0, lengths, 1.0), mode="r"))
        return spread, V.T


def placed(design: Design) -> Iterator[tuple[Block, slice]]:
    """Yield every block of the design and where its columns stand."""
    start = int(design.hypothesis.intercept)
    for block in design.blocks:
        stop = start + len(block.names)
        yield block, slice(start, stop)
        start = stop


def listed(names: list[str], most: int = 6) -> str:
    """Return names as a list with commas, cut short where it is long."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
