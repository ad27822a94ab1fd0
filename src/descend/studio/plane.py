"""The plane over which a path is drawn: two parameters (of a network two directions), and the loss on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.messages import say
from descend.objectives.gram import GramObjective
from descend.objectives.rows import RowsObjective
from descend.studio.numbers import encoded, points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from descend.studio.view import View

    Floats = NDArray[np.floating[Any]]

FINE = 61
FINE_ROWS = 41  # where each point of the grid costs a reading of the rows
FINE_NETWORK = 21
ROOM = 1.3
LEAST = 0.3
LINES = 11
FLOW = 80
BEND = 0.35  # a power of the excess loss that shows the valley and its floor


@dataclass(frozen=True)
class Plane:
    """``origin`` + a ``directions[0]`` + b ``directions[1]`` (parameters, flat), over a window of a and b.

    With one parameter there is one direction, and the loss is drawn over it.
    """

    names: list[str]
    origin: Floats
    directions: Floats
    window: tuple[tuple[float, float], ...]
    chosen: tuple[int, ...]

    def project(self, path: Floats) -> Floats:
        """Return where parameters (steps x parameters) lie on the plane, steps x 2; of a line with zeros."""
        with np.errstate(over="ignore", invalid="ignore"):
            walked = (path - self.origin) @ self.directions.T
        return walked if len(self.directions) == 2 else np.concatenate([walked, np.zeros_like(walked)], axis=1)


def plane_of(view: View, chosen: Sequence[int] | None, lang: str) -> Plane:
    """Return the plane of two chosen parameters (None: those that move most), the others where the run goes.

    Its window holds the start and the goal, so it is the same for every learning rate.
    """
    start, goal = view.path[0], view.goal
    if view.networked:
        return _principal(view, lang)
    away = np.abs(np.nan_to_num(goal - start, posinf=0.0, neginf=0.0))
    order = np.argsort(-away, kind="stable")
    picked = [index for index in dict.fromkeys(chosen or []) if 0 <= index < goal.size]
    picked += [int(index) for index in order if int(index) not in picked]
    picked = picked[:2] if chosen else sorted(picked[:2])
    directions, origin = np.zeros((len(picked), goal.size)), goal.copy()
    directions[np.arange(len(picked)), picked] = 1.0
    origin[picked] = 0.0
    names = parameter_names(view)
    strayed = _strayed(view, start)
    reach = float(away[picked].max()) or float(np.abs(goal[picked]).max()) or 1.0  # of a run that starts at its goal
    window = []
    for index in picked:
        half = max(ROOM * max(float(away[index]), float(strayed[index])), LEAST * reach)
        window.append((float(goal[index]) - half, float(goal[index]) + half))
    return Plane([names[index] for index in picked], origin, directions, tuple(window), tuple(picked))


def _strayed(view: View, start: Floats) -> Floats:
    """Return how far each parameter gets from its goal on the way of infinitely small steps, where it is known.

    No rate has a part in that way, and stable rates keep near it.
    """
    quadratic = view.surface
    if not isinstance(quadratic, GramObjective):
        return np.zeros(start.size)
    offsets = quadratic.offsets(start)
    moving = quadratic.curvatures > 0
    times = np.geomspace(0.01 / quadratic.curvatures[-1], 10 / quadratic.curvatures[moving].min(initial=np.inf), FLOW)
    left = np.exp(-times[:, None] * quadratic.curvatures[moving])
    path = np.einsum("cd,td,do->tco", quadratic.directions[:, moving], left, offsets[moving])
    return np.asarray(np.abs(path).max(axis=0).ravel()) if moving.any() else np.zeros(start.size)


def surface(view: View, plane: Plane) -> tuple[Floats, Floats, Floats]:
    """Return the grid of a, of b, and the loss there (b x a); of a line the loss over a alone (1 x a)."""
    quick = isinstance(view.surface, GramObjective)
    fine = FINE if quick else FINE_NETWORK if view.networked else FINE_ROWS
    a = np.linspace(*plane.window[0], fine if len(plane.window) == 2 else 4 * fine)
    b = np.linspace(*plane.window[1], fine) if len(plane.window) == 2 else np.zeros(1)
    if isinstance(view.surface, GramObjective):
        return a, b, _quadratic(view.surface, plane, view.goal, a, b)
    if isinstance(view.surface, RowsObjective):
        return a, b, _over_rows(view.surface, plane, a, b)
    other = plane.directions[1] if len(plane.directions) == 2 else np.zeros_like(plane.origin)
    with np.errstate(all="ignore"):
        values = np.array(
            [[view.surface.value(plane.origin + x * plane.directions[0] + y * other) for x in a] for y in b]
        )
    return a, b, values


def contours(view: View, plane: Plane) -> dict[str, Any]:
    """Return the loss on the plane as a picture of bytes with lines of equal loss, or as a curve over one parameter."""
    a, b, values = surface(view, plane)
    goal = points(*plane.project(view.goal[None]).T)[0]
    made: dict[str, Any] = {"names": plane.names, "a": list(plane.window[0]), "goal": goal}
    if len(plane.window) < 2:
        return {**made, "kind": "line", "line": points(a, values[0])}
    finite = values[np.isfinite(values)]
    if not finite.size:
        return {**made, "kind": "none"}
    values = np.where(np.isfinite(values), values, finite.max())
    excess = values - values.min()
    height = (excess / (excess.max() or 1.0)) ** BEND
    return {
        **made,
        "kind": "plane",
        "b": list(plane.window[1]),
        "size": [len(a), len(b)],
        "image": encoded(np.round(255 * height).astype(np.uint8)),
        "lines": _lines(a, b, height),
    }


def parameter_names(view: View) -> list[str]:
    """Return the names of the parameters as the optimizer sees them."""
    names, outputs = view.design.names, view.target.outputs
    if len(outputs) == 1 or view.networked:
        return names
    return [f"{output}: {name}" for name in names for output in outputs]


def _quadratic(quadratic: GramObjective, plane: Plane, goal: Floats, a: Floats, b: Floats) -> Floats:
    """Return the loss on the grid from the few second derivatives that it has there: nothing else changes."""
    columns, outputs = quadratic.shape
    places = [np.unravel_index(index, (columns, outputs)) for index in plane.chosen]

    def second(one: Any, two: Any) -> float:
        if one[1] != two[1]:
            return 0.0
        rows = quadratic.directions[one[0]], quadratic.directions[two[0]]
        return float((rows[0] * quadratic.curvatures * rows[1]).sum())

    da = (a - goal[plane.chosen[0]])[None, :]
    made = quadratic.value(goal) + second(places[0], places[0]) * da**2 / 2
    if len(places) < 2:
        return np.asarray(made)
    db = (b - goal[plane.chosen[1]])[:, None]
    return np.asarray(made + second(places[0], places[1]) * da * db + second(places[1], places[1]) * db**2 / 2)


def _over_rows(objective: RowsObjective, plane: Plane, a: Floats, b: Floats) -> Floats:
    """Return the loss on the grid from linear predictors that are sums of three: the rows are multiplied but once."""
    ends = [plane.origin, *plane.directions]
    known = [objective.predictor(w) for w in ends]
    kept = np.sqrt(objective.l2 * objective.penalised)[:, None]
    shrunk = [kept * w.reshape(objective.shape) for w in ends]

    def value(steps: tuple[float, ...]) -> float:
        Z, W = (first + sum(map(np.multiply, steps, more)) for first, *more in (known, shrunk))
        return float(objective.loss.value(Z, objective.Y).sum() * objective.share + np.square(W).sum())

    with np.errstate(all="ignore"):
        return np.array([[value((x, y)[: len(plane.directions)]) for x in a] for y in b])


def _principal(view: View, lang: str) -> Plane:
    """Return the plane of the two principal directions of a network's path (Li et al. 2018, section 7)."""
    end = view.goal
    _, _, turned = np.linalg.svd(np.concatenate([view.path - end, np.zeros((2, end.size))]), full_matrices=False)
    walked = (view.path - end) @ turned[:2].T
    low, high = walked.min(axis=0), walked.max(axis=0)
    room = np.maximum(0.25 * (high - low), 1e-9)
    names = [say("plot.direction", lang, number=number) for number in (1, 2)]
    window = tuple((float(low[k] - room[k]), float(high[k] + room[k])) for k in (0, 1))
    return Plane(names, end, turned[:2], window, ())


def _lines(a: Floats, b: Floats, height: Floats) -> list[list[list[float | None]]]:
    """Return lines of equal loss, closer where it is small."""
    from contourpy import contour_generator

    generator = contour_generator(a, b, height)
    levels = np.linspace(0.0, 1.0, LINES + 2)[1:-1]
    lines = [np.asarray(line) for level in levels for line in generator.lines(float(level))]
    return [points(line[:, 0], line[:, 1]) for line in lines]
