"""The words: the equation, the forecast, the findings, and buttons for their remedies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.analysis.diagnosis.remedies.registry import changes_for
from descend.base.errors import FormulaError
from descend.base.messages import say
from descend.report.terminal import VERDICT_STYLES, fit_lines
from descend.studio.parts.part import PagePart
from descend.studio.widgets import Told, button, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.analysis.diagnosis import Change
    from descend.studio.runs import Run
    from descend.studio.study import Study

TOO_LARGE = "finding.rate-too-large"


class WordsPart(PagePart):
    """The equation and the diagnosis of the shown run."""

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        with tag("section", "card words", aria_label=self.say("words")):
            self.equation = Told("equation mono", scrolls=True)
            self.foretold = Told("foretold")
            self.told = tag("div", aria_live="polite")
        self.show()

    def state(self, equation: str) -> None:
        """Show the equation of the current epoch."""
        self.equation.tell(equation)

    def foretell(self) -> None:
        """Show the forecast of the learning rate."""
        told = self.study.foretold() if self.study.error is None else ""
        view = self.study.view
        self.foretold.tell(told, "foretold bad" if view is not None and view.diverged else "foretold")

    def show(self) -> None:
        """Show everything."""
        self.state("" if self.study.stale else self.study.shown.equation())
        self.foretell()
        self.told.clear()
        with self.told:
            if self.study.error is not None:
                self._error()
            run = self.study.run
            if run is not None:
                self._run(run)
            elif self.study.table.profile is not None and not self.study.formula and self.study.error is None:
                tag("p", "empty", self.say("no-formula"))
            elif self.study.view is not None and not self.study.settled and self.study.error is None:
                tag("p", "empty", self.say("settling"))

    def _error(self) -> None:
        error, lang = self.study.error, self.study.lang
        assert error is not None
        profile = self.study.table.profile
        known = [] if profile is None else profile.columns
        columns = [column.name for column in known]
        texts = [column.name for column in known if column.kind == "text"]
        with tag("div", "finding error", role="alert"):
            tag("p", "kind", error.tell(lang))
            if isinstance(error, FormulaError):
                tag("p", "caret mono", error.caret)
            stated = self.study.formula, self.study.settings, self.study.sketch.forecast(self.study.settings)
            changes = changes_for(error, *stated, columns, texts, self.study.table.asked)
            hint = error.hint(lang)
            if changes:
                self._remedies(changes)
            elif hint:
                tag("p", "hint", f"→ {hint}")

    def _run(self, run: Run) -> None:
        lang, verification = self.study.lang, run.verification
        model = self.study.model
        if verification is not None:
            kind = verification.verdict.removeprefix("verdict.").split("-")[0]
            tag("p", f"verdict {kind if kind in VERDICT_STYLES else ''}", verification.tell(lang))
        for finding in run.findings:
            if finding.code == TOO_LARGE and self.study.error is not None and run.stop == "diverged":
                continue  # the error above has the same text and remedies
            with tag("div", f"finding {finding.severity}"):
                tag("p", text=finding.tell(lang))
                changes = [fix for fix in finding.fixes if self.study.table.asked is not None or not fix.reading]
                if changes:
                    self._remedies(changes)
                else:
                    tag("p", "hint", f"→ {finding.remedy(lang)}")
        if verification is not None:
            self._scores(run)
        if model is not None and run.error is None:
            tag("p", "fitted", " · ".join(fit_lines(model, lang)[-2:]))
        for note in run.notes:
            tag("p", "hint empty", note.tell(lang))
            self._remedies(changes_for(note, run.formula, run.settings, reading=self.study.table.asked))

    def _scores(self, run: Run) -> None:
        verification, lang = run.verification, self.study.lang
        assert verification is not None
        metrics = list(verification.scores[0]["hypothesis"])
        with tag("table", "scores"):
            with tag("thead"), tag("tr"):
                tag("th", text=self.say("unseen"), scope="col")
                for metric in metrics:
                    tag("th", text=say(f"report.{metric}", lang), scope="col")
            with tag("tbody"):
                for score in verification.scores:
                    alone = "share-row" if verification.classes else "mean-row"
                    for row, label in (("hypothesis", "model-row"), ("baseline", alone)):
                        with tag("tr"):
                            name = say(f"report.{label}", lang)
                            several = len(verification.scores) > 1
                            tag("th", text=f"{score['target']}: {name}" if several else name, scope="row")
                            for metric in metrics:
                                tag("td", text=f"{score[row][metric]:.4g}".replace("-", "−"))

    def _remedies(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        with tag("div", "remedies"):
            for change in changes:
                self._remedy(change)

    def _remedy(self, change: Change) -> None:
        def apply() -> None:
            if change.reading:
                options = change.applied_to_reading(self.study.table.asked or {})
                self.act(self.study.reread(change.settings, **{name: options.get(name) for name in change.reading}))
            else:
                self.act(self.study.restate(change.formula, **change.settings))

        button(change.tell(self.study.lang), apply)
