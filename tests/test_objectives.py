"""Every engine keeps the one contract: value, gradient against finite differences, and engines against each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    SquaredError,
    SquaredLogError,
)
from descend.objectives.penalties import L2
from descend.objectives.quadratic import GramObjective
from descend.objectives.rows import DesignRows

RANDOM = np.random.default_rng(11)
X = np.column_stack([np.ones(25), RANDOM.normal(size=(25, 3)) * [1, 10, 0.1]])
TARGETS = RANDOM.normal(size=(25, 2))
PENALISED = np.array([False, True, True, True])


def rows(loss, Y, outputs, l2=0.0, X=X):
    return RowsObjective(DesignRows(X, Y), loss, outputs, L2(l2, PENALISED[: X.shape[1]]))


COUNTS = RANDOM.integers(0, 4, 25)
CLASSES = RANDOM.integers(0, 3, (25, 1)).astype(float)
LOSSES = {
    "mse": (SquaredError(), TARGETS, 2),
    "sse": (SquaredError("sse", mean=False), TARGETS, 2),
    "huber": (Huber(0.5), TARGETS, 2),
    "mae": (AbsoluteError(), TARGETS, 2),
    "msle": (SquaredLogError(), np.abs(TARGETS), 2),
    "logistic": (BinaryCrossEntropy(), CLASSES.clip(0, 1), 1),
    "softmax": (CrossEntropy(), CLASSES, 3),
}

ENGINES = {
    "rows mse": rows(SquaredError(), TARGETS, 2),
    "rows mse l2": rows(SquaredError(), TARGETS, 2, 0.3),
    "rows sse": rows(SquaredError("sse", mean=False), TARGETS, 2, 0.3),
    "rows huber": rows(Huber(0.5), TARGETS, 2, 0.1),
    "rows mae": rows(AbsoluteError(), TARGETS, 2),
    "rows msle": rows(SquaredLogError(), np.abs(TARGETS), 2),
    "rows logistic": rows(BinaryCrossEntropy(), RANDOM.integers(0, 2, (25, 1)).astype(float), 1, 0.2),
    "rows softmax": rows(CrossEntropy(), RANDOM.integers(0, 3, (25, 1)).astype(float), 3, 0.2),
    **{f"weighted {name}": rows(*LOSSES[name], 0.2).weighted(COUNTS) for name in LOSSES},
    "scaled penalty": replace(rows(Huber(0.5), TARGETS, 2, 0.1), penalty=L2(0.1, np.array([0.0, 1, 25, 0.04]))),
    "gram mse": GramObjective.of(rows(SquaredError(), TARGETS, 2)),
    "gram mse l2": GramObjective.of(rows(SquaredError(), TARGETS, 2, 0.3)),
    "gram sse": GramObjective.of(rows(SquaredError("sse", mean=False), TARGETS, 2, 0.3)),
    "gram weighted mse": GramObjective.of(rows(SquaredError(), TARGETS, 2, 0.3).weighted(COUNTS)),
}


@pytest.mark.parametrize("name", ENGINES)
def test_gradient_equals_finite_differences(name):
    engine = ENGINES[name]
    w = RANDOM.normal(size=engine.shape[0] * engine.shape[1])
    step = 1e-6
    expected = [(engine.value(w + step * unit) - engine.value(w - step * unit)) / (2 * step) for unit in np.eye(w.size)]
    np.testing.assert_allclose(engine.gradient(w), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", ENGINES)
def test_value_and_gradient_are_those_of_each_alone(name):
    engine = ENGINES[name]
    w = RANDOM.normal(size=engine.shape[0] * engine.shape[1])
    value, gradient = engine.value_and_gradient(w)
    assert value == pytest.approx(engine.value(w), rel=1e-14)
    np.testing.assert_array_equal(gradient, engine.gradient(w))


@pytest.mark.parametrize("name", ["mse", "mse l2", "sse"])
def test_gram_and_rows_are_one_function(name):
    by_rows, by_gram = ENGINES[f"rows {name}"], ENGINES[f"gram {name}"]
    for scale in (1e-3, 1.0, 1e3):
        w = scale * RANDOM.normal(size=8)
        assert by_gram.value(w) == pytest.approx(by_rows.value(w), rel=1e-11)
        np.testing.assert_allclose(by_gram.gradient(w), by_rows.gradient(w), rtol=1e-10, atol=1e-10 * scale)


def repeated(engine, counts):
    times = np.repeat(np.arange(len(counts)), counts)
    return replace(engine, data=engine.data.part(times))


@pytest.mark.parametrize("name", LOSSES)
def test_a_weight_counts_as_so_many_repeated_rows(name):
    engine = rows(*LOSSES[name], 0.2)
    weighted, expected = engine.weighted(COUNTS), repeated(engine, COUNTS)
    w = RANDOM.normal(size=engine.shape[0] * engine.shape[1])
    assert weighted.value(w) == pytest.approx(expected.value(w), rel=1e-13)
    np.testing.assert_allclose(weighted.gradient(w), expected.gradient(w), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(weighted.hessian(w), expected.hessian(w), rtol=1e-12, atol=1e-12)
    if weighted.loss.curvature_limit is not None:
        np.testing.assert_allclose(weighted.mean_hessian(w), expected.mean_hessian(w), rtol=1e-12, atol=1e-12)
        assert weighted.curvature_limit() == pytest.approx(expected.curvature_limit(), rel=1e-12)


@pytest.mark.parametrize("mean", [True, False])
def test_the_gram_of_weighted_rows_is_that_of_repeated_ones(mean):
    engine = rows(SquaredError(mean=mean), TARGETS, 2, 0.3)
    weighted, expected = (GramObjective.of(each) for each in (engine.weighted(COUNTS), repeated(engine, COUNTS)))
    np.testing.assert_allclose(weighted.minimum, expected.minimum, rtol=1e-11)
    np.testing.assert_allclose(weighted.curvatures, expected.curvatures, rtol=1e-11)
    assert weighted.least == pytest.approx(expected.least, rel=1e-12)
    raised = np.vander(np.linspace(1, 2, 25), 9)  # too alike for the Gram matrix: by the triangle of the rows
    alike = RowsObjective(DesignRows(raised, TARGETS), SquaredError(), 2, L2(0.0, np.ones(9, dtype=bool)))
    by_weight, by_rows = GramObjective.of(alike.weighted(COUNTS)), GramObjective.of(repeated(alike, COUNTS))
    np.testing.assert_allclose(by_weight.minimum, by_rows.minimum, rtol=1e-6)


def test_equal_weights_are_no_weights():
    engine = rows(SquaredError(), TARGETS, 2)
    assert engine.weighted(np.full(25, 3.0)) is engine
    thrice = rows(*LOSSES["sse"]).weighted(np.full(25, 3.0))
    assert thrice.value(np.ones(8)) == pytest.approx(3 * rows(*LOSSES["sse"]).value(np.ones(8)))


def test_weights_go_with_their_rows():
    engine = rows(*LOSSES["logistic"], 0.2).weighted(COUNTS)
    w = RANDOM.normal(size=4)
    order, parts = RANDOM.permutation(25), []
    for batch in engine.batches(5, order):
        chosen = order[5 * len(parts) : 5 * len(parts) + 5]
        assert batch.batch_curvature_limit(5) >= batch.curvature_limit()
        losses = engine.loss.value(engine.X[chosen] @ w[:, None], engine.Y[chosen])[:, 0]
        expected = COUNTS[chosen] / COUNTS.mean() @ losses / 5
        assert replace(batch, penalty=batch.penalty.scaled(0.0)).value(w) == pytest.approx(expected)
        parts.append(batch.gradient(w))
    np.testing.assert_allclose(np.mean(parts, axis=0), engine.gradient(w), atol=1e-13)
    half = engine.sampled(2)
    chosen = [np.flatnonzero((row == engine.X).all(axis=1))[0] for row in half.X]
    np.testing.assert_array_equal(half.data.weight, engine.data.weight[chosen])


def test_the_corners_of_weighted_rows_are_rounded_as_those_of_repeated_ones():
    weighted = rows(*LOSSES["mae"], 0.2).weighted(COUNTS)
    repeated = rows(AbsoluteError(), np.repeat(TARGETS, COUNTS, axis=0), 2, 0.2, np.repeat(X, COUNTS, axis=0))
    rounded, w = AbsoluteError().rounded(0.1), RANDOM.normal(size=8)
    assert weighted.under(rounded).value(w) == pytest.approx(repeated.under(rounded).value(w), rel=1e-12)
    short = rounded.shortfall  # what only measures has no penalty
    assert weighted.under(short).value(w) == pytest.approx(repeated.under(short).value(w), rel=1e-12)
    assert repeated.under(short).value(w) == pytest.approx(
        replace(repeated, penalty=repeated.penalty.scaled(0.0)).under(short).value(w)
    )


@pytest.mark.parametrize(
    "name",
    ["rows mse", "rows huber", "rows logistic", "rows softmax", "gram mse", "weighted softmax", "scaled penalty"],
)
def test_no_direction_curves_more_than_the_limit(name):
    engine = ENGINES[name]
    limit = engine.curvature_limit()
    for _ in range(20):
        w = RANDOM.normal(size=engine.shape[0] * engine.shape[1])
        v = RANDOM.normal(size=w.size)
        v /= np.linalg.norm(v)
        curving = (engine.gradient(w + 1e-5 * v) - engine.gradient(w - 1e-5 * v)) @ v / 2e-5
        assert curving <= limit * (1 + 1e-6)


def test_losses_without_a_curvature_limit_say_so():
    assert ENGINES["rows mae"].curvature_limit() is None
    assert ENGINES["rows msle"].batch_curvature_limit(4) is None


def test_gram_minimum_is_least_squares():
    engine = ENGINES["gram mse"]
    expected = np.linalg.lstsq(X, TARGETS, rcond=None)[0]
    np.testing.assert_allclose(engine.minimum, expected, rtol=1e-11)
    assert engine.least == pytest.approx(np.square(TARGETS - X @ expected).mean(), rel=1e-13)


def test_gram_minimum_with_l2_leaves_the_intercept_alone():
    engine = ENGINES["gram mse l2"]
    ridge = 0.3 * TARGETS.size * np.diag([0.0, 1, 1, 1])
    expected = np.linalg.solve(X.T @ X + ridge, X.T @ TARGETS)
    np.testing.assert_allclose(engine.minimum, expected, rtol=1e-10)


def test_the_loss_at_a_perfect_minimum_is_zero_to_the_last_digits():
    line = np.column_stack([np.ones(3), [1.0, 2.0, 3.0]])
    engine = GramObjective.of(
        RowsObjective(DesignRows(line, np.array([[20.0], [40.0], [60.0]])), SquaredError(), 1, L2(0.0, PENALISED[:2]))
    )
    assert engine.least < 1e-24
    np.testing.assert_allclose(engine.minimum[:, 0], [0, 20], atol=1e-12)


def test_collinear_columns_leave_a_flat_direction():
    doubled = np.column_stack([X, 2 * X[:, 1]])
    engine = GramObjective.of(
        RowsObjective(DesignRows(doubled, TARGETS), SquaredError(), 2, L2(0.0, np.ones(5, dtype=bool)))
    )
    assert engine.flat.shape == (5, 1)
    start = RANDOM.normal(size=10)
    there = engine.minimum_near(start)
    assert engine.value(there) == pytest.approx(
        np.square(TARGETS - X @ np.linalg.lstsq(X, TARGETS, rcond=None)[0]).mean()
    )
    flat = np.array([0, 2, 0, 0, -1.0])
    moved = (there - start).reshape(5, 2)
    np.testing.assert_allclose(flat @ moved, 0, atol=1e-9)


def test_large_offsets_cost_no_digits():
    x = 1e6 + np.arange(50.0)
    y = 3 + 2 * (x - 1e6)
    design = np.column_stack([np.ones(50), x])
    engine = GramObjective.of(RowsObjective(DesignRows(design, y[:, None]), SquaredError(), 1, L2(0.0, PENALISED[:2])))
    assert engine.minimum[1, 0] == pytest.approx(2, rel=1e-8)
    np.testing.assert_allclose(design @ engine.minimum[:, 0], y, rtol=1e-8)


@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 3), st.integers(1, 40))
def test_batches_of_a_shuffle_add_up_to_the_whole(seed, size, outputs, count):
    random = np.random.default_rng(seed)
    design, target = random.normal(size=(count, 3)), random.normal(size=(count, outputs))
    whole = RowsObjective(
        DesignRows(design, target), SquaredError("sse", mean=False), outputs, L2(0.0, np.ones(3, dtype=bool))
    )
    w = random.normal(size=3 * outputs)
    order = random.permutation(count)
    rows, value, gradient = 0, 0.0, np.zeros(w.size)
    for part in whole.batches(size, order):
        rows, value, gradient = rows + part.rows, value + part.value(w), gradient + part.gradient(w)
    assert rows == count
    assert value == pytest.approx(whole.value(w))
    np.testing.assert_allclose(gradient, whole.gradient(w), atol=1e-9)
    assert {part.rows for part in whole.batches(size, order, drop_last=True)} <= {size}


def test_rows_are_taken_with_their_weights_and_offsets():
    numbers = np.arange(12.0).reshape(6, 2)
    rows = DesignRows(numbers, numbers[:, :1], weight=numbers[:, 1:], offset=-numbers[:, :1])
    places = np.array([4, 1])
    for some in (rows.take(places), rows.part(places)):
        assert len(some) == 2
        assert some.X.tolist() == [[8.0, 9.0], [2.0, 3.0]]
        assert (some.Y.tolist(), some.weight.tolist(), some.offset.tolist()) == ([[8], [2]], [[9], [3]], [[-8], [-2]])
    assert np.shares_memory(rows.part(slice(2, 4)).X, numbers)
    assert {one.dtype for one in vars(rows.astype(np.float32)).values()} == {np.dtype(np.float32)}
    assert DesignRows(numbers, numbers).astype(np.float32).weight is None
