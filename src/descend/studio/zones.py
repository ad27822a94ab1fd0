"""The zones on the learning rate's slider: where descent is slow, stable, best, and where it diverges."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from descend.solvers.rates import best_rate, largest_stable_rate

if TYPE_CHECKING:
    from descend.analysis.forecast import Forecast
    from descend.objectives.quadratic import GramObjective
    from descend.solvers.recipe import Recipe

BELOW, ABOVE = 4.0, 1.0  # decades shown below and above the edge
WIDEST = (-6.0, 1.0)
BOUND = ("sure", "unsure")  # what is known below and above a bound
SLOW = 0.01  # as a share of the best rate: a hundred times as many epochs


@dataclass(frozen=True)
class Zones:
    """A slider over powers of ten from ``low`` to ``high``.

    ``edge`` is the rate above which the run diverges, or may diverge: ``kinds`` say what the rates below and above it
    are. ``best`` is the fastest rate; None where they are not known, and then ``reason`` is the code of the sentence
    that says why.
    """

    low: float = WIDEST[0]
    high: float = WIDEST[1]
    edge: float | None = None
    best: float | None = None
    kinds: tuple[str, str] = ("stable", "diverges")
    reason: str | None = None

    @property
    def sure(self) -> bool:
        """Whether the edge is a bound: what is below it is sure to descend."""
        return self.kinds == BOUND

    def told(self) -> dict[str, Any]:
        """Return the zones as the slider draws them: positions are shares of its length."""
        parts = []
        if self.edge is not None and math.isfinite(self.edge):
            edge = self.share(self.edge)
            slow = 0.0 if self.best is None else self.share(SLOW * self.best)
            below, above = self.kinds
            parts = [("slow", 0.0, slow), (below, slow, edge), (above, edge, 1.0)]
        return {
            "low": self.low,
            "high": self.high,
            "parts": [{"kind": kind, "from": a, "to": b} for kind, a, b in parts if b > a],
            "best": None if self.best is None else {"at": self.share(self.best), "rate": self.best},
            "edge": None if not parts or self.edge is None else {"at": self.share(self.edge), "rate": self.edge},
        }

    def share(self, rate: float) -> float:
        """Return the position of a rate, from 0 at the left to 1 at the right end."""
        if rate <= 0:
            return 0.0
        return min(max((math.log10(rate) - self.low) / (self.high - self.low), 0.0), 1.0)


def zones_of(quadratic: GramObjective, recipe: Recipe) -> Zones:
    """Return the zones of SGD on squared error: exact."""
    edge = largest_stable_rate(quadratic.curvature_limit(), recipe.momentum, recipe.nesterov)
    best = best_rate(quadratic.curvatures, recipe.momentum, recipe.nesterov)
    if not math.isfinite(edge):
        return Zones(best=best)
    return Zones(*_around(edge), edge=edge, best=best)


def zones_foretold(forecast: Forecast | None, recipe: Recipe) -> Zones:
    """Return the zones that a forecast gives: a bound, the safe rate of batches, or nothing."""
    if forecast is None:
        return Zones()
    if recipe.recurs and forecast.batch_sure is not None and recipe.batch_size is not None:
        return Zones(*_around(forecast.batch_sure), edge=forecast.batch_sure, kinds=BOUND)
    if recipe.recurs and forecast.bound is not None and math.isfinite(forecast.bound.sure):
        return Zones(*_around(forecast.bound.sure), edge=forecast.bound.sure, kinds=BOUND)
    if recipe.recurs and forecast.lasting is not None:
        return Zones(*_around(forecast.lasting), edge=forecast.lasting, kinds=("stable", "unsure"))
    if recipe.recurs and forecast.rates and recipe.make_schedule().constant:
        plain = forecast.rates[0]
        if math.isfinite(plain.stable):
            return Zones(*_around(plain.stable), edge=plain.stable, best=plain.best)
    return Zones(reason=forecast.reason)


def _around(edge: float) -> tuple[float, float]:
    """Return a range of powers of ten around an edge, rounded to twentieths of a decade."""
    middle = math.log10(edge)
    return math.floor(20 * (middle - BELOW)) / 20, math.ceil(20 * (middle + ABOVE)) / 20
