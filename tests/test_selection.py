"""Comparing hypotheses: the same folds for all, and an honest preference."""

from __future__ import annotations

import numpy as np
import pytest

import descend
from descend.analysis.verification import split_rows
from descend.base.errors import DescendError, FitError, FormulaError, OptionError
from descend.fitting.problem import Problem
from descend.formula.parser import parse
from descend.solvers.recipe import Recipe
from descend.tables.open import read


def curved(rows=200, noise=1.0, bend=0.5):
    random = np.random.default_rng(3)
    x = random.uniform(0, 10, rows)
    return {
        "x": x,
        "y": 1 + 2 * x + bend * x**2 + random.normal(0, noise, rows),
        "z": random.normal(size=rows),
    }


def test_the_curve_is_preferred_where_there_is_one():
    found = descend.compare(curved(), ["y ~ x", "y ~ poly(x, 2)", "y ~ poly(x, 5)"])
    assert found.simplest.formula == "y ~ poly(x, 2)"
    assert found.entries[0].score > 1.5 * found.simplest.score
    assert found.metric == "rmse"
    assert found.simplest.score == pytest.approx(1.0, abs=0.15)


def test_the_simplest_within_one_standard_error_is_marked():
    found = descend.compare(curved(bend=0.0), ["y ~ poly(x, 6) + z", "y ~ x"])
    assert found.simplest.formula == "y ~ x"
    assert found.simplest.columns == 2
    assert found.verdict in ("report.prefer-simple", "report.prefer-best", "report.prefer-clear")


def test_a_clear_difference_is_called_clear():
    found = descend.compare(curved(), ["y ~ x", "y ~ poly(x, 2)"])
    assert found.verdict == "report.prefer-clear"
    assert found.values["best"] == "y ~ poly(x, 2)"
    assert found.values["difference"] > 2 * found.values["error"]


def test_hypotheses_no_better_than_none_are_not_preferred():
    random = np.random.default_rng(0)
    data = {"y": random.normal(size=80), **{f"x{i}": random.normal(size=80) for i in range(30)}}
    found = descend.compare(data, ["y ~ .", "y ~ . - x1"])
    assert found.verdict == "report.prefer-none"


def test_scores_are_those_of_the_folds_made_by_hand():
    data = curved(100)
    found = descend.compare(data, ["y ~ x", "y ~ poly(x, 2)"], test="5", seed=9)
    squares = np.empty(100)
    for fitted, tested in split_rows(100, "5", 9).folds:
        design = np.column_stack([np.ones(100), data["x"]])
        w = np.linalg.lstsq(design[fitted], data["y"][fitted], rcond=None)[0]
        squares[tested] = (data["y"][tested] - design[tested] @ w) ** 2
    assert found.entries[0].score == pytest.approx(np.sqrt(squares.mean()))
    assert found.entries[0].error == pytest.approx(squares.std(ddof=1) / 10 / (2 * np.sqrt(squares.mean())))
    assert found.folds == 5


def test_few_rows_are_left_out_one_by_one_and_prove_little(scores):
    found = descend.compare(scores, ["score ~ hours", "score ~ 1"])
    assert found.folds == found.rows == 3
    assert found.verdict == "report.prefer-few"


def test_a_transformed_target_is_scored_in_the_targets_unit():
    random = np.random.default_rng(1)
    x = random.uniform(0, 3, 150)
    price = np.exp(1 + x + random.normal(0, 0.1, 150))
    found = descend.compare({"x": x, "price": price}, ["price ~ x", "log(price) ~ x"])
    assert found.best.formula == "log(price) ~ x"
    assert found.best.score < found.baseline / 3


def test_classes_are_compared_by_log_loss(penguins):
    found = descend.compare(
        penguins,
        ["species ~ bill_length_mm", "species ~ bill_length_mm + bill_depth_mm"],
        missing="drop",
        l2=1e-3,
    )
    assert found.metric == "log_loss"
    assert found.best.formula.endswith("bill_depth_mm")


def test_a_missing_cell_in_one_hypothesis_leaves_the_row_out_of_all():
    data = curved(100)
    data["z"] = [None if i % 10 == 0 else float(i) for i in range(100)]
    found = descend.compare(data, ["y ~ x", "y ~ x + z"], missing="drop")
    assert found.rows == 90


@pytest.mark.parametrize(
    ("formulas", "code"),
    [
        (["y ~ x"], "option.one-hypothesis"),
        (["y ~ x", "z ~ x"], "option.other-target"),
        (["y ~ x", "y ~ nothing"], "formula.unknown-column"),
        (["y ~ x", "y ~ C(x)"], "design.both-uses"),
    ],
)
def test_what_cannot_be_compared_is_an_error(formulas, code):
    with pytest.raises(DescendError) as error:
        descend.compare(curved(60), formulas)
    assert error.value.code == code


def test_a_rate_that_diverges_and_a_test_without_rows_are_errors():
    with pytest.raises(FitError) as error:
        descend.compare(curved(60), ["y ~ x", "y ~ z"], lr=50.0)
    assert error.value.code == "fit.diverged-in-compare"
    with pytest.raises(OptionError) as test:
        descend.compare(curved(60), ["y ~ x", "y ~ z"], test="none")
    assert test.value.code == "option.test"


