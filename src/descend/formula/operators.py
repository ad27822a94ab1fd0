"""The operators that join two expressions: + - * / ** and min and max, each with its values and partial derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from descend.base import double_functions as doubled
from descend.base.double_double import add, divide, multiply, subtract
from descend.base.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from descend.base.double_double import Pair
    from descend.base.typing import Floats

    Partial = Callable[[Floats, Floats, Floats], Floats]

ONE, MINUS_ONE = np.asarray(1.0), np.asarray(-1.0)
"""Partial derivatives that are 1 or -1 everywhere are these very arrays: nothing is multiplied by them."""
TINY = 1e-290  # a power below it may have lost digits to underflow


@dataclass(frozen=True)
class Operator:
    """An operator between two numbers a and b.

    name: how an ``Operation`` names it. value: its value. exact: the same with twice the digits.
    by_left, by_right: its derivative in a and in b, from a, b and the value.
    twice_left, mixed, twice_right: its second derivatives in a, in both, in b, from the same; None where they are 0.

    >>> a, b = np.array([2.0]), np.array([3.0])
    >>> OPERATORS["*"].by_left(a, b, a * b).tolist()
    [3.0]
    """

    name: str
    value: Callable[[Floats, Floats], Floats]
    exact: Callable[[Pair, Pair], Pair]
    by_left: Partial
    by_right: Partial
    twice_left: Partial | None = None
    mixed: Partial | None = None
    twice_right: Partial | None = None


OPERATORS: Registry[Operator] = Registry("operator")


def _one(_a: Floats, _b: Floats, _value: Floats) -> Floats:
    return ONE


def _minus_one(_a: Floats, _b: Floats, _value: Floats) -> Floats:
    return MINUS_ONE


def _power_by_base(a: Floats, b: Floats, value: Floats) -> Floats:
    """Return b a^(b - 1): from the value, or by another power where that is 0, infinite or has lost digits."""
    if np.ndim(b) == 0 and b == 2:
        return np.asarray(2 * a)
    slope = np.asarray(b * (value / a))
    size = np.abs(value)
    lost = ~((size > TINY) & (size < np.inf)) | np.equal(a, 0)
    return np.where(lost, _scaled_power(b, a, b - 1), slope) if lost.any() else slope


def _power_by_exponent(a: Floats, _b: Floats, value: Floats) -> Floats:
    """Return a^b log(a), which is 0 where a is 0 and b above it."""
    return np.asarray(_where_there_is_any(value, value * np.log(a)))


def _power_twice_base(a: Floats, b: Floats, _value: Floats) -> Floats:
    return _scaled_power(b * (b - 1), a, b - 2)


def _power_mixed(a: Floats, b: Floats, _value: Floats) -> Floats:
    """Return a^(b - 1) (1 + b log(a))."""
    rest = np.power(a, b - 1)
    return _where_there_is_any(rest, rest * (1 + b * np.log(a)))


def _power_twice_exponent(a: Floats, _b: Floats, value: Floats) -> Floats:
    return _where_there_is_any(value, value * np.square(np.log(a)))


def _scaled_power(factor: Floats, a: Floats, b: Floats) -> Floats:
    """Return factor a^b, which is 0 where the factor is: x^0 and x^1 have no more derivatives."""
    return np.asarray(np.where(np.equal(factor, 0), 0.0, factor * np.power(a, b)))


def _where_there_is_any(power: Floats, made: Floats) -> Floats:
    """Return what was made, and 0 where the power is 0: of the base 0, whose logarithm is infinite."""
    return np.asarray(np.where(np.equal(power, 0), 0.0, made))


OPERATORS.add(Operator("+", np.add, add, _one, _one))
OPERATORS.add(Operator("-", np.subtract, subtract, _one, _minus_one))
OPERATORS.add(
    Operator("*", np.multiply, multiply, lambda a, b, value: b, lambda a, b, value: a, mixed=_one),
)
OPERATORS.add(
    Operator(
        "/",
        np.divide,
        divide,
        by_left=lambda a, b, value: np.divide(1.0, b),
        by_right=lambda a, b, value: np.divide(-value, b),
        mixed=lambda a, b, value: np.divide(-1.0, np.square(b)),
        twice_right=lambda a, b, value: np.divide(2 * value, np.square(b)),
    )
)
OPERATORS.add(
    Operator(
        "**",
        np.power,
        doubled.exact_power,
        by_left=_power_by_base,
        by_right=_power_by_exponent,
        twice_left=_power_twice_base,
        mixed=_power_mixed,
        twice_right=_power_twice_exponent,
    )
)
OPERATORS.add(
    Operator(
        "min",
        np.minimum,
        doubled.exact_smaller,
        by_left=lambda a, b, value: np.less_equal(a, b).astype(float),
        by_right=lambda a, b, value: np.greater(a, b).astype(float),
    )
)
OPERATORS.add(
    Operator(
        "max",
        np.maximum,
        doubled.exact_larger,
        by_left=lambda a, b, value: np.greater_equal(a, b).astype(float),
        by_right=lambda a, b, value: np.less(a, b).astype(float),
    )
)
