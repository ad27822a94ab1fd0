"""An equation without a start: the least sums of squares of NIST's sets, planted equations, bounds and families."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from descend.formula.equation import through
from descend.formula.evaluate import values_of
from descend.formula.parser import parse
from descend.formula.separable import linear_in
from descend.objectives.curve import CurveObjective
from descend.objectives.losses import LOSSES
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows
from descend.solvers._curve_batch import Batch
from descend.solvers._curve_magnitudes import Magnitudes, largest
from descend.solvers._curve_search import blocks
from descend.solvers._curve_starts import drawn_starts
from descend.solvers._levenberg import Box
from descend.solvers.curve_minimum import minimise_curve

SETS = json.loads((Path(__file__).parent / "data" / "nist-nonlinear.json").read_text(encoding="utf-8"))
EXACT = {"Lanczos1"}  # its residuals are the rounding of its numbers


def objective_of(text, columns, loss="mse", outer="", held=(), weight=None):
    hypothesis = parse(text).resolve(list(columns), held=held)
    curve = through(hypothesis, outer).curve if outer else hypothesis.curve
    X = np.column_stack([columns[name] for name in curve.columns])
    Y = np.column_stack([values_of(target, columns) for target in hypothesis.targets])
    return CurveObjective(DesignRows(X, Y, weight), curve, LOSSES[loss], L2(0.0, np.ones(len(curve.parameters))))


def box_of(objective, **bounds):
    ends = [bounds.get(name, (-np.inf, np.inf)) for name in objective.curve.parameters]
    return Box(*np.array(ends).T)


def found_by(objective, seed=0, **bounds):
    return drawn_starts(objective, box_of(objective, **bounds), seed=seed)


@pytest.mark.parametrize("entry", SETS, ids=[entry["name"] for entry in SETS])
def test_the_certified_sum_of_squares_of_nist_is_reached_without_a_start(entry):
    columns = {name: np.array(values) for name, values in entry["columns"].items()}
    objective = objective_of(f"{entry['response']} = {entry['model'].replace('arctan', 'atan')}", columns)
    rounding = 1e-24 if entry["name"] in EXACT else 0.0
    history, _ = minimise_curve(objective, None)
    total = history.final_loss * objective.rows
    assert history.stop == "optimum"
    assert total == pytest.approx(entry["residual_sum_of_squares"], rel=1e-9, abs=rounding)


PLANTED = {
    "y = a*exp(-b*x) + c": {"a": 3.0, "b": 4.0, "c": 1.0},
    "y = v*x**n/(k**n + x**n)": {"v": 2.0, "n": 3.0, "k": 0.4},
    "y = a*exp(-((x - m)/s)**2) + c": {"a": 2.0, "m": 0.7, "s": 0.05, "c": 1.0},
    "y = a*sin(w*x + p) + c": {"a": 1.0, "w": 40.0, "p": 1.0, "c": 3.0},
    "y = a + b*x + c*max(0, x - k)": {"a": 1.0, "b": -1.0, "c": 4.0, "k": 0.6},
    "y = a*exp(-(x/t)**b)": {"a": 1.0, "t": 0.2, "b": 0.6},
}
IN_UNITS_OF_X = {
    "b": {"y = a*exp(-b*x) + c": -1, "y = a + b*x + c*max(0, x - k)": -1},
    "k": 1,
    "m": 1,
    "s": 1,
    "t": 1,
    "w": -1,
}


def scaled(text, scale):
    powers = {name: power if isinstance(power, int) else power.get(text, 0) for name, power in IN_UNITS_OF_X.items()}
    if "max" in text:
        powers["c"] = -1
    return {name: value * scale ** powers.get(name, 0) for name, value in PLANTED[text].items()}


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("text", PLANTED)
def test_a_planted_curve_is_found_at_any_scale_of_its_column(text, scale):
    random = np.random.default_rng(5)
    x = np.linspace(0, 1, 120) * scale
    expression = parse(text).resolve(["x", "y"]).curve.expressions[0]
    curve = values_of(expression, {"x": x}, scaled(text, scale))
    y = curve + random.normal(0, 0.05, x.size)
    history, _ = minimise_curve(objective_of(text, {"x": x, "y": y}), None)
    assert history.final_loss <= np.square(y - curve).mean()


def test_large_tables_are_searched_on_some_of_their_rows():
    random = np.random.default_rng(1)
    x = random.uniform(1990, 2020, 100_000)
    curve = 2 * np.sin(5 * x + 1)
    objective = objective_of("y = a*sin(w*x + p)", {"x": x, "y": curve + random.normal(0, 1, x.size)})
    assert found_by(objective).losses[0] == pytest.approx(1, rel=0.1)


def test_draws_are_the_same_for_a_seed():
    x = np.linspace(0, 1, 50)
    objective = objective_of("y = a*exp(-b*x) + c", {"x": x, "y": np.exp(-3 * x) + 0.01 * np.cos(1e5 * x)})
    np.testing.assert_array_equal(found_by(objective, 3).starts, found_by(objective, 3).starts)


def test_starts_lie_within_bounds():
    x = np.linspace(0, 1, 50)
    columns = {"x": x, "y": 3 * np.exp(-3 * x) + 0.01 * np.cos(1e5 * x)}
    objective = objective_of("y = a*exp(-b*x) + c", columns, held=["b", "a"])
    starts = found_by(objective, b=(4.0, np.inf), a=(0.0, 1.0)).starts
    assert (starts[:, 1] >= 4).all()
    assert ((starts[:, 0] >= 0) & (starts[:, 0] <= 1)).all()


def test_it_is_told_how_many_draws_led_to_each_minimum():
    x = np.linspace(0, 1, 60)
    found = found_by(objective_of("y = a*sin(w*x)", {"x": x, "y": np.sin(20 * x)}))
    assert found.reached.sum() == found.refined
    assert found.reached[0] >= 1
    assert (np.diff(found.losses) >= 0).all()


def test_an_equation_whose_parameters_are_all_linear_has_one_start():
    x = np.linspace(0, 1, 20)
    objective = objective_of("y = a*x + b*x**2", {"x": x, "y": 2 * x - x**2}, held=["a", "b"])
    np.testing.assert_allclose(found_by(objective).starts[0], [2, -1], rtol=1e-9)


def test_rows_count_by_their_weights():
    x = np.linspace(0, 1, 60)
    y = np.where(np.arange(60) % 2, np.exp(-3 * x), 5.0)
    objective = objective_of("y = exp(-b*x)", {"x": x, "y": y}, weight=(np.arange(60) % 2)[:, None].astype(float))
    assert found_by(objective).starts[0] == pytest.approx([3], rel=1e-6)


def test_several_outputs_share_their_parameters():
    t = np.linspace(0, 5, 60)
    columns = {"t": t, "x": 3 * np.exp(-t), "y": 2 * np.exp(-t) + 1}
    objective = objective_of("x = a*exp(-k*t); y = b*exp(-k*t) + c", columns)
    assert dict(zip(objective.curve.parameters, found_by(objective).starts[0], strict=True)) == pytest.approx(
        {"a": 3, "k": 1, "b": 2, "c": 1}, rel=1e-6
    )


@pytest.mark.parametrize("loss", ["huber", "mae"])
def test_the_best_start_is_the_best_by_the_loss_itself(loss):
    random = np.random.default_rng(0)
    x = np.linspace(0, 1, 100)
    y = 2 * np.exp(-4 * x) + random.normal(0, 0.05, 100)
    y[::17] += 10
    objective = objective_of("y = a*exp(-b*x)", {"x": x, "y": y}, loss)
    found = found_by(objective)
    np.testing.assert_allclose(found.losses, [objective.value(w) for w in found.starts])


def test_a_probability_has_a_start_near_the_minimum_of_its_likelihood():
    random = np.random.default_rng(0)
    x = random.uniform(0, 100, 2000)
    y = (random.random(2000) < 0.9 / (1 + np.exp(-(x - 40) / 5))).astype(float)
    objective = objective_of(
        "P(y) = top/(1 + exp(-(x - mid)/s))",
        {"x": x, "y": y},
        "binary_cross_entropy",
    )
    start = found_by(objective).starts[0]
    best = minimize(
        objective.value, start, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-8, "fatol": 1e-12}
    )
    assert objective.value(start) == pytest.approx(best.fun, rel=0.01)


def test_a_count_has_a_start_near_the_minimum_of_its_deviance():
    random = np.random.default_rng(0)
    x = random.uniform(0, 1e-3, 2000)
    y = random.poisson(20 * np.exp(-5e3 * x) + 3).astype(float)
    objective = objective_of("y = a*exp(-b*x) + c", {"x": x, "y": y}, "poisson", "exp")
    assert found_by(objective).starts[0] == pytest.approx([20, 5e3, 3], rel=0.1)


def two_waves():
    """Return rows of a wave that hide another minimum at twice its frequency."""
    x = np.linspace(0, 1, 60)
    return objective_of("y = a*sin(w*x)", {"x": x, "y": np.sin(20 * x) + 0.7 * np.sin(40 * x)})


def test_a_search_tells_from_how_many_starts_the_minimum_was_reached_and_which_others_there_are():
    objective = two_waves()
    history, search = minimise_curve(objective, None)
    assert abs(history.weights[1]) == pytest.approx(20, rel=0.02)
    assert 1 <= search.reached <= search.starts <= search.drawn
    other = search.others[0]
    assert other.parameters[1] == pytest.approx(40, rel=0.02)
    assert other.loss == pytest.approx(objective.value(other.parameters))
    np.testing.assert_allclose(objective.gradient(other.parameters), 0, atol=1e-7)
    assert history.final_loss < other.loss


def test_a_run_begins_at_the_draw_that_leads_to_its_minimum():
    history, _ = minimise_curve(two_waves(), None)
    assert history.loss[0] > (1 + 1e-7) * history.final_loss
    assert (np.diff(history.loss) <= 1e-12).all()


def test_a_minimum_far_above_the_drawn_ones_is_left():
    start = np.array([0.7, 40.0])
    history, search = minimise_curve(two_waves(), start)
    assert abs(history.weights[1]) == pytest.approx(20, rel=0.02)
    assert search.given
    assert [other.parameters[1] for other in search.others][:1] == pytest.approx([40], rel=0.02)


def test_without_a_budget_only_the_given_start_is_used():
    history, search = minimise_curve(two_waves(), np.array([0.7, 40.0]), budget=0.0)
    assert history.weights[1] == pytest.approx(40, rel=0.02)
    assert (search.starts, search.drawn) == (1, 0)


def test_terms_that_can_change_places_stand_in_the_order_of_their_rates():
    x = np.linspace(0, 3, 80)
    y = 3 * np.exp(-4 * x) + 2 * np.exp(-x) + 0.01 * np.cos(50 * x)
    for seed in range(4):
        history, _ = minimise_curve(objective_of("y = a*exp(-b*x) + c*exp(-d*x)", {"x": x, "y": y}), None, seed=seed)
        np.testing.assert_allclose(history.weights, [2, 1, 3, 4], rtol=0.05)


def test_a_width_that_is_squared_is_positive():
    x = np.linspace(-1, 1, 80)
    for seed in range(4):
        objective = objective_of("y = a*exp(-(x - m)**2/s**2)", {"x": x, "y": np.exp(-((x - 0.3) ** 2) / 0.01)})
        np.testing.assert_allclose(minimise_curve(objective, None, seed=seed)[0].weights, [1, 0.3, 0.1], rtol=1e-8)


def sizes_of(text, **columns):
    curve = parse(text).resolve([*columns]).curve
    x = {name: np.asarray(values) for name, values in columns.items()}
    return Magnitudes(x, largest).of(curve.expressions, x["y"][:, None])


X = np.array([0.0, 500.0, 1000.0])
Y = np.array([1.0, 5.0, 10.0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y = a*exp(-b*x)", {"a": 1, "b": -3}),
        ("y = a*exp(-(x - m)**2/s**2)", {"m": 3, "s": 3}),
        ("y = (a + b*x)/(1 + c*x + d*x**2)", {"a": 1, "b": -2, "c": -3, "d": -6}),
        ("y = v*x/(k + x)", {"v": 1, "k": 3}),
        ("y = v*x**n/(k**n + x**n)", {"k": 3, "n": 0}),
        ("y = a*sin(2*pi*x/T + p)", {"T": 3 + np.log10(2 * np.pi), "p": 0}),
        ("y = a*exp(-e/(8.314*(x + 273)))", {"e": np.log10(8.314 * 1273)}),
        ("y = exp(-a*x)/(b + c*x)", {"b": -1, "c": -4}),
    ],
)
def test_the_magnitude_of_a_parameter_follows_from_the_equation_and_the_columns(text, expected):
    sizes = sizes_of(text, x=X, y=Y)
    assert {name: sizes[name] for name in expected} == pytest.approx(expected)


def test_parts_that_share_no_nonlinear_parameter_are_found_one_by_one():
    curve = parse("y = a*exp(-b*x) + c*exp(-(x - m)**2/s**2) + d*x").resolve(["x", "y"]).curve
    linear = linear_in(curve)
    nonlinear = tuple(name for name in curve.parameters if name not in linear)
    batch = Batch(curve.expressions, {"x": X}, Y[:, None], 1.0, linear, nonlinear)
    assert blocks(batch) == [({"a"}, {"b"}), ({"c"}, {"m", "s"})]


@pytest.mark.slow
def test_a_phase_is_within_half_a_turn():
    year = np.linspace(1950, 2020, 300)
    for seed in range(4):
        objective = objective_of("y = a*sin(w*x + p)", {"x": year, "y": 2 * np.sin(3 * year + 1)})
        a, w, p = minimise_curve(objective, None, seed=seed)[0].weights
        assert abs(p) <= np.pi + 1e-9
        np.testing.assert_allclose(a * np.sin(w * year + p), 2 * np.sin(3 * year + 1), atol=1e-8)


def test_more_periods_than_the_rows_of_the_search_can_show_are_found():
    random = np.random.default_rng(0)
    x = np.linspace(0, 1, 5000)
    objective = objective_of("y = a*sin(w*x + p)", {"x": x, "y": np.sin(1500 * x) + random.normal(0, 0.3, x.size)})
    assert minimise_curve(objective, None)[0].weights[1] == pytest.approx(1500, rel=1e-3)


def test_an_equation_that_is_defined_nowhere_has_no_minimum():
    x = np.linspace(0, 1, 20)
    history, search = minimise_curve(objective_of("y = sqrt(-exp(a*x) - 1)", {"x": x, "y": x}), None)
    assert history.stop == "stalled"
    assert np.isnan(history.final_loss)
    assert search.others == ()


def test_the_minimum_of_some_rows_of_a_large_table_is_not_another_one():
    random = np.random.default_rng(0)
    x = random.uniform(0, 10, 20_000)
    y = 3 * np.exp(-0.7 * x) + 1 + random.normal(0, 0.1, x.size)
    _, search = minimise_curve(objective_of("y = a*exp(-b*x) + c", {"x": x, "y": y}), None)
    assert search.others == ()
    assert search.reached > 3


def test_the_minimum_that_a_given_start_led_to_is_told_where_it_was_left():
    x = np.linspace(0, 1, 60)
    objective = objective_of("y = a*sin(w*x)", {"x": x, "y": np.sin(20 * x) + 0.2 * np.sin(170 * x)})
    history, search = minimise_curve(objective, np.array([0.2, 170.0]))
    assert abs(history.weights[1]) == pytest.approx(20, rel=0.02)
    assert pytest.approx(170, rel=0.02) in [other.parameters[1] for other in search.others]


@pytest.mark.parametrize("text", ["y = a*sqrt(x + b)", "y = a*(x + b)**c"])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_a_minimum_on_the_edge_of_the_domain_is_reached(text, noise):
    x = np.linspace(-1, 1, 30)
    y = 2 * np.sqrt(x + 1) + np.random.default_rng(1).normal(0, noise, 30)
    history, _ = minimise_curve(objective_of(text, {"x": x, "y": y}), None)
    assert history.final_loss <= np.square(y - 2 * np.sqrt(x + 1)).mean() + 1e-8
