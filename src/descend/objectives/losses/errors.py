"""Losses of numbers: squared, relative, absolute, rounded and logarithmic errors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.errors import DesignError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

from descend.objectives.losses.loss import Elementwise, Loss


@dataclass(frozen=True)
class SquaredError(Elementwise):
    """(z - y)^2; its mean or, with ``mean=False``, its sum."""

    name: str = "mse"
    mean: bool = True
    curvature_limit: float | None = 2.0

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return (z - y)^2."""
        return np.square(Z - Y)

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return 2 (z - y)."""
        return 2 * (Z - Y)

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return 2."""
        return np.full_like(Z, 2)


@dataclass(frozen=True)
class RelativeSquaredError(Elementwise):
    """((z - y) / (1 + |y|))^2: what a squared difference of logarithms is nearly, where it is small."""

    name: str = "relative"
    mean: bool = True
    curvature_limit: float | None = 2.0

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return the squared relative error."""
        return np.asarray(np.square((Z - Y) / (1 + np.abs(Y))))

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return 2 (z - y) / (1 + |y|)^2."""
        return np.asarray(2 * (Z - Y) / np.square(1 + np.abs(Y)))

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return 2 / (1 + |y|)^2."""
        return np.asarray(2 / np.square(1 + np.abs(Y)))


@dataclass(frozen=True)
class AbsoluteError(Elementwise):
    """|z - y|; its slope is 0 where they are equal.

    ``relative`` divides the error by |y| (MAPE). With e the error, ``rounding`` r > 0 gives the smooth
    sqrt(e^2 + r^2) - r, at most r below.
    """

    name: str = "mae"
    relative: bool = False
    rounding: float = 0.0
    mean: bool = True
    curvature_limit: float | None = None

    def errors(self, Z: Floats, Y: Floats) -> tuple[Floats, Floats]:
        """Return the errors, and their lengths in which corners are rounded."""
        E = (Z - Y) / np.abs(Y) if self.relative else Z - Y
        return E, np.hypot(E, self.rounding) if self.rounding else np.abs(E)

    def _weighed(self, slopes: Floats, Y: Floats, power: int = 1) -> Floats:
        return np.asarray(slopes / np.abs(Y) ** power) if self.relative else slopes

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return |z - y|, or |z - y| / |y|."""
        E, length = self.errors(Z, Y)
        if not self.rounding:
            return np.asarray(length)
        share = E / (length + self.rounding)  # so that no digits cancel where the rounding is large
        return np.asarray(E * share)

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return the sign of z - y, or that over |y|."""
        E, length = self.errors(Z, Y)
        signs: Floats = np.divide(E, length, out=np.zeros_like(E), where=length > 0)
        return self._weighed(signs, Y)

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return 0, or that of the rounded corner."""
        _, length = self.errors(Z, Y)
        share = np.divide(self.rounding, length, out=np.zeros_like(length), where=length > 0)
        bent: Floats = np.divide(np.square(share), length, out=np.zeros_like(length), where=length > 0)
        return self._weighed(bent, Y, 2)

    @property
    def cornered(self) -> bool:
        """Where the error is 0, unless that is rounded."""
        return not self.rounding

    def rounded(self, size: float) -> AbsoluteError:
        """Return the same loss with its corner rounded."""
        return replace(self, rounding=size)

    @property
    def shortfall(self) -> Shortfall | None:
        """By how much the minimum of a rounded loss can be above that of the loss itself."""
        return Shortfall(self) if self.rounding else None

    def check(self, Y: Floats, column: str) -> None:
        """MAPE divides by the target, which must not be zero."""
        if self.relative and (Y == 0).any():
            raise DesignError("design.zero-target", column=column, loss=self.name)


class Measure(Elementwise):
    """What is only looked at, and is not made small: it has no slope."""

    mean: bool = True
    curvature_limit: float | None = None

    @property
    def measure(self) -> bool:
        """It does."""
        return True

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return 0."""
        return np.zeros_like(Z)

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return 0."""
        return np.zeros_like(Z)


@dataclass(frozen=True)
class Shortfall(Measure):
    """|e| - e s, with s the slope of a rounded absolute error in e: its sum is a gap between linear programmes.

    Where the slopes are orthogonal to the columns, as at the minimum of the rounded loss, they are a feasible point of
    the dual of the absolute error's programme, in which minus the sum of y s is made large: what that falls short by
    is the sum of these.
    """

    of: AbsoluteError
    name: str = "shortfall"

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return |e| (1 - |e| / length), without a difference of what is nearly equal."""
        E, length = self.of.errors(Z, Y)
        share = np.divide(self.of.rounding, length, out=np.zeros_like(E), where=length > 0)
        cosine = np.divide(np.abs(E), length, out=np.ones_like(E), where=length > 0)
        return np.asarray(np.abs(E) * np.square(share) / (1 + cosine))


@dataclass(frozen=True)
class Bulging(Measure):
    """1 where a loss is not convex, else 0."""

    of: Loss
    name: str = "bulging"

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return which curvatures are not above 0."""
        return (self.of.curvature(Z, Y) <= 0).astype(Z.dtype)


@dataclass(frozen=True)
class Huber(Elementwise):
    """r^2 / 2 for |r| <= delta, else delta (|r| - delta / 2), with r = z - y (Huber 1964)."""

    delta: float = 1.0
    name: str = "huber"
    mean: bool = True
    curvature_limit: float | None = 1.0

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return the square near the target, the line away from it."""
        size = np.abs(Z - Y)
        near = np.minimum(size, self.delta)
        return np.asarray(near * (size - near / 2))

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return r held to [-delta, delta]."""
        return np.clip(Z - Y, -self.delta, self.delta)

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return 1 near the target, 0 away from it."""
        return (np.abs(Z - Y) <= self.delta).astype(Z.dtype)

    @property
    def cornered(self) -> bool:
        """Seen from far away."""
        return True

    def residual(self, value: float) -> float:
        """Return the residual of a loss on the line."""
        return value / self.delta + self.delta / 2

    def rounded(self, size: float) -> Huber:
        """Return the loss with a larger delta, itself where that is as large."""
        return replace(self, delta=size) if size > self.delta else self


@dataclass(frozen=True)
class SquaredLogError(Elementwise):
    """(log(1 + z) - log(1 + y))^2, with z below 0 counted as 0; not convex."""

    name: str = "msle"
    mean: bool = True
    curvature_limit: float | None = None

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return the squared difference of the logarithms."""
        return np.asarray(np.square(np.log1p(np.maximum(Z, 0)) - np.log1p(Y)))

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return 2 (log(1 + z) - log(1 + y)) / (1 + z), 0 below 0."""
        held = np.maximum(Z, 0)
        return np.where(Z < 0, 0, 2 * (np.log1p(held) - np.log1p(Y)) / (1 + held))

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return 2 (1 - difference) / (1 + z)^2, 0 below 0."""
        held = np.maximum(Z, 0)
        return np.where(Z < 0, 0, 2 * (1 - np.log1p(held) + np.log1p(Y)) / np.square(1 + held))

    @property
    def convex(self) -> RelativeSquaredError:
        """The squared relative error."""
        return RelativeSquaredError()

    @property
    def hollow(self) -> Bulging:
        """Elements below 0, or more than e times too large."""
        return Bulging(self)

    def check(self, Y: Floats, column: str) -> None:
        """The logarithm needs a target that is not negative."""
        if (Y < 0).any():
            raise DesignError("design.negative-target", column=column, loss=self.name)
