"""Objectives: a loss over a table's rows as a function of a flat vector of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]


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


class Batched(Objective, Protocol):
    """An objective over rows that can be looked at a few rows at a time."""

    @property
    def rows(self) -> int:
        """The number of rows."""
        ...

    def batches(self, size: int, order: NDArray[np.int64], *, drop_last: bool = False) -> Iterator[Objective]:
        """Yield the objective of each ``size`` rows in an order, good until the next one is asked for."""
        ...
