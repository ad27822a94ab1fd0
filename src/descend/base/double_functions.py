"""Elementary functions of double-double numbers (``double_double``), to a relative error of about 1e-30.

An argument is reduced in pairs (Cody and Waite 1980), a Taylor series is summed there, and an inverse function is one
step of Newton's method from float64's value (Hida, Li and Bailey 2001). Where a result has no finite pair it is
float64's, with a low part of 0: infinite, NaN, or too large for the products of pairs (about 1e300). The caller turns
NumPy's warnings off.
"""

from __future__ import annotations

from functools import cache
from math import factorial
from typing import TYPE_CHECKING

import numpy as np

from descend.base.double_double import add, divide, multiply, pair, settled, subtract

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.base.double_double import Pair
    from descend.base.typing import Floats

    Truths = NDArray[np.bool_]

LN2 = (0.6931471805599453, 2.3190468138462996e-17, 5.707708438416212e-34)
QUARTER_TURN = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
LN10 = (2.302585092994046, -2.1707562233822494e-16)
TWO_BY_ROOT_PI = (1.1283791670955126, 1.533545961316588e-17)
FARTHEST = 2.0**49  # from here the number of quarter turns is not exact
HALVINGS = 8  # of an exponent before its series, and doublings after it
SETTLED = 9.0  # from here erf is 1 to 1e-36
FEW = 1024  # the highest power that is made by multiplying


def exact_exp(x: Pair) -> Pair:
    """Return e^x."""
    turns, rest = _reduced(x, 800.0, LN2)
    return settled(_scaled(add(_one(), _exp_less_one(rest)), turns), np.exp(x[0]))


def exact_expm1(x: Pair) -> Pair:
    """Return e^x - 1, without cancellation near 0."""
    turns, rest = _reduced(x, 800.0, LN2)
    near = _exp_less_one(rest)
    away = subtract(_scaled(add(_one(), near), turns), _one())
    return settled(_chosen(turns == 0, near, away), np.expm1(x[0]))


def exact_log(x: Pair) -> Pair:
    """Return the natural logarithm of x."""
    share, turns = np.frexp(x[0])
    turns = turns - (share < np.sqrt(0.5))
    near = _log_of_one_and(subtract(_scaled(x, -turns), _one()))
    return settled(add(multiply(pair(turns.astype(float)), _constant(LN2)), near), np.log(x[0]))


def exact_log1p(x: Pair) -> Pair:
    """Return the logarithm of 1 + x, without cancellation near 0."""
    near = np.abs(x[0]) < 0.25
    small = _log_of_one_and(_chosen(near, x, pair(np.zeros_like(x[0]))))
    return settled(_chosen(near, small, exact_log(add(_one(), x))), np.log1p(x[0]))


def exact_log2(x: Pair) -> Pair:
    """Return the logarithm of x to base 2."""
    return settled(divide(exact_log(x), _constant(LN2)), np.log2(x[0]))


def exact_log10(x: Pair) -> Pair:
    """Return the logarithm of x to base 10."""
    return settled(divide(exact_log(x), _constant(LN10)), np.log10(x[0]))


def exact_sqrt(x: Pair) -> Pair:
    """Return the square root of x."""
    _, turns = np.frexp(x[0])
    half = turns // 2
    own = _scaled(x, -2 * half)
    guess = np.sqrt(own[0])
    missing = subtract(own, multiply(pair(guess), pair(guess)))[0]
    return settled(_scaled(add(pair(guess), pair(missing / (2 * guess))), half), np.sqrt(x[0]))


def exact_abs(x: Pair) -> Pair:
    """Return x without its sign."""
    sign = np.where(x[0] < 0, -1.0, 1.0)
    return sign * x[0], sign * x[1]


def exact_sin(x: Pair) -> Pair:
    """Return the sine of x radians; beyond 5e14 it has float64's digits."""
    quarter, sine, cosine = _turned(x)
    made = _signed(_chosen(quarter % 2 == 1, cosine, sine), quarter >= 2)
    return settled(_within(x, made), np.sin(x[0]))


def exact_cos(x: Pair) -> Pair:
    """Return the cosine of x radians; beyond 5e14 it has float64's digits."""
    quarter, sine, cosine = _turned(x)
    made = _signed(_chosen(quarter % 2 == 1, sine, cosine), (quarter == 1) | (quarter == 2))
    return settled(_within(x, made), np.cos(x[0]))


def exact_tan(x: Pair) -> Pair:
    """Return the tangent of x radians; beyond 5e14 it has float64's digits."""
    quarter, sine, cosine = _turned(x)
    odd = quarter % 2 == 1
    made = divide(_chosen(odd, _signed(cosine, odd), sine), _chosen(odd, sine, cosine))
    return settled(_within(x, made), np.tan(x[0]))


