"""The mean, root mean square and standard deviation of columns, computed block by block, and their scales.

A column is constant when its smallest and its largest number are equal, because its computed deviation is only
rounding; no column is divided by that. A column that varies by no more than the rounding of its numbers is constant
too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.base.threads import block_rows, map_slices, summed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from descend.base.typing import Floats

FEWEST = 1000
ROUNDING = 1e-14  # a deviation below this share of the column's size, some forty units in the last place, is rounding


def reading_rows(columns: int) -> int:
    """Return the rows per block for a number of columns; a small block costs as much as a larger one."""
    return max(block_rows(max(columns, 1)), FEWEST)


def moments(
    columns: Callable[[slice], Iterable[Floats]], rows: int, width: int, *, weights: Floats | None = None
) -> tuple[Floats, Floats, Floats]:
    """Return each column's mean, root mean square and standard deviation, without overflow.

    ``columns`` returns the columns of a slice of rows, in arrays of rows x columns. It is called twice per block, so
    that the columns need not fit in memory: for means and largest numbers, then for the squares of the scaled numbers.
    ``weights`` repeat rows.
    """
    size, mass = reading_rows(width), rows if weights is None else float(weights.sum())

    def laid(part: slice) -> Floats:
        """Return the columns of a slice; for a large table in column-major order, which is faster to sum."""
        made = list(columns(part))
        if rows <= size:
            return np.concatenate(made, axis=1)
        return np.concatenate(made, axis=1, out=np.empty((len(made[0]), width), order="F"))

    def added(X: Floats, part: slice) -> Floats:
        return X.sum(axis=0) if weights is None else weights[part] @ X

    def ends(part: slice) -> tuple[Floats, Floats, Floats]:
        X = laid(part)
        return added(X, part), X.min(axis=0), X.max(axis=0)

    totals, lows, highs = zip(*map_slices(ends, rows, size), strict=True)
    low, high = np.min(lows, axis=0), np.max(highs, axis=0)
    means = np.clip(np.sum(totals, axis=0) / mass, low, high)
    largest = np.maximum(np.abs(low), np.abs(high))
    farthest = np.maximum(np.abs(low - means), np.abs(high - means))  # exact, because rounding keeps the order
    unit, reach = np.where(largest > 0, largest, 1.0), np.where(farthest > 0, farthest, 1.0)

    def squares(part: slice) -> tuple[Floats, Floats]:
        X = laid(part)
        scaled = X / unit
        X -= means
        X /= reach
        return added(np.square(scaled, out=scaled), part), added(np.square(X, out=X), part)

    raw, centred = summed(squares, rows, size)
    return means, largest * np.sqrt(raw / mass), farthest * np.sqrt(centred / mass)


def bounded_deviations(spreads: Floats, low: Floats, high: Floats, rows: int) -> Floats:
    """Return computed standard deviations within the bounds that the smallest and largest numbers give.

    That is from range / sqrt(2 rows) (von Szokefalvi Nagy 1918) to range / 2 (Popoviciu 1935); 0 for a constant column.
    """
    reach = high - low
    return np.asarray(np.clip(spreads, reach / np.sqrt(2 * rows), reach / 2))


def average(values: Floats) -> Floats:
    """Return the mean of numbers, or of each column, without overflow of their sum."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean = values.mean(axis=0)
    return np.asarray(mean if np.isfinite(mean).all() else (values / len(values)).sum(axis=0))


def deviations(values: Floats) -> Floats:
    """Return each column's standard deviation (of rows x columns), 0 where it varies by rounding alone."""
    if not len(values):
        return np.zeros(values.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        _, sizes, spreads = moments(lambda part: [values[part]], len(values), values.shape[1])
    return np.where(same(spreads, sizes), 0.0, spreads)


def same(spreads: Floats, sizes: Floats) -> NDArray[np.bool_]:
    """Tell which columns are constant, or vary by no more than the rounding of their numbers."""
    return np.asarray(spreads <= ROUNDING * sizes)


def scaling(
    means: Floats, sizes: Floats, spreads: Floats, rows: int, *,
    intercept: bool, standardize: bool, settle: bool, ddof: int = 0,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Return what is subtracted from columns and what they are then divided by.

    standardize: to mean 0 and standard deviation 1 (``ddof`` 0: population, 1: sample), except that a constant column
        is only centred; without an intercept, which would absorb the means, columns are only divided by their root mean
        squares.
    settle: subtract the means of constant columns even without ``standardize``, because they duplicate the intercept;
        not with one row, where every column is constant.
    """
    constant, nothing, ones = same(spreads, sizes), np.zeros_like(means), np.ones_like(means)
    if not intercept:
        return nothing, np.where(sizes > 0, sizes, 1.0) if standardize else ones
    if not standardize:
        return np.where(constant & settle & (rows > 1), means, 0.0), ones
    return means, np.where(constant, 1.0, spreads * np.sqrt(rows / max(rows - ddof, 1)))
