"""The sliders of an equation's parameters: their ranges, the loss of their values, and the settings that go along."""

from __future__ import annotations

import numpy as np
import orjson
import polars as pl
import pytest

from descend import load
from descend.formula.parser import parse
from descend.solvers.recipe import Recipe
from descend.studio.live_run import Slide, slides
from descend.studio.profile import profile
from descend.studio.scene import Scene
from descend.studio.sliders import Sliders, scales_of, values_at
from descend.studio.statement import USUAL, carried_over, curved, example_equation, understood
from descend.studio.view import view_of, view_of_outset
from descend.studio.worker.session import Bench
from descend.studio.zones import zones_foretold
from descend.tables.open import read

DECAY = "y = a * exp(-b * x) + c"
LINE = "y = W * x + b"


def decay(rows=60):
    random = np.random.default_rng(0)
    x = np.linspace(0, 10, rows)
    return pl.DataFrame({"x": x, "y": 3 * np.exp(-0.5 * x) + 1 + random.normal(0, 0.05, rows)})


@pytest.fixture
def bench(tmp_path):
    path = tmp_path / "decay.csv"
    decay().write_csv(path)
    made = Bench(100_000)
    made.open(str(path))
    return made


@pytest.fixture
def fitted(bench, tmp_path):
    """The sliders of a fitted equation."""

    def make(formula, lang="en", **settings):
        done = bench.fit(formula, {"test": "none", **settings}, str(tmp_path / "model.safetensors"))
        view, recipe = view_of(load(done.path)), Recipe(**settings)
        return Sliders(Scene.of(view, "", None, lang), recipe.limits, recipe.held)

    return make


def mean_squared_error(a, b, c):
    x, y = decay().get_columns()
    return float(((a * np.exp(-b * x) + c - y) ** 2).mean())


def test_the_sliders_stand_at_the_fit_inside_their_ranges(fitted):
    sliders = fitted(DECAY)
    told = {one["name"]: one for one in sliders.told()}
    assert list(told) == ["a", "b", "c"]
    for name, one in told.items():
        assert one["low"] < one["value"] < one["high"]
        assert one["value"] == pytest.approx(sliders.fit[name], rel=1e-6)
    assert [one["log"] for one in told.values()] == [False, True, False]
    assert not sliders.by_hand
    assert sliders.sampled is None


def test_the_loss_of_values_set_by_hand_is_that_of_the_rows(fitted):
    sliders = fitted(DECAY)
    assert sliders.move("b", 0.7)
    assert sliders.by_hand
    values = {**sliders.fit, "b": 0.7}
    assert sliders.values == values
    assert sliders.loss == pytest.approx(mean_squared_error(**values), rel=1e-12)
    moment = sliders.moment()
    assert moment["epoch"] is None
    assert moment["loss"] == pytest.approx(mean_squared_error(**values), rel=1e-6)
    grid = sliders.scene.picture.grid
    wanted = values["a"] * np.exp(-0.7 * grid) + values["c"]
    np.testing.assert_allclose(moment["data"]["lines"][0], wanted, atol=1e-3)
    assert moment["place"] == pytest.approx([list(values.values())[at] for at in sliders.scene.plane.chosen])
    assert sliders.scene.plane.names == ["abc"[at] for at in sliders.scene.plane.chosen]


def test_the_equation_has_the_values_set_by_hand(fitted):
    sliders = fitted(DECAY)
    for name, value in {"a": 2.0, "b": 0.25, "c": 1.5}.items():
        sliders.move(name, value)
    equation = sliders.equation("en")
    assert all(number in equation for number in ("2", "0.25", "1.5"))


def test_a_linear_equation_has_sliders_in_the_units_of_the_table(fitted):
    x, y = decay().get_columns()
    slope, constant = np.polyfit(x, y, 1)
    sliders = fitted(LINE, optimizer="sgd", lr="auto", epochs=100)
    assert sliders.fit == pytest.approx({"W": slope, "b": constant}, rel=1e-9)
    sliders.move("W", -0.3)
    sliders.move("b", 3.0)
    assert sliders.loss == pytest.approx(float(((-0.3 * x + 3.0 - y) ** 2).mean()), rel=1e-10)
    assert [one["log"] for one in sliders.told()] == [False, False]


def test_several_outputs_and_signs_have_their_own_parameters(tmp_path):
    random = np.random.default_rng(1)
    x = random.normal(size=(50, 2))
    table = pl.DataFrame({"u": x[:, 0], "v": x[:, 1], "p": x @ [1.0, 2.0] - 1, "q": x @ [-3.0, 0.5] + 4})
    table.write_csv(tmp_path / "two.csv")
    bench = Bench(1000)
    bench.open(str(tmp_path / "two.csv"))
    formula = "p = k1*u + k2*v - k3; q = m1*u + m2*v + m3"
    done = bench.fit(formula, {"test": "none"}, str(tmp_path / "m.safetensors"))
    sliders = Sliders(Scene.of(view_of(load(done.path)), "", None, "en"), {}, {})
    wanted = {"k1": 1.0, "k2": 2.0, "k3": 1.0, "m1": -3.0, "m2": 0.5, "m3": 4.0}
    assert sliders.fit == pytest.approx(wanted, abs=1e-9)
    for name, value in wanted.items():
        sliders.move(name, value + 1)
    off = np.column_stack([x.sum(axis=1) - 1, x.sum(axis=1) + 1])
    assert sliders.loss == pytest.approx(float((off**2).mean()), rel=1e-9)


