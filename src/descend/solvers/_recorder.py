"""The record of a run as it is made: losses and gradient norms, some of the parameters, and those that it ends with.

``EpochRecorder`` is for a run of a known number of epochs, which ends with its last parameters or goes back to those of
the least held-out loss. ``StepRecorder`` is for a run to the optimum of an unknown number of steps, which ends with the
parameters of the least loss.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from descend.solvers._line_search import LOSS_ROUNDING
from descend.solvers.history import History, Stop, most_snapshots, snapshot_epochs
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions

if TYPE_CHECKING:
    from descend.base.typing import Floats


class Recorder(ABC):
    """Losses, gradient norms, snapshots and the time of a run; a kind says what are snapshots and what is the end."""

    snapshots_at = "snapshot_epochs"  # the name in a checkpoint's file

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.slopes: list[float] = []
        self.validation_losses: list[float] = []
        self.batch_losses: list[float] = []
        self.snapshots: dict[int, Floats] = {}
        self._started = perf_counter()

    def __len__(self) -> int:
        return min(len(self.losses), len(self.slopes))  # an interrupt may come between the two

    def note(self, w: Floats, loss: float, slope: float, held_out: float | None = None) -> None:
        """Record the parameters ``w`` (copied where they are kept) as they are before the next update."""
        epoch, kept = len(self), w.copy()
        self._judge(epoch, kept, loss, slope, held_out)
        self._snap(epoch, kept)
        if held_out is not None:
            self.validation_losses.append(held_out)
        self.losses.append(loss)
        self.slopes.append(slope)

    @abstractmethod
    def _snap(self, epoch: int, w: Floats) -> None:
        """Keep ``w`` among the snapshots where it belongs there."""

    @abstractmethod
    def _judge(self, epoch: int, w: Floats, loss: float, slope: float, held_out: float | None) -> None:
        """Keep ``w`` where the run may end with it."""

    @abstractmethod
    def end(self) -> tuple[Floats, float, float]:
        """Return the parameters that the run ends with, their loss and their gradient's norm."""

    def history(self, stop: Stop, optimizer: str, lr: float, batch_size: int | None = None) -> History:
        """Return the record of a run that ended for the reason ``stop``."""
        recorded, kept = len(self), sorted(self.snapshots)
        weights, loss, slope = self.end()
        return History(
            epoch=np.arange(recorded),
            loss=np.array(self.losses[:recorded]),
            gradient_norm=np.array(self.slopes[:recorded]),
            weights=weights.astype(np.float64),
            snapshot_epoch=np.array(kept, dtype=np.int64),
            snapshots=np.array([self.snapshots[epoch] for epoch in kept], dtype=np.float64),
            stop=stop,
            optimizer=optimizer,
            lr=lr,
            validation_loss=np.array(self.validation_losses[:recorded]),
            elapsed=perf_counter() - self._started,
            final_loss=float(loss),
            final_gradient_norm=float(slope),
            batch_size=batch_size,
            batch_loss=np.array(self.batch_losses),
        )

    def state(self) -> dict[str, Floats]:
        """Return everything as arrays, for a checkpoint."""
        kept = sorted(self.snapshots)
        return {
            "losses": np.array(self.losses),
            "slopes": np.array(self.slopes),
            self.snapshots_at: np.array(kept, dtype=np.float64),
            "snapshots": np.array([self.snapshots[epoch] for epoch in kept]),
            "elapsed": np.array([perf_counter() - self._started]),
        }

    def restore(self, state: dict[str, Floats]) -> None:
        """Take up what ``state`` gave."""
        self.losses, self.slopes = state["losses"].tolist(), state["slopes"].tolist()
        kept = state[self.snapshots_at].astype(np.int64).tolist()
        self.snapshots = dict(zip(kept, state["snapshots"], strict=True))
        if "elapsed" in state:  # the first checkpoints of steps had none
            self._started = perf_counter() - float(state["elapsed"][0])


