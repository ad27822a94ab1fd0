"""descend compare: hypotheses about one target, tested on the same folds."""

from __future__ import annotations

from descend.cli import options as o
from descend.cli.console import progress, speak, tell, tell_json
from descend.tables.reading_settings import reading_keywords


@o.with_options("compare")
def compare_command(
    *,
    file: o.File,
    formulas: o.Formulas,
    settings: o.Given,
    reading: o.Given,
    json: o.Json = False,
    lang: o.Lang = None,
    debug: o.Debug = False,
    help: o.Help = False,
) -> int:
    """Compare hypotheses."""
    from descend.fitting.compare import compare as run
    from descend.report.json import comparison_facts
    from descend.report.terminal import tell_comparison
    from descend.tables.open import header_of, open_rows

    recipe = o.given_recipe(settings)
    rows = open_rows(file, **{**reading_keywords(reading), "header": header_of(reading["header"], *formulas)})
    with progress("verifying", None) as on_fold:
        comparison = run(rows, formulas, recipe=recipe, on_fold=on_fold, memory=reading["memory"])
    if json:
        tell_json(comparison_facts(comparison, speak()))
    else:
        tell(tell_comparison(comparison, speak()))
    return 0
