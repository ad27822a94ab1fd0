"""One run of the solver on a design and a loss that are there, and what it gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from descend.analysis.forecast import foretell
from descend.objectives.in_memory import RowsObjective
from descend.solvers.dispatch import descent_of, quadratic_of, solve
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.analysis.forecast import Forecast
    from descend.design.matrix import Design
    from descend.objectives.networks.network import Network
    from descend.objectives.objective import OverRows
    from descend.objectives.quadratic import GramObjective
    from descend.objectives.target import Target
    from descend.objectives.torch_module import ModuleObjective
    from descend.solvers.closed_form import ClosedFormRun
    from descend.solvers.history import History
    from descend.solvers.recipe import Recipe
    from descend.tables.columns import Columns

    Floats = NDArray[np.floating[Any]]
    Rows = NDArray[np.int64]
    OnEpoch = Callable[[int, float], None]
    OnForecast = Callable[[Forecast], None]


@dataclass(frozen=True)
class TrainedProblem:
    """One run of the solver: the design and parameters (columns x outputs) it gave and how it went.

    ``over`` and ``data`` are the fitted rows; where these are too many to hold, ``data`` and ``shown`` are some of
    them. ``quadratic`` is squared error's engine over them, ``descent`` its run in closed form, ``forecast`` what was
    known before it, each where it was made. Where the hypothesis is a ``network``, ``weights`` is its flat state
    (numbers x 1).
    """

    design: Design
    weights: Floats
    history: History
    over: OverRows | ModuleObjective
    data: Columns
    quadratic: GramObjective | None = None
    descent: ClosedFormRun | None = None
    forecast: Forecast | None = None
    network: Network | None = None
    shown: RowsObjective | None = None

    @property
    def objective(self) -> OverRows:
        """The fitted rows as an equation's solver saw them; a network's is ``over``."""
        return cast("OverRows", self.over)

    @property
    def whole(self) -> RowsObjective | None:
        """The fitted rows where all of them are in memory, else None."""
        return self.over if isinstance(self.over, RowsObjective) and self.shown is None else None

    def predict(self, target: Target, data: Columns, rows: Rows | None = None) -> Floats:
        """Return predictions for rows, by default for all."""
        return target.predict(self.predictor(self.design.matrix(data, rows)))

    def predictor(self, X: Floats) -> Floats:
        """Return the linear predictor, rows x outputs, of rows of the design."""
        return X @ self.weights if self.network is None else self.network.predictor(X)


def start_values(design: Design, objective: OverRows, recipe: Recipe) -> Floats:
    """Return the parameters that a recipe's run begins with, flat."""
    start = recipe.start(design.names, objective.outputs)
    if recipe.method == "auto":
        start.reshape(objective.shape)[design.constant] = 0.0  # any number would do: none has an effect
    return start


def run_solver(
    design: Design,
    objective: OverRows,
    data: Columns,
    recipe: Recipe,
    validation: OverRows | None = None,
    run: RunOptions = DEFAULT_OPTIONS,
    shown: RowsObjective | None = None,
) -> TrainedProblem:
    """Fit an equation whose design and objective are there; ``data`` and ``shown`` as in ``TrainedProblem``."""
    start = start_values(design, objective, recipe)
    quadratic = quadratic_of(objective, recipe, start)
    forecast = None
    if run.forecasts and (recipe.method != "auto" or quadratic is not None):
        forecast = foretell(objective, start, recipe, quadratic, design.names)
        run.tell_forecast(forecast)
    history = solve(objective, start, recipe, quadratic, validation, run)
    weights = np.asarray(history.weights.reshape(objective.shape), dtype=np.float64)
    descent = descent_of(quadratic, start, history, recipe)
    return TrainedProblem(design, weights, history, objective, data, quadratic, descent, forecast, shown=shown)
