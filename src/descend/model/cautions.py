"""Cautions about predictions: rows far outside of the fitted range, and medians of a transformed target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.messages import Note
from descend.formula.ast import Name, names_of
from descend.formula.evaluate import slopes_of, undo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.target import Target
    from descend.tables.columns import Columns

    Ranges = dict[str, tuple[float, float]]

FAR = 0.5  # a row is far outside when it is beyond the ends by more than this share of the fitted range
ERRORS = 2000  # at most so many errors of a transformed target are kept; of more rows so many quantiles
BLOCK = 1000  # rows whose means are computed at a time
BENT = 1e-9  # a transform is not linear when its slopes at two points differ by more than this share


def ranges_of(data: Columns, rows: NDArray[np.int64], uses: Mapping[str, str]) -> Ranges:
    """Return the least and the greatest of each column of numbers over some rows."""
    chosen = {name: data.numbers[name][rows] for name, use in uses.items() if use == "number"}
    return {name: (float(values.min()), float(values.max())) for name, values in chosen.items() if values.size}


def beyond(ranges: Ranges, data: Columns) -> list[Note]:
    """Return a note for each column of numbers that is farther outside of the fitted range than half its width."""
    found = []
    for name, (low, high) in ranges.items():
        values = data.numbers.get(name)
        if values is None or not values.size:
            continue
        away = np.maximum(low - values, values - high)
        far = away > FAR * (high - low)
        if far.any():
            worst = float(values[np.argmax(np.where(far, away, -np.inf))])
            facts = {"column": name, "count": int(far.sum()), "low": low, "high": high, "worst": worst}
            found.append(Note("note.beyond", facts))
    return found


def together(notes: Iterable[Note]) -> list[Note]:
    """Return the notes of a table from those of its parts."""
    made: dict[str, Note] = {}
    for note in notes:
        name, kept = note.values["column"], made.get(note.values["column"])
        if kept is None:
            made[name] = note
            continue
        middle = (note.values["low"] + note.values["high"]) / 2
        worst = max((kept, note), key=lambda one: abs(one.values["worst"] - middle)).values["worst"]
        count = kept.values["count"] + note.values["count"]
        made[name] = Note(note.code, {**note.values, "count": count, "worst": worst})
    return list(made.values())


def medians(target: Target) -> list[Note]:
    """Return a note for each target with a transform that is not linear: its prediction is a median."""
    pairs = zip(target.expressions, target.columns, strict=True)
    bent = [(str(expression), column) for expression, column in pairs if _bends(expression)]
    return [Note("note.median", {"target": column, "expression": written}) for written, column in bent]


def _bends(expression: Any) -> bool:
    if isinstance(expression, Name):
        return False
    (name,) = {name.name for name in names_of(expression)}
    slopes = slopes_of(expression, name, {name: undo(expression, np.array([0.25, 0.5, 0.75]))})
    straight = np.isfinite(slopes).all() and slopes.all()  # else the points lie beyond float64's range
    return not (straight and np.ptp(slopes) <= BENT * np.abs(slopes).max())


def kept_errors(Y: Floats, Z: Floats) -> Floats:
    """Return the fitted rows' errors of the transformed targets, in order of size: all, or ERRORS quantiles."""
    errors = np.sort(Y.astype(np.float64) - Z.astype(np.float64), axis=0)
    if len(errors) <= ERRORS:
        return np.asarray(errors)
    return np.asarray(np.quantile(errors, (np.arange(ERRORS) + 0.5) / ERRORS, axis=0))


def means(target: Target, Z: Floats, errors: Floats) -> Floats:
    """Return the mean of each target from the linear predictor, over the fitted errors, each equally likely.

    The smearing estimate (Duan 1983, "Smearing estimate: a nonparametric retransformation method").
    """
    made = np.empty(Z.shape)
    for index, expression in enumerate(target.expressions):
        for start in range(0, len(Z), BLOCK):
            rows = slice(start, start + BLOCK)
            made[rows, index] = undo(expression, Z[rows, index, None] + errors[:, index]).mean(axis=1)
    return made
