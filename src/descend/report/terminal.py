"""The report in the terminal, in the reader's language: table, hypothesis, fit, equation, verdict."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Group
from rich.text import Text

from descend.base.messages import say
from descend.base.texts import shape_text
from descend.base.visible import in_a_line
from descend.objectives.losses import LOSSES
from descend.report.forecast import forecast_line
from descend.report.layout import grid_of, labelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from descend.analysis.certificates import Certificate
    from descend.analysis.comparison import Comparison
    from descend.analysis.diagnosis import Finding
    from descend.analysis.forecast import Forecast
    from descend.analysis.verification import Verification
    from descend.model.fitted import FittedModel
    from descend.solvers.history import History

WIDE = 14
WIDE_FRAME = 8
TOGETHER = 6  # classes whose counts stand beside their scores
COUNTS_WIDTH = 60
SEVERITIES = {"error": "bold red", "warning": "yellow", "hint": "cyan"}
VERDICT_STYLES = {
    "better": "green",
    "few": "yellow",
    "unsure": "yellow",
    "same": "yellow",
    "untrained": "yellow",
    "one": "yellow",
    "no": "red",
}


def tell_opening(name: str, rows: int, columns: int, formula: str, forecast: Forecast, lang: str) -> RenderableType:
    """Return the report before the fit: the table, the hypothesis, and the forecast of the learning rate."""
    told = say("report.rows-columns", lang, name=name, rows=rows, columns=columns)
    lines: list[tuple[str, RenderableType]] = [
        (say("report.table", lang), told),
        (say("report.hypothesis", lang), Text(formula, style="bold")),
    ]
    lines.append((say("report.forecast", lang), forecast_line(forecast, lang)))
    return labelled(lines)


def tell_model(
    model: FittedModel, lang: str, files: Sequence[str] | None = None, *, opened: bool = False
) -> RenderableType:
    """Return the whole story of a model, or what follows the opening; ``files`` are those written (None: say nothing of
    files).
    """
    lines: list[tuple[str, RenderableType]] = []

    def add(key: str, content: RenderableType) -> None:
        lines.append((say(f"report.{key}", lang), content))

    if not opened:
        columns, rows = len(model.table_columns), model.table_rows
        if rows:
            add("table", say("report.rows-columns", lang, name=model.table_name, rows=rows, columns=columns))
        add("hypothesis", Text(model.formula, style="bold"))
    add("fit", Group(*(Text(line) for line in fit_lines(model, lang))))
    add("equation", _equation(model, lang))
    if model.verification is None:
        few = model.table_rows < 3 and "test" not in model.settings
        add("test", say("report.split-none-few" if few else "report.split-none", lang, rows=model.table_rows))
    else:
        add("test", tell_verification(model.verification, lang, model.table_name))
        add("verdict", tell_verdict(model.verification, lang))
    if model.findings:
        add("findings", Group(*(_finding(finding, lang) for finding in model.findings), *_fixes(model, lang)))
    notes = [note for note in model.notes if note.code.startswith("note.")]
    if notes:
        add("notes", Group(*(Text(note.tell(lang), style="yellow") for note in notes)))
    if files is not None:
        written = [say("report.saved", lang, path=path) for path in files]
        if files:
            written.append(kept_line(model, lang))
        add("files", "\n".join(written) if written else Text(say("report.not-saved", lang), style="dim"))
    elif not opened:
        add("kept", kept_line(model, lang))
    return labelled(lines)


def kept_line(model: FittedModel, lang: str) -> str:
    """Return how many rows of the table a model, and so its file, holds."""
    rows = 0 if model.sample is None else model.sample.frame.height
    return say("report.kept-rows" if rows else "report.kept-no-rows", lang, rows=rows)


def fit_lines(model: FittedModel, lang: str) -> list[str]:
    """Return how the fit went: the solver, its rate and epochs, the loss at both ends, why it stopped."""
    history = model.history
    if history.stop == "imported":
        return [say("report.imported", lang, optimizer=history.optimizer)]
    loss = say(LOSSES[model.loss].message, lang)
    facts: dict[str, Any] = {
        "loss": loss,
        "optimizer": _optimizer_name(model),
        "lr": history.lr,
        "epochs": history.epochs,
        "slope": history.final_gradient_norm,
        "batch": history.batch_size,
    }
    if history.optimizer == "auto":
        how = "solved" if history.stop == "solved" else "lbfgs" if math.isnan(history.lr) else "limit"
    elif math.isnan(history.lr):
        how = "steps"
    else:
        how = "run" if history.batch_size is None else "run-batches"
    first, last = float(history.loss[0]), history.final_loss
    change: dict[str, Any] = {"first": first, "last": _settled(last, first)}
    lines = [note.tell(lang) for note in model.notes if note.code.startswith("family.")]
    about = model.hypothesis.facts()
    if about is not None:
        lines.append(say(f"report.{model.hypothesis.name}", lang, **about))
    lines.append(say(f"report.{how}", lang, **facts))
    if history.gap is not None and history.optimizer != "auto":
        lines.append(say("report.loss-gap", lang, gap=_settled(history.gap, first), **change))
    else:
        lines.append(say("report.loss-change", lang, **change))
    certificate = model.certificate
    endless = any(finding.endless for finding in model.findings)
    if "certificate" in model.hypothesis.refusals:
        lines.append(say(model.hypothesis.refusals["certificate"], lang))
    elif endless:
        lines.append(say("report.no-optimum" if model.hypothesis.linear else "report.no-minimum", lang))
    elif certificate is not None and certificate.kind == "bound":
        lines.append(say("report.gap", lang, gap=certificate.gap))
    elif certificate is not None and certificate.kind == "minimum":
        lines.append(_minimum(certificate, lang))
    elif certificate is not None and certificate.kind == "none":
        shown = "not-certified" if model.hypothesis.linear else "not-shown"
        lines.append(say(f"report.{shown}", lang, slope=certificate.slope))
    short = history.stop == "stalled" or (history.stop == "epochs" and history.optimizer == "auto")
    if history.stop == "converged" or (short and not endless):
        lines.append(say(f"report.stop-{history.stop}", lang))
    elif history.stop == "early":
        best = int(history.validation_loss.argmin())
        lines.append(say("report.stop-early", lang, best=best))
    return lines


def _minimum(certificate: Certificate, lang: str) -> str:
    """Return what is known of a curve's minimum: from how many starts it was reached."""
    if certificate.starts is None or certificate.reached is None or certificate.starts < 2:
        return say("report.minimum", lang)
    which = "all" if certificate.reached == certificate.starts else "some"
    return say(f"report.minimum-{which}", lang, starts=certificate.starts, reached=certificate.reached)


