"""A race: everyone climbs a ladder of settings to the target, then all repeat their deciding run in turn."""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from statistics import median
from time import perf_counter, sleep
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.clock import PAUSE, TimeUp, in_turn, within
from benchmarks.contest import Contestant, Race, Rung, Standing
from benchmarks.memory import beyond_the_data
from benchmarks.referee import judge

if TYPE_CHECKING:
    from collections.abc import Callable

FAST = 5.0
QUICKEST = 0.5
REPEATS = 3
REFINEMENTS = 2
BEYOND = 0.1


@dataclass(frozen=True)
class Caps:
    """Seconds for one rung and for all of a contestant's rungs."""

    rung: float = 60.0
    contestant: float = 120.0


def run(race: Race, small: Race, caps: Caps, divisor: int) -> tuple[list[Standing], list[str]]:
    """Return how everyone fared, descend first, and who is not installed; the ``small`` race is for warming up."""
    missing = [each.name for each in race.contestants if find_spec(each.needs) is None]
    present = [each for each in race.contestants if each.name not in missing]
    say("  the referee seeks the least loss")
    excess = judge(race.objective)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for each in small.contestants:
            if each.name not in missing:
                warm_up(each)
        standings = [climb(each, excess, race.target, caps) for each in present]
        settle(standings, race.target)
        repeat(standings)
    for standing in standings:
        if standing.deciding and standing.deciding.seconds < FAST:
            setting = standing.deciding.setting
            standing.memory = beyond_the_data(race.name, standing.contestant.name, setting, divisor)
    return standings, missing


def warm_up(contestant: Contestant) -> None:
    """Run a contestant once, for its imports and threads; what fails here will fail in the race."""
    with suppress(Exception):
        contestant.run(contestant.rungs[0])


def climb(contestant: Contestant, excess: Callable[[np.ndarray], float], target: float, caps: Caps) -> Standing:
    """Take the rungs from loose to tight until well under the target or out of time."""
    standing = Standing(contestant)
    before: np.ndarray | None = None
    try:
        for setting in contestant.rungs:
            if standing.waited + expected(standing, setting) > caps.contestant:
                standing.end = "cap"
                break
            weights = take(standing, setting, excess, caps)
            if standing.rungs[-1].excess <= BEYOND * target:
                standing.end = "reached"
                break
            if contestant.sets == "max_iter" and before is not None and np.array_equal(before, weights):
                break
            before = weights
        refine(standing, excess, target, caps)
    except TimeUp:
        standing.end = "cap"
        standing.longest = max(standing.longest, caps.rung)
    except Exception as error:  # a peer may fail in any way: the table says so
        standing.end = f"failed: {type(error).__name__}"
        say(f"  {contestant.name}: {error}")
    standing.end = standing.end or "stopped"
    say(f"  {contestant.name}: {standing.end}, excess {standing.nearest:.1e}")
    for rung in standing.rungs:
        say(f"    {rung.setting:g}: {rung.seconds:.3f} s, {rung.excess:.1e}")
    return standing


def take(standing: Standing, setting: float, excess: Callable[[np.ndarray], float], caps: Caps) -> np.ndarray:
    """Run one setting, the quickest three times; write down what it came to and return its weights."""
    times: list[float] = []
    while not times or (times[0] < QUICKEST and len(times) < 3):
        sleep(PAUSE)
        started = perf_counter()
        try:
            with within(caps.rung):
                weights = standing.contestant.run(setting)
        finally:
            times.append(perf_counter() - started)
            standing.waited += times[-1]
            standing.longest = max(standing.longest, times[-1])
    standing.rungs.append(Rung(setting, median(times), excess(weights)))
    return weights


def expected(standing: Standing, setting: float) -> float:
    """Return the seconds that a rung should take: along the line through the last two, where iterations are set."""
    if not standing.rungs:
        return 0.0
    last = standing.rungs[-1]
    if len(standing.rungs) == 1 or standing.contestant.sets != "max_iter":
        return last.seconds
    earlier = standing.rungs[-2]
    slope = max(last.seconds - earlier.seconds, 0.0) / (last.setting - earlier.setting)
    return last.seconds + slope * (setting - last.setting)


def refine(standing: Standing, excess: Callable[[np.ndarray], float], target: float, caps: Caps) -> None:
    """Halve the way between the last rung above the target and the first under it, so that nobody does too much."""
    whole = standing.contestant.sets == "max_iter"
    for _ in range(REFINEMENTS):
        under = next((index for index, rung in enumerate(standing.rungs) if rung.excess <= target), 0)
        if not under:
            return
        loose, tight = standing.rungs[under - 1], standing.rungs[under]
        middle = (loose.setting * tight.setting) ** 0.5
        middle = float(round(middle)) if whole else middle
        if middle in (loose.setting, tight.setting) or standing.waited + tight.seconds > caps.contestant:
            return
        take(standing, middle, excess, caps)
        standing.rungs.insert(under, standing.rungs.pop())


def settle(standings: list[Standing], target: float) -> None:
    """Count every excess from the least loss found by anyone, then name the first rung that reaches the target."""
    lowest = min((standing.nearest for standing in standings if standing.rungs), default=0.0)
    for standing in standings:
        if lowest < 0:
            standing.rungs = [replace(rung, excess=rung.excess - lowest) for rung in standing.rungs]
        standing.deciding = next((rung for rung in standing.rungs if rung.excess <= target), None)


def repeat(standings: list[Standing]) -> None:
    """Time the deciding runs: the median of some for the fast, the one there is for the slow."""
    deciding = [(standing, standing.deciding) for standing in standings if standing.deciding]
    fast = [(standing, rung) for standing, rung in deciding if rung.seconds < FAST]
    for standing, rung in deciding:
        standing.seconds, standing.runs = rung.seconds, 1
    medians = in_turn([timing(standing.contestant, rung.setting) for standing, rung in fast], REPEATS)
    for (standing, _), seconds in zip(fast, medians, strict=True):
        standing.seconds, standing.runs = seconds, REPEATS


def timing(contestant: Contestant, setting: float) -> Callable[[], float]:
    """Return what runs one setting and tells its seconds."""

    def timed() -> float:
        started = perf_counter()
        contestant.run(setting)
        return perf_counter() - started

    return timed


def say(line: str) -> None:
    """Tell how far it has come, beside the tables."""
    print(line, file=sys.stderr, flush=True)
