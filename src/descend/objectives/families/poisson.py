"""The Poisson family: counts, whose logarithm of the mean is linear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.errors import DesignError
from descend.objectives.families._family import FAMILIES, TargetColumn
from descend.objectives.families._numbers import NumberFamily
from descend.objectives.losses import LOSSES, Elementwise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.base.messages import Note
    from descend.base.typing import Floats
    from descend.objectives.families._family import TargetFields
    from descend.tables.columns import Columns

LEAST_MEAN = float(np.finfo(np.float64).tiny)  # a mean nearer to 0 is taken for this one where its logarithm is wanted


class LogLink:
    """The logarithm of the mean."""

    linear = False
    outer = "exp"

    def link(self, mean: Floats) -> Floats:
        """Return log(mean)."""
        return np.asarray(np.log(np.maximum(mean, LEAST_MEAN)))

    def inverse(self, Z: Floats) -> Floats:
        """Return e^z, infinite where that is beyond all numbers."""
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(Z))


@dataclass(frozen=True)
class PoissonDeviance(Elementwise):
    """e^z - y - y (z - log y), half the Poisson deviance: minus the log-likelihood, less that of a perfect fit.

    It is y (e^d - 1 - d) with d = z - log y, in which no digits cancel where counts are large, and e^z where y is 0.
    """

    name: str = "poisson"
    mean: bool = True
    families = ("poisson",)
    likelihood = True
    concordance = 1.0  # every derivative but the first is e^z

    def formula(self, xp: Any, Z: Any, Y: Any) -> Any:
        """Return y (e^d - 1 - d), or e^z."""
        D = Z - xp.log(xp.where(Y > 0, Y, xp.ones_like(Y)))
        return xp.where(Y > 0, Y * (xp.expm1(D) - D), xp.exp(Z))

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return e^z - y."""
        return np.asarray(np.exp(Z) - Y)

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return e^z."""
        return np.asarray(np.exp(Z))

    def constant_loss(self, Y: Floats) -> float | None:
        """Return half the deviance of the mean, mean(y log(y / mean))."""
        return float(deviances(Y, Y.mean(axis=0, keepdims=True)).mean() / 2)

    def check(self, Y: Floats, column: str) -> None:
        """A mean is above 0: a target below it has none, and one that is 0 in every row has no logarithm."""
        if (Y < 0).any():
            raise DesignError("design.below-zero", column=column)


class PoissonFamily(NumberFamily):
    """Counts: whole numbers from 0, whose variance is their mean."""

    name = "poisson"
    link = LogLink()
    one_column = True
    dispersion = False
    loss = "poisson"
    verdict = "counts"
    error = "deviance"
    estimator = "PoissonRegressor"

    def recognised(self, column: TargetColumn) -> Note | None:
        """Nothing: counts are numbers, which the linear family takes, so that this one is asked for."""

    def encode(self, target: TargetFields, data: Columns) -> Floats:
        """Return the counts, rows x 1; raises DesignError for a number that is no count.

        Fractions are refused: the variance of counts is their mean, and of a rate it depends on the rate's unit, so
        that standard errors would.
        """
        counts = super().encode(target, data)
        wrong = (counts[:, 0] < 0) | (counts[:, 0] != np.floor(counts[:, 0]))
        if wrong.any():
            row = int(np.argmax(wrong))
            value, column = float(counts[row, 0]), target.columns[0]
            raise DesignError("design.not-count", column=column, value=value, file=data.file(row), line=data.line(row))
        return counts

    def overdispersion(self, Y: Floats, means: Floats, columns: int) -> tuple[float, float] | None:
        """Return Pearson's statistic over its degrees of freedom, and the chance by the test of Dean and Lawless.

        Under Poisson counts the sum of ((y - mean)^2 - y) / mean has the variance 2 n (1989, JASA 84, 467-472).
        """
        from scipy.special import ndtr

        means = np.maximum(means, LEAST_MEAN)
        squares = np.square(Y - means) / means
        excess = float((squares - Y / means).sum()) + columns
        return float(squares.sum()) / max(len(Y) - columns, 1), float(ndtr(-excess / np.sqrt(2 * len(Y))))

    def metrics(self, target: TargetFields) -> tuple[str, ...]:
        """Return deviance, the mean Poisson deviance; d2, the share of the mean's that is explained; and mae."""
        return "deviance", "d2", "mae"

    def score(self, target: TargetFields, truth: Floats, predicted: Floats) -> list[tuple[str, dict[str, float]]]:
        """Return the scores of the counts; d2 is against the rows' own mean, NaN where they do not vary."""
        deviance = float(deviances(truth, predicted).mean())
        alone = float(deviances(truth, truth.mean(axis=0, keepdims=True)).mean())
        d2 = 1 - deviance / alone if alone > 0 else float("nan")
        return [(target.columns[0], {"deviance": deviance, "d2": d2, "mae": float(np.abs(truth - predicted).mean())})]

    def headline(self, target: TargetFields) -> str:
        """Return deviance."""
        return "deviance"

    def row_errors(self, target: TargetFields, truth: Floats, predicted: Floats) -> Floats:
        """Return each row's deviance."""
        return np.asarray(deviances(truth, predicted)[:, 0])

    def equation(self, target: TargetFields, sums: Sequence[str], names: Sequence[str]) -> list[str]:
        """Return the mean count as an exponential."""
        return [f"{target.columns[0]} = exp({sums[0]})"]

    def network_equation(self, target: TargetFields, told: str) -> str:
        """Return the mean count as the exponential of the network."""
        return f"{target.columns[0]} = exp({told})"


def deviances(counts: Floats, means: Floats) -> Floats:
    """Return the Poisson deviance of each count, 2 (y log(y / mean) - y + mean) (McCullagh and Nelder 1989, 2.3)."""
    means = np.maximum(means, LEAST_MEAN)
    logs = np.log(np.where(counts > 0, counts / means, 1.0))
    return np.asarray(2 * (counts * logs - counts + means))


LOSSES.add(PoissonDeviance())
FAMILIES.add(PoissonFamily())
