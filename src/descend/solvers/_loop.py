"""The loop of epochs, for vectors and modules alike: it records, checkpoints, tells the caller, and ends the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from descend.base.typing import Arrays, Floats
    from descend.solvers._recorder import EpochRecorder
    from descend.solvers.checkpoint import SavedRun
    from descend.solvers.history import Stop
    from descend.solvers.run_options import RunOptions

DOUBLED = 2.0  # steps on batches, dropout and momentum end a little above the start now and then, but not at twice it


@dataclass(frozen=True)
class Look:
    """What is read before the updates of an epoch: the parameters, the loss, its gradient's norm, the held-out loss.

    The norm is not a number where it is only known after the first update.
    """

    w: Floats
    loss: float
    slope: float
    held_out: float | None


class Training(Protocol):
    """Parameters and an optimizer, which the loop takes from epoch to epoch."""

    def look(self, epoch: int) -> Look:
        """Read the loss before the updates of ``epoch``."""
        ...

    def step(self, epoch: int, record: EpochRecorder) -> None:
        """Make the updates of an epoch; record the losses of batches, and the gradient's norm where that is late."""
        ...

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Return everything that a later epoch depends on, as arrays and facts."""
        ...

    def restore(self, saved: SavedRun) -> None:
        """Take up what ``state`` gave before the epoch of ``saved``."""
        ...


@dataclass(frozen=True)
class Limits:
    """When a run ends before its ``epochs``, and when it counts as diverged.

    patience: after so many epochs in which the held-out loss has not improved; None: never.
    tolerance: where the gradient's norm has fallen to so many times its first; 0: never.
    growth: a run whose last loss is above so many times its first has diverged.
    """

    epochs: int
    patience: int | None = None
    tolerance: float = 0.0
    growth: float = DOUBLED


def run_epochs(training: Training, record: EpochRecorder, limits: Limits, run: RunOptions) -> Stop:
    """Take ``training`` through its epochs into ``record`` and return why it ended; an interrupt (Ctrl-C) ends it.

    Raises what ``Checkpoint.load`` and ``training.look`` raise.
    """
    first = 0
    if run.checkpoint is not None and (saved := run.checkpoint.load(limits.epochs)) is not None:
        first = saved.epoch
        record.restore(saved.record)
        training.restore(saved)

    def look(epoch: int) -> None:
        seen = training.look(epoch)
        record.note(seen.w, seen.loss, seen.slope, seen.held_out)

    stop: Stop = "epochs"
    try:
        for epoch in range(first, limits.epochs + 1):
            if run.checkpoint is not None and epoch > first:
                run.checkpoint.save(epoch, record, *training.state())
            look(epoch)
            if epoch == limits.epochs:
                break
            run.tell_epoch(epoch, record.losses[-1])
            if (ended := _ending(record, epoch, limits, halt=run.halt)) is not None:
                stop = ended
                break
            training.step(epoch, record)
    except KeyboardInterrupt:
        stop = "interrupted"
        if not len(record):
            look(0)
    if stop in ("epochs", "early") and _grown(record, limits.growth):
        stop = "diverged"
    return stop


def _ending(record: EpochRecorder, epoch: int, limits: Limits, *, halt: bool) -> Stop | None:
    """Return why the run ends before the updates of ``epoch``, None where it goes on."""
    if halt and not np.isfinite(record.losses[-1]):
        return "diverged"
    if limits.patience is not None and epoch - record.best_epoch >= limits.patience:
        return "early"
    if limits.tolerance > 0 and record.slopes[-1] <= limits.tolerance * record.slopes[0]:
        return "converged"
    return None


def _grown(record: EpochRecorder, growth: float) -> bool:
    """Tell whether the last loss is not finite or far above the first."""
    first, last = record.losses[0], record.losses[-1]
    return bool(last > first * growth or not np.isfinite(last))
