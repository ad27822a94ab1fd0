"""What a remedy asks a person to type: names, terms and formulas as the formula language takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.base.errors import FormulaError
from descend.formula.ast import Arithmetic, Category, Name, Poly, Term, names_of
from descend.formula.parser import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.formula.ast import Hypothesis


def rewritten(old: Hypothesis, columns: Sequence[str], name: str) -> str | None:
    """Return the formula with ``poly(name, 2)`` in the place of ``name``, None where that cannot be written safely."""
    where = [n for term in old.terms if len(term) == 1 for n in names_of(term[0]) if n.name == name]
    tries = []
    for found in where:
        token = f"`{name}`" if old.text.startswith("`", found.position) else name
        if found.position > old.text.find("~") and old.text.startswith(token, found.position):
            end = found.position + len(token)
            tries.append(f"{old.text[: found.position]}poly({token}, 2){old.text[end:]}")
    tries.append(f"{old.text} - {quoted(name)} + poly({quoted(name)}, 2)")

    def bent(term: Term, every: bool) -> Term:
        plain, curve = Arithmetic(Name(name)), Poly(Name(name), 2)
        return tuple(curve if f == plain and (every or len(term) == 1) else f for f in term)

    wanted = [{frozenset(bent(term, every)) for term in old.terms} for every in (False, True)]
    for text in tries:
        try:
            new = parse(text).resolve(columns)
        except FormulaError:
            continue
        same = (new.targets, new.intercept) == (old.targets, old.intercept)
        if same and {frozenset(term) for term in new.terms} in wanted:
            return text
    return None


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
