"""Findings: each told by its case and not by one just short of it; on clean tables next to none."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from patsy import dmatrix

from descend.analysis.diagnosis import Evidence, diagnose
from descend.base.messages import codes
from descend.fitting.problem import Problem
from descend.formula.parser import parse
from descend.solvers.recipe import Recipe
from descend.solvers.run_options import RunOptions
from descend.tables.open import read


def evidence(formula, table, *, rows=None, **settings):
    """Return what a fit of ``formula`` on the rows of ``table`` leaves to look at."""
    recipe, table = Recipe(**settings), read(table)
    problem = Problem.state(parse(formula).resolve(table.columns), table, recipe)
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
        not trained.hypothesis.linear,
    )


def found(*args, **settings):
    return [finding.code.removeprefix("finding.") for finding in diagnose(evidence(*args, **settings))]


def upright(rows, columns, seed=0):
    """Return columns of mean 0 and deviation 1 that are not correlated."""
    Q = np.linalg.qr(np.column_stack([np.ones(rows), np.random.default_rng(seed).normal(size=(rows, columns))]))[0]
    return Q[:, 1:].T * np.sqrt(rows)


def clean(rows=60):
    """Return a table with nothing wrong: y = 1 + x + z and noise, all upright."""
    x, z, noise, other = upright(rows, 4)
    return {"x": x, "z": z, "noise": noise, "other": other, "y": 1 + x + z + noise}


# one case for every finding, each with a number that makes it stronger


def unscaled(ratio):
    t = clean()
    return evidence("y ~ x + z", {**t, "z": ratio * t["z"]}, standardize=False, lr=1e-5, epochs=5)


def rate_too_large(lr):
    return evidence("y ~ x + z", clean(), lr=lr, epochs=100)


def rate_bounces(share):
    base = evidence("y ~ x + z", clean(), lr=0.1, epochs=4, loss="huber")
    loss = np.array([2.0, 1.0, 1.0 + share, 1.0 + share - 1e-3, 1.0])
    return replace(base, history=replace(base.history, loss=loss, final_gradient_norm=1.0))


def rate_too_small(epochs):
    return evidence("y ~ x + z", clean(), lr=0.001, epochs=epochs)


def not_converged(epochs):
    return evidence("y ~ x + z", clean(), lr=0.1, epochs=epochs)


def not_converged_least(epochs):
    return evidence("y ~ x + z", clean(), lr=0.1, epochs=epochs, dtype="float32")


def not_converged_unsteady(last):
    base = evidence("y ~ x + z", clean(), lr=0.5, epochs=4, loss="huber")
    slopes = np.array([1.0, 0.5, 0.9, 0.6, 1.0]) * base.history.gradient_norm[0]
    slopes[-1] *= last
    losses = base.history.loss[0] * np.array([1.0, 0.8, 0.7, 0.6, 0.5])
    ended = replace(
        base.history, gradient_norm=slopes, final_gradient_norm=slopes[-1], loss=losses, final_loss=losses[-1]
    )
    return replace(base, history=ended)


def short_of_the_optimum(stop, table=None, **settings):
    """Return the evidence of a run to the optimum that ended as ``stop`` says."""
    base = evidence("y ~ x + z", table or clean(), loss="huber", **settings)
    return replace(base, history=replace(base.history, stop=stop))


def not_arrived(stop):
    return short_of_the_optimum(stop)


def not_arrived_from(stop):
    return short_of_the_optimum(stop, init={"x": 3.0})


def not_arrived_raw(stop):
    return short_of_the_optimum(stop, standardize=False)


def hollows(rows):
    """Return a fit in which ``rows`` of the 60 rows are predicted far from what they are, whatever is done."""
    t = clean()
    y = 50 + t["x"] + t["z"]
    y[:rows] = 1e6
    return evidence("y ~ x + z", {**t, "y": np.where(np.arange(60) < 60 - rows, y[::-1], 0.0)}, loss="msle")


def stopped_early(**changes):
    base = evidence("y ~ x + z", clean(), patience=5, epochs=100, lr=0.4)
    return replace(base, history=replace(base.history, stop="early", **changes))


def overfit(rise):
    loss = np.array([4.0, 2.0, 1.0])
    return stopped_early(epoch=np.arange(3), loss=loss, validation_loss=np.array([4.0, 2.0, 2.0 * (1 + rise)]))


def underfit(share):
    loss = share * stopped_early().objective.Y.var()
    return stopped_early(final_loss=loss, validation_loss=np.full(3, loss), loss=np.full(3, loss), epoch=np.arange(3))


def underfit_image(share):
    images = np.random.default_rng(0).integers(0, 255, (60, 2, 2), np.uint8)
    base = evidence("y ~ image", {"image": images, "y": clean()["y"]}, patience=5, epochs=100, lr=0.4)
    loss = share * base.objective.Y.var()
    flat = {"loss": np.full(3, loss), "validation_loss": np.full(3, loss), "epoch": np.arange(3)}
    return replace(base, history=replace(base.history, stop="early", final_loss=loss, **flat))


def of_network(**history):
    """Return a network's evidence with a run of three epochs as it is given."""
    base = evidence("y ~ x", clean(), hypothesis="mlp(2)", patience=5, epochs=2, dtype="float64")
    return replace(base, history=replace(base.history, stop="epochs", epoch=np.arange(3), **history))


