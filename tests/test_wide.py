"""More columns than rows: the answers of independent references, from work that grows with the rows."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_softmax

import descend
from descend.cli import main
from descend.model.inputs import gather_inputs
from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import BinaryCrossEntropy, CrossEntropy, SquaredError
from descend.objectives.penalties import L2
from descend.objectives.quadratic import GramObjective
from descend.objectives.rows import DesignRows
from descend.solvers._epochs import iterate
from descend.solvers.closed_form import fast_forward
from descend.solvers.optimizers import SGD
from descend.solvers.schedules import ConstantSchedule


def wide(rows, columns, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(rows, columns)) * random.uniform(0.5, 3, columns) + random.normal(size=columns)
    return X, X[:, :3].sum(axis=1) + random.normal(size=rows)


def table_of(X, y):
    return {**{f"x{index}": column for index, column in enumerate(X.T)}, "y": y}


def by_lstsq(X, y, new):
    """Return predictions of the fit of least length of standardised columns, and its weights."""
    means, scales = X.mean(axis=0), X.std(axis=0)
    scales = np.where(scales > 0, scales, 1.0)
    design = np.column_stack([np.ones(len(X)), (X - means) / scales])
    weights = np.linalg.lstsq(design, y, rcond=None)[0]
    return np.column_stack([np.ones(len(new)), (new - means) / scales]) @ weights, weights


def test_the_fit_and_each_row_left_out_are_those_of_least_length():
    X, y = wide(12, 60)
    model = descend.fit("y ~ .", table_of(X, y))
    expected, weights = by_lstsq(X, y, X)
    np.testing.assert_allclose(model.weights[:, 0], weights, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.predict(table_of(X, y)), expected, rtol=1e-9)
    left = [by_lstsq(np.delete(X, row, 0), np.delete(y, row), X[[row]])[0][0] for row in range(12)]
    rmse = np.sqrt(np.mean((np.array(left) - y) ** 2))
    assert model.verification.method == "loo"
    assert model.verification.scores[0]["hypothesis"]["rmse"] == pytest.approx(rmse, rel=1e-9)


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("mean", [True, False])
def test_the_quadratic_is_that_of_the_rows_everywhere_and_so_is_a_run(l2, mean):
    random = np.random.default_rng(1)
    X, Y = random.normal(size=(9, 31)), random.normal(size=(9, 2))
    X[:, 0] = 1.0
    penalised = np.arange(31.0) > 0
    rows = RowsObjective(DesignRows(X, Y), SquaredError("mse" if mean else "sse", mean=mean), 2, L2(l2, penalised))
    start, other = random.normal(size=(2, 62))
    gram = GramObjective.of(rows, start)
    assert gram.directions.shape[1] < 31
    assert gram.undetermined == (0 if l2 else 31 - 9)
    for w in (start, other):
        assert gram.value(w) == pytest.approx(rows.value(w), rel=1e-10)
        np.testing.assert_allclose(gram.gradient(w), rows.gradient(w), rtol=1e-8, atol=1e-9)
    hessian = rows.hessian(start)
    rate = 1 / np.linalg.eigvalsh(hessian)[-1]
    assert gram.curvature_limit() == pytest.approx(1 / rate, rel=1e-10)
    goal = start - np.linalg.pinv(hessian, rcond=1e-10) @ rows.gradient(start)
    np.testing.assert_allclose(gram.minimum_near(start), goal, atol=1e-9)
    optimizer = SGD(rate, 0.5)
    looped = iterate(rows, start, optimizer, ConstantSchedule(), 40)
    told = fast_forward(gram, start, optimizer, 40)
    np.testing.assert_allclose(told.weights, looped.weights, atol=1e-9)
    np.testing.assert_allclose(told.loss, looped.loss, rtol=1e-9)


@pytest.mark.parametrize("l2", [0.01, 1.0])
def test_ridge_is_that_of_its_normal_equations(l2):
    X, y = wide(15, 80, 2)
    model = descend.fit("y ~ .", table_of(X, y), test="none", l2=l2)
    design = np.column_stack([np.ones(15), (X - X.mean(axis=0)) / X.std(axis=0)])
    ridge = np.diag(np.r_[0.0, np.ones(80)]) * l2
    expected = np.linalg.solve(design.T @ design / 15 + ridge, design.T @ y / 15)
    np.testing.assert_allclose(model.weights[:, 0], expected, rtol=1e-9, atol=1e-12)
    assert model.certificate.kind == "exact"


@pytest.mark.parametrize("classes", [2, 3])
def test_penalised_classes_are_those_of_scipy(classes):
    X, score = wide(20, 40, 3)
    codes = np.digitize(score, np.quantile(score, np.arange(1, classes) / classes))
    model = descend.fit("y ~ .", table_of(X, [f"c{code}" for code in codes]), test="none", l2=0.05)
    design = np.column_stack([np.ones(20), (X - X.mean(axis=0)) / X.std(axis=0)])
    outputs = 1 if classes == 2 else classes

    def loss(w):
        W = w.reshape(-1, outputs)
        Z = design @ W
        if outputs == 1:
            likelihood, slope = -np.log(expit(np.where(codes == 1, 1, -1) * Z[:, 0])).mean(), expit(Z) - codes[:, None]
        else:
            likelihood = -log_softmax(Z, axis=1)[np.arange(20), codes].mean()
            slope = np.exp(log_softmax(Z, axis=1)) - np.eye(classes)[codes]
        gradient = design.T @ slope / 20
        gradient[1:] += 2 * 0.05 * W[1:]
        return likelihood + 0.05 * np.square(W[1:]).sum(), gradient.ravel()

    found = minimize(loss, np.zeros(41 * outputs), jac=True, method="L-BFGS-B", options={"ftol": 1e-16, "gtol": 1e-11})
    assert model.history.final_loss == pytest.approx(found.fun, rel=1e-9)
    np.testing.assert_allclose(model.weights[1:], found.x.reshape(-1, outputs)[1:], atol=1e-6)


def test_a_fit_in_the_rows_space_keeps_what_the_start_has_beside_it():
    X, score = wide(10, 25, 4)
    table = table_of(X, score)
    started = descend.fit("y ~ .", table, test="none", loss="huber", init={"x3": 2.0, "x7": -1.0})
    design = started.design.matrix(gather_inputs(started, table))
    begun = np.zeros(26)
    begun[[4, 8]] = 2.0, -1.0
    moved = started.weights[:, 0] - begun
    across = moved - np.linalg.pinv(design) @ (design @ moved)
    assert np.abs(across).max() < 1e-8


@pytest.mark.slow
def test_thousands_of_columns_are_fitted_tested_told_kept_and_used(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    X, y = wide(30, 3000, 5)
    X, y = X.round(4), y.round(4)
    pl.DataFrame(table_of(X, y)).write_csv(tmp_path / "wide.csv")
    path = tmp_path / "m.safetensors"
    assert main(["fit", str(tmp_path / "wide.csv"), "y ~ .", "--lang", "en", "--out", str(path)]) == 0
    told = capsys.readouterr().out
    assert "2987 more" in told.replace(",", "")
    assert len(told.splitlines()) < 60
    assert main(["show", str(path), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["coefficients"]) == 3001
    predicted = descend.load(path).predict(tmp_path / "wide.csv")
    np.testing.assert_allclose(predicted, by_lstsq(X, y, X)[0], rtol=1e-8)


@pytest.mark.slow
def test_columns_of_a_wide_file_are_read_as_one_after_the_other_would_be(tmp_path, monkeypatch):
    cells = [["1", " 2.5 ", "-3e2"], ["1.125", "2.250", "3.375"], ["NA", "4", ""], ["yes", "no", "yes"]]
    cells += [["$1", "$2", "$3"], ["1", "x", "3"], ["01", "2", "3"], ["inf", "1", "2"], ["true", "false", "true"]]
    columns = {f"c{index}": cells[index % len(cells)] for index in range(30 * len(cells))}
    pl.DataFrame(columns).write_csv(tmp_path / "t.csv")

    def looked_at():
        table = descend.read(tmp_path / "t.csv")
        kinds = {name: table.kind(name) for name in table.columns}
        return kinds, {name: table.parsed(name) for name in table.columns}

    together = looked_at()
    monkeypatch.setattr("descend.tables.table.WIDE", 10_000)
    kinds, numbers = looked_at()
    assert together[0] == kinds
    for name, (values, bad) in numbers.items():
        np.testing.assert_array_equal(together[1][name][0], values)
        np.testing.assert_array_equal(together[1][name][1], bad)


@pytest.mark.parametrize("loss", [BinaryCrossEntropy(), CrossEntropy()])
def test_the_root_of_the_information_gives_the_hessian(loss):
    random = np.random.default_rng(6)
    outputs = 1 if loss.name.startswith("binary") else 3
    X, W = random.normal(size=(40, 4)), random.normal(size=(4, outputs))
    Y = random.integers(0, 2 if outputs == 1 else 3, (40, 1)).astype(float)
    rows = RowsObjective(DesignRows(X, Y), loss, outputs, L2(0.0, np.ones(4)))
    others = np.arange(4 * outputs).reshape(4, outputs)[:, 1 if outputs > 1 else 0 :].ravel()
    expected = rows.hessian(W.ravel())[np.ix_(others, others)] / rows.share
    R = rows.information_triangle(W.ravel(), np.ones(others.size))
    np.testing.assert_allclose(R.T @ R, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
def test_twenty_thousand_columns_of_a_file_are_fitted_and_tested_as_least_length_has_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    X, y = wide(30, 20_000, 7)
    X, y = X.round(4), y.round(4)
    pl.DataFrame(table_of(X, y)).write_csv(tmp_path / "wide.csv")
    assert main(["fit", str(tmp_path / "wide.csv"), "y ~ .", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    left = [by_lstsq(np.delete(X, row, 0), np.delete(y, row), X[[row]])[0][0] for row in range(30)]
    rmse = np.sqrt(np.mean((np.array(left) - y) ** 2))
    assert told["verification"]["method"] == "loo"
    assert told["verification"]["scores"][0]["hypothesis"]["rmse"] == pytest.approx(rmse, rel=1e-8)
