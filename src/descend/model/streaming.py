"""Predictions and tests of tables that do not fit in memory, part by part, in the order of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.base.errors import TableError
from descend.base.messages import Note
from descend.formula.parameter_notes import parameter_notes
from descend.model.cautions import beyond, medians, together
from descend.model.inputs import gather_inputs, wanted_columns
from descend.model.intervals import require_inference, with_intervals
from descend.model.prediction import predict_columns, score_given, with_predictions
from descend.tables.columns import reading_notes
from descend.tables.row_sampling import Draw
from descend.tables.write import table_writer

if TYPE_CHECKING:
    import os

    import polars as pl

    from descend.analysis.verification import Verification
    from descend.base.typing import Floats
    from descend.model.fitted import FittedModel
    from descend.tables.executors import Reading
    from descend.tables.scan import Part, Scan


def predict_to(
    out: str | os.PathLike[str],
    model: FittedModel,
    scan: Scan,
    reading: Reading,
    *,
    missing: str = "error",
    level: float | None = None,
    mean: bool = False,
    notes: list[Note] | None = None,
) -> int:
    """Write the rows of a scan with their predictions beside them to a file, whole or not at all. Returns how many.

    out: a file of a format that is written (``write.written_endings``); it is as that of a table in memory, but for
        the last digit of a prediction, which may depend on how many rows are multiplied at once.
    missing: as in ``Model.predict``; level: also the bounds between which the predictions lie, as ``Model.intervals``.
    mean: as in ``Model.predict``; notes: a list that hears what there is to mind, as ``Model.cautions`` tells it.

    Raises as ``Model.predictions`` does, naming the file and the row; OptionError where the file cannot be written.
    """
    wanted = wanted_columns(model, scan.head)
    inference = None if level is None else require_inference(model)

    def task(part: Part) -> tuple[pl.DataFrame, list[Note]]:
        data = gather_inputs(model, part.table(), missing=missing, whole=False)
        if inference is None or level is None:
            return with_predictions(model, data, part.first, mean=mean), beyond(model.ranges, data)
        return with_intervals(model, data, inference, level, part.first), beyond(model.ranges, data)

    rows, heard = 0, list[Note]()
    with table_writer(out, reading.scratch) as write:
        for frame, found in reading.each("predicting", task, scan.parts(scan.head.columns)):
            write(frame)
            rows += frame.height
            heard += found
        _require_rows(rows, scan)
    if notes is not None:
        notes += [
            *scan.head.notes,
            *reading_notes(wanted, scan.head),
            *parameter_notes(model.design.hypothesis, scan.head.columns),
            *together(heard),
            *([] if mean else medians(model.target)),
        ]
    return rows


def evaluate_scan(
    model: FittedModel, scan: Scan, reading: Reading, *, missing: str = "error"
) -> tuple[Verification, list[Note]]:
    """Test a model on a scan's rows that hold the target too; where they are very many, on as many as a test needs.

    Those are drawn by their number, and not those that a fit of the same table holds back. Returns what there is to
    note beside the test. Raises as ``Model.evaluate`` does.
    """
    wanted = wanted_columns(model, scan.head, target=True)
    draw = Draw.of(scan.rows, 1.0, int(model.settings.get("seed", 0)) + 1)

    def task(part: Part) -> tuple[Floats, Floats]:
        data = gather_inputs(model, part.table(), missing=missing, target=True, whole=False)
        truth = model.target.truth(data)
        drawn = np.flatnonzero(draw.keys(part.first, part.rows)[data.rows] < draw.tested)
        return truth[drawn], predict_columns(model, data if drawn.size == len(data) else data.take(drawn))

    made = list(reading.each("predicting", task, scan.parts(list(wanted))))
    truth, predicted = (np.concatenate(arrays) for arrays in zip(*made, strict=True))
    _require_rows(len(truth), scan)
    notes = [*scan.head.notes, *reading_notes(wanted, scan.head)]
    if draw.tested < draw.held:
        notes.append(Note("note.tested-drawn", {"tested": len(truth), "rows": scan.rows}))
    return score_given(model, truth, predicted), notes


def _require_rows(rows: int, scan: Scan) -> None:
    if not rows:
        raise TableError("table.all-dropped", file=scan.name, rows=scan.rows)
