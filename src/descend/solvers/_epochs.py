"""Epoch by epoch: any optimizer on any objective, full batch or minibatch, with early stopping and checkpoints."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from descend.base.threads import one_blas_thread
from descend.solvers._recorder import Record
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.objectives.objective import Batched, Objective
    from descend.solvers.history import History, Stop
    from descend.solvers.optimizers import Optimizer
    from descend.solvers.schedules import Schedule

    Floats = NDArray[np.floating[Any]]


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
    run: RunOptions = DEFAULT_OPTIONS,
) -> History:
    """Return the history of up to ``epochs`` epochs from ``w``.

    batch_size: rows a step, reshuffled from ``seed`` at every epoch; None: all rows.
    drop_last: leave out an epoch's last batch where it is smaller.
    tolerance: stop when the gradient's norm falls to so many times its first (full batch only).
    patience: stop when the loss on ``validation`` has not improved for so many epochs, and go back to its best.
    batch_history: keep the loss of every batch.

    An interrupt (Ctrl-C) ends the run with what was reached.
    """
    w = np.array(w)
    record, state, first = Record(epochs, w.size), optimizer.init(w), 0
    if run.checkpoint is not None and (kept := run.checkpoint.load(epochs)) is not None:
        first, w = kept.epoch, kept.state.pop("w")
        state = kept.state
        record.restore(kept.record)
    random = np.random.default_rng(seed)
    for _ in range(first if batch_size is not None else 0):
        cast("Batched", objective).shuffled(random)  # the orders of the epochs that were run

    def look(epoch: int) -> tuple[float, Floats]:
        loss, gradient = objective.value_and_gradient(w)
        with np.errstate(over="ignore", invalid="ignore"):
            slope = float(np.sqrt(gradient @ gradient))
        record.note(epoch, w, loss, slope, None if validation is None else validation.value(w))
        return loss, gradient

    stop: Stop = "epochs"
    try:
        for epoch in range(first, epochs):
            if run.checkpoint is not None and epoch > first:
                run.checkpoint.save(epoch, record, {"w": w, **state})
            loss, gradient = look(epoch)
            run.tell_epoch(epoch, loss)
            if (ended := record.ending(epoch, halt=run.halt, patience=patience)) is not None:
                stop = ended
                break
            if batch_size is None and tolerance > 0 and record.slopes[-1] <= tolerance * record.slopes[0]:
                stop = "converged"
                break
            lr = optimizer.lr * schedule.factor(epoch)
            with np.errstate(over="ignore", invalid="ignore"), _calm(batch_size):
                if batch_size is None:
                    optimizer.update(w, gradient, state, lr)
                    continue
                rows = cast("Batched", objective)
                for batch in rows.batches(batch_size, rows.shuffled(random), drop_last=drop_last):
                    batch_loss, gradient = batch.value_and_gradient(w)
                    if batch_history or run.on_batch is not None:
                        record.batch_losses.append(batch_loss)
                        run.tell_batch(epoch, batch_loss)
                    optimizer.update(w, gradient, state, lr)
        else:
            look(epochs)
    except KeyboardInterrupt:
        stop = "interrupted"
        if not len(record):
            look(0)
    return record.history(stop, w, optimizer.name, optimizer.lr, batch_size=batch_size, restore=patience is not None)


def _calm(batch_size: int | None) -> Any:
    """Return what holds the linear algebra to one thread for batches: they are too small for two."""
    return nullcontext() if batch_size is None else one_blas_thread()
