"""Losses: value, first and second derivative in the linear predictor, element by element, and the link.

A loss knows nothing of parameters. Z is the linear predictor (rows x outputs) and Y the target of the same shape,
or rows x 1 of class codes for ``cross_entropy``. ``total`` divides: a mean runs over rows and targets, a sum does not.
"""

from __future__ import annotations

import numpy as np

from descend.base.errors import OptionError
from descend.objectives.losses.classes import BinaryCrossEntropy, CrossEntropy
from descend.objectives.losses.errors import AbsoluteError, Huber, RelativeSquaredError, SquaredError, SquaredLogError
from descend.objectives.losses.loss import Elementwise, Loss

__all__ = [
    "AbsoluteError",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Elementwise",
    "Huber",
    "Loss",
    "RelativeSquaredError",
    "SquaredError",
    "SquaredLogError",
    "make_loss",
]

DEFAULTS = {"linear": "mse", "logistic": "binary_cross_entropy", "softmax": "cross_entropy"}
BY_FAMILY = {
    "linear": ("mse", "sse", "mae", "huber", "msle", "mape"),
    "logistic": ("binary_cross_entropy",),
    "softmax": ("cross_entropy",),
}
NAMES = tuple(name for names in BY_FAMILY.values() for name in names)


def make_loss(name: str, family: str, *, delta: float = 1.0) -> Loss:
    """Return a loss by name ("auto": the family's own); ``delta`` is Huber's.

    Raises OptionError for an unknown name and for a loss that the family cannot use.
    """
    name = DEFAULTS[family] if name == "auto" else name
    if name not in NAMES:
        raise OptionError("option.loss", value=name, known=", ".join(NAMES))
    if name not in BY_FAMILY[family]:
        raise OptionError("option.loss-family", value=name, family=family, known=", ".join(BY_FAMILY[family]))
    if delta <= 0 or not np.isfinite(delta):
        raise OptionError("option.delta", value=delta)
    made: dict[str, Loss] = {
        "mse": SquaredError(),
        "sse": SquaredError("sse", mean=False),
        "mae": AbsoluteError(),
        "huber": Huber(delta),
        "msle": SquaredLogError(),
        "mape": AbsoluteError("mape", relative=True),
        "binary_cross_entropy": BinaryCrossEntropy(),
        "cross_entropy": CrossEntropy(),
    }
    return made[name]
