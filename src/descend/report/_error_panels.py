"""The panels of the errors: predictions against the truth, residuals, and classes taken for one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.base.messages import say
from descend.objectives.metrics import confusion
from descend.report._points import explain_points, scatter_rows
from descend.report.frames import COLOURS, GREY, name_axes, name_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from descend.report.plot_data import PlotRows


def predicted_and_actual(axes: Axes, kept: PlotRows, lang: str) -> None:
    """Draw the true values against the predictions; on the line they are equal."""
    targets = kept.model.target.columns
    for index, name in enumerate(targets):
        colour = COLOURS[index % len(COLOURS)]
        actual, predicted = kept.truth[:, index], kept.predicted[:, index]
        label = name if len(targets) > 1 else ""
        scatter_rows(axes, predicted, actual, kept.tested, colour, kept.size, label=label)
    both = np.concatenate([kept.truth.ravel(), kept.predicted.ravel()])
    ends = [both.min(), both.max()]
    axes.plot(ends, ends, color=GREY, lw=1, ls="--", zorder=0)
    explain_points(axes, kept, lang)
    name_axes(axes, say("plot.predicted-actual", lang), say("plot.predicted", lang), say("plot.actual", lang), lang)


def residuals(axes: Axes, kept: PlotRows, lang: str) -> None:
    """Draw the residuals against the predictions."""
    for index in range(len(kept.model.target.columns)):
        left = kept.truth[:, index] - kept.predicted[:, index]
        scale = np.abs(kept.truth[:, index]).max(initial=0.0)
        left = np.where(np.abs(left) < 1e-12 * scale, 0.0, left)
        scatter_rows(axes, kept.predicted[:, index], left, kept.tested, COLOURS[index % len(COLOURS)], kept.size)
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
