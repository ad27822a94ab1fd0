"""The loss of an equation over rows: its value and derivatives beside mpmath's and finite differences."""

from __future__ import annotations

from itertools import product

import mpmath
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from descend.base import threads
from descend.formula.parser import parse
from descend.objectives.curve import CurveObjective, predictor_of
from descend.objectives.losses import LOSSES
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows

ROWS = 23
RANDOM = np.random.default_rng(0)
X = RANDOM.uniform(0.3, 3.0, ROWS)
AT = np.array([1.4, 0.6, 0.35, -0.2])
W = AT * 1.07


def first(a, b, c, d, x, xp):
    return a * xp.exp(-b * x) + c + d / (1 + x)


def second(a, b, c, d, x, xp):
    return a / (x + b) + c * x**b


CURVE = parse("y = a*exp(-b*x) + c + d/(1 + x); z = a/(x + b) + c*x**b").resolve(["x", "y", "z"]).curve
Z = np.column_stack([first(*AT, X, np), second(*AT, X, np)])
NOISY = np.abs(Z + RANDOM.normal(0, 0.4, Z.shape)) + 0.05
TARGETS = {
    "binary_cross_entropy": (np.median(NOISY) < NOISY).astype(float),
    "poisson": np.floor(2 * NOISY),
}
NUMBERS = [name for name, loss in LOSSES.items() if name != "cross_entropy"]
LOSS = {
    "mse": lambda z, y: (z - y) ** 2,
    "sse": lambda z, y: (z - y) ** 2,
    "mae": lambda z, y: abs(z - y),
    "mape": lambda z, y: abs((z - y) / y),
    "huber": lambda z, y: (z - y) ** 2 / 2 if abs(z - y) <= 1 else abs(z - y) - mpmath.mpf(0.5),
    "msle": lambda z, y: (mpmath.log1p(max(z, 0)) - mpmath.log1p(y)) ** 2,
    "logcosh": lambda z, y: mpmath.log(mpmath.cosh(z - y)),
    "binary_cross_entropy": lambda z, y: mpmath.log1p(mpmath.exp(z)) - y * z,
    "poisson": lambda z, y: mpmath.exp(z) - y - y * (z - (mpmath.log(y) if y else 0)),
}
WEIGHTS = RANDOM.uniform(0.5, 2.0, (ROWS, 1))


def objective_of(name, *, weighted=False, strength=0.0):
    rows = DesignRows(X[:, None], TARGETS.get(name, NOISY), WEIGHTS if weighted else None)
    return CurveObjective(rows, CURVE, LOSSES[name], L2(strength, np.ones(4)))


def exact_loss(name, w, *, weighted, strength):
    """Return the loss by mpmath."""
    Y, total = TARGETS.get(name, NOISY), mpmath.mpf(0)
    for row, x in enumerate(map(mpmath.mpf, X)):
        for output, curve in enumerate((first, second)):
            value = LOSS[name](curve(*w, x, mpmath), mpmath.mpf(Y[row, output]))
            total += value * (mpmath.mpf(WEIGHTS[row, 0]) if weighted else 1)
    share = 1 if name == "sse" else mpmath.mpf(1) / (2 * ROWS)
    return total * share + mpmath.mpf(strength) * sum(each**2 for each in w)


def derivatives(name, **options):
    """Return the value, the gradient and the Hessian by mpmath, in 60 digits."""

    def moved(*steps):
        return exact_loss(name, [mpmath.mpf(value) + step for value, step in zip(W, steps, strict=True)], **options)

    with mpmath.workdps(60):
        h = mpmath.mpf(10) ** -15
        here, gradient, hessian = moved(0, 0, 0, 0), np.zeros(4), np.zeros((4, 4))
        for p in range(4):
            ahead, back = (moved(*(side * h * (place == p) for place in range(4))) for side in (1, -1))
            gradient[p], hessian[p, p] = float((ahead - back) / (2 * h)), float((ahead - 2 * here + back) / h**2)
            for q in range(p):
                corners = [
                    s * t * moved(*(h * (s * (place == p) + t * (place == q)) for place in range(4)))
                    for s, t in product((1, -1), repeat=2)
                ]
                hessian[p, q] = hessian[q, p] = float(sum(corners) / (4 * h**2))
        return float(here), gradient, hessian


def test_each_loss_of_numbers_has_a_reference():
    assert set(NUMBERS) == set(LOSS)


@pytest.mark.parametrize(("weighted", "strength"), [(False, 0.0), (True, 0.3)])
@pytest.mark.parametrize("name", NUMBERS)
def test_value_gradient_and_hessian_are_mpmaths(name, weighted, strength):
    options = {"weighted": weighted, "strength": strength}
    objective = objective_of(name, **options)
    value, gradient, hessian = derivatives(name, **options)
    assert objective.value(W) == pytest.approx(value, rel=1e-13)
    found, slope = objective.value_and_gradient(W)
    assert found == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(slope, gradient, rtol=1e-11, atol=1e-13 * np.abs(gradient).max())
    np.testing.assert_array_equal(objective.gradient(W), slope)
    made = objective.hessian(W)
    np.testing.assert_allclose(made, hessian, rtol=1e-10, atol=1e-12 * np.abs(hessian).max())
    np.testing.assert_array_equal(made, made.T)