def test_a_parameter_that_is_held_does_not_move_and_is_not_started_from(fitted):
    sliders = fitted(DECAY, fixed="c=1")
    assert [one["held"] for one in sliders.told()] == [False, False, True]
    assert sliders.fit["c"] == 1.0
    assert not sliders.move("c", 2.0)
    assert not sliders.move("d", 2.0)
    assert set(sliders.start()) == {"a", "b"}


def test_a_value_stays_within_bounds_and_they_are_the_range(fitted):
    sliders = fitted(DECAY, bounds="b=0.1:0.9, a=0:")
    told = {one["name"]: one for one in sliders.told()}
    assert (told["b"]["low"], told["b"]["high"]) == pytest.approx((0.1, 0.9))
    assert told["a"]["low"] >= 0
    sliders.move("b", 5.0)
    assert sliders.values["b"] == 0.9


def test_a_value_beyond_the_range_widens_it(fitted):
    sliders = fitted(DECAY)
    sliders.move("a", 400.0)
    (one, *_) = sliders.told()
    assert one["low"] < 400 < one["high"]


@pytest.mark.parametrize("formula", [DECAY, LINE, "y = a * log(x + k)**p"])
@pytest.mark.parametrize("bounds", [None, "first=0:"])
def test_whatever_is_typed_the_ends_of_a_slider_are_numbers(fitted, formula, bounds):
    first = parse(formula).parameters_among(["x", "y"])[0]
    settings = {"bounds": bounds.replace("first", first)} if bounds else {}
    sliders = fitted(formula, **settings)
    for name in sliders.fit:
        for value in (1e308, -1e308, 0.0, 1e-308, -5e-324, 1e16, 5.0):
            assert sliders.move(name, value)
            orjson.dumps([sliders.told(), sliders.moment(), sliders.equation("en")])
            for one in sliders.told():
                assert -np.inf < one["low"] < one["high"] < np.inf
                assert not one["log"] or one["low"] * one["high"] > 0


def test_an_epoch_brings_its_own_values(fitted):
    sliders = fitted(DECAY, optimizer="adam", lr=0.05, epochs=50, init={"a": 1.0, "b": 1.0, "c": 0.0})
    sliders.move("a", 9.0)
    sliders.at_epoch(sliders.scene, 0)
    assert sliders.values == {"a": 1.0, "b": 1.0, "c": 0.0}
    assert not sliders.by_hand
    assert values_at(sliders.scene.view, 50) == sliders.fit


def test_where_the_curve_is_not_defined_there_is_no_loss(tmp_path):
    x = np.linspace(1, 5, 30)
    pl.DataFrame({"x": x, "y": np.log(x + 1)}).write_csv(tmp_path / "log.csv")
    bench = Bench(1000)
    bench.open(str(tmp_path / "log.csv"))
    done = bench.fit("y = a * log(x + s)", {"test": "none", "init": {"a": 1, "s": 0.5}}, str(tmp_path / "m"))
    sliders = Sliders(Scene.of(view_of(load(done.path)), "", None, "en"), {}, {})
    sliders.move("s", -3.0)
    assert not np.isfinite(sliders.loss)
    assert sliders.moment()["loss"] is None


@pytest.mark.parametrize(
    ("equation", "scales"),
    [
        ("y = top / (1 + exp(-k * (x - mid)))", {"k"}),
        (DECAY, {"b"}),
        ("y = a * x**p", {"p"}),
        ("y = exp(s + r * x)", {"r"}),
        (LINE, set()),
    ],
)
def test_scales_are_neither_linear_nor_added(equation, scales):
    assert scales_of(parse(equation).resolve(["x", "y"])) == scales


def test_a_loss_over_some_of_the_rows_says_so(tmp_path):
    decay(2500).write_csv(tmp_path / "long.csv")
    bench = Bench(10_000)
    bench.open(str(tmp_path / "long.csv"))
    assert view_of_outset(bench.prepare(DECAY, {"test": "none"})).sampled
    done = bench.fit(DECAY, {"test": "none"}, str(tmp_path / "m"))
    sliders = Sliders(Scene.of(view_of(load(done.path)), "", None, "en"), {}, {})
    assert sliders.sampled == len(sliders.scene.view.rows.X) == 2000


# before the fit


