"""The picture of the data and the hypothesis: curves, a region for each class, or predictions against true values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl

from descend.base.messages import say
from descend.formula.evaluate import values_of
from descend.objectives.metrics import confusion
from descend.studio.short_numbers import encoded, points, short
from descend.tables.columns import Columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.studio.view import View

FINE = 90
PLANE = 56
AVERAGED = 40
SHOWN = 600
FEW_LEVELS = 6
FEW_VALUES = 10  # a column of so few values has its points shifted a little, so that they do not overlap
SPREAD = 0.1  # the most that a point is shifted, as a share of the distance between two values
MOST_LEVELS = 20
COMPARED = "`predicted"  # no formula can name a column with a backtick
REGIONS = "`regions"


class DataPicture(Protocol):
    """One way to show the data: ``still`` is drawn once, ``moving`` again for every epoch and every learning rate."""

    still: dict[str, Any]

    def moving(self, view: View, weights: Floats) -> dict[str, Any]:
        """Return what the hypothesis predicts with the given parameters."""
        ...


def ways(view: View) -> list[str]:
    """Return the ways to show a run's data, the best first: a column's name, REGIONS or COMPARED."""
    uses = {name: use for name, use in view.design.uses.items() if name not in (COMPARED, REGIONS)}
    numbers = [name for name, use in uses.items() if use == "number"]
    labels = [name for name, use in uses.items() if use == "category"]
    labels = [name for name in labels if len(view.design.levels[name]) <= MOST_LEVELS]
    columns = numbers + labels
    if view.target.family.classes:
        return [*([REGIONS] if len(_many_valued(view, numbers)) > 1 else []), *columns, COMPARED]
    simple = len(numbers) <= 1 and len(columns) <= 2
    return [*columns, COMPARED] if simple and columns else [COMPARED, *columns]


def data_picture(view: View, way: str, lang: str) -> DataPicture:
    """Return one way to show a run's data; the first way where the run does not have the one asked for."""
    known = ways(view)
    way = way if way in known else known[0]
    if way == REGIONS:
        return Regions(view, lang)
    if way == COMPARED:
        return ConfusionChart(view, lang) if view.target.family.classes else Compared(view, lang)
    return Effect(view, way, lang) if view.design.uses[way] == "number" else Levels(view, way, lang)


@dataclass
class _Groups:
    """Rows grouped by colour: by output, by level of a category, or by class."""

    names: list[str]
    rows: list[NDArray[np.intp]]
    outputs: list[int]


class Effect:
    """Partial dependence: predictions along a number, averaged over the rows (Friedman 2001, section 8.2)."""

    def __init__(self, view: View, column: str, lang: str) -> None:
        rows = view.rows
        x = rows.columns.numbers[column]
        at = _spread_out(x) if view.target.family.classes else x
        low, high = _wider(at)
        self.grid = np.linspace(low, high, FINE)
        groups = _groups(view)
        alone = len(view.design.uses) == 1
        self.lines: list[tuple[int, int, Floats, int]] = []  # the group's id, its size, its design matrix, the output
        known: dict[int, Floats] = {}
        for group, output in zip(groups.rows, groups.outputs, strict=True):
            chosen = group[np.linspace(0, group.size - 1, 1 if alone else min(group.size, AVERAGED)).astype(np.intp)]
            if id(group) not in known:
                known[id(group)] = _along(view, chosen, column, self.grid)
            self.lines.append((id(group), chosen.size, known[id(group)], output))
        classes = view.target.family.classes
        heights = _heights(view) if classes else rows.truth
        span = (-0.06, 1.06) if classes else _wider(heights.ravel())
        shown = _shown(len(x))
        drawn = _by_class(view) if classes else groups
        self.still = {
            "kind": "curve",
            "x": column,
            "y": _chance(view, lang, groups) if classes else ", ".join(view.target.columns),
            "xr": [low, high],
            "yr": list(span),
            "names": groups.names,
            "points": [
                _marks(at, heights[:, 0 if classes else output], group, rows.tested, shown)
                for group, output in zip(drawn.rows, drawn.outputs, strict=True)
            ],
            "grid": short(self.grid),
        }

    def moving(self, view: View, weights: Floats) -> dict[str, Any]:
        """Return the height of every line."""
        known: dict[int, Floats] = {}
        for whose, count, matrix, _ in self.lines:
            if whose not in known:
                predicted = view.predicted(weights, matrix)
                known[whose] = predicted.reshape(count, FINE, -1).mean(axis=0)
        return {"lines": [short(known[whose][:, output]) for whose, _, _, output in self.lines]}


