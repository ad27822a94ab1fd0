"""Every function of the formula, asked on each floor: value, slope, inverse, SQL, sentences, fit, documentation."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import mpmath
import numpy as np
import polars as pl
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

import descend
from descend.base.errors import DesignError, FormulaError
from descend.base.messages import has, say
from descend.formula.ast import Apply, Arithmetic, Name, Number, Operation
from descend.formula.evaluate import slopes_of, values_of
from descend.formula.functions import FUNCTIONS, function_named
from descend.formula.parser import parse
from descend.tables.databases.query import open_query
from descend.tables.databases.sql import DIALECTS, expression_sql, has_sql

REFERENCES = {
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "log10": mpmath.log10,
    "log2": lambda x: mpmath.log(x, 2),
    "exp": mpmath.exp,
    "sqrt": mpmath.sqrt,
    "abs": mpmath.fabs,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tanh": mpmath.tanh,
    "tan": mpmath.tan,
    "atan": mpmath.atan,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "logit": lambda p: mpmath.log(p / (1 - p)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)) if x < 700 else x,
    "erf": mpmath.erf,
}
UNDEFINED_AT = {"log": (0,), "log10": (0,), "log2": (0,), "log1p": (-1,), "logit": (0, 1)}
DOMAIN = {"logit": (0.2, 0.8)}  # where a column is taken from; else numbers above and below 1
POINTS = [-40.0, -3.0, -1.0, -0.75, -1e-12, 0.0, 1e-300, 1e-12, 0.25, 1.0, 2.5, 8.0, 30.0, 1e3, 1e300]
every_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=list(FUNCTIONS))


def exact(function, point):
    """Return mpmath's value, NaN where that is not real or not finite in float64."""
    with mpmath.workdps(400):
        defined = point not in UNDEFINED_AT.get(function.name, ())
        made = REFERENCES[function.name](mpmath.mpf(point)) if defined else None
        real = made is not None and mpmath.im(made) == 0
        return float(made) if real and math.isfinite(float(made)) else math.nan


def test_each_function_has_a_reference():
    assert list(REFERENCES) == list(FUNCTIONS)


@every_function
def test_its_values_are_mpmaths_and_not_finite_where_it_is_not_defined(function):
    made = values_of(Apply(function.name, Name("x")), {"x": np.array(POINTS)})
    expected = np.array([exact(function, point) for point in POINTS])
    np.testing.assert_allclose(np.where(np.isfinite(made), made, np.nan), expected, rtol=1e-15, atol=0)


@every_function
def test_its_derivative_is_mpmaths(function):
    finite = [point for point in POINTS if math.isfinite(exact(function, point))]
    points = [point for point in finite if 1e-100 < abs(point) < 1e3]
    with mpmath.workdps(400):
        expected = [
            float(mpmath.diff(REFERENCES[function.name], mpmath.mpf(point), h=mpmath.mpf(10) ** -150))
            for point in points
        ]
    made = function.derivative(np.array(points))
    np.testing.assert_allclose(made, expected, rtol=1e-12, atol=1e-300)


@every_function
def test_its_second_derivative_is_mpmaths(function):
    finite = [point for point in POINTS if math.isfinite(exact(function, point))]
    points = [point for point in finite if 1e-100 < abs(point) < 700]
    with mpmath.workdps(800):
        expected = [
            float(mpmath.diff(REFERENCES[function.name], mpmath.mpf(point), 2, h=mpmath.mpf(10) ** -200))
            for point in points
        ]
    made = function.second(np.array(points))
    np.testing.assert_allclose(made, expected, rtol=1e-12, atol=1e-300)


@every_function
def test_its_value_and_derivative_together_are_those_of_each(function):
    points = np.array([point for point in POINTS if math.isfinite(exact(function, point))])
    with np.errstate(all="ignore"):
        value, slope = function.value_and_derivative(points)
        np.testing.assert_array_equal(value, function.value(points))
        np.testing.assert_array_equal(slope, function.derivative(points))


