"""Least squares, and a thousand epochs of gradient descent on it, beside solvers of least squares."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.contest import Contestant, Race
from benchmarks.data import linear
from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import SquaredError
from descend.objectives.penalties import L2
from descend.objectives.quadratic import GramObjective
from descend.objectives.rows import DesignRows
from descend.solvers._quadratic_minimum import quadratic_minimum
from descend.solvers.closed_form import fast_forward
from descend.solvers.optimizers import SGD
from descend.solvers.rates import best_rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

TARGET = 1e-9
EPOCHS = 1000
STATSMODELS = 1_000_000


def race(name: str, rows: int, columns: int, divisor: int) -> Race:
    X, Y = linear(max(rows // divisor, 10 * columns), columns)
    penalised = np.arange(columns) > 0
    objective = RowsObjective(DesignRows(X, Y), SquaredError(), 1, L2(0.0, penalised))
    y, start = Y.ravel(), np.zeros(columns)

    def answer(_: float) -> Floats:
        return quadratic_minimum(GramObjective.of(objective), start).weights

    def reading(_: float) -> Floats:
        return GramObjective.of(objective).minimum.ravel()

    def epochs(_: float) -> Floats:
        gram = GramObjective.of(objective)
        history = fast_forward(gram, start, SGD(best_rate(gram.curvatures)), EPOCHS)
        if len(history.loss) != EPOCHS + 1:
            raise RuntimeError("an epoch's loss is missing")
        return history.weights

    told, alone = f"descend, {EPOCHS} epochs with every loss", "descend, the Gram pass alone"
    return Race(
        name,
        "Least squares",
        objective,
        TARGET,
        (
            Contestant("descend", "descend", answer),
            Contestant(alone, "descend", reading),
            Contestant(told, "descend", epochs),
            *peers(X, y, rows),
        ),
        pairs=((told, alone),),
    )


def peers(X: Floats, y: Floats, rows: int) -> list[Contestant]:
    def sklearn(_: float) -> Floats:
        from sklearn.linear_model import LinearRegression

        return LinearRegression(fit_intercept=False).fit(X, y).coef_

    def ridge(_: float) -> Floats:
        from sklearn.linear_model import Ridge

        return Ridge(alpha=0, solver="cholesky", fit_intercept=False).fit(X, y).coef_

    def sklearnex(_: float) -> Floats:
        from sklearnex.linear_model import LinearRegression

        return LinearRegression(fit_intercept=False).fit(X, y).coef_

    def numpy(_: float) -> Floats:
        return np.linalg.lstsq(X, y, rcond=None)[0]

    def torch(_: float) -> Floats:
        from torch import from_numpy, linalg

        return linalg.lstsq(from_numpy(X), from_numpy(y[:, None]), driver="gels").solution.numpy().ravel()

    def glum(_: float) -> Floats:
        from glum import GeneralizedLinearRegressor

        return GeneralizedLinearRegressor(family="normal", alpha=0, fit_intercept=False).fit(X, y).coef_

    def statsmodels(_: float) -> Floats:
        from statsmodels.api import OLS

        return OLS(y, X).fit(method="qr").params

    found = [
        Contestant("scikit-learn LinearRegression", "sklearn", sklearn),
        Contestant("scikit-learn Ridge(alpha=0), Cholesky", "sklearn", ridge),
        Contestant("scikit-learn-intelex LinearRegression", "sklearnex", sklearnex),
        Contestant("numpy.linalg.lstsq", "numpy", numpy),
        Contestant("torch.linalg.lstsq, gels", "torch", torch),
        Contestant("glum, normal", "glum", glum),
    ]
    return [*found, Contestant("statsmodels OLS, QR", "statsmodels", statsmodels)] if rows <= STATSMODELS else found


RACES = {
    "squared-error-1e6x50": partial(race, "squared-error-1e6x50", 1_000_000, 50),
    "squared-error-1e7x10": partial(race, "squared-error-1e7x10", 10_000_000, 10),
    "squared-error-1e5x500": partial(race, "squared-error-1e5x500", 100_000, 500),
}
