"""The mean, the size and the spread of every column of a design, from readings of its rows block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from descend.threads import block_rows, in_order, summed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

FEWEST = 1000
ROUNDING = 1e-14  # of a column's largest number: what spreads less is nothing but rounding


def reading_rows(columns: int) -> int:
    """Return how many rows are made into a block of so many columns; encoding few costs as much as more."""
    return max(block_rows(max(columns, 1)), FEWEST)


def moments(columns: Callable[[slice], Iterable[Floats]], rows: int, width: int) -> tuple[Floats, Floats, Floats]:
    """Return each column's mean, root mean square and standard deviation, without overflow.

    ``columns`` gives those of some rows, in arrays of rows x columns. They are never all at hand, and are read twice:
    for the means and the largest numbers, then for the squares of what is divided by them.
    """
    size = reading_rows(width)

    def laid(part: slice) -> Floats:
        """A small table is summed row by row; of a large one a column's numbers lie side by side, which is faster."""
        made = list(columns(part))
        if rows <= size:
            return np.concatenate(made, axis=1)
        return np.concatenate(made, axis=1, out=np.empty((len(made[0]), width), order="F"))

    def ends(part: slice) -> tuple[Floats, Floats, Floats]:
        X = laid(part)
        return X.sum(axis=0), X.min(axis=0), X.max(axis=0)

    totals, lows, highs = zip(*in_order(ends, rows, size), strict=True)
    means = np.sum(totals, axis=0) / rows
    low, high = np.min(lows, axis=0), np.max(highs, axis=0)
    largest = np.maximum(np.abs(low), np.abs(high))
    farthest = np.maximum(np.abs(low - means), np.abs(high - means))  # exactly, for rounding keeps the order
    unit, reach = np.where(largest > 0, largest, 1.0), np.where(farthest > 0, farthest, 1.0)

    def squares(part: slice) -> tuple[Floats, Floats]:
        X = laid(part)
        scaled = X / unit
        X -= means
        X /= reach
        return tuple(np.square(made, out=made).sum(axis=0) for made in (scaled, X))

    raw, centred = summed(squares, rows, size)
    sizes, spreads = largest * np.sqrt(raw / rows), farthest * np.sqrt(centred / rows)
    return means, sizes, np.where(spreads <= ROUNDING * largest, 0.0, spreads)
