"""The fit of an equation in named parameters, on rows in memory or in parts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from descend.analysis.domain import undefined_facts
from descend.analysis.forecast import Forecast, local_forecast
from descend.base.errors import FitError, OptionError
from descend.base.threads import one_blas_thread
from descend.fitting._defined import require_defined
from descend.fitting.trained import TrainedProblem
from descend.formula.rebuilt import held_at
from descend.model.hypotheses.curve import CurveHypothesis
from descend.objectives.curve import CurveObjective
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows
from descend.solvers.curve_minimum import minimise_curve, minimise_curve_in_bulk
from descend.solvers.dispatch import take_epochs
from descend.solvers.optimizers import OPTIMIZERS
from descend.solvers.rates import local_curvature

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.design.matrix import Design
    from descend.formula.ast import Hypothesis
    from descend.objectives.curve_loss import CurveLoss
    from descend.objectives.curve_parts import CurveOverRows
    from descend.objectives.losses import Loss
    from descend.solvers.history import History
    from descend.solvers.optimizers import Optimizer
    from descend.solvers.recipe import Recipe
    from descend.solvers.run_options import RunOptions
    from descend.tables.columns import Columns

FEW = 20_000  # rows by which a rate is chosen
SHORT = 0.3  # seconds of a search for parameters that are only to be looked at
ASIDE = 1.0137  # times the parameters: a negative base has a value where its exponent is whole, and no slope
LOOKS = 20  # points on a way at which the curvature is looked at


def curve_objective(hypothesis: Hypothesis, X: Floats, Y: Floats, loss: Loss, recipe: Recipe) -> CurveObjective:
    """Return the loss of an equation over rows, in the parameters that are not held."""
    assert hypothesis.curve is not None
    curve = held_at(hypothesis.curve, recipe.held)
    penalty = L2(recipe.l2, np.ones(len(curve.parameters)))
    return CurveObjective(DesignRows(np.asfortranarray(X, dtype=np.float64), Y), curve, loss, penalty)


def fit_curve(
    design: Design,
    objective: CurveOverRows,
    data: Columns,
    recipe: Recipe,
    validation: CurveObjective | None,
    run: RunOptions,
    warm: Floats | None = None,
) -> TrainedProblem:
    """Fit an equation on rows, whose columns are ``data``; raises OptionError, FitError.

    warm: parameters near the minimum, of a fit on nearly the same rows; nothing else is then tried. Where
    the rows are too many to hold, ``data`` are those at hand.
    """
    if recipe.dtype == "float32":
        raise OptionError("option.curve-float64")
    few = objective.at_hand
    bounds = _bounds(objective, recipe)
    require_defined(objective.curve, few.X, data)
    search, drawn = None, None
    if recipe.method == "auto":
        named = not isinstance(recipe.init, str) or recipe.init != "zeros"
        forecast = Forecast(reason=f"forecast.curve-{'given' if named else 'search'}", asked=False)
        run.tell_forecast(forecast)
        if warm is not None:
            history, search = minimise_curve(few, warm, bounds, budget=0.0, run=run)
        elif few is not objective:
            start = _start(few, recipe, bounds)
            history, search = minimise_curve_in_bulk(
                objective, few, start, bounds, seed=recipe.seed, budget=recipe.search, run=run
            )
        else:
            start = _start(few, recipe, bounds)
            history, search = minimise_curve(few, start, bounds, seed=recipe.seed, budget=recipe.search, run=run)
            _require_arrived(few, history, data)
    else:
        given = _start(few, recipe, bounds)
        start = _drawn(few, bounds, recipe.seed) if given is None else given
        drawn = dict(zip(objective.curve.parameters, start.tolist(), strict=True)) if given is None else None
        outside = undefined_facts(few, start, data)
        if outside is None and given is None and not np.isfinite(few.value_and_gradient(start)[1]).all():
            outside = undefined_facts(few, ASIDE * start, data)
        if outside is not None:
            raise FitError(f"fit.undefined-{'everywhere' if given is None else 'start'}", **outside)
        steepest = _steepest(few, start, bounds) * _times(objective, few)
        forecast = local_forecast(local_curvature(objective, start), steepest, recipe)
        run.tell_forecast(forecast)
        optimizer = _optimizer(recipe, steepest)
        with one_blas_thread():  # products so small take longer by several
            history = take_epochs(objective, start, optimizer, recipe, validation, bounds=bounds, run=run)
    fitted = CurveHypothesis(design, history.weights.reshape(-1, 1), recipe.held, drawn)
    return TrainedProblem(
        fitted, history, objective, data, forecast=forecast, shown=None if few is objective else few, search=search
    )


def forecast_curve(objective: CurveOverRows, recipe: Recipe) -> Forecast:
    """Return what is known of an equation's run, of sgd where the recipe names no optimizer, before its first step."""
    few = objective.at_hand
    recipe = replace(recipe, optimizer="sgd") if recipe.method == "auto" else recipe
    bounds = _bounds(objective, recipe)
    given = _start(few, recipe, bounds)
    start = _drawn(few, bounds, recipe.seed) if given is None else given
    steepest = _steepest(few, start, bounds) * _times(objective, few)
    return local_forecast(local_curvature(objective, start), steepest, recipe)


