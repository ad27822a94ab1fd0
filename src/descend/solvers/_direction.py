"""The direction of a descent: a guess of the inverse Hessian, mended by the steps made, damped where it means nothing.

L-BFGS (Nocedal 1980) whose first guess is a real inverse Hessian: of the Hessian itself where it is small enough, else
of the outputs' mean over a sample of the rows. Where the loss is flat, or bends the wrong way, that says nothing of
the way to go. There it is damped (Levenberg 1944), in the metric M of the rows, X'X over their number: by
mu = g'M^-1 g / loss, which where nothing bends gives the step at whose end a straight line has fallen to a loss of 0
(Polyak 1969), and near a minimum vanishes as the squared gradient does. None of it knows the columns' units.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.objectives.objective import OverRows
    from descend.solvers._line_search import Point

    Floats = NDArray[np.floating[Any]]

TINY = float(np.finfo(np.float64).eps)
WHOLE = 600  # parameters of several outputs: the Hessian of more takes longer than the steps that it saves
ROWS_FOR_A_GUESS = 8  # a column: of so many the outputs' mean is near enough
ROUGH = 1e-7  # of a diagonal of 1, float32's rounding: added, so that its inverse is one
FAINT = 1e-6  # of the largest curvature (its root): a column of less is stepped along as if it had this much
FLAT = 1e-10  # of the largest damping so far: with less the gradient's rounding would be taken for a way to go
LASTS = 30  # steps: a guess that was rough is taken anew after so many
MEMORY = 30  # steps that mend it: two numbers a parameter each


@dataclass(frozen=True)
class Inverse:
    """An inverse along the directions that bend; ``flat`` (of ``lengths``-scaled parameters) are those that do not."""

    matrix: Floats
    flat: Floats
    lengths: Floats
    still: NDArray[np.bool_]

    def __call__(self, g: Floats) -> Floats:
        """Return the inverse times ``g``."""
        return np.asarray(self.matrix @ g)

    def misses(self, g: Floats, value: float) -> bool:
        """Tell whether ``g`` points where nothing bends, by more than rounding."""
        if g[self.still].any():
            return True
        left = self.flat.T @ (g / self.lengths)
        return bool(left @ left > 2 * TINY * abs(value))


def inverse(matrix: Floats, *, convex: bool = True) -> Inverse:
    """Return the inverse, 0 along directions in which there is no curvature but rounding; scaled to a diagonal of 1.

    Curvatures below 0 are none, or where it is not to be ``convex`` count as if they were above 0.
    """
    if not np.isfinite(matrix).all():  # far away it overflows: no step is right
        return Inverse(
            np.full_like(matrix, np.nan), matrix[:, :0], np.ones(len(matrix)), np.zeros(len(matrix), dtype=bool)
        )
    diagonal = np.diag(matrix) if convex else np.abs(np.diag(matrix))
    still = diagonal <= 0
    lengths = np.sqrt(np.where(still, 1.0, diagonal))
    values, vectors = np.linalg.eigh(matrix / np.outer(lengths, lengths))
    values = values if convex else np.abs(values)
    solid = values > values.size * TINY * values.max(initial=0.0)
    found = (vectors[:, solid] / values[solid]) @ vectors[:, solid].T
    return Inverse(found / np.outer(lengths, lengths), vectors[:, ~solid], lengths, still)


def rough_inverse(hessian: Floats) -> Floats:
    """Return an inverse that is good enough to guess by, in float32."""
    lengths = np.sqrt(np.maximum(np.diag(hessian), 0))
    lengths = np.maximum(lengths, FAINT * lengths.max()) if lengths.any() else np.ones_like(lengths)
    unit = hessian / np.outer(lengths, lengths)
    unit[np.diag_indices_from(unit)] += ROUGH
    return np.asarray(np.linalg.inv(unit) / np.outer(lengths, lengths), dtype=np.float32)


def penalty(objective: OverRows, w: Floats) -> tuple[float, Floats]:
    """Return the penalty's part of the loss at ``w`` and of its gradient."""
    W = w.reshape(objective.shape)
    weights = 2 * objective.l2 * np.asarray(objective.penalised, dtype=np.float64)[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        pull = np.where(weights > 0, weights * W, 0.0)
        return float((pull * W).sum() / 2), pull.ravel()


@dataclass
class Metric:
    """The rows' own measure M of parameters, X'X over their number; of a column of zeros the penalty's."""

    matrix: Floats
    steepest: float = 0.0

    @classmethod
    def of(cls, objective: OverRows) -> Metric:
        """Read the rows."""
        matrix = objective.moments()[0] * objective.share
        empty = np.diag(matrix) == 0
        return cls(matrix + np.diag(np.where(empty, 2 * objective.l2 * objective.penalised, 0.0)))

    def __post_init__(self) -> None:
        self._inverse = inverse(self.matrix).matrix

    def damped(self, objective: OverRows, hessian: Floats, point: Point) -> Floats:
        """Return (H + mu M)^-1; the Hessian may be that of several outputs, each measured alike."""
        own, pull = penalty(objective, point.w)
        slope = self._length(point.gradient - pull)
        loss = max(point.value - own, TINY * point.value)
        damping = slope * self._length(point.gradient) / loss if loss > 0 else 0.0
        self.steepest = max(self.steepest, slope**2 / loss if loss > 0 else 0.0)
        outputs = len(hessian) // len(self.matrix)
        matrix = np.kron(self.matrix, np.eye(outputs)) if outputs > 1 else self.matrix
        return inverse(hessian + (damping + FLAT * self.steepest) * matrix, convex=False).matrix

    def _length(self, g: Floats) -> float:
        """Return the length of a gradient, (g'M^-1 g)^(1/2)."""
        G = g.reshape(len(self.matrix), -1)
        return float(np.sqrt(max((G * (self._inverse @ G)).sum(), 0.0)))


@dataclass
class Direction:
    """What is known of the curvature: a guess of the inverse Hessian, how old it is, and the steps that mend it."""

    guess: Callable[[Floats], Floats] | None = None
    metric: Metric | None = None
    pairs: list[tuple[Floats, Floats, float]] = field(default_factory=list)
    age: int = 0

    @property
    def fresh(self) -> bool:
        """Whether the guess is of the very point."""
        return self.age == 0

    @property
    def old(self) -> bool:
        """Whether a rough guess has lasted its time."""
        return self.age > LASTS

    @property
    def sure(self) -> bool:
        """Whether a decrement is not too small: one that was damped elsewhere would be."""
        return self.metric is None or self.fresh

    def forget(self) -> None:
        """Drop what was learnt of the curvature, so that it is taken anew."""
        self.guess = None
        self.pairs.clear()

    def damp(self, objective: OverRows) -> bool:
        """Damp from here on, in the rows' metric; False where that is done already."""
        if self.metric is not None:
            return False
        self.metric = Metric.of(objective)
        self.forget()
        return True

    def look(self, objective: OverRows, point: Point) -> None:
        """Take the curvature at a point, where there is none yet or a reading brings it; damped where it is flat."""
        if self.guess is not None and objective.few is None:
            return
        self.pairs.clear()
        self.age = 0
        if not has_small_hessian(objective):
            self.guess = self._of_a_sample(objective, point)
            return
        hessian = objective.hessian(point.w)
        if self.metric is None:
            found = inverse(hessian)
            self.guess = found
            if not found.misses(point.gradient, point.value):
                return
            self.damp(objective)
        assert self.metric is not None
        matrix = self.metric.damped(objective, hessian, point)
        self.guess = lambda g: np.asarray(matrix @ g)

    def _of_a_sample(self, objective: OverRows, point: Point) -> Callable[[Floats], Floats]:
        """Return the guess that the outputs' mean over a sample of the rows gives."""
        columns, outputs = objective.shape
        every = objective.rows // (ROWS_FOR_A_GUESS * columns)
        hessian = (objective.sampled(every, seed=1) if every > 1 else objective).mean_hessian(point.w)
        if not hessian.any():
            self.damp(objective)
        matrix = rough_inverse(hessian) if self.metric is None else self.metric.damped(objective, hessian, point)

        def times(g: Floats) -> Floats:
            return np.asarray(matrix @ g.reshape(columns, outputs).astype(matrix.dtype), dtype=np.float64).ravel()

        return times

    def step(self, g: Floats) -> Floats:
        """Return minus the guess times ``g``, mended by the steps made (Nocedal 1980, two loops)."""
        assert self.guess is not None
        q = g.copy()
        shares = []
        for s, y, curve in reversed(self.pairs):
            shares.append(float(s @ q) / curve)
            q -= shares[-1] * y
        q = self.guess(q)
        for (s, y, curve), share in zip(self.pairs, reversed(shares), strict=True):
            q += (share - float(y @ q) / curve) * s
        return -q

    def learn(self, s: Floats, y: Floats) -> None:
        """Mend the guess by a step ``s`` that changed the gradient by ``y``, where it tells of a curvature above 0."""
        self.age += 1
        curve = float(s @ y)
        if curve > TINY * float(np.linalg.norm(s) * np.linalg.norm(y)):
            self.pairs.append((s, y, curve))
            del self.pairs[:-MEMORY]


def has_small_hessian(objective: OverRows) -> bool:
    """Tell whether the Hessian of all parameters is small enough to be had."""
    columns, outputs = objective.shape
    return outputs == 1 or columns * outputs <= WHOLE
