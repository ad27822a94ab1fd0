"""Profile intervals of an equation's parameters: those of SciPy's own minimisation of the others, one by one."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import called
from curve_fixtures import NIST, nist, over
from scipy import optimize, stats

import descend
from descend.analysis.curve_inference import infer_curve
from descend.analysis.profile import profile_curve
from descend.analysis.verification import split_rows
from descend.base.errors import ModelError, OptionError
from descend.solvers.curve_minimum import minimise_curve

CURVES = {
    "Misra1a": lambda x, b1, b2: b1 * (1 - np.exp(-b2 * x)),
    "BoxBOD": lambda x, b1, b2: b1 * (1 - np.exp(-b2 * x)),
    "DanWood": lambda x, b1, b2: b1 * x**b2,
    "MGH09": lambda x, b1, b2, b3, b4: b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4),
    "Rat43": lambda x, b1, b2, b3, b4: b1 / (1 + np.exp(b2 - b3 * x)) ** (1 / b4),
}
TIGHT = {"x_scale": "jac", "xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15}


def scipys(curve, x, y, start, level):
    """Return the ends of the profile intervals, parameters x 2, by small steps and SciPy's least squares."""
    full = optimize.least_squares(lambda w: curve(x, *w) - y, start, **TIGHT)
    freedom = len(y) - len(start)
    variance, t = 2 * full.cost / freedom, stats.t.ppf((1 + level) / 2, freedom)
    errors = np.sqrt(variance * np.diag(np.linalg.inv(full.jac.T @ full.jac)))
    ends = np.empty((len(start), 2))
    for place, error in enumerate(errors):
        for side, sign in enumerate((-1, 1)):

            def rise(value, others, place=place):
                with np.errstate(all="ignore"):
                    held = optimize.least_squares(
                        lambda rest: np.nan_to_num(curve(x, *np.insert(rest, place, value)) - y, nan=1e9),
                        others,
                        **TIGHT,
                    )
                return 2 * (held.cost - full.cost) / variance - t**2, held.x

            others, value = np.delete(full.x, place), full.x[place]
            step = sign * t * error / 40
            while True:
                found, near = rise(value + step, others)
                if found > 0:
                    break
                value, others = value + step, near
            ends[place, side] = optimize.brentq(
                lambda value, others=others: rise(value, others)[0], value, value + step, rtol=1e-12
            )
    return ends


def profiled(equation, table, start, level=0.95, bounds=None, **settings):
    objective = over(equation, table, **settings)
    history, search = minimise_curve(objective, np.array(start, dtype=float), bounds)
    inference = infer_curve(objective, history.weights, at_bound=search.at_bound, arrived=True)
    return profile_curve(objective, history.weights, inference, level, bounds)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "level"), [("Misra1a", 0.95), ("BoxBOD", 0.95), ("DanWood", 0.99), ("MGH09", 0.95), ("Rat43", 0.8)]
)
def test_profile_intervals_are_those_of_scipys_minimisation(name, level):
    objective, w, _ = nist(name)
    found = profile_curve(objective, w, infer_curve(objective, w, arrived=True), level)
    x, y = (np.array(NIST[name]["columns"][column], dtype=float) for column in "xy")
    expected = scipys(CURVES[name], x, y, w, level)
    np.testing.assert_allclose(np.column_stack([found.low, found.high]), expected, rtol=1e-6)
    assert found.lower is None
    assert found.names == tuple(NIST[name]["parameters"])


def test_of_a_linear_curve_they_are_the_t_intervals():
    random = np.random.default_rng(1)
    x = random.normal(size=30)
    table = {"x": x, "y": 2 + 3 * x + random.normal(size=30)}
    found = profiled("y = sqrt(a)**2 + b * x", table, [2, 3])
    X = np.column_stack([np.ones(30), x])
    w, squares = np.linalg.lstsq(X, table["y"], rcond=None)[:2]
    reach = stats.t.ppf(0.975, 28) * np.sqrt(squares[0] / 28 * np.diag(np.linalg.inv(X.T @ X)))
    np.testing.assert_allclose(found.low, w - reach, rtol=1e-8)
    np.testing.assert_allclose(found.high, w + reach, rtol=1e-8)


