"""Levenberg-Marquardt from many draws of an equation's parameters at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.solvers._curve_batch import column_lengths, projected, ridged, turned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.solvers._curve_batch import Batch
    from descend.solvers._levenberg import Box

DAMPING = 0.01  # of the scaled system, at first
LEAST, MOST = 1e-12, 1e12
EASED, RAISED = 0.2, 4.0
STUCK = 1e8  # a damping with which no step gains
FLAT = 1e-10  # of the sum of squares: a step that gains less is the last one
TINY = float(np.finfo(float).tiny)


class Descents:
    """Descents on the system with the linear parameters projected out, by Kaufman (1975), side by side.

    The columns are scaled by their largest lengths so far (More 1978). The arithmetic is that of a search: its sums of
    squares are good to the digits that tell basins apart, and its ends are starts for a solver that is exact. origins:
    the draws that the descents began at.
    """

    def __init__(self, batch: Batch, draws: Floats, box: Box) -> None:
        self.batch, self.box, self.draws = batch, box, draws
        self.origins = draws
        count, width = draws.shape
        self.damping, self.gains = np.full(count, DAMPING), np.full(count, np.inf)
        self.scale, self.slope = np.zeros((count, width)), np.zeros((count, width))
        self.gram = np.zeros((count, width, width))
        self.moved = np.ones(count, dtype=bool)
        self.losses, self.solved, self.residuals, self.columns = self._at(draws)

    def __len__(self) -> int:
        return len(self.draws)

    def keep(self, chosen: NDArray[np.int64]) -> None:
        """Go on with some of the descents, in this order."""
        for name, values in vars(self).items():
            if name not in ("batch", "box"):
                setattr(self, name, values[chosen])

    def run(self, steps: int) -> None:
        """Take so many steps, fewer where none gains any longer."""
        for _ in range(steps):
            if (self.gains < FLAT).all():
                break
            self.step()

    def step(self) -> None:
        """Take one step of each descent; one that does not lower the sum of squares is taken back."""
        if not self.draws.shape[1]:
            self.gains[:] = 0.0
            return
        with np.errstate(all="ignore"):
            self._linearise()
            trial = self.box.clipped(self.draws + self._steps())
            losses, solved, residuals, columns = self._at(trial)
        better = losses < self.losses
        gains = 1 - losses / np.maximum(self.losses, TINY)
        self.gains = np.where(better, gains, np.where(self.damping > STUCK, 0.0, self.gains))
        self.damping = np.clip(self.damping * np.where(better, EASED, RAISED), LEAST, MOST)
        self.draws, self.losses = np.where(better[:, None], trial, self.draws), np.where(better, losses, self.losses)
        self.solved[better], self.residuals[better], self.columns[better] = (
            solved[better], residuals[better], columns[better],
        )  # fmt: skip
        self.moved = better

    def _at(self, draws: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        with np.errstate(all="ignore"):
            r, P = self.batch.basis(draws)
            return *projected(r, P), P

    def _linearise(self) -> None:
        """Compute the system anew for those that moved."""
        new = np.flatnonzero(self.moved & np.isfinite(self.losses))
        if not new.size:
            return
        K = np.nan_to_num(self.batch.slopes(self.draws[new], self.solved[new]), posinf=0.0, neginf=0.0)
        P = self.columns[new]
        gram, slope = turned(K) @ K, (turned(K) @ self.residuals[new][:, :, None])[:, :, 0]
        if P.shape[2]:
            P = P / column_lengths(P)[:, None, :]
            cross = turned(P) @ K
            gram = gram - turned(cross) @ np.linalg.solve(ridged(P), cross)
        self.gram[new] = np.nan_to_num(gram, posinf=0.0, neginf=0.0)
        self.slope[new] = np.nan_to_num(slope, posinf=0.0, neginf=0.0)
        lengths = np.sqrt(np.maximum(np.diagonal(self.gram[new], axis1=1, axis2=2), 0.0))
        self.scale[new] = np.maximum(self.scale[new], lengths)

    def _steps(self) -> Floats:
        """Return the damped steps; a parameter at a bound that it presses against stays there."""
        scale = np.where(self.scale > 0, self.scale, 1.0)
        slope, gram = self.slope / scale, self.gram / (scale[:, :, None] * scale[:, None, :])
        held = ((self.draws <= self.box.low) & (slope < 0)) | ((self.draws >= self.box.high) & (slope > 0))
        gram = np.where(held[:, :, None] | held[:, None, :], 0.0, gram)
        gram = gram + (self.damping[:, None, None] + held[:, :, None]) * np.eye(scale.shape[1])
        return np.asarray(np.linalg.solve(gram, np.where(held, 0.0, slope)[:, :, None])[:, :, 0] / scale)
