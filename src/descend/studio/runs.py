"""The runs of a tab: a row per fit; the best on unseen rows is marked, and any two can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.messages import say
from descend.objectives.families import FAMILIES
from descend.objectives.losses import LOSSES
from descend.solvers.settings import OF_OPTIMIZERS
from descend.studio.view import LossCurve

if TYPE_CHECKING:
    from pathlib import Path

    from descend.analysis.diagnosis import Finding
    from descend.analysis.verification import Verification
    from descend.base.errors import DescendError
    from descend.base.messages import Note
    from descend.fitting.model import Model
    from descend.objectives.target import Target

MOST = 60
CURVE = 200


@dataclass(frozen=True)
class Run:
    """A fit: its formula and settings, the model's file, and the results.

    ``metric`` is the headline metric of the target's family and ``score`` its value on unseen rows; both are None
    without a test. Runs of one target that were tested on the same rows are ranked by ``score``; ties are broken by
    ``loss``, the family's error on these rows (lower is better).
    """

    number: int
    name: str
    formula: str
    settings: dict[str, Any]
    path: Path
    targets: tuple[str, ...]
    stop: str
    epochs: int
    lr: float
    seconds: float
    equation: str
    curve: LossCurve
    metric: str | None = None
    score: float | None = None
    loss: float | None = None
    verification: Verification | None = None
    findings: list[Finding] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    error: DescendError | None = None

    @property
    def tested(self) -> tuple[Any, ...]:
        """The key that two runs must share for their scores to be of the same rows and in the same unit."""
        test = self.verification
        rows = () if test is None else (test.method, test.rows, self.settings.get("test"), self.settings.get("seed"))
        return self.targets, self.metric, *rows

    @property
    def rank(self) -> tuple[float, ...]:
        """The sort key of the run, lower is better: the score and the loss; empty where either is not finite."""
        if self.score is None or self.loss is None or not np.isfinite([self.score, self.loss]).all():
            return ()
        lower_is_better = self.metric in {family.error for family in FAMILIES.values()}
        return self.score if lower_is_better else -self.score, self.loss


class Runs:
    """The runs in their order; the oldest is dropped when there are too many."""

    def __init__(self) -> None:
        self.rows: list[Run] = []
        self.chosen: set[int] = set()
        self._made = 0

    def next_number(self) -> int:
        """Return the number of the next run, counted from 1."""
        self._made += 1
        return self._made

    def add(self, run: Run) -> None:
        """Keep a run; a repeated fit of the same formula and settings replaces the run before it and keeps its name."""
        last = self.rows[-1] if self.rows else None
        if last is not None and (last.formula, last.settings) == (run.formula, run.settings):
            if last.name != str(last.number):
                run = replace(run, name=last.name)
            if last.number in self.chosen:
                self.chosen.add(run.number)
            self.delete(last.number)
        self.rows.append(run)
        if len(self.rows) > MOST:
            self.delete(self.rows[0].number)

    def find(self, number: int) -> Run | None:
        """Return a run by its number."""
        return next((run for run in self.rows if run.number == number), None)

    def rename(self, number: int, name: str) -> None:
        """Give a run another name; an empty name is ignored."""
        name = " ".join(name.split())[:80]
        self.rows = [replace(run, name=name) if run.number == number and name else run for run in self.rows]

    def delete(self, number: int) -> None:
        """Forget a run and remove its file."""
        run = self.find(number)
        if run is not None:
            run.path.unlink(missing_ok=True)
            self.rows.remove(run)
            self.chosen.discard(number)

    def choose(self, number: int, chosen: bool) -> None:
        """Mark a run for comparison, or unmark it."""
        if chosen and self.find(number) is not None:
            self.chosen.add(number)
        else:
            self.chosen.discard(number)

    def compared(self) -> list[Run]:
        """Return the runs that are drawn together: the chosen ones, where there are at least two."""
        return [run for run in self.rows if run.number in self.chosen] if len(self.chosen) > 1 else []

    def best(self) -> int | None:
        """Return the number of the best run among those tested as the last tested one; None with fewer than two."""
        tested = [run for run in self.rows if run.verification is not None]
        rivals = [(*run.rank, run.number) for run in tested if run.tested == tested[-1].tested and run.rank]
        return int(min(rivals)[-1]) if len(rivals) > 1 else None

    def clear(self) -> None:
        """Forget every run."""
        for run in list(self.rows):
            self.delete(run.number)


def run_of(
    model: Model, number: int, settings: dict[str, Any], path: Path, seconds: float, error: DescendError | None
) -> Run:
    """Return the row of a fitted model."""
    history, verification = model.history, model.verification
    recorded = np.unique(np.linspace(0, len(history) - 1, min(len(history), CURVE)).astype(np.int64))
    metric, score, loss = None, None, None
    if verification is not None:
        metric, score, loss = _scored(verification, model.target)
    return Run(
        number=number,
        name=str(number),
        formula=model.formula,
        settings=dict(settings),
        path=path,
        targets=model.target.columns,
        stop=history.stop,
        epochs=history.epochs,
        lr=history.lr,
        seconds=seconds,
        equation=model.equation,
        curve=LossCurve(history.epoch[recorded], history.loss[recorded], np.empty(0)),
        metric=metric,
        score=score,
        loss=loss,
        verification=verification,
        findings=model.findings,
        notes=[note for note in model.notes if note.code.startswith("note.")],
        error=error,
    )


def settings_told(run: Run, lang: str) -> str:
    """Return a short summary of a run's recipe."""
    parts = [str(run.settings.get("optimizer", "auto"))]
    if np.isfinite(run.lr):
        parts.append(say("studio.rate-short", lang, lr=run.lr))
    parts.append(say("studio.epochs-short", lang, epochs=run.epochs))
    shown = (*OF_OPTIMIZERS, "l2", "batch_size", "loss", "hypothesis")
    parts += [_setting_text(name, run.settings[name], lang) for name in shown if run.settings.get(name)]
    if run.settings.get("standardize") is False:
        parts.append(say("studio.unscaled-short", lang))
    return " · ".join(parts)


def _setting_text(name: str, value: Any, lang: str) -> str:
    """Return a setting as the page names it; some values speak for themselves."""
    if name == "hypothesis":
        return str(value)
    if name == "loss":
        return say(LOSSES[value].label, lang) if isinstance(value, str) else str(value)
    return f"{say(f'studio.setting-{name}', lang)} {value}"


def _scored(verification: Verification, target: Target) -> tuple[str, float, float]:
    """Return the headline metric, its value, and the family's error, of several targets relative to the baseline."""
    scores, metric, error = verification.scores, target.family.headline(target), target.family.error
    score = float(np.mean([entry["hypothesis"][metric] for entry in scores]))
    if len(scores) == 1:
        return metric, score, scores[0]["hypothesis"][error]
    shares = [entry["hypothesis"][error] / (entry["baseline"][error] or 1.0) for entry in scores]
    return metric, score, float(np.mean(shares))
