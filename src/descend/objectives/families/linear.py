"""The linear family: any numbers, predicted by the linear predictor itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.base.messages import Note
from descend.base.moments import deviations
from descend.objectives.families._family import FAMILIES, TargetColumn
from descend.objectives.families._numbers import NumberFamily
from descend.objectives.links import Identity
from descend.objectives.metrics import number_scores, row_squared_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.base.typing import Floats
    from descend.objectives.families._family import TargetFields


class LinearFamily(NumberFamily):
    """Numbers with errors of one variance: least squares and its robust kin."""

    name = "linear"
    link = Identity()
    dispersion = True
    loss = "mse"
    verdict = "numbers"
    squared = True
    error = "rmse"
    estimator = "LinearRegression"

    def recognised(self, column: TargetColumn) -> Note | None:
        """Numbers, of which not all are 0 or 1; several targets; a function of one."""
        if column.plain and (column.zero_one or not column.numbers):
            return None
        return Note("family.numbers", {"column": column.name})

    def metrics(self, target: TargetFields) -> tuple[str, ...]:
        """Return rmse, mae and r2."""
        return "rmse", "mae", "r2"

    def score(self, target: TargetFields, truth: Floats, predicted: Floats) -> list[tuple[str, dict[str, float]]]:
        """Return the scores of every target, in its own unit."""
        return [(name, number_scores(truth[:, i], predicted[:, i])) for i, name in enumerate(target.columns)]

    def headline(self, target: TargetFields) -> str:
        """Return rmse; of several targets, whose units have no mean, r2."""
        return "rmse" if len(target.columns) == 1 else "r2"

    def row_errors(self, target: TargetFields, truth: Floats, predicted: Floats) -> Floats:
        """Return each row's squared error in units of each target's spread, averaged over the targets."""
        return row_squared_errors(truth, predicted)

    def unit(self, truth: Floats) -> float:
        """Return the spread of one target; of several, whose units differ, 1."""
        return float(deviations(truth)[0]) or 1.0 if truth.shape[1] == 1 else 1.0

    def equation(self, target: TargetFields, sums: Sequence[str], names: Sequence[str]) -> list[str]:
        """Return a line for every target."""
        return [f"{output} = {told}" for output, told in zip(self.outputs(target), sums, strict=True)]

    def network_equation(self, target: TargetFields, told: str) -> str:
        """Return the targets as a function of the columns."""
        return f"{', '.join(self.outputs(target))} = {told}"


FAMILIES.add(LinearFamily())
