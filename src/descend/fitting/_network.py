"""The fit of a network on a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.analysis.forecast import Forecast
from descend.fitting.trained import TrainedProblem
from descend.model.hypotheses.network import NetworkHypothesis

if TYPE_CHECKING:
    from collections.abc import Callable

    from descend.design.matrix import Design
    from descend.objectives.losses import Loss
    from descend.objectives.networks.network import Network
    from descend.objectives.target import Target
    from descend.objectives.torch_batches import Source
    from descend.objectives.torch_module import ModuleObjective
    from descend.solvers.recipe import Recipe
    from descend.solvers.run_options import RunOptions
    from descend.tables.columns import Columns

    Sources = Callable[[Network], tuple[Source, Source | None]]


def fit_network(
    design: Design, target: Target, loss: Loss, data: Columns, sources: Sources, recipe: Recipe, run: RunOptions
) -> TrainedProblem:
    """Fit a network on rows, whose columns are ``data``. Raises OptionError, DesignError.

    sources: gives, for a network, the rows to fit and those to stop by (None where there are none).
    """
    from descend.solvers import torch_training

    network = torch_training.prepare(design, target, target.encode(data), recipe)
    forecast = Forecast(reason=NetworkHypothesis.refusals["forecast"], asked=True)
    run.tell_forecast(forecast)
    several = len(target.outputs) > 1 and target.family.classes

    def over(source: Source) -> ModuleObjective:
        return torch_training.objective_of(network, source, loss, recipe, classes=several)

    fitted, held = sources(network)
    objective = over(fitted)
    history = torch_training.train_network(objective, recipe, None if held is None else over(held), run)
    weights = np.asarray(history.weights[:, None], dtype=np.float64)
    return TrainedProblem(NetworkHypothesis(design, weights, network), history, objective, data, forecast=forecast)
