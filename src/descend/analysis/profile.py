"""Profile intervals of a curve's parameters: as far as the loss, least over all others, does not rise too much.

For squared error the rise is measured by F with 1 and rows - parameters degrees of freedom, whose root is t (Bates and
Watts 1988, chapter 6); for a likelihood by chi-squared, whose root is z (Venzon and Moolgavkar 1988). Where the curve
is bent an interval is not even on both sides, and it has no end where the rows allow any value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from descend.analysis.curve_inference import Tangents
from descend.solvers.curve_minimum import minimise_curve

if TYPE_CHECKING:
    from descend.analysis.inference import Inference
    from descend.base.typing import Floats
    from descend.objectives.curve import CurveObjective

NEAR = 1e-9  # of the rise: the end of an interval is known to more digits than are shown
CLOSE = 1e-12  # of the parameter: the same
STEPS = 200  # towards an end, at most
TOO_FAR = 1.5  # times the rise's root that is wanted: a shorter step is taken to it
SETTLED = 1e-6  # of the root that is wanted: a doubled distance that adds less goes nowhere
STILL = 3  # such steps in a row: there is no end
LOWER = 1e-9  # of the loss: a fall by more is another minimum


@dataclass(frozen=True)
class ProfileIntervals:
    """Intervals that hold each parameter with the probability ``level``.

    low, high: the ends (parameters,), infinite where there is none; a bound where the parameter stays in the interval
    up to it. lower: parameters whose loss is lower than that of the fit, which were met on the way; None for none.
    """

    names: tuple[str, ...]
    values: Floats
    low: Floats
    high: Floats
    level: float
    lower: Floats | None = None


def profile_curve(
    objective: CurveObjective,
    weights: Floats,
    inference: Inference,
    level: float = 0.95,
    bounds: tuple[Floats, Floats] | None = None,
) -> ProfileIntervals:
    """Return the profile intervals of a curve's parameters at their minimum (flat).

    bounds: the least and the greatest value of each parameter, infinite where there is none. Raises OptionError for a
    level that is none.
    """
    size = weights.size
    box = (np.full(size, -np.inf), np.full(size, np.inf)) if bounds is None else bounds
    search = _Search(objective, weights, inference, level, box)
    errors, units = inference.errors.ravel(), _units(objective, weights, inference)
    ends = np.array(
        [[search.end(place, sign, errors[place], units[place]) for sign in (-1, 1)] for place in range(size)]
    )
    lower = search.lowest if search.lowest_loss < search.least - LOWER * abs(search.least) else None
    return ProfileIntervals(objective.curve.parameters, weights, ends[:, 0], ends[:, 1], level, lower)


def _units(objective: CurveObjective, w: Floats, inference: Inference) -> Floats:
    """Return the rise of the loss that one standard error stands for, for each parameter.

    For squared error the residual variance; of several equations the parameter's own variance over that of errors of
    variance 1, which is the residual variance of the equations that it stands in. For a likelihood a half.
    """
    if inference.freedom is None:
        return np.full(w.size, 0.5 * objective.share)
    mean = float(inference.variances.mean())
    if objective.outputs == 1:
        return np.full(w.size, mean * objective.share)
    errors = inference.errors.ravel()
    known = ~np.isnan(errors)
    plain = np.square(Tangents.of(objective, w, known).root).sum(axis=1)
    units = np.full(w.size, mean)
    units[known] = np.square(errors[known]) / plain
    return units * objective.share


class _Held(NamedTuple):
    """A fit with a parameter held: the root of the loss's rise, how that grows, and where the others follow it to."""

    w: Floats
    root: float
    slope: float
    along: Floats


