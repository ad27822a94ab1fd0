"""The band of an equation in the picture of data and fit: where its mean and new rows lie."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from descend.base.errors import ModelError
from descend.base.messages import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from descend.base.typing import Floats
    from descend.report.plot_data import PlotRows

LEVEL = 0.95
WIDEST = 0.5  # a band reaches at most so much of the rows' range beyond them
SMOOTH = 1000  # points of an equation's curve: it may swing
DECADES = 1.5  # that the lower half of the rows spans, and the upper: then a logarithmic axis shows both


def alone(kept: PlotRows, column: str) -> bool:
    """Tell whether the hypothesis is an equation in one column, so that it is one curve."""
    written = kept.model.design.hypothesis.written
    return bool(written) and list(kept.model.design.uses) == [column]


def grid_along(x: Floats, count: int, *, logarithmic: bool) -> Floats:
    """Return numbers over the range of a column, spaced as its axis is."""
    made = np.geomspace if logarithmic else np.linspace
    return made(float(x.min()), float(x.max()), count)


def by_magnitude(x: Floats) -> bool:
    """Tell whether the values of a column spread over magnitudes, as doses do."""
    if x.size == 0 or x.min() <= 0:
        return False
    low, middle, high = np.log10(np.quantile(x, [0.0, 0.5, 1.0]))
    return bool(min(middle - low, high - middle) > DECADES)


def draw_band(axes: Axes, kept: PlotRows, column: str, grid: Floats, output: int, colour: str, lang: str) -> None:
    """Fill where new rows lie with a probability of 95%, and darker where their mean does; of classes where P does.

    A band that is far wider than the rows is cut off. Nothing is drawn where the fit has no standard errors.
    """
    target = kept.model.target
    if target.family.classes:
        bands = [(f"P({target.levels[output]})", 0.16, "plot.band-chance")]
        lowest, highest = 0.0, 1.0
    else:
        name = target.columns[output]
        bands = [(name, 0.12, "plot.band-rows"), (f"{name}_mean", 0.3, "plot.band-mean")]
        values = kept.truth[:, output]
        reach = WIDEST * (values.max() - values.min())
        lowest, highest = values.min() - reach, values.max() + reach
    with suppress(ModelError):
        ends = kept.model.intervals({column: grid}, level=LEVEL)
        for band, shade, code in bands:
            if f"{band}_low" in ends.columns:
                low, high = (np.clip(ends[f"{band}_{end}"].to_numpy(), lowest, highest) for end in ("low", "high"))
                label = say(code, lang, level=LEVEL)
                axes.fill_between(grid, low, high, color=colour, alpha=shade, linewidth=0, label=label)