def overfit_network(rise):
    return of_network(loss=np.array([4.0, 2.0, 1.0]), validation_loss=np.array([4.0, 2.0, 2.0 * (1 + rise)]))


def underfit_network(share):
    loss = share * float(of_network().over.Y.var())
    return of_network(final_loss=loss, validation_loss=np.full(3, loss), loss=np.full(3, loss))


def dead_target(spread):
    t = clean()
    return evidence("y ~ x", {**t, "y": 5 + spread * t["noise"]})


def leakage(apart):
    t = clean()
    return evidence("y ~ x + z", {**t, "y": 3 * (t["x"] + apart * t["noise"])})


def leakage_classes(rows_of_class):
    x = np.arange(40.0)
    return evidence("c ~ x + z", {"x": x, "z": clean(40)["z"], "c": np.where(x < rows_of_class, "a", "b")})


def leakage_category(wrong):
    x, c = clean(40)["x"], np.repeat(["a", "b"], 20)
    g = np.where(c == "a", "u", "v")
    g[:wrong] = "v"
    return evidence("c ~ x + g", {"x": x, "g": g, "c": c})


def separable(overlap):
    x = np.arange(30.0)
    x[15] -= overlap
    return evidence("c ~ x", {"x": x, "c": np.repeat(["a", "b"], 15)})


def quasi_separable(overlap):
    return separable(1 + overlap)


def imbalance(rare):
    t = clean(100)
    c = np.where(np.isin(np.arange(100), np.linspace(0, 99, rare).astype(int)), "rare", "usual")
    return evidence("c ~ x", {**t, "c": c}, l2=0.01)


def few_rows(rows):
    return evidence("y ~ x", clean(rows))


def more_columns(rows):
    return evidence("y ~ x + z + noise", {name: values[:rows] for name, values in clean().items()})


def constant(change):
    t = clean()
    return evidence("y ~ x + c", {**t, "c": 5 + change * t["z"]})


def nearly_constant(change):
    return constant(change)


def empty_level(rows_of_level):
    t = clean()
    g = np.array(["u", "v", "w"])[np.arange(60) % 3]
    rows = np.concatenate([np.flatnonzero(g != "w"), np.flatnonzero(g == "w")[:rows_of_level]])
    return evidence("y ~ x + g", {**t, "g": g}, rows=rows)


def collinear(apart):
    t = clean()
    return evidence("y ~ x + z + s", {**t, "s": t["x"] + t["z"] + apart * t["other"]})


def near_collinear(apart):
    t = clean()
    return evidence("y ~ x + s", {**t, "s": t["x"] + apart * t["other"]})


def raw_powers(offset):
    t = clean()
    return evidence("y ~ poly(w, 2, raw=True)", {**t, "w": np.linspace(-1, 1, 60) + offset})


def outliers(away):
    t = clean()
    y = t["y"].copy()
    y[7] += away
    return evidence("y ~ x + z", {**t, "y": y})


