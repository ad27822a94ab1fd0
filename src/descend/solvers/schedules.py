"""Learning-rate schedules: what the rate is multiplied by at each epoch, equal to torch.optim.lr_scheduler's."""

from __future__ import annotations

import math
from dataclasses import dataclass

from descend.base.errors import OptionError

NAMES = ("constant", "step", "exponential", "cosine")


@dataclass(frozen=True)
class Schedule:
    """The factor on the learning rate by epoch (from 0).

    name: "constant"; "step": times ``gamma`` every ``step_size`` epochs; "exponential": times ``gamma`` every epoch;
        "cosine": from 1 down to 0 over the run, (1 + cos(pi t / epochs)) / 2 (Loshchilov and Hutter 2017).
    warmup: for so many epochs first, the factor climbs in equal parts to 1; the schedule proper begins after them.
    """

    name: str = "constant"
    epochs: int = 1000
    gamma: float = 0.1
    step_size: int = 100
    warmup: int = 0

    def __post_init__(self) -> None:
        """Check the settings; raises OptionError."""
        if self.name not in NAMES:
            raise OptionError("option.schedule", value=self.name, known=", ".join(NAMES))
        if not 0 < self.gamma <= 1:
            raise OptionError("option.gamma", value=self.gamma)
        if self.step_size < 1 or self.warmup < 0:
            raise OptionError("option.schedule-epochs")

    @property
    def constant(self) -> bool:
        """Whether the rate never changes."""
        return self.name == "constant" and not self.warmup

    def factor(self, epoch: int) -> float:
        """Return what the learning rate is multiplied by in ``epoch``."""
        if epoch < self.warmup:
            return (epoch + 1) / (self.warmup + 1)
        epoch -= self.warmup
        if self.name == "step":
            return self.gamma ** (epoch // self.step_size)
        if self.name == "exponential":
            return self.gamma**epoch
        if self.name == "cosine":
            return (1 + math.cos(math.pi * epoch / max(self.epochs - self.warmup, 1))) / 2
        return 1.0
