"""The minimum of an equation over many rows, from that of a few of them, by few readings: beside SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from curve_fixtures import over
from scipy.optimize import least_squares, minimize

from descend.objectives.curve import CurveObjective
from descend.solvers import curve_minimum
from descend.solvers.curve_minimum import minimise_curve
from descend.solvers.run_options import RunOptions

ROWS = 60_000
RANDOM = np.random.default_rng(7)
X = RANDOM.uniform(0, 5, ROWS)
EQUATION = "y = a*exp(-b*x) + c"
TRUE = np.array([3.0, 0.7, 1.0])
Y = TRUE[0] * np.exp(-TRUE[1] * X) + TRUE[2] + RANDOM.normal(0, 0.1, ROWS)
START = np.array([2.0, 1.0, 0.5])


def predicted(w):
    return w[0] * np.exp(-w[1] * X) + w[2]


def derivative(w):
    bend = np.exp(-w[1] * X)
    return np.stack([bend, -w[0] * X * bend, np.ones(ROWS)], axis=1)


def readings(monkeypatch, rows):
    """Return the list to which each reading of so many rows is added."""
    made = []
    for name in ("value", "value_and_gradient", "gauss_newton", "triangle", "linearised"):
        original = getattr(CurveObjective, name)

        def counted(self, *given, original=original, name=name):
            if self.rows == rows and not (name == "linearised" and len(given) > 1):
                made.append(name)
            return original(self, *given)

        monkeypatch.setattr(CurveObjective, name, counted)
    return made


@pytest.mark.parametrize("start", [START, None])
def test_the_minimum_of_many_rows_is_scipys_after_a_few_readings(monkeypatch, start):
    made = readings(monkeypatch, ROWS)
    history, search = minimise_curve(over(EQUATION, {"x": X, "y": Y}), start)
    assert len(made) <= 8
    fitted = least_squares(
        lambda w: predicted(w) - Y, START, lambda w: derivative(w), method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    np.testing.assert_allclose(history.weights, fitted.x, rtol=1e-9)
    assert history.stop == "optimum"
    assert history.final_loss == pytest.approx(np.mean((predicted(fitted.x) - Y) ** 2), rel=1e-13)
    assert search.given == (start is not None)
    assert not search.undetermined
    assert not search.endless


@pytest.mark.parametrize("loss", ["mse", "huber", "logcosh", "mae", "poisson", "binary_cross_entropy", "msle"])
@pytest.mark.parametrize("weighted", [False, True])
def test_any_loss_ends_where_the_steps_of_all_rows_end(monkeypatch, loss, weighted):
    monkeypatch.setattr(curve_minimum, "MANY", 5000)
    monkeypatch.setattr(curve_minimum, "FEW", 2000)
    random, rows = np.random.default_rng(11), 10_000
    clean = predicted(TRUE)[:rows]
    y = {
        "poisson": random.poisson(np.exp(clean / 3)).astype(float),
        "binary_cross_entropy": (random.uniform(size=rows) < 1 / (1 + np.exp(2 - clean))).astype(float),
    }.get(loss, np.abs(Y[:rows]))
    weight = random.uniform(0.5, 2, (rows, 1)) if weighted else None
    family = {"poisson": "poisson", "binary_cross_entropy": "logistic"}.get(loss, "linear")
    options = {"loss": loss, "family": family, "weight": weight, "l2": 0.001 if weighted else 0.0}
    objective = over(EQUATION, {"x": X[:rows], "y": y}, **options)
    start = {"poisson": TRUE / 3, "binary_cross_entropy": TRUE * [1, 1, -1]}.get(loss, START)
    found, _ = minimise_curve(objective, start, budget=0.0)
    monkeypatch.setattr(curve_minimum, "MANY", 10**9)
    expected, _ = minimise_curve(objective, start, budget=0.0)
    assert found.stop == expected.stop == "optimum"
    tolerance = 1e-5 if loss == "mae" else 1e-8  # the mean absolute error is flat between its corners
    np.testing.assert_allclose(found.weights, expected.weights, rtol=tolerance)
    assert found.final_loss <= expected.final_loss * (1 + 1e-12)
    slope = objective.gradient(found.weights)
    if loss != "mae":
        reference = minimize(
            objective.value, expected.weights * 1.001, jac=objective.gradient, method="BFGS", options={"gtol": 1e-10}
        )
        assert found.final_loss <= reference.fun * (1 + 1e-12)
        assert np.abs(slope).max() < 1e-10


def test_a_bound_that_stops_a_parameter_is_kept_and_told():
    low, high = np.array([-np.inf, 0.9, -np.inf]), np.array([np.inf, np.inf, np.inf])
    history, search = minimise_curve(over(EQUATION, {"x": X, "y": Y}), START, (low, high))
    fitted = least_squares(
        lambda w: predicted(w) - Y,
        START,
        lambda w: derivative(w),
        bounds=(low, high),
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-14,
    )
    assert search.at_bound == ("b",)
    assert history.weights[1] == 0.9
    np.testing.assert_allclose(history.weights, fitted.x, rtol=1e-6)


def test_several_outputs_share_their_parameters():
    clean = np.column_stack([TRUE[0] * np.exp(-TRUE[1] * X), TRUE[2] + TRUE[0] * X / (TRUE[1] + X)])
    noisy = clean + RANDOM.normal(0, 0.1, clean.shape)
    history, _ = minimise_curve(
        over("y = a*exp(-b*x); z = c + a*x/(b + x)", {"x": X, "y": noisy[:, 0], "z": noisy[:, 1]}),
        np.array([2.0, 1.0, 0.5]),
    )

    def errors(w):
        return (np.column_stack([w[0] * np.exp(-w[1] * X), w[2] + w[0] * X / (w[1] + X)]) - noisy).ravel()

    fitted = least_squares(errors, START, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    np.testing.assert_allclose(history.weights, fitted.x, rtol=1e-6)
    assert history.final_loss <= np.mean(errors(fitted.x) ** 2) * (1 + 1e-13)


def test_where_the_minimum_of_the_few_is_not_defined_for_all_rows_every_step_is_of_all_rows():
    x = np.concatenate([RANDOM.uniform(1, 5, ROWS), [0.31]])  # the row that is least likely to be among the few
    y = 2 * np.log(x - 0.3) + RANDOM.normal(0, 0.1, x.size)
    y[-1] = 2 * np.log(0.01)
    objective = over("y = a*log(x - b)", {"x": x, "y": y})
    history, _ = minimise_curve(objective, np.array([1.0, 0.0]))
    assert history.stop == "optimum"
    assert np.isfinite(history.final_loss)
    assert np.abs(objective.gradient(history.weights)).max() < 1e-10


def test_an_interrupted_run_ends_with_what_was_reached():
    seen = []

    def stop(step, loss):
        seen.append(step)
        raise KeyboardInterrupt

    history, _ = minimise_curve(over(EQUATION, {"x": X, "y": Y}), START, run=RunOptions(on_epoch=stop))
    assert seen
    assert history.stop == "interrupted"
    assert np.isfinite(history.final_loss)
