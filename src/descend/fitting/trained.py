"""One run of the solver on a design and an objective, and its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from descend.analysis.forecast import foretell
from descend.model.hypotheses.linear import LinearHypothesis
from descend.objectives.in_memory import RowsObjective
from descend.solvers.dispatch import descent_of, quadratic_of, solve
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from descend.analysis.forecast import Forecast
    from descend.base.typing import Floats, Rows
    from descend.design.matrix import Design
    from descend.model.hypothesis import FittedHypothesis
    from descend.objectives.curve import CurveObjective
    from descend.objectives.curve_parts import CurveOverRows
    from descend.objectives.networks.network import Network
    from descend.objectives.objective import OverRows
    from descend.objectives.quadratic import GramObjective
    from descend.objectives.target import Target
    from descend.objectives.torch_module import ModuleObjective
    from descend.solvers.closed_form import ClosedFormRun
    from descend.solvers.history import History
    from descend.solvers.recipe import Recipe
    from descend.solvers.search import Search
    from descend.tables.columns import Columns

    OnForecast = Callable[[Forecast], None]


@dataclass(frozen=True)
class TrainedProblem:
    """The result of one run of the solver: the hypothesis with its weights, and the history.

    ``over`` and ``data`` are the fitted rows; where these are too many to hold, ``data`` and ``shown`` are some of
    them. ``quadratic`` is squared error's engine over them, ``descent`` its run in closed form, ``forecast`` what was
    known before it, each where it was made; ``search`` what was tried for an equation's minimum.
    """

    hypothesis: FittedHypothesis
    history: History
    over: OverRows | ModuleObjective | CurveOverRows
    data: Columns
    quadratic: GramObjective | None = None
    descent: ClosedFormRun | None = None
    forecast: Forecast | None = None
    shown: RowsObjective | CurveObjective | None = None
    search: Search | None = None

    @property
    def design(self) -> Design:
        """The design that was learnt from the fitted rows."""
        return self.hypothesis.design

    @property
    def weights(self) -> Floats:
        """The weights, columns x outputs; of a network its flat state, numbers x 1."""
        return self.hypothesis.weights

    @property
    def objective(self) -> OverRows:
        """The objective of an equation over the fitted rows; that of a network is ``over``."""
        return cast("OverRows", self.over)

    @property
    def curve(self) -> CurveOverRows | None:
        """The objective of an equation that is not linear in its parameters, None of any other hypothesis."""
        return None if self.design.hypothesis.curve is None else cast("CurveOverRows", self.over)

    @property
    def whole(self) -> RowsObjective | None:
        """The fitted rows where all of them are in memory, else None."""
        return self.over if isinstance(self.over, RowsObjective) and self.shown is None else None

    def predict(self, target: Target, data: Columns, rows: Rows | None = None) -> Floats:
        """Return predictions for rows, by default for all."""
        return target.predict(self.hypothesis.predictor(self.design.matrix(data, rows)))


def start_values(design: Design, objective: OverRows, recipe: Recipe) -> Floats:
    """Return the parameters that a recipe's run begins with, flat."""
    start = recipe.start_of(design, objective.outputs)
    if recipe.method == "auto":
        start.reshape(objective.shape)[design.constant] = 0.0  # no number has an effect here
    return start


def run_solver(
    design: Design,
    objective: OverRows,
    data: Columns,
    recipe: Recipe,
    validation: OverRows | None = None,
    run: RunOptions = DEFAULT_OPTIONS,
    shown: RowsObjective | None = None,
    layer: Network | None = None,
) -> TrainedProblem:
    """Fit an equation with a given design and objective; ``data`` and ``shown`` as in ``TrainedProblem``.

    layer: the module of one linear layer as which it was given.
    """
    start = start_values(design, objective, recipe)
    quadratic = quadratic_of(objective, recipe, start)
    forecast = None
    if run.forecasts and (recipe.method != "auto" or quadratic is not None):
        names = LinearHypothesis(design, start.reshape(objective.shape)).column_names
        forecast = foretell(objective, start, recipe, quadratic, names)
        run.tell_forecast(forecast)
    history = solve(objective, start, recipe, quadratic, validation, run)
    weights = np.asarray(history.weights.reshape(objective.shape), dtype=np.float64)
    descent = descent_of(quadratic, start, history, recipe)
    fitted = LinearHypothesis(design, weights, layer=layer)
    return TrainedProblem(fitted, history, objective, data, quadratic, descent, forecast, shown)
