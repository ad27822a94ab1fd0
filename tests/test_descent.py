"""The parts of the L-BFGS solver, each by itself: the line search, the direction and the ending."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize

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
from descend.objectives.rows import DesignRows
from descend.solvers._direction import Direction, Metric, penalty_and_gradient, pseudo_inverse
from descend.solvers._lbfgs import lbfgs
from descend.solvers._line_search import DECREASE, FLATTENING, Point, Trial, line_search
from descend.solvers._termination import Ending, outcome, unseen

CURVES = {
    "a parabola": (lambda t: (t - 1) ** 2, lambda t: 2 * (t - 1)),
    "a step far too long": (lambda t: (1e6 * t - 1) ** 2, lambda t: 2e6 * (1e6 * t - 1)),
    "a step far too short": (lambda t: (1e-6 * t - 1) ** 2, lambda t: 2e-6 * (1e-6 * t - 1)),
    "a plain that ends far away": (lambda t: np.hypot(t - 1e7, 1), lambda t: (t - 1e7) / np.hypot(t - 1e7, 1)),
    "a wall of infinity": (
        lambda t: t**2 - t if t < 0.3 else np.inf,
        lambda t: 2 * t - 1 if t < 0.3 else np.nan,
    ),
    "a valley beyond a ridge": (lambda t: np.cos(3 * t) - t, lambda t: -3 * np.sin(3 * t) - 1),
}


def looked_at(name):
    """Return what looks along a curve, the trial at its start, and a list of the lengths that were looked at."""
    f, slope = CURVES[name]
    lengths = []

    def look(t):
        lengths.append(t)
        return Trial(t, float(f(t)), float(slope(t)))

    return look, Trial(0.0, float(f(0.0)), float(slope(0.0))), lengths


@pytest.mark.parametrize("name", CURVES)
def test_a_search_ends_where_both_of_wolfes_conditions_hold(name):
    look, start, lengths = looked_at(name)
    found = line_search(look, start)
    assert found.value <= start.value + DECREASE * found.t * start.slope
    if name != "a wall of infinity":  # where nothing lies beyond the steep fall
        assert found.slope >= FLATTENING * start.slope
    assert len(lengths) <= 20


@st.composite
def valleys(draw):
    """Draw a smooth function that is bounded below, convex or with waves, and its derivative; it falls at 0."""
    sized = st.floats(0.1, 10.0)
    parts = draw(st.lists(st.tuples(sized, sized, st.floats(-20.0, 20.0)), min_size=1, max_size=4))
    wave, often = draw(st.one_of(st.just((0.0, 1.0)), st.tuples(st.floats(0.1, 3.0), sized)))
    stretch = 10.0 ** draw(st.integers(-4, 4))

    def f(t):
        u = t * stretch
        return sum(a * np.logaddexp(b * (u - c), -b * (u - c)) for a, b, c in parts) + wave * np.sin(often * u)

    def slope(t):
        u = t * stretch
        return stretch * (sum(a * b * np.tanh(b * (u - c)) for a, b, c in parts) + wave * often * np.cos(often * u))

    assume(slope(0.0) < -1e-3 * stretch)
    return f, slope


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(valleys())
def test_a_search_and_scipys_both_satisfy_wolfes_conditions_on_random_valleys(valley):
    f, slope = valley
    found = line_search(lambda t: Trial(t, float(f(t)), float(slope(t))), Trial(0.0, float(f(0.0)), float(slope(0.0))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # SciPy's gives up now and then
        theirs = optimize.line_search(
            lambda x: float(f(x[0])), lambda x: np.array([slope(x[0])]), np.zeros(1), np.ones(1),
            c1=DECREASE, c2=FLATTENING, maxiter=60,
        )[0]  # fmt: skip
    for t in [found.t] if theirs is None else [found.t, theirs]:
        assert f(t) <= f(0.0) + DECREASE * t * slope(0.0)
        assert slope(t) >= FLATTENING * slope(0.0)


def test_a_search_goes_on_while_the_loss_falls_evenly_and_the_better_the_steeper_it_is():
    look, start, lengths = looked_at("a plain that ends far away")
    assert line_search(look, start).t > 1e6
    assert np.allclose(np.divide(lengths[1:7], lengths[:6]), 10), "tenfold as long as the slope is the same"
    look, start, lengths = looked_at("a step far too short")
    assert line_search(look, start).t > 1e3


def test_a_search_finds_nothing_where_nothing_is_lower():
    rising = lambda t: Trial(t, 1.5 + t, 1.0)  # noqa: E731  the slope at the start is not true
    assert line_search(rising, Trial(0.0, 1.0, -1.0)) is None
    calls = []
    assert line_search(lambda t: calls.append(t) or rising(t), Trial(0.0, 1.0, -1.0), shortest=0.01) is None
    assert min(calls) > 0.001, "it ends where the parameters do not change any more"


def test_within_rounding_of_the_loss_the_slope_decides():
    start = Trial(0.0, 1.0, -1e-9)
    even = Trial(1.0, 1.0 + 1e-15, 1e-12)
    assert line_search(lambda t: replace(even, t=t), start) == even
    risen = Trial(1.0, 1.0 + 1e-12, 1e-12)
    assert line_search(lambda t: replace(risen, t=t), start) is None


def rows(loss, Y, X=None, l2=0.0, outputs=1):
    X = np.column_stack([np.ones(len(Y)), np.linspace(-1, 2, len(Y))]) if X is None else X
    return RowsObjective(DesignRows(X, np.reshape(Y, (len(Y), -1))), loss, outputs, L2(l2, np.arange(X.shape[1]) > 0))


def test_an_inverse_leaves_out_what_does_not_bend_and_says_when_that_is_where_to_go():
    X = np.column_stack([np.ones(9), np.arange(9.0), 2 * np.arange(9.0)])
    H = X.T @ X
    found = pseudo_inverse(H)
    np.testing.assert_allclose(H @ found.matrix @ H, H, rtol=1e-10)
    assert not found.misses(X.T @ np.ones(9), 1.0)
    assert found.misses(np.array([0.0, -2.0, 1.0]), 1.0), "no sum of rows, and nothing bends there"
    assert pseudo_inverse(np.zeros((3, 3))).misses(np.array([0.0, 1e-30, 0.0]), 1.0), (
        "nothing bends at all: no gradient is small"
    )
    scales = np.array([1e-9, 1.0, 1e9])
    np.testing.assert_allclose(
        pseudo_inverse(H * np.outer(scales, scales)).matrix * np.outer(scales, scales), found.matrix, rtol=1e-6
    )


def test_curvatures_below_zero_count_as_if_they_were_above_where_a_loss_is_not_convex():
    H = np.array([[2.0, 1.0], [1.0, -3.0]])
    values, vectors = np.linalg.eigh(H / np.sqrt(np.outer([2, 3], [2, 3])))
    root = vectors / np.sqrt(np.abs(values)) / np.sqrt([[2], [3]])
    np.testing.assert_allclose(pseudo_inverse(H, convex=False).matrix, root @ root.T, atol=1e-12)


@pytest.mark.parametrize("far", [900.0, -900.0])
def test_where_nothing_bends_a_step_goes_to_where_a_straight_line_would_be_at_zero(far):
    objective = rows(BinaryCrossEntropy(), np.arange(8) % 2.0)
    point = Point.at(objective, np.array([far, 0.0]))
    direction = Direction()
    direction.refresh(objective, point)
    assert direction.metric is not None
    assert point.gradient @ direction.step(point.gradient) == pytest.approx(-point.value, rel=1e-6)


def test_damping_knows_no_units_and_vanishes_at_a_minimum():
    random = np.random.default_rng(0)
    X, y = np.column_stack([np.ones(40), random.normal(size=(40, 2))]), random.normal(size=40) + 3
    scales = np.array([1.0, 1e6, 1e-6])
    one, other = rows(Huber(0.5), y, X), rows(Huber(0.5), y, X * scales)
    w = np.array([9.0, -2.0, 1.0])
    steps = []
    for objective, at in ((one, w), (other, w / scales)):
        point = Point.at(objective, at)
        damped = Metric.of(objective).damped_inverse(objective, objective.hessian(at), point)
        steps.append(damped @ point.gradient)
    np.testing.assert_allclose(steps[1] * scales, steps[0], rtol=1e-6)
    best = lbfgs(one, np.zeros(3)).weights
    damped = Metric.of(one).damped_inverse(one, one.hessian(best), Point.at(one, best))
    np.testing.assert_allclose(damped, np.linalg.inv(one.hessian(best)), rtol=1e-5)


def test_the_penalty_is_a_part_of_the_loss_and_of_its_gradient():
    objective, w = rows(Huber(1.0), np.arange(6.0), l2=0.3), np.array([2.0, -5.0])
    value, pull = penalty_and_gradient(objective, w)
    bare = replace(objective, penalty=objective.penalty.scaled(0.0))
    assert value == pytest.approx(objective.value(w) - bare.value(w))
    np.testing.assert_allclose(pull, objective.gradient(w) - bare.gradient(w))


def test_an_ending_is_a_small_decrement_or_one_that_rounding_holds():
    assert Ending(1e-3).arrived(1e-3, 1.0)
    assert not Ending(1e-3).arrived(2e-3, 1.0)
    assert Ending(0.0, 1e-3).arrived(0.9, 1000.0)
    assert not Ending(0.0).arrived(float("nan"), 1.0)
    watched = Ending(0.0)
    watched.note(1e-17)
    assert watched.arrived(1e-17, 1.0), "the loss does not show it, and it falls no more"
    assert not watched.arrived(0.5e-17, 1.0), "it still falls"
    assert not watched.arrived(1e-15, 1.0), "the loss shows it"
    assert watched.halved(0.5e-17)
    assert not watched.halved(0.6e-17)
    watched.reset()
    assert not watched.arrived(1e-17, 1.0)


def test_a_point_that_no_step_leads_from_is_the_minimum_only_where_the_decrement_says_so():
    objective = rows(Huber(1.0), np.array([0.0, 1.0, 4.0, 9.0]))
    point = Point.at(objective, np.array([1.0, 1.0]))
    assert outcome(objective, point, 1e-10 * point.value) == "arrived"
    assert outcome(objective, point, 1e-8 * point.value) == "stalled"
    assert outcome(objective, point, float("nan")) == "stalled"
    assert outcome(objective, replace(point, value=float("inf")), 0.0) == "stalled"
    exact = rows(AbsoluteError(), 1e6 * (1 + np.linspace(-1, 2, 5)))
    w = np.array([1e6, 1e6 * (1 + 2.5e-16)])
    left = exact.value(w)
    assert 0 < left < unseen(exact, w, left)
    assert outcome(exact, Point(w, left, w), left) == "arrived", "what is left is in the last digits"


@pytest.mark.parametrize("relative", [False, True])
def test_what_a_rounded_corner_is_off_by_is_the_gap_between_two_linear_programmes(relative):
    random = np.random.default_rng(3)
    X = np.column_stack([np.ones(50), random.normal(size=(50, 2))])
    y = 30 + X @ [0, 3, -2] + random.standard_t(2, 50)
    loss = AbsoluteError("mape", relative) if relative else AbsoluteError()
    objective = rows(loss, y, X)
    least = lbfgs(objective, np.zeros(3)).final_loss
    for size in (0.3, 0.01, 1e-4):
        rounded = loss.rounded(size * least)
        w = lbfgs(objective.under(rounded), np.zeros(3)).weights
        short = objective.under(rounded.shortfall).value(w)
        assert objective.value(w) - least <= short * (1 + 1e-9)
        slopes = rounded.slope((X @ w)[:, None], y[:, None])[:, 0] / 50
        assert short == pytest.approx(objective.value(w) + slopes @ y, rel=1e-6), "primal less dual"


def test_a_rounded_absolute_error_keeps_its_digits_however_large_the_rounding():
    rounded = AbsoluteError().rounded(1e9)
    Z, Y = np.array([[1.0], [-2.0]]), np.zeros((2, 1))
    np.testing.assert_allclose(rounded.value(Z, Y), Z**2 / 2e9, rtol=1e-12)


def test_a_start_where_nothing_falls_is_left_by_another_way():
    random = np.random.default_rng(1)
    x = random.uniform(0, 1, 50)
    objective = rows(SquaredLogError(), 5 + 2 * x + 0.1 * random.normal(size=50), np.column_stack([np.ones(50), x]))
    near, plateau = (lbfgs(objective, np.array([start, 0.0])) for start in (5.0, -1000.0))
    assert objective.gradient(np.array([-1000.0, 0.0])).any() is np.False_
    assert (near.stop, plateau.stop) == ("optimum", "optimum")
    assert plateau.final_loss == pytest.approx(near.final_loss, rel=1e-9)


def test_no_optimum_is_claimed_where_rows_lie_in_another_hollow():
    y = np.array([1.0, 2.0, 3.0, 4.0, 1e6])
    objective = rows(SquaredLogError(), y)
    assert lbfgs(objective, np.zeros(2)).stop == "stalled"


def test_a_loss_that_overflows_is_no_optimum():
    objective = rows(Huber(1.0), np.arange(6.0))
    assert lbfgs(objective, np.array([1e308, 1e308])).stop == "stalled"


def test_many_classes_come_back_from_far_away_too():
    random = np.random.default_rng(4)
    X = np.column_stack([np.ones(400), random.normal(size=(400, 70))])
    codes = np.argmax(X[:, :10] @ random.normal(size=(10, 10)) + 3 * random.gumbel(size=(400, 10)), axis=1)
    objective = rows(CrossEntropy(), codes.astype(float), X, 0.01, outputs=10)
    near = lbfgs(objective, np.zeros(710))
    far = lbfgs(objective, 1e3 * random.normal(size=710))
    assert far.stop == "optimum"
    assert far.final_loss == pytest.approx(near.final_loss, rel=1e-8)


def test_squared_error_is_reached_from_afar_in_a_step_or_two():
    objective = rows(SquaredError(), np.arange(6.0) ** 2)
    run = lbfgs(objective, np.array([1e9, -1e9]))
    expected = np.linalg.lstsq(objective.X, objective.Y, rcond=None)[0][:, 0]
    np.testing.assert_allclose(run.weights, expected, rtol=1e-9)
    assert len(run) <= 6
