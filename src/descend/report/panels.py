"""The panels of the picture of a fit, each drawn on axes of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from descend.columns import Columns
from descend.messages import say
from descend.metrics import confusion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from descend.history import History
    from descend.report.kept import Kept

    Floats = NDArray[np.floating[Any]]

# Okabe and Ito's colours (2008), told apart by readers with any colour vision
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F00", "#000000")
GREY = "#777777"
FINE = 200
CONTOURS = 61
AVERAGED = 100
SOUGHT = 500


def data_and_fit(axes: Axes, kept: Kept, lang: str) -> None:
    """Draw the rows and what the hypothesis says along its strongest number, averaged over the others."""
    target = kept.model.target
    numbers = _by_strength(kept)
    if not numbers:
        _levels_only(axes, kept)
    elif target.family != "linear" and len(numbers) > 1:
        _regions(axes, kept, numbers[:2], lang)
    elif target.family != "linear":
        _probabilities(axes, kept, numbers[0], lang)
    else:
        _curve(axes, kept, numbers[0], lang)


def _curve(axes: Axes, kept: Kept, column: str, lang: str) -> None:
    """Draw a linear hypothesis: a line for each level where there is one category, else one line."""
    model, target = kept.model, kept.model.target
    x = kept.columns.numbers[column]
    grid = np.linspace(x.min(), x.max(), FINE)
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
        axes.plot(grid, _averaged(kept, column, grid, mine)[:, output], color=colour, lw=2, label=label)
    if len(groups) > 1:
        axes.legend(loc=_corner(kept), frameon=False, fontsize=9)
    others = len(kept.columns.numbers) - len(target.columns) > 1 or len(categories) > (split is not None)
    told = target.columns[0] if len(target.columns) == 1 else ", ".join(target.columns)
    name_axes(
        axes,
        say("plot.effect", lang, target=told, column=column) if others else say("plot.data", lang),
        column,
        told,
    )


def _probabilities(axes: Axes, kept: Kept, column: str, lang: str) -> None:
    """Draw each class's probability along the one number, the rows at the top and the bottom."""
    target = kept.model.target
    x = kept.columns.numbers[column]
    grid = np.linspace(x.min(), x.max(), FINE)
    probabilities = _along(kept, {column: grid})
    shown = range(1, 2) if target.family == "logistic" else range(len(target.levels))
    for index in shown:
        colour = COLOURS[index % len(COLOURS)]
        label = say("plot.probability", lang, column=target.columns[0], level=target.levels[index])
        axes.plot(grid, probabilities[:, index], color=colour, lw=2, label=label)
    codes = kept.truth[:, 0].astype(int)
    for index in range(len(target.levels)):
        mine = codes == index
        height = (
            (codes[mine] == 1).astype(float)
            if target.family == "logistic"
            else np.full(mine.sum(), -0.04 * (index + 1))
        )
        _scatter(axes, x[mine], height, kept.tested[mine], COLOURS[index % len(COLOURS)], kept.size)
    axes.legend(loc=_corner(kept), frameon=False, fontsize=9)
    name_axes(axes, say("plot.data", lang), column, "")


def _regions(axes: Axes, kept: Kept, columns: Sequence[str], lang: str) -> None:
    """Colour the plane of the two strongest numbers by the likeliest class."""
    from matplotlib.colors import ListedColormap

    first, second = (kept.columns.numbers[column] for column in columns)
    a, b = np.meshgrid(_wider(first), _wider(second))
    chosen = _along(kept, {columns[0]: a.ravel(), columns[1]: b.ravel()}).argmax(axis=1).reshape(a.shape)
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
        _scatter(axes, first[mine], second[mine], kept.tested[mine], colours[index], kept.size, label=level)
    if len(levels) <= 10:
        axes.legend(loc=_corner(kept), frameon=False, fontsize=9)
    name_axes(axes, say("plot.regions", lang), *columns)


def _levels_only(axes: Axes, kept: Kept) -> None:
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
        made = kept.predicted[mine, 0 if target.family == "linear" else -1]
        if made.size:
            axes.hlines(made.mean(), index - 0.35, index + 0.35, color=COLOURS[1], lw=2)
    axes.set_xticks(range(len(levels)), levels, rotation=0 if len(levels) < 6 else 60)
    name_axes(axes, "", names[0], target.columns[0])


