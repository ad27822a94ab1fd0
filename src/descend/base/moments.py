"""The mean, the size and the spread of columns, from readings of their rows block by block, and their scales.

A column is constant when its least and its greatest number are equal: a spread that is computed is then rounding, and
nothing is divided by it. So is one that spreads by no more than the rounding of its own numbers.
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
ROUNDING = 1e-14  # of a column's size: what spreads less, some forty units in its numbers' last place, is rounding


def reading_rows(columns: int) -> int:
    """Return how many rows are made into a block of so many columns; encoding few costs as much as more."""
    return max(block_rows(max(columns, 1)), FEWEST)


def moments(
    columns: Callable[[slice], Iterable[Floats]], rows: int, width: int, *, weights: Floats | None = None
) -> tuple[Floats, Floats, Floats]:
    """Return each column's mean, root mean square and standard deviation, without overflow.

    ``columns`` gives those of some rows, in arrays of rows x columns. They are never all at hand, and are read twice:
    for the means and the largest numbers, then for the squares of what is divided by them. With ``weights`` a row
    counts as so many.
    """
    size, mass = reading_rows(width), rows if weights is None else float(weights.sum())

    def laid(part: slice) -> Floats:
        """A small table is summed row by row; of a large one a column's numbers lie side by side, which is faster."""
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
    farthest = np.maximum(np.abs(low - means), np.abs(high - means))  # exactly, for rounding keeps the order
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
    """Return standard deviations that sums gave, held to what the least and the greatest numbers allow.

    That is from range / sqrt(2 rows) (von Szokefalvi Nagy 1918) to range / 2 (Popoviciu 1935); of a constant column 0.
    """
    reach = high - low
    return np.asarray(np.clip(spreads, reach / np.sqrt(2 * rows), reach / 2))


def average(values: Floats) -> Floats:
    """Return the mean of numbers, or of each column's, also where their sum is beyond float64."""
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
    """Return what is taken off columns and what they are divided by then; a constant column never is divided.

    standardize: to mean 0 and standard deviation 1 (``ddof`` 0: population, 1: sample); without an intercept, which
        would take the means up, columns are only divided by their root mean squares.
    settle: where nothing else is scaled, too, take the means of constant columns off, as the intercept is the same;
        not of one row, for of that nobody can tell.
    """
    constant, nothing, ones = same(spreads, sizes), np.zeros_like(means), np.ones_like(means)
    if not intercept:
        return nothing, np.where(sizes > 0, sizes, 1.0) if standardize else ones
    if not standardize:
        return np.where(constant & settle & (rows > 1), means, 0.0), ones
    return means, np.where(constant, 1.0, spreads * np.sqrt(rows / max(rows - ddof, 1)))
