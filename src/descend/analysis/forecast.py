"""What a learning rate will do, from the curvature of the loss, before the first step.

For squared error it is exact: every direction of the Hessian shrinks or grows by a factor of its own. For other smooth
losses a rate under 2 / L, with L the largest curvature that there can be, is sure to descend (Nesterov 2004, 2.1.5);
nothing is said where nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from descend.solvers.closed_form import Descent, shrinking
from descend.solvers.optimizers import SGD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from descend.objectives import OverRows
    from descend.objectives.quadratic import GramObjective

    Floats = NDArray[np.floating[Any]]

Verdict = Literal["converges", "oscillates", "stalls", "diverges"]
Prospect = Literal["descends", "stalls", "no-promise"]
SHARES = (1e-2, 1e-4, 1e-6)
STALLED = 0.5
HARDLY = 0.01
EDGE = 1e-9
LOADED = 0.3
NAMED = 4
WHOLE_HESSIAN = 600
LARGEST = {"float32": float(np.finfo(np.float32).max), "float64": float(np.finfo(np.float64).max)}


@dataclass(frozen=True)
class Rates:
    """A kind of SGD: the largest stable rate and the best one, each with ``momentum``.

    ``factor`` is what an epoch at the best rate leaves of an offset in the long run, and ``epochs`` how many leave a
    millionth of the excess loss of the start.
    """

    kind: Literal["sgd", "momentum", "nesterov"]
    momentum: float
    stable: float
    best: float
    factor: float
    epochs: int | None


@dataclass(frozen=True)
class Outlook:
    """What one learning rate will do on squared error, exactly.

    ``reach`` gives for shares of the start's excess loss the first epoch that is at or under them, None for never (and
    for a run that diverges in the end);
    ``left`` the share after ``epochs``; ``overflow`` for each dtype the epoch at which the loss is inf. ``columns`` are
    those of the direction that is slow, or that diverges, and ``factor`` what each epoch multiplies it by.
    """

    verdict: Verdict
    lr: float
    momentum: float
    nesterov: bool
    epochs: int
    reach: dict[float, int | None]
    left: float
    overflow: dict[str, int | None]
    columns: list[str]
    factor: float


@dataclass(frozen=True)
class Bound:
    """What is known of a loss that is not quadratic: rates under ``sure`` descend, by 2 over its largest curvature.

    ``local`` is 2 over the largest curvature at the start, a hint and no bound. Of a rate it is said whether it is sure
    to descend, and by how much the loss can fall at most in ``epochs`` (``fall``).
    """

    sure: float
    local: float | None
    lr: float | None = None
    prospect: Prospect | None = None
    epochs: int = 0
    fall: float | None = None
    loss: float = float("nan")


@dataclass(frozen=True)
class Forecast:
    """What is known before the first step.

    ``curvatures`` are the Hessian's eigenvalues, smallest first, and ``condition`` the largest over the smallest that
    counts; ``raw_condition`` the same for the columns before they are standardised. ``reason`` is the code of the
    sentence that says why nothing more is known, where it is not, and ``asked`` whether the run is one epoch by epoch,
    so that it will be as foretold.
    """

    curvatures: Floats = field(default_factory=lambda: np.empty(0))
    raw_condition: float | None = None
    rates: list[Rates] = field(default_factory=list)
    outlook: Outlook | None = None
    bound: Bound | None = None
    batch_size: int | None = None
    batch_sure: float | None = None
    reason: str | None = None
    asked: bool = True

    @property
    def condition(self) -> float:
        """The largest curvature over the smallest that is not 0; 1 where there is none."""
        return condition_of(self.curvatures)

    @property
    def hopeless(self) -> bool:
        """Whether the run as asked for cannot come to anything: it diverges or stalls, for certain."""
        if not self.asked:
            return False
        if self.outlook is not None:
            return self.outlook.verdict in ("diverges", "stalls")
        return self.bound is not None and self.bound.prospect == "stalls"


def condition_of(curvatures: Floats) -> float:
    """Return the largest over the smallest that is not 0."""
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
    """Return the rates of plain SGD, of momentum and of Nesterov's form, the last two with their best momentum."""
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
        epochs = _reach(Descent(objective, start, optimizer), SHARES[-1]) if factor < 1 else None
        made.append(Rates(kind, momentum, stable, best, factor, epochs))
    return made


