"""The rows that a model keeps, with what the pictures compute from them."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from descend.base.errors import FitError
from descend.model.inputs import kept_columns
from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import make_loss
from descend.objectives.quadratic import GramObjective

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.model.fitted import FittedModel
    from descend.objectives.objective import Objective
    from descend.tables.columns import Columns


class PlotRows:
    """The rows that the model keeps, with what is computed from them."""

    def __init__(self, model: FittedModel) -> None:
        self.model = model
        self.rows = 0 if model.sample is None else model.sample.frame.height
        self.size = 36.0 if self.rows <= 100 else 14.0
        if not self.rows:
            return
        assert model.sample is not None
        self.columns = kept_columns(model)
        self.tested = model.sample.tested
        self.X = model.design.matrix(self.columns)
        self.Y = model.target.encode(self.columns)
        self.truth = model.target.truth(self.columns)
        self.predicted = model.target.predict(model.hypothesis.predictor(self.X))
        loss = make_loss(model.loss, model.target.family, delta=model.delta)
        l2, fitted = float(model.settings.get("l2", 0.0)), ~self.tested
        self.objective: Objective = model.hypothesis.objective(self.X[fitted], self.Y[fitted], loss, l2)

    def predict(self, columns: Columns) -> Floats:
        """Return the predictions of rows, in the target's unit or as probabilities."""
        return self.model.target.predict(self.model.hypothesis.predictor(self.model.design.matrix(columns)))

    @cached_property
    def surface(self) -> Objective:
        """The loss as it is drawn: of squared errors the quadratic that it is, where its digits suffice."""
        if isinstance(self.objective, RowsObjective) and self.objective.loss.quadratic:
            with suppress(FitError):  # squares beyond all numbers
                quadratic = GramObjective.of(self.objective)
                return quadratic if quadratic.trustworthy else self.objective
        return self.objective
