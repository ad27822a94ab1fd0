"""The panels of the picture of a fit, each drawn on axes of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.messages import say
from descend.objectives.metrics import confusion
from descend.report.frames import COLOURS, GREY, name_axes, name_ticks
from descend.tables.columns import Columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from descend.report.plot_data import PlotRows
    from descend.solvers.history import History

    Floats = NDArray[np.floating[Any]]

FINE = 200
AVERAGED = 100
FEW = 10  # values of a column: its points are spread a little, so that they do not hide one another
SPLIT = 4  # values of a column for each of which there is a curve
DASHES = ("-", "--", ":", "-.")


def data_and_fit(axes: Axes, kept: PlotRows, lang: str) -> None:
    """Draw the rows and what the hypothesis says along its strongest number, averaged over the others."""
    target = kept.model.target
    numbers = _by_strength(kept)
    if not numbers:
        _levels_only(axes, kept)
        return
    many = [name for name in numbers if np.unique(kept.columns.numbers[name]).size > 2]
    if not target.family.classes:
        _curve(axes, kept, numbers[0], lang)
    elif len(many) > 1:
        _regions(axes, kept, many[:2], lang)
    else:
        _probabilities(axes, kept, (many or numbers)[0], lang)


def _curve(axes: Axes, kept: PlotRows, column: str, lang: str) -> None:
    """Draw the means that are predicted: a line for each level where there is one category, else one line."""
    model, target = kept.model, kept.model.target
    x = kept.columns.numbers[column]
    categories = list(kept.columns.labels)
    split = next((name for name in categories if len(model.design.levels[name]) <= 6), None)
    if len(target.columns) > 1:
        groups: Sequence[tuple[str, Any, int]] = [(name, None, index) for index, name in enumerate(target.columns)]
    elif split is not None:
        groups = [(level, level, 0) for level in model.design.levels[split]]
    else:
        groups = [("", None, 0)]
    for index, (label, level, output) in enumerate(groups):
        colour = COLOURS[index % len(COLOURS)]
        mine = np.ones(x.size, dtype=bool) if level is None else (kept.columns.labels[str(split)] == level).to_numpy()
        if not mine.any():
            continue
        _scatter(axes, x[mine], kept.truth[mine, output], kept.tested[mine], colour, kept.size)
        grid = np.linspace(x[mine].min(), x[mine].max(), FINE)  # a line says nothing where its group has no rows
        axes.plot(grid, _averaged(kept, column, grid, mine)[:, output], color=colour, lw=2, label=label)
    others = len(kept.columns.numbers) - len(target.columns) > 1 or len(categories) > (split is not None)
    told = target.columns[0] if len(target.columns) == 1 else ", ".join(target.columns)
    name_axes(
        axes,
        say("plot.effect", lang, target=told, column=column) if others else say("plot.data", lang),
        column,
        told,
        lang,
    )


def _probabilities(axes: Axes, kept: PlotRows, column: str, lang: str) -> None:
    """Draw each class's probability along one number, the rows beside it; a curve for each value of another column."""
    target = kept.model.target
    x = kept.columns.numbers[column]
    grid = np.linspace(x.min(), x.max(), FINE)
    alone = len(target.outputs) == 1  # of two classes the second's probability says it all
    shown = range(1, 2) if alone else range(len(target.levels))
    for dash, (told, held) in zip(DASHES, _splits(kept, column), strict=False):
        probabilities = _along(kept, {column: grid}, held)
        for index in shown:
            colour = GREY if told else COLOURS[index % len(COLOURS)]
            label = say("plot.probability", lang, column=target.columns[0], level=target.levels[index])
            axes.plot(grid, probabilities[:, index], color=colour, lw=2, ls=dash, label=told or label)
    codes, spread = kept.truth[:, 0].astype(int), np.random.default_rng(0).uniform(-1, 1, x.size)
    for index, level in enumerate(target.levels):
        mine = codes == index
        middle, room = (float(index), 0.045) if alone else (-0.05 * (index + 1), 0.018)
        height = middle + room * spread[mine]
        named = f"{target.columns[0]} = {level}"
        _scatter(axes, _spread_out(x)[mine], height, kept.tested[mine], COLOURS[index % len(COLOURS)], kept.size, named)
    values = np.unique(x)
    if values.size <= FEW:
        axes.set_xticks(values)
    axes.set_yticks(np.linspace(0, 1, 6))
    chance = say("plot.probability", lang, column=target.columns[0], level=target.levels[1]) if alone else ""
    name_axes(axes, say("plot.data", lang), column, chance, lang)


def _splits(kept: PlotRows, column: str) -> list[tuple[str, dict[str, Any]]]:
    """Return what another column of few values is held at, a curve each, and how that is told; else nothing is held."""
    if len(kept.model.target.outputs) > 1:  # there is a curve for each class already
        return [("", {})]
    for name in _by_strength(kept):
        values = np.unique(kept.columns.numbers[name])
        if name != column and values.size <= 2:
            return [(f"{name} = {value:.15g}", {name: value}) for value in values]
    for name, levels in kept.model.design.levels.items():
        if len(levels) <= SPLIT:
            return [(f"{name} = {level}", {name: level}) for level in levels]
    return [("", {})]


