"""The picture of a fit: data and hypothesis, loss, the path of the parameters, predictions and residuals."""

from __future__ import annotations

import warnings
from io import BytesIO
from textwrap import fill
from typing import TYPE_CHECKING, Any

from descend.base.atomic_files import ending, written_whole
from descend.base.messages import say
from descend.base.visible import in_a_line
from descend.report import _gallery
from descend.report._data_panel import data_and_fit
from descend.report._error_panels import confusion_counts, predicted_and_actual, residuals
from descend.report._loss_panel import loss_by_epoch
from descend.report._path_panel import path_on_contours
from descend.report.frames import GREY
from descend.report.plot_data import PlotRows

if TYPE_CHECKING:
    import os
    from contextlib import AbstractContextManager

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from descend.model.fitted import FittedModel

PICTURES = (".png", ".svg", ".pdf")
KOREAN_FONTS = (
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "NanumGothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "AppleGothic",
    "UnDotum",
)
TEXT_WIDTH = 46


def draw(model: FittedModel, path: str | os.PathLike[str] | None = None, lang: str = "en") -> Figure:
    """Draw a model in its panels; write the picture where a path (.png, .svg, .pdf) is given."""
    from matplotlib.figure import Figure

    with styled():
        figure = Figure(figsize=(15, 8.6), layout="constrained")
        figure.suptitle(_short(in_a_line(model.formula)), fontsize=14, parse_math=False)
        kept = PlotRows(model)
        if _gallery.image_of(model.design) is not None:
            _draw_images(figure, kept, lang)
        else:
            _draw_columns(figure, kept, lang)
        if path is not None:
            write_figure(figure, path)
    return figure


def write_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a picture (.png, .svg, .pdf), whole or not at all."""
    kind, drawn = ending(path, PICTURES, "option.plot-kind").removeprefix("."), BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # it stands there as an empty box
        figure.savefig(drawn, format=kind, dpi=110, metadata={"Date": None} if kind == "svg" else {})
    with written_whole(path) as temporary:
        temporary.write_bytes(drawn.getvalue())


def _draw_columns(figure: Figure, kept: PlotRows, lang: str) -> None:
    """Draw data and fit, loss, path, and what was predicted."""
    model, grid = kept.model, figure.add_gridspec(2, 3)
    data, loss, way = (figure.add_subplot(grid[0, column]) for column in range(3))
    if kept.rows:
        data_and_fit(data, kept, lang)
    else:
        _empty(data, say("plot.no-sample", lang))
    loss_by_epoch(loss, model.history, lang)
    if kept.rows:
        path_on_contours(way, kept, lang)
    else:
        _empty(way, say("plot.no-sample", lang))
    if not model.target.family.classes:
        compared, left, words = (figure.add_subplot(grid[1, column]) for column in range(3))
        if kept.rows:
            predicted_and_actual(compared, kept, lang)
            residuals(left, kept, lang)
        else:
            _empty(compared, say("plot.no-sample", lang))
            _empty(left, "")
    else:
        counted = figure.add_subplot(grid[1, 0])
        words = figure.add_subplot(grid[1, 1:])
        if kept.rows or (model.verification and model.verification.confusion):
            confusion_counts(counted, kept, lang)
    _words(words, model, lang)


def _draw_images(figure: Figure, kept: PlotRows, lang: str) -> None:
    """Draw the loss, the weights as images (of a network the path), what was predicted, and what was misread."""
    model, grid = kept.model, figure.add_gridspec(2, 3)
    loss_by_epoch(figure.add_subplot(grid[0, 0]), model.history, lang)
    learnt = figure.add_subplot(grid[0, 1:])
    if model.hypothesis.linear:
        _gallery.weight_images(learnt, kept, lang)
    elif kept.rows:
        path_on_contours(learnt, kept, lang)
    else:
        _empty(learnt, say("plot.no-sample", lang))
    counted = figure.add_subplot(grid[1, 0])
    if not kept.rows:
        _empty(counted, say("plot.no-sample", lang))
    elif not model.target.family.classes:
        predicted_and_actual(counted, kept, lang)
        residuals(figure.add_subplot(grid[1, 1:]), kept, lang)
    else:
        confusion_counts(counted, kept, lang)
        _gallery.misread(figure.add_subplot(grid[1, 1:]), kept, lang)
    if model.verification is not None:
        figure.supxlabel(fill(model.verification.tell(lang), 150), fontsize=11, parse_math=False)


def styled() -> AbstractContextManager[None]:
    """Return the context in which every picture is drawn: its fonts and its bare axes."""
    import matplotlib

    fonts = ["DejaVu Sans", *([found] if (found := korean_font()) else [])]
    style: Any = {
        "font.family": fonts,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.hashsalt": "descend",
    }
    return matplotlib.rc_context(style)


def korean_font() -> str | None:
    """Return the name of an installed font that has Hangul, None where there is none."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return next((name for name in KOREAN_FONTS if name in installed), None)


def lacks_letters(model: FittedModel, lang: str) -> bool:
    """Tell whether the picture needs Korean letters that no installed font has."""
    texts = [
        model.formula,
        *model.target.levels,
        *(level for levels in model.design.levels.values() for level in levels),
    ]
    hangul = lang == "ko" or any("\uac00" <= letter <= "\ud7a3" for text in texts for letter in text)
    return hangul and korean_font() is None


def _words(axes: Axes, model: FittedModel, lang: str) -> None:
    """Write the equation and the verdict."""
    axes.set_axis_off()
    width = 2 * TEXT_WIDTH if model.target.family.classes else TEXT_WIDTH
    width = width * 5 // 8 if lang == "ko" else width  # Hangul is wider
    lines = [fill(line, width, subsequent_indent="    ") for line in model.equation.split("\n")[:8]]
    text = ["\n".join(lines)]
    if model.verification is not None:
        text.append(fill(model.verification.tell(lang), width))
    shown = "\n".join("\n\n".join(text).split("\n")[:22])
    axes.text(0, 1, shown, va="top", fontsize=11, linespacing=1.5, parse_math=False).set_in_layout(False)


def _short(text: str) -> str:
    return text if len(text) <= 110 else text[:109] + "…"


def _empty(axes: Axes, text: str) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color=GREY)
