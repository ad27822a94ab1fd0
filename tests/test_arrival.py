"""Every loss from every start arrives where an independent solver does, or says that it has not."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.optimize import linprog, minimize
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

import descend
from descend.estimators import DescentClassifier, DescentRegressor

ROWS, COLUMNS = 60, 2
SIZES = [1e-6, 1e-3, 1.0, 250_000.0, 1e9]
LOSSES = ["mse", "sse", "mae", "huber", "msle", "mape", "binary_cross_entropy", "cross_entropy"]
CLASSES = {"binary_cross_entropy": 2, "cross_entropy": 3}
CLOSE = 1e-8  # of the loss


def table(loss, size, seed=0):
    """Return columns (rows x 2) of mean 0 and deviation 1, and a target of that size."""
    random = np.random.default_rng([seed, LOSSES.index(loss)])
    X = random.normal(size=(ROWS, COLUMNS))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    if loss in CLASSES:
        W = random.normal(size=(COLUMNS, CLASSES[loss]))
        return X, np.argmax(X @ W + 2 * random.gumbel(size=(ROWS, CLASSES[loss])), axis=1)
    noise = random.standard_t(3, ROWS) if loss not in ("msle", "mape") else random.normal(size=ROWS)
    return X, size * np.maximum(10 + X @ [1.0, -2.0] + noise, 1.0)


def value(loss, X, y, W, l2):
    """Return the loss as its definition has it (rows x columns with the intercept; W columns x outputs)."""
    Z = np.column_stack([np.ones(len(X)), X]) @ W
    error = Z[:, 0] - y
    penalty = l2 * np.square(W[1:]).sum()
    if loss == "binary_cross_entropy":
        return np.logaddexp(0, np.where(y == 1, -Z[:, 0], Z[:, 0])).mean() + penalty
    if loss == "cross_entropy":
        return (logsumexp(Z, axis=1) - Z[np.arange(len(y)), y]).mean() + penalty
    near = np.minimum(np.abs(error), 1)
    each = {
        "mse": lambda: np.square(error),
        "sse": lambda: np.square(error) * len(y),
        "mae": lambda: np.abs(error),
        "huber": lambda: near * (np.abs(error) - near / 2),
        "mape": lambda: np.abs(error / y),
        "msle": lambda: np.square(np.log1p(np.maximum(Z[:, 0], 0)) - np.log1p(y)),
    }[loss]()
    return each.mean() + penalty


def programme(X, y, weights):
    """Return the least mean weighted absolute error, from the linear programme, in units of the target's size."""
    A, size, n = np.column_stack([np.ones(len(X)), X]), np.abs(y).max(), len(y)
    cost = np.concatenate([np.zeros(A.shape[1]), weights, weights]) / weights.max()
    found = linprog(
        cost, A_eq=np.hstack([A, np.eye(n), -np.eye(n)]), b_eq=y / size,
        bounds=[(None, None)] * A.shape[1] + [(0, None)] * 2 * n,
    )  # fmt: skip
    return float((weights * np.abs(A @ found.x[: A.shape[1]] * size - y)).mean())


def reference(loss, X, y, l2):
    """Return the least loss that SciPy finds, from starts near the answer; inf where a corner leaves it no way."""
    if loss in ("mae", "mape") and not l2:
        return programme(X, y, np.ones(len(y)) if loss == "mae" else 1 / y)
    if loss in ("mae", "mape"):
        return np.inf  # a corner and a square: held to what other starts reach
    outputs = 3 if loss == "cross_entropy" else 1
    size = 1.0 if loss in CLASSES else float(np.abs(y).max())
    A = np.column_stack([np.ones(len(X)), X])
    start = np.zeros((COLUMNS + 1, outputs))
    if loss not in CLASSES:
        start[:, 0] = np.linalg.lstsq(A, y, rcond=None)[0] / size
    scale = value(loss, X, y, start * size, l2) or 1.0

    def scaled(w):
        return value(loss, X, y, w.reshape(start.shape) * size, l2) / scale

    found = minimize(scaled, start.ravel(), method="BFGS", options={"gtol": 1e-12})
    if loss in CLASSES:  # round enough for that
        return found.fun * scale
    found = minimize(scaled, found.x, method="Nelder-Mead", options={"xatol": 1e-14, "fatol": 1e-16, "maxiter": 4000})
    return found.fun * scale


def starts(loss, size):
    """Return where to begin: at zero, and with linear predictors of a thousand times the target's size or so."""
    outputs = CLASSES.get(loss, 1) if loss == "cross_entropy" else 1
    far = 1e3 * max(size, 1.0)
    turn = np.resize([1.0, -1.0, 0.5], outputs)
    return {
        "near": "zeros",
        "far above": {"(intercept)": far * turn},
        "far below": {"(intercept)": -far * turn},
        "far aslant": {"x1": far * turn, "x2": -far * turn[::-1]},
    }


def fitted(loss, X, y, **settings):
    named = {"x1": X[:, 0], "x2": X[:, 1], "y": np.array(list("abc"))[y] if loss in CLASSES else y}
    family = {"binary_cross_entropy": "logistic", "cross_entropy": "softmax"}.get(loss, "linear")
    return descend.fit("y ~ x1 + x2", named, loss=loss, family=family, test="none", **settings)