def test_an_end_that_the_rows_do_not_give_is_infinite():
    x = np.repeat([1.0, 2.0, 3.0], 4)
    y = 5 + np.random.default_rng(0).normal(size=12) - 0.3 * (x == 1)
    found = profiled("y = a * (1 - exp(-b * x))", {"x": x, "y": y}, [5, 3])
    variance = np.square(y - found.values[0] * (1 - np.exp(-found.values[1] * x))).sum() / 10
    flat = np.square(y - y.mean()).sum()  # the curve of b without end
    assert flat - 10 * variance < stats.f.ppf(0.95, 1, 10) * variance
    assert found.high[1] == np.inf
    assert np.isfinite(found.low).all()
    assert np.isfinite(found.high[0])


def test_parameters_that_are_not_determined_have_no_ends():
    x = np.linspace(0, 3, 20)
    y = 6 * np.exp(-x) + 0.1 * np.random.default_rng(0).normal(size=20)
    found = profiled("y = a * b * exp(-c * x)", {"x": x, "y": y}, [2, 3, 1])
    alone = profiled("y = a * exp(-c * x)", {"x": x, "y": y}, [6, 1])
    np.testing.assert_allclose([found.low[2], found.high[2]], [alone.low[1], alone.high[1]], rtol=1e-6)
    assert (found.high[:2] == np.inf).all()


def test_an_interval_ends_at_a_bound_and_where_the_equation_is_not_defined():
    x = np.linspace(1, 3, 20)
    table = {"x": x, "y": 2 * np.log(x - 0.5) + 0.3 * np.random.default_rng(0).normal(size=20)}
    free = profiled("y = a * log(x - b)", table, [2, 0.5])
    assert free.high[1] < 1  # log(x - b) of the first row
    bound = (np.array([-np.inf, -np.inf]), np.array([np.inf, (free.values[1] + free.high[1]) / 2]))
    held = profiled("y = a * log(x - b)", table, [2, 0.5], bounds=bound)
    assert held.high[1] == bound[1][1]
    np.testing.assert_allclose(held.low, free.low, rtol=1e-7)


def test_a_probability_has_the_profile_of_its_likelihood():
    random = np.random.default_rng(2)
    x = random.normal(size=80)
    y = (x + random.logistic(size=80) > 0.3).astype(float)
    found = profiled("P(y) = sigmoid(k * (x - m))", {"x": x, "y": y}, [1, 0.3], 0.9, family="logistic")

    def minus(k, m):
        z = k * (x - m)
        return np.logaddexp(0, z).sum() - (y * z).sum()

    def rise(m):
        k = optimize.minimize_scalar(lambda k: minus(k, m), bounds=(0, 10), method="bounded", options={"xatol": 1e-12})
        return 2 * (k.fun - minus(*found.values)) - stats.chi2.ppf(0.9, 1)

    m = found.values[1]
    expected = [optimize.brentq(rise, m - 3, m, rtol=1e-12), optimize.brentq(rise, m, m + 3, rtol=1e-12)]
    np.testing.assert_allclose([found.low[1], found.high[1]], expected, rtol=1e-6)


def test_equations_without_shared_parameters_have_each_their_own_profile():
    x = np.linspace(0.2, 4, 40)
    noise = np.random.default_rng(0).normal(size=40)
    table = {"x": x, "y": 3 * np.exp(-0.8 * x) + 0.1 * noise, "z": 100 * np.exp(-0.5 * x) + 2 * noise[::-1]}
    both = profiled("y = a * exp(-b * x); z = c * exp(-d * x)", table, [3, 0.8, 100, 0.5])
    one = profiled("y = a * exp(-b * x)", table, [3, 0.8])
    other = profiled("z = c * exp(-d * x)", table, [100, 0.5])
    np.testing.assert_allclose(both.low, [*one.low, *other.low], rtol=1e-6)
    np.testing.assert_allclose(both.high, [*one.high, *other.high], rtol=1e-6)


@pytest.mark.slow
def test_a_lower_loss_that_is_met_on_the_way_is_told():
    objective, w, _ = nist("MGH09")
    beside = w * np.array([1, 1, 1.5, 1])
    found = profile_curve(objective, beside, infer_curve(objective, beside, arrived=True))
    assert found.lower is not None
    assert objective.value(w) <= objective.value(found.lower) < objective.value(beside)


# ---------------------------------------------------------------- of a model


