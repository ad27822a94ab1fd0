"""The table: its source, and its columns with their kind, a small histogram and missing cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nicegui import ui

from descend.formula.roles import retargeted, roles, toggled
from descend.labs import examples
from descend.studio.parts.part import PagePart
from descend.studio.parts.reading import ReadingPart
from descend.studio.widgets import Drop, Field, button, tag

if TYPE_CHECKING:
    from descend.studio.profile import ColumnProfile
    from descend.studio.study import Study

SHOWN = 200  # columns shown at once: a search finds the others
MANY = 30  # columns up to which there is no search field


class TablePart(PagePart):
    """The controls for choosing a table and the buttons of its columns."""

    def __init__(self, study: Study, upload: str) -> None:
        super().__init__(study)
        with tag("section", aria_labelledby="table-title"):
            with tag("div", "titled"):
                tag("h2", text=self.say("table"), id="table-title")
                self.name = tag("span")
            with tag("div", "source"):
                Drop({key: self.say(key) for key in ("choose", "hint", "sending")}, upload)
                options = [("", self.say("example-choose"))] + [(lab.id, lab.title[study.lang]) for lab in examples()]
                Field("select", self.say("example"), "", self.pick, options=options, hidden=True)
            self.reading = ReadingPart(study)
            self.sought = ""
            self.search = Field(
                "text", self.say("search-columns"), "", self._seek, on_typing=self._seek,
                placeholder=self.say("search-columns"), hidden=True,
            )  # fmt: skip
            self.columns = tag(
                "div", "columns", role="group", aria_label=self.say("columns"), data_help=self.say("help-columns")
            )
        self.show()

    def pick(self, id: str) -> None:
        """Open a worked example."""
        if id:
            self.act(self.study.example(id))

    def show(self) -> None:
        """Show the table's name and its columns."""
        profile = self.study.table.profile
        key = "rows-known" if profile is None or not profile.partial else "rows-partial"
        told = "" if profile is None else self.say(key, name=profile.name, rows=profile.rows)
        self.name._text = told
        self.name._props["title"] = told
        self.name.update()
        self.reading.show()
        self.search.set_visibility(profile is not None and len(profile.columns) > MANY)
        self._list()

    def _seek(self, text: str) -> None:
        if text.strip() != self.sought:
            self.sought = text.strip()
            self._list()

    def _list(self) -> None:
        """List the columns that match the search, those of the hypothesis first where there are more than are shown."""
        profile = self.study.table.profile
        self.columns.clear()
        self.marks: dict[str, tuple[ui.element, ui.element]] = {}
        if profile is not None:
            wanted = self.sought.casefold()
            found = [column for column in profile.columns if wanted in column.name.casefold()]
            if len(found) > SHOWN:
                used = roles(self.study.formula, [column.name for column in profile.columns])
                found.sort(key=lambda column: used.get(column.name) is None)
            with self.columns:
                for column in found[:SHOWN]:
                    self._column(column)
                if len(found) > SHOWN:
                    tag("p", "empty", self.say("columns-more", count=len(found) - SHOWN))
                elif not found:
                    tag("p", "empty", self.say("columns-none", text=self.sought))
        self.mark()

    def mark(self) -> None:
        """Mark the columns of the hypothesis; the buttons stay in place under the pointer."""
        profile = self.study.table.profile
        if profile is None:
            return
        found = roles(self.study.formula, [column.name for column in profile.columns])
        for name, buttons in self.marks.items():
            for button_of, role in zip(buttons, ("target", "input"), strict=True):
                pressed = "true" if found.get(name) == role else "false"
                if button_of._props["aria-pressed"] != pressed:
                    button_of._props["aria-pressed"] = pressed

    def _column(self, column: ColumnProfile) -> None:
        kind = self.say(f"kind-{column.kind}")
        with tag("div", "column"):
            aim, name = self.say("aim", column=column.name), column.name
            self.marks[name] = (
                button("◎", lambda: self._state(retargeted, name), "aim", aria_label=aim, title=aim),
                button(name, lambda: self._state(toggled, name), "name", title=f"{name}: {kind}"),
            )
            for made in self.marks[name]:
                made._props["aria-pressed"] = "false"
            ui.html(_bars(column, self.say("bars", column=column.name, kind=kind)), sanitize=False)
            if column.missing:
                tag("span", "note missing", self.say("missing", count=column.missing), title=kind)
            else:
                tag("span", "note", self.say(f"kind-short-{column.kind}"), title=kind)

    def _state(self, change: object, column: str) -> None:
        profile = self.study.table.profile
        if profile is not None and callable(change):
            made = change(self.study.formula, column, [one.name for one in profile.columns])
            if made != self.study.formula:
                self.act(self.study.restate(made))


def _bars(column: ColumnProfile, label: str) -> str:
    """Return a histogram as a small picture."""
    from html import escape

    most, count = max(column.bars, default=0), len(column.bars)
    if not most:
        return '<svg class="bars" aria-hidden="true"></svg>'
    width = 58 / count
    bars = "".join(
        f'<rect x="{index * width:.2f}" y="{18 - 17 * bar / most:.2f}" width="{max(width - 1, 1):.2f}"'
        f' height="{17 * bar / most:.2f}"/>'
        for index, bar in enumerate(column.bars)
    )
    return f'<svg class="bars" role="img" aria-label="{escape(label, quote=True)}" viewBox="0 0 58 18">{bars}</svg>'
