"""The choice of the engine and the solver for a recipe, and the run itself."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from descend.base.errors import FitError
from descend.base.threads import one_blas_thread
from descend.objectives.quadratic import GramObjective
from descend.objectives.wide import is_wide, narrowed
from descend.solvers._epochs import iterate
from descend.solvers._lbfgs import lbfgs
from descend.solvers._quadratic_minimum import quadratic_minimum
from descend.solvers.closed_form import ClosedFormRun, fast_forward
from descend.solvers.optimizers import OPTIMIZERS, SGD
from descend.solvers.rates import best_rate
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from descend.base.typing import Floats
    from descend.objectives.in_memory import RowsObjective
    from descend.objectives.objective import Objective, OverRows, RowsLoss
    from descend.solvers.history import History
    from descend.solvers.optimizers import Optimizer
    from descend.solvers.recipe import Recipe


def solve(
    objective: OverRows,
    start: Floats,
    recipe: Recipe,
    quadratic: GramObjective | None = None,
    validation: OverRows | None = None,
    run: RunOptions = DEFAULT_OPTIONS,
) -> History:
    """Choose the engine and the solver for the recipe, run them, and return the history.

    Squared error is minimised by its Gram matrix ``quadratic`` (that of ``quadratic_of``), and full-batch SGD on it is
    computed in closed form. validation: the loss over the rows that are held out for early stopping.
    The parameters of a softmax sum to 0 over the classes wherever adding a number to all classes changes no loss.
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
            return replace(
                history, loss=np.array([objective.value(start)])
            )  # rounding in the curvatures would show in it
        if is_wide(objective):
            return _in_rows_space(objective, start, partial(lbfgs, run=run))
        return lbfgs(objective, start, run=run)
    optimizer = optimizer_of(objective, quadratic, recipe)
    schedule, sgd = recipe.make_schedule(), optimizer.recurrence
    told = quadratic is not None and quadratic.trustworthy and schedule.constant and validation is None
    if quadratic is not None and sgd is not None and told:
        return fast_forward(quadratic, start, sgd, recipe.length, tolerance=recipe.tolerance, halt=run.halt)
    engine = quadratic if quadratic is not None and quadratic.trustworthy else objective
    history = take_epochs(engine, start, optimizer, recipe, validation, run=run)
    return history if engine is not quadratic else replace(history, gap=quadratic.excess(history.weights))


def take_epochs(
    objective: Objective,
    start: Floats,
    optimizer: Optimizer,
    recipe: Recipe,
    validation: Objective | None = None,
    *,
    bounds: tuple[Floats, Floats] | None = None,
    run: RunOptions = DEFAULT_OPTIONS,
) -> History:
    """Run a recipe's epochs with an optimizer, and return the history; ``bounds`` as in ``iterate``."""
    return iterate(
        objective,
        start.astype(recipe.arithmetic),
        optimizer,
        recipe.make_schedule(),
        recipe.length,
        batch_size=recipe.batch_size,
        drop_last=recipe.drop_last,
        seed=recipe.seed,
        tolerance=recipe.tolerance,
        validation=validation,
        patience=recipe.patience,
        batch_history=recipe.batch_history,
        bounds=bounds,
        run=run,
    )


def _centred(objective: RowsLoss, history: History) -> History:
    """Return the history with its parameters centred."""
    weights, snapshots = (centred(objective, w) for w in (history.weights, history.snapshots))
    return replace(history, weights=weights, snapshots=snapshots)


def centred(objective: RowsLoss, w: Floats) -> Floats:
    """Return a softmax's parameters (flat, or rows of them) less their means over the classes, where no penalty is.

    Adding a number to all classes changes no loss there, so the end of a run would depend on its start.
    """
    if not objective.loss.shift_invariant:
        return w
    columns, outputs = objective.shape
    free = objective.penalty.free
    W = w.reshape(-1, columns, outputs)
    return np.where(free[:, None], W - W.mean(axis=2, keepdims=True), W).reshape(w.shape)


def _in_rows_space(objective: RowsObjective, start: Floats, to_optimum: Callable[..., History]) -> History:
    """Minimise in the space that fewer rows than columns span; return the history in the columns' parameters."""
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
    """Return the closed form of a run that has one: SGD over all rows on squared error, or the descent of ``auto``."""
    if quadratic is None or not quadratic.trustworthy or not recipe.make_schedule().constant:
        return None
    if recipe.patience is not None or not np.isfinite(history.lr):
        return None
    sgd = SGD(history.lr) if recipe.method == "auto" else recipe.make_optimizer(history.lr).recurrence
    return None if sgd is None else ClosedFormRun(quadratic, start, sgd)


def optimizer_of(objective: OverRows, quadratic: GramObjective | None, recipe: Recipe) -> Optimizer:
    """Return the recipe's optimizer, with the rate that it names or the best that can be found."""
    lr = recipe.rate if recipe.rate is not None else _best_rate(objective, quadratic, recipe)
    return recipe.make_optimizer(lr)


def _best_rate(objective: OverRows, quadratic: GramObjective | None, recipe: Recipe) -> float:
    """Return the rate where none is given: the optimizer's default; for SGD the best one, or else 1 / curvature."""
    usual: float | None = OPTIMIZERS[recipe.method].usual("lr")
    if usual is not None:
        return usual
    decay = recipe.weight_decay or 0.0  # it adds to the curvature of every direction
    if quadratic is not None:
        return best_rate(quadratic.curvatures + decay, recipe.momentum, recipe.nesterov)
    size = recipe.batch_size
    worst = objective.curvature_limit() if size is None else objective.batch_curvature_limit(size)
    return 1 / (worst + decay) if worst else 0.01


def require_finite(objective: RowsObjective) -> None:
    """Raise FitError where a column or a target has overflowed in its dtype."""
    if not (_finite(objective.X) and _finite(objective.Y)):
        raise FitError("fit.not-finite", dtype=str(objective.X.dtype))


def _finite(values: Floats) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()) or np.isfinite(values).all())
