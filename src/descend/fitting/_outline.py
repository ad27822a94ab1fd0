"""What a hypothesis asks of a table: how its columns are read, the family of its target, and its loss.

A table in memory and a scan are both decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from descend.base.messages import Note
from descend.formula.ast import Formula
from descend.formula.parser import parse
from descend.objectives.losses import make_loss
from descend.objectives.target import choose_family, target_uses
from descend.tables.columns import uses

if TYPE_CHECKING:
    from descend.formula.ast import Hypothesis
    from descend.objectives.families import Family
    from descend.objectives.losses import Loss
    from descend.objectives.target import Target
    from descend.solvers.recipe import Recipe
    from descend.tables.columns import Columns, Use
    from descend.tables.table import Table


@dataclass(frozen=True)
class Outline:
    """A hypothesis on the columns of a table, before the rows are read.

    ``uses`` and ``target_uses`` say how the columns are read; ``why`` is the note that says why the family was chosen.
    """

    hypothesis: Hypothesis
    uses: dict[str, Use]
    target_uses: dict[str, Use]
    family: Family
    why: Note

    @classmethod
    def of(cls, hypothesis: Hypothesis, table: Table, recipe: Recipe) -> Outline:
        """Decide how the columns of a table (of a scan its first rows) are read, and the family."""
        wanted = uses(hypothesis, table)
        family, why = choose_family(hypothesis, table, recipe.family, loss_named(recipe))
        return cls(hypothesis, wanted, target_uses(hypothesis, family), family, why)

    @property
    def wanted(self) -> dict[str, Use]:
        """How each column that is read is used."""
        return {**self.uses, **self.target_uses}


def resolve_formula(formula: str | Formula, table: Table) -> Hypothesis:
    """Return the hypothesis that a formula states on the columns of a table; raises FormulaError."""
    parsed = parse(formula) if not isinstance(formula, Formula) else formula
    return parsed.resolve(table.columns, table.repeated)


def loss_named(recipe: Recipe) -> str:
    """Return the name of the recipe's loss; a function of the user's own stands beside the family's."""
    return "auto" if callable(recipe.loss) else recipe.loss


def checked_loss(recipe: Recipe, target: Target, data: Columns) -> Loss:
    """Return the loss of a recipe; raises OptionError or DesignError where the target's values are none for it."""
    loss = make_loss(loss_named(recipe), target.family, delta=recipe.delta)
    loss.check(target.encode(data), target.columns[0])
    return loss


def recipe_notes(recipe: Recipe) -> list[Note]:
    """Return what there is to note about a recipe."""
    notes = list[Note]()
    if recipe.optimizer == "auto" and recipe.iterates and not recipe.networked:
        notes.append(Note("note.sgd-asked", {}))
    if callable(recipe.loss):
        notes.append(Note("note.own-loss", {"name": recipe.changes()["loss"]}))
    return notes
