"""descend predict, evaluate, show, plot: what is done with a model file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from descend.base.atomic_files import ending, require_writable
from descend.base.errors import OptionError
from descend.base.messages import say
from descend.cli import options as o
from descend.cli.console import reading_progress, speak, tell, tell_json
from descend.cli.fit import layout_options, reading_options

if TYPE_CHECKING:
    import polars as pl

    from descend.base.messages import Note
    from descend.fitting.model import Model
    from descend.tables.scan import Scan

SHOWN = 20


def predict_command(
    model: o.ModelFile,
    file: o.RowsFile = None,
    set: o.Set = None,
    out: o.PredictOut = None,
    interval: o.Interval = None,
    mean: o.Mean = False,
    missing: o.Missing = "error",
    encoding: o.Encoding = None,
    delimiter: o.Delimiter = None,
    header: o.Header = None,
    decimal: o.Decimal = ".",
    na: o.Na = None,
    keep_na_text: o.KeepNaText = False,
    skip_rows: o.SkipRows = 0,
    header_row: o.HeaderRow = None,
    comment: o.Comment = None,
    skip_footer: o.SkipFooter = 0,
    query: o.Query = None,
    memory: o.Memory = None,
    scratch: o.Scratch = None,
    json: o.Json = False,
    module: o.Module = None,
    lang: o.Lang = None,
    debug: o.Debug = False,
    help: o.Help = False,
) -> int:
    """Predict rows."""
    from descend.tables.open import header_of, held, open_rows, sources_of
    from descend.tables.table import Table, typed_row
    from descend.tables.write import require_written, table_writer

    if file is None and not set:
        raise OptionError("option.nothing-to-predict")
    if file is not None and set:
        raise OptionError("option.both-inputs")
    if out is not None:
        require_written(out)
        require_writable(out, [model, *sources_of(file or "")])
    if mean and interval is not None:
        raise OptionError("option.mean-interval")
    loaded = _load(model, module)
    if file is None:
        table: Any = typed_row(o.cells_of(set or []), decimal)
    else:
        options = {
            **reading_options(encoding, delimiter, header_of(header, loaded.formula), decimal, na, keep_na_text),
            **layout_options(skip_rows, header_row, comment, skip_footer),
        }
        rows = open_rows(file, memory=memory, scratch=scratch, query=query, **options)
        rows = rows if out is not None else held(rows, memory)
        if not isinstance(rows, Table):
            return _predict_parts(loaded, rows, out, missing, interval, scratch, mean=mean, json=json)
        table = loaded.prepared(rows)
    if interval is None:
        frame = loaded.predictions(table, missing=missing, mean=mean)
    else:
        frame = loaded.intervals(table, level=interval, missing=missing)
    cautions = [note for note in loaded.cautions(table, missing=missing) if not mean or note.code != "note.median"]
    notes = [*table.notes, *cautions]
    if out is not None:
        with table_writer(out, scratch) as write:
            write(frame)
        _tell_written(out, frame.height, json=json)
    if json:
        added = [name for name in frame.columns if name not in table.columns or name == "file"]
        tell_json({"predictions": frame.select(added).to_dicts(), "notes": [note.tell(speak()) for note in notes]})
    elif out is None:
        if sys.stdout.isatty() or file is None:
            tell(_told(frame))
        else:
            sys.stdout.write(frame.write_csv())
    _tell_notes(notes, json=json)
    return 0


def evaluate_command(
    model: o.ModelFile,
    file: o.File,
    missing: o.Missing = "error",
    encoding: o.Encoding = None,
    delimiter: o.Delimiter = None,
    header: o.Header = None,
    decimal: o.Decimal = ".",
    na: o.Na = None,
    keep_na_text: o.KeepNaText = False,
    skip_rows: o.SkipRows = 0,
    header_row: o.HeaderRow = None,
    comment: o.Comment = None,
    skip_footer: o.SkipFooter = 0,
    query: o.Query = None,
    memory: o.Memory = None,
    scratch: o.Scratch = None,
    json: o.Json = False,
    module: o.Module = None,
    lang: o.Lang = None,
    debug: o.Debug = False,
    help: o.Help = False,
) -> int:
    """Test a model on a table."""
    from descend.model.inputs import wanted_columns
    from descend.model.streaming import evaluate_scan as test
    from descend.report.json import verification_facts
    from descend.report.terminal import tell_verdict, tell_verification
    from descend.tables.columns import reading_notes
    from descend.tables.executors import Reading, Threads
    from descend.tables.open import header_of, open_rows
    from descend.tables.table import Table

    loaded = _load(model, module)
    options = {
        **reading_options(encoding, delimiter, header_of(header, loaded.formula), decimal, na, keep_na_text),
        **layout_options(skip_rows, header_row, comment, skip_footer),
    }
    rows = open_rows(file, memory=memory, scratch=scratch, query=query, **options)
    notes: list[Note] = []
    if isinstance(rows, Table):
        table = loaded.prepared(rows)
        verification = loaded.evaluate(table, missing=missing)
        notes = [*table.notes, *reading_notes(wanted_columns(loaded, table, target=True), table)]
    else:
        with reading_progress(rows) as on_read:
            verification, notes = test(loaded, rows, Reading(Threads(), scratch, on_read), missing=missing)
    lines = [note.tell(speak()) for note in notes]
    if json:
        tell_json({**verification_facts(verification, speak()), "notes": lines})
    else:
        tell(tell_verification(verification, speak(), rows.name))
        for line in lines:
            tell(line)
        tell(tell_verdict(verification, speak()))
    return 0


def show_command(
    model: o.ModelFile,
    inference: o.Inference = False,
    level: o.Level = 0.95,
    json: o.Json = False,
    module: o.Module = None,
    lang: o.Lang = None,
    debug: o.Debug = False,
    help: o.Help = False,
) -> int:
    """Tell what a model is."""
    from descend.report.coefficients import tell_coefficients, tell_inference
    from descend.report.json import model_facts
    from descend.report.terminal import tell_model

    loaded = _load(model, module)
    if json:
        tell_json(model_facts(loaded, speak()))
    else:
        tell(tell_model(loaded, speak()))
        tell(tell_inference(loaded, level, speak()) if inference else tell_coefficients(loaded, speak()))
    return 0


def plot_command(
    model: o.ModelFile,
    out: o.PlotOut = "fit.png",
    module: o.Module = None,
    lang: o.Lang = None,
    debug: o.Debug = False,
    help: o.Help = False,
) -> int:
    """Draw a model."""
    from descend.report.plots import PICTURES, lacks_letters

    ending(out, PICTURES, "option.plot-kind")
    require_writable(out, [model])
    loaded = _load(model, module)
    loaded.plot(out, lang=speak())
    if lacks_letters(loaded, speak()):
        typer.echo(say("note.no-font", speak()), err=True)
    typer.echo(say("report.plotted", speak(), path=out))
    return 0


def _load(path: str, module: str | None) -> Model:
    """Read a model; --module hands in the class of a network of the user's own."""
    from descend.fitting.model import load

    return load(path, module=None if module is None else o.hypothesis_of("linear", module))