class Levels:
    """Mean predictions by level of a category: a bar per level, over the rows of that level."""

    def __init__(self, view: View, column: str, lang: str) -> None:
        labels = view.rows.columns.labels[column]
        levels = list(view.design.levels[column])
        codes = np.array([levels.index(label) for label in labels.to_list()])
        classes = view.target.family.classes
        spread = np.random.default_rng(0).uniform(-0.28, 0.28, codes.size)
        heights = _heights(view) if classes else view.rows.truth
        span = (-0.06, 1.06) if classes else _wider(heights[:, 0])
        groups = _by_class(view) if classes else _Groups([""], [np.arange(codes.size)], [0])
        shown = _shown(codes.size)
        self.codes, self.count = codes, len(levels)
        self.output = 1 if classes else 0
        self.still = {
            "kind": "levels",
            "x": column,
            "y": _chance(view, lang) if classes else view.target.columns[0],
            "ticks": levels,
            "yr": list(span),
            "names": groups.names,
            "points": [_marks(codes + spread, heights[:, 0], group, view.rows.tested, shown) for group in groups.rows],
        }

    def moving(self, view: View, weights: Floats) -> dict[str, Any]:
        """Return the mean prediction of every level."""
        predicted = view.predicted(weights, view.rows.X)[:, self.output]
        counts = np.bincount(self.codes, minlength=self.count)
        sums = np.bincount(self.codes, predicted, minlength=self.count)
        return {"bars": short(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))}


class Regions:
    """The likeliest class over the plane of the first two numbers, and its probability."""

    def __init__(self, view: View, lang: str) -> None:
        numbers = _many_valued(view, [name for name, use in view.design.uses.items() if use == "number"])[:2]
        x, y = (view.rows.columns.numbers[name] for name in numbers)
        x, y = _spread_out(x), _spread_out(y)
        spans = _wider(x), _wider(y)
        a, b = np.meshgrid(np.linspace(*spans[0], PLANE), np.linspace(*spans[1], PLANE))
        self.matrix = _matrix(view, _elsewhere(view, {numbers[0]: a.ravel(), numbers[1]: b.ravel()}))
        groups, shown = _by_class(view), _shown(x.size)
        self.still = {
            "kind": "regions",
            "x": numbers[0],
            "y": numbers[1],
            "xr": list(spans[0]),
            "yr": list(spans[1]),
            "size": [PLANE, PLANE],
            "names": groups.names,
            "points": [_marks(x, y, group, view.rows.tested, shown) for group in groups.rows],
        }

    def moving(self, view: View, weights: Floats) -> dict[str, Any]:
        """Return the likeliest class of every point of the grid, and its certainty from 0 to 255."""
        chances = np.nan_to_num(view.predicted(weights, self.matrix))
        least = 1 / chances.shape[1]
        sure = np.clip((chances.max(axis=1) - least) / (1 - least), 0, 1)
        return {
            "classes": encoded(chances.argmax(axis=1).astype(np.uint8)),
            "sure": encoded(np.round(255 * sure).astype(np.uint8)),
        }


class Compared:
    """Predictions against true values: equal ones lie on the diagonal."""

    def __init__(self, view: View, lang: str) -> None:
        self.chosen = np.flatnonzero(_shown(len(view.rows.X)))
        truth = view.rows.truth[self.chosen]
        self.X = view.rows.X[self.chosen]
        self.tested = view.rows.tested[self.chosen]
        self.truth = truth
        span = list(_wider(truth.ravel()))
        self.still = {
            "kind": "compared",
            "x": say("plot.predicted", lang),
            "y": say("plot.actual", lang),
            "xr": span,
            "yr": span,
            "names": list(view.target.columns),
        }

    def moving(self, view: View, weights: Floats) -> dict[str, Any]:
        """Return the points of every target, those of fitted rows and those of unseen rows."""
        predicted = view.predicted(weights, self.X)
        pairs = []
        for output in range(predicted.shape[1]):
            halves = [predicted[rows, output] for rows in (~self.tested, self.tested)]
            true = [self.truth[rows, output] for rows in (~self.tested, self.tested)]
            pairs.append({"fitted": points(halves[0], true[0]), "unseen": points(halves[1], true[1])})
        return {"points": pairs}


class ConfusionChart:
    """The confusion matrix: true classes x predicted classes."""

    def __init__(self, view: View, lang: str) -> None:
        unseen = bool(view.rows.tested.any())
        self.still = {
            "kind": "counts",
            "x": say("plot.predicted", lang),
            "y": say("studio.actual-unseen" if unseen else "plot.actual", lang),
            "ticks": list(view.target.levels),
        }

    def moving(self, view: View, weights: Floats) -> dict[str, Any]:
        """Return the counts, true x predicted."""
        return counted(view, weights)


def _groups(view: View) -> _Groups:
    """Return the lines of a curve: one per output, per level of a category with few levels, or per class."""
    every = np.arange(len(view.rows.X))
    target = view.target
    if target.family.classes and len(target.outputs) == 1:
        return _Groups([f"{target.columns[0]} = {target.levels[1]}"], [every], [1])
    if target.family.classes:
        return _Groups(list(target.levels), [every] * len(target.levels), list(range(len(target.levels))))
    if len(target.columns) > 1:
        return _Groups(list(target.columns), [every] * len(target.columns), list(range(len(target.columns))))
    for name, levels in view.design.levels.items():
        if 1 < len(levels) <= FEW_LEVELS:
            labels = view.rows.columns.labels[name]
            by_level = [(level, np.flatnonzero((labels == level).to_numpy())) for level in levels]
            by_level = [(level, rows) for level, rows in by_level if rows.size]
            return _Groups([level for level, _ in by_level], [rows for _, rows in by_level], [0] * len(by_level))
    return _Groups([""], [every], [0])


