"""What a learning rate does, computed from the curvature of the loss before the first step.

For squared error it is exact: the offset along each eigenvector of the Hessian is multiplied by a factor of its own in
every epoch. For other smooth losses a rate below 2 / L, with L the largest possible curvature, is sure to descend
(Nesterov 2004, section 2.1.5). Where nothing is known, the forecast says why.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from descend.objectives.quadratic import GramObjective
from descend.solvers.closed_form import ClosedFormRun
from descend.solvers.dispatch import optimizer_of
from descend.solvers.effort import LARGEST_HESSIAN, minutes, sums_at_once
from descend.solvers.rates import EDGE, SHARES, Rates, condition_of, largest_stable_rate, rates_of, reach_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.base.typing import Floats
    from descend.objectives.objective import OverRows
    from descend.solvers.optimizers import SGD
    from descend.solvers.recipe import Recipe

Verdict = Literal["converges", "oscillates", "stalls", "diverges"]
Prospect = Literal["descends", "stalls", "no-promise"]
STALLED = 0.5  # of the start's excess loss: a run that leaves more than half of it has stalled
HARDLY = 0.01  # of the start's loss: a bound of the fall below one per cent means that the run stalls
WORTH = 0.05  # minutes: what rates may cost a run that has no forecast of its epochs
LOADED = 0.3  # of an eigenvector's largest share: a column with less is not named
LOWER = 0.99  # of a rate: one below this share of it is told beside it
NAMED = 4  # columns of a direction at most: more do not fit into a sentence
LARGEST = {"float32": float(np.finfo(np.float32).max), "float64": float(np.finfo(np.float64).max)}


@dataclass(frozen=True)
class Outlook:
    """What one learning rate does on squared error, exactly.

    ``reach`` maps shares of the start's excess loss to the first epoch with at most that share, None for never (and for
    a run that diverges); ``left`` is the share after ``epochs``; ``overflow`` maps each dtype to the epoch at which the
    loss is inf. ``columns`` are the main ones of the slowest or diverging direction, and ``factor`` is what each epoch
    multiplies its offset by.
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
    """What is known of a smooth loss that is not quadratic.

    ``sure`` is 2 over its largest possible curvature: a lower rate descends. ``local`` is 2 over the largest curvature
    at the start, which is a hint and no bound. ``prospect`` says whether the rate ``lr`` is sure to descend, and
    ``fall`` is an upper bound of the fall of the loss in ``epochs``.
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

    ``curvatures`` are the Hessian's eigenvalues, smallest first, and ``condition`` is the largest over the smallest
    above 0; ``raw_condition`` is that of the columns before they are standardised. ``local`` is the largest rate
    that is stable by the curvature where a run of an equation starts, and ``lasting`` the one that is stable on a way
    from there to a minimum, both beside the ``rate`` that was asked for; they change as the parameters move. ``reason``
    is the code of the sentence that says why nothing more is known, None where more is. ``asked`` says whether the
    recipe asks for a run of epochs, which will be as forecast.
    """

    curvatures: Floats = field(default_factory=lambda: np.empty(0))
    raw_condition: float | None = None
    rates: list[Rates] = field(default_factory=list)
    outlook: Outlook | None = None
    bound: Bound | None = None
    batch_size: int | None = None
    batch_sure: float | None = None
    local: float | None = None
    lasting: float | None = None
    rate: float | None = None
    reason: str | None = None
    asked: bool = True

    @property
    def condition(self) -> float:
        """The largest curvature over the smallest that is not 0; 1 where there is none."""
        return condition_of(self.curvatures)

    @property
    def risky(self) -> bool:
        """Whether the rate that is asked for may diverge on a way from an equation's start to a minimum."""
        return self.rate is not None and self.lasting is not None and self.rate >= self.lasting

    @property
    def hopeless(self) -> bool:
        """Whether the run that is asked for is certain to diverge or to stall."""
        if not self.asked:
            return False
        if self.outlook is not None:
            return self.outlook.verdict in ("diverges", "stalls")
        return self.bound is not None and self.bound.prospect == "stalls"


