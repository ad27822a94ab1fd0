"""What a descent of an equation ended at: a minimum or not, and which parameters the rows do not determine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from descend.formula.separable import linear_in
from descend.solvers._any_loss import certainty
from descend.solvers._line_search import EPSILON
from descend.solvers._scaled_svd import ScaledSVD
from descend.solvers._termination import CLOSE, unseen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.curve_loss import CurveLoss
    from descend.solvers._levenberg import Box
    from descend.solvers._separable import System

FLAT = 1e-12  # of the largest singular value of columns of length 1: the rows do not tell such a direction from none
NO_EFFECT = 1e-10  # of the largest change of the curve with a parameter's whole size: rounding
FAR = 0.01  # of a parameter: where an undamped step would change it by more, the steps have not come to their end
GROWN = 3.0  # times its start: such a parameter has gone on, one below only lost its effect
SHOWN = 1e-3  # of the largest part of a direction: a smaller one is not told
FEW_DIGITS = 8 * EPSILON  # of the targets: residuals so small are rounding


@dataclass(frozen=True)
class CurveEnd:
    """The facts of an end.

    arrived: whether it is a minimum. at_bound: the parameters that a bound stops. undetermined: directions, by
    parameter, in which no prediction changes. endless: the direction in which the parameters go on without end while
    the loss hardly falls, by shares of theirs; empty where they do not.
    """

    arrived: bool = False
    at_bound: tuple[str, ...] = ()
    undetermined: tuple[Mapping[str, float], ...] = ()
    endless: Mapping[str, float] = field(default_factory=dict)


def end_of(objective: CurveLoss, first: System, last: System, start: Floats, w: Floats, box: Box) -> CurveEnd:
    """Return the facts of an end at ``w``, where the system is ``last``; at the start it was ``first``."""
    names = np.array(objective.curve.parameters)
    free = box.free(w, last.K.T @ last.r)
    at_bound = tuple(names[~free].tolist())
    if not free.any():
        return CurveEnd(arrived=True, at_bound=at_bound)
    own, K, size = names[free].tolist(), last.K[:, free].copy(), np.maximum(np.abs(w), np.abs(start))[free]
    nonlinear = ~np.isin(names[free], linear_in(objective.curve))
    lengths = np.sqrt(np.square(K).sum(axis=0))
    K[:, nonlinear & (lengths * np.where(size > 0, size, 1.0) <= NO_EFFECT * (lengths * np.abs(w[free])).max())] = 0.0
    svd = ScaledSVD.of(K, rank=FLAT)
    share = np.divide(-svd.solve(last.r), size, out=np.zeros_like(size), where=size > 0)
    decrement, exact = float(np.square(svd.U.T @ last.r).sum()), last.loss <= rounding(objective)
    grown, flat = np.abs(w[free]) > GROWN * np.abs(start[free]), flat_directions(svd)
    if objective.loss.endless and last.loss <= certainty(objective) and grown.any():
        return CurveEnd(False, at_bound, (), _by_name(own, np.where(grown, np.sign(w[free]), 0.0)))
    gone_on = [part for part in (direction / size for direction in flat) if grown[_counts(part)].any()]
    if gone_on and not undetermined(first):
        return CurveEnd(False, at_bound, (), _by_name(own, gone_on[0] * np.sign(w[free])))
    if (np.abs(share) > FAR).any() and (not exact or grown[np.abs(share) > FAR].any()):
        return CurveEnd(False, at_bound, (), _by_name(own, share))
    near = exact or decrement <= CLOSE * abs(last.loss) or decrement <= unseen(objective, w, last.loss)
    return CurveEnd(near, at_bound, tuple(_by_name(own, direction) for direction in flat))


def rounding(objective: CurveLoss) -> float:
    """Return what squared error comes to where the residuals are rounding; 0 of any other loss."""
    if not objective.loss.quadratic:
        return 0.0
    return FEW_DIGITS**2 * objective.target_squares() * objective.share


def undetermined(system: System) -> bool:
    """Tell whether the columns do not determine all parameters."""
    return bool(ScaledSVD.of(system.K, rank=FLAT).s.size < system.K.shape[1])


def flat_directions(svd: ScaledSVD) -> Floats:
    """Return the directions that the columns do not determine, directions x parameters, with few parameters each."""
    if svd.s.size == svd.scale.size:
        return np.empty((0, svd.scale.size))
    complement = np.linalg.svd(svd.V, full_matrices=True)[0][:, svd.s.size :]
    return _reduced((complement / svd.scale[:, None]).T)


def _reduced(directions: Floats) -> Floats:
    """Return a basis of the same space with many zeros: Gauss-Jordan elimination with the largest pivots."""
    made = directions / np.abs(directions).max(axis=1, keepdims=True)
    for row in range(len(made)):
        rest = np.abs(made[row:])
        where, column = divmod(int(rest.argmax()), rest.shape[1])
        made[[row, row + where]] = made[[row + where, row]]
        made[row] /= made[row, column]
        others = np.arange(len(made)) != row
        made[others] -= np.outer(made[others, column], made[row])
    return np.asarray(made)


def _by_name(names: list[str], direction: Floats) -> Mapping[str, float]:
    """Return the parts of a direction that count, the largest of size 1."""
    shown, kept = _counts(direction), direction / float(np.abs(direction).max())
    return {name: float(part) for name, part, told in zip(names, kept.tolist(), shown, strict=True) if told}


def _counts(direction: Floats) -> NDArray[np.bool_]:
    """Tell which parts of a direction are large enough to be told."""
    return np.asarray(np.abs(direction) > SHOWN * np.abs(direction).max())
