"""A loss over rows in parts, wherever these are: what a solver asks is the sum of the parts' answers.

Each part is a ``RowsObjective`` over its own rows, whose sums are not divided by their count. Another process
holds it, or it is read from the file again for every question.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from descend.objectives._base import RowsBase
from descend.objectives.in_memory import GATHERED_BYTES, RowsObjective
from descend.objectives.rows import DesignRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from descend.base.typing import Floats
    from descend.objectives.losses import Loss
    from descend.objectives.penalties import Penalty
    from descend.objectives.sufficient_statistics import Sums
    from descend.tables.executors import Holding

Answer = TypeVar("Answer")


class PartRows(Protocol):
    """What is held of a part: its rows, or how they are read."""

    def in_memory(self) -> RowsObjective:
        """Return the loss over the part's rows."""
        ...


@dataclass(frozen=True)
class PartQuestion(Generic[Answer]):
    """A question about the loss over a part's rows, under the loss and of the sample that the solver looks at."""

    loss: Loss
    every: int
    seed: int
    question: Callable[[RowsObjective], Answer]

    def __call__(self, part: PartRows) -> Answer:
        """Return a part's answer."""
        own = part.in_memory()
        if own.loss != self.loss:
            own = replace(own, loss=self.loss)
        return self.question(own if self.every == 1 else own.sampled(self.every, self.seed))


@dataclass(frozen=True)
class PartsObjective(RowsBase):
    """The loss over the rows of all parts, plus a ``penalty`` on W; as ``RowsObjective``.

    ``columns`` and ``targets`` are X's and Y's, ``rows`` how many rows all parts have. ``sums`` are what a survey has
    added up for a squared error, so that the parts need not be asked. Where ``every`` is above 1, only one row out of
    so many counts.
    """

    holding: Holding
    loss: Loss
    outputs: int
    penalty: Penalty
    columns: int
    targets: int
    rows: int
    sums: Sums | None = None
    every: int = 1
    seed: int = 0

    @property
    def resident(self) -> RowsObjective | None:
        """Nothing: whoever holds the parts can be asked."""
        return None

    def value(self, w: Floats) -> float:
        """Return the loss at ``w``."""
        if self.loss.quadratic and self.sums is not None:
            known = self.sums.residual_squares(w.reshape(self.shape))
            if known is not None:
                return float(known.sum()) * self.share + self._penalty(w)
        return float(self._total(partial(RowsObjective.value, w=w))[0]) * self.share + self._penalty(w)

    def value_and_gradient(self, w: Floats) -> tuple[float, Floats]:
        """Return both from one reading of the rows."""
        value, gradient = self._total(partial(RowsObjective.value_and_gradient, w=w))
        penalty, pull = self._penalty(w), self._pull(w)
        with np.errstate(over="ignore", invalid="ignore"):
            return float(value) * self.share + penalty, gradient * self.share + pull

    def in_double(self) -> PartsObjective:
        """Return itself: parts are in float64."""
        return self

    def hessian(self, w: Floats) -> Floats:
        """Return the second derivative at ``w``, parameters x parameters."""
        return self._total(partial(RowsObjective.hessian, w=w))[0] * self.share + self._ridge()

    def mean_hessian(self, w: Floats) -> Floats:
        """Return the mean over the outputs of their own parts of the Hessian at ``w``, columns x columns."""
        return self._total(partial(RowsObjective.mean_hessian, w=w))[0] * self.share + np.diag(self.penalty.curvatures)

    def gram(self) -> Floats:
        """Return X'X."""
        return super().gram() if self.sums is None else self.sums.gram

    def moments(self) -> tuple[Floats, Floats, Floats]:
        """Return X'X, X'Y and the diagonal of Y'Y (1 x targets)."""
        if self.sums is not None and self.sums.centres.size:
            return self.sums.moments()
        gram, cross, squares = self._total(RowsObjective.moments)
        return gram, cross, squares

    def residual_squares(self, w: Floats) -> Floats:
        """Return the sum of the squared differences of X W and Y, of each target."""
        known = None if self.sums is None else self.sums.residual_squares(w.reshape(self.shape))
        return self._total(partial(RowsObjective.residual_squares, w=w))[0] if known is None else known

    def triangle(self, lengths: Floats) -> Floats:
        """Return R of a QR factorisation of X with its columns divided by ``lengths``, from the parts' own."""
        return np.asarray(
            np.linalg.qr(np.concatenate(list(self._ask(partial(RowsObjective.triangle, lengths=lengths)))), mode="r")
        )

    def longest_row(self, inverse_root: Floats | None = None) -> float:
        """Return the greatest length of a row of X, or of X times ``inverse_root``."""
        return max(map(float, self._ask(partial(RowsObjective.longest_row, inverse_root=inverse_root))))

    def sampled(self, every: int, seed: int = 0) -> RowsObjective | PartsObjective:
        """Return the objective of one row out of ``every`` neighbours; the rows of a small sample are fetched here."""
        if self.cells // every * 8 > GATHERED_BYTES:
            return replace(self, rows=self.rows // every, every=every, seed=seed, sums=None)
        found = [part for part in self._ask(partial(RowsObjective.sampled, every=every, seed=seed)) if len(part.X)]
        X, Y = np.concatenate([part.X for part in found]), np.concatenate([part.Y for part in found])
        return RowsObjective(DesignRows(X, Y), self.loss, self.outputs, self.penalty)

    def _penalty(self, w: Floats) -> float:
        return self.penalty.value(w.reshape(self.shape))

    def _pull(self, w: Floats) -> Floats:
        return self.penalty.gradient(w.reshape(self.shape)).ravel()

    def _ridge(self) -> Floats:
        return np.diag(np.repeat(self.penalty.curvatures, self.outputs))

    def _total(self, question: Callable[[RowsObjective], Any]) -> tuple[Floats, ...]:
        return self.holding.total(PartQuestion(self.loss, self.every, self.seed, question))

    def _ask(self, question: Callable[[RowsObjective], Answer]) -> Iterator[Answer]:
        return self.holding.ask(PartQuestion(self.loss, self.every, self.seed, question))
