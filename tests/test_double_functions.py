"""Elementary functions of pairs of float64 numbers, beside mpmath's."""

import mpmath
import numpy as np
import pytest

from descend.base import double_functions as own
from descend.base.double_double import pair
from descend.formula.ast import Apply, Name, Number, Operation, Unknown
from descend.formula.evaluate import evaluate_exactly

DIGITS = 28


def spread(low, high, count=400, seed=0):
    """Return numbers of all sizes between two powers of ten, with either sign, and their low parts."""
    random = np.random.default_rng(seed)
    high_part = 10.0 ** random.uniform(low, high, count) * random.choice([-1.0, 1.0], count)
    return high_part, high_part * random.uniform(-(2.0**-54), 2.0**-54, count)


def positive(low, high):
    x = spread(low, high)
    sign = np.sign(x[0])
    return sign * x[0], sign * x[1]


def within(low, high, count=400):
    random = np.random.default_rng(1)
    high_part = random.uniform(low, high, count)
    return high_part, high_part * random.uniform(-(2.0**-54), 2.0**-54, count)


def near(*points):
    """Return the float64 numbers about some points, and their low parts: where digits cancel."""
    steps = np.arange(-6, 7)
    high_part = np.concatenate([point + steps * np.spacing(point) for point in points])
    return high_part, high_part * np.random.default_rng(2).uniform(-(2.0**-54), 2.0**-54, high_part.size)


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


CASES = [
    ("exp", mpmath.exp, [spread(-20, 2.84), near(np.log(2) / 2, 1.5 * np.log(2), 709.0)]),
    ("expm1", mpmath.expm1, [spread(-20, 2.84), near(np.log(2) / 2, 1.5 * np.log(2))]),
    ("log", mpmath.log, [positive(-290, 290), near(1.0, 0.5, np.sqrt(0.5), 2.0), within(0.5, 2)]),
    ("log1p", mpmath.log1p, [spread(-20, -0.001), positive(-20, 290), near(-0.25, 0.25, -0.999999)]),
    ("log2", lambda x: mpmath.log(x) / mpmath.log(2), [positive(-290, 290), near(1.0, 8.0)]),
    ("log10", mpmath.log10, [positive(-290, 290), near(1.0, 1000.0)]),
    ("sqrt", mpmath.sqrt, [positive(-270, 300), near(1.0, 4.0)]),
    ("abs", mpmath.fabs, [spread(-20, 20)]),
    ("sin", mpmath.sin, [spread(-20, 14), near(*(np.pi / 2 * np.array([1, 2, 3, 4, 1000, 1e6, 1e12])))]),
    ("cos", mpmath.cos, [spread(-20, 14), near(*(np.pi / 2 * np.array([1, 2, 3, 4, 1000, 1e6, 1e12])))]),
    ("tan", mpmath.tan, [spread(-20, 14), near(*(np.pi / 2 * np.array([1, 2, 3, 4, 1000, 1e6, 1e12])))]),
    ("atan", mpmath.atan, [spread(-20, 200), near(1.0)]),
    ("sinh", mpmath.sinh, [spread(-20, 2.84), near(40.0)]),
    ("cosh", mpmath.cosh, [spread(-20, 2.84), near(40.0)]),
    ("tanh", mpmath.tanh, [spread(-20, 3), near(40.0, 0.17)]),
    ("sigmoid", sigmoid, [spread(-20, 2.8)]),
    ("softplus", lambda x: mpmath.log1p(mpmath.exp(x)), [spread(-20, 2.8)]),
    ("logit", lambda p: mpmath.log(p / (1 - p)), [positive(-290, -0.001), near(0.5, 0.4, 0.6), within(0.2, 0.8)]),
    ("erf", mpmath.erf, [spread(-20, 1.5), within(-9, 9)]),
]


def apart(made, expected):
    """Return the largest relative error."""
    with mpmath.workdps(60):
        errors = [
            abs(mpmath.mpf(float(high)) + mpmath.mpf(float(low)) - truth) / abs(truth) if truth else abs(high)
            for high, low, truth in zip(*made, expected, strict=True)
        ]
        return float(max(errors))


@pytest.mark.parametrize(("name", "reference", "places"), CASES, ids=[name for name, *_ in CASES])
def test_a_function_of_pairs_is_mpmaths_to_28_digits(name, reference, places):
    for x in places:
        with np.errstate(all="ignore"):
            made = getattr(own, f"exact_{name}")(x)
        with mpmath.workdps(400):
            expected = [
                mpmath.mpf(reference(mpmath.mpf(float(high)) + mpmath.mpf(float(low))))
                for high, low in zip(*x, strict=True)
            ]
        assert apart(made, expected) < 10.0**-DIGITS


def test_powers_of_pairs_are_mpmaths_to_28_digits():
    base, exponent = positive(-3, 3), within(-30, 30)
    with mpmath.workdps(60):
        expected = [
            (mpmath.mpf(float(a)) + mpmath.mpf(float(b))) ** (mpmath.mpf(float(c)) + mpmath.mpf(float(d)))
            for a, b, c, d in zip(*base, *exponent, strict=True)
        ]
    with np.errstate(all="ignore"):
        made = own.exact_power(base, exponent)
    assert apart(made, expected) < 10.0**-DIGITS


