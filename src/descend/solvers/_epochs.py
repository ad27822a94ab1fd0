"""Epochs of any optimizer on a vector of parameters: full batch or minibatch, with early stopping and checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from descend.base.threads import one_blas_thread
from descend.solvers._loop import Limits, Look, run_epochs
from descend.solvers._recorder import EpochRecorder
from descend.solvers.history import ABOVE_THE_START
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.objectives.objective import Batched, Objective
    from descend.solvers.checkpoint import SavedRun
    from descend.solvers.history import History
    from descend.solvers.optimizers import Optimizer, State
    from descend.solvers.schedules import Schedule


def iterate(
    objective: Objective,
    w: Floats,
    optimizer: Optimizer,
    schedule: Schedule,
    epochs: int,
    *,
    batch_size: int | None = None,
    drop_last: bool = False,
    seed: int = 0,
    tolerance: float = 0.0,
    validation: Objective | None = None,
    patience: int | None = None,
    batch_history: bool = False,
    bounds: tuple[Floats, Floats] | None = None,
    run: RunOptions = DEFAULT_OPTIONS,
) -> History:
    """Return the history of up to ``epochs`` epochs from ``w``.

    batch_size: rows a step, reshuffled from ``seed`` at every epoch; None: all rows.
    drop_last: leave out an epoch's last batch where it is smaller.
    tolerance: stop when the gradient's norm falls to so many times its first (full batch only).
    patience: stop when the loss on ``validation`` has not improved for so many epochs, and go back to its best.
    batch_history: keep the loss of every batch.
    bounds: the least and the greatest value of each parameter: a step beyond one ends on it (Goldstein 1964).

    An interrupt (Ctrl-C) ends the run with what was reached.
    """
    w = np.array(w)
    parts = objective, w, optimizer, optimizer.init(w), schedule, validation, bounds
    if batch_size is None:
        training = _Vector(*parts)
        limits = Limits(epochs, patience, tolerance, ABOVE_THE_START)
    else:
        keeps = batch_history or run.on_batch is not None
        training = _Batches(*parts, batch_size, drop_last, np.random.default_rng(seed), run, keeps)
        limits = Limits(epochs, patience)
    record = EpochRecorder(epochs, w.size, restores=patience is not None)
    stop = run_epochs(training, record, limits, run)
    return record.history(stop, optimizer.name, optimizer.lr, batch_size)


@dataclass
class _Vector:
    """Parameters that take one step an epoch, along the gradient of all rows."""

    objective: Objective
    w: Floats
    optimizer: Optimizer
    memory: State
    schedule: Schedule
    validation: Objective | None
    bounds: tuple[Floats, Floats] | None

    def look(self, epoch: int) -> Look:
        loss, self._gradient = self.objective.value_and_gradient(self.w)
        with np.errstate(over="ignore", invalid="ignore"):
            slope = float(np.sqrt(self._gradient @ self._gradient))
        return Look(self.w, loss, slope, None if self.validation is None else self.validation.value(self.w))

    def step(self, epoch: int, record: EpochRecorder) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            self.update(self._gradient, self.rate(epoch))

    def update(self, gradient: Floats, rate: float) -> None:
        self.optimizer.update(self.w, gradient, self.memory, rate)
        if self.bounds is not None:
            np.clip(self.w, *self.bounds, out=self.w)

    def rate(self, epoch: int) -> float:
        return self.optimizer.lr * self.schedule.factor(epoch)

    def state(self) -> tuple[dict[str, Floats], dict[str, Any]]:
        return {"w": self.w, **self.memory}, {}

    def restore(self, saved: SavedRun) -> None:
        self.w = saved.state.pop("w")
        self.memory = saved.state


@dataclass
class _Batches(_Vector):
    """Parameters that take a step for every ``size`` rows, in an order drawn anew at every epoch."""

    size: int
    drop_last: bool
    random: np.random.Generator
    run: RunOptions
    keeps: bool

    def step(self, epoch: int, record: EpochRecorder) -> None:
        rows, rate = cast("Batched", self.objective), self.rate(epoch)
        order = rows.shuffled(self.random)
        # batches are too small for two threads of the linear algebra
        with np.errstate(over="ignore", invalid="ignore"), one_blas_thread():
            for batch in rows.batches(self.size, order, drop_last=self.drop_last):
                loss, gradient = batch.value_and_gradient(self.w)
                if self.keeps:
                    record.batch_losses.append(loss)
                    self.run.tell_batch(epoch, loss)
                self.update(gradient, rate)

    def restore(self, saved: SavedRun) -> None:
        super().restore(saved)
        for _ in range(saved.epoch):
            cast("Batched", self.objective).shuffled(self.random)  # the orders of the epochs that were run
