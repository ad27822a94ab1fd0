"""What a model predicts along one or two columns: the numbers of the picture of data and fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from descend.tables.columns import Columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.report.plot_data import PlotRows

AVERAGED = 100  # rows over which a prediction is averaged
FINE = 200  # points of a curve


def by_strength(kept: PlotRows) -> list[str]:
    """Return the number columns, the one whose change moves the prediction most first."""
    inputs = [name for name, use in kept.model.design.uses.items() if use == "number"]
    rows = kept.columns

    def moved(name: str) -> float:
        """Return how far predictions move, on average, as the column goes from its lowest tenth to its highest."""
        ends = []
        for value in np.quantile(rows.numbers[name], [0.1, 0.9]):
            numbers = {**rows.numbers, name: np.full(len(rows), value)}
            data = Columns(numbers, rows.labels, rows.rows, rows.table, rows.means)
            ends.append(kept.predict(data))
        return float(np.abs(ends[1] - ends[0]).mean())

    return sorted(inputs, key=moved, reverse=True)


def averaged_along(kept: PlotRows, column: str, grid: Floats, mine: NDArray[np.bool_]) -> Floats:
    """Return predictions along a number, averaged over the rows that are ``mine`` with all else as it is in them.

    (Partial dependence, Friedman 2001, section 8.2, over up to AVERAGED rows.)
    """
    rows = np.flatnonzero(mine)
    rows = rows[np.linspace(0, rows.size - 1, min(rows.size, AVERAGED)).astype(np.int64)]
    every = np.repeat(rows, grid.size)
    data = kept.columns.take(every)
    numbers = {**data.numbers, column: np.tile(grid, rows.size)}
    predicted = kept.predict(Columns(numbers, data.labels, data.rows, data.table, data.means))
    return np.asarray(predicted.reshape(rows.size, grid.size, -1).mean(axis=0))


def predicted_along(kept: PlotRows, numbers: dict[str, Floats], fixed: Mapping[str, Any] | None = None) -> Floats:
    """Return predictions along some numbers, with others held as they are ``fixed``.

    What is not fixed is held at its mean, and a category at its commonest level.
    """
    import polars as pl

    count, fixed = next(iter(numbers.values())).size, fixed or {}
    held = {name: np.full(count, fixed.get(name, values.mean())) for name, values in kept.columns.numbers.items()}
    texts = {
        name: pl.Series(name, [str(fixed.get(name, values.mode().sort()[0]))] * count)
        for name, values in kept.columns.labels.items()
    }
    data = Columns({**held, **numbers}, texts, np.arange(count), kept.columns.table, {})
    return kept.predict(data)


def widened(values: NDArray[np.floating[Any]], count: int = FINE) -> Floats:
    """Return evenly spaced numbers over the values' range and a fifth more at each end."""
    low, high = float(values.min()), float(values.max())
    room = (high - low) * 0.2 or max(abs(low), 1.0) * 0.5
    return np.linspace(low - room, high + room, count)
