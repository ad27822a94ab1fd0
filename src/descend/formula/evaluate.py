"""What an expression computes from columns, how it changes with one of them, and a target's column from its values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.base.double_double import multiply, pair, settled
from descend.base.errors import DesignError, UndefinedError
from descend.formula.ast import Apply, Expression, Name, Number, Operation, Unknown, functions_of, names_of
from descend.formula.functions import FUNCTIONS
from descend.formula.operators import OPERATORS
from descend.formula.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from descend.base.double_double import Pair
    from descend.base.typing import Floats

    Undo = Callable[[Floats], Floats]

WHOLE = 100  # the highest power that is made by multiplying


def values_of(
    expression: Expression, columns: Mapping[str, Floats], parameters: Mapping[str, float | Floats] | None = None
) -> Floats:
    """Return the expression's value for every row; where it is not defined (log of 0) the value is not finite.

    parameters: the value of each parameter of an equation, or its values (draws x 1) for draws x rows. One number comes
    back where no column is used.

    >>> from descend.formula.parser import parse
    >>> (target,) = parse("log(price) / 2 ~ area").targets
    >>> values_of(target, {"price": np.array([1.0, 0.0])}).tolist()
    [0.0, -inf]
    """
    with np.errstate(all="ignore"):
        return _Values(columns, parameters or {}).visit(expression)


def slopes_of(expression: Expression, column: str, columns: Mapping[str, Floats]) -> Floats:
    """Return the derivative of an expression with respect to a column, for every row.

    Forward differentiation (Griewank and Walther 2008, chapter 3); not finite where there is no derivative.
    """
    with np.errstate(all="ignore"):
        return _Slopes(column, columns).visit(expression)


def evaluate_exactly(
    expression: Expression, columns: Mapping[str, Floats], parameters: Mapping[str, Pair | float] | None = None
) -> Pair:
    """Return the values with twice float64's digits (a relative error of about 1e-30), functions too.

    parameters: the value of each parameter of an equation, as a number or with twice the digits. A value that is too
    large for the arithmetic of pairs, about 1e300, has float64's digits; a low part is always finite.

    >>> from descend.formula.parser import parse
    >>> (target,) = parse("log(price) ~ area").targets
    >>> high, low = evaluate_exactly(target, {"price": np.array([2.0])})
    >>> high.tolist(), low.tolist()
    ([0.6931471805599453], [2.3190468138462996e-17])
    """
    with np.errstate(all="ignore"):
        return _ExactValues(columns, parameters or {}).visit(expression)


def undo(expression: Expression, values: Floats) -> Floats:
    """Return the column whose ``expression`` gives ``values``: ``exp(z)`` for ``log(price)``.

    A value that the expression cannot give (below 0 for a root) is taken to the nearest one that it can.
    Raises DesignError (``design.no-inverse``) for an expression that cannot be undone.

    >>> from descend.formula.parser import parse
    >>> (target,) = parse("sqrt(price) / 2 ~ area").targets
    >>> undo(target, np.array([1.5, -1.0])).tolist()
    [9.0, 0.0]
    """
    with np.errstate(all="ignore"):
        return _Inverse().visit(expression)(values)


def no_inverse(target: Expression) -> DesignError:
    """Return the error of a target that cannot be undone."""
    known = ", ".join(name for name, function in FUNCTIONS.items() if function.inverse is not None)
    return DesignError("design.no-inverse", target=str(target), functions=known)


def undefined(expression: Expression, **where: object) -> UndefinedError:
    """Return the error of an expression that is not defined in a row; ``where`` is its term, file and line."""
    return UndefinedError("design.undefined", functions=functions_of(expression), **where)


def powers(x: Pair, most: int) -> list[Pair]:
    """Return x, x^2 ... x^most with twice float64's digits."""
    made = [x]
    for _ in range(1, most):
        made.append(multiply(made[-1], x))
    return made


class _Values(Visitor["Floats"]):
    """The value for every row."""

    def __init__(self, columns: Mapping[str, Floats], parameters: Mapping[str, float | Floats]) -> None:
        self.columns, self.parameters = columns, parameters

    def number(self, value: float) -> Floats:
        return np.asarray(value, dtype=np.float64)

    def column(self, name: Name) -> Floats:
        return self.columns[name.name]

    def unknown(self, unknown: Unknown) -> Floats:
        return np.asarray(self.parameters[unknown.name], dtype=np.float64)

    def applied(self, call: Apply) -> Floats:
        return FUNCTIONS[call.function].value(self.visit(call.argument))

    def negated(self, operand: Expression) -> Floats:
        return np.negative(self.visit(operand))

    def joined(self, operation: Operation, left: Expression, right: Expression) -> Floats:
        return OPERATORS[operation.operator].value(self.visit(left), self.visit(right))


