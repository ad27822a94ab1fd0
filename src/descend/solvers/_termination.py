"""When a descent has arrived, and what it comes to where it goes no further.

Everything is measured by the Newton decrement g'H^-1 g / 2, which near the minimum is what the loss is above it: it is
the same in columns and targets of any unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.objectives.objective import OverRows
    from descend.solvers._line_search import Point

    Floats = NDArray[np.floating[Any]]

Outcome = Literal["arrived", "stalled", "spent"]
TINY = float(np.finfo(np.float64).eps)
CLOSE = 1e-9  # of the loss: what may be left where no step lowers it; an optimum is claimed to 1e-8
LAST_DIGITS = 8 * TINY  # of the parameters: what rounding in X w comes to


@dataclass
class Ending:
    """Watches the decrement: arrived is who has it down to ``enough`` or a ``share`` of the loss, or to rounding."""

    enough: float
    share: float = 0.0
    before: float = float("inf")

    def arrived(self, decrement: float, value: float) -> bool:
        """Tell whether a decrement is small enough; not of one that is not a number."""
        near = decrement <= max(self.enough, self.share * abs(value))
        return near or (self.settling(decrement, value) and decrement >= self.before)

    def settling(self, decrement: float, value: float) -> bool:
        """Tell whether the loss does not show the decrement any more; the gradient may still."""
        return decrement <= TINY * abs(value)

    def halved(self, decrement: float) -> bool:
        """Tell whether the last step was as good as those of a right curvature are."""
        return decrement <= self.before / 2

    def passed(self, decrement: float) -> None:
        """Take down the decrement that a step was made from."""
        self.before = decrement

    def forget(self) -> None:
        """Take the next decrement as the first: it is measured anew."""
        self.before = float("inf")


def outcome(objective: OverRows, point: Point, decrement: float) -> Outcome:
    """Return whether a point that no step leads down from is the minimum as far as can be seen.

    It is where the decrement is next to nothing beside the loss, or beside what the last digits of the parameters
    change of it: of rows that are fitted exactly nothing but rounding is left.
    """
    if not np.isfinite(decrement) or not np.isfinite(point.value):
        return "stalled"
    if decrement <= CLOSE * abs(point.value) or decrement <= unseen(objective, point.w, point.value):
        return "arrived"
    return "stalled"


def unseen(objective: OverRows, w: Floats, value: float) -> float:
    """Return by how much the loss changes with the last digits of the parameters."""
    signs = np.where(np.arange(w.size) % 2, -1.0, 1.0)
    return abs(objective.value(w * (1 + LAST_DIGITS * signs)) - value)
