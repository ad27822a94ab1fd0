"""Which terms of an equation can change places without a change of its curve: two decays, three peaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.formula.ast import Operation, Unknown, unknowns_of
from descend.formula.rebuilt import Rebuilt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from descend.formula.ast import Curve, Expression

    Terms = list[tuple[str, Expression]]


def exchangeable(curve: Curve) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """Return the groups of terms that are the same but for the names of their parameters, each term as these names.

    A term is what is added up in an equation; those that share a parameter are taken as one, over all outputs. The
    names of two terms of a group correspond place by place.

    >>> from descend.formula.parser import parse
    >>> exchangeable(parse("y = c + a1*exp(-b1*x) + a2*exp(-b2*x)").resolve(["x", "y"]).curve)
    ((('a1', 'b1'), ('a2', 'b2')),)
    """
    groups: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for terms in _connected(curve):
        names = tuple(dict.fromkeys(unknown.name for _, term in terms for unknown in unknowns_of(term)))
        alike = {name: str(place) for place, name in enumerate(names)}
        shape = tuple(f"{sign} {_Renamed(alike).visit(term)}" for sign, term in terms)
        groups.setdefault(shape, []).append(names)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def _connected(curve: Curve) -> list[Terms]:
    """Return the terms with parameters, those together that share one."""
    made: list[tuple[set[str], Terms]] = []
    for output, expression in enumerate(curve.expressions):
        for sign, term in _terms(expression):
            names = {unknown.name for unknown in unknowns_of(term)}
            if not names:
                continue
            touched = [each for each in made if each[0] & names]
            joined = [one for each in touched for one in each[1]]
            made = [each for each in made if each not in touched]
            made.append((names.union(*(each[0] for each in touched)), [*joined, (f"{output}{sign}", term)]))
    return [terms for _, terms in made]


def _terms(expression: Expression, sign: str = "+") -> Terms:
    """Return what is added up, each with its sign."""
    match expression:
        case Operation("+" | "-" as operator, left, right):
            other = {"+": "-", "-": "+"}[sign] if operator == "-" else sign
            return [*(_terms(left, sign) if left is not None else ()), *_terms(right, other)]
    return [(sign, expression)]


class _Renamed(Rebuilt):
    """The expression with its parameters by other names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def unknown(self, unknown: Unknown) -> Expression:
        return Unknown(self.names[unknown.name])
