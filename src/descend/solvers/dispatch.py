"""Which engine and which solver give the run that a recipe asks for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.errors import FitError
from descend.base.threads import one_blas_thread
from descend.objectives.quadratic import GramObjective
from descend.objectives.wide import is_wide, narrowed
from descend.solvers._epochs import iterate
from descend.solvers._lbfgs import lbfgs
from descend.solvers._quadratic_minimum import quadratic_minimum
from descend.solvers.closed_form import ClosedFormRun, fast_forward
from descend.solvers.optimizers import DEFAULT_RATES, SGD, make_optimizer
from descend.solvers.rates import best_rate
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.objectives.in_memory import RowsObjective
    from descend.objectives.objective import OverRows
    from descend.solvers.history import History
    from descend.solvers.optimizers import Optimizer
    from descend.solvers.recipe import Recipe

    Floats = NDArray[np.floating[Any]]


def solve(
    objective: OverRows,
    start: Floats,
    recipe: Recipe,
    quadratic: GramObjective | None = None,
    validation: OverRows | None = None,
    run: RunOptions = DEFAULT_OPTIONS,
) -> History:
    """Choose the engine and the solver that give the recipe's run, and run it.

    Squared error goes through its Gram matrix, where ``quadratic_of`` gives one; full-batch SGD is told in closed form.
    Of a softmax the parameters add up to 0 over the classes wherever a shift of all classes changes nothing.
    """
    return _centred(objective, _solved(objective, start, recipe, quadratic, validation, run))


def _solved(
    objective: OverRows,
    start: Floats,
    recipe: Recipe,
    quadratic: GramObjective | None,
    validation: OverRows | None,
    run: RunOptions,
) -> History:
    if recipe.method == "auto":
        if quadratic is not None:
            history = quadratic_minimum(quadratic, start)
            if quadratic.trustworthy:
                return history
            return replace(history, loss=np.array([objective.value(start)]))  # the curvatures cannot give it
        if is_wide(objective):
            return _in_rows_space(objective, start, partial(lbfgs, run=run))
        return lbfgs(objective, start, run=run)
    optimizer = optimizer_of(objective, quadratic, recipe)
    schedule = recipe.make_schedule()
    if (
        quadratic is not None
        and quadratic.trustworthy
        and isinstance(optimizer, SGD)
        and schedule.constant
        and validation is None
    ):
        return fast_forward(quadratic, start, optimizer, recipe.length, tolerance=recipe.tolerance, halt=run.halt)
    engine = quadratic if quadratic is not None and quadratic.trustworthy else objective
    history = iterate(
        engine,
        start.astype(recipe.arithmetic),
        optimizer,
        schedule,
        recipe.length,
        batch_size=recipe.batch_size,
        drop_last=recipe.drop_last,
        seed=recipe.seed,
        tolerance=recipe.tolerance,
        validation=validation,
        patience=recipe.patience,
        batch_history=recipe.batch_history,
        run=run,
    )
    return history if engine is not quadratic else replace(history, gap=quadratic.excess(history.weights))


def _centred(objective: OverRows, history: History) -> History:
    """Return the history with its parameters centred."""
    weights, snapshots = (centred(objective, w) for w in (history.weights, history.snapshots))
    return replace(history, weights=weights, snapshots=snapshots)


def centred(objective: OverRows, w: Floats) -> Floats:
    """Return parameters (flat, or rows of them) less their means over a softmax's classes where no penalty is on them.

    To move all classes alike there changes no loss: else a run would end in a place that depends on its start.
    """
    if not objective.loss.shift_invariant:
        return w
    columns, outputs = objective.shape
    free = objective.penalty.free
    W = w.reshape(-1, columns, outputs)
    return np.where(free[:, None], W - W.mean(axis=2, keepdims=True), W).reshape(w.shape)


def _in_rows_space(objective: RowsObjective, start: Floats, to_optimum: Callable[..., History]) -> History:
    """Return the history of a search among what fewer rows than columns span, in the columns' own parameters."""
    narrow, basis, across = narrowed(objective, start)
    with one_blas_thread():  # the threads of products so small would only wait for one another
        history = to_optimum(narrow, (basis.T @ start.reshape(objective.shape)).ravel())

    def widened(v: Floats) -> Floats:
        return np.asarray(across + basis @ v.reshape(narrow.shape)).ravel()

    snapshots = np.stack([widened(v) for v in history.snapshots])
    return replace(history, weights=widened(history.weights), snapshots=snapshots)


def quadratic_of(objective: OverRows, recipe: Recipe, start: Floats) -> GramObjective | None:
    """Return squared error's Gram engine where the recipe can use it: all rows at once, in float64."""
    if not objective.loss.quadratic or recipe.batch_size is not None:
        return None
    if not (recipe.arithmetic == "float64" or recipe.method == "auto"):
        return None
    return GramObjective.of(objective, start)


def descent_of(
    quadratic: GramObjective | None, start: Floats, history: History, recipe: Recipe
) -> ClosedFormRun | None:
    """Return the closed form of a run that has one: plain SGD over all rows on squared error, or ``auto``'s way."""
    if quadratic is None or not quadratic.trustworthy or not recipe.make_schedule().constant:
        return None
    if recipe.method not in ("auto", "sgd") or recipe.patience is not None or not np.isfinite(history.lr):
        return None
    momentum, nesterov = (0.0, False) if recipe.method == "auto" else (recipe.momentum, recipe.nesterov)
    return ClosedFormRun(quadratic, start, SGD(history.lr, momentum, nesterov))


def optimizer_of(objective: OverRows, quadratic: GramObjective | None, recipe: Recipe) -> Optimizer:
    """Return the recipe's optimizer, with the rate that it names or the best that can be found."""
    lr = recipe.rate if recipe.rate is not None else _best_rate(objective, quadratic, recipe)
    return make_optimizer(recipe.method, lr, momentum=recipe.momentum, nesterov=recipe.nesterov)


def _best_rate(objective: OverRows, quadratic: GramObjective | None, recipe: Recipe) -> float:
    """Return the rate to take where none is given: for SGD the best, or a safe one where the best is not known."""
    if recipe.method in DEFAULT_RATES:
        return DEFAULT_RATES[recipe.method]
    if quadratic is not None:
        return best_rate(quadratic.curvatures, recipe.momentum, recipe.nesterov)
    size = recipe.batch_size
    worst = objective.curvature_limit() if size is None else objective.batch_curvature_limit(size)
    return 1 / worst if worst else 0.01


def require_finite(objective: RowsObjective) -> None:
    """Raise FitError where a column or a target has overflowed in its dtype."""
    if not (_finite(objective.X) and _finite(objective.Y)):
        raise FitError("fit.not-finite", dtype=str(objective.X.dtype))


def _finite(values: Floats) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()) or np.isfinite(values).all())
