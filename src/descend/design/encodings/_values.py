"""An expression's value in every row, or the error that names the first row where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.formula.evaluate import evaluate_exactly, undefined, values_of

if TYPE_CHECKING:
    from descend.base.double_double import Pair
    from descend.base.typing import Floats
    from descend.formula.ast import Expression
    from descend.tables.columns import Columns


def defined(expression: Expression, text: str, data: Columns) -> Floats:
    """Return an expression's value for every row; raises DesignError where it is not defined."""
    values = np.broadcast_to(values_of(expression, data.numbers), (len(data),))
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise undefined(expression, term=text, file=data.file(row), line=data.line(row))
    return values


def exactly_defined(expression: Expression, text: str, data: Columns) -> Pair:
    """Return the same with twice the digits."""
    high = defined(expression, text, data)
    made = evaluate_exactly(expression, data.numbers)
    return np.broadcast_to(made[0], high.shape), np.broadcast_to(made[1], high.shape)
