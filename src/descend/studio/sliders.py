"""The sliders of an equation's parameters: their ranges, and the pictures and the loss of values set by hand."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.formula.ast import Operation, Unknown
from descend.formula.separable import linear_in
from descend.formula.visitor import Visitor
from descend.studio.charts import equation_of, moment_by_hand
from descend.studio.short_numbers import significant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from descend.base.typing import Floats
    from descend.formula.ast import Apply, Expression, Hypothesis, Name
    from descend.studio.scene import Scene
    from descend.studio.view import View

MOST = 24  # parameters that have a slider
CHANGE = 2.0  # of the predictions, in spreads of the truth, from the middle of a slider to its end
PROBABILITY = 0.25  # of two classes the spread that stands for the truth's
DECADES = 1.0  # to either side of a logarithmic slider's middle
DOUBLINGS = 40  # of a step that is looked for
SMALLEST, LARGEST = 1e-150, 1e150  # of the ends of a slider: their products and widths are numbers too
HARDLY = 1e-12  # a share of a parameter that is its rounding


@dataclass(frozen=True)
class Slider:
    """A parameter's slider: from ``low`` to ``high``, over powers of ten where it is ``log``; ``held``: at a value."""

    name: str
    low: float
    high: float
    log: bool
    held: bool

    def told(self, value: float) -> dict[str, Any]:
        """Return the slider as the page draws it."""
        return {
            "name": self.name,
            "value": significant(value),
            "low": self.low,
            "high": self.high,
            "log": self.log,
            "held": self.held,
        }


class Sliders:
    """The sliders of the parameters of a scene's equation, and the values that they stand at.

    ``fit`` are the values at the end of the run. ``by_hand`` says whether a value was moved since the last epoch that
    was shown.
    """

    def __init__(self, scene: Scene, limits: Mapping[str, tuple[float, float]], held: Mapping[str, float]) -> None:
        self.scene, self.limits, self.held = scene, limits, held
        view = scene.view
        self.fit = values_at(view, view.end)
        self.values = dict(self.fit)
        self.by_hand = False
        self.sliders = [self._slider(name) for name in list(self.fit)[:MOST]]

    @property
    def more(self) -> int:
        """How many parameters have no slider: there are too many of them."""
        return len(self.fit) - len(self.sliders)

    @property
    def sampled(self) -> int | None:
        """Over how many rows the loss is, where these are not all of them."""
        view = self.scene.view
        return int((~view.rows.tested).sum()) if view.sampled else None

    @property
    def loss(self) -> float:
        """The loss of the values."""
        return self.loss_of(self.values)

    def loss_of(self, values: Mapping[str, float]) -> float:
        """Return the loss of some values over the fitted rows that are shown; not finite where it is not defined."""
        with np.errstate(all="ignore"):
            return float(self.scene.view.surface.value(self._weights(values).ravel()))

    def told(self) -> list[dict[str, Any]]:
        """Return the sliders as the page draws them."""
        return [slider.told(self.values[slider.name]) for slider in self.sliders]

    def at_epoch(self, scene: Scene, epoch: int) -> None:
        """Take the values that an epoch of a run of the same equation has."""
        self.scene, self.values, self.by_hand = scene, values_at(scene.view, epoch), False

    def stands_for(self, scene: Scene, limits: Mapping[str, tuple[float, float]], held: Mapping[str, float]) -> bool:
        """Tell whether the ranges are those of another scene too: one of the same rows and the same equation."""
        return self.scene.view.design is scene.view.design and (self.limits, self.held) == (limits, held)

    def move(self, name: str, value: float) -> bool:
        """Give a parameter another value, within its bounds; returns whether there is one of that name to move."""
        slider = next((one for one in self.sliders if one.name == name), None)
        if slider is None or slider.held:
            return False
        low, high = self.limits.get(name, (-np.inf, np.inf))
        self.values[name], self.by_hand = min(max(value, low), high), True
        if not slider.low <= self.values[name] <= slider.high:
            self.sliders[self.sliders.index(slider)] = self._slider(name)
        return True

    def moment(self) -> dict[str, Any]:
        """Return the data of the pictures for the values set by hand, which are of no epoch."""
        scene = self.scene
        return moment_by_hand(scene.view, scene.picture, scene.plane, self._weights(self.values), self.loss)

    def equation(self, lang: str) -> str:
        """Return the equation with the values."""
        return "\n".join(equation_of(self.scene.view, self._weights(self.values), lang))

    def start(self) -> dict[str, float]:
        """Return the values of the parameters that are not held, as a run begins with them."""
        return {name: value for name, value in self.values.items() if name not in self.held}

    def _weights(self, values: Mapping[str, float]) -> Floats:
        with np.errstate(all="ignore"):
            return self.scene.view.hypothesis.with_parameters(values).weights

    def _slider(self, name: str) -> Slider:
        """Return the slider of a parameter about its value."""
        value, view = self.values[name], self.scene.view
        low, high = self.limits.get(name, (-np.inf, np.inf))
        log = SMALLEST < abs(value) < LARGEST and name in scales_of(view.design.hypothesis)
        if not isfinite(value):
            low, high, log = -1.0, 1.0, False
        elif isfinite(low) and isfinite(high):
            log = log and (low > 0 or high < 0)
        elif log:
            ends = sorted([value * 10**-DECADES, value * 10**DECADES])
            low, high = max(low, ends[0]), min(high, ends[1])
        else:
            reach = self._reach(name)
            low, high = max(low, value - reach), min(high, value + reach)
        low, high = _rounded(low, high, log=log)
        return Slider(name, low, high, log=log and low * high > 0, held=name in self.held)

    def _reach(self, name: str) -> float:
        """Return how far a parameter moves until the predictions have moved by CHANGE spreads of the truth."""
        value = self.values[name]
        usual = abs(value) or 1.0
        if name in self.held:
            return usual
        view = self.scene.view
        with np.errstate(all="ignore"):
            before = view.predicted(self._weights(self.values), view.rows.X)
        classes = view.target.family.classes
        wanted = CHANGE * (PROBABILITY if classes else float(np.std(view.rows.truth)) or 1.0)

        def moved(step: float) -> float:
            with np.errstate(all="ignore"):
                there = view.predicted(self._weights({**self.values, name: value + step}), view.rows.X)
                by = float(np.sqrt(np.mean(np.square(there - before))))
            return by if isfinite(by) else np.inf

        step, least = usual, HARDLY * usual
        for _ in range(DOUBLINGS):
            if moved(step) < wanted:
                break
            step /= 2
        else:
            return usual
        for _ in range(DOUBLINGS):
            if moved(2 * step) >= wanted:
                return max(step, least)
            step *= 2
        return usual


