"""The settings of a fit, each declared once: a field with its default, kind, range, option and control.

``Settings`` is the table. The recipe checks by it; the command line, the page, the estimators and what the page hands
out read it. It imports nothing heavy, for every start of the command line reads it.
"""

# ruff: noqa: RUF009 (a row is a dataclass's field)

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from math import inf
from sys import float_info
from typing import Any

from descend.base.errors import OptionError
from descend.base.setting import Amount, Control, Count, Flag, Kind, Need, RealNumber, Setting, Text, Whole
from descend.solvers.parameter_settings import STARTS, ParameterBounds, ParameterNames, ParameterValues, Start

DTYPES = ("auto", "float64", "float32")
DEVICES = ("auto", "cpu", "cuda", "mps")
KEPT_ROWS = 2000  # of the table, for a model's pictures
EQUATION = "linear"  # the hypothesis that is no network


def _losses() -> tuple[str, ...]:
    from descend.objectives.losses import LOSSES

    return tuple(LOSSES)


def _bent() -> list[str]:
    from descend.objectives.losses import losses_with

    return list(losses_with("delta"))


def _optimizers() -> tuple[str, ...]:
    from descend.solvers.optimizers import OPTIMIZERS

    return tuple(OPTIMIZERS)


def _schedules() -> tuple[str, ...]:
    from descend.solvers.schedules import SCHEDULES

    return tuple(SCHEDULES)


def _policies() -> tuple[str, ...]:
    from descend.tables.columns import POLICIES

    return POLICIES