def test_an_equation_is_shown_before_its_fit_with_likely_parameters(bench):
    prepared = bench.prepare(DECAY, {})
    assert prepared.fitted is None
    assert not slides(prepared, Recipe())
    view = view_of_outset(prepared)
    assert (view.fitted, view.end, view.last) == (False, 0, 0)
    values = values_at(view, 0)
    assert list(values) == ["a", "b", "c"]
    assert view.losses(0)[0] == pytest.approx(view.surface.value(view.goal))
    assert view_of_outset(bench.prepare("y ~ x", {})) is None


def test_an_equation_before_its_fit_begins_where_its_run_does(bench):
    settings = {"optimizer": "sgd", "lr": "auto", "epochs": 50, "init": {"a": 2.0, "b": 1.0, "c": 0.5}}
    prepared = bench.prepare(DECAY, settings)
    assert values_at(view_of_outset(prepared), 0) == settings["init"]
    zones = zones_foretold(prepared.forecast, Recipe(**settings))
    assert zones.edge == prepared.forecast.lasting
    assert [part["kind"] for part in zones.told()["parts"]] == ["stable", "unsure"]
    assert not zones.sure


def test_a_linear_equation_follows_the_rate_as_its_formula_does(bench):
    recipe = Recipe(**USUAL)
    views = [Slide(bench.prepare(text, USUAL)).view(recipe) for text in (LINE, "y ~ x")]
    np.testing.assert_array_equal(views[0].path, views[1].path)
    names = [Scene.of(view, "", None, "en").surface["names"] for view in views]
    assert names == [["b, standardised", "W, standardised"], ["(intercept), standardised", "x, standardised"]]


def test_the_loss_of_unseen_rows_of_an_equation_is_shown(bench, tmp_path):
    done = bench.fit(DECAY, {"test": 0.2}, str(tmp_path / "m"))
    model = load(done.path)
    view = view_of(model)
    fitted, unseen = view.losses(view.end)
    numbers = model.coefficients
    off = numbers["a"] * np.exp(-numbers["b"] * view.rows.columns.numbers["x"]) + numbers["c"] - view.rows.truth[:, 0]
    assert unseen == pytest.approx(float((off[view.rows.tested] ** 2).mean()), rel=1e-9)
    assert fitted == pytest.approx(float((off[~view.rows.tested] ** 2).mean()), rel=1e-9)


# the settings that go along with another formula


def test_an_equation_that_is_not_linear_is_fitted_to_the_optimum_unless_another_way_was_chosen():
    columns = ["x", "y"]
    assert carried_over(USUAL, "y ~ x", DECAY, columns) == {}
    assert carried_over({**USUAL, "epochs": 500}, "y ~ x", DECAY, columns) == {**USUAL, "epochs": 500}
    assert carried_over(USUAL, "y ~ x", LINE, columns) == USUAL
    assert carried_over({}, DECAY, "y ~ x", columns) == USUAL
    assert carried_over({"optimizer": "adam"}, DECAY, "y ~ x", columns) == {"optimizer": "adam"}
    assert carried_over({}, "y ~ x", "y ~ x + 1", columns) == {}


def test_settings_of_parameters_go_along_with_those_that_the_next_equation_has():
    columns = ["x", "y"]
    settings = {"bounds": {"a": (0, None)}, "fixed": "b=1, c=2", "parameters": ["b"], "init": {"a": 1.0}, "l2": 0.1}
    kept = carried_over(settings, DECAY, "y = a * exp(-b * x)", columns)
    assert kept == {"bounds": "a=0.0:", "fixed": "b=1.0", "parameters": "b", "init": {"a": 1.0}, "l2": 0.1}
    assert carried_over(settings, DECAY, "y = p * exp(-q * x)", columns) == {"l2": 0.1}
    assert carried_over(settings, DECAY, "y ~ x", columns) == {"l2": 0.1, **USUAL}
    assert carried_over(settings, DECAY, "y = a * ", columns) == settings


def test_a_doubted_name_is_a_parameter_once_it_is_said_to_be_one():
    columns = ["hours", "x", "score"]
    assert not curved("score = a * exp(-hour * x)", {}, columns)
    assert understood("score = hour * x + a", {"parameters": "hour"}, columns).parameters == ["hour", "a"]


@pytest.mark.parametrize(
    ("formula", "wanted"),
    [
        ("y ~ x", DECAY),
        ("y ~ x + a", "y = p * exp(-q * x) + r"),
        ("y ~ kind", ""),
        ("kind ~ x", ""),
        (LINE, ""),
        ("y ~", ""),
        ("`the y` ~ x", "`the y` = p * exp(-q * x) + r"),
    ],
)
def test_an_equation_is_offered_for_a_number_by_a_number(formula, wanted):
    columns = {"x": [1.0, 2.0, 3.0], "y": [2.0, 1.0, 0.5], "kind": ["u", "v", "u"]}
    if "+ a" in formula or "the" in formula:
        columns |= {"a": [3.0, 1.0, 2.0], "the y": [1.0, 2.0, 4.0]}
    assert example_equation(formula, profile(read(columns))) == wanted
