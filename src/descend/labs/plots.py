"""The figures of the lessons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.base.atomic_files import ending
from descend.base.errors import OptionError
from descend.base.messages import say
from descend.labs import find_lab, sigmoid
from descend.labs import train_validation_test as overfitting
from descend.report.frames import COLOURS, GREY, name_axes
from descend.report.plots import PICTURES, styled, write_figure

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_lesson(id: str, path: str | os.PathLike[str], lang: str = "en") -> None:
    """Draw a lesson's figure into a file (.png, .svg, .pdf).

    Raises OptionError: ``option.lab`` for an unknown lesson, ``option.lab-plot`` for one without a figure,
        ``option.plot-kind`` for a file of another kind.
    """
    from matplotlib.figure import Figure

    title = find_lab(id).title[lang]
    if id not in PAINTERS:
        raise OptionError("option.lab-plot", value=id, known=", ".join(PAINTERS))
    ending(path, PICTURES, "option.plot-kind")
    with styled():
        figure = Figure(figsize=(12, 4.8), layout="constrained")
        figure.suptitle(title, fontsize=14)
        PAINTERS[id](figure, lang)
        write_figure(figure, path)


def _sigmoid(figure: Figure, lang: str) -> None:
    """Draw the curves for several W, one of them negative, and for several b, each with its midpoint."""
    left, right = figure.subplots(1, 2, sharey=True)
    _curves(left, [*((W, 0.0) for W in sigmoid.STEEP), (-1.0, 0.0)], "W")
    _curves(right, [(1.0, b) for b in sigmoid.SHIFTS], "b")
    name_axes(left, say("lesson.sigmoid-plot-w", lang), "x", "H(x) = sigmoid(W x + b)", lang)
    name_axes(right, say("lesson.sigmoid-plot-b", lang), "x", "", lang)


def _curves(axes: Axes, parameters: Sequence[tuple[float, float]], named: str) -> None:
    x = np.linspace(-6, 6, 241)
    axes.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    for colour, (W, b) in zip(COLOURS, parameters, strict=False):
        curve = [sigmoid.sigmoid_curve(place, W, b) for place in x]
        axes.plot(x, curve, color=colour, linewidth=2, label=f"{named} = {W if named == 'W' else b:g}")
        axes.plot(-b / W, 0.5, "o", color=colour, markersize=7)


def _overfitting(figure: Figure, lang: str) -> None:
    """Draw the rows, the overfitted hypothesis and one with fewer columns, and the losses by epoch."""
    left, right = figure.subplots(1, 2)
    _fits(left, lang)
    history = overfitting.long_run()
    right.plot(history.epoch, history.loss, color=COLOURS[0], label=say("plot.fitted-rows", lang))
    right.plot(history.epoch, history.validation_loss, color=COLOURS[1], label=say("plot.validation", lang))
    best = int(history.validation_loss.argmin())
    right.axvline(best, color=GREY, linestyle=":", linewidth=1)
    right.set(xscale="symlog", yscale="log")
    right.set_xlim(0, history.epochs)
    name_axes(right, say("plot.loss-by-epoch", lang), say("plot.epoch", lang), say("plot.loss", lang), lang)


def _fits(axes: Axes, lang: str) -> None:
    data = overfitting.noisy_table()
    x, y = data["x"].to_numpy(), data["y"].to_numpy()
    fitted, held = overfitting.split().folds[0]
    axes.plot(x[fitted], y[fitted], "o", color=COLOURS[0], label=say("plot.fitted-rows", lang))
    axes.plot(x[held], y[held], "o", color=COLOURS[1], markerfacecolor="none", label=say("plot.validation", lang))
    fine = np.linspace(-3, 3, 601)
    for colour, way in zip((COLOURS[3], COLOURS[2]), (overfitting.OVERFITTED, overfitting.FEWER), strict=True):
        axes.plot(
            fine,
            overfitting.prediction_curve(way, fine),
            color=colour,
            label=say(f"lesson.overfitting-{way.name}", lang),
        )
    axes.plot(fine, np.sin(fine), color=GREY, linestyle=":", label="sin x")
    axes.set_ylim(-2.5, 2.5)
    name_axes(axes, say("plot.data", lang), "x", "y", lang)


PAINTERS: dict[str, Callable[[Figure, str], None]] = {"sigmoid": _sigmoid, "train-validation-test": _overfitting}
