"""The search direction: L-BFGS whose initial inverse Hessian is a real one, and damping where the loss does not curve.

L-BFGS (Nocedal 1980; Nocedal and Wright 2006, algorithm 7.4) usually begins with a multiple of the identity. Here it
begins with the inverse of the Hessian itself where that is small enough, else with the inverse of the mean over the
outputs of their Hessians on a sample of the rows. So it takes few steps, and they do not depend on the columns' units.

Where the loss is flat or curves downwards, the inverse says nothing about the direction to take. There the Hessian is
damped (Levenberg 1944) by mu M, where M = X'X / rows is the metric of the rows and mu = g'M^-1 g / loss. Where nothing
curves, the step then ends where a straight line would reach a loss of 0 (Polyak 1969); near a minimum mu vanishes as
the squared gradient does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from descend.solvers._line_search import EPSILON
from descend.solvers.effort import hessian_is_small

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.objective import OverRows, RowsLoss
    from descend.solvers._line_search import Point

ROWS_FOR_A_SEED = 8  # a column: the mean Hessian of so many is close enough to that of all rows to begin with
FLOAT32_ROUNDING = 1e-7  # added to a diagonal of 1, so that rounding in float32 leaves it positive definite
LEAST_SCALE = 1e-6  # of the largest column scale: a column of a lower one is treated as if it had this much
LEAST_DAMPING = 1e-10  # of the largest damping so far: below it the gradient's rounding would set the direction
SEED_LASTS = 30  # steps: then a seed from a sample is computed again at the point reached
MEMORY = 30  # pairs of steps and gradient differences; L-BFGS gains little from more (Nocedal and Wright, 7.2)


@dataclass(frozen=True)
class PseudoInverse:
    """The inverse of a Hessian on the directions that curve.

    matrix: the inverse, 0 along directions without curvature.
    flat: those directions, as columns, of parameters that are multiplied by ``scales``.
    scales: the roots of the Hessian's diagonal; 1 where it is not above 0.
    unscaled: the parameters whose diagonal is not above 0.
    """

    matrix: Floats
    flat: Floats
    scales: Floats
    unscaled: NDArray[np.bool_]

    def __call__(self, g: Floats) -> Floats:
        """Return the inverse times ``g``."""
        return np.asarray(self.matrix @ g)

    def misses(self, g: Floats, value: float) -> bool:
        """Tell whether the gradient ``g`` has a part along directions without curvature that is above rounding.

        The squared length of that part, in scaled parameters, is compared with the rounding of the loss ``value``.
        """
        if g[self.unscaled].any():
            return True
        left = self.flat.T @ (g / self.scales)
        return bool(left @ left > 2 * EPSILON * abs(value))


def pseudo_inverse(matrix: Floats, *, convex: bool = True) -> PseudoInverse:
    """Return the pseudo-inverse of a Hessian, whose rank is decided after scaling it to a diagonal of 1.

    Eigenvalues up to rounding (their number times the machine epsilon, as in ``numpy.linalg.matrix_rank``) are 0.
    convex: negative eigenvalues are rounding, and so 0; else their absolute values are taken, so that a step along them
    goes down. A matrix that is not finite gives one that is not a number: no step is right.
    """
    if not np.isfinite(matrix).all():
        return PseudoInverse(
            np.full_like(matrix, np.nan), matrix[:, :0], np.ones(len(matrix)), np.zeros(len(matrix), dtype=bool)
        )
    diagonal = np.diag(matrix) if convex else np.abs(np.diag(matrix))
    unscaled = diagonal <= 0
    scales = np.sqrt(np.where(unscaled, 1.0, diagonal))
    values, vectors = np.linalg.eigh(matrix / np.outer(scales, scales))
    values = values if convex else np.abs(values)
    curved = values > values.size * EPSILON * values.max(initial=0.0)
    found = (vectors[:, curved] / values[curved]) @ vectors[:, curved].T
    return PseudoInverse(found / np.outer(scales, scales), vectors[:, ~curved], scales, unscaled)


def float32_inverse(hessian: Floats) -> Floats:
    """Return an inverse in float32, of a Hessian that is scaled to a diagonal of 1 and slightly damped."""
    scales = np.sqrt(np.maximum(np.diag(hessian), 0))
    scales = np.maximum(scales, LEAST_SCALE * scales.max()) if scales.any() else np.ones_like(scales)
    unit = hessian / np.outer(scales, scales)
    unit[np.diag_indices_from(unit)] += FLOAT32_ROUNDING
    return np.asarray(np.linalg.inv(unit) / np.outer(scales, scales), dtype=np.float32)


def penalty_and_gradient(objective: RowsLoss, w: Floats) -> tuple[float, Floats]:
    """Return the penalty's part of the loss at ``w`` and of its gradient."""
    W = w.reshape(objective.shape)
    return objective.penalty.value(W), objective.penalty.gradient(W).ravel()


