"""How the parts of a scan become the X and Y of a loss: what is sent to the worker that reads a part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.threads import block_rows
from descend.fitting._defined import require_defined
from descend.fitting.survey.survey import LAYERS, complete_columns, filled_columns
from descend.objectives.curve import CurveObjective
from descend.objectives.in_memory import RowsObjective
from descend.objectives.penalties import L2
from descend.objectives.rereading import Around, HeldBlock
from descend.objectives.rows import DesignRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.design.matrix import Design
    from descend.fitting.survey.survey import Plan
    from descend.formula.ast import Curve
    from descend.objectives.losses import Loss
    from descend.objectives.target import Target
    from descend.tables.columns import Columns
    from descend.tables.scan import Part


@dataclass(frozen=True)
class Encoding:
    """How a part's fitted rows become a loss's X and Y; it is sent to the worker that reads the part.

    ``curve`` is an equation in the parameters that are not held, whose columns X then has as they are in the table.
    """

    plan: Plan
    design: Design
    target: Target
    loss: Loss
    curve: Curve | None = None

    def __call__(self, part: Part) -> RowsObjective:
        """Read a part and return the loss over its fitted rows, as one of many parts."""
        rows = self.fitted(part)
        nothing = L2(0.0, np.zeros(rows.X.shape[1]))
        return RowsObjective(rows, self.loss, len(self.target.outputs), nothing, part=True)

    def fitted(self, part: Part) -> DesignRows:
        """Read a part and return its fitted rows."""
        data, keys = self._ready(part)
        return self._rows(data, np.flatnonzero(keys >= self.plan.draw.held))

    def undefined_at(self, w: Floats, part: Part) -> dict[str, Any] | None:
        """Return the facts of a fitted row in which the equation is not defined at ``w``; None where there is none."""
        from descend.analysis.domain import undefined_facts

        assert self.curve is not None
        data, keys = self._ready(part)
        fitted = np.flatnonzero(keys >= self.plan.draw.held)
        nothing = L2(0.0, np.ones(len(self.curve.parameters)))
        objective = CurveObjective(self._rows(data, fitted), self.curve, self.loss, nothing, part=True)
        return undefined_facts(objective, w, data.take(fitted))

    def by_layer(self, part: Part) -> tuple[DesignRows, NDArray[np.int64]]:
        """Return the same sorted by their layers, and how many each layer has."""
        data, keys = self._ready(part)
        fitted = np.flatnonzero(keys >= self.plan.draw.held)
        layers = (keys[fitted] % LAYERS).astype(np.uint8)
        order = np.argsort(layers, kind="stable")  # by counting, as these are bytes
        return self._rows(data, fitted[order]), np.bincount(layers, minlength=LAYERS)

    def by_block(self, part: Part) -> Iterator[HeldBlock]:
        """Yield the rows in blocks that stay in the processor's cache, each written over the one before."""
        data, keys = self._ready(part)
        held, Y = keys < self.plan.draw.held, self._targets(data)
        width = self.design.means.size
        size = block_rows(width)
        room = np.empty((width, min(size, len(data))))
        for start in range(0, max(len(data), 1), size):
            rows = slice(start, min(start + size, len(data)))
            block = data.part(rows)
            X = self.design.matrix(block, out=room[:, : len(block)].T)
            yield HeldBlock(DesignRows(X, Y[rows]), np.flatnonzero(held[rows]))

    def _ready(self, part: Part) -> tuple[Columns, NDArray[np.uint32]]:
        """Return the columns of a part's rows that are not dropped, and their keys."""
        table = part.table()
        data = complete_columns(self.plan, table)
        if data is None or not all(np.isfinite(values.sum()) for values in data.numbers.values()):
            data = filled_columns(self.plan, table)
        keys = self.plan.draw.keys(part.first, part.rows)
        return data, keys if len(data) == part.rows else keys[data.rows]

    def _rows(self, data: Columns, rows: NDArray[np.int64]) -> DesignRows:
        Y = self._targets(data).take(rows, axis=0)
        if self.curve is None:
            return DesignRows(self.design.matrix(data).take(rows, axis=0), Y)  # rows lie together, cells of columns not
        X = self.design.matrix(data, out=np.empty((len(self.curve.columns), len(data))).T)
        X = X.T.take(rows, axis=1).T  # the cells of a column lie together: they are what an equation computes with
        require_defined(self.curve, X, data, rows)
        return DesignRows(X, Y)

    def _targets(self, data: Columns) -> Floats:
        Y = self.target.encode(data)
        self.loss.check(Y, self.target.columns[0])
        return Y


@dataclass(frozen=True)
class Encoded:
    """A part that is read and encoded each time that it is asked."""

    encode: Encoding
    part: Part

    def in_memory(self) -> RowsObjective:
        """Read the part and return the loss over its rows."""
        return self.encode(self.part)

    def around(self, w: Floats) -> Around:
        """Return the loss of its rows and its derivatives around ``w``."""
        blocks = self.encode.by_block(self.part)
        return Around.total(w, (Around.of(w, self.encode.loss, block) for block in blocks))
