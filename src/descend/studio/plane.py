"""The plane of two parameters on which the path of a run is drawn, and the contours of the loss on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from descend.objectives.quadratic import GramObjective
from descend.report.plane import Plane, curvatures, heights_of, losses_on, parameter_names, plane_over, principal_plane
from descend.studio.short_numbers import encoded, points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.base.typing import Floats
    from descend.studio.view import View

FINE = 61
FINE_ROWS = 41  # points of the grid where each of them costs a pass over the rows
FINE_COSTLY = 21
LINES = 11
FLOW = 80
LOOKS = 12  # points of a path at which its loss is looked at
TOP = 3.0  # times the largest loss on the path


def plane_of(view: View, chosen: Sequence[int] | None, lang: str) -> Plane:
    """Return the plane of two chosen parameters (None: those that move most), the others at the end of the run.

    Its window holds the start and the goal, so it is the same for every learning rate.
    """
    start, goal = view.path[0], view.goal
    if not view.hypothesis.readable:
        return principal_plane(view.path, goal, lang)
    order = np.argsort(-_moved(view), kind="stable")
    picked = [index for index in dict.fromkeys(chosen or []) if 0 <= index < goal.size]
    picked += [int(index) for index in order if int(index) not in picked]
    picked = picked[:2] if chosen else sorted(picked[:2])
    held = np.concatenate([start[None], _flow(view, start)])
    names = parameter_names(view.hypothesis, view.target, lang)
    return plane_over(view.surface, names, picked, goal, held, lang, even=True)


def _moved(view: View) -> Floats:
    """Return how far each parameter goes from the start to the goal; of an equation by how much that tells."""
    away: Floats = np.abs(np.nan_to_num(view.goal - view.path[0], posinf=0.0, neginf=0.0))
    if view.hypothesis.linear:
        return away
    bends = np.diag(curvatures(view.surface, view.goal, np.eye(view.goal.size)))
    return np.asarray(away * np.sqrt(np.maximum(bends, 0.0))) if bends.any() else away


def contours(view: View, plane: Plane) -> dict[str, Any]:
    """Return the loss on the plane as an image of bytes with contour lines, or as a curve over one parameter."""
    a, b, values = surface(view, plane)
    goal = points(*plane.project(view.goal[None]).T)[0]
    made: dict[str, Any] = {"names": plane.names, "a": list(plane.window[0]), "goal": goal}
    if len(plane.window) < 2:
        return {**made, "kind": "line", "line": points(a, values[0])}
    if not np.isfinite(values).any():
        return {**made, "kind": "none"}
    with np.errstate(all="ignore"):
        if not view.hypothesis.linear:
            values = np.minimum(values, _top(view, values))
        height = heights_of(values, view.surface.value(view.goal))
    return {
        **made,
        "kind": "plane",
        "b": list(plane.window[1]),
        "size": [len(a), len(b)],
        "image": encoded(np.round(255 * height).astype(np.uint8)),
        "lines": _lines(a, b, height),
    }


def surface(view: View, plane: Plane) -> tuple[Floats, Floats, Floats]:
    """Return the grid of a, of b, and the loss there (b x a); with one parameter the loss over a alone (1 x a)."""
    quick = isinstance(view.surface, GramObjective)
    return losses_on(view.surface, plane, FINE if quick else FINE_ROWS if view.hypothesis.readable else FINE_COSTLY)


def _top(view: View, values: Floats) -> float:
    """Return the loss above which all is drawn as high, because a loss that is not quadratic may explode.

    It is TOP times the largest loss on the path, and no less than half of the ``values`` on the plane.
    """
    seen = [view.surface.value(w) for w in view.path[np.unique(np.linspace(0, len(view.path) - 1, LOOKS).astype(int))]]
    highest = max((value for value in seen if np.isfinite(value)), default=0.0)
    return max(TOP * highest, float(np.median(values[np.isfinite(values)])))


def _flow(view: View, start: Floats) -> Floats:
    """Return the gradient flow, the path of infinitely small steps (steps x parameters), or None where it is unknown.

    It does not depend on the learning rate, and stable rates stay near it.
    """
    quadratic = view.surface
    if not isinstance(quadratic, GramObjective):
        return np.empty((0, start.size))
    offsets = quadratic.offsets(start)
    moving = quadratic.curvatures > 0
    if not moving.any():
        return np.empty((0, start.size))
    times = np.geomspace(0.01 / quadratic.curvatures[-1], 10 / quadratic.curvatures[moving].min(), FLOW)
    left = np.exp(-times[:, None] * quadratic.curvatures[moving])
    path = np.einsum("cd,td,do->tco", quadratic.directions[:, moving], left, offsets[moving], optimize=True)
    return np.asarray(path.reshape(FLOW, -1) + view.goal)


def _lines(a: Floats, b: Floats, height: Floats) -> list[list[list[float | None]]]:
    """Return the contour lines of the loss, closer where it is small."""
    from contourpy import contour_generator

    generator = contour_generator(a, b, height)
    levels = np.linspace(0.0, 1.0, LINES + 2)[1:-1]
    lines = [np.asarray(line) for level in levels for line in generator.lines(float(level))]
    return [points(line[:, 0], line[:, 1]) for line in lines]
