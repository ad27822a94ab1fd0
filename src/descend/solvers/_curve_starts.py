"""Where to start the fit of an equation for which no start is given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from descend.formula.ast import Apply, Expression
from descend.formula.functions import FUNCTIONS
from descend.formula.separable import linear_in
from descend.objectives.families import FAMILIES
from descend.solvers._curve_batch import Batch
from descend.solvers._curve_descents import Descents
from descend.solvers._curve_search import Ends, merged_ends, search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.curve import CurveObjective
    from descend.solvers._levenberg import Box

ROWS, MORE_ROWS = 200, 4000  # that draws are screened on, and that the best ends are compared on
PICKED = 20  # times as many rows are looked at to choose some that are spread over the columns
BEST = 8  # ends that are compared on more rows
LAST = 40  # steps there
FINER = 3.0  # times as many periods as of even steps, at most
TINY = float(np.finfo(float).tiny)
SPEED = 1e8  # values that are computed in a second, about: a budget of seconds is one of work
SHRUNK = 0.75  # a target's share of what stands for its mean where the mean's link is taken: 0 has no logarithm


@dataclass(frozen=True)
class DrawnStarts:
    """Starts that draws led to, the best first.

    objective: the loss over the rows of the search, which are all rows of a small table. starts: all parameters, starts
    x parameters. origins: those of a draw that led to each. losses: the loss of each start on the rows of the search.
    reached: from how many of the ``refined`` draws each was reached. drawn: how many were screened.
    """

    objective: CurveObjective
    starts: Floats
    origins: Floats
    losses: Floats
    reached: NDArray[np.int64]
    refined: int
    drawn: int


def drawn_starts(objective: CurveObjective, box: Box, *, seed: int = 0, budget: float = 2.0) -> DrawnStarts:
    """Return starts of an equation from draws within a box (by parameter), of which the first is next to its minimum.

    The search is one of least squares. For a family with a link it goes on the scale of the target and on that of the
    predictor; for any loss but squared error the starts are put in the order of the loss itself. budget: about how many
    seconds it may take, counted as work, so that the same seed always gives the same starts.
    """
    random = np.random.default_rng(seed)
    some = objective.on(objective.data.take(_some_rows(objective.X, MORE_ROWS, random)))
    few, periods = _some_rows(some.X, ROWS, random), _periods(some.X, objective.rows)
    starts, origins, found = [], [], []
    for batch in _batches(some, box):
        inside = box.at(_places(some, batch.nonlinear))
        ends = search(batch.on(few), inside, random, budget * SPEED, periods)
        if len(few) < some.rows and len(ends.losses):
            ends = _on_more_rows(batch, ends, inside)
        starts.append(_parameters(some, batch, ends.linear, ends.nonlinear))
        origins.append(_parameters(some, batch, batch.solved(ends.origins), ends.origins))
        found.append(ends)
    w = np.concatenate(starts)
    with np.errstate(all="ignore"):
        losses = np.array([some.value(each) for each in w])
    order = np.argsort(losses, kind="stable")
    order = order[np.isfinite(losses[order])]
    reached = np.concatenate([ends.reached for ends in found])
    return DrawnStarts(
        some,
        w[order],
        np.concatenate(origins)[order],
        losses[order],
        reached[order],
        sum(each.refined for each in found),
        sum(each.drawn for each in found),
    )


def _batches(objective: CurveObjective, box: Box) -> Iterator[Batch]:
    """Yield the least-squares problems that stand for a loss."""
    weight = objective.data.weight
    root = 1.0 if weight is None else np.sqrt(weight[:, 0])
    columns = {name: objective.X[:, place] for place, name in enumerate(objective.curve.columns)}
    bounded = {name for name, free in zip(objective.curve.parameters, box.open, strict=True) if not free}
    for expressions, targets in _scales(objective):
        linear = linear_in(replace(objective.curve, expressions=expressions))
        linear = tuple(name for name in linear if name not in bounded)
        nonlinear = tuple(name for name in objective.curve.parameters if name not in linear)
        yield Batch(expressions, columns, targets, root, linear, nonlinear)


def _scales(objective: CurveObjective) -> Iterator[tuple[tuple[Expression, ...], Floats]]:
    """Yield the expressions and their targets: as they are and, under a link, also as the mean and its target."""
    outer = FAMILIES[objective.loss.families[0]].link.outer
    expressions, Y = objective.curve.expressions, objective.Y
    if not outer:
        yield expressions, Y
        return
    inner = FUNCTIONS[outer].undone_by
    yield tuple(_applied(outer, inner, expression) for expression in expressions), Y
    mean = SHRUNK * Y + (1 - SHRUNK) * Y.mean(axis=0)
    yield expressions, FUNCTIONS[inner].value(mean)


def _applied(outer: str, inner: str, expression: Expression) -> Expression:
    """Return a function of an expression; what stands inside the function that undoes it, where it does."""
    if isinstance(expression, Apply) and expression.function == inner:
        return expression.argument
    return Apply(outer, expression)


def _on_more_rows(batch: Batch, ends: Ends, box: Box) -> Ends:
    """Return the best ends as they are on all rows of a batch."""
    descents = Descents(batch, ends.nonlinear[:BEST], box)
    descents.run(LAST)
    reached = ends.reached[:BEST]
    each = Ends(
        ends.origins[:BEST], descents.draws, descents.solved, descents.losses, reached, ends.refined, ends.drawn
    )
    return merged_ends([each], 0.0)


def _parameters(objective: CurveObjective, batch: Batch, linear: Floats, nonlinear: Floats) -> Floats:
    """Return all parameters in their order, of both kinds."""
    w = np.zeros((len(nonlinear), len(objective.curve.parameters)))
    w[:, _places(objective, batch.linear)], w[:, _places(objective, batch.nonlinear)] = linear, nonlinear
    return w


def _periods(X: Floats, rows: int) -> float:
    """Return how many periods of a wave a table's rows can show at most, by some of its rows.

    It is half of how many of the smaller steps of a column fill its range: where they are uneven, some see more.
    """
    found = 1.0
    for column in X.T:
        steps = np.diff(np.unique(column))
        if steps.size:
            finest = min(steps.mean() / max(float(np.quantile(steps, 0.25)), TINY), FINER)
            all_rows = rows / len(X) if steps.size > len(X) / 2 else 1.0
            found = max(found, steps.size * finest * all_rows / 2)
    return found


def _places(objective: CurveObjective, names: tuple[str, ...]) -> NDArray[np.int64]:
    return np.array([objective.curve.parameters.index(name) for name in names], dtype=np.int64)


def _some_rows(X: Floats, most: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return the places of at most so many rows, drawn one from each of equal shares of the first column's order."""
    rows = np.arange(len(X))
    if len(X) <= most:
        return rows
    if len(X) > PICKED * most:
        rows = np.sort(random.choice(len(X), PICKED * most, replace=False))
    order = rows[np.argsort(X[rows, 0], kind="stable")] if X.shape[1] else rows
    edges = np.linspace(0, len(order), most + 1)
    at = (edges[:-1] + random.random(most) * np.diff(edges)).astype(np.int64)
    return np.sort(order[np.minimum(at, len(order) - 1)])