def foresee(objective: GramObjective, start: Floats, optimizer: SGD, epochs: int, names: Sequence[str]) -> Outlook:
    """Return what ``epochs`` epochs of full-batch SGD from ``start`` will do; ``names`` are the columns'."""
    path = Descent(objective, start, optimizer)
    factors, first = path.factors, path.excess(0)
    stable = largest_stable_rate(objective.curvature_limit(), optimizer.momentum, optimizer.nesterov)
    worst = int(np.argmax(factors)) if factors.size else 0
    columns = _columns(objective, path.moving[worst], names) if factors.size else []
    over = not np.isfinite(first)  # the start itself overflows
    diverges = over or bool(factors.size and optimizer.lr >= stable and factors[worst] >= 1 - EDGE)
    last = path.excess(epochs)
    left = 0.0 if first == 0 else 1.0 if over else last / first
    overflow: dict[str, int | None] = dict.fromkeys(LARGEST)
    reach: dict[float, int | None] = dict.fromkeys(SHARES)
    if diverges:
        for dtype, largest in LARGEST.items():
            overflow[dtype] = path.first(largest / objective.elements - objective.least, above=True)
    else:
        reach = {share: _reach(path, share) for share in SHARES}
    verdict: Verdict = "converges"
    if diverges:
        verdict = "diverges"
    elif left > STALLED:
        verdict = "stalls"
    elif _swings(objective.curvatures[path.moving], optimizer):
        verdict = "oscillates"
    return Outlook(
        verdict,
        optimizer.lr,
        optimizer.momentum,
        optimizer.nesterov,
        epochs,
        reach,
        left,
        overflow,
        columns,
        float(factors[worst]) if factors.size else 0.0,
    )


def bound_of(objective: OverRows, start: Floats, lr: float | None, epochs: int) -> Bound | None:
    """Return what is known of a smooth convex loss, None where its curvature has no limit.

    While lr <= 2 / L the gradient never grows, and convexity holds each fall under lr |g|^2: so ``epochs`` epochs
    cannot lower the loss by more than ``epochs`` lr |g|^2 of the start.
    """
    limit = objective.curvature_limit()
    if limit is None or not np.isfinite(limit):
        return None
    sure = 2 / limit if limit > 0 else float("inf")
    local = None
    if start.size <= WHOLE_HESSIAN:
        steepest = float(np.linalg.eigvalsh(objective.hessian(start))[-1])
        local = 2 / steepest if steepest > 0 else None
    if lr is None:
        return Bound(sure, local)
    loss, gradient = objective.value_and_gradient(start)
    fall = epochs * lr * float(gradient @ gradient) if lr < sure else None
    prospect: Prospect = "descends" if lr < sure else "no-promise"
    if fall is not None and fall < HARDLY * loss:
        prospect = "stalls"
    return Bound(sure, local, lr, prospect, epochs, fall, loss)


def _reach(path: Descent, share: float) -> int | None:
    return path.first(share * path.excess(0))


def _swings(curvatures: Floats, optimizer: SGD) -> bool:
    """Tell whether some direction overshoots the minimum on the way to it: a root that is negative or not real."""
    b, q = optimizer.momentum, 1 - optimizer.lr * curvatures
    if not b:
        return bool((q < -EDGE).any())
    middle = (1 + b) * q if optimizer.nesterov else b + q
    product = b * q if optimizer.nesterov else np.full_like(q, b)
    return bool(((middle < -EDGE) | (middle**2 < 4 * product * (1 - EDGE))).any())


def _columns(objective: GramObjective, direction: int, names: Sequence[str]) -> list[str]:
    """Return the columns that an eigenvector is mostly made of, the largest share first."""
    size = np.abs(objective.directions[:, direction])
    order = np.argsort(-size, kind="stable")
    return [names[index] for index in order[:NAMED] if size[index] >= LOADED * size.max()]
