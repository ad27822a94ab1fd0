"""The frame of a panel: its title, the names of its axes, and its legend above it, where it covers nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

from descend.base.messages import say
from descend.base.visible import in_a_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# Okabe and Ito's colours (2008), told apart by readers with any colour vision
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F00", "#000000")
GREY = "#777777"
NAMED = 12  # entries of a legend
LETTERS = 30  # letters of an entry
ROOM = 56  # cells of a line of a legend, its marks included
MARK = 6  # cells of a mark and of the space beside it
LINE = 15.0  # points of a line of a legend


def name_axes(axes: Axes, title: str, x: str, y: str, lang: str = "en") -> None:
    """Write a panel's title and the names of its axes, as they are, and what its marks mean where they are labelled."""
    lines = _legend(axes, lang)
    axes.set_title(in_a_line(title), fontsize=11, loc="left", parse_math=False, pad=6 + LINE * lines)
    axes.set_xlabel(in_a_line(x), parse_math=False)
    axes.set_ylabel(in_a_line(y), parse_math=False)


def name_ticks(axis: Axis, names: Sequence[str], rotation: float = 0) -> None:
    """Write names beside the whole numbers from 0, as they are."""
    axis.set_ticks(range(len(names)), [in_a_line(name) for name in names], rotation=rotation, parse_math=False)


def _legend(axes: Axes, lang: str) -> int:
    """Put a legend between a panel and its title; returns how many lines it has."""
    handles, texts = axes.get_legend_handles_labels()
    if not texts:
        return 0
    texts = [in_a_line(text) for text in texts]
    texts = [text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…" for text in texts]
    if len(texts) > NAMED:
        texts = [*texts[: NAMED - 1], say("report.more", lang, count=len(texts) - NAMED + 1)]
        handles = [*handles[: NAMED - 1], axes.scatter([], [], s=0)]
    columns = min(max(ROOM // (max(map(cell_len, texts)) + MARK), 1), len(texts))
    legend = axes.legend(
        handles, texts, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False, fontsize=9,
        borderpad=0.2, borderaxespad=0.0, handlelength=1.6, handletextpad=0.5, columnspacing=1.2, labelspacing=0.3,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)
    return -(-len(texts) // columns)
