"""The scaling of an array's columns, and the conversion of parameters between scaled and given columns."""

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
    """Each column's mean and scale, and whether the scaled matrix starts with an intercept column.

    ``constant`` marks the columns that are the same in every row, up to rounding, and whose mean is subtracted: scaled,
    they and their coefficients are 0.
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
        """Compute weighted means and deviations (without an intercept root mean squares), or 0 and 1.

        settle: without ``standardize``, too, give no effect to columns that are the same in every row.
        more: further rows will follow, so no column counts as constant yet.
        """
        if weights is not None and weights.any():  # rows of weight 0 are ignored
            X, weights = X[weights > 0], weights[weights > 0]
        means, sizes, spreads = moments(lambda part: [X[part].astype(np.float64)], *X.shape, weights=weights)
        means, scales = scaling(
            means, sizes, spreads, len(X), intercept=intercept, standardize=standardize, settle=settle
        )
        return cls(means, scales, intercept, same(spreads, sizes) & (means != 0) & (not more))

    @classmethod
    def given(cls, means: Floats, scales: Floats, *, intercept: bool) -> Scaling:
        """Return the scaling of known means and scales."""
        return cls(means, scales, intercept, np.zeros(means.size, dtype=bool))

    @property
    def width(self) -> int:
        """The number of scaled columns, with the intercept."""
        return self.means.size + self.intercept

    @property
    def penalised(self) -> Floats:
        """The weight of each scaled parameter's square, so that the penalty is that of the given columns."""
        inverse = np.maximum(self.scales, 1e-150) ** -2.0  # a tiny scale must not overflow
        return np.concatenate([np.zeros(int(self.intercept)), inverse])

    def apply(self, X: Floats) -> Floats:
        """Return the scaled columns."""
        columns = np.empty((len(X), self.width))
        inner = columns[:, int(self.intercept) :]
        np.subtract(X, self.means, out=inner)
        inner /= self.scales
        inner[:, self.constant] = 0.0
        if self.intercept:
            columns[:, 0] = 1.0
        return columns

    def inward(self, coefficients: Floats, intercepts: Floats) -> Floats:
        """Return the parameters of the scaled columns, (columns, outputs)."""
        inner = (coefficients * self.scales).T
        return np.concatenate([(intercepts + coefficients @ self.means)[None], inner]) if self.intercept else inner

    def outward(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return coefficients (outputs, columns) and intercepts (outputs,) of the given columns."""
        coefficients = np.where(self.constant, 0.0, weights[int(self.intercept) :].T / self.scales)
        if not self.intercept:
            return coefficients, np.zeros(len(coefficients))
        return coefficients, weights[0] - coefficients @ self.means
