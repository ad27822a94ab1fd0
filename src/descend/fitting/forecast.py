"""forecast() says before the first step what a run comes to; trajectory() gives any epoch of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.analysis.forecast import foretell
from descend.base.arguments import require, require_functions
from descend.base.errors import OptionError
from descend.fitting._linear_layer import as_equation
from descend.fitting.problem import Problem
from descend.model.hypotheses.linear import LinearHypothesis
from descend.objectives.curve_loss import CurveLoss
from descend.objectives.networks.build import linear_layer_of
from descend.objectives.quadratic import GramObjective
from descend.objectives.wide import is_wide
from descend.solvers.closed_form import ClosedFormRun, whole_epoch
from descend.solvers.dispatch import optimizer_of
from descend.solvers.recipe import Recipe
from descend.tables.executors import Reading, Threads
from descend.tables.open import open_rows
from descend.tables.table import Table

if TYPE_CHECKING:
    from descend.analysis.forecast import Forecast
    from descend.base.typing import Floats
    from descend.design.matrix import Design
    from descend.formula.formula import Formula
    from descend.objectives.curve_parts import CurveOverRows
    from descend.objectives.in_memory import RowsObjective
    from descend.objectives.partitioned import PartsObjective
    from descend.tables.executors import OnRead


def forecast(
    formula: Any,
    table: Any,
    *,
    recipe: Recipe | None = None,
    memory: str | int | None = None,
    scratch: str | None = None,
    query: str | None = None,
    on_read: OnRead | None = None,
    **settings: Any,
) -> Forecast:
    """Say before the first step what gradient descent will do.

    The arguments are those of ``fit``; without ``lr`` the forecast is of the best rate. It is of all rows. For squared
    error it is exact: curvatures, condition number, stable and best rates, the epochs that a run takes or the epoch at
    which it overflows. For other smooth losses it is a bound.
    Raises DescendError as ``fit`` does.

    >>> table = {"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.0, 5.0, 7.0]}
    >>> found = forecast("y ~ x", table, standardize=False, lr=0.1, epochs=1000)
    >>> found.outlook.verdict, round(found.condition, 2), round(found.rates[0].stable, 4)
    ('converges', 14.13, 0.238)
    >>> forecast("y ~ x", table, standardize=False, lr=0.3).outlook.verdict
    'diverges'
    """
    recipe = Recipe.of(recipe, settings)
    recipe, design, objective, start = prepare_forecast(
        formula, table, recipe, Reading(Threads(), scratch, on_read), memory, query
    )
    if isinstance(objective, CurveLoss):
        from descend.fitting._curve import forecast_curve

        return forecast_curve(objective, recipe)
    names = LinearHypothesis(design, start.reshape(objective.shape)).column_names
    made = foretell(objective, start, recipe, None, names)
    if not made.curvatures.size:
        return made
    with np.errstate(over="ignore", divide="ignore"):
        return replace(made, raw_condition=_raw_condition(design, objective))


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A run of full-batch SGD on squared error, any epoch of which is computed in constant time."""

    design: Design
    outputs: list[str]
    descent: ClosedFormRun

    def loss(self, epoch: int) -> float:
        """Return the loss after so many updates; inf where it has overflowed."""
        return self.descent.loss(whole_epoch(epoch))

    def weights(self, epoch: int) -> Floats:
        """Return the parameters of the columns as the optimizer sees them, columns x outputs."""
        return self.descent.weights(whole_epoch(epoch)).reshape(self.descent.objective.shape)

    def coefficients(self, epoch: int) -> dict[str, Any]:
        """Return the coefficients in the units of the table by column; by output first where there are several.

        Of an equation they are by its parameters.
        """
        return LinearHypothesis(self.design, self.weights(epoch)).named(self.outputs)

    def epochs_to(self, share: float) -> int | None:
        """Return the first epoch with at most that share of the start's excess loss left; None for never."""
        require("share", share, "float")
        return self.descent.first(float(share) * self.descent.excess(0))


def trajectory(
    formula: Any,
    table: Any,
    *,
    recipe: Recipe | None = None,
    memory: str | int | None = None,
    scratch: str | None = None,
    query: str | None = None,
    on_read: OnRead | None = None,
    **settings: Any,
) -> Trajectory:
    """Return the whole run of SGD on squared error over all rows, from one reading of them.

    The arguments are those of ``fit``: ``lr`` (by default the best), ``momentum``, ``nesterov``, ``l2``, ``init`` ...
    Raises OptionError for a loss or an optimizer whose run has no closed form.

    >>> table = {"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.0, 5.0, 7.0]}
    >>> run = trajectory("y ~ x", table, standardize=False, lr=0.1)
    >>> round(run.loss(0), 6), round(run.loss(10), 6)
    (21.0, 0.000286)
    >>> {name: round(value, 6) for name, value in run.coefficients(10**6).items()}
    {'(intercept)': 1.0, 'x': 2.0}
    >>> run.epochs_to(1e-6)
    32
    """
    recipe = Recipe.of(recipe, settings)
    recipe, design, objective, start = prepare_forecast(
        formula, table, recipe, Reading(Threads(), scratch, on_read), memory, query
    )
    if isinstance(objective, CurveLoss):
        raise OptionError("option.no-trajectory", found=design.hypothesis.text)
    if not objective.loss.quadratic:
        raise OptionError("option.no-trajectory", found=objective.loss.name)
    if recipe.optimizer == "auto":
        recipe = replace(recipe, optimizer="sgd")
    quadratic = GramObjective.of(objective, start)
    optimizer = optimizer_of(objective, quadratic, recipe).recurrence
    if optimizer is None or recipe.batch_size is not None or not recipe.make_schedule().constant:
        raise OptionError("option.no-trajectory", found=recipe.method)
    outputs = [str(name) for name in design.hypothesis.targets]
    return Trajectory(design, outputs, ClosedFormRun(quadratic, start, optimizer))


def prepare_forecast(
    formula: str | Formula, table: Any, recipe: Recipe, reading: Reading, memory: str | int | None, query: str | None
) -> tuple[Recipe, Design, RowsObjective | PartsObjective | CurveOverRows, Floats]:
    """Return the recipe, the design of a table, the objective over all of its rows, and the start of a run (flat; of
    zeros where an equation is not linear in its parameters).

    The recipe is the given one, or that of an equation where it has a module of one linear layer.
    """
    require_functions(on_read=reading.on_read)
    rows = open_rows(table, formula, memory=memory, scratch=reading.scratch, query=query)
    design: Design
    objective: RowsObjective | PartsObjective
    layer = linear_layer_of(recipe.hypothesis)
    if recipe.networked and (layer is None or not isinstance(rows, Table)):
        raise OptionError("option.not-foretold")
    if isinstance(rows, Table):
        problem = Problem.of(formula, rows, recipe)
        everything = np.arange(len(problem.data))
        problem, recipe = as_equation(problem, recipe, everything)
        if recipe.networked:
            raise OptionError("option.not-foretold")
        if problem.hypothesis.curve is not None:
            design = problem.learn_design(everything, recipe)
            over = problem.over_curve(design, everything, recipe)
            return recipe, design, over, np.zeros(over.shape[0])
        problem.effort(recipe, len(problem.data)).require(recipe)
        design, objective = problem.objective(everything, recipe)
    else:
        from descend.fitting._statement_scan import survey_statement

        every = replace(recipe, test="none", patience=None)
        statement = survey_statement(formula, rows, every, reading)
        if statement.problem.hypothesis.curve is not None:
            whole = statement.over_curve()
            return recipe, statement.design, whole, np.zeros(whole.shape[0])
        design, objective = statement.design, statement.objective()
    return recipe, design, objective, recipe.start_of(design, objective.outputs)


def _raw_condition(design: Design, objective: RowsObjective | PartsObjective) -> float:
    """Return the condition number of the Hessian of the columns as they are in the table, without a penalty.

    X_raw to_raw = X, so the triangle of X gives that of X_raw without another reading of it.
    """
    if is_wide(objective):
        raw = np.linalg.svd(objective.X * design.scales + design.means, compute_uv=False)
        return _condition(raw, len(design.scales))
    lengths = np.sqrt(np.maximum(np.diag(objective.moments()[0]), np.finfo(np.float64).tiny))
    triangle = objective.triangle(lengths) * lengths
    to_raw = design.to_raw(np.eye(len(lengths)))
    to_raw[design.idle, design.idle] = 1.0  # columns of zeros
    raw = np.linalg.svd(np.linalg.solve(to_raw.T, triangle.T).T, compute_uv=False)
    return _condition(raw, max(objective.rows, len(lengths)))


def _condition(raw: Floats, count: int) -> float:
    solid = raw[raw > np.finfo(np.float64).eps * count * raw[0]]
    return float((solid[0] / solid[-1]) ** 2) if solid.size else 1.0
