"""Objectives: a loss over a table's rows as a function of a flat vector of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from descend.base.typing import Floats
    from descend.objectives.losses import Loss
    from descend.objectives.penalties import Penalty


class Objective(Protocol):
    """What every solver asks of an engine; the parameters are columns x outputs, laid out row by row.

    A minimum of ``value`` is sought; it includes the penalty, where there is one.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """Columns and outputs: the parameters are that many, flat."""
        ...

    def value(self, w: Floats) -> float:
        """Return the loss at ``w``; not finite where it overflows."""
        ...

    def gradient(self, w: Floats) -> Floats:
        """Return the derivative at ``w``, flat."""
        ...

    def value_and_gradient(self, w: Floats) -> tuple[float, Floats]:
        """Return both, at the cost of one reading of the rows."""
        ...

    def curvature_limit(self) -> float | None:
        """Return the largest eigenvalue that the Hessian can have anywhere, None where it has no limit."""
        ...


class RowsLoss(Objective, Protocol):
    """What a solver asks of the loss over the rows of a table, beside its value and slope."""

    @property
    def loss(self) -> Loss:
        """The loss of an element."""
        ...

    @property
    def penalty(self) -> Penalty:
        """What is added to the loss of the rows."""
        ...

    @property
    def outputs(self) -> int:
        """Columns of the linear predictor."""
        ...

    @property
    def rows(self) -> int:
        """The number of rows."""
        ...

    @property
    def targets(self) -> int:
        """The number of targets."""
        ...

    @property
    def elements(self) -> int:
        """Rows times targets: what a mean is divided by."""
        ...

    @property
    def share(self) -> float:
        """What one element's loss counts for."""
        ...

    def hessian(self, w: Floats) -> Floats:
        """Return the second derivative at ``w``, parameters x parameters."""
        ...

    def mean_hessian(self, w: Floats) -> Floats:
        """Return the mean over the outputs of their own parts of the Hessian, columns x columns."""
        ...

    def under(self, loss: Loss) -> OverRows:
        """Return the same rows under another loss; one that only measures them has no penalty."""
        ...


class RowsSums(Protocol):
    """What is added up, or looked for, over all rows: the sums of squares and products, and the longest row."""

    def moments(self) -> tuple[Floats, Floats, Floats]:
        """Return X'X, X'Y and the diagonal of Y'Y."""
        ...

    def residual_squares(self, w: Floats) -> Floats:
        """Return the sum of the squared residuals of each target."""
        ...

    def triangle(self, lengths: Floats) -> Floats:
        """Return R of a QR factorisation of X with its columns divided by ``lengths``."""
        ...

    def longest_row(self, inverse_root: Floats | None = None) -> float:
        """Return the greatest length of a row of X, or of X times ``inverse_root``."""
        ...


class RowsAccess(Protocol):
    """What decides how the rows are read: how many numbers they are, and what a sample or a batch of them is like."""

    @property
    def cells(self) -> int:
        """Rows times columns."""
        ...

    @property
    def resident(self) -> OverRows | None:
        """A random draw of the rows that stays in memory, of an objective that reads the others again each time.

        Each of its readings is expensive and gives the Hessian along with the gradient. None of any other objective.
        """
        ...

    def in_double(self) -> OverRows:
        """Return the same loss with its arithmetic in float64."""
        ...

    def sampled(self, every: int, seed: int = 0) -> OverRows:
        """Return the loss over one row out of ``every`` so many."""
        ...

    def batch_curvature_limit(self, size: int) -> float | None:
        """Return the largest curvature of any batch of so many rows, None where it has no limit."""
        ...


class OverRows(RowsLoss, RowsSums, RowsAccess, Protocol):
    """The loss over the rows of a table, for solvers and for whoever looks at a fit.

    The rows may be in memory, in a file or on other machines.
    """


class Batched(Objective, Protocol):
    """An objective over rows that can be looked at a few rows at a time."""

    @property
    def rows(self) -> int:
        """The number of rows."""
        ...

    def shuffled(self, random: np.random.Generator) -> Any:
        """Return an order of the rows drawn at random, which ``batches`` follows."""
        ...

    def batches(self, size: int, order: Any, *, drop_last: bool = False) -> Iterator[Objective]:
        """Yield the objective of each ``size`` rows in an order, good until the next one is asked for."""
        ...
