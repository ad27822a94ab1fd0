"""Losses: each is one object in ``LOSSES`` that knows its formula, its derivatives and everything else about itself."""

from __future__ import annotations

from descend.objectives.losses.errors import AbsoluteError, Huber, SquaredError, SquaredLogError
from descend.objectives.losses.likelihoods import BinaryCrossEntropy, CrossEntropy
from descend.objectives.losses.loss import LOSSES, Elementwise, Loss, LossParameter, losses_with, make_loss

__all__ = [
    "LOSSES",
    "AbsoluteError",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Elementwise",
    "Huber",
    "Loss",
    "LossParameter",
    "SquaredError",
    "SquaredLogError",
    "losses_with",
    "make_loss",
]
