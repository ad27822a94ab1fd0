"""How the file is read, where it is not read as it should be: a control for every option that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descend.base.errors import OptionError
from descend.base.messages import say
from descend.studio.parts.part import PagePart
from descend.studio.reading import OPTIONS, offered
from descend.studio.widgets import Field, tag

if TYPE_CHECKING:
    from descend.studio.reading import ReadingOption
    from descend.studio.study import Study


class ReadingPart(PagePart):
    """The options of reading, folded away."""

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        self.fields: dict[str, Field] = {}
        self.body = tag("details", "reading")
        with self.body:
            tag("summary", text=self.say("reading-options"))
            with tag("div", "settings"):
                for option in OPTIONS:
                    if option.name in offered():
                        self._add(option)
        self.show()

    def _add(self, option: ReadingOption) -> None:
        kind = "text" if option.kind == "words" else option.kind
        more: dict[str, Any] = {"help": say(f"help.{option.name.replace('_', '-')}", self.study.lang)}
        if kind in ("text", "number"):
            more["placeholder"] = self.say("reading-found")
        label = self.say(f"reading-{option.name}")
        self.fields[option.name] = Field(kind, label, "", lambda value: self._put(option, value), **more)

    def _put(self, option: ReadingOption, value: Any) -> None:
        try:
            parsed = option.parsed(value, self.study.lang)
        except OptionError as error:
            self.study.refuse(error)
            self.show()
            return
        self.act(self.study.reread(**{option.name: parsed}))

    def show(self) -> None:
        """Show how the file is read; of a worked example there is no file."""
        asked = self.study.table.asked or {}
        for name, field in self.fields.items():
            option, value = offered()[name], asked.get(name)
            if option.kind == "select":
                known = list(dict.fromkeys([*option.choices, *([] if value is None else [option.shown(value)])]))
                texts = [(choice, self._told(option, choice)) for choice in known]
                field.offer([("", self.say("reading-found")), *texts])
            field.put(option.shown(value))
        self.body.set_visibility(self.study.table.asked is not None)

    def _told(self, option: ReadingOption, choice: str) -> str:
        if option.name == "header":
            return self.say("reading-yes" if choice == "yes" else "reading-no")
        if choice == "tab":
            return self.say("reading-tab")
        return choice
