"""Rows as an objective sees them: one record of what is known of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from descend.base.typing import Floats


@dataclass(frozen=True)
class DesignRows:
    """The rows of a design matrix ``X`` (rows x columns) with their targets ``Y`` (rows x targets, or class codes).

    weight: (rows x 1), as how many rows each counts; None: as one.
    offset: (rows x outputs), what is added to each row's linear predictor; None: nothing. No objective takes one yet.
    """

    X: Floats
    Y: Floats
    weight: Floats | None = None
    offset: Floats | None = None

    def __len__(self) -> int:
        return len(self.X)

    def part(self, chosen: Any) -> DesignRows:
        """Return some of the rows, by a slice (no numbers are copied) or by their places."""
        return DesignRows(self.X[chosen], self.Y[chosen], _some(self.weight, chosen), _some(self.offset, chosen))

    def take(self, places: NDArray[np.int64]) -> DesignRows:
        """Return the rows at some places, copied."""
        weight, offset = _some(self.weight, places), _some(self.offset, places)
        return DesignRows(self.X.take(places, axis=0), self.Y.take(places, axis=0), weight, offset)

    def one_in(self, every: int, seed: int) -> DesignRows:
        """Return one row out of ``every`` so many neighbours, drawn at random, copied."""
        size = len(self) // every
        return self.take(np.arange(size) * every + np.random.default_rng(seed).integers(0, every, size))

    def astype(self, dtype: DTypeLike) -> DesignRows:
        """Return the same rows in another dtype."""
        changed = [None if one is None else one.astype(dtype) for one in (self.weight, self.offset)]
        return DesignRows(self.X.astype(dtype), self.Y.astype(dtype), *changed)


def _some(values: Floats | None, chosen: Any) -> Floats | None:
    return None if values is None else values[chosen]