@every_function
def test_its_values_with_twice_the_digits_are_mpmaths(function):
    points = np.array([point for point in POINTS if math.isfinite(exact(function, point)) and abs(point) < 1e290])
    low = points * 2.0**-55
    with np.errstate(all="ignore"):
        made = function.exact((points, low))
    with mpmath.workdps(400):
        given = [mpmath.mpf(a) + mpmath.mpf(b) for a, b in zip(points.tolist(), low.tolist(), strict=True)]
        for x, high, rest in zip(given, *made, strict=True):
            expected = REFERENCES[function.name](x)
            if expected and 1e-250 < abs(expected) < 1e290:
                assert abs((mpmath.mpf(float(high)) + mpmath.mpf(float(rest))) / expected - 1) < 1e-28


@every_function
def test_its_inverse_gives_the_number_back_or_the_nearest_that_has_a_value(function):
    if function.inverse is None:
        with pytest.raises(ValueError, match=function.name):
            function.undo(np.array([0.5]))
        return
    points = np.array([0.125, 0.5, 0.75, *([] if function.name in DOMAIN else [1.0, 2.5])])
    np.testing.assert_allclose(function.undo(function.value(points)), points, rtol=1e-14)
    with np.errstate(all="ignore"):
        assert np.isfinite(function.value(function.undo(np.array([-2.0, 0.0, 2.0])))).all()
        for end, beyond in ((function.low, -1.0), (function.high, 1.0)):
            if math.isfinite(end):
                np.testing.assert_array_equal(function.undo(np.array([end + beyond])), function.undo(np.array([end])))


@every_function
def test_the_parser_knows_it_and_tells_of_it(function):
    hypothesis = parse(f"y ~ {function.name}(x)").resolve(["y", "x"])
    assert hypothesis.terms == ((Arithmetic(Apply(function.name, Name("x"))),),)
    example = parse(f"y ~ {function.example}")
    assert function.name in function.example
    assert str(example.resolve(["y", example.names[-1].name]).terms[0][0]) == function.example
    with pytest.raises(FormulaError) as caught:
        parse("y ~ qqq(x)")
    assert function.name in caught.value.values["known"].split(", ")
    with pytest.raises(FormulaError) as caught:
        parse(f"y ~ {function.name}z(x)")
    assert caught.value.values["near"] == function.name


