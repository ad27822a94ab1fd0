"""descend forecast: the outcome of a learning rate before the first step."""

from __future__ import annotations

from descend.cli import options as o
from descend.cli.console import reading_progress, speak, tell, tell_json
from descend.tables.reading_settings import reading_keywords


@o.with_options("forecast")
def forecast_command(
    *,
    file: o.File,
    formula: o.Hypothesis,
    settings: o.Given,
    reading: o.Given,
    json: o.Json = False,
    lang: o.Lang = None,
    debug: o.Debug = False,
    help: o.Help = False,
) -> int:
    """Predict how gradient descent will go."""
    from descend.fitting.forecast import forecast as run
    from descend.report.forecast import tell_forecast
    from descend.report.json import forecast_facts
    from descend.tables.open import open_rows
    from descend.tables.table import Table

    recipe, hypothesis = o.given_recipe(settings), o.one_hypothesis(formula)
    rows = open_rows(file, hypothesis, **reading_keywords(reading))
    with reading_progress(rows) as on_read:
        made = run(hypothesis, rows, recipe=recipe, scratch=reading["scratch"], on_read=on_read)
    if json:
        tell_json(forecast_facts(made))
    else:
        columns = len(rows.columns if isinstance(rows, Table) else rows.head.columns)
        tell(tell_forecast(made, speak(), rows.name, (rows.rows, columns), hypothesis))
    return 0
