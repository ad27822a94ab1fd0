"""Certificates: how far the loss of a fit can be above the least possible.

For squared error the gap is exact. The third derivative of a logistic loss along a line is at most R times the second
(Bach 2010, self-concordance), so within a distance r of the fit, in the norm of the Hessian there, curvatures are at
least e^(-R r) times those at the fit. Let v = (g'H^-1 g)^(1/2) be the Newton decrement. If r e^(-R r) >= 2 v for some
r, the optimum is within r of the fit, and the loss at most e^(R r) v^2 / 2 above the least. R is the largest change of
a row's logit, or of the difference of two classes' logits, by a step of length 1 in that norm.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from descend.analysis._information import information_root

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.objective import OverRows, RowsLoss
    from descend.solvers.search import Search

FLAT = 1e-12  # of the largest eigenvalue of a penalised Hessian: below it a direction has no curvature
SOLID = 1e-10  # of the largest eigenvalue of a Hessian with a diagonal of 1: what is more is no rounding
Certainty = Literal["exact", "bound", "none", "minimum"]
CERTAINTIES: tuple[Certainty, ...] = get_args(Certainty)


@dataclass(frozen=True)
class Certificate:
    """The excess of the loss over the least possible.

    ``gap`` is the excess itself (``kind`` "exact"), an upper bound of it ("bound"), or None where nothing is known
    ("none"). ``slope`` is the gradient's norm. Of a curve it is shown at most that this is a minimum ("minimum"), of
    which there may be others: the search went down from ``starts`` starts, of which ``reached`` led to it.
    """

    kind: Certainty
    gap: float | None
    slope: float
    starts: int | None = None
    reached: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return what is known, as a model's file keeps it."""
        return {name: value for name, value in asdict(self).items() if value is not None or name == "gap"}


def certify(
    objective: OverRows,
    weights: Floats,
    gap: float | None,
    hessian: Floats | None,
    slope: float | None = None,
    *,
    live: NDArray[np.bool_] | None = None,
) -> Certificate:
    """Return the certificate of ``weights`` (flat).

    gap: the exact excess, where it is known. hessian: that at the weights, where it was computed.
    slope: the gradient's norm; with it and a gap, the rows are not read.
    live: the columns that are not 0 in every row, by default all.
    """
    exact = gap is not None and np.isfinite(gap)
    if gap is not None and exact and slope is not None:
        return Certificate("exact", max(gap, 0.0), slope)
    gradient = objective.gradient(weights)
    with np.errstate(over="ignore"):
        slope = float(np.linalg.norm(gradient))
    if gap is not None and exact:
        return Certificate("exact", max(gap, 0.0), slope)
    if hessian is None or objective.loss.concordance is None or not np.isfinite(slope):
        return Certificate("none", None, slope)
    root = _penalised_root(objective, hessian) if objective.penalty.active else _root(objective, weights, hessian, live)
    if root is None:  # a direction without curvature: no minimum, or more than one
        return Certificate("none", None, slope)
    decrement = float(np.linalg.norm(root.T @ gradient))
    longest = objective.loss.concordance * _longest(objective, root)
    reach = _reach(decrement, longest)
    if reach is None:
        return Certificate("none", None, slope)
    return Certificate("bound", float(np.exp(longest * reach) * decrement**2 / 2), slope)


def certify_minimum(hessian: Floats | None, slope: float, search: Search | None) -> Certificate:
    """Return the certificate of a curve's parameters: whether the curvature is positive in all directions.

    hessian: the second derivative in the parameters that no bound holds; None where it was not computed, or where the
    gradient has not vanished. slope: the gradient's norm. search: how the minimum was searched for.
    """
    starts, reached = (None, None) if search is None else (search.starts, search.reached)
    if hessian is None or not np.isfinite(hessian).all() or not (np.diag(hessian) > 0).all():
        return Certificate("none", None, slope)
    lengths = np.sqrt(np.diag(hessian))
    values = np.linalg.eigvalsh(hessian / np.outer(lengths, lengths))
    if not values.min(initial=1.0) > SOLID * values.max(initial=1.0):
        return Certificate("none", None, slope)
    return Certificate("minimum", None, slope, starts, reached)


def _root(objective: OverRows, weights: Floats, hessian: Floats, live: NDArray[np.bool_] | None) -> Floats | None:
    """Return a root of the inverse Hessian, parameters x directions; None where rounding leaves one undetermined.

    Of several classes the first one's weights are held fixed, for adding a number to all classes changes nothing.
    """
    columns, outputs = objective.shape
    found = information_root(objective, weights, hessian, np.ones(columns, bool) if live is None else live)
    if not found.carried:
        return None
    root: Floats = found.root / np.sqrt(objective.share)
    if not objective.loss.shift_invariant:
        return root
    return np.asarray(np.insert(root.reshape(columns, outputs - 1, -1), 0, 0.0, axis=1).reshape(columns * outputs, -1))


def _penalised_root(objective: RowsLoss, hessian: Floats) -> Floats | None:
    """Return the same of a penalised loss, which curves along all directions but the shifts of unpenalised columns."""
    values, vectors = np.linalg.eigh(hessian)
    solid = values > FLAT * values[-1]
    shifts = int(objective.penalty.free.sum()) if objective.loss.shift_invariant else 0
    return np.asarray(vectors[:, solid] / np.sqrt(values[solid])) if (~solid).sum() <= shifts else None


def _longest(objective: OverRows, root: Floats) -> float:
    """Return R: the length of the longest row in the norm of H^-1; for classes the sum of the two largest bounds it."""
    columns, outputs = objective.shape
    blocks = root.reshape(columns, outputs, -1)
    if objective.loss.shift_invariant:
        blocks = blocks - blocks.mean(axis=1, keepdims=True)  # what moves all classes alike moves none apart
    lengths = [objective.longest_row(blocks[:, output]) for output in range(outputs)]
    return float(np.sort(lengths)[-2:].sum())


def _reach(decrement: float, longest: float) -> float | None:
    """Return the least r with r e^(-R r) >= 2 v, None where there is none; the left side is highest at r = 1 / R."""
    if decrement == 0 or longest == 0:
        return 0.0
    low, high = 0.0, 1 / longest
    if high * np.exp(-1) < 2 * decrement:
        return None
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if middle * np.exp(-longest * middle) >= 2 * decrement else (middle, high)
    return high
