"""Minima of an equation's sum of squares from draws of its parameters, screened and refined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from descend.solvers._curve_descents import Descents
from descend.solvers._curve_draws import Draws

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.solvers._curve_batch import Batch
    from descend.solvers._levenberg import Box

    Random = np.random.Generator

DRAWS = 2000
FEW_PERIODS, MORE = 100, 4  # of a wave in the first round, and times as many in each later one
ROUNDS = 4  # at most
SURE = 40.0  # rows times the logarithm of a ratio of sums of squares: the best of many frequencies in noise has less
TINY = float(np.finfo(float).tiny)
REFINED = 30
ENOUGH = 3  # draws that led to the best end
BEAM = 8
UNCHANGED = 1e-7  # of the sum of squares: the curve is the same
SHORT, MIDDLE, LONG = 6, 10, 80  # steps of the first descents, of the better ones, of the best
ALIKE = 0.2  # decades: draws as near as that are one
SAME, ROUNDING = 1e-6, 1e-17  # of a sum of squares, and of that of the targets: ends that differ by less are one


@dataclass(frozen=True)
class Ends:
    """Where draws led: different ends, the least sum of squares first.

    origins: the nonlinear parameters of a draw that led to each, ends x parameters. nonlinear, linear: the parameters
    of the ends. losses: the sums of squares. reached: from how many of the ``refined`` draws each was reached. drawn:
    how many draws were screened.
    """

    origins: Floats
    nonlinear: Floats
    linear: Floats
    losses: Floats
    reached: NDArray[np.int64]
    refined: int
    drawn: int

    @classmethod
    def of(cls, descents: Descents, drawn: int) -> Ends:
        """Return where each descent led, as an end of its own."""
        ones = np.ones(len(descents), dtype=np.int64)
        return cls(descents.origins, descents.draws, descents.solved, descents.losses, ones, len(descents), drawn)


def search(batch: Batch, box: Box, random: Random, work: float, periods: float) -> Ends:
    """Draw the nonlinear parameters within their box, and go down from the best draws.

    More rounds of draws follow while few of them led to the least sum of squares, or while a wave is no better than the
    best of so many frequencies is by chance; each has higher frequencies. work: how many values of parts of the
    equation may be computed; the first round is always made. periods: the most periods of a wave that all rows of the
    table can show.
    """
    rounds: list[Ends] = []
    usual = np.inf
    while True:
        reach = FEW_PERIODS * MORE ** len(rounds)
        draws = Draws(batch, box, min(periods, reach))
        ends, loss = _round(batch, draws, random)
        rounds.append(ends)
        usual = min(usual, loss)
        found = merged_ends(rounds, ROUNDING * batch.total)
        further = bool(draws.waves) and periods > reach
        by_chance = further and batch.size * np.log(usual / max(found.losses.min(initial=usual), TINY)) < SURE
        enough = not batch.nonlinear or (found.reached[:1].sum() >= ENOUGH and not by_chance)
        next_work = (found.drawn + ends.drawn * (MORE if further else 1)) * batch.effort
        if enough or len(rounds) == ROUNDS or next_work > work:
            return found


def _round(batch: Batch, draws: Draws, random: Random) -> tuple[Ends, float]:
    """Return where a round of draws led, and the sum of squares that a usual draw has."""
    made = draws.of(round(DRAWS * draws.crowd), random)
    losses = batch.screened(made)
    finite = losses[np.isfinite(losses)]
    candidates, count, parts = made[_different(made, losses, 2 * REFINED)], len(made), blocks(batch)
    if len(parts) > 1:
        grown, more = _grown(batch, draws, parts, random)
        candidates, count = np.concatenate([grown, candidates]), count + more
    descents = Descents(batch, candidates, draws.box)
    descents.keep(_different(descents.draws, descents.losses, 3 * REFINED))
    for steps, kept in ((SHORT, 2 * REFINED), (MIDDLE, REFINED), (LONG, REFINED)):
        descents.run(steps)
        descents.keep(np.argsort(descents.losses, kind="stable")[:kept])
    descents.draws = _plain(batch, descents.draws, draws.roles.phases)
    descents.origins = _plain(batch, descents.origins, draws.roles.phases)
    return Ends.of(descents, count), float(np.median(finite)) if finite.size else np.inf


def blocks(batch: Batch) -> list[tuple[set[str], set[str]]]:
    """Return the parts of an equation that share no nonlinear parameter: the linear and the nonlinear names of each."""
    found: list[tuple[set[str], set[str]]] = []
    always = batch.without(batch.linear).names
    for name in batch.linear:
        alone = batch.without([other for other in batch.linear if other != name])
        linear, nonlinear = {name}, set(alone.nonlinear) - always
        for other in [each for each in found if each[1] & nonlinear]:
            linear, nonlinear = linear | other[0], nonlinear | other[1]
            found.remove(other)
        if nonlinear:
            found.append((linear, nonlinear))
    return found


def _grown(batch: Batch, draws: Draws, parts: list[tuple[set[str], set[str]]], random: Random) -> tuple[Floats, int]:
    """Return draws in which the parts of an equation were found one after another, each beside those before it.

    A beam search: at each depth every set of parts that is kept gets each part that it lacks.
    """
    width, count = len(batch.nonlinear), 0
    beam = [(frozenset[int](), np.full(width, np.nan))]
    for depth in range(len(parts)):
        found: list[tuple[float, frozenset[int], Floats]] = []
        for chosen, known in beam:
            for part in set(range(len(parts))) - chosen:
                now = chosen | {part}
                smaller = batch.without({name for place in set(range(len(parts))) - now for name in parts[place][0]})
                places = np.array([batch.nonlinear.index(name) for name in smaller.nonlinear])
                made = draws.of(DRAWS if not depth else DRAWS // 4, random)
                made = np.where(np.isfinite(known), known, made)[:, places]
                losses = smaller.screened(made)
                descents = Descents(smaller, made[_different(made, losses, BEAM)], draws.box.at(places))
                descents.run(SHORT)
                count += len(made)
                for loss, end in zip(descents.losses, descents.draws, strict=True):
                    full = np.full(width, np.nan)
                    full[places] = end
                    found.append((float(loss), now, full))
        found.sort(key=lambda each: each[0])
        kept: list[tuple[float, frozenset[int], Floats]] = []
        for one in found:
            if len(kept) < BEAM and all(abs(one[0] - other[0]) > 1e-3 * other[0] for other in kept):
                kept.append(one)
        beam = [(chosen, known) for _, chosen, known in kept]
    return np.array([known for _, known in beam]).reshape(len(beam), width), count


def _plain(batch: Batch, draws: Floats, phases: Collection[str]) -> Floats:
    """Return draws with parameters of positive sign, and phases within half a turn, where the curve stays the same."""
    made, losses = draws, batch.screened(draws)
    for place, name in enumerate(batch.nonlinear):
        changed = made.copy()
        turn = 2 * np.pi * np.round(made[:, place] / (2 * np.pi))
        changed[:, place] = made[:, place] - turn if name in phases else np.abs(made[:, place])
        with np.errstate(invalid="ignore"):
            same = np.abs(batch.screened(changed) - losses) <= UNCHANGED * losses + UNCHANGED**2 * batch.total
        made = np.where(same[:, None], changed, made)
    return made


def _different(draws: Floats, losses: Floats, count: int) -> NDArray[np.int64]:
    """Return the places of the best draws; of those that are alike in all parameters the best one."""
    order = np.argsort(losses, kind="stable")
    order = order[np.isfinite(losses[order])][: 20 * count]
    with np.errstate(divide="ignore"):
        cells = np.round(np.log10(np.abs(draws[order])) / ALIKE) * 10 + np.sign(draws[order])
    _, first = np.unique(np.nan_to_num(cells), axis=0, return_index=True)
    return np.asarray(order[np.sort(first)][:count])


def merged_ends(ends: list[Ends], least: float) -> Ends:
    """Return the different ends of several searches; sums of squares that differ by ``least`` are the same."""
    losses = np.concatenate([each.losses for each in ends])
    counts = np.concatenate([each.reached for each in ends])
    places: list[int] = []
    reached: list[int] = []
    for place in np.argsort(losses, kind="stable"):
        if places and losses[place] <= losses[places[-1]] * (1 + SAME) + least:
            reached[-1] += counts[place]
        elif np.isfinite(losses[place]):
            places.append(place)
            reached.append(counts[place])
    return Ends(
        np.concatenate([each.origins for each in ends])[places],
        np.concatenate([each.nonlinear for each in ends])[places],
        np.concatenate([each.linear for each in ends])[places],
        losses[places],
        np.array(reached, dtype=np.int64),
        sum(each.refined for each in ends),
        sum(each.drawn for each in ends),
    )
