"""descend fit: fit a hypothesis, test it, report it and save it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from descend.base.atomic_files import ending, require_writable
from descend.base.errors import DivergedError, OptionError
from descend.base.messages import say
from descend.cli import options as o
from descend.cli.apply import Stated, apply_fixes, tell_applied
from descend.cli.console import progress, reading_progress, speak, tell, tell_json
from descend.tables.reading_settings import reading_keywords

if TYPE_CHECKING:
    from descend.analysis.forecast import Forecast
    from descend.fitting.model import Model
    from descend.tables.scan import Scan
    from descend.tables.table import Table


@o.with_options("fit")
def fit_command(
    *,
    file: o.File,
    formula: o.Hypothesis,
    out: o.Out = None,
    module: o.Module = None,
    settings: o.Given,
    checkpoint: o.Checkpoint = None,
    resume: o.Resume = False,
    apply: o.Apply = None,
    reading: o.Given,
    cluster: o.Cluster = None,
    partitions: o.Partitions = None,
    log_every: o.LogEvery = None,
    keep: o.Keep = False,
    json: o.Json = False,
    lang: o.Lang = None,
    debug: o.Debug = False,
    help: o.Help = False,
) -> int:
    """Fit a hypothesis and report the result."""
    from descend.fitting.fit import fit as run
    from descend.tables.open import open_rows, sources_of
    from descend.tables.workers import workers_of

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
    stated = Stated(o.one_hypothesis(formula), o.given_recipe(settings, module), reading)
    opened: list[Forecast] = []

    try:
        with workers_of(cluster) as workers:
            spread = None if cluster is None else workers

            def fit(stated: Stated, *, last: bool = False) -> Model:
                recipe, options = stated.recipe, reading_keywords(stated.reading)
                rows = open_rows(file, stated.formula, workers=spread, partitions=partitions, **options)
                total = recipe.epochs_for(rows.rows) if recipe.method != "auto" else None

                def open_with(forecast: Forecast) -> None:
                    _open(rows, stated.formula, forecast, json=json)
                    opened.append(forecast)

                with (
                    reading_progress(rows) as on_read,
                    progress("fitting", total) as on_epoch,
                    progress("verifying", None) as on_refit,
                ):
                    return run(
                        stated.formula, rows, recipe=recipe, on_epoch=on_epoch, on_refit=on_refit,
                        on_forecast=open_with if last else None, on_read=on_read,
                        checkpoint=checkpoint if last else None, resume=resume and last,
                        scratch=reading["scratch"], cluster=spread,
                    )  # fmt: skip

            if apply:
                stated, told = apply_fixes(stated, apply, fit)
                for line in told:
                    typer.echo(tell_applied(line, speak()), err=json)
            model = fit(stated, last=True)
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


def _open(rows: Table | Scan, formula: str, forecast: Forecast, *, json: bool) -> None:
    """Print the forecast before the first step; without a terminal only that the run is hopeless."""
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
