"""Derivatives of expressions in their parameters, first and second, beside mpmath's."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_functions import REFERENCES

from descend.formula.ast import Apply, Name, Number, Operation, Unknown
from descend.formula.curvatures import _Curvatures, curvatures_of
from descend.formula.evaluate import evaluate_exactly, slopes_of, values_of
from descend.formula.functions import FUNCTIONS
from descend.formula.operators import OPERATORS
from descend.formula.tangents import tangents_of

A, B, X, Z = Unknown("a"), Unknown("b"), Name("x"), Name("z")
AT = {"a": 0.75, "b": 1.375}
COLUMNS = {"x": np.array([1.75, 0.5, -0.625]), "z": np.array([0.3125, 1.25, 2.0])}
STEP = mpmath.mpf(10) ** -60


def value_at(node, named):
    """Return an expression's value by mpmath; raises ValueError where it is not real or not defined."""
    match node:
        case Number(value):
            return mpmath.mpf(value)
        case Name(name) | Unknown(name):
            return named[name]
        case Apply(function, argument):
            made = REFERENCES[function](value_at(argument, named))
        case Operation(_, None, right):
            return -value_at(right, named)
        case Operation(operator, left, right):
            a, b = value_at(left, named), value_at(right, named)
            made = {
                "+": lambda: a + b,
                "-": lambda: a - b,
                "*": lambda: a * b,
                "/": lambda: a / b,
                "**": lambda: a**b,
                "min": lambda: min(a, b),
                "max": lambda: max(a, b),
            }[operator]()
    if mpmath.im(made) != 0 or not mpmath.isfinite(made):
        raise ValueError(node)
    return mpmath.re(made)


def derivatives(expression, named):
    """Return the first and second derivatives in a and b by central differences of 200 digits."""

    def moved(**steps):
        return value_at(expression, named | {name: named[name] + steps.get(name, 0) for name in "ab"})

    h, here = STEP, moved()
    first = {p: (moved(**{p: h}) - moved(**{p: -h})) / (2 * h) for p in "ab"}
    second = {(p, p): (moved(**{p: h}) - 2 * here + moved(**{p: -h})) / h**2 for p in "ab"}
    mixed = moved(a=h, b=h) - moved(a=h, b=-h) - moved(a=-h, b=h) + moved(a=-h, b=-h)
    return first, second | {("a", "b"): mixed / (4 * h**2)}


def trembled(expression, named):
    """Return how far the derivatives go when every number is moved by a rounding: what no float64 can tell."""
    random = np.random.default_rng(0)
    here, apart = derivatives(expression, named), [{}, {}]
    for _ in range(6):
        there = derivatives(
            shaken(expression, random),
            {n: v * (1 + random.choice([-1, 1]) * mpmath.mpf(2) ** -52) for n, v in named.items()},
        )
        for order in (0, 1):
            for key, value in there[order].items():
                apart[order][key] = max(apart[order].get(key, 0), abs(value - here[order][key]))
    return here, apart


def shaken(node, random):
    """Return the expression with every operation and function off by a rounding."""
    by = Number(1.0 + float(random.choice([-1, 1])) * 2.0**-52)
    match node:
        case Apply(function, argument):
            return Operation("*", by, Apply(function, shaken(argument, random)))
        case Operation(operator, left, right):
            changed = None if left is None else shaken(left, random)
            return Operation("*", by, Operation(operator, changed, shaken(right, random)))
    return node


leaf = st.one_of(
    st.sampled_from([A, B, X, Z]), st.sampled_from([Number(value) for value in (0.5, 1.0, 2.0, 3.0, -1.0, -2.0)])
)
expressions = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.builds(Apply, st.sampled_from(list(FUNCTIONS)), inner),
        st.builds(Operation, st.sampled_from(list(OPERATORS)), inner, inner),
        st.builds(Operation, st.just("-"), st.none(), inner),
    ),
    max_leaves=8,
)