CASES = [
    (loss, size, l2) for loss in LOSSES for size in (SIZES if loss not in CLASSES else [1.0]) for l2 in (0.0, 0.01)
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "size", "l2"), CASES)
def test_a_fit_from_anywhere_ends_at_the_minimum_or_says_that_it_does_not(loss, size, l2):
    X, y = table(loss, size)
    models = {name: fitted(loss, X, y, l2=l2, init=init) for name, init in starts(loss, size).items()}
    losses = {name: value(loss, X, y, model.weights, l2) for name, model in models.items()}
    least = min(reference(loss, X, y, l2), *losses.values())
    for name, model in models.items():
        assert model.history.final_loss == pytest.approx(losses[name], rel=1e-6, abs=1e-12 * size), name
        if model.history.stop in ("optimum", "solved"):
            assert losses[name] <= least * (1 + CLOSE), name
        else:
            assert any(finding.remedy() for finding in model.findings if "arrived" in finding.code), name
            assert model.certificate is None or model.certificate.kind == "none", name
    assert {model.history.stop for model in models.values()} <= {"optimum", "solved"}, "each of these can be reached"


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "size", "l2"), CASES)
def test_an_estimator_ends_at_the_minimum_or_warns(loss, size, l2):
    X, y = table(loss, size, 1)
    made = DescentClassifier(l2=l2) if loss in CLASSES else DescentRegressor(loss, l2=l2)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        made.fit(X, y)
    W = np.vstack([np.atleast_1d(made.intercept_)[None], np.atleast_2d(made.coef_).T])
    reached = value(loss, X, y, W, l2)
    warned = any(issubclass(one.category, ConvergenceWarning) for one in told)
    assert warned or reached <= reference(loss, X, y, l2) * (1 + CLOSE)
    assert not warned


def softmaxes():
    """Return a table of three classes that overlap, as columns."""
    random = np.random.default_rng(7)
    a, b = random.normal(size=(2, 300))
    return {"a": a, "b": 3 * b + 5, "kind": random.choice(["p", "q", "r"], 300, p=[0.5, 0.3, 0.2])}


WAYS = {
    "to the optimum": {},
    "with a penalty": {"l2": 0.01},
    "epoch by epoch": {"optimizer": "adam", "lr": 0.1, "epochs": 15},
    "epoch by epoch with a penalty": {"lr": 0.1, "epochs": 15, "l2": 0.01},
    "in batches": {"lr": 0.1, "epochs": 3, "batch_size": 50},
}
SHIFTED = [{"(intercept)": value} for value in (np.array([3.0, -1.0, 7.0]), np.array([13.0, 9.0, 17.0]))]


@pytest.mark.parametrize("settings", WAYS.values(), ids=WAYS)
def test_starts_that_differ_by_a_shift_of_all_classes_give_one_softmax(settings, tmp_path):
    import polars as pl

    data = softmaxes()
    pl.DataFrame(data).write_csv(tmp_path / "t.csv")
    models = [descend.fit("kind ~ a + b", data, init=init, test="none", **settings) for init in SHIFTED]
    models += [
        descend.fit("kind ~ a + b", str(tmp_path / "t.csv"), init=init, test="none", memory="10kB", **settings)
        for init in SHIFTED
    ]
    for model in models:
        np.testing.assert_allclose(model.weights[0].sum(), 0, atol=1e-12)
        np.testing.assert_allclose(model.history.snapshots.reshape(-1, 3, 3)[:, 0].sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(models[1].weights, models[0].weights, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(models[3].weights, models[2].weights, rtol=1e-9, atol=1e-9)
    if "batch_size" not in settings:
        np.testing.assert_allclose(models[2].weights, models[0].weights, rtol=1e-8, atol=1e-8)


def test_the_estimators_classes_add_up_to_zero_chunk_by_chunk_too():
    data = softmaxes()
    X, y = np.column_stack([data["a"], data["b"]]), data["kind"]
    made = DescentClassifier(l2=0.0, optimizer="adam", lr=0.1)
    for _ in range(5):
        made.partial_fit(X, y, classes=["p", "q", "r"])
    np.testing.assert_allclose(made.coef_.sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(made.intercept_.sum(), 0, atol=1e-12)


UNFINISHED = {
    "a rate far too small": {"lr": 1e-6, "epochs": 5},
    "adam at its own rate": {"optimizer": "adam", "epochs": 5},
    "a loss of absolute errors": {"optimizer": "adam", "epochs": 5, "loss": "mae"},
    "batches": {"lr": 1e-6, "epochs": 2, "batch_size": 20},
    "a start far away": {"lr": 0.1, "epochs": 12, "init": {"(intercept)": 1e9}},
}


@pytest.mark.parametrize("settings", UNFINISHED.values(), ids=UNFINISHED)
def test_a_run_that_is_far_from_the_optimum_carries_a_finding_with_a_remedy(settings):
    X, y = table("mse", 1.0)
    model = descend.fit("y ~ x1 + x2", {"x1": X[:, 0], "x2": X[:, 1], "y": y}, test="none", **settings)
    assert any(finding.remedy() for finding in model.findings if finding.severity != "hint")


@pytest.mark.slow
def test_nothing_that_overflows_on_the_way_is_told_on_the_screen(recwarn):
    X, y = table("mse", 1.0)
    data = {"x1": X[:, 0], "x2": X[:, 1], "y": y}
    for loss in ("mse", "sse", "mae", "huber", "msle", "mape"):
        for init in (1e160, 1e300, -1e300):
            for settings in ({}, {"lr": 0.1, "epochs": 3}):
                try:
                    descend.fit("y ~ x1 + x2", data, loss=loss, init={"(intercept)": init, "x1": init}, **settings)
                except descend.DescendError as error:
                    assert error.code in ("fit.diverged", "fit.diverged-stable", "fit.squares-not-finite")  # noqa: PT017
    assert not recwarn.list
