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
from descend.solvers.curve_minimum import box_of, minimise_curve, minimise_curve_in_bulk
from descend.solvers.dispatch import take_epochs
from descend.solvers.optimizers import OPTIMIZERS
from descend.solvers.rates import local_curvature

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.design.matrix import Design
    from descend.formula.ast import Hypothesis
    from descend.objectives.curve_parts import CurveOverRows
    from descend.objectives.losses import Loss
    from descend.solvers.history import History
    from descend.solvers.optimizers import Optimizer
    from descend.solvers.recipe import Recipe
    from descend.solvers.run_options import RunOptions
    from descend.tables.columns import Columns

    Bounds = tuple[Floats, Floats]

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
    bounds = box_of(recipe.limits, objective.curve.parameters)
    require_defined(objective.curve, few.X, data)
    search, drawn = None, None
    if recipe.method == "auto":
        named = not isinstance(recipe.init, str) or recipe.init != "zeros"
        forecast = Forecast(reason=f"forecast.curve-{'given' if named else 'search'}", asked=False)
        run.tell_forecast(forecast)
        if warm is not None:
            history, search = minimise_curve(few, warm, bounds, budget=0.0, run=run)
        elif few is not objective:
            start = _given(few, recipe, bounds)
            history, search = minimise_curve_in_bulk(
                objective, few, start, bounds, seed=recipe.seed, budget=recipe.search, run=run
            )
        else:
            start = _given(few, recipe, bounds)
            history, search = minimise_curve(few, start, bounds, seed=recipe.seed, budget=recipe.search, run=run)
            _require_arrived(few, history, data)
    else:
        start, is_given = _start(few, recipe, bounds)
        drawn = None if is_given else dict(zip(objective.curve.parameters, start.tolist(), strict=True))
        outside = undefined_facts(few, start, data)
        if outside is None and not is_given and not np.isfinite(few.value_and_gradient(start)[1]).all():
            outside = undefined_facts(few, ASIDE * start, data)
        if outside is not None:
            raise FitError(f"fit.undefined-{'start' if is_given else 'everywhere'}", **outside)
        forecast, steepest = _foretold(objective, start, recipe, bounds)
        run.tell_forecast(forecast)
        with one_blas_thread():  # products so small take longer by several
            history = take_epochs(
                objective, start, _optimizer(recipe, steepest), recipe, validation,
                bounds=bounds if recipe.limits else None, run=run,
            )  # fmt: skip
    fitted = CurveHypothesis(design, history.weights.reshape(-1, 1), recipe.held, drawn)
    return TrainedProblem(
        fitted, history, objective, data, forecast=forecast, shown=None if few is objective else few, search=search
    )


def forecast_curve(objective: CurveOverRows, recipe: Recipe) -> Forecast:
    """Return what is known of an equation's run, of sgd where the recipe names no optimizer, before its first step."""
    recipe = replace(recipe, optimizer="sgd") if recipe.method == "auto" else recipe
    bounds = box_of(recipe.limits, objective.curve.parameters)
    return _foretold(objective, _start(objective.at_hand, recipe, bounds)[0], recipe, bounds)[0]


def begin_curve(
    design: Design, objective: CurveObjective, data: Columns, recipe: Recipe
) -> tuple[CurveHypothesis, Forecast]:
    """Return an equation as it is before its fit, and the forecast of its run; raises as ``fit_curve``.

    Its parameters are those that the run begins with. Of a run to the optimum they are those that the recipe gives,
    or the least that a short search finds.
    """
    bounds = box_of(recipe.limits, objective.curve.parameters)
    require_defined(objective.curve, objective.X, data)
    if recipe.method == "auto":
        forecast = Forecast(reason="forecast.curve", asked=False)
        given = _given(objective, recipe, bounds)
        if given is None:
            start = minimise_curve(objective, None, bounds, seed=recipe.seed, budget=SHORT)[0].weights
        else:
            start = given
    else:
        start, _ = _start(objective, recipe, bounds, budget=SHORT)
        forecast, _ = _foretold(objective, start, recipe, bounds)
    return CurveHypothesis(design, start.reshape(-1, 1), recipe.held), forecast


