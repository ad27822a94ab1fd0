"""Logistic regression without a penalty, on columns of one scale and of many, to the same excess loss."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.classifiers import sklearns, torches
from benchmarks.contest import NEWTON, TOLERANCES, Contestant, Race
from benchmarks.data import binary
from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import BinaryCrossEntropy
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

TARGET = 1e-9
SOLVERS = ("lbfgs", "newton-cg", "newton-cholesky", "sag", "saga")


def race(name: str, rows: int, columns: int, unscaled: bool, divisor: int) -> Race:
    X, Y = binary(max(rows // divisor, 20 * columns), columns, unscaled=unscaled)
    objective = RowsObjective(DesignRows(X, Y), BinaryCrossEntropy(), 1, L2(0.0, np.arange(columns) > 0))

    def descend(tolerance: float) -> Floats:
        from descend.solvers._lbfgs import lbfgs

        return lbfgs(objective, np.zeros(columns), tolerance=tolerance).weights

    return Race(
        name,
        "Logistic regression" + (" on unscaled columns" if unscaled else ""),
        objective,
        TARGET,
        (
            Contestant("descend", "descend", descend, TOLERANCES, "tolerance"),
            *sklearns(objective, SOLVERS, intercept=False),
            *torches(objective, adam=True),
            *others(X, Y.ravel()),
        ),
    )


def others(X: Floats, y: Floats) -> list[Contestant]:
    def statsmodels(rung: float) -> Floats:
        from statsmodels.api import Logit

        return Logit(y, X).fit(method="newton", maxiter=int(rung), disp=0, warn_convergence=False).params

    def glum(rung: float) -> Floats:
        from glum import GeneralizedLinearRegressor

        model = GeneralizedLinearRegressor(
            family="binomial", alpha=0, fit_intercept=False, max_iter=int(rung), gradient_tol=1e-12
        )
        return model.fit(X, y).coef_

    return [
        Contestant("statsmodels Logit, newton", "statsmodels", statsmodels, NEWTON, "max_iter"),
        Contestant("glum, binomial", "glum", glum, NEWTON, "max_iter"),
    ]


RACES = {
    "logistic-1e6x50": partial(race, "logistic-1e6x50", 1_000_000, 50, False),
    "logistic-1e6x50-unscaled": partial(race, "logistic-1e6x50-unscaled", 1_000_000, 50, True),
    "logistic-1e5x500": partial(race, "logistic-1e5x500", 100_000, 500, False),
}