@pytest.mark.parametrize("exponent", [-7, -1, 0, 1, 2, 3, 30])
@pytest.mark.parametrize("many", [False, True])
def test_whole_powers_of_negative_pairs_have_their_sign(exponent, many):
    base = spread(-3, 3)
    asked = np.full(400, float(exponent)) if many else np.float64(exponent)
    with np.errstate(all="ignore"):
        made = own.exact_power(base, pair(asked))
    with mpmath.workdps(60):
        expected = [(mpmath.mpf(float(a)) + mpmath.mpf(float(b))) ** exponent for a, b in zip(*base, strict=True)]
    assert apart(made, expected) < 10.0**-DIGITS


ENDS = np.array([-np.inf, -1e308, -800.0, -2.0, -1.0, -0.0, 0.0, 1.0, 2.0, 800.0, 1e308, np.inf, np.nan])
PLAIN = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "log10": np.log10,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
}


@pytest.mark.parametrize("name", PLAIN)
def test_where_there_is_no_finite_pair_the_value_is_float64s(name):
    with np.errstate(all="ignore"):
        high, low = getattr(own, f"exact_{name}")(pair(ENDS))
        expected = PLAIN[name](ENDS)
    np.testing.assert_allclose(high, expected, rtol=4e-16)
    assert np.isfinite(low).all()


def test_zero_and_negative_bases_have_float64s_powers():
    base, exponent = (each.ravel() for each in np.meshgrid([-2.0, -1.0, -0.0, 0.0, 0.5], [-2.0, -1.0, -0.5, 0, 0.5, 1]))
    with np.errstate(all="ignore"):
        high, low = own.exact_power(pair(base), pair(exponent))
        np.testing.assert_allclose(high, np.power(base, exponent), rtol=4e-16)
    assert np.isfinite(low).all()


def test_the_smaller_and_the_larger_of_two_pairs_differ_in_their_low_parts_alone():
    x, y = (np.array([1.0, 1.0]), np.array([1e-20, -1e-20])), (np.array([1.0, 1.0]), np.array([0.0, 0.0]))
    assert own.exact_smaller(x, y)[1].tolist() == [0.0, -1e-20]
    assert own.exact_larger(x, y)[1].tolist() == [1e-20, 0.0]


# ---------------------------------------------------------------- expressions

X, A, B = Name("x"), Unknown("a"), Unknown("b")


def minus(inner):
    return Operation("-", None, inner)


def joined(operator, left, right):
    return Operation(operator, left, right)


EQUATIONS = [
    (joined("*", A, Apply("exp", minus(joined("*", B, X)))), lambda a, b, x: a * mpmath.exp(-b * x)),
    (joined("/", A, joined("+", X, B)), lambda a, b, x: a / (x + b)),
    (joined("**", joined("+", X, A), minus(joined("/", Number(1.0), B))), lambda a, b, x: (x + a) ** (-1 / b)),
    (joined("-", A, Apply("atan", joined("/", B, joined("-", X, A)))), lambda a, b, x: a - mpmath.atan(b / (x - a))),
    (
        joined("*", A, joined("**", Apply("cos", joined("*", B, X)), Number(3.0))),
        lambda a, b, x: a * mpmath.cos(b * x) ** 3,
    ),
    (
        joined("max", Apply("log", joined("*", A, X)), joined("min", B, X)),
        lambda a, b, x: max(mpmath.log(a * x), min(b, x)),
    ),
    (
        joined("-", Apply("sqrt", joined("+", A, X)), Apply("sqrt", X)),
        lambda a, b, x: mpmath.sqrt(a + x) - mpmath.sqrt(x),
    ),
]


@pytest.mark.parametrize(("expression", "reference"), EQUATIONS, ids=[str(expression) for expression, _ in EQUATIONS])
def test_an_equation_of_parameters_with_twice_the_digits_is_mpmaths(expression, reference):
    x = within(0.5, 40, 50)[0]
    a, b = (np.float64(1.7), np.float64(1e-17)), (np.float64(0.3), np.float64(-2e-17))
    made = evaluate_exactly(expression, {"x": x}, {"a": a, "b": b})
    with mpmath.workdps(60):
        whole = [mpmath.mpf(float(high)) + mpmath.mpf(float(low)) for high, low in (a, b)]
        expected = [reference(*whole, mpmath.mpf(float(value))) for value in x]
    assert apart(made, expected) < 1e-27


def test_an_equation_takes_parameters_as_plain_numbers_too():
    high, low = evaluate_exactly(joined("*", A, X), {"x": np.array([3.0])}, {"a": 0.1})
    with mpmath.workdps(60):
        assert mpmath.mpf(float(high[0])) + mpmath.mpf(float(low[0])) == mpmath.mpf(0.1) * 3


def test_a_row_that_is_too_large_for_pairs_has_float64s_value_and_the_others_keep_their_digits():
    growth = joined("/", Number(1.0), joined("+", Number(1.0), Apply("exp", X)))
    high, low = evaluate_exactly(growth, {"x": np.array([1.0, 1000.0, -np.inf])})
    assert high[1:].tolist() == [0.0, 1.0]
    assert low[1:].tolist() == [0.0, 0.0]
    with mpmath.workdps(60):
        assert apart((high[:1], low[:1]), [1 / (1 + mpmath.e)]) < 1e-28
