"""The recipe: every setting of the fit, each with a sentence of help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descend.base.errors import OptionError
from descend.solvers.recipe import KEPT_ROWS
from descend.studio.parts.part import PagePart
from descend.studio.widgets import Field, tag

if TYPE_CHECKING:
    from collections.abc import Callable

    from descend.studio.study import Study

OPTIMIZERS = ("auto", "sgd", "rmsprop", "adagrad", "adam")
WHOLE = ("epochs", "batch_size", "patience", "keep_rows")
NUMBERS = {**dict.fromkeys(WHOLE, int), **dict.fromkeys(("minutes", "l2", "momentum"), float)}


class RecipePart(PagePart):
    """The settings beside the learning rate."""

    def __init__(self, study: Study, follow: Callable[..., None]) -> None:
        super().__init__(study)
        self.follow = follow
        self.fields: dict[str, Field] = {}
        with tag("section", aria_labelledby="recipe-title"):
            tag("h2", text=self.say("recipe"), id="recipe-title")
            with tag("div", "settings"):
                optimizers = [(name, self.say(f"optimizer-{name}")) for name in OPTIMIZERS]
                self._add("optimizer", "select", options=optimizers)
                self._add("epochs", "number", placeholder="100")
                self._add("momentum", "range", min=0, max=0.99, step=0.01, on_slid=self._slid)
                self._add("l2", "number", placeholder="0")
                self._add("batch_size", "number", placeholder=self.say("all-rows"))
                self._add("patience", "number", placeholder=self.say("never"))
                self._add("init", "select")
                self._add(
                    "missing",
                    "select",
                    options=[(name, self.say(f"missing-{name}")) for name in ("error", "drop", "mean")],
                )
                self._add("hypothesis", "text", placeholder="mlp(32, 16)")
                self._add("keep_rows", "number", placeholder=f"{KEPT_ROWS:,}")
                self._add("minutes", "number", placeholder="1")
                self._add("standardize", "check")
        tag("p", "help", self.say("help-none"), id="help", aria_hidden="true", data_none=self.say("help-none"))
        self.show()

    def _add(self, name: str, kind: str, **more: Any) -> None:
        label, help = self.say(f"setting-{name}"), self.say(f"help-{name}")
        self.fields[name] = Field(kind, label, "", lambda value: self._put(name, value), help=help, **more)

    def _slid(self, text: str, serial: str) -> None:
        """Follow the momentum while its slider moves, where that can be."""
        try:
            momentum = self._setting("momentum", text)
        except OptionError:
            return  # no slider says that
        if self.study.live:
            self.follow(serial, momentum=momentum)

    def _put(self, name: str, value: Any) -> None:
        try:
            setting = self._setting(name, value)
        except OptionError as error:
            self.study.refuse(error)
            self.show()
            return
        changes = {name: setting}
        if name == "optimizer" and value == "auto":
            changes |= dict.fromkeys(("lr", "epochs", "momentum", "batch_size", "patience"))
        elif name == "optimizer" and self.study.settings.get("epochs") is None:
            changes |= {"epochs": 100, "lr": "auto"}
        if name == "hypothesis":
            equation = setting is None
            changes |= {"optimizer": "sgd" if equation else None, "lr": "auto" if equation else None}
            changes |= {"epochs": 100 if equation else None, "momentum": None, "l2": None, "init": None}
        self.study.settled = False
        self.act(self.study.restate(**changes))

    def _setting(self, name: str, value: Any) -> Any:
        """Return a setting from what a control holds; None for its default; raises OptionError."""
        if name == "standardize":
            return None if value else False
        text = str(value).strip()
        if name in NUMBERS:
            if not text:
                return None
            try:
                number = float(text.replace(",", ""))
            except ValueError as error:
                raise OptionError("option.not-number", name=self.say(f"setting-{name}"), value=text) from error
            return int(number) if NUMBERS[name] is int and number.is_integer() else (number or None)
        if text == "given":  # there is nothing to give here: it stays as it is
            return self.study.settings.get("init")
        usual = {"init": "zeros", "missing": "error", "hypothesis": ""}
        return None if text == usual.get(name) else text

    def show(self) -> None:
        """Show the settings as they are."""
        settings = self.study.settings
        networked = bool(settings.get("hypothesis"))
        for name, field in self.fields.items():
            value = settings.get(name)
            if name == "standardize":
                field.put(value is not False)
            elif name == "momentum":
                field.put(value or 0)
            elif name == "optimizer":
                field.put("auto" if value is None else value)
            elif name == "init":
                known = ("zeros", "normal") if value is None or isinstance(value, str) else ("zeros", "normal", "given")
                field.offer([(start, self.say(f"init-{start}")) for start in known])
                field.put("zeros" if value is None else known[-1] if len(known) > 2 else value)
            elif name == "missing":
                field.put(value or "error")
            else:
                field.put("" if value is None else str(value))
            off = networked and name in ("l2", "init")
            if field._props.get("disabled", False) != off:
                field._props["disabled"] = off
                field.update()
