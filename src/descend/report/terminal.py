"""What the terminal tells, in the reader's language: the table, the hypothesis, the fit, the equation, the verdict."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from descend.messages import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from descend.history import History
    from descend.model import Model
    from descend.selection import Comparison
    from descend.verification import Verification

WIDE = 14
VERDICT_STYLES = {"better": "green", "few": "yellow", "unsure": "yellow", "same": "yellow", "no": "red"}


def tell_model(model: Model, lang: str, files: Sequence[str] | None = None) -> RenderableType:
    """Return the whole story of a model; ``files`` are those written (None: say nothing of files)."""
    lines: list[tuple[str, RenderableType]] = []

    def add(key: str, content: RenderableType) -> None:
        lines.append((say(f"report.{key}", lang), content))

    columns = len(model.table_columns)
    add(
        "table",
        say("report.rows-columns", lang, name=model.table_name, rows=model.table_rows, columns=columns),
    )
    add("hypothesis", _hypothesis(model, lang))
    add("fit", Group(*(Text(line) for line in fit_lines(model, lang))))
    add("equation", _equation(model, lang))
    if model.verification is None:
        few = model.table_rows < 3 and "test" not in model.settings
        add("test", say("report.split-none-few" if few else "report.split-none", lang, rows=model.table_rows))
    else:
        add("test", tell_verification(model.verification, lang, model.table_name))
        add("verdict", tell_verdict(model.verification, lang))
    notes = [note for note in model.notes if note.code.startswith("note.")]
    if notes:
        add("notes", Group(*(Text(note.tell(lang), style="yellow") for note in notes)))
    if files is not None:
        written = [say("report.saved", lang, path=path) for path in files]
        add("files", "\n".join(written) if written else Text(say("report.not-saved", lang), style="dim"))
    return _labelled(lines)


def fit_lines(model: Model, lang: str) -> list[str]:
    """Return how the fit went: the solver, its rate and epochs, the loss at both ends, why it stopped."""
    history = model.history
    loss = say(f"loss.{model.loss}", lang)
    facts: dict[str, Any] = {
        "loss": loss,
        "optimizer": _optimizer_name(model),
        "lr": history.lr,
        "epochs": history.epochs,
        "slope": history.final_gradient_norm,
        "batch": history.batch_size,
    }
    if history.optimizer == "auto":
        how = "solved" if history.stop == "solved" else "quasi-newton" if math.isnan(history.lr) else "limit"
    else:
        how = "run" if history.batch_size is None else "run-batches"
    first, last = float(history.loss[0]), history.final_loss
    change: dict[str, Any] = {"first": first, "last": _settled(last, first)}
    lines = [say(f"report.{how}", lang, **facts)]
    if history.gap is not None and history.optimizer != "auto":
        lines.append(say("report.loss-gap", lang, gap=_settled(history.gap, first), **change))
    else:
        lines.append(say("report.loss-change", lang, **change))
    if history.stop == "converged" or (history.stop == "epochs" and history.optimizer == "auto"):
        lines.append(say(f"report.stop-{history.stop}", lang))
    elif history.stop == "early":
        best = int(history.validation_loss.argmin())
        lines.append(say("report.stop-early", lang, best=best))
    return lines


def log_lines(history: History, every: int, lang: str) -> Iterable[str]:
    """Yield epoch and loss every so many epochs and at the end, as textbooks print them."""
    width = len(str(history.epochs))
    for epoch, loss in zip(history.epoch.tolist(), history.loss.tolist(), strict=True):
        if epoch % every == 0 or epoch == history.epochs:
            name, of = say("report.epoch", lang), say("report.loss", lang)
            yield f"{name} {epoch:{width}d}/{history.epochs}  {of} {loss:.6f}"


def tell_verification(verification: Verification, lang: str, name: str) -> RenderableType:
    """Return the test: how it was made, the scores beside the baseline's, and for classes the counts."""
    facts = {"rows": verification.rows, "fitted": verification.fitted_rows, "name": name}
    parts: list[RenderableType] = [say(f"report.split-{verification.method}", lang, **facts)]
    classes = bool(verification.classes)
    metrics = list(verification.scores[0]["hypothesis"])
    several = len(verification.scores) > 1
    grid = grid_of([say("report.target", lang)] if several else [], [say(f"report.{m}", lang) for m in metrics])
    for score in verification.scores:
        for row, label in (("hypothesis", "model-row"), ("baseline", "share-row" if classes else "mean-row")):
            style = "" if row == "hypothesis" else "dim"
            shown = [_number(score[row][metric], score["baseline"][metric]) for metric in metrics]
            target = [score["target"] if row == "hypothesis" else ""] if several else []
            grid.add_row(*target, say(f"report.{label}", lang), *shown, style=style)
    parts.append(grid)
    if classes:
        parts.append(_classes(verification, lang))
    return Group(*parts)


def _classes(verification: Verification, lang: str) -> RenderableType:
    """Return rows, precision, recall and the confusion counts of every class."""
    levels = [entry["class"] for entry in verification.classes]
    shown = levels if len(levels) <= 8 else []
    heads = [say(f"report.{key}", lang) for key in ("rows", "precision", "recall")]
    grid = grid_of([], [*heads, *(f"→ {level}" for level in shown)], first=say("report.class", lang))
    for index, entry in enumerate(verification.classes[:30]):
        counts = verification.confusion[index] if shown else []
        scores = [_number(entry["precision"]), _number(entry["recall"])]
        grid.add_row(entry["class"], str(entry["rows"]), *scores, *map(str, counts))
    return grid


