"""The softmax family: several classes, each with a linear predictor of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.base.messages import Note
from descend.objectives.families._classes import ClassFamily
from descend.objectives.families._family import FAMILIES, TargetColumn
from descend.objectives.links import MultinomialLogit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.base.typing import Floats
    from descend.objectives.families._family import TargetFields


class SoftmaxFamily(ClassFamily):
    """Two classes or more."""

    name = "softmax"
    link = MultinomialLogit()
    loss = "cross_entropy"

    def recognised(self, column: TargetColumn) -> Note | None:
        """Three classes or more."""
        if column.plain and not column.numbers and len(column.levels) > 2:
            return Note("family.levels", {"column": column.name, "count": len(column.levels)})
        return None

    def outputs(self, target: TargetFields) -> list[str]:
        """Return the classes."""
        return list(target.levels)

    def contrasts(self, raw: Floats) -> Floats:
        """Return the coefficients less the first class's: a shift of all classes changes no probability."""
        return raw[:, 1:] - raw[:, :1]

    def equation(self, target: TargetFields, sums: Sequence[str], names: Sequence[str]) -> list[str]:
        """Return the probabilities, and a line for every class."""
        lines = [f"z[{level}] = {told}" for level, told in zip(target.levels, sums, strict=True)]
        return [f"P({target.columns[0]} = class) = exp(z[class]) / Σ exp(z)", *lines]

    def network_equation(self, target: TargetFields, told: str) -> str:
        """Return the probabilities as the softmax of the network."""
        return f"P({target.columns[0]}) = softmax({told})"


FAMILIES.add(SoftmaxFamily())
