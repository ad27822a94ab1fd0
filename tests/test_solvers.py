"""Solvers: the closed form against the loop, the optimum against independent solvers, and how runs end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    SquaredError,
    SquaredLogError,
)
from descend.objectives.penalties import L2
from descend.objectives.quadratic import GramObjective
from descend.objectives.rows import DesignRows
from descend.solvers._epochs import iterate
from descend.solvers._lbfgs import lbfgs
from descend.solvers._quadratic_minimum import quadratic_minimum
from descend.solvers._recorder import StepRecorder
from descend.solvers._surrogate import surrogate_step
from descend.solvers.closed_form import fast_forward
from descend.solvers.history import SNAPSHOTS, snapshot_epochs
from descend.solvers.optimizers import SGD, Adam
from descend.solvers.rates import best_rate, largest_stable_rate
from descend.solvers.run_options import RunOptions
from descend.solvers.schedules import ConstantSchedule, StepSchedule

CONSTANT = ConstantSchedule()


def problem(seed=0, rows=40, columns=3, outputs=1, l2=0.0):
    random = np.random.default_rng(seed)
    X = np.column_stack([np.ones(rows), random.normal(size=(rows, columns - 1)) * random.uniform(0.5, 2, columns - 1)])
    Y = X @ random.normal(size=(columns, outputs)) + random.normal(size=(rows, outputs))
    penalised = np.arange(columns) > 0
    return RowsObjective(DesignRows(X, Y), SquaredError(), outputs, L2(l2, penalised))


RULES = st.sampled_from([(0.0, False), (0.5, False), (0.9, False), (0.5, True), (0.9, True)])


@settings(max_examples=60)
@given(st.integers(0, 10_000), RULES, st.floats(0.05, 1.3), st.integers(1, 2), st.sampled_from([0.0, 0.1]))
def test_the_closed_form_equals_the_loop_at_every_epoch(seed, rule, share, outputs, l2):
    rows = problem(seed, outputs=outputs, l2=l2)
    gram = GramObjective.of(rows)
    momentum, nesterov = rule
    lr = share * largest_stable_rate(gram.curvature_limit(), momentum, nesterov)
    optimizer = SGD(lr, momentum, nesterov)
    start = np.random.default_rng(seed).normal(size=3 * outputs)
    told = fast_forward(gram, start, optimizer, 60)
    looped = iterate(rows, start, optimizer, CONSTANT, 60)
    np.testing.assert_allclose(told.loss, looped.loss, rtol=1e-8)
    np.testing.assert_allclose(told.weights, looped.weights, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(told.snapshots, looped.snapshots, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(told.gradient_norm, looped.gradient_norm, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_the_closed_form_equals_a_pytorch_loop(momentum, nesterov):
    rows = problem(5)
    optimizer = SGD(0.02, momentum, nesterov)
    told = fast_forward(GramObjective.of(rows), np.zeros(3), optimizer, 300)
    w = torch.nn.Parameter(torch.zeros(3, 1, dtype=torch.float64))
    theirs = torch.optim.SGD([w], lr=0.02, momentum=momentum, nesterov=nesterov)
    X, Y = torch.tensor(rows.X), torch.tensor(rows.Y)
    losses = []
    for _ in range(301):
        loss = torch.nn.functional.mse_loss(X @ w, Y)
        losses.append(loss.item())
        theirs.zero_grad()
        loss.backward()
        theirs.step()
    np.testing.assert_allclose(told.loss, losses, rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.6, False), (0.6, True)])
def test_a_rate_just_under_the_largest_stable_one_converges_and_just_above_diverges(momentum, nesterov):
    for seed in range(20):
        gram = GramObjective.of(problem(seed))
        edge = largest_stable_rate(gram.curvature_limit(), momentum, nesterov)
        start = gram.minimum.ravel() + 1
        below = fast_forward(gram, start, SGD(0.999 * edge, momentum, nesterov), 200_000)
        above = fast_forward(gram, start, SGD(1.001 * edge, momentum, nesterov), 200_000)
        assert below.loss[-1] - gram.least < 1e-9
        assert above.stop == "diverged"


def test_no_rate_shrinks_the_error_faster_than_the_best():
    gram = GramObjective.of(problem(1))
    best = best_rate(gram.curvatures)
    worst = [np.abs(1 - rate * gram.curvatures).max() for rate in (0.9 * best, best, 1.1 * best)]
    assert worst[1] < min(worst[0], worst[2])
    assert largest_stable_rate(0.0) == float("inf")
    assert best_rate(np.zeros(2)) == 1.0


def test_a_billion_epochs_are_told_at_once_and_right():
    gram = GramObjective.of(problem(2))
    slow = SGD(1e-9 / gram.curvature_limit())
    start = np.ones(3)
    told = fast_forward(gram, start, slow, 10**9)
    shrink = np.exp(10**9 * np.log1p(-slow.lr * gram.curvatures))
    offsets = gram.offsets(start)[:, 0] * shrink
    assert told.epochs == 10**9
    assert told.loss[-1] == pytest.approx(gram.least + (gram.curvatures * offsets**2).sum() / 2, rel=1e-9)
    assert len(told) <= 1_000_002


def test_divergence_ends_at_the_epoch_at_which_the_loop_overflows():
    rows = problem(3)
    gram = GramObjective.of(rows)
    optimizer = SGD(5 * largest_stable_rate(gram.curvature_limit()))
    told = fast_forward(gram, np.ones(3), optimizer, 5000)
    looped = iterate(rows, np.ones(3), optimizer, CONSTANT, 5000)
    assert told.stop == looped.stop == "diverged"
    assert abs(told.epochs - looped.epochs) <= 1  # the loop sums before it divides, and so overflows a little sooner
    assert told.loss[-1] == np.inf
    assert np.isfinite(told.weights).all()
    assert np.isfinite(looped.weights).all()


def test_a_start_at_the_minimum_stays_there_at_any_rate():
    gram = GramObjective.of(problem(4))
    told = fast_forward(gram, gram.minimum.ravel(), SGD(1e6), 10)
    np.testing.assert_allclose(told.loss, gram.least)


def test_tolerance_stops_at_the_first_epoch_that_reaches_it():
    rows = problem(6)
    gram = GramObjective.of(rows)
    optimizer = SGD(best_rate(gram.curvatures))
    told = fast_forward(gram, np.zeros(3), optimizer, 1000, tolerance=1e-6)
    looped = iterate(rows, np.zeros(3), optimizer, CONSTANT, 1000, tolerance=1e-6)
    assert told.stop == looped.stop == "converged"
    assert told.epochs == looped.epochs
    assert told.gradient_norm[-1] <= 1e-6 * told.gradient_norm[0] < told.gradient_norm[-2]
    np.testing.assert_allclose(told.weights, looped.weights, rtol=1e-9)


def test_the_limit_is_least_squares_and_its_history_arrives_there():
    rows = problem(7, outputs=2)
    gram = GramObjective.of(rows)
    found = quadratic_minimum(gram, np.zeros(6))
    expected = np.linalg.lstsq(rows.X, rows.Y, rcond=None)[0]
    np.testing.assert_allclose(found.weights.reshape(3, 2), expected, rtol=1e-11)
    assert (found.gap, found.stop) == (0.0, "optimum")
    assert found.loss[-1] == pytest.approx(gram.least, rel=1e-10)


def test_with_collinear_columns_the_limit_is_the_minimum_nearest_to_the_start():
    rows = problem(8)
    X = np.column_stack([rows.X, rows.X[:, 1]])
    doubled = RowsObjective(DesignRows(X, rows.Y), SquaredError(), 1, L2(0.0, np.arange(4) > 0))
    expected = np.linalg.lstsq(X, rows.Y, rcond=None)[0]
    found = quadratic_minimum(GramObjective.of(doubled), np.zeros(4))
    np.testing.assert_allclose(found.weights, expected[:, 0], rtol=1e-9)
    start = np.array([0, 3.0, 0, -3.0])
    looped = iterate(doubled, start, SGD(0.05), CONSTANT, 20_000)
    np.testing.assert_allclose(quadratic_minimum(GramObjective.of(doubled), start).weights, looped.weights, rtol=1e-6)


def test_lbfgs_reaches_statsmodels_logit_and_mnlogit():
    import statsmodels.api as sm

    random = np.random.default_rng(0)
    X = np.column_stack([np.ones(200), random.normal(size=(200, 3))])
    bits = (random.uniform(size=200) < 1 / (1 + np.exp(-X @ [0.2, 1, -1, 0.5]))).astype(float)
    everywhere = np.ones(4, dtype=bool)
    ours = lbfgs(RowsObjective(DesignRows(X, bits[:, None]), BinaryCrossEntropy(), 1, L2(0.0, everywhere)), np.zeros(4))
    theirs = sm.Logit(bits, X).fit(disp=0, tol=1e-12)
    np.testing.assert_allclose(ours.weights, theirs.params, rtol=1e-6)
    codes = np.argmax(X @ random.normal(size=(4, 3)) + random.gumbel(size=(200, 3)), axis=1)
    ours = lbfgs(
        RowsObjective(DesignRows(X, codes[:, None].astype(float)), CrossEntropy(), 3, L2(0.0, everywhere)), np.zeros(12)
    )
    theirs = sm.MNLogit(codes, X).fit(disp=0, method="newton", tol=1e-12)
    W = ours.weights.reshape(4, 3)
    np.testing.assert_allclose(W[:, 1:] - W[:, :1], np.asarray(theirs.params), rtol=1e-5, atol=1e-7)
    assert ours.final_gradient_norm < 1e-8


@pytest.mark.parametrize("relative", [False, True])
def test_absolute_errors_come_to_those_of_the_linear_programme(relative):
    from scipy.optimize import linprog

    random = np.random.default_rng(1)
    X = np.column_stack([np.ones(60), random.normal(size=(60, 2))])
    y = 20 + X @ [1, 2, -1] + random.standard_t(2, 60)
    share = 1 / y if relative else np.ones(60)
    cost = np.concatenate([np.zeros(3), share, share]) / 60
    equal = np.hstack([X, np.eye(60), -np.eye(60)])
    least = linprog(cost, A_eq=equal, b_eq=y, bounds=[(None, None)] * 3 + [(0, None)] * 120).fun
    loss = AbsoluteError("mape" if relative else "mae", relative)
    ours = lbfgs(RowsObjective(DesignRows(X, y[:, None]), loss, 1, L2(0.0, np.ones(3, dtype=bool))), np.zeros(3))
    assert ours.stop == "optimum"
    assert least * (1 - 1e-12) <= ours.final_loss <= least * (1 + 1e-9)


@pytest.mark.parametrize("loss", [Huber(0.7), SquaredLogError(), SquaredError()])
def test_the_solvers_leave_nothing_for_another_solver(loss):
    from scipy.optimize import minimize

    random = np.random.default_rng(2)
    X = np.column_stack([np.ones(80), random.uniform(0, 1, (80, 2))])
    y = np.exp(X @ [1, 1, 0.5]) * random.lognormal(0, 0.2, 80)
    objective = RowsObjective(DesignRows(X, y[:, None]), loss, 1, L2(0.01, np.array([False, True, True])))
    ours = lbfgs(objective, np.zeros(3))
    other = minimize(objective.value, ours.weights, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14})
    assert ours.final_loss <= other.fun * (1 + 1e-9)
    assert ours.loss[0] == objective.value(np.zeros(3))


def test_minibatches_equal_a_pytorch_loop_over_the_same_order():
    rows = problem(9, rows=23)
    ours = iterate(rows, np.zeros(3), SGD(0.02, 0.9), CONSTANT, 4, batch_size=5, seed=42)
    random = np.random.default_rng(42)
    w = torch.nn.Parameter(torch.zeros(3, 1, dtype=torch.float64))
    optimizer = torch.optim.SGD([w], lr=0.02, momentum=0.9)
    for _ in range(4):
        order = random.permutation(23)
        for start in range(0, 23, 5):
            chosen = order[start : start + 5]
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(torch.tensor(rows.X[chosen]) @ w, torch.tensor(rows.Y[chosen])).backward()
            optimizer.step()
    np.testing.assert_allclose(ours.weights, w.detach().numpy()[:, 0], rtol=1e-12)
    assert ours.batch_size == 5


def test_the_same_seed_gives_the_same_run_and_another_does_not():
    rows = problem(10)
    first, again, other = (
        iterate(rows, np.zeros(3), SGD(0.01), CONSTANT, 5, batch_size=7, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.loss, again.loss)
    assert (first.loss[1:] != other.loss[1:]).any()


def test_early_stopping_goes_back_to_the_best_epoch():
    train, held = problem(11, rows=12, columns=10), problem(12, rows=30, columns=10)
    run = iterate(train, np.zeros(10), Adam(0.05), CONSTANT, 3000, validation=held, patience=20)
    assert run.stop == "early"
    best = int(run.validation_loss.argmin())
    assert run.epochs == best + 20
    assert held.value(run.weights) == run.validation_loss[best]
    assert run.final_loss == run.loss[best]


def test_an_interrupt_keeps_what_was_reached():
    rows = problem(13)

    def stop_at_ten(epoch, loss):
        if epoch == 10:
            raise KeyboardInterrupt

    run = iterate(rows, np.zeros(3), Adam(0.1), CONSTANT, 1000, run=RunOptions(on_epoch=stop_at_ten))
    assert (run.stop, run.epochs) == ("interrupted", 10)
    assert rows.value(run.weights) == run.loss[-1] < run.loss[0]
    stop_at_three = RunOptions(on_epoch=lambda done, loss: stop_at_ten(10 if done == 3 else 0, loss))
    newton = lbfgs(rows, np.zeros(3), run=stop_at_three)
    assert newton.stop == "interrupted"
    assert newton.final_loss < newton.loss[0]


def test_float32_overflows_as_float32_does():
    rows = problem(14)
    X, Y = rows.X.astype(np.float32), rows.Y.astype(np.float32)
    low = RowsObjective(DesignRows(X, Y), SquaredError(), 1, rows.penalty.scaled(0.0))
    lr = 3 * largest_stable_rate(rows.curvature_limit())
    run = iterate(low, np.ones(3, dtype=np.float32), SGD(lr), CONSTANT, 500)
    double = iterate(rows, np.ones(3), SGD(lr), CONSTANT, 500)
    first_over = int(np.argmax(double.loss > np.finfo(np.float32).max))
    assert run.stop == "diverged"
    assert abs(run.epochs - first_over) <= 1
    with torch.no_grad():
        w, tx, ty = torch.ones(3, 1), torch.tensor(X), torch.tensor(Y)
        for _ in range(run.epochs):
            w -= lr * 2 * tx.T @ (tx @ w - ty) / len(X)
        assert not torch.isfinite(torch.nn.functional.mse_loss(tx @ w, ty))


def test_a_schedule_changes_the_rate_by_epoch():
    rows = problem(15)
    halved = iterate(rows, np.zeros(3), SGD(0.1), StepSchedule(10, gamma=0.5, step_size=1), 3)
    w = np.zeros(3)
    for epoch in range(3):
        w = w - 0.1 * 0.5**epoch * rows.gradient(w)
    np.testing.assert_allclose(halved.weights, w, rtol=1e-13)


def test_progress_is_told_at_every_epoch_and_batch():
    rows = problem(16, rows=10)
    epochs, batches = [], []
    iterate(
        rows, np.zeros(3), SGD(0.01), CONSTANT, 3, batch_size=4,
        run=RunOptions(
            on_epoch=lambda epoch, loss: epochs.append((epoch, loss)),
            on_batch=lambda epoch, loss: batches.append(epoch),
        ),
    )  # fmt: skip
    assert [epoch for epoch, _ in epochs] == [0, 1, 2]
    assert epochs[0][1] == rows.value(np.zeros(3))
    assert batches == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@given(st.integers(0, 10**9))
def test_snapshots_are_few_and_hold_the_start_and_the_end(epochs):
    kept = snapshot_epochs(epochs)
    assert kept[0] == 0
    assert kept[-1] == epochs
    assert kept.size <= SNAPSHOTS
    assert (np.diff(kept) > 0).all()


def test_many_parameters_are_kept_less_often():
    assert snapshot_epochs(1000, 10_000).size <= 50
    random = np.random.default_rng(0)
    X = np.column_stack([np.ones(300), random.normal(size=(300, 60))])
    codes = random.integers(0, 200, (300, 1)).astype(float)
    objective = RowsObjective(DesignRows(X, codes), CrossEntropy(), 200, L2(1e-3, np.ones(61, dtype=bool)))
    run = lbfgs(objective, np.zeros(61 * 200), tolerance=0.0, iterations=100)
    assert len(run) > 30
    assert len(run.snapshots) <= 41
    assert run.final_loss == pytest.approx(min(run.loss), rel=1e-12)  # within rounding the smaller gradient decides
    assert objective.value(run.weights) == pytest.approx(run.final_loss, rel=1e-12)  # of another order of adding up
    assert run.snapshot_epoch[0] == 0


def test_a_history_becomes_a_frame_and_knows_its_epochs():
    run = iterate(problem(17), np.zeros(3), SGD(0.01), CONSTANT, 5)
    frame = run.frame()
    assert frame.columns == ["epoch", "loss", "gradient_norm"]
    assert frame.height == len(run) == 6
    assert run.at(3) == frame["loss"][3]
    with pytest.raises(KeyError):
        run.at(7)


def logistic(rows, columns, seed=0, order=None):
    random = np.random.default_rng(seed)
    X = np.column_stack([np.ones(rows), random.normal(size=(rows, columns - 1))])
    Y = (random.uniform(size=rows) < 1 / (1 + np.exp(-X @ random.normal(size=columns) / 2))).astype(float)[:, None]
    if order is not None:
        place = order(X, Y)
        X, Y = X[place], Y[place]
    return RowsObjective(DesignRows(X, Y), BinaryCrossEntropy(), 1, L2(0.0, np.arange(columns) > 0))


def newton_by_hand(objective):
    w = np.zeros(objective.X.shape[1])
    for _ in range(30):
        w = w - np.linalg.solve(objective.hessian(w), objective.gradient(w))
    return w


ORDERS = {
    "as drawn": None,
    "sorted by class": lambda X, Y: np.argsort(Y[:, 0], kind="stable"),
    "sorted by a column": lambda X, Y: np.argsort(X[:, 1]),
    "classes in turn, period 4": lambda X, Y: np.argsort(
        np.argsort(np.argsort(Y[:, 0], kind="stable")) % (len(Y) // 4), kind="stable"
    ),
}


@pytest.mark.parametrize("order", ORDERS)
def test_growing_samples_end_at_the_same_minimum_however_the_rows_are_sorted(order):
    objective = logistic(120_000, 20, order=ORDERS[order])
    run = lbfgs(objective, np.zeros(20))
    np.testing.assert_allclose(run.weights, newton_by_hand(objective), rtol=1e-9)
    assert run.stop == "optimum"
    assert run.loss[1] - run.final_loss < 0.01 * (run.loss[0] - run.final_loss), "most of the way is made on samples"


def test_columns_of_any_scale_cost_lbfgs_no_more_steps():
    objective = logistic(2_000, 8)
    scales = 10.0 ** np.array([0, -6, 6, 3, -3, 0, 5, -5])
    uneven = RowsObjective(
        DesignRows(objective.X * scales, objective.Y), objective.loss, 1, objective.penalty.scaled(0.0)
    )
    even_run, uneven_run = lbfgs(objective, np.zeros(8)), lbfgs(uneven, np.zeros(8))
    np.testing.assert_allclose(uneven_run.weights * scales, even_run.weights, rtol=1e-8)
    assert len(uneven_run) <= len(even_run) + 2


def test_lbfgs_stops_at_the_tolerance_it_is_given():
    objective = logistic(5_000, 6)
    least = lbfgs(objective, np.zeros(6)).final_loss
    for tolerance in (1e-3, 1e-6, 1e-9):
        run = lbfgs(objective, np.zeros(6), tolerance=tolerance)
        assert run.final_loss - least < 2 * tolerance
    assert len(lbfgs(objective, np.zeros(6), tolerance=1e-3)) < len(lbfgs(objective, np.zeros(6)))


def test_lbfgs_arrives_from_a_start_far_away():
    objective = logistic(400, 4)
    run = lbfgs(objective, np.full(4, 40.0))
    np.testing.assert_allclose(run.weights, newton_by_hand(objective), rtol=1e-9)


@pytest.mark.parametrize("rows", [1, 999, 40_001])
def test_sums_over_blocks_are_those_of_all_rows(rows):
    random = np.random.default_rng(3)
    X, Y = random.normal(size=(rows, 30)), random.normal(size=(rows, 2))
    objective = RowsObjective(DesignRows(X, Y), SquaredError(), 2, L2(0.1, np.arange(30) > 0))
    gram, cross, squares = objective.moments()
    np.testing.assert_allclose(gram, X.T @ X, rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(cross, X.T @ Y, rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(squares[0], np.square(Y).sum(axis=0), rtol=1e-12)
    W = random.normal(size=(30, 2))
    np.testing.assert_allclose(objective.predictor(W.ravel()), X @ W, rtol=1e-10)
    penalty = 0.1 * np.square(W[1:]).sum()
    np.testing.assert_allclose(objective.value(W.ravel()), np.square(X @ W - Y).mean() + penalty, rtol=1e-12)
    assert objective.longest_row() == pytest.approx(np.linalg.norm(X, axis=1).max(), rel=1e-12)
    if rows > 30:
        R = objective.triangle(np.ones(30))
        np.testing.assert_allclose(R.T @ R, X.T @ X, rtol=1e-9, atol=1e-8)


def test_a_sum_over_blocks_is_the_same_to_the_bit_each_time():
    objective = logistic(150_000, 15)
    w = np.linspace(-1, 1, 15)
    first = objective.value_and_gradient(w)
    for _ in range(3):
        again = objective.value_and_gradient(w)
        assert again[0] == first[0]
        np.testing.assert_array_equal(again[1], first[1])


def test_a_sample_takes_one_row_of_each_few_neighbours():
    objective = logistic(10_000, 3)
    marked = RowsObjective(
        DesignRows(np.arange(10_000.0)[:, None], objective.Y), objective.loss, 1, L2(0.0, np.ones(1, dtype=bool))
    )
    sample = marked.sampled(4, seed=1)
    assert sample.rows == 2_500
    np.testing.assert_array_equal(sample.X[:, 0] // 4, np.arange(2_500))
    assert np.unique(sample.X[:, 0] % 4, return_counts=True)[1].min() > 500


def a_logistic(rows, seed=0, scale=1.0):
    random = np.random.default_rng(seed)
    X = np.column_stack([np.ones(rows), scale * random.normal(size=(rows, 4))])
    Y = (random.random((rows, 1)) < 1 / (1 + np.exp(-X @ np.array([[0.3], [1.0], [-1.0], [0.5], [0.0]])))).astype(float)
    return RowsObjective(DesignRows(X, Y), BinaryCrossEntropy(), 1, L2(0.01, np.array([0.0, 1, 1, 1, 1])))


@pytest.mark.parametrize("seed", range(5))
def test_a_step_that_a_few_rows_lead_ends_nearer_to_the_optimum_than_newtons(seed):
    rows = a_logistic(40_000, seed)
    few = replace(rows, data=rows.data.part(slice(4000)))
    best, start = (lbfgs(one, np.zeros(5)).weights for one in (rows, few))
    g = rows.gradient(start)
    step = -np.linalg.solve(rows.hessian(start), g)
    better = surrogate_step(rows, few, start, g, step)
    assert g @ better < 0
    far = [np.linalg.norm(start + one - best) for one in (step, better)]
    assert far[1] < far[0] / 3


@pytest.mark.parametrize("scale", [0.0, 1e-3, 30.0])
def test_a_few_rows_unlike_the_others_lead_nobody_astray(scale):
    rows, few = a_logistic(20_000), a_logistic(500, 9, scale)
    start = np.array([2.0, -1.0, 1.0, 3.0, 1.0])
    g = rows.gradient(start)
    step = -np.linalg.solve(rows.hessian(start), g)
    assert 2 * (g @ step) <= g @ surrogate_step(rows, few, start, g, step) < 0


def test_where_rounding_hides_which_of_two_steps_is_lower_the_record_keeps_the_one_with_the_smaller_slope():
    recorder = StepRecorder()
    recorder.step(np.array([1.0]), 1.0, np.array([1e-3]))
    recorder.step(np.array([2.0]), 1.0 + 1e-10, np.array([1e-9]), shown=False)
    recorder.step(np.array([3.0]), 1.0 + 1e-9, np.array([1e-12]))
    assert recorder.end() == (2.0, 1.0 + 1e-10, 1e-9)
