"""The coefficients of a model as a table, with their standard errors where they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from descend.base.messages import Note, say
from descend.report.json import penalty_of
from descend.report.layout import grid_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from descend.analysis.profile import ProfileIntervals
    from descend.model.fitted import FittedModel


def tell_coefficients(model: FittedModel, lang: str) -> RenderableType:
    """Return every coefficient in the units of the table, and the settings that are not the defaults.

    Of a network its parameters by name, with their shapes.
    """
    grid = _values(model, lang) if model.hypothesis.readable else _shapes(model, lang)
    settings = ", ".join(f"{name}={value}" for name, value in model.settings.items())
    told = [f"{say('report.settings', lang)}: {settings or say('report.settings-none', lang)}"]
    penalty = penalty_of(model)
    told += [] if penalty is None else [penalty.tell(lang)]
    return Padding(Group("", grid, *(Text(line, style="dim") for line in told)), (0, 0, 0, 1))


def _values(model: FittedModel, lang: str) -> Table:
    """Return the parameters with their values, a column for each output."""
    outputs, digits = model.target.outputs, 6 if model.design.pixels.any() else 10
    named = model.design.hypothesis.written
    heads = outputs if len(outputs) > 1 and not named else [say("report.coefficient", lang)]
    grid = grid_of([], heads, first=say("report.parameter" if named else "report.column", lang))
    for parameter in model.hypothesis.parameters():
        grid.add_row(parameter.name, *(f"{value:.{digits}g}" for value in np.atleast_1d(parameter.values)))
    return grid


def _shapes(model: FittedModel, lang: str) -> Table:
    """Return the parameters with their shapes."""
    heads = [say("report.shape", lang), say("report.numbers", lang)]
    grid = grid_of([], heads, first=say("report.layer", lang))
    for parameter in model.hypothesis.parameters():
        shape = " x ".join(map(str, parameter.values.shape))
        grid.add_row(parameter.name, shape, f"{parameter.values.size:,}")
    return grid


def _figure(value: float, digits: str) -> str:
    """Return a figure as it is shown; "–" where there is none."""
    return "–" if np.isnan(value) else f"{value:.{digits}}"


def tell_inference(
    model: FittedModel, level: float, lang: str, profile: ProfileIntervals | None = None
) -> RenderableType:
    """Return each coefficient with its standard error, statistic, p-value and interval, or why there are none.

    profile: the profile intervals that take the place of those of t or z.
    """
    inference = model.inference
    if isinstance(inference, Note):
        return Padding(Text(say("inference.none", lang, reason=inference.tell(lang)), style="yellow"), (1, 0, 0, 1))
    coefficients, outputs = model.contrasts, model.target.outputs
    kind, facts = "t", {"freedom": inference.freedom, "reference": outputs[0]}
    if inference.freedom is None:
        kind = "contrast" if len(outputs) > 1 else "z"
    outputs = outputs[-coefficients.shape[1] :]
    title = say("inference.title", lang, kind=say(f"inference.title-{kind}", lang, **facts), level=level)
    statistic = "inference.statistic-t" if kind == "t" else "inference.statistic-z"
    heads = [say(code, lang) for code in ("report.coefficient", "inference.error", statistic)]
    heads += [say(f"inference.{key}", lang) for key in ("p", "low", "high")]
    several = len(outputs) > 1
    first = "report.parameter" if model.design.hypothesis.written else "report.column"
    grid = grid_of([say("report.target", lang)] if several else [], heads, first=say(first, lang))
    statistics, p_values = inference.statistics(coefficients), inference.p_values(coefficients)
    reach = inference.quantile(level) * inference.errors
    told = iter([] if profile is None else zip(profile.low.tolist(), profile.high.tolist(), strict=True))
    for index, output in enumerate(outputs):
        for row, one in enumerate(model.hypothesis.coefficient_names(index)):
            value, error = one.sign * coefficients[row, index], inference.errors[row, index]
            ends = next(told, (value - reach[row, index], value + reach[row, index]))
            figures = [(error, "6g"), (one.sign * statistics[row, index], "4g"), (p_values[row, index], "3g")]
            shown = [_figure(figure, digits) for figure, digits in (*figures, *((end, "6g") for end in ends))]
            label = [output if row == 0 else ""] if several else []
            grid.add_row(*label, one.parameter, f"{value:.8g}", *shown)
    lines: list[RenderableType] = ["", Text(title, style="dim"), grid]
    if kind == "t":
        spreads = ", ".join(say("inference.spread", lang, spread=value**0.5) for value in inference.variances)
        lines.append(Text(spreads, style="dim"))
    if profile is not None:
        code = "profile" if np.isfinite([profile.low, profile.high]).all() else "profile-endless"
        lines.append(Text(say(f"inference.{code}", lang), style="dim"))
        if profile.lower is not None:
            at = ", ".join(f"{name} = {value:.8g}" for name, value in zip(profile.names, profile.lower, strict=True))
            lines.append(Text(say("inference.profile-lower", lang, at=at), style="yellow"))
    return Padding(Group(*lines), (0, 0, 0, 1))
