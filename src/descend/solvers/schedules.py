"""Learning-rate schedules: what the rate is multiplied by at each epoch, equal to torch.optim.lr_scheduler's."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar

from descend.base.registry import Registry

SCHEDULES: Registry[type[Schedule]] = Registry("schedule")


@dataclass(frozen=True)
class Schedule(ABC):
    """The factor on the learning rate by epoch (from 0).

    epochs: how many the run has. warmup: for so many epochs first, the factor climbs in equal parts to 1; the schedule
    proper begins after them. A schedule's other fields are its own settings, each with a row in ``solvers.settings``.
    spread: whether the factors depend on how many epochs there are.
    """

    epochs: int = 1000
    warmup: int = 0
    name: ClassVar[str]
    spread: ClassVar[bool] = False

    @property
    def constant(self) -> bool:
        """Whether the rate never changes."""
        return False

    @classmethod
    def own(cls) -> tuple[str, ...]:
        """Return the names of its own settings."""
        return tuple(field.name for field in fields(cls) if field.name not in ("epochs", "warmup"))

    def factor(self, epoch: int) -> float:
        """Return what the learning rate is multiplied by in ``epoch``."""
        if epoch < self.warmup:
            return (epoch + 1) / (self.warmup + 1)
        return self.proper(epoch - self.warmup)

    @abstractmethod
    def proper(self, epoch: int) -> float:
        """Return the factor so many epochs after the warm-up."""


@SCHEDULES.add
@dataclass(frozen=True)
class ConstantSchedule(Schedule):
    """Always 1."""

    name: ClassVar[str] = "constant"

    @property
    def constant(self) -> bool:
        """Whether there is no warm-up."""
        return not self.warmup

    def proper(self, epoch: int) -> float:
        """Return 1."""
        return 1.0


@SCHEDULES.add
@dataclass(frozen=True)
class StepSchedule(Schedule):
    """Times ``gamma`` every ``step_size`` epochs."""

    gamma: float = 0.1
    step_size: int = 100
    name: ClassVar[str] = "step"

    def proper(self, epoch: int) -> float:
        """Return a power of gamma."""
        return self.gamma ** (epoch // self.step_size)


@SCHEDULES.add
@dataclass(frozen=True)
class ExponentialSchedule(Schedule):
    """Times ``gamma`` every epoch."""

    gamma: float = 0.1
    name: ClassVar[str] = "exponential"

    def proper(self, epoch: int) -> float:
        """Return a power of gamma."""
        return self.gamma**epoch


@SCHEDULES.add
@dataclass(frozen=True)
class CosineSchedule(Schedule):
    """From 1 down to 0 over the run: (1 + cos(pi t / epochs)) / 2 (Loshchilov and Hutter 2017)."""

    name: ClassVar[str] = "cosine"
    spread: ClassVar[bool] = True

    def proper(self, epoch: int) -> float:
        """Return the cosine's share."""
        return (1 + math.cos(math.pi * epoch / max(self.epochs - self.warmup, 1))) / 2


def schedules_with(setting: str) -> list[str]:
    """Return the names of the schedules that have a setting of that name."""
    return [name for name, kind in SCHEDULES.items() if setting in kind.own()]
