"""The last steps to a minimum of squared error: Gauss-Newton, with residuals of twice float64's digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.solvers._scaled_svd import ScaledSVD

if TYPE_CHECKING:
    from collections.abc import Callable

    from descend.base.typing import Floats
    from descend.solvers._levenberg import Box
    from descend.solvers._separable import Projection

    Exact = Callable[[Floats], Floats | None]

MOST = 100  # steps: where the curve bends much beside its residuals, each leaves a good part of the way
NEAR = 1e-3  # of the parameters: a longer step is not one of the last
SHRINKING = 0.95  # of the step before: what does not become shorter is rounding, or goes nowhere
ROUNDING = 2.0**-52  # of the parameters: the last step
RISE = 1e-9  # of the loss: more is not rounding


def polished(problem: Projection, w: Floats, box: Box, exact: Exact) -> Floats:
    """Return the parameters after steps that go on where the loss no longer shows them: they become ever shorter.

    exact: the residuals at all parameters with their rounding left out.
    """
    for residuals in (problem.plain, exact):
        w = _stepped(problem, w, box, residuals)
    return w


def _stepped(problem: Projection, w: Floats, box: Box, residuals: Exact) -> Floats:
    before, start = np.inf, w
    with np.errstate(all="ignore"):
        for _ in range(MOST):
            at, r = problem.full(w), residuals(w)
            if at is None or r is None:
                break
            free = box.free(w, at[1].T @ r)
            if not free.any():
                break
            svd = ScaledSVD.of(at[1][:, free])
            move = np.zeros_like(w)
            move[free] = -svd.solve(r)
            there = box.clipped(w + move)
            length = float(np.linalg.norm(svd.scale * (there - w)[free]))
            length /= float(np.linalg.norm(svd.scale * w[free])) or 1.0
            if not length < min(SHRINKING * before, NEAR):
                break
            w, before = there, length
            if length <= ROUNDING:
                break
        first, last = problem.plain(start), problem.plain(w)
    if first is None or last is None or last @ last > (1 + RISE) * (first @ first):
        return start
    return w
