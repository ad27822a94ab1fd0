"""Splits, scores, the baseline and the verdict; scikit-learn is the reference for scores."""

from __future__ import annotations

import re
from functools import reduce

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

import descend
from descend.analysis.verdicts import percent
from descend.analysis.verification import judge, left_out, split_rows
from descend.base.errors import OptionError
from descend.fitting.problem import Problem
from descend.formula.parser import parse
from descend.objectives.metrics import (
    auc,
    class_scores,
    confusion,
    most_confused,
    number_scores,
    per_class,
    row_log_loss,
)
from descend.solvers.recipe import Recipe
from descend.tables.open import read
from descend.tables.row_sampling import row_keys


@settings(max_examples=200)
@given(st.integers(3, 300), st.sampled_from(["auto", "0.2", "0.5", "loo", "5", "3"]), st.integers(0, 99))
def test_every_split_keeps_fitted_and_tested_rows_apart(rows, test, seed):
    if test == "5" and rows < 5:
        return
    split = split_rows(rows, test, seed)
    for fitted, tested in split.folds:
        assert not set(fitted) & set(tested)
        assert tested.size
        assert fitted.size
    tested_rows = np.concatenate([tested for _, tested in split.folds])
    assert len(set(tested_rows)) == tested_rows.size
    if split.method in ("loo", "folds"):
        assert sorted(tested_rows) == list(range(rows))
        assert split.train.size == rows
    else:
        assert sorted([*split.train, *tested_rows]) == list(range(rows))


def test_from_fifty_rows_on_a_fifth_is_held_out_and_below_each_row_in_turn():
    assert split_rows(49, "auto", 0).method == "loo"
    split = split_rows(50, "auto", 0)
    assert split.method == "holdout"
    assert split.folds[0][1].size == 10
    assert split_rows(2, "auto", 0).method == "none"
    assert split_rows(50, "none", 0).folds == []


def test_the_seed_decides_the_split():
    first, again, other = (split_rows(100, "0.2", seed).train.tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_classes_are_held_out_in_proportion():
    codes = np.repeat([0, 1, 2], [100, 50, 10])
    for seed in range(20):
        held = codes[split_rows(160, "0.2", seed, codes).folds[0][1]]
        counts = np.bincount(held, minlength=3)
        assert abs(counts[0] - 20) <= 1
        assert abs(counts[1] - 10) <= 1
        assert abs(counts[2] - 2) <= 1


@pytest.mark.parametrize("test", ["0.2", "0.07", "4"])
@pytest.mark.parametrize("classes", [1, 3, 300])
def test_the_rows_held_out_are_those_with_the_least_keys(test, classes):
    rows, number = 997, float(test)
    for seed in range(5):
        codes = np.random.default_rng(seed).integers(0, classes, rows) * 2
        keys = row_keys(0, rows, seed).tolist()
        key = np.empty(rows)
        for code in set(codes.tolist()):
            mine = sorted(np.flatnonzero(codes == code).tolist(), key=lambda row: keys[row])
            offset = reduce(lambda mixed, row: mixed ^ keys[row], mine, 0) / 2**31
            for place, row in enumerate(mine):
                key[row] = (place + offset) / len(mine)
        place = np.empty(rows)
        place[np.argsort(key, kind="stable")] = np.arange(rows) / rows
        split = split_rows(rows, test, seed, codes)
        first = place < round(number * rows) / rows if number < 1 else np.floor(place * number) == 0
        assert split.folds[0][1].tolist() == np.flatnonzero(first).tolist()


@pytest.mark.parametrize(
    ("rows", "test", "code"),
    [(10, "half", "option.test"), (10, "1", "option.test"), (10, "-1", "option.test"), (10, "2.5", "option.test-rows"),
     (10, "11", "option.test-rows"), (2, "0.9999", "option.test-rows"), (10, "nan", "option.test")],
)  # fmt: skip
def test_a_split_that_makes_no_sense_is_an_error(rows, test, code):
    with pytest.raises(OptionError) as error:
        split_rows(rows, test, 0)
    assert error.value.code == code


def test_number_scores_are_scikit_learns():
    random = np.random.default_rng(0)
    truth, predicted = random.normal(size=50), random.normal(size=50)
    scores = number_scores(truth, predicted)
    assert scores["rmse"] == pytest.approx(reference.root_mean_squared_error(truth, predicted))
    assert scores["mae"] == pytest.approx(reference.mean_absolute_error(truth, predicted))
    assert scores["r2"] == pytest.approx(reference.r2_score(truth, predicted))
    assert np.isnan(number_scores(np.ones(3), np.ones(3))["r2"])


def test_class_scores_are_scikit_learns():
    random = np.random.default_rng(1)
    codes = random.integers(0, 3, 80)
    probabilities = random.dirichlet([1, 1, 1], 80)
    scores = class_scores(codes, probabilities)
    guessed = probabilities.argmax(axis=1)
    assert scores["accuracy"] == reference.accuracy_score(codes, guessed)
    assert scores["log_loss"] == pytest.approx(reference.log_loss(codes, probabilities))
    matrix = confusion(codes, guessed, 3)
    np.testing.assert_array_equal(matrix, reference.confusion_matrix(codes, guessed))
    told = per_class(["a", "b", "c"], matrix)
    precision, recall, _, support = reference.precision_recall_fscore_support(codes, guessed)
    np.testing.assert_allclose([entry["precision"] for entry in told], precision)
    np.testing.assert_allclose([entry["recall"] for entry in told], recall)
    assert [entry["rows"] for entry in told] == support.tolist()


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=60))
def test_auc_is_scikit_learns_with_ties(pairs):
    positive = np.array([truth for truth, _ in pairs])
    score = np.array([value for _, value in pairs], dtype=float)
    if positive.all() or not positive.any():
        assert np.isnan(auc(positive, score))
    else:
        assert auc(positive, score) == pytest.approx(reference.roc_auc_score(positive, score))


