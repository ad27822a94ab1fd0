"""What a learning rate will do, from the curvature of the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]


def largest_stable_rate(curvature: float, momentum: float = 0.0, nesterov: bool = False) -> float:
    """Return the learning rate above which SGD grows along a direction of that curvature.

    Plain 2 / l, heavy ball 2 (1 + b) / l (Polyak 1964); Nesterov's form as PyTorch has it 2 (1 + b) / ((1 + 2 b) l),
    where z^2 - (1 + b)(1 - lr l) z + b (1 - lr l) has a root at -1.
    """
    if curvature <= 0:
        return float("inf")
    rate = 2 * (1 + momentum) / curvature
    return rate / (1 + 2 * momentum) if nesterov else rate


def best_rate(curvatures: Floats) -> float:
    """Return the rate of plain gradient descent that shrinks the slowest and the steepest direction alike.

    2 / (l_max + l_min) over the directions that change the loss (Polyak 1964); 1 where none does.
    """
    counting = curvatures[curvatures > 0]
    return 2 / float(counting[0] + counting[-1]) if counting.size else 1.0