@every_function
def test_a_sentence_says_what_it_is_in_both_languages_and_the_readme_names_it(function):
    assert has(f"function.{function.name}")
    told = [say(f"function.{function.name}", lang) for lang in ("en", "ko")]
    assert all(sentence.startswith(f"{function.name}: ") for sentence in told)
    (listed,) = re.findall(r"functions \((log, .*?)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert function.name in listed.split(", ")


@every_function
def test_a_database_gives_its_values_and_null_where_it_is_not_defined(place, function):
    assert set(function.sql) <= set(DIALECTS)
    if place.dialect not in function.sql:
        assert not has_sql(Apply(function.name, Name("x")), place.dialect)
        return
    place.fill("t", {"x": "real"}, [(point,) for point in POINTS if abs(point) < 1e290])
    points = [point for point in POINTS if abs(point) < 1e290]
    asked = expression_sql(Apply(function.name, Name("x")), place.dialect)
    if "exp" in function.name and place.dialect == "postgresql":  # it stops at what is too large: the rows are read
        asked, points = f"case when x < 700 then {asked} end", [point for point in points if point < 700]
    with open_query(place.address, "select * from t") as scan:
        found = scan.database.ask(f"select {asked} from {scan.database.source} where x < 1e290")[: len(points)]
    made = [math.nan if value is None else value for (value,) in found]
    made = [value if math.isfinite(value) else math.nan for value in made]
    np.testing.assert_allclose(made, [exact(function, point) for point in points], rtol=4e-15, atol=0)


@every_function
def test_its_other_names_are_read_as_it(function):
    for alias in function.aliases:
        assert function_named(alias) is function
        assert (
            parse(f"y ~ {alias}(x)").resolve(["y", "x"]).terms == parse(f"y ~ {function.name}(x)").resolve("yx").terms
        )


def table(function, rows=60):
    """Return rows on whose x the function is defined, and y, with what it can take, about its values."""
    random = np.random.default_rng(3)
    x = random.uniform(*DOMAIN.get(function.name, (0.2, 2.0)), rows)
    y = 1 + 2 * function.value(x) + random.normal(0, 0.01, rows)
    return {"x": x, "y": y}


@every_function
def test_a_factor_of_it_is_fitted_on_its_values_and_kept_in_the_file(function, tmp_path):
    data = table(function)
    model = descend.fit(f"y ~ {function.name}(x)", data, test="none")
    X = np.column_stack([np.ones(60), [exact(function, value) for value in data["x"]]])
    expected, *_ = np.linalg.lstsq(X, data["y"], rcond=None)
    np.testing.assert_allclose(list(model.coefficients.values()), expected, rtol=1e-9)
    assert f"{function.name}(x)" in model.equation
    again = descend.load(model.save(tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(again.predict(data), model.predict(data))


@every_function
def test_a_target_of_it_comes_back_in_its_own_unit_or_is_an_error_that_says_what_may_be_one(function, tmp_path):
    random = np.random.default_rng(5)
    x = random.uniform(0.2, 2.0, 60)
    data = {"x": x, "price": np.exp(0.1 * x + random.normal(0, 0.05, 60)) - 0.5}
    if function.inverse is None:
        with pytest.raises(DesignError) as caught:
            descend.fit(f"{function.name}(price) ~ x", data, test="none")
        assert caught.value.values["target"] == f"{function.name}(price)"
        assert function.name not in caught.value.values["functions"].split(", ")
        return
    model = descend.fit(f"{function.name}(price) ~ x", data, test="none")
    z = np.array([exact(function, value) for value in data["price"]])
    X = np.column_stack([np.ones(60), x])
    line = X @ np.linalg.lstsq(X, z, rcond=None)[0]
    predicted = model.predict(data)
    np.testing.assert_allclose([exact(function, value) for value in predicted], line, rtol=1e-8)
    smeared = [np.mean(function.undo(value + z - line)) for value in line]  # Duan 1983
    np.testing.assert_allclose(model.predict(data, mean=True), smeared, rtol=1e-8)
    assert [note.code for note in model.cautions({"x": [1.0]})] == ["note.median"]
    again = descend.load(model.save(tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(again.predict(data), predicted)


@every_function
def test_where_it_is_not_defined_the_error_says_which_numbers_it_takes(function):
    outside = [point for point in POINTS if not math.isfinite(exact(function, point))]
    if not outside:
        return
    with pytest.raises(DesignError) as caught:
        descend.fit(f"y ~ {function.name}(x)", {"x": [0.5, 0.75, outside[0]], "y": [1.0, 2.0, 4.0]}, test="none")
    assert caught.value.values["line"] == 3
    for lang in ("en", "ko"):
        assert caught.value.hint(lang) == say(f"function.{function.name}", lang)


def test_predictions_of_a_binary_logarithm_come_back_as_powers_of_two():
    random = np.random.default_rng(1)
    x = random.uniform(1, 9, 300)
    data = {"x": x, "price": 2 ** (1 + 0.5 * np.log2(x) + random.normal(0, 0.3, 300))}
    model = descend.fit("log2(price) ~ log2(x)", data, test="none")
    X = np.column_stack([np.ones(300), np.log2(x)])
    weights, *_ = np.linalg.lstsq(X, np.log2(data["price"]), rcond=None)
    np.testing.assert_allclose(list(model.coefficients.values()), weights, rtol=1e-9)
    line, errors = weights[0] + weights[1] * np.log2([1.0, 4.0, 8.0]), np.log2(data["price"]) - X @ weights
    new = {"x": [1.0, 4.0, 8.0]}
    np.testing.assert_allclose(model.predict(new), 2**line, rtol=1e-9)
    np.testing.assert_allclose(model.predict(new, mean=True), 2**line * np.mean(2**errors), rtol=1e-9)


@pytest.mark.parametrize("formula", ["log2(y) ~ log2(x)", "y ~ log2(x) + x"])
def test_a_binary_logarithm_is_fitted_in_a_database_as_in_memory(place, formula):
    random = np.random.default_rng(2)
    x = random.uniform(0.5, 9, 500)
    y = 2 ** random.normal(1 + np.log2(x), 0.2)
    place.fill("t", {"x": "real", "y": "real"}, list(zip(x.tolist(), y.tolist(), strict=True)))
    asked = descend.fit(formula, place.address, query="select * from t", test="none")
    expected = descend.fit(formula, {"x": x, "y": y}, test="none")
    np.testing.assert_allclose(list(asked.coefficients.values()), list(expected.coefficients.values()), rtol=1e-9)


def test_where_a_division_is_not_defined_the_error_speaks_of_divisions():
    with pytest.raises(DesignError, match="divisor"):
        descend.fit("y ~ I(1 / x)", {"x": [1.0, 0.0, 2.0], "y": [1.0, 2.0, 4.0]}, test="none")


def test_rows_are_read_where_a_function_has_no_sql(sqlite, monkeypatch):
    random = np.random.default_rng(0)
    x = random.uniform(1, 9, 400)
    sqlite.fill("t", {"x": "real", "y": "real"}, list(zip(x.tolist(), np.log(x).tolist(), strict=True)))
    monkeypatch.setitem(FUNCTIONS._things, "log", replace(FUNCTIONS["log"], sql={}))
    model = descend.fit("y ~ log(x)", sqlite.address, query="select * from t", test="none")
    assert model.coefficients["log(x)"] == pytest.approx(1.0, rel=1e-9)


leaf = st.one_of(st.just(Name("x")), st.just(Name("z")), st.builds(Number, st.floats(0.5, 3.0)))
expressions = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.builds(Apply, st.sampled_from(list(FUNCTIONS)), inner),
        st.builds(Operation, st.sampled_from(["+", "-", "*", "/", "**"]), inner, inner),
        st.builds(Operation, st.just("-"), st.none(), inner),
    ),
    max_leaves=5,
)


class Exact:
    """An expression's value by mpmath, as a function of x where z is 1.25."""

    def __init__(self, expression):
        self.expression = expression

    def __call__(self, x):
        return self.of(self.expression, x)

    def of(self, node, x):
        match node:
            case Number(value):
                return mpmath.mpf(value)
            case Name(name):
                return x if name == "x" else mpmath.mpf(1.25)
            case Apply(function, argument):
                return REFERENCES[function](self.of(argument, x))
            case Operation(_, None, right):
                return -self.of(right, x)
        a, b = self.of(node.left, x), self.of(node.right, x)
        match node.operator:
            case "+":
                return a + b
            case "-":
                return a - b
            case "*":
                return a * b
            case "/":
                return a / b
        return a**b


@pytest.mark.slow
@given(expressions)
def test_the_slope_of_any_expression_is_mpmaths_derivative(expression):
    columns = {"x": np.array([1.75]), "z": np.array([1.25])}
    value = np.broadcast_to(values_of(expression, columns), (1,))
    slope = float(np.broadcast_to(slopes_of(expression, "x", columns), (1,))[0])
    if not np.isfinite(value).all() or abs(value[0]) > 1e6 or not math.isfinite(slope) or abs(slope) > 1e6:
        return
    with mpmath.workdps(80):
        try:
            expected = mpmath.diff(Exact(expression), mpmath.mpf(1.75), h=mpmath.mpf(10) ** -30)
        except (ZeroDivisionError, ValueError, OverflowError):
            return
    if mpmath.im(expected) == 0 and abs(expected) < 1e6:
        assert slope == pytest.approx(float(expected), rel=1e-6, abs=1e-6)


def test_predictions_of_a_shifted_logarithm_are_said_to_be_medians():
    price = [math.exp(1 + 0.5 * number) for number in range(8)]
    model = descend.fit("(log(price) + 1000000) ~ x", pl.DataFrame({"x": range(8), "price": price}), test="none")
    assert [note.code for note in model.cautions({"x": [1.0]})] == ["note.median"]
