"""The rows that a model keeps, with what the pictures compute from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.losses import make_loss
from descend.objectives.rows import RowsObjective

if TYPE_CHECKING:
    from descend.model import Model


class Kept:
    """The rows that the model keeps, with what is computed from them."""

    def __init__(self, model: Model) -> None:
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
        self.predicted = model.target.predict(self.X @ model.weights)
        loss = make_loss(model.loss, model.family, delta=model.delta)
        fitted = ~self.tested
        l2 = float(model.settings.get("l2", 0.0))
        outputs = model.weights.shape[1]
        self.objective = RowsObjective(self.X[fitted], self.Y[fitted], loss, outputs, l2, model.design.penalised)