def problem_of(formula, data, recipe):
    table = read(data)
    return Problem.of(parse(formula).resolve(table.columns), table, recipe)


@pytest.mark.parametrize("formula", ["y ~ a + b", "y ~ poly(a, 3) + group", "y ~ 0 + a", "y + c ~ a"])
def test_leaving_one_out_in_closed_form_equals_refitting(noisy, formula):
    data = {name: values[:30] for name, values in noisy.items()}
    recipe = Recipe(test="loo")
    problem = problem_of(formula, data, recipe)
    split = split_rows(30, "loo", 0)
    trained = problem.train(split.train, recipe)
    quick = left_out(trained.objective.X, trained.objective.Y)
    _, refitted, _ = problem.predict_unseen(split, None, recipe)
    assert quick is not None
    np.testing.assert_allclose(quick, refitted, rtol=1e-7)


@pytest.mark.parametrize("settings", [{"l2": 0.1}, {"loss": "huber"}, {"optimizer": "sgd", "epochs": 3}])
def test_the_closed_form_is_not_used_where_it_would_be_wrong(noisy, settings):
    data = {name: values[:30] for name, values in noisy.items()}
    recipe = Recipe(test="loo", **settings)
    problem = problem_of("y ~ a", data, recipe)
    split = split_rows(30, "loo", 0)
    trained = problem.train(split.train, recipe)
    _, told, _ = problem.predict_unseen(split, trained, recipe)
    _, refitted, _ = problem.predict_unseen(split, None, recipe)
    np.testing.assert_array_equal(told, refitted)


def test_columns_too_alike_are_not_left_out_in_closed_form(noisy):
    data = {name: values[:30] for name, values in noisy.items()}
    objective = problem_of("y ~ a + I(2 * a)", data, Recipe()).train(np.arange(30), Recipe()).objective
    assert left_out(objective.X, objective.Y) is None


def test_held_out_rows_do_not_touch_the_fit(noisy):
    model = descend.fit("y ~ a + b", noisy)
    split = split_rows(120, "auto", 0)
    changed = {name: values.copy() for name, values in noisy.items()}
    changed["y"][split.folds[0][1]] += 1000.0
    changed["a"][split.folds[0][1]] *= 50.0
    again = descend.fit("y ~ a + b", changed)
    assert again.coefficients == model.coefficients


def test_a_hypothesis_that_explains_is_called_better_and_noise_is_not(noisy):
    good = descend.fit("y ~ a + b", noisy).verification
    assert good.verdict == "verdict.better-numbers"
    assert good.scores[0]["hypothesis"]["rmse"] < 0.5 * good.scores[0]["baseline"]["rmse"]
    verdicts = []
    for seed in range(20):
        random = np.random.default_rng(seed)
        data = {"x": random.normal(size=100), "y": random.normal(size=100)}
        verdicts.append(descend.fit("y ~ x", data, seed=seed).verification.verdict)
    assert verdicts.count("verdict.better-numbers") <= 2


def test_few_rows_are_called_few(scores):
    assert descend.fit("score ~ hours", scores).verification.verdict == "verdict.few-rows-numbers"


