"""Overfitting: a polynomial of too high a degree for few noisy rows, and remedies, judged on unseen rows.

Every remedy is fitted on the same rows as the overfitted hypothesis and judged on the same test rows, first on the draw
that is shown and then on many draws, so that no remedy wins by luck.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.analysis.verification import split_rows
from descend.base.errors import OptionError
from descend.base.messages import Note
from descend.fitting.problem import Problem
from descend.formula.parser import parse
from descend.labs.outcome import Check, Section
from descend.objectives.networks.network import require_torch
from descend.solvers.recipe import Recipe
from descend.solvers.run_options import RunOptions
from descend.tables.columns import gather
from descend.tables.open import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from descend.analysis.verification import Split
    from descend.base.typing import Floats, Rows
    from descend.fitting.trained import TrainedProblem
    from descend.labs.outcome import Cell
    from descend.solvers.history import History

AT_HAND, UNSEEN = 60, 200  # half of the available rows are fitted, half validate
SHARE = 0.5
NOISE = 0.5
SHOWN = 34  # not among the counted draws
DRAWS, MOSTLY = 20, 18  # the number of draws, and how many of them a remedy must win
FEW_DRAWS, MOST_OF_FEW = 5, 3  # the same for networks, which take longer and improve less reliably
MARGIN = 1.0  # the upper limit of the median ratio of losses with and without a remedy
DEGREES = (1, 3, 5, 9, 15)
LONG = 3000
EPOCHS = (0, 10, 50, 100, 300, 1000, 3000)


@dataclass(frozen=True)
class Remedy:
    """A hypothesis and its fit: overfitted itself (``cures`` is empty), or the remedy of one that is."""

    name: str
    formula: str = "y ~ poly(x, 15, raw=True)"
    settings: dict[str, Any] = field(default_factory=dict)
    cures: str = ""


OVERFITTED = Remedy("overfitted")
FEWER = Remedy("fewer-columns", formula="y ~ poly(x, 3, raw=True)", cures="overfitted")
ADAM = {"optimizer": "adam", "lr": 0.03, "epochs": LONG}
WAYS = (
    OVERFITTED,
    Remedy("early-stopping", settings={**ADAM, "patience": 300}, cures="overfitted"),
    FEWER,
    Remedy("weight-decay", settings={"l2": 0.01}, cures="overfitted"),
)
BATCHES = {"optimizer": "adam", "lr": 0.01, "epochs": 200, "batch_size": 10}
NETWORKS = (
    Remedy("network", settings={**BATCHES, "hypothesis": "mlp(64, 64, activation=relu)"}),
    Remedy("dropout", settings={**BATCHES, "hypothesis": "mlp(64, 64, dropout=0.3, activation=relu)"}, cures="network"),
    Remedy(
        "batch-norm",
        settings={**BATCHES, "hypothesis": "mlp(64, 64, batch_norm=true, activation=relu)"},
        cures="network",
    ),
)


@dataclass(frozen=True)
class Losses:
    """The mean squared error on the fitted rows, the validation rows and the test rows."""

    fitted: float
    validation: float
    test: float

    def cells(self) -> list[Cell]:
        """Return the losses as table cells."""
        return [f"{loss:.4g}" for loss in (self.fitted, self.validation, self.test)]


def noisy_table(seed: int = SHOWN) -> pl.DataFrame:
    """Return y = sin x + noise: the available rows, evenly spaced on [-3, 3], then the test rows, uniform on it."""
    import polars as pl

    random = np.random.default_rng(seed)
    x = np.concatenate([np.linspace(-3, 3, AT_HAND), random.uniform(-3, 3, UNSEEN)])
    return pl.DataFrame({"x": x, "y": np.sin(x) + NOISE * random.standard_normal(x.size)})


def train_remedy(way: Remedy, seed: int = SHOWN) -> tuple[Problem, TrainedProblem]:
    """Train a remedy on the fitted rows of the draw of a seed."""
    data = read(noisy_table(seed))
    patient: dict[str, Any] = {"validation": SHARE} if "patience" in way.settings else {}
    recipe = Recipe(test="none", seed=seed, **way.settings, **patient)
    problem = Problem.of(parse(way.formula).resolve(data.columns), data, recipe)
    rows = np.arange(AT_HAND) if patient else split(seed).train  # patience makes the same split
    return problem, problem.train(rows, recipe, RunOptions(halt=False))


def split(seed: int = SHOWN) -> Split:
    """Return the split of the available rows into fitted rows and validation rows."""
    return split_rows(AT_HAND, str(SHARE), seed, None)


def losses(way: Remedy, seed: int = SHOWN) -> Losses:
    """Return the losses of a remedy that is fitted on the draw of a seed."""
    problem, trained = train_remedy(way, seed)

    def loss(rows: Rows) -> float:
        data = problem.data.take(rows)
        return float(np.mean((trained.predict(problem.target, data) - problem.target.truth(data)) ** 2))

    fitted, validation = split(seed).folds[0]
    return Losses(loss(fitted), loss(validation), loss(np.arange(AT_HAND, AT_HAND + UNSEEN)))


def long_run() -> History:
    """Return the history of degree 15 trained past its best epoch, with the validation loss by epoch."""
    return train_remedy(Remedy("overfitted", settings={**ADAM, "patience": LONG}))[1].history


def prediction_curve(way: Remedy, x: Floats) -> Floats:
    """Return the predictions of a remedy at ``x``, for the figure."""
    problem, trained = train_remedy(way)
    return trained.predict(problem.target, gather(problem.uses, read({"x": x}), missing="error", required={}))[:, 0]


def validation_sections() -> list[Section]:
    """Return overfitting by degree and by epoch, and the remedies."""
    half = AT_HAND // 2
    return [
        Section(Note("lesson.overfitting-what", {"rows": half, "unseen": UNSEEN, "noise": NOISE, "floor": NOISE**2})),
        degrees(),
        epochs(),
        *remedies(Note("lesson.overfitting-remedies", {}), WAYS, DRAWS, MOSTLY),
        *_networks(),
        Section(Note("lesson.overfitting-so", {})),
    ]


def degrees() -> Section:
    """Return the losses by degree, each fitted to its optimum."""
    found = {degree: losses(Remedy("overfitted", f"y ~ poly(x, {degree}, raw=True)")) for degree in DEGREES}
    falls = all(after.fitted < before.fitted for before, after in pairwise(found.values()))
    first, last = found[3], found[DEGREES[-1]]
    checks = [
        Check("lesson.overfitting-degree-falls", {}, f"< {first.fitted:.4g}", last.fitted, falls),
        _below("overfitting-degree-first", found[DEGREES[0]].validation, first.validation),
        _above("overfitting-degree-rises", first.validation, last.validation),
    ]
    rows = [[str(degree), *of_degree.cells()] for degree, of_degree in found.items()]
    return Section(Note("lesson.overfitting-degree", {}), _heads("degree"), rows, checks)


def epochs() -> Section:
    """Return the losses by epoch of a run that goes past its best epoch."""
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


def _networks() -> list[Section]:
    """Return the remedies that only networks have, or a sentence where PyTorch is not installed."""
    try:
        require_torch()
    except OptionError:
        return [Section(Note("lesson.overfitting-no-torch", {}))]
    return remedies(Note("lesson.overfitting-networks", {}), NETWORKS, FEW_DRAWS, MOST_OF_FEW)


def remedies(told: Note, ways: Sequence[Remedy], draws: int, mostly: int) -> list[Section]:
    """Return the losses of each remedy on the draw that is shown, and the number of draws in which it helps.

    told: the opening sentence. mostly: the draws in which each remedy must help.
    """
    made = {way.name: [losses(way, seed) for seed in range(draws)] for way in ways}
    shown = {way.name: losses(way) for way in ways}
    drawn = {name: np.array([of_seed.test for of_seed in by_seed]) for name, by_seed in made.items()}
    rows: list[list[Cell]] = []
    table: list[list[Cell]] = []
    checks, sure = [], []
    for way in ways:
        name = Note(f"lesson.overfitting-{way.name}", {})
        rows.append([name, *shown[way.name].cells()])
        if not way.cures:
            table.append([name, "", f"{np.median(drawn[way.name]):.4g}", ""])
            continue
        before, after = shown[way.cures].test, shown[way.name].test
        checks.append(_below("overfitting-helps", before, after, remedy=name))
        ratios = drawn[way.name] / drawn[way.cures]
        won, middle = int((ratios < 1).sum()), float(np.median(ratios))
        table.append([name, f"{won}/{draws}", f"{np.median(drawn[way.name]):.4g}", f"{middle:.3g}"])
        sure.append(
            Check("lesson.overfitting-wins", {"remedy": name, "draws": draws}, f"≥ {mostly}", won, won >= mostly)
        )
        sure.append(_below("overfitting-ratio", MARGIN, middle, remedy=name))
    by_draw = [Note(f"lesson.overfitting-head-{head}", {}) for head in ("remedy", "won", "median", "ratio")]
    return [
        Section(told, _heads("remedy"), rows, checks),
        Section(Note("lesson.overfitting-draws", {"draws": draws}), by_draw, table, sure),
    ]


def _heads(first: str) -> list[Note]:
    return [Note(f"lesson.overfitting-head-{head}", {}) for head in (first, "fitted", "validation", "test")]


def _above(code: str, before: float, after: float, **values: Any) -> Check:
    return Check(f"lesson.{code}", values, f"> {before:.4g}", float(after), bool(after > before))


def _below(code: str, before: float, after: float, **values: Any) -> Check:
    return Check(f"lesson.{code}", values, f"< {before:.4g}", float(after), bool(after < before))


SECTIONS = validation_sections
TABLE = noisy_table
