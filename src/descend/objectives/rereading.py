"""A loss over rows that are read again for every point: one reading gives its value, gradient and Hessian there."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from descend.base.reductions import total_of
from descend.objectives.partitioned import PartsObjective

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.in_memory import RowsObjective
    from descend.objectives.losses import Loss
    from descend.objectives.rows import DesignRows

REMEMBERED = 4  # points: a solver ends at one of its last, where the certificate and the errors are asked for


@dataclass(frozen=True)
class HeldBlock:
    """Some rows, and the places of those that are ``held`` back. Its receiver may overwrite the numbers."""

    data: DesignRows
    held: NDArray[np.int64]


@dataclass(frozen=True)
class Around:
    """The sum of the losses around the parameters ``w``: its value, gradient and Hessian, and the longest row of X."""

    w: Floats
    value: float
    gradient: Floats
    hessian: Floats
    longest: float

    @classmethod
    def of(cls, w: Floats, loss: Loss, block: HeldBlock) -> Around:
        """Return the sum over a block of rows, of a loss of one output; overwrites the block."""
        X, Y, held = block.data.X, block.data.Y, block.held
        Z, squares = X @ w[:, None], np.einsum("ij,ij->i", X, X)
        Z[held] = 0.0  # they are few, so it is faster to subtract what they add than to leave them out
        total, slopes, bends = loss.expansion(Z, Y)
        total = total - loss.value(Z[held], Y[held]).sum()
        squares[held] = slopes[held] = bends[held] = 0.0
        gradient = (slopes.T @ X)[0]
        X *= np.sqrt(bends, out=bends)
        return cls(w, total, gradient, X.T @ X, float(np.sqrt(squares.max(initial=0.0))))

    @classmethod
    def total(cls, w: Floats, items: Iterable[Around]) -> Around:
        """Add up the sums of blocks or parts, in their order."""
        found = list(items)
        value, gradient, hessian = total_of((one.value, one.gradient, one.hessian) for one in found)
        return cls(w, float(value), gradient, hessian, max(one.longest for one in found))


class BlockedPart(Protocol):
    """What is held of a part that is read block by block."""

    def around(self, w: Floats) -> Around:
        """Return the sum of its rows' losses around ``w``."""
        ...


@dataclass(frozen=True)
class AroundAt:
    """Asks a part for the sum of its losses around ``w``."""

    w: Floats

    def __call__(self, part: BlockedPart) -> Around:
        """Return a part's answer."""
        return part.around(self.w)


@dataclass(frozen=True)
class RereadObjective(PartsObjective):
    """``PartsObjective`` of one output that reads its rows again each time; some are ``resident`` in memory."""

    resident: RowsObjective | None = None
    known: deque[Around] = field(default_factory=lambda: deque(maxlen=REMEMBERED), compare=False)

    def value(self, w: Floats) -> float:
        """Return the loss at ``w``; at zero it may be the same for every row."""
        if not w.any() and self.loss.even_at_zero:
            one = self.loss.value(np.zeros((1, self.outputs)), np.zeros((1, self.targets)))
            return float(one.sum()) * self.rows * self.share
        return self.value_and_gradient(w)[0]

    def value_and_gradient(self, w: Floats) -> tuple[float, Floats]:
        """Return both, and remember the Hessian."""
        found = self._around(w)
        penalty, pull = self._penalty(w), self._pull(w)
        with np.errstate(over="ignore", invalid="ignore"):
            return found.value * self.share + penalty, found.gradient * self.share + pull

    def hessian(self, w: Floats) -> Floats:
        """Return the second derivative at ``w``, parameters x parameters."""
        return np.asarray(self._around(w).hessian * self.share + self._ridge())

    def longest_row(self, inverse_root: Floats | None = None) -> float:
        """Return the greatest length of a row of X; times ``inverse_root``, the greatest that it can have then."""
        longest = self.known[-1].longest if self.known else super().longest_row()
        return longest * (1.0 if inverse_root is None else float(np.linalg.norm(inverse_root, 2)))

    def sampled(self, every: int, seed: int = 0) -> RowsObjective | PartsObjective:
        """Return the loss over the rows at hand: to find others costs as much as to read all."""
        return self.resident or super().sampled(every, seed)

    def _around(self, w: Floats) -> Around:
        for found in self.known:
            if np.array_equal(found.w, w):
                return found
        found = Around.total(w.copy(), self.holding.ask(AroundAt(w)))
        self.known.append(found)
        return found
