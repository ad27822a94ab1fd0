"""Values of an equation's nonlinear parameters drawn at random, by the part that each has in the equation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.formula.ast import Expression, unknowns_of
from descend.formula.evaluate import values_of
from descend.solvers._curve_magnitudes import Magnitudes, largest, smallest, spread
from descend.solvers._curve_roles import Roles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.solvers._curve_batch import Batch
    from descend.solvers._levenberg import Box

    Random = np.random.Generator

NEAR, FAR = 0.5, 2.0  # decades from a magnitude: the deviation of most draws, the most of the others
NEARBY = 0.7  # of the draws
NEGATIVE = 0.3
PLACED = 0.6  # of the draws of what is added to an expression: so that the sum is 0 in a row
EVEN = 0.6  # of the frequencies: evenly, the others by their logarithm
EXPONENTS = 3.0
DENSE, SPARSE = 4.0, 25.0  # times as many draws where there is a frequency; periods for as many again


class Draws:
    """The part of each nonlinear parameter in an equation over rows, and draws of them.

    A parameter is drawn about the magnitude that it has by the equation and the columns. One that is added to an
    expression is also drawn so that the sum is 0 in some row: the place of a peak, of a bend. A frequency or a period
    is drawn so that the rows hold from part of a period to as many as they can show, a phase from a whole turn, an
    exponent also evenly.

    periods: how many periods of a wave the rows can show at most.
    """

    def __init__(self, batch: Batch, box: Box, periods: float) -> None:
        self.batch, self.box, self.periods = batch, box, periods
        analyses = [Magnitudes(batch.columns, measure) for measure in (smallest, largest, spread)]
        self.sizes = [each.of(batch.expressions, batch.targets) for each in analyses]
        self.waves = {name: power for name, power in analyses[-1].waves.items() if name in batch.nonlinear}
        self.roles = Roles(batch.expressions)

    @property
    def crowd(self) -> float:
        """How many times as many draws it takes as without a frequency, of which each needs some."""
        return max(DENSE, self.periods / SPARSE) if self.waves else 1.0

    def of(self, count: int, random: Random) -> Floats:
        """Return ``count`` draws inside the bounds, draws x nonlinear parameters."""
        names = self.batch.nonlinear
        where, which = _even(count, random), random.integers(1, len(self.sizes), count)
        drawn = {name: self._drawn(name, where, which, random) for name in names}
        for name, zero in self.roles.places.items():
            if name in drawn and name not in self.roles.phases:
                found = self._at_rows(zero, drawn, random.integers(0, len(self.batch.targets), count))
                placed = np.isfinite(found) & (random.random(count) < PLACED)
                drawn[name] = np.where(placed, found, drawn[name])
        return self._inside(np.array([drawn[name] for name in names]).reshape(len(names), count).T, random)

    def _drawn(self, name: str, where: Floats, which: NDArray[np.int64], random: Random) -> Floats:
        """Return draws of a parameter that need no other one.

        where: how far from the least magnitudes of the columns to the greatest ones, the same for all parameters of a
        draw. which: what is the greatest, the largest value or the range.
        """
        count = len(where)
        if name in self.roles.phases:
            return np.pi * (2 * _even(count, random) - 1)
        sized = self._sized(name, where, which, random)
        one = self.sizes[-1].get(name)
        if name in self.waves and one is not None:
            most = 2 * np.pi * max(self.periods, 1.0)
            at, evenly = _even(count, random), random.random(count) < EVEN
            turns = np.where(evenly, 1 + at * (most - 1), most**at)
            return np.asarray(10.0**one * turns ** (1 / self.waves[name]))
        if name in self.roles.exponents:
            return np.where(random.random(count) < 0.5, EXPONENTS * (2 * _even(count, random) - 1), sized)
        return sized

    def _sized(self, name: str, where: Floats, which: NDArray[np.int64], random: Random) -> Floats:
        count = len(where)
        far = random.uniform(-FAR, FAR, count)
        if all(name in each for each in self.sizes):
            sizes = np.array([each[name] for each in self.sizes])
            power = sizes[0] + where * (sizes[which] - sizes[0])
            power += np.where(random.random(count) < NEARBY, random.normal(0, NEAR, count), far)
        else:
            scale = np.log10(max((largest(column) for column in self.batch.columns.values()), default=1.0) or 1.0)
            power = far + random.choice([0.0, scale, -scale], count)
        return np.asarray(10.0 ** np.clip(power, -300, 300) * np.where(random.random(count) < NEGATIVE, -1.0, 1.0))

    def _at_rows(self, expression: Expression, drawn: dict[str, Floats], rows: NDArray[np.int64]) -> Floats:
        """Return the values of an expression with other draws, each in a row of its own."""
        columns = {name: values[rows] for name, values in self.batch.columns.items()}
        ones = dict.fromkeys((unknown.name for unknown in unknowns_of(expression)), np.ones(len(rows)))
        return np.broadcast_to(values_of(expression, columns, {**ones, **drawn}), len(rows))

    def _inside(self, draws: Floats, random: Random) -> Floats:
        """Return draws with those beyond a bound drawn anew: evenly between two bounds, mirrored at one."""
        low, high = self.box
        both = np.isfinite(low) & np.isfinite(high)
        even = np.where(both, low, 0.0) + random.random(draws.shape) * np.where(both, high - low, 1.0)
        mirrored = np.where(draws < low, 2 * low - draws, 2 * high - draws)
        outside = (draws < low) | (draws > high)
        return np.where(outside, np.where(both, even, mirrored), draws)


def _even(count: int, random: Random) -> Floats:
    """Return numbers from 0 to 1 in random order, one in each of ``count`` equal intervals."""
    return np.asarray((random.permutation(count) + random.random(count)) / count)
