"""Learning rates of SGD from the curvatures of a quadratic: the largest stable rate and the best one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from descend.solvers.closed_form import ClosedFormRun, shrinking
from descend.solvers.optimizers import SGD

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.objectives.curve_loss import CurveLoss
    from descend.objectives.quadratic import GramObjective

SHARES = (1e-2, 1e-4, 1e-6)  # of the start's excess loss: what a forecast gives the epochs to
EDGE = 1e-9  # of a factor of 1: nearer than this, a direction neither converges nor diverges


@dataclass(frozen=True)
class Rates:
    """A kind of SGD: the largest stable rate and the best one, each with ``momentum``.

    ``factor`` is the factor by which an epoch at the best rate multiplies the slowest offset, in the limit, and
    ``epochs`` the number of epochs after which a millionth of the start's excess loss is left; None for never.
    """

    kind: Literal["sgd", "momentum", "nesterov"]
    momentum: float
    stable: float
    best: float
    factor: float
    epochs: int | None


def local_curvature(objective: CurveLoss, w: Floats) -> float:
    """Return the largest curvature of an equation's loss at ``w``; nan where it is not defined."""
    curvature = objective.gauss_newton(w)[2]
    return float(np.linalg.eigvalsh(curvature)[-1]) if np.isfinite(curvature).all() else float("nan")


def condition_of(curvatures: Floats) -> float:
    """Return the condition number: the largest curvature over the smallest that is not 0; 1 where all are 0."""
    counting = curvatures[curvatures > 0]
    return float(counting[-1] / counting[0]) if counting.size else 1.0


def largest_stable_rate(curvature: float, momentum: float = 0.0, nesterov: bool = False) -> float:
    """Return the learning rate above which SGD grows along a direction of that curvature.

    Plain 2 / l, heavy ball 2 (1 + b) / l (Polyak 1964); Nesterov's form as PyTorch has it 2 (1 + b) / ((1 + 2 b) l),
    where z^2 - (1 + b)(1 - lr l) z + b (1 - lr l) has a root at -1.
    """
    if curvature <= 0:
        return float("inf")
    rate = 2 * (1 + momentum) / curvature
    return rate / (1 + 2 * momentum) if nesterov else rate


def best_rate(curvatures: Floats, momentum: float = 0.0, nesterov: bool = False) -> float:
    """Return the rate that shrinks the slowest direction fastest; 1 where no direction changes the loss.

    2 (1 + b) / (l_max + l_min): the roots for lr l and 2 (1 + b) - lr l are as large (Polyak 1964 for b = 0). In
    Nesterov's form the rate at which the flattest and the steepest direction shrink alike, by bisection.
    """
    counting = curvatures[curvatures > 0]
    if not counting.size:
        return 1.0
    flattest, steepest = float(counting[0]), float(counting[-1])
    if not nesterov:
        return 2 * (1 + momentum) / (flattest + steepest)
    low, high = 1 / steepest, largest_stable_rate(steepest, momentum, nesterov)
    for _ in range(100):
        middle = (low + high) / 2
        slow, steep = shrinking(np.array([flattest, steepest]), SGD(middle, momentum, nesterov))
        low, high = (middle, high) if slow > steep else (low, middle)
    return low


def best_momentum(curvatures: Floats, nesterov: bool = False) -> float:
    """Return the momentum that, with its best rate, shrinks the slowest direction fastest.

    ((sqrt k - 1) / (sqrt k + 1))^2 for condition number k (Polyak 1964); (sqrt(3 k + 1) - 2) / (sqrt(3 k + 1) + 2) in
    Nesterov's form (Lessard, Recht and Packard 2016, proposition 1).
    """
    condition = condition_of(curvatures)
    if condition < 1 + EDGE:
        return 0.0
    if nesterov:
        root = np.sqrt(3 * condition + 1)
        return float((root - 2) / (root + 2))
    root = np.sqrt(condition)
    return float(((root - 1) / (root + 1)) ** 2)


def rates_of(objective: GramObjective, start: Floats) -> list[Rates]:
    """Return the rates of plain SGD, heavy ball and Nesterov's form, the last two with their best momentum."""
    counting = objective.curvatures[objective.curvatures > 0]
    made = []
    for kind in ("sgd", "momentum", "nesterov"):
        nesterov = kind == "nesterov"
        momentum = 0.0 if kind == "sgd" else best_momentum(counting, nesterov)
        nesterov = nesterov and momentum > 0
        best = best_rate(counting, momentum, nesterov)
        optimizer = SGD(best, momentum, nesterov)
        stable = largest_stable_rate(objective.curvature_limit(), momentum, nesterov)
        factor = float(shrinking(counting, optimizer).max(initial=0.0))
        epochs = reach_of(ClosedFormRun(objective, start, optimizer), SHARES[-1]) if factor < 1 else None
        made.append(Rates(kind, momentum, stable, best, factor, epochs))
    return made


def reach_of(path: ClosedFormRun, share: float) -> int | None:
    """Return the first epoch whose excess loss is at most ``share`` of the start's; None: there is none."""
    return path.first(share * path.excess(0))