def high_leverage(away):
    t = clean()
    x = t["x"].copy()
    x[7] = away
    return evidence("y ~ x + z", {**t, "x": x, "y": 1 + t["z"] + t["noise"] + 0.1 * x * (x < 5)})


def curvature(bend):
    t = clean()
    return evidence("y ~ x + z", {**t, "y": t["y"] + bend * t["x"] ** 2})


def heteroscedastic(growth):
    t = clean(200)
    return evidence("y ~ x + z", {**t, "y": 50 + t["x"] + t["noise"] * np.exp(growth * t["x"])})


def untrained(epochs):
    t = clean()
    return evidence("y ~ x + z", {**t, "y": 1000 + t["y"]}, lr=0.1, epochs=epochs)


def untrained_network(share):
    alone = float(of_network().over.Y.var())
    return of_network(loss=np.array([9.0, 8.0, share * alone]), final_loss=share * alone, final_gradient_norm=1e-9)


def missing_code(times):
    table = clean()
    apart = np.linspace(0, 1, 60)
    apart[[3, 9]] = 1 + times
    return evidence("y ~ x + apart", table | {"apart": apart})


def near_same_levels(same):
    other = "Yes" if same else "so"
    return evidence("y ~ x + g", clean() | {"g": ["yes", "no", other] * 20})


CASES = [  # what builds it, the number at which it is told and the one, just short of that, at which it is not
    (unscaled, 101, 99),
    (rate_too_large, 1.001, 0.999),
    (rate_bounces, 0.51, 0.49),
    (rate_too_small, 173, 174),
    (not_converged, 10, 11),
    (not_converged_least, 20, 21),
    (untrained, 34, 35),
    (untrained_network, 1.001, 0.999),
    (not_converged_unsteady, 1.0, 0.009),
    (not_arrived, "stalled", "optimum"),
    (not_arrived_from, "epochs", "optimum"),
    (not_arrived_raw, "stalled", "optimum"),
    (hollows, 3, 0),
    (overfit, 0.101, 0.099),
    (underfit, 0.991, 0.989),
    (underfit_image, 0.991, 0.989),
    (overfit_network, 0.101, 0.099),
    (underfit_network, 0.991, 0.989),
    (dead_target, 1e-12, 1.2e-12),
    (leakage, 0.0044, 0.0046),
    (leakage_classes, 5, 4),
    (leakage_category, 0, 1),
    (separable, 0.99, 1.01),
    (quasi_separable, 0, 0.01),
    (imbalance, 4, 5),
    (few_rows, 19, 20),
    (more_columns, 3, 4),
    (constant, 0, 1e-9),
    (nearly_constant, 1e-14, 1e-13),
    (empty_level, 0, 1),
    (collinear, 1e-14, 1e-12),
    (near_collinear, 0.0309, 0.0313),
    (raw_powers, 8.45, 8.43),
    (outliers, 4.93, 4.9),
    (high_leverage, 14.1, 13.9),
    (curvature, 0.46, 0.45),
    (heteroscedastic, 0.235, 0.233),
    (missing_code, 5.01, 4.99),
    (near_same_levels, 1, 0),
]
NAMES = {leakage_category: "leakage-classes"}


def code_of(build):
    return NAMES.get(build, build.__name__.replace("_", "-"))


@pytest.mark.parametrize(("build", "told", "silent"), CASES, ids=[build.__name__ for build, _, _ in CASES])
def test_a_finding_is_told_at_its_threshold_and_not_just_short_of_it(build, told, silent):
    code = f"finding.{code_of(build)}"
    assert code in [finding.code for finding in diagnose(build(told))]
    assert code not in [finding.code for finding in diagnose(build(silent))]


def test_every_finding_has_a_case_and_a_remedy_in_both_languages():
    told = {code for code in codes("en") if code.startswith("finding.") and not code.endswith(".remedy")}
    assert {f"finding.{code_of(build)}" for build, _, _ in CASES} == told
    for build, strength, _ in CASES:
        for finding in diagnose(build(strength)):
            for lang in ("en", "ko"):
                assert "{" not in finding.tell(lang) + finding.remedy(lang)
            assert re.search("[가-힣]", finding.tell("ko"))
            assert re.search("[가-힣]", finding.remedy("ko"))


