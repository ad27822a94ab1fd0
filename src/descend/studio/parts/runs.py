"""The table of runs: a row per fit, to open again, rename, delete and compare.

A row stays in place while nothing of it changes: a click on an element that was replaced meanwhile would be lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nicegui import ui

from descend.base.errors import DescendError
from descend.base.messages import say
from descend.studio.event_schema import only
from descend.studio.parts.part import PagePart
from descend.studio.runs import settings_told
from descend.studio.widgets import Told, button, tag

if TYPE_CHECKING:
    from collections.abc import Callable

    from descend.studio.runs import Run
    from descend.studio.study import Study


class RunsPart(PagePart):
    """The table of runs."""

    def __init__(self, study: Study, share: Callable[[int], str]) -> None:
        super().__init__(study)
        self.share = share
        self.renaming: int | None = None
        self.rows: dict[int, tuple[ui.element, tuple[str, bool, bool]]] = {}  # a run's row and what it shows
        self.none = tag("p", "empty", self.say("no-runs"))
        with tag("table", "runs") as self.table:
            with tag("thead"), tag("tr"):
                for key in ("lay", "run", "score", "seconds", "change"):
                    hidden = key in ("lay", "change")
                    with tag("th", key, scope="col"):
                        tag("span", "visually-hidden" if hidden else "", self.say(f"head-{key}"))
            self.body = tag("tbody")
        self.few = tag("p", "empty", self.say("lay-two"))
        with tag("div", role="status"):
            self.note = Told("empty")
        self.show()

    def show(self) -> None:
        """Show every run, the newest first."""
        runs, current = self.study.runs, self.study.run
        self.note.tell("")
        best = runs.best()
        shown = {run.number: (run.name, run.number == best, run.number == self.renaming) for run in runs.rows}
        for number, (row, was) in list(self.rows.items()):
            if shown.get(number) != was:
                row.delete()
                del self.rows[number]
        for place, run in enumerate(reversed(runs.rows)):
            if run.number not in self.rows:
                with self.body:
                    made = self._row(run, *shown[run.number][1:])
                made.move(target_index=place)
                self.rows[run.number] = made, shown[run.number]
            row, _ = self.rows[run.number]
            if ("current" in row.classes) != (run is current):
                row.classes(toggle="current")
        self._show_hints()

    def _show_hints(self) -> None:
        """Show the controls and hints that depend on the number of runs."""
        runs = self.study.runs
        for part, holds in (
            (self.none, not runs.rows),
            (self.table, bool(runs.rows)),
            (self.few, len(runs.rows) > 1 and len(runs.chosen) < 2),
        ):
            part.set_visibility(holds)

    def _row(self, run: Run, best: bool, renamed: bool) -> ui.element:
        study = self.study
        with tag("tr") as row:
            with tag("td"):
                box = tag("input", type="checkbox", aria_label=self.say("lay", name=run.name))
                if run.number in study.runs.chosen:
                    box._props["checked"] = True
                box.on("change", only(bool, lambda chosen: self._lay(run.number, chosen)), js_handler=_CHECKED)
            with tag("td", "grow"):
                if renamed:
                    entry = tag("input", "rename", type="text", value=run.name, aria_label=self.say("rename"))
                    entry.on("change", only(str, lambda name: self._rename(run.number, name)), js_handler=_VALUE)
                else:
                    with tag("button", "open", type="button", title=run.equation) as opener:
                        tag("div", text=f"{run.name} · {run.formula}" if run.name != run.formula else run.name)
                        tag("div", text=settings_told(run, study.lang))
                    opener.on("click", lambda _: self.act(study.reopen(run.number)))
            with tag("td", "number best" if best else "number"):
                tag("span", text=self._score(run) + (" ★" if best else ""), title=self._score_tooltip(run, best))
            tag("td", "number seconds", self.say("seconds", seconds=run.seconds))
            with tag("td", "number"):
                told = self.say("share-run", name=run.name)
                button("↗", lambda: self._share(run.number), aria_label=told, title=self.say("share"))
                button("✎", lambda: self._ask(run.number), aria_label=self.say("rename-run", name=run.name))
                button("✕", lambda: self._delete(run.number), aria_label=self.say("delete-run", name=run.name))
        return row

    def _score(self, run: Run) -> str:
        if run.metric is None or run.score is None:
            return self.say("diverged") if run.stop == "diverged" else "–"
        return f"{say(f'report.{run.metric}', self.study.lang)} {run.score:.4g}"

    def _score_tooltip(self, run: Run, best: bool) -> str:
        """Return the tooltip of a run's score: whether it is the best, and of classes the log-loss that breaks ties."""
        told = [self.say("best")] if best else []
        if run.verification is not None and run.verification.classes and run.loss is not None:
            told.append(f"{say('report.log_loss', self.study.lang)} {run.loss:.4g}")
        return " · ".join(told)

    def _lay(self, number: int, chosen: bool) -> None:
        self.study.runs.choose(number, chosen)
        self._show_hints()
        self.study.heard({"stage-moves"})

    def _ask(self, number: int) -> None:
        self.renaming = None if self.renaming == number else number
        self.show()

    def _rename(self, number: int, name: str) -> None:
        self.study.runs.rename(number, name)
        self.renaming = None
        self.show()

    def _share(self, number: int) -> None:
        """Copy a link that opens the run in another tab."""
        try:
            link = f"`${{location.origin}}/?run={self.share(number)}`"
        except DescendError as error:
            self.study.refuse(error)
            return
        ui.run_javascript(f"navigator.clipboard.writeText({link})")
        self.note.tell(self.say("link-copied"))

    def _delete(self, number: int) -> None:
        self.study.runs.delete(number)
        self.study.heard({"runs", "stage-moves", "words", "leave"})


_CHECKED = "(event) => emit(event.target.checked)"
_VALUE = "(event) => emit(event.target.value)"
