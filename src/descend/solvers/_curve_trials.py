"""The minima of an equation that drawn starts lead to, each gone down to its end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from descend.formula.exchange import exchangeable
from descend.formula.separable import linear_in
from descend.solvers._curve_end import rounding
from descend.solvers._curve_roles import Roles
from descend.solvers._curve_run import CurveRun
from descend.solvers._curve_starts import drawn_starts
from descend.solvers._recorder import StepRecorder
from descend.solvers.search import OtherMinimum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.curve import CurveObjective
    from descend.solvers._levenberg import Box

TRIED = 5  # of the ends that draws led to
SHIFT = 1e-9  # of the largest prediction: rounding of a wave far from its beginning
BESIDE = (1e-9, 1e-6, 1e-3)  # of a parameter
STEPS = 60  # of each trial
ALIKE = 1e-7  # of the loss: minima that differ by less are one
CHANCE = 10.0  # rows times the logarithm of a ratio of losses: what is less, chance does


@dataclass(frozen=True)
class TriedStart:
    """An end, its loss on the rows of the search, a draw that led there, how many did, and whether it is a minimum."""

    w: Floats
    loss: float
    origin: Floats
    reached: int
    arrived: bool


@dataclass(frozen=True)
class TriedStarts:
    """The minima that were found, the best first.

    objective: the loss on the rows of the search, within a box. whole: whether these are all rows. first: where a run
    to the best one begins. refined, drawn: from how many draws the search went down, and from how many these were
    chosen.
    """

    box: Box
    objective: CurveObjective | None = None
    whole: bool = True
    minima: tuple[TriedStart, ...] = ()
    first: Floats | None = None
    refined: int = 0
    drawn: int = 0

    @property
    def origin(self) -> Floats | None:
        """The draw that led to the best end."""
        return self.minima[0].origin if self.minima else None

    def settled(self, w: Floats) -> float:
        """Return the loss on the rows of the search of the minimum of theirs that is next to ``w``."""
        assert self.objective is not None
        if self.whole:
            return self.objective.value(w)
        return CurveRun(self.objective, self.box, StepRecorder()).tried(w, w, STEPS)[1]

    def beside(self, w: Floats, objective: CurveObjective, left: Floats | None) -> tuple[int, tuple[OtherMinimum, ...]]:
        """Return how many draws led to ``w``, and the other minima with their losses on all rows, the best first.

        left: the minimum that a given start led to, where it was left.
        """
        if self.objective is None:
            return 0, ()
        loss, least = self.settled(w), rounding(self.objective)
        alike = [abs(trial.loss - loss) <= ALIKE * trial.loss + least for trial in self.minima]
        reached = sum(trial.reached for trial, same in zip(self.minima, alike, strict=True) if same)
        others = [trial.w for trial, same in zip(self.minima, alike, strict=True) if trial.arrived and not same]
        if left is not None and not any(
            abs(trial.loss - self.settled(left)) <= ALIKE * trial.loss for trial in self.minima
        ):
            others.append(left)
        made = [OtherMinimum(objective.value(other), other) for other in others]
        return reached, tuple(sorted(made, key=lambda minimum: minimum.loss))

    def far_below(self, w: Floats) -> bool:
        """Tell whether there is a minimum that is lower than ``w`` by more than chance does."""
        if self.objective is None or not self.minima or not self.minima[0].arrived:
            return False
        loss, least = self.settled(w), self.minima[0].loss
        if not np.isfinite(loss):
            return True
        with np.errstate(divide="ignore", invalid="ignore"):
            lower = least < loss and loss > rounding(self.objective)
            return bool(lower and self.objective.elements * (np.log(loss) - np.log(least)) > CHANCE)


def tried_starts(objective: CurveObjective, box: Box, *, seed: int, budget: float) -> TriedStarts:
    """Go down from the best drawn starts, on the rows of the search.

    Terms that can change places are in the order of their nonlinear parameters. A run begins at the draw that led to
    the best minimum, where it leads there; on a large table, and where it does not, it begins at that minimum.
    """
    drawn = drawn_starts(objective, box, seed=seed, budget=budget)
    some, whole = drawn.objective, drawn.objective.rows == objective.rows
    found: list[TriedStart] = []
    for start, origin, reached in zip(drawn.starts[:TRIED], drawn.origins, drawn.reached.tolist(), strict=False):
        run = CurveRun(some, box, StepRecorder())
        start, origin = _off_the_edge(run, start), _off_the_edge(run, origin)
        origin = start if run.whole.system(origin) is None else origin
        w, loss, arrived = run.tried(start, origin, STEPS)
        if np.isfinite(loss):
            order = _order(objective, box, w)
            w = (w + _turns(some, box, w))[order]
            _add(found, TriedStart(w, loss, origin[order], reached, arrived), rounding(some))
    found.sort(key=lambda trial: trial.loss)
    first = found[0].w if found else None
    if found and whole:
        origin = found[0].origin
        w, loss, _ = CurveRun(some, box, StepRecorder()).tried(origin, origin, STEPS)
        leads = np.isfinite(loss) and loss <= (1 + ALIKE) * found[0].loss + rounding(some)
        origin = origin + _turns(some, box, w) if leads else origin
        first = origin if leads and (_order(objective, box, w) == np.arange(w.size)).all() else first
    return TriedStarts(box, some, whole, tuple(found), first, drawn.refined, drawn.drawn)


def _off_the_edge(run: CurveRun, w: Floats) -> Floats:
    """Return ``w``, or parameters beside it where it is on the edge of the equation's domain: there is no slope there.

    A place that is drawn at a row is on the edge where the equation has the root of x - m.
    """
    if run.whole.system(w) is not None:
        return w
    places = Roles(run.objective.curve.expressions).places
    for aside in BESIDE:
        for place, name in enumerate(run.objective.curve.parameters):
            for side in (aside, -aside) if name in places else ():
                moved = w.copy()
                moved[place] += side * (abs(w[place]) or 1.0)
                if run.whole.system(moved) is not None:
                    return moved
    return w


def _add(found: list[TriedStart], trial: TriedStart, least: float) -> None:
    """Add a trial, to one that ended as low where there is one."""
    for place, other in enumerate(found):
        if abs(trial.loss - other.loss) <= ALIKE * other.loss + least:
            found[place] = replace(other, reached=other.reached + trial.reached)
            return
    found.append(trial)


def _turns(objective: CurveObjective, box: Box, w: Floats) -> Floats:
    """Return the whole turns that bring the phases of waves within half a turn, where the curve stays the same."""
    made, curve = np.zeros_like(w), objective.predictor(w)
    phases = Roles(objective.curve.expressions).phases
    for place, name in enumerate(objective.curve.parameters):
        if name in phases and box.open[place]:
            turned = made.copy()
            turned[place] = -2 * np.pi * np.round(w[place] / (2 * np.pi))
            if np.abs(objective.predictor(w + turned) - curve).max() <= SHIFT * np.abs(curve).max():
                made = turned
    return made


def _order(objective: CurveObjective, box: Box, w: Floats) -> NDArray[np.intp]:
    """Return the places that put terms alike in order; none of them moves where one has a bound."""
    names, linear = objective.curve.parameters, linear_in(objective.curve)
    order = np.arange(w.size)
    for group in exchangeable(objective.curve):
        terms = [np.array([names.index(name) for name in term]) for term in group]
        if not box.open[np.concatenate(terms)].all():
            continue
        own = [place for place, name in enumerate(group[0]) if name not in linear] or list(range(len(group[0])))
        ranked = sorted(terms, key=lambda term: w[term[own]].tolist())
        order[np.concatenate(terms)] = np.concatenate(ranked)
    return order
