"""The rows that a model keeps, with what the pictures compute from them."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from descend.base.errors import FitError
from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import make_loss
from descend.objectives.networks.network import require_torch
from descend.objectives.quadratic import GramObjective

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from descend.model.fitted import FittedModel
    from descend.objectives.losses import Loss
    from descend.objectives.networks.network import Network
    from descend.objectives.objective import Objective

    Floats = NDArray[np.floating[Any]]

NUMBERS = 150_000  # in the rows of a network: the loss is wanted at hundreds of points


class PlotRows:
    """The rows that the model keeps, with what is computed from them."""

    def __init__(self, model: FittedModel) -> None:
        self.model = model
        self.rows = 0 if model.sample is None else model.sample.frame.height
        self.size = 36.0 if self.rows <= 100 else 14.0
        if not self.rows:
            return
        assert model.sample is not None
        self.columns = model.kept_rows()
        self.tested = model.sample.tested
        self.X = model.design.matrix(self.columns)
        self.Y = model.target.encode(self.columns)
        self.truth = model.target.truth(self.columns)
        self.predicted = model.target.predict(model.predictor(self.X))
        loss = make_loss(model.loss, model.target.family, delta=model.delta)
        fitted = ~self.tested
        self.objective: Objective
        if model.network is not None:
            few = max(NUMBERS // self.X.shape[1], 50)
            self.objective = _over_network(model.network, self.X[fitted][:few], self.Y[fitted][:few], loss)
            return
        l2 = float(model.settings.get("l2", 0.0))
        outputs = model.weights.shape[1]
        self.objective = RowsObjective(self.X[fitted], self.Y[fitted], loss, outputs, l2, model.design.penalised)

    @cached_property
    def surface(self) -> Objective:
        """The loss as it is drawn: of squared errors the quadratic that it is, where its digits suffice."""
        if isinstance(self.objective, RowsObjective) and self.objective.loss.quadratic:
            with suppress(FitError):  # squares beyond all numbers
                quadratic = GramObjective.of(self.objective)
                return quadratic if quadratic.trustworthy else self.objective
        return self.objective


def _over_network(network: Network, X: Floats, Y: Floats, loss: Loss) -> Objective:
    """Return the loss of a copy of a network over some rows, which asking for values may change."""
    from descend.objectives.torch_module import ModuleObjective
    from descend.solvers.torch_training import in_memory

    mine = network.at(network.state())
    return ModuleObjective(mine, in_memory(mine, X, Y), loss, loss.criterion(require_torch()), loss.mean)