@pytest.mark.parametrize("name", NUMBERS)
def test_the_hessian_is_the_slope_of_the_gradient_by_finite_differences(name):
    objective = objective_of(name, weighted=True)
    made = objective.hessian(W)
    for place in range(4):
        step = 1e-6 * np.eye(4)[place]
        slope = (objective.gradient(W + step) - objective.gradient(W - step)) / 2e-6
        np.testing.assert_allclose(made[place], slope, rtol=1e-6, atol=1e-7 * np.abs(made).max())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", NUMBERS)
def test_gauss_newton_has_the_loss_its_gradient_and_the_products_of_the_derivative(name, weighted):
    objective = objective_of(name, weighted=weighted, strength=0.2)
    value, gradient, curvature = objective.gauss_newton(W)
    found, slope = objective.value_and_gradient(W)
    assert value == found
    np.testing.assert_array_equal(gradient, slope)
    Z, J = objective.linearised(W)
    bends = np.maximum(objective.loss.curvature(Z, objective.Y), 0) * (WEIGHTS if weighted else 1)
    expected = np.einsum("ia,iap,iaq->pq", bends, J, J) * objective.share + 0.4 * np.eye(4)
    np.testing.assert_allclose(curvature, expected, rtol=1e-12)


def test_blocks_and_threads_give_what_one_block_gives(monkeypatch):
    random = np.random.default_rng(3)
    x = random.uniform(0.3, 3, 40_000)
    Y = np.column_stack([first(*AT, x, np), second(*AT, x, np)]) + random.normal(0, 0.1, (x.size, 2))
    rows = DesignRows(x[:, None], Y)
    objective = CurveObjective(rows, CURVE, LOSSES["mse"], L2(0.0, np.ones(4)))

    def everything():
        return [objective.value(W), *objective.gauss_newton(W), objective.hessian(W), predictor_of(CURVE, rows.X, W)]

    monkeypatch.setattr(threads, "BLOCK_BYTES", 10**9)
    whole = everything()
    monkeypatch.setattr(threads, "BLOCK_BYTES", 400_000)
    cut = everything()
    for one, other in zip(whole, cut, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    monkeypatch.setattr(threads._here, "working", True, raising=False)  # no threads: the same blocks, in order
    for one, other in zip(cut, everything(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_sums_of_one_block_have_the_same_bits_on_any_number_of_threads():
    random = np.random.default_rng(3)
    x = random.uniform(0.3, 3, 30_000)
    Y = np.column_stack([first(*AT, x, np), second(*AT, x, np)]) + random.normal(0, 0.1, (x.size, 2))
    objective = CurveObjective(DesignRows(x[:, None], Y), CURVE, LOSSES["mse"], L2(0.0, np.ones(4)))
    made = []
    for count in (1, 2, 3):
        with threadpool_limits(count):
            made.append([*objective.gauss_newton(W), objective.hessian(W)])
    for other in made[1:]:
        for mine, theirs in zip(made[0], other, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_columns_may_lie_in_memory_either_way():
    random = np.random.default_rng(5)
    columns = random.uniform(0.5, 2, (50, 2))
    curve = parse("y = a*exp(-b*x) + c*z").resolve(["x", "z", "y"]).curve
    y = random.normal(size=(50, 1))
    w = np.array([1.0, 0.5, 2.0])
    made = [
        CurveObjective(DesignRows(held, y), curve, LOSSES["mse"], L2(0.0, np.ones(3))).gauss_newton(w)
        for held in (np.ascontiguousarray(columns), np.asfortranarray(columns))
    ]
    for one, other in zip(*made, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)


def test_where_the_equation_is_not_defined_the_loss_is_not_finite():
    curve = parse("y = a*log(x - b)").resolve(["x", "y"]).curve
    rows = DesignRows(np.array([[1.0], [2.0]]), np.ones((2, 1)))
    objective = CurveObjective(rows, curve, LOSSES["mse"], L2(0.0, np.ones(2)))
    w = np.array([1.0, 1.5])
    assert not np.isfinite(objective.value(w))
    assert not np.isfinite(objective.value_and_gradient(w)[0])
    assert not np.isfinite(objective.gauss_newton(w)[0])


def test_an_equation_that_is_one_number_for_all_rows_has_its_derivatives():
    curve = parse("y = exp(a) + b*0*x").resolve(["x", "y"]).curve
    y = np.array([[1.0], [2.0], [6.0]])
    objective = CurveObjective(DesignRows(np.ones((3, 1)), y), curve, LOSSES["mse"], L2(0.0, np.ones(2)))
    w = np.array([0.5, 1.0])
    value, gradient, curvature = objective.gauss_newton(w)
    z = np.exp(0.5)
    assert value == pytest.approx(np.mean((z - y) ** 2))
    np.testing.assert_allclose(gradient, [2 * np.mean(z - y) * z, 0], rtol=1e-14)
    np.testing.assert_allclose(curvature, [[2 * z**2, 0], [0, 0]], rtol=1e-14)
    np.testing.assert_allclose(objective.hessian(w)[0, 0], 2 * z**2 + 2 * np.mean(z - y) * z, rtol=1e-14)
