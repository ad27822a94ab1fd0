"""Every family is asked on every floor; what a family computes is held against SciPy, scikit-learn and its own loss."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from conftest import called
from scipy import special
from sklearn import metrics
from sklearn.linear_model import PoissonRegressor

import descend
from descend.analysis.inference import Inference
from descend.base.errors import DesignError
from descend.base.messages import codes, say
from descend.estimators import DescentRegressor
from descend.fitting.problem import Problem
from descend.model.hypotheses.linear import LinearHypothesis
from descend.objectives.families import FAMILIES, TargetColumn, recognise_family
from descend.objectives.losses import LOSSES, make_loss
from descend.solvers.recipe import Recipe
from descend.studio.data_chart import data_picture, ways
from descend.studio.parts.predict import _prediction_text
from descend.studio.view import view_of
from descend.studio.worker.session import Bench
from descend.tables.open import open_rows
from descend.tables.scans.parquet import ParquetScan

README = Path(__file__).parents[1] / "README.md"
EVERY = pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
KINDS = ("better", "unsure", "few-rows", "no-better", "no-better-far", "no-better-exact", "same")
ROWS = 400
RANDOM = np.random.default_rng(5)
U, V = RANDOM.normal(size=ROWS), RANDOM.normal(size=ROWS)
Z = 0.4 + 0.8 * U - 0.5 * V
TARGETS = {  # by family: a target that follows the linear predictor Z
    "linear": Z + RANDOM.normal(0, 0.3, ROWS),
    "logistic": np.where(RANDOM.random(ROWS) < special.expit(2 * Z), "yes", "no"),
    "poisson": RANDOM.poisson(np.exp(Z)),
    "softmax": np.array(["a", "b", "c"])[np.clip(np.round(Z + RANDOM.normal(0, 0.5, ROWS)), 0, 2).astype(int)],
}
INVERSES = {  # by family: the link's inverse by SciPy
    "linear": lambda z: z,
    "logistic": lambda z: special.expit(np.concatenate([-z, z], axis=1)),
    "poisson": lambda z: np.exp(z),
    "softmax": lambda z: special.softmax(z, axis=1),
}


def table_of(family):
    return {"u": U, "v": V, "y": TARGETS[family.name].tolist()}


def stated(family):
    return Problem.of("y ~ u + v", table_of(family), Recipe(family=family.name))


@pytest.fixture(scope="module")
def models():
    return {name: descend.fit("y ~ u + v", table_of(family), family=name, seed=3) for name, family in FAMILIES.items()}


@EVERY
def test_a_family_has_its_sentences_in_both_languages(family):
    target = stated(family).target
    for lang in ("en", "ko"):
        assert family.label in codes(lang)
        assert family.name in say("help.family", lang)
        assert all(f"report.{metric}" in codes(lang) for metric in (*family.metrics(target), family.error))
        assert all(f"verdict.{kind}-{family.verdict}" in codes(lang) for kind in KINDS)
    assert f"`{family.name}`" in README.read_text(encoding="utf-8")


@EVERY
def test_a_family_is_the_one_of_its_name_wherever_it_is_sent(family):
    assert pickle.loads(pickle.dumps(family)) is family
    assert copy.deepcopy(family) is family


@EVERY
def test_a_link_is_undone_by_its_inverse(family):
    problem = stated(family)
    z = np.random.default_rng(1).normal(size=(20, len(problem.target.outputs)))
    made = family.link.inverse(z)
    np.testing.assert_allclose(made, INVERSES[family.name](z), rtol=1e-14)
    again = family.link.link(made)
    if LOSSES[family.loss].shift_invariant:
        z, again = (each - each.mean(axis=1, keepdims=True) for each in (z, again))
    np.testing.assert_allclose(again, z, rtol=1e-12, atol=1e-13)
    assert family.link.linear == (made is z)


@EVERY
def test_what_no_hypothesis_predicts_is_the_best_constant(family):
    problem = stated(family)
    Y, truth = problem.target.encode(problem.data), problem.target.truth(problem.data)
    null, z = family.null(problem.target, truth), family.null_predictor(problem.target, Y)
    np.testing.assert_allclose(family.predict(problem.target, z), null, rtol=1e-12)
    slope = make_loss("auto", family).slope(np.broadcast_to(z, (ROWS, z.shape[1])), Y)
    np.testing.assert_allclose(slope.mean(axis=0), 0, atol=1e-13)
    constant = make_loss("auto", family).constant_loss(Y)
    value = make_loss("auto", family).value(np.broadcast_to(z, (ROWS, z.shape[1])), Y).mean()
    assert value == pytest.approx(constant, rel=1e-12)


@EVERY
def test_errors_of_rows_are_least_where_the_truth_is_predicted(family):
    problem = stated(family)
    target, truth = problem.target, problem.target.truth(problem.data)
    right = np.eye(len(target.levels))[truth[:, 0].astype(int)] if family.classes else truth
    null = np.broadcast_to(family.null(target, truth), (ROWS, len(target.predictions)))
    np.testing.assert_allclose(family.row_errors(target, truth, right), 0, atol=1e-14)
    errors = family.row_errors(target, truth, null)
    assert errors.shape == (ROWS,)
    assert errors.min() >= 0
    (_, scores), *others = family.score(target, truth, null)
    assert not others
    assert set(scores) == set(family.metrics(target))
    told = np.sqrt(errors.mean()) * family.unit(truth) if family.squared else errors.mean()
    assert told == pytest.approx(scores[family.error], rel=1e-12)


@EVERY
def test_a_family_is_recognised_by_a_column_of_its_own_or_asked_for(family):
    columns = [
        TargetColumn("y"),
        TargetColumn("y", zero_one=True),
        TargetColumn("y, z", plain=False),
        *(TargetColumn("y", numbers=False, levels=["level"] * count) for count in (1, 2, 3, 40)),
    ]
    found = [recognise_family(column) for column in columns]
    for column, (chosen, why) in zip(columns, found, strict=True):
        assert (family.recognised(column) is not None) == (chosen is family)
        assert why.code in codes("ko")


@EVERY
def test_a_family_refuses_more_than_it_predicts(family):
    table = {"u": U, "a": TARGETS[family.name].tolist(), "b": TARGETS[family.name].tolist()}
    if family.one_column:
        with pytest.raises(DesignError) as caught:
            descend.fit("a + b ~ u", table, family=family.name)
        assert caught.value.code == "design.one-class-target"
    else:
        assert descend.fit("a + b ~ u", table, family=family.name).target.columns == ("a", "b")


@pytest.mark.slow
@EVERY
def test_a_family_goes_from_the_fit_to_the_picture(family, models, tmp_path):
    model, table = models[family.name], table_of(family)
    assert model.family == family.name
    assert model.target.family is family
    assert model.history.stop in ("optimum", "solved")
    assert model.certificate.kind in ("exact", "bound")
    assert isinstance(model.inference, Inference)
    assert (model.inference.freedom is not None) == family.dispersion
    assert model.contrasts.shape == model.inference.errors.shape
    assert model.verification.verdict == f"verdict.better-{family.verdict}"
    assert f"{model.target.columns[0]}" in model.equation.split("=")[0]
    path = model.save(tmp_path / "m.safetensors")
    again = descend.load(path)
    assert again.target.family is family
    assert again.verification == model.verification
    np.testing.assert_array_equal(again.predict(table), model.predict(table))
    for lang in ("en", "ko"):
        model.plot(tmp_path / f"{lang}.png", lang=lang)
    assert model._repr_html_()


@EVERY
def test_predictions_lie_between_their_bounds(family, models):
    model, table = models[family.name], table_of(family)
    frame = model.intervals(table)
    named = [f"P({level})" for level in model.target.levels] or ["y_predicted"]
    for name in named:
        stem = name if family.classes else "y_mean"
        assert ((frame[f"{stem}_low"] <= frame[name]) & (frame[name] <= frame[f"{stem}_high"])).all()
    assert ("y_low" in frame.columns) == family.dispersion


@EVERY
def test_scikit_learn_predicts_as_the_model_does(family, models):
    model, table = models[family.name], table_of(family)
    made = descend.Model.to_sklearn(model)
    assert type(made).__name__ == family.estimator
    X = pl.DataFrame({"u": U, "v": V}).to_pandas()
    if family.classes:
        np.testing.assert_allclose(made.predict_proba(X), model.predict(table, probabilities=True), rtol=1e-10)
    else:
        np.testing.assert_allclose(made.predict(X), model.predict(table), rtol=1e-10)
    back = descend.from_sklearn(made, target="y")
    assert back.family == family.name
    np.testing.assert_allclose(np.sort(back.raw.ravel()), np.sort(model.raw.ravel()), rtol=1e-10, atol=1e-12)


@EVERY
def test_a_family_is_known_on_the_command_line(family, tmp_path, capsys):
    path = tmp_path / "t.csv"
    pl.DataFrame(table_of(family)).write_csv(path)
    code, out, _ = called(capsys, "fit", path, "y ~ u + v", "--family", family.name, "--json")
    assert code == 0
    assert f'"family": "{family.name}"' in out
    code, out, _ = called(capsys, "compare", path, "y ~ u", "y ~ u + v", "--family", family.name)
    assert code == 0
    assert say(f"report.{family.error}", "en") in out
    code, out, _ = called(capsys, "forecast", path, "y ~ u + v", "--family", family.name)
    assert code == 0


@EVERY
def test_a_forecast_is_made_or_says_why_not(family):
    forecast = descend.forecast("y ~ u + v", table_of(family), family=family.name)
    assert forecast.outlook or forecast.bound or forecast.reason in codes("ko")


@EVERY
def test_part_by_part_a_family_is_fitted_as_in_memory(family, models, tmp_path, small_parts):
    path = tmp_path / "t.parquet"
    many = {name: np.tile(values, 5) for name, values in table_of(family).items()}
    pl.DataFrame(many).write_parquet(path, row_group_size=700)
    assert isinstance(open_rows(path, memory=1), ParquetScan)
    found = descend.fit("y ~ u + v", path, family=family.name, test="none", memory=1)
    expected = descend.fit("y ~ u + v", many, family=family.name, test="none")
    assert isinstance(found.hypothesis, LinearHypothesis)
    assert found.target.family is family
    np.testing.assert_allclose(found.contrasts, expected.contrasts, rtol=1e-6, atol=1e-8)


@EVERY
def test_the_studio_draws_a_family(family, models, tmp_path):
    path = tmp_path / "t.parquet"
    pl.DataFrame(table_of(family)).write_parquet(path)
    bench = Bench(10**6)
    bench.open(str(path))
    prepared = bench.prepare("y ~ u + v", {"family": family.name})
    assert prepared.target.family is family
    model = descend.fit("y ~ u + v", path, family=family.name)
    view = view_of(model)
    for way in ways(view):
        picture = data_picture(view, way, "ko")
        assert picture.still["kind"]
        assert picture.moving(view, model.weights)


# Poisson, against statsmodels and scikit-learn


def glm_of(counts, *columns):
    return sm.GLM(counts, sm.add_constant(np.column_stack(columns)), family=sm.families.Poisson()).fit(
        tol=1e-15, maxiter=300
    )


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize(("level", "scale"), [(0.4, 1), (-3, 1), (0.4, 1e4), (13.8, 1), (13.8, 1e4), (20, 1)])
def test_poisson_regression_is_that_of_statsmodels_also_for_large_counts_and_columns(level, scale, standardize):
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 300))
    table = {"a": scale * a + 3 * scale, "b": scale * b, "y": random.poisson(np.exp(level + 0.5 * a - 0.3 * b))}
    model = descend.fit("y ~ a + b", table, family="poisson", test="none", standardize=standardize)
    expected = glm_of(table["y"], table["a"], table["b"])
    assert model.history.stop == "optimum"
    np.testing.assert_allclose(model.raw[:, 0], expected.params, rtol=1e-8)
    np.testing.assert_allclose(model.inference.errors[:, 0], expected.bse, rtol=1e-8)
    np.testing.assert_allclose(model.inference.p_values(model.raw)[:, 0], expected.pvalues, rtol=1e-6, atol=1e-300)
    reach = model.inference.quantile(0.9) * model.inference.errors[:, 0]
    ends = np.stack([model.raw[:, 0] - reach, model.raw[:, 0] + reach], axis=1)
    np.testing.assert_allclose(ends, expected.conf_int(0.1), rtol=1e-8)
    bounds = model.intervals(table, level=0.9)
    of_means = expected.get_prediction().summary_frame(0.1)
    for found, wanted in (
        ("y_predicted", "mean"),
        ("y_mean_low", "mean_ci_lower"),
        ("y_mean_high", "mean_ci_upper"),
    ):
        np.testing.assert_allclose(bounds[found], of_means[wanted], rtol=1e-8)


def test_counts_are_scored_as_scikit_learn_scores_them(models):
    model, table = models["poisson"], table_of(FAMILIES["poisson"])
    made = model.predict(table)
    (entry,) = model.evaluate(table).scores
    assert entry["hypothesis"]["deviance"] == pytest.approx(metrics.mean_poisson_deviance(table["y"], made), rel=1e-12)
    assert entry["hypothesis"]["d2"] == pytest.approx(metrics.d2_tweedie_score(table["y"], made, power=1), rel=1e-12)
    assert entry["hypothesis"]["mae"] == pytest.approx(metrics.mean_absolute_error(table["y"], made), rel=1e-12)


def test_counts_are_numbers_unless_poisson_is_asked_for():
    table = {"x": [1, 2, 3, 4, 5, 6], "y": [0, 2, 1, 4, 6, 9]}
    assert descend.fit("y ~ x", table).family == "linear"
    assert descend.fit("y ~ x", table, family="poisson").equation.startswith("y = exp(")
    assert descend.fit("y ~ x", table, loss="poisson").family == "poisson"


@pytest.mark.parametrize("value", [-1, 2.5, 1e-9])
def test_what_is_no_count_is_refused_with_its_row_and_column(value, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"x,y\n1,0\n2,3\n3,{value}\n4,5\n")
    with pytest.raises(DesignError) as caught:
        descend.fit("y ~ x", path, family="poisson", test="none")
    assert caught.value.code == "design.not-count"
    assert (caught.value.line, caught.value.column) == (4, "y")
    assert caught.value.values["value"] == value


def test_a_count_whose_square_overflows_is_told_not_to_have_arrived_without_a_warning():
    table = {"y": [1e300, 1.0, 2.0, 3.0], "x": [0.0, 1.0, 2.0, 3.0]}
    model = descend.fit("y ~ x", table, family="poisson", test="none")
    assert model.certificate.kind == "none"
    assert "not-arrived" in [finding.kind.name for finding in model.findings]


def test_a_level_without_counts_has_no_standard_errors_and_a_finite_coefficient():
    table = {"g": list("aabbccaabbcc"), "y": [0, 0, 3, 2, 5, 6, 0, 0, 1, 2, 3, 4]}
    model = descend.fit("y ~ g", table, family="poisson", test="none")
    assert np.isfinite(model.raw).all()
    np.testing.assert_allclose(model.predict({"g": ["a", "b", "c"]}), [0, 2, 4.5], rtol=1e-10, atol=1e-10)
    assert not isinstance(model.inference, Inference)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_an_estimator_with_the_loss_of_counts_is_scikit_learns_poisson_regressor(alpha):
    random = np.random.default_rng(2)
    X, weights = random.normal(size=(300, 4)), random.uniform(0.5, 2, 300)
    y = random.poisson(np.exp(1 + X @ [0.1, 0.2, -0.3, 0.4]))
    peer = PoissonRegressor(alpha=alpha, tol=1e-14, solver="newton-cholesky").fit(X, y, weights)
    ours = DescentRegressor("poisson", l2=alpha / 2).fit(X, y, weights)
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=1e-9)
    assert ours.intercept_ == pytest.approx(peer.intercept_, rel=1e-9)
    np.testing.assert_allclose(ours.predict(X), peer.predict(X), rtol=1e-9)
    with pytest.raises(DesignError) as caught:
        DescentRegressor("poisson").fit(X, y - 1.0)
    assert caught.value.code == "design.below-zero"


def test_the_loss_of_counts_says_why_nothing_is_foretold():
    forecast = descend.forecast("y ~ u", table_of(FAMILIES["poisson"]), family="poisson")
    assert forecast.reason == "forecast.no-bound"


def test_the_page_says_of_counts_between_what_their_mean_lies(models):
    class Page:
        def say(self, key, **values):
            return say(f"studio.{key}", "en", **values)

    for name, sentence in (
        ("poisson", "the mean of such rows lies between"),
        ("linear", "95% of such rows lie between"),
    ):
        told, bounds = _prediction_text(models[name], {"u": "0.5", "v": "0.1"}, Page(), mean=False)
        assert told.startswith("y = ")
        assert bounds.startswith(sentence)
