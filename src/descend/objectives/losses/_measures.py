"""What belongs to a loss and cannot be fitted itself: a convex stand-in, and measures of a fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from descend.objectives.losses.loss import Elementwise, Loss

if TYPE_CHECKING:
    from descend.base.typing import Floats


@dataclass(frozen=True)
class RelativeSquaredError(Elementwise):
    """((z - y) / (1 + |y|))^2: what a squared difference of logarithms is nearly, where it is small."""

    name: str = "relative"
    mean: bool = True
    curvature_limit = 2.0

    def formula(self, xp: Any, Z: Any, Y: Any) -> Any:
        """Return the squared relative error."""
        return xp.square((Z - Y) / (1 + xp.abs(Y)))

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return 2 (z - y) / (1 + |y|)^2."""
        return np.asarray(2 * (Z - Y) / np.square(1 + np.abs(Y)))

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return 2 / (1 + |y|)^2."""
        return np.asarray(2 / np.square(1 + np.abs(Y)))


class Measure(Elementwise):
    """What is measured and not minimised: it has no slope."""

    mean: bool = True
    measure = True

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return 0."""
        return np.zeros_like(Z)

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return 0."""
        return np.zeros_like(Z)


class _RoundedError(Protocol):
    """An absolute error whose corner is rounded."""

    @property
    def rounding(self) -> float: ...

    def errors(self, Z: Floats, Y: Floats) -> tuple[Floats, Floats]: ...


@dataclass(frozen=True)
class Shortfall(Measure):
    """|e| - e s, with s the slope of a rounded absolute error in e: its sum is a gap between linear programmes.

    Where the slopes are orthogonal to the columns, as at the minimum of the rounded loss, they are a feasible point of
    the dual of the absolute error's programme, which maximises minus the sum of y s: the sum of these measures is the
    distance to that maximum.
    """

    of: _RoundedError
    name: str = "shortfall"

    def formula(self, xp: Any, Z: Any, Y: Any) -> Any:
        """Return |e| (1 - |e| / length), without a difference of two numbers that are nearly equal."""
        E, length = self.of.errors(Z, Y)
        share = np.divide(self.of.rounding, length, out=np.zeros_like(E), where=length > 0)
        cosine = np.divide(np.abs(E), length, out=np.ones_like(E), where=length > 0)
        return np.abs(E) * np.square(share) / (1 + cosine)


@dataclass(frozen=True)
class Bulging(Measure):
    """1 where a loss is not convex, else 0."""

    of: Loss
    name: str = "bulging"

    def formula(self, xp: Any, Z: Any, Y: Any) -> Any:
        """Return 1 where the curvature is not above 0."""
        return (self.of.curvature(Z, Y) <= 0).astype(Z.dtype)