def cornered(expression, named):
    """Return whether the value of an abs, a min or a max is near its corner, or the base of a power near 0."""
    match expression:
        case Apply(function, argument):
            at_corner = function == "abs" and abs(value_at(argument, named)) < 1e-6
            return at_corner or cornered(argument, named)
        case Operation(_, None, right):
            return cornered(right, named)
        case Operation(operator, left, right):
            a, b = value_at(left, named), value_at(right, named)
            near = operator in ("min", "max") and abs(a - b) < 1e-6
            return near or (operator == "**" and abs(a) < 1e-6) or cornered(left, named) or cornered(right, named)
    return False


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(expressions)
def test_derivatives_of_any_expression_are_mpmaths(expression):
    value, slopes, seconds = curvatures_of(expression, COLUMNS, AT)
    again, same = tangents_of(expression, COLUMNS, AT)
    np.testing.assert_array_equal(value, again)
    np.testing.assert_array_equal(value, values_of(expression, COLUMNS, AT))
    with np.errstate(all="ignore"):  # the sizes of the terms, which may cancel
        terms = _Curvatures(expression, COLUMNS, AT, lambda slope, factor: np.abs(slope * factor)).visit(expression)
    assert slopes.keys() == same.keys()
    for name, slope in slopes.items():
        np.testing.assert_array_equal(slope, same[name])
    for row in range(3):
        with mpmath.workdps(200):
            named = {n: mpmath.mpf(v) for n, v in AT.items()} | {n: mpmath.mpf(v[row]) for n, v in COLUMNS.items()}
            try:
                if abs(value_at(expression, named)) > 1e8 or cornered(expression, named):
                    continue
                (first, second), apart = trembled(expression, named)
            except (ValueError, ZeroDivisionError, OverflowError):
                continue
        for made, expected, loss, size in (
            (slopes, first, apart[0], terms[1]),
            (seconds, second, apart[1], terms[2]),
        ):
            for key, truth in expected.items():
                if abs(truth) > 1e30 or abs(value_at(expression, named)) < 1e-30:
                    continue
                found = float(np.broadcast_to(made.get(key, 0.0), 3)[row])
                without_cancelling = float(np.nan_to_num(np.broadcast_to(size.get(key, 0.0), 3)[row], posinf=np.inf))
                allowed = 1e-12 * abs(truth) + 50 * loss[key] + 1e-14 * without_cancelling + 1e-40
                assert abs(found - truth) <= allowed, (key, row, found, truth)


def power(base, exponent):
    return Operation("**", base, exponent)


def times(*factors):
    made = factors[0]
    for factor in factors[1:]:
        made = Operation("*", made, factor)
    return made