def _spread_out(x: Floats) -> Floats:
    """Return the values of a column, those of a column of few values a little beside where they are."""
    values = np.unique(x)
    if not 1 < values.size <= FEW:
        return x
    return np.asarray(x + 0.18 * np.diff(values).min() * np.random.default_rng(1).uniform(-1, 1, x.size))


def _regions(axes: Axes, kept: PlotRows, columns: Sequence[str], lang: str) -> None:
    """Colour the plane of the two strongest numbers by the likeliest class."""
    from matplotlib.colors import ListedColormap

    first, second = (kept.columns.numbers[column] for column in columns)
    a, b = np.meshgrid(_wider(first), _wider(second))
    chosen = _along(kept, {columns[0]: a.ravel(), columns[1]: b.ravel()}).argmax(axis=1).reshape(a.shape)
    x, y = _spread_out(first), _spread_out(second)
    levels = kept.model.target.levels
    colours = [COLOURS[index % len(COLOURS)] for index in range(len(levels))]
    axes.pcolormesh(
        a,
        b,
        chosen,
        cmap=ListedColormap(colours),
        alpha=0.18,
        vmin=-0.5,
        vmax=len(levels) - 0.5,
        rasterized=True,
    )
    for index, level in enumerate(levels):
        mine = kept.truth[:, 0] == index
        _scatter(axes, x[mine], y[mine], kept.tested[mine], colours[index], kept.size, label=level)
    name_axes(axes, say("plot.regions", lang), columns[0], columns[1], lang)


def _levels_only(axes: Axes, kept: PlotRows) -> None:
    """Draw the target over the first category, predictions as bars' ends; over nothing, a histogram."""
    target, labels = kept.model.target, kept.columns.labels
    names = [name for name in labels if name in kept.model.design.levels]
    values = kept.truth[:, 0]
    if not names:
        axes.hist(values, color=COLOURS[0], alpha=0.7)
        name_axes(axes, "", target.columns[0], "")
        return
    levels = kept.model.design.levels[names[0]][:20]
    for index, level in enumerate(levels):
        mine = (labels[names[0]] == level).to_numpy()
        spread = np.linspace(-0.25, 0.25, max(int(mine.sum()), 1))[: int(mine.sum())]
        _scatter(axes, index + spread, values[mine], kept.tested[mine], COLOURS[0], kept.size)
        made = kept.predicted[mine, -1 if target.family.classes else 0]
        if made.size:
            axes.hlines(made.mean(), index - 0.35, index + 0.35, color=COLOURS[1], lw=2)
    name_ticks(axes.xaxis, levels, 0 if len(levels) < 6 else 60)
    name_axes(axes, "", names[0], target.columns[0])


def loss_by_epoch(axes: Axes, history: History, lang: str) -> None:
    """Draw the loss by epoch, on a logarithmic axis where it spans more than a decade."""
    finite = np.isfinite(history.loss)
    epoch, loss = history.epoch[finite], history.loss[finite]
    few = epoch.size < 30
    stops = bool(history.validation_loss.size)
    label = say("plot.fitted-rows", lang) if stops else ""
    axes.plot(epoch, loss, color=COLOURS[0], lw=2, marker="o" if few else None, label=label)
    shown = loss
    if stops:
        held = history.validation_loss[finite]
        axes.plot(epoch, held, color=COLOURS[1], lw=2, label=say("plot.validation", lang))
        shown = np.concatenate([loss, held])
    positive = shown[shown > 0]
    if positive.size and positive.max() > 10 * positive.min():
        axes.set_yscale("log")
        axes.set_ylim(bottom=max(positive.min(), positive[0] * 1e-16) / 2)  # what is less is rounding
    key = "iteration" if history.optimizer == "auto" and np.isnan(history.lr) else "epoch"
    if few:
        axes.locator_params(axis="x", integer=True)
    name_axes(axes, say(f"plot.loss-by-{key}", lang), say(f"plot.{key}", lang), say("plot.loss", lang), lang)


def predicted_and_actual(axes: Axes, kept: PlotRows, lang: str) -> None:
    """Draw predictions against what is true; on the line they are equal."""
    targets = kept.model.target.columns
    for index, name in enumerate(targets):
        colour = COLOURS[index % len(COLOURS)]
        actual, predicted = kept.truth[:, index], kept.predicted[:, index]
        label = name if len(targets) > 1 else ""
        _scatter(axes, predicted, actual, kept.tested, colour, kept.size, label=label)
    both = np.concatenate([kept.truth.ravel(), kept.predicted.ravel()])
    ends = [both.min(), both.max()]
    axes.plot(ends, ends, color=GREY, lw=1, ls="--", zorder=0)
    _which(axes, kept, lang)
    name_axes(axes, say("plot.predicted-actual", lang), say("plot.predicted", lang), say("plot.actual", lang), lang)