class _Hypothesis(Kind):
    """An equation, or a network by name, as a module or a class of modules."""

    def check(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Refuse a network that there is not."""
        if isinstance(value, str) and value != EQUATION:
            from descend.objectives.networks.architecture import parse_architecture

            parse_architecture(value)


NETWORK = Need(lambda: "hypothesis mlp, cnn", lambda recipe: recipe.networked)
LINEAR = Need(lambda: "hypothesis linear", lambda recipe: not recipe.networked)
BATCHES = Need(lambda: "batch_size", lambda recipe: recipe.batch is not None)
BENT = Need(lambda: f"loss {', '.join(_bent())}", lambda recipe: recipe.loss in _bent())
STOPS = Need(lambda: "patience", lambda recipe: recipe.patience is not None)
BY_NAME = Need(lambda: "optimizer adam, sgd, ...", lambda recipe: isinstance(recipe.optimizer, str))


def _of_optimizers(name: str) -> tuple[Need, ...]:
    """Return what a setting of optimizers needs: an optimizer that is given by name and has it."""

    def told() -> str:
        from descend.solvers.optimizers import optimizers_with

        return f"optimizer {', '.join(optimizers_with(name))}"

    return BY_NAME, Need(told, lambda recipe: recipe.optimizer_has(name))


def _of_schedules(name: str) -> tuple[Need, ...]:
    """Return what a setting of schedules needs: a schedule that has it."""

    def names() -> list[str]:
        from descend.solvers.schedules import schedules_with

        return schedules_with(name)

    return (Need(lambda: f"schedule {', '.join(names())}", lambda recipe: recipe.schedule in names()),)


EVERY = ("fit", "compare", "forecast")
FORETOLD = ("fit", "forecast")
TABLES = (*EVERY, "predict", "evaluate")
NOT_NEGATIVE = RealNumber(0, float_info.max)
RATE = RealNumber(
    0, inf, open_low=True, open_high=True, optional=True, words=("auto",), code="option.lr", unread="option.lr"
)
MOMENTUM = RealNumber(0, 1, open_high=True, code="option.momentum")
SHARE = RealNumber(0, 1, open_high=True, optional=True, code="option.below-one")
DECAY = RealNumber(0, float_info.max, optional=True)
EPSILON = RealNumber(0, float_info.max, open_low=True, optional=True, code="option.positive")
EPOCHS = "option.schedule-epochs"


def _row(default: Any, kind: Kind, panel: str = "fitting", commands: tuple[str, ...] = ("fit",), **more: Any) -> Any:
    """Return the field of a setting; what ``Setting`` has besides its name and default is in its metadata."""
    row = {"kind": kind, "panel": panel, "commands": commands, **more}
    return dataclasses.field(default=default, metadata={"row": row})


def _own(name: str, default: Any, kind: Kind, control: Control | None = None, **more: Any) -> Any:
    """Return the field of a setting that only some optimizers have; None stands for the optimizer's own default."""
    control = Control("number") if control is None else control
    needs = _of_optimizers(name)
    return _row(default, kind, commands=EVERY, needs=needs, control=control, owner="optimizer", stepwise=True, **more)


def _of_parameters(kind: Kind, example: str, **more: Any) -> Any:
    """Return the field of a setting that only equations have: it is said of their parameters, by name."""
    control = Control("text", example)
    return _row(None, kind, "hypothesis", EVERY, needs=(LINEAR,), control=control, owner="equation", **more)


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Settings:
    """The settings and their defaults, in the order of the command line and the page; ``Recipe`` tells what they mean.

    The hypothesis is also taken from --module; ``workers`` are of torch Datasets, which a command line cannot name.
    """

    hypothesis: Any = _row(EQUATION, _Hypothesis(), "hypothesis", control=Control("text", "mlp(32, 16)"))
    family: str = _row("auto", Text(), "hypothesis", EVERY)
    loss: Any = _row("auto", Text(_losses, "option.loss", first=("auto",), objects=True), "hypothesis", EVERY)
    delta: float = _row(1.0, RealNumber(), "hypothesis", EVERY, needs=(BENT,))
    optimizer: Any = _row(
        "auto",
        Text(_optimizers, first=("auto",), objects=True),
        commands=EVERY,
        control=Control("select"),
        stepwise=True,
    )
    lr: float | str | None = _row(None, RATE, commands=EVERY, needs=(BY_NAME,), stepwise=True)
    momentum: float = _own(
        "momentum", 0.0, MOMENTUM, Control("range", step=0.01, most=0.99, live=True), lacking="option.no-momentum"
    )
    nesterov: bool = _own("nesterov", False, Flag(), Control("check"), lacking="option.nesterov")
    alpha: float | None = _own("alpha", None, SHARE)
    beta1: float | None = _own("beta1", None, SHARE)
    beta2: float | None = _own("beta2", None, SHARE)
    eps: float | None = _own("eps", None, EPSILON)
    lr_decay: float | None = _own("lr_decay", None, DECAY)
    weight_decay: float | None = _own("weight_decay", None, DECAY)
    epochs: int | None = _row(None, Count(), commands=EVERY, control=Control("number", "100"), stepwise=True)
    tolerance: float = _row(0.0, NOT_NEGATIVE, needs=(LINEAR,), stepwise=True)
    batch_size: int | None = _row(
        None, Count(), commands=FORETOLD, control=Control("number", sentence="all-rows"), stepwise=True
    )
    drop_last: bool = _row(False, Flag(), needs=(BATCHES,), stepwise=True)
    batch_history: bool = _row(False, Flag(), "output", needs=(BATCHES,), word="log_batches", stepwise=True)
    schedule: str = _row("constant", Text(_schedules), commands=FORETOLD, stepwise=True)
    gamma: float = _row(
        0.1,
        RealNumber(0, 1, open_low=True, code="option.gamma"),
        needs=_of_schedules("gamma"),
        owner="schedule",
        stepwise=True,
    )
    step_size: int = _row(
        100, Amount(1, inf, EPOCHS), needs=_of_schedules("step_size"), owner="schedule", stepwise=True
    )
    warmup: int = _row(0, Amount(0, inf, EPOCHS), stepwise=True)
    l2: float = _row(0.0, NOT_NEGATIVE, "hypothesis", EVERY, needs=(LINEAR,), control=Control("number", "0"))
    standardize: bool = _row(True, Flag(), commands=EVERY, control=Control("check"))
    ddof: int = _row(0, Amount(0, 1, "option.ddof", whole=True), commands=FORETOLD)
    init: Any = _row(
        "zeros", Start(lambda: STARTS, "option.init"), commands=FORETOLD, needs=(LINEAR,), control=Control("select")
    )
    bounds: Any = _of_parameters(ParameterBounds(), "b=0:5")
    fixed: Any = _of_parameters(ParameterValues(), "a=1", word="fix")
    parameters: Any = _of_parameters(ParameterNames(), "a, b")
    seed: int = _row(0, Whole(), commands=EVERY)
    missing: str = _row("error", Text(_policies, "option.missing"), "table", TABLES, control=Control("select"))
    test: str | float = _row("auto", Text(others=("float",)), "testing", ("fit", "compare"))
    validation: float = _row(
        0.2, RealNumber(0, 1, open_low=True, open_high=True, code="option.share"), needs=(STOPS,), stepwise=True
    )
    patience: int | None = _row(None, Count(), control=Control("number", sentence="never"), stepwise=True)
    dtype: str = _row("auto", Text(lambda: DTYPES, "option.dtype"))
    clip: float | None = _row(None, RealNumber(0, float_info.max, optional=True, zero="option.clip"), needs=(NETWORK,))
    device: str = _row("auto", Text(lambda: DEVICES, "option.device"), needs=(NETWORK,))
    mixed_precision: bool = _row(False, Flag(), needs=(NETWORK,))
    workers: int = _row(0, Whole(), "", needs=(NETWORK,))
    keep_rows: int = _row(KEPT_ROWS, Whole(), "output", control=Control("number", f"{KEPT_ROWS:,}"))
    search: float = _row(2.0, RealNumber(0, float_info.max), needs=(LINEAR,), control=Control("number", "2"))
    minutes: float = _row(
        1.0, RealNumber(0, open_low=True, code="option.positive"), commands=EVERY, control=Control("number", "1")
    )


SETTINGS: dict[str, Setting] = {
    field.name: Setting(field.name, default=field.default, **field.metadata["row"])
    for field in dataclasses.fields(Settings)
}
OF_OPTIMIZERS = tuple(name for name, row in SETTINGS.items() if row.owner == "optimizer")
OF_SCHEDULES = tuple(name for name, row in SETTINGS.items() if row.owner == "schedule")
OF_PARAMETERS = tuple(name for name, row in SETTINGS.items() if row.owner == "equation")
OF_A_RUN = tuple(name for name, row in SETTINGS.items() if row.stepwise)


def settings_of(command: str) -> list[Setting]:
    """Return the settings that a command has options for."""
    return [setting for setting in SETTINGS.values() if command in setting.commands and setting.panel]


def check_settings(recipe: Any) -> None:
    """Check every setting of a recipe by its row, all types first; raises OptionError."""
    for name, setting in SETTINGS.items():
        setting.kind.require(name, getattr(recipe, name), objects=recipe.networked)
    for name, setting in SETTINGS.items():
        setting.kind.check(name, getattr(recipe, name), objects=recipe.networked)


def check_needs(recipe: Any) -> None:
    """Refuse a setting that would do nothing without another; raises OptionError (``option.no-effect``)."""
    for name, setting in SETTINGS.items():
        if is_default(getattr(recipe, name), setting.default):
            continue
        for need in setting.needs:
            if not need.met(recipe):
                raise OptionError("option.no-effect", name=name, needs=need.told())


def is_default(value: Any, default: Any) -> bool:
    """Tell whether a setting is as it was; arrays and objects of the user's are not."""
    return value is default or (isinstance(value, str | int | float) and bool(value == default))
