"""The values of an expression with its derivatives in the parameters: forward mode, exact to rounding."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from descend.formula.functions import FUNCTIONS
from descend.formula.operators import MINUS_ONE, ONE, OPERATORS
from descend.formula.visitor import SharingVisitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from descend.base.typing import Floats
    from descend.formula.ast import Apply, Expression, Name, Operation, Unknown

    Slopes = dict[str, Floats]
    Parameters = Mapping[str, float | Floats]
    Tangent = tuple[Floats, Slopes]
    Times = Callable[[Floats, Floats], Floats]

Key = TypeVar("Key")


def tangents_of(expression: Expression, columns: Mapping[str, Floats], parameters: Parameters) -> Tangent:
    """Return the value for every row, and its derivative in each parameter that the expression uses.

    Forward differentiation (Griewank and Walther 2008, chapter 3). A value or a derivative that depends on no column is
    one number; parameters that are arrays (draws x 1) give arrays (draws x rows). A derivative may be an array of the
    arguments, or the value: write into none. It is NaN or infinite where there is none.

    >>> from descend.formula.ast import Apply, Name, Operation, Unknown
    >>> growth = Apply("exp", Operation("*", Unknown("rate"), Name("t")))
    >>> value, slopes = tangents_of(growth, {"t": np.array([0.0, 2.0])}, {"rate": 0.0})
    >>> value.tolist(), slopes["rate"].tolist()
    ([1.0, 1.0], [0.0, 2.0])
    """
    with np.errstate(all="ignore"):
        made = _Tangents(expression, columns, parameters, chain_term).visit(expression)
        if any_undefined(made[1].values()):
            return _Tangents(expression, columns, parameters, careful_term).visit(expression)
        return made


def any_undefined(derivatives: Iterable[Floats]) -> bool:
    """Return whether one of the derivatives may be NaN in a row."""
    return any(math.isnan(slope.sum()) for slope in derivatives)


def chain_term(slope: Floats, factor: Floats) -> Floats:
    """Return slope times factor; a factor that is 1 or -1 everywhere costs nothing."""
    if factor is ONE:
        return slope
    if slope is ONE:
        return factor
    return np.negative(slope) if factor is MINUS_ONE else np.multiply(slope, factor)


def careful_term(slope: Floats, factor: Floats) -> Floats:
    """Return the same, and 0 where one is 0 and the other has no bound.

    What does not change stays the same under a function with no derivative there, as sqrt(a x) in a where x is 0. What
    grows without bound adds nothing where the function is flat to the last digit, as 1 / (1 + exp(z)) for large z.
    """
    flat = np.equal(slope, 0) | (np.equal(factor, 0) & ~np.isnan(slope))
    return np.asarray(np.where(flat, 0.0, np.multiply(slope, factor)))


def sum_up(sums: dict[Key, Floats], more: Iterable[tuple[Key, Floats]]) -> dict[Key, Floats]:
    """Add terms to sums by key, in place."""
    for key, term in more:
        sums[key] = np.add(sums[key], term) if key in sums else term
    return sums


class _Tangents(SharingVisitor["Tangent"]):
    """A value with its derivatives by parameter; those that are 0 everywhere are left out."""

    def __init__(
        self, expression: Expression, columns: Mapping[str, Floats], parameters: Parameters, times: Times
    ) -> None:
        super().__init__(expression)
        self.columns, self.parameters, self.times = columns, parameters, times

    def number(self, value: float) -> Tangent:
        return np.asarray(value), {}

    def column(self, name: Name) -> Tangent:
        return self.columns[name.name], {}

    def unknown(self, unknown: Unknown) -> Tangent:
        return np.asarray(self.parameters[unknown.name]), {unknown.name: ONE}

    def applied(self, call: Apply) -> Tangent:
        inner, slopes = self.visit(call.argument)
        function = FUNCTIONS[call.function]
        if not slopes:
            return function.value(inner), {}
        value, outer = function.value_and_derivative(inner)
        return value, self._times(slopes, outer)

    def negated(self, operand: Expression) -> Tangent:
        value, slopes = self.visit(operand)
        return np.negative(value), {name: chain_term(slope, MINUS_ONE) for name, slope in slopes.items()}

    def joined(self, operation: Operation, left: Expression, right: Expression) -> Tangent:
        (a, da), (b, db) = self.visit(left), self.visit(right)
        operator = OPERATORS[operation.operator]
        value = operator.value(a, b)
        slopes = self._times(da, operator.by_left(a, b, value)) if da else {}
        if db:
            sum_up(slopes, self._times(db, operator.by_right(a, b, value)).items())
        return value, slopes

    def _times(self, slopes: Slopes, factor: Floats) -> Slopes:
        return {name: self.times(slope, factor) for name, slope in slopes.items()}
