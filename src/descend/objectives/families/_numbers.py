"""What the families of numbers have in common: predictions in the unit of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.base.moments import average
from descend.formula.evaluate import undefined, undo, values_of
from descend.objectives.families._family import Family

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.objectives.families._family import TargetFields
    from descend.tables.columns import Columns


class NumberFamily(Family):
    """Numbers, whose means are predicted."""

    classes = False
    one_column = False
    use = "number"

    def encode(self, target: TargetFields, data: Columns) -> Floats:
        """Return the targets as written, rows x targets; raises DesignError where a function is not defined."""
        made = []
        for expression in target.expressions:
            values = np.broadcast_to(values_of(expression, data.numbers), (len(data),))
            if not np.isfinite(values).all():
                row = int(np.argmin(np.isfinite(values)))
                term, file = str(expression), data.file(row)
                raise undefined(expression, term=term, file=file, line=data.line(row))
            made.append(values)
        return np.stack(made, axis=1)

    def truth(self, target: TargetFields, data: Columns) -> Floats:
        """Return the columns in their own units."""
        return np.stack([data.numbers[column] for column in target.columns], axis=1)

    def outputs(self, target: TargetFields) -> list[str]:
        """Return the targets as written."""
        return [str(expression) for expression in target.expressions]

    def predictions(self, target: TargetFields) -> list[str]:
        """Return the columns."""
        return list(target.columns)

    def predict(self, target: TargetFields, Z: Floats) -> Floats:
        """Return means in the unit of the table; of a transformed target medians."""
        made = self.link.inverse(Z)
        return np.stack([undo(e, made[:, i]) for i, e in enumerate(target.expressions)], axis=1)

    def null(self, target: TargetFields, truth: Floats) -> Floats:
        """Return the means."""
        return np.asarray(average(truth)).reshape(1, -1)

    def null_predictor(self, target: TargetFields, Y: Floats) -> Floats:
        """Return the link of the means."""
        return self.link.link(Y.mean(axis=0, keepdims=True))
