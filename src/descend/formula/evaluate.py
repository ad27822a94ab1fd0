"""What the formula's expressions compute: numbers from columns, and a target's unit back from its transform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.double_double import add, multiply, pair, reciprocal, subtract
from descend.base.errors import DesignError
from descend.formula.ast import Apply, Expression, Name, Number, Operation, names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from descend.base.double_double import Pair

    Floats = NDArray[np.floating[Any]]

EDGE = 2.0**-53
WHOLE = 100  # the highest power that is made by multiplying
FORWARD: dict[str, Callable[[Floats], Floats]] = {
    "log": np.log,
    "log1p": np.log1p,
    "log10": np.log10,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
}
INVERSE: dict[str, Callable[[Floats], Floats]] = {
    "log": np.exp,
    "log1p": np.expm1,
    "log10": lambda z: np.power(10.0, z),
    "exp": lambda z: np.log(np.maximum(z, np.finfo(np.float64).tiny)),
    "sqrt": lambda z: np.square(np.maximum(z, 0.0)),
    "tanh": lambda z: np.arctanh(np.clip(z, -1 + EDGE, 1 - EDGE)),
}


def values_of(expression: Expression, columns: Mapping[str, Floats]) -> Floats:
    """Return the expression's value for every row; where it is not defined (log of 0) the value is not finite."""
    with np.errstate(all="ignore"):
        match expression:
            case Number(value):
                return np.asarray(value, dtype=np.float64)
            case Name(name):
                return columns[name]
            case Apply(function, argument):
                return FORWARD[function](values_of(argument, columns))
            case Operation(operator, left, right):
                b = values_of(right, columns)
                if left is None:
                    return np.negative(b)
                a = values_of(left, columns)
                match operator:
                    case "+":
                        return np.add(a, b)
                    case "-":
                        return np.subtract(a, b)
                    case "*":
                        return np.multiply(a, b)
                    case "/":
                        return np.divide(a, b)
                    case _:
                        return np.power(a, b)


def evaluate_exactly(expression: Expression, columns: Mapping[str, Floats]) -> Pair:
    """Return the same with twice float64's digits: sums, products and whole powers; a function has float64's."""
    with np.errstate(all="ignore"):
        match expression:
            case Operation(operator, left, right) if operator != "**":
                b = evaluate_exactly(right, columns)
                if left is None:
                    return -b[0], -b[1]
                a = evaluate_exactly(left, columns)
                match operator:
                    case "+":
                        return add(a, b)
                    case "-":
                        return subtract(a, b)
                    case "*":
                        return multiply(a, b)
                    case _:
                        return multiply(a, reciprocal(b))
            case Operation(_, left, Number(power)) if left is not None and power.is_integer() and 1 <= power <= WHOLE:
                return powers(evaluate_exactly(left, columns), int(power))[-1]
            case _:
                return pair(values_of(expression, columns))


def powers(x: Pair, most: int) -> list[Pair]:
    """Return x, x^2 ... x^most with twice float64's digits."""
    made = [x]
    for _ in range(1, most):
        made.append(multiply(made[-1], x))
    return made


def undo(expression: Expression, values: Floats) -> Floats:
    """Return the column whose ``expression`` gives ``values``: ``exp(z)`` for ``log(price)``.

    A value that the expression cannot give (below 0 for a root) is taken to the nearest one that it can.
    Raises DesignError (``design.no-inverse``) for an expression that cannot be undone.
    """
    with np.errstate(all="ignore"):
        match expression:
            case Name():
                return values
            case Apply(function, argument) if function in INVERSE:
                return undo(argument, INVERSE[function](values))
            case Operation("-", None, right):
                return undo(right, -values)
            case Operation(operator, left, right) if operator != "**" and left is not None:
                first = any(names_of(left))
                if first != any(names_of(right)):
                    constant = values_of(right if first else left, {})
                    if np.isfinite(constant) and (constant != 0 or operator in "+-"):
                        return _undo_operation(operator, left if first else right, constant, values, first=first)
    raise DesignError("design.no-inverse", target=str(expression))


def _undo_operation(operator: str, variable: Expression, constant: Floats, values: Floats, *, first: bool) -> Floats:
    """Undo an operation with a constant, the variable standing ``first`` or second."""
    if operator == "+":
        return undo(variable, values - constant)
    if operator == "*":
        return undo(variable, values / constant)
    if operator == "-":
        return undo(variable, values + constant if first else constant - values)
    return undo(variable, values * constant if first else constant / values)
