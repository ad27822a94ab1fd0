"""What a fit takes is estimated before it is begun, and refused where it is past what is allowed or free."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import descend
from descend.base.errors import DescendError, FitError
from descend.cli import main
from descend.design.matrix import width_of
from descend.fitting.problem import Problem
from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import BinaryCrossEntropy, CrossEntropy, SquaredError
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows
from descend.solvers.effort import Effort
from descend.solvers.recipe import Recipe

TALL = "y ~ (a + b + c)^2 + C(g)"


@pytest.fixture
def table():
    random = np.random.default_rng(0)
    made = {name: random.normal(size=400) for name in "abc"}
    made["g"] = [f"g{index}" for index in random.integers(0, 40, 400)]
    made["class"] = [f"k{index % 3}" for index in range(400)]
    made["y"] = made["a"] - made["b"] + random.normal(size=400)
    return made


@pytest.fixture
def slow(monkeypatch):
    """A machine on which products of columns take for ever."""
    monkeypatch.setattr("descend.solvers.effort.SPEED", 1e3)


@pytest.fixture
def narrow(monkeypatch):
    """A machine with hardly any memory that is free, but for the rows of a small table."""
    monkeypatch.setattr("descend.solvers.effort.available", lambda: 500_000)


def codes_of(table, tmp_path, formula, **settings):
    """Return the code with which each way to ask for a fit refuses it."""
    path = tmp_path / "t.parquet"
    pl.DataFrame(table).write_parquet(path)
    ways = {
        "fit": lambda: descend.fit(formula, table, **settings),
        "part by part": lambda: descend.fit(formula, str(path), memory="1kB", **settings),
        "forecast": lambda: descend.forecast(formula, table, **settings),
        "compare": lambda: descend.compare(table, [formula, "y ~ a"], **settings),
    }
    found = {}
    for name, way in ways.items():
        with pytest.raises(FitError) as caught:
            way()
        found[name] = caught.value.code
        for lang in ("en", "ko"):
            assert caught.value.tell(lang)
            assert caught.value.hint(lang)
    return found


def test_work_past_what_is_allowed_is_refused_by_every_way_to_ask_for_it(table, tmp_path, slow):
    assert set(codes_of(table, tmp_path, TALL).values()) == {"fit.too-long"}


def test_work_past_the_memory_that_is_free_is_refused_by_every_way_to_ask_for_it(table, tmp_path, monkeypatch):
    monkeypatch.setattr("descend.solvers.effort.available", lambda: 10_000)
    assert set(codes_of(table, tmp_path, TALL).values()) == {"fit.too-large"}


def test_more_minutes_allow_it(table, slow):
    with pytest.raises(FitError) as caught:
        descend.fit(TALL, table, test="none")
    model = descend.fit(TALL, table, test="none", minutes=caught.value.values["asked"])
    assert model.history.stop == "optimum"


@pytest.mark.parametrize("minutes", [0, -1, float("nan")])
def test_minutes_are_above_zero(minutes):
    with pytest.raises(DescendError, match="minutes"):
        Recipe(minutes=minutes)


@pytest.mark.parametrize("formula", [TALL, "class ~ (a + b + c)^2 + C(g)"])
def test_the_way_step_by_step_that_a_refusal_names_needs_none_of_that_work(table, slow, formula):
    with pytest.raises(FitError) as caught:
        descend.fit(formula, table)
    assert "--optimizer sgd --batch-size 256 --epochs 20" in caught.value.hint()
    model = descend.fit(formula, table, optimizer="sgd", batch_size=256, epochs=20)
    assert model.history.final_loss < model.history.loss[0]
    assert model.forecast.reason == "forecast.batches"
    assert not model.forecast.curvatures.size


def test_so_do_batches_where_the_products_alone_do_not_fit(table, narrow):
    with pytest.raises(FitError) as caught:
        descend.fit(TALL, table, test="none")
    assert caught.value.code == "fit.too-large-at-once"
    assert descend.fit(TALL, table, test="none", optimizer="sgd", batch_size=256, epochs=20).history.epochs == 20


def test_a_test_that_takes_too_long_is_told_apart_from_the_fit(table, monkeypatch):
    taken = Problem.of(TALL, table, Recipe()).effort(Recipe(), 400)
    monkeypatch.setattr("descend.solvers.effort.SPEED", taken.sums / 40)
    monkeypatch.setattr("descend.solvers.effort._cores", lambda: 1)
    with pytest.raises(FitError) as caught:
        descend.fit(TALL, table, test=10)
    assert caught.value.code == "fit.too-long-test"
    assert descend.fit(TALL, table, test="none").verification is None
    assert descend.fit(TALL, table, test=0.2).verification.method == "holdout"


def test_the_command_says_the_estimate_and_what_to_do(table, tmp_path, capsys, slow):
    path = tmp_path / "t.csv"
    pl.DataFrame(table).write_csv(path)
    for command in (["fit", str(path), TALL], ["forecast", str(path), TALL], ["compare", str(path), TALL, "y ~ a"]):
        assert main([*command, "--lang", "en"]) == 1
        told = " ".join(capsys.readouterr().err.split())
        assert "columns take about" in told
        assert "--minutes" in told
        assert main([*command, "--minutes", "1e6"]) == 0
        capsys.readouterr()


def test_many_levels_are_refused_before_their_columns_are_made(monkeypatch):
    monkeypatch.setattr("descend.solvers.effort.available", lambda: 8 * 10**9)
    table = {"g": [f"g{index % 20_000}" for index in range(40_000)], "y": np.arange(40_000.0)}
    monkeypatch.setattr("descend.design.matrix.Design.learn", None)
    with pytest.raises(FitError) as caught:
        descend.fit("y ~ C(g)", table)
    assert caught.value.values["columns"] == 20_000
    assert "group the levels" in caught.value.hint()


@pytest.mark.parametrize(
    "formula",
    ["y ~ a", "y ~ a + b - 1", "y ~ poly(a, 4)", "y ~ I(a**3) + C(g)", "y ~ C(g):a + b", TALL, "y ~ C(g)*class - 1"],
)
def test_the_columns_are_counted_as_the_design_has_them(table, formula):
    problem = Problem.of(formula, table, Recipe())
    names = problem.learn_design(np.arange(400), Recipe()).names
    assert width_of(problem.hypothesis, problem.uses, problem.data) == len(names)


@pytest.mark.parametrize("loss", [SquaredError("mse", mean=True), BinaryCrossEntropy(), CrossEntropy()])
def test_with_fewer_rows_than_columns_the_columns_count_once(loss):
    outputs = 3 if isinstance(loss, CrossEntropy) else 1
    few, many = (Effort.of(30, columns, outputs, loss, Recipe()).sums for columns in (20_000, 40_000))
    assert many - few == 30**2 * 20_000


def test_each_row_of_wide_classes_is_left_out_in_turn():
    random = np.random.default_rng(2)
    X = random.normal(size=(20, 600))
    table = {**{f"x{index}": column for index, column in enumerate(X.T)}, "y": np.where(X[:, 0] > 0, "u", "v")}
    model = descend.fit("y ~ .", table, l2=0.1)
    assert model.verification.method == "loo"


def test_numbers_are_left_out_in_parts_where_row_by_row_takes_too_long(table, monkeypatch):
    monkeypatch.setattr("descend.fitting.problem.REFITS", 1e6)
    assert descend.fit("y ~ a + b", table, test="loo").verification.method == "loo"
    model = descend.fit("y ~ a + b", table, test="loo", l2=0.1)
    assert model.verification.method == "folds"
    assert "note.folds-instead" in [note.code for note in model.notes]


@pytest.mark.parametrize("weighted", [False, True])
def test_the_steepest_curvature_of_few_rows_is_that_of_their_columns(weighted):
    random = np.random.default_rng(3)
    X, Y = random.normal(size=(7, 40)), random.integers(0, 2, (7, 1)).astype(float)
    rows = RowsObjective(DesignRows(X, Y), BinaryCrossEntropy(), 1, L2(0.0, np.ones(40)))
    weights = random.uniform(0.5, 2, 7) if weighted else np.ones(7)
    rows = rows.weighted(weights)
    weights = weights / weights.mean()
    expected = np.linalg.eigvalsh((X.T * weights) @ X)[-1] / 7 / 4
    assert rows.curvature_limit() == pytest.approx(expected, rel=1e-10)
