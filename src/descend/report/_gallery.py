"""Panels of images: those that were misread, and the weights of their pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.analysis.diagnosis.subsample import placed
from descend.base.messages import say
from descend.base.visible import in_a_line
from descend.design.encodings.image import ImageCode
from descend.report.frames import COLOURS, GREY, name_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from descend.design.matrix import Design
    from descend.report.plot_data import PlotRows

MISREAD = 36
LEAST_ACROSS, MOST_ACROSS, MOST_ACROSS_NAMED = 6, 12, 9
LETTERS = 8
WEIGHTS = 20
GAP = 0.12  # of an image's width
CAPTION = 0.32  # the same, for what is written under it


def misread(axes: Axes, kept: PlotRows, lang: str) -> None:
    """Draw images taken for another class, the most certain errors first: of unseen rows, where the model kept any."""
    code, _ = _image(kept)
    truth, probabilities, levels = kept.truth[:, 0].astype(int), kept.predicted, kept.model.target.levels
    looked = kept.tested if kept.tested.any() else np.ones(kept.rows, dtype=bool)
    which = say("plot.unseen-rows" if kept.tested.any() else "plot.fitted-rows", lang)
    said = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(looked & (said != truth))
    facts = {"count": wrong.size, "rows": int(looked.sum()), "which": which}
    name_axes(axes, say("plot.misread", lang, **facts), "", "")
    shown = wrong[np.argsort(-probabilities[wrong, said[wrong]], kind="stable")][:MISREAD]
    images = kept.columns.images[code.column]
    most, size = (MOST_ACROSS, 10) if max(map(len, levels)) <= 2 else (MOST_ACROSS_NAMED, 7)
    across = int(np.clip(shown.size, LEAST_ACROSS, most))
    places = _places(axes, shown.size, across, code.shape, CAPTION)
    told = [in_a_line(level) if len(level) <= LETTERS else in_a_line(level[: LETTERS - 1]) + "…" for level in levels]
    for row, (left, top, right, bottom) in zip(shown, places, strict=True):
        axes.imshow(images[row], cmap="gray", vmin=0, vmax=255, extent=(left, right, bottom, top))
        middle, under = (left + right) / 2, bottom + 0.16
        for text, place, side, colour in (
            (told[truth[row]], middle - 0.16, "right", COLOURS[0]),
            ("→", middle, "center", GREY),
            (told[said[row]], middle + 0.16, "left", COLOURS[1]),
        ):
            axes.text(place, under, text, ha=side, va="center", color=colour, fontsize=size, parse_math=False)


def weight_images(axes: Axes, kept: PlotRows, lang: str) -> None:
    """Draw what each pixel adds to each output: blue for, red against, white for nothing."""
    code, place = _image(kept)
    outputs = kept.model.target.outputs[:WEIGHTS]
    weights = kept.model.raw[place, : len(outputs)].T.reshape(len(outputs), *code.shape)
    weights = weights.sum(axis=3) if len(code.shape) == 3 else weights
    most = float(np.quantile(np.abs(weights), 0.995)) or 1.0  # a few at the edge would drown the rest
    name_axes(axes, say("plot.weights", lang), "", "")
    across = max(int(np.ceil(len(outputs) / 2)), 1) if len(outputs) > 3 else len(outputs)
    for output, image, (left, top, right, bottom) in zip(
        outputs, weights, _places(axes, len(outputs), across, code.shape, 0.0), strict=True
    ):
        drawn = axes.imshow(image, cmap="RdBu", vmin=-most, vmax=most, extent=(left, right, bottom, top))
        axes.text(left + 0.04, top + 0.04, in_a_line(output), ha="left", va="top", fontsize=12, parse_math=False)
        edges = [left, right, right, left, left], [top, top, bottom, bottom, top]
        axes.plot(*edges, color=GREY, lw=0.6, clip_on=False)
    bar = axes.figure.colorbar(drawn, cax=axes.inset_axes((1.0 + 0.1 / across, 0.1, 0.08 / across, 0.8)), extend="both")
    bar.outline.set_visible(False)


def image_of(design: Design) -> tuple[ImageCode, slice] | None:
    """Return the first picture of the hypothesis and where its pixels stand among the columns; None without one."""
    found = ((block.codes[0], place) for block, place in placed(design))
    return next(((code, place) for code, place in found if isinstance(code, ImageCode) and code.pictures), None)


def _image(kept: PlotRows) -> tuple[ImageCode, slice]:
    found = image_of(kept.model.design)
    assert found is not None
    return found


def _places(
    axes: Axes, count: int, across: int, shape: tuple[int, ...], caption: float
) -> list[tuple[float, float, float, float]]:
    """Return left, top, right and bottom of so many images, with room for captions, and fit the axes to them."""
    height = shape[0] / shape[1]
    rows = max(-(-count // across), 1)
    step = height + caption + GAP
    axes.set_axis_off()
    axes.set_aspect("equal", anchor="NW")
    places = [divmod(index, across) for index in range(count)]
    made = [(c * (1 + GAP), r * step, c * (1 + GAP) + 1, r * step + height) for r, c in places]
    axes.set_autoscale_on(False)
    axes.set(xlim=(0, across * (1 + GAP) - GAP), ylim=(rows * step - GAP, 0))
    return made
