"""The last steps to a minimum, where the loss no longer shows them: Gauss-Newton, at last with exact residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.base.double_double import pair, rounded, subtract
from descend.base.threads import block_rows, map_slices
from descend.formula.evaluate import evaluate_exactly
from descend.solvers._scaled_svd import ScaledSVD

if TYPE_CHECKING:
    from collections.abc import Callable

    from descend.base.typing import Floats
    from descend.objectives.curve import CurveObjective
    from descend.solvers._levenberg import Box, Searched

    Residuals = Callable[[Floats, Floats], Floats]

MOST = 100  # steps: where the curve bends much beside its residuals, each leaves a good part of the way
NEAR = 1e-3  # of the parameters: a longer step is not one of the last
SHRINKING = 0.95  # of the step before: what does not become shorter is rounding, or leads nowhere
ROUNDING = 2.0**-52  # of the parameters: the last step
RISE = 1e-9  # of the loss: more is not rounding
NEWTON_STEPS, NEWTON_HALVINGS = 50, 20
AT_WORK = 60  # arrays that exact arithmetic holds, about


def polished(problem: Searched, w: Floats, box: Box, residuals: Residuals | None = None) -> Floats:
    """Return the parameters after undamped steps that become ever shorter; ``w`` where they lead elsewhere.

    problem: the loss as a function of all parameters. residuals: gives better ones than the system's, from these and
    the parameters.
    """
    before, at = np.inf, w
    with np.errstate(all="ignore"):
        first = system = problem.system(w)
        for _ in range(MOST):
            if system is None:
                return w
            r = system.r if residuals is None else residuals(system.r, at)
            free = box.free(at, system.K.T @ r)
            if not free.any():
                break
            svd = ScaledSVD.of(system.K[:, free])
            move = np.zeros_like(w)
            move[free] = -svd.solve(r)
            there = box.clipped(at + move)
            length = float(np.linalg.norm(svd.scale * (there - at)[free]))
            length /= float(np.linalg.norm(svd.scale * at[free])) or 1.0
            if not length < min(SHRINKING * before, NEAR):
                break
            at, before, system = there, length, problem.system(there)
            if length <= ROUNDING:
                break
    if first is None or system is None or not system.loss <= first.loss + RISE * abs(first.loss):
        return w
    return at


def newton_minimum(objective: CurveObjective, w: Floats, box: Box) -> Floats:
    """Return the parameters after Newton steps with the exact Hessian that lower the loss; ``w`` where it bends down.

    They are for a valley along which the residuals bend the loss more than the slopes do: there Gauss-Newton creeps.
    """
    with np.errstate(all="ignore"):
        loss = objective.value(w)
        for _ in range(NEWTON_STEPS):
            slope, bends = objective.gradient(w), objective.hessian(w)
            free = box.free(w, slope)
            scale = np.sqrt(np.abs(np.diag(bends)[free]))
            if not free.any() or not (np.isfinite(bends).all() and scale.all()):
                break
            values, vectors = np.linalg.eigh(bends[np.ix_(free, free)] / np.outer(scale, scale))
            if values[0] <= 0:
                break
            move = np.zeros_like(w)
            move[free] = -(vectors @ ((vectors.T @ (slope[free] / scale)) / values)) / scale
            tried = (box.clipped(w + move / 2**halving) for halving in range(NEWTON_HALVINGS))
            there = next((other for other in tried if objective.value(other) < loss), None)
            if there is None:
                break
            w, loss = there, objective.value(there)
    return w


def exact_errors(objective: CurveObjective, w: Floats) -> Floats:
    """Return the linear predictor less the target (rows x outputs), computed with twice float64's digits.

    Where the difference is not finite it is that of float64.
    """
    named = dict(zip(objective.curve.parameters, w.tolist(), strict=True))

    def part(rows: slice) -> Floats:
        columns = {name: objective.X[rows, place] for place, name in enumerate(objective.curve.columns)}
        made = []
        for output, expression in enumerate(objective.curve.expressions):
            high, low = evaluate_exactly(expression, columns, named)
            y = objective.Y[rows, output]
            made.append(rounded(subtract((high + 0 * y, low + 0 * y), pair(y))))
        return np.stack(made, axis=1)

    blocks = list(map_slices(part, objective.rows, block_rows(AT_WORK)))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
