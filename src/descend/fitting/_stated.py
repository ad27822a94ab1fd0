"""What a text says of a table: a formula, or an equation with the settings of its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.base.errors import OptionError
from descend.formula.ast import Hypothesis
from descend.formula.equation import Equation, of_family
from descend.formula.formula import Formula
from descend.formula.parser import parse
from descend.objectives.families import FAMILIES
from descend.objectives.target import family_of_loss
from descend.solvers.settings import OF_PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from descend.solvers.recipe import Recipe


def stated(
    formula: str | Formula | Equation | Hypothesis, columns: Sequence[str], repeated: Collection[str], recipe: Recipe
) -> Hypothesis:
    """Return what a formula or an equation says of a table's columns, with the settings that bear on that.

    Raises FormulaError, and OptionError for settings of an equation's parameters where a formula has none.
    """
    parsed = formula if isinstance(formula, Formula | Equation | Hypothesis) else parse(formula)
    if isinstance(parsed, Hypothesis):
        return parsed
    held = (*recipe.limits, *recipe.held)
    hypothesis = of_family(parsed.resolve(columns, repeated, recipe.declared, held), _outer(recipe), held)
    for name in OF_PARAMETERS:
        if getattr(recipe, name) is not None and not hypothesis.written:
            raise OptionError("option.equation-only", name=name, formula=hypothesis.text)
    return hypothesis


def _outer(recipe: Recipe) -> str:
    """Return the function that the recipe's family puts around the linear predictor, where it names the family."""
    if recipe.family in FAMILIES:
        return FAMILIES[recipe.family].link.outer
    return "" if callable(recipe.loss) or recipe.loss == "auto" else family_of_loss(recipe.loss).link.outer