def tell_comparison(comparison: Comparison, lang: str) -> RenderableType:
    """Return the table of a comparison and the sentence that says which to prefer."""
    metric = say(f"report.{comparison.metric}", lang)
    key = "compare-loo-title" if comparison.folds == comparison.rows else "compare-title"
    title = say(
        f"report.{key}",
        lang,
        name=comparison.table_name,
        rows=comparison.rows,
        folds=comparison.folds,
        metric=metric,
    )
    heads = [say(f"report.{head}", lang) for head in ("columns-count", "score", "difference")]
    grid = grid_of([], heads, first=say("report.hypothesis", lang), last="")
    scale = comparison.baseline
    for entry in comparison.entries:
        marks = [say(f"report.{mark}", lang) for mark in ("best", "simplest") if entry is getattr(comparison, mark)]
        difference = "" if entry is comparison.best else _spread(entry.difference, entry.difference_error, scale)
        style = "bold" if marks else ""
        score = _spread(entry.score, entry.error, scale)
        grid.add_row(entry.formula, str(entry.columns), score, difference, ", ".join(marks), style=style)
    grid.add_row(say("report.baseline", lang), "", _number(comparison.baseline), "", "", style="dim")
    sentence = say(comparison.verdict, lang, **comparison.values)
    return Group(title, grid, Text(sentence, style="green" if comparison.verdict.endswith("clear") else "yellow"))


def tell_coefficients(model: Model, lang: str) -> RenderableType:
    """Return every coefficient in the units of the table, and the settings that are not the defaults."""
    outputs = model.target.outputs
    raw = model.design.to_raw(model.weights)
    heads = outputs if len(outputs) > 1 else [say("report.coefficient", lang)]
    grid = grid_of([], heads, first=say("report.column", lang))
    for index, name in enumerate(model.design.names):
        grid.add_row(name, *(f"{value:.10g}" for value in raw[index]))
    settings = ", ".join(f"{name}={value}" for name, value in model.settings.items())
    told = Text(f"{say('report.settings', lang)}: {settings or say('report.settings-none', lang)}", style="dim")
    return Padding(Group("", grid, told), (0, 0, 0, 1))


def tell_frame(frame: Any, limit: int, lang: str) -> RenderableType:
    """Return the first rows of a polars frame as a table."""
    grid = grid_of([], frame.columns[1:], first=frame.columns[0])
    for row in frame.head(limit).iter_rows():
        grid.add_row(*("" if cell is None else f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in row))
    if frame.height > limit:
        return Group(grid, Text(say("report.more", lang, count=frame.height - limit), style="dim"))
    return grid


def _hypothesis(model: Model, lang: str) -> RenderableType:
    lines = [Text(model.formula, style="bold")]
    lines += [Text(n.tell(lang)) for n in model.notes if n.code.startswith("family.")]
    for column, levels in model.design.levels.items():
        told = ", ".join(levels[1:8]) + (", …" if len(levels) > 8 else "")
        lines.append(Text(say("report.level-line", lang, column=column, levels=told, reference=levels[0]), style="dim"))
    return Group(*lines)


def _equation(model: Model, lang: str) -> RenderableType:
    """Return the equation where it is short, else its largest coefficients as a table."""
    if len(model.design.names) <= WIDE and len(model.target.outputs) <= WIDE:
        return Text(model.equation, style="bold cyan")
    outputs = model.target.outputs[:6]
    raw = model.design.to_raw(model.weights)
    grid = grid_of([], outputs, first=say("report.column", lang))
    for index, name in enumerate(model.design.names[:WIDE]):
        grid.add_row(name, *(f"{value:.6g}" for value in raw[index, : len(outputs)]))
    left = len(model.design.names) - WIDE
    return grid if left <= 0 else Group(grid, Text(say("report.more", lang, count=left), style="dim"))


def tell_verdict(verification: Verification, lang: str) -> Text:
    """Return the verdict, coloured by what it says."""
    kind = verification.verdict.removeprefix("verdict.").split("-")[0]
    return Text(verification.tell(lang), style=f"bold {VERDICT_STYLES[kind]}")


def _optimizer_name(model: Model) -> str:
    momentum = model.settings.get("momentum")
    if not momentum:
        return model.history.optimizer
    kind = "Nesterov" if model.settings.get("nesterov") else "momentum"
    return f"{model.history.optimizer} ({kind} {momentum:g})"


def _settled(value: float, scale: float) -> float:
    """Return 0 for what is nothing but rounding beside ``scale``."""
    return 0.0 if abs(value) < 1e-24 * abs(scale) else value


def _number(value: float | None, scale: float | None = None) -> str:
    if value is None or math.isnan(value):
        return "–"
    if scale is not None and math.isfinite(scale) and abs(value) < 1e-12 * abs(scale):
        value = 0.0
    return f"{value:.4g}"


def _spread(value: float, error: float, scale: float) -> str:
    return _number(value, scale) if abs(value) < 1e-12 * abs(scale) else f"{value:.4g} ± {error:.2g}"


def grid_of(before: Sequence[str], after: Sequence[str], first: str = "", last: str | None = None) -> Grid:
    """Return a table without lines: text columns (``before``, ``first``) on the left, figures, then perhaps a text."""
    grid = Grid(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for head in (*before, first):
        grid.add_column(head, justify="left", overflow="fold")
    for head in after:
        grid.add_column(head, justify="right", overflow="fold")
    if last is not None:
        grid.add_column(last, justify="left", overflow="fold")
    return grid


def _labelled(lines: Sequence[tuple[str, RenderableType]]) -> RenderableType:
    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, content in lines:
        grid.add_row(label, content)
    return Padding(grid, (0, 0, 0, 1))