def begin_curve(
    design: Design, objective: CurveObjective, data: Columns, recipe: Recipe
) -> tuple[CurveHypothesis, Forecast]:
    """Return an equation as it is before its fit, and the forecast of its run; raises as ``fit_curve``.

    Its parameters are those that the run begins with. Of a run to the optimum they are those that the recipe gives,
    or the least that a short search finds.
    """
    bounds = _bounds(objective, recipe)
    require_defined(objective.curve, objective.X, data)
    start = _start(objective, recipe, bounds)
    if recipe.method == "auto":
        forecast = Forecast(reason="forecast.curve", asked=False)
        if start is None:
            start = minimise_curve(objective, None, bounds, seed=recipe.seed, budget=SHORT)[0].weights
    else:
        if start is None:
            start = _drawn(objective, bounds, recipe.seed, budget=SHORT)
        steepest = _steepest(objective, start, bounds)
        forecast = local_forecast(local_curvature(objective, start), steepest, recipe)
    return CurveHypothesis(design, start.reshape(-1, 1), recipe.held), forecast


def _bounds(objective: CurveLoss, recipe: Recipe) -> tuple[Floats, Floats] | None:
    """Return the least and the greatest value of each parameter, None where none is bounded."""
    limits = recipe.limits
    if not limits:
        return None
    ends = [limits.get(name, (-np.inf, np.inf)) for name in objective.curve.parameters]
    return np.array([low for low, _ in ends]), np.array([high for _, high in ends])


def _start(objective: CurveObjective, recipe: Recipe, bounds: tuple[Floats, Floats] | None) -> Floats | None:
    """Return the parameters that a run begins with, None where they are to be found.

    Where only some are given, the others are those of the least loss beside these. Raises OptionError for values that
    are not of the equation's parameters, or outside of their bounds.
    """
    names = objective.curve.parameters
    if isinstance(recipe.init, str):
        return None if recipe.init == "zeros" else np.random.default_rng(recipe.seed).standard_normal(len(names))
    if not hasattr(recipe.init, "items"):
        return recipe.start(list(names), 1)
    given = {name: value for name, value in recipe.init.items() if name not in recipe.held}
    start = replace(recipe, init=given).start(list(names), 1)
    if bounds is not None:
        for name, value, low, high in zip(names, start, *bounds, strict=True):
            if name in given and not low <= value <= high:
                raise OptionError("option.init-bounds", name=name, value=value, low=low, high=high)
    missing = [place for place, name in enumerate(names) if name not in given]
    if missing:
        rest = replace(objective, curve=held_at(objective.curve, given), penalty=objective.penalty.scaled(0.0))
        rest = replace(rest, penalty=L2(0.0, np.ones(len(missing))))
        within = None if bounds is None else (bounds[0][missing], bounds[1][missing])
        start[missing] = minimise_curve(rest, None, within, seed=recipe.seed)[0].weights
    return start


def _drawn(objective: CurveObjective, bounds: tuple[Floats, Floats] | None, seed: int, budget: float = 2.0) -> Floats:
    """Return a start drawn about the parameters of the least loss: each times a factor between 1/2 and 3/2.

    A run of an optimizer needs parameters of the right magnitudes, and starts off the minimum so that it can be seen.
    """
    found = minimise_curve(_few(objective), None, bounds, seed=seed, budget=budget)[0].weights
    factors = np.random.default_rng(seed).uniform(0.5, 1.5, found.size)
    for share in (1.0, 0.5, 0.25, 0.1, 0.0):  # nearer where the equation is not defined
        start = found * (1 + share * (factors - 1))
        start = start if bounds is None else np.clip(start, *bounds)
        if np.isfinite(objective.value(start)):
            return np.asarray(start)
    return np.asarray(found)


def _few(objective: CurveObjective) -> CurveObjective:
    """Return the loss over at most FEW rows."""
    return objective.sampled(-(-objective.rows // FEW)) if objective.rows > FEW else objective


def _require_arrived(objective: CurveObjective, history: History, data: Columns) -> None:
    """Raise FitError where a search found no parameters at which the equation, and its slope, is defined."""
    if np.isfinite(history.final_loss) and np.isfinite(history.final_gradient_norm):
        return
    w = history.weights.ravel()
    outside = undefined_facts(objective, w, data) or undefined_facts(objective, ASIDE * w, data)
    if outside is not None:
        raise FitError("fit.undefined-everywhere", **outside)


def _steepest(objective: CurveObjective, start: Floats, bounds: tuple[Floats, Floats] | None) -> float:
    """Return the largest curvature on the way that a solver takes from a start to a minimum, over at most FEW rows."""
    few = _few(objective)
    way = minimise_curve(few, start, bounds, budget=0.0)[0].snapshots
    looked = way[np.unique(np.linspace(0, len(way) - 1, LOOKS).astype(np.int64))]
    found = [curvature for curvature in (local_curvature(few, w) for w in looked) if not np.isnan(curvature)]
    return float(max(found, default=np.nan)) * _times(objective, few)


def _times(objective: CurveLoss, few: CurveLoss) -> float:
    """Return how many times the loss of a few rows that of all of them is, about: 1 for a mean."""
    return objective.share * objective.elements / (few.share * few.elements)


def _optimizer(recipe: Recipe, steepest: float) -> Optimizer:
    """Return the recipe's optimizer, with the rate that it names, its usual one, or a safe one where it starts."""
    if recipe.rate is not None:
        return recipe.make_optimizer(recipe.rate)
    usual = OPTIMIZERS[recipe.method].usual("lr")
    decay = recipe.weight_decay or 0.0
    safe = 1 / (steepest + decay) if steepest + decay > 0 and np.isfinite(steepest) else 0.01
    return recipe.make_optimizer(safe if usual is None else usual)
