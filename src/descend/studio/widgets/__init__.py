"""The widgets of the page: thin elements around the browser's own controls and ECharts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import nicegui.elements.echart as bundled
from nicegui import ui

from descend.base.visible import visible
from descend.studio.event_schema import DRAGGED, only

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DRAWING = {"descend-drawing": "drawing"}
CHARTS = Path(bundled.__path__[0]) / "dist"


class Stage(ui.element, component="stage.js", esm={"nicegui-echart": str(CHARTS), **DRAWING}):
    """The three pictures; ``draw`` sends their changes."""

    def __init__(self, labels: dict[str, str]) -> None:
        super().__init__()
        self._props["labels"] = labels

    def draw(self, payload: dict[str, Any], serial: str | None = None) -> None:
        """Draw a payload; the page reports ``serial`` once it is on the screen."""
        self.run_method("draw", payload, *([] if serial is None else [serial]))


class Rate(ui.element, component="rate.js", esm=DRAWING):
    """The slider of the learning rate, with its zones."""

    def __init__(self, labels: dict[str, str], zones: dict[str, Any], rate: float) -> None:
        super().__init__()
        self.painted = {"zones": zones, "rate": rate, "disabled": True}
        self._props.update(labels=labels, first=self.painted)

    def paint(self, zones: dict[str, Any], rate: float, *, disabled: bool) -> None:
        """Draw other zones, and move to another rate."""
        now = {"zones": zones, "rate": rate, "disabled": disabled}
        if now != self.painted:
            self.painted = now
            self.run_method("paint", now)


class ParameterSliders(ui.element, component="parameters.js", esm=DRAWING):
    """The sliders of an equation's parameters, with the loss of the values that they stand at."""

    def __init__(self, labels: dict[str, str]) -> None:
        super().__init__()
        none: dict[str, Any] = {
            "sliders": [],
            "loss": None,
            "fit": None,
            "byHand": False,
            "moved": False,
            "rows": None,
            "more": 0,
        }
        self._props.update(labels=labels, first=none)

    def paint(self, now: dict[str, Any]) -> None:
        """Draw other sliders, values and losses."""
        self.run_method("paint", now)


class Scrub(ui.element, component="scrub.js", esm=DRAWING):
    """The scrubber through the epochs."""

    def __init__(self, labels: dict[str, str]) -> None:
        super().__init__()
        self._props["labels"] = labels

    def tell(self, **now: Any) -> None:
        """Show the scrubber's position: ``epoch``, its ``loss`` and ``unseen`` loss, the ``last`` epoch."""
        self.run_method("tell", now)


class Told(ui.element, component="told.js"):
    """A text that changes often; one that ``scrolls`` takes the keyboard's focus."""

    def __init__(self, tone: str, *, scrolls: bool = False) -> None:
        super().__init__()
        self.told: tuple[str, str] = ("", tone)
        self._props.update(text="", tone=tone, scrolls=scrolls)

    def tell(self, text: str, tone: str | None = None) -> None:
        """Show another text, with another tone (its classes) if given."""
        now = visible(text), self.told[1] if tone is None else tone
        if now != self.told:
            self.told = now
            self.run_method("tell", *now)


class Doing(ui.element, component="doing.js"):
    """The current activity and its progress."""

    def __init__(self, stop: str) -> None:
        super().__init__()
        self._props["stop"] = stop

    def tell(self, text: str, share: float | None = None, *, stops: bool = False) -> None:
        """Show a sentence and the progress; ``stops``: with a button that ends the activity."""
        self.run_method("tell", text, share, stops)


class Drop(ui.element, component="drop.js"):
    """A field for choosing or dropping a file."""

    def __init__(self, labels: dict[str, str], target: str) -> None:
        super().__init__()
        self._props.update(labels=labels, target=target)


class Field(ui.element, component="field.js", esm=DRAWING):
    """One setting: a label and the browser's own control.

    kind: "text", "lines" (a text on as many lines as it takes), "number", "select" (with ``options``, pairs of a value
        and its label), "check" or "range", which while it is dragged sends its value with a serial, and the next one
        once that has been drawn.
    """

    def __init__(
        self,
        kind: str,
        label: str,
        value: Any,
        on_change: Callable[[Any], Any],
        *,
        options: Sequence[tuple[str, str]] = (),
        on_typing: Callable[[str], Any] | None = None,
        on_slid: Callable[[str, str], Any] | None = None,
        **more: Any,
    ) -> None:
        super().__init__()
        self._props.update(kind=kind, label=label, value=value, options=_offered(options), **more)
        self.on("changed", only(bool if kind == "check" else str, on_change))
        if on_typing is not None:
            self.on("typing", only(str, on_typing))
        if on_slid is not None:
            self.on("slid", only(DRAGGED, lambda said: on_slid(said["value"], said["serial"])))

    def offer(self, options: Sequence[tuple[str, str]]) -> None:
        """Offer other options."""
        if self._props["options"] != _offered(options):
            self._props["options"] = _offered(options)

    def hint(self, placeholder: str) -> None:
        """Show another placeholder where nothing is set."""
        if self._props.get("placeholder") != placeholder:
            self._props["placeholder"] = placeholder
            self.update()

    def put(self, value: Any) -> None:
        """Show another value."""
        if self._props.get("value") != value:
            self._props["value"] = value
            self.update()


def _offered(options: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"value": key, "label": text} for key, text in options]


def tag(name: str, classes: str = "", text: str = "", **attributes: Any) -> ui.element:
    """Return an HTML element: its name, classes, text and attributes (``aria_label`` and the like)."""
    made = ui.element(name)
    if classes:
        made.classes(classes)
    if text:
        made._text = visible(text)
    made._props.update({key.replace("_", "-"): value for key, value in attributes.items()})
    return made


def button(text: str, on_click: Callable[[], Any], classes: str = "", **attributes: Any) -> ui.element:
    """Return a button."""
    made = tag("button", classes, text, type="button", **attributes)
    made.on("click", lambda _: on_click())
    return made
