"""The options of reading: a control for each, for a file that was not read as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descend.base.errors import OptionError
from descend.base.messages import has, say
from descend.studio.parts.part import PagePart
from descend.studio.reading import CONTROLS, choices, parsed, shown
from descend.studio.widgets import Field, tag
from descend.tables.reading_settings import READING

if TYPE_CHECKING:
    from descend.base.setting import Setting
    from descend.studio.study import Study


class ReadingPart(PagePart):
    """The options of reading, folded."""

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        self.fields: dict[str, Field] = {}
        self.body = tag("details", "reading")
        with self.body:
            tag("summary", text=self.say("reading-options"))
            with tag("div", "settings"):
                for name in CONTROLS:
                    self._add(READING[name])
        self.show()

    def _add(self, option: Setting) -> None:
        kind = CONTROLS[option.name].kind
        kind = "text" if kind == "words" else kind
        more: dict[str, Any] = {"help": say(f"help.{option.help}", self.study.lang)}
        if kind in ("text", "number"):
            more["placeholder"] = self.say("reading-found")
        label = self.say(f"reading-{option.name}")
        self.fields[option.name] = Field(kind, label, "", lambda value: self._put(option, value), **more)

    def _put(self, option: Setting, value: Any) -> None:
        try:
            said = parsed(option, value, self.study.lang)
        except OptionError as error:
            self.study.refuse(error)
            self.show()
            return
        self.act(self.study.reread(**{option.name: said}))

    def show(self) -> None:
        """Show the options of reading; a worked example has no file."""
        asked = self.study.table.asked or {}
        for name, field in self.fields.items():
            option, value = READING[name], asked.get(name)
            if CONTROLS[name].kind == "select":
                known = list(dict.fromkeys([*choices(option), *([] if value is None else [shown(option, value)])]))
                texts = [(choice, self._choice_label(choice)) for choice in known]
                field.offer([("", self.say("reading-found")), *texts])
            field.put(shown(option, value))
        self.body.set_visibility(self.study.table.asked is not None)

    def _choice_label(self, choice: str) -> str:
        return self.say(f"reading-{choice}") if has(f"studio.reading-{choice}") else choice
