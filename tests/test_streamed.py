"""Tables read part by part: the same numbers as in memory, little memory, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from itertools import pairwise
from operator import methodcaller
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import called
from hypothesis import given, settings
from hypothesis import strategies as st

import descend
from descend.analysis.verification import split_rows
from descend.base.errors import DescendError, DesignError, InterruptedFitError, OptionError, TableError
from descend.base.memory import size_of
from descend.base.reductions import total_of
from descend.design.encodings.poly import PolyCode
from descend.fitting._encoding import Encoding
from descend.fitting._statement_scan import survey_statement
from descend.fitting.problem import Problem
from descend.fitting.survey import survey
from descend.fitting.survey.survey import survey_part
from descend.formula.ast import Poly
from descend.formula.parser import parse
from descend.objectives import quadratic
from descend.objectives.families import FAMILIES
from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import Huber, make_loss
from descend.objectives.partitioned import PartsObjective
from descend.objectives.penalties import L2
from descend.objectives.rereading import Around, AroundAt, HeldBlock, RereadObjective
from descend.objectives.rows import DesignRows
from descend.objectives.spilled import Spill, SpilledObjective
from descend.objectives.sufficient_statistics import Sums
from descend.tables import row_sampling
from descend.tables.executors import Reading, Rereading, Threads
from descend.tables.find_files import open_scan
from descend.tables.open import open_rows
from descend.tables.row_sampling import KEYS, Draw, row_keys
from descend.tables.scans.parquet import ParquetScan
from descend.tables.table import Table

ROWS = 6_000


pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.fixture(scope="module")
def columns():
    random = np.random.default_rng(11)
    a, b, m = random.normal(1000, 3, ROWS), random.exponential(2, ROWS), random.normal(size=ROWS)
    g = random.choice(["u", "v", "w"], ROWS, p=[0.5, 0.3, 0.2]).astype(object)
    g[-400:] = "late"  # a level that the first parts do not have
    y = 3 + 2 * a - b + 1.5 * (g == "v") + random.normal(size=ROWS)
    won = random.random(ROWS) < 1 / (1 + np.exp(-(m + 0.3 * b - 1)))
    kind = random.choice(["p", "q", "r"], ROWS)
    return {"a": a, "b": b, "m": m, "g": g, "y": y, "won": won.astype(int), "kind": kind, "z": y + b * b}


@pytest.fixture(scope="module")
def file(columns, tmp_path_factory):
    path = tmp_path_factory.mktemp("scan") / "rows.parquet"
    pl.DataFrame(columns).write_parquet(path, row_group_size=700)
    return str(path)


def scan_of(path):
    return open_scan(path, missing=("", "NA"))


FORMULAS = [
    ("y ~ a + b + g", {}),
    ("y ~ a * g + poly(b, 3)", {}),
    ("y ~ a + g:poly(m, 2) + poly(b, 2, raw=True)", {}),
    ("y ~ 0 + a + b", {}),
    ("log(y) + z ~ b + g + I(b * m)", {}),
    ("y ~ a + m", {"l2": 0.3}),
    ("y ~ a + m", {"lr": 0.05, "epochs": 40, "momentum": 0.5}),
    ("y ~ a + m", {"standardize": False, "loss": "sse", "lr": 1e-12, "epochs": 5}),
    ("y ~ a + g", {"optimizer": "adam", "lr": 0.1, "epochs": 30}),
    ("won ~ m + b + g", {}),
    ("won ~ m", {"lr": 0.5, "epochs": 20, "ddof": 1}),
    ("kind ~ m + b", {"l2": 0.01}),
    ("m ~ b + g", {"loss": "huber", "delta": 1.0}),
    ("m ~ b", {"loss": "mae"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("formula", "settings"), FORMULAS, ids=[f"{f} {s}" for f, s in FORMULAS])
def test_a_table_read_part_by_part_gives_what_the_table_in_memory_gives(formula, settings, file, columns):
    whole = descend.fit(formula, columns, **settings)
    parts = descend.fit(formula, scan_of(file), **settings)
    near = 1e-6 if settings.get("loss") == "mae" else 1e-9  # its corners are rounded, and its minimum nearly flat
    np.testing.assert_allclose(parts.raw, whole.raw, rtol=near, atol=near * np.abs(whole.raw).max())
    assert parts.history.final_loss == pytest.approx(whole.history.final_loss, rel=near * near + 1e-11)
    assert parts.fitted_rows == whole.fitted_rows
    assert parts.verification.rows == whole.verification.rows
    for mine, theirs in zip(parts.verification.scores, whole.verification.scores, strict=True):
        assert mine["hypothesis"] == pytest.approx(theirs["hypothesis"], rel=10 * near)
        assert mine["baseline"] == pytest.approx(theirs["baseline"], rel=1e-8, abs=1e-12)
    np.testing.assert_allclose(parts.base, whole.base, rtol=1e-12)
    assert (parts.table_rows, parts.table_name) == (ROWS, "rows.parquet")
    if hasattr(whole.inference, "errors"):
        np.testing.assert_allclose(parts.inference.errors, whole.inference.errors, rtol=1e-7)


def test_its_model_is_kept_loaded_and_predicts_as_any_other(file, columns, tmp_path):
    model = descend.fit("y ~ a + g", scan_of(file))
    model.save(tmp_path / "m.safetensors")
    again = descend.load(tmp_path / "m.safetensors")
    assert again.equation == model.equation
    np.testing.assert_array_equal(again.predict(columns), model.predict(columns))
    assert len(again.sample.frame) == 2000
    assert 0 < again.sample.tested.sum() < 2000


def test_squared_error_reads_the_rows_once_whatever_the_epochs(file, monkeypatch):
    monkeypatch.setattr(quadratic, "SMALL", 0)  # of a small table the last digits are won back from the rows
    read = []
    descend.fit(
        "y ~ a + b", scan_of(file), lr=0.1, epochs=10**9, on_read=lambda what, rows, size: read.append((what, rows))
    )
    assert {what for what, _ in read} == {"surveying"}
    assert read[-1] == ("surveying", ROWS)
    assert [rows for _, rows in read] == sorted(rows for _, rows in read)


def test_a_logistic_fit_reads_a_file_a_few_times_and_writes_nothing(columns, tmp_path):
    path, scratch, read = tmp_path / "rows.parquet", tmp_path / "scratch", []
    scratch.mkdir()
    pl.DataFrame(columns).write_parquet(path, row_group_size=700)
    seen = []

    def tell(what, rows, size):
        read.append((what, rows))
        seen.extend(scratch.iterdir())

    model = descend.fit("won ~ m + b + g", scan_of(str(path)), scratch=str(scratch), on_read=tell)
    readings = [what for what, rows in read if rows == ROWS]
    assert readings[:2] == ["preparing", "surveying"]  # the classes alone, and all columns
    assert readings[2:] == ["rereading"] * (len(model.history.loss) - 1)
    assert len(readings) <= 6
    assert not seen
    assert model.certificate.gap < 1e-15


def test_a_part_of_which_every_row_is_left_out_adds_nothing(columns, tmp_path):
    frame = pl.DataFrame(columns).with_row_index()
    gone = pl.col("index").is_between(700, 2099)
    frame = frame.with_columns(m=pl.when(~gone).then("m"))
    frame.write_parquet(tmp_path / "rows.parquet", row_group_size=700)
    parts = descend.fit("won ~ m + b", scan_of(str(tmp_path / "rows.parquet")), missing="drop")
    whole = descend.fit("won ~ m + b", frame, missing="drop")
    np.testing.assert_allclose(parts.raw, whole.raw, rtol=1e-12)
    assert parts.verification.scores[0]["hypothesis"] == pytest.approx(whole.verification.scores[0]["hypothesis"])


def test_rows_at_hand_that_mislead_cost_readings_and_no_digits(columns, tmp_path, monkeypatch):
    path = tmp_path / "rows.parquet"
    pl.DataFrame(columns).write_parquet(path, row_group_size=700)
    straight = descend.fit("won ~ m + b + g", scan_of(str(path)))
    over = Problem.over

    def misled(self, design, rows, recipe):
        few = over(self, design, rows, recipe)
        return replace(few, data=DesignRows(few.X, 1 - few.Y))

    monkeypatch.setattr(Problem, "over", misled)
    lost = descend.fit("won ~ m + b + g", scan_of(str(path)))
    np.testing.assert_allclose(lost.weights, straight.weights, rtol=1e-7)
    assert (np.diff(lost.history.loss) <= 1e-15).all()


@pytest.mark.parametrize("missing", ["drop", "mean"])
@pytest.mark.parametrize("formula", ["y ~ a + g + m", "won ~ m + log(b)", "y ~ poly(b, 2) + m"])
def test_missing_cells_are_treated_as_in_memory(formula, missing, columns, tmp_path):
    holes = (
        pl.DataFrame(columns)
        .with_row_index()
        .with_columns(
            m=pl.when(pl.col("index") % 50 != 3).then("m"),
            b=pl.when(pl.col("index") % 70 != 5).then(pl.col("b")).otherwise(float("nan")),
            a=pl.when(pl.col("index") < 900).then("a") if missing == "drop" else pl.col("a"),
        )
    )
    path = str(tmp_path / "holes.parquet")
    holes.write_parquet(path, row_group_size=1000)
    whole = descend.fit(formula, holes, missing=missing)
    parts = descend.fit(formula, scan_of(path), missing=missing)
    np.testing.assert_allclose(parts.raw, whole.raw, rtol=1e-8, atol=1e-9)
    assert parts.fitted_rows == whole.fitted_rows
    told = [(note.code, note.values.get("count")) for note in whole.notes if "count" in note.values]
    assert sorted(told, key=str) == sorted(
        ((note.code, note.values.get("count")) for note in parts.notes if "count" in note.values), key=str
    )
    with pytest.raises(TableError) as found:
        descend.fit(formula, scan_of(path))
    assert found.value.code == "table.missing"
    assert found.value.values["file"] == "holes.parquet"


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_bad_cell_in_a_row_that_is_held_back_is_found_too(bad, columns, tmp_path):
    held = int(np.flatnonzero(row_keys(0, ROWS, 0) < 0.2 * KEYS)[99])
    path = str(tmp_path / "bad.parquet")
    pl.DataFrame(columns).with_columns(
        m=pl.when(pl.int_range(pl.len()) == held).then(bad).otherwise("m")
    ).write_parquet(path)
    for formula in ("y ~ m", "won ~ m"):
        with pytest.raises(TableError) as found:
            descend.fit(formula, scan_of(path))
        assert found.value.line == held + 1


def test_a_category_with_a_level_a_row_is_refused_before_memory_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(survey, "MOST_NAMES", 600)
    path = str(tmp_path / "levels.parquet")
    pl.DataFrame({"x": [f"id{i}" for i in range(2000)], "y": np.arange(2000.0)}).write_parquet(path)
    with pytest.raises(DesignError) as found:
        descend.fit("y ~ x", scan_of(path))
    assert found.value.code == "design.too-many-columns"


def test_a_bad_row_is_named_by_its_number_in_the_file(columns, tmp_path):
    path = str(tmp_path / "bad.parquet")
    frame = pl.DataFrame(columns).with_columns(b=pl.when(pl.int_range(pl.len()) == 4321).then(-1.0).otherwise("b"))
    frame.write_parquet(path)
    with pytest.raises(DesignError) as found:
        descend.fit("y ~ log(b)", scan_of(path))
    assert found.value.code == "design.undefined"
    assert (found.value.line, found.value.values["file"]) == (4322, "bad.parquet")


@pytest.mark.slow
@settings(max_examples=25)
@given(cuts=st.lists(st.integers(1, ROWS - 1), max_size=6, unique=True), seed=st.integers(0, 9))
def test_a_survey_does_not_depend_on_how_the_rows_are_cut(cuts, seed, columns, file):
    streamed = survey_statement("y ~ a * g + I(b ** 2)", scan_of(file), descend_recipe(seed=seed), Reading(Threads()))
    whole = next(scan_of(file).parts(list(streamed.result.plan.wanted)))
    edges = [0, *sorted(cuts), ROWS]
    parts = [replace(whole, start=a, first=a, rows=b - a) for a, b in pairwise(edges)]
    surveys = [survey_part(streamed.result.plan, part) for part in parts]
    total = surveys[0]
    for more in surveys[1:]:
        total = total + more
    expected = streamed.result.survey
    assert set(total.names) == set(expected.names)
    assert (total.rows, total.fitted, total.levels) == (expected.rows, expected.fitted, expected.levels)
    names = list(expected.names)
    scale = np.sqrt(np.outer(np.diag(expected.sums(names)), np.diag(expected.sums(names))))
    assert (np.abs(total.sums(names) - expected.sums(names)) <= 1e-13 * np.maximum(scale, 1e-300)).all()
    for kept in ("tested", "shown"):
        mine, theirs = (np.concatenate([r.numbers for r in getattr(one, kept)] or [[]]) for one in (total, expected))
        np.testing.assert_array_equal(mine, theirs)


def descend_recipe(**settings):
    from descend.solvers.recipe import Recipe

    return Recipe(**settings)


def made_objective(family, loss, targets=1):
    random = np.random.default_rng(3)
    X = np.column_stack([np.ones(5000), random.normal(size=(5000, 3))])
    if family == "linear":
        Y = X @ random.normal(size=(4, targets)) + 50 + random.normal(size=(5000, targets))
    else:
        Y = random.integers(0, 2 if family == "logistic" else 3, (5000, 1)).astype(float)
    outputs = 3 if family == "softmax" else targets
    return RowsObjective(
        DesignRows(X, Y), make_loss(loss, FAMILIES[family], delta=1.0), outputs, L2(0.2, np.array([0.0, 1, 1, 1]))
    )


class Held:
    """Parts of an objective, as something that holds them elsewhere would."""

    def __init__(self, objective, edges):
        edges = [0, *edges, len(objective.X)]
        slices = [slice(a, b) for a, b in pairwise(edges)]
        self.parts = [
            replace(objective, data=objective.data.part(s), penalty=objective.penalty.scaled(0.0), part=True)
            for s in slices
        ]

    def ask(self, question):
        return (question(part) for part in self.parts)

    def total(self, question):
        return total_of(self.ask(question))

    def release(self):
        pass


class Reread(Held):
    """The same, looked at block by block, with rows between them that are held back."""

    def ask(self, question):
        if not isinstance(question, AroundAt):
            return super().ask(question)
        w = question.w
        return (Around.total(w, (Around.of(w, part.loss, one) for one in self.blocks(part))) for part in self.parts)

    def blocks(self, part):
        random = np.random.default_rng(2)
        for start in range(0, len(part.X), 300):
            X, Y = part.X[start : start + 300], part.Y[start : start + 300]
            places = np.sort(random.choice(len(X) + 40, len(X), replace=False))
            held = np.setdiff1d(np.arange(len(X) + 40), places)
            wide, tall = np.full((len(X) + 40, 4), 1e200), np.ones((len(X) + 40, 1))
            wide[places], tall[places] = X, Y
            yield HeldBlock(DesignRows(wide, tall), held)


ENGINES = [("linear", "mse", 2), ("linear", "sse", 1), ("linear", "huber", 1), ("linear", "mae", 1)]
ENGINES += [("logistic", "auto", 1), ("softmax", "auto", 1)]


OVER_PARTS = [(*one, engine) for one in ENGINES for engine in ("parts", "spilled", "known")]
OVER_PARTS += [(*one, "reread") for one in ENGINES if one[0] != "softmax" and one[2] == 1]


@pytest.mark.parametrize(("family", "loss", "targets", "engine"), OVER_PARTS)
def test_a_loss_over_parts_or_over_a_file_is_the_loss_over_the_rows(engine, family, loss, targets, tmp_path):
    rows = made_objective(family, loss, targets)
    parts = {"loss": rows.loss, "outputs": rows.outputs, "penalty": rows.penalty}
    if engine == "spilled":
        layers = np.random.default_rng(0).integers(0, 64, 5000)
        spill = Spill(str(tmp_path), np.bincount(layers, minlength=64), 4, targets, "float64")
        for start in range(0, 5000, 900):
            some = start + np.argsort(layers[start : start + 900], kind="stable")
            spill.write(rows.data.part(some), np.bincount(layers[some], minlength=64))
        other = SpilledObjective(spill.data, **parts, spill=spill)
        assert sorted(map(tuple, spill.X)) == sorted(map(tuple, rows.X))
    else:
        known = None
        if engine == "known" and family == "linear":
            centred = rows.Y - rows.Y.mean(axis=0)
            squares, ones = np.square(centred).sum(axis=0), rows.X.sum(axis=0)
            known = Sums(5000, rows.X.T @ rows.X, ones, rows.X.T @ centred, squares, rows.Y.mean(axis=0))
        held = (Reread if engine == "reread" else Held)(rows, [700, 701, 4000])
        over = RereadObjective if engine == "reread" else PartsObjective
        other = over(held, **parts, columns=4, targets=targets, rows=5000, sums=known)
    w = np.random.default_rng(1).normal(size=4 * rows.outputs)
    assert other.shape == rows.shape
    assert (other.rows, other.cells, other.elements, other.share) == (5000, 20000, rows.elements, rows.share)
    assert other.value(w) == pytest.approx(rows.value(w), rel=1e-12)
    value, gradient = other.value_and_gradient(w)
    assert value == pytest.approx(rows.value(w), rel=1e-12)
    np.testing.assert_allclose(gradient, rows.gradient(w), rtol=1e-10, atol=1e-12 * np.abs(gradient).max())
    np.testing.assert_allclose(other.hessian(w), rows.hessian(w), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(other.mean_hessian(w), rows.mean_hessian(w), rtol=1e-10, atol=1e-12)
    assert other.longest_row() == pytest.approx(rows.longest_row())
    limits = [(one.curvature_limit() or 0, one.batch_curvature_limit(10) or 0) for one in (other, rows)]
    assert limits[0] == pytest.approx(limits[1], rel=1e-12)
    for mine, theirs in zip(other.moments(), rows.moments(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-8)
    R, S = other.triangle(np.ones(4)), rows.triangle(np.ones(4))
    np.testing.assert_allclose(R.T @ R, S.T @ S, rtol=1e-10)
    if family == "linear":
        np.testing.assert_allclose(other.residual_squares(w), rows.residual_squares(w), rtol=1e-10)
    sample = other.sampled(10)
    assert sample.rows in range(490, 501)
    share = 1 if rows.loss.mean else 0.1
    assert sample.value(w) == pytest.approx(rows.value(w) * share, rel=0.2)
    assert (other.under(Huber(2.0)).loss, other.under(Huber(2.0)).penalty) == (Huber(2.0), rows.penalty)


def test_a_large_sample_is_taken_where_the_parts_are(monkeypatch):
    rows = made_objective("logistic", "auto")
    monkeypatch.setattr("descend.objectives.partitioned.GATHERED_BYTES", 100)
    parts = PartsObjective(Held(rows, [1000, 3000]), rows.loss, 1, rows.penalty, columns=4, targets=1, rows=5000)
    sample, w = parts.sampled(4, seed=2), np.array([0.1, 0.2, -0.3, 0.4])
    assert isinstance(sample, PartsObjective)
    own = [held.sampled(4, 2) for held in parts.holding.parts]
    X, Y = np.concatenate([one.X for one in own]), np.concatenate([one.Y for one in own])
    expected = replace(rows, data=DesignRows(X, Y))
    assert sample.value(w) == pytest.approx(expected.value(w))
    np.testing.assert_allclose(sample.gradient(w), expected.gradient(w))


def test_a_spilled_table_is_shuffled_so_that_every_row_is_in_one_batch_of_an_epoch(tmp_path):
    layers = np.zeros(64, dtype=int)
    layers[3], layers[9] = 4000, 1003
    spill = Spill(str(tmp_path), layers, 2, 1, "float32")
    numbers = np.arange(5003, dtype=float)
    spill.write(DesignRows(np.column_stack([np.ones(5003), numbers]), numbers[:, None]), layers)
    loss = make_loss("mse", FAMILIES["linear"])
    objective = SpilledObjective(spill.data, loss, 1, L2(0.0, np.zeros(2)), spill=spill)
    random = np.random.default_rng(5)
    order = objective.shuffled(random)
    seen = [batch.X[:, 1].copy() for batch in objective.batches(100, order)]
    assert [len(batch) for batch in seen] == [100] * 50 + [3]
    np.testing.assert_array_equal(np.sort(np.concatenate(seen)), numbers)
    assert np.abs(np.corrcoef(np.concatenate(seen), numbers)[0, 1]) < 0.05
    again = [batch.X[:, 1].copy() for batch in objective.batches(100, order, drop_last=True)]
    assert len(again) == 50
    np.testing.assert_array_equal(again[7], seen[7])
    other = [batch.X[:, 1].copy() for batch in objective.batches(100, objective.shuffled(random))]
    assert not np.array_equal(other[0], seen[0])


def test_batches_of_a_table_read_part_by_part_are_fitted_and_taken_up_again(file, tmp_path):
    settings = {"batch_size": 50, "lr": 0.05, "epochs": 6, "seed": 4, "batch_history": True}
    straight = descend.fit("won ~ m + b", scan_of(file), **settings)
    assert straight.history.batch_loss.size == 6 * -(-straight.fitted_rows // 50)
    assert straight.history.final_loss < 0.6 < straight.history.loss[0]
    kept = tmp_path / "run.safetensors"
    stopped = descend.fit("won ~ m + b", scan_of(file), checkpoint=kept, on_epoch=stopping_at(3), **settings)
    assert stopped.history.stop == "interrupted"
    read = []
    again = descend.fit(
        "won ~ m + b",
        scan_of(file),
        checkpoint=kept,
        resume=True,
        on_read=lambda what, *_: read.append(what),
        **settings,
    )
    np.testing.assert_array_equal(again.history.loss, straight.history.loss)
    np.testing.assert_array_equal(again.history.batch_loss, straight.history.batch_loss)
    np.testing.assert_array_equal(again.weights, straight.weights)
    assert "surveying" not in read


def stopping_at(epoch):
    def stop(now, loss):
        if now == epoch:
            raise KeyboardInterrupt

    return stop


def test_an_interrupted_survey_is_taken_up_where_it_was(file, tmp_path):
    kept, read = tmp_path / "run.safetensors", []

    def stop(what, rows, size):
        if rows >= 2800:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedFitError) as found:
        descend.fit("y ~ a * g", scan_of(file), checkpoint=kept, on_read=stop)
    assert found.value.code == "fit.interrupted-reading"
    assert found.value.values["rows"] == 2100
    assert [path.name for path in tmp_path.iterdir()] == ["run.survey.safetensors"]
    again = descend.fit(
        "y ~ a * g", scan_of(file), checkpoint=kept, resume=True, on_read=lambda what, rows, size: read.append(rows)
    )
    assert (read[0], read[-1]) == (2800, ROWS)  # after the parts whose survey had been added
    straight = descend.fit("y ~ a * g", scan_of(file))
    np.testing.assert_array_equal(again.weights, straight.weights)
    assert again.verification.as_dict() == straight.verification.as_dict()
    with pytest.raises(OptionError) as found:
        descend.fit("y ~ a", scan_of(file), checkpoint=kept, resume=True)
    assert found.value.code == "option.other-run"


def test_a_run_to_the_optimum_is_taken_up_where_it_was(file, tmp_path):
    kept = tmp_path / "run.safetensors"
    stopped = descend.fit("won ~ m + b + g", scan_of(file), checkpoint=kept, on_epoch=stopping_at(2))
    assert stopped.history.stop == "interrupted"
    again = descend.fit("won ~ m + b + g", scan_of(file), checkpoint=kept, resume=True)
    straight = descend.fit("won ~ m + b + g", scan_of(file))
    np.testing.assert_array_equal(again.history.loss[:2], straight.history.loss[:2])
    np.testing.assert_allclose(again.weights, straight.weights, rtol=1e-8)
    assert any(note.code == "note.resumed" for note in again.notes)


KILLED = """
import sys, descend
from descend.tables.scans import parquet
from descend.tables.find_files import open_scan
parquet.PART_CELLS, parquet.FEWEST = 1, 700
path, scratch = sys.argv[1:]
def tell(epoch, loss):
    print("fitting", flush=True)
