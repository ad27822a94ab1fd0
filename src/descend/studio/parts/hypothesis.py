"""The hypothesis: its formula while it is typed, with a caret under an error, its family and its loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.base.errors import FormulaError
from descend.base.messages import say
from descend.formula.parser import parse
from descend.objectives.families import FAMILIES
from descend.objectives.losses import LOSSES
from descend.studio.parts.part import PagePart
from descend.studio.statement import example_equation, understood
from descend.studio.widgets import Field, button, tag

if TYPE_CHECKING:
    from descend.studio.study import Study


class HypothesisPart(PagePart):
    """The formula, the family and the loss."""

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        with tag("section", aria_labelledby="hypothesis-title"):
            tag("h2", text=self.say("hypothesis"), id="hypothesis-title")
            self.formula = Field(
                "lines", self.say("formula"), study.formula, self.state, on_typing=self.check, hidden=True,
                placeholder="score ~ hours", help=self.say("help-formula"),
            ).classes("formula")  # fmt: skip
            self.caret = tag("div", "caret mono", role="status")
            with tag("p", "suggested") as self.suggested:
                tag("span", text=self.say("try-equation"))
                self.example = button("", self._take_example, "mono")
            with tag("div", "settings"):
                families = [
                    ("auto", self.say("auto-family")),
                    *((name, say(family.label, study.lang)) for name, family in FAMILIES.items()),
                ]
                self.family = Field(
                    "select", self.say("family"), "auto", lambda value: self.put("family", value, "auto"),
                    options=families, help=self.say("help-family"),
                )  # fmt: skip
                known = [
                    ("auto", self.say("auto-loss")),
                    *((name, say(loss.label, study.lang)) for name, loss in LOSSES.items()),
                ]
                self.loss = Field(
                    "select", self.say("loss"), "auto", lambda value: self.put("loss", value, "auto"),
                    options=known, help=self.say("help-loss"),
                )  # fmt: skip
        self.show()

    def put(self, name: str, value: str, usual: str) -> None:
        """Change a setting."""
        self.act(self.study.restate(**{name: None if value == usual else value}))

    def state(self, formula: str) -> None:
        """State another hypothesis."""
        if formula.strip() != self.study.formula:
            self.act(self.study.restate(formula.strip()))

    def check(self, formula: str) -> None:
        """Mark the error of the formula while it is typed."""
        profile = self.study.table.profile
        try:
            if profile is None:
                parse(formula)
            else:
                understood(formula, self.study.settings, [column.name for column in profile.columns])
            self._point("")
        except FormulaError as error:
            self._point(f"{error.caret[2:].replace(chr(10) + '  ', chr(10))}\n{error.tell(self.study.lang)}")

    def show(self) -> None:
        """Show the stated formula and settings."""
        self.formula.put(self.study.formula)
        self._suggest()
        self.family.put(self.study.settings.get("family", "auto"))
        self.loss.put(self.study.settings.get("loss", "auto"))
        error = self.study.error
        if isinstance(error, FormulaError):
            self.check(self.study.formula)
        else:
            self._point("")

    def _suggest(self) -> None:
        """Offer an example of an equation, where the stated formula is of numbers and a number."""
        profile, chosen = self.study.table.profile, {"family", "loss"} & self.study.settings.keys()
        text = "" if profile is None or chosen else example_equation(self.study.formula, profile)
        self.suggested.set_visibility(bool(text))
        if self.example._text != text:
            self.example._text = text
            self.example.update()

    def _take_example(self) -> None:
        self.state(self.example._text or "")

    def _point(self, text: str) -> None:
        self.caret._text = text
        self.caret.set_visibility(bool(text))
        self.caret.update()
