"""Penalties: what is added to a loss so that the parameters stay small, each one object in ``PENALTIES``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from descend.base.registry import Registry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats


@dataclass(frozen=True)
class Penalty(ABC):
    """A penalty on parameters W (columns x outputs), of a ``strength`` of 0 or more; 0: none.

    ``counts`` (columns,) is what each column counts for: 0 or 1, or of a scaled column whatever makes it count as the
    column did before.
    """

    name: ClassVar[str]

    strength: float
    counts: NDArray[Any]

    @property
    def active(self) -> bool:
        """Whether it adds anything."""
        return bool(self.strength)

    @property
    def free(self) -> NDArray[np.bool_]:
        """Which columns it leaves alone: all, where it is not active."""
        return np.asarray(self.counts == 0) if self.active else np.ones(len(self.counts), dtype=bool)

    @property
    def even(self) -> bool:
        """Whether it counts all columns alike that it does not leave alone."""
        return not self.active or bool(np.isin(self.counts, (0, 1)).all())

    def scaled(self, strength: float) -> Self:
        """Return the same penalty of another strength."""
        return replace(self, strength=strength)

    def counting(self, counts: NDArray[Any]) -> Self:
        """Return the same penalty on other columns."""
        return replace(self, counts=counts)

    @abstractmethod
    def value(self, W: Floats) -> float:
        """Return what it adds to the loss; inf where that overflows."""

    @abstractmethod
    def gradient(self, W: Floats, dtype: Any = np.float64) -> Floats:
        """Return the derivative of ``value``, of W's shape, rounded to a dtype; 0 for the columns it leaves alone."""

    @property
    @abstractmethod
    def curvatures(self) -> Floats:
        """The second derivative in each column's parameters, (columns,), which is the same at every W."""

    @property
    def curvature_limit(self) -> float:
        """The largest of the curvatures."""
        return float(np.max(self.curvatures, initial=0.0)) if self.active else 0.0


PENALTIES: Registry[type[Penalty]] = Registry("penalty")


@PENALTIES.add
@dataclass(frozen=True)
class L2(Penalty):
    """strength times the sum of the squared parameters, each by its column's count (Hoerl and Kennard 1970)."""

    name: ClassVar[str] = "l2"

    def value(self, W: Floats) -> float:
        """Return strength times the sum of count w^2."""
        if not self.active:
            return 0.0
        kept = self.counts > 0
        with np.errstate(over="ignore"):
            return self.strength * float((self.counts[kept, None] * np.square(W[kept])).sum())

    def gradient(self, W: Floats, dtype: Any = np.float64) -> Floats:
        """Return 2 strength count w."""
        kept = np.where(self.counts[:, None] > 0, W, 0)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(2 * self.strength * (self.counts[:, None] * kept).astype(dtype))

    @property
    def curvatures(self) -> Floats:
        """2 strength count."""
        return np.asarray(2 * self.strength * self.counts, dtype=np.float64)