def test_every_hypothesis_sees_the_same_rows():
    data = curved(60)
    table = read(data)
    problems = [Problem.of(parse(f).resolve(table.columns), table, Recipe()) for f in ("y ~ x", "y ~ z")]
    split = split_rows(60, "10", 0)
    truths = [problem.predict_unseen(split, None, Recipe())[0] for problem in problems]
    np.testing.assert_array_equal(*truths)


@pytest.mark.slow
def test_the_error_of_a_difference_is_that_of_many_draws():
    """The spread of the difference over fresh tables is what one table's standard error says, within a quarter."""
    differences, errors = [], []
    for seed in range(60):
        random = np.random.default_rng(seed)
        x = random.uniform(0, 10, 120)
        data = {"x": x, "y": x + 0.3 * (x - 5) ** 2 + random.normal(0, 1, 120)}
        worse = descend.compare(data, ["y ~ x", "y ~ poly(x, 2)"]).entries[0]
        differences.append(worse.difference)
        errors.append(worse.difference_error)
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.25)


@pytest.mark.slow
def test_hypotheses_that_are_not_trained_far_enough_are_not_judged():
    data = curved()
    data["y"] = data["y"] + 1000
    found = descend.compare(data, ["y ~ x", "y ~ poly(x, 2)"], optimizer="adam")
    assert found.verdict == "report.prefer-untrained"
    assert found.values["late"] == "y ~ x; y ~ poly(x, 2)"
    assert descend.compare(data, ["y ~ x", "y ~ poly(x, 2)"]).verdict == "report.prefer-clear"


def test_separable_classes_that_are_told_apart_are_not_called_no_better():
    random = np.random.default_rng(0)
    X = random.normal(size=(60, 12))
    data = {f"x{i}": X[:, i] for i in range(12)}
    data["y"] = np.where(2 * X[:, 0] + 0.8 * random.normal(size=60) > 0, "yes", "no")
    found = descend.compare(data, ["y ~ .", "y ~ . - x1"])
    assert found.best.score > found.baseline
    assert found.verdict == "report.prefer-apart"


@pytest.mark.parametrize("test", ["loo", "5"])
def test_the_baseline_is_that_of_all_rows_as_a_fit_tells_it(test):
    data = {name: values[:30] for name, values in curved().items()}
    found = descend.compare(data, ["y ~ x", "y ~ z"], test=test)
    assert found.baseline == pytest.approx(np.std(data["y"]))
    (told,) = descend.fit("y ~ x", data, test=test).verification.scores
    assert found.baseline == pytest.approx(told["baseline"]["rmse"])
    assert found.entries[0].score == pytest.approx(told["hypothesis"]["rmse"])


def test_rows_held_back_once_are_told_as_such():
    found = descend.compare(curved(), ["y ~ x", "y ~ poly(x, 2)"], test="0.25")
    assert (found.folds, found.rows, found.tested) == (1, 200, 50)
    few = descend.compare({name: values[:30] for name, values in curved().items()}, ["y ~ x", "y ~ z"], test="0.2")
    assert few.verdict == "report.prefer-few"
    assert few.values["rows"] == few.tested == 6


def test_a_hypothesis_whose_classes_are_separable_is_not_called_unfinished():
    random = np.random.default_rng(0)
    x, z = random.normal(size=(2, 60))
    found = descend.compare({"x": x, "z": z, "c": np.where(x > 0, "yes", "no")}, ["c ~ x", "c ~ z"])
    assert found.verdict != "report.prefer-untrained"


def saturating(rows=60):
    random = np.random.default_rng(4)
    x = random.uniform(0, 3, rows)
    return {"x": x, "y": 5 * (1 - np.exp(-1.1 * x)) + random.normal(0, 0.1, rows), "p": (x > 1.5).astype(int)}


@pytest.mark.parametrize("settings", [{}, {"bounds": "b=0:5"}, {"init": {"b": 1.0, "c": 2.0}}, {"parameters": ["a"]}])
def test_a_setting_of_a_parameter_is_heeded_by_the_equations_that_have_it(settings):
    formulas = ["y ~ x", "y = a + c*x", "y = a*(1 - exp(-b*x))"]
    comparison = descend.compare(saturating(), formulas, **settings)
    line, same, curve = comparison.entries
    assert comparison.best is curve
    assert line.score == pytest.approx(same.score, rel=1e-9)
    assert curve.score < line.score / 2


def test_a_setting_of_a_parameter_that_no_equation_has_is_an_error():
    with pytest.raises(FormulaError) as caught:
        descend.compare(saturating(), ["y ~ x", "y = a*x + b"], fixed="k=1")
    assert caught.value.code == "formula.declared-unused"


@pytest.mark.parametrize("formulas", [["p ~ x", "p = a + b*x"], ["p = a + b*x", "P(p = 1) = sigmoid(a + b*x)"]])
def test_numbers_and_probabilities_are_not_compared(formulas):
    with pytest.raises(OptionError) as caught:
        descend.compare(saturating(), formulas)
    assert caught.value.code == "option.other-family"
