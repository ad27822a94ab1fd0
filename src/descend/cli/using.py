"""descend predict, evaluate, show, plot: what is done with a model file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from descend.cli import options as o
from descend.cli.console import speak, tell, tell_json
from descend.cli.fitting import read_table
from descend.errors import OptionError
from descend.messages import say

if TYPE_CHECKING:
    import polars as pl

    from descend.model import Model
    from descend.tables import Table

SHOWN = 20
PREDICTION_FILES = (".csv", ".tsv", ".parquet", ".json", ".ndjson")


def predict(
    model: o.ModelFile,
    file: o.RowsFile = None,
    set: o.Set = None,
    out: o.PredictOut = None,
    interval: o.Interval = None,
    missing: o.Missing = "error",
    encoding: o.Encoding = None,
    delimiter: o.Delimiter = None,
    header: o.Header = None,
    decimal: o.Decimal = ".",
    na: o.Na = None,
    json: o.Json = False,
    module: o.Module = None,
    lang: o.Lang = None,
    debug: o.Debug = False,
    help: o.Help = False,
) -> int:
    """Predict rows."""
    from descend.tables import typed_row

    if file is None and not set:
        raise OptionError("option.nothing-to-predict")
    if file is not None and set:
        raise OptionError("option.both-inputs")
    if out is not None and Path(out).suffix.lower() not in PREDICTION_FILES:
        known = ", ".join(PREDICTION_FILES)
        raise OptionError("option.out-kind", path=out, found=Path(out).suffix or "''", known=known)
    loaded = _load(model, module)
    if file is None:
        table: Any = typed_row(o.cells_of(set or []), decimal)
    else:
        table = loaded.prepared(read_table(file, encoding, delimiter, header, decimal, na))
        _tell_pictures(table)
    if interval is None:
        frame = loaded.predictions(table, missing=missing)
    else:
        frame = loaded.intervals(table, level=interval, missing=missing)
    if out is not None:
        _write(frame, out)
        typer.echo(say("report.written", speak(), path=out, rows=frame.height), err=json)
    if json:
        added = [name for name in frame.columns if name not in table.columns or name == "file"]
        tell_json({"predictions": frame.select(added).to_dicts()})
    elif out is None:
        if sys.stdout.isatty() or file is None:
            tell(_told(frame))
        else:
            sys.stdout.write(frame.write_csv())
    return 0


def evaluate(
    model: o.ModelFile,
    file: o.File,
    missing: o.Missing = "error",
    encoding: o.Encoding = None,
    delimiter: o.Delimiter = None,
    header: o.Header = None,
    decimal: o.Decimal = ".",
    na: o.Na = None,
    json: o.Json = False,
    module: o.Module = None,
    lang: o.Lang = None,
    debug: o.Debug = False,
    help: o.Help = False,
) -> int:
    """Test a model on a table."""
    from descend.report.facts import verification_facts
    from descend.report.terminal import tell_verdict, tell_verification

    loaded = _load(model, module)
    table = loaded.prepared(read_table(file, encoding, delimiter, header, decimal, na))
    _tell_pictures(table)
    verification = loaded.evaluate(table, missing=missing)
    if json:
        tell_json(verification_facts(verification, speak()))
    else:
        tell(tell_verification(verification, speak(), table.name))
        tell(tell_verdict(verification, speak()))
    return 0


def show(
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
    from descend.report.facts import model_facts
    from descend.report.terminal import tell_model

    loaded = _load(model, module)
    if json:
        tell_json(model_facts(loaded, speak()))
    else:
        tell(tell_model(loaded, speak()))
        tell(tell_inference(loaded, level, speak()) if inference else tell_coefficients(loaded, speak()))
    return 0


def plot(
    model: o.ModelFile,
    out: o.PlotOut = "fit.png",
    module: o.Module = None,
    lang: o.Lang = None,
    debug: o.Debug = False,
    help: o.Help = False,
) -> int:
    """Draw a model."""
    from descend.report.plots import PICTURES, lacks_letters

    if Path(out).suffix.lower() not in PICTURES:
        known = ", ".join(PICTURES)
        raise OptionError("option.plot-kind", path=out, found=Path(out).suffix or "''", known=known)
    loaded = _load(model, module)
    loaded.plot(out, lang=speak())
    if lacks_letters(loaded, speak()):
        typer.echo(say("note.no-font", speak()), err=True)
    typer.echo(say("report.plotted", speak(), path=out))
    return 0


def _load(path: str, module: str | None) -> Model:
    """Read a model; --module hands in the class of a network of the user's own."""
    from descend.archive import load

    return load(path, module=None if module is None else o.hypothesis_of("linear", module))


def _tell_pictures(table: Table) -> None:
    """Say what was done to pictures before the model saw them."""
    for note in table.notes:
        if note.code in ("note.picture-turned", "note.picture-redrawn"):
            typer.echo(note.tell(speak()), err=True)


def _told(frame: pl.DataFrame) -> Any:
    from descend.report.terminal import tell_frame

    return tell_frame(frame, SHOWN, speak())


def _write(frame: pl.DataFrame, out: str) -> None:
    from descend.files import written_whole

    kind = Path(out).suffix.lower()
    with written_whole(out) as path:
        if kind == ".csv":
            frame.write_csv(path)
        elif kind == ".tsv":
            frame.write_csv(path, separator="\t")
        elif kind == ".parquet":
            frame.write_parquet(path)
        elif kind == ".json":
            frame.write_json(path)
        else:
            frame.write_ndjson(path)
