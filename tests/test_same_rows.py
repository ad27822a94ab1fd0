"""The rows that are held back for the test are the same, however the table is read."""

from __future__ import annotations

import sqlite3

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import descend
from descend.base.errors import DescendError
from descend.tables.row_sampling import EXACT_BELOW, Draw, row_keys, scattered

ROADS = ["memory", "parquet in parts", "csv in parts", "query"]
FORMULAS = ["y ~ x", "won ~ x", "kind ~ x", "y ~ x + kind"]


def table(rows, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=rows)
    kind = np.where(random.uniform(size=rows) < 0.03, "rare", np.where(x + random.normal(size=rows) > 0, "a", "b"))
    won = (random.uniform(size=rows) < 1 / (1 + np.exp(-x))).astype(int)
    return pl.DataFrame({"x": x, "y": 2 * x + 1 + random.normal(size=rows), "won": won, "kind": kind})


def fitted(road, frame, folder, formula, **settings):
    """Fit the rows on a road; returns the model."""
    if road == "memory":
        return descend.fit(formula, frame, **settings)
    if road == "query":
        path = folder / "t.db"
        path.unlink(missing_ok=True)
        with sqlite3.connect(path) as connection:
            connection.execute("create table t (x real, y real, won integer, kind text)")
            connection.executemany("insert into t values (?, ?, ?, ?)", frame.rows())
        connection.close()
        return descend.fit(formula, path, query="select * from t order by rowid", memory="1kB", **settings)
    path = folder / ("t.csv" if road.startswith("csv") else "t.parquet")
    frame.write_csv(path) if path.suffix == ".csv" else frame.write_parquet(path, row_group_size=100)
    return descend.fit(formula, path, memory="1kB", **settings)


def assert_same(parts, whole):
    assert parts.fitted_rows == whole.fitted_rows
    mine, theirs = parts.verification, whole.verification
    assert (mine.method, mine.rows, mine.fitted_rows) == (theirs.method, theirs.rows, theirs.fitted_rows)
    for one, other in zip(mine.scores, theirs.scores, strict=True):
        assert one["hypothesis"] == pytest.approx(other["hypothesis"], rel=1e-8, abs=1e-12)
        assert one["baseline"] == pytest.approx(other["baseline"], rel=1e-8, abs=1e-12)
    assert [entry["rows"] for entry in mine.classes] == [entry["rows"] for entry in theirs.classes]
    np.testing.assert_allclose(parts.raw, whole.raw, rtol=1e-7, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [40, 60, 1500])
@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("road", ROADS[1:])
@pytest.mark.usefixtures("small_parts")
def test_the_rows_of_the_test_are_the_same_on_every_road(road, formula, rows, tmp_path):
    frame = table(rows)
    assert_same(fitted(road, frame, tmp_path, formula, l2=1e-3), fitted("memory", frame, tmp_path, formula, l2=1e-3))


@pytest.mark.slow
@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("road", ROADS[1:])
@pytest.mark.parametrize("left", [30, 900])
@pytest.mark.usefixtures("small_parts")
def test_they_are_the_same_where_rows_are_left_out_for_missing_cells(road, formula, left, tmp_path):
    frame = table(1200).with_row_index()
    gone = (pl.col("index") * 7919) % 1200 >= left
    frame = frame.with_columns(x=pl.when(~gone).then("x")).drop("index")
    settings = {"missing": "drop", "l2": 1e-3}
    assert_same(
        fitted(road, frame, tmp_path, formula, **settings), fitted("memory", frame, tmp_path, formula, **settings)
    )


@pytest.mark.parametrize("share", [0.07, 0.5])
@pytest.mark.parametrize("formula", ["y ~ x", "kind ~ x"])
def test_they_are_the_same_for_any_share_and_seed(formula, share, tmp_path):
    frame = table(700)
    for seed in (0, 5):
        settings = {"test": share, "seed": seed, "l2": 1e-3}
        whole = fitted("memory", frame, tmp_path, formula, **settings)
        assert whole.verification.rows == round(share * 700)
        assert_same(fitted("csv in parts", frame, tmp_path, formula, **settings), whole)


@pytest.mark.slow
@pytest.mark.parametrize("formula", ["y ~ x", "kind ~ x"])
def test_they_are_the_same_on_a_cluster(formula, tmp_path):
    frame = table(1500)
    frame.write_parquet(tmp_path / "t.parquet", row_group_size=300)
    spread = descend.fit(formula, tmp_path / "t.parquet", cluster="local:2", partitions=3, l2=1e-3)
    assert_same(spread, fitted("memory", frame, tmp_path, formula, l2=1e-3))


@settings(max_examples=60)
@given(rows=st.integers(2, 3000), share=st.floats(0.001, 0.999), seed=st.integers(0, 10**6), cut=st.integers(1, 3000))
def test_exactly_the_share_is_held_back_and_keys_do_not_depend_on_the_parts(rows, share, seed, cut):
    draw = Draw.of(rows, share, seed)
    keys = draw.keys(0, rows)
    assert (keys < draw.held).sum() == max(round(share * rows), 1)
    parts = [draw.keys(first, min(cut, rows - first)) for first in range(0, rows, cut)]
    np.testing.assert_array_equal(np.concatenate(parts), keys)


@settings(max_examples=60)
@given(
    codes=st.lists(st.integers(0, 3), min_size=20, max_size=400), share=st.floats(0.05, 0.6), seed=st.integers(0, 99)
)
def test_each_class_is_held_back_in_proportion_whatever_the_classes_are_called(codes, share, seed):
    codes, rows = np.array(codes), len(codes)
    numbers = np.arange(rows) * 3 + 1  # two of three rows were left out
    draw = Draw.of(3 * rows, share, seed, classes=(numbers, codes))
    keys = draw.keys(0, 3 * rows)[numbers]
    held = keys < draw.held
    assert held.sum() == max(round(share * rows), 1)
    for code in set(codes.tolist()):
        assert abs(held[codes == code].sum() - share * (codes == code).sum()) < 2
    renamed = Draw.of(3 * rows, share, seed, classes=(numbers, 7 - codes)).keys(0, 3 * rows)[numbers]
    np.testing.assert_array_equal(renamed, keys)
    np.testing.assert_array_equal(
        scattered(row_keys(0, rows, seed), codes), scattered(row_keys(0, rows, seed), 7 - codes)
    )


def test_from_a_million_rows_on_no_reading_of_the_classes_is_needed():
    classes = (np.arange(10), np.zeros(10, dtype=np.int64))
    assert Draw.of(EXACT_BELOW, None, 0, classes=classes).ranked is None


def test_a_share_that_leaves_nothing_is_an_error_on_every_road(tmp_path):
    frame = table(60)
    for road in ROADS[:3]:
        with pytest.raises(DescendError) as error:
            fitted(road, frame, tmp_path, "y ~ x", test=0.999)
        assert error.value.code == "option.test-rows"
