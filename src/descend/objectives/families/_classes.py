"""What the families of classes have in common: probabilities, their log-loss and their accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.design.encodings.levels import level_codes
from descend.objectives.families._family import Family
from descend.objectives.metrics import class_scores, row_log_loss

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.objectives.families._family import TargetFields
    from descend.tables.columns import Columns


class ClassFamily(Family):
    """Classes, whose probabilities are predicted."""

    classes = True
    one_column = True
    dispersion = False
    use = "category"
    verdict = "classes"
    error = "log_loss"
    estimator = "LogisticRegression"

    def encode(self, target: TargetFields, data: Columns) -> Floats:
        """Return the codes of the classes; raises DesignError for a class that was not seen in fitting."""
        return level_codes(target.columns[0], data, target.levels)[:, None].astype(np.float64)

    def truth(self, target: TargetFields, data: Columns) -> Floats:
        """Return the codes of the classes."""
        return self.encode(target, data)

    def predictions(self, target: TargetFields) -> list[str]:
        """Return the classes."""
        return list(target.levels)

    def predict(self, target: TargetFields, Z: Floats) -> Floats:
        """Return probabilities."""
        return self.link.inverse(Z)

    def null(self, target: TargetFields, truth: Floats) -> Floats:
        """Return the shares of the classes."""
        return np.bincount(truth[:, 0].astype(np.int64), minlength=len(target.levels))[None] / len(truth)

    def null_predictor(self, target: TargetFields, Y: Floats) -> Floats:
        """Return the link of the shares."""
        return self.link.link(self.null(target, Y))

    def metrics(self, target: TargetFields) -> tuple[str, ...]:
        """Return accuracy and log_loss, and of two classes auc."""
        return ("accuracy", "log_loss", "auc")[: 3 if len(target.levels) == 2 else 2]

    def score(self, target: TargetFields, truth: Floats, predicted: Floats) -> list[tuple[str, dict[str, float]]]:
        """Return the scores of the one column."""
        return [(target.columns[0], class_scores(truth[:, 0].astype(np.int64), predicted))]

    def headline(self, target: TargetFields) -> str:
        """Return accuracy."""
        return "accuracy"

    def row_errors(self, target: TargetFields, truth: Floats, predicted: Floats) -> Floats:
        """Return each row's log-loss."""
        return row_log_loss(truth[:, 0].astype(np.int64), predicted)