def exact_atan(x: Pair) -> Pair:
    """Return the angle whose tangent is x, in radians."""
    guess = pair(np.arctan(x[0]))
    sine, cosine = exact_sin(guess), exact_cos(guess)
    missing = divide(subtract(multiply(x, cosine), sine), add(cosine, multiply(x, sine)))
    return settled(add(guess, missing), np.arctan(x[0]))


def exact_sinh(x: Pair) -> Pair:
    """Return the hyperbolic sine of x."""
    size = exact_abs(x)
    less = exact_expm1(_chosen(size[0] < 40, size, pair(np.zeros_like(x[0]))))
    near = multiply(add(less, divide(less, add(less, _one()))), pair(np.asarray(0.5)))
    made = _chosen(size[0] < 40, near, _half_exp(size))
    return settled(_signed(made, x[0] < 0), np.sinh(x[0]))


def exact_cosh(x: Pair) -> Pair:
    """Return the hyperbolic cosine of x."""
    half = _half_exp(exact_abs(x))
    rest = divide(pair(np.asarray(0.25)), _chosen(half[0] < 1e30, half, pair(np.full_like(x[0], 1e30))))
    return settled(add(half, rest), np.cosh(x[0]))


def exact_tanh(x: Pair) -> Pair:
    """Return the hyperbolic tangent of x."""
    size = exact_abs(x)
    held = _chosen(size[0] > 40, pair(np.full_like(x[0], 40.0)), size)  # there it is 1 to 1e-34
    less = exact_expm1((2 * held[0], 2 * held[1]))
    return settled(_signed(divide(less, add(less, pair(np.asarray(2.0)))), x[0] < 0), np.tanh(x[0]))


def exact_sigmoid(x: Pair) -> Pair:
    """Return 1 / (1 + e^-x)."""
    small = exact_exp(_signed(exact_abs(x), np.asarray(True)))
    made = divide(_chosen(x[0] < 0, small, _one()), add(_one(), small))
    return settled(made, np.where(x[0] < 0, small[0], 1.0) / (1 + small[0]))


def exact_softplus(x: Pair) -> Pair:
    """Return log(1 + e^x)."""
    rest = exact_log1p(exact_exp(_signed(exact_abs(x), np.asarray(True))))
    made = add(_chosen(x[0] > 0, x, pair(np.zeros_like(x[0]))), rest)
    return settled(made, np.maximum(x[0], 0.0) + rest[0])


def exact_logit(x: Pair) -> Pair:
    """Return log(x / (1 - x)), without cancellation near a half."""
    rest = subtract(_one(), x)
    middle = np.abs(x[0] - 0.5) < 0.1
    near = exact_log1p(divide(subtract(x, rest), rest))
    return settled(_chosen(middle, near, exact_log(divide(x, rest))), np.log(x[0]) - np.log1p(-x[0]))


def exact_erf(x: Pair) -> Pair:
    """Return the error function, by the series of Abramowitz and Stegun (1964, 7.1.6), whose terms have one sign."""
    held = _chosen(np.abs(x[0]) < SETTLED, x, pair(np.sign(x[0]) * SETTLED))
    square = multiply(held, held)
    term = total = held
    order = 0
    while (np.abs(term[0]) > 1e-34 * np.abs(total[0])).any():
        order += 1
        term = multiply(term, multiply(square, _ratio(2, 2 * order + 1)))
        total = add(total, term)
    made = multiply(multiply(total, _constant(TWO_BY_ROOT_PI)), exact_exp((-square[0], -square[1])))
    return settled(made, np.where(np.isnan(x[0]), x[0], np.sign(x[0])))


def exact_power(x: Pair, y: Pair) -> Pair:
    """Return x^y: of a negative x for a whole y, as float64's power is."""
    exponent = y[0]
    if np.ndim(exponent) == 0 and not np.any(y[1]) and abs(exponent) <= FEW and exponent == np.rint(exponent):
        return settled(_whole_power(x, int(exponent)), np.power(x[0], exponent))
    size = exact_exp(multiply(y, exact_log(exact_abs(x))))
    size = _chosen(np.isfinite(size[0]) & (x[0] != 0), size, pair(np.power(np.abs(x[0]), exponent)))
    whole = (y[1] == 0) & (exponent == np.rint(exponent))
    made = _signed(size, (x[0] < 0) & (np.abs(np.fmod(exponent, 2.0)) == 1))
    undefined = (x[0] < 0) & ~whole
    return settled(_chosen(undefined, pair(np.full_like(size[0], np.nan)), made), np.power(x[0], exponent))


def exact_smaller(x: Pair, y: Pair) -> Pair:
    """Return the smaller of x and y."""
    return _chosen(subtract(x, y)[0] <= 0, x, y)


