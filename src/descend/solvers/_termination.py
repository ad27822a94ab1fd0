"""When a descent ends, and whether it has ended at a minimum.

Both are decided by the Newton decrement g'H^-1 g / 2, which near a minimum is the excess of the loss over it (Boyd and
Vandenberghe 2004, section 9.5). It does not depend on the units of columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from descend.solvers._line_search import EPSILON

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.objectives.curve_loss import CurveLoss
    from descend.objectives.objective import RowsLoss
    from descend.solvers._line_search import Point

Outcome = Literal["arrived", "stalled", "spent"]
CLOSE = 1e-9  # of the loss: a decrement that is still a minimum's where no step goes down; an optimum claims 1e-8
LAST_DIGITS = 8 * EPSILON  # of the parameters: what rounding in the products X w comes to


@dataclass
class Ending:
    """The rule that ends a descent: the decrement is at most ``enough``, or a ``share`` of the loss, or rounding.

    ``before`` is the decrement of the last step, infinite before the first.
    """

    enough: float
    share: float = 0.0
    before: float = float("inf")

    def arrived(self, decrement: float, value: float) -> bool:
        """Tell whether a decrement is small enough, or below rounding and no longer falling; False for nan."""
        near = decrement <= max(self.enough, self.share * abs(value))
        return near or (self.below_rounding(decrement, value) and decrement >= self.before)

    def below_rounding(self, decrement: float, value: float) -> bool:
        """Tell whether the decrement is too small to be seen in the loss; the gradient may still show it."""
        return decrement <= EPSILON * abs(value)

    def halved(self, decrement: float) -> bool:
        """Tell whether the last step has at least halved the decrement, as steps of a right Hessian do."""
        return decrement <= self.before / 2

    def note(self, decrement: float) -> None:
        """Take down the decrement that a step was made from."""
        self.before = decrement

    def reset(self) -> None:
        """Take the next decrement as the first one: it is of another Hessian."""
        self.before = float("inf")


def outcome(objective: RowsLoss, point: Point, decrement: float) -> Outcome:
    """Return whether a point from which no step goes down is a minimum ("arrived") or not ("stalled").

    It is one where the decrement is next to nothing beside the loss, or beside the change of the loss with the last
    digits of the parameters: where rows are fitted exactly, only that is left.
    """
    if not np.isfinite(decrement) or not np.isfinite(point.value):
        return "stalled"
    if decrement <= CLOSE * abs(point.value) or decrement <= unseen(objective, point.w, point.value):
        return "arrived"
    return "stalled"


def unseen(objective: RowsLoss | CurveLoss, w: Floats, value: float) -> float:
    """Return by how much the loss changes with the last digits of the parameters, whose signs alternate."""
    signs = np.where(np.arange(w.size) % 2, -1.0, 1.0)
    return abs(objective.value(w * (1 + LAST_DIGITS * signs)) - value)
