"""Softmax regression on pictures, made up and real, with scikit-learn's default penalty (C = 1)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.classifiers import sklearns, torches
from benchmarks.contest import TOLERANCES, Contestant, Race
from benchmarks.data import pixels
from benchmarks.digits import digits
from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import CrossEntropy
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

TARGET = 1e-6
CLASSES = 10
ROWS = 60_000
FEWEST = 800
SOLVERS = ("lbfgs", "newton-cg", "newton-cholesky", "saga")


def race(name: str, title: str, table: Callable[[int], tuple[Floats, Floats]], divisor: int) -> Race:
    X, codes = table(divisor)
    columns = X.shape[1]
    objective = RowsObjective(
        DesignRows(X, codes), CrossEntropy(), CLASSES, L2(1 / (2 * len(X)), np.arange(columns) > 0)
    )

    def descend(tolerance: float) -> Floats:
        from descend.solvers._lbfgs import lbfgs

        return lbfgs(objective, np.zeros(columns * CLASSES), tolerance=tolerance).weights

    return Race(
        name,
        title,
        objective,
        TARGET,
        (
            Contestant("descend", "descend", descend, TOLERANCES, "tolerance"),
            *sklearns(objective, SOLVERS, intercept=True),
            *torches(objective, adam=False),
        ),
    )


def made_up(divisor: int) -> tuple[Floats, Floats]:
    return pixels(max(ROWS // divisor, FEWEST), CLASSES)


def real(divisor: int) -> tuple[Floats, Floats]:
    X, codes = digits()
    rows = max(len(X) // divisor, FEWEST)
    return X[:rows], codes[:rows]


RACES = {
    "softmax-60000x784x10": partial(race, "softmax-60000x784x10", "Softmax regression on made-up pictures", made_up),
    "softmax-mnist": partial(race, "softmax-mnist", "Softmax regression on MNIST digits", real),
}
