"""The loss of an equation over rows, wherever these are: what solvers and analyses ask of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.formula.ast import Curve
    from descend.objectives.losses import Loss
    from descend.objectives.penalties import Penalty


class TangentSums(NamedTuple):
    """What the rows say of an equation at some parameters; a row of weight k is k rows.

    triangles: for each output R of a QR factorisation of its derivative, at most parameters x parameters.
    residuals, targets: the sum of the squared residuals, and of the squared targets, of each output.
    """

    triangles: tuple[Floats, ...]
    residuals: Floats
    targets: Floats


class CurveLoss(ABC):
    """The loss of an equation over rows plus a penalty on its parameters ``w`` (flat, in the order of the curve's).

    A subclass is a frozen dataclass: over rows in memory, or in parts that are read or held elsewhere. A loss that is
    not finite says that an expression is not defined there.
    """

    if TYPE_CHECKING:  # fields or properties of a subclass: a property here would be taken for a field's default

        @property
        def curve(self) -> Curve:
            """The expressions, with the names of their columns and parameters."""

        @property
        def loss(self) -> Loss:
            """The loss of an element."""

        @property
        def penalty(self) -> Penalty:
            """What is added to the loss of the rows."""

        @property
        def rows(self) -> int:
            """The number of rows."""

        @property
        def targets(self) -> int:
            """The number of targets."""

    @property
    def shape(self) -> tuple[int, int]:
        """The number of parameters, and 1."""
        return len(self.curve.parameters), 1

    @property
    def outputs(self) -> int:
        """The number of expressions."""
        return len(self.curve.expressions)

    @property
    def elements(self) -> int:
        """Rows times targets: what a mean is divided by."""
        return max(self.rows * self.targets, 1)

    @property
    def share(self) -> float:
        """What one element's loss counts for: 1 over rows and targets for a mean."""
        return 1 / self.elements if self.loss.mean else 1.0

    @abstractmethod
    def value(self, w: Floats) -> float:
        """Return the loss at ``w``; not finite where it overflows or is not defined."""

    @abstractmethod
    def value_and_gradient(self, w: Floats) -> tuple[float, Floats]:
        """Return the loss and its derivative from one reading of the rows."""

    @abstractmethod
    def gauss_newton(self, w: Floats) -> tuple[float, Floats, Floats]:
        """Return the loss, its derivative, and J'CJ with C the loss's curvature: the Hessian without f's own."""

    @abstractmethod
    def hessian(self, w: Floats) -> Floats:
        """Return the second derivative at ``w``, parameters x parameters."""

    @abstractmethod
    def triangle(self, w: Floats) -> Floats:
        """Return R with R'R the sum over the rows of J'CJ, without the penalty and not divided by their count.

        By QR of the rows, so that it has digits where J'CJ has lost them.
        """

    @abstractmethod
    def target_squares(self) -> float:
        """Return the sum of the squared targets, of rows that count by their weight."""

    @abstractmethod
    def tangents(self, w: Floats) -> TangentSums:
        """Return the triangular factors of the derivative, and the sums of squares."""

    def gradient(self, w: Floats) -> Floats:
        """Return the derivative at ``w``."""
        return self.value_and_gradient(w)[1]

    def curvature_limit(self) -> None:
        """Return None: the curvature has no limit that is known."""
        return

    def under(self, loss: Loss) -> Self:
        """Return the same rows under another loss; one that only measures them has no penalty."""
        penalty = self.penalty.scaled(0.0) if loss.measure else self.penalty
        return replace(self, loss=loss, penalty=penalty)  # type: ignore[type-var]