@dataclass
class Metric:
    """The metric of the rows, M = X'X / rows; of a column of zeros it is the penalty's second derivative.

    ``steepest`` is the largest squared gradient over the loss that was damped by so far.
    """

    matrix: Floats
    steepest: float = 0.0

    @classmethod
    def of(cls, objective: OverRows) -> Metric:
        """Read the rows."""
        matrix = objective.moments()[0] * objective.share
        empty = np.diag(matrix) == 0
        return cls(matrix + np.diag(np.where(empty, objective.penalty.curvatures, 0.0)))

    def __post_init__(self) -> None:
        self._inverse = pseudo_inverse(self.matrix).matrix

    def damped_inverse(self, objective: OverRows, hessian: Floats, point: Point) -> Floats:
        """Return (H + mu M)^-1; the Hessian may be that of several outputs, of which each has the metric M."""
        own, pull = penalty_and_gradient(objective, point.w)
        slope = self._length(point.gradient - pull)
        loss = max(point.value - own, EPSILON * point.value)
        damping = slope * self._length(point.gradient) / loss if loss > 0 else 0.0
        self.steepest = max(self.steepest, slope**2 / loss if loss > 0 else 0.0)
        outputs = len(hessian) // len(self.matrix)
        matrix = np.kron(self.matrix, np.eye(outputs)) if outputs > 1 else self.matrix
        return pseudo_inverse(hessian + (damping + LEAST_DAMPING * self.steepest) * matrix, convex=False).matrix

    def _length(self, g: Floats) -> float:
        """Return the length of a gradient in the dual metric, (g'M^-1 g)^(1/2)."""
        G = g.reshape(len(self.matrix), -1)
        return float(np.sqrt(max((G * (self._inverse @ G)).sum(), 0.0)))


@dataclass
class Direction:
    """The current inverse Hessian: a seed, the L-BFGS pairs since it was computed, and the metric where it is damped.

    ``age`` counts the steps since the seed was computed.
    """

    seed: Callable[[Floats], Floats] | None = None
    metric: Metric | None = None
    pairs: list[tuple[Floats, Floats, float]] = field(default_factory=list)
    age: int = 0

    @property
    def fresh(self) -> bool:
        """Whether the seed was computed at the current point."""
        return self.age == 0

    @property
    def old(self) -> bool:
        """Whether a seed from a sample is due to be computed again."""
        return self.age > SEED_LASTS

    @property
    def undistorted(self) -> bool:
        """Whether the decrement can be believed: damping at an earlier point makes it too small."""
        return self.metric is None or self.fresh

    def reset(self) -> None:
        """Drop the seed and the pairs, so that the next ``refresh`` computes a seed."""
        self.seed = None
        self.pairs.clear()

    def start_damping(self, objective: OverRows) -> bool:
        """Damp from here on, in the rows' metric; False where that is done already."""
        if self.metric is not None:
            return False
        self.metric = Metric.of(objective)
        self.reset()
        return True

    def refresh(self, objective: OverRows, point: Point) -> None:
        """Compute the seed at a point, where there is none or a reading gives the Hessian at no cost.

        A Hessian that has no curvature along a part of the gradient is damped.
        """
        if self.seed is not None and objective.resident is None:
            return
        self.pairs.clear()
        self.age = 0
        if not hessian_is_small(*objective.shape):
            self.seed = self._sampled_seed(objective, point)
            return
        hessian = objective.hessian(point.w)
        if self.metric is None:
            found = pseudo_inverse(hessian)
            self.seed = found
            if not found.misses(point.gradient, point.value):
                return
            self.start_damping(objective)
        assert self.metric is not None
        matrix = self.metric.damped_inverse(objective, hessian, point)
        self.seed = lambda g: np.asarray(matrix @ g)

    def _sampled_seed(self, objective: OverRows, point: Point) -> Callable[[Floats], Floats]:
        """Return the seed that takes the same inverse for each output: of their mean Hessian on a sample of rows."""
        columns, outputs = objective.shape
        every = objective.rows // (ROWS_FOR_A_SEED * columns)
        hessian = (objective.sampled(every, seed=1) if every > 1 else objective).mean_hessian(point.w)
        if not hessian.any():
            self.start_damping(objective)
        if self.metric is None:
            matrix = float32_inverse(hessian)
        else:
            matrix = self.metric.damped_inverse(objective, hessian, point)

        def times(g: Floats) -> Floats:
            return np.asarray(matrix @ g.reshape(columns, outputs).astype(matrix.dtype), dtype=np.float64).ravel()

        return times

    def step(self, g: Floats) -> Floats:
        """Return minus the inverse Hessian times ``g`` (Nocedal 1980, the two-loop recursion)."""
        assert self.seed is not None
        q = g.copy()
        shares = []
        for s, y, curve in reversed(self.pairs):
            shares.append(float(s @ q) / curve)
            q -= shares[-1] * y
        q = self.seed(q)
        for (s, y, curve), share in zip(self.pairs, reversed(shares), strict=True):
            q += (share - float(y @ q) / curve) * s
        return -q

    def update(self, s: Floats, y: Floats) -> None:
        """Add the pair of a step ``s`` and the difference ``y`` of the gradients, where s'y is above rounding."""
        self.age += 1
        curve = float(s @ y)
        if curve > EPSILON * float(np.linalg.norm(s) * np.linalg.norm(y)):
            self.pairs.append((s, y, curve))
            del self.pairs[:-MEMORY]
