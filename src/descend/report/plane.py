"""The plane over which a path is drawn: two parameters (of a network two directions), and the loss on it.

Where the valley of the loss lies across the parameters and is thin, the plane is turned into the valley's own axes: on
a grid along the parameters a valley thinner than the grid would fall apart into minima that are not there. The
parameters of an equation that is not linear stay the axes: they have units of their own, and the valley is bent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from descend.base.messages import say
from descend.objectives.curve import CurveObjective
from descend.objectives.in_memory import RowsObjective
from descend.objectives.quadratic import GramObjective

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.base.typing import Floats
    from descend.model.hypothesis import FittedHypothesis
    from descend.objectives.objective import Objective
    from descend.objectives.target import Target

ROOM = 0.3  # beside what a window holds, in parts of its half
LEAST = 0.3  # of the other side's change of the loss that each side of a window shows
THIN = 4.0  # times as long as wide, as it is drawn: such a valley has a plane in its own axes
ROUNDING = 1e-9  # of the step that would change all of the loss: parameters that moved less have not moved
MOST = 400  # parameters whose second derivatives are asked for
BEND = 0.35  # a power of the excess loss that shows the valley and its floor
LONGEST = 24  # letters of a parameter in the name of a direction


@dataclass(frozen=True)
class Plane:
    """``origin`` + a ``directions[0]`` + b ``directions[1]`` (parameters, flat), over a window of a and b.

    The directions are orthonormal; with one parameter there is one, and the loss is drawn over it. ``chosen`` are the
    parameters in whose plane it lies, () of a network; ``turned`` says that the axes are not these but the valley's.
    """

    names: list[str]
    origin: Floats
    directions: Floats
    window: tuple[tuple[float, float], ...]
    chosen: tuple[int, ...]
    turned: bool = False

    def project(self, path: Floats) -> Floats:
        """Return where parameters (steps x parameters) lie on the plane, steps x 2; of a line with zeros."""
        with np.errstate(over="ignore", invalid="ignore"):
            walked = (path - self.origin) @ self.directions.T
        return walked if len(self.directions) == 2 else np.concatenate([walked, np.zeros_like(walked)], axis=1)

    def named(self, names: Sequence[str], lang: str) -> list[str]:
        """Return the names of its axes: the parameters', or the directions along and across the valley."""
        mine = [names[index] for index in self.chosen]
        if not self.turned:
            return mine
        short = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in mine]
        parts = self.directions[0][list(self.chosen)]
        return [say("plot.along", lang, direction=_sum_of(parts, short)), say("plot.across", lang)]


