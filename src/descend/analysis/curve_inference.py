"""Standard errors of the parameters of a curve, at its minimum.

Squared error: least squares on the tangents, t with rows - parameters degrees of freedom (Bates and Watts 1988, section
2.4). Of several equations each has a residual variance of its own. A likelihood: the inverse of the observed
information, z (Efron and Hinkley 1978).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from descend.analysis._information import DIGITS, EPSILON, EVEN, FLAT, spread_out
from descend.analysis.inference import Inference
from descend.base.messages import Note
from descend.objectives.curve import stacked, triangle_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.curve_loss import CurveLoss

TIED = 1e-6  # of a flat direction: a parameter with a smaller part in it is determined
WHOLE = 1e-6  # how far from a whole number of degrees of freedom is rounding


@dataclass(frozen=True)
class Tangents:
    """A curve's derivative in its parameters over all rows, as far as its triangular factors tell it.

    each: the triangular factor of each output's derivative. lengths: of the derivative's columns, over all outputs.
    spread, directions: singular values (falling) and right vectors of the columns divided by their lengths.
    """

    each: tuple[Floats, ...]
    lengths: Floats
    spread: Floats
    directions: Floats

    @classmethod
    def of(cls, objective: CurveLoss, w: Floats, among: NDArray[np.bool_] | None = None) -> Tangents:
        """Return those at ``w`` in the parameters ``among`` (by default all); a row of weight k is k rows."""
        chosen = np.ones(w.size, dtype=bool) if among is None else among
        return cls.told(objective.tangents(w).triangles, chosen)

    @classmethod
    def told(cls, triangles: Sequence[Floats], among: NDArray[np.bool_]) -> Tangents:
        """Return what the triangular factors of each output's derivative tell of the parameters ``among``."""
        each = [triangle_of(triangle[:, among]) for triangle in triangles]
        triangle, count = stacked(each), int(among.sum())
        lengths = np.sqrt(np.square(triangle).sum(axis=0))
        _, spread, V = np.linalg.svd(triangle / np.where(lengths > 0, lengths, 1.0))
        return cls(tuple(each), lengths, np.pad(spread, (0, count - spread.size)), V.T)

    @property
    def rank(self) -> int:
        """In how many directions the curve moves, but for rounding."""
        return int((self.spread * FLAT > self.spread.max(initial=0.0)).sum())

    @property
    def condition(self) -> float:
        """The condition number in these directions."""
        return float(self.spread[0] / self.spread[self.rank - 1]) if self.rank else 1.0

    @property
    def flat(self) -> Floats:
        """The directions in which the curve does not move, parameters x directions, of columns of length 1."""
        return self.directions[:, self.rank :]

    @property
    def undetermined(self) -> NDArray[np.bool_]:
        """The parameters that change along a flat direction: the rows do not determine them."""
        return np.asarray((np.abs(self.flat) > TIED).any(axis=1))

    @property
    def root(self) -> Floats:
        """A root of the inverse of J'J (of its pseudo-inverse where there are flat directions), square."""
        lengths = np.where(self.lengths > 0, self.lengths, 1.0)[:, None]
        moving = np.arange(self.spread.size) < self.rank
        even = np.divide(self.directions, self.spread, out=np.zeros_like(self.directions), where=moving)
        return np.asarray(even / lengths)


def infer_curve(
    objective: CurveLoss, weights: Floats, *, at_bound: Collection[str] = (), arrived: bool
) -> Inference | Note:
    """Return the inference of a curve at its parameters (flat), or why there is none.

    at_bound: the parameters that a bound stopped: they are held there, and have no standard error (NaN). Neither have
    those that the rows do not determine. arrived: whether the parameters are at a minimum.
    """
    loss, names = objective.loss, objective.curve.parameters
    if objective.penalty.active:
        return Note("inference.penalised", {})
    if not (loss.quadratic or loss.likelihood):
        return Note("inference.loss", {"loss": loss.name})
    if not arrived or not np.isfinite(weights).all():
        return Note("inference.not-optimum", {})
    free = np.array([name not in at_bound for name in names])
    with np.errstate(all="ignore"):
        return (_least_squares if loss.quadratic else _likelihood)(objective, weights, free)


def _least_squares(objective: CurveLoss, w: Floats, free: NDArray[np.bool_]) -> Inference | Note:
    """Return that of squared error; with several outputs, each has a residual variance of its own.

    The covariance is then (J'J)^-1 J'SJ (J'J)^-1 with S these variances. An output's rows give up as many degrees of
    freedom as its part of the trace of the projection on the tangents.
    """
    sums, rows = objective.tangents(w), objective.rows
    tangents = Tangents.told(sums.triangles, free)
    if not EPSILON * tangents.condition < DIGITS:
        return Note("inference.digits", {})
    root, taken, several = tangents.root, np.array([float(tangents.rank)]), len(tangents.each) > 1
    projected = [triangle @ root for triangle in tangents.each]
    if several:
        taken = np.array([np.square(one).sum() for one in projected])
    freedom = rows - int(np.ceil(taken.max() - WHOLE))
    if freedom < 1:
        return Note("inference.no-freedom", {"rows": rows, "columns": tangents.rank})
    variances = sums.residuals / (rows - taken)
    deviations = np.sqrt(variances)
    if several:
        spread = stacked([one * own for one, own in zip(projected, deviations, strict=True)])
        root = root @ spread.T
    else:
        root = root * deviations
    return _among(free, root, tangents.undetermined, variances, freedom)


def _likelihood(objective: CurveLoss, w: Floats, free: NDArray[np.bool_]) -> Inference | Note:
    """Return that of a likelihood, by the observed information."""
    information = objective.hessian(w)[np.ix_(free, free)] / objective.share
    tangents = Tangents.of(objective, w, free)
    lengths = np.where(tangents.lengths > 0, tangents.lengths, 1.0)
    moving = tangents.directions[:, : tangents.rank] / lengths[:, None]
    values, vectors = np.linalg.eigh(moving.T @ information @ moving)
    if not tangents.rank or values[0] <= EPSILON * tangents.rank * values[-1]:
        return Note("inference.flat", {})
    if values[0] <= EVEN * values[-1]:
        return Note("inference.digits", {})
    root = np.zeros_like(information)
    root[:, : tangents.rank] = moving @ vectors / np.sqrt(values)
    return _among(free, root, tangents.undetermined, np.ones(objective.outputs), None)


def _among(
    free: NDArray[np.bool_], root: Floats, undetermined: NDArray[np.bool_], variances: Floats, freedom: int | None
) -> Inference:
    """Return the inference of all parameters, of which only some are ``free``."""
    errors = np.full((free.size, 1), np.nan)
    errors[free, 0] = np.where(undetermined, np.nan, np.sqrt(np.square(root).sum(axis=1)))
    whole = np.ascontiguousarray(spread_out(root, free))  # as a model file gives it back: products to the last bit
    return Inference(whole, variances, errors, freedom)
