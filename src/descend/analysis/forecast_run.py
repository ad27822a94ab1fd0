"""The forecast of a recipe's run: exact for squared error, a bound for other smooth losses, else why there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from descend.analysis.forecast import Forecast, bound_of, foresee, rates_of
from descend.objectives.losses import SquaredError
from descend.objectives.quadratic import GramObjective
from descend.solvers.dispatch import optimizer_of
from descend.solvers.effort import minutes, sums_at_once
from descend.solvers.optimizers import SGD

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from descend.objectives import OverRows
    from descend.solvers.recipe import Recipe

    Floats = NDArray[np.floating[Any]]


WORTH = 0.05  # minutes that rates may take of a run whose epochs are not foretold


def foretell(
    objective: OverRows, start: Floats, recipe: Recipe, quadratic: GramObjective | None, names: list[str]
) -> Forecast:
    """Return the forecast of a recipe's run from ``start`` (flat); ``quadratic`` where it has been made already."""
    reason, size, asked = _reason(recipe), recipe.batch_size, recipe.iterates
    batch_sure = None
    if size is not None:
        steepest = objective.batch_curvature_limit(size)
        batch_sure = 2 / steepest if steepest else None
    if not isinstance(objective.loss, SquaredError):
        return _bounded(objective, start, recipe, reason, batch_sure)
    if quadratic is None:
        sums = sums_at_once(objective.rows, *objective.shape, objective.loss, optimum=False)
        if reason is not None and minutes(sums) > WORTH:  # the run does without what it would be told from
            return Forecast(reason=reason, batch_size=size, batch_sure=batch_sure, asked=asked)
        quadratic = GramObjective.of(objective, start)
    made = Forecast(quadratic.curvatures, reason=reason, batch_size=size, batch_sure=batch_sure, asked=asked)
    if not quadratic.trustworthy:
        return replace(made, reason="forecast.uneven")
    made = replace(made, rates=rates_of(quadratic, start))
    if reason is not None:
        return made
    sgd = replace(recipe, optimizer="sgd") if recipe.method == "auto" else recipe
    optimizer = optimizer_of(objective, quadratic, sgd)
    assert isinstance(optimizer, SGD)
    return replace(made, outlook=foresee(quadratic, start, optimizer, recipe.length, names))


def _bounded(
    objective: OverRows, start: Floats, recipe: Recipe, reason: str | None, batch_sure: float | None
) -> Forecast:
    """Return the forecast for a loss that is not quadratic: a bound for plain steps over all rows, or none."""
    made = Forecast(batch_size=recipe.batch_size, batch_sure=batch_sure, reason=reason, asked=recipe.iterates)
    if objective.loss.curvature_limit is None:
        return replace(made, reason="forecast.no-bound")
    if reason not in (None, "forecast.schedule"):
        return made
    if recipe.momentum:
        return replace(made, reason="forecast.with-momentum")
    lr = optimizer_of(objective, None, recipe).lr if recipe.method == "sgd" and reason is None else None
    return replace(made, bound=bound_of(objective, start, lr, recipe.length))


def _reason(recipe: Recipe) -> str | None:
    """Return why the epochs of a recipe's run cannot be foretold, None where they can."""
    if recipe.method not in ("auto", "sgd"):
        return "forecast.adaptive"
    if recipe.batch_size is not None:
        return "forecast.batches"
    return None if recipe.make_schedule().constant else "forecast.schedule"