def _start(objective: CurveObjective, recipe: Recipe, bounds: Bounds, budget: float = 2.0) -> tuple[Floats, bool]:
    """Return the parameters that a run of epochs begins with, and whether the recipe gives them.

    Where it gives none they are drawn about those of the least loss, each times a factor between 1/2 and 3/2: a run
    needs parameters of the right magnitudes, and starts off the minimum so that it can be seen.
    """
    given = _given(objective, recipe, bounds)
    if given is not None:
        return given, True
    found = minimise_curve(_few(objective), None, bounds, seed=recipe.seed, budget=budget)[0].weights
    factors = np.random.default_rng(recipe.seed).uniform(0.5, 1.5, found.size)
    for share in (1.0, 0.5, 0.25, 0.1):  # nearer where the equation is not defined
        start = np.clip(found * (1 + share * (factors - 1)), *bounds)
        if np.isfinite(objective.value(start)):
            return start, False
    return found, False


def _given(objective: CurveObjective, recipe: Recipe, bounds: Bounds) -> Floats | None:
    """Return the parameters that the recipe gives, None where they are to be found.

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
    for name, value, low, high in zip(names, start, *bounds, strict=True):
        if name in given and not low <= value <= high:
            raise OptionError("option.init-bounds", name=name, value=value, low=low, high=high)
    missing = [place for place, name in enumerate(names) if name not in given]
    if missing:
        curve, nothing = held_at(objective.curve, given), L2(0.0, np.ones(len(missing)))
        rest, within = replace(objective, curve=curve, penalty=nothing), (bounds[0][missing], bounds[1][missing])
        start[missing] = minimise_curve(rest, None, within, seed=recipe.seed)[0].weights
    return start


def _few(objective: CurveObjective) -> CurveObjective:
    """Return the loss over at most FEW rows."""
    return objective.sampled(-(-objective.rows // FEW)) if objective.rows > FEW else objective


def _foretold(objective: CurveOverRows, start: Floats, recipe: Recipe, bounds: Bounds) -> tuple[Forecast, float]:
    """Return the forecast of a run of epochs, and the largest curvature on a way from its start to a minimum.

    The way is the one that a solver takes over at most FEW rows.
    """
    few = _few(objective.at_hand)
    way = minimise_curve(few, start, bounds, budget=0.0)[0].snapshots
    looked = way[np.unique(np.linspace(0, len(way) - 1, LOOKS).astype(np.int64))]
    found = [curvature for curvature in (local_curvature(few, w) for w in looked) if not np.isnan(curvature)]
    times = objective.share * objective.elements / (few.share * few.elements)  # 1 for a mean
    steepest = float(max(found, default=np.nan)) * times
    return local_forecast(local_curvature(objective, start), steepest, recipe), steepest


def _require_arrived(objective: CurveObjective, history: History, data: Columns) -> None:
    """Raise FitError where a search found no parameters at which the equation, and its slope, is defined."""
    if np.isfinite(history.final_loss) and np.isfinite(history.final_gradient_norm):
        return
    w = history.weights.ravel()
    outside = undefined_facts(objective, w, data) or undefined_facts(objective, ASIDE * w, data)
    if outside is not None:
        raise FitError("fit.undefined-everywhere", **outside)


def _optimizer(recipe: Recipe, steepest: float) -> Optimizer:
    """Return the recipe's optimizer, with the rate that it names, its usual one, or a safe one where it starts."""
    if recipe.rate is not None:
        return recipe.make_optimizer(recipe.rate)
    usual = OPTIMIZERS[recipe.method].usual("lr")
    decay = recipe.weight_decay or 0.0
    safe = 1 / (steepest + decay) if steepest + decay > 0 and np.isfinite(steepest) else 0.01
    return recipe.make_optimizer(safe if usual is None else usual)
