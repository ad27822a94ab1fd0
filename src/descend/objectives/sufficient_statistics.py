"""Squared error's sums over the rows, known from a survey: its moments and its residuals without another reading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from descend.base.errors import FitError

if TYPE_CHECKING:
    from descend.base.typing import Floats

LEAST = 1e4 * float(np.finfo(np.float64).tiny)  # of smaller ones an error of a hundredth has not all its digits
CANCELLED = 1e-6  # of the terms of which they are the sum: of residuals so small rounding leaves too few digits


@dataclass(frozen=True)
class Sums:
    """Sums over ``rows`` rows: ``gram`` X'X, ``ones`` X'1, and of Y less its ``centres`` ``cross`` X'Y and ``squares``.

    The centres are the targets' means where X has an intercept, its first column, and 0 where it has none. For classes
    there are no targets.
    """

    rows: int
    gram: Floats
    ones: Floats
    cross: Floats
    squares: Floats
    centres: Floats

    def moments(self) -> tuple[Floats, Floats, Floats]:
        """Return X'X, X'Y and the diagonal of Y'Y (1 x targets), of Y as it is."""
        cross = self.cross + np.outer(self.ones, self.centres)
        return self.gram, cross, (self.squares + self.rows * np.square(self.centres))[None, :]

    def residual_squares(self, W: Floats) -> Floats | None:
        """Return the sum of squares of X W - Y of each target, None where rounding would show in one."""
        moved = W.copy()
        if self.centres.any():
            moved[0] -= self.centres
        with np.errstate(over="ignore", invalid="ignore"):
            left = self.squares + (moved * (self.gram @ moved - 2 * self.cross)).sum(axis=0)
            size = np.abs(moved)
            terms = self.squares + (size * (np.abs(self.gram) @ size + 2 * np.abs(self.cross))).sum(axis=0)
        return left if (left > CANCELLED * terms).all() else None


def require_digits(squares: Floats, products: Floats) -> None:
    """Raise FitError where a target's squares vanish (1 x targets), though its ``products`` show that it does not."""
    if ((squares < LEAST) & (np.abs(products).max(axis=0, initial=0.0) > 0)).any():
        raise FitError("fit.squares-vanish")
