"""The record of a run as it is made: losses and gradients by epoch, the parameters to keep and to go back to."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.solvers.history import History, Stop, snapshot_epochs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

GROWN = 1 + 1e-9  # times the first loss: a run over all rows that ends above it has diverged
GROWN_UNSTEADILY = 2.0  # in batches, or of a network that came near its optimum before


class Record:
    """What a run of up to ``epochs`` epochs over ``parameters`` numbers has come to so far."""

    def __init__(self, epochs: int, parameters: int) -> None:
        self.losses: list[float] = []
        self.slopes: list[float] = []
        self.validation_losses: list[float] = []
        self.batch_losses: list[float] = []
        self.snapshots: dict[int, Floats] = {}
        self.best_epoch = 0
        self.best_w: Floats = np.empty(0)
        self.finite_w: Floats = np.empty(0)
        self._wanted = set(snapshot_epochs(epochs, parameters).tolist())
        self._started = perf_counter()

    def __len__(self) -> int:
        return min(len(self.losses), len(self.slopes))  # an interrupt may come between the two

    def note(self, epoch: int, w: Floats, loss: float, slope: float, held_out: float | None = None) -> None:
        """Record the parameters ``w`` (copied where they are kept) as they are before the update of ``epoch``."""
        self.losses.append(loss)
        self.slopes.append(slope)
        if held_out is not None:
            self.validation_losses.append(held_out)
            if epoch == 0 or held_out < self.validation_losses[self.best_epoch]:
                self.best_epoch, self.best_w = epoch, w.copy()
        if epoch in self._wanted:
            self.snapshots[epoch] = w.copy()
        if np.isfinite(loss) or not self.finite_w.size:  # the start, where no loss is finite
            self.finite_w = w.copy()

    def ending(self, epoch: int, *, halt: bool, patience: int | None) -> Stop | None:
        """Return why a run ends before the update of ``epoch``, None where it goes on.

        A loss that is not finite, where that is to ``halt`` it, or a held-out loss that has not improved for
        ``patience`` epochs.
        """
        if halt and not np.isfinite(self.losses[-1]):
            return "diverged"
        return "early" if patience is not None and epoch - self.best_epoch >= patience else None

    def history(
        self,
        stop: Stop,
        w: Floats,
        optimizer: str,
        lr: float,
        *,
        batch_size: int | None,
        restore: bool,
        steady: bool = True,
    ) -> History:
        """Return the record of a run that ended at ``w``, or with ``restore`` went back to its best held-out loss.

        steady: whether a run over all rows that ends above its start has diverged, however little.
        """
        recorded = len(self)
        loss, slopes = np.array(self.losses[:recorded]), np.array(self.slopes[:recorded])
        if stop in ("epochs", "early"):
            worse = loss[-1] > loss[0] * (GROWN if steady and batch_size is None else GROWN_UNSTEADILY)
            if worse or not np.isfinite(loss[-1]):
                stop = "diverged"
        final = recorded - 1
        # an interrupt may come in mid-epoch: the last loss is that of the parameters before it
        weights = w if np.isfinite(loss[-1]) and stop != "interrupted" else self.finite_w
        if restore:
            weights, final = self.best_w, self.best_epoch
        kept = sorted(self.snapshots)
        return History(
            epoch=np.arange(recorded),
            loss=loss,
            gradient_norm=slopes,
            weights=weights.astype(np.float64),
            snapshot_epoch=np.array(kept, dtype=np.int64),
            snapshots=np.array([self.snapshots[epoch] for epoch in kept], dtype=np.float64),
            stop=stop,
            optimizer=optimizer,
            lr=lr,
            validation_loss=np.array(self.validation_losses[:recorded]),
            elapsed=perf_counter() - self._started,
            final_loss=float(loss[final]),
            final_gradient_norm=float(slopes[final]),
            batch_size=batch_size,
            batch_loss=np.array(self.batch_losses),
        )

    def state(self) -> dict[str, Floats]:
        """Return everything as arrays, for a checkpoint."""
        kept = sorted(self.snapshots)
        return {
            "losses": np.array(self.losses),
            "slopes": np.array(self.slopes),
            "validation_losses": np.array(self.validation_losses),
            "batch_losses": np.array(self.batch_losses),
            "snapshot_epochs": np.array(kept, dtype=np.float64),
            "snapshots": np.array([self.snapshots[epoch] for epoch in kept]),
            "best_epoch": np.array([float(self.best_epoch)]),
            "best_w": self.best_w,
            "finite_w": self.finite_w,
            "elapsed": np.array([perf_counter() - self._started]),
        }

    def restore(self, state: dict[str, Floats]) -> None:
        """Take up what ``state`` gave."""
        self.losses, self.slopes = state["losses"].tolist(), state["slopes"].tolist()
        self.validation_losses, self.batch_losses = (
            state[name].tolist() for name in ("validation_losses", "batch_losses")
        )
        kept = state["snapshot_epochs"].astype(np.int64).tolist()
        self.snapshots = dict(zip(kept, state["snapshots"], strict=True))
        self.best_epoch = int(state["best_epoch"][0])
        self.best_w, self.finite_w = state["best_w"], state["finite_w"]
        self._started = perf_counter() - float(state["elapsed"][0])
