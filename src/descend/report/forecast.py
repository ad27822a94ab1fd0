"""A forecast in words: one line before a fit, all of it for ``descend forecast``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from descend.base.messages import say
from descend.report.layout import grid_of, labelled

if TYPE_CHECKING:
    from rich.console import RenderableType

    from descend.analysis.forecast import Bound, Forecast, Outlook

COLOURS = {"converges": "green", "oscillates": "yellow", "stalls": "red", "diverges": "red"}
KINDS = {"sgd": "plain", "momentum": "heavy", "nesterov": "nesterov"}


def forecast_line(forecast: Forecast, lang: str) -> Text:
    """Return the forecast in one sentence: of the run with its rate, without a rate of the best one."""
    outlook, bound = forecast.outlook, forecast.bound
    if outlook is not None:
        if not forecast.asked:
            plain = forecast.rates[0]
            facts = {"stable": plain.stable, "best": plain.best, "epochs": _epochs(plain.epochs, lang)}
            return Text(say("forecast.best-of-loss", lang, **facts))
        style = "" if outlook.verdict in ("converges", "oscillates") else "bold red"
        return Text(outlook_sentence(forecast, outlook, lang), style=style)
    if bound is not None:
        return Text(bound_sentence(bound, lang), style="bold red" if bound.prospect == "stalls" else "")
    return Text(_reason(forecast, lang), style="bold red" if forecast.risky else "")


def outlook_sentence(forecast: Forecast, outlook: Outlook, lang: str) -> str:
    """Return the forecast of one rate on squared error, and of the best rate where that is far better."""
    values: dict[str, Any] = {
        "lr": outlook.lr,
        "epochs": outlook.epochs,
        "left": outlook.left,
        "columns": ", ".join(outlook.columns),
        "stable": _stable(forecast, outlook),
        "single": _number(outlook.overflow["float32"], lang),
        "double": _number(outlook.overflow["float64"], lang),
        "two": _epochs(outlook.reach[1e-2], lang),
        "four": _epochs(outlook.reach[1e-4], lang),
        "six": _epochs(outlook.reach[1e-6], lang),
    }
    plain, reached = forecast.rates[0], outlook.reach[1e-6]
    at_best = not outlook.momentum and abs(outlook.lr / plain.best - 1) < 1e-6
    if outlook.verdict == "stalls" and at_best:
        return say("forecast.slow-at-best", lang, **values)
    kind: str = "converges-at-once" if reached == outlook.reach[1e-2] == 1 else outlook.verdict
    if outlook.verdict == "diverges" and not any(outlook.overflow.values()):
        kind = "never-arrives"
    told = say(f"forecast.{kind}", lang, **values)
    if outlook.verdict == "diverges" or outlook.momentum or plain.epochs is None:
        return told
    if reached is not None and reached <= 2 * plain.epochs:
        return told
    return say("forecast.best", lang, first=told, best=plain.best, epochs=_epochs(plain.epochs, lang))


def bound_sentence(bound: Bound, lang: str) -> str:
    """Return the bounds for a loss that is not quadratic."""
    values = {name: getattr(bound, name) for name in ("sure", "local", "lr", "epochs", "fall", "loss")}
    if bound.prospect is None:
        return say("forecast.sure" if bound.local is None else "forecast.sure-local", lang, **values)
    if bound.prospect == "descends" and bound.fall is not None and bound.fall < bound.loss:
        return say("forecast.descends-slowly", lang, **values)
    return say(f"forecast.{'too-small' if bound.prospect == 'stalls' else bound.prospect}", lang, **values)


def tell_forecast(forecast: Forecast, lang: str, name: str, shape: tuple[int, int], formula: str) -> RenderableType:
    """Return the whole forecast; ``shape`` is the table's rows and columns."""
    told = say("report.rows-columns", lang, name=name, rows=shape[0], columns=shape[1])
    lines: list[tuple[str, RenderableType]] = [
        (say("report.table", lang), told),
        (say("report.hypothesis", lang), Text(formula, style="bold")),
    ]
    if forecast.curvatures.size:
        lines.append((say("forecast.curvature", lang), _curvature(forecast, lang)))
    if forecast.rates:
        lines.append((say("forecast.rates", lang), _rates(forecast, lang)))
    outlook, bound = forecast.outlook, forecast.bound
    rest: list[RenderableType] = []
    if outlook is not None:
        rest.append(Text(outlook_sentence(forecast, outlook, lang), style=f"bold {COLOURS[outlook.verdict]}"))
        if outlook.verdict != "diverges":
            slow = say("forecast.slow", lang, columns=", ".join(outlook.columns), factor=outlook.factor)
            rest += [Text(slow, style="dim")] if outlook.columns else []
    elif bound is not None:
        rest.append(Text(bound_sentence(bound, lang)))
    if forecast.reason is not None:
        rest.append(Text(_reason(forecast, lang)))
    lines.append((say("forecast.outlook", lang), Group(*rest)))
    return labelled(lines)


def _curvature(forecast: Forecast, lang: str) -> RenderableType:
    counting = forecast.curvatures[forecast.curvatures > 0]
    if not counting.size:
        return Text(say("forecast.flat", lang, count=forecast.curvatures.size))
    facts = {
        "count": forecast.curvatures.size,
        "least": float(counting[0]),
        "most": float(counting[-1]),
        "condition": forecast.condition,
    }
    lines = [Text(say("forecast.condition", lang, **facts))]
    raw = forecast.raw_condition
    if raw is not None and abs(raw / forecast.condition - 1) > 1e-3:
        lines.append(Text(say("forecast.condition-raw", lang, raw=raw), style="dim"))
    if counting.size < forecast.curvatures.size:
        lines.append(Text(say("forecast.flat", lang, count=forecast.curvatures.size - counting.size), style="yellow"))
    return Group(*lines)


def _rates(forecast: Forecast, lang: str) -> RenderableType:
    heads = [say(f"forecast.{head}", lang) for head in ("stable", "best-rate", "momentum", "epochs-six")]
    grid = grid_of([], heads)
    for rates in forecast.rates:
        momentum = f"{rates.momentum:.4g}" if rates.kind != "sgd" else "–"
        cells = [f"{rates.stable:.4g}", f"{rates.best:.4g}", momentum, _number(rates.epochs, lang)]
        grid.add_row(say(f"forecast.{KINDS[rates.kind]}", lang), *cells)
    return grid


def _reason(forecast: Forecast, lang: str) -> str:
    code = forecast.reason or "forecast.no-bound"
    if forecast.batch_sure is not None and code == "forecast.batches":
        facts: dict[str, Any] = {"sure": forecast.batch_sure, "batch": forecast.batch_size}
        if not forecast.rates:
            return say("forecast.batches-bound", lang, **facts)
        return say("forecast.batches-sure", lang, stable=forecast.rates[0].stable, **facts)
    if forecast.local is None:
        return say(code, lang)
    return say(code, lang, local=forecast.local, lasting=forecast.lasting, lr=forecast.rate)


def _stable(forecast: Forecast, outlook: Outlook) -> float:
    from descend.solvers.rates import largest_stable_rate

    return largest_stable_rate(float(forecast.curvatures[-1]), outlook.momentum, outlook.nesterov)


def _number(epochs: int | None, lang: str) -> str:
    return say("forecast.never", lang) if epochs is None else f"{epochs:,}"


def _epochs(epochs: int | None, lang: str) -> str:
    if epochs == 1:
        return say("forecast.one-epoch", lang)
    return _number(None, lang) if epochs is None else say("forecast.many-epochs", lang, count=f"{epochs:,}")