def only(code, *args, **settings):
    (finding,) = [f for f in diagnose(evidence(*args, **settings)) if f.code == f"finding.{code}"]
    return finding


def test_findings_come_worst_first():
    severities = [finding.severity for finding in diagnose(rate_too_large(1.2))]
    many = clean(12)
    many |= {"s": many["x"] + many["z"], "c": np.full(12, 2.0)}
    severities += [finding.severity for finding in diagnose(evidence("y ~ x + z + s + c", many))]
    assert severities == ["error", "warning", "hint", "hint"]


def test_a_diverged_run_says_only_how_it_went():
    t = clean()
    t = {**t, "big": 1e5 * t["z"], "s": t["x"] + t["z"]}
    assert found("y ~ x + big + s", t, lr=0.1, epochs=50, standardize=False) == ["rate-too-large", "unscaled"]


def test_the_remedy_of_a_large_rate_is_one_that_does_not_diverge():
    finding = only("rate-too-large", "y ~ x + z", clean(), lr=1.2, epochs=60)
    assert finding.values["suggestion"] == pytest.approx(0.9)
    assert found("y ~ x + z", clean(), lr=0.9, epochs=60) == []


def test_the_rate_of_a_loss_that_only_has_a_bound_may_bounce():
    t = clean()
    assert found("y ~ x + z", {**t, "y": 50 * t["y"]}, loss="huber", lr=500.0, epochs=60)[0] in (
        "rate-bounces",
        "rate-too-large",
    )


def test_a_slow_run_says_how_many_more_epochs_it_needs_and_they_are_enough():
    finding = only("not-converged", "y ~ x + z", clean(), lr=0.1, epochs=10)
    assert (finding.values["hundredth"], finding.values["millionth"]) == (1, 21)  # 0.64^11 < 0.01, 0.64^31 < 1e-6
    assert "--epochs 31" in finding.remedy()
    ended = evidence("y ~ x + z", clean(), lr=0.1, epochs=31)
    assert ended.history.gap <= 1e-6 * (ended.history.loss[0] - ended.quadratic.least)


def test_no_optimum_is_missed_where_there_is_none():
    t = {"x": np.arange(30.0), "c": np.repeat(["a", "b"], 15)}
    assert found("c ~ x", t, lr=0.1, epochs=50) == ["separable"]


def test_unscaled_columns_are_named_with_their_sizes_and_do_not_matter_at_the_optimum():
    finding = next(f for f in diagnose(unscaled(1000)) if f.code == "finding.unscaled")
    assert (finding.values["smallest"], finding.values["largest"]) in (("(intercept)", "z"), ("x", "z"))
    assert finding.values["condition"] == pytest.approx(1e6)
    t = clean()
    assert found("y ~ x + z", {**t, "z": 1000 * t["z"]}, standardize=False) == []


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_textbooks_table_is_told_one_thing_at_most(rows):
    t = {"hours": np.arange(1.0, rows + 1), "score": 20 * np.arange(1.0, rows + 1)}
    assert len(found("score ~ hours", t)) <= 1


def test_a_law_of_one_column_is_no_leak_but_an_equal_column_is():
    x = clean(20)["x"]
    assert found("y ~ x", {"x": x, "y": 20 * x}) == []
    assert found("y ~ x", {"x": x, "y": x}) == ["leakage"]
    assert found("y ~ x", {"x": x[:9], "y": x[:9]}) == []


def test_too_few_rows_are_a_warning_only_when_there_is_one():
    (one,) = diagnose(evidence("y ~ 1", {"y": [3.0]}))
    assert (one.code, one.severity) == ("finding.few-rows", "warning")


def test_columns_that_determine_one_another_are_told_group_by_group():
    t = clean()
    t |= {"s": t["x"] + t["z"], "d": 2 * t["other"]}
    groups = [f.values["columns"] for f in diagnose(evidence("y ~ x + z + other + s + d", t))]
    assert groups == ["x, z, s", "other, d"]


