"""descend predict, evaluate, show, plot: the commands on a model file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from descend.base.atomic_files import ending, require_writable
from descend.base.errors import OptionError
from descend.base.messages import say
from descend.cli import options as o
from descend.cli.console import reading_progress, speak, tell, tell_json
from descend.tables.reading_settings import reading_keywords

if TYPE_CHECKING:
    import polars as pl

    from descend.base.messages import Note
    from descend.fitting.model import Model
    from descend.tables.scan import Scan

SHOWN = 20


@o.with_options("predict")
def predict_command(
    *,
    model: o.ModelFile,
    file: o.RowsFile = None,
    set: o.Set = None,
    out: o.PredictOut = None,
    interval: o.Interval = None,
    mean: o.Mean = False,
    settings: o.Given,
    reading: o.Given,
    json: o.Json = False,
    module: o.Module = None,
    lang: o.Lang = None,
    debug: o.Debug = False,
    help: o.Help = False,
) -> int:
    """Predict rows."""
    from descend.tables.open import held, open_rows, sources_of, typed_row
    from descend.tables.table import Table
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
    missing = settings["missing"]
    loaded = _load(model, module)
    if file is None:
        table: Any = typed_row(o.cells_of(set or []), reading["decimal"])
    else:
        rows = open_rows(file, **_keywords(reading, loaded))
        rows = rows if out is not None else held(rows, reading["memory"])
        if not isinstance(rows, Table):
            return _predict_parts(loaded, rows, out, missing, interval, reading["scratch"], mean=mean, json=json)
        table = loaded.prepared(rows)
    if interval is None:
        frame = loaded.predictions(table, missing=missing, mean=mean)
    else:
        frame = loaded.intervals(table, level=interval, missing=missing)
    cautions = [note for note in loaded.cautions(table, missing=missing) if not mean or note.code != "note.median"]
    notes = [*table.notes, *cautions]
    if out is not None:
        with table_writer(out, reading["scratch"]) as write:
            write(frame)
        _tell_written(out, frame.height, json=json)
    if json:
        added = [name for name in frame.columns if name not in table.columns or name == "file"]
        tell_json({"predictions": frame.select(added).to_dicts(), "notes": [note.tell(speak()) for note in notes]})
    elif out is None:
        if sys.stdout.isatty() or file is None:
            tell(_prediction_table(frame))
        else:
            sys.stdout.write(frame.write_csv())
    _tell_notes(notes, json=json)
    return 0


@o.with_options("evaluate")
def evaluate_command(
    *,
    model: o.ModelFile,
    file: o.File,
    settings: o.Given,
    reading: o.Given,
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
    from descend.tables.open import open_rows
    from descend.tables.table import Table

    loaded = _load(model, module)
    rows = open_rows(file, **_keywords(reading, loaded))
    missing = settings["missing"]
    notes: list[Note] = []
    if isinstance(rows, Table):
        table = loaded.prepared(rows)
        verification = loaded.evaluate(table, missing=missing)
        notes = [*table.notes, *reading_notes(wanted_columns(loaded, table, target=True), table)]
    else:
        with reading_progress(rows) as on_read:
            verification, notes = test(loaded, rows, Reading(Threads(), reading["scratch"], on_read), missing=missing)
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
    profile: o.Profile = False,
    level: o.Level = 0.95,
    json: o.Json = False,
    module: o.Module = None,
    lang: o.Lang = None,
    debug: o.Debug = False,
    help: o.Help = False,
) -> int:
    """Print a model's equation and facts."""
    from descend.model.parameter_profile import profile_of
    from descend.report.coefficients import tell_coefficients, tell_inference
    from descend.report.json import model_facts
    from descend.report.terminal import tell_model

    if profile and not inference:
        raise OptionError("option.no-effect", name="profile", needs="inference")
    loaded = _load(model, module)
    ends = profile_of(loaded, level) if profile else None
    if json:
        tell_json(model_facts(loaded, speak(), profile=ends))
    else:
        tell(tell_model(loaded, speak()))
        tell(tell_inference(loaded, level, speak(), ends) if inference else tell_coefficients(loaded, speak()))
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
    """Read a model; --module gives the class of a user's own network."""
    from descend.fitting.model import load

    return load(path, module=None if module is None else o.hypothesis_of("linear", module))


def _keywords(reading: o.Given, model: Model) -> dict[str, Any]:
    """Return the options of reading a table; the first line is a header if the model's formula names its cells."""
    from descend.tables.open import header_of

    return {**reading_keywords(reading), "header": header_of(reading["header"], model.formula)}


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
    """Print the cautions about the predictions; JSON output contains them already."""
    for note in [] if json else notes:
        typer.echo(note.tell(speak()), err=True)


def _prediction_table(frame: pl.DataFrame) -> Any:
    from descend.report.terminal import tell_frame

    return tell_frame(frame, SHOWN, speak())
