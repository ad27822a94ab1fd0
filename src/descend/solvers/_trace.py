"""The record of a run to the optimum: every step's loss and gradient norm, and the parameters of some of them."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.solvers.history import SNAPSHOT_NUMBERS, SNAPSHOTS, History, Stop
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]


ROUNDING = 100 * np.finfo(np.float64).eps


class Trace:
    """What a quasi-Newton run went through; of the parameters it keeps every one at first, then fewer.

    With a ``checkpoint`` it is kept there as it goes, and taken up from there: then it begins with steps.
    """

    def __init__(
        self,
        run: RunOptions = DEFAULT_OPTIONS,
        iterations: int = 0,
    ) -> None:
        self.run = run
        self.started = perf_counter()
        self.losses: list[float] = []
        self.slopes: list[float] = []
        self.snapshots: dict[int, Floats] = {}
        self.stride = 1
        self.best: Floats = np.empty(0)
        self.last: Floats = np.empty(0)
        self.least = float("inf")
        self.slope = float("nan")
        kept = None if run.checkpoint is None else run.checkpoint.load(iterations)
        if kept is not None:
            self._restore(kept.record)

    @property
    def begun(self) -> bool:
        """Whether the start is there."""
        return bool(self.losses)

    @property
    def steps(self) -> int:
        """How many steps were taken down, the start being one."""
        return len(self.losses)

    def record(self, w: Floats, value: float, gradient: Floats | None) -> None:
        """Take down a step; ``best`` is the one with the least loss, and where rounding hides that the least slope."""
        self.last = w.copy()
        slope = float("nan") if gradient is None else float(np.linalg.norm(gradient))
        alike = abs(value - self.least) <= ROUNDING * abs(value)
        if not self.losses or (not slope >= self.slope if alike else value < self.least):
            self.best, self.least, self.slope = self.last, value, slope
        step = len(self.losses)
        self.losses.append(value)
        self.slopes.append(slope)
        if step % self.stride == 0:
            self.snapshots[step] = self.last
        if len(self.snapshots) > max(min(SNAPSHOTS, SNAPSHOT_NUMBERS // w.size), 4):
            self.stride *= 2
            self.snapshots = {step: kept for step, kept in self.snapshots.items() if step % self.stride == 0}
        if self.run.checkpoint is not None:
            self.run.checkpoint.save(step, self, {})
        self.run.tell_epoch(step, value)

    def state(self) -> dict[str, Floats]:
        """Return everything as arrays, for a checkpoint."""
        return {
            "losses": np.array(self.losses),
            "slopes": np.array(self.slopes),
            "snapshot_steps": np.array(list(self.snapshots), dtype=np.float64),
            "snapshots": np.array(list(self.snapshots.values())),
            "numbers": np.array([float(self.stride), self.least, self.slope]),
            "best": self.best,
            "last": self.last,
        }

    def _restore(self, state: dict[str, Floats]) -> None:
        self.losses, self.slopes = state["losses"].tolist(), state["slopes"].tolist()
        self.snapshots = dict(zip(map(int, state["snapshot_steps"]), state["snapshots"], strict=True))
        stride, self.least, self.slope = state["numbers"].tolist()
        self.stride, self.best, self.last = int(stride), state["best"], state["last"]

    def history(self, stop: Stop) -> History:
        """Return the record, ending at the best."""
        steps = len(self.slopes)
        return History(
            epoch=np.arange(steps),
            loss=np.array(self.losses[:steps]),
            gradient_norm=np.array(self.slopes),
            weights=self.best,
            snapshot_epoch=np.array(list(self.snapshots), dtype=np.int64),
            snapshots=np.array(list(self.snapshots.values())),
            stop=stop,
            optimizer="auto",
            lr=float("nan"),
            elapsed=perf_counter() - self.started,
            final_loss=self.least,
            final_gradient_norm=self.slope,
        )
