"""A visitor of expressions: whatever is computed of an expression is a class with one small method a kind of part."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from descend.formula.ast import Apply, Name, Number, Operation, Unknown

if TYPE_CHECKING:
    from descend.formula.ast import Expression

Result = TypeVar("Result")


class Visitor(ABC, Generic[Result]):
    """Computes a result of an expression; each method gets a part and visits those inside it where it needs them."""

    def visit(self, expression: Expression) -> Result:
        """Return the result for an expression."""
        match expression:
            case Number(value):
                return self.number(value)
            case Name():
                return self.column(expression)
            case Unknown():
                return self.unknown(expression)
            case Apply():
                return self.applied(expression)
            case Operation(_, left, right):
                return self.negated(right) if left is None else self.joined(expression, left, right)

    @abstractmethod
    def number(self, value: float) -> Result:
        """Return the result for a number that is written in the formula."""

    @abstractmethod
    def column(self, name: Name) -> Result:
        """Return the result for a column."""

    def unknown(self, unknown: Unknown) -> Result:
        """Return the result for a parameter of an equation; raises KeyError where the visitor knows of none."""
        raise KeyError(unknown.name)

    @abstractmethod
    def applied(self, call: Apply) -> Result:
        """Return the result for a function of an expression."""

    @abstractmethod
    def negated(self, operand: Expression) -> Result:
        """Return the result for minus an expression."""

    @abstractmethod
    def joined(self, operation: Operation, left: Expression, right: Expression) -> Result:
        """Return the result for two expressions joined by the operation's operator: + - * / ** min or max."""


class SharingVisitor(Visitor[Result]):
    """A visitor that visits a part once where the same object stands in several places of the expression."""

    def __init__(self, expression: Expression) -> None:
        self._shared, self._known = _shared(expression), dict[int, Result]()

    def visit(self, expression: Expression) -> Result:
        """Return the result for an expression."""
        place = id(expression)
        if place not in self._shared:
            return super().visit(expression)
        if place not in self._known:
            self._known[place] = super().visit(expression)
        return self._known[place]


def _shared(expression: Expression) -> set[int]:
    """Return the identities of the parts that stand in several places of an expression."""
    seen, several, waiting = set[int](), set[int](), [expression]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            several.add(id(part))
            continue
        seen.add(id(part))
        if isinstance(part, Apply):
            waiting.append(part.argument)
        elif isinstance(part, Operation):
            waiting += [side for side in (part.left, part.right) if side is not None]
    return several