@pytest.mark.parametrize("settings", [{"loss": "huber"}, {"family": "logistic"}, {"standardize": False}])
def test_exact_collinearity_is_found_for_every_loss(settings):
    t = clean()
    t["s"] = t["x"] + t["z"]
    if "family" in settings:
        t["y"] = (t["y"] > 1).astype(float)
    told = [f.values["columns"] for f in diagnose(evidence("y ~ x + z + s", t, **settings)) if "collinear" in f.code]
    assert told == ["x, z, s"]


def test_penalised_columns_may_determine_one_another():
    t = clean()
    assert found("y ~ x + z + s", {**t, "s": t["x"] + t["z"]}, l2=0.01) == []


def test_a_reference_level_without_rows_is_told_as_such_and_not_as_collinearity():
    t = clean()
    g = np.array(["u", "v", "w"])[np.arange(60) % 3]
    base = evidence("y ~ x + g", {**t, "g": g}, rows=np.flatnonzero(g != "u"))
    assert [(f.code, f.values["levels"]) for f in diagnose(base)] == [("finding.empty-level", "g[u]")]


def test_a_constant_column_is_the_intercept_where_there_is_none():
    t = clean()
    assert found("y ~ 0 + c + x", {**t, "c": np.full(60, 2.0)}) == []


def test_raw_powers_are_cured_by_the_orthogonal_ones_that_the_remedy_names():
    t = {"w": np.linspace(100, 101, 60), "y": clean()["y"]}
    finding = only("raw-powers", "y ~ poly(w, 3, raw=True)", t)
    assert finding.values["term"] == "poly(w, 3)"
    assert found(f"y ~ {finding.values['term']}", t) == []


