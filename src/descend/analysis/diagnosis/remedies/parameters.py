"""Remedies that hold or free a parameter of an equation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.base.messages import Note
from descend.solvers.parameter_settings import text_of_bounds, text_of_values

if TYPE_CHECKING:
    from descend.analysis.diagnosis.change import Change
    from descend.analysis.diagnosis.remedies.case import Case


def hold_parameter(case: Case) -> list[Change]:
    """Hold the parameter that the finding names at a value near its own, without bounds on it."""
    name, value = case.values["first"], float(f"{case.values['value']:.3g}")
    held = {**case.recipe.held, name: value}
    limits = {other: ends for other, ends in case.recipe.limits.items() if other != name}
    settings: dict[str, str | None] = {"fixed": text_of_values(held)}
    if len(limits) < len(case.recipe.limits):
        settings["bounds"] = text_of_bounds(limits) or None
    return [case.setting(Note("remedy.hold", {"parameter": name, "value": value}), **settings)]


def free_parameter(case: Case) -> list[Change]:
    """Take the bounds off the parameter that the finding names."""
    name = case.values["first"]
    limits = {other: ends for other, ends in case.recipe.limits.items() if other != name}
    return [case.setting(Note("remedy.free", {"parameter": name}), bounds=text_of_bounds(limits) or None)]
