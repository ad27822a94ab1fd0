"""The fitted model: a hypothesis with its weights, which predicts and is tested."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl

from descend.base.errors import ModelError, TableError
from descend.formula.parameter_notes import parameter_notes
from descend.model.cautions import beyond, medians
from descend.model.inputs import gather_inputs, prepared_table, wanted_columns
from descend.model.intervals import require_inference, with_intervals
from descend.model.prediction import predict_columns, score_given, with_predictions
from descend.model.record import Assessment, ModelRecord
from descend.solvers.closed_form import whole_epoch
from descend.tables.columns import reading_notes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.analysis.verification import Verification
    from descend.base.messages import Note
    from descend.tables.table import Table


class FittedModel(ModelRecord):
    """A fitted hypothesis that predicts and is tested; its fields are those of ``ModelRecord``."""

    def predict(
        self, source: Any, *, missing: str = "error", probabilities: bool = False, mean: bool = False
    ) -> NDArray[Any]:
        """Predict rows.

        source: whatever ``descend.read`` takes, with the columns that the hypothesis uses.
        missing: "error", "drop" (fewer predictions than rows) or "mean" (of the rows that were fitted).
        mean: of a transformed target, as log(price), its mean (the smearing estimate, Duan 1983) and not its median.

        Returns numbers in the target's unit, (rows,) or (rows, targets); or the likeliest class of each row, and with
        ``probabilities`` rows x classes. Raises DescendError for a missing column, one of the wrong kind, an unseen
        level or a cell that cannot be read.
        """
        made = predict_columns(self, gather_inputs(self, source, missing=missing), mean=mean)
        if self.target.family.classes:
            return made if probabilities else self.target.labels(made)
        return made[:, 0] if made.shape[1] == 1 else made

    def cautions(self, source: Any, *, missing: str = "error") -> list[Note]:
        """Return cautions about predictions of ``source``, for ``Note.tell``.

        How the numbers of columns were read, such as units left out; columns farther outside of the fitted range than
        half its width; parameters of an equation that are called like a column; and targets whose prediction is a
        median.
        """
        data = gather_inputs(self, source, missing=missing)
        read = reading_notes(wanted_columns(self, data.table), data.table)
        named = parameter_notes(self.design.hypothesis, data.table.columns)
        return [*read, *named, *beyond(self.ranges, data), *medians(self.target)]

    def predictions(self, source: Any, *, missing: str = "error", mean: bool = False) -> pl.DataFrame:
        """Return the rows of ``source`` with their predictions beside them, as a polars frame.

        Images are left out; where no file is named beside them the row's number, from 1, stands in their place.

        Added are ``score_predicted`` for a target ``score``; for classes also ``P(class)`` for each. Raises DesignError
        (``design.column-taken``) where the table has a column of such a name.
        """
        return with_predictions(self, gather_inputs(self, source, missing=missing), mean=mean)

    def intervals(self, source: Any, *, level: float = 0.95, missing: str = "error") -> pl.DataFrame:
        """Return the rows of ``source`` with their predictions and the bounds of these at probability ``level``.

        Numbers: ``score_low`` and ``score_high`` for a new row, ``score_mean_low`` and ``score_mean_high`` for the mean
        of all rows like it. Classes: ``P(class)_low`` and ``P(class)_high``. Raises ModelError where the fit has none.
        """
        inference = require_inference(self)
        return with_intervals(self, gather_inputs(self, source, missing=missing), inference, level)

    def profile(self, level: float = 0.95) -> pl.DataFrame:
        """Return the profile interval of every parameter at probability ``level``: name, value, low and high.

        The interval holds the values with which the others can still be fitted well enough (Bates and Watts 1988,
        chapter 6); an end that the rows do not give is infinite. Of a hypothesis that is linear it is the t interval.
        Raises ModelError where the fit has no standard errors, or keeps fewer rows than it was fitted on.
        """
        from descend.model.parameter_profile import profile_of

        found = profile_of(self, level)
        return pl.DataFrame({"name": found.names, "value": found.values, "low": found.low, "high": found.high})

    def evaluate(self, source: Any, *, missing: str = "error") -> Verification:
        """Test the model on rows that hold the target too, beside the baseline of the rows it was fitted on."""
        data = gather_inputs(self, source, missing=missing, target=True)
        if not len(data):
            raise TableError("table.no-rows", file=data.table.name)
        return score_given(self, self.target.truth(data), predict_columns(self, data))

    def prepared(self, source: Any) -> Table:
        """Return a table whose pictures, if any, are prepared as the fitted ones were; its notes say how."""
        return prepared_table(self, source)

    def at(self, epoch: int) -> Self:
        """Return the model as it was after ``epoch`` updates, untested; of a quadratic run any epoch, also 10**9.

        Of other runs the epochs that were kept; raises ModelError for one that was not, and for one that overflowed.
        """
        epoch = whole_epoch(epoch)
        kept = self.history.snapshot_epoch
        if self.descent is not None:
            weights, loss = self.descent.weights(epoch), self.descent.loss(epoch)
        else:
            place = int(np.argmin(np.abs(kept - epoch)))
            if kept[place] != epoch:
                raise ModelError("model.no-epoch", epoch=epoch, near=int(kept[place]), last=int(kept[-1]))
            weights, loss = self.history.snapshots[place], self.history.at(epoch)
        if not np.isfinite(weights).all():
            raise ModelError("model.overflowed", epoch=epoch)
        history = replace(self.history, weights=weights, final_loss=loss, final_gradient_norm=math.nan, gap=None)
        if epoch < self.history.epochs:
            history = replace(history, stop="interrupted")
        untested = Assessment(forecast=self.forecast)
        return replace(self, hypothesis=self.hypothesis.at(weights), history=history, assessment=untested)

    def __str__(self) -> str:
        return self.equation

    def __repr__(self) -> str:
        return f"<descend.Model {self.formula!r}, {self.family}, {self.fitted_rows} rows>"