def test_quasi_separation_names_the_level_that_is_all_of_one_class():
    c = np.array(["a", "b"] * 30)
    g = np.array(["u", "v", "w"])[np.arange(60) // 20]
    c[g == "u"] = "b"
    finding = only("quasi-separable", "c ~ x + g", {**clean(), "c": c, "g": g})
    assert (finding.values["columns"], finding.values["apart"]) == ("g[u]", 20)


def test_separable_classes_with_a_penalty_have_an_optimum():
    t = {"x": np.arange(30.0), "c": np.repeat(["a", "b"], 15)}
    assert found("c ~ x", t, l2=0.01) == []


def test_three_classes_are_looked_at_like_two():
    x = np.arange(60.0)
    t = {"x": x, "z": clean()["z"], "c": np.repeat(["a", "b", "c"], 20)}
    assert found("c ~ x + z", t) == ["separable", "leakage-classes"]


def test_an_outlier_is_named_by_its_line_with_its_value(tmp_path):
    t = clean()
    y = t["y"].copy()
    y[7] = 99
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{a},{b}\n" for a, b in zip(t["x"], y, strict=True)))
    finding = only("outliers", "y ~ x", path)
    assert finding.values["count"] == 1
    assert finding.values["rows"].startswith("9: 99, ")  # the header is line 1


def test_studentised_errors_and_influence_are_those_of_statsmodels():
    import pandas as pd
    import statsmodels.formula.api as smf

    t = clean(40)
    t["y"] = t["y"].copy()
    t["y"][7] += 9
    theirs = smf.ols("y ~ x + z", pd.DataFrame(t)).fit()
    influence = theirs.get_influence()
    finding = only("outliers", "y ~ x + z", t)
    assert finding.values["size"] == pytest.approx(np.abs(influence.resid_studentized_external).max(), rel=1e-9)
    pulled = next(f for f in diagnose(high_leverage(20)) if f.code == "finding.high-leverage")
    base = high_leverage(20)
    hat = np.linalg.qr(base.objective.X)[0]
    assert pulled.values["leverage"] == pytest.approx(np.square(hat).sum(axis=1).max(), rel=1e-9)


def test_the_spread_test_is_statsmodels_breusch_pagan():
    import statsmodels.api as sm
    from statsmodels.stats.diagnostic import het_breuschpagan

    base = heteroscedastic(0.3)
    t = base.data.numbers
    X = sm.add_constant(np.column_stack([t["x"], t["z"]]))
    chance = het_breuschpagan(sm.OLS(t["y"], X).fit().resid, X)[1]
    finding = next(f for f in diagnose(base) if f.code == "finding.heteroscedastic")
    assert finding.values["chance"] == pytest.approx(chance, rel=1e-6)


def test_a_spread_that_grows_with_the_target_asks_for_its_logarithm_else_for_no_other_loss():
    growing = next(f for f in diagnose(heteroscedastic(0.5)) if f.code == "finding.heteroscedastic")
    assert growing.values["written"] == '"log(y) ~ x + z"'
    falling = next(f for f in diagnose(heteroscedastic(-0.5)) if f.code == "finding.heteroscedastic")
    assert "written" not in falling.values
    assert "keep the coefficients" in falling.remedy()


@pytest.mark.parametrize(
    ("formula", "written"),
    [
        ("y ~ x + z", "y ~ poly(x, 2) + z"),
        ("y ~ .", "y ~ . - x + poly(x, 2)"),
        ("y ~ z * x", "y ~ z * poly(x, 2)"),
        ("log(y) ~ x + sqrt(z)", "log(y) ~ poly(x, 2) + sqrt(z)"),
        ("y ~ `x 1` + z", "y ~ poly(`x 1`, 2) + z"),
    ],
)
def test_the_formula_with_a_bend_can_be_typed_as_it_stands(formula, written):
    t = clean(200)
    y = 60 + 3 * t["x"] ** 2 + 0.5 * t["noise"]
    table = {"x": t["x"], "z": t["z"] + 9, "y": np.exp(y / 10) if "log" in formula else y}
    if "`" in formula:
        table["x 1"] = table.pop("x")
    finding = only("curvature", formula, table)
    assert finding.values["formula"] == written
    assert "curvature" not in found(written, table)


def test_a_bend_that_one_row_makes_is_no_bend():
    t = clean()
    x = t["x"].copy()
    x[9] = 50
    assert "curvature" not in found("y ~ x + z", {**t, "x": x})


def test_rows_that_only_a_missing_bend_makes_strange_are_not_told():
    t = clean()
    assert found("y ~ x", {**t, "y": 10 * t["x"] ** 2 + t["noise"]}) == ["curvature"]


def test_every_target_is_looked_at():
    t = clean()
    table = {**t, "bent": t["y"] + 3 * t["x"] ** 2, "dead": np.ones(60)}
    assert found("y + bent + dead ~ x + z", table) == ["dead-target", "curvature"]


def test_a_large_table_is_looked_at_whole_where_one_row_counts():
    random = np.random.default_rng(1)
    x, g = random.normal(size=60_000), np.array(["u", "v"])[(np.arange(60_000) == 31_234).astype(int)]
    y = x + random.normal(size=60_000)
    y[41_234] = 40
    table = {"x": x, "z": 3 - x, "y": y, "g": g}
    findings = {f.code: f.values for f in diagnose(evidence("y ~ x + z + g", table, test="none"))}
    assert findings["finding.outliers"]["rows"].startswith("41235: 40, ")
    assert findings["finding.collinear"]["columns"] == "x, z"
    classes = np.where(x + random.logistic(size=60_000) > 0, "a", "b")
    told = {f.code: f.values for f in diagnose(evidence("c ~ x + z + g", {**table, "c": classes}))}
    assert told["finding.collinear"]["columns"] == "x, z"


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 10, 21, 31])
@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"standardize": False, "lr": 1.0, "epochs": 9},
        {"l2": 0.1},
        {"loss": "mae"},
        {"optimizer": "adam", "lr": 1.0},
    ],
)
def test_odd_tables_raise_nothing(rows, scale, settings):
    random = np.random.default_rng(rows)
    x, z = scale * random.normal(size=rows), random.integers(0, 2, rows).astype(float)
    table = {"x": x, "z": z, "c": np.ones(rows), "y": random.normal(size=rows) / scale, "k": np.zeros(rows)}
    for formula in ("y ~ 1", "y ~ 0 + x", "y ~ x * z + c", "k ~ x", "y + k ~ x + z"):
        for finding in diagnose(evidence(formula, table, **settings)):
            assert finding.tell()


