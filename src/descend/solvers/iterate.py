"""Epoch by epoch: any optimizer on any objective, full batch or minibatch, with early stopping."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from descend.history import History, Stop, snapshot_epochs

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.objectives import Batched, Objective
    from descend.optimizers import Optimizer
    from descend.schedules import Schedule

    Floats = NDArray[np.floating[Any]]
    OnEpoch = Callable[[int, float], None]


def iterate(
    objective: Objective,
    w: Floats,
    optimizer: Optimizer,
    schedule: Schedule,
    epochs: int,
    *,
    batch_size: int | None = None,
    seed: int = 0,
    tolerance: float = 0.0,
    validation: Objective | None = None,
    patience: int | None = None,
    halt: bool = True,
    on_epoch: OnEpoch | None = None,
    on_batch: OnEpoch | None = None,
) -> History:
    """Return the history of up to ``epochs`` epochs from ``w``.

    batch_size: rows a step, reshuffled from ``seed`` at every epoch, the last and smaller batch kept; None: all rows.
    tolerance: stop when the gradient's norm falls to so many times its first (full batch only).
    patience: stop when the loss on ``validation`` has not improved for so many epochs, and go back to its best.
    halt: stop at the first loss that is not finite.
    on_epoch, on_batch: called with the epoch and the loss before its update, or the batch's loss.

    An interrupt (Ctrl-C) ends the run with what was reached.
    """
    run = _Run(objective, np.array(w), epochs, validation)
    state = optimizer.init(run.w)
    random = np.random.default_rng(seed)
    stop: Stop = "epochs"
    try:
        for epoch in range(epochs):
            loss, gradient = run.look(epoch)
            if on_epoch is not None:
                on_epoch(epoch, loss)
            if halt and not np.isfinite(loss):
                stop = "diverged"
                break
            if patience is not None and epoch - run.best_epoch >= patience:
                stop = "early"
                break
            if batch_size is None and tolerance > 0 and run.slopes[-1] <= tolerance * run.slopes[0]:
                stop = "converged"
                break
            lr = optimizer.lr * schedule.factor(epoch)
            with np.errstate(over="ignore", invalid="ignore"):
                if batch_size is None:
                    optimizer.update(run.w, gradient, state, lr)
                    continue
                for batch in _batches(cast("Batched", objective), batch_size, random):
                    batch_loss, gradient = batch.value_and_gradient(run.w)
                    if on_batch is not None:
                        on_batch(epoch, batch_loss)
                    optimizer.update(run.w, gradient, state, lr)
        else:
            run.look(epochs)
    except KeyboardInterrupt:
        stop = "interrupted"
    return run.history(stop, optimizer, batch_size, restore=patience is not None)


def _batches(objective: Batched, size: int, random: np.random.Generator) -> list[Batched]:
    shuffled = objective.shuffled(random.permutation(objective.rows))
    return [shuffled.batch(start, min(start + size, shuffled.rows)) for start in range(0, shuffled.rows, size)]


class _Run:
    """The parameters of a run and the record of them so far."""

    def __init__(self, objective: Objective, w: Floats, epochs: int, validation: Objective | None) -> None:
        self.objective, self.w, self.validation = objective, w, validation
        self.losses: list[float] = []
        self.slopes: list[float] = []
        self.validation_losses: list[float] = []
        self.best_epoch, self.best_w = 0, w.copy()
        self.finite_w = w.copy()
        self.wanted = set(snapshot_epochs(epochs, w.size).tolist())
        self.snapshots: list[tuple[int, Floats]] = []
        self.started = perf_counter()

    def look(self, epoch: int) -> tuple[float, Floats]:
        """Record the parameters as they are before the update of ``epoch``."""
        loss, gradient = self.objective.value_and_gradient(self.w)
        if self.validation is not None:
            self.validation_losses.append(self.validation.value(self.w))
            if self.validation_losses[-1] < self.validation_losses[self.best_epoch] or epoch == 0:
                self.best_epoch, self.best_w = epoch, self.w.copy()
        self.losses.append(loss)
        with np.errstate(over="ignore", invalid="ignore"):
            self.slopes.append(float(np.sqrt(gradient @ gradient)))
        if epoch in self.wanted:
            self.snapshots.append((epoch, self.w.copy()))
        if np.isfinite(loss):
            self.finite_w = self.w.copy()
        return loss, gradient

    def history(self, stop: Stop, optimizer: Optimizer, batch_size: int | None, *, restore: bool) -> History:
        """Return the record."""
        if not self.slopes:
            self.losses.clear()
            self.validation_losses.clear()
            self.look(0)
        recorded = min(len(self.losses), len(self.slopes))  # an interrupt may come between the two
        loss, slopes = np.array(self.losses[:recorded]), np.array(self.slopes[:recorded])
        if stop in ("epochs", "early"):
            worse = loss[-1] > loss[0] * ((1 + 1e-9) if batch_size is None else 2)
            if worse or not np.isfinite(loss[-1]):
                stop = "diverged"
        final = recorded - 1
        weights = self.w if np.isfinite(loss[-1]) else self.finite_w
        if restore:
            weights, final = self.best_w, self.best_epoch
        return History(
            epoch=np.arange(recorded),
            loss=loss,
            gradient_norm=slopes,
            weights=weights.astype(np.float64),
            snapshot_epoch=np.array([epoch for epoch, _ in self.snapshots], dtype=np.int64),
            snapshots=np.array([w for _, w in self.snapshots], dtype=np.float64),
            stop=stop,
            optimizer=optimizer.name,
            lr=optimizer.lr,
            validation_loss=np.array(self.validation_losses[:recorded]),
            elapsed=perf_counter() - self.started,
            final_loss=float(loss[final]),
            final_gradient_norm=float(slopes[final]),
            batch_size=batch_size,
        )
