"""A visitor that builds an expression anew, with other parts in some places."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from descend.formula.ast import Apply, Expression, Name, Number, Operation, Unknown
from descend.formula.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from descend.formula.ast import Curve


class Rebuilt(Visitor[Expression]):
    """The same expression; a subclass says what takes the place of a column or of a parameter."""

    def visit(self, expression: Expression) -> Expression:
        """Return the expression with other parts; a number stays as it is written."""
        return expression if isinstance(expression, Number) else super().visit(expression)

    def number(self, value: float) -> Expression:
        """Return a number."""
        return Number(value)

    def column(self, name: Name) -> Expression:
        """Return what takes the place of a column."""
        return name

    def unknown(self, unknown: Unknown) -> Expression:
        """Return what takes the place of a parameter."""
        return unknown

    def applied(self, call: Apply) -> Expression:
        """Return the same function of the argument built anew."""
        return Apply(call.function, self.visit(call.argument))

    def negated(self, operand: Expression) -> Expression:
        """Return minus the operand built anew."""
        return Operation("-", None, self.visit(operand))

    def joined(self, operation: Operation, left: Expression, right: Expression) -> Expression:
        """Return the same operation of both sides built anew."""
        return Operation(operation.operator, self.visit(left), self.visit(right))


def held_at(curve: Curve, values: Mapping[str, float]) -> Curve:
    """Return a curve in the other parameters, with these held at their values."""
    expressions = tuple(substituted(expression, values) for expression in curve.expressions)
    free = tuple(name for name in curve.parameters if name not in values)
    return replace(curve, expressions=expressions, parameters=free)


def substituted(expression: Expression, values: Mapping[str, float]) -> Expression:
    """Return the expression with numbers for some of its parameters.

    >>> str(substituted(Operation("*", Unknown("a"), Name("x")), {"a": 2.0}))
    '2 * x'
    """
    return _Substituted(values).visit(expression)


class _Substituted(Rebuilt):
    def __init__(self, values: Mapping[str, float]) -> None:
        self.values = values

    def unknown(self, unknown: Unknown) -> Expression:
        return Number(self.values[unknown.name]) if unknown.name in self.values else unknown
