"""The sums that solvers and analyses ask of the loss of an equation over rows."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from descend.base.reductions import total_of
from descend.formula.ast import Curve
from descend.formula.parser import parse
from descend.objectives.curve import CurveObjective
from descend.objectives.curve_parts import CurvePartsObjective, SpilledCurve
from descend.objectives.families import FAMILIES
from descend.objectives.losses import make_loss
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows
from descend.objectives.spilled import Spill, SpilledRows

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


class Halves:
    """Rows in three parts, each asked as a worker would be."""

    def __init__(self, data):
        self.parts = [data.part(rows) for rows in (slice(0, 100), slice(100, 100), slice(100, None))]
        self.asked = 0

    def ask(self, question):
        self.asked += 1
        question = pickle.loads(pickle.dumps(question))
        return iter([question(part) for part in self.parts])

    def total(self, question):
        return total_of(self.ask(question))

    def release(self):
        pass


def in_a_file(data):
    spill = Spill(None, np.array([len(data)] + [0] * 63), 1, 1, "float64")
    spill.write(data, np.array([len(data)] + [0] * 63))
    return spill


@pytest.mark.parametrize(
    ("loss", "family"), [("auto", "linear"), ("sse", "linear"), ("huber", "linear"), ("auto", "poisson")]
)
@pytest.mark.parametrize("strength", [0.0, 0.3])
def test_a_loss_over_parts_or_over_a_file_is_the_loss_over_the_rows(loss, family, strength):
    whole = replace(objective_of(3000, loss=loss, family=family)[0], penalty=L2(strength, np.ones(3)))
    about = whole.curve, whole.loss, whole.penalty, 1, 3000, whole
    for parts in (
        CurvePartsObjective(Halves(whole.data), *about),
        SpilledCurve(SpilledRows(in_a_file(whole.data)), *about),
    ):
        assert parts.value(W) == pytest.approx(whole.value(W), rel=1e-13)
        for mine, theirs in zip(parts.value_and_gradient(W), whole.value_and_gradient(W), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-12)
        for mine, theirs in zip(parts.gauss_newton(W), whole.gauss_newton(W), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-12)
        np.testing.assert_allclose(parts.hessian(W), whole.hessian(W), rtol=1e-12)
        mine, theirs = parts.triangle(W), whole.triangle(W)
        np.testing.assert_allclose(mine.T @ mine, theirs.T @ theirs, rtol=1e-11)
        np.testing.assert_allclose(parts.tangents(W).residuals, whole.tangents(W).residuals, rtol=1e-12)
        assert parts.target_squares() == pytest.approx(whole.target_squares(), rel=1e-13)
        squared = parts.under(make_loss("mse", FAMILIES["linear"], delta=1.0))
        assert squared.value(W) == pytest.approx(whole.under(squared.loss).value(W), rel=1e-13)


def test_what_was_asked_at_some_parameters_is_not_asked_there_again():
    whole = objective_of(3000)[0]
    halves = Halves(whole.data)
    parts = CurvePartsObjective(halves, whole.curve, whole.loss, whole.penalty, 1, 3000, whole)
    parts.gauss_newton(W)
    assert (parts.value(W), parts.gradient(W).tolist()) == (parts.gauss_newton(W)[0], parts.gauss_newton(W)[1].tolist())
    assert halves.asked == 1
    for ask in (parts.hessian, parts.triangle, parts.tangents):
        ask(W)
    assert halves.asked == 2
    parts.value(W + 1)
    assert halves.asked == 3


@pytest.mark.parametrize("size", [1, 700, 5000])
def test_every_row_of_a_file_is_in_one_batch_of_an_epoch(size):
    whole = objective_of(5000)[0]
    file = SpilledCurve(SpilledRows(in_a_file(whole.data)), whole.curve, whole.loss, whole.penalty, 1, 5000, whole)
    order = file.shuffled(np.random.default_rng(1))
    batches = list(file.batches(size, order))
    assert [batch.rows for batch in batches[:-1]] == [size] * (len(batches) - 1)
    taken = np.concatenate([batch.X[:, 0] for batch in batches])
    np.testing.assert_array_equal(np.sort(taken), np.sort(whole.X[:, 0]))
    assert size == 5000 or not np.array_equal(taken, whole.X[:, 0])
    again = list(file.batches(size, file.shuffled(np.random.default_rng(1)), drop_last=True))
    assert len(again) == 5000 // size
    np.testing.assert_array_equal(again[0].Y, batches[0].Y)
