"""Sums over parts of the rows, of numbers or tuples of arrays, in double-double arithmetic.

A total therefore depends on the partition of the rows only by the rounding within the parts.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.double_double import add
from descend.base.threads import QUIET

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from descend.base.double_double import Pair

    Pairs = tuple[Pair, ...]


def pairs(answer: Any) -> Pairs:
    """Return a number, an array, or a tuple of them as pairs of high and low; pairs stay as they are."""
    made = []
    for item in answer if isinstance(answer, tuple) else (answer,):
        if isinstance(item, tuple):
            made.append(item)
        else:
            high: NDArray[Any] = np.asarray(item)
            made.append((high, np.zeros_like(high)))
    return tuple(made)


def added(items: Iterable[Pairs]) -> Pairs:
    """Return the sum of tuples of pairs, in their order."""
    return reduce(_plus, items)


def total_of(results: Iterable[Any]) -> tuple[NDArray[Any], ...]:
    """Return the sums of numbers, or of tuples of arrays, in their order."""
    return round_totals(added(map(pairs, results)))


def round_totals(total: Pairs) -> tuple[NDArray[Any], ...]:
    """Return the float64 values of pairs."""
    with np.errstate(**QUIET):
        return tuple(np.asarray(high + low) for high, low in total)


def _plus(x: Pairs, y: Pairs) -> Pairs:
    with np.errstate(**QUIET):
        return tuple(_sum(a, b) for a, b in zip(x, y, strict=True))


def _sum(x: Pair, y: Pair) -> Pair:
    if x[0].dtype.kind != "f":  # whole numbers need no second part
        return x[0] + y[0], x[1]
    high, low = add(x, y)
    plain = x[0] + y[0]
    whole = np.isfinite(plain)
    return np.where(whole, high, plain), np.where(whole, low, 0)