class _Search:
    """The loss as a function of one parameter, with the others re-fitted from a warm start."""

    def __init__(
        self, objective: CurveObjective, w: Floats, inference: Inference, level: float, box: tuple[Floats, Floats]
    ) -> None:
        self.objective, self.w, self.box, self.quantile = objective, w, box, inference.quantile(level)
        self.least, _, self.curvature = objective.gauss_newton(w)
        self.lowest, self.lowest_loss = w, self.least

    def end(self, place: int, sign: int, error: float, unit: float) -> float:
        """Return where a parameter's interval ends on one side."""
        limit = (self.box[1] if sign > 0 else self.box[0])[place]
        most = abs(limit - self.w[place])
        if not most > 0:
            return float(limit)
        if not error > 0:
            curvature = self.curvature[place, place]
            error = float(np.sqrt(2 * unit / curvature)) if curvature > 0 else max(abs(float(self.w[place])), 1.0)
        return float(self.w[place] + sign * self._reach(_Path(self, place, sign, unit), self.quantile * error, most))

    def _reach(self, path: _Path, step: float, most: float) -> float:
        """Return the distance at which the rise's root is the quantile, infinite where it stays below it.

        Newton's steps, each from the last fit, halved where the rise is more than a step can tell of: the curve is not
        defined there, or the fit went to another minimum.
        """
        at = before = 0.0
        still = 0
        for _ in range(STEPS):
            step = min(step, most - at)
            held = path.at(at + step)
            if not held.root <= TOO_FAR * self.quantile:
                step /= 2
                if abs(step) <= CLOSE * (at + path.middle):
                    break
                continue
            at += step
            still = still + 1 if held.root - before < SETTLED * self.quantile else 0
            if abs(held.root - self.quantile) <= NEAR * self.quantile:
                break
            if held.root < self.quantile and (at == most or still == STILL):
                return most
            newton = (self.quantile - held.root) / held.slope if held.slope > 0 else np.inf
            step, before = min(newton, 2 * abs(step)), held.root
        return at


class _Path:
    """The fits with one parameter held, ever farther from its estimate on one side."""

    def __init__(self, search: _Search, place: int, sign: int, unit: float) -> None:
        self.search, self.place, self.sign, self.unit = search, place, sign, unit
        self.middle = abs(float(search.w[place]))
        self.fits = {0.0: self._held(search.w)}

    def at(self, distance: float) -> _Held:
        """Return the fit at a distance from the estimate, made from the last one on the way there."""
        if distance not in self.fits:
            self.fits[distance] = self._fitted(distance)
        return self.fits[distance]

    def _fitted(self, distance: float) -> _Held:
        search, value = self.search, self.search.w[self.place] + self.sign * distance
        low, high = (bound.copy() for bound in search.box)
        low[self.place] = high[self.place] = value
        near = self.fits[max(at for at, held in self.fits.items() if at < distance and np.isfinite(held.root))]
        steps = [
            (value - near.w[self.place]) * direction for direction in (near.along, np.eye(search.w.size)[self.place])
        ]
        starts = [np.clip(near.w + step, low, high) for step in steps]
        values = [search.objective.value(start) for start in starts]
        if not np.isfinite(values).any():
            return near._replace(root=np.inf)
        history, _ = minimise_curve(search.objective, starts[int(np.nanargmin(values))], (low, high), budget=0.0)
        return self._held(history.weights)

    def _held(self, w: Floats) -> _Held:
        """Return what is known of a fit; the others follow along the tangent, as far as a bound does not stop them."""
        search, others = self.search, np.arange(w.size) != self.place
        loss, gradient, curvature = search.objective.gauss_newton(w)
        if loss < search.lowest_loss:
            search.lowest, search.lowest_loss = w, loss
        root = float(np.sqrt(max(loss - search.least, 0.0) / self.unit))
        slope = float(self.sign * gradient[self.place] / (2 * self.unit * root)) if root > 0 else 0.0
        lengths = np.sqrt(np.diag(curvature))
        lengths[~(lengths > 0)] = 1.0
        even = curvature / np.outer(lengths, lengths)
        along = np.ones_like(w)
        along[others] = -np.linalg.lstsq(even[np.ix_(others, others)], even[others, self.place], rcond=None)[0]
        return _Held(w, root, slope, along * lengths[self.place] / lengths)
