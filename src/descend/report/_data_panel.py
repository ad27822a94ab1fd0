"""The panel of the data and the fit: rows with curves, regions or means of what is predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.messages import say
from descend.report._band import SMOOTH, alone, by_magnitude, draw_band, grid_along
from descend.report._effects import FINE, averaged_along, by_strength, predicted_along, widened
from descend.report._points import scatter_rows
from descend.report.frames import COLOURS, GREY, name_axes, name_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from descend.base.typing import Floats
    from descend.report.plot_data import PlotRows

FEW = 10  # values of a column: its points are spread a little, so that they do not hide one another
SPLIT = 4  # values of a column for each of which there is a curve
DASHES = ("-", "--", ":", "-.")


def data_and_fit(axes: Axes, kept: PlotRows, lang: str) -> None:
    """Draw the rows and the predictions along the strongest column of numbers, averaged over the others."""
    target = kept.model.target
    numbers = by_strength(kept)
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
    one = alone(kept, column)
    wide = one and by_magnitude(x)
    for index, (label, level, output) in enumerate(groups):
        colour = COLOURS[index % len(COLOURS)]
        mine = np.ones(x.size, dtype=bool) if level is None else (kept.columns.labels[str(split)] == level).to_numpy()
        if not mine.any():
            continue
        scatter_rows(axes, x[mine], kept.truth[mine, output], kept.tested[mine], colour, kept.size)
        grid = grid_along(x[mine], SMOOTH if one else FINE, logarithmic=wide)  # only over the rows of the group
        if one:
            draw_band(axes, kept, column, grid, output, colour, lang)
        axes.plot(grid, averaged_along(kept, column, grid, mine)[:, output], color=colour, lw=2, label=label)
    if wide:
        axes.set_xscale("log")
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
    single = len(target.outputs) == 1  # of two classes one probability gives the other
    one = single and alone(kept, column)
    wide = one and by_magnitude(x)
    grid = grid_along(x, SMOOTH if one else FINE, logarithmic=wide)
    if one:
        draw_band(axes, kept, column, grid, 1, COLOURS[1], lang)
    shown = range(1, 2) if single else range(len(target.levels))
    for dash, (told, held) in zip(DASHES, _splits(kept, column), strict=False):
        probabilities = predicted_along(kept, {column: grid}, held)
        for index in shown:
            colour = GREY if told else COLOURS[index % len(COLOURS)]
            label = say("plot.probability", lang, column=target.columns[0], level=target.levels[index])
            axes.plot(grid, probabilities[:, index], color=colour, lw=2, ls=dash, label=told or label)
    codes, spread = kept.truth[:, 0].astype(int), np.random.default_rng(0).uniform(-1, 1, x.size)
    for index, level in enumerate(target.levels):
        mine = codes == index
        middle, room = (float(index), 0.045) if single else (-0.05 * (index + 1), 0.018)
        height = middle + room * spread[mine]
        named = f"{target.columns[0]} = {level}"
        scatter_rows(
            axes, _spread_out(x)[mine], height, kept.tested[mine], COLOURS[index % len(COLOURS)], kept.size, named
        )
    values = np.unique(x)
    if wide:
        axes.set_xscale("log")
    elif values.size <= FEW:
        axes.set_xticks(values)
    axes.set_yticks(np.linspace(0, 1, 6))
    chance = say("plot.probability", lang, column=target.columns[0], level=target.levels[1]) if single else ""
    name_axes(axes, say("plot.data", lang), column, chance, lang)


def _splits(kept: PlotRows, column: str) -> list[tuple[str, dict[str, Any]]]:
    """Return a label and the values of another column with few values, one for each curve; else one without."""
    if len(kept.model.target.outputs) > 1:  # there is a curve for each class already
        return [("", {})]
    for name in by_strength(kept):
        values = np.unique(kept.columns.numbers[name])
        if name != column and values.size <= 2:
            return [(f"{name} = {value:.15g}", {name: value}) for value in values]
    for name, levels in kept.model.design.levels.items():
        if len(levels) <= SPLIT:
            return [(f"{name} = {level}", {name: level}) for level in levels]
    return [("", {})]


def _regions(axes: Axes, kept: PlotRows, columns: Sequence[str], lang: str) -> None:
    """Colour the plane of the two strongest numbers by the likeliest class."""
    from matplotlib.colors import ListedColormap

    first, second = (kept.columns.numbers[column] for column in columns)
    a, b = np.meshgrid(widened(first), widened(second))
    chosen = predicted_along(kept, {columns[0]: a.ravel(), columns[1]: b.ravel()}).argmax(axis=1).reshape(a.shape)
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
        scatter_rows(axes, x[mine], y[mine], kept.tested[mine], colours[index], kept.size, label=level)
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
        scatter_rows(axes, index + spread, values[mine], kept.tested[mine], COLOURS[0], kept.size)
        made = kept.predicted[mine, -1 if target.family.classes else 0]
        if made.size:
            axes.hlines(made.mean(), index - 0.35, index + 0.35, color=COLOURS[1], lw=2)
    name_ticks(axes.xaxis, levels, 0 if len(levels) < 6 else 60)
    name_axes(axes, "", names[0], target.columns[0])


def _spread_out(x: Floats) -> Floats:
    """Return the values of a column, moved a little at random where they are few different ones."""
    values = np.unique(x)
    if not 1 < values.size <= FEW:
        return x
    return np.asarray(x + 0.18 * np.diff(values).min() * np.random.default_rng(1).uniform(-1, 1, x.size))
