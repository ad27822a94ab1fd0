"""The scikit-learn estimators keep scikit-learn's contract and find scikit-learn's coefficients."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares
from sklearn import datasets
from sklearn.linear_model import HuberRegressor, LinearRegression, LogisticRegression, Ridge
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from descend import DescentClassifier, DescentRegressor

RANDOM = np.random.default_rng(5)


@parametrize_with_checks([DescentRegressor(), DescentClassifier()])
def test_the_estimators_pass_scikit_learns_own_checks(estimator, check):
    check(estimator)


def split(data):
    return data.data, data.target


def standardized(X):
    spread = X.std(axis=0)
    return (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1)


def weights_of(y, kind):
    """Return sample weights, some of them 0."""
    return None if kind == "unweighted" else RANDOM.integers(0, 5, len(y)).astype(float)


def counted(y, weights):
    return len(y) if weights is None else weights.sum()


@pytest.fixture(autouse=True)
def _one_thread():
    """Other work on the machine makes many small products on many threads wait for one another."""
    with threadpool_limits(1, user_api="blas"):
        yield


def assert_same(ours, theirs, tolerance=1e-6):
    scale = max(np.abs(theirs.coef_).max(), np.abs(theirs.intercept_).max())
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=tolerance, atol=tolerance * scale)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=tolerance, atol=tolerance * scale)
    assert np.shape(ours.coef_) == np.shape(theirs.coef_)


@pytest.mark.parametrize("kind", ["unweighted", "weighted"])
@pytest.mark.parametrize("data", [datasets.load_diabetes, datasets.load_linnerud])
def test_squared_error_has_linear_regressions_coefficients(data, kind):
    X, y = split(data())
    weights = weights_of(y, kind)
    assert_same(DescentRegressor().fit(X, y, weights), LinearRegression().fit(X, y, weights))
    without = DescentRegressor(fit_intercept=False).fit(X, y, weights)
    assert_same(without, LinearRegression(fit_intercept=False).fit(X, y, weights))


@pytest.mark.parametrize("kind", ["unweighted", "weighted"])
@pytest.mark.parametrize("data", [datasets.load_diabetes, datasets.load_linnerud])
def test_a_penalty_is_ridges_of_the_columns_as_given(data, kind):
    X, y = split(data())
    weights, alpha = weights_of(y, kind), 0.7
    ridge = Ridge(alpha=alpha).fit(X, y, weights)
    targets = y.size / len(y)
    for standardize in (True, False):
        mean = DescentRegressor(l2=alpha / (counted(y, weights) * targets), standardize=standardize)
        assert_same(mean.fit(X, y, weights), ridge)
        assert_same(DescentRegressor("sse", l2=alpha, standardize=standardize).fit(X, y, weights), ridge)


@pytest.mark.parametrize("kind", ["unweighted", "weighted"])
def test_hubers_loss_has_huber_regressors_coefficients_at_its_scale(kind):
    X, y = split(datasets.load_diabetes())
    X, y = standardized(X), standardized(y)
    weights, alpha, epsilon = weights_of(y, kind), 0.01, 1.35
    theirs = HuberRegressor(epsilon=epsilon, alpha=alpha, max_iter=100_000, tol=1e-12, warm_start=True)
    for _ in range(30):  # its solver stops early, so it is started again from where it stopped
        theirs.fit(X, y, weights)
    l2 = alpha * theirs.scale_ / (2 * counted(y, weights))
    ours = DescentRegressor("huber", delta=epsilon * theirs.scale_, l2=l2).fit(X, y, weights)
    assert_same(ours, theirs, 1e-4)  # as near as its own solver comes


def test_hubers_loss_has_the_coefficients_of_robust_least_squares():
    X, y = split(datasets.load_diabetes())
    X, y = standardized(X), standardized(y)
    ours = DescentRegressor("huber", delta=0.7).fit(X, y)
    found = least_squares(
        lambda w: X @ w[1:] + w[0] - y, np.zeros(11), loss="huber", f_scale=0.7, xtol=1e-15, ftol=None, gtol=1e-10
    )
    np.testing.assert_allclose(ours.intercept_, found.x[0], atol=1e-6)
    np.testing.assert_allclose(ours.coef_, found.x[1:], atol=1e-6)


@pytest.mark.parametrize("class_weight", [None, "balanced", "given"])
@pytest.mark.parametrize("kind", ["unweighted", "weighted"])
@pytest.mark.parametrize("name", ["breast_cancer", "wine", "iris", "digits"])
def test_cross_entropy_has_logistic_regressions_coefficients(name, kind, class_weight):
    X, y = split(getattr(datasets, f"load_{name}")())
    X = standardized(X)
    C, weights = 0.1, weights_of(y, kind)
    if class_weight == "given":
        class_weight = {0: 2.0, 1: 0.5}
    theirs = LogisticRegression(C=C, class_weight=class_weight, tol=1e-10, max_iter=100_000, solver="newton-cg")
    theirs.fit(X, y, weights)
    total = counted(y, weights)
    if class_weight is not None:
        each = compute_class_weight(class_weight, classes=np.unique(y), y=y, sample_weight=weights)[y]
        total = (each if weights is None else each * weights).sum()
    ours = DescentClassifier(l2=1 / (2 * total * C), class_weight=class_weight).fit(X, y, weights)
    assert_same(ours, theirs)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-7)
    np.testing.assert_allclose(ours.predict_log_proba(X), theirs.predict_log_proba(X), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