def test_a_fit_on_three_rows_does_not_load_scipy():
    code = (
        "import sys, numpy as np, descend; from descend import fit\n"
        "fit('y ~ x', {'x': [1, 2, 3], 'y': [20, 41, 60]})\n"
        "from descend.analysis.diagnosis import diagnose\n"
        "assert not any(name.startswith('scipy') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def random_table(seed):
    """Return a table as they should be: number columns and categories of moderate effect, normal noise or a coin."""
    random = np.random.default_rng(seed)
    rows, columns = int(random.integers(30, 501)), int(random.integers(1, 7))
    table, effect = {}, np.zeros(rows)
    for column in range(columns):
        kind = random.integers(3)
        if kind == 2:
            levels = int(random.integers(2, 5))
            drawn = random.integers(levels, size=rows)
            table[f"x{column}"] = np.array(list("abcd"))[drawn]
            effect += random.normal(0, 0.5, levels)[drawn]
            continue
        x = (
            random.normal(random.uniform(-50, 50), random.uniform(0.1, 20), rows)
            if kind
            else random.uniform(0, 9, rows)
        )
        table[f"x{column}"] = x
        effect += random.normal(0, 0.7) * (x - x.mean()) / x.std()
    if random.integers(2):
        return {**table, "y": 10 + 3 * effect + random.normal(0, random.uniform(0.5, 5), rows)}
    return {**table, "y": np.where(random.uniform(size=rows) < 1 / (1 + np.exp(-effect)), "yes", "no")}


@pytest.mark.slow
def test_clean_tables_are_hardly_ever_blamed():
    told = [code for seed in range(500) for code in found("y ~ .", random_table(seed)) if code != "few-rows"]
    assert len(told) < 0.05 * 500
    assert len(told) <= 10  # what was measured is 2; the tests of the errors alone may cost 1 in 80


@pytest.mark.parametrize("rows", [60, 900])
@pytest.mark.parametrize("value", [0.1, 7.0, 1e6 + 0.1])
def test_of_a_target_that_is_the_same_everywhere_the_rounding_is_no_finding(value, rows):
    random = np.random.default_rng(0)
    table = {"a": random.normal(size=rows), "b": random.exponential(size=rows), "y": np.full(rows, value)}
    assert found("y ~ a + b", table) == ["dead-target"]


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("rare", ["z", "0"], ids=["the last level", "the reference"])
@pytest.mark.parametrize(
    "formula",
    [
        "y ~ g + x + z",
        "y ~ g*h + x",
        "y ~ x + g*z + h",
        "h ~ g + x + z",
        "y ~ poly(x, 3) + g*h + z",
        "y ~ 0 + g + h + x",
    ],
)
def test_a_level_without_fitted_rows_ties_no_sound_columns_together(formula, rare, scaled):
    for seed in range(6):
        random = np.random.default_rng(seed)
        g, h = random.choice(list("abc"), 90), random.choice(["p", "q"], 90)
        t = {"g": g, "h": h, "y": random.normal(size=90), "z": random.normal(size=90)}
        t["x"] = 10.0 ** random.integers(-3, 4) * (1 + random.normal(size=90))
        g[random.integers(0, 90, 5)] = rare
        fitted = np.flatnonzero(g != rare)
        written = formula.partition("~")[2].replace("poly(x, 3)", "scale(x) + I(scale(x) ** 2)")
        reference = np.asarray(dmatrix(written, {name: values[fitted] for name, values in t.items()}))
        assert np.linalg.matrix_rank(reference / np.abs(reference).max(axis=0)) == reference.shape[1]
        told = found(formula, t, rows=fitted, standardize=scaled)
        assert "empty-level" in told
        assert not {"collinear", "near-collinear"} & set(told)


@pytest.mark.parametrize("rare", ["z", "0"], ids=["the last level", "the reference"])
def test_columns_that_are_tied_are_told_beside_a_level_without_fitted_rows(rare):
    t = clean()
    g = np.array(["a", "b", rare])[np.arange(60) % 3]
    t |= {"g": g, "s": t["x"] + t["z"], "b": (g == "b").astype(float)}
    fitted = np.flatnonzero(g != rare)
    assert only("collinear", "y ~ g + x + z + s", t, rows=fitted).values["columns"] == "x, z, s"
    assert "b" in only("collinear", "y ~ g + x + b", t, rows=fitted).values["columns"].split(", ")


def test_a_product_says_nothing_of_a_level_that_is_told_by_itself():
    t = clean()
    t |= {"g": np.array(["a", "b", "z"])[np.arange(60) % 3], "h": np.array(["p", "q"])[np.arange(60) % 2]}
    assert only("empty-level", "y ~ g*h + x", t, rows=np.flatnonzero(t["g"] != "z")).values["levels"] == "g[z]"


@pytest.mark.parametrize("mean", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("wide", [0.0, 0.5], ids=["Poisson", "wider"])
def test_counts_are_no_outliers_and_a_slip_among_them_is_one(mean, wide):
    told = 0
    for seed in range(10):
        random = np.random.default_rng(seed)
        x = random.uniform(0, 2, 300)
        expected = mean * np.exp(x) * (random.gamma(1 / wide, wide, 300) if wide else 1)
        t = {"x": x, "y": random.poisson(expected).astype(float)}
        told += "outliers" in found("y ~ x", t)
        t["y"][150] = 10_000 * (1 + mean)
        assert "outliers" in found("y ~ x", t)
    assert told <= 1


def test_errors_that_grow_are_answered_with_what_is_true_and_no_other_loss():
    random = np.random.default_rng(0)
    x = random.uniform(1, 10, 300)
    grown = {"x": x, "y": (5 + 3 * x) * np.exp(0.4 * random.normal(size=300))}
    (finding,) = diagnose(evidence("y ~ x", grown))
    assert finding.code == "finding.heteroscedastic"
    assert "log(y) ~ x" in finding.remedy()
    below = {"x": x, "y": 5 - 3 * x + x * random.normal(size=300)}
    for told in (finding, only("heteroscedastic", "y ~ x", below)):
        assert "the coefficients stand" in told.tell()
        assert "huber" not in told.remedy() + told.remedy("ko")
        assert "standard errors, p-values and intervals" in told.remedy()


@pytest.mark.parametrize("seed", range(6))
def test_where_errors_grow_and_no_logarithm_applies_far_rows_are_no_outliers(seed):
    random = np.random.default_rng(seed)
    x = random.normal(size=400)
    t = {"x": x, "y": 2 + x + random.normal(size=400) * np.exp(x)}
    told = found("y ~ x", t)
    assert "heteroscedastic" in told
    assert "outliers" not in told


def test_a_slip_beside_errors_that_grow_is_an_outlier_still():
    random = np.random.default_rng(1)
    x = random.normal(size=400)
    y = 2 + x + random.normal(size=400) * np.exp(x)
    y[np.argmin(np.abs(x))] = 90
    assert {"heteroscedastic", "outliers"} <= set(found("y ~ x", {"x": x, "y": y}))


@pytest.mark.parametrize("row", [3, 7, 30])
def test_one_row_that_does_not_belong_does_not_make_the_errors_of_the_others_uneven(row):
    random = np.random.default_rng(0)
    x = random.normal(size=60)
    y = 2 * x + 0.1 * random.normal(size=60)
    y[row] = 100
    assert found("y ~ x", {"x": x, "y": y}) == ["outliers"]


def test_a_column_that_tells_the_classes_apart_makes_them_separable_however_short_the_run():
    x = np.random.default_rng(0).normal(size=60)
    t = {"x": x, "c": np.where(x > 0.3, "yes", "no")}
    assert "separable" in found("c ~ x", t, lr=1, epochs=1)
    assert "separable" not in found("c ~ x - 1", t, lr=1, epochs=1)


def test_a_rate_that_is_too_small_is_told_by_losses_that_can_be_told_apart():
    t = clean()
    finding = only("rate-too-small", "y ~ x + z", {**t, "y": t["y"] + 0.123}, lr=1e-9, epochs=5)
    for lang in ("en", "ko"):
        first, last = re.findall(r"\d+\.\d+", finding.tell(lang))[-2:]
        assert first != last
        assert float(last) == pytest.approx(finding.values["last"], rel=1e-6)
