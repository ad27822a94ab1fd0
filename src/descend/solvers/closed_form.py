"""Gradient descent on a quadratic in closed form: every epoch of plain, momentum and Nesterov SGD without a loop.

In the basis of the Hessian's eigenvectors each coordinate e of w - w* and its velocity v change by themselves,

    [e, v] <- A [e, v],   A = [[1 - lr l, -lr b], [l, b]]                  (momentum b, as PyTorch has it; b = 0: plain)
                          A = [[1 - lr l (1 + b), -lr b^2], [l, b]]        (Nesterov)

where l is the eigenvalue. The state after t epochs is A^t times the first, and powers of A are computed in blocks, with
about 2 sqrt(t) products. Without momentum e_t = (1 - lr l)^t e_0, computed by the logarithm, which keeps its digits at
any t.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.errors import OptionError
from descend.base.setting import LARGEST_COUNT
from descend.solvers.history import ABOVE_THE_START, History, Stop, snapshot_epochs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.quadratic import GramObjective
    from descend.solvers.optimizers import SGD

RECORDED = 1_000_000  # epochs in a history; a longer run is recorded at even distances
BLOCK = 4096  # epochs that are computed at once: a block of a hundred columns has 3 MB
LOOKED_AT = 200_000  # first epochs of a run with momentum, which are searched one by one


def fast_forward(
    objective: GramObjective,
    w: Floats,
    optimizer: SGD,
    epochs: int,
    *,
    tolerance: float = 0.0,
    halt: bool = True,
    records: int = RECORDED,
) -> History:
    """Return the history of ``epochs`` epochs of full-batch descent from ``w``.

    Every epoch is recorded up to ``records`` of them, above that evenly spaced ones and the last. The run ends at the
    first loss that is not finite (``halt``) or when the gradient's norm falls to ``tolerance`` times its first.
    """
    started = perf_counter()
    stride = -(-epochs // records) or 1
    offsets = objective.offsets(w)
    moving = np.flatnonzero(np.abs(offsets).sum(axis=1) > 0)
    weights = objective.curvatures[moving, None]
    steps = _steps(objective, moving, offsets, optimizer, stride)
    epoch = np.arange(epochs // stride + 1) * stride
    squares, slopes, kept = [], [], []
    wanted = set(snapshot_epochs(epoch.size - 1, w.size).tolist())
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for first, block in steps.blocks(epoch.size):
            squares.append(_half_squares(block, weights))
            slopes.append(np.sqrt(np.einsum("tpk,pk->t", block**2, np.broadcast_to(weights**2, block.shape[1:]))))
            chosen = [index for index in range(len(block)) if first + index in wanted]
            kept.append(block[chosen])
        excess, slope, kept_offsets = np.concatenate(squares), np.concatenate(slopes), np.concatenate(kept)
        last = steps.after(epochs)
        if epoch[-1] != epochs:
            epoch = np.append(epoch, epochs)
            excess = np.append(excess, _half_squares(last[None], weights))
            slope = np.append(slope, np.sqrt((weights**2 * last**2).sum()))
        # beyond the largest number, infinity less infinity stands where the truth is only infinite
        loss = np.where(np.isnan(excess), np.inf, objective.least + excess)
        loss[loss * objective.elements == np.inf] = np.inf  # so is the sum over the rows, which a loop divides
        slope = np.where(np.isnan(slope), np.inf, slope)
        base = objective.minimum_near(w)
        paths = objective.directions[:, moving] @ kept_offsets
        snapshots = base[None, :] + paths.reshape(len(kept_offsets), -1)
        snapshots[0] = w  # to the last digit
    snapshot_epoch = np.array(sorted(wanted), dtype=np.int64) * stride
    end, stop = _end(loss, slope, tolerance, halt)
    if end + 1 < epoch.size:
        last = steps.after(int(epoch[end] if stop == "converged" else epoch[max(end - 1, 0)]))
    with np.errstate(over="ignore", invalid="ignore"):
        final = base + (objective.directions[:, moving] @ last).ravel()
    shown = snapshot_epoch <= epoch[end]
    return History(
        epoch=epoch[: end + 1],
        loss=loss[: end + 1],
        gradient_norm=slope[: end + 1],
        weights=final,
        snapshot_epoch=snapshot_epoch[shown],
        snapshots=snapshots[shown],
        stop=stop,
        optimizer=optimizer.name,
        lr=optimizer.lr,
        elapsed=perf_counter() - started,
        final_loss=float(loss[end]),
        final_gradient_norm=float(slope[end]),
        gap=float(excess[end]) if np.isfinite(excess[end]) else float("inf"),
    )


@dataclass(frozen=True)
class ClosedFormRun:
    """A run of full-batch SGD on a quadratic from ``start`` (flat): any epoch of it, in constant time."""

    objective: GramObjective
    start: Floats
    optimizer: SGD

    @cached_property
    def moving(self) -> NDArray[np.intp]:
        """The indices of the eigenvectors along which the start differs from the minimum."""
        return np.flatnonzero(np.abs(self.objective.offsets(self.start)).sum(axis=1) > 0)

    @cached_property
    def _steps(self) -> _Plain | _Powers:
        return _steps(self.objective, self.moving, self.objective.offsets(self.start), self.optimizer)

    def weights(self, epoch: int) -> Floats:
        """Return the parameters after ``epoch`` updates, flat; not finite where they have overflowed."""
        if epoch == 0:
            return np.array(self.start, dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            moved = self.objective.directions[:, self.moving] @ self._steps.after(epoch)
        return np.asarray(self.objective.minimum_near(self.start) + moved.ravel())

    def excess(self, epoch: int) -> float:
        """Return by how much the loss is above the least possible after ``epoch`` updates; inf where it overflows."""
        weights = self.objective.curvatures[self.moving, None]
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            excess = float(_half_squares(self._steps.after(epoch)[None], weights)[0])
        return math.inf if math.isnan(excess) else excess

    def loss(self, epoch: int) -> float:
        """Return the loss after ``epoch`` updates; inf where its sum over the rows overflows."""
        loss = self.objective.least + self.excess(epoch)
        return loss if math.isfinite(loss * self.objective.elements) else math.inf

    @cached_property
    def factors(self) -> Floats:
        """The factor by which an epoch multiplies the offset along each moving eigenvector, in the limit."""
        return shrinking(self.objective.curvatures[self.moving], self.optimizer)

    def first(self, bar: float, *, above: bool = False) -> int | None:
        """Return the first epoch whose excess loss is at most ``bar``, or ``above`` it; None for none to 10**18.

        Without momentum the excess only falls, or falls and then grows, so a bisection finds the epoch. With momentum
        it oscillates: the first LOOKED_AT epochs are searched one by one, and later ones are assumed not to oscillate.
        """

        def holds(epoch: int) -> bool:
            return (self.excess(epoch) > bar) == above

        if holds(0):
            return 0
        low = 0
        if isinstance(self._steps, _Powers):
            weights = self.objective.curvatures[self.moving, None]
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                for first, block in self._steps.blocks(LOOKED_AT):
                    excess = _half_squares(block, weights)
                    found = (np.where(np.isnan(excess), np.inf, excess) > bar) == above
                    if found.any():
                        return first + int(np.argmax(found))
            low = LOOKED_AT
        high = max(2 * low, 1)
        while not holds(high):
            low, high = high, 2 * high
            if high > LARGEST_COUNT:
                return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if holds(middle) else (middle, high)
        return high


def whole_epoch(epoch: Any) -> int:
    """Return an epoch as a whole number from 0 to 10**18; raises OptionError where it is none."""
    whole = isinstance(epoch, (int, np.integer, float)) and not isinstance(epoch, bool)
    if not whole or not 0 <= epoch <= LARGEST_COUNT or epoch != int(epoch):
        raise OptionError("option.epoch", value=epoch)
    return int(epoch)


def shrinking(curvatures: Floats, optimizer: SGD) -> Floats:
    """Return the spectral radius of each direction's recurrence: below 1 it converges, above 1 it diverges."""
    with np.errstate(over="ignore"):
        if not optimizer.momentum:
            return np.asarray(np.abs(1 - optimizer.lr * curvatures))
        transition = _transition(curvatures, optimizer)
    fits = np.isfinite(transition).all(axis=(1, 2))
    made = np.full(curvatures.size, np.inf)
    made[fits] = np.abs(np.linalg.eigvals(transition[fits])).max(axis=1, initial=0.0)
    return made


