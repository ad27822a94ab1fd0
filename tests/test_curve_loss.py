"""The sums that solvers and analyses ask of the loss of an equation over rows."""

from dataclasses import replace

import numpy as np
import pytest

from descend.formula.ast import Curve
from descend.formula.parser import parse
from descend.objectives.curve import CurveObjective
from descend.objectives.families import FAMILIES
from descend.objectives.losses import make_loss
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows

ROWS = 300_000  # of several blocks
W = np.array([2.0, 0.7, 0.5])


def objective_of(rows=ROWS, loss="auto", family="linear", weight=None):
    random = np.random.default_rng(4)
    x = random.uniform(0, 3, rows)
    y = random.poisson(2.0, rows) if family == "poisson" else 2 * np.exp(-0.8 * x) + random.normal(size=rows)
    curve = parse("y = a * exp(-b * x) + c").resolve(["x", "y"]).curve
    assert isinstance(curve, Curve)
    made = make_loss(loss, FAMILIES[family], delta=1.0)
    data = DesignRows(x[:, None], y[:, None].astype(float), weight)
    return CurveObjective(data, curve, made, L2(0.0, np.ones(3))), x, y


def derivative(x):
    bend = np.exp(-W[1] * x)
    return np.stack([bend, -W[0] * x * bend, np.ones_like(x)], axis=1)


def test_the_triangle_of_the_derivative_has_its_products():
    objective, x, y = objective_of()
    J, residuals = derivative(x), W[0] * np.exp(-W[1] * x) + W[2] - y
    sums = objective.tangents(W)
    (triangle,) = sums.triangles
    assert triangle.shape == (3, 3)
    np.testing.assert_allclose(triangle.T @ triangle, J.T @ J, rtol=1e-12)
    np.testing.assert_allclose(sums.residuals, [residuals @ residuals], rtol=1e-12)
    np.testing.assert_allclose(sums.targets, [y @ y], rtol=1e-12)
    assert objective.target_squares() == pytest.approx(y @ y, rel=1e-12)


@pytest.mark.parametrize(("loss", "family"), [("auto", "linear"), ("auto", "poisson"), ("huber", "linear")])
def test_the_triangle_of_a_loss_has_the_products_of_its_curvature(loss, family):
    objective, x, y = objective_of(loss=loss, family=family)
    Z = W[0] * np.exp(-W[1] * x) + W[2]
    curvature = {"auto": np.full(ROWS, 2.0), "huber": np.where(np.abs(Z - y) <= 1, 1.0, 0.0)}[loss]
    if family == "poisson":
        curvature = np.exp(Z)
    J = derivative(x)
    R = objective.triangle(W)
    np.testing.assert_allclose(R.T @ R, (J * curvature[:, None]).T @ J, rtol=1e-11)
    expected = objective.gauss_newton(W)[2] / objective.share
    np.testing.assert_allclose(R.T @ R, expected, rtol=1e-11)


def test_a_row_of_weight_three_is_three_rows():
    once, x, _ = objective_of(500, weight=np.full((500, 1), 3.0))
    J = derivative(x)
    (triangle,) = once.tangents(W).triangles
    np.testing.assert_allclose(triangle.T @ triangle, 3 * J.T @ J, rtol=1e-12)
    np.testing.assert_allclose(once.triangle(W).T @ once.triangle(W), 6 * J.T @ J, rtol=1e-12)


def test_of_fewer_rows_than_parameters_the_triangle_has_as_many_rows():
    objective, x, _ = objective_of(2)
    (triangle,) = objective.tangents(W).triangles
    assert triangle.shape == (2, 3)
    np.testing.assert_allclose(triangle.T @ triangle, derivative(x).T @ derivative(x), rtol=1e-12)


def test_sums_of_a_part_are_not_divided_by_its_rows():
    objective, _, _ = objective_of(1000)
    part = replace(objective, part=True)
    for mine, whole in zip(part.gauss_newton(W), objective.gauss_newton(W), strict=True):
        np.testing.assert_allclose(mine, np.asarray(whole) * 1000, rtol=1e-13)
