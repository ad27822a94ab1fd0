"""The scikit-learn estimators keep scikit-learn's contract and find scikit-learn's coefficients."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from scipy.sparse import csr_matrix
from sklearn import clone, config_context, datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import permutation_importance
from sklearn.linear_model import HuberRegressor, LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from descend import DescentClassifier, DescentRegressor, DesignError, DivergedError, OptionError
from descend.objectives.in_memory import RowsObjective

RANDOM = np.random.default_rng(5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # some of their classes are separable
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


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # so many epochs are too few
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "auto"])
def test_a_weight_is_so_many_repeated_rows_whatever_the_optimizer(optimizer):
    X, y = split(datasets.load_iris())
    weights = weights_of(y, "weighted")
    times = np.repeat(np.arange(len(y)), weights.astype(int))
    for made in (
        DescentClassifier(l2=1e-4, optimizer=optimizer, max_iter=None if optimizer == "auto" else 20),
        DescentRegressor("huber", optimizer=optimizer, max_iter=None if optimizer == "auto" else 20),
    ):
        repeated = clone(made).fit(X[times], y[times])
        assert_same(made.fit(X, y, weights), repeated, 1e-7)


def test_a_run_of_epochs_is_pytorchs_on_the_standardised_columns():
    X, y = split(datasets.load_diabetes())
    Z = torch.from_numpy(standardized(X))
    layer = torch.nn.Linear(10, 1, dtype=torch.float64)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.02, momentum=0.8, nesterov=True)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(layer(Z)[:, 0], torch.from_numpy(y))
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    ours = DescentRegressor(optimizer="sgd", lr=0.02, momentum=0.8, nesterov=True, max_iter=40).fit(X, y)
    np.testing.assert_allclose(ours.loss_curve_[:-1], losses, rtol=1e-10)
    np.testing.assert_allclose(ours.coef_ * X.std(axis=0), layer.weight.detach().numpy()[0], rtol=1e-9)
    assert ours.n_iter_ == 40


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # so many epochs are too few
def test_standardising_changes_the_way_and_not_the_optimum():
    X, y = split(datasets.load_diabetes())
    X = X * np.geomspace(1, 1000, 10)
    settings = {"l2": 1e-3, "optimizer": "sgd", "max_iter": 20_000}
    ridge = Ridge(alpha=1e-3 * len(y)).fit(X, y)
    np.testing.assert_allclose(DescentRegressor(**settings).fit(X, y).coef_, ridge.coef_, rtol=1e-5)
    raw = DescentRegressor(**settings, standardize=False).fit(X, y)
    assert np.abs(raw.coef_ / ridge.coef_ - 1).max() > 0.1  # twenty thousand epochs are too few for such columns


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # so many epochs are too few
def test_chunk_by_chunk_goes_on_where_it_was_and_remembers():
    X, y = split(datasets.load_diabetes())
    whole = DescentRegressor(optimizer="adam", lr=0.5, max_iter=30).fit(X, y)
    chunk = DescentRegressor(optimizer="adam", lr=0.5)
    for _ in range(30):
        chunk.partial_fit(X, y)
    assert_same(chunk, whole, 1e-9)
    np.testing.assert_allclose(chunk.loss_curve_, whole.loss_curve_[:-1], rtol=1e-9)
    assert chunk.n_iter_ == 30
    again = pickle.loads(pickle.dumps(chunk)).partial_fit(X, y)  # the optimizer's memory is kept
    assert_same(again, chunk.partial_fit(X, y), 1e-12)


def test_chunks_of_classes_come_near_to_the_whole():
    X, y = split(datasets.load_digits())
    chunks = DescentClassifier(batch_size=32, lr=0.1, random_state=0)
    for _ in range(5):
        for start in range(0, len(y), 300):
            rows = slice(start, start + 300)
            chunks.partial_fit(X[rows], y[rows], classes=np.arange(10) if not hasattr(chunks, "coef_") else None)
    assert chunks.score(X, y) > 0.93


def test_a_row_at_a_time_counts_by_its_weight():
    X, y = np.array([[1.0], [2.0]]), np.array([1.0, 3.0])
    once, thrice = (DescentRegressor(optimizer="sgd", lr=0.01, standardize=False) for _ in range(2))
    for weight, made in ((1.0, once), (3.0, thrice)):
        made.partial_fit(X[:1], y[:1], [weight])
    assert thrice.coef_[0] == pytest.approx(3 * once.coef_[0])
    assert thrice.coef_[0] == pytest.approx(0.01 * 3 * 2)


def test_partial_fit_refuses_what_it_cannot_go_on_with():
    X, y = split(datasets.load_iris())
    with pytest.raises(ValueError, match="must name all classes"):
        DescentClassifier().partial_fit(X, y)
    with pytest.raises(ValueError, match="needs all rows at once"):
        DescentClassifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="one class only"):
        DescentClassifier().partial_fit(X, np.zeros(150, dtype=int), classes=[0])
    known = DescentClassifier().partial_fit(X[:100], y[:100], classes=[0, 1])
    with pytest.raises(ValueError, match="class '2' is not among those of the first call: 0, 1"):
        known.partial_fit(X, y)
    with pytest.raises(ValueError, match="2 targets, and the first one had 1"):
        DescentRegressor().partial_fit(X, y).partial_fit(X, np.column_stack([y, y]))


def test_early_stopping_goes_back_to_the_best_epoch():
    X, y = split(datasets.load_breast_cancer())
    made = DescentClassifier(
        l2=0.0, optimizer="adam", lr=0.3, max_iter=500, early_stopping=True, n_iter_no_change=5, random_state=1
    ).fit(X, y)
    held = made.history_.validation_loss
    assert made.history_.stop == "early"
    assert held.size - 1 - held.argmin() == 5
    weighted = clone(made).fit(X, y, weights_of(y, "weighted"))
    assert weighted.history_.stop == "early"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # so many epochs are too few
def test_a_warm_start_begins_where_the_last_fit_ended():
    X, y = split(datasets.load_wine())
    made = DescentClassifier(optimizer="sgd", max_iter=50, warm_start=True).fit(X, y)
    reached = made.history_.final_loss
    assert made.fit(X, y).loss_curve_[0] == pytest.approx(reached, rel=1e-9)
    assert made.fit(X[:100], y[:100]).coef_.shape == (1, 13)  # other classes: from the beginning


def test_single_precision_comes_as_near_as_it_can():
    X, y = split(datasets.load_breast_cancer())
    exact = DescentClassifier(l2=0.01).fit(X, y)
    single = DescentClassifier(l2=0.01, dtype="float32").fit(X, y)
    np.testing.assert_allclose(single.predict_proba(X), exact.predict_proba(X), atol=1e-3)


def test_a_rate_that_is_too_large_is_told():
    X, y = split(datasets.load_diabetes())
    with pytest.raises(DivergedError, match="diverged"):
        DescentRegressor(lr=10.0).fit(X, y)
    made = DescentRegressor("sse", lr=1e150).partial_fit(X, y)
    with pytest.raises(DivergedError, match="diverged"):
        made.partial_fit(X, y)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"loss": "hinge"}, "hinge"),
        ({"loss": "cross_entropy"}, "cross_entropy"),
        ({"max_iter": 0}, "max_iter"),
        ({"max_iter": 2, "tol": -1.0}, "tol"),
        ({"early_stopping": True, "n_iter_no_change": -3}, "n_iter_no_change"),
        ({"early_stopping": True, "validation_fraction": 2.0}, "validation_fraction"),
        ({"l2": -1.0}, "l2"),
        ({"optimizer": "newton"}, "newton"),
        ({"dtype": "float16"}, "float16"),
        ({"momentum": 0.9, "optimizer": "adam"}, "momentum"),
    ],
)
def test_a_setting_that_makes_no_sense_is_told_by_its_name_here(settings, told):
    X, y = split(datasets.load_diabetes())
    with pytest.raises(OptionError) as caught:
        DescentRegressor(**settings).fit(X, y)
    assert told in str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("size", [1e-170, 1e170])
def test_columns_of_any_size_are_fitted(size):
    X, y = split(datasets.load_diabetes())
    expected = LinearRegression().fit(X, y)
    made = DescentRegressor().fit(X * size, y)
    np.testing.assert_allclose(made.coef_ * size, expected.coef_, rtol=1e-8)
    np.testing.assert_allclose(made.intercept_, expected.intercept_, rtol=1e-8)


def test_targets_that_a_loss_is_not_defined_for_are_refused():
    X, y = split(datasets.load_diabetes())
    for loss, target in (("mape", y - y[0]), ("msle", -y)):
        with pytest.raises(DesignError):
            DescentRegressor(loss).fit(X, target)


def test_probabilities_too_small_to_be_told_have_a_logarithm():
    made = DescentClassifier(l2=1e-12).fit([[-1.0], [1.0]], ["a", "b"])
    logs = made.predict_log_proba([[-1e4], [1e4]])
    assert np.isfinite(logs).all()
    assert logs.min() < -1e4
    three = DescentClassifier(l2=1e-9).fit([[-1.0], [0.0], [1.0]], ["a", "b", "c"])
    assert np.isfinite(three.predict_log_proba([[-1e5], [1e5]])).all()


@pytest.mark.parametrize("interrupted", [DescentRegressor("huber", optimizer="adam"), DescentClassifier()])
def test_an_interrupt_keeps_what_was_reached_and_goes_on_up(interrupted, monkeypatch):
    X, y = split(datasets.load_iris())
    calls = []
    original = RowsObjective.value_and_gradient

    def interrupt(self, w):
        calls.append(w)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(self, w)

    monkeypatch.setattr(RowsObjective, "value_and_gradient", interrupt)
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(X, y)
    assert np.isfinite(interrupted.coef_).all()
    assert interrupted.history_.stop == "interrupted"


def test_pipelines_searches_and_scores_take_the_estimators():
    X, y = datasets.load_iris(return_X_y=True, as_frame=True)
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), DescentClassifier(l2=0.01)).fit(X, y)
    assert list(pipeline[-1].feature_names_in_) == list(X.columns)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(pipeline)).predict(X), pipeline.predict(X))
    search = GridSearchCV(pipeline, {"descentclassifier__l2": [1e-3, 1e-1]}, cv=3).fit(X, y)
    assert search.best_score_ > 0.9
    assert search.best_params_ == {"descentclassifier__l2": 1e-3}
    assert cross_val_score(DescentRegressor(), X, y, cv=3, n_jobs=1).shape == (3,)
    importance = permutation_importance(pipeline, X, y, n_repeats=3, random_state=0)
    assert importance.importances_mean.argmax() in (2, 3)
    with pytest.raises(ValueError, match="feature names"):
        pipeline[-1].predict(X.rename(columns={X.columns[0]: "other"}))


def test_weights_are_routed_to_the_estimators():
    X, y = split(datasets.load_diabetes())
    weights = weights_of(y, "weighted")
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        routed = make_pipeline(scaler, DescentRegressor().set_fit_request(sample_weight=True))
        routed.fit(X, y, sample_weight=weights)
    expected = LinearRegression().fit(X, y, weights)
    np.testing.assert_allclose(routed.predict(X), expected.predict(X), rtol=1e-9)


def test_parameters_are_got_and_set():
    made = DescentRegressor("huber", l2=0.1, delta=2.0)
    assert made.get_params()["delta"] == 2.0
    assert clone(made.set_params(l2=0.5)).l2 == 0.5
    with pytest.raises(ValueError, match="Invalid parameter"):
        made.set_params(alpha=1)


@pytest.mark.parametrize("made", [DescentRegressor(), DescentClassifier()])
def test_sparse_columns_are_refused_in_scikit_learns_words(made):
    with pytest.raises(TypeError, match="parse"):
        made.fit(csr_matrix(np.eye(4)), [0, 1, 0, 1])


def test_descend_does_not_import_scikit_learn_and_says_when_it_is_missing():
    code = (
        "import sys, descend\n"
        "assert 'sklearn' not in sys.modules\n"
        "sys.modules['sklearn'] = None\n"
        "for name in ('DescentRegressor', 'from_sklearn'):\n"
        "    try:\n"
        "        getattr(descend, name)\n"
        "    except descend.OptionError as error:\n"
        "        print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.count('pip install "descend[sklearn]"') == 2


def test_a_classifier_has_no_penalty_that_nobody_asked_for():
    random = np.random.default_rng(3)
    X = random.normal(size=(500, 3)) * [1e-3, 1.0, 1e3] + [0, 5, 100]
    for y in (random.random(500) < 1 / (1 + np.exp(-1e3 * X[:, 0] - X[:, 1] + 5)), np.digitize(X[:, 1], [4, 6])):
        y = np.where(random.random(500) < 0.3, random.permutation(y), y)
        ours = DescentClassifier().fit(X, y)
        theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(StandardScaler().fit_transform(X), y)
        np.testing.assert_allclose(
            ours.predict_proba(X), theirs.predict_proba(StandardScaler().fit_transform(X)), atol=1e-5
        )
        assert DescentClassifier().l2 == DescentRegressor().l2 == 0


SEPARABLE = {
    "two": ([[-1.0], [-2.0], [1.0], [3.0]], [0, 0, 1, 1]),
    "three": ([[-1.0], [-2.0], [0.0], [0.1], [1.0], [3.0]], [0, 0, 1, 1, 2, 2]),
    "in part": ([[0.0, 0], [0, 1], [0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0, 1, 1]),
}


@pytest.mark.parametrize("kind", SEPARABLE)
@pytest.mark.parametrize("standardize", [True, False])
def test_of_separable_classes_a_warning_says_that_there_is_no_minimum_and_the_answer_is_finite(kind, standardize):
    X, y = SEPARABLE[kind]
    with pytest.warns(ConvergenceWarning, match="no minimum"):
        made = DescentClassifier(standardize=standardize).fit(X, y)
    assert np.isfinite(made.coef_).all()
    assert np.isfinite(made.predict_proba(X)).all()
    if kind != "in part":
        assert made.score(X, y) == 1
    DescentClassifier(l2=0.001, standardize=standardize).fit(X, y)  # and none where there is a penalty
