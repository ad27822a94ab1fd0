"""A model in a notebook: its equation, scores and verdict, its findings and notes, as a small piece of HTML."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from descend.base.messages import language, say
from descend.base.visible import visible

if TYPE_CHECKING:
    from descend.model.fitted import FittedModel


def render(model: FittedModel) -> str:
    """Return the HTML, every text of the user's escaped."""
    lang = language()
    lines = "<br>".join(escape(line) for line in model.equation.split("\n")[:20])
    parts = [f"<p><strong>{escape(model.formula)}</strong></p>", f"<p><code>{lines}</code></p>"]
    verification = model.verification
    if verification is not None:
        metrics = list(verification.scores[0]["hypothesis"])
        heads = "".join(f"<th>{escape(say(f'report.{metric}', lang))}</th>" for metric in metrics)
        alone = say("report.share-row" if verification.classes else "report.mean-row", lang)
        rows = []
        for score in verification.scores:
            for key, label in (("hypothesis", say("report.model-row", lang)), ("baseline", alone)):
                cells = "".join(f"<td>{score[key][metric]:.4g}</td>" for metric in metrics)
                name = f"{score['target']}: {label}"
                rows.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
        parts.append(f"<table><tr><th></th>{heads}</tr>{''.join(rows)}</table>")
        parts.append(f"<p>{escape(verification.tell(lang))}</p>")
    told = [f"{finding.tell(lang)} → {finding.remedy(lang)}" for finding in model.findings]
    told += [note.tell(lang) for note in model.notes if note.code.startswith("note.")]
    parts += [f"<p>{escape(text)}</p>" for text in told]
    return f"<div>{''.join(parts)}</div>"


def escape(text: str) -> str:
    """Return a text escaped for HTML, its control characters shown."""
    return html.escape(visible(text))
