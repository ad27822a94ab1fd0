"""Changing a formula by its terms: every edit is parsed again, and is one only if it says what was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.base.errors import FormulaError
from descend.formula.ast import Arithmetic, Chain, Leaf, Name, Number, Operation, Poly, names_of
from descend.formula.ast import leaves as leaves_of
from descend.formula.equation import Equation
from descend.formula.formula import Formula
from descend.formula.notation import quoted, written
from descend.formula.parser import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from descend.formula.ast import Factor, Hypothesis, Term, Tree

    Terms = set[frozenset[Factor]]


def resolved(formula: str, known: Iterable[str] = ()) -> Hypothesis:
    """Return what a formula says of the columns that it names and those ``known``; raises FormulaError.

    The names of an equation that are not ``known`` are its parameters, its targets apart.
    """
    parsed = parse(formula)
    columns = _columns(parsed, known)
    return parsed.resolve(columns, declared=parsed.parameters_among(columns))


def without(formula: str, terms: Iterable[Term], known: Iterable[str] = ()) -> str | None:
    """Return the formula without some terms and the products that hold one of them.

    None where it would be none, and of an equation, whose parameters would lose their meaning.
    """
    if isinstance(parse(formula), Equation):
        return None
    old, drop = resolved(formula, known), [frozenset(term) for term in terms]
    dropped = {frozenset(term) for term in old.terms if any(out <= frozenset(term) for out in drop)}
    return _retold(old, dropped, known) if dropped else None


def with_orthogonal(formula: str, column: str, known: Iterable[str] = ()) -> str | None:
    """Return the formula with ``poly(column, n)`` in the place of the plain powers 1 to n of a column.

    None where it has none of these, and of an equation.
    """
    if isinstance(parse(formula), Equation):
        return None
    old = resolved(formula, known)
    powers: dict[frozenset[Factor], set[int]] = {}
    for term in old.terms:
        if len(term) == 1 and (found := _powers(term[0], column)):
            powers[frozenset(term)] = found
    every = sorted(set().union(*powers.values()))
    if len(every) < 2 or every != list(range(1, len(every) + 1)):
        return None
    return _retold(old, set(powers), known, Poly(Name(column), len(every)))


def with_bend(formula: str, column: str, known: Iterable[str] = ()) -> str | None:
    """Return the formula with ``poly(column, 2)`` in the place of a column.

    None where that cannot be written, and of an equation.
    """
    parsed = parse(formula)
    if isinstance(parsed, Equation):
        return None
    columns = _columns(parsed, known)
    return rewritten(parsed.resolve(columns), columns, column)


def rewritten(old: Hypothesis, columns: Sequence[str], name: str) -> str | None:
    """Return the formula with ``poly(name, 2)`` in the place of ``name``, None where that cannot be written safely.

    None also of an equation.
    """
    if old.written:
        return None
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


def renamed(formula: str, found: str, near: str) -> str | None:
    """Return the formula with another name for a column, wherever it stands; None where it does not."""
    places = sorted({name.position for name in parse(formula).names if name.name == found}, reverse=True)
    for position in places:
        token = f"`{found}`" if formula.startswith("`", position) else found
        formula = f"{formula[:position]}{quoted(near)}{formula[position + len(token) :]}"
    return formula if places else None


def terms_with(hypothesis: Hypothesis, column: str) -> list[Term]:
    """Return the terms that use a column."""
    return [
        term for term in hypothesis.terms if any(name.name == column for factor in term for name in names_of(factor))
    ]


def _retold(old: Hypothesis, dropped: Terms, known: Iterable[str], new: Poly | None = None) -> str | None:
    """Return the first way to write ``old`` without some terms, and with a new one, that says it."""
    wanted = {frozenset(term) for term in old.terms} - dropped
    inserted = ""
    if new is not None:
        assert isinstance(new.expression, Name)
        wanted.add(frozenset([new]))
        inserted = f"poly({quoted(new.expression.name)}, {new.degree})"
    parsed = parse(old.text)
    assert isinstance(parsed, Formula)
    known = _columns(parsed, known)  # what is left out may be one of them
    dropping = "".join(f" - {written(term)}" for term in old.terms if frozenset(term) in dropped)
    tries = [_cut(parsed, dropped, known, inserted), f"{old.text}{dropping}{inserted and f' + {inserted}'}"]
    if Leaf() not in leaves_of(parsed.right):  # a dot may stand for more columns than anybody wants to read
        tries.insert(1, _spelt(parsed, old, dropped, inserted))
    for text in tries:
        try:
            made = resolved(text, known)
        except FormulaError:
            continue
        same = (made.targets, made.intercept) == (old.targets, old.intercept)
        if same and {frozenset(term) for term in made.terms} == wanted:
            return text
    return None


def _cut(parsed: Formula, dropped: Terms, known: Sequence[str], inserted: str) -> str:
    """Return the text without the parts of its sum that hold nothing but the terms to drop."""
    assert isinstance(parsed.right, Chain)
    parts, kept = parsed.right.parts, []
    starts = [position for _, _, position in parts]
    for (sign, tree, start), end in zip(parts, [*starts[1:], len(parsed.text)], strict=True):
        piece = parsed.text[start:end]
        if sign == "+" and (own := _terms_of(parsed, tree, known)) and own <= dropped:
            piece, inserted = f"+ {inserted} " if inserted else "", ""
        elif start == starts[0] and not piece.startswith(("+", "-", "−")):
            piece = f"+ {piece}"
        kept.append(piece)
    body = "".join(kept).strip().removeprefix("+").strip()
    return f"{parsed.text[: starts[0]]}{body or '1'}"


def _spelt(parsed: Formula, old: Hypothesis, dropped: Terms, inserted: str) -> str:
    """Return the formula with the terms that are left written one by one."""
    assert isinstance(parsed.right, Chain)
    left = [written(term) for term in old.terms if frozenset(term) not in dropped]
    shown = [*([] if old.intercept else ["0"]), *left, *([inserted] if inserted else [])]
    return f"{parsed.text[: parsed.right.parts[0][2]]}{' + '.join(shown) or '1'}"


def _terms_of(parsed: Formula, tree: Tree, known: Sequence[str]) -> Terms:
    """Return the terms that a part of the right-hand side makes by itself."""
    alone = Formula(parsed.text, parsed.targets, Chain((("+", tree, 0),)))
    try:
        return {frozenset(term) for term in alone.resolve(_columns(parsed, known)).terms}
    except FormulaError:  # a 0 by itself
        return set()


def _columns(parsed: Formula | Equation, known: Iterable[str]) -> list[str]:
    """Return the columns that are known of and those that a formula names, each once."""
    return list(dict.fromkeys([*known, *(name.name for name in parsed.columns)]))


def _powers(factor: Factor, column: str) -> set[int]:
    """Return which plain powers of a column a factor is; none where it is anything else."""
    match factor:
        case Poly(expression=Name(name=name), degree=degree, raw=True) if name == column:
            return set(range(1, degree + 1))
        case Arithmetic(expression=Name(name=name)) if name == column:
            return {1}
        case Arithmetic(expression=Operation(operator="**", left=Name(name=name), right=Number(value=value))):
            return {int(value)} if name == column and value.is_integer() and value > 0 else set()
    return set()
