"""descend fit, descend compare."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from descend.base.atomic_files import ending, require_writable
from descend.base.errors import DivergedError, OptionError
from descend.base.messages import say
from descend.cli import options as o
from descend.cli.console import progress, reading_progress, speak, tell, tell_json

if TYPE_CHECKING:
    from descend.analysis.forecast import Forecast
    from descend.fitting.model import Model
    from descend.tables.scan import Scan
    from descend.tables.table import Table


def fit_command(
    file: o.File,
    formula: o.Formula,
    out: o.Out = None,
    hypothesis: o.Hypothesis = "linear",
    module: o.Module = None,
    family: o.Family = "auto",
    loss: o.Loss = "auto",
    delta: o.Delta = 1.0,
    l2: o.L2 = 0.0,
    optimizer: o.Optimizer = "auto",
    lr: o.Lr = None,
    momentum: o.Momentum = 0.0,
    nesterov: o.Nesterov = False,
    epochs: o.Epochs = None,
    tolerance: o.Tolerance = 0.0,
    batch_size: o.BatchSize = None,
    drop_last: o.DropLast = False,
    weight_decay: o.WeightDecay = 0.0,
    clip: o.Clip = None,
    schedule: o.Schedule = "constant",
    gamma: o.Gamma = 0.1,
    step_size: o.StepSize = 100,
    warmup: o.Warmup = 0,
    patience: o.Patience = None,
    validation: o.Validation = 0.2,
    standardize: o.Standardize = True,
    ddof: o.Ddof = 0,
    init: o.Init = "zeros",
    seed: o.Seed = 0,
    dtype: o.Dtype = "auto",
    device: o.Device = "auto",
    mixed_precision: o.MixedPrecision = False,
    checkpoint: o.Checkpoint = None,
    resume: o.Resume = False,
    test: o.Test = "auto",
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
    cluster: o.Cluster = None,
    partitions: o.Partitions = None,
    log_every: o.LogEvery = None,
    log_batches: o.LogBatches = False,
    keep: o.Keep = False,
    keep_rows: o.KeepRows = 2000,
    minutes: o.Minutes = 1.0,
    json: o.Json = False,
    lang: o.Lang = None,
    debug: o.Debug = False,
    help: o.Help = False,
) -> int:
    """Fit a hypothesis and tell how it went."""
    from descend.fitting.fit import fit as run
    from descend.solvers.recipe import Recipe
    from descend.tables.cluster.connection import workers_of
    from descend.tables.open import open_rows, sources_of

    if keep and out is None:
        raise OptionError("option.keep-without-out")
    if out is not None:
        ending(out, (".safetensors",), "option.model-kind")
        require_writable(out, sources_of(file))
    if log_every is not None and log_every < 1:
        raise OptionError("option.count", name="log-every", value=log_every)
    if resume and checkpoint is None:
        raise OptionError("option.no-effect", name="resume", needs="checkpoint")
    if checkpoint is not None:
        require_writable(checkpoint, [*sources_of(file), *([] if out is None else [out])])
    recipe = Recipe(
        hypothesis=o.hypothesis_of(hypothesis, module), weight_decay=weight_decay, clip=clip, device=device,
        mixed_precision=mixed_precision, drop_last=drop_last, batch_history=log_batches,
        family=family, loss=loss, delta=delta, optimizer=optimizer, lr=o.rate_of(lr), momentum=momentum,
        nesterov=nesterov, epochs=epochs, tolerance=tolerance, batch_size=batch_size, schedule=schedule, gamma=gamma,
        step_size=step_size, warmup=warmup, l2=l2, standardize=standardize, ddof=ddof, init=o.parse_start(init),
        seed=seed, missing=missing, test=test, validation=validation, patience=patience, dtype=dtype,
        keep_rows=keep_rows, minutes=minutes,
    )  # fmt: skip
    options = {
        **reading_options(encoding, delimiter, header, decimal, na, keep_na_text),
        **layout_options(skip_rows, header_row, comment, skip_footer),
    }
    opened: list[Forecast] = []

    def open_with(forecast: Forecast) -> None:
        _open(rows, formula, forecast, json=json)
        opened.append(forecast)

    try:
        with workers_of(cluster) as workers:
            spread = None if cluster is None else workers
            rows = open_rows(
                file, formula, memory=memory, scratch=scratch, query=query, workers=spread, partitions=partitions,
                **options,
            )  # fmt: skip
            total = recipe.epochs_for(rows.rows) if recipe.method != "auto" else None
            with (
                reading_progress(rows) as on_read,
                progress("fitting", total) as on_epoch,
                progress("verifying", None) as on_refit,
            ):
                model = run(
                    formula, rows, recipe=recipe, on_epoch=on_epoch, on_refit=on_refit, on_forecast=open_with,
                    on_read=on_read, checkpoint=checkpoint, resume=resume, scratch=scratch, cluster=spread,
                )  # fmt: skip
    except DivergedError as error:
        _log(error.model, log_every, json)
        if keep and out is not None:
            error.model.save(out)
            typer.echo(say("report.plotted", speak(), path=out), err=True)
        elif out is not None:
            typer.echo(say("fit.not-kept", speak()), err=True)
        raise
    interrupted = model.history.stop == "interrupted"
    files = [str(model.save(out))] if out is not None else []
    _log_batches(model, json)
    _log(model, log_every, json)
    _report(model, files, json, opened=bool(opened))
    if interrupted:
        facts = {"epoch": model.history.epochs, "loss": model.history.final_loss}
        typer.echo(say("fit.interrupted", speak(), **facts), err=True)
        return 130
    return 0


def compare_command(
    file: o.File,
    formulas: o.Formulas,
    family: o.Family = "auto",
    loss: o.Loss = "auto",
    delta: o.Delta = 1.0,
    l2: o.L2 = 0.0,
    optimizer: o.Optimizer = "auto",
    lr: o.Lr = None,
    momentum: o.Momentum = 0.0,
    epochs: o.Epochs = None,
    standardize: o.Standardize = True,
    seed: o.Seed = 0,
    test: o.Test = "auto",
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
    minutes: o.Minutes = 1.0,
    json: o.Json = False,
    lang: o.Lang = None,
    debug: o.Debug = False,
    help: o.Help = False,
) -> int:
    """Compare hypotheses."""
    from descend.fitting.compare import compare as run
    from descend.report.json import comparison_facts
    from descend.report.terminal import tell_comparison
    from descend.solvers.recipe import Recipe
    from descend.tables.open import header_of, open_rows

    recipe = Recipe(
        family=family, loss=loss, delta=delta, optimizer=optimizer, lr=o.rate_of(lr), momentum=momentum, epochs=epochs,
        l2=l2, standardize=standardize, seed=seed, missing=missing, test=test, minutes=minutes,
    )  # fmt: skip
    options = {
        **reading_options(encoding, delimiter, header_of(header, *formulas), decimal, na, keep_na_text),
        **layout_options(skip_rows, header_row, comment, skip_footer),
    }
    rows = open_rows(file, memory=memory, scratch=scratch, query=query, **options)
    with progress("verifying", None) as on_fold:
        comparison = run(rows, formulas, recipe=recipe, on_fold=on_fold, memory=memory)
    if json:
        tell_json(comparison_facts(comparison, speak()))
    else:
        tell(tell_comparison(comparison, speak()))
    return 0


def reading_options(
    encoding: str | None,
    delimiter: str | None,
    header: bool | None,
    decimal: str,
    na: list[str] | None,
    keep_na_text: bool,
) -> dict[str, Any]:
    """Return the options of ``read``; ``--na`` adds to the usual markers, ``--keep-na-text`` turns these off."""
    from descend.tables.reading_options import MISSING

    missing = (*([] if keep_na_text else MISSING), *(na or [])) if na or keep_na_text else None
    return {"encoding": encoding, "delimiter": delimiter, "header": header, "decimal": decimal, "missing": missing}


def layout_options(skip_rows: int, header_row: int | None, comment: str | None, skip_footer: int) -> dict[str, Any]:
    """Return the options of ``read`` that say which lines are the table."""
    return {"skip_rows": skip_rows, "header_row": header_row, "comment": comment, "skip_footer": skip_footer}


def _open(rows: Table | Scan, formula: str, forecast: Forecast, *, json: bool) -> None:
    """Tell, before the first step, what it will come to; where nobody reads along, only that it is hopeless."""
    from descend.report.forecast import forecast_line
    from descend.report.terminal import tell_opening

    if not json:
        columns = len(rows.head.columns if hasattr(rows, "head") else rows.columns)
        tell(tell_opening(rows.name, rows.rows, columns, formula, forecast, speak()))
        sys.stdout.flush()
    elif forecast.hopeless:
        typer.echo(forecast_line(forecast, speak()).plain, err=True)


def _report(model: Model, files: list[str], json: bool, *, opened: bool) -> None:
    if json:
        from descend.report.json import model_facts

        tell_json(model_facts(model, speak(), files))
    else:
        from descend.report.terminal import tell_model

        tell(tell_model(model, speak(), files, opened=opened))


def _log(model: Model, every: int | None, json: bool) -> None:
    if every is None or json:
        return
    from descend.report.terminal import log_lines

    for line in log_lines(model.history, every, speak()):
        typer.echo(line)


def _log_batches(model: Model, json: bool) -> None:
    if not model.history.batch_loss.size or json:
        return
    from descend.report.terminal import batch_lines

    for line in batch_lines(model.history, speak()):
        typer.echo(line)
