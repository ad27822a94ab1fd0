"""The history of a run: losses, gradient norms and parameters by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from descend.base import stored_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl
    from numpy.typing import NDArray

    from descend.base.typing import Floats

Stop = Literal["epochs", "converged", "early", "diverged", "interrupted", "optimum", "stalled", "solved", "imported"]
STOPS: tuple[Stop, ...] = get_args(Stop)
TENSORS = ("epoch", "loss", "gradient_norm", "validation_loss", "batch_loss", "snapshot_epoch", "snapshots")
FACTS = ("stop", "optimizer", "lr", "elapsed", "final_loss", "final_gradient_norm", "gap", "batch_size")
SNAPSHOTS = 500
SNAPSHOT_NUMBERS = 500_000
ABOVE_THE_START = 1 + 1e-9  # times the first loss: a run that descends steadily, and ends above this, has diverged


@dataclass(frozen=True, eq=False)
class History:
    """The record of a run.

    ``loss[i]`` (with its penalty), ``gradient_norm[i]`` and, where rows are held out for early stopping,
    ``validation_loss[i]`` are of the parameters after ``epoch[i]`` updates; epoch 0 is the start. A validation loss
    that is a sum is scaled to as many rows as are fitted, so that the two can be compared. ``batch_loss`` has the
    losses of the batches in their order, where they were asked for. ``snapshots`` holds parameters (flat) at the epochs
    of ``snapshot_epoch``. ``weights`` are the final ones, ``stop`` says why the run ended and ``elapsed`` how many
    seconds it took. ``gap`` is the exact excess of the final loss over the least possible, where it is known.
    """

    epoch: NDArray[np.int64]
    loss: Floats
    gradient_norm: Floats
    weights: Floats
    snapshot_epoch: NDArray[np.int64]
    snapshots: Floats
    stop: Stop
    optimizer: str
    lr: float
    validation_loss: Floats = field(default_factory=lambda: np.empty(0))
    elapsed: float = 0.0
    final_loss: float = float("nan")
    final_gradient_norm: float = float("nan")
    gap: float | None = None
    batch_size: int | None = None
    batch_loss: Floats = field(default_factory=lambda: np.empty(0))

    @classmethod
    def restore(cls, found: Any, tensors: Mapping[str, NDArray[Any]], weights: Floats) -> History:
        """Build a history from its FACTS, its TENSORS and the final parameters (flat); raises ValueError for others."""
        facts = stored_fields.facts(found, FACTS)
        epoch = stored_fields.rising(stored_fields.array(tensors["epoch"], (None,), np.int64))
        kept = stored_fields.rising(stored_fields.array(tensors["snapshot_epoch"], (None,), np.int64))
        held = stored_fields.array(tensors["validation_loss"], (None,), finite=False)
        stop = stored_fields.one_of(facts["stop"], STOPS)
        if not (epoch.size and kept.size and held.size in (0, epoch.size)) or (stop == "early" and not held.size):
            raise ValueError("history")
        return cls(
            epoch=epoch,
            loss=stored_fields.array(tensors["loss"], epoch.shape, finite=False),
            gradient_norm=stored_fields.array(tensors["gradient_norm"], epoch.shape, finite=False),
            weights=weights,
            snapshot_epoch=kept,
            snapshots=stored_fields.array(tensors["snapshots"], (kept.size, weights.size), finite=False),
            stop=stop,
            optimizer=stored_fields.text(facts["optimizer"]),
            lr=stored_fields.real_or_nan(facts["lr"]),
            validation_loss=held,
            elapsed=stored_fields.real(facts["elapsed"]),
            final_loss=stored_fields.real_or_nan(facts["final_loss"]),
            final_gradient_norm=stored_fields.real_or_nan(facts["final_gradient_norm"]),
            gap=None if facts["gap"] is None else stored_fields.real(facts["gap"]),
            batch_size=None if facts["batch_size"] is None else stored_fields.whole_number(facts["batch_size"], 1),
            batch_loss=stored_fields.array(tensors["batch_loss"], (None,), finite=False),
        )

    def __len__(self) -> int:
        return int(self.epoch.size)

    @property
    def epochs(self) -> int:
        """The number of epochs of the run."""
        return int(self.epoch[-1])

    @property
    def diverged(self) -> bool:
        """Whether the loss ended above its start, or overflowed."""
        return self.stop == "diverged"

    def at(self, epoch: int) -> float:
        """Return the loss after ``epoch`` updates; raises KeyError where none was recorded."""
        where = np.searchsorted(self.epoch, epoch)
        if where >= self.epoch.size or self.epoch[where] != epoch:
            raise KeyError(epoch)
        return float(self.loss[where])

    def frame(self) -> pl.DataFrame:
        """Return the record as a polars frame: epoch, loss, gradient_norm and, where there is one, validation_loss."""
        import polars as pl

        columns = {"epoch": self.epoch, "loss": self.loss, "gradient_norm": self.gradient_norm}
        if self.validation_loss.size:
            columns["validation_loss"] = self.validation_loss
        return pl.DataFrame(columns)


def most_snapshots(parameters: int) -> int:
    """Return how many snapshots are kept: SNAPSHOTS, or as many as fit into SNAPSHOT_NUMBERS, but 4 at least."""
    return max(min(SNAPSHOTS, SNAPSHOT_NUMBERS // max(parameters, 1)), 4)


def snapshot_epochs(epochs: int, parameters: int = 1) -> NDArray[np.int64]:
    """Return the epochs from 0 to ``epochs`` to keep parameters of: every early one, then fewer.

    They are ``most_snapshots`` at most.
    """
    most = most_snapshots(parameters)
    if epochs < most:
        return np.arange(epochs + 1)
    spread = np.geomspace(most // 2, epochs, most - most // 2)
    return np.unique(np.concatenate([np.arange(most // 2), np.round(spread)]).astype(np.int64))
