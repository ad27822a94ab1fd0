"""Double-double arithmetic: every number is a pair (high, low) of float64 arrays whose sum is its value.

Error-free sums and products (Dekker 1971; Knuth 1969, section 4.2.2); the same on every machine, unlike long double.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from descend.base.typing import Floats

    Pair = tuple[Floats, Floats]

SPLITTER = 2.0**27 + 1
BULK = 1_000_000  # multiplications from which the linear algebra library is faster
BITS, SLICES, INNER = 20, 6, 4096  # 2 * 20 bits of a product and 12 of a sum of 4096 fit in float64


def pair(values: Floats) -> Pair:
    """Return numbers as pairs, exactly."""
    return values, np.zeros_like(values)


def rounded(x: Pair) -> Floats:
    """Return the nearest float64."""
    return np.asarray(x[0] + x[1])


def add(x: Pair, y: Pair) -> Pair:
    """Return x + y."""
    high, low = _two_sum(x[0], y[0])
    return _normal(high, low + (x[1] + y[1]))


def subtract(x: Pair, y: Pair) -> Pair:
    """Return x - y."""
    return add(x, (-y[0], -y[1]))


def multiply(x: Pair, y: Pair) -> Pair:
    """Return x y, element by element."""
    high, low = _two_product(x[0], y[0])
    return _normal(high, low + (x[0] * y[1] + x[1] * y[0]))


def reciprocal(x: Pair) -> Pair:
    """Return 1 / x, by one step of Newton's method from the float64 reciprocal."""
    guess = pair(np.asarray(1 / x[0]))
    missing = subtract(pair(np.ones_like(x[0])), multiply(guess, x))
    return add(guess, multiply(guess, missing))


def divide(x: Pair, y: Pair) -> Pair:
    """Return x / y, element by element."""
    return multiply(x, reciprocal(y))


def settled(made: Pair, plain: Floats) -> Pair:
    """Return what was made, and float64's value ``plain`` where that has no finite pair (from about 1e300 on)."""
    finite = np.isfinite(made[0]) & np.isfinite(made[1])
    if np.all(finite):
        return made
    return np.where(finite, made[0], plain), np.where(finite, made[1], 0.0)


def total(x: Pair) -> Pair:
    """Return the sum over the first axis, by pairwise summation."""
    while len(x[0]) > 1:
        half = len(x[0]) // 2
        both = add((x[0][:half], x[1][:half]), (x[0][half : 2 * half], x[1][half : 2 * half]))
        if len(x[0]) % 2:
            both = np.concatenate([both[0], x[0][-1:]]), np.concatenate([both[1], x[1][-1:]])
        x = both
    return x[0][0], x[1][0]


def product(x: Pair, y: Pair) -> Pair:
    """Return the matrix product of x (rows x inner) and y (inner x columns)."""
    if x[0].size * y[0].shape[1] > BULK:
        return _in_bulk(x, y)
    made = pair(np.zeros((x[0].shape[0], y[0].shape[1])))
    for index in range(x[0].shape[1]):
        left, right = slice(index, index + 1), index
        term = multiply((x[0][:, left], x[1][:, left]), (y[0][right], y[1][right]))
        made = add(made, term)
    return made


def crossed(x: Pair, y: Pair) -> Pair:
    """Return x'y for x (rows x columns) and y (rows x outputs), by pairwise summation."""
    if x[0].size * y[0].shape[1] > BULK:
        return _in_bulk((x[0].T, x[1].T), y)
    made = [total(multiply(x, (y[0][:, [k]], y[1][:, [k]]))) for k in range(y[0].shape[1])]
    return np.stack([high for high, _ in made], axis=1), np.stack([low for _, low in made], axis=1)


def _in_bulk(x: Pair, y: Pair) -> Pair:
    """Return the matrix product as a sum of products of slices of a few bits, each exact in float64.

    The linear algebra library computes the products, and the result does not depend on its order of summation. The last
    bits kept are those of the largest numbers in a row of x and a column of y (Ozaki et al. 2012).
    """
    made = pair(np.zeros((x[0].shape[0], y[0].shape[1])))
    for start in range(0, y[0].shape[0], INNER):
        own = slice(start, start + INNER)
        left, rows = _sliced((x[0][:, own], x[1][:, own]), axis=1)
        right, columns = _sliced((y[0][own], y[1][own]), axis=0)
        part = pair(np.zeros_like(made[0]))
        for place in reversed(range(SLICES)):
            for index in range(place + 1):
                part = add(part, pair(left[index] @ right[place - index]))
        scale = rows * columns
        made = add(made, (part[0] * scale, part[1] * scale))
    return made


def _sliced(x: Pair, axis: int) -> tuple[list[Floats], Floats]:
    """Return x as a sum of slices of BITS bits, largest first, scaled by a power of two, and that power."""
    largest = np.abs(x[0]).max(axis=axis, keepdims=True, initial=0.0)
    scale: Floats = 2.0 ** np.ceil(np.log2(np.where(largest > 0, largest, 1.0)))
    high: Floats = x[0] / scale
    low: Floats = x[1] / scale
    slices: list[Floats] = []
    for place in range(1, SLICES + 1):
        unit = 2.0 ** (-BITS * place)
        slices.append(np.round(high / unit) * unit)
        high, low = _two_sum(high - slices[-1], low)
    return slices, scale


def _two_sum(a: Floats, b: Floats) -> Pair:
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


def _two_product(a: Floats, b: Floats) -> Pair:
    made = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    return made, ((a_high * b_high - made) + a_high * b_low + a_low * b_high) + a_low * b_low


def _halves(a: Floats) -> Pair:
    scaled = SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high


def _normal(high: Floats, low: Floats) -> Pair:
    total = high + low
    return total, low - (total - high)