def _predict_parts(
    model: Model,
    scan: Scan,
    out: str | None,
    missing: str,
    level: float | None,
    scratch: str | None,
    *,
    mean: bool,
    json: bool,
) -> int:
    """Write the predictions of rows that do not fit in memory."""
    from descend.model.streaming import predict_to
    from descend.tables.executors import Reading, Threads
    from descend.tables.write import written_endings

    if out is None:
        raise OptionError("option.scan-out", name=scan.name, rows=scan.rows, known=", ".join(written_endings()))
    notes: list[Note] = []
    with reading_progress(scan) as on_read:
        reading = Reading(Threads(), scratch, on_read)
        rows = predict_to(out, model, scan, reading, missing=missing, level=level, mean=mean, notes=notes)
    _tell_written(out, rows, json=json)
    if json:
        told = {"notes": [note.tell(speak()) for note in notes]} if notes else {}
        tell_json({"file": out, "rows": rows, **told})
    _tell_notes(notes, json=json)
    return 0


def _tell_written(out: str, rows: int, *, json: bool) -> None:
    typer.echo(say("report.written", speak(), path=out, rows=rows), err=json)


def _tell_notes(notes: list[Note], *, json: bool) -> None:
    """Say what there is to mind beside the predictions; JSON has it already."""
    for note in [] if json else notes:
        typer.echo(note.tell(speak()), err=True)


def _told(frame: pl.DataFrame) -> Any:
    from descend.report.terminal import tell_frame

    return tell_frame(frame, SHOWN, speak())
