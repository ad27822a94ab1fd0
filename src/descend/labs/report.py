"""The terminal output of the labs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.constrain import Constrain
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from descend.base.messages import Note, say
from descend.labs import Lesson
from descend.labs.outcome import Section
from descend.report.layout import grid_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from descend.labs import Lab
    from descend.labs.outcome import Cell, Check, Line, Outcome, Snippet

WIDEST = 90
RESULT = 13


def tell_list(labs: Sequence[Lab | Lesson], lang: str) -> RenderableType:
    """Return the list of labs with their titles in both languages, the reader's first."""
    other = "en" if lang == "ko" else "ko"
    grid = grid_of(["ID", "", ""], [])
    grid.columns[0].no_wrap = True  # the command can be copied
    for lab in labs:
        title = Text(lab.title[lang])
        grid.add_row(Text(lab.id, style="bold"), title, Text(lab.title[other], style="dim"), lab.hypothesis)
    return Group(say("lab.listed", lang, count=len(labs)), "", grid)


def tell_outcome(outcome: Outcome, lang: str) -> RenderableType:
    """Return the outcome of a lab: the figures of a worked example, or a lesson part by part."""
    lab = outcome.lab
    parts: list[RenderableType] = [Text(lab.title[lang], style="bold")]
    if isinstance(lab, Lesson):
        parts += _parts(outcome, lang)
    else:
        facts = {"hypothesis": lab.hypothesis, "loss": say(f"loss.{lab.loss}", lang), "optimizer": "sgd"}
        parts += [Text(say("lab.hypothesis", lang, lr=lab.lr, epochs=lab.epochs, **facts)), ""]
        if outcome.checks:
            parts += [tell_checks(outcome.checks, lang, ("lab.printed", "lab.ours", "lab.reproduced")), ""]
        if outcome.equation:
            equation = Padding(Text(outcome.equation), (0, 0, 0, 2))
            parts += [Text(say("lab.equation", lang, epochs=lab.epochs)), equation, ""]
        if lab.note:
            parts.append(Text(f"{say('lab.note', lang)}: {lab.note[lang]}", style="dim"))
    style = "green" if outcome.whole else "bold red"
    parts.append(Text(_summary(outcome, lang), style=style))
    return Group(*parts)


def tell_summary(outcomes: Sequence[Outcome], lang: str) -> RenderableType:
    """Return a line per lab, and the number of labs whose checks all hold."""
    grid = grid_of([""], [])
    for outcome in outcomes:
        mark = Text("✓" if outcome.whole else "✗", style="green" if outcome.whole else "bold red")
        grid.add_row(mark, _summary(outcome, lang))
    whole = sum(outcome.whole for outcome in outcomes)
    style = "bold green" if whole == len(outcomes) else "bold red"
    return Group(grid, "", Text(say("lab.all", lang, good=whole, total=len(outcomes)), style=style))


def tell_checks(checks: Sequence[Check], lang: str, words: tuple[str, str, str]) -> RenderableType:
    """Return the table of checks: printed value, computed value and mark; ``words`` are the codes of its headings."""
    printed, ours, holds = words
    grid = grid_of([""], [say(printed, lang), say(ours, lang)], last="")
    for check in checks:
        mark = say(holds if check.good else "lab.differs", lang)
        sign = Text(("✓ " if check.good else "✗ ") + mark, style="green" if check.good else "bold red")
        grid.add_row("", told_check(check, lang), _figure(check.printed), _figure(check.ours), sign)
    return grid


def told_check(check: Check, lang: str) -> str:
    """Return the description of a check."""
    values = {key: told_cell(value, lang) if isinstance(value, Note) else value for key, value in check.values.items()}
    return say(check.code, lang, **values)


def told_cell(cell: Cell, lang: str) -> str:
    """Return a cell or heading of a table as text."""
    return cell.tell(lang) if isinstance(cell, Note) else cell


def _summary(outcome: Outcome, lang: str) -> str:
    return say("lab.summary", lang, name=outcome.lab.id, good=outcome.good, total=len(outcome.checks))


def _parts(outcome: Outcome, lang: str) -> list[RenderableType]:
    """Return the parts of a lesson, those in code numbered."""
    parts: list[RenderableType] = [""]
    number = 0
    for part in outcome.parts:
        if isinstance(part, Section):
            parts.append(_section(part, lang))
        else:
            number += 1
            parts.append(_snippet(part, number, lang))
        parts.append("")
    return parts


def _section(section: Section, lang: str) -> RenderableType:
    parts: list[RenderableType] = [Text(section.told.tell(lang), style="bold cyan" if section.title else "")]
    if section.rows:
        first, *heads = (told_cell(head, lang) for head in section.heads)
        grid = grid_of([], heads, first=first)
        for row in section.rows:
            grid.add_row(*(told_cell(cell, lang) for cell in row))
        parts += ["", Padding(grid, (0, 0, 0, 4))]
    if section.checks:
        words = ("lesson.expected", "lesson.found", "lesson.holds")
        parts += ["", Padding(tell_checks(section.checks, lang, words), (0, 0, 0, 2))]
    return Group(*parts)


def _snippet(snippet: Snippet, number: int, lang: str) -> RenderableType:
    """Return a code step: a line of text, the given values, a line per library, and the result."""
    told = Grid.grid(padding=(0, 2, 0, 0))
    told.add_row(f"{number:2}", snippet.told.tell(lang))
    parts: list[RenderableType] = [told]
    if snippet.given:
        parts.append(Padding(Text(snippet.given, style="dim"), (0, 0, 0, 4)))
    result = Padding(Text(snippet.result, style="bold"), (0, 0, 0, RESULT))
    last = max((index for index, line in enumerate(snippet.lines) if not line.refusal), default=None)
    for index, line in enumerate(snippet.lines):
        parts.append(Padding(_line(line), (0, 0, 0, 4)))
        if line.refusal:
            parts.append(Padding(Text(line.refusal, style="yellow"), (0, 0, 0, RESULT)))
        if index == last:
            parts.append(result)
    return Group(*parts)


def _line(line: Line) -> RenderableType:
    grid = Grid.grid(padding=(0, 2, 0, 0), expand=True)  # in a narrow terminal only the code is wrapped
    grid.add_column(width=RESULT - 6, style="dim", no_wrap=True)
    grid.add_column(min_width=10, style="cyan", overflow="fold", ratio=1)
    grid.add_column(width=9, no_wrap=True)
    grid.add_column(width=7, no_wrap=True)
    grid.add_column(min_width=1, overflow="fold")
    grid.add_row(line.library, line.code, line.shape, line.dtype, _sign(line))
    return Constrain(grid, WIDEST)


def _sign(line: Line) -> Text:
    if line.check is None:
        return Text("")
    good = line.check.good
    return Text("✓" if good else f"✗ {line.check.ours}", style="green" if good else "bold red")


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return "nan" if math.isnan(value) else f"{value:.8g}"
    return str(value)
