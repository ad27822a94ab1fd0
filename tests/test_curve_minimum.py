"""The minimum of an equation's loss: NIST's certified digits, bounds and losses beside SciPy's."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import least_squares, minimize
from threadpoolctl import threadpool_limits

from descend.formula.evaluate import values_of
from descend.formula.exchange import exchangeable
from descend.formula.parser import parse
from descend.formula.separable import linear_in
from descend.objectives.curve import CurveObjective
from descend.objectives.losses import LOSSES
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows
from descend.solvers._levenberg import descend_curve
from descend.solvers._separable import Projection
from descend.solvers.checkpoint import Checkpoint
from descend.solvers.curve_minimum import minimise_curve
from descend.solvers.run_options import RunOptions

SETS = json.loads((Path(__file__).parent / "data" / "nist-nonlinear.json").read_text(encoding="utf-8"))
EXACT = {"Lanczos1": 1e-24}  # its residuals are the rounding of its numbers


def curve_of(text, columns=("x",)):
    hypothesis = parse(text).resolve([*columns, "y", "z"])
    assert hypothesis.curve is not None
    return hypothesis.curve


def objective_of(curve, X, Y, loss="mse", l2=0.0, weight=None):
    """Return the loss of a curve over rows; weight: of each row."""
    X, Y = (np.reshape(np.asarray(A, dtype=float), (len(A), -1)) for A in (X, Y))
    return CurveObjective(DesignRows(X, Y, weight), curve, LOSSES[loss], L2(l2, np.ones(len(curve.parameters))))


def nist(entry):
    columns = {name: np.array(values) for name, values in entry["columns"].items()}
    hypothesis = parse(entry["formula"].replace("~", "=")).resolve(list(columns))
    curve, (target,) = hypothesis.curve, hypothesis.targets
    assert sorted(curve.parameters) == entry["parameters"]
    return objective_of(curve, np.column_stack([columns[name] for name in curve.columns]), values_of(target, columns))


def ordered(objective, entry, values):
    """Return values by the set's order of parameters in the curve's."""
    named = dict(zip(entry["parameters"], values, strict=True))
    return np.array([named[name] for name in objective.curve.parameters])


STARTS = [pytest.param(entry, start, id=f"{entry['name']}-{start}") for entry in SETS for start in ("start1", "start2")]


@pytest.mark.parametrize(("entry", "start"), STARTS)
def test_nist_s_certified_digits_are_reached_from_a_start(entry, start):
    objective = nist(entry)
    history, search = minimise_curve(objective, ordered(objective, entry, entry[start]))
    assert history.stop == "optimum"
    assert (search.at_bound, search.undetermined, dict(search.endless)) == ((), (), {})
    total = objective.value(history.weights) * objective.rows
    assert total == pytest.approx(entry["residual_sum_of_squares"], rel=1e-9, abs=EXACT.get(entry["name"], 0.0))
    certified = ordered(objective, entry, entry["certified"])
    np.testing.assert_allclose(history.weights, certified, rtol=1e-10)


@pytest.mark.parametrize("entry", SETS, ids=lambda entry: entry["name"])
def test_the_linear_parameters_that_are_solved_for_need_no_start(entry):
    objective = nist(entry)
    problem = Projection(objective, linear_in(objective.curve))
    found = descend_curve(problem, ordered(objective, entry, entry["start2"])[problem.searched])
    total = found.loss * objective.rows
    assert total == pytest.approx(entry["residual_sum_of_squares"], rel=1e-9, abs=EXACT.get(entry["name"], 0.0))


def test_a_step_to_where_the_equation_is_not_defined_is_not_made():
    x = np.linspace(1, 5, 30)
    objective = objective_of(curve_of("y = a*log(x - c)"), x, 2 * np.log(x - 0.9))
    found = descend_curve(Projection(objective), np.array([40.0, 0.0]))
    np.testing.assert_allclose(found.w, [2, 0.9], rtol=1e-10)


def test_a_start_outside_the_domain_is_left_as_it_is():
    objective = objective_of(curve_of("y = a*log(x - c)"), [1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    history, _ = minimise_curve(objective, np.array([1.0, 5.0]), budget=0.0)
    assert history.stop == "stalled"
    assert np.isnan(history.final_loss)
    np.testing.assert_array_equal(history.weights, [1.0, 5.0])


def test_a_start_without_a_derivative_is_left_as_it_is():
    objective = objective_of(curve_of("y = a*x**b"), [-1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    history, _ = minimise_curve(objective, np.array([1.0, 2.0]), budget=0.0)
    assert (history.stop, history.final_loss) == ("stalled", history.loss[0])


def test_parameters_that_only_count_as_a_product_change_as_little_as_can_be_and_are_named():
    x = np.linspace(0.1, 5, 40)
    y = 6 * np.exp(-x)
    history, search = minimise_curve(objective_of(curve_of("y = a*b*exp(-c*x)"), x, y), np.array([1.0, 2.0, 0.5]))
    a, b, c = history.weights
    np.testing.assert_allclose([a * b, c], [6, 1], rtol=1e-10)
    assert history.stop == "optimum"
    (direction,) = search.undetermined
    assert direction == pytest.approx({"a": -a / b, "b": 1.0}, rel=1e-6)


def test_a_parameter_that_no_row_determines_stays_where_it_starts():
    x = np.linspace(0, 3, 20)
    objective = objective_of(curve_of("y = a*exp(-k*x) + 0*c"), x, 3 * np.exp(-2 * x))
    history, search = minimise_curve(objective, np.array([1.0, 1.0, 7.0]))
    np.testing.assert_allclose(history.weights, [3, 2, 7], rtol=1e-10)
    assert search.undetermined == ({"c": 1.0},)


@pytest.mark.parametrize(
    ("text", "y", "start", "names"),
    [
        ("y = 1/(1 + exp(-k*(x - m)))", lambda x: x > 2.2, [1.0, 2.0], {"k"}),
        ("y = v*x/(k + x)", lambda x: x**1.3, [10.0, 5.0], {"v", "k"}),
        ("y = a*x**n/(k**n + x**n)", lambda x: x > 2, [1.0, 1.0, 1.0], {"n"}),
        ("y = a*exp(-b*x)", lambda x: x < 0.2, [1.0, 1.0], {"a", "b"}),
    ],
)
def test_a_parameter_that_grows_without_bound_is_named_and_no_minimum_claimed(text, y, start, names):
    x = np.linspace(0.1, 5, 40)
    history, search = minimise_curve(objective_of(curve_of(text), x, y(x)), np.array(start), budget=0.0)
    assert history.stop == "stalled"
    assert set(search.endless) == names
    assert len(history) < 1000


def test_two_terms_that_start_alike_part():
    x = np.linspace(0.1, 5, 40)
    objective = objective_of(curve_of("y = a*exp(-b*x) + c*exp(-d*x)"), x, 5 * np.exp(-x) + 3 * np.exp(-4 * x))
    history, _ = minimise_curve(objective, np.ones(4))
    np.testing.assert_allclose(sorted(history.weights), [1, 3, 4, 5], rtol=1e-8)


@pytest.mark.parametrize("start", [[0.0, 0.0], [1e30, 100.0], [1.0, 0.0]])
def test_a_start_at_zero_or_far_away_leads_to_the_minimum(start):
    x = np.linspace(0.1, 5, 40)
    history, search = minimise_curve(objective_of(curve_of("y = a*exp(b*x)"), x, 5 * np.exp(-x)), np.array(start))
    np.testing.assert_allclose(history.weights, [5, -1], rtol=1e-10)
    assert (history.stop, search.undetermined, dict(search.endless)) == ("optimum", (), {})


def test_a_way_that_leads_nowhere_with_linear_parameters_solved_for_is_tried_without():
    x = np.linspace(0.1, 5, 60)
    y = 3 / (1 + np.exp(-2 * (x - 2))) + 0.03 * np.sin(9 * x)
    objective = objective_of(curve_of("y = a/(1 + exp(-k*(x - m)))"), x, y)
    start = np.array([5.0, 5.0, 5.0])
    assert descend_curve(Projection(objective, ("a",)), start[1:]).loss > 0.01
    history, _ = minimise_curve(objective, start, budget=0.0)
    assert history.stop == "optimum"
    np.testing.assert_allclose(history.weights, [3, 2, 2], rtol=0.05)


def test_a_start_at_a_maximum_of_the_loss_is_no_optimum():
    x = np.arange(40) * np.pi / 20
    history, _ = minimise_curve(objective_of(curve_of("y = cos(x - t)"), x, np.cos(x)), np.array([np.pi]), budget=0.0)
    assert history.stop == "optimum"
    assert np.cos(history.weights[0]) == pytest.approx(1.0, rel=1e-14)


HINGES = {
    "y = c + a*max(0, x - k)": lambda x, k: 1 + 2 * np.maximum(0, x - k),
    "y = c + a*min(x, k)": lambda x, k: 1 + 2 * np.minimum(x, k),
    "y = c + a*abs(x - k)": lambda x, k: 1 + 2 * np.abs(x - k),
}


@pytest.mark.slow
def test_a_minimum_in_a_kink_of_the_loss_is_one():
    kinks = 0
    for seed in range(30):
        random = np.random.default_rng(seed)
        x, (text, mean) = np.sort(random.uniform(0, 5, random.integers(10, 60))), list(HINGES.items())[seed % 3]
        y = mean(x, random.uniform(1, 4)) + random.normal(0, 0.5, x.size)
        objective = objective_of(curve_of(text), x, y)
        problem = Projection(objective, linear_in(objective.curve))
        history, _ = minimise_curve(objective, np.array([1.0, 1.0, 2.5]), budget=0.0)
        k = history.weights[problem.searched[0]]
        beside = [problem.residual(np.array([k + step])) for step in np.linspace(-1e-3, 1e-3, 201)]
        assert history.stop == "optimum"
        assert history.final_loss <= min(r @ r for r in beside) * (1 + 1e-9)
        kinks += bool(np.abs(x - k).min() < 1e-6)
    assert kinks > 2


def test_a_valley_that_gauss_newton_creeps_along_is_gone_to_its_end():
    x = np.array([80.0, 90.0, 1.0, 230.0, 40.0])
    objective = objective_of(curve_of("y = a*b*c + d*x"), x, 40 + 1.5 * x + 100 * np.sin(x), "sse", 0.1)
    history, _ = minimise_curve(objective, np.array([0.05, -0.4, -3.0, -3.0]), budget=0.0)
    assert history.stop == "optimum"
    np.testing.assert_allclose(objective.gradient(history.weights), 0, atol=1e-6)
    np.testing.assert_allclose(np.abs(history.weights[:3]), np.abs(history.weights[0]), rtol=1e-8)


def test_a_width_keeps_the_sign_of_its_start():
    x = np.linspace(-3, 3, 50)
    objective = objective_of(curve_of("y = a*exp(-x**2/s**2)"), x, 2 * np.exp(-(x**2) / 1.5**2))
    for sign in (1.0, -1.0):
        history, _ = minimise_curve(objective, np.array([1.0, sign * 20]))
        np.testing.assert_allclose(history.weights, [2, sign * 1.5], rtol=1e-10)


def test_steps_are_recorded_told_and_kept(tmp_path):
    x = np.linspace(0, 3, 20)
    objective = objective_of(curve_of("y = a*exp(-k*x)"), x, 3 * np.exp(-2 * x) + 0.1 * np.sin(9 * x))
    told = []
    history, _ = minimise_curve(objective, np.ones(2), run=RunOptions(on_epoch=lambda *step: told.append(step)))
    assert history.optimizer == "levenberg-marquardt"
    assert told == list(zip(history.epoch.tolist(), history.loss.tolist(), strict=True))
    np.testing.assert_array_equal(history.snapshots[0], np.ones(2))
    assert history.loss[0] == objective.value(np.ones(2))
    assert (np.diff(history.loss[:-1]) < 0).all()


def test_an_interrupt_ends_with_what_was_reached():
    def interrupt(step, loss):
        if step == 3:
            raise KeyboardInterrupt

    entry = next(entry for entry in SETS if entry["name"] == "Thurber")
    objective = nist(entry)
    history, _ = minimise_curve(
        objective, ordered(objective, entry, entry["start1"]), run=RunOptions(on_epoch=interrupt)
    )
    assert history.stop == "interrupted"
    assert history.final_loss == history.loss.min() < history.loss[0]


def test_a_run_is_taken_up_from_its_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr("descend.solvers.checkpoint.EVERY", 0.0)

    def interrupt(step, loss):
        if step == 20:
            raise KeyboardInterrupt

    entry = next(entry for entry in SETS if entry["name"] == "Thurber")
    objective = nist(entry)
    start = ordered(objective, entry, entry["start1"])
    kept = Checkpoint(tmp_path / "run", {"run": 1})
    first, _ = minimise_curve(objective, start, run=RunOptions(on_epoch=interrupt, checkpoint=kept))
    again, _ = minimise_curve(
        objective, start, run=RunOptions(checkpoint=Checkpoint(tmp_path / "run", {"run": 1}, resume=True))
    )
    assert again.stop == "optimum"
    np.testing.assert_array_equal(again.loss[:20], first.loss[:20])
    np.testing.assert_allclose(again.weights, ordered(objective, entry, entry["certified"]), rtol=1e-10)


KINDS = {
    "y = a*exp(-b*x) + c": [(1, 5), (0.2, 2), (-1, 1)],
    "y = a/(1 + exp(-k*(x - m)))": [(1, 5), (0.5, 3), (1, 4)],
    "y = v*x/(k + x)": [(1, 5), (0.3, 4)],
    "y = a*exp(-(x - m)**2/(2*s**2)) + c": [(1, 5), (1, 4), (0.4, 1.5), (-1, 1)],
    "y = a*sin(w*x + p) + c": [(1, 3), (0.8, 2), (0, 1), (-1, 1)],
}


@pytest.mark.slow
def test_the_minimum_within_bounds_is_no_higher_than_scipy_s_in_200_problems():
    stopped = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        text, ranges = list(KINDS.items())[seed % len(KINDS)]
        true, x = np.array([random.uniform(*each) for each in ranges]), np.sort(random.uniform(0.1, 5, 40))
        y = objective_of(curve_of(text), x, x).predictor(true)[:, 0]
        y += random.normal(0, 0.1 * y.std(), 40)
        width = 0.3 * np.array([high - low for low, high in ranges])
        which = random.uniform(size=true.size)
        low = np.where(which < 0.35, true + random.uniform(-1, 0.5, true.size) * width, -np.inf)
        high = np.where(which > 0.65, true + random.uniform(-0.5, 1, true.size) * width, np.inf)
        start = np.clip(true * random.uniform(0.7, 1.3, true.size), low, high)
        objective = objective_of(curve_of(text), x, y)
        history, search = minimise_curve(objective, start, (low, high), budget=0.0)
        near = 1e-9 * (np.abs(start) + 1e-3)
        scipy = least_squares(
            lambda w, objective=objective: (objective.predictor(w) - objective.Y).ravel(),
            np.clip(start, low + near, high - near),
            lambda w, objective=objective: objective.linearised(w)[1][:, 0],
            bounds=(low, high), xtol=1e-14, ftol=1e-14, gtol=1e-14, x_scale="jac",
        )  # fmt: skip
        assert history.stop == "optimum"
        assert ((history.weights >= low) & (history.weights <= high)).all()
        assert history.final_loss * 40 <= 2 * scipy.cost * (1 + 1e-7)
        at = dict(zip(objective.curve.parameters, zip(history.weights, low, high, strict=True), strict=True))
        assert all(at[name][0] in at[name][1:] for name in search.at_bound)
        stopped += bool(search.at_bound)
    assert stopped > 50


def least(objective, *starts):
    """Return the least loss that SciPy finds from any of the starts."""
    found = []
    for start in starts:
        found.append(minimize(objective.value_and_gradient, start, jac=True, method="BFGS", options={"gtol": 1e-12}))
        options = {"xatol": 1e-12, "fatol": 1e-15, "maxiter": 5000, "maxfev": 9000}
        found.append(minimize(objective.value, start, method="Nelder-Mead", options=options))
    return min(each.fun for each in found)


def targets_of(family, x):
    random, mean = np.random.default_rng(1), 4 * np.exp(-0.8 * x) + 1
    match family:
        case "logistic":
            return (random.uniform(size=x.size) < 1 / (1 + np.exp(2 - mean))).astype(float)
        case "poisson":
            return random.poisson(np.exp(mean / 2)).astype(float)
    return np.abs(mean + random.standard_t(2, x.size) * 0.15)


@pytest.mark.parametrize("strength", [0.0, 0.02])
@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.families[0] != "softmax"])
def test_any_loss_ends_at_the_minimum_that_scipy_finds(name, strength):
    x = np.sort(np.random.default_rng(0).uniform(0.1, 5, 80))
    y = targets_of(LOSSES[name].families[0], x)
    objective = objective_of(curve_of("y = a*exp(-b*x) + c"), x, y, name, strength)
    start = np.array([2, 0.5, 0.5])
    history, _ = minimise_curve(objective, start, budget=0.0)
    assert history.stop == "optimum"
    assert history.final_loss == pytest.approx(objective.value(history.weights), rel=1e-14)
    assert history.final_loss <= least(objective, start, history.weights, history.weights * 1.02) * (1 + 1e-10)


def test_classes_that_a_curve_parts_have_no_minimum():
    x = np.linspace(0.1, 5, 40)
    objective = objective_of(curve_of("y = k*(x - m)"), x, x > 2.2, "binary_cross_entropy")
    history, search = minimise_curve(objective, np.array([1.0, 2.0]), budget=0.0)
    assert history.stop == "stalled"
    assert "k" in search.endless


def test_a_row_of_weight_three_is_three_rows():
    x = np.linspace(0.1, 5, 30)
    y, weight = 4 * np.exp(-0.8 * x) + 0.1 * np.sin(9 * x), 1.0 + 2 * (np.arange(30) % 2)
    curve, places = curve_of("y = a*exp(-b*x)"), np.repeat(np.arange(30), weight.astype(int))
    weighed = objective_of(curve, x, y, "sse", weight=weight[:, None])
    repeated = objective_of(curve, x[places], y[places], "sse")
    found = [minimise_curve(each, np.ones(2))[0].weights for each in (weighed, repeated)]
    np.testing.assert_allclose(*found, rtol=1e-12)


def test_equations_that_share_a_parameter_are_fitted_together():
    x = np.linspace(0.1, 5, 30)
    Y = np.column_stack([4 * np.exp(-0.8 * x) + 0.1 * np.sin(9 * x), 2 + np.exp(-0.8 * x) + 0.1 * np.cos(7 * x)])
    objective = objective_of(curve_of("y = a*exp(-b*x); z = c + d*exp(-b*x)"), x, Y)
    history, _ = minimise_curve(objective, np.ones(4))
    options = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15}
    found = least_squares(lambda w: (objective.predictor(w) - Y).ravel(), np.ones(4), **options)
    assert history.final_loss * 60 == pytest.approx(2 * found.cost, rel=1e-12)
    np.testing.assert_allclose(history.weights, found.x, rtol=1e-6)


def test_the_answer_does_not_depend_on_the_number_of_threads():
    x = np.linspace(0.1, 5, 200_000)
    y = 4 * np.exp(-0.8 * x) + 0.1 * np.sin(9 * x)
    objective = objective_of(curve_of("y = a*exp(-b*x) + c"), x, y)
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(minimise_curve(objective, np.ones(3), budget=0.0)[0].weights)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("y = a*exp(-b*x) + c*exp(-d*x)", ((("a", "b"), ("c", "d")),)),
        ("y = a*exp(-b*x) - c*exp(-d*x)", ()),
        ("y = a*exp(-b*x) + c*exp(d*x)", ()),
        ("y = a*exp(-b*x) + c*exp(-b*x)", ()),
        ("y = k + a*cos(x/p) + b*sin(x/p) + c*cos(x/q) + d*sin(x/q)", ((("a", "p", "b"), ("c", "q", "d")),)),
        ("y = a*exp(-b*x) + c*exp(-d*x); z = exp(-b*x) + exp(-d*x)", ((("a", "b"), ("c", "d")),)),
    ],
)
def test_terms_that_can_change_places_are_found(text, groups):
    assert exchangeable(curve_of(text)) == groups
