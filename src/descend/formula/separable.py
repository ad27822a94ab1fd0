"""The parameters in which a curve is linear when the others are held: those that variable projection solves for."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from descend.formula.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from descend.formula.ast import Apply, Curve, Expression, Name, Operation, Unknown

    Pairs = frozenset[tuple[str, str]]

EXACT = 12  # candidates up to which every set is looked at


def linear_in(curve: Curve) -> tuple[str, ...]:
    """Return the largest set of parameters in which each expression is linear, jointly, given the others.

    The derivative in one of the set holds none of the set (Golub and Pereyra 1973). Of sets of one size it is the one
    that stands first; beyond 12 candidates the set is found greedily.

    >>> from descend.formula.parser import parse
    >>> linear_in(parse("y = b1 * exp(-b2 * x) + b3").resolve(["x", "y"]).curve)
    ('b1', 'b3')
    """
    visitor = _Bends()
    bends = {pair for expression in curve.expressions for pair in visitor.visit(expression)[1]}
    used = {name for expression in curve.expressions for name in visitor.visit(expression)[0]}
    candidates = [name for name in curve.parameters if name in used and (name, name) not in bends]
    if len(candidates) <= EXACT:
        for size in range(len(candidates), 0, -1):
            for chosen in combinations(candidates, size):
                if not any(pair in bends for pair in combinations(chosen, 2)):
                    return chosen
        return ()
    return _greedy(candidates, bends)


def _greedy(candidates: list[str], bends: set[tuple[str, str]]) -> tuple[str, ...]:
    """Return a set that takes, again and again, the parameter that stands against the fewest of those left."""
    left, chosen = list(candidates), set()
    while left:
        best = min(left, key=lambda name: sum((name, other) in bends for other in left))
        chosen.add(best)
        left = [name for name in left if name != best and (best, name) not in bends]
    return tuple(name for name in candidates if name in chosen)


class _Bends(Visitor[tuple[frozenset[str], "Pairs"]]):
    """The parameters of an expression, and the pairs whose second derivative may not be 0, each in both orders."""

    def number(self, value: float) -> tuple[frozenset[str], Pairs]:
        return frozenset(), frozenset()

    def column(self, name: Name) -> tuple[frozenset[str], Pairs]:
        return frozenset(), frozenset()

    def unknown(self, unknown: Unknown) -> tuple[frozenset[str], Pairs]:
        return frozenset([unknown.name]), frozenset()

    def applied(self, call: Apply) -> tuple[frozenset[str], Pairs]:
        return self.bent(self.visit(call.argument)[0])

    def negated(self, operand: Expression) -> tuple[frozenset[str], Pairs]:
        return self.visit(operand)

    def joined(self, operation: Operation, left: Expression, right: Expression) -> tuple[frozenset[str], Pairs]:
        (a, bends_a), (b, bends_b) = self.visit(left), self.visit(right)
        match operation.operator:
            case "+" | "-":
                return a | b, bends_a | bends_b
            case "*":
                return a | b, bends_a | bends_b | _crossed(a, b) | _crossed(b, a)
            case "/":
                return a | b, bends_a | _crossed(a, b) | _crossed(b, a) | _crossed(b, b)
        return self.bent(a | b)

    def bent(self, names: frozenset[str]) -> tuple[frozenset[str], Pairs]:
        """Return what a function of an expression has: every pair of its parameters."""
        return names, _crossed(names, names)


def _crossed(a: Iterable[str], b: Iterable[str]) -> Pairs:
    return frozenset((one, other) for one in a for other in b)
