"""The progress of a fit in the worker."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

GROWN = 400  # points of the curve of a running fit


@dataclass
class Progress:
    """The epochs that a fit has done, with the losses so far as points of a curve."""

    epoch: int = 0
    total: int | None = None
    loss: float | None = None
    points: list[list[float]] = field(default_factory=list)

    def moved(self, epoch: int, loss: float) -> None:
        """Record another epoch."""
        self.epoch, self.loss = epoch, loss
        if np.isfinite(loss):
            self.points.append([epoch, loss])
        if len(self.points) > GROWN:
            self.points = self.points[::2]
