"""The recipe: every setting of the fit that has a control, each with a sentence of help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descend.base.errors import OptionError
from descend.base.setting import Flag
from descend.formula.parser import is_equation
from descend.solvers.optimizers import OPTIMIZERS
from descend.solvers.recipe import NETWORKS
from descend.solvers.settings import LINEAR, OF_OPTIMIZERS, OF_PARAMETERS, SETTINGS, is_default
from descend.studio.parts.part import PagePart
from descend.studio.widgets import Field, tag

if TYPE_CHECKING:
    from collections.abc import Callable

    from descend.base.setting import Control, Setting
    from descend.solvers.optimizers import Optimizer
    from descend.studio.study import Study

OF_EQUATIONS = (*OF_PARAMETERS, "search")  # which say nothing of a formula
OF_FORMULAS = ("hypothesis",)  # and nothing of an equation
GIVEN = "given"  # values that no control can show


class RecipePart(PagePart):
    """The settings other than the learning rate."""

    def __init__(self, study: Study, follow: Callable[..., None]) -> None:
        super().__init__(study)
        self.follow = follow
        self.fields: dict[str, Field] = {}
        with tag("section", aria_labelledby="recipe-title"):
            tag("h2", text=self.say("recipe"), id="recipe-title")
            with tag("div", "settings"):
                for row in SETTINGS.values():
                    if row.control is not None:
                        self._add(row, row.control)
        tag("p", "help", self.say("help-none"), id="help", aria_hidden="true", data_none=self.say("help-none"))
        self.show()

    def _add(self, row: Setting, control: Control) -> None:
        more: dict[str, Any] = {"help": self.say(f"help-{row.name}")}
        if control.kind in ("text", "number"):
            more["placeholder"] = self.say(control.sentence) if control.sentence else control.placeholder
        if control.kind == "range":
            more |= {"min": 0, "max": control.most, "step": control.step}
        if control.live:
            more["on_slid"] = lambda text, serial: self._follow_slider(row, text, serial)
        label = self.say(f"setting-{row.name}")
        self.fields[row.name] = Field(control.kind, label, "", lambda value: self._put(row, value), **more)

    def _follow_slider(self, row: Setting, text: str, serial: str) -> None:
        """Follow a slider while it moves, where the run can follow."""
        try:
            value = self._control_value(row, text)
        except OptionError:
            return  # not a value of a slider
        if self.study.live:
            self.follow(serial, **{row.name: value})

    def _put(self, row: Setting, value: Any) -> None:
        try:
            value_given = self._control_value(row, value)
        except OptionError as error:
            self.study.refuse(error)
            self.show()
            return
        changes = {row.name: value_given}
        if row.name == "optimizer":
            changes |= self._with_optimizer(value_given)
        if row.name == "hypothesis":
            equation = value_given is None
            changes |= {"optimizer": "sgd" if equation else None, "lr": "auto" if equation else None}
            changes |= {"epochs": 100 if equation else None, "l2": None, "init": None}
            changes |= dict.fromkeys(OF_OPTIMIZERS)
        self.study.settled = False
        self.act(self.study.restate(**changes))

    def _with_optimizer(self, name: str | None) -> dict[str, Any]:
        """Return what changes with the optimizer: the settings that it does not have, and a first run's length."""
        settings = self.study.settings
        own = () if name is None else OPTIMIZERS[name].own()
        changes: dict[str, Any] = {setting: None for setting in OF_OPTIMIZERS if setting not in own}
        if name is None:
            changes |= dict.fromkeys(("lr", "epochs", "batch_size", "patience"))
        elif settings.get("epochs") is None:
            changes |= {"epochs": 100, "lr": "auto"}
        return changes

    def _optimizer(self, networked: bool) -> type[Optimizer] | None:
        """Return the optimizer that is chosen; None where there is none, or one that only PyTorch has."""
        name = self.study.settings.get("optimizer", NETWORKS if networked else None)
        return OPTIMIZERS.get(name) if isinstance(name, str) else None

    def _control_value(self, row: Setting, value: Any) -> Any:
        """Return a setting from the value of its control; None for its default; raises OptionError."""
        if isinstance(row.kind, Flag):
            return None if bool(value) == row.default else bool(value)
        text = str(value).strip()
        if not text:
            return None
        if text == GIVEN:  # the control cannot show the value, so it stays
            return self.study.settings.get(row.name)
        value_given: Any = text
        if row.kind.option in (int, float):
            try:
                value_given = float(text.replace(",", ""))
            except ValueError as error:
                raise OptionError("option.not-number", name=self.say(f"setting-{row.name}"), value=text) from error
            value_given = int(value_given) if row.kind.option is int and value_given.is_integer() else value_given
        return None if is_default(value_given, row.default) else value_given

    def show(self) -> None:
        """Show the current settings."""
        networked = bool(self.study.settings.get("hypothesis"))
        optimizer, equation = self._optimizer(networked), is_equation(self.study.formula)
        for name, field in self.fields.items():
            row, value = SETTINGS[name], self.study.settings.get(name)
            kind = field._props["kind"]
            if kind == "check":
                field.put(row.default if value is None else value)
            elif kind == "select":
                choices = (*row.kind.known, *([] if value is None or isinstance(value, str) else [GIVEN]))
                field.offer([(choice, self.say(f"{name}-{choice}")) for choice in choices])
                field.put(row.default if value is None else value if isinstance(value, str) else GIVEN)
            elif kind == "range":
                field.put(value or row.default)
            else:
                field.put("" if value is None else str(row.kind.written(value)))
            if name in OF_EQUATIONS:
                field.set_visibility(equation or value is not None)
            if name in OF_FORMULAS:
                field.set_visibility(not equation or value is not None)
            if name in OF_OPTIMIZERS:
                has = optimizer is not None and name in optimizer.own()
                if optimizer is not None and name in optimizer.folded:
                    has = has and value is not None
                if name == "nesterov":  # it has no effect without a momentum
                    has = has and bool(self.study.settings.get("momentum"))
                field.set_visibility(has)
                if optimizer is not None and has and kind == "number":
                    field.hint(f"{optimizer.usual(name):g}")
            off = networked and LINEAR in row.needs
            if field._props.get("disabled", False) != off:
                field._props["disabled"] = off
                field.update()
