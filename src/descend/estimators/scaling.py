"""Columns of an array scaled for the descent, and their parameters taken in and out again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from descend.base.moments import moments, same, scaling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats


@dataclass(frozen=True)
class Scaling:
    """Each column's mean and scale, and whether there is an intercept, which is then the first column inside.

    ``constant`` marks the columns that are the same in every row, but for rounding, and their mean is taken off: inside
    they are 0, and their coefficients too.
    """

    means: Floats
    scales: Floats
    intercept: bool
    constant: NDArray[np.bool_]

    @classmethod
    def learn(
        cls,
        X: Floats,
        weights: Floats | None,
        *,
        intercept: bool,
        standardize: bool,
        settle: bool = False,
        more: bool = False,
    ) -> Scaling:
        """Take weighted means and deviations (without an intercept root mean squares), or just 0 and 1.

        settle: without ``standardize``, too, leave no effect to columns that are the same in every row.
        more: other rows will follow, so none of these columns is constant yet.
        """
        if weights is not None and weights.any():  # a row that counts for nothing tells nothing
            X, weights = X[weights > 0], weights[weights > 0]
        means, sizes, spreads = moments(lambda part: [X[part].astype(np.float64)], *X.shape, weights=weights)
        means, scales = scaling(
            means, sizes, spreads, len(X), intercept=intercept, standardize=standardize, settle=settle
        )
        return cls(means, scales, intercept, same(spreads, sizes) & (means != 0) & (not more))

    @classmethod
    def given(cls, means: Floats, scales: Floats, *, intercept: bool) -> Scaling:
        """Return that of columns of which only this is known."""
        return cls(means, scales, intercept, np.zeros(means.size, dtype=bool))

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
        inner[:, self.constant] = 0.0
        if self.intercept:
            columns[:, 0] = 1.0
        return columns

    def inward(self, coefficients: Floats, intercepts: Floats) -> Floats:
        """Return parameters of the columns inside, columns x outputs."""
        inner = (coefficients * self.scales).T
        return np.concatenate([(intercepts + coefficients @ self.means)[None], inner]) if self.intercept else inner

    def outward(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return coefficients (outputs x columns) and intercepts (outputs,) of the columns outside."""
        coefficients = np.where(self.constant, 0.0, weights[int(self.intercept) :].T / self.scales)
        if not self.intercept:
            return coefficients, np.zeros(len(coefficients))
        return coefficients, weights[0] - coefficients @ self.means
