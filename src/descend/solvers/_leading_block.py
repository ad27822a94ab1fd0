"""Steps that a few rows lead: where a reading of all rows is dear and brings the Hessian with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from descend.solvers._direction import inverse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from descend.objectives.objective import OverRows

    Floats = NDArray[np.floating[Any]]

STEPS = 6  # at most: Newton's converge at once or not at all
CLOSE = 1e-6  # of the first decrement: the few rows' own difference from all is larger


@dataclass(frozen=True)
class _Corrected:
    """The loss over a few rows, corrected to have the gradient and the Hessian of all rows at ``w``."""

    rows: OverRows
    w: Floats
    pull: Floats
    bend: Floats

    def gradient(self, w: Floats) -> Floats:
        """Return the derivative at ``w``."""
        return self.rows.gradient(w) + self.pull + self.bend @ (w - self.w)

    def hessian(self, w: Floats) -> Floats:
        """Return the second derivative at ``w``."""
        return self.rows.hessian(w) + self.bend


def led(objective: OverRows, few: OverRows, w: Floats, g: Floats, step: Floats) -> Floats:
    """Return a better step than Newton's where a few rows can tell of one.

    Newton's leaves out the third derivative. A few rows' is nearly that of all: so the step leads to the minimum of
    their loss, corrected to agree with that of all rows as far as the second. Newton's where that is not sound.
    """
    slope = float(g @ step)
    near = _Corrected(few, w, g - few.gradient(w), objective.hessian(w) - few.hessian(w))
    there, decrement = w + step, -slope
    for _ in range(STEPS):
        pull = near.gradient(there)
        more = -(inverse(near.hessian(there)).matrix @ pull)
        before, decrement = decrement, -float(pull @ more)
        if not 0 <= decrement < before:
            break
        there = there + more
        if decrement <= CLOSE * -slope:
            better = there - w
            return better if 2 * slope < float(g @ better) < slope / 2 else step
    return step