descend.fit("won ~ m + b", open_scan(path), scratch=scratch, optimizer="adam", epochs=10**6, lr=1e-9, on_epoch=tell)
"""


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be unlinked there; the system removes it on closing")
def test_a_killed_fit_leaves_no_temporary_file(file, tmp_path):
    process = subprocess.Popen([sys.executable, "-c", KILLED, file, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "fitting\n"
        assert list(tmp_path.iterdir()) == []  # the file has no name while it is used
        if os.path.exists("/proc"):
            assert str(tmp_path) in Path(f"/proc/{process.pid}/maps").read_text()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_folder_without_room_or_that_is_none_is_told_before_anything_is_written(file, tmp_path, monkeypatch):
    with pytest.raises(OptionError) as found:
        descend.fit("kind ~ m", scan_of(file), scratch=str(tmp_path / "nowhere"))
    assert found.value.code == "option.scratch"
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(OptionError) as found:
        descend.fit("kind ~ m", scan_of(file), scratch=str(tmp_path))
    assert found.value.code == "option.scratch-full"
    assert "--scratch" in found.value.hint()
    assert "float32 takes half" in found.value.hint()


REFUSED = [
    ("y ~ a", {"test": "loo"}, "option.scan-test"),
    ("y ~ a", {"test": 5}, "option.scan-test"),
    ("y ~ a", {"patience": 3, "lr": 0.1}, "option.scan-patience"),
    ("y ~ a", {"hypothesis": "mlp(4)"}, "option.scan-network"),
    ("y ~ nothing", {}, "formula.unknown-column"),
]


@pytest.mark.parametrize(("formula", "settings", "code"), REFUSED)
def test_what_cannot_be_done_part_by_part_is_refused_before_the_rows_are_read(formula, settings, code, file):
    read = []
    with pytest.raises(DescendError) as found:
        descend.fit(formula, scan_of(file), on_read=lambda *told: read.append(told), **settings)
    assert found.value.code.startswith(code)
    assert not read


def test_a_target_that_stops_being_zero_and_one_is_told(tmp_path):
    path = str(tmp_path / "late.parquet")
    pl.DataFrame({"x": np.arange(30_000.0) % 7, "t": [0, 1] * 14_000 + [2] * 2000}).write_parquet(path)
    with pytest.raises(DesignError) as found:
        descend.fit("t ~ x", scan_of(path))
    assert found.value.code == "design.not-zero-one"
    assert found.value.values["found"] == "2"
    assert descend.fit("t ~ x", scan_of(path), family="linear").family == "linear"


def test_classes_that_only_later_rows_have_are_fitted(tmp_path):
    path = str(tmp_path / "late.parquet")
    x = np.random.default_rng(0).normal(size=30_000)
    pl.DataFrame({"x": x, "t": ["no", "yes"] * 14_000 + ["late"] * 2000}).write_parquet(path)
    model = descend.fit("t ~ x", scan_of(path))
    assert model.family == "softmax"
    assert model.target.levels == ("late", "no", "yes")


def test_a_file_that_was_damaged_removed_or_changed_since_it_was_opened_is_named(columns, tmp_path):
    path = str(tmp_path / "rows.parquet")
    pl.DataFrame(columns).write_parquet(path)
    scan = scan_of(path)
    pl.DataFrame(columns).head(5000).write_parquet(path)
    with pytest.raises(TableError) as found:
        descend.fit("y ~ a", scan)
    assert found.value.code == "table.part-changed"
    pl.DataFrame(columns).drop("a").write_parquet(path)
    with pytest.raises(TableError) as found:
        descend.fit("y ~ a", scan)
    assert found.value.code == "table.part-columns"
    os.remove(path)
    with pytest.raises(TableError) as found:
        descend.fit("y ~ a", scan)
    assert found.value.code == "table.part-missing"


def test_a_table_that_fits_in_memory_is_held_and_another_one_is_not(file):
    assert isinstance(open_rows(file), Table)
    assert isinstance(open_rows(file, memory="10MB"), Table)
    assert isinstance(open_rows(file, "y ~ a", memory="1MB"), Table)
    assert isinstance(open_rows(file, memory="1MB"), ParquetScan)


SIZES = [("500MB", 500_000_000), ("2GiB", 2**31), ("1.5 kb", 1500), ("7", 7), (64, 64), ("3T", 3 * 10**12)]


@pytest.mark.parametrize(("text", "size"), SIZES)
def test_a_size_is_read_as_people_write_it(text, size):
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1", "1e9", "0", "9" * 30, "1 XB", True, "nan"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(OptionError):
        size_of(text)


def test_the_command_line_reads_part_by_part_where_memory_is_short(file, capsys):
    code, out, err = called(capsys, "fit", file, "y ~ a + g", "--memory", "100kB")
    assert (code, err) == (0, "")
    assert "rows.parquet: 6,000 rows, 8 columns" in out
    _, whole, _ = called(capsys, "fit", file, "y ~ a + g", "--test", "none")
    _, parts, _ = called(capsys, "fit", file, "y ~ a + g", "--test", "none", "--memory", "100kB")
    equation = [line for line in whole.splitlines() if "Equation" in line]
    assert equation == [line for line in parts.splitlines() if "Equation" in line]
    code, _, err = called(capsys, "fit", file, "y ~ a", "--memory", "much")
    assert code == 2
    assert "option.memory" in err


def test_keys_are_those_of_the_rows_wherever_a_part_begins():
    every = row_keys(0, 50_000, 7)
    for first, count in ((1, 10), (16_383, 3), (20_000, 30_000), (49_999, 1)):
        np.testing.assert_array_equal(row_keys(first, count, 7), every[first : first + count])
    far = row_keys(2**31 - 3, 6, 0)
    np.testing.assert_array_equal(row_keys(2**31, 3, 0), far[3:])
    assert not np.array_equal(row_keys(2**31, 1000, 0), row_keys(0, 1000, 0))
    assert not np.array_equal(row_keys(0, 1000, 1), row_keys(0, 1000, 0))
    assert row_keys(0, 10**5, 3).max() < KEYS


def test_keys_draw_rows_as_chance_would():
    keys = row_keys(0, 1_000_000, 0)
    held = (keys < 0.2 * KEYS).astype(float) - 0.2
    assert abs(held.sum()) < 4 * np.sqrt(160_000)
    for lag in (1, 2, 3, 7, 12, 24, 60, 64, 365, 1000, 4096):
        assert abs(held[lag:] @ held[:-lag]) < 5 * 0.16 * np.sqrt(1e6)
    counts = held.reshape(-1, 1000).sum(axis=1)
    assert counts.var() == pytest.approx(160, rel=0.25)
    layers = np.bincount(keys[keys >= 0.2 * KEYS] % 64, minlength=64)
    assert np.square(layers - layers.mean()).sum() / layers.mean() < 63 + 5 * np.sqrt(126)


def test_very_many_rows_are_tested_on_no_more_than_a_test_needs():
    assert (row_keys(0, 1000, 0) < Draw.of(1000, None, 0).held).sum() == 200
    large = Draw.of(10**9, None, 0)
    assert 500_000 < large.held / KEYS * 10**9 <= row_sampling.TESTED
    assert large.held == large.tested
    asked = Draw.of(10**9, 0.3, 0)
    assert asked.held == round(0.3 * KEYS)
    assert asked.tested / KEYS * 10**9 <= row_sampling.TESTED
    assert Draw.of(1000, 0.0, 0).held == 0


def test_of_a_wide_table_no_more_rows_are_kept_than_memory_has_room_for():
    for columns in (20, 100, 1000, 10**5):
        draw = Draw.of(10**9, None, 0, columns=columns)
        tested = draw.tested / KEYS * 10**9
        assert draw.held == draw.tested
        assert tested <= max(row_sampling.TESTED_CELLS / columns, row_sampling.LOOKED_AT)
        assert split_rows(10**6, "auto", 0, columns=columns).folds[0][1].size == pytest.approx(
            Draw.of(10**6, None, 0, columns=columns).tested / KEYS * 10**6, rel=0.05
        )


@pytest.mark.parametrize("degree", [1, 2, 5])
def test_polynomials_orthogonal_on_the_rows_come_out_of_their_sums_of_products(degree):
    x = np.random.default_rng(degree).gamma(2.0, 3.0, 4000)
    factor = parse(f"y ~ poly(x, {degree})").resolve(["y", "x"]).terms[0][0]
    assert isinstance(factor, Poly)
    code = PolyCode.legendre(factor, x.min(), x.max())
    columns = np.column_stack([np.ones(x.size), code.at(x)])
    P = code.on_rows(columns.T @ columns).at(x)
    np.testing.assert_allclose(P.T @ P, np.eye(degree), atol=1e-11)
    np.testing.assert_allclose(P.sum(axis=0), 0, atol=1e-9)


def test_a_polynomial_of_too_few_values_is_refused_part_by_part_too(tmp_path):
    path = str(tmp_path / "few.parquet")
    pl.DataFrame({"x": [1.0, 2.0, 3.0] * 2000, "y": np.random.default_rng(0).normal(size=6000)}).write_parquet(path)
    with pytest.raises(DesignError) as found:
        descend.fit("y ~ poly(x, 3)", scan_of(path))
    assert found.value.code == "design.poly-degree"
    assert found.value.values["distinct"] == 3


def test_parts_are_read_in_their_order_and_few_ahead_of_who_asks(file):
    begun = []

    def slow(part):
        begun.append(part.first)
        time.sleep(0.001)
        return part.first

    results = Threads().each(slow, scan_of(file).parts(["a"]))
    first = next(results)
    assert first == 0
    time.sleep(0.1)
    assert len(begun) < 9
    assert list(results) == sorted(range(700, ROWS, 700))


def test_an_error_in_a_part_ends_the_reading():
    def fail(part):
        raise TableError("table.part-missing", file="x")

    with pytest.raises(TableError):
        list(Threads().each(fail, [1, 2, 3]))


def test_an_encoded_part_has_the_fitted_rows_alone(file):
    recipe = descend_recipe()
    streamed = survey_statement("y ~ a", scan_of(file), recipe, Reading(Threads()))
    encode = Encoding(streamed.result.plan, streamed.design, streamed.problem.target, streamed.problem.loss)
    reread = Rereading(Reading(Threads()), encode, partial(scan_of(file).parts, ["a", "y"]))
    (rows,) = total_of(part.rows for part in (encode(part) for part in scan_of(file).parts(["a", "y"])))
    assert rows == streamed.result.survey.fitted
    squares = reread.total(methodcaller("residual_squares", np.zeros(2)))[0]
    known = survey_statement("y ~ a", scan_of(file), recipe, Reading(Threads()))
    assert squares[0] == pytest.approx(known.train().objective.moments()[2][0, 0], rel=1e-12)


BOUNDED = """
import sys, descend
model = descend.fit(sys.argv[2], sys.argv[1], memory="200MB")
told = dict(line.split(":") for line in open("/proc/self/status"))
print(model.fitted_rows, int(told["VmHWM"].split()[0]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the peak of a process is read from /proc")
@pytest.mark.parametrize("formula", ["y ~ .", "won ~ .", "y = a * exp(b * x0) + c * x1 + d * x2 + e"])
def test_a_table_larger_than_its_allowance_takes_a_fraction_of_its_size(formula, tmp_path):
    path = tmp_path / "large.parquet"
    random, rows = np.random.default_rng(0), 2_000_000
    frame = pl.DataFrame({f"x{i}": random.normal(size=rows) for i in range(12)})
    name = formula.split()[0]
    signal_ = frame["x0"] - frame["x1"] + pl.Series(random.normal(size=rows))
    frame = frame.with_columns((signal_ > 0).cast(int).alias("won") if name == "won" else signal_.alias("y"))
    frame.write_parquet(path)
    del frame, signal_
    done = subprocess.run([sys.executable, "-c", BOUNDED, path, formula], capture_output=True, text=True, check=True)
    fitted, peak = map(int, done.stdout.split())
    assert fitted > 1_500_000
    assert peak < 650  # the table's numbers alone are 208 MB, and a fit in memory takes six times as much and more
