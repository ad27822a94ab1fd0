"""The rows of a table as points: fitted ones filled, unseen ones as rings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.base.messages import say
from descend.report.frames import GREY

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.report.plot_data import PlotRows


def scatter_rows(
    axes: Axes, x: Floats, y: Floats, tested: NDArray[np.bool_], colour: str, size: float, label: str = ""
) -> None:
    """Draw fitted rows as filled points, unseen ones as rings."""
    axes.scatter(x[~tested], y[~tested], s=size, color=colour, alpha=0.6, linewidths=0, label=label or None)
    axes.scatter(x[tested], y[tested], s=size, facecolors="none", edgecolors=colour, alpha=0.9)


def explain_points(axes: Axes, kept: PlotRows, lang: str) -> None:
    """Say which points are fitted and which unseen, where there are both."""
    if kept.tested.any():
        axes.scatter([], [], s=30, color=GREY, label=say("plot.fitted-rows", lang))
        axes.scatter([], [], s=30, facecolors="none", edgecolors=GREY, label=say("plot.unseen-rows", lang))
