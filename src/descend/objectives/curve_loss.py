"""The loss of an equation over rows, wherever these are: what solvers and analyses ask of it."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from descend.objectives._base import LossOverRows

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.formula.ast import Curve


class TangentSums(NamedTuple):
    """What the rows say of an equation at some parameters; a row of weight k is k rows.

    triangles: for each output R of a QR factorisation of its derivative, at most parameters x parameters.
    residuals, targets: the sum of the squared residuals, and of the squared targets, of each output.
    """

    triangles: tuple[Floats, ...]
    residuals: Floats
    targets: Floats


class CurveLoss(LossOverRows):
    """The loss of an equation over rows plus a penalty on its parameters ``w`` (flat, in the order of the curve's).

    A subclass is a frozen dataclass: over rows in memory, or in parts that are read or held elsewhere. A loss that is
    not finite says that an expression is not defined there.
    """

    if TYPE_CHECKING:

        @property
        def curve(self) -> Curve:
            """The expressions, with the names of their columns and parameters."""

    @property
    def shape(self) -> tuple[int, int]:
        """The number of parameters, and 1."""
        return len(self.curve.parameters), 1

    @property
    def outputs(self) -> int:
        """The number of expressions."""
        return len(self.curve.expressions)

    @abstractmethod
    def value(self, w: Floats) -> float:
        """Return the loss at ``w``; not finite where it overflows or is not defined."""

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

    def curvature_limit(self) -> None:
        """Return None: the curvature has no limit that is known."""
        return

    def _whole(self, total: Any, w: Floats) -> float:
        """Return the loss from its sum over the rows."""
        with np.errstate(over="ignore", invalid="ignore"):
            return float(total) * self.share + float(self.penalty.value(w[:, None]))

    def _slope(self, total: Floats, w: Floats) -> Floats:
        """Return the derivative from its sum over the rows."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(total * self.share + self.penalty.gradient(w[:, None], w.dtype).ravel())

    def _bent(self, total: Floats) -> Floats:
        """Return the second derivative from its sum over the rows."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(total * self.share + np.diag(self.penalty.curvatures))