GRID = np.linspace(0, 6, 60)
NOISE = np.random.default_rng(3).normal(size=60)
TABLE = {"x": GRID, "y": 3 * np.exp(-0.8 * GRID) + 0.5 + 0.1 * NOISE, "z": 2 * GRID + NOISE}


@pytest.fixture(scope="module")
def decay():
    return descend.fit("y = a*exp(-b*x) + c", TABLE)


def test_a_model_gives_the_profile_of_the_rows_that_it_was_fitted_on(decay, tmp_path):
    frame = decay.profile(0.9)
    rows = ~decay.sample.tested
    kept = {name: decay.sample.frame[name].to_numpy()[rows] for name in "xy"}
    expected = scipys(lambda x, a, b, c: a * np.exp(-b * x) + c, kept["x"], kept["y"], decay.weights.ravel(), 0.9)
    assert frame["name"].to_list() == ["a", "b", "c"]
    np.testing.assert_allclose(frame["value"], decay.weights.ravel())
    np.testing.assert_allclose(frame.select("low", "high").to_numpy(), expected, rtol=1e-6)
    again = descend.load(decay.save(tmp_path / "m.safetensors"))
    assert again.profile(0.9).equals(frame)


def test_a_bound_of_the_fit_ends_the_interval():
    model = descend.fit("y = a*exp(-b*x) + c", TABLE, bounds={"b": (0.7, None)})
    assert model.profile()["low"].to_list()[1] == 0.7


def test_a_model_that_keeps_fewer_rows_says_how_to_fit_again():
    model = descend.fit("y = a*exp(-b*x) + c", TABLE, keep_rows=20)
    with pytest.raises(ModelError, match="48") as caught:
        model.profile()
    assert caught.value.code == "model.profile-rows"
    assert "--keep-rows 60" in caught.value.hint()


@pytest.mark.parametrize("formula", ["z ~ x", "z = w*x + b", "z = b - k*x"])
def test_the_profile_of_a_line_is_its_t_interval(formula):
    model = descend.fit(formula, TABLE, keep_rows=0)
    frame = model.profile(0.8)
    found = stats.linregress(GRID[~held()], TABLE["z"][~held()])
    reach = stats.t.ppf(0.9, 46) * np.array([found.intercept_stderr, found.stderr])
    values = np.array([found.intercept, found.slope])
    named = dict(zip(frame["name"], frame.select("low", "value", "high").rows(), strict=True))
    line = {"(intercept)": 0, "b": 0, "x": 1, "w": 1, "k": 1}
    for name, ends in named.items():
        sign = -1 if name == "k" else 1
        place = line[name]
        expected = sign * values[place] + reach[place] * np.array([-1, 0, 1])
        np.testing.assert_allclose(ends, expected, rtol=1e-8)


def held():
    """Return which rows of the table are held out."""
    return np.isin(np.arange(60), split_rows(60, "auto", 0).folds[0][1])


def test_what_has_no_profile_says_so():
    model = descend.fit("c ~ x", {"x": GRID, "c": np.where(NOISE + GRID > 3, "yes", "no")})
    with pytest.raises(ModelError) as caught:
        model.profile()
    assert caught.value.code == "model.no-profile"
    with pytest.raises(OptionError):
        descend.fit("z ~ x", TABLE).profile(1.5)
    with pytest.raises(ModelError):
        descend.fit("z ~ x", TABLE, l2=0.1).profile()


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_the_command_tells_profile_intervals_in_the_place_of_those_of_t(decay, lang, capsys, tmp_path):
    path = decay.save(tmp_path / "m.safetensors")
    code, told, _ = called(capsys, "show", str(path), "--inference", "--profile", "--level", "0.9", "--lang", lang)
    assert code == 0
    for low, high in decay.profile(0.9).select("low", "high").rows():
        assert f"{low:.6g}" in told
        assert f"{high:.6g}" in told
    code, told, _ = called(capsys, "show", str(path), "--inference", "--profile", "--json", "--lang", lang)
    facts = json.loads(told)["profile"]
    assert facts["names"] == ["a", "b", "c"]
    assert facts["low"] == decay.profile()["low"].to_list()
    assert facts["level"] == 0.95
    code, _, error = called(capsys, "show", str(path), "--profile", "--lang", lang)
    assert code != 0
    assert "inference" in error
