"""The data of the three pictures, as plain numbers: the parts drawn once, and the parts that change by epoch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.messages import say
from descend.studio.short_numbers import exact, points, significant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.report.plane import Plane
    from descend.studio.data_chart import DataPicture
    from descend.studio.view import LossCurve, View

WAYPOINTS = 160
FAR = 1e10  # windows: the distance beyond which the digits of a point no longer say where it left
BEGINNING = 40  # the first epochs, each of which is drawn: the steps are longest there
SPAN = 1e16  # smaller losses, relative to the largest, are rounding errors
TOP = 1e9
LEAST, MOST = 1e-280, 1e300  # losses outside these bounds are drawn at the bounds
WIDE = 24


def loss_picture(view: View, others: list[tuple[str, LossCurve]], lang: str) -> dict[str, Any]:
    """Return the losses by epoch: of the fitted rows, of the unseen rows, the forecast, and those of other runs."""
    forecast = None if others else view.forecast
    curves = [view.curve, *(curve for _, curve in others), *([] if forecast is None else [forecast[1]])]
    span, logarithmic = _span([values for curve in curves for values in (curve.fitted, curve.unseen)])
    made: dict[str, Any] = {
        "log": logarithmic,
        "yr": span,
        "end": max(*(int(curve.epoch[-1]) for curve in curves), 1),
        "fitted": _pairs(view.curve.epoch, view.curve.fitted, span),
        "unseen": _pairs(view.curve.epoch, view.curve.unseen, span) if view.curve.unseen.size else None,
        "others": [{"name": name, "line": _pairs(curve.epoch, curve.fitted, span)} for name, curve in others],
        "forecast": None,
        "label": _loss_label(view, lang),
    }
    if forecast is not None:
        name = say("studio.at-the-best-rate", lang)
        made["forecast"] = {"name": name, "line": _pairs(forecast[1].epoch, forecast[1].fitted, span)}
    return made


def growing_picture(points: list[list[float]], end: int | None, name: str) -> dict[str, Any]:
    """Return the losses so far of a fit that is still running."""
    epoch, loss = np.array(points).T
    span, logarithmic = _span([loss])
    line = _pairs(epoch.astype(np.int64), loss, span)
    made = {"log": logarithmic, "yr": span, "end": end or int(epoch[-1]) or 1, "fitted": line, "label": name}
    return {**made, "unseen": None, "others": [], "forecast": None}


def path_picture(view: View, plane: Plane) -> dict[str, Any]:
    """Return the path of the parameters on the plane of the loss, and the epoch of each of its points."""
    first = min(len(view.path), BEGINNING)
    rest = np.linspace(first - 1, len(view.path) - 1, min(len(view.path) - first, WAYPOINTS - first) + 1)
    waypoints = np.unique(np.concatenate([np.arange(first), rest.astype(np.int64)]))
    walked = plane.project(view.path[waypoints])
    if not view.diverged:
        return {"line": points(*walked.T), "epochs": view.path_epoch[waypoints].tolist()}
    wide = max(high - low for low, high in plane.window)
    walked[(np.abs(walked) > FAR * wide).any(axis=1)] = np.nan
    return {"line": exact(*walked.T), "epochs": view.path_epoch[waypoints].tolist()}


def moment(view: View, picture: DataPicture, plane: Plane | None, epoch: int) -> dict[str, Any]:
    """Return the data of all three pictures, and the equation, at one epoch."""
    epoch = view.nearest(epoch)
    fitted, unseen = view.losses(epoch)
    made: dict[str, Any] = {"epoch": epoch, "loss": significant(fitted)}
    if unseen is not None:
        made["unseen"] = significant(unseen)
    return made | _placed(view, picture, plane, view.weights(epoch))


def moment_by_hand(
    view: View, picture: DataPicture, plane: Plane | None, weights: Floats, loss: float
) -> dict[str, Any]:
    """Return the data of all three pictures for parameters that are of no epoch, with their loss."""
    return {"epoch": None, "loss": significant(loss), **_placed(view, picture, plane, weights)}


def _placed(view: View, picture: DataPicture, plane: Plane | None, weights: Floats) -> dict[str, Any]:
    """Return what the hypothesis says with some parameters, and where they lie on the plane."""
    with np.errstate(all="ignore"):
        made: dict[str, Any] = {"data": picture.moving(view, weights)}
    if plane is not None:
        made["place"] = exact(*plane.project(weights.reshape(1, -1)).T)[0]
    return made


def equation_at(view: View, epoch: int, lang: str) -> list[str]:
    """Return the equation after an epoch, a line per output; for a network or many columns a short description."""
    return equation_of(view, view.weights(view.nearest(epoch)), lang)


def equation_of(view: View, weights: Floats, lang: str) -> list[str]:
    """Return the equation with some parameters, as ``equation_at``."""
    if "coefficients" in view.hypothesis.refusals:
        return [say("studio.equation-network", lang)]
    if max(len(view.design.names), len(view.target.outputs)) > WIDE:
        return [say("studio.equation-wide", lang, columns=weights.size)]
    if not np.isfinite(weights).all():
        return [say("studio.equation-gone", lang)]
    with np.errstate(all="ignore"):
        hypothesis = view.hypothesis.at(weights)
    if not hypothesis.finite:
        return [say("studio.equation-gone", lang)]
    return hypothesis.equation(view.target).split("\n")


def _span(losses: list[Floats]) -> tuple[list[float], bool]:
    """Return the ends of the loss axis, rounded so that they seldom change, and whether the axis is logarithmic.

    Losses above TOP times the first loss are cut off at the top.
    """
    first = next((float(values[0]) for values in losses if values.size and np.isfinite(values[0])), 1.0)
    known = np.concatenate([values[np.isfinite(values) & (values > 0)] for values in losses])
    if not known.size:
        return [0.0, 1.0], False
    known = np.clip(known, LEAST, MOST)
    high = min(float(known.max()), TOP * max(first, LEAST) if first > 0 else np.inf)
    low = max(min(float(known.min()), high), high / SPAN)
    if high > 10 * low:
        return [10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high))], True
    step = 10.0 ** math.floor(math.log10(high)) / 2
    foot = step * math.floor(low * 0.98 / step) if low > high / 2 else 0.0
    return [foot, step * math.ceil(high * 1.02 / step)], False


def _pairs(epoch: NDArray[np.int64], values: Floats, span: list[float]) -> list[list[float | None]]:
    """Return (epoch, loss) pairs of seven digits; a loss below the axis is drawn at its lower end."""
    values = np.maximum(values, span[0])
    return [[at, significant(value)] for at, value in zip(epoch.tolist(), values.tolist(), strict=True)]


def _loss_label(view: View, lang: str) -> str:
    """Return a description of the loss curve for a screen reader."""
    first, last = float(view.curve.fitted[0]), float(view.curve.fitted[-1])
    return say("studio.loss-told", lang, first=first, last=last, epochs=view.last)
