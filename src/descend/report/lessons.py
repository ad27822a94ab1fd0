"""What the terminal tells of the worked examples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from descend.messages import say
from descend.report.layout import grid_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from descend.labs import Lab
    from descend.labs.runner import Check, Outcome


def tell_list(labs: Sequence[Lab], lang: str) -> RenderableType:
    """Return the labs with their titles in both languages, the reader's first."""
    other = "en" if lang == "ko" else "ko"
    grid = grid_of(["ID", "", ""], [])
    for lab in labs:
        title = Text(lab.title[lang])
        grid.add_row(Text(lab.id, style="bold"), title, Text(lab.title[other], style="dim"), lab.hypothesis)
    return Group(say("lab.listed", lang, count=len(labs)), "", grid)


def tell_outcome(outcome: Outcome, lang: str) -> RenderableType:
    """Return a lab's figures, each as printed, as it came out, and marked."""
    lab = outcome.lab
    facts = {"hypothesis": lab.hypothesis, "loss": say(f"loss.{lab.loss}", lang), "optimizer": "sgd"}
    parts: list[RenderableType] = [
        Text(lab.title[lang], style="bold"),
        Text(say("lab.hypothesis", lang, lr=lab.lr, epochs=lab.epochs, **facts)),
        "",
    ]
    if outcome.checks:
        grid = grid_of([""], [say("lab.printed", lang), say("lab.ours", lang)], last="")
        for check in outcome.checks:
            mark = say("lab.reproduced" if check.good else "lab.differs", lang)
            style = "green" if check.good else "bold red"
            told = say(check.code, lang, **check.values)
            sign = Text(("✓ " if check.good else "✗ ") + mark, style=style)
            grid.add_row("", told, _figure(check.printed), _ours(check), sign)
        parts += [grid, ""]
    if lab.note:
        parts.append(Text(f"{say('lab.note', lang)}: {lab.note[lang]}", style="dim"))
    total = len(outcome.checks)
    style = "green" if outcome.good == total else "bold red"
    parts.append(Text(say("lab.summary", lang, name=lab.id, good=outcome.good, total=total), style=style))
    return Group(*parts)


def tell_summary(outcomes: Sequence[Outcome], lang: str) -> RenderableType:
    """Return a line a lab and how many reproduce every figure."""
    grid = grid_of([""], [])
    for outcome in outcomes:
        total = len(outcome.checks)
        good = outcome.good == total
        told = say("lab.summary", lang, name=outcome.lab.id, good=outcome.good, total=total)
        grid.add_row(Text("✓" if good else "✗", style="green" if good else "bold red"), told)
    whole = sum(outcome.good == len(outcome.checks) for outcome in outcomes)
    style = "bold green" if whole == len(outcomes) else "bold red"
    return Group(grid, "", Text(say("lab.all", lang, good=whole, total=len(outcomes)), style=style))


def _figure(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.8g}"


def _ours(check: Check) -> str:
    return "nan" if math.isnan(check.ours) else f"{check.ours:.8g}"