def _half_squares(offsets: Floats, curvatures: Floats) -> Floats:
    """Return sum l e^2 / 2 of each step's offsets (steps x coordinates x outputs), inf only where the sum overflows."""
    return np.asarray(np.square(offsets * np.sqrt(curvatures / 2)).sum(axis=(1, 2)))


def _steps(
    objective: GramObjective, moving: NDArray[np.intp], offsets: Floats, optimizer: SGD, stride: int = 1
) -> _Plain | _Powers:
    curvatures = objective.curvatures[moving]
    if optimizer.momentum:
        return _Powers(_transition(curvatures, optimizer), offsets[moving], stride)
    return _Plain(optimizer.lr * curvatures, offsets[moving], stride)


def _transition(curvatures: Floats, optimizer: SGD) -> Floats:
    """Return the matrix A of every coordinate, coordinates x 2 x 2."""
    b, lr = optimizer.momentum, optimizer.lr
    A = np.empty((curvatures.size, 2, 2))
    with np.errstate(over="ignore"):
        A[:, 0, 0] = 1 - lr * curvatures * (1 + b if optimizer.nesterov else 1)
        A[:, 0, 1] = -lr * b * (b if optimizer.nesterov else 1)
        A[:, 1, 0] = curvatures
        A[:, 1, 1] = b
    return A


