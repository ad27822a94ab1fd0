"""The values of an expression with its first and second derivatives in the parameters: forward over forward mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from descend.formula.functions import FUNCTIONS
from descend.formula.operators import MINUS_ONE, ONE, OPERATORS
from descend.formula.tangents import any_undefined, careful_term, chain_term, sum_up
from descend.formula.visitor import SharingVisitor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from descend.base.typing import Floats
    from descend.formula.ast import Apply, Expression, Name, Operation, Unknown
    from descend.formula.tangents import Parameters, Slopes, Times

    Seconds = dict[tuple[str, str], Floats]
    Curvatures = tuple[Floats, Slopes, Seconds]


def curvatures_of(expression: Expression, columns: Mapping[str, Floats], parameters: Parameters) -> Curvatures:
    """Return the value for every row, its derivative in each parameter, and its second derivative in each pair.

    The names of a pair are in alphabetical order; a pair whose second derivative is 0 everywhere is left out. As in
    ``tangents_of``, what depends on no column is one number, and no array may be written into.

    >>> from descend.formula.ast import Apply, Name, Operation, Unknown
    >>> growth = Apply("exp", Operation("*", Unknown("rate"), Name("t")))
    >>> _, _, seconds = curvatures_of(growth, {"t": np.array([0.0, 2.0])}, {"rate": 0.0})
    >>> seconds["rate", "rate"].tolist()
    [0.0, 4.0]
    """
    with np.errstate(all="ignore"):
        made = _Curvatures(expression, columns, parameters, chain_term).visit(expression)
        if any_undefined(made[1].values()) or any_undefined(made[2].values()):
            return _Curvatures(expression, columns, parameters, careful_term).visit(expression)
        return made


class _Curvatures(SharingVisitor["Curvatures"]):
    """A value with its derivatives by parameter and by pair of parameters."""

    def __init__(
        self, expression: Expression, columns: Mapping[str, Floats], parameters: Parameters, times: Times
    ) -> None:
        super().__init__(expression)
        self.columns, self.parameters, self.times = columns, parameters, times

    def number(self, value: float) -> Curvatures:
        return np.asarray(value), {}, {}

    def column(self, name: Name) -> Curvatures:
        return self.columns[name.name], {}, {}

    def unknown(self, unknown: Unknown) -> Curvatures:
        return np.asarray(self.parameters[unknown.name]), {unknown.name: ONE}, {}

    def applied(self, call: Apply) -> Curvatures:
        inner, slopes, seconds = self.visit(call.argument)
        function = FUNCTIONS[call.function]
        if not slopes:
            return function.value(inner), {}, {}
        value, outer = function.value_and_derivative(inner)
        made = dict(self._scaled(seconds, outer))
        sum_up(made, self._crossed(slopes, slopes, function.second(inner)))
        return value, dict(self._scaled(slopes, outer)), made

    def negated(self, operand: Expression) -> Curvatures:
        value, slopes, seconds = self.visit(operand)
        return np.negative(value), dict(self._scaled(slopes, MINUS_ONE)), dict(self._scaled(seconds, MINUS_ONE))

    def joined(self, operation: Operation, left: Expression, right: Expression) -> Curvatures:
        (a, da, dda), (b, db, ddb) = self.visit(left), self.visit(right)
        operator = OPERATORS[operation.operator]
        value = operator.value(a, b)
        slopes: Slopes = {}
        seconds: Seconds = {}
        for first, second, partial in ((da, dda, operator.by_left), (db, ddb, operator.by_right)):
            if first:
                outer = partial(a, b, value)
                sum_up(slopes, self._scaled(first, outer))
                sum_up(seconds, self._scaled(second, outer))
        for one, other, bend in (
            (da, da, operator.twice_left),
            (da, db, operator.mixed),
            (db, da, operator.mixed),
            (db, db, operator.twice_right),
        ):
            if one and other and bend is not None:
                sum_up(seconds, self._crossed(one, other, bend(a, b, value)))
        return value, slopes, seconds

    def _scaled(self, derivatives: Mapping[Any, Floats], factor: Floats) -> Iterator[tuple[Any, Floats]]:
        """Yield each derivative times a factor."""
        for key, slope in derivatives.items():
            yield key, self.times(slope, factor)

    def _crossed(self, one: Slopes, other: Slopes, factor: Floats) -> Iterator[tuple[tuple[str, str], Floats]]:
        """Yield for each pair p <= q the derivative of one in p times that of the other in q times a factor."""
        for p, slope in one.items():
            scaled = self.times(slope, factor)
            for q, more in other.items():
                if p <= q:
                    yield (p, q), self.times(more, scaled)
