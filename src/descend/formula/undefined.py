"""Where an expression is not defined: which part of it, in which row, at which values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from descend.formula.ast import Apply, Operation, names_of, unknowns_of
from descend.formula.evaluate import values_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from descend.base.typing import Floats
    from descend.formula.ast import Expression


class UndefinedPart(NamedTuple):
    """The innermost part of an expression that is no finite number in a row (from 0), though what it is made of is.

    at: the values of the parameters and columns in it, there.
    """

    part: Expression
    row: int
    at: dict[str, float]


def undefined_part(
    expression: Expression, columns: Mapping[str, Floats], parameters: Mapping[str, float]
) -> UndefinedPart | None:
    """Return the first part that is not defined, in its first such row; None where all of it is, in every row.

    >>> from descend.formula.parser import parse
    >>> (written,) = parse("y = a * log(x - k)").resolve(["x", "y"]).curve.expressions
    >>> found = undefined_part(written, {"x": np.array([3.0, 1.0])}, {"a": 1.0, "k": 2.0})
    >>> str(found.part), found.row, found.at
    ('log(x - k)', 1, {'k': 2.0, 'x': 1.0})
    """
    values = np.atleast_1d(values_of(expression, columns, parameters))
    wrong = ~np.isfinite(values)
    if not wrong.any():
        return None
    for inner in _inside(expression):
        found = undefined_part(inner, columns, parameters)
        if found is not None:
            return found
    row = int(wrong.argmax())
    at = {one.name: float(parameters[one.name]) for one in unknowns_of(expression)}
    at |= {one.name: float(columns[one.name][row]) for one in names_of(expression)}
    return UndefinedPart(expression, row, at)


def _inside(expression: Expression) -> Iterable[Expression]:
    match expression:
        case Apply(_, argument):
            yield argument
        case Operation(_, left, right):
            if left is not None:
                yield left
            yield right