def _by_class(view: View) -> _Groups:
    codes = view.rows.truth[:, 0].astype(np.int64)
    rows = [np.flatnonzero(codes == index) for index in range(len(view.target.levels))]
    return _Groups(list(view.target.levels), rows, [0] * len(rows))


def _heights(view: View) -> Floats:
    """Return the heights of each class's rows on a probability axis: 1 for the second of two classes, else 0."""
    codes = view.rows.truth[:, :1]
    spread = np.random.default_rng(1).uniform(-0.03, 0.03, codes.shape)  # so that points do not hide one another
    return np.where(codes == 1, 1.0, 0.0) + spread if len(view.target.outputs) == 1 else spread - 0.03


def _many_valued(view: View, numbers: list[str]) -> list[str]:
    """Return the numeric columns with more than two values: the others give no useful axis."""
    return [name for name in numbers if np.unique(view.rows.columns.numbers[name]).size > 2]


def _spread_out(x: Floats) -> Floats:
    """Return a column's values; for a column of few values, with a small random shift so that points do not overlap."""
    values = np.unique(x)
    if not 1 < values.size <= FEW_VALUES:
        return x
    return np.asarray(x + SPREAD * np.diff(values).min() * np.random.default_rng(0).uniform(-1, 1, x.size))


def _along(view: View, chosen: NDArray[np.intp], column: str, grid: Floats) -> Floats:
    """Return the design matrix of the chosen rows, each repeated with the column at every point of the grid."""
    data = view.rows.columns.take(np.repeat(chosen, grid.size).astype(np.int64))
    numbers = {**data.numbers, column: np.tile(grid, chosen.size)}
    return _matrix(view, Columns(numbers, data.labels, data.rows, data.table, data.means, images=data.images))


def _elsewhere(view: View, numbers: dict[str, Floats]) -> Columns:
    """Return rows with the given numbers, the other numbers at their means and categories at their commonest level."""
    known = view.rows.columns
    count = next(iter(numbers.values())).size
    held = {name: np.full(count, values.mean()) for name, values in known.numbers.items()}
    texts = {name: pl.Series(name, [str(labels.mode().sort()[0])] * count) for name, labels in known.labels.items()}
    images = {name: np.broadcast_to(pixels[0], (count, *pixels.shape[1:])) for name, pixels in known.images.items()}
    return Columns({**held, **numbers}, texts, np.arange(count), known.table, {}, images=images)


def _matrix(view: View, data: Columns) -> Floats:
    """Return the design matrix of constructed rows; nan where a term is not defined (log of 0)."""
    defined = np.ones(len(data), dtype=bool)
    for code in view.design.codes:
        if code.expression is not None:
            defined &= np.isfinite(values_of(code.expression, data.numbers))
    made = np.full((len(data), len(view.design.names)), np.nan)
    if defined.any():
        made[defined] = view.design.matrix(data.take(np.flatnonzero(defined)))
    return made


def _chance(view: View, lang: str, lines: _Groups | None = None) -> str:
    """Return the name of a probability axis: of which class, unless ``lines`` show several classes."""
    if lines is not None and len(lines.names) > 1:
        return say("studio.chance", lang)
    return say("studio.chance-of", lang, level=f"{view.target.columns[0]} = {view.target.levels[1]}")


def _marks(
    x: Floats, y: Floats, group: NDArray[np.intp], tested: NDArray[np.bool_], shown: NDArray[np.bool_]
) -> dict[str, Any]:
    """Return the points of a group that are drawn, those of fitted rows and those of unseen rows."""
    group = group[shown[group]]
    fitted, unseen = group[~tested[group]], group[tested[group]]
    return {"fitted": points(x[fitted], y[fitted]), "unseen": points(x[unseen], y[unseen])}


def _shown(rows: int) -> NDArray[np.bool_]:
    """Return which rows are drawn: all of them, or SHOWN at random."""
    if rows <= SHOWN:
        return np.ones(rows, dtype=bool)
    made = np.zeros(rows, dtype=bool)
    made[np.random.default_rng(0).choice(rows, SHOWN, replace=False)] = True
    return made


def _wider(values: Floats, room: float = 0.06) -> tuple[float, float]:
    """Return the range of values, extended by a share ``room`` at each end."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    more = (high - low) * room or max(abs(low), 1.0) * 0.5
    return low - more, high + more


def counted(view: View, weights: Floats) -> dict[str, Any]:
    """Return the confusion matrix on the unseen rows that are kept, or on all kept rows where none are unseen."""
    which = view.rows.tested if view.rows.tested.any() else np.ones(len(view.rows.X), dtype=bool)
    predicted = view.predicted(weights, view.rows.X[which]).argmax(axis=1)
    truth = view.rows.truth[which, 0].astype(np.int64)
    return {"counts": confusion(truth, predicted, len(view.target.levels)).tolist()}
