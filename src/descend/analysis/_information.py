"""A root R of a covariance C = R R', which comes from a triangular factor of the rows.

The condition number of R is the root of that of C, and x'Cx is the squared length of R'x: a sum of squares, in which no
digits cancel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from descend.objectives.in_memory import RowsObjective

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.objective import OverRows

EVEN = 1e-7  # the least ratio of the smallest to the largest curvature that gives a root to nine digits
DIGITS = 1e-7  # the share of a length that may be rounding
FLAT = 1e12  # a condition number at which the columns may differ by rounding alone
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Root:
    """A matrix (parameters x parameters) whose product with its transpose is a covariance.

    ``condition`` is the condition number of the columns that it is of, scaled to a length of 1.
    """

    root: Floats
    condition: float

    @property
    def carried(self) -> bool:
        """Whether float64 gives enough of its digits."""
        return EPSILON * self.condition < DIGITS

    @property
    def flat(self) -> bool:
        """Whether the rows leave a direction undetermined."""
        return not self.condition < FLAT


def spread_out(root: Floats, live: NDArray[np.bool_]) -> Floats:
    """Return the root of the ``live`` parameters as one of all parameters, 0 for the others."""
    if live.all():
        return root
    made = np.zeros((live.size, live.size))
    made[np.ix_(live, live)] = root
    return made


def triangle_among(triangle: Floats, live: NDArray[np.bool_]) -> Floats:
    """Return the triangular factor of the ``live`` columns from that of all columns."""
    return triangle if live.all() else np.asarray(np.linalg.qr(triangle[:, live], mode="r"))


def inverted(triangle: Floats, lengths: Floats) -> Root:
    """Return the inverse of the triangular factor of columns that were divided by ``lengths``."""
    singular = np.linalg.svd(triangle, compute_uv=False)
    if len(triangle) < len(lengths) or not singular[-1] > 0:
        return Root(np.zeros((len(lengths), len(lengths))), np.inf)
    inverse = np.linalg.solve(triangle, np.eye(len(lengths)))
    return Root(inverse / lengths[:, None], float(singular[0] / singular[-1]))


def information_root(objective: OverRows, weights: Floats, hessian: Floats, live: NDArray[np.bool_]) -> Root:
    """Return the root of the inverse information, from a loss's ``hessian`` at ``weights`` (flat).

    It is of all parameters; of a ``shift_invariant`` loss, of those of all outputs but the first, relative to it.
    A well-conditioned Hessian gives the root itself; else a QR factorisation of the rows does, where these are in
    memory. Columns that are not ``live`` have no part in it.
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