def foretell(
    objective: OverRows, start: Floats, recipe: Recipe, quadratic: GramObjective | None, names: list[str]
) -> Forecast:
    """Return the forecast of a recipe's run from ``start`` (flat); ``quadratic``: its Gram engine, if there is one."""
    reason, size, asked = _reason(recipe), recipe.batch_size, recipe.iterates
    batch_sure = None
    if size is not None:
        steepest = objective.batch_curvature_limit(size)
        batch_sure = 2 / steepest if steepest else None
    if not objective.loss.quadratic:
        return _bounded(objective, start, recipe, reason, batch_sure)
    if quadratic is None:
        sums = sums_at_once(objective.rows, *objective.shape, objective.loss, optimum=False)
        if reason is not None and minutes(sums) > WORTH:  # the run itself does without the eigenvalues
            return Forecast(reason=reason, batch_size=size, batch_sure=batch_sure, asked=asked)
        quadratic = GramObjective.of(objective, start)
    made = Forecast(quadratic.curvatures, reason=reason, batch_size=size, batch_sure=batch_sure, asked=asked)
    if not quadratic.trustworthy:
        return replace(made, reason="forecast.uneven")
    made = replace(made, rates=rates_of(quadratic, start))
    if reason is not None:
        return made
    sgd = replace(recipe, optimizer="sgd") if recipe.method == "auto" else recipe
    optimizer = optimizer_of(objective, quadratic, sgd).recurrence
    assert optimizer is not None
    return replace(made, outlook=foresee(quadratic, start, optimizer, recipe.length, names))


def local_forecast(first: float, steepest: float, recipe: Recipe) -> Forecast:
    """Return what an equation's curvature says of rates: ``first`` where the run starts, ``steepest`` on a way down."""
    decay = recipe.weight_decay or 0.0
    if not recipe.recurs or not (0 < first + decay < np.inf and 0 < steepest + decay < np.inf):
        return Forecast(reason="forecast.curve", batch_size=recipe.batch_size)
    here, lasting = (
        largest_stable_rate(curvature + decay, recipe.momentum, recipe.nesterov) for curvature in (first, steepest)
    )
    made = Forecast(local=here, lasting=lasting, rate=recipe.rate, batch_size=recipe.batch_size)
    if recipe.rate is not None:
        return replace(made, reason=f"forecast.curve-{'beyond' if made.risky else 'descends'}")
    return replace(made, reason=f"forecast.curve-{'local' if lasting < LOWER * here else 'start'}")


def foresee(objective: GramObjective, start: Floats, optimizer: SGD, epochs: int, names: Sequence[str]) -> Outlook:
    """Return what ``epochs`` epochs of full-batch SGD from ``start`` do; ``names`` are those of the columns."""
    path = ClosedFormRun(objective, start, optimizer)
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
        reach = {share: reach_of(path, share) for share in SHARES}
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

    While lr <= 2 / L the gradient does not grow, and by convexity an epoch lowers the loss by at most lr |g|^2. So
    ``epochs`` epochs lower it by at most ``epochs`` lr |g|^2, with g the gradient at the start.
    """
    limit = objective.curvature_limit()
    if limit is None or not np.isfinite(limit):
        return None
    sure = 2 / limit if limit > 0 else float("inf")
    local = None
    if start.size <= LARGEST_HESSIAN:
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


def _swings(curvatures: Floats, optimizer: SGD) -> bool:
    """Tell whether some direction oscillates: a root of its recurrence is negative or not real."""
    b, q = optimizer.momentum, 1 - optimizer.lr * curvatures
    if not b:
        return bool((q < -EDGE).any())
    middle = (1 + b) * q if optimizer.nesterov else b + q
    product = b * q if optimizer.nesterov else np.full_like(q, b)
    return bool(((middle < -EDGE) | (middle**2 < 4 * product * (1 - EDGE))).any())


def _columns(objective: GramObjective, direction: int, names: Sequence[str]) -> list[str]:
    """Return the columns with the largest shares of an eigenvector, the largest first."""
    size = np.abs(objective.directions[:, direction])
    order = np.argsort(-size, kind="stable")
    return [names[index] for index in order[:NAMED] if size[index] >= LOADED * size.max()]


def _bounded(
    objective: OverRows, start: Floats, recipe: Recipe, reason: str | None, batch_sure: float | None
) -> Forecast:
    """Return the forecast for a loss that is not quadratic: a bound for plain steps over all rows, or none."""
    made = Forecast(batch_size=recipe.batch_size, batch_sure=batch_sure, reason=reason, asked=recipe.iterates)
    if objective.loss.curvature_limit is None:
        return replace(made, reason="forecast.no-bound")
    if reason not in (None, "forecast.schedule"):
        return made
    if recipe.momentum:
        return replace(made, reason="forecast.with-momentum")
    lr = optimizer_of(objective, None, recipe).lr if recipe.recurs and reason is None else None
    return replace(made, bound=bound_of(objective, start, lr, recipe.length))


def _reason(recipe: Recipe) -> str | None:
    """Return why the epochs of a recipe's run cannot be foretold, None where they can."""
    unforetold = None if recipe.method == "auto" else recipe.make_optimizer(1.0).unforetold
    if unforetold is not None:
        return unforetold
    if recipe.batch_size is not None:
        return "forecast.batches"
    return None if recipe.make_schedule().constant else "forecast.schedule"
