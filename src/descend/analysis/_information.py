"""The root of a covariance: the inverse of a triangle of the rows, whose condition number is the root of C's.

x'Cx is then the squared length of x' root, a sum of squares, in which no digits cancel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.objectives.in_memory import RowsObjective

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.objectives.objective import OverRows

    Floats = NDArray[np.floating[Any]]

EVEN = 1e-7  # curvatures that differ by less give a root to nine digits
DIGITS = 1e-7  # of a length that may be rounding
FLAT = 1e12  # a condition number at which rounding alone may be what tells the columns apart
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Root:
    """``root`` (parameters x parameters) times its transpose is a covariance, of columns that, scaled to a length of 1,
    have the ``condition`` number.
    """

    root: Floats
    condition: float

    @property
    def carried(self) -> bool:
        """Whether float64 carries its digits."""
        return EPSILON * self.condition < DIGITS

    @property
    def flat(self) -> bool:
        """Whether it is that of a direction in which nothing is determined."""
        return not self.condition < FLAT


def spread_out(root: Floats, live: NDArray[np.bool_]) -> Floats:
    """Return a root of some parameters as one of all, 0 for the others."""
    if live.all():
        return root
    made = np.zeros((live.size, live.size))
    made[np.ix_(live, live)] = root
    return made


def triangle_among(triangle: Floats, live: NDArray[np.bool_]) -> Floats:
    """Return the triangle of some columns, of that of all."""
    return triangle if live.all() else np.asarray(np.linalg.qr(triangle[:, live], mode="r"))


def inverted(triangle: Floats, lengths: Floats) -> Root:
    """Return the inverse of a triangle of columns over their lengths."""
    singular = np.linalg.svd(triangle, compute_uv=False)
    if len(triangle) < len(lengths) or not singular[-1] > 0:
        return Root(np.zeros((len(lengths), len(lengths))), np.inf)
    inverse = np.linalg.solve(triangle, np.eye(len(lengths)))
    return Root(inverse / lengths[:, None], float(singular[0] / singular[-1]))


def information_root(objective: OverRows, weights: Floats, hessian: Floats, live: NDArray[np.bool_]) -> Root:
    """Return the root of the inverse of the information of a loss's ``hessian`` at ``weights`` (flat).

    It is of all parameters; of a loss that no shift of all outputs changes, of all but the first output's, which alone
    the rows determine. The Hessian's
    own digits do where it is even; else they come from the rows, where these are in memory. Columns that are not
    ``live`` have no part in it.
    """
    (columns, outputs), information = objective.shape, hessian / objective.share
    among = outputs - 1 if objective.loss.shift_invariant else outputs
    if among < outputs:
        others = np.arange(columns * outputs).reshape(columns, outputs)[:, 1:].ravel()
        information = information[np.ix_(others, others)]
    live = np.repeat(live, among)
    lengths = np.sqrt(np.maximum(np.diag(information), 0))
    if not (lengths[live] > 0).all():
        return Root(np.zeros_like(information), np.inf)
    own = lengths[live]
    values, vectors = np.linalg.eigh(information[np.ix_(live, live)] / np.outer(own, own))
    if values[0] > EVEN * values[-1]:
        root = (vectors / np.sqrt(values)) / own[:, None]
        return Root(spread_out(root, live), float(np.sqrt(values[-1] / values[0])))
    if isinstance(objective, RowsObjective):
        triangle = objective.information_triangle(weights, np.where(live, lengths, 1.0))
        found = inverted(triangle_among(triangle, live), own)
        return Root(spread_out(found.root, live), found.condition)
    rounding = EPSILON * len(values) * values[-1]
    return Root(np.zeros_like(information), 1 / EVEN**2 if values[0] > rounding else np.inf)