class _Plain:
    """The offsets after 0, s, 2 s ... epochs without momentum; ``rates`` are lr l."""

    def __init__(self, rates: Floats, offsets: Floats, stride: int) -> None:
        self.offsets, self.stride = offsets, stride
        with np.errstate(divide="ignore"):
            self.logs = np.where(rates < 1, np.log1p(-np.minimum(rates, 1.0)), np.log(np.abs(1 - rates)))
        self.alternates = rates > 1

    def _factors(self, epochs: NDArray[np.int64]) -> Floats:
        """Return (1 - lr l)^t, epochs x coordinates."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            size = np.exp(np.where(epochs[:, None] > 0, epochs[:, None] * self.logs, 0.0))
        return np.where(self.alternates & (epochs[:, None] % 2 == 1), -size, size)

    def after(self, epochs: int) -> Floats:
        """Return the offsets after so many epochs, coordinates x outputs."""
        return np.asarray(self._factors(np.array([epochs]))[0][:, None] * self.offsets)

    def blocks(self, count: int) -> Iterator[tuple[int, Floats]]:
        """Yield (first index, offsets as steps x coordinates x outputs) for ``count`` steps."""
        for first in range(0, count, BLOCK):
            epochs = np.arange(first, min(first + BLOCK, count)) * self.stride
            yield first, self._factors(epochs)[:, :, None] * self.offsets


class _Powers:
    """The offsets after 0, s, 2 s ... epochs, from powers of the transition A^s."""

    def __init__(self, transition: Floats, offsets: Floats, stride: int) -> None:
        self.transition = transition
        self.start = np.stack([offsets, np.zeros_like(offsets)], axis=1)  # coordinates x 2 x outputs
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            self.step = np.linalg.matrix_power(transition, stride)

    def after(self, epochs: int) -> Floats:
        """Return the offsets after so many epochs, coordinates x outputs."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            power = np.linalg.matrix_power(self.transition, epochs)
            return np.asarray((power @ self.start)[:, 0, :])

    def blocks(self, count: int) -> Iterator[tuple[int, Floats]]:
        """Yield (first index, offsets as steps x coordinates x outputs) for ``count`` steps."""
        width = max(int(np.sqrt(count)), 1)
        coordinates = len(self.step)
        table = np.empty((width, coordinates, 2, 2))
        power = np.broadcast_to(np.eye(2), (coordinates, 2, 2))
        for index in range(width):
            table[index] = power
            power = self.step @ power
        state = self.start
        for first in range(0, count, width):
            block = table[: min(width, count - first), :, :1, :] @ state
            yield first, block[:, :, 0, :]
            state = power @ state


def _end(loss: Floats, slope: Floats, tolerance: float, halt: bool) -> tuple[int, Stop]:
    """Return the index of the last record to keep and why the run ends there."""
    infinite = np.flatnonzero(~np.isfinite(loss))
    if infinite.size:
        return (int(infinite[0]) if halt else loss.size - 1), "diverged"
    if tolerance > 0:
        reached = np.flatnonzero(slope <= tolerance * slope[0])
        if reached.size:
            return int(reached[0]), "converged"
    return loss.size - 1, "diverged" if loss[-1] > loss[0] * ABOVE_THE_START else "epochs"
