"""A better step than Newton's, from a sample of the rows that stays in memory.

Used where each reading of all rows is expensive and gives the Hessian along with the gradient. The loss over the sample
is corrected by a quadratic, so that the sum has the gradient and the Hessian of all rows at the current point; the step
leads to the minimum of this surrogate. Surrogates that match the gradient alone are those of Shamir, Srebro and Zhang
(2014) and Jordan, Lee and Yang (2019); here the Hessian is matched as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from descend.solvers._direction import pseudo_inverse

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.objectives.objective import OverRows

NEWTON_STEPS = 6  # at most: Newton's method converges quadratically at once here, or the sample is of no use
CLOSE = 1e-6  # of the first decrement: the sample's own difference from all rows is larger


@dataclass(frozen=True)
class _Surrogate:
    """The loss over ``sample`` plus (d'C d / 2 + c'd) with d = w - ``center``, c ``pull`` and C ``bend``."""

    sample: OverRows
    center: Floats
    pull: Floats
    bend: Floats

    def gradient(self, w: Floats) -> Floats:
        """Return the derivative at ``w``."""
        return self.sample.gradient(w) + self.pull + self.bend @ (w - self.center)

    def hessian(self, w: Floats) -> Floats:
        """Return the second derivative at ``w``."""
        return self.sample.hessian(w) + self.bend


def surrogate_step(objective: OverRows, sample: OverRows, w: Floats, g: Floats, step: Floats) -> Floats:
    """Return the step from ``w`` to the minimum of the surrogate, or Newton's ``step`` where that cannot be trusted.

    Newton's step ignores the third derivative; the surrogate has that of the sample, which is nearly that of all rows.
    g: the gradient of all rows at ``w``.
    The surrogate is minimised by Newton's method. Its step is not trusted where that does not converge, or where the
    descent g's is not between half and twice that of Newton's step.
    """
    slope = float(g @ step)
    surrogate = _Surrogate(sample, w, g - sample.gradient(w), objective.hessian(w) - sample.hessian(w))
    there, decrement = w + step, -slope
    for _ in range(NEWTON_STEPS):
        pull = surrogate.gradient(there)
        more = -(pseudo_inverse(surrogate.hessian(there)).matrix @ pull)
        before, decrement = decrement, -float(pull @ more)
        if not 0 <= decrement < before:
            break
        there = there + more
        if decrement <= CLOSE * -slope:
            better = there - w
            return better if 2 * slope < float(g @ better) < slope / 2 else step
    return step
