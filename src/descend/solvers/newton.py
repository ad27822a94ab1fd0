"""Quasi-Newton on growing samples: what ``--optimizer auto`` uses for smooth losses.

L-BFGS (Liu and Nocedal 1989) whose first guess of the inverse Hessian is a real one: of the Hessian itself where it is
small enough, else of the classes' mean over a sample of the rows, taken anew now and then. On a large table the minimum
of a small sample is found first, then of a larger one from there: few readings of all rows are left to do. Where a
reading is dear, it brings the Hessian as well, and the steps are Newton's, led by a few rows that are at hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.losses import Huber
from descend.solvers.way import Way

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.history import History, Stop
    from descend.objectives import OverRows
    from descend.solvers.checkpoints import Checkpoint

    Floats = NDArray[np.floating[Any]]

LARGE = 2_000_000
HUGE = 200_000_000
ROWS_A_COLUMN = 30
ROWS_FOR_A_GUESS = 8
GUESS_LASTS = 30
ROUGH = 1e-7
FAINT = 1e-6  # of the largest curvature (its root): a column of less is stepped along as if it had this much
ENOUGH = 1e-10
FAR = 0.01  # of its largest curvature: what a Huber loss is taken to have at least
WHOLE_HESSIAN = 600
MEMORY = 30
LAST_DIGITS = 1e-25  # of the loss: nearer than this the weights have all digits but the last two or three
LED, LED_TO = 6, 1e-6  # steps at most, until the decrement has fallen to so much of the first
TRIALS = 40
TINY = np.finfo(np.float64).eps


def quasi_newton(
    objective: OverRows,
    w: Floats,
    *,
    tolerance: float | None = None,
    iterations: int = 1000,
    on_epoch: Callable[[int, float], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> History:
    """Return the way from ``w`` to the minimum of a loss whose curvature has a limit.

    tolerance: stop when the Newton decrement g'H^-1 g / 2, near the minimum what the loss is above it, falls under it
        (where H is only guessed at, an estimate); None: as far as float64 goes (where a reading is dear, as far as the
        weights show), or on a large table with very many parameters, and on a huge one, when it is 1e-10 of the loss.
    iterations: steps over all rows at most.
    checkpoint: where the way is kept as it goes, and taken up again.
    The history tells the start (on a large table without its gradient, which would cost a reading) and every step over
    all rows; a Ctrl-C ends it with what was reached.
    """
    way = Way(on_epoch, checkpoint, iterations)
    stop: Stop = "optimum"
    try:
        start = way.last if way.begun else w.astype(np.float64)
        search = _Search(start)
        samples = [] if way.steps > 1 else _samples(objective)
        if samples and not way.begun:
            way.record(start, objective.value(start), None)
        elif not way.begun:
            way.record(start, *objective.value_and_gradient(start))
        for sample in samples:
            search.forget()
            own_error = 0.15 * objective.shape[0] / sample.rows  # nearer than this the sample says no more
            search.descend(sample, max(tolerance or 0.0, own_error), iterations)
        if samples:
            search.pairs.clear()
        if tolerance is None:
            cheap = objective.cells < (HUGE if _whole(objective) else LARGE)
            near = LAST_DIGITS if objective.few is not None else 0.0  # what the weights do not show is no reading worth
            tolerance = (near if cheap else ENOUGH) * abs(way.least)
        reached = search.descend(objective, tolerance, iterations, way)
        stop = "optimum" if reached else "epochs"
    except KeyboardInterrupt:
        stop = "interrupted"
    return way.history(stop)


def _samples(objective: OverRows) -> list[OverRows]:
    """Return a sixty-fourth and a twelfth of the rows of a large table, or a quarter, where these are enough.

    Where a reading is dear: those that are at hand.
    """
    enough = (ROWS_A_COLUMN if _whole(objective) else ROWS_FOR_A_GUESS) * objective.shape[0]
    if objective.few is not None:
        return [objective.few] if objective.few.rows >= enough else []
    if objective.cells < LARGE:
        return []
    shares = (64, 12) if objective.rows // 12 >= enough else (4,)
    return [objective.sampled(every, seed=every) for every in shares if objective.rows // every >= enough]


@dataclass
class _Search:
    """Where the search stands: the parameters, the guess of the inverse Hessian, and the steps that mend it."""

    w: Floats
    guess: Callable[[Floats], Floats] | None = None
    pairs: list[tuple[Floats, Floats, float]] = field(default_factory=list)

    def forget(self) -> None:
        """Drop what was learnt of the curvature, so that it is taken anew."""
        self.guess = None
        self.pairs.clear()

    def descend(
        self,
        objective: OverRows,
        enough: float,
        iterations: int,
        way: Way | None = None,
    ) -> bool:
        """Go on until the decrement is small ``enough``, or no step lowers the loss any more."""
        value, g = objective.value_and_gradient(self.w)
        if way is not None and not value <= way.least:  # the samples misled
            self.w = way.last
            self.forget()
            value, g = objective.value_and_gradient(self.w)
        elif way is not None and not np.array_equal(self.w, way.last):
            way.record(self.w, value, g)
        before, fresh, age = np.inf, False, 0
        for _ in range(iterations):
            if self.guess is None or objective.few is not None:
                self.pairs.clear()
                self.guess, fresh = _inverse_hessian(objective, self.w), True
            step = -self._direction(g)
            slope = float(g @ step)
            decrement = -slope / 2
            if decrement <= enough or not np.isfinite(decrement):
                return True
            settling = decrement <= TINY * abs(value)  # the loss does not show it any more, the gradient does
            if settling and decrement >= before:
                return True
            age += 1
            stale = decrement > before / 2 if _whole(objective) else age > GUESS_LASTS
            if stale and not fresh and not settling:
                self.forget()  # the curvature has changed on the way
                before, age = np.inf, 0
                continue
            if objective.few is not None:
                step, slope = _led(objective, objective.few, self.w, g, step)
            found = _line_search(objective, self.w, step, value, slope)
            if found is None:
                if fresh or settling:
                    return True
                self.forget()
                continue
            w, after, after_g = found
            self._learn(w - self.w, after_g - g)
            self.w, value, g = w, after, after_g
            before, fresh = decrement, False
            if way is not None:
                way.record(self.w, value, g)
        return False

    def _direction(self, g: Floats) -> Floats:
        """Return the guessed inverse Hessian times ``g``, mended by the steps made (Nocedal 1980, two loops)."""
        assert self.guess is not None
        q = g.copy()
        shares = []
        for s, y, curve in reversed(self.pairs):
            shares.append(float(s @ q) / curve)
            q -= shares[-1] * y
        q = self.guess(q)
        for (s, y, curve), share in zip(self.pairs, reversed(shares), strict=True):
            q += (share - float(y @ q) / curve) * s
        return q

    def _learn(self, s: Floats, y: Floats) -> None:
        curve = float(s @ y)
        if curve > TINY * float(np.linalg.norm(s) * np.linalg.norm(y)):
            self.pairs.append((s, y, curve))
            del self.pairs[:-MEMORY]


@dataclass(frozen=True)
class _Corrected:
    """The loss over a few rows, corrected to have the gradient and the Hessian of all rows at ``w``."""

    rows: OverRows
    w: Floats
    pull: Floats
    bend: Floats

    def gradient(self, w: Floats) -> Floats:
        """Return the derivative at ``w``."""
        return self.rows.gradient(w) + self.pull + self.bend @ (w - self.w)

    def hessian(self, w: Floats) -> Floats:
        """Return the second derivative at ``w``."""
        return self.rows.hessian(w) + self.bend


def _led(objective: OverRows, few: OverRows, w: Floats, g: Floats, step: Floats) -> tuple[Floats, float]:
    """Return a better step than Newton's, and the slope along it, where a few rows can tell of one.

    Newton's leaves out the third derivative. A few rows' is nearly that of all: so the step leads to the minimum of
    their loss, corrected to agree with that of all rows as far as the second. Newton's where that is not sound.
    """
    slope = float(g @ step)
    near = _Corrected(few, w, g - few.gradient(w), objective.hessian(w) - few.hessian(w))
    there, decrement = w + step, -slope
    for _ in range(LED):
        pull = near.gradient(there)
        more = -(_inverse(near.hessian(there)) @ pull)
        before, decrement = decrement, -float(pull @ more)
        if not 0 <= decrement < before:
            break
        there = there + more
        if decrement <= LED_TO * -slope:
            led = there - w
            along = float(g @ led)
            return (led, along) if 2 * slope < along < slope / 2 else (step, slope)
    return step, slope


def _line_search(
    objective: OverRows, w: Floats, step: Floats, value: float, slope: float
) -> tuple[Floats, float, Floats] | None:
    """Return parameters along ``step`` with their loss and gradient, by the Wolfe conditions; None where none is lower.

    A trial is halved, or set where a cubic would have its minimum, while the loss is too high, and doubled while it
    still falls steeply. Within rounding of the loss the slope decides (Hager and Zhang 2005, approximate Wolfe).
    """
    low, high, t = 0.0, np.inf, 1.0
    rounding = 100 * TINY * abs(value)
    best = None
    for _ in range(TRIALS if -slope > rounding else 3):
        trial = w + t * step
        after, g = objective.value_and_gradient(trial)
        with np.errstate(over="ignore", invalid="ignore"):
            along = float(g @ step)
        near = abs(after - value) <= rounding and abs(along) <= 0.9 * abs(slope)
        if not (np.isfinite(after) and np.isfinite(along)) or not (after <= value + 1e-4 * t * slope or near):
            high = t
            t = _between(low, high, value, slope, after, along) if low == 0 else (low + high) / 2
        elif along < 0.9 * slope:
            best, low = (trial, after, g), t
            t = 2 * t if high == np.inf else (low + high) / 2
        else:
            return trial, after, g
        if t * float(np.abs(step).max()) <= TINY * float(np.abs(w).max()) or high - low <= TINY * high:
            break
    return best


def _between(low: float, high: float, value: float, slope: float, after: float, along: float) -> float:
    """Return where the cubic through both ends has its minimum, kept away from the ends; half way without one."""
    if np.isfinite(after) and np.isfinite(along):
        a = slope + along - 3 * (after - value) / high
        root = a * a - slope * along
        if root >= 0 and along - slope + 2 * np.sqrt(root) != 0:
            t = high * (1 - (along + np.sqrt(root) - a) / (along - slope + 2 * np.sqrt(root)))
            if np.isfinite(t):
                return float(np.clip(t, 0.1 * high, 0.9 * high))
    return (low + high) / 2 if np.isfinite(after) else 0.1 * high


def _inverse_hessian(objective: OverRows, w: Floats) -> Callable[[Floats], Floats]:
    """Return what multiplies by an inverse Hessian at ``w``: the whole, or for each output a sample's mean."""
    columns, outputs = objective.shape
    if _whole(objective):
        hessian = objective.hessian(w)
        if isinstance(objective.loss, Huber):  # rows that are far have no curvature, and all may be
            steepest = (objective.loss.curvature_limit or 0.0) * objective.share * objective.moments()[0]
            hessian += FAR * np.kron(steepest, np.eye(outputs))
        inverse = _inverse(hessian)
        return lambda g: np.asarray(inverse @ g)
    every = objective.rows // (ROWS_FOR_A_GUESS * columns)
    rough = _rough_inverse((objective.sampled(every, seed=1) if every > 1 else objective).mean_hessian(w))
    return lambda g: np.asarray(rough @ g.reshape(columns, outputs).astype(np.float32), dtype=np.float64).ravel()


