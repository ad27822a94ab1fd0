"""The settings that go along when another formula or equation is stated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descend.base.errors import DescendError, FormulaError, OptionError
from descend.formula.notation import quoted
from descend.formula.parser import is_equation, parse
from descend.formula.roles import roles
from descend.solvers.parameter_settings import bounds_of, held_of, names_given, text_of_bounds, text_of_values
from descend.solvers.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from descend.formula.ast import Hypothesis
    from descend.studio.profile import Profile

USUAL: dict[str, Any] = {"optimizer": "sgd", "lr": "auto", "epochs": 100}


def understood(formula: str, settings: Mapping[str, Any], columns: Sequence[str]) -> Hypothesis:
    """Return what a formula or an equation says of columns, with the settings that tell its parameters.

    What these say of other parameters than its own does not matter here. Raises FormulaError.
    """
    try:
        recipe = Recipe(**settings)
    except DescendError:
        recipe = Recipe()
    parsed = parse(formula)
    own = parsed.parameters_among(columns)
    declared = [name for name in recipe.declared if name in own]
    return parsed.resolve(columns, declared=declared, held=(*recipe.limits, *recipe.held))


def curved(formula: str, settings: Mapping[str, Any], columns: Sequence[str]) -> bool:
    """Tell whether a text is an equation that is not linear in its parameters."""
    try:
        return understood(formula, settings, columns).curve is not None
    except FormulaError:
        return False


def carried_over(settings: Mapping[str, Any], before: str, formula: str, columns: Sequence[str]) -> dict[str, Any]:
    """Return the settings with which another formula is stated: those of parameters that it has not are left out.

    An equation that is not linear is fitted to the optimum and any other hypothesis by SGD, as long as the person has
    not chosen anything else.
    """
    made = dict(settings)
    parameters: set[str] = set()
    if is_equation(formula):
        try:
            parameters = set(parse(formula).parameters_among(columns))
        except FormulaError:
            return made  # it is still being written
    made = _of_parameters(made, parameters)
    chosen = {name: made[name] for name in USUAL if name in made}
    if curved(formula, made, columns):
        if chosen == USUAL:
            made = {name: value for name, value in made.items() if name not in USUAL}
    elif not chosen and curved(before, settings, columns):
        made |= USUAL
    return made


def example_equation(formula: str, profile: Profile) -> str:
    """Return an equation with parameters of its own for the target and the first input of a formula.

    "" where these are no numbers, where the equation could not be read with these columns, and of an equation.
    """
    columns = [column.name for column in profile.columns]
    numbers = {column.name for column in profile.columns if column.varies}
    found = {} if is_equation(formula) else roles(formula, columns)
    targets, inputs = ([name for name, role in found.items() if role == wanted] for wanted in ("target", "input"))
    inputs = [name for name in inputs if name in numbers]
    if len(targets) != 1 or targets[0] not in numbers or not inputs:
        return ""
    for a, b, c in (("a", "b", "c"), ("p", "q", "r"), ("p1", "p2", "p3")):
        text = f"{quoted(targets[0])} = {a} * exp(-{b} * {quoted(inputs[0])}) + {c}"
        try:
            if parse(text).resolve(columns).parameters == [a, b, c]:
                return text
        except FormulaError:
            continue
    return ""


def _of_parameters(settings: dict[str, Any], parameters: set[str]) -> dict[str, Any]:
    """Return the settings without what they say of other parameters than these."""
    made = dict(settings)
    init = made.get("init", "")
    if not isinstance(init, str) and not (hasattr(init, "items") and init and set(init) <= parameters):
        made.pop("init")
    try:
        limits, held, named = (
            bounds_of(made.get("bounds")),
            held_of(made.get("fixed")),
            names_given(made.get("parameters")),
        )
    except OptionError:
        return made  # it is refused where it is used
    texts = {
        "bounds": text_of_bounds({name: ends for name, ends in limits.items() if name in parameters}),
        "fixed": text_of_values({name: value for name, value in held.items() if name in parameters}),
        "parameters": ", ".join(name for name in named if name in parameters),
    }
    for name, text in texts.items():
        made.pop(name, None)
        if text:
            made[name] = text
    return made