def loss_by_epoch(axes: Axes, history: History, lang: str) -> None:
    """Draw the loss by epoch, on a logarithmic axis where it spans more than a decade."""
    finite = np.isfinite(history.loss)
    epoch, loss = history.epoch[finite], history.loss[finite]
    few = epoch.size < 30
    axes.plot(epoch, loss, color=COLOURS[0], lw=2, marker="o" if few else None, label=say("plot.fitted-rows", lang))
    shown = loss
    if history.validation_loss.size:
        held = history.validation_loss[finite]
        axes.plot(epoch, held, color=COLOURS[1], lw=2, label=say("plot.validation", lang))
        axes.legend(loc="upper right", frameon=False, fontsize=9)
        shown = np.concatenate([loss, held])
    positive = shown[shown > 0]
    if positive.size and positive.max() > 10 * positive.min():
        axes.set_yscale("log")
        axes.set_ylim(bottom=max(positive.min(), positive.max() * 1e-16) / 2)
    key = "iteration" if history.optimizer == "auto" and np.isnan(history.lr) else "epoch"
    if few:
        axes.locator_params(axis="x", integer=True)
    name_axes(axes, say(f"plot.loss-by-{key}", lang), say(f"plot.{key}", lang), say("plot.loss", lang))


def path_on_contours(axes: Axes, kept: Kept, lang: str) -> None:
    """Draw the loss over the two parameters that moved most, the others at their end, and the path between.

    Of a network, whose parameters say nothing one by one, over the two directions along which it moved most.
    """
    history = kept.model.history
    path = history.snapshots[np.isfinite(history.snapshots).all(axis=1)]
    end = kept.model.weights.ravel()
    path = np.concatenate([path, end[None, :]]) if history.stop == "optimum" else path
    if not kept.rows or end.size < 2 or not len(path):
        names = [] if kept.model.network is not None else _parameter_names(kept, lang)
        if kept.rows and end.size == 1:
            _single(axes, kept, path[:, 0], lang)
        name_axes(axes, say("plot.path", lang), names[0] if names else "", say("plot.loss", lang))
        return
    origin, directions, names = _plane(kept, path, end, lang)
    walked, last = (path - origin) @ directions.T, (end - origin) @ directions.T
    fine = CONTOURS if kept.model.network is None else CONTOURS // 3
    a, b = (_wider(np.append(walked[:, k], last[k]), fine) for k in (0, 1))
    values = np.array([[kept.objective.value(origin + x * directions[0] + y * directions[1]) for x in a] for y in b])
    values = np.where(np.isfinite(values), values, np.nanmax(np.where(np.isfinite(values), values, np.nan)))
    excess = np.log10(np.maximum(values - values.min(), values.max() * 1e-6 + 1e-300))
    axes.contourf(a, b, excess, levels=18, cmap="Blues_r", alpha=0.8)
    axes.plot(walked[:, 0], walked[:, 1], color=COLOURS[1], lw=1.8, marker=".", ms=5)
    axes.plot(*walked[0], "o", color="black", ms=7, label=say("plot.start", lang))
    axes.plot(*last, "*", color="black", ms=13, label=say("plot.end", lang))
    axes.legend(frameon=True, framealpha=0.7, fontsize=9)
    name_axes(axes, say("plot.path", lang), *names)


def _plane(kept: Kept, path: Floats, end: Floats, lang: str) -> tuple[Floats, Floats, list[str]]:
    """Return a point, two directions (2 x parameters) and their names: the plane in which the path is drawn.

    Of a network these are the principal directions of the path, seen from its end (Li et al. 2018, section 7).
    """
    if kept.model.network is not None:
        _, _, turned = np.linalg.svd(np.concatenate([path - end, np.zeros((2, end.size))]), full_matrices=False)
        return end, turned[:2], [say("plot.direction", lang, number=number) for number in (1, 2)]
    chosen = np.argsort(-np.ptp(path, axis=0), kind="stable")[:2]
    origin, directions, names = end.copy(), np.zeros((2, end.size)), _parameter_names(kept, lang)
    origin[chosen] = 0.0
    directions[[0, 1], chosen] = 1.0
    return origin, directions, [names[index] for index in chosen]


def _single(axes: Axes, kept: Kept, path: NDArray[np.floating[Any]], lang: str) -> None:
    """Draw the loss over the one parameter there is."""
    end = float(kept.model.weights.ravel()[0])
    grid = _wider(np.append(path, end), FINE)
    axes.plot(grid, [kept.objective.value(np.array([w])) for w in grid], color=COLOURS[0])
    axes.plot(path, [kept.objective.value(np.array([w])) for w in path], ".-", color=COLOURS[1])
    axes.plot(end, kept.objective.value(np.array([end])), "*", color="black", ms=13, label=say("plot.end", lang))
    axes.legend(frameon=False, fontsize=9)


def predicted_and_actual(axes: Axes, kept: Kept, lang: str) -> None:
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
    name_axes(axes, say("plot.predicted-actual", lang), say("plot.predicted", lang), say("plot.actual", lang))


