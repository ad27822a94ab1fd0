"""What the three pictures show of a run, as plain numbers: what stays while it is scrubbed, and what moves."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.equation import equation_lines
from descend.messages import say
from descend.metrics import confusion
from descend.studio.plane import Plane

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.studio.data import DataPicture
    from descend.studio.view import Curve, View

    Floats = NDArray[np.floating[Any]]

DIGITS = 5
WAYPOINTS = 160
SPAN = 1e16  # decades below this are rounding, not loss
WIDE = 24


def loss_picture(view: View, others: list[tuple[str, Curve]], lang: str) -> dict[str, Any]:
    """Return the losses by epoch: of the fitted and the unseen rows, what was foretold, and of other runs."""
    shown = [view.curve.fitted, view.curve.unseen, *(curve.fitted for _, curve in others)]
    known = np.concatenate([values[np.isfinite(values) & (values > 0)] for values in shown])
    logarithmic = bool(known.size and known.max() > 10 * known.min())
    floor = max(float(known.min()), float(known.max()) / SPAN) if logarithmic else None
    made: dict[str, Any] = {
        "log": logarithmic,
        "fitted": _pairs(view.curve.epoch, view.curve.fitted, floor),
        "unseen": _pairs(view.curve.epoch, view.curve.unseen, floor) if view.curve.unseen.size else None,
        "others": [{"name": name, "line": _pairs(curve.epoch, curve.fitted, floor)} for name, curve in others],
        "forecast": None,
        "last": view.last,
        "label": _loss_label(view, lang),
    }
    if view.forecast is not None and not others:
        rate, curve = view.forecast
        name = say("studio.at-the-best-rate", lang, lr=rate)
        made["forecast"] = {"name": name, "line": _pairs(curve.epoch, curve.fitted, floor)}
    return made


def path_picture(view: View, plane: Plane) -> dict[str, Any]:
    """Return the way of the parameters over a plane of the loss, and the epoch of each of its points."""
    few = np.unique(np.linspace(0, len(view.path) - 1, min(len(view.path), WAYPOINTS)).astype(np.int64))
    walked = plane.project(view.path[few])
    return {"line": points(*walked.T), "epochs": view.path_epoch[few].tolist()}


def moment(view: View, picture: DataPicture, plane: Plane | None, epoch: int, lang: str) -> dict[str, Any]:
    """Return what all three pictures and the equation show at one epoch."""
    epoch = view.nearest(epoch)
    weights = view.weights(epoch)
    fitted = view.loss(epoch)
    made: dict[str, Any] = {"epoch": epoch, "loss": None if not np.isfinite(fitted) else significant(fitted)}
    if view.curve.unseen.size:
        unseen = float(np.interp(epoch, view.curve.epoch, view.curve.unseen))
        made["unseen"] = significant(unseen) if np.isfinite(unseen) else None
    with np.errstate(all="ignore"):
        made["data"] = picture.moving(view, weights)
    if plane is not None:
        made["place"] = points(*plane.project(weights.reshape(1, -1)).T)[0]
    return made


def equation_at(view: View, epoch: int, lang: str) -> list[str]:
    """Return the equation after an epoch, a line an output; of a network or of very many columns what it is."""
    weights = view.weights(view.nearest(epoch))
    if view.networked:
        return [say("studio.equation-network", lang)]
    if len(view.design.names) > WIDE:
        return [say("studio.equation-wide", lang, columns=len(view.design.names))]
    if not np.isfinite(weights).all():
        return [say("studio.equation-gone", lang)]
    with np.errstate(all="ignore"):
        raw = view.design.to_raw(np.array(weights, dtype=np.float64))
    if not np.isfinite(raw).all():
        return [say("studio.equation-gone", lang)]
    return equation_lines(view.design, view.target, raw)


def counted(view: View, weights: Floats) -> dict[str, Any]:
    """Return how often each class was taken for each, on the unseen rows that are kept where there are any."""
    which = view.rows.tested if view.rows.tested.any() else np.ones(len(view.rows.X), dtype=bool)
    predicted = view.target.predict(view.predictor(weights, view.rows.X[which])).argmax(axis=1)
    truth = view.rows.truth[which, 0].astype(np.int64)
    return {"counts": confusion(truth, predicted, len(view.target.levels)).tolist()}


def points(x: Floats, y: Floats) -> list[list[float | None]]:
    """Return pairs of numbers short enough to travel; None for what is not finite."""
    return [list(pair) for pair in zip(rounded(x), rounded(y), strict=True)]


def rounded(values: Floats) -> list[Any]:
    """Return numbers to DIGITS digits of the largest of them; None for what is not finite."""
    values = np.asarray(values, dtype=np.float64)
    finite = values[np.isfinite(values)]
    largest = float(np.abs(finite).max(initial=0.0))
    if largest and 1e-200 < largest < 1e200:
        values = np.round(values, DIGITS - int(np.floor(np.log10(largest))))
    return [value if np.isfinite(value) else None for value in values.tolist()]


def significant(value: float) -> float:
    """Return a number to seven significant digits."""
    return float(f"{value:.7g}")


def encoded(values: NDArray[np.uint8]) -> str:
    """Return bytes as text."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def _pairs(epoch: NDArray[np.int64], values: Floats, floor: float | None) -> list[list[float | None]]:
    """Return (epoch, loss) pairs of seven digits; on a logarithmic axis nothing is under its floor."""
    if floor is not None:
        values = np.maximum(values, floor)
    told = [float(f"{value:.7g}") if np.isfinite(value) else None for value in values.tolist()]
    return [list(pair) for pair in zip(epoch.tolist(), told, strict=True)]


def _loss_label(view: View, lang: str) -> str:
    """Return what a reader who cannot see the curve is told of it."""
    first, last = float(view.curve.fitted[0]), float(view.curve.fitted[-1])
    return say("studio.loss-told", lang, first=first, last=last, epochs=view.last)
