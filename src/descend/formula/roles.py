"""The columns that a formula takes as targets and as inputs, and the formula changed by choosing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from descend.base.errors import FormulaError
from descend.formula.ast import Name
from descend.formula.edits import renamed, terms_with, without
from descend.formula.equation import Equation
from descend.formula.notation import quoted
from descend.formula.parser import is_equation, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.formula.ast import Hypothesis

    Role = Literal["target", "input"]


def roles(formula: str, columns: Sequence[str]) -> dict[str, Role]:
    """Return which columns a formula or an equation takes as targets and which as inputs; none where it is not one."""
    hypothesis = _read(formula, columns)
    if hypothesis is None:
        return {}
    found: dict[str, Role] = {name.name: "input" for name in hypothesis.inputs}
    return {**found, **{name.name: "target" for name in hypothesis.outputs}}


def toggled(formula: str, column: str, columns: Sequence[str]) -> str:
    """Return the formula with a column as one more input, or without every term that has it.

    It stays as it is for a target, for a name that no formula can hold (one with a backtick), and where it is an
    equation: what a column does there only its author knows.
    """
    hypothesis = _read(formula, columns)
    if not _can_be_written(column) or is_equation(formula) or (hypothesis and column in _targets(hypothesis)):
        return formula
    if hypothesis is None:
        others = [name for name in columns if name != column and _can_be_written(name)]
        return f"{quoted(others[-1])} ~ {quoted(column)}" if others else f"{quoted(column)} ~ 1"
    mine = terms_with(hypothesis, column)
    if not mine:
        return _joined(formula, quoted(column))
    return without(formula, mine, columns) or f"{formula[: _tilde(formula)].strip()} ~ 1"


def retargeted(formula: str, column: str, columns: Sequence[str]) -> str:
    """Return the formula with a column as its target; where it was an input, the old target takes its place.

    Of an equation the left side is replaced; ``P(...)`` stays, without the old level. A formula stays as it is where
    the column is a target already, for a name that no formula can hold, and where it is several equations or one that
    cannot be read.
    """
    hypothesis = _read(formula, columns)
    if not _can_be_written(column) or (hypothesis and column in _targets(hypothesis)):
        return formula
    if is_equation(formula):
        return _with_left_side(formula, column) if hypothesis and len(hypothesis.targets) == 1 else formula
    if hypothesis is None:
        return f"{quoted(column)} ~ 1"
    mine = terms_with(hypothesis, column)
    left = (without(formula, mine, columns) or f"{quoted(column)} ~ 1") if mine else formula
    made = f"{quoted(column)} ~ {left[_tilde(left) + 1 :].strip()}"
    for name in _targets(hypothesis) if mine else []:
        made = _joined(made, quoted(name))
    return made


def _with_left_side(equation: str, column: str) -> str:
    """Return an equation with another column on its left, and the old one in its place on the right."""
    (old,) = parse(equation).columns
    made = renamed(equation, column, old.name) or equation
    parsed = parse(made)
    assert isinstance(parsed, Equation)
    (relation,) = parsed.relations
    left = f"P({quoted(column)})" if relation.probability else quoted(column)
    return f"{left} = {made[relation.right_position :]}"


def _targets(hypothesis: Hypothesis) -> list[str]:
    return [name.name for name in hypothesis.outputs]


def _can_be_written(column: str) -> bool:
    """Tell whether a formula can name a column."""
    try:
        return parse(f"{quoted(column)} ~ 1").targets == (Name(column),)
    except FormulaError:
        return False


def _read(formula: str, columns: Sequence[str]) -> Hypothesis | None:
    try:
        parsed = parse(formula)
        return parsed.resolve(list(columns), declared=parsed.parameters_among(columns))
    except FormulaError:
        return None


def _joined(formula: str, term: str) -> str:
    """Return a formula with one more term; a lone constant makes room for it."""
    at = _tilde(formula)
    left, right = formula[:at].strip(), formula[at + 1 :].strip()
    return f"{left} ~ {term}" if right == "1" else f"{left} ~ {right} + {term}"


def _tilde(formula: str) -> int:
    """Return where the ~ stands that parts the sides: one in backticks is a letter of a name."""
    quoted_part = False
    for at, letter in enumerate(formula):
        quoted_part ^= letter == "`"
        if letter == "~" and not quoted_part:
            return at
    return len(formula)
