"""The loss of an equation over rows in parts, wherever these are: what is asked of it is the sum of the parts' answers.

A part's ``DesignRows`` are held by another process, read from their file again for every question, or lie in a file of
their own. The equation travels with the question, so the parts answer for any equation in the same columns.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast

import numpy as np

from descend.base.reductions import total_of
from descend.objectives.curve import CurveObjective, joined_tangents, stacked
from descend.objectives.curve_loss import CurveLoss, TangentSums
from descend.objectives.penalties import L2
from descend.objectives.spilled import batches_of_blocks, blocks_in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.formula.ast import Curve
    from descend.objectives.losses import Loss
    from descend.objectives.penalties import Penalty
    from descend.objectives.rows import DesignRows
    from descend.objectives.spilled import SpilledRows
    from descend.tables.executors import Holding

Answer = TypeVar("Answer")

REMEMBERED = 4  # answers: a solver ends at one of its last points, where the certificate and the errors are asked for


class _End(NamedTuple):
    """What is asked where a run ends: sums over the rows, and triangular factors of them."""

    hessian: Floats
    triangle: Floats
    tangents: TangentSums


def _end_of(objective: CurveObjective, w: Floats) -> _End:
    tangents = objective.tangents(w)
    if objective.loss.quadratic:
        triangle = np.asarray(stacked(tangents.triangles) * np.sqrt(2.0))  # the square's second derivative
    else:
        triangle = objective.triangle(w)
    return _End(objective.hessian(w), triangle, tangents)


@dataclass(frozen=True)
class CurveQuestion(Generic[Answer]):
    """A question about the loss of an equation over a part's rows."""

    curve: Curve
    loss: Loss
    question: Callable[[CurveObjective], Answer]

    def __call__(self, rows: DesignRows) -> Answer:
        """Return a part's answer."""
        nothing = L2(0.0, np.ones(len(self.curve.parameters)))
        return self.question(CurveObjective(rows, self.curve, self.loss, nothing, part=True))


@dataclass(frozen=True)
class CurvePartsObjective(CurveLoss):
    """loss(f(x; parameters), Y) over the rows of all parts, plus a ``penalty`` on the parameters.

    ``targets`` is how many targets Y has, ``rows`` how many rows all parts have, ``at_hand`` the loss over
    some of them, drawn at random, that are in memory. The last answers are remembered: they
    may have cost a reading of a file.
    """

    holding: Holding
    curve: Curve
    loss: Loss
    penalty: Penalty
    targets: int
    rows: int
    at_hand: CurveObjective
    known: deque[tuple[str, Floats, Any]] = field(
        default_factory=lambda: deque(maxlen=REMEMBERED), init=False, compare=False, repr=False
    )

    def value(self, w: Floats) -> float:
        """Return the loss at ``w``; not finite where it overflows or is not defined."""
        for kind in ("gauss_newton", "value_and_gradient"):
            if (found := self._seen(kind, w)) is not None:
                return self._whole(found[0], w)
        return self._whole(self._total("value", CurveObjective.value, w)[0], w)

    def value_and_gradient(self, w: Floats) -> tuple[float, Floats]:
        """Return the loss and its derivative from one reading of the rows."""
        found = self._seen("gauss_newton", w)
        if found is None:
            found = self._total("value_and_gradient", CurveObjective.value_and_gradient, w)
        return self._whole(found[0], w), self._slope(found[1], w)

    def gauss_newton(self, w: Floats) -> tuple[float, Floats, Floats]:
        """Return the loss, its derivative, and J'CJ with C the loss's curvature."""
        value, slope, curvature = self._total("gauss_newton", CurveObjective.gauss_newton, w)
        return self._whole(value, w), self._slope(slope, w), self._bent(curvature)

    def hessian(self, w: Floats) -> Floats:
        """Return the second derivative at ``w``, parameters x parameters."""
        return self._bent(self._end(w).hessian)

    def triangle(self, w: Floats) -> Floats:
        """Return R with R'R the sum over the rows of J'CJ, from the parts' own."""
        return self._end(w).triangle

    def tangents(self, w: Floats) -> TangentSums:
        """Return the triangular factors of the derivative, and the sums of squares, from the parts' own."""
        return self._end(w).tangents

    def target_squares(self) -> float:
        """Return the sum of the squared targets."""
        for kind, _, found in self.known:
            if kind == "end":
                return float(found.tangents.targets.sum())
        return float(self.holding.total(CurveQuestion(self.curve, self.loss, CurveObjective.target_squares))[0])

    def _end(self, w: Floats) -> _End:
        """Return what is asked where a run ends, all of it from one reading, remembered or asked for."""
        found = self._seen("end", w)
        if found is None:
            parts = list(self._ask(partial(_end_of, w=w)))
            tangents = joined_tangents([part.tangents for part in parts])
            triangle, (hessian,) = stacked([part.triangle for part in parts]), total_of(part.hessian for part in parts)
            found = self._note("end", w, _End(hessian, triangle, tangents))
        return cast("_End", found)

    def _seen(self, kind: str, w: Floats) -> Any:
        """Return what is remembered of a kind at ``w``, None where nothing is."""
        for known, at, found in self.known:
            if known == kind and np.array_equal(at, w):
                return found
        return None

    def _note(self, kind: str, w: Floats, found: Any) -> Any:
        self.known.append((kind, w.copy(), found))
        return found

    def _total(self, kind: str, question: Callable[..., Any], w: Floats) -> Any:
        """Return the sums of the parts' answers at ``w``, remembered or asked for."""
        found = self._seen(kind, w)
        if found is None:
            asked = CurveQuestion(self.curve, self.loss, partial(question, w=w))
            found = self._note(kind, w, self.holding.total(asked))
        return found

    def _ask(self, question: Callable[[CurveObjective], Answer]) -> Iterator[Answer]:
        return self.holding.ask(CurveQuestion(self.curve, self.loss, question))


@dataclass(frozen=True)
class SpilledCurve(CurvePartsObjective):
    """The same over rows in a file, which can be taken in batches."""

    holding: SpilledRows

    def shuffled(self, random: np.random.Generator) -> tuple[NDArray[np.int64], int]:
        """Return blocks of rows in an order drawn at random, and a seed for the order in which their rows are taken."""
        return blocks_in_order(self.holding.spill.data, random)

    def batches(self, size: int, order: Any, *, drop_last: bool = False) -> Iterator[CurveObjective]:
        """Yield the objective of each ``size`` rows of the shuffled blocks, many blocks being gathered at a time."""
        spill = self.holding.spill
        for rows in batches_of_blocks(spill.data, order, size, spill.reading, drop_last=drop_last):
            yield CurveObjective(rows, self.curve, self.loss, self.penalty)


CurveOverRows = CurveObjective | CurvePartsObjective  # each has the loss over rows in memory ``at_hand``
