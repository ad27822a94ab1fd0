"""The language of equations under arbitrary input, against Python's arithmetic and against numbers put in."""

import math
import re

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from descend import FormulaError, parse
from descend.formula._affine import REST, NotAffineError, affine
from descend.formula.ast import Apply, Curve, Name, Number, Operation, Unknown, unknowns_of
from descend.formula.evaluate import values_of
from descend.formula.functions import FUNCTIONS
from descend.formula.parser import is_equation
from descend.formula.printing import with_numbers
from descend.formula.rebuilt import substituted
from descend.formula.separable import linear_in
from descend.formula.tangents import tangents_of

COLUMNS = ("y", "x", "z", "점수", "Sepal.Length", "my column", "min")
TOKENS = [
    *("y", "x", "z", "점수", "Sepal.Length", "`my column`", "a", "b", "α", "pi", "`", '"', "'", "“yes”", "min", "max"),
    *("log(", "exp(", "min(", "max(", "P(", "P(y = 1)", "I(", "poly(", "C("),
    *("0", "1", "2", "1.5", ".5", "1e3", "1e999", "x**2", "2x", "exp x"),
    *(
        "=",
        "==",
        "~",
        ";",
        "+",
        "-",
        "−",
        "×",
        "÷",
        "*",
        "**",
        "/",
        "^",
        ":",
        "(",
        ")",
        ",",
        ".",
        " ",
        "\n",
        "$",
        "[",
        "가",
    ),
]
many = settings(max_examples=300, database=None)


def refusal(text):
    """The error of a text that is refused, None where it is understood."""
    try:
        parse(text).resolve(COLUMNS)
    except FormulaError as error:
        return error
    return None


def survives(text):
    """A text is understood, or refused by an error that can be told and points into the text."""
    error = refusal(text)
    if error is not None:
        assert error.code.startswith("formula.")
        assert 0 <= error.values["position"] <= len(text)
        for lang in ("en", "ko"):
            assert error.tell(lang)
        assert error.caret in str(error)


@pytest.mark.slow
@many
@given(st.text(max_size=60))
@example("\ud800 = a*x")
@example("y = \x00")
@example("y = a*x\u200b")
@example("P(y = ²) = a*x")
@example("y = ٣ * a * x")
def test_any_text_with_an_equals_sign_is_understood_or_refused(text):
    survives(f"{text}=")
    survives(f"y = {text}")


@many
@given(st.text(alphabet='yxzab01.=+-*/^:(),;` expP"', max_size=40))
def test_any_text_of_the_languages_letters_is_understood_or_refused(text):
    survives(f"y = {text}")


@many
@given(st.lists(st.sampled_from(TOKENS), max_size=25), st.sampled_from(["", " "]))
def test_tokens_joined_at_random_are_understood_or_refused(tokens, between):
    survives(between.join(tokens))
    survives("y = " + between.join(tokens))


@settings(many, max_examples=100)
@given(st.sampled_from(TOKENS), st.integers(0, 3000), st.sampled_from(["", " ", "x", " + ", "; y = "]))
def test_a_token_repeated_thousands_of_times_is_understood_or_refused(token, times, between):
    survives(("y = a" + (token + between) * times)[:20_000])


leaf = st.one_of(
    st.sampled_from([Name("x"), Name("z"), Name("my column"), Name("min"), Name("Sepal.Length")]),
    st.sampled_from([Unknown("a"), Unknown("b"), Unknown("c"), Unknown("α"), Unknown("my rate")]),
    st.builds(Number, st.one_of(st.integers(0, 9).map(float), st.floats(0, 1e300))),
    st.just(Number(math.pi, "pi")),
)
trees = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.builds(Apply, st.sampled_from(list(FUNCTIONS)), inner),
        st.builds(Operation, st.sampled_from(["+", "-", "*", "/", "**", "min", "max"]), inner, inner),
        st.builds(Operation, st.just("-"), st.none(), inner),
    ),
    max_leaves=9,
)


@pytest.mark.slow
@many
@given(trees)
def test_a_printed_equation_is_read_as_the_same_tree(tree):
    assume(any(unknowns_of(tree)))
    made = parse(f"y = {with_numbers(tree, {})} + a*x").resolve(COLUMNS)
    assert made.written == (Operation("+", tree, Operation("*", Unknown("a"), Name("x"))),)


