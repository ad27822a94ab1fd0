"""Optimizers and schedules made from the settings of a fit, each setting checked by its row."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from descend.base.errors import OptionError
from descend.solvers.optimizers import OPTIMIZERS, Optimizer
from descend.solvers.schedules import SCHEDULES, Schedule
from descend.solvers.settings import SETTINGS, is_default

if TYPE_CHECKING:
    from collections.abc import Mapping

Made = TypeVar("Made", bound="Optimizer | Schedule")


def make_optimizer(name: str, lr: float, **settings: Any) -> Optimizer:
    """Return an optimizer by name; settings that are the recipe's defaults are the optimizer's own.

    Raises OptionError for an unknown name, for a setting that the optimizer does not have, and for one that makes no
    sense.
    """
    kind = OPTIMIZERS.require(name, "auto")
    return in_range(kind(lr, **_given(kind, name, settings)))


def make_schedule(name: str, epochs: int, warmup: int = 0, **settings: Any) -> Schedule:
    """Return a schedule by name over so many epochs; raises OptionError as ``make_optimizer`` does."""
    kind = SCHEDULES.require(name)
    return in_range(kind(epochs, warmup, **_given(kind, name, settings)))


def in_range(made: Made) -> Made:
    """Return an optimizer or a schedule; raises OptionError for a setting that makes no sense."""
    for field in fields(made):
        SETTINGS[field.name].kind.check(field.name, getattr(made, field.name))
    if isinstance(made, Optimizer) and made.conflict is not None:
        raise OptionError(made.conflict)
    return made


def _given(kind: type[Optimizer | Schedule], name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are not the recipe's defaults; raises OptionError for one that ``kind`` has not."""
    given = {key: value for key, value in settings.items() if not is_default(value, SETTINGS[key].default)}
    for key in given:
        if key not in kind.own():
            row = SETTINGS[key]
            raise OptionError(row.lacking or "option.no-effect", optimizer=name, name=key, needs=row.needs[-1].told())
    return given