def residuals(axes: Axes, kept: PlotRows, lang: str) -> None:
    """Draw what is left over against the prediction."""
    for index in range(len(kept.model.target.columns)):
        left = kept.truth[:, index] - kept.predicted[:, index]
        scale = np.abs(kept.truth[:, index]).max(initial=0.0)
        left = np.where(np.abs(left) < 1e-12 * scale, 0.0, left)
        _scatter(axes, kept.predicted[:, index], left, kept.tested, COLOURS[index % len(COLOURS)], kept.size)
    axes.axhline(0, color=GREY, lw=1, ls="--", zorder=0)
    name_axes(axes, say("plot.residuals", lang), say("plot.predicted", lang), say("plot.residual", lang))


def confusion_counts(axes: Axes, kept: PlotRows, lang: str) -> None:
    """Draw how often each class was taken for each, on the unseen rows where there were any."""
    target = kept.model.target
    verification = kept.model.verification
    if verification is not None:
        counts, which = np.array(verification.confusion), say("plot.unseen-rows", lang)
    else:
        codes = kept.truth[:, 0].astype(np.int64)
        counts = confusion(codes, kept.predicted.argmax(axis=1), len(target.levels))
        which = say("plot.fitted-rows", lang)
    axes.imshow(counts, cmap="Blues", aspect="auto")
    if len(target.levels) <= 20:
        short = len(target.levels) < 5 or max(map(len, target.levels)) <= 2
        name_ticks(axes.xaxis, target.levels, 0 if short else 60)
        name_ticks(axes.yaxis, target.levels)
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if count > counts.max() / 2 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    name_axes(
        axes, say("plot.confusion", lang, which=which), say("plot.predicted", lang), say("plot.actual", lang), lang
    )


def _scatter(
    axes: Axes, x: Floats, y: Floats, tested: NDArray[np.bool_], colour: str, size: float, label: str = ""
) -> None:
    """Draw fitted rows as filled points, unseen ones as rings."""
    axes.scatter(x[~tested], y[~tested], s=size, color=colour, alpha=0.6, linewidths=0, label=label or None)
    axes.scatter(x[tested], y[tested], s=size, facecolors="none", edgecolors=colour, alpha=0.9)


def _which(axes: Axes, kept: PlotRows, lang: str) -> None:
    """Say which points are fitted and which unseen, where there are both."""
    if kept.tested.any():
        axes.scatter([], [], s=30, color=GREY, label=say("plot.fitted-rows", lang))
        axes.scatter([], [], s=30, facecolors="none", edgecolors=GREY, label=say("plot.unseen-rows", lang))


def _by_strength(kept: PlotRows) -> list[str]:
    """Return the number columns, the one whose change moves the prediction most first."""
    design, inputs = (
        kept.model.design,
        [name for name, use in kept.model.design.uses.items() if use == "number"],
    )
    rows = kept.columns

    def moved(name: str) -> float:
        """Return how far predictions move, on average, as the column goes from its lowest tenth to its highest."""
        ends = []
        for value in np.quantile(rows.numbers[name], [0.1, 0.9]):
            numbers = {**rows.numbers, name: np.full(len(rows), value)}
            data = Columns(numbers, rows.labels, rows.rows, rows.table, rows.means)
            ends.append(kept.model.target.predict(kept.model.hypothesis.predictor(design.matrix(data))))
        return float(np.abs(ends[1] - ends[0]).mean())

    return sorted(inputs, key=moved, reverse=True)


def _averaged(kept: PlotRows, column: str, grid: Floats, mine: NDArray[np.bool_]) -> Floats:
    """Return predictions along a number, averaged over the rows that are ``mine`` with all else as it is in them.

    (Partial dependence, Friedman 2001, section 8.2, over up to AVERAGED rows.)
    """
    rows = np.flatnonzero(mine)
    rows = rows[np.linspace(0, rows.size - 1, min(rows.size, AVERAGED)).astype(np.int64)]
    every = np.repeat(rows, grid.size)
    data = kept.columns.take(every)
    numbers = {**data.numbers, column: np.tile(grid, rows.size)}
    X = kept.model.design.matrix(Columns(numbers, data.labels, data.rows, data.table, data.means))
    predicted = kept.model.target.predict(kept.model.hypothesis.predictor(X))
    return np.asarray(predicted.reshape(rows.size, grid.size, -1).mean(axis=0))


def _along(kept: PlotRows, numbers: dict[str, Floats], fixed: Mapping[str, Any] | None = None) -> Floats:
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
    return kept.model.target.predict(kept.model.hypothesis.predictor(kept.model.design.matrix(data)))


def _wider(values: NDArray[np.floating[Any]], count: int = FINE) -> Floats:
    """Return evenly spaced numbers over the values' range and a fifth more at each end."""
    low, high = float(values.min()), float(values.max())
    room = (high - low) * 0.2 or max(abs(low), 1.0) * 0.5
    return np.linspace(low - room, high + room, count)