def exact_larger(x: Pair, y: Pair) -> Pair:
    """Return the larger of x and y."""
    return _chosen(subtract(x, y)[0] >= 0, x, y)


def _whole_power(x: Pair, exponent: int) -> Pair:
    if exponent < 0:
        return divide(_one(), _whole_power(x, -exponent))
    made = pair(np.ones_like(x[0]))
    for bit in f"{exponent:b}":
        made = multiply(made, made)
        if bit == "1":
            made = multiply(made, x)
    return made


def _half_exp(x: Pair) -> Pair:
    """Return e^x / 2, which is finite a little longer than e^x."""
    turns, rest = _reduced(x, 800.0, LN2)
    return _scaled(add(_one(), _exp_less_one(rest)), turns - 1)


def _exp_less_one(x: Pair) -> Pair:
    """Return e^x - 1 for |x| up to 0.4, by the series of x / 256 and (1 + s)^2 - 1 = 2 s + s^2."""
    small = _scaled(x, np.asarray(-HALVINGS))
    made = multiply(small, _series(small, _factorials(1, 1, 1), 5, 10))
    for _ in range(HALVINGS):
        made = add((2 * made[0], 2 * made[1]), multiply(made, made))
    return made


def _log_of_one_and(x: Pair) -> Pair:
    """Return the logarithm of 1 + x for x from -0.3 to 0.42, by one step of Newton's method."""
    guess = pair(np.log1p(x[0]))
    reached = _exp_less_one(guess)
    return add(guess, divide(subtract(x, reached), add(_one(), reached)))


def _turned(x: Pair) -> tuple[Floats, Pair, Pair]:
    """Return the quarter turns in x (0 to 3), and the sine and cosine of the rest, up to 1/8 turn either way."""
    turns, rest = _reduced(x, FARTHEST, QUARTER_TURN)
    square = multiply(rest, rest)
    sine = multiply(rest, _series(square, _factorials(1, 2, -1), 9, 15))
    cosine = _series(square, _factorials(0, 2, -1), 10, 16)
    return np.mod(turns, 4), sine, cosine


def _reduced(x: Pair, most: float, unit: tuple[float, float, float]) -> tuple[Floats, Pair]:
    """Return how many units are nearest to x (held to ``most`` either way), and what is left of x without them.

    The unit has three parts. The terms are added one by one, so that what cancels leaves the digits of the others.
    """
    count = np.rint(np.clip(x[0], -most, most) / unit[0])
    first, second = (multiply(pair(count), pair(np.asarray(part))) for part in unit[:2])
    rest = add(pair(x[0]), pair(-first[0]))
    for term in (-first[1], x[1], -second[0], -second[1], -count * unit[2]):
        rest = add(rest, pair(np.asarray(term)))
    return count, rest


def _series(x: Pair, coefficient: Callable[[int], Pair], doubled: int, terms: int) -> Pair:
    """Return the sum of coefficient(n) x^n; those from ``doubled`` on are so small that float64 has digits enough."""
    tail = np.zeros_like(x[0])
    for place in reversed(range(doubled, terms)):
        tail = tail * x[0] + coefficient(place)[0]
    made = pair(tail)
    for place in reversed(range(doubled)):
        made = add(multiply(made, x), coefficient(place))
    return made


@cache
def _factorials(first: int, step: int, sign: int) -> Callable[[int], Pair]:
    """Return the coefficients sign^n / (first + n step)!, as a function of n."""
    return cache(lambda n: _ratio(sign**n, factorial(first + n * step)))


@cache
def _ratio(above: int, below: int) -> Pair:
    """Return the quotient of two whole numbers; Python rounds such a quotient correctly, however large they are."""
    high = above / below
    share, whole = high.as_integer_ratio()
    return np.asarray(high), np.asarray((above * whole - share * below) / (whole * below))


@cache
def _constant(parts: tuple[float, ...]) -> Pair:
    return np.asarray(parts[0]), np.asarray(parts[1])


def _one() -> Pair:
    return _ratio(1, 1)


def _scaled(x: Pair, turns: Floats) -> Pair:
    """Return x times 2^turns."""
    power = turns.astype(np.int32)
    return np.ldexp(x[0], power), np.ldexp(x[1], power)


def _signed(x: Pair, minus: Truths) -> Pair:
    """Return -x where ``minus`` is true, else x."""
    sign = np.where(minus, -1.0, 1.0)
    return sign * x[0], sign * x[1]


def _chosen(where: Truths, x: Pair, y: Pair) -> Pair:
    return np.where(where, x[0], y[0]), np.where(where, x[1], y[1])


def _within(x: Pair, made: Pair) -> Pair:
    """Return NaN where x is too far for the number of its quarter turns, elsewhere what was made."""
    far = np.abs(x[0]) > FARTHEST
    return _chosen(far, pair(np.full_like(made[0], np.nan)), made)
