"""descend forecast: what a learning rate will do, before the first step."""

from __future__ import annotations

from descend.cli import options as o
from descend.cli.console import reading_progress, speak, tell, tell_json
from descend.cli.fit import layout_options, reading_options


def forecast_command(
    file: o.File,
    formula: o.Formula,
    family: o.Family = "auto",
    loss: o.Loss = "auto",
    delta: o.Delta = 1.0,
    l2: o.L2 = 0.0,
    optimizer: o.Optimizer = "auto",
    lr: o.Lr = None,
    momentum: o.Momentum = 0.0,
    nesterov: o.Nesterov = False,
    epochs: o.Epochs = None,
    batch_size: o.BatchSize = None,
    schedule: o.Schedule = "constant",
    standardize: o.Standardize = True,
    ddof: o.Ddof = 0,
    init: o.Init = "zeros",
    seed: o.Seed = 0,
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
    """Say what gradient descent will do."""
    from descend.fitting.forecast import forecast as run
    from descend.report.forecast import tell_forecast
    from descend.report.json import forecast_facts
    from descend.solvers.recipe import Recipe
    from descend.tables.open import open_rows
    from descend.tables.table import Table

    recipe = Recipe(
        family=family, loss=loss, delta=delta, optimizer=optimizer, lr=o.rate_of(lr), momentum=momentum,
        nesterov=nesterov, epochs=epochs, batch_size=batch_size, schedule=schedule, l2=l2, standardize=standardize,
        ddof=ddof, init=o.parse_start(init), seed=seed, missing=missing, minutes=minutes,
    )  # fmt: skip
    options = {
        **reading_options(encoding, delimiter, header, decimal, na, keep_na_text),
        **layout_options(skip_rows, header_row, comment, skip_footer),
    }
    rows = open_rows(file, formula, memory=memory, scratch=scratch, query=query, **options)
    with reading_progress(rows) as on_read:
        made = run(formula, rows, recipe=recipe, scratch=scratch, on_read=on_read)
    if json:
        tell_json(forecast_facts(made))
    else:
        columns = len(rows.columns if isinstance(rows, Table) else rows.head.columns)
        tell(tell_forecast(made, speak(), rows.name, (rows.rows, columns), formula))
    return 0
