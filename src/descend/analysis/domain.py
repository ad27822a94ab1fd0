"""Where a curve is not defined at some parameters: which part of it, in which row of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from descend.formula.undefined import undefined_part

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.objectives.curve import CurveObjective
    from descend.tables.columns import Columns


def undefined_facts(objective: CurveObjective, w: Floats, data: Columns) -> dict[str, Any] | None:
    """Return where a curve is not defined at its parameters: the ``part``, the row's ``file`` and ``line``, the values
    ``at`` it.

    None where it is defined in every row, or where the parameters are no numbers. data: the objective's rows.
    """
    if not np.isfinite(w).all():
        return None
    columns = {name: objective.X[:, place] for place, name in enumerate(objective.curve.columns)}
    named = dict(zip(objective.curve.parameters, w.tolist(), strict=True))
    for expression in objective.curve.expressions:
        found = undefined_part(expression, columns, named)
        if found is not None:
            at = ", ".join(f"{name} = {value:.6g}" for name, value in found.at.items())
            return {"part": str(found.part), "file": data.file(found.row), "line": data.line(found.row), "at": at}
    return None
