"""The downloads: the model, the pictures, the history, the command line and the Python script."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from nicegui import ui

from descend.base.errors import DescendError, OptionError
from descend.studio.parts.part import PagePart
from descend.studio.reproduce import command_line, example_csv, python_code
from descend.studio.threads import in_thread
from descend.studio.widgets import button, tag
from descend.studio.worker.child import as_descend_error

if TYPE_CHECKING:
    from descend.fitting.model import Model
    from descend.studio.runs import Run
    from descend.studio.study import Study


class TakePart(PagePart):
    """Downloads of the shown run, and the scripts that repeat it."""

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        self.body = tag("div")
        self.show()

    def show(self) -> None:
        """Show the downloads."""
        self.body.clear()
        run = self.study.run
        with self.body:
            if run is None:
                tag("p", "empty", self.say("nothing-to-take"))
                return
            with tag("div", "take"):
                button(self.say("take-model"), self._model, "primary")
                button(self.say("take-png"), lambda: self.act(self._picture("png")))
                button(self.say("take-svg"), lambda: self.act(self._picture("svg")))
                button(self.say("take-history"), self._history)
                if self.study.table.source[0] == "example":
                    button(self.say("take-table", file=self.study.table.file), self._table)
            for key, text in self._scripts(run).items():
                tag("p", "empty", self.say(f"take-{key}"))
                with tag("div", "script"):
                    tag("pre", "mono", text, tabindex="0")
                    copy = tag("button", "small", self.say("copy"), type="button")
                    copy.on("click", js_handler=_COPY)

    def _scripts(self, run: Run) -> dict[str, str]:
        """Return the command line and the Python script that repeat a run, where there are any."""
        file, names = self.study.table.file or "table.csv", self._start_names(run)
        reading = self.study.table.reading
        made = {"python": python_code(file, run.formula, run.settings, reading=reading)}
        try:
            return {"command": command_line(file, run.formula, run.settings, names=names, reading=reading), **made}
        except OptionError as error:
            return {"command": error.tell(self.study.lang), **made}

    def _start_names(self, run: Run) -> list[str] | None:
        """Return the names by which a start that is given as numbers is written; None where none are known.

        Of an equation a start by name is in its own units, so it is not of weights of standardised columns.
        """
        prepared, model = self.study.sketch.prepared, self.study.model
        if prepared is None or prepared.formula != run.formula:
            return None
        if not prepared.design.hypothesis.parameters:
            return prepared.design.names
        if model is None or model.formula != run.formula or model.hypothesis.scaled:
            return None
        names = model.hypothesis.weight_names(model.target)
        return names if set(names) <= set(prepared.design.hypothesis.parameters) else None

    def _model(self) -> None:
        assert self.study.run is not None
        ui.download.content(self.study.run.path.read_bytes(), "model.safetensors")

    async def _picture(self, kind: str) -> None:
        model = self.study.model
        if model is None:
            return
        try:
            data = await in_thread(lambda: _drawn(model, kind, self.study))
        except (DescendError, OSError) as error:
            self.study.refuse(as_descend_error(error))
            return
        with self.body:
            ui.download.content(data, f"fit.{kind}")

    def _table(self) -> None:
        """Download the table of a worked example, which has no file yet."""
        ui.download.content(example_csv(self.study.table.source[1]), self.study.table.file)

    def _history(self) -> None:
        if self.study.model is not None:
            ui.download.content(self.study.model.history.frame().write_csv().encode(), "history.csv")


def _drawn(model: Model, kind: str, study: Study) -> bytes:
    with TemporaryDirectory(dir=study.folder) as folder:  # a file of its own: two requests for a picture may overlap
        path = Path(folder, f"fit.{kind}")
        model.plot(path, lang=study.lang)
        return path.read_bytes()


_COPY = "(event) => navigator.clipboard.writeText(event.target.closest('.script').querySelector('pre').textContent)"
