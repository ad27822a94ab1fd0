"""What a person calls, beside what they would call instead: estimators on arrays, and ``descend.fit`` on a frame.

The races time engines on a design that is made already; here everything from the call to its return counts.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from benchmarks.clock import timed
from benchmarks.data import binary, linear
from benchmarks.pairs import Case, Peer

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

SIZES = ((1_000_000, 50), (100_000, 500))


def cases(divisor: int) -> list[Case]:
    made = []
    for rows, columns in SIZES:
        size = f"{rows // divisor:,} x {columns}"
        X, Y = linear(rows // divisor, columns + 1)
        made += _numbers(f"least squares, {size}", X[:, 1:], Y.ravel())
    rows, columns = SIZES[0]
    X, Y = binary(rows // divisor, columns + 1)
    made += _classes(f"logistic without a penalty, {rows // divisor:,} x {columns}", X[:, 1:], Y.ravel())
    return made


def _numbers(what: str, X: Floats, y: Floats) -> list[Case]:
    from descend import DescentRegressor

    peers = (
        Peer("LinearRegression().fit", ("sklearn",), timed(partial(_sklearn, "LinearRegression", X, y))),
        Peer("Ridge(1e-9).fit", ("sklearn",), timed(partial(_sklearn, "Ridge", X, y, alpha=1e-9))),
    )
    calls = {"DescentRegressor().fit": lambda: DescentRegressor().fit(X, y), **_fits(X, y)}
    return [Case(f"{what}: {name}", timed(call), peers) for name, call in calls.items()]


def _classes(what: str, X: Floats, y: Floats) -> list[Case]:
    from descend import DescentClassifier

    settings = {"C": float("inf"), "tol": 1e-6, "max_iter": 1000}
    peers = tuple(
        Peer(
            f"LogisticRegression({solver}).fit",
            ("sklearn",),
            timed(partial(_sklearn, "LogisticRegression", X, y, solver=solver, **settings)),
        )
        for solver in ("lbfgs", "newton-cholesky")
    )
    calls = {"DescentClassifier().fit": lambda: DescentClassifier().fit(X, y), **_fits(X, y.astype(int))}
    return [Case(f"{what}: {name}", timed(call), peers) for name, call in calls.items()]


def _fits(X: Floats, y: Any) -> dict[str, Callable[[], Any]]:
    """Return ``descend.fit`` on a frame of the same columns, with its test on unseen rows and without."""
    import descend

    frame = pl.DataFrame({"y": y, **{f"x{index}": X[:, index].copy() for index in range(X.shape[1])}})
    return {
        'descend.fit("y ~ .", frame)': lambda: descend.fit("y ~ .", frame),
        'descend.fit("y ~ .", frame, test="none")': lambda: descend.fit("y ~ .", frame, test="none"),
    }


def _sklearn(name: str, X: Floats, y: Floats, **settings: Any) -> Any:
    import sklearn.linear_model

    return getattr(sklearn.linear_model, name)(**settings).fit(X, y)