def test_the_baseline_is_the_fitted_rows_mean_or_their_class_shares(noisy):
    model = descend.fit("y ~ a", noisy)
    split = split_rows(120, "auto", 0)
    truth = noisy["y"][split.folds[0][1]]
    expected = np.sqrt(np.mean((truth - noisy["y"][split.train].mean()) ** 2))
    assert model.verification.scores[0]["baseline"]["rmse"] == pytest.approx(expected)
    classes = descend.fit("passed ~ a", noisy)
    codes = (noisy["passed"] == "yes").astype(int)
    split = split_rows(120, "auto", 0, codes)
    share = codes[split.train].mean()
    expected = reference.log_loss(codes[split.folds[0][1]], np.full(split.folds[0][1].size, share))
    assert classes.verification.scores[0]["baseline"]["log_loss"] == pytest.approx(expected)


def test_folds_test_every_row_once(noisy):
    found = descend.fit("y ~ a", noisy, test="5").verification
    assert (found.method, found.rows) == ("folds", 120)


def test_verification_of_classes_counts_every_row(noisy):
    found = descend.fit("passed ~ a + b", noisy).verification
    assert np.sum(found.confusion) == found.rows == 24
    assert [entry["class"] for entry in found.classes] == ["no", "yes"]
    assert found.verdict.endswith("-classes")


@pytest.mark.parametrize(
    "data", [{"x": [1.0, 2, 3, 4], "y": [5.0, 5, 5, 5]}, {"x": [7.0, 7, 7, 7], "y": [1.0, 2, 3, 5]}]
)
def test_a_hypothesis_that_predicts_as_the_mean_does_is_called_the_same(data):
    found = descend.fit("y ~ x", data).verification
    assert found.verdict == "verdict.same-numbers"
    assert found.tell().startswith("No better and no worse than no hypothesis: on 4 unseen rows")


def far_off(rows=60):
    random = np.random.default_rng(2)
    a, b = random.normal(size=(2, rows))
    return {"a": a, "b": b, "y": 1000 + 5 * a + b + random.normal(size=rows), "big": 1e4 * (1 + a)}


UNFINISHED = {
    "Adam at its start rate": ("y ~ a + b", {"optimizer": "adam"}),
    "one step by hand": ("y ~ a + b", {"optimizer": "sgd", "epochs": 1, "lr": 0.01}),
    "no step at all": ("y ~ a + b", {"lr": 0.1, "epochs": 0}),
    "unscaled columns": ("y ~ big + b", {"standardize": False, "lr": 1e-10, "epochs": 100}),
    "nearly there from far off": ("y ~ a + b", {"lr": 0.1, "epochs": 16}),
    "in turn": ("y ~ a + b", {"optimizer": "adam", "test": "5"}),
    "Huber": ("y ~ a + b", {"optimizer": "adam", "loss": "huber"}),
    "the sum of squares": ("y ~ a + b", {"optimizer": "adam", "loss": "sse"}),
    "two targets": ("y + b ~ a", {"optimizer": "adam", "epochs": 10}),
}


@pytest.mark.parametrize("case", UNFINISHED)
def test_an_unfinished_run_is_called_not_trained_yet_and_a_finding_says_what_to_do(case, tmp_path):
    formula, settings = UNFINISHED[case]
    if settings.get("epochs") == 0:
        with pytest.raises(OptionError):
            descend.fit(formula, far_off(), **settings)
        return
    model = descend.fit(formula, far_off(), **settings)
    assert model.verification.verdict == "verdict.untrained"
    assert model.verification.tell().startswith("Not trained yet: ")
    assert any(finding.unfinished for finding in model.findings)
    assert model.evaluate(far_off()).verdict == "verdict.untrained"
    again = descend.load(model.save(tmp_path / "model.safetensors"))
    assert again.evaluate(far_off()).verdict == "verdict.untrained"
    finished = descend.fit(formula, far_off(), test=settings.get("test", "auto"))
    assert finished.verification.verdict == "verdict.better-numbers"


