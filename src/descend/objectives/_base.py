"""What the losses over rows have in common, wherever the rows are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.objectives.losses import Loss
    from descend.objectives.penalties import Penalty
    from descend.objectives.rows import DesignRows


class LossOverRows(ABC):
    """A loss over rows plus a penalty: what its elements count for. A subclass is a frozen dataclass."""

    if TYPE_CHECKING:  # fields or properties of a subclass: a property here would be taken for a field's default

        @property
        def loss(self) -> Loss:
            """The loss of an element."""

        @property
        def penalty(self) -> Penalty:
            """What is added to the loss of the rows."""

        @property
        def targets(self) -> int:
            """The columns of Y."""

        @property
        def rows(self) -> int:
            """The number of rows."""

    @property
    def elements(self) -> int:
        """Rows times targets: what a mean is divided by."""
        return max(self.rows * self.targets, 1)

    @property
    def share(self) -> float:
        """What one element's loss counts for: 1 over rows and targets for a mean."""
        return 1 / self.elements if self.loss.mean else 1.0

    @abstractmethod
    def value_and_gradient(self, w: Floats) -> tuple[float, Floats]:
        """Return the loss and its derivative at ``w``, from one reading of the rows."""

    def gradient(self, w: Floats) -> Floats:
        """Return the derivative at ``w``."""
        return self.value_and_gradient(w)[1]

    def under(self, loss: Loss) -> Self:
        """Return the same rows under another loss; one that only measures them has no penalty."""
        penalty = self.penalty.scaled(0.0) if loss.measure else self.penalty
        return replace(self, loss=loss, penalty=penalty)  # type: ignore[type-var]


class RowsBase(LossOverRows):
    """The loss of a linear predictor: its sizes and its largest curvatures."""

    if TYPE_CHECKING:

        @property
        def outputs(self) -> int:
            """The columns of the linear predictor."""

        @property
        def columns(self) -> int:
            """The columns of X."""

    @property
    def shape(self) -> tuple[int, int]:
        """Columns and outputs."""
        return self.columns, self.outputs

    @property
    def cells(self) -> int:
        """Rows times columns."""
        return self.rows * self.columns

    @property
    def heaviest(self) -> float:
        """The largest weight of a row."""
        return 1.0

    @abstractmethod
    def moments(self) -> tuple[Floats, Floats, Floats]:
        """Return X'X, X'Y and the diagonal of Y'Y (1 x targets)."""

    @abstractmethod
    def longest_row(self, inverse_root: Floats | None = None) -> float:
        """Return the greatest length of a row of X, or of X times ``inverse_root``."""

    def gram(self) -> Floats:
        """Return X'X."""
        return self.moments()[0]

    def products(self) -> Floats:
        """Return X'X, or a smaller matrix with the same eigenvalues but for zeros."""
        return self.gram()

    def curvature_limit(self) -> float | None:
        """Return the loss's largest second derivative times the largest eigenvalue of X'X over its count.

        None where the loss's has no limit; inf where the products overflow.
        """
        if self.loss.curvature_limit is None:
            return None
        products = self.products()
        if not np.isfinite(products).all():
            return float("inf")
        steepest = self.loss.curvature_limit * float(np.linalg.eigvalsh(products)[-1]) * self.share
        return steepest + self.penalty.curvature_limit

    def batch_curvature_limit(self, size: int) -> float | None:
        """Return the same for any batch of so many rows: as if all were the longest one, and as heavy as any."""
        if self.loss.curvature_limit is None:
            return None
        share = self.share * self.rows if self.loss.mean else float(size)
        steepest = self.loss.curvature_limit * self.longest_row() ** 2 * self.heaviest * share
        return steepest + self.penalty.curvature_limit


class HeldRows(LossOverRows):
    """The loss over rows in memory, ``data``; where these are a ``part`` of more, no sum is divided by their count."""

    if TYPE_CHECKING:

        @property
        def data(self) -> DesignRows:
            """The rows."""

        @property
        def part(self) -> bool:
            """Whether they are a part of more."""

    @property
    def X(self) -> Floats:
        """The design matrix, rows x columns."""
        return self.data.X

    @property
    def Y(self) -> Floats:
        """The targets, rows x targets."""
        return self.data.Y

    @property
    def targets(self) -> int:
        """The number of targets."""
        return int(self.Y.shape[1])

    @property
    def share(self) -> float:
        """What one element counts for: 1 where these rows are a part of more, as in ``LossOverRows`` otherwise."""
        return 1.0 if self.part else super().share

    def weighted(self, weights: Floats) -> Self:
        """Return the same with each row counting for its weight (rows,), as if it stood there so many times.

        For a mean the weights are scaled to a mean of 1, so that those of a batch say how much the batch counts for.
        """
        weights = np.asarray(weights, dtype=np.float64)
        if self.loss.mean:
            weights = weights / weights.mean()
        if (weights == 1).all():
            return self
        rows = replace(self.data, weight=weights[:, None].astype(self.X.dtype))
        return replace(self, data=rows)  # type: ignore[type-var]

    def beside(self, other: LossOverRows) -> Self:
        """Return the same with a loss that can be held against that of ``other`` rows: a sum counts for as many."""
        if self.loss.mean or self.rows == other.rows:
            return self
        return self.weighted(np.full(len(self.X), other.rows / self.rows))

    def shuffled(self, random: np.random.Generator) -> Any:
        """Return an order of the rows drawn at random."""
        return random.permutation(self.rows)

    def _total_and_slope(self, Z: Floats, Y: Floats, weights: Floats | None) -> tuple[Any, Floats]:
        """Return the sum of the losses and the derivative in Z, each row by its weight."""
        if weights is None:
            return self.loss.total_and_slope(Z, Y)
        return (self.loss.value(Z, Y) * weights).sum(), self.loss.slope(Z, Y) * weights
