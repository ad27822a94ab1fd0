"""The forecast of a recipe's run: exact for squared error, a bound for other smooth losses, else why there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.foresight import Forecast, bound_of, foresee, rates_of
from descend.losses import SquaredError
from descend.objectives.gram import GramObjective
from descend.optimizers import SGD
from descend.solving import optimizer_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.objectives.rows import RowsObjective
    from descend.recipe import Recipe

    Floats = NDArray[np.floating[Any]]


def foretell(
    objective: RowsObjective, start: Floats, recipe: Recipe, quadratic: GramObjective | None, names: list[str]
) -> Forecast:
    """Return the forecast of a recipe's run from ``start`` (flat); ``quadratic`` where it has been made already."""
    lr = None
    if not isinstance(objective.loss, SquaredError):
        if recipe.method in ("auto", "sgd") and recipe.batch_size is None:
            lr = optimizer_of(objective, None, recipe).lr if recipe.method == "sgd" else None
        steady = recipe.make_schedule().constant and not recipe.momentum
        bound = bound_of(objective, start, lr if steady else None, recipe.length)
        reason = "forecast.no-bound" if bound is None else _reason(recipe)
        return Forecast(bound=bound, batch_size=recipe.batch_size, reason=reason)
    quadratic = quadratic or GramObjective.of(objective)
    sure = 2 / (objective.row_curvature_limit() or np.inf) if recipe.batch_size is not None else None
    reason = _reason(recipe)
    curvatures = quadratic.curvatures
    if not quadratic.trustworthy:
        return Forecast(curvatures, reason="forecast.uneven", batch_size=recipe.batch_size, batch_sure=sure)
    rates = rates_of(quadratic, start)
    if reason is not None:
        return Forecast(curvatures, rates=rates, reason=reason, batch_size=recipe.batch_size, batch_sure=sure)
    asked = replace(recipe, optimizer="sgd") if recipe.method == "auto" else recipe
    optimizer = optimizer_of(objective, quadratic, asked)
    assert isinstance(optimizer, SGD)
    return Forecast(curvatures, rates=rates, outlook=foresee(quadratic, start, optimizer, recipe.length, names))


def _reason(recipe: Recipe) -> str | None:
    """Return why the epochs of a recipe's run cannot be foretold, None where they can."""
    if recipe.method not in ("auto", "sgd"):
        return "forecast.adaptive"
    if recipe.batch_size is not None:
        return "forecast.batches"
    return None if recipe.make_schedule().constant else "forecast.schedule"
