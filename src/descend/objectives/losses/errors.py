"""Losses of numbers: the squared, absolute and relative error, Huber's loss and the squared error of logarithms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.errors import DesignError
from descend.objectives.losses._measures import Bulging, RelativeSquaredError, Shortfall
from descend.objectives.losses.loss import LOSSES, Elementwise, LossParameter

if TYPE_CHECKING:
    from descend.base.typing import Floats


@dataclass(frozen=True)
class SquaredError(Elementwise):
    """(z - y)^2; its mean or, with ``mean=False``, its sum."""

    name: str = "mse"
    mean: bool = True
    families = ("linear",)
    curvature_limit = 2.0
    quadratic = True
    degree = 2

    @property
    def sklearn(self) -> str | None:
        """Scikit-learn's is half of the mean; a sum is not among its losses."""
        return "squared_error" if self.mean else None

    def formula(self, xp: Any, Z: Any, Y: Any) -> Any:
        """Return (z - y)^2."""
        return xp.square(Z - Y)

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return 2 (z - y)."""
        return 2 * (Z - Y)

    def total_and_slope(self, Z: Floats, Y: Floats) -> tuple[Any, Floats]:
        """Return both from one difference."""
        E = Z - Y
        return np.square(E).sum(), 2 * E

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return 2."""
        return np.full_like(Z, 2)

    def constant_loss(self, Y: Floats) -> float | None:
        """Return the variance, which the mean reaches."""
        return float(Y.var(axis=0).mean()) if self.mean else None


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
    families = ("linear",)

    @property
    def degree(self) -> int:  # type: ignore[override]
        """1, and 0 of the relative error, whose target has no unit and cannot be centred."""
        return 0 if self.relative else 1

    def errors(self, Z: Floats, Y: Floats) -> tuple[Floats, Floats]:
        """Return the errors, and their lengths in which corners are rounded."""
        E = (Z - Y) / np.abs(Y) if self.relative else Z - Y
        return E, np.hypot(E, self.rounding) if self.rounding else np.abs(E)

    def _weighed(self, slopes: Floats, Y: Floats, power: int = 1) -> Floats:
        return np.asarray(slopes / np.abs(Y) ** power) if self.relative else slopes

    def formula(self, xp: Any, Z: Any, Y: Any) -> Any:
        """Return |z - y|, or |z - y| / |y|, without rounding."""
        return xp.abs((Z - Y) / Y) if self.relative else xp.abs(Z - Y)

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return the formula's loss, or that with a rounded corner."""
        if not self.rounding:
            return super().value(Z, Y)
        E, length = self.errors(Z, Y)
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
        """Whether the slope jumps where the error is 0: not once that is rounded."""
        return not self.rounding

    def rounded(self, size: float) -> AbsoluteError:
        """Return the same loss with its corner rounded."""
        return replace(self, rounding=size)

    @property
    def shortfall(self) -> Shortfall | None:
        """The gap to the linear programme's dual, of a rounded loss."""
        return Shortfall(self) if self.rounding else None

    def check(self, Y: Floats, column: str) -> None:
        """MAPE divides by the target, which must not be 0."""
        if self.relative and (Y == 0).any():
            raise DesignError("design.zero-target", column=column, loss=self.name)


@dataclass(frozen=True)
class Huber(Elementwise):
    """r^2 / 2 for |r| <= delta, else delta (|r| - delta / 2), with r = z - y (Huber 1964)."""

    delta: float = 1.0
    name: str = "huber"
    mean: bool = True
    families = ("linear",)
    parameters = (LossParameter("delta", "option.delta"),)
    curvature_limit = 1.0
    degree = 1

    @property
    def sklearn(self) -> str | None:
        """Scikit-learn calls it the same, and delta epsilon."""
        return "huber"

    def formula(self, xp: Any, Z: Any, Y: Any) -> Any:
        """Return the square near the target, the line away from it."""
        size = xp.abs(Z - Y)
        near = xp.clip(size, None, self.delta)
        return near * (size - near / 2)

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return r held to [-delta, delta]."""
        return np.clip(Z - Y, -self.delta, self.delta)

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return 1 near the target, 0 away from it."""
        return (np.abs(Z - Y) <= self.delta).astype(Z.dtype)

    @property
    def cornered(self) -> bool:
        """Yes: from far away the slope seems to jump."""
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
    families = ("linear",)

    def formula(self, xp: Any, Z: Any, Y: Any) -> Any:
        """Return the squared difference of the logarithms."""
        return xp.square(xp.log1p(xp.clip(Z, 0, None)) - xp.log1p(Y))

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


LOSSES.add(SquaredError())
LOSSES.add(SquaredError("sse", mean=False))
LOSSES.add(AbsoluteError())
LOSSES.add(Huber())
LOSSES.add(SquaredLogError())
LOSSES.add(AbsoluteError("mape", relative=True))