def values_at(view: View, epoch: int) -> dict[str, float]:
    """Return the parameters of a run's equation by name after an epoch, in the units of the table."""
    hypothesis = view.hypothesis.at(view.weights(view.nearest(epoch)))
    with np.errstate(all="ignore"):
        found = {one.name: float(one.values) for one in hypothesis.parameters()}
    return {name: found[name] for name in view.design.hypothesis.parameters}


def scales_of(hypothesis: Hypothesis) -> set[str]:
    """Return the parameters of an equation that are scales: neither linear in it, nor added to something.

    Their sign is theirs, and their size is told by powers of ten: the rate of a decay, an exponent.
    """
    if hypothesis.curve is None:
        return set()
    added = {name for expression in hypothesis.curve.expressions for name in _Added().visit(expression)}
    return set(hypothesis.curve.parameters) - set(linear_in(hypothesis.curve)) - added


class _Added(Visitor[frozenset[str]]):
    """The parameters that are added to something, or from which something is subtracted."""

    def number(self, value: float) -> frozenset[str]:
        return frozenset()

    def column(self, name: Name) -> frozenset[str]:
        return frozenset()

    def unknown(self, unknown: Unknown) -> frozenset[str]:
        return frozenset()

    def applied(self, call: Apply) -> frozenset[str]:
        return self.visit(call.argument)

    def negated(self, operand: Expression) -> frozenset[str]:
        return self.visit(operand)

    def joined(self, operation: Operation, left: Expression, right: Expression) -> frozenset[str]:
        plain: Iterable[str] = ()
        if operation.operator in "+-":
            plain = [side.name for side in (left, right) if isinstance(side, Unknown)]
        return self.visit(left) | self.visit(right) | frozenset(plain)


def _rounded(low: float, high: float, *, log: bool) -> tuple[float, float]:
    """Return the ends of a slider with few digits, finite and apart."""
    low, high = max(low, -LARGEST), min(high, LARGEST)
    if log:
        low, high = float(f"{low:.3g}"), float(f"{high:.3g}")
    elif high - low > SMALLEST:
        unit = 10.0 ** (np.floor(np.log10(high - low)) - 2)
        low, high = (float(f"{np.round(end / unit) * unit:.12g}") for end in (low, high))
    if high - low > SMALLEST:
        return low, high
    middle = min(max(low, -LARGEST / 2), LARGEST / 2)
    apart = max(abs(middle), 1.0) / 2
    return middle - apart, middle + apart