numbers = st.floats(-9, 9).map("{:.3g}".format)


@many
@given(trees, st.fixed_dictionaries({"a": numbers, "b": numbers, "c": numbers, "α": numbers, "my rate": numbers}))
def test_an_equation_printed_with_numbers_has_the_value_of_the_equation(tree, given_numbers):
    """A sign that moves out of a product changes no bit of it."""
    columns = {"x": np.array([0.5, 2.0]), "z": np.array([-1.5, 3.0]), "my column": np.array([1.0, 0.25])}
    columns |= {"min": np.array([4.0, -1.0]), "Sepal.Length": np.array([5.1, 4.9])}
    values = {name: float(text) for name, text in given_numbers.items()}
    text = with_numbers(tree, given_numbers)
    assert not re.search("[+−×/] ?−", text)
    again = parse(f"y = q * ({text}) * x").resolve(COLUMNS)
    assert {one.name for one in unknowns_of(again.written[0])} == {"q"}
    made = values_of(again.written[0].left.right, columns)
    expected = values_of(tree, columns, values)
    np.testing.assert_array_equal(np.broadcast_to(made, 2), np.broadcast_to(expected, 2))


arithmetic = st.recursive(
    st.one_of(st.sampled_from(["x", "z", "a", "b"]), st.floats(1e-6, 1e6).map(repr), st.integers(1, 50).map(str)),
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner),
        st.builds("({})".format, inner),
        st.builds("-{}".format, inner),
        st.builds("{}({})".format, st.sampled_from(["exp", "log", "sqrt", "sin", "arctan", "cosh", "abs"]), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
    ),
    max_leaves=6,
)


@many
@given(arithmetic)
@example("-a**2")
@example("2**-a**2")
@example("a - x - b")
@example("a / x / b * z")
@example("-(a + x)**2 / -b")
def test_an_equation_computes_what_python_computes(text):
    columns = {"x": np.array([0.5, 1.0, 2.5]), "z": np.array([3.0, -1.5, 0.25])}
    parameters = {"a": 0.75, "b": -2.0, "q": 1.0}
    (right,) = parse(f"y = q*x + ({text})").resolve(COLUMNS).written
    functions = {name: getattr(np, name) for name in ("exp", "log", "sqrt", "sin", "arctan", "cosh", "abs")}
    functions |= {"min": np.minimum, "max": np.maximum}
    as_floats = re.sub(r"(?<![\w.])(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)", r"F('\1')", text)
    scope = {**columns, **{name: np.float64(value) for name, value in parameters.items()}, **functions}
    with np.errstate(all="raise", under="ignore"):
        try:
            expected = eval(as_floats, {"__builtins__": {}, "F": np.float64}, scope)
        except FloatingPointError:
            assume(False)
    np.testing.assert_allclose(values_of(right.right, columns, parameters), expected, rtol=1e-14)


# where an equation is linear, by numbers


smooth = st.recursive(
    leaf.filter(lambda node: not isinstance(node, Number) or node.value < 100),
    lambda inner: st.one_of(
        st.builds(Apply, st.sampled_from(["exp", "sin", "atan"]), inner),
        st.builds(Operation, st.sampled_from(["+", "-", "*", "*", "/"]), inner, inner),
        st.builds(Operation, st.just("-"), st.none(), inner),
    ),
    max_leaves=8,
)
ROWS = {name: np.random.default_rng(index).uniform(0.5, 1.5, 6) for index, name in enumerate(COLUMNS)}
FIRST = {"a": 0.7, "b": 1.3, "c": -0.6, "α": 0.9, "my rate": 1.1}


def curve_of(tree):
    names = tuple(dict.fromkeys(one.name for one in unknowns_of(tree)))
    return Curve((tree,), names, COLUMNS[1:])


def slopes_at(tree, parameters):
    return {name: np.broadcast_to(slope, 6) for name, slope in tangents_of(tree, ROWS, parameters)[1].items()}


