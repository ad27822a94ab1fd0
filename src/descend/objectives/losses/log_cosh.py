"""The log-cosh loss: a square near the target and a line away from it, with all its derivatives."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.objectives.losses.loss import LOSSES, Elementwise

if TYPE_CHECKING:
    from descend.base.typing import Floats


@dataclass(frozen=True)
class LogCosh(Elementwise):
    """scale^2 log(cosh(r / scale)), with r = z - y: r^2 / 2 near the target, scale |r| less a constant away from it."""

    name: str = "logcosh"
    scale: float = 1.0
    mean: bool = True
    families = ("linear",)
    curvature_limit = 1.0
    concordance = 2.0  # the third derivative is -2 tanh times the second
    degree = 1

    def formula(self, xp: Any, Z: Any, Y: Any) -> Any:
        """Return log1p(2 sinh(r / 2)^2) near the target, |r| + log1p(e^(-2 |r|)) - log 2 away from it.

        No digits cancel in the first and nothing overflows in the second.
        """
        size = xp.abs(Z - Y) / self.scale
        near = xp.log1p(2 * xp.square(xp.sinh(xp.clip(size, None, 1.0) / 2)))
        far = size + xp.log1p(xp.exp(-2 * size)) - math.log(2)
        return xp.where(size < 1, near, far) * self.scale**2

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return scale tanh(r / scale)."""
        return np.asarray(self.scale * np.tanh((Z - Y) / self.scale))

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return 1 / cosh(r / scale)^2."""
        small = np.exp(-2 * np.abs(Z - Y) / self.scale)
        return np.asarray(4 * small / np.square(1 + small))

    @property
    def cornered(self) -> bool:
        """Yes: from far away the slope seems to jump."""
        return True

    def residual(self, value: float) -> float:
        """Return the residual of a loss on the line."""
        return value / self.scale + self.scale * math.log(2)

    def rounded(self, size: float) -> LogCosh:
        """Return the loss with a larger scale, itself where that is as large."""
        return replace(self, scale=size) if size > self.scale else self


LOSSES.add(LogCosh())
