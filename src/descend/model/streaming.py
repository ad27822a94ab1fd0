"""Predictions and tests of tables that do not fit in memory: made part by part, and kept in their order."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, nullcontext
from io import BytesIO
from itertools import groupby
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from descend.base.atomic_files import ending, written_whole
from descend.base.errors import OptionError, TableError
from descend.base.messages import Note
from descend.model.cautions import medians, together
from descend.tables.columns import reading_notes
from descend.tables.row_sampling import Draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from descend.analysis.verification import Verification
    from descend.model.fitted import FittedModel
    from descend.tables.executors import Reading
    from descend.tables.scan import Part, Scan

    Floats = NDArray[np.floating[Any]]
    Writer = Callable[[pl.DataFrame], None]

PREDICTION_FILES = (".csv", ".tsv", ".parquet", ".json", ".ndjson")


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

    out: .csv, .tsv, .parquet, .json or .ndjson; the file is as that of a table in memory would be, but for
        the last digit of a prediction, which may depend on how many rows are multiplied at once.
    missing: as in ``Model.predict``; level: also the bounds between which the predictions lie, as ``Model.intervals``.
    mean: as in ``Model.predict``; notes: a list that hears what there is to mind, as ``Model.cautions`` tells it.

    Raises as ``Model.predictions`` does, naming the file and the row; OptionError where the file cannot be written.
    """
    wanted = model.wanted(scan.head)
    inference = None if level is None else model.require_inference()
    alone = nullcontext() if model.network is None else Lock()  # a network's body is switched over while it predicts

    def task(part: Part) -> tuple[pl.DataFrame, list[Note]]:
        data = model.gather(part.table(), missing=missing, whole=False)
        with alone:
            if inference is None or level is None:
                return model.beside(data, part.first, mean=mean), model.beyond(data)
            return model.bounded(data, inference, level, part.first), model.beyond(data)

    kind, rows, heard = ending(out, PREDICTION_FILES, "option.out-kind"), 0, list[Note]()
    with written_whole(out) as path, _writer(kind, path, reading.scratch) as write:
        for frame, found in reading.each("predicting", task, scan.parts(scan.head.columns)):
            write(frame)
            rows += frame.height
            heard += found
        _require_rows(rows, scan)
    if notes is not None:
        notes += [
            *scan.head.notes,
            *reading_notes(wanted, scan.head),
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
    wanted = model.wanted(scan.head, target=True)
    draw = Draw.of(scan.rows, 1.0, int(model.settings.get("seed", 0)) + 1)
    alone = nullcontext() if model.network is None else Lock()

    def task(part: Part) -> tuple[Floats, Floats]:
        data = model.gather(part.table(), missing=missing, target=True, whole=False)
        truth = model.target.truth(data)
        drawn = np.flatnonzero(draw.keys(part.first, part.rows)[data.rows] < draw.tested)
        with alone:
            return truth[drawn], model.predicted(data if drawn.size == len(data) else data.take(drawn))

    made = list(reading.each("predicting", task, scan.parts(list(wanted))))
    truth, predicted = (np.concatenate(arrays) for arrays in zip(*made, strict=True))
    _require_rows(len(truth), scan)
    notes = [*scan.head.notes, *reading_notes(wanted, scan.head)]
    if draw.tested < draw.held:
        notes.append(Note("note.tested-drawn", {"tested": len(truth), "rows": scan.rows}))
    return model.judged(truth, predicted), notes


def _require_rows(rows: int, scan: Scan) -> None:
    if not rows:
        raise TableError("table.all-dropped", file=scan.name, rows=scan.rows)


@contextmanager
def _writer(kind: str, path: Path, scratch: str | None) -> Iterator[Writer]:
    """Give what writes one frame after another to a path, as a kind of file (``.csv``)."""
    if kind == ".parquet":
        with _gathered(path, scratch or str(path.parent)) as write:
            yield write
        return
    with open(path, "wb") as file:
        parts = 0

        def append(frame: pl.DataFrame) -> None:
            nonlocal parts
            if kind == ".ndjson":
                frame.write_ndjson(file)
            elif kind != ".json":
                frame.write_csv(file, include_header=not parts, separator="\t" if kind == ".tsv" else ",")
            elif frame.height:
                file.write((b"," if parts else b"[") + _json(frame))
            parts += frame.height > 0 or kind != ".json"

        yield append
        if kind == ".json":
            file.write(b"]")


def _json(frame: pl.DataFrame) -> bytes:
    """Return a frame's rows as JSON, without the brackets around them."""
    made = BytesIO()
    frame.write_json(made)
    return made.getvalue()[1:-1]


@contextmanager
def _gathered(path: Path, folder: str) -> Iterator[Writer]:
    """Give what writes frames to a temporary folder; at the end they are one Parquet file, in their order.

    A column whose numbers are of several kinds, as files of one table may have them, gets the kind that holds them all.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix=f"{path.stem}.", suffix=".parts", dir=folder)
    except OSError as error:
        raise OptionError("option.scratch", path=folder, reason=error.strerror or str(error)) from error
    with made as inside:
        parts: list[tuple[pl.Schema, str]] = []

        def write(frame: pl.DataFrame) -> None:
            place = os.path.join(inside, f"{len(parts)}.parquet")
            frame.write_parquet(place, compression="lz4")
            parts.append((frame.schema, place))

        yield write
        schemas = [schema for schema, _ in groupby(parts, key=lambda part: part[0])]
        whole = pl.concat([schema.to_frame() for schema in schemas], how="vertical_relaxed").schema
        runs = [
            pl.scan_parquet([place for _, place in run], glob=False, hive_partitioning=False).cast(dict(whole))
            for _, run in groupby(parts, key=lambda part: part[0])
        ]
        pl.concat(runs).sink_parquet(path)
