"""The panel of the path: the loss over two parameters, and the path of the run on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.base.messages import say
from descend.objectives.quadratic import GramObjective
from descend.report.frames import COLOURS, name_axes
from descend.report.plane import heights_of, losses_on, parameter_names, plane_over, principal_plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.report.plane import Plane
    from descend.report.plot_data import PlotRows
    from descend.solvers.history import History

FINE, FINE_COSTLY = 61, 20
NEAR = 3.0  # a diverging run is drawn as far as so many times the distance from its start to its best point


def path_on_contours(axes: Axes, kept: PlotRows, lang: str) -> None:
    """Draw the loss over the two parameters that moved most, the others at their end, and the path between.

    Where the parameters say nothing one by one (a network's), it is drawn over the two directions of most movement.
    """
    history, title = kept.model.history, say("plot.path", lang)
    path, end = walked_path(kept)
    if not kept.rows or not end.size or not len(path):
        name_axes(axes, title, "", "")
        return
    plane = _plane(kept, path, end, lang)
    walked, last = plane.project(path), plane.project(end[None])[0]
    fine = FINE if kept.model.hypothesis.readable else FINE_COSTLY
    a, b, values = losses_on(kept.surface, plane, fine)
    if len(plane.window) == 1:
        axes.plot(a, values[0], color=COLOURS[0])
        walked[:, 1], last[1] = [kept.surface.value(w) for w in path], kept.surface.value(end)
        y = say("plot.loss", lang)
    else:
        axes.contourf(a, b, heights_of(values, kept.surface.value(end)), levels=18, cmap="Blues_r", alpha=0.8)
        axes.set_ylim(*plane.window[1])
        y = plane.names[1]
    axes.set_xlim(*plane.window[0])
    with np.errstate(over="ignore", invalid="ignore"):
        near = (np.abs(walked) < 1e12 * np.abs(np.array([*plane.window, (0.0, 1.0)][:2])).max()).all(axis=1)
    walked = walked[near] if not history.diverged else walked[: _first(~near)]
    axes.plot(walked[:, 0], walked[:, 1], color=COLOURS[1], lw=1.8, marker=".", ms=5)
    axes.plot(*walked[0], "o", color="black", ms=7, ls="", label=say("plot.start", lang))
    if not history.diverged:
        axes.plot(*last, "*", color="black", ms=13, ls="", label=say("plot.end", lang))
    axes.locator_params(axis="x", nbins=6)
    name_axes(axes, title, plane.names[0], y, lang)


def walked_path(kept: PlotRows) -> tuple[Floats, Floats]:
    """Return the parameters of the epochs that were kept, and those that it all came to (of a run that diverged: the
    best on its way).
    """
    history: History = kept.model.history
    path = history.snapshots[np.isfinite(history.snapshots).all(axis=1)]
    end = kept.model.weights.ravel()
    if history.stop == "optimum":
        return np.concatenate([path, end[None, :]]), end
    if history.diverged and len(path):
        with np.errstate(all="ignore"):
            losses = np.array([kept.surface.value(w) for w in path]) if kept.rows else np.zeros(len(path))
        end = path[int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))]
    return path, end


def _first(marks: NDArray[np.bool_]) -> int | None:
    """Return the place of the first mark; None where there is none."""
    return int(marks.argmax()) if marks.any() else None


def _plane(kept: PlotRows, path: Floats, end: Floats, lang: str) -> Plane:
    """Return the plane of the two parameters that moved most, with where the run went and the least loss, if known."""
    if not kept.model.hypothesis.readable:
        return principal_plane(path, end, lang)
    surface, start = kept.surface, path[0]
    held = path
    if isinstance(surface, GramObjective):
        goal = surface.minimum_near(start)
        held = np.concatenate([path, goal[None]])
        end = goal if kept.model.history.diverged else end
    if kept.model.history.diverged:
        reach = NEAR * np.abs(end - start).max()
        near = (np.abs(held - end) <= reach).all(axis=1)
        near[0] = True
        held = held[near]
    moved = np.ptp(held if kept.model.history.diverged else path, axis=0)
    chosen = sorted(np.argsort(-moved, kind="stable")[:2].tolist())
    names = parameter_names(kept.model.hypothesis, kept.model.target, lang)
    return plane_over(surface, names, chosen, end, held, lang, even=False)
