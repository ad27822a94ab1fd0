"""The logistic family: two classes, of which the probability of the second is fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.base.messages import Note
from descend.objectives.families._classes import ClassFamily
from descend.objectives.families._family import FAMILIES, TargetColumn
from descend.objectives.links import Logit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.objectives.families._family import TargetFields


class LogisticFamily(ClassFamily):
    """Two classes."""

    name = "logistic"
    link = Logit()
    most_levels = 2
    loss = "binary_cross_entropy"

    def recognised(self, column: TargetColumn) -> Note | None:
        """Two classes, or one; numbers that are 0 and 1 alone."""
        if column.plain and column.numbers and column.zero_one:
            return Note("family.zero-one", {"column": column.name})
        if column.plain and not column.numbers and len(column.levels) <= 2:
            return Note("family.two-levels", {"column": column.name, "levels": ", ".join(column.levels)})
        return None

    def outputs(self, target: TargetFields) -> list[str]:
        """Return the second class."""
        return [target.levels[1]]

    def equation(self, target: TargetFields, sums: Sequence[str], names: Sequence[str]) -> list[str]:
        """Return the probability of the second class by a letter that no column has, and what the letter is."""
        z = next(letter for letter in ("z", "u", "v", "logit") if letter not in names)
        return [f"P({target.columns[0]} = {target.levels[1]}) = 1 / (1 + exp(−{z}))", f"{z} = {sums[0]}"]

    def network_equation(self, target: TargetFields, told: str) -> str:
        """Return the probability as the sigmoid of the network."""
        return f"P({target.columns[0]}) = sigmoid({told})"


FAMILIES.add(LogisticFamily())
