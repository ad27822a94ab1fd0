"""What is foretold, held against plain loops over the rows that know nothing of eigenvectors or closed forms."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from functools import cached_property
from itertools import combinations, count, islice

import numpy as np
import polars as pl
import pytest
from conftest import called
from hypothesis import given, settings
from hypothesis import strategies as st

import descend
from descend.base.errors import DescendError, DivergedError, ModelError, OptionError
from descend.labs import example
from descend.labs.runner import recipe_of
from descend.report.forecast import forecast_line
from descend.solvers.rates import SHARES, best_momentum, best_rate, largest_stable_rate

RULES = {
    "plain": [(0.0, False)],
    "heavy ball": [(0.5, False), (0.9, False)],
    "nesterov": [(0.5, True), (0.9, True)],
}


@dataclasses.dataclass(frozen=True)
class Squares:
    """A squared-error problem as plain arrays, and what ``descend`` is told of it."""

    X: np.ndarray
    Y: np.ndarray
    W: np.ndarray
    l2: float
    mean: bool
    lr: float
    momentum: float
    nesterov: bool
    formula: str
    table: dict
    settings: dict

    @property
    def share(self):
        return 1 / self.Y.size if self.mean else 1.0

    @property
    def penalised(self):
        return (np.arange(len(self.W)) > 0)[:, None] * self.l2

    def steps(self, dtype=np.float64):
        """Yield the loss and the parameters of every epoch, from gradients over the rows in that dtype."""
        X, Y, W = self.X.astype(dtype), self.Y.astype(dtype), self.W.astype(dtype)
        velocity = np.zeros_like(W)
        lr, momentum, penalty = dtype(self.lr), dtype(self.momentum), self.penalised.astype(dtype)
        divisor = dtype(Y.size if self.mean else 1)
        with np.errstate(over="ignore", invalid="ignore"):
            while True:
                R = X @ W - Y
                yield float((R * R).sum() / divisor + (penalty * W * W).sum()), W
                G = 2 * (X.T @ R) / divisor + 2 * penalty * W
                velocity = momentum * velocity + G
                W = W - lr * (G + momentum * velocity if self.nesterov else velocity)

    @cached_property
    def rows(self):
        """The rows as the loss weighs them, and one a column for the penalty below them."""
        return np.concatenate([self.X * np.sqrt(self.share), np.diag(np.sqrt(self.penalised[:, 0]))])

    @cached_property
    def optimum(self):
        targets = np.concatenate([self.Y * np.sqrt(self.share), np.zeros_like(self.W)])
        return np.linalg.lstsq(self.rows, targets)[0]

    def excess(self, W):
        """Return the loss at W above the least, as the rows tell it without cancellation."""
        with np.errstate(over="ignore", invalid="ignore"):
            return float(np.square(self.rows @ (W - self.optimum)).sum())

    def forecast(self, **more):
        return descend.forecast(self.formula, self.table, **self.settings, **more)


def squares(seed, rule, shares, **fixed):
    """Make a random problem whose rate is one of ``shares`` of the largest stable one, roughly."""
    random = np.random.default_rng([seed, 17])
    rows, columns, outputs = int(random.integers(2, 40)), int(random.integers(1, 5)), int(random.integers(1, 3))
    data = random.normal(size=(rows, columns)) * 10 ** random.uniform(-1, 1, columns)
    data += random.normal(size=columns) * random.choice([0, 1])
    Y = data @ random.normal(size=(columns, outputs)) + random.normal(size=(rows, outputs)) * random.choice([0.01, 1])
    Y += random.normal() * 3
    chosen = {
        "loss": str(random.choice(["mse", "sse"])),
        "l2": float(random.choice([0.0, 0.03])),
        "standardize": bool(random.choice([True, False])),
        **fixed,
    }
    columns_seen = (data - data.mean(axis=0)) / data.std(axis=0) if chosen["standardize"] else data
    X = np.column_stack([np.ones(rows), columns_seen])
    W = random.normal(size=(columns + 1, outputs)) * random.choice([0, 1])
    mean, l2 = chosen["loss"] == "mse", chosen["l2"]
    momentum, nesterov = rule[int(random.integers(len(rule)))]
    penalty = np.diag(np.sqrt(l2) * (np.arange(columns + 1) > 0))
    steepest = 2 * np.linalg.norm(np.concatenate([X / np.sqrt(Y.size if mean else 1), penalty]), 2) ** 2
    lr = random.choice(shares) * 2 * (1 + momentum) / (1 + 2 * momentum * nesterov) / steepest
    names, targets = [f"x{i}" for i in range(columns)], [f"y{i}" for i in range(outputs)]
    table = dict(zip(names, data.T, strict=True)) | dict(zip(targets, Y.T, strict=True))
    told = {**chosen, "lr": float(lr), "momentum": momentum, "nesterov": nesterov, "init": W}
    formula = f"{' + '.join(targets)} ~ {' + '.join(names)}"
    return Squares(X, Y, W, l2, mean, float(lr), momentum, nesterov, formula, table, told)


def of_lab(name):
    """Return a squared-error lab as plain arrays."""
    lab = example(name)
    recipe = recipe_of(lab)
    data = np.column_stack([lab.data[column] for column in ("quiz1", "quiz2", "quiz3")]).astype(float)
    if lab.standardize:
        data = (data - data.mean(axis=0)) / data.std(axis=0, ddof=lab.standardize["ddof"])
    X, Y = np.column_stack([np.ones(len(data)), data]), np.array(lab.data["final"], dtype=float)[:, None]
    return lab, recipe, Squares(X, Y, recipe.init, 0.0, True, lab.lr, 0.0, False, lab.hypothesis, lab.data, {})


# the labs


def test_the_unscaled_lab_is_foretold_to_overflow_at_the_epoch_that_it_prints():
    lab, recipe, problem = of_lab("unscaled-diverges")
    outlook = descend.forecast(lab.hypothesis, lab.data, recipe=recipe).outlook
    printed = next(epoch for epoch, loss in lab.log if loss == "inf")
    looped = next(epoch for epoch, (loss, _) in enumerate(problem.steps(np.float32)) if loss == np.inf)
    assert outlook.verdict == "diverges"
    assert outlook.overflow["float32"] == printed == looped == 5
    looped = next(epoch for epoch, (loss, _) in enumerate(problem.steps()) if loss == np.inf)
    assert outlook.overflow["float64"] == looped
    assert outlook.left > 1e100
    assert set(outlook.columns) == {"quiz1", "quiz2", "quiz3"}


def test_the_lab_with_too_small_a_rate_is_foretold_to_stall_and_its_log_bears_it_out():
    lab = example("rate-too-small")
    forecast = descend.forecast(lab.hypothesis, lab.data, recipe=recipe_of(lab))
    bound = forecast.bound
    assert (bound.prospect, forecast.hopeless, forecast.outlook) == ("stalls", True, None)
    assert bound.loss == pytest.approx(lab.log[0][1], abs=1e-6)
    assert 0 < bound.fall < 1e-6
    assert lab.log[0][1] - lab.log[-1][1] <= bound.fall


def test_the_standardised_lab_is_foretold_within_an_epoch_of_a_plain_loop_and_of_its_log():
    lab, recipe, problem = of_lab("standardized-converges")
    outlook = descend.forecast(lab.hypothesis, lab.data, recipe=dataclasses.replace(recipe, epochs=1000)).outlook
    assert outlook.verdict == "converges"
    excess = np.array([problem.excess(W) for _, W in islice(problem.steps(), 10_000)])
    for share, epoch in outlook.reach.items():
        assert abs(epoch - int(np.argmax(excess <= share * excess[0]))) <= 1
    assert outlook.left == pytest.approx(excess[1000] / excess[0], rel=1e-9)
    told = descend.trajectory(lab.hypothesis, lab.data, recipe=recipe)
    np.testing.assert_allclose([told.loss(epoch) for epoch, _ in lab.log], [loss for _, loss in lab.log], rtol=1e-5)


# random problems


SIMULATED = 800
CLOSE = 1e-9  # an excess this near to a share, relatively, is a tie that rounding decides


@pytest.mark.slow
@pytest.mark.parametrize("kind", RULES)
def test_the_foretold_epochs_and_verdicts_are_those_of_a_simulated_run(kind):
    shares = [*10.0 ** np.arange(-4, 0), 1e-4, 0.03, 0.3, 0.5, 0.7, 0.9, 0.98, 0.98, 1.02, 1.2, 2.0]
    found = {"epochs": 0, "diverges": 0, "stalls": 0, "oscillates": 0, "converges": 0}
    for seed in range({"plain": 80, "heavy ball": 60, "nesterov": 60}[kind]):
        problem = squares(seed, RULES[kind], shares)
        outlook = problem.forecast(epochs=300).outlook
        found[outlook.verdict] += 1
        excess = []
        for _, W in islice(problem.steps(), SIMULATED):
            excess.append(problem.excess(W))
            if not np.isfinite(excess[-1]) or (len(excess) > 301 and excess[-1] <= 1e-6 * excess[0] * (1 - CLOSE)):
                break
        excess = np.array(excess)
        grown = not excess[-1] <= 2 * excess[0]
        assert (outlook.verdict == "diverges") == grown, seed
        if grown:
            assert set(outlook.reach.values()) == {None}
            continue
        assert outlook.left == pytest.approx(excess[300] / excess[0], rel=1e-6, abs=1e-15), seed
        assert (outlook.verdict == "stalls") == (excess[300] > 0.5 * excess[0]), seed
        for share, epoch in outlook.reach.items():
            before = excess[:epoch]
            assert (before > share * excess[0] * (1 - CLOSE)).all(), (seed, share)
            if epoch is not None and epoch < excess.size:
                assert excess[epoch] <= share * excess[0] * (1 + CLOSE), (seed, share)
                found["epochs"] += 1
    assert found["epochs"] > 50
    assert min(found[verdict] for verdict in ("diverges", "oscillates")) >= 5
    assert found["stalls"] >= 2


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", RULES)
def test_the_foretold_overflow_is_that_of_a_loop_in_the_dtype(kind, dtype):
    largest, digits = float(np.finfo(dtype).max), float(np.finfo(dtype).eps)
    exact = 0
    for seed in range(20):
        problem = squares(1000 + seed, RULES[kind], [1.05, 1.2, 1.5, 2.0, 5.0, 30.0], loss="mse")
        told = problem.forecast().outlook.overflow[np.dtype(dtype).name]
        sums = []
        for loss, _ in islice(problem.steps(dtype), 20_000):
            sums.append(loss / problem.share)
            if not np.isfinite(loss):
                break
        looped = len(sums) - 1
        assert sums[looped] == np.inf
        # Every epoch rounds the rate, the rows and the parameters by some eps, so after t epochs of growth the loop's
        # loss is off by about t eps over the share by which the rate is above the edge (5% at least), twice, as it is
        # a square. Only where the sum over the rows comes that near to the largest number, the epoch is a matter of
        # rounding: then, and only then, the next one will do as well.
        slack = 1 + 100 * looped * digits
        growth = sums[looped - 1] / sums[looped - 2]
        near = sums[looped - 1] * slack > largest or sums[looped - 1] * growth < largest * slack
        assert abs(told - looped) <= near, (seed, told, looped)
        exact += told == looped
    assert exact >= 19


def spectral_radius(H, lr, momentum, nesterov):
    """Return the largest eigenvalue, in size, of the whole step (w, v) -> (w, v) for a quadratic with Hessian H."""
    unit = np.eye(len(H))
    ahead = (1 + momentum, momentum**2) if nesterov else (1, momentum)
    step = np.block([[unit - lr * ahead[0] * H, -lr * ahead[1] * unit], [H, momentum * unit]])
    return float(np.abs(np.linalg.eigvals(step)).max())


def hessian(seed, columns=4):
    random = np.random.default_rng(seed)
    X = random.normal(size=(30, columns)) * 10 ** random.uniform(-0.7, 0.7, columns)
    return 2 * X.T @ X / 30


ROUNDING = 1e-6  # at the best momentum two roots meet, which halves the digits that eigvals has of them


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    ("momentum", "nesterov"), [(0.0, False), (0.4, False), (0.95, False), (0.4, True), (0.95, True)]
)
def test_no_other_rate_has_a_smaller_spectral_factor_than_the_best(seed, momentum, nesterov):
    H = hessian(seed)
    best = best_rate(np.linalg.eigvalsh(H), momentum, nesterov)
    least = spectral_radius(H, best, momentum, nesterov)
    for factor in [*np.linspace(0.05, 2, 40), 0.97, 0.99, 0.999, 1.001, 1.01, 1.03]:
        assert spectral_radius(H, factor * best, momentum, nesterov) >= least - ROUNDING
    edge = largest_stable_rate(float(np.linalg.eigvalsh(H)[-1]), momentum, nesterov)
    assert spectral_radius(H, 0.9999 * edge, momentum, nesterov) < 1
    assert spectral_radius(H, 1.0001 * edge, momentum, nesterov) > 1


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("nesterov", [False, True])
def test_no_other_momentum_with_any_rate_has_a_smaller_spectral_factor_than_the_best(seed, nesterov):
    H = hessian(seed)
    curvatures = np.linalg.eigvalsh(H)
    momentum = best_momentum(curvatures, nesterov)
    rate = best_rate(curvatures, momentum, nesterov)
    least = spectral_radius(H, rate, momentum, nesterov)
    assert 0 < momentum < 1
    assert least < spectral_radius(H, best_rate(curvatures), 0.0, False)
    for other in np.clip([momentum + step for step in (-0.1, -0.01, -1e-3, 1e-3, 0.01, 0.1)], 0, 0.999):
        for factor in (0.7, 0.9, 0.98, 0.999, 1, 1.001, 1.02, 1.1, 1.3):
            assert spectral_radius(H, factor * rate, other, nesterov) >= least - 10 * ROUNDING


@pytest.mark.parametrize("seed", range(8))
def test_the_told_rates_have_the_told_factors_and_take_the_told_epochs(seed):
    problem = squares(seed, RULES["plain"], [0.5], l2=0.03)
    H = 2 * problem.share * problem.X.T @ problem.X + 2 * np.diag(problem.penalised[:, 0])
    told = problem.forecast().rates
    assert [rates.kind for rates in told] == ["sgd", "momentum", "nesterov"]
    for rates in told:
        rule = rates.momentum, rates.kind == "nesterov"
        assert rates.factor == pytest.approx(spectral_radius(H, rates.best, *rule), abs=1e-5)
        assert spectral_radius(H, 0.999 * rates.stable, *rule) < 1 < spectral_radius(H, 1.001 * rates.stable, *rule)
        run = dataclasses.replace(problem, lr=rates.best, momentum=rule[0], nesterov=rule[1])
        excess = np.array([run.excess(W) for _, W in islice(run.steps(), min(rates.epochs, 3000) + 1)])
        assert (excess[:-1] > 1e-6 * excess[0] * (1 - CLOSE)).all()
        if rates.epochs <= 3000:
            assert excess[-1] <= 1e-6 * excess[0] * (1 + CLOSE)


# condition numbers and columns


@pytest.mark.parametrize("seed", range(10))
def test_the_condition_numbers_are_those_of_the_explicit_matrices(seed):
    random = np.random.default_rng(seed)
    data = random.normal(size=(25, 3)) * 10 ** random.uniform(-2, 2, 3) + random.normal(size=3) * 5
    table = {**dict(zip("abc", data.T, strict=True)), "y": random.normal(size=25)}
    ones = np.ones(25)
    raw = np.column_stack([ones, data])
    scaled = np.column_stack([ones, (data - data.mean(axis=0)) / data.std(axis=0)])
    made = descend.forecast("y ~ a + b + c", table)
    assert made.raw_condition == pytest.approx(np.linalg.cond(raw) ** 2, rel=1e-6)
    assert made.condition == pytest.approx(np.linalg.cond(scaled) ** 2, rel=1e-6)
    np.testing.assert_allclose(made.curvatures, np.sort(np.linalg.eigvalsh(2 * scaled.T @ scaled / 25)), rtol=1e-9)
    kept = descend.forecast("y ~ a + b + c", table, standardize=False)
    assert kept.condition == pytest.approx(kept.raw_condition, rel=1e-6)
    ridge = descend.forecast("y ~ a + b + c", table, l2=0.3)
    penalised = 2 * scaled.T @ scaled / 25 + 0.6 * np.diag([0, 1, 1, 1])
    assert ridge.condition == pytest.approx(np.linalg.cond(penalised), rel=1e-6)
    assert ridge.raw_condition == pytest.approx(made.raw_condition, rel=1e-9)


def test_collinear_columns_are_told_as_a_direction_without_curvature():
    random = np.random.default_rng(3)
    a, b = random.normal(size=(2, 12))
    made = descend.forecast("y ~ a + b + c", {"a": a, "b": b, "c": 2 * a - b, "y": random.normal(size=12)}, lr=0.1)
    scaled = np.column_stack([(v - v.mean()) / v.std() for v in (a, b, 2 * a - b)])
    singular = np.linalg.svd(np.column_stack([np.ones(12), scaled]), compute_uv=False)
    assert (made.curvatures == 0).sum() == 1
    assert made.condition == pytest.approx((singular[0] / singular[2]) ** 2, rel=1e-9)
    assert made.outlook.verdict in ("converges", "oscillates")


def orthogonal(scales):
    """Columns a, b, c ... of those lengths, orthogonal to one another, and a target that needs all of them."""
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(20, len(scales))))[0]
    names = [chr(ord("a") + i) for i in range(len(scales))]
    X = basis * np.array(scales)
    return dict(zip(names, X.T, strict=True)) | {"y": X.sum(axis=1)}, f"y ~ 0 + {' + '.join(names)}"


def test_the_columns_of_the_slow_and_of_the_diverging_direction_are_named():
    table, formula = orthogonal([100.0, 10.0, 1.0])
    steepest = 2 * 100**2 / 20
    slow = descend.forecast(formula, table, lr=0.5 / steepest, standardize=False).outlook
    assert (slow.columns, slow.verdict) == (["c"], "converges")
    assert slow.factor == pytest.approx(1 - 0.5 * 1e-4)
    growing = descend.forecast(formula, table, lr=3 / steepest, standardize=False).outlook
    assert (growing.columns, growing.verdict) == (["a"], "diverges")
    assert growing.factor == pytest.approx(2)
    random = np.random.default_rng(1)
    u, w, noise = random.normal(size=(3, 50))
    alike = {"u": u, "v": u + 0.01 * noise, "w": w, "y": u + w + noise}
    assert set(descend.forecast("y ~ u + v + w", alike, lr=0.3).outlook.columns) == {"u", "v"}
    assert set(descend.forecast("y ~ u + v + w", alike, lr=1.0).outlook.columns) == {"u", "v"}


# losses that are not quadratic


def huber(X, y, W, delta):
    r = (X @ W)[:, 0] - y
    inside = np.abs(r) <= delta
    loss = np.where(inside, r * r / 2, delta * (np.abs(r) - delta / 2)).mean()
    return loss, X.T @ np.where(inside, r, delta * np.sign(r))[:, None] / len(y)


def logistic(X, y, W, _):
    z = (X @ W)[:, 0]
    return (np.logaddexp(0, z) - y * z).mean(), X.T @ (1 / (1 + np.exp(-z)) - y)[:, None] / len(y)


def cross_entropy(X, y, W, _):
    Z = X @ W
    logs = Z - np.logaddexp.reduce(Z, axis=1)[:, None]
    own = np.eye(W.shape[1])[y.astype(int)]
    return -(logs * own).sum(axis=1).mean(), X.T @ (np.exp(logs) - own) / len(y)


SMOOTH = {"huber": huber, "binary_cross_entropy": logistic, "cross_entropy": cross_entropy}


def smooth(loss, seed):
    """Return a random problem with a smooth loss: value and gradient by rows, the start and what descend is told."""
    random = np.random.default_rng([seed, 5])
    rows, columns = int(random.integers(9, 40)), int(random.integers(1, 4))
    data = random.normal(size=(rows, columns)) * 10 ** random.uniform(-1, 1, columns) + random.normal(size=columns)
    X, l2, delta = np.column_stack([np.ones(rows), data]), float(random.choice([0.0, 0.02])), 1.0
    told = {"loss": loss, "standardize": False, "l2": l2}
    outputs = 1
    if loss == "huber":
        y = labels = data.sum(axis=1) + random.standard_t(2, rows)
        delta = told["delta"] = float(random.choice([0.3, 1.5]))
    else:
        classes = 2 if loss == "binary_cross_entropy" else 3
        y = random.permutation(np.arange(rows) % classes)
        labels, outputs = np.array(["p", "q", "r"])[y], classes if classes > 2 else 1
    W = random.normal(size=(columns + 1, outputs)) * random.choice([0.0, 0.5])
    names = [f"x{i}" for i in range(columns)]
    table = {**dict(zip(names, data.T, strict=True)), "y": labels}
    penalty = np.array([0.0] + [l2] * columns)[:, None]

    def value_and_gradient(W):
        value, gradient = SMOOTH[loss](X, y, W, delta)
        return value + (penalty * W * W).sum(), gradient + 2 * penalty * W

    return (
        value_and_gradient,
        W,
        lambda **more: descend.forecast(f"y ~ {' + '.join(names)}", table, init=W, **told, **more),
    )


@pytest.mark.slow
@pytest.mark.parametrize("loss", SMOOTH)
def test_rates_under_the_sure_one_never_raise_the_loss_nor_lower_it_by_more_than_is_told(loss):
    for seed in range(20):
        rows, W, forecast = smooth(loss, seed)
        sure = forecast().bound.sure
        for share in (1 - 1e-9, 0.999, 0.3, 1e-3):
            bound = forecast(lr=share * sure, epochs=60).bound
            values, V = [], W
            for _ in range(61):
                value, gradient = rows(V)
                values.append(value)
                V = V - share * sure * gradient
            values = np.array(values)
            assert bound.sure == sure
            assert bound.loss == pytest.approx(values[0], rel=1e-12)
            assert (np.diff(values) <= 1e-13 * values[0]).all(), (seed, share)
            assert values[0] - values[-1] <= bound.fall * (1 + 1e-12)
            assert bound.prospect == ("stalls" if bound.fall < 0.01 * values[0] else "descends")


@pytest.mark.parametrize("loss", SMOOTH)
def test_of_a_rate_at_or_above_the_sure_one_nothing_is_promised(loss):
    _, _, forecast = smooth(loss, 1)
    sure = forecast().bound.sure
    for lr in (sure, 3 * sure):
        made = forecast(lr=lr)
        assert (made.bound.prospect, made.bound.fall) == ("no-promise", None)
        assert (made.outlook, made.rates, made.hopeless) == (None, [], False)


@pytest.mark.parametrize("loss", SMOOTH)
def test_the_local_curvature_is_the_finite_difference_hessians_largest_eigenvalue(loss):
    for seed in range(10):
        rows, W, forecast = smooth(loss, seed)
        bound = forecast().bound
        step, H = 1e-6, []
        for index in range(W.size):
            D = np.zeros(W.size)
            D[index] = step
            D = D.reshape(W.shape)
            H.append((rows(W + D)[1] - rows(W - D)[1]).ravel() / (2 * step))
        steepest = np.linalg.eigvalsh((np.array(H) + np.array(H).T) / 2)[-1]
        if bound.local is None:
            assert steepest < 1e-9
        else:
            assert 2 / bound.local == pytest.approx(steepest, rel=1e-5)
            assert bound.sure <= bound.local * (1 + 1e-9)


@pytest.mark.parametrize("loss", ["mae", "mape", "msle"])
def test_of_losses_whose_curvature_has_no_limit_nothing_is_foretold(loss):
    table = {"x": [1.0, 2, 3, 4], "y": [2.0, 3, 5, 6]}
    for more in ({}, {"lr": 0.1}, {"optimizer": "adam"}, {"batch_size": 2}):
        made = descend.forecast("y ~ x", table, loss=loss, **more)
        assert (made.bound, made.outlook, made.rates, made.reason) == (None, None, [], "forecast.no-bound")
        assert not made.hopeless


# runs that are not foretold


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_no_batch_has_a_curvature_above_that_of_the_rate_that_is_sure(outputs, l2):
    random = np.random.default_rng(outputs)
    data = random.normal(size=(9, 2)) * [1, 3] + 1
    targets = ["y", "z"][:outputs]
    table = {"a": data[:, 0], "b": data[:, 1], **{name: random.normal(size=9) for name in targets}}
    X = np.column_stack([np.ones(9), data])
    formula = f"{' + '.join(targets)} ~ a + b"
    for size in (1, 3, 9):
        made = descend.forecast(formula, table, batch_size=size, standardize=False, l2=l2, lr=0.01)
        penalty = 2 * l2 * np.diag([0, 1, 1])
        steepest = max(
            np.linalg.eigvalsh(2 * X[list(rows)].T @ X[list(rows)] / (size * outputs) + penalty)[-1]
            for rows in combinations(range(9), size)
        )
        assert made.batch_sure <= 2 / steepest * (1 + 1e-12)
        assert (made.outlook, made.reason, made.batch_size, made.hopeless) == (None, "forecast.batches", size, False)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"optimizer": "adam"}, "forecast.adaptive"),
        ({"optimizer": "rmsprop", "lr": 1e9}, "forecast.adaptive"),
        ({"schedule": "cosine", "lr": 1e9}, "forecast.schedule"),
        ({"warmup": 5}, "forecast.schedule"),
        ({"batch_size": 2, "lr": 1e9}, "forecast.batches"),
    ],
)
def test_of_rates_that_change_or_adapt_or_see_a_part_of_the_rows_no_epoch_is_told(more, reason):
    made = descend.forecast("y ~ x", {"x": [1.0, 2, 3, 5], "y": [2.0, 3, 5, 6]}, **more)
    assert (made.outlook, made.reason, made.hopeless) == (None, reason, False)
    assert made.curvatures.size == 2
    classes = descend.forecast("y ~ x", {"x": [1.0, 2, 3, 5], "y": ["n", "y", "n", "y"]}, **more)
    assert (classes.outlook, classes.reason, classes.hopeless) == (None, reason, False)
    assert (classes.bound is None) is (reason != "forecast.schedule")
    if classes.bound is not None:
        assert classes.bound.prospect is None


# any epoch


@pytest.mark.parametrize("kind", RULES)
def test_a_trajectory_equals_a_loop_at_every_epoch_that_is_asked_for(kind):
    for seed in range(10):
        problem = squares(seed, RULES[kind], [0.01, 0.3, 0.9])
        told = descend.trajectory(problem.formula, problem.table, **problem.settings)
        looped = {
            epoch: step for epoch, step in zip(range(1001), problem.steps(), strict=False) if epoch in (0, 1, 7, 1000)
        }
        for epoch, (loss, W) in looped.items():
            assert told.loss(epoch) == pytest.approx(loss, rel=1e-8, abs=1e-9)
            np.testing.assert_allclose(told.weights(epoch), W, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("rule", [(0.0, False), (0.9, False), (0.9, True)])
def test_a_trajectory_is_at_the_optimum_after_a_billion_epochs(rule):
    random = np.random.default_rng(4)
    a, b, noise = random.normal(size=(3, 30))
    table = {"a": 5 + 2 * a, "b": b, "y": 1 + a - b + noise}
    told = descend.trajectory("y ~ a + b", table, lr=0.01, momentum=rule[0], nesterov=rule[1])
    X = np.column_stack([np.ones(30), table["a"], table["b"]])
    best = np.linalg.lstsq(X, table["y"])[0]
    assert told.loss(10**9) == pytest.approx(np.square(X @ best - table["y"]).mean(), rel=1e-12)
    assert list(told.coefficients(10**9)) == ["(intercept)", "a", "b"]
    np.testing.assert_allclose(list(told.coefficients(10**9).values()), best, rtol=1e-10)
    assert np.isfinite(told.weights(10**9)).all()
    first = told.epochs_to(1e-3)
    least = told.loss(10**9)
    assert told.loss(first) - least <= 1e-3 * (told.loss(0) - least) < told.loss(first - 1) - least


@pytest.mark.parametrize("rule", [(0.0, False), (0.9, False), (0.9, True)])
def test_a_diverging_trajectory_is_infinite_far_out_and_never_reaches_its_aim(rule):
    table = {"x": [1.0, 2, 3], "y": [20.0, 40, 61]}
    told = descend.trajectory("y ~ x", table, lr=30.0, momentum=rule[0], nesterov=rule[1])
    assert told.loss(3) > told.loss(0)
    assert told.loss(1000) == told.loss(10**9) == np.inf
    assert not np.isfinite(told.weights(10**9)).all()


def test_coefficients_of_two_targets_come_by_target():
    table = {"x": [1.0, 2, 3], "y": [2.0, 4, 6], "z": [1.0, 1, 1]}
    told = descend.trajectory("y + z ~ x", table).coefficients(10**6)
    assert told["y"] == pytest.approx({"(intercept)": 0, "x": 2}, abs=1e-9)
    assert told["z"] == pytest.approx({"(intercept)": 1, "x": 0}, abs=1e-9)


@pytest.mark.parametrize(
    ("formula", "more"),
    [
        ("c ~ x", {}),
        ("y ~ x", {"loss": "huber"}),
        ("y ~ x", {"optimizer": "adam"}),
        ("y ~ x", {"batch_size": 2}),
        ("y ~ x", {"schedule": "cosine"}),
    ],
)
def test_a_run_without_a_closed_form_has_no_trajectory(formula, more):
    table = {"x": [1.0, 2, 3, 4], "y": [2.0, 3, 5, 6], "c": ["n", "y", "n", "y"]}
    with pytest.raises(OptionError) as error:
        descend.trajectory(formula, table, **more)
    assert error.value.code == "option.no-trajectory"


@pytest.mark.parametrize("rule", [(0.0, False), (0.8, False), (0.8, True)])
def test_a_model_at_an_epoch_is_the_model_refitted_with_so_many_epochs(noisy, tmp_path, rule):
    asked = {"lr": 0.05, "momentum": rule[0], "nesterov": rule[1]}
    model = descend.fit("y ~ a + b", noisy, epochs=200, **asked)
    kept = descend.load(model.save(tmp_path / "m.safetensors"))
    for epoch in (0, 1, 17, 199, 200, 1000):
        again = descend.fit("y ~ a + b", noisy, epochs=epoch, **asked) if epoch else None
        for one in (model, kept):
            made = one.at(epoch)
            assert made.verification is None
            assert made.certificate is None
            if again is None:
                np.testing.assert_allclose(made.weights, 0, atol=1e-13)
                continue
            np.testing.assert_allclose(made.weights, again.weights, rtol=1e-9, atol=1e-12)
            assert made.history.final_loss == pytest.approx(again.history.final_loss, rel=1e-9)
            np.testing.assert_allclose(made.predict(noisy), again.predict(noisy), rtol=1e-9)
    optimum = descend.fit("y ~ a + b", noisy)
    for one in (model, kept):
        np.testing.assert_allclose(one.at(10**9).raw, optimum.raw, rtol=1e-9)


def test_an_epoch_that_is_none_or_that_was_not_kept_is_an_error(noisy):
    model = descend.fit("y ~ a", noisy, lr=0.1, epochs=5)
    for epoch in (-1, 1.5, True):
        with pytest.raises(OptionError) as error:
            model.at(epoch)
        assert error.value.code == "option.epoch"
    adam = descend.fit("y ~ a", noisy, optimizer="adam", epochs=5000)
    kept = adam.history.snapshot_epoch
    missing = next(epoch for epoch in count() if epoch not in kept)
    with pytest.raises(ModelError) as error:
        adam.at(missing)
    assert error.value.code == "model.no-epoch"
    np.testing.assert_array_equal(adam.at(int(kept[-1])).weights.ravel(), adam.history.snapshots[-1])


def test_a_diverged_model_gives_its_epochs_as_long_as_they_are_finite(noisy):
    with pytest.raises(DivergedError) as raised:
        descend.fit("y ~ a", noisy, lr=30.0)
    model = raised.value.model
    assert np.isfinite(model.at(5).weights).all()
    with pytest.raises(ModelError) as error:
        model.at(10**9)
    assert error.value.code == "model.overflowed"


# the command line


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("DESCEND_LANG", "en")
    monkeypatch.setenv("COLUMNS", "200")


def test_the_command_tells_curvature_rates_and_outlook_in_both_languages(scores, capsys):
    code, out, err = called(capsys, "forecast", scores, "score ~ hours", "--lr", "0.1", "--no-standardize")
    assert (code, err) == (0, "")
    labels = [line.split()[0] for line in out.splitlines() if line.startswith(" ") and line[1] != " "]
    assert labels == ["Table", "Hypothesis", "Curvature", "Rates", "Outlook"]
    assert "condition number 46.14" in out
    assert "a learning rate of 0.1 converges" in out
    code, korean, err = called(
        capsys, "forecast", scores, "score ~ hours", "--lr", "0.1", "--no-standardize", "--lang", "ko"
    )
    assert (code, err) == (0, "")
    assert "조건수 46.14" in korean
    assert "수렴합니다" in korean
    assert "converges" not in korean


@pytest.mark.parametrize("arguments", [("--lr", "0.1"), ("--lr", "9"), ("--optimizer", "adam"), ("--batch-size", "2")])
def test_the_command_tells_everything_as_json_too(scores, capsys, arguments):
    code, out, err = called(capsys, "forecast", scores, "score ~ hours", *arguments, "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    fields = {field.name for field in dataclasses.fields(descend.Forecast)}
    assert set(told) == fields | {"condition", "hopeless"}
    assert [set(rates) for rates in told["rates"]] == [{"kind", "momentum", "stable", "best", "factor", "epochs"}] * 3
    assert told["hopeless"] is (arguments == ("--lr", "9"))
    if told["outlook"] is not None:
        assert set(told["outlook"]["reach"]) == {str(share) for share in SHARES}
        assert set(told["outlook"]["overflow"]) == {"float32", "float64"}
        assert told["outlook"]["lr"] == float(arguments[1])


def test_the_command_tells_the_bound_of_a_loss_that_is_not_quadratic(scores, capsys):
    code, out, _ = called(capsys, "forecast", scores, "score ~ hours", "--loss", "huber", "--lr", "1e-9", "--json")
    told = json.loads(out)
    assert (code, told["outlook"], told["hopeless"]) == (0, None, True)
    assert set(told["bound"]) == {"sure", "local", "lr", "prospect", "epochs", "fall", "loss"}
    assert told["bound"]["prospect"] == "stalls"
    out = called(capsys, "forecast", scores, "score ~ hours", "--loss", "huber")[1]
    assert "are sure to descend (a bound, not exact)" in out
    out = called(capsys, "forecast", scores, "score ~ hours", "--loss", "mae")[1]
    assert "no rate is sure to descend" in out


def test_a_fit_with_the_rate_left_to_it_takes_the_best_and_foretells_it_first(scores, capsys):
    code, out, err = called(capsys, "fit", scores, "score ~ hours", "--lr", "auto", "--no-standardize")
    assert (code, err) == (0, "")
    X = np.column_stack([np.ones(3), pl.read_csv(scores)["hours"].to_numpy()])
    curvatures = np.linalg.eigvalsh(2 * X.T @ X / 3)
    assert f"sgd with a learning rate of {2 / (curvatures[0] + curvatures[-1]):.4g}" in out
    labels = [line.split()[0] for line in out.splitlines() if line.startswith(" ") and line[1] != " "]
    assert labels[:4] == ["Table", "Hypothesis", "Forecast", "Fit"]


def test_a_rate_that_is_neither_a_number_nor_auto_is_an_error(scores, capsys):
    for command in ("fit", "forecast"):
        code, out, err = called(capsys, command, scores, "score ~ hours", "--lr", "abc")
        assert (code, out) == (2, "")
        assert "error [option.lr]" in err
        assert "abc" in err


def test_a_hopeless_run_is_told_before_it_diverges(scores):
    command = "from descend.cli import main; raise SystemExit(main())"
    for lang, word in (("en", "a learning rate of 2.5 diverges"), ("ko", "학습률이 2.5이면 발산합니다")):
        done = subprocess.run(
            [sys.executable, "-c", command, "fit", str(scores), "score ~ hours", "--lr", "2.5", "--lang", lang],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "300"},
            check=False,
            timeout=120,
        )
        assert done.returncode == 3
        assert 0 < done.stdout.index(word) < done.stdout.index("[fit.diverged-stable]")


def test_a_forecast_is_given_before_the_first_step(noisy):
    heard = []
    descend.fit(
        "y ~ a",
        noisy,
        lr=0.1,
        epochs=3,
        dtype="float32",
        test="none",
        on_forecast=lambda forecast: heard.append(forecast.outlook.verdict),
        on_epoch=lambda epoch, loss: heard.append(epoch),
    )
    assert heard[:2] == ["converges", 0]


def test_json_keeps_standard_output_pure_and_warns_of_a_hopeless_run_beside_it(scores, tmp_path, capsys):
    code, out, err = called(capsys, "fit", scores, "score ~ hours", "--lr", "1e-9", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["forecast"]["outlook"]["verdict"] == "stalls"
    assert told["forecast"]["hopeless"]
    assert "a learning rate of 1e-09 is too small" in err
    code, out, err = called(capsys, "fit", scores, "score ~ hours", "--lr", "auto", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["fit"]["learning_rate"] == pytest.approx(0.5)
    code, out, err = called(capsys, "fit", scores, "score ~ hours", "--lr", "2.5", "--json")
    assert code == 3
    assert json.loads(out)["error"]["code"] == "fit.diverged-stable"
    assert "a learning rate of 2.5 diverges" in err


# whatever table


@st.composite
def small_tables(draw):
    rows = draw(st.integers(1, 6))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    table = {}
    for name in ("a", "b", "c"):
        scale = 10.0 ** draw(st.sampled_from([-20, -8, -3, 0, 0, 0, 3, 8, 20]))
        kind = draw(st.sampled_from(["drawn", "drawn", "drawn", "constant", "zero", "collinear", "whole"]))
        if kind == "collinear" and table:
            table[name] = table["a"] * draw(st.sampled_from([1.0, -3.0, 1e-8, 1 + 1e-12]))
        elif kind in ("constant", "zero"):
            table[name] = np.full(rows, scale if kind == "constant" else 0.0)
        elif kind == "whole":
            table[name] = random.integers(-2, 3, rows).astype(float)
        else:
            table[name] = (random.normal(size=rows) + draw(st.sampled_from([0, 1, 1e6]))) * scale
    table["y"] = random.normal(size=rows) * 10.0 ** draw(st.sampled_from([-100, -3, 0, 0, 3, 100]))
    table["k"] = np.array(["no", "yes", "maybe"])[random.integers(0, draw(st.integers(2, 3)), rows)]
    return table


ASKED = st.fixed_dictionaries(
    {},
    optional={
        "lr": st.floats(1e-12, 1e3),
        "l2": st.sampled_from([0.0, 1e-9, 0.1, 1e3]),
        "standardize": st.booleans(),
        "epochs": st.sampled_from([1, 10, 10**6]),
        "batch_size": st.integers(1, 3),
        "schedule": st.sampled_from(["constant", "cosine"]),
    },
)
MOMENTA = st.sampled_from([{}, {"momentum": 0.5}, {"momentum": 0.99}, {"momentum": 0.9, "nesterov": True}])
LOSSES = st.sampled_from([{}, {}, {"loss": "sse"}, {"loss": "huber"}, {"loss": "mae"}])
FORMULAS = st.sampled_from(["y ~ a", "y ~ a + b + c", "y ~ 0 + a + b", "a + y ~ b + c", "k ~ a + b"])


@settings(max_examples=80)
@given(small_tables(), FORMULAS, ASKED, MOMENTA, LOSSES)
def test_whatever_the_table_a_forecast_is_a_verdict_or_an_error_and_never_not_a_number(
    table, formula, asked, rule, loss
):
    if formula.startswith("k"):
        loss = {}
    try:
        made = descend.forecast(formula, table, **asked, **rule, **loss)
    except DescendError:
        return
    assert np.isfinite(made.curvatures).all()
    assert (made.curvatures >= 0).all()
    assert made.condition >= 1
    assert isinstance(made.hopeless, bool)
    for rates in made.rates:
        assert 0 < rates.best <= rates.stable
        assert 0 <= rates.momentum <= 1
        assert 0 <= rates.factor <= 1 + 1e-9
    if made.bound is not None:
        assert made.bound.sure > 0
        assert made.bound.local is None or made.bound.local > 0
        assert made.bound.fall is None or made.bound.fall >= 0
    if made.outlook is not None:
        outlook = made.outlook
        assert outlook.verdict in ("converges", "oscillates", "stalls", "diverges")
        assert not np.isnan([outlook.left, outlook.factor, outlook.lr]).any()
        assert outlook.left >= 0
        reached = [outlook.reach[share] for share in SHARES]
        far = [np.inf if epoch is None else epoch for epoch in reached]
        assert far == sorted(far)
    assert (made.outlook is not None) or made.bound is not None or made.reason is not None


def test_a_rate_that_arrives_in_one_epoch_says_so_once(scores):
    for lang, word in (("en", "converges at once"), ("ko", "단번에 수렴합니다")):
        foretold = descend.forecast("score ~ hours", scores, lr=0.5)
        told = forecast_line(foretold, lang).plain
        assert word in told
        assert "0.01%" not in told


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_a_rate_at_the_edge_is_said_to_swing_and_not_to_reach_infinity_at_no_epoch(lang):
    made = descend.forecast("y ~ x", {"x": [1.0, 2, 3], "y": [2.0, 4.1, 6]}, lr=1)
    assert made.outlook.verdict == "diverges"
    told = str(forecast_line(made, lang))
    assert "inf" not in told
    assert "never arrives" in told or "수렴하지 않습니다" in told