@pytest.mark.parametrize("family", [("c ~ a + b", 2), ("c ~ a + b", 3)])
def test_classes_that_are_not_trained_far_enough_are_told_so(family):
    formula, classes = family
    table = far_off(90)
    table["c"] = np.array(["u", "v", "w"])[np.argsort(np.argsort(table["a"])) * classes // 90]
    flipped = np.arange(0, 90, 9)
    table["c"][flipped] = np.roll(table["c"][flipped], 1)
    short = descend.fit(formula, table, optimizer="sgd", lr=1e-7, epochs=3, seed=1)
    assert short.verification.verdict == "verdict.untrained"
    assert descend.fit(formula, table, seed=1).verification.verdict != "verdict.untrained"


@pytest.mark.parametrize(
    ("share", "told"),
    [(0.0, "0%"), (0.0031, "0.3%"), (1e-7, "1e-05%"), (0.42, "42%"), (0.99, "99%"), (0.996, "99.6%"),
     (0.99999, "99.999%"), (1.0, "100%")],
)  # fmt: skip
def test_a_percentage_is_0_or_100_only_where_it_is(share, told):
    assert percent(share) == told


def test_a_finished_fit_of_noise_is_no_better_and_not_called_untrained():
    for seed in range(12):
        random = np.random.default_rng(seed)
        data = {"x": random.normal(size=100), "y": random.normal(size=100), "c": random.choice(["u", "v"], 100)}
        for formula in ("y ~ x", "c ~ x"):
            for asked in ({}, {"optimizer": "sgd"}):
                assert descend.fit(formula, data, seed=seed, **asked).verification.verdict != "verdict.untrained"


def test_a_model_as_it_was_earlier_is_not_trained_yet():
    model = descend.fit("y ~ a + b", far_off(), lr=0.1, epochs=60)
    assert model.evaluate(far_off()).verdict == "verdict.better-numbers"
    assert model.at(1).evaluate(far_off()).verdict == "verdict.untrained"
    assert model.at(60).evaluate(far_off()).verdict == "verdict.better-numbers"


@pytest.mark.parametrize("seed", range(8))
def test_separable_classes_that_are_told_apart_on_unseen_rows_are_not_called_no_better(seed):
    random = np.random.default_rng(seed)
    X = random.normal(size=(60, 12))
    data = {f"x{i}": X[:, i] for i in range(12)}
    data["y"] = np.where(2 * X[:, 0] + 0.8 * random.normal(size=60) > 0, "yes", "no")
    found = descend.fit("y ~ .", data, seed=seed).verification
    mine, base = found.scores[0]["hypothesis"], found.scores[0]["baseline"]
    if mine["auc"] > 0.9:
        assert found.verdict.split("-")[0] in ("verdict.better", "verdict.unsure")
        assert not found.tell().startswith("No better")
        assert "probabilities are off" in found.tell() or mine["log_loss"] < base["log_loss"]


def test_a_rare_class_may_be_ranked_well_by_probabilities_that_are_off():
    target = problem_of("c ~ a", {"a": np.arange(4.0), "c": ["u", "v", "u", "v"]}, Recipe()).target
    truth = (np.arange(40) >= 36).astype(float)[:, None]
    second = np.linspace(0.5, 0.999, 40)
    found = judge(
        target,
        truth,
        np.column_stack([1 - second, second]),
        np.tile([0.9, 0.1], (40, 1)),
        method="given",
        fitted_rows=9,
    )
    assert found.verdict == "verdict.better-ranks"
    assert found.values["auc"] == 1
    assert "its AUC is 1 (0.5 by chance)" in found.tell()


@pytest.mark.parametrize("test", ["loo", "4"])
def test_the_baseline_of_rows_predicted_in_turn_is_that_of_all_rows(test):
    random = np.random.default_rng(5)
    data = {"x": random.normal(size=20), "c": np.array(["u", "v"] * 10), "y": random.normal(3, 1, size=20)}
    (classes,) = descend.fit("c ~ x", data, test=test).verification.scores
    assert classes["baseline"] == {"accuracy": 0.5, "log_loss": pytest.approx(np.log(2)), "auc": 0.5}
    (numbers,) = descend.fit("y ~ x", data, test=test).verification.scores
    assert numbers["baseline"]["r2"] == pytest.approx(0, abs=1e-12)
    assert numbers["baseline"]["rmse"] == pytest.approx(data["y"].std())
    alone = descend.fit("y ~ 1", data, test=test).verification
    assert alone.verdict == "verdict.same-numbers"


def test_the_baseline_of_three_rows_left_out_in_turn_is_no_worse_than_their_mean(scores):
    (score,) = descend.fit("score ~ hours", scores).verification.scores
    assert score["baseline"]["r2"] == pytest.approx(0, abs=1e-12)


def told_of(truth, predicted, base, **changes):
    truth, predicted, base = (np.asarray(values, dtype=float)[:, None] for values in (truth, predicted, base))
    target = problem_of("y ~ x", {"x": [1.0, 2, 3], "y": [1.0, 2, 4]}, Recipe()).target
    return judge(target, truth, predicted, base, method="given", fitted_rows=3, **changes)


def test_no_verdict_tells_a_percentage_that_cannot_be_read():
    truth = np.arange(20.0)
    base = np.full(20, 9.0)
    far = told_of(truth, truth + 1e6, base)
    assert far.verdict == "verdict.no-better-far-numbers"
    assert "times the mean's" in far.tell()
    exact = told_of(np.full(20, 9.0), truth, base)
    assert exact.verdict == "verdict.no-better-exact-numbers"
    assert "no error at all" in exact.tell()
    broken = told_of(truth, np.where(truth > 17, np.inf, truth), base)
    assert broken.verdict == "verdict.no-verdict"
    assert "2 are not finite" in broken.tell()
    for found in (far, exact, broken, told_of(1e200 * truth, 1e220 + truth, 1e200 * base)):
        for lang in ("en", "ko"):
            assert not re.search(r"inf|nan|\d{5}%", found.tell(lang))


@pytest.mark.parametrize("size", [1e-300, 1e-9, 0.1, 1e9, 1e200])
def test_scores_hold_whatever_the_numbers_sizes_and_a_constant_is_one(size):
    random = np.random.default_rng(0)
    truth, predicted = random.normal(size=(2, 30))
    expected, found = number_scores(truth, predicted), number_scores(size * truth, size * predicted)
    assert found["r2"] == pytest.approx(expected["r2"])
    assert found["rmse"] == pytest.approx(size * expected["rmse"])
    constant = np.full(30, size)
    assert np.isnan(number_scores(constant, np.full(30, 2 * size))["r2"])
    assert told_of(constant, constant, np.full(30, constant.mean())).verdict == "verdict.same-numbers"
    assert told_of(size * truth, size * truth, np.zeros(30)).verdict == "verdict.better-numbers"


def test_a_fit_of_the_test_that_diverges_gives_no_verdict():
    x = np.r_[np.linspace(-1, 1, 11), 30.0]  # without the last row the columns allow a far larger rate
    data = {"x": x, "y": 2 * x + np.cos(7 * x)}
    found = descend.fit("y ~ x", data, standardize=False, lr=0.012, epochs=3000, test="loo").verification
    assert found.verdict in ("verdict.better-numbers", "verdict.unsure-numbers", "verdict.untrained")
    problem, recipe = problem_of("y ~ x", data, Recipe(standardize=False, lr=0.9, test="loo")), None
    recipe = Recipe(standardize=False, lr=0.9, test="loo", epochs=400)
    split = problem.split(recipe)
    calm = problem.train(np.arange(11), recipe)
    _, predicted, _ = problem.predict_unseen(split, calm, recipe)
    assert np.isnan(predicted[:11]).all()
    assert problem.verify(split, calm, recipe).verdict == "verdict.no-verdict"


def test_evaluating_does_not_call_the_rows_unseen(noisy):
    model = descend.fit("y ~ a", noisy)
    assert "unseen" not in model.evaluate(noisy).tell()
    assert "처음 보는" not in model.evaluate(noisy).tell("ko")


@pytest.mark.slow
@pytest.mark.parametrize(("classes", "rows", "method"), [(3, 12, "loo"), (24, 48, "folds"), (2, 2500, "folds")])
def test_leaving_out_each_row_of_classes_has_a_bound_and_says_what_is_done_instead(classes, rows, method):
    x = np.random.default_rng(1).normal(size=rows)
    names = np.array([f"g{i}" for i in range(classes)])
    table = {"x": x, "g": np.roll(names, 3)[np.arange(rows) % classes], "y": names[np.arange(rows) % classes]}
    model = descend.fit("y ~ x + g" if classes > 3 else "y ~ x", table, test="loo", l2=0.1)
    assert model.verification.method == method
    assert ("note.folds-instead" in [note.code for note in model.notes]) == (method == "folds")


def with_evidence(sigmas, rows=20):
    """Return the truth, predictions and baseline of a test whose mean gain is so many of its standard errors."""
    spread = np.resize([1.0, -1.0], rows)
    gains = sigmas * spread.std(ddof=1) / np.sqrt(rows) + spread
    return np.resize([3.0, -3.0], rows), np.resize([3.0, -3.0], rows) - np.sqrt(9 - gains), np.zeros(rows)


@pytest.mark.parametrize(
    ("sigmas", "rows", "verdict"),
    [(2.02, 20, "better"), (1.98, 20, "unsure"), (1.98, 10, "unsure"), (1.5, 20, "unsure"), (1.5, 8, "few-rows"),
     (-0.1, 20, "no-better")],
)  # fmt: skip
def test_a_verdict_turns_at_two_standard_errors_and_at_ten_rows(sigmas, rows, verdict):
    found = told_of(*with_evidence(sigmas, rows))
    assert found.verdict == f"verdict.{verdict}-numbers"
    score = found.scores[0]
    ratio = score["hypothesis"]["rmse"] / score["baseline"]["rmse"]
    assert found.values["lower"] == pytest.approx(abs(1 - ratio))  # of the errors that are shown


@pytest.mark.parametrize(("left", "verdict"), [(0.992, "untrained"), (0.98, "better-numbers")])
def test_an_unfinished_run_is_better_only_where_it_gains_something(left, verdict):
    truth = np.resize([3.0, -3.0], 20)
    assert told_of(truth, (1 - left) * truth, np.zeros(20), finished=False).verdict == f"verdict.{verdict}"


def test_classes_told_apart_by_less_than_chance_may_do_are_no_better():
    target = problem_of("c ~ a", {"a": np.arange(4.0), "c": ["u", "v", "u", "v"]}, Recipe()).target
    truth = np.resize([0.0, 1.0], 40)[:, None]
    second = np.resize([0.01, 0.02, 0.99, 0.98], 40)
    made = judge(
        target, truth, np.column_stack([1 - second, second]), np.full((40, 2), 0.5), method="given", fitted_rows=9
    )
    assert made.verdict == "verdict.no-better-far-classes"


def test_a_class_that_was_ruled_out_costs_a_bounded_log_loss():
    found = row_log_loss(np.array([1, 0]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    np.testing.assert_allclose(found, [-np.log(1e-15), 0])


def test_the_most_confused_classes_come_first_and_two_have_none():
    matrix = np.array([[9, 3, 1], [5, 9, 0], [0, 2, 9]])
    told = [(pair["actual"], pair["predicted"], pair["count"]) for pair in most_confused(list("uvw"), matrix)]
    assert told == [("v", "u", 5), ("u", "v", 3), ("w", "v", 2), ("u", "w", 1)]
    assert most_confused(list("uv"), matrix[:2, :2]) == []


def test_a_row_that_is_all_that_its_column_has_is_not_left_out_in_closed_form():
    alone = np.column_stack([np.ones(6), np.eye(6)[0]])
    assert left_out(alone, np.arange(6.0)[:, None]) is None
    assert left_out(np.eye(3) + 1, np.arange(3.0)[:, None]) is None  # as many columns as rows


@pytest.mark.parametrize("rare", [1, 2])
@pytest.mark.parametrize("method", ["holdout", "evaluate"])
def test_rows_of_one_class_alone_do_not_show_that_classes_are_told_apart(rare, method):
    random = np.random.default_rng(rare)
    data = {"x": random.normal(size=60), "c": np.array(["common"] * 60, dtype=object)}
    data["c"][:rare] = "rare"
    model = descend.fit("c ~ x", data, l2=0.01)
    found = model.verification
    if method == "evaluate":
        found = model.evaluate({name: values[rare:] for name, values in data.items()})
    assert all(entry["rows"] == 0 for entry in found.classes if entry["class"] == "rare")
    assert found.verdict == "verdict.one-class"
    assert "common" in found.tell()
    assert "common" in found.tell("ko")


def test_a_hypothesis_that_is_nearer_on_every_row_is_not_called_chance_for_a_few_large_errors():
    x = np.random.default_rng(0).normal(size=60) ** 3
    found = descend.fit("y ~ x + z", {"x": x, "z": np.sin(x), "y": 2 * x + 1}).verification
    assert found.verdict == "verdict.better-numbers"
    assert "chance" not in found.tell()


@pytest.mark.slow
def test_noise_is_seldom_called_better_by_the_signs_of_the_rows():
    random, better = np.random.default_rng(0), 0
    for _ in range(300):
        y = np.exp(random.normal(size=60))
        predicted = y[:48].mean() + 0.2 * random.normal(size=(12, 1))
        target = descend.fit("y ~ 1", {"y": y}, test="none").target
        base = np.full((12, 1), y[:48].mean())
        truth = y[48:, None]
        verdict = judge(target, truth, predicted, base, method="holdout", fitted_rows=48).verdict
        better += verdict == "verdict.better-numbers"
    assert better < 0.05 * 300
