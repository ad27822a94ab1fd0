"""Fitted scikit-learn estimators become models, models become estimators, and both predict the same."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import datasets
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC

import descend
from descend import DescentClassifier, DescentRegressor, DesignError, FormulaError, ModelError
from descend.base.messages import say

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DIABETES = datasets.load_diabetes(as_frame=True)
IRIS = datasets.load_iris(as_frame=True)
SPECIES = pd.Series(IRIS.target_names[IRIS.target], name="species")
TWO = SPECIES != "virginica"

REGRESSORS = [
    LinearRegression(),
    LinearRegression(fit_intercept=False),
    Ridge(0.1),
    Lasso(0.1),
    ElasticNet(0.01),
    SGDRegressor(random_state=0),
    SGDRegressor(loss="huber", random_state=0),
    DescentRegressor(),
    DescentRegressor("huber", l2=0.1, delta=2.0),
    DescentRegressor(fit_intercept=False, optimizer="adam", max_iter=20),
]
CLASSIFIERS = [
    LogisticRegression(C=0.1),
    LogisticRegression(C=0.1, fit_intercept=False),
    DescentClassifier(l2=0.01),
]


def scaled(estimators):
    """Return each alone, after a scaler, and after ones that do only half of it."""
    halves = [{"with_mean": False}, {"with_std": False}]
    yield from estimators
    for estimator in estimators:
        yield make_pipeline(StandardScaler(), estimator)
    for half in halves:
        yield make_pipeline(StandardScaler(**half), estimators[1])
        yield make_pipeline(StandardScaler(**half), estimators[-1])


@pytest.mark.parametrize("estimator", list(scaled(REGRESSORS)), ids=str)
def test_a_regressor_becomes_a_model_that_predicts_the_same(estimator, tmp_path):
    X, y = DIABETES.data, DIABETES.target
    expected = estimator.fit(X, y).predict(X)
    model = descend.from_sklearn(estimator, target="progression")
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-11)
    assert model.equation.startswith("progression = ")
    total = model.intercept + sum(model.coefficients[name] * X[name] for name in X.columns)
    np.testing.assert_allclose(total, expected, rtol=1e-10)
    again = descend.load(model.save(tmp_path / "model.safetensors"))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    back = again.to_sklearn()
    np.testing.assert_allclose(back.predict(X), expected, rtol=1e-11)
    np.testing.assert_array_equal(back.feature_names_in_, X.columns)


@pytest.mark.parametrize("rows", [TWO, TWO | True], ids=["two", "three"])
@pytest.mark.parametrize("estimator", list(scaled(CLASSIFIERS)), ids=str)
def test_a_classifier_becomes_a_model_that_predicts_the_same(estimator, rows, tmp_path):
    X, y = IRIS.data[rows], SPECIES[rows]
    expected = estimator.fit(X, y).predict_proba(X)
    model = descend.from_sklearn(estimator, target="species")
    np.testing.assert_allclose(model.predict(X, probabilities=True), expected, rtol=1e-11)
    np.testing.assert_array_equal(model.predict(X), estimator.predict(X))
    again = descend.load(model.save(tmp_path / "model.safetensors"))
    assert again.evaluate(X.assign(species=y)).scores[0]["hypothesis"]["accuracy"] > 0.7
    back = again.to_sklearn()
    assert isinstance(back, LogisticRegression)
    np.testing.assert_allclose(back.predict_proba(X), expected, rtol=1e-11)
    np.testing.assert_array_equal(back.predict(X), estimator.predict(X))
    assert list(back.classes_) == list(estimator.classes_)


def test_stochastic_logistic_regression_of_two_classes_becomes_a_model():
    X, y = IRIS.data[TWO], SPECIES[TWO]
    estimator = SGDClassifier(loss="log_loss", random_state=0).fit(X, y)
    model = descend.from_sklearn(estimator)
    np.testing.assert_allclose(model.predict(X, probabilities=True), estimator.predict_proba(X), atol=1e-12)


def test_several_targets_and_arrays_without_names_get_names():
    X, Y = datasets.load_linnerud(return_X_y=True)
    estimator = LinearRegression().fit(X, Y)
    model = descend.from_sklearn(estimator)
    assert model.formula == "y0 + y1 + y2 ~ x0 + x1 + x2"
    frame = pl.DataFrame(X, schema=["x0", "x1", "x2"])
    np.testing.assert_allclose(model.predict(frame), estimator.predict(X), rtol=1e-12)
    np.testing.assert_allclose(model.to_sklearn().predict(frame), estimator.predict(X), rtol=1e-12)
    named = descend.from_sklearn(estimator, ["Chin ups", "sit", "log"], target=["a b", "w", "p"])
    assert named.formula == "`a b` + w + p ~ `Chin ups` + sit + log"
    assert list(named.coefficients) == ["a b", "w", "p"]


@pytest.mark.parametrize("labels", [[0, 1], [False, True], [2.0, 7.0], ["no", "yes"], [3, 5, 4]])
def test_classes_keep_their_kind(labels):
    y = np.array(labels)[IRIS.target % len(labels)]
    estimator = LogisticRegression().fit(IRIS.data, y)
    model = descend.from_sklearn(estimator)
    np.testing.assert_array_equal(model.predict(IRIS.data), estimator.predict(IRIS.data))
    assert model.predict(IRIS.data).dtype.kind in {"i": "f"}.get(y.dtype.kind, y.dtype.kind)
    np.testing.assert_array_equal(model.to_sklearn().classes_, estimator.classes_)


def test_a_descent_of_ours_keeps_its_history():
    estimator = DescentRegressor(optimizer="sgd", max_iter=30).fit(DIABETES.data, DIABETES.target)
    model = descend.from_sklearn(estimator)
    assert model.history is estimator.history_
    assert model.at(3).predict(DIABETES.data).shape == (442,)
    estimator.partial_fit(DIABETES.data, DIABETES.target)
    moved = descend.from_sklearn(estimator)
    assert moved.history.stop == "imported"
    np.testing.assert_allclose(moved.predict(DIABETES.data), estimator.predict(DIABETES.data), rtol=1e-12)


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_a_model_from_elsewhere_tells_where_it_is_from(lang):
    from rich.console import Console

    from descend.report.html import render
    from descend.report.terminal import tell_model

    model = descend.from_sklearn(Ridge().fit(DIABETES.data, DIABETES.target))
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(tell_model(model, lang))
    assert say("report.imported", lang, optimizer="Ridge") in console.export_text()
    assert "bmi" in render(model)


@pytest.mark.parametrize(
    ("formula", "family"),
    [("target ~ bmi + bp + s5", "linear"), ("target ~ 0 + bmi + bp", "linear"), ("target + s1 ~ bmi + s5", "linear")],
)
def test_a_fitted_model_of_numbers_becomes_a_linear_regression(formula, family):
    model = descend.fit(formula, DIABETES.frame, test="none")
    made = model.to_sklearn()
    assert isinstance(made, LinearRegression)
    X = DIABETES.frame[list(made.feature_names_in_)]
    np.testing.assert_allclose(made.predict(X), model.predict(DIABETES.frame), rtol=1e-12)
    assert made.fit_intercept == ("0 +" not in formula)


@pytest.mark.parametrize("rows", [TWO, TWO | True], ids=["two", "three"])
def test_a_fitted_model_of_classes_becomes_a_logistic_regression(rows):
    frame = IRIS.data.rename(columns=lambda name: name.replace(" (cm)", "")).assign(species=SPECIES)[rows]
    model = descend.fit("species ~ `sepal width` + `petal length`", frame, test="none", l2=0.01)
    made = model.to_sklearn()
    X = frame[["sepal width", "petal length"]]
    np.testing.assert_allclose(made.predict_proba(X), model.predict(frame, probabilities=True), rtol=1e-11)
    np.testing.assert_array_equal(made.predict(X), model.predict(frame))


@pytest.mark.parametrize(
    ("formula", "code"),
    [
        ("target ~ poly(bmi, 2)", "model.sklearn-term"),
        ("target ~ bmi:bp", "model.sklearn-term"),
        ("target ~ exp(bmi)", "model.sklearn-term"),
        ("target ~ C(sex)", "model.sklearn-term"),
        ("log(target) ~ bmi", "model.sklearn-target"),
    ],
)
def test_more_than_columns_is_refused_by_name(formula, code):
    model = descend.fit(formula, DIABETES.frame, test="none")
    with pytest.raises(ModelError) as caught:
        model.to_sklearn()
    assert caught.value.code == code
    assert formula.replace("target ~ ", "").replace(" ~ bmi", "") in str(caught.value)


@pytest.mark.parametrize(
    ("estimator", "code", "found"),
    [
        (SVC(), "model.sklearn-kind", "SVC"),
        (make_pipeline(MinMaxScaler(), LinearRegression()), "model.sklearn-kind", "Pipeline(MinMaxScaler"),
        (SGDRegressor(loss="epsilon_insensitive"), "model.sklearn-kind", "epsilon_insensitive"),
        (SGDClassifier(loss="hinge"), "model.sklearn-kind", "hinge"),
        ("a text", "model.sklearn-kind", "str"),
        (LinearRegression(), "model.sklearn-unfitted", "LinearRegression"),
        (make_pipeline(StandardScaler(), DescentRegressor()), "model.sklearn-unfitted", "Pipeline"),
    ],
)
def test_what_cannot_become_a_model_is_refused(estimator, code, found):
    with pytest.raises(ModelError) as caught:
        descend.from_sklearn(estimator)
    assert caught.value.code == code
    assert found in str(caught.value)


def test_one_against_the_rest_is_no_softmax():
    estimator = SGDClassifier(loss="log_loss", random_state=0).fit(IRIS.data, SPECIES)
    with pytest.raises(ModelError, match="SGDClassifier"):
        descend.from_sklearn(estimator)


def test_names_must_be_as_many_as_columns_and_targets():
    estimator = LinearRegression().fit(DIABETES.data, DIABETES.target)
    with pytest.raises(ModelError, match="2 names were given, where 10"):
        descend.from_sklearn(estimator, ["a", "b"])
    with pytest.raises(ModelError, match="2 names were given, where 1"):
        descend.from_sklearn(estimator, target=["a", "b"])
    with pytest.raises(DesignError, match="'a'"):
        descend.from_sklearn(estimator, ["a"] * 10)
    with pytest.raises(FormulaError):
        descend.from_sklearn(estimator, target="bmi")
    with pytest.raises(FormulaError):
        descend.from_sklearn(estimator, target="a`b")
