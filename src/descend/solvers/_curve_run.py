"""A run from a start of an equation to the minimum beside it, recorded step by step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from descend.formula.separable import linear_in
from descend.solvers._any_loss import AnyLoss, descend_any_loss, sharpest
from descend.solvers._corners import has_corners, kink_minimum
from descend.solvers._curve_end import FLAT, CurveEnd, end_of, flat_directions, rounding, undetermined
from descend.solvers._levenberg import STEPS, Box, CurveDescent, descend_curve
from descend.solvers._polish import exact_errors, newton_minimum, polished
from descend.solvers._recorder import StepRecorder
from descend.solvers._scaled_svd import ScaledSVD, lengths
from descend.solvers._separable import Projection

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.curve import CurveObjective
    from descend.solvers._levenberg import Note, Searched
    from descend.solvers._separable import System
    from descend.solvers.history import Stop

EXACT_ELEMENTS = 200_000  # rows times outputs: of more, exact residuals would take seconds
LOOKS = 6  # at other parameters, to see whether an equation has too many
ESCAPES, ASIDE, STEPS_ASIDE = 3, 0.1, 60  # from a saddle: how often at most, how far (of the parameters), for how long
HESSIAN_CELLS = 20_000_000  # rows times outputs times squared parameters: a Hessian of fewer takes less than a second
BENT = 1e-10  # of the largest curvature: one so far below 0 is not rounding
SAME = 1e-9  # of the loss: minima so close are as low
LOWER = 1e-8  # of the loss: what is lower by more is lower


@dataclass(frozen=True)
class CurveRun:
    """A run from a start to a minimum within a box, recorded step by step."""

    objective: CurveObjective
    box: Box
    recorder: StepRecorder

    def go(self, start: Floats, origin: Floats | None = None) -> tuple[Floats, float, CurveEnd, Stop]:
        """Go from ``start`` (all parameters) to a minimum; return it, its loss, what is known of it and the stop.

        origin: where the way to ``start`` began, if not there; what is known of the end is by the whole way.
        """
        if not len(self.recorder):
            value, gradient = self.objective.value_and_gradient(start)
            self.recorder.step(start, value, gradient)
        start = start if origin is None else origin
        first = self.whole.system(start)
        if first is None:
            return start, self.objective.value(start), CurveEnd(), "stalled"
        solved = not self._redundant(start, first)
        w, facts, stop = self._ended(self.recorder.last, start, first, solved=solved)
        if solved and self.objective.loss.quadratic and self._linear and not facts.arrived:
            other, _ = replace(self, recorder=StepRecorder())._down(start, solved=False)
            if self.objective.value(other) < (1 - LOWER) * self.objective.value(w):
                w, facts, stop = self._ended(start, start, first, solved=False)
        return w, self.objective.value(w), facts, stop

    def _ended(self, w: Floats, start: Floats, first: System, *, solved: bool) -> tuple[Floats, CurveEnd, Stop]:
        """Go from ``w`` to a minimum; return it, what is known of it and the stop."""
        w, spent = self._down(w, solved=solved)
        last = self._system(w)
        for _ in range(ESCAPES if solved else 0):
            lower = self._lower(w, last)
            if lower is None:
                break
            w, spent = self._down(lower, solved=True)
            last = self._system(w)
        w = self._as_signed(w, start)
        last = self._system(w)
        self._note(np.arange(w.size), self.whole)(w, last._replace(loss=self.objective.value(w)))
        facts = end_of(self.objective, first, last, start, w, self.box)
        if not facts.arrived and has_corners(self.objective.curve) and not self.objective.loss.cornered:
            w, facts = self._settled(w, facts)
        return w, facts, "optimum" if facts.arrived else "epochs" if spent else "stalled"

    def _settled(self, w: Floats, facts: CurveEnd) -> tuple[Floats, CurveEnd]:
        """Return the minimum beside ``w`` of an equation with corners, and what is known of it."""
        problem, places = self._problem(solved=True)
        at, shown = kink_minimum(problem, w[places], self.box.at(places), self._note(places, problem))
        system = problem.system(at)
        if not shown or system is None:
            return w, facts
        return problem.parameters(at, system.linear), replace(facts, arrived=True, endless={})

    def _problem(self, *, solved: bool) -> tuple[Searched, NDArray[np.intp]]:
        """Return the loss as a function of what is searched for, and the places of that among the parameters.

        solved: whether the linear parameters that have no bounds are solved for, where the loss allows it.
        """
        if not self.objective.loss.quadratic:
            return AnyLoss(self.objective), np.arange(self.objective.shape[0])
        problem = Projection(self.objective, self._linear if solved else ())
        return problem, problem.searched

    def _system(self, w: Floats) -> System:
        """Return the system at an end; of a loss with corners, of the smooth one whose minimum was found last."""
        objective = self.objective
        if objective.loss.cornered:
            objective = objective.under(sharpest(objective, w))
        found = replace(self, objective=objective).whole.system(w)
        assert found is not None
        return found

    @property
    def whole(self) -> Searched:
        """The loss as a function of all parameters."""
        return Projection(self.objective) if self.objective.loss.quadratic else AnyLoss(self.objective)

    def tried(self, w: Floats, origin: Floats, steps: int) -> tuple[Floats, float, bool]:
        """Go down from ``w`` for at most so many steps, without a polish; return the end, its loss and if it is one.

        origin: where the way to ``w`` began.
        """
        found = self._descended(w, solved=True, steps=steps)
        if found.stop == "undefined":
            return w, np.inf, False
        first = self.whole.system(origin)
        if not np.isfinite(found.loss) or first is None or found.stop != "still":
            return found.w, found.loss, False
        end = end_of(self.objective, first, self._system(found.w), origin, found.w, self.box)
        return found.w, found.loss, end.arrived

    def _descended(self, w: Floats, *, solved: bool, steps: int = STEPS) -> CurveDescent:
        """Go down from ``w``.

        solved: whether the linear parameters that have no bounds are solved for.
        """
        if not self.objective.loss.quadratic:
            note = self._note(np.arange(w.size), self.whole)
            return descend_any_loss(self.objective, w, self.box, steps=steps, note=note)
        problem, places = self._problem(solved=solved)
        note, floor = self._note(places, problem), rounding(self.objective)
        return descend_curve(problem, w[places], self.box.at(places), steps=steps, floor=floor, note=note)

    def _down(self, w: Floats, *, solved: bool) -> tuple[Floats, bool]:
        """Go down from ``w`` to a minimum; return it, and whether the steps were spent before."""
        found = self._descended(w, solved=solved)
        w, spent = found.w if np.isfinite(found.w).all() else w, found.stop == "spent"
        if spent and not self.objective.loss.cornered and self._bends_are_cheap:
            w = newton_minimum(self.objective, w, self.box)
        return self._polished(w), spent

    def _polished(self, w: Floats) -> Floats:
        if self.objective.loss.cornered and sharpest(self.objective, w) != self.objective.loss:
            return w
        w = polished(self.whole, w, self.box)
        exact = self.objective.loss.quadratic and self.objective.Y.size <= EXACT_ELEMENTS
        return polished(self.whole, w, self.box, self._exact) if exact else w

    @property
    def _linear(self) -> tuple[str, ...]:
        names = zip(self.objective.curve.parameters, self.box.open, strict=True)
        unbounded = {name for name, unbounded in names if unbounded}
        return tuple(name for name in linear_in(self.objective.curve) if name in unbounded)

    def _redundant(self, w: Floats, first: System) -> bool:
        """Tell whether the equation has more parameters than it can use, at ``w`` and wherever it is looked at.

        None of them is then solved for: all steps are of least length, and so, about, is the change from the start.
        """
        if not undetermined(first):
            return False
        random = np.random.default_rng(0)
        w = np.where(w == 0, 1.0, w)
        elsewhere = (self.box.clipped(w * 10 ** random.uniform(-2, 2, w.size)) for _ in range(LOOKS))
        return all(system is None or undetermined(system) for system in map(self.whole.system, elsewhere))

    def _lower(self, w: Floats, last: System) -> Floats | None:
        """Return parameters of a lower loss beside ``w``, a saddle (where two terms are the same) or a maximum."""
        if last.loss <= rounding(self.objective) or self.objective.loss.cornered:
            return None
        problem, places = self._problem(solved=True)
        for direction in (*flat_directions(ScaledSVD.of(last.K, rank=FLAT)), *self._downward(w, last)):
            parts = np.divide(np.abs(direction), np.abs(w), out=np.abs(direction), where=w != 0)
            for side in (ASIDE, -ASIDE):
                there = self.box.clipped(w + direction * side / parts.max())
                found = descend_curve(problem, there[places], self.box.at(places), steps=STEPS_ASIDE)
                if found.loss < (1 - LOWER) * last.loss:
                    return found.w
        return None

    def _downward(self, w: Floats, last: System) -> Floats:
        """Return the directions, in rows, in which the loss bends down; none of a table whose Hessian takes long."""
        free = self.box.free(w, last.K.T @ last.r)
        if not free.any() or not self._bends_are_cheap:
            return np.empty((0, w.size))
        scale = lengths(last.K[:, free])
        bends = self.objective.hessian(w)[np.ix_(free, free)] / np.outer(scale, scale)
        if not np.isfinite(bends).all():
            return np.empty((0, w.size))
        values, vectors = np.linalg.eigh(bends)
        down = values < -BENT * np.abs(values).max()
        made = np.zeros((int(down.sum()), w.size))
        made[:, free] = (vectors[:, down] / scale[:, None]).T
        return made

    @property
    def _bends_are_cheap(self) -> bool:
        return self.objective.Y.size * self.objective.shape[0] ** 2 <= HESSIAN_CELLS

    def _as_signed(self, w: Floats, start: Floats) -> Floats:
        """Return a minimum as low with the signs of ``start``: of a width that is squared either sign will do."""
        if not self.objective.loss.quadratic:
            return w
        problem, loss = Projection(self.objective, self._linear), self.objective.value(w)
        for place in problem.searched[(w * start)[problem.searched] < 0]:
            other = w.copy()
            other[place] *= -1
            system = problem.system(self.box.clipped(other)[problem.searched])
            if system is not None and abs(system.loss - loss) <= SAME * loss:
                w = self._polished(problem.parameters(other[problem.searched], system.linear))
        return w

    def _note(self, places: NDArray[np.intp], problem: Searched) -> Note:
        """Return what records each step, but the start again."""

        def note(nonlinear: Floats, system: System) -> None:
            w = problem.parameters(nonlinear, system.linear)
            if np.array_equal(w, self.recorder.last):
                return
            slope = 2 * (system.K.T @ system.r)
            gradient = np.zeros(w.size)
            gradient[places] = np.where(self.box.at(places).free(nonlinear, slope), slope, 0.0)
            self.recorder.step(w, system.loss, gradient)

        return note

    def _exact(self, r: Floats, w: Floats) -> Floats:
        """Return the residuals ``r`` without rounding."""
        better = Projection(self.objective).weighed(exact_errors(self.objective, w), w)
        return np.where(np.isfinite(better), better, r)
