"""descend labs, descend lab: worked examples and lessons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from descend.base.atomic_files import json_ready, require_writable, written_whole
from descend.base.errors import OptionError
from descend.base.messages import Note, say
from descend.cli import options as o
from descend.cli.console import speak, tell, tell_json

if TYPE_CHECKING:
    from descend.labs.outcome import Outcome


def labs_command(json: o.Json = False, lang: o.Lang = None, debug: o.Debug = False, help: o.Help = False) -> int:
    """List the labs."""
    from descend.labs import all_labs
    from descend.labs.report import tell_list

    found = all_labs()
    if json:
        tell_json({"labs": [{"id": lab.id, "title": lab.title, "hypothesis": lab.hypothesis} for lab in found]})
    else:
        tell(tell_list(found, speak()))
    return 0


def lab_command(
    id: o.LabId = None,
    all: o.All = False,
    save_table: o.SaveTable = None,
    plot: o.LabPlot = None,
    json: o.Json = False,
    lang: o.Lang = None,
    debug: o.Debug = False,
    help: o.Help = False,
) -> int:
    """Run one lab, or all of them."""
    from descend.labs import all_labs, find_lab
    from descend.labs.report import tell_outcome, tell_summary
    from descend.labs.runner import run_lab

    if all == (id is not None):
        raise OptionError("option.lab-which")
    if id is None:
        outcomes = [run_lab(found) for found in all_labs()]
        if json:
            tell_json({"labs": [_facts(outcome) for outcome in outcomes]})
        else:
            tell(tell_summary(outcomes, speak()))
        return 0 if all_good(outcomes) else 1
    found = find_lab(id)
    for out, other in ((save_table, plot), (plot, None)):
        if out is not None:
            require_writable(out, [] if other is None else [other])
    if save_table is not None:
        table = found.table()
        with written_whole(save_table) as path:
            table.write_csv(path)
        typer.echo(say("lab.written", speak(), path=save_table), err=json)
    if plot is not None:
        _draw(id, plot, as_json=json)
    outcome = run_lab(found)
    if json:
        tell_json(_facts(outcome))
    else:
        tell(tell_outcome(outcome, speak()))
    return 0 if outcome.whole else 1


def all_good(outcomes: list[Outcome]) -> bool:
    """Tell whether every check of every lab holds."""
    return all(outcome.whole for outcome in outcomes)


def _draw(id: str, path: str, *, as_json: bool) -> None:
    from descend.labs.plots import draw_lesson
    from descend.report.plots import korean_font

    draw_lesson(id, path, speak())
    if speak() == "ko" and korean_font() is None:
        typer.echo(say("note.no-font", speak()), err=True)
    typer.echo(say("report.plotted", speak(), path=path), err=as_json)


def _facts(outcome: Outcome) -> dict[str, object]:
    checks = [
        {
            "figure": check.code,
            **{key: value.tell(speak()) if isinstance(value, Note) else value for key, value in check.values.items()},
            "printed": check.printed,
            "ours": check.ours,
            "reproduced": check.good,
        }
        for check in outcome.checks
    ]
    told: dict[str, object] = {"hypothesis": outcome.lab.hypothesis} if outcome.lab.hypothesis else {}
    if outcome.equation:
        told |= {"equation": outcome.equation, "coefficients": outcome.coefficients}
    counts = {"reproduced": outcome.good, "figures": len(checks)}
    facts = json_ready({"id": outcome.lab.id, **told, **counts, "checks": checks})
    return dict(facts)