def _whole(objective: OverRows) -> bool:
    columns, outputs = objective.shape
    return outputs == 1 or columns * outputs <= WHOLE_HESSIAN


def _inverse(hessian: Floats) -> Floats:
    """Return the inverse, 0 along directions in which there is no curvature but rounding; scaled to a diagonal of 1."""
    unit, lengths = _scaled(hessian)
    values, vectors = np.linalg.eigh(unit)
    solid = values > len(unit) * TINY * values[-1]
    inverse = (vectors[:, solid] / values[solid]) @ vectors[:, solid].T
    return np.asarray(inverse / np.outer(lengths, lengths))


def _rough_inverse(hessian: Floats) -> Floats:
    """Return an inverse that is good enough to guess by, in float32."""
    lengths = np.sqrt(np.maximum(np.diag(hessian), 0))
    lengths = np.maximum(lengths, FAINT * lengths.max()) if lengths.any() else np.ones_like(lengths)
    unit = hessian / np.outer(lengths, lengths)
    unit[np.diag_indices_from(unit)] += ROUGH
    return np.asarray(np.linalg.inv(unit) / np.outer(lengths, lengths), dtype=np.float32)


def _scaled(hessian: Floats) -> tuple[Floats, Floats]:
    lengths = np.sqrt(np.maximum(np.diag(hessian), 0))
    lengths[lengths == 0] = 1.0
    return hessian / np.outer(lengths, lengths), lengths
