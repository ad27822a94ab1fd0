"""Certificates: the true gap, by an optimum found with more digits, is never above what is certified."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import descend
from descend.analysis.certificates import Certificate, certify, certify_minimum
from descend.base.messages import Note
from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import AbsoluteError, BinaryCrossEntropy, CrossEntropy, Huber, SquaredLogError
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows
from descend.solvers.search import Search

DIGITS = 40

# ---------------------------------------------------------------- an optimum with more digits


class Precise:
    """Cross-entropy of a small table with DIGITS digits, written from its definition."""

    def __init__(self, objective):
        self.objective = objective
        self.X = [[mpmath.mpf(x) for x in row] for row in objective.X.tolist()]
        self.codes = objective.Y[:, 0].astype(int).tolist()
        self.columns, self.outputs = objective.shape
        self.l2 = mpmath.mpf(objective.penalty.strength)

    def _logits(self, row, w):
        made = [mpmath.fsum(x * w[i * self.outputs + k] for i, x in enumerate(row)) for k in range(self.outputs)]
        return [mpmath.mpf(0), *made] if self.outputs == 1 else made

    def loss(self, w):
        with mpmath.workdps(DIGITS):
            total = mpmath.mpf(0)
            for row, code in zip(self.X, self.codes, strict=True):
                z = self._logits(row, w)
                total += mpmath.log(mpmath.fsum(mpmath.exp(v) for v in z)) - z[code]
            shrunk = mpmath.fsum(
                v * v for place, v in enumerate(w) if self.objective.penalty.counts[place // self.outputs]
            )
            return total / len(self.X) + self.l2 * shrunk

    def gradient(self, w):
        with mpmath.workdps(DIGITS):
            made = [mpmath.mpf(0)] * len(w)
            for row, code in zip(self.X, self.codes, strict=True):
                z = self._logits(row, w)
                powers = [mpmath.exp(v) for v in z]
                whole = mpmath.fsum(powers)
                slopes = [power / whole - (index == code) for index, power in enumerate(powers)][-self.outputs :]
                for i, x in enumerate(row):
                    for k in range(self.outputs):
                        made[i * self.outputs + k] += x * slopes[k] / len(self.X)
            for place, v in enumerate(w):
                if self.objective.penalty.counts[place // self.outputs]:
                    made[place] += 2 * self.l2 * v
            return made

    def optimum(self, start):
        """Return the minimum: scipy's, and steps by its Hessian's inverse on the gradient of all digits."""
        found = minimize(self._float, start, jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 10_000}).x
        hessian = self._curvature(found)
        inverse = np.linalg.pinv(hessian, rcond=1e-11, hermitian=True)
        with mpmath.workdps(DIGITS):
            w = [mpmath.mpf(v) for v in found.tolist()]
            for _ in range(12):
                gradient = self.gradient(w)
                largest = max(map(abs, gradient))
                if largest < mpmath.mpf(10) ** -27:
                    return w
                # scaled, so that float64 holds it
                step = inverse @ np.array([float(g / largest) for g in gradient])
                w = [v - largest * mpmath.mpf(s) for v, s in zip(w, step.tolist(), strict=True)]
        raise AssertionError("the reference did not arrive")

    def _probabilities(self, w):
        Z = self.objective.X @ w.reshape(self.columns, self.outputs)
        Z = np.column_stack([np.zeros(len(Z)), Z]) if self.outputs == 1 else Z
        E = np.exp(Z - Z.max(axis=1, keepdims=True))
        return Z, E / E.sum(axis=1, keepdims=True)

    def _float(self, w):
        Z, P = self._probabilities(w)
        rows = np.arange(len(Z))
        top = Z.max(axis=1)
        value = np.mean(top + np.log(np.exp(Z - top[:, None]).sum(axis=1)) - Z[rows, self.codes])
        P[rows, self.codes] -= 1
        penalty = np.repeat(self.objective.penalty.strength * self.objective.penalty.counts, self.outputs)
        slope = (self.objective.X.T @ P[:, -self.outputs :] / len(Z)).ravel() + 2 * penalty * w
        return value + (penalty * w * w).sum(), slope

    def _curvature(self, w):
        P = self._probabilities(w)[1][:, -self.outputs :]
        blocks = np.einsum("nk,kl->nkl", P, np.eye(self.outputs)) - np.einsum("nk,nl->nkl", P, P)
        X = self.objective.X
        made = np.einsum("ni,nkl,nj->ikjl", X, blocks, X).reshape(w.size, w.size) / len(X)
        return made + np.diag(
            np.repeat(2 * self.objective.penalty.strength * self.objective.penalty.counts, self.outputs)
        )


def stated(X, codes, classes, l2=0.0):
    loss, outputs = (BinaryCrossEntropy(), 1) if classes == 2 else (CrossEntropy(), classes)
    penalised = np.arange(X.shape[1]) > 0
    return RowsObjective(DesignRows(X, np.asarray(codes, dtype=float)[:, None]), loss, outputs, L2(l2, penalised))


def drawn(rows, columns, classes, l2, seed=0, strength=1.0):
    """Return a table of overlapping classes, its columns of unlike size."""
    random = np.random.default_rng(seed)
    X = np.column_stack([np.ones(rows), random.normal(size=(rows, columns - 1)) * random.uniform(0.3, 3, columns - 1)])
    W = strength * random.normal(size=(columns, classes)) / np.sqrt(columns)
    codes = np.argmax(X @ W + random.gumbel(size=(rows, classes)), axis=1)
    codes[: 2 * classes] = np.arange(2 * classes) % classes
    return stated(X, codes, classes, l2)


def given_by(objective, w):
    return certify(objective, w, None, objective.hessian(w))


PROBLEMS = {
    "logistic, 20 rows": (20, 3, 2, 0.0),
    "logistic, 200 rows": (200, 4, 2, 0.0),
    "logistic, 2000 rows": (2000, 3, 2, 0.0),
    "logistic, 20 rows, l2": (20, 3, 2, 0.05),
    "logistic, 300 rows, l2": (300, 5, 2, 1e-3),
    "softmax, 40 rows": (40, 2, 3, 0.0),
    "softmax, 300 rows": (300, 3, 3, 0.0),
    "softmax, 1000 rows": (1000, 2, 4, 0.0),
    "softmax, 40 rows, l2": (40, 3, 3, 0.05),
    "softmax, 300 rows, l2": (300, 3, 4, 1e-3),
}


@pytest.fixture(scope="module")
def solved():
    """Each problem with its optimum, found once."""
    kept = {}

    def get(name):
        if name not in kept:
            rows, columns, classes, l2 = PROBLEMS[name]
            objective = drawn(rows, columns, classes, l2)
            precise = Precise(objective)
            w = precise.optimum(np.zeros(columns * objective.outputs))
            kept[name] = objective, precise, w, precise.loss(w)
        return kept[name]

    return get


def longest_and(objective, w):
    """Return R by its definition, and an inverse root of the Hessian without its flat directions."""
    values, vectors = np.linalg.eigh(objective.hessian(w))
    solid = values > 1e-12 * values[-1]
    root = vectors[:, solid] / np.sqrt(values[solid])
    blocks = root.reshape(*objective.shape, -1)
    Z = np.einsum("ni,iod->nod", objective.X, blocks)
    if objective.outputs == 1:
        return np.linalg.norm(Z[:, 0], axis=1).max(), root
    pairs = [(a, b) for a in range(objective.outputs) for b in range(a)]
    return max(np.linalg.norm(Z[:, a] - Z[:, b], axis=1).max() for a, b in pairs), root


def true_gap(precise, w, least):
    with mpmath.workdps(DIGITS):
        return float(precise.loss([mpmath.mpf(v) for v in w.tolist()]) - least)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_true_gap_is_never_above_the_bound_and_near_the_optimum_half_of_it_at_least(name, solved):
    objective, precise, best, least = solved(name)
    best = np.array([float(v) for v in best])
    longest, root = longest_and(objective, best)
    random = np.random.default_rng(1)
    bounds = 0
    for share in (1e-6, 1e-4, 1e-2, 0.03, 0.1, 0.3, 1.0, 3.0):
        direction = random.normal(size=root.shape[1])
        w = best + root @ direction / np.linalg.norm(direction) * share / longest
        found, gap = given_by(objective, w), true_gap(precise, w, least)
        assert gap > 0
        if found.kind == "none":
            assert share > 0.01, "near the optimum there is a bound"
            assert found.gap is None
            continue
        bounds += 1
        assert found.kind == "bound"
        assert gap <= found.gap * (1 + 1e-6)
        if share <= 0.01:
            assert found.gap <= 2 * gap
        if share <= 1e-4:
            assert found.gap <= 1.01 * gap
    assert bounds >= 3


@pytest.mark.parametrize("name", PROBLEMS)
def test_along_newtons_way_the_bound_holds_from_where_it_is_first_told(name, solved):
    objective, precise, _, least = solved(name)
    w = np.zeros(objective.X.shape[1] * objective.outputs)
    told = []
    for _ in range(12):
        found, gap = given_by(objective, w), true_gap(precise, w, least)
        told.append(found.kind)
        if found.kind == "bound":
            assert gap <= found.gap * (1 + 1e-6) + 1e-29
        w = w - 0.7 * np.linalg.pinv(objective.hessian(w), rcond=1e-12, hermitian=True) @ objective.gradient(w)
    assert told[-1] == "bound"
    assert told == sorted(told, reverse=True), "once there is a bound there stays one"


@pytest.mark.parametrize("name", PROBLEMS)
def test_far_away_nothing_is_certified(name, solved):
    objective, _, best, _ = solved(name)
    best = np.array([float(v) for v in best])
    longest, root = longest_and(objective, best)
    for direction in root.T:
        for sign in (-1, 1):
            found = given_by(objective, best + sign * 30 / longest * direction)
            if found.kind == "bound":
                assert found.gap >= objective.value(best + sign * 30 / longest * direction) - objective.value(best)
    far = given_by(objective, best + 30 * root.sum(axis=1))
    assert (far.kind, far.gap) == ("none", None)


@pytest.mark.parametrize(("name", "lr"), [("logistic, 200 rows", 0.1), ("softmax, 40 rows, l2", 0.1)])
def test_wherever_descent_is_stopped_the_bound_holds(name, lr, solved):
    objective, precise, _, least = solved(name)
    w = np.zeros(objective.X.shape[1] * objective.outputs)
    bounds = {}
    for epoch in range(1, 1001):
        w = w - lr * objective.gradient(w)
        if epoch in (1, 10, 100, 300, 1000):
            found, gap = given_by(objective, w), true_gap(precise, w, least)
            assert found.slope == pytest.approx(np.linalg.norm(objective.gradient(w)), rel=1e-12)
            bounds[epoch] = found.gap
            assert found.gap is None or gap <= found.gap * (1 + 1e-6)
    assert bounds[1] is None
    assert bounds[1000] is not None


@settings(max_examples=40)
@given(
    st.integers(0, 10**6),
    st.integers(20, 60),
    st.integers(2, 3),
    st.integers(2, 3),
    st.sampled_from([0.0, 0.01, 0.3]),
    st.floats(-4, 0.5),
)
def test_on_any_table_the_bound_is_above_what_scipy_can_still_win(seed, rows, columns, classes, l2, power):
    objective = drawn(rows, columns, classes, l2, seed)
    random = np.random.default_rng(seed)
    precise = Precise(objective)
    near = minimize(precise._float, np.zeros(columns * objective.outputs), jac=True, method="BFGS").x
    w = near + 10.0**power * random.normal(size=near.size)
    found = given_by(objective, w)
    if power <= -3:
        assert found.kind == "bound", "near the optimum there is a bound"
    if found.kind == "bound":
        least = minimize(precise._float, w, jac=True, method="BFGS", options={"gtol": 1e-10}).fun
        assert objective.value(w) - least <= found.gap * (1 + 1e-6) + 1e-15


def test_a_fit_at_its_optimum_is_certified_to_the_last_digits(noisy):
    for formula in ("passed ~ a + b", "group ~ a + b"):
        model = descend.fit(formula, noisy, test="none")
        assert model.certificate.kind == "bound"
        assert 0 <= model.certificate.gap < 1e-20
        assert descend.fit(formula, noisy, test="none", lr=0.01, epochs=2).certificate.kind == "none"


def test_a_run_of_a_model_has_its_own_bound(noisy):
    best = descend.fit("passed ~ a + b", noisy, test="none")
    gaps = []
    for epochs in (30, 60, 120):
        run = descend.fit("passed ~ a + b", noisy, test="none", lr=2.0, epochs=epochs)
        away = run.history.final_loss - best.history.final_loss
        assert run.certificate.kind == "bound"
        assert away <= run.certificate.gap * (1 + 1e-6) + 1e-15
        gaps.append(run.certificate.gap)
    assert gaps == sorted(gaps, reverse=True)


# ---------------------------------------------------------------- squared error


def rational_gap(objective, w):
    """Return by how much squared error at ``w`` is above the least, in fractions: the squares of X (w - w*)."""
    X = [[Fraction(x) for x in row] for row in objective.X.tolist()]
    width, share = len(X[0]), Fraction(1, objective.elements)
    ridge = [
        Fraction(objective.penalty.strength) if penalised else Fraction(0)
        for penalised in objective.penalty.counts.tolist()
    ]
    left = [
        [share * sum(row[i] * row[j] for row in X) + (ridge[i] if i == j else 0) for j in range(width)]
        for i in range(width)
    ]
    gap = Fraction(0)
    for output in range(objective.outputs):
        y = [Fraction(v) for v in objective.Y[:, output].tolist()]
        table = [[*left[i], share * sum(row[i] * v for row, v in zip(X, y, strict=True))] for i in range(width)]
        for k in range(width):
            table[k] = [value / table[k][k] for value in table[k]]
            for i in range(width):
                if i != k:
                    times = table[i][k]
                    table[i] = [a - times * b for a, b in zip(table[i], table[k], strict=True)]
        away = [Fraction(v) - row[-1] for v, row in zip(w.reshape(width, -1)[:, output].tolist(), table, strict=True)]
        gap += sum(away[i] * left[i][j] * away[j] for i in range(width) for j in range(width))
    return float(gap)


def examined(formula, table, **settings):
    """Fit and return the model with the objective that it was fitted on."""
    from descend.fitting.problem import Problem
    from descend.solvers.recipe import Recipe

    recipe = Recipe(test="none", **settings)
    problem = Problem.of(formula, table, recipe)
    model = descend.fit(formula, table, recipe=recipe)
    return model, problem.objective(np.arange(len(problem.data)), recipe)[1]


@pytest.mark.parametrize("epochs", [1, 7, 30, 100])
@pytest.mark.parametrize(
    "settings",
    [
        {"lr": 0.05},
        {"lr": 0.05, "momentum": 0.5},
        {"lr": 0.05, "momentum": 0.5, "nesterov": True},
        {"lr": 0.05, "l2": 0.1},
        {"lr": 1e-7, "standardize": False},
    ],
    ids=lambda chosen: ", ".join(chosen),
)
def test_the_gap_of_squared_error_is_exact(noisy, settings, epochs):
    model, objective = examined("y ~ a + b + c", noisy, epochs=epochs, **settings)
    assert model.certificate.kind == "exact"
    rounding = 1e-14 * model.history.final_loss
    assert model.certificate.gap == pytest.approx(rational_gap(objective, model.weights), rel=1e-8, abs=rounding)
    assert model.certificate.slope == pytest.approx(
        np.linalg.norm(objective.gradient(model.weights.ravel())), rel=1e-9, abs=1e-12
    )


def test_the_gap_of_several_targets_is_exact(noisy):
    model, objective = examined("y + c ~ a + b", noisy, lr=0.1, epochs=40)
    assert model.certificate.kind == "exact"
    assert model.certificate.gap == pytest.approx(rational_gap(objective, model.weights), rel=1e-8)


@pytest.mark.parametrize("settings", [{"optimizer": "adam", "lr": 0.1}, {"lr": 0.1, "schedule": "cosine"}])
def test_the_gap_of_other_ways_to_descend_is_exact_but_for_the_rounding_of_the_loss(noisy, settings):
    model, objective = examined("y ~ a + b", noisy, epochs=60, **settings)
    assert model.certificate.kind == "exact"
    rounding = 1e-14 * model.history.final_loss
    assert model.certificate.gap == pytest.approx(rational_gap(objective, model.weights), rel=1e-9, abs=rounding)


def test_the_optimum_of_squared_error_is_certified_as_one(noisy):
    for chosen in ({}, {"l2": 0.1}, {"loss": "sse"}, {"standardize": False}):
        model, objective = examined("y ~ a + b + c", noisy, **chosen)
        assert model.certificate == Certificate("exact", 0.0, model.certificate.slope)
        assert rational_gap(objective, model.weights) <= 1e-24 * model.history.final_loss


def test_collinear_columns_of_squared_error_have_an_exact_gap(noisy):
    table = {**noisy, "twin": 2 * noisy["a"] + 1}
    run = descend.fit("y ~ a + twin", table, test="none", lr=0.05, epochs=20)
    alone = descend.fit("y ~ a", table, test="none")
    assert run.certificate.kind == "exact"
    assert run.certificate.gap == pytest.approx(run.history.final_loss - alone.history.final_loss, rel=1e-9)


@pytest.mark.parametrize("settings", [{"batch_size": 16, "lr": 0.01}, {"dtype": "float32", "lr": 0.05}])
def test_where_the_quadratic_is_not_known_nothing_is_certified(noisy, settings):
    certificate = descend.fit("y ~ a + b", noisy, test="none", epochs=30, **settings).certificate
    assert (certificate.kind, certificate.gap) == ("none", None)
    assert certificate.slope > 0


# ---------------------------------------------------------------- where there is none


@pytest.mark.parametrize("loss", [Huber(0.7), AbsoluteError(), SquaredLogError()])
def test_losses_without_a_theory_are_not_certified(loss):
    random = np.random.default_rng(2)
    X = np.column_stack([np.ones(50), random.normal(size=(50, 2))])
    objective = RowsObjective(DesignRows(X, np.exp(X @ [1, 0.5, -0.5])[:, None]), loss, 1, L2(0.0, np.arange(3) > 0))
    w = np.array([1.0, 0.5, 0.1])
    for hessian in (None, np.eye(3)):
        found = certify(objective, w, None, hessian)
        assert (found.kind, found.gap) == ("none", None)
        assert found.slope == np.linalg.norm(objective.gradient(w))


@pytest.mark.parametrize("loss", ["mae", "huber", "mape"])
def test_fits_of_such_losses_are_not_certified(noisy, loss):
    for chosen in ({}, {"lr": 0.01, "epochs": 50}):
        table = {**noisy, "y": noisy["y"] + 100}
        certificate = descend.fit("y ~ a", table, test="none", loss=loss, **chosen).certificate
        assert (certificate.kind, certificate.gap) == ("none", None)


def test_without_a_hessian_nothing_is_certified():
    objective = drawn(50, 3, 2, 0.0)
    found = certify(objective, np.zeros(3), None, None)
    assert (found.kind, found.gap) == ("none", None)


def separable(seed, rows, columns, classes, quasi):
    random = np.random.default_rng(seed)
    X = np.column_stack([np.ones(rows), random.normal(size=(rows, columns))])
    W = random.normal(size=(columns + 1, classes))
    W -= W.mean(axis=1, keepdims=True)
    codes = np.argmax(X @ W, axis=1)
    codes[:classes] = np.arange(classes)
    X[:classes, 1:] = 0
    X[:classes, 0] = 1
    W[0] = 0
    codes[classes:] = np.argmax(X[classes:, 1:] @ W[1:], axis=1)
    if not quasi:
        X, codes = X[classes:], codes[classes:]
    return X, codes, W


@settings(max_examples=80)
@given(
    st.integers(0, 10**6),
    st.integers(12, 80),
    st.integers(1, 3),
    st.integers(2, 3),
    st.booleans(),
    st.floats(-2, 1),
)
def test_separable_classes_never_have_a_bound(seed, rows, columns, classes, quasi, power):
    X, codes, W = separable(seed, rows, columns, classes, quasi)
    if np.unique(codes).size < classes:
        return
    objective = stated(X, codes, classes)
    w = 10.0**power * (W[:, 1] - W[:, 0] if classes == 2 else W.ravel())
    found = given_by(objective, w)
    assert (found.kind, found.gap) == ("none", None)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("quasi", [False, True])
@pytest.mark.parametrize("settings", [{}, {"lr": 1.0, "epochs": 300}, {"optimizer": "adam", "lr": 0.5}])
def test_fits_of_separable_classes_are_not_certified(classes, quasi, settings):
    X, codes, _ = separable(4, 60, 2, classes, quasi)
    table = {"x": X[:, 1], "z": X[:, 2], "k": [f"class {code}" for code in codes]}
    certificate = descend.fit("k ~ x + z", table, test="none", **settings).certificate
    assert (certificate.kind, certificate.gap) == ("none", None)


def test_separable_classes_with_l2_have_an_optimum_and_a_bound():
    X, codes, _ = separable(4, 60, 2, 2, False)
    objective = stated(X, codes, 2, 0.01)
    precise = Precise(objective)
    best = precise.optimum(np.zeros(3))
    w = np.array([float(v) for v in best]) + 1e-4
    found = given_by(objective, w)
    gap = true_gap(precise, w, precise.loss(best))
    assert found.kind == "bound"
    assert gap <= found.gap <= 2 * gap


@pytest.mark.parametrize("classes", [2, 3])
def test_collinear_columns_have_no_bound_without_l2_and_a_right_one_with_it(classes):
    plain = drawn(80, 3, classes, 0.0, seed=3)
    X = np.column_stack([plain.X, plain.X[:, 1] - 2 * plain.X[:, 2]])
    w = np.zeros(4 * plain.outputs)
    assert given_by(stated(X, plain.Y[:, 0], classes), w).kind == "none"
    objective = stated(X, plain.Y[:, 0], classes, 0.02)
    precise = Precise(objective)
    best = precise.optimum(w)
    w = np.array([float(v) for v in best]) + 1e-5 * np.random.default_rng(0).normal(size=w.size)
    found, gap = given_by(objective, w), true_gap(precise, w, precise.loss(best))
    assert found.kind == "bound"
    assert gap <= found.gap <= 2 * gap


def test_fits_of_collinear_columns_are_not_certified(noisy):
    table = {**noisy, "twin": 2 * noisy["a"] + 1}
    for formula in ("passed ~ a + twin + b", "group ~ a + twin"):
        for chosen in ({}, {"lr": 0.1, "epochs": 50}):
            certificate = descend.fit(formula, table, test="none", **chosen).certificate
            assert (certificate.kind, certificate.gap) == ("none", None)
    assert descend.fit("passed ~ a + twin + b", table, test="none", l2=0.1).certificate.kind == "bound"


def test_a_class_without_a_penalty_or_an_intercept_counts_its_shifts_rightly(noisy):
    """Without an intercept and with L2 no direction of softmax is flat; without L2 each column has one."""
    for formula, l2 in (("group ~ 0 + a + b", 0.1), ("group ~ 0 + a + b", 0.0), ("group ~ a", 0.1)):
        settings = {"l2": l2} if l2 else {}
        assert descend.fit(formula, noisy, test="none", **settings).certificate.kind == "bound"


def test_a_certificate_is_kept_in_the_file(noisy, tmp_path):
    for formula in ("y ~ a", "passed ~ a", "group ~ a"):
        model = descend.fit(formula, noisy, test="none")
        assert descend.load(model.save(tmp_path / "m.safetensors")).certificate == model.certificate


def test_separable_classes_far_on_one_side_have_no_bound():
    model = descend.fit("k ~ 0 + x", {"x": [1.0, -20.0, 1.5], "k": ["b", "a", "b"]}, test="none")
    assert model.certificate.kind == "none"
    assert isinstance(model.inference, Note)


def test_a_gap_under_the_rounding_of_the_loss_is_still_told():
    random = np.random.default_rng(0)
    x = random.normal(size=100)
    run = descend.fit("y ~ x", {"x": x, "y": x + random.normal(size=100)}, test="none", lr=0.1, epochs=100)
    engine = run.descent.objective
    true = (engine.curvatures[:, None] * engine.offsets(run.weights.ravel()) ** 2).sum() / 2
    assert run.certificate.gap == pytest.approx(true, rel=1e-6, abs=0)


# ---------------------------------------------------------------- equations


def curve_model(equation, y, **settings):
    x = np.linspace(0, 6, 60)
    return descend.fit(equation, {"x": x, "y": y(x) + 0.05 * np.sin(40 * x)}, **settings)


def test_a_curve_is_certified_to_be_at_a_minimum_and_never_at_the_lowest(tmp_path):
    model = curve_model("y = a*exp(-b*x) + c", lambda x: 3 * np.exp(-x))
    assert model.certificate.kind == "minimum"
    assert model.certificate.gap is None
    assert model.certificate.slope == model.history.final_gradient_norm
    assert descend.load(model.save(tmp_path / "m.safetensors")).certificate == model.certificate


@pytest.mark.parametrize(
    ("equation", "settings"),
    [
        ("y = a*b*exp(-c*x)", {}),  # the loss is the same along a direction
        ("y = a*exp(-b*x) + c", {"lr": 1e-3, "epochs": 3, "init": {"a": 1, "b": 1, "c": 1}}),
    ],
)
def test_what_is_not_shown_to_be_a_minimum_is_not_certified(equation, settings):
    model = curve_model(equation, lambda x: 3 * np.exp(-x), **settings)
    assert model.certificate.kind == "none"


def test_a_minimum_is_told_by_the_curvature_alone():
    search = Search(starts=9, reached=4)
    assert certify_minimum(np.diag([1e-9, 1e9]), 0.0, search) == Certificate("minimum", None, 0.0, 9, 4)
    assert certify_minimum(np.array([[1.0, 2.0], [2.0, 1.0]]), 0.0, search).kind == "none"
    assert certify_minimum(np.diag([1.0, 0.0]), 0.0, None).kind == "none"
    assert certify_minimum(np.array([[1.0, 1 - 1e-12], [1 - 1e-12, 1.0]]), 0.0, None).kind == "none"
    assert certify_minimum(None, 0.0, search).kind == "none"
