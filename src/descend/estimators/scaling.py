"""Columns of an array scaled for the descent, and their parameters taken in and out again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Scaling:
    """Each column's mean and scale, and whether there is an intercept, which is then the first column inside."""

    means: Floats
    scales: Floats
    intercept: bool

    @classmethod
    def learn(cls, X: Floats, weights: Floats | None, *, intercept: bool, standardize: bool) -> Scaling:
        """Take weighted means and deviations (without an intercept 0 and root mean squares), or just 0 and 1."""
        means, scales = np.zeros(X.shape[1]), np.ones(X.shape[1])
        if standardize:
            if intercept:
                means = np.average(X, axis=0, weights=weights).astype(np.float64)
            offsets = X - means
            longest = np.abs(offsets).max(axis=0)
            offsets /= np.where(longest > 0, longest, 1.0)  # so that no square overflows
            spreads = longest * np.sqrt(np.average(np.square(offsets), axis=0, weights=weights))
            scales = np.where(spreads > 1e-14 * np.abs(X).max(axis=0), spreads, 1.0)  # else nothing but rounding
        return cls(means, scales, intercept)

    @property
    def width(self) -> int:
        """The number of columns inside."""
        return self.means.size + self.intercept

    @property
    def penalised(self) -> Floats:
        """What the square of each parameter inside counts for, so that the penalty is that of the columns outside."""
        inverse = np.maximum(self.scales, 1e-150) ** -2.0  # a column of nearly nothing must not overflow
        return np.concatenate([np.zeros(int(self.intercept)), inverse])

    def apply(self, X: Floats) -> Floats:
        """Return the columns inside."""
        columns = np.empty((len(X), self.width))
        inner = columns[:, int(self.intercept) :]
        np.subtract(X, self.means, out=inner)
        inner /= self.scales
        if self.intercept:
            columns[:, 0] = 1.0
        return columns

    def inward(self, coefficients: Floats, intercepts: Floats) -> Floats:
        """Return parameters of the columns inside, columns x outputs."""
        inner = (coefficients * self.scales).T
        return np.concatenate([(intercepts + coefficients @ self.means)[None], inner]) if self.intercept else inner

    def outward(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return coefficients (outputs x columns) and intercepts (outputs,) of the columns outside."""
        coefficients = weights[int(self.intercept) :].T / self.scales
        if not self.intercept:
            return coefficients, np.zeros(len(coefficients))
        return coefficients, weights[0] - coefficients @ self.means