def log_lines(history: History, every: int, lang: str) -> Iterable[str]:
    """Yield epoch and loss every so many epochs and at the end, as textbooks print them."""
    width = len(str(history.epochs))
    for epoch, loss in zip(history.epoch.tolist(), history.loss.tolist(), strict=True):
        if epoch % every == 0 or epoch == history.epochs:
            name, of = say("report.epoch", lang), say("report.loss", lang)
            yield f"{name} {epoch:{width}d}/{history.epochs}  {of} {loss:.6f}"


def batch_lines(history: History, lang: str) -> Iterable[str]:
    """Yield epoch, batch and loss of every batch, as textbooks print them."""
    each = max(history.batch_loss.size // max(history.epochs, 1), 1)
    names = [say(f"report.{name}", lang) for name in ("epoch", "batch", "loss")]
    for index, loss in enumerate(history.batch_loss.tolist()):
        epoch, batch = divmod(index, each)
        yield f"{names[0]} {epoch}/{history.epochs}  {names[1]} {batch + 1}/{each}  {names[2]} {loss:.6f}"


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
    if verification.confused:
        pairs = [say("report.confused-pair", lang, **pair) for pair in verification.confused]
        parts.append(Text(say("report.confused", lang, pairs=", ".join(pairs))))
    return Group(*parts)


def _classes(verification: Verification, lang: str) -> RenderableType:
    """Return rows, precision, recall and the confusion counts of every class."""
    levels = [entry["class"] for entry in verification.classes]
    room = sum(len(level) + 4 for level in levels) <= COUNTS_WIDTH
    shown = levels if len(levels) <= 8 or room else []
    heads = [say(f"report.{key}", lang) for key in ("rows", "precision", "recall")]
    together = len(shown) <= TOGETHER
    grid = grid_of([], [*heads, *(f"→ {level}" for level in shown if together)], first=say("report.class", lang))
    counted = grid_of([], shown, first=say("report.taken-for", lang))
    for index, entry in enumerate(verification.classes[:30]):
        counts = list(map(str, verification.confusion[index])) if shown else []
        scores = [_number(entry["precision"]), _number(entry["recall"])]
        grid.add_row(entry["class"], str(entry["rows"]), *scores, *(counts if together else []))
        counted.add_row(entry["class"], *counts)
    return grid if together else Group(grid, "", counted)


def tell_comparison(comparison: Comparison, lang: str) -> RenderableType:
    """Return the table of a comparison and the sentence that says which to prefer."""
    metric = say(f"report.{comparison.metric}", lang)
    key = "compare-loo-title" if comparison.folds == comparison.rows else "compare-title"
    key = "compare-holdout-title" if comparison.folds == 1 else key
    title = say(
        f"report.{key}",
        lang,
        name=comparison.table_name,
        rows=comparison.rows,
        folds=comparison.folds,
        tested=comparison.tested,
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


def tell_frame(frame: Any, limit: int, lang: str) -> RenderableType:
    """Return the first rows of a polars frame as a table, or one wide row as a list; chances of many classes short."""
    wide, alone = len(frame.columns) > WIDE_FRAME, frame.height == 1
    chances = ".4f" if alone else ".2f"
    digits = [chances if wide and name.startswith("P(") else ".6g" for name in frame.columns]
    cells = [
        [
            "" if cell is None else f"{cell:{shown}}" if isinstance(cell, float) else in_a_line(str(cell))
            for cell, shown in zip(row, digits, strict=True)
        ]
        for row in frame.head(limit).iter_rows()
    ]
    if wide and alone:
        grid = grid_of([""], [""])
        for name, cell in zip(frame.columns, cells[0], strict=True):
            grid.add_row(name, cell)
        return grid
    grid = grid_of([], frame.columns[1:], first=frame.columns[0])
    for row in cells:
        grid.add_row(*row)
    if frame.height > limit:
        return Group(grid, Text(say("report.more", lang, count=frame.height - limit), style="dim"))
    return grid


def _finding(finding: Finding, lang: str) -> Text:
    told = Text(finding.tell(lang), style=SEVERITIES[finding.severity])
    return told.append(f"\n→ {finding.remedy(lang)}", style="not bold default")


def _fixes(model: FittedModel, lang: str) -> list[Text]:
    """Return the line that tells which findings a change mends; none where it mends none."""
    codes = dict.fromkeys(finding.kind.name for finding in model.findings if finding.fix is not None)
    return [Text(say("report.apply", lang, codes=", ".join(codes)), style="dim")] if codes else []


def _levels(model: FittedModel, lang: str) -> list[Text]:
    """Return the levels of each category and its reference level."""
    lines = []
    for column, levels in model.design.levels.items():
        told = ", ".join(levels[1:8]) + (", …" if len(levels) > 8 else "")
        lines.append(Text(say("report.level-line", lang, column=column, levels=told, reference=levels[0]), style="dim"))
    return lines


def _images(model: FittedModel, lang: str) -> list[Text]:
    """Return the lines that explain the product of weights and an image."""
    images = model.design.images.items()
    facts = [{"image": column, "shape": shape_text(code.shape)} for column, code in images if code.pictures]
    return [Text(say("report.image-line", lang, **fact), style="dim") for fact in facts]


def _equation(model: FittedModel, lang: str) -> RenderableType:
    """Return the equation where it is short, else its largest coefficients as a table."""
    design = model.design
    few = (~design.pixels).sum() <= WIDE and len(model.target.outputs) <= WIDE
    if few or not model.hypothesis.linear:
        images = _images(model, lang) if model.hypothesis.linear else []
        return Group(Text(model.equation, style="bold cyan"), *_levels(model, lang), *images)
    outputs = model.target.outputs[:6]
    raw = model.raw
    grid = grid_of([], outputs, first=say("report.column", lang))
    shown = np.flatnonzero(~design.pixels)
    for index in shown[:WIDE]:
        grid.add_row(design.names[index], *(f"{value:.6g}" for value in raw[index, : len(outputs)]))
    left = shown.size - WIDE
    more = [Text(say("report.more", lang, count=left), style="dim")] if left > 0 else []
    return Group(grid, *more, *_levels(model, lang), *_images(model, lang))


def tell_verdict(verification: Verification, lang: str) -> Text:
    """Return the verdict in the colour of its kind."""
    return Text(verification.tell(lang), style=f"bold {VERDICT_STYLES[verification.kind]}")


def _optimizer_name(model: FittedModel) -> str:
    momentum = model.settings.get("momentum")
    if not momentum:
        return model.history.optimizer
    kind = "Nesterov" if model.settings.get("nesterov") else "momentum"
    return f"{model.history.optimizer} ({kind} {momentum:g})"


def _settled(value: float, scale: float) -> float:
    """Return 0 for a value that is rounding beside ``scale``."""
    return 0.0 if abs(value) < 1e-24 * abs(scale) else value


def _number(value: float | None, scale: float | None = None) -> str:
    if value is None or math.isnan(value):
        return "–"
    if scale is not None and math.isfinite(scale) and abs(value) < 1e-12 * abs(scale):
        value = 0.0
    return f"{value:.4g}"


def _spread(value: float, error: float, scale: float) -> str:
    return _number(value, scale) if abs(value) < 1e-12 * abs(scale) else f"{value:.4g} ± {error:.2g}"
