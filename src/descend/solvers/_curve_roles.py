"""The roles of parameters in an equation that its tree shows: places, phases and exponents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.formula.ast import Apply, Expression, Number, Operation, Unknown, names_of, unknowns_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WAVES = ("sin", "cos", "tan")


class Roles:
    """The parameters of expressions by their roles.

    places: those that are added to an expression of columns, each with the value at which the sum is 0. phases: those
    of them that are added inside a wave. exponents: those that stand in an exponent.
    """

    def __init__(self, expressions: Iterable[Expression]) -> None:
        self.places: dict[str, Expression] = {}
        self.phases: set[str] = set()
        self.exponents: set[str] = set()
        for expression in expressions:
            self._look(expression, wave=False)

    def _look(self, expression: Expression, *, wave: bool) -> None:
        """Note the parts of parameters; wave: whether the expression is what a wave is of."""
        match expression:
            case Apply(function, argument):
                self._look(argument, wave=function in WAVES)
            case Operation("+" | "-", left, right) if left is not None:
                parts = list(_parts(expression, 1.0))
                for place, (sign, part) in enumerate(parts):
                    rest = parts[:place] + parts[place + 1 :]
                    if isinstance(part, Unknown) and any(any(names_of(other)) for _, other in rest):
                        self.places.setdefault(part.name, _sum([(-sign * other, each) for other, each in rest]))
                        self.phases |= {part.name} if wave else set()
                    self._look(part, wave=False)
            case Operation(operator, left, right):
                self.exponents |= {unknown.name for unknown in unknowns_of(right)} if operator == "**" else set()
                for side in (left, right):
                    if side is not None:
                        self._look(side, wave=False)


def _parts(expression: Expression, sign: float) -> Iterator[tuple[float, Expression]]:
    """Yield the parts of a sum with their signs."""
    match expression:
        case Operation("+" | "-" as operator, left, right):
            if left is not None:
                yield from _parts(left, sign)
            yield from _parts(right, sign if operator == "+" else -sign)
        case _:
            yield sign, expression


def _sum(parts: list[tuple[float, Expression]]) -> Expression:
    made: Expression = Number(0.0)
    for sign, part in parts:
        made = Operation("+" if sign > 0 else "-", made, part)
    return made