class _Slopes(Visitor["Floats"]):
    """The derivative with respect to a column, for every row."""

    def __init__(self, name: str, columns: Mapping[str, Floats]) -> None:
        self.name, self.columns, self.values = name, columns, _Values(columns, {})

    def number(self, value: float) -> Floats:
        return np.asarray(0.0)

    def column(self, name: Name) -> Floats:
        return np.full_like(self.columns[name.name], name.name == self.name, dtype=np.float64)

    def applied(self, call: Apply) -> Floats:
        outer = FUNCTIONS[call.function].derivative(self.values.visit(call.argument))
        return np.multiply(outer, self.visit(call.argument))

    def negated(self, operand: Expression) -> Floats:
        return np.negative(self.visit(operand))

    def joined(self, operation: Operation, left: Expression, right: Expression) -> Floats:
        if not any(name.name == self.name for name in names_of(operation)):
            return np.zeros_like(self.values.visit(operation))
        a, b = self.values.visit(left), self.values.visit(right)
        da, db = self.visit(left), self.visit(right)
        match operation.operator:
            case "+":
                return np.add(da, db)
            case "-":
                return np.subtract(da, db)
            case "*":
                return np.asarray(da * b + a * db)
            case "/":
                return np.asarray(da / b - a * db / np.square(b))
            case "min" | "max":
                first = np.less_equal(a, b) if operation.operator == "min" else np.greater_equal(a, b)
                return np.where(first, da, db)
            case _:
                by_base = b * np.power(a, b - 1) * da
                return np.asarray(by_base if not db.any() else by_base + np.power(a, b) * np.log(a) * db)


class _ExactValues(Visitor["Pair"]):
    """The value for every row with twice float64's digits; float64's where it is too large for pairs."""

    def __init__(self, columns: Mapping[str, Floats], parameters: Mapping[str, Pair | float]) -> None:
        self.columns, self.parameters = columns, parameters

    def number(self, value: float) -> Pair:
        return pair(np.asarray(value, dtype=np.float64))

    def column(self, name: Name) -> Pair:
        return pair(self.columns[name.name])

    def unknown(self, unknown: Unknown) -> Pair:
        value = self.parameters[unknown.name]
        return value if isinstance(value, tuple) else self.number(value)

    def applied(self, call: Apply) -> Pair:
        return FUNCTIONS[call.function].exact(self.visit(call.argument))

    def negated(self, operand: Expression) -> Pair:
        high, low = self.visit(operand)
        return -high, -low

    def joined(self, operation: Operation, left: Expression, right: Expression) -> Pair:
        a, operator = self.visit(left), OPERATORS[operation.operator]
        if (
            operator.name == "**"
            and isinstance(right, Number)
            and right.value.is_integer()
            and 1 <= right.value <= WHOLE
        ):
            return settled(powers(a, int(right.value))[-1], np.power(a[0], right.value))
        b = self.visit(right)
        return settled(operator.exact(a, b), operator.value(a[0], b[0]))


class _Inverse(Visitor["Undo"]):
    """The function that takes the expression's values back to its column; raises DesignError where there is none."""

    def number(self, value: float) -> Undo:
        raise no_inverse(Number(value))

    def column(self, name: Name) -> Undo:
        return lambda values: values

    def applied(self, call: Apply) -> Undo:
        function = FUNCTIONS[call.function]
        if function.inverse is None:
            raise no_inverse(call)
        inner = self.visit(call.argument)
        return lambda values: inner(function.undo(values))

    def negated(self, operand: Expression) -> Undo:
        inner = self.visit(operand)
        return lambda values: inner(-values)

    def joined(self, operation: Operation, left: Expression, right: Expression) -> Undo:
        first, operator = any(names_of(left)), operation.operator
        if operator == "**" or first == any(names_of(right)):
            raise no_inverse(operation)
        constant = values_of(right if first else left, {})
        if not np.isfinite(constant) or (constant == 0 and operator in "*/"):
            raise no_inverse(operation)
        inner = self.visit(left if first else right)
        return lambda values: inner(_without(operator, constant, values, first=first))


def _without(operator: str, constant: Floats, values: Floats, *, first: bool) -> Floats:
    """Undo an operation with a constant; the variable stands first or second."""
    match operator:
        case "+":
            return values - constant
        case "*":
            return values / constant
        case "-":
            return values + constant if first else constant - values
        case _:
            return values * constant if first else constant / values
