"""Minima of an equation with corners (min, max, abs): the loss has a kink where a corner meets a row.

A minimum may lie in a kink, where the slope jumps and is 0 nowhere. It is found and shown by gradient sampling (Burke,
Lewis and Overton 2005): near a minimum some mean of the slopes around it is 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.formula.ast import Apply, Operation, unknowns_of
from descend.solvers._scaled_svd import lengths

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.formula.ast import Curve, Expression
    from descend.solvers._levenberg import Box, Note, Searched
    from descend.solvers._separable import System

RADII = (1e-3, 1e-5, 1e-7, 1e-9)  # of the parameters: how far around a point slopes are looked at
MORE = 8  # slopes than twice the parameters
STEPS, HALVINGS = 20, 40  # at each radius
VANISHED = 1e-3  # of the longest slope: a mean of slopes so short is 0
MEANS = 200  # steps to the shortest mean


def has_corners(curve: Curve) -> bool:
    """Tell whether an expression has a corner whose place depends on parameters."""
    return any(map(_cornered, curve.expressions))


def _cornered(expression: Expression) -> bool:
    match expression:
        case Apply(function, argument):
            return (function == "abs" and any(unknowns_of(argument))) or _cornered(argument)
        case Operation(operator, left, right):
            own = operator in ("min", "max") and any(unknowns_of(expression))
            return own or (left is not None and _cornered(left)) or _cornered(right)
    return False


def kink_minimum(problem: Searched, at: Floats, box: Box, note: Note | None = None) -> tuple[Floats, bool]:
    """Return a minimum beside ``at`` (the searched parameters), and whether it is shown to be one."""
    random, system, shown = np.random.default_rng(0), problem.system(at), False
    if system is None:
        return at, False
    size = np.where(at == 0, 1.0, np.abs(at))
    for radius in RADII:
        for _ in range(STEPS):
            scale, shown = lengths(system.K), False
            around = at + radius * size * random.uniform(-1, 1, (2 * at.size + MORE, at.size))
            near = [system, *(found for found in map(problem.system, map(box.clipped, around)) if found is not None)]
            slopes = np.array([each.K.T @ each.r / scale for each in near])
            free = box.free(at, slopes.mean(axis=0))
            mean = np.where(free, _shortest_mean(slopes), 0.0)
            if np.linalg.norm(mean) <= VANISHED * np.linalg.norm(slopes, axis=1).max():
                shown = True
                break
            found = _stepped(problem, at, system.loss, -mean / scale / np.linalg.norm(mean), box)
            if found is None:
                break
            at, system = found
            if note is not None:
                note(at, system)
    return at, shown


def _stepped(problem: Searched, at: Floats, loss: float, way: Floats, box: Box) -> tuple[Floats, System] | None:
    """Return a lower point on the way, from as far as the residuals are long, and its system; None where none is."""
    length = float(np.sqrt(abs(loss)))
    for _ in range(HALVINGS):
        there = box.clipped(at + length * way)
        found = problem.system(there)
        if found is not None and found.loss < loss:
            return there, found
        length /= 2
    return None


def _shortest_mean(slopes: Floats) -> Floats:
    """Return the shortest weighted mean of rows, by Gilbert's (1966) steps."""
    mean = slopes.mean(axis=0)
    for _ in range(MEANS):
        towards = slopes[int((slopes @ mean).argmin())] - mean
        along = float(towards @ towards)
        share = -float(mean @ towards) / along if along else 0.0
        if share <= 0:
            break
        mean = mean + min(share, 1.0) * towards
    return np.asarray(mean)