class EpochRecorder(Recorder):
    """The record of up to ``epochs`` epochs over ``parameters`` numbers.

    The snapshots are those of ``snapshot_epochs``. The run ends with its last parameters whose loss is finite, or where
    it ``restores`` with those of the least held-out loss.
    """

    def __init__(self, epochs: int, parameters: int, *, restores: bool = False) -> None:
        super().__init__()
        self.restores = restores
        self.best_epoch = 0
        self.best_w: Floats = np.empty(0)
        self.finite_w: Floats = np.empty(0)
        self._wanted = set(snapshot_epochs(epochs, parameters).tolist())

    def _snap(self, epoch: int, w: Floats) -> None:
        if epoch in self._wanted:
            self.snapshots[epoch] = w

    def _judge(self, epoch: int, w: Floats, loss: float, slope: float, held_out: float | None) -> None:
        if held_out is not None and (epoch == 0 or held_out < self.validation_losses[self.best_epoch]):
            self.best_epoch, self.best_w = epoch, w
        if np.isfinite(loss) or not self.finite_w.size:  # the start, where no loss is finite
            self.finite_w = w

    def end(self) -> tuple[Floats, float, float]:
        """Return the parameters that the run ends with, their loss and their gradient's norm."""
        if self.restores:
            best = min(self.best_epoch, len(self) - 1)  # an interrupt may come before its loss is recorded
            return self.best_w, self.losses[best], self.slopes[best]
        last = len(self) - 1
        return self.finite_w, self.losses[last], self.slopes[last]

    def state(self) -> dict[str, Floats]:
        """Return everything as arrays, for a checkpoint."""
        return super().state() | {
            "validation_losses": np.array(self.validation_losses),
            "batch_losses": np.array(self.batch_losses),
            "best_epoch": np.array([float(self.best_epoch)]),
            "best_w": self.best_w,
            "finite_w": self.finite_w,
        }

    def restore(self, state: dict[str, Floats]) -> None:
        """Take up what ``state`` gave."""
        super().restore(state)
        self.validation_losses, self.batch_losses = (
            state[name].tolist() for name in ("validation_losses", "batch_losses")
        )
        self.best_epoch = int(state["best_epoch"][0])
        self.best_w, self.finite_w = state["best_w"], state["finite_w"]


class StepRecorder(Recorder):
    """The record of a run to the optimum, which is kept in the run's checkpoint at every step and taken up from there.

    The snapshots are those of every step at first, then of every second, fourth and so on, so that their number stays
    bounded. The run ends with the parameters of the least loss, and where rounding hides which those are, with those
    of the least gradient.
    """

    snapshots_at = "snapshot_steps"

    def __init__(self, run: RunOptions = DEFAULT_OPTIONS, iterations: int = 0) -> None:
        super().__init__()
        self.run = run
        self.stride = 1
        self._shown = True
        self.best: Floats = np.empty(0)
        self.last: Floats = np.empty(0)
        self.least, self.slope = float("inf"), float("nan")
        kept = None if run.checkpoint is None else run.checkpoint.load(iterations)
        if kept is not None:
            self.restore(kept.record)

    def step(self, w: Floats, loss: float, gradient: Floats | None, *, shown: bool = True) -> None:
        """Record a step, keep the run as it is, and tell the caller.

        shown: whether the loss tells this step from the one before; else only the gradient does.
        """
        step, self._shown = len(self), shown
        self.note(w, loss, float("nan") if gradient is None else float(np.linalg.norm(gradient)))
        if self.run.checkpoint is not None:
            self.run.checkpoint.save(step, self, {})
        self.run.tell_epoch(step, loss)

    def _snap(self, epoch: int, w: Floats) -> None:
        if epoch % self.stride == 0:
            self.snapshots[epoch] = w
        if len(self.snapshots) > most_snapshots(w.size):
            self.stride *= 2
            self.snapshots = {step: kept for step, kept in self.snapshots.items() if step % self.stride == 0}

    def _judge(self, epoch: int, w: Floats, loss: float, slope: float, held_out: float | None) -> None:
        self.last = w
        alike = not self._shown or abs(loss - self.least) <= LOSS_ROUNDING * abs(loss)
        lower = loss < self.least or (np.isnan(self.least) and not np.isnan(loss))
        if not epoch or (not slope >= self.slope if alike else lower):
            self.best, self.least, self.slope = w, loss, slope

    def end(self) -> tuple[Floats, float, float]:
        """Return the parameters that the run ends with, their loss and their gradient's norm."""
        return self.best, self.least, self.slope

    def state(self) -> dict[str, Floats]:
        """Return everything as arrays, for a checkpoint."""
        numbers = np.array([float(self.stride), self.least, self.slope])
        return super().state() | {"numbers": numbers, "best": self.best, "last": self.last}

    def restore(self, state: dict[str, Floats]) -> None:
        """Take up what ``state`` gave."""
        super().restore(state)
        stride, self.least, self.slope = state["numbers"].tolist()
        self.stride, self.best, self.last = int(stride), state["best"], state["last"]