ONE, ZERO = Number(1.0), {"x": np.array([0.0]), "z": np.array([0.0])}
EDGES = [
    # expression, columns, parameters, derivatives in a and in b (None: there is none)
    (power(times(A, X), Number(2.0)), ZERO, AT, {"a": 0.0}),
    (power(times(A, X), Number(0.5)), ZERO, AT, {"a": 0.0}),
    (power(A, Number(0.0)), ZERO, {"a": 0.0}, {"a": 0.0}),
    (power(A, Number(1.0)), ZERO, {"a": 0.0}, {"a": 1.0}),
    (power(A, Number(2.0)), ZERO, {"a": 0.0}, {"a": 0.0}),
    (power(A, Number(3.0)), ZERO, {"a": -2.0}, {"a": 12.0}),
    (power(A, Number(-1.0)), ZERO, {"a": -2.0}, {"a": -0.25}),
    (power(X, A), ZERO, {"a": 2.0}, {"a": 0.0}),
    (power(X, A), ZERO, {"a": 0.5}, {"a": 0.0}),
    (power(X, times(A, Z)), {"x": np.array([-2.0]), "z": np.array([0.0])}, {"a": 1.0}, {"a": 0.0}),
    (power(Operation("/", X, A), B), ZERO, {"a": 2.0, "b": 0.5}, {"a": 0.0, "b": 0.0}),
    (Apply("sqrt", times(A, X)), ZERO, AT, {"a": 0.0}),
    (Apply("abs", times(A, X)), {"x": np.array([-3.0])}, {"a": 2.0}, {"a": 3.0}),
    (Operation("/", ONE, Operation("+", ONE, Apply("exp", times(A, X)))), {"x": np.array([1e4])}, AT, {"a": 0.0}),
    (Apply("sigmoid", times(A, X)), {"x": np.array([-1e4])}, {"a": 1.0}, {"a": 0.0}),
    (Operation("min", times(A, X), B), {"x": np.array([3.0])}, {"a": 1.0, "b": 2.0}, {"a": 0.0, "b": 1.0}),
    (Operation("max", times(A, X), B), {"x": np.array([3.0])}, {"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 0.0}),
    (Operation("min", Apply("sqrt", A), B), ZERO, {"a": 0.0, "b": -1.0}, {"a": 0.0, "b": 1.0}),
    (power(A, Number(2.0)), ZERO, {"a": 1e-200}, {"a": 2e-200}),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "columns", "at", "expected"), EDGES, ids=[str(edge[0]) for edge in EDGES])
def test_a_derivative_is_finite_where_there_is_one(expression, columns, at, expected):
    value, slopes = tangents_of(expression, columns, at)
    assert np.isfinite(value).all()
    assert {name: float(np.ravel(slope)[0]) for name, slope in slopes.items()} == expected
    _, again, seconds = curvatures_of(expression, columns, at)
    assert {name: float(np.ravel(slope)[0]) for name, slope in again.items()} == expected
    assert not any(np.isnan(second).any() for second in seconds.values())


def test_a_derivative_is_not_finite_where_there_is_none():
    _, slopes = tangents_of(Apply("sqrt", A), {}, {"a": 0.0})
    assert math.isinf(slopes["a"])
    _, slopes = tangents_of(Apply("log", A), {}, {"a": -1.0})
    assert not math.isfinite(tangents_of(Apply("log", A), {}, {"a": -1.0})[0])


def test_what_depends_on_no_column_is_one_number():
    value, slopes = tangents_of(Operation("+", times(A, Apply("exp", times(B, X))), Apply("log", B)), COLUMNS, AT)
    assert value.shape == slopes["b"].shape == (3,)
    _, slopes, seconds = curvatures_of(Operation("+", times(A, X), Apply("exp", B)), COLUMNS, AT)
    assert np.ndim(slopes["b"]) == np.ndim(seconds["b", "b"]) == 0
    assert seconds.keys() == {("b", "b")}


def test_the_derivative_of_a_linear_parameter_is_the_column_itself():
    _, slopes = tangents_of(Operation("+", times(A, X), B), COLUMNS, AT)
    assert slopes["a"] is COLUMNS["x"]
    assert slopes["b"] == 1.0


def test_a_part_that_stands_in_several_places_is_visited_once(monkeypatch):
    asked = []
    function = FUNCTIONS["sin"]

    def counted(x):
        asked.append(1)
        return np.sin(x), np.cos(x)

    object.__setattr__(function, "both", counted)
    try:
        part = Apply("sin", times(A, X))
        for _ in range(20):
            part = Operation("+", part, part)  # 2^20 places
        value, slopes = tangents_of(part, COLUMNS, AT)
    finally:
        object.__setattr__(function, "both", None)
    assert len(asked) == 1
    np.testing.assert_allclose(value, 2.0**20 * np.sin(0.75 * COLUMNS["x"]), rtol=1e-15)
    np.testing.assert_allclose(slopes["a"], 2.0**20 * COLUMNS["x"] * np.cos(0.75 * COLUMNS["x"]), rtol=1e-15)


def test_the_slope_in_a_column_of_the_smaller_and_the_larger_is_that_of_the_one_taken():
    x = {"x": np.array([1.0, 4.0])}
    squared = Operation("*", X, X)
    assert slopes_of(Operation("min", squared, Operation("*", Number(3.0), X)), "x", x).tolist() == [2.0, 3.0]
    assert slopes_of(Operation("max", squared, Operation("*", Number(3.0), X)), "x", x).tolist() == [3.0, 8.0]


@settings(max_examples=150, deadline=None)
@given(expressions)
def test_the_value_with_twice_the_digits_rounds_to_mpmaths(expression):
    high, low = evaluate_exactly(expression, COLUMNS, AT)
    assert np.isfinite(low).all()
    for row in range(3):
        with mpmath.workdps(200):
            named = {n: mpmath.mpf(v) for n, v in AT.items()} | {n: mpmath.mpf(v[row]) for n, v in COLUMNS.items()}
            try:
                truth = value_at(expression, named)
                moved = value_at(shaken(expression, np.random.default_rng(0)), named)
                moved = max(
                    abs(moved - truth), abs(value_at(shaken(expression, np.random.default_rng(1)), named) - truth)
                )
            except (ValueError, ZeroDivisionError, OverflowError):
                continue
            assume(1e-200 < abs(truth) < 1e200 and moved < 1e-3 * abs(truth))
            made = mpmath.mpf(float(np.broadcast_to(high, 3)[row])) + mpmath.mpf(float(np.broadcast_to(low, 3)[row]))
            assert abs(made - truth) <= 1e-28 * abs(truth) + 1e-11 * moved
