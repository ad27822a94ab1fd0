"""Overfitting: a polynomial that is too high for few noisy rows, and what helps, judged on rows that it has not seen.

Every remedy is fitted on the same rows as the hypothesis that it cures and judged on the same test rows, once on the
draw that is shown and then on DRAWS others, so that none of them wins by luck.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.columns import gather
from descend.formula import parse
from descend.labs.outcome import Check, Section
from descend.messages import Note
from descend.problem import Problem
from descend.recipe import Recipe
from descend.tables import read
from descend.verification import split_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

    from descend.history import History
    from descend.labs.outcome import Cell
    from descend.problem import Trained
    from descend.verification import Split

    Floats = NDArray[np.floating[Any]]
    Rows = NDArray[np.int64]

AT_HAND, UNSEEN = 60, 200  # half of those at hand are fitted, half validate
SHARE = 0.5
NOISE = 0.3
SHOWN = 2
DRAWS = 20
MOSTLY = 18  # of the draws must a remedy win, and by the median more than MARGIN
MARGIN = 0.9
DEGREES = (1, 3, 5, 9, 15)
LONG = 3000
EPOCHS = (0, 10, 50, 100, 300, 1000, 3000)


@dataclass(frozen=True)
class Way:
    """A hypothesis and how it is fitted: itself overfitted (``cures`` is empty), or the remedy for one that is."""

    name: str
    formula: str = "y ~ poly(x, 15, raw=True)"
    settings: dict[str, Any] = field(default_factory=dict)
    cures: str = ""


OVERFITTED = Way("overfitted")
FEWER = Way("fewer-columns", formula="y ~ poly(x, 3, raw=True)", cures="overfitted")
ADAM = {"optimizer": "adam", "lr": 0.03, "epochs": LONG}
WAYS = (
    OVERFITTED,
    Way("early-stopping", settings={**ADAM, "patience": 300}, cures="overfitted"),
    FEWER,
    Way("weight-decay", settings={"l2": 0.01}, cures="overfitted"),
)


@dataclass(frozen=True)
class Losses:
    """The mean squared error on the rows that were fitted, on those that validate, and on the test rows."""

    fitted: float
    validation: float
    test: float

    def cells(self) -> list[Cell]:
        """Return them as they are shown."""
        return [f"{loss:.4g}" for loss in (self.fitted, self.validation, self.test)]


def table(seed: int = SHOWN) -> pl.DataFrame:
    """Return y = sin x + noise: the rows at hand, evenly spread over [-3, 3], then the test rows, anywhere in it."""
    import polars as pl

    random = np.random.default_rng(seed)
    x = np.concatenate([np.linspace(-3, 3, AT_HAND), random.uniform(-3, 3, UNSEEN)])
    return pl.DataFrame({"x": x, "y": np.sin(x) + NOISE * random.standard_normal(x.size)})


def train(way: Way, seed: int = SHOWN) -> tuple[Problem, Trained]:
    """Fit on the fitted rows of the draw of a seed."""
    data = read(table(seed))
    patient = {"validation": SHARE} if "patience" in way.settings else {}
    recipe = Recipe(test="none", seed=seed, **way.settings, **patient)
    problem = Problem.state(parse(way.formula).resolve(data.columns), data, recipe)
    rows = np.arange(AT_HAND) if patient else split(seed).train  # patience makes the same split itself
    return problem, problem.train(rows, recipe, halt=False)


def split(seed: int = SHOWN) -> Split:
    """Return which of the rows at hand are fitted and which validate."""
    return split_rows(AT_HAND, str(SHARE), seed, None)


def losses(way: Way, seed: int = SHOWN) -> Losses:
    """Return the losses of a hypothesis that is fitted on the draw of a seed."""
    problem, trained = train(way, seed)

    def loss(rows: Rows) -> float:
        data = problem.data.take(rows)
        return float(np.mean((trained.predict(problem.target, data) - problem.target.truth(data)) ** 2))

    fitted, validation = split(seed).folds[0]
    return Losses(loss(fitted), loss(validation), loss(np.arange(AT_HAND, AT_HAND + UNSEEN)))


def long_run() -> History:
    """Return the record of degree 15 trained past its best, with the loss on the validation rows by epoch."""
    return train(Way("overfitted", settings={**ADAM, "patience": LONG}))[1].history


def curve(way: Way, x: Floats) -> Floats:
    """Return what a hypothesis predicts at places ``x``, for the picture."""
    problem, trained = train(way)
    return trained.predict(problem.target, gather(problem.uses, read({"x": x}), missing="error", required={}))[:, 0]


def run() -> list[Section]:
    """Return how overfitting shows by degree and by epoch, and what helps."""
    half = AT_HAND // 2
    return [
        Section(Note("lesson.overfitting-what", {"rows": half, "unseen": UNSEEN, "noise": NOISE, "floor": NOISE**2})),
        degrees(),
        epochs(),
        *remedies(WAYS),
        Section(Note("lesson.overfitting-so", {})),
    ]


def degrees() -> Section:
    """Return the losses by degree, each fitted to its optimum."""
    found = {degree: losses(Way("overfitted", f"y ~ poly(x, {degree}, raw=True)")) for degree in DEGREES}
    falls = all(after.fitted < before.fitted for before, after in pairwise(found.values()))
    first, last = found[3], found[DEGREES[-1]]
    checks = [
        Check("lesson.overfitting-degree-falls", {}, f"< {first.fitted:.4g}", last.fitted, falls),
        _above("overfitting-degree-rises", first.validation, last.validation),
    ]
    rows = [[str(degree), *of_degree.cells()] for degree, of_degree in found.items()]
    return Section(Note("lesson.overfitting-degree", {}), _heads("degree"), rows, checks)


def epochs() -> Section:
    """Return the losses by epoch of a run that goes on past its best."""
    history = long_run()
    loss, validation = history.loss, history.validation_loss
    best = int(validation.argmin())
    rows: list[list[Cell]] = [
        [str(epoch), f"{loss[epoch]:.4g}", f"{validation[epoch]:.4g}"] for epoch in sorted({*EPOCHS, best})
    ]
    checks = [
        _below("overfitting-epoch-falls", loss[best], loss[-1], best=best),
        _above("overfitting-epoch-rises", float(validation[best]), float(validation[-1]), best=best),
    ]
    return Section(Note("lesson.overfitting-epoch", {"best": best}), _heads("epoch")[:3], rows, checks)


def remedies(ways: Sequence[Way]) -> list[Section]:
    """Return what each way comes to on the draw that is shown, and how sure that is over others."""
    shown = {way.name: losses(way) for way in ways}
    drawn = {way.name: np.array([losses(way, seed).test for seed in range(DRAWS)]) for way in ways}
    rows: list[list[Cell]] = []
    draws: list[list[Cell]] = []
    checks, sure = [], []
    for way in ways:
        name = Note(f"lesson.overfitting-{way.name}", {})
        rows.append([name, *shown[way.name].cells()])
        if not way.cures:
            draws.append([name, "", f"{np.median(drawn[way.name]):.4g}", ""])
            continue
        before, after = shown[way.cures].test, shown[way.name].test
        checks.append(_below("overfitting-helps", before, after, remedy=name))
        ratios = drawn[way.name] / drawn[way.cures]
        won, middle = int((ratios < 1).sum()), float(np.median(ratios))
        draws.append([name, f"{won}/{DRAWS}", f"{np.median(drawn[way.name]):.4g}", f"{middle:.3g}"])
        sure.append(
            Check("lesson.overfitting-wins", {"remedy": name, "draws": DRAWS}, f"≥ {MOSTLY}", won, won >= MOSTLY)
        )
        sure.append(_below("overfitting-ratio", MARGIN, middle, remedy=name))
    by_draw = [Note(f"lesson.overfitting-head-{head}", {}) for head in ("remedy", "won", "median", "ratio")]
    return [
        Section(Note("lesson.overfitting-remedies", {}), _heads("remedy"), rows, checks),
        Section(Note("lesson.overfitting-draws", {"draws": DRAWS}), by_draw, draws, sure),
    ]


def _heads(first: str) -> list[Note]:
    return [Note(f"lesson.overfitting-head-{head}", {}) for head in (first, "fitted", "validation", "test")]


def _above(code: str, before: float, after: float, **values: Any) -> Check:
    return Check(f"lesson.{code}", values, f"> {before:.4g}", float(after), bool(after > before))


def _below(code: str, before: float, after: float, **values: Any) -> Check:
    return Check(f"lesson.{code}", values, f"< {before:.4g}", float(after), bool(after < before))
