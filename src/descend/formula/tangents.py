"""The values of an expression with its derivatives in the parameters: forward mode, exact to rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.formula.functions import FUNCTIONS
from descend.formula.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from descend.base.typing import Floats
    from descend.formula.ast import Apply, Expression, Name, Operation, Unknown

    Tangent = tuple[Floats, dict[str, Floats]]
    Parameters = Mapping[str, float | Floats]


def tangents_of(expression: Expression, columns: Mapping[str, Floats], parameters: Parameters) -> Tangent:
    """Return the value for every row, and its derivative in each parameter that the expression uses.

    Forward differentiation (Griewank and Walther 2008, chapter 3). A value or a derivative that depends on no column is
    one number. Parameters that are arrays (draws x 1) give arrays (draws x rows).
    """
    with np.errstate(all="ignore"):
        return _Tangents(columns, parameters).visit(expression)


class _Tangents(Visitor["Tangent"]):
    """A value with its derivatives by parameter; those that are 0 everywhere are left out."""

    def __init__(self, columns: Mapping[str, Floats], parameters: Parameters) -> None:
        self.columns, self.parameters = columns, parameters

    def number(self, value: float) -> Tangent:
        return np.asarray(value), {}

    def column(self, name: Name) -> Tangent:
        return self.columns[name.name], {}

    def unknown(self, unknown: Unknown) -> Tangent:
        return np.asarray(self.parameters[unknown.name]), {unknown.name: np.asarray(1.0)}

    def applied(self, call: Apply) -> Tangent:
        inner, slopes = self.visit(call.argument)
        function = FUNCTIONS[call.function]
        outer = function.derivative(inner) if slopes else inner
        return function.value(inner), _chained(slopes, outer)

    def negated(self, operand: Expression) -> Tangent:
        value, slopes = self.visit(operand)
        return np.negative(value), {name: np.negative(slope) for name, slope in slopes.items()}

    def joined(self, operation: Operation, left: Expression, right: Expression) -> Tangent:
        (a, da), (b, db) = self.visit(left), self.visit(right)
        match operation.operator:
            case "+":
                return np.add(a, b), _combined(da, 1.0, db, 1.0)
            case "-":
                return np.subtract(a, b), _combined(da, 1.0, db, -1.0)
            case "*":
                return np.multiply(a, b), _combined(da, b, db, a)
            case "/":
                value = np.divide(a, b)
                return value, _combined(da, np.divide(1.0, b), db, np.divide(np.negative(value), b))
            case "min" | "max":
                first = np.less_equal(a, b) if operation.operator == "min" else np.greater_equal(a, b)
                return np.where(first, a, b), _combined(da, first.astype(float), db, (~first).astype(float))
            case _:
                value = np.power(a, b)
                by_base = np.multiply(b, np.power(a, np.subtract(b, 1.0))) if da else value
                by_exponent = np.where(value == 0, 0.0, np.multiply(value, np.log(a))) if db else value
                return value, _combined(_chained(da, by_base), 1.0, db, by_exponent)


def _chained(slopes: dict[str, Floats], outer: Floats) -> dict[str, Floats]:
    """Return ``outer`` times the derivatives; what does not change has no slope, also where ``outer`` is infinite.

    So (x / t)**0.5 has the derivative 0 in t at x = 0.
    """
    made = {name: np.multiply(outer, slope) for name, slope in slopes.items()}
    if np.isfinite(outer).all():
        return made
    return {name: np.where(slopes[name] == 0, 0.0, slope) for name, slope in made.items()}


def _combined(da: dict[str, Floats], a: Floats | float, db: dict[str, Floats], b: Floats | float) -> dict[str, Floats]:
    """Return a times the derivatives ``da`` plus b times ``db``."""
    made = {name: np.multiply(slope, a) for name, slope in da.items()}
    for name, slope in db.items():
        part = np.multiply(slope, b)
        made[name] = np.add(made[name], part) if name in made else part
    return made
