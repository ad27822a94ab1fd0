"""An expression as a sum of parameters, each times an expression of columns: found on the tree, without numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.formula.ast import Expression, Number, Operation, unknowns_of
from descend.formula.visitor import Visitor

if TYPE_CHECKING:
    from descend.formula.ast import Apply, Name, Unknown

Signed = tuple[int, Expression]  # 1 or -1, and what it is times
ONE = Number(1.0)
ZERO = Number(0.0)
REST = ""  # the key of what has no parameter


class NotAffineError(Exception):
    """An expression is not linear in its parameters."""


def affine(expression: Expression) -> dict[str, Signed]:
    """Return what each parameter is times, by its name and in the order in which they stand.

    What has no parameter is under REST, where it is not 0. Raises NotAffineError where a factor would hold a parameter.

    >>> from descend.formula.ast import Name, Unknown
    >>> affine(Operation("-", Unknown("a"), Operation("*", Unknown("b"), Name("x"))))
    {'a': (1, Number(value=1.0, name='')), 'b': (-1, Name(name='x', position=0))}
    """
    found = _Affine().visit(expression)
    if found.get(REST, (1, ONE))[1] == ZERO:
        del found[REST]
    return found


class _Affine(Visitor[dict[str, Signed]]):
    """The factor of each parameter; a part without parameters is one whole, without its outer minus."""

    def visit(self, expression: Expression) -> dict[str, Signed]:
        if any(unknowns_of(expression)):
            return super().visit(expression)
        sign = 1
        while isinstance(expression, Operation) and expression.left is None:
            sign, expression = -sign, expression.right
        return {REST: (sign, expression)}

    def number(self, value: float) -> dict[str, Signed]:
        return {REST: (1, Number(value))}

    def column(self, name: Name) -> dict[str, Signed]:
        return {REST: (1, name)}

    def unknown(self, unknown: Unknown) -> dict[str, Signed]:
        return {unknown.name: (1, ONE)}

    def applied(self, call: Apply) -> dict[str, Signed]:
        raise NotAffineError

    def negated(self, operand: Expression) -> dict[str, Signed]:
        return {name: (-sign, factor) for name, (sign, factor) in self.visit(operand).items()}

    def joined(self, operation: Operation, left: Expression, right: Expression) -> dict[str, Signed]:
        a, b = self.visit(left), self.visit(right)
        match operation.operator:
            case "+":
                return _sum(a, b)
            case "-":
                return _sum(a, {name: (-sign, factor) for name, (sign, factor) in b.items()})
            case "*" if b.keys() == {REST}:
                return {name: _product(own, b[REST]) for name, own in a.items()}
            case "*" if a.keys() == {REST}:
                return {name: _product(a[REST], own) for name, own in b.items()}
            case "/" if b.keys() == {REST}:
                return {name: _quotient(own, b[REST]) for name, own in a.items()}
        raise NotAffineError


def _sum(a: dict[str, Signed], b: dict[str, Signed]) -> dict[str, Signed]:
    made = dict(a)
    for name, (sign, factor) in b.items():
        first, own = made.get(name, (sign, ZERO))
        if own == ZERO:
            made[name] = (sign, factor)
        else:
            made[name] = (first, Operation("+" if first == sign else "-", own, factor))
    return made


def _product(a: Signed, b: Signed) -> Signed:
    if ONE in (a[1], b[1]):
        return a[0] * b[0], b[1] if a[1] == ONE else a[1]
    return a[0] * b[0], Operation("*", a[1], b[1])


def _quotient(a: Signed, b: Signed) -> Signed:
    return a[0] * b[0], a[1] if b[1] == ONE else Operation("/", a[1], b[1])