@many
@given(smooth)
def test_what_is_recognised_as_linear_has_the_factors_of_its_parameters_as_slopes(tree):
    try:
        found = affine(tree)
    except NotAffineError:
        return
    value = np.broadcast_to(values_of(tree, ROWS, FIRST), 6)
    total = sum(
        sign * (1.0 if name == REST else FIRST[name]) * np.broadcast_to(values_of(factor, ROWS), 6)
        for name, (sign, factor) in found.items()
    )
    assume(np.isfinite(value).all() and np.abs(value).max() < 1e12)
    size = sum(
        np.abs((1.0 if name == REST else FIRST[name]) * values_of(factor, ROWS)) for name, (_, factor) in found.items()
    )
    assume(np.isfinite(size).all())
    np.testing.assert_array_less(np.abs(total - value), 1e-12 * size + 1e-300)
    assert not [one for _, factor in found.values() for one in unknowns_of(factor)]


@pytest.mark.slow
@many
@given(smooth, st.permutations(list(FIRST)))
def test_the_slope_in_a_linear_parameter_does_not_change_with_the_linear_ones(tree, order):
    assume(any(unknowns_of(tree)))
    chosen = linear_in(curve_of(tree))
    moved = {name: value + (0.5 + order.index(name) / 7 if name in chosen else 0.0) for name, value in FIRST.items()}
    before, after = slopes_at(tree, FIRST), slopes_at(tree, moved)
    for name in chosen:
        if name in before and np.isfinite(before[name]).all() and np.abs(before[name]).max() < 1e9:
            size = max(np.abs(slope).max() for slope in before.values() if np.isfinite(slope).all())
            np.testing.assert_allclose(after[name], before[name], rtol=1e-9, atol=1e-9 * size)


factors = st.recursive(
    st.sampled_from([Name("x"), Name("z"), Number(2.0), Number(1.0)]),
    lambda inner: st.one_of(
        st.builds(Apply, st.sampled_from(["exp", "log"]), inner),
        st.builds(Operation, st.sampled_from(["+", "-", "*", "/"]), inner, inner),
        st.builds(Operation, st.just("-"), st.none(), inner),
    ),
    max_leaves=3,
)
sums = st.recursive(
    st.sampled_from([Unknown("a"), Unknown("b"), Unknown("c")]),
    lambda inner: st.one_of(
        st.builds(Operation, st.sampled_from(["+", "-"]), inner, inner),
        st.builds(Operation, st.sampled_from(["*", "/"]), inner, factors),
        st.builds(Operation, st.just("*"), factors, inner),
        st.builds(Operation, st.sampled_from(["+", "-"]), factors, inner),
        st.builds(Operation, st.just("-"), st.none(), inner),
    ),
    max_leaves=6,
)


@many
@given(sums)
def test_every_sum_of_parameters_times_factors_is_recognised(tree):
    names = {one.name for one in unknowns_of(tree)}
    assert affine(tree).keys() - {REST} == names
    assert set(linear_in(curve_of(tree))) == names


@pytest.mark.parametrize("text", ["y ~ a = b", "`=` ~ x", '"=" ~ x', "y", "", "`y = a`"])
def test_only_an_equals_sign_of_its_own_makes_an_equation(text):
    assert not is_equation(text)


def test_a_number_in_the_place_of_every_parameter_leaves_none():
    (right,) = parse("y = a*exp(-b*x) + c").resolve(COLUMNS).written
    assert not any(unknowns_of(substituted(right, FIRST)))


@pytest.mark.parametrize("start", ["-", "exp(", "2**"])
@pytest.mark.parametrize("sign", ["+", "-", "*", "/"])
def test_an_equation_as_deep_as_may_be_is_handled(start, sign):
    depth = 58
    inner = f" {sign} ".join(["a", *["x"] * 200])
    text = f"y = {start * depth}({inner}){')' * (depth * start.count('('))}"
    made = parse(text).resolve(COLUMNS)
    (right,) = made.written
    assert parse(f"y = {with_numbers(right, {})}").resolve(COLUMNS).written == made.written
    assert with_numbers(right, {"a": "-2"})
    assert str(substituted(right, {"a": 2.0}))
    assert values_of(right, ROWS, {"a": 0.5}).shape == (6,)
    assert tangents_of(right, ROWS, {"a": 0.5})[1].keys() <= {"a"}
    assert linear_in(curve_of(right)) == (("a",) if start == "-" else ())
