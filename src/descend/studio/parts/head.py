"""The head of the page: the name, the current activity, the language, light or dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descend.studio.parts.part import PagePart
from descend.studio.widgets import Doing, Field, button, tag

if TYPE_CHECKING:
    from collections.abc import Callable

    from descend.studio.study import Study

MEGABYTE = 1 << 20
LOGO = "M2 4 C 6 4, 7 17, 12 17 S 17 13, 22 13"
NATIVE = (("en", "English"), ("ko", "한국어"))


class HeadPart(PagePart):
    """The page's head."""

    def __init__(self, study: Study, speak: Callable[[str], None], dark: Any) -> None:
        super().__init__(study)
        self.dark = dark
        self.coming: tuple[str, int | None, int] | None = None
        with tag("header", "head"):
            with tag("h1"):
                with tag("svg", viewBox="0 0 24 24", aria_hidden="true"):
                    tag("path", d=LOGO, fill="none", stroke="var(--c1)", stroke_width="2.4", stroke_linecap="round")
                    tag("circle", cx="12", cy="17", r="2.6", fill="var(--c2)")
                tag("span", text="descend")
            self.doing = Doing(self.say("stop"))
            self.doing.on("stop", lambda _: study.worker.stop())
            Field("select", self.say("language"), study.lang, speak, options=NATIVE, hidden=True)
            self.theme = button("◐", self._turn, "small", aria_label=self.say("theme"), title=self.say("theme"))
        self.show()

    def receive(self, name: str | None, size: int | None, received: int = 0) -> None:
        """Show how much of a file has arrived."""
        if name is not None:
            self.coming = name, size, 0
        elif self.coming is not None:
            self.coming = *self.coming[:2], received
        self.show()

    def show(self) -> None:
        """Show the current activity and its progress."""
        busy, progress = self.study.busy, self.study.progress
        if busy == "fitting":
            told = self.say("fitting")
            if progress.loss is not None:
                told = self.say("fitting-at", epoch=progress.epoch, loss=progress.loss)
            if progress.total and progress.epoch + 1 >= progress.total:
                told = self.say("testing", epochs=progress.total)
            self.doing.tell(told, min(progress.epoch / progress.total, 1.0) if progress.total else None, stops=True)
        elif busy is not None:
            self.coming = None
            self.doing.tell(self.say(busy))
        elif self.coming is not None:
            name, size, received = self.coming
            told = self.say("receiving", name=name, megabytes=received / MEGABYTE)
            self.doing.tell(told, received / size if size else None)
        else:
            self.doing.tell("")

    def _turn(self) -> None:
        """Switch from the system's colours to dark, to light, and back."""
        order = {None: True, True: False, False: None}
        self.dark.value = order[self.dark.value]