def plane_over(
    surface: Objective,
    names: Sequence[str],
    chosen: Sequence[int],
    goal: Floats,
    held: Floats,
    lang: str,
    *,
    even: bool,
) -> Plane:
    """Return the plane of one or two ``chosen`` parameters, the others as they are in ``goal``.

    Its window holds ``goal`` and the parameters ``held`` (points x parameters); ``even``: with ``goal`` in its middle.
    """
    picked = list(chosen)
    origin, directions = goal.copy(), np.zeros((len(picked), goal.size))
    directions[np.arange(len(picked)), picked] = 1.0
    origin[picked] = 0.0
    bends = curvatures(surface, goal, directions)
    grain = _grain(surface, held[0], bends)
    points = np.concatenate([goal[None], held])[:, picked]
    half = np.abs(points - points[0]).max(axis=0)
    if isinstance(surface, CurveObjective):
        bends = _no_steeper(bends, half, grain)
        grain = _grain(surface, held[0], bends)
    half = _at_least(np.where(half > ROUNDING * grain, half, 0.0), bends, grain, points[0])
    turns = not isinstance(surface, CurveObjective) and _turns(bends * np.outer(half, half))
    if turns:
        _, vectors = np.linalg.eigh(bends)  # the flattest first
        vectors = vectors * np.where(vectors[np.abs(vectors).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)
        directions, origin = vectors.T @ directions, goal.copy()
        bends = vectors.T @ bends @ vectors
        points = (points - points[0]) @ vectors
    window = _window(points, bends, _grain(surface, held[0], bends), even=even, turned=turns)
    plane = Plane([], origin, directions, window, tuple(picked), turns)
    return Plane(plane.named(names, lang), origin, directions, window, tuple(picked), turns)


def parameter_names(hypothesis: FittedHypothesis, target: Target, lang: str | None) -> list[str]:
    """Return the names of the parameters as the optimizer sees them; with a ``lang`` each says that it is scaled."""
    names = hypothesis.weight_names(target)
    if lang is None or not hypothesis.scaled:
        return names
    return [say("plot.standardized", lang, name=name) for name in names]


def principal_plane(path: Floats, end: Floats, lang: str) -> Plane:
    """Return the plane of the two principal directions of a network's path (Li et al. 2018, section 7)."""
    _, _, turned = np.linalg.svd(np.concatenate([path - end, np.zeros((2, end.size))]), full_matrices=False)
    walked = (path - end) @ turned[:2].T
    low, high = walked.min(axis=0), walked.max(axis=0)
    room = np.maximum(0.25 * (high - low), 1e-9)
    names = [say("plot.direction", lang, number=number) for number in (1, 2)]
    window = tuple((float(low[k] - room[k]), float(high[k] + room[k])) for k in (0, 1))
    return Plane(names, end, turned[:2], window, ())


def curvatures(surface: Objective, goal: Floats, directions: Floats) -> Floats:
    """Return the second derivatives of the loss along some directions at a point; zeros where they cost too much."""
    if isinstance(surface, GramObjective):
        spread = np.stack([surface.directions.T @ one.reshape(surface.shape) for one in directions])
        return np.asarray(np.einsum("ico,c,jco->ij", spread, surface.curvatures, spread))
    if isinstance(surface, RowsObjective) and goal.size <= MOST:
        return np.asarray(directions @ surface.hessian(goal) @ directions.T)
    if isinstance(surface, CurveObjective):  # without the curve's own bend, which is not positive off a minimum
        with np.errstate(all="ignore"):
            bends = np.asarray(directions @ surface.gauss_newton(goal)[2] @ directions.T)
        if np.isfinite(bends).all():
            return bends
    return np.zeros((len(directions), len(directions)))


def losses_on(surface: Objective, plane: Plane, fine: int) -> tuple[Floats, Floats, Floats]:
    """Return a grid of a, of b, and the loss there (b x a); of a line the loss over a alone (1 x a), on a finer grid.

    A loss that does not depend on rows one by one (of a quadratic, of linear predictors) is told from a few numbers.
    """
    line = len(plane.window) == 1
    a = np.linspace(*plane.window[0], 4 * fine if line else fine)
    b = np.zeros(1) if line else np.linspace(*plane.window[1], fine)
    with np.errstate(all="ignore"):
        if isinstance(surface, GramObjective):
            return a, b, _quadratic(surface, plane, a, b)
        if isinstance(surface, RowsObjective):
            return a, b, _over_rows(surface, plane, a, b)
        other = np.zeros_like(plane.origin) if line else plane.directions[1]
        values = [[surface.value(plane.origin + x * plane.directions[0] + y * other) for x in a] for y in b]
    return a, b, np.array(values)


def heights_of(values: Floats, least: float) -> Floats:
    """Return from 0 to 1 how high losses are above the ``least`` known, so that the floor of a valley shows."""
    finite = values[np.isfinite(values)]
    least = min(least, float(finite.min())) if np.isfinite(least) else float(finite.min())
    excess = np.where(np.isfinite(values), values, finite.max()) - least
    return np.asarray((excess / (excess.max() or 1.0)) ** BEND)


def _quadratic(surface: GramObjective, plane: Plane, a: Floats, b: Floats) -> Floats:
    """Return a quadratic from its value, slope and second derivatives at its least point on the plane."""
    bends = curvatures(surface, plane.origin, plane.directions)
    slope = plane.directions @ surface.gradient(plane.origin)
    centre = -np.linalg.lstsq(bends, slope, rcond=None)[0]
    least = surface.value(plane.origin + centre @ plane.directions)
    da = (a - centre[0])[None, :]
    if len(plane.directions) < 2:
        return np.asarray(least + bends[0, 0] * da**2 / 2)
    db = (b - centre[1])[:, None]
    return np.asarray(least + bends[0, 0] * da**2 / 2 + bends[0, 1] * da * db + bends[1, 1] * db**2 / 2)


def _over_rows(objective: RowsObjective, plane: Plane, a: Floats, b: Floats) -> Floats:
    """Return the loss on the grid from linear predictors that are sums of three: the rows are multiplied but once."""
    known = [objective.predictor(w) for w in (plane.origin, *plane.directions)]
    weights = [w.reshape(objective.shape) for w in (plane.origin, *plane.directions)]

    def value(steps: tuple[float, ...]) -> float:
        Z, W = (first + sum(map(np.multiply, steps, more)) for first, *more in (known, weights))
        return float(objective.loss.value(Z, objective.Y).sum() * objective.share + objective.penalty.value(W))

    return np.array([[value((x, y)[: len(plane.directions)]) for x in a] for y in b])


def _grain(surface: Objective, start: Floats, bends: Floats) -> Floats:
    """Return along each axis the step that changes the loss by all of what it is at the start; 0 where none does."""
    with np.errstate(all="ignore"):
        steps = np.sqrt(2 * abs(surface.value(start)) / np.diag(bends))
    return np.where(np.isfinite(steps), steps, 0.0)


def _no_steeper(bends: Floats, half: Floats, grain: Floats) -> Floats:
    """Return the second derivatives, smaller where they would tell more of a way's loss than there is at its start."""
    share = np.divide(grain, half, out=np.ones_like(half), where=(half > grain) & (grain > 0))
    return np.asarray(bends * np.outer(share, share))


def _at_least(half: Floats, bends: Floats, grain: Floats, goal: Floats) -> Floats:
    """Return half widths that are no less than LEAST of what changes the loss as much as the others do."""
    usual = half.max() or grain.max() or np.abs(goal).max() or 1.0
    with np.errstate(all="ignore"):
        alike = (np.sqrt(np.diag(bends)) * half).max() / np.sqrt(np.diag(bends))
    alike = np.where(np.isfinite(alike) & (alike > 0), alike, usual)
    return np.maximum(half, LEAST * alike)


def _turns(drawn: Floats) -> bool:
    """Tell whether a valley, in the units of what is drawn, is thin and lies across both axes."""
    if len(drawn) < 2 or not np.isfinite(drawn).all():
        return False
    flat, steep = np.linalg.eigvalsh(drawn)
    across = abs(drawn[0, 1]) > 0.5 * np.sqrt(drawn[0, 0] * drawn[1, 1])
    return bool(steep > THIN**2 * max(flat, 0.0) and steep > 0 and across)


def _window(
    points: Floats, bends: Floats, grain: Floats, *, even: bool, turned: bool
) -> tuple[tuple[float, float], ...]:
    """Return from where to where each axis goes: about the first point (``even``) or about the middle of all."""
    reach = np.abs(points - points[0]).max(axis=0)
    low, high = (points[0] - reach, points[0] + reach) if even else (points.min(axis=0), points.max(axis=0))
    half, middle = high / 2 - low / 2, high / 2 + low / 2
    half = np.where(half > ROUNDING * grain, half, 0.0)
    least = _at_least(half, bends, grain, points[0])
    half = np.where(half > 0, half, least) if turned else least
    return tuple((float(m - (1 + ROOM) * h), float(m + (1 + ROOM) * h)) for m, h in zip(middle, half, strict=True))


def _sum_of(parts: Floats, names: Sequence[str]) -> str:
    """Return a direction in words: ``0.98 × (intercept) − 0.17 × hours``."""
    told = "".join(
        f" {'−' if part < 0 else '+'} {abs(part):.2g} × {name}" for part, name in zip(parts, names, strict=True)
    )
    return told.removeprefix(" + ").strip()
