"""Where an equation is not defined: the row, the part of the equation and the parameters are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.formula.ast import Name, constant_parts
from descend.formula.evaluate import undefined, values_of

if TYPE_CHECKING:
    from descend.base.typing import Floats, Rows
    from descend.formula.ast import Curve
    from descend.tables.columns import Columns


def require_defined(curve: Curve, X: Floats, data: Columns, rows: Rows | None = None) -> None:
    """Raise UndefinedError where a part of the equation without parameters is not defined in a row of ``X``.

    rows: the places of X's rows in ``data``; None: they are all of them.
    """
    columns = {name: X[:, place] for place, name in enumerate(curve.columns)}
    for expression in curve.expressions:
        for part in constant_parts(expression):
            if isinstance(part, Name):
                continue  # a column's own cells are numbers
            values = np.broadcast_to(values_of(part, columns), len(X))
            if not np.isfinite(values.sum()) and not np.isfinite(values).all():
                row = int(np.argmin(np.isfinite(values)))
                place = row if rows is None else int(rows[row])
                raise undefined(part, term=str(part), file=data.file(place), line=data.line(place))
