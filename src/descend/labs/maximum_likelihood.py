"""Maximum likelihood for a coin: theta in closed form, by ascent of the likelihood, by descent of the cross-entropy."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from descend.base.messages import Note
from descend.fitting.problem import Problem
from descend.labs.outcome import Check, Section
from descend.objectives.links import sigmoid
from descend.solvers.recipe import Recipe
from descend.tables.open import read

if TYPE_CHECKING:
    import polars as pl

    from descend.fitting.trained import TrainedProblem
    from descend.labs.outcome import Cell

HEADS, TOSSES = 27, 100
# computed by hand before any run
THETA = 0.27
LIKELIEST = -58.325884  # 27 ln 0.27 + 73 ln 0.73
LOG_ODDS = -0.994623  # ln(27 / 73)

START, RATE, STEPS = 0.5, 0.001, 50
EPOCH_RATE, EPOCHS = 2.0, 80
SHOWN_STEPS = (0, 1, 2, 3, 5, 10, 20, 50)
SHOWN_EPOCHS = (0, 1, 2, 3, 5, 10, 20, 80)


def tosses_table(seed: int = 0) -> pl.DataFrame:
    """Return the tosses, one per row: 1 for heads, 0 for tails, in an order drawn from ``seed``."""
    import polars as pl

    tosses = np.repeat([1, 0], [HEADS, TOSSES - HEADS])
    return pl.DataFrame({"heads": np.random.default_rng(seed).permutation(tosses)})


def log_likelihood(theta: float) -> float:
    """Return the log of the probability of these tosses, in their order, where heads has probability ``theta``."""
    return HEADS * math.log(theta) + (TOSSES - HEADS) * math.log(1 - theta)


def log_likelihood_slope(theta: float) -> float:
    """Return the derivative of the log-likelihood by ``theta``."""
    return HEADS / theta - (TOSSES - HEADS) / (1 - theta)


def likelihood_sections() -> list[Section]:
    """Return the question, the three ways to the answer, and why they agree."""
    return [
        Section(Note("lesson.likelihood-question", {"heads": HEADS, "tosses": TOSSES})),
        _closed(),
        _ascent(),
        _descent(),
        Section(Note("lesson.likelihood-why", {})),
    ]


def _closed() -> Section:
    theta = HEADS / TOSSES
    checks = [
        _check("likelihood-theta", THETA, theta, 1e-12),
        _check("likelihood-slope", 0.0, log_likelihood_slope(theta), 1e-10),
        _check("likelihood-most", LIKELIEST, log_likelihood(theta), 5e-6),
    ]
    return Section(Note("lesson.likelihood-closed", {}), checks=checks)


def _ascent() -> Section:
    way = [START]
    for _ in range(STEPS):
        way.append(way[-1] + RATE * log_likelihood_slope(way[-1]))
    climbed = [log_likelihood(theta) for theta in way]
    falls = sum(after < before - 1e-12 for before, after in pairwise(climbed))
    rows: list[list[Cell]] = [
        [str(step), f"{way[step]:.8f}", f"{climbed[step]:.6f}", f"{log_likelihood_slope(way[step]):.4g}"]
        for step in SHOWN_STEPS
    ]
    checks = [
        _check("likelihood-theta", THETA, way[-1], 1e-9),
        _check("likelihood-most", LIKELIEST, climbed[-1], 5e-6),
        Check("lesson.likelihood-climbs", {"steps": STEPS}, 0, falls, falls == 0),
    ]
    heads = [Note(f"lesson.likelihood-head-{head}", {}) for head in ("step", "theta", "log", "slope")]
    return Section(Note("lesson.likelihood-ascent", {"start": START, "lr": RATE}), heads, rows, checks)


def _descent() -> Section:
    run = _train(Recipe(family="logistic", optimizer="sgd", lr=EPOCH_RATE, epochs=EPOCHS, test="none"))
    optimum = _train(Recipe(family="logistic", test="none"))
    history = run.history
    constants = dict(zip(history.snapshot_epoch.tolist(), history.snapshots[:, 0].tolist(), strict=True))
    rows: list[list[Cell]] = [
        [
            str(epoch),
            f"{constants[epoch]:.8f}",
            f"{_probability(constants[epoch]):.8f}",
            f"{history.at(epoch):.8f}",
            f"{-TOSSES * history.at(epoch):.6f}",
        ]
        for epoch in SHOWN_EPOCHS
    ]
    b = float(run.weights[0, 0])
    checks = [
        _check("likelihood-sigmoid", THETA, _probability(b), 1e-9),
        _check("likelihood-log-odds", LOG_ODDS, b, 5e-7),
        _check("likelihood-sigmoid-optimum", THETA, _probability(float(optimum.weights[0, 0])), 1e-9),
        _check("likelihood-minus-entropy", LIKELIEST, -TOSSES * history.final_loss, 5e-6),
    ]
    heads = [Note(f"lesson.likelihood-head-{head}", {}) for head in ("epoch", "b", "sigmoid", "entropy", "minus")]
    return Section(Note("lesson.likelihood-descent", {"lr": EPOCH_RATE}), heads, rows, checks)


def _train(recipe: Recipe) -> TrainedProblem:
    problem = Problem.of("heads ~ 1", read(tosses_table()), recipe)
    return problem.train(np.arange(len(problem.data)), recipe)


def _probability(b: float) -> float:
    return float(sigmoid(np.array(b)))


def _check(code: str, expected: float, ours: float, within: float) -> Check:
    return Check(f"lesson.{code}", {}, expected, ours, abs(ours - expected) <= within)


SECTIONS = likelihood_sections
TABLE = tosses_table
