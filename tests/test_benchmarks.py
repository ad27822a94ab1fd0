"""The benchmarks can be run: they call what is there, and their referee finds the minimum."""

import json
import sys
from importlib import import_module

import numpy as np
import pytest
from conftest import ROOT
from scipy.optimize import minimize

from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import LOSSES
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows

PEERS = {"dask_ml", "glum", "pyspark", "sklearnex"}  # the extra "bench" brings these
NAMES = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if path.stem[0] != "_")


@pytest.fixture(autouse=True)
def benchmarks_are_found(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_finds_all_that_it_asks_of_descend(name):
    try:
        import_module(f"benchmarks.{name}")
    except ModuleNotFoundError as error:
        if error.name not in PEERS:
            raise


def test_the_certified_digits_of_a_set_are_counted():
    exactness = import_module("benchmarks.exactness")
    entry = next(one for one in json.loads(exactness.SETS.read_text(encoding="utf-8")) if one["name"] == "Norris")
    assert float(exactness.row(entry)["descend"]) > 12


def test_the_certified_digits_of_an_equation_are_counted():
    curves = import_module("benchmarks.curves")
    entries = json.loads(curves.SETS.read_text(encoding="utf-8"))
    text, facts = curves.table(curves.Problem.of(entry) for entry in entries if entry["name"] in ("Misra1a", "Nelson"))
    ours = [fact for fact in facts if fact["contestant"] == "descend"]
    assert len(ours) == 4
    assert min(fact[kind] for fact in ours for kind in ("parameters", "deviations")) > 10
    assert "| descend | 4 of 4 | 4 of 4 | 4 of 4 | 0 |" in text


@pytest.mark.parametrize("strength", [0.0, 0.1])
@pytest.mark.parametrize(("loss", "outputs"), [("binary_cross_entropy", 1), ("cross_entropy", 3)])
def test_the_referee_finds_the_minimum_that_scipy_finds(loss, outputs, strength):
    referee, random = import_module("benchmarks.referee"), np.random.default_rng(0)
    X = np.column_stack([np.ones(200), random.normal(size=(200, 3))])
    Y = random.integers(0, max(outputs, 2), (200, 1)).astype(np.float64)
    rows = RowsObjective(DesignRows(X, Y), LOSSES[loss], outputs, L2(strength, np.arange(4) > 0))
    found = minimize(rows.value_and_gradient, np.zeros(4 * outputs), jac=True, method="BFGS", tol=1e-10)
    assert rows.value(referee.newton(rows)) == pytest.approx(found.fun, rel=1e-9)


def test_the_referee_solves_least_squares_as_numpy_does():
    referee, random = import_module("benchmarks.referee"), np.random.default_rng(1)
    X, Y = random.normal(size=(50, 3)), random.normal(size=(50, 1))
    rows = RowsObjective(DesignRows(X, Y), LOSSES["mse"], 1, L2(0.0, np.ones(3)))
    np.testing.assert_allclose(referee.least_squares(rows), np.linalg.lstsq(X, Y[:, 0], rcond=None)[0], rtol=1e-12)
