"""The panel of the loss by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.base.messages import say
from descend.report.frames import COLOURS, name_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from descend.solvers.history import History


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
    key = "iteration" if np.isnan(history.lr) else "epoch"
    if few:
        axes.locator_params(axis="x", integer=True)
    name_axes(axes, say(f"plot.loss-by-{key}", lang), say(f"plot.{key}", lang), say("plot.loss", lang), lang)