def residuals(axes: Axes, kept: Kept, lang: str) -> None:
    """Draw what is left over against the prediction."""
    for index in range(len(kept.model.target.columns)):
        left = kept.truth[:, index] - kept.predicted[:, index]
        scale = np.abs(kept.truth[:, index]).max(initial=0.0)
        left = np.where(np.abs(left) < 1e-12 * scale, 0.0, left)
        _scatter(axes, kept.predicted[:, index], left, kept.tested, COLOURS[index % len(COLOURS)], kept.size)
    axes.axhline(0, color=GREY, lw=1, ls="--", zorder=0)
    name_axes(axes, say("plot.residuals", lang), say("plot.predicted", lang), say("plot.residual", lang))


def confusion_counts(axes: Axes, kept: Kept, lang: str) -> None:
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
        axes.set_xticks(range(len(target.levels)), target.levels, rotation=0 if short else 60)
        axes.set_yticks(range(len(target.levels)), target.levels)
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if count > counts.max() / 2 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    name_axes(axes, say("plot.confusion", lang, which=which), say("plot.predicted", lang), say("plot.actual", lang))


def _scatter(
    axes: Axes, x: Floats, y: Floats, tested: NDArray[np.bool_], colour: str, size: float, label: str = ""
) -> None:
    """Draw fitted rows as filled points, unseen ones as rings."""
    axes.scatter(x[~tested], y[~tested], s=size, color=colour, alpha=0.6, linewidths=0, label=label or None)
    axes.scatter(x[tested], y[tested], s=size, facecolors="none", edgecolors=colour, alpha=0.9)


def _corner(kept: Kept) -> Literal["best", "upper left"]:
    """Return where a legend goes: where no rows lie, or where that takes too long to find, in a corner."""
    return "best" if kept.rows <= SOUGHT else "upper left"


def _which(axes: Axes, kept: Kept, lang: str) -> None:
    """Say which points are fitted and which unseen, where there are both."""
    if kept.tested.any():
        axes.scatter([], [], s=30, color=GREY, label=say("plot.fitted-rows", lang))
        axes.scatter([], [], s=30, facecolors="none", edgecolors=GREY, label=say("plot.unseen-rows", lang))
    if kept.tested.any() or len(kept.model.target.columns) > 1:
        axes.legend(loc=_corner(kept), frameon=False, fontsize=9)


def _by_strength(kept: Kept) -> list[str]:
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
            ends.append(kept.model.target.predict(kept.model.predictor(design.matrix(data))))
        return float(np.abs(ends[1] - ends[0]).mean())

    return sorted(inputs, key=moved, reverse=True)


def _averaged(kept: Kept, column: str, grid: Floats, mine: NDArray[np.bool_]) -> Floats:
    """Return predictions along a number, averaged over the rows that are ``mine`` with all else as it is in them.

    (Partial dependence, Friedman 2001, section 8.2, over up to AVERAGED rows.)
    """
    rows = np.flatnonzero(mine)
    rows = rows[np.linspace(0, rows.size - 1, min(rows.size, AVERAGED)).astype(np.int64)]
    every = np.repeat(rows, grid.size)
    data = kept.columns.take(every)
    numbers = {**data.numbers, column: np.tile(grid, rows.size)}
    X = kept.model.design.matrix(Columns(numbers, data.labels, data.rows, data.table, data.means))
    predicted = kept.model.target.predict(kept.model.predictor(X))
    return np.asarray(predicted.reshape(rows.size, grid.size, -1).mean(axis=0))


def _along(kept: Kept, numbers: dict[str, Floats]) -> Floats:
    """Return predictions along some numbers, other numbers at their means and categories at their commonest level."""
    import polars as pl

    count = next(iter(numbers.values())).size
    held = {name: np.full(count, values.mean()) for name, values in kept.columns.numbers.items()}
    texts = {
        name: pl.Series(name, [str(values.mode().sort()[0])] * count) for name, values in kept.columns.labels.items()
    }
    data = Columns({**held, **numbers}, texts, np.arange(count), kept.columns.table, {})
    return kept.model.target.predict(kept.model.predictor(kept.model.design.matrix(data)))


def _parameter_names(kept: Kept, lang: str) -> list[str]:
    outputs = kept.model.target.outputs
    names = kept.model.design.names
    if kept.model.settings.get("standardize", True):
        names = [say("plot.standardized", lang, name=name) for name in names]
    if len(outputs) == 1:
        return names
    return [f"{output}: {name}" for name in names for output in outputs]


def _wider(values: NDArray[np.floating[Any]], count: int = FINE) -> Floats:
    """Return evenly spaced numbers over the values' range and a fifth more at each end."""
    low, high = float(values.min()), float(values.max())
    room = (high - low) * 0.2 or max(abs(low), 1.0) * 0.5
    return np.linspace(low - room, high + room, count)


def name_axes(axes: Axes, title: str, x: str, y: str) -> None:
    """Write a panel's title and the names of its axes, as they are."""
    axes.set_title(title, fontsize=11, loc="left", parse_math=False)
    axes.set_xlabel(x, parse_math=False)
    axes.set_ylabel(y, parse_math=False)
