"""How names and terms are written in a formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.base.errors import FormulaError
from descend.formula.ast import Arithmetic, Category, Name
from descend.formula.parser import parse

if TYPE_CHECKING:
    from descend.formula.ast import Term


def quoted(name: str) -> str:
    """Return a column's name as a formula takes it."""
    try:
        found = parse(f"{name} ~ 1").targets
    except FormulaError:
        return f"`{name}`"
    return name if found == (Name(name),) else f"`{name}`"


def written(term: Term) -> str:
    """Return a term as a formula takes it."""
    made = []
    for factor in term:
        if isinstance(factor, Category):
            made.append(f"C({quoted(factor.name.name)})")
        elif isinstance(factor, Arithmetic) and isinstance(factor.expression, Name):
            made.append(quoted(factor.expression.name))
        else:
            made.append(str(factor))
    return ":".join(made)
