"""Tables with nothing wrong, and what a fit of one leaves to look at."""

from __future__ import annotations

import numpy as np

from descend.analysis.diagnosis import Evidence
from descend.fitting.problem import Problem
from descend.formula.parser import parse
from descend.solvers.recipe import Recipe
from descend.solvers.run_options import RunOptions
from descend.tables.open import read


def evidence(formula, table, *, rows=None, **settings):
    """Return what a fit of ``formula`` on the rows of ``table`` leaves to look at."""
    recipe, table = Recipe(**settings), read(table)
    problem = Problem.of(parse(formula).resolve(table.columns), table, recipe)
    chosen = np.arange(len(problem.data)) if rows is None else np.asarray(rows)
    trained = problem.train(chosen, recipe, RunOptions(foretell=True))
    return Evidence(
        trained.design,
        problem.target,
        trained.data,
        trained.over,
        trained.weights,
        trained.history,
        recipe,
        trained.quadratic,
        trained.forecast,
        trained.hypothesis.network is not None,
        search=trained.search,
    )


def upright(rows, columns, seed=0):
    """Return columns of mean 0 and deviation 1 that are not correlated."""
    Q = np.linalg.qr(np.column_stack([np.ones(rows), np.random.default_rng(seed).normal(size=(rows, columns))]))[0]
    return Q[:, 1:].T * np.sqrt(rows)


def clean(rows=60, **more):
    """Return a table with nothing wrong: y = 1 + x + z and noise; ``more`` are columns made of these."""
    x, z, noise, other = upright(rows, 4)
    table = {"x": x, "z": z, "noise": noise, "other": other, "y": 1 + x + z + noise}
    return table | {name: make(table) for name, make in more.items()}


def unscaled(ratio):
    t = clean()
    return evidence("y ~ x + z", {**t, "z": ratio * t["z"]}, standardize=False, lr=1e-5, epochs=5)


def rate_too_large(lr):
    return evidence("y ~ x + z", clean(), lr=lr, epochs=100)


def high_leverage(away):
    t = clean()
    x = t["x"].copy()
    x[7] = away
    return evidence("y ~ x + z", {**t, "x": x, "y": 1 + t["z"] + t["noise"] + 0.1 * x * (x < 5)})


def heteroscedastic(growth):
    t = clean(200)
    return evidence("y ~ x + z", {**t, "y": 50 + t["x"] + t["noise"] * np.exp(growth * t["x"])})


def decay(rows=60, until=6.0, **more):
    """Return a table with nothing wrong: y = 3 exp(-0.8 x) + 0.5 and noise."""
    x, noise = np.linspace(0, until, rows), upright(rows, 1)[0]
    return {"x": x, "y": 3 * np.exp(-0.8 * x) + 0.5 + 0.1 * noise, **more}
