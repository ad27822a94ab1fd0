"""Squared error as a quadratic of few numbers: the run and the forecast of any learning rate, in milliseconds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.analysis.forecast import Forecast, foresee
from descend.model.hypotheses.linear import LinearHypothesis
from descend.objectives.quadratic import GramObjective
from descend.solvers.closed_form import ClosedFormRun, fast_forward
from descend.solvers.dispatch import optimizer_of
from descend.solvers.rates import Rates, rates_of
from descend.studio.view import RECORDS, LossCurve, View, rows_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.in_memory import RowsObjective
    from descend.solvers.history import History
    from descend.solvers.recipe import Recipe
    from descend.studio.worker.session import Prepared

FORETOLD = 150  # epochs of the forecast curve
EARLY = 60  # first epochs of a path, each of which is drawn, however long the run is
NUMBERS = 400_000  # numbers that the parameters of all recorded epochs may hold
KEPT = 64  # penalties whose quadratics are kept


def slides(prepared: Prepared, recipe: Recipe) -> bool:
    """Tell whether the run of a recipe on a prepared table has a closed form, so that it can follow a slider."""
    return (
        prepared.fitted is not None
        and prepared.loss.quadratic
        and not recipe.networked
        and recipe.recurs
        and recipe.batch_size is None
        and recipe.patience is None
        and not recipe.tolerance
        and recipe.make_schedule().constant
        and recipe.arithmetic == "float64"
    )


class Slide:
    """The run of squared error in closed form: rows are read once, and any learning rate's run follows in milliseconds.

    Holds what no slider changes: the rows that are drawn and, by penalty, the quadratic.
    """

    def __init__(self, prepared: Prepared) -> None:
        assert prepared.fitted is not None
        self.prepared = prepared
        self.fitted, self.unseen = prepared.fitted, prepared.unseen
        self.rows = rows_of(prepared)
        self._quadratics: dict[float, tuple[GramObjective, GramObjective | None]] = {}
        self._rates: dict[tuple[Any, ...], list[Rates]] = {}

    def quadratic(self, l2: float) -> tuple[GramObjective, GramObjective | None]:
        """Return the loss of the fitted rows with a penalty, and the loss of the unseen rows with the same penalty."""
        if l2 not in self._quadratics:
            if len(self._quadratics) > KEPT:
                self._quadratics.clear()
            unseen = None if self.unseen is None else GramObjective.of(_penalised(self.unseen, l2))
            quadratic = GramObjective.of(_penalised(self.fitted, l2))
            if self.fitted.loss.mean:  # over all the reduced rows: their sum is the first to overflow
                quadratic = replace(quadratic, elements=self.prepared.fitted_rows * self.fitted.outputs)
            self._quadratics[l2] = quadratic, unseen
        return self._quadratics[l2]

    def trustworthy(self, recipe: Recipe) -> bool:
        """Tell whether the curvatures are exact enough to compute the run."""
        return self.quadratic(recipe.l2)[0].trustworthy

    def forecast(self, recipe: Recipe) -> Forecast:
        """Return the forecast of a recipe's run."""
        quadratic, names = self.quadratic(recipe.l2)[0], self.prepared.design.names
        start = recipe.start_of(self.prepared.design, self.fitted.outputs)
        key = (recipe.l2, repr(recipe.init), recipe.seed)
        if key not in self._rates:
            if len(self._rates) > KEPT:
                self._rates.clear()
            self._rates[key] = rates_of(quadratic, start)
        optimizer = optimizer_of(self.fitted, quadratic, recipe).recurrence
        assert optimizer is not None
        outlook = foresee(quadratic, start, optimizer, recipe.length, names)
        return Forecast(quadratic.curvatures, rates=self._rates[key], outlook=outlook)

    def view(self, recipe: Recipe) -> View:
        """Return the run of a recipe of plain, momentum or Nesterov SGD over all rows."""
        quadratic, unseen = self.quadratic(recipe.l2)
        start = recipe.start_of(self.prepared.design, self.fitted.outputs)
        optimizer = optimizer_of(self.fitted, quadratic, recipe).recurrence
        assert optimizer is not None
        descent = ClosedFormRun(quadratic, start, optimizer)
        length = _until_overflow(descent, recipe.length)
        records_kept = max(min(RECORDS, NUMBERS // max(start.size, 1)), 10)
        history = fast_forward(quadratic, start, optimizer, length, records=records_kept)
        path_epoch, path = _way(descent, history)
        held = np.empty(0)
        if unseen is not None:
            held = np.interp(history.epoch, path_epoch, _values(unseen, path))
        shape = self.fitted.shape

        def losses(epoch: int) -> tuple[float, float | None]:
            there = descent.weights(epoch)
            return descent.loss(epoch), None if unseen is None else float(_values(unseen, there[None])[0])

        best = optimizer_of(self.fitted, quadratic, replace(recipe, lr="auto")).recurrence
        assert best is not None
        foretold = fast_forward(quadratic, start, best, recipe.length, records=min(records_kept, FORETOLD))
        return View(
            hypothesis=LinearHypothesis(self.prepared.design, start.reshape(shape)),
            target=self.prepared.target,
            rows=self.rows,
            curve=LossCurve(history.epoch, history.loss, held),
            weights=lambda epoch: descent.weights(epoch).reshape(shape),
            losses=losses,
            path_epoch=path_epoch,
            path=path,
            goal=quadratic.minimum_near(start),
            surface=quadratic,
            lr=optimizer.lr,
            diverged=history.diverged,
            end=history.epochs,
            forecast=(best.lr, LossCurve(foretold.epoch, foretold.loss, np.empty(0))),
        )


def _way(descent: ClosedFormRun, history: History) -> tuple[NDArray[np.int64], Floats]:
    """Return the epochs of a path and the parameters there: the first epochs, the recorded ones, and the last.

    The steep directions converge long before the second record of a long run.
    """
    last = history.epochs
    early = fast_forward(descent.objective, descent.start, descent.optimizer, min(EARLY, last))
    later = history.snapshot_epoch > early.snapshot_epoch[-1]
    epochs = np.concatenate([early.snapshot_epoch, history.snapshot_epoch[later]])
    path = np.concatenate([early.snapshots, history.snapshots[later]])
    if epochs[-1] == last:
        return epochs, path
    return np.append(epochs, last), np.concatenate([path, descent.weights(last)[None]])


def _values(quadratic: GramObjective, path: Floats) -> Floats:
    """Return the loss at every row of ``path`` (steps x parameters)."""
    columns, outputs = quadratic.shape
    offsets = path.reshape(-1, columns, outputs) - quadratic.minimum
    with np.errstate(over="ignore", invalid="ignore"):
        turned = np.einsum("pc,tpk->tck", quadratic.directions, offsets, optimize=True)
        return np.asarray(quadratic.least + (quadratic.curvatures[:, None] * np.square(turned)).sum(axis=(1, 2)) / 2)


def _until_overflow(descent: ClosedFormRun, epochs: int) -> int:
    """Return the epochs of a run, or the number of epochs before its loss overflows."""
    if not (descent.factors > 1).any():
        return epochs
    overflow = descent.first(float(np.finfo(np.float64).max) / descent.objective.elements, above=True)
    return epochs if overflow is None else min(epochs, overflow)


def _penalised(objective: RowsObjective, strength: float) -> RowsObjective:
    return replace(objective, penalty=objective.penalty.scaled(strength))
