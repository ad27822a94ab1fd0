"""What is done with a model, and before a fit, on tables that do not fit in memory: as in memory, part by part."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import called

import descend
from descend.base.errors import DescendError, OptionError
from descend.model.streaming import evaluate_scan, predict_to
from descend.tables import row_sampling
from descend.tables.databases import query
from descend.tables.executors import Reading, Threads
from descend.tables.find_files import open_scan
from descend.tables.open import open_rows
from descend.tables.scans.parquet import ParquetScan
from descend.tables.scans.text import TextScan
from descend.tables.table import Table

ROWS = 5_000
SHORT = ("--memory", "50kB")


pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.fixture(scope="module")
def frame():
    random = np.random.default_rng(5)
    columns = {f"x{i}": random.normal(size=ROWS) for i in range(9)}
    columns["g"] = random.choice(["u", "v", "w"], ROWS)
    columns["name"] = np.char.add("n", np.arange(ROWS).astype(str))
    columns["y"] = 3 + 2 * columns["x0"] - columns["x1"] + (columns["g"] == "v") + random.normal(size=ROWS)
    columns["won"] = (random.random(ROWS) < 1 / (1 + np.exp(-columns["x2"]))).astype(int)
    columns["kind"] = random.choice(["p", "q", "r"], ROWS)
    return pl.DataFrame(columns)


@pytest.fixture(scope="module")
def file(frame, tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    frame.write_parquet(path, row_group_size=700)
    return str(path)


FORMULAS = {
    "numbers": "y ~ " + " + ".join(f"x{i}" for i in range(9)) + " + g",
    "classes": "won ~ x2 + x3",
    "three": "kind ~ x0 + g",
    "two": "y + x8 ~ poly(x0, 2) + x1",
}


@pytest.fixture(scope="module")
def models(frame, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    made = {}
    for name, formula in FORMULAS.items():
        model = descend.fit(formula, frame.head(1000))
        model.save(folder / f"{name}.safetensors")
        made[name] = str(folder / f"{name}.safetensors")
    return made


def told(rows=None, scratch=None):
    return Reading(Threads(), scratch, None if rows is None else lambda what, done, size: rows.append((what, done)))


def predicted(capsys, model, table, out, *more):
    code, _, err = called(capsys, "predict", model, table, "--out", out, *more)
    assert (code, err) == (0, "")
    return read_back(out.suffix, out.read_bytes())


def read_back(kind, written):
    if kind == ".parquet":
        return pl.read_parquet(written)
    if kind in (".csv", ".tsv"):
        return pl.read_csv(written, separator="\t" if kind == ".tsv" else ",", infer_schema=False)
    if kind == ".json":
        return pl.DataFrame(json.loads(written), infer_schema_length=None)
    return pl.DataFrame([json.loads(line) for line in written.decode().splitlines()], infer_schema_length=None)


def assert_same(mine, theirs):
    """The cells of the table are the same to the bit, and so are classes; numbers that were multiplied nearly so."""
    assert mine.schema == theirs.schema
    added = [name for name in mine.columns if name.startswith("P(") or "_predicted" in name or name.endswith("_low")]
    added += [name for name in mine.columns if name.endswith("_high")]
    assert added
    assert mine.drop(added).equals(theirs.drop(added))
    for name in added:
        if name == "kind_predicted":
            assert mine[name].equals(theirs[name])
        else:
            cells = (one[name].cast(pl.Float64).to_numpy() for one in (mine, theirs))
            np.testing.assert_allclose(*cells, rtol=1e-12, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "tsv", "ndjson", "json", "parquet"])
@pytest.mark.parametrize("model", ["numbers", "classes", "three", "two"])
def test_predictions_of_a_table_that_does_not_fit_are_those_in_memory(
    kind, model, models, file, frame, tmp_path, capsys
):
    whole = predicted(capsys, models[model], file, tmp_path / f"whole.{kind}")
    parts = predicted(capsys, models[model], file, tmp_path / f"parts.{kind}", *SHORT)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"parts.{kind}", f"whole.{kind}"]
    assert_same(parts, whole)
    if kind == "parquet":
        assert parts.select(frame.columns).equals(frame)


def test_intervals_are_those_in_memory(models, file, tmp_path, capsys):
    for model in ("numbers", "classes"):
        whole = predicted(capsys, models[model], file, tmp_path / "whole.csv", "--interval", "0.9")
        parts = predicted(capsys, models[model], file, tmp_path / "parts.csv", "--interval", "0.9", *SHORT)
        assert len([name for name in parts.columns if name.endswith(("_low", "_high"))]) == 4
        assert_same(parts, whole)


def test_a_table_of_text_keeps_its_cells_as_they_are_written(models, frame, tmp_path, capsys, monkeypatch):
    table = tmp_path / "rows.csv"
    cells = frame.with_columns(name=pl.lit('a "b", c\nd'), x3=pl.format("{}0", pl.col("x3").round(3)))
    cells.write_csv(table)
    monkeypatch.setattr(TextScan.of.__func__, "__defaults__", (None, None, 100_000))
    assert len(list(open_scan(str(table)).parts(["x2"]))) > 8
    whole = predicted(capsys, models["classes"], table, tmp_path / "whole.csv")
    parts = predicted(capsys, models["classes"], table, tmp_path / "parts.csv", *SHORT)
    assert_same(parts, whole)
    assert parts["x3"].to_list() == cells["x3"].to_list()


def test_files_whose_numbers_are_of_several_kinds_become_one_column(models, frame, tmp_path, capsys):
    folder = tmp_path / "year"
    folder.mkdir()
    frame.head(1500).with_columns(id=pl.int_range(1500, dtype=pl.Int32)).write_parquet(folder / "1.parquet")
    frame.tail(3500).with_columns(id=pl.int_range(3500) * 0.5).write_parquet(folder / "2.parquet")
    whole = predicted(capsys, models["numbers"], folder, tmp_path / "whole.parquet")
    mine = predicted(capsys, models["numbers"], folder, tmp_path / "parts.parquet", *SHORT)
    assert_same(mine, whole)
    assert mine["id"].to_list() == [*range(1500), *(row * 0.5 for row in range(3500))]


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["drop", "mean"])
def test_missing_cells_are_treated_as_in_memory(missing, models, frame, tmp_path, capsys):
    table = tmp_path / "holes.parquet"
    row = pl.int_range(pl.len())
    holes = frame.with_columns(x2=pl.when((row < 800) | (row % 7 == 0)).then(None).otherwise("x2"))
    holes.write_parquet(table, row_group_size=700)
    for kind in ("csv", "json", "parquet"):
        whole = predicted(capsys, models["classes"], table, tmp_path / f"w.{kind}", "--missing", missing)
        parts = predicted(capsys, models["classes"], table, tmp_path / f"p.{kind}", "--missing", missing, *SHORT)
        assert_same(parts, whole)
    _, whole, _ = called(capsys, "evaluate", models["classes"], table, "--missing", missing, "--json")
    _, parts, _ = called(capsys, "evaluate", models["classes"], table, "--missing", missing, "--json", *SHORT)
    assert_near(json.loads(parts), json.loads(whole))


BAD = {
    "table.missing": lambda row: {"x2": pl.when(row == 4321).then(None).otherwise("x2")},
    "table.bad-cell": lambda row: {"x2": pl.when(row == 4321).then(float("inf")).otherwise("x2")},
    "design.unseen-level": lambda row: {"g": pl.when(row == 4321).then(pl.lit("new")).otherwise("g")},
}


@pytest.mark.parametrize("code", BAD)
def test_a_bad_row_is_named_as_in_memory_and_leaves_nothing_behind(code, models, frame, tmp_path):
    table = tmp_path / "bad.parquet"
    frame.with_columns(**BAD[code](pl.int_range(pl.len()))).write_parquet(table, row_group_size=700)
    model = descend.load(models["three" if "level" in code else "classes"])
    found = []
    for predict in (
        lambda: model.predictions(str(table)),
        lambda: predict_to(tmp_path / "out.parquet", model, open_scan(table), told()),
        lambda: predict_to(tmp_path / "out.csv", model, open_scan(table), told(scratch=str(tmp_path))),
        lambda: evaluate_scan(model, open_scan(table), told()),
    ):
        with pytest.raises(DescendError) as error:
            predict()
        found.append((error.value.code, error.value.values["file"], error.value.line))
        assert os.listdir(tmp_path) == ["bad.parquet"]
    assert set(found) == {(found[0][0], "bad.parquet", 4322)}
    assert found[0][0].startswith(code)


def test_of_missing_cells_those_of_one_part_are_said_to_be_no_more_than_these(models, frame, tmp_path):
    table = tmp_path / "holes.parquet"
    frame.with_columns(x2=None).write_parquet(table, row_group_size=700)
    with pytest.raises(DescendError) as error:
        predict_to(tmp_path / "out.csv", descend.load(models["classes"]), open_scan(table), told())
    assert "≥ 700 (line 1, 2, 3, …)" in error.value.tell()
    with pytest.raises(DescendError) as error:
        predict_to(tmp_path / "out.csv", descend.load(models["classes"]), open_scan(table), told(), missing="drop")
    assert error.value.code == "table.all-dropped"
    assert os.listdir(tmp_path) == ["holes.parquet"]


def test_a_missing_column_is_told_before_a_row_is_read(models, frame, tmp_path):
    table = tmp_path / "less.parquet"
    frame.rename({"x2": "x2_"}).drop("won").write_parquet(table)
    model, read = descend.load(models["classes"]), []
    for task in (
        lambda: predict_to(tmp_path / "out.csv", model, open_scan(table), told(read)),
        lambda: evaluate_scan(model, open_scan(table), told(read)),
    ):
        with pytest.raises(DescendError) as error:
            task()
        assert (error.value.code, error.value.values["column"]) == ("design.no-column-near", "x2")
    assert read == []
    assert os.listdir(tmp_path) == ["less.parquet"]


def test_a_table_that_does_not_fit_is_not_predicted_without_a_file_to_write(models, file, capsys):
    code, out, err = called(capsys, "predict", models["numbers"], file, *SHORT)
    assert (code, out) == (2, "")
    assert "option.scan-out" in err
    assert "--out predictions.parquet" in err
    code, out, _ = called(capsys, "predict", models["numbers"], file, "--memory", "1GB")
    assert code == 0
    assert len(out.splitlines()) == ROWS + 1


def test_json_tells_which_file_was_written(models, file, tmp_path, capsys):
    out = str(tmp_path / "out.csv")
    code, told, err = called(capsys, "predict", models["numbers"], file, "--out", out, "--json", *SHORT)
    assert code == 0
    assert json.loads(told) == {"file": out, "rows": ROWS}
    assert err == f"wrote {out} (5,000 rows)\n"


@pytest.mark.parametrize("out", ["out.parquet", "out.csv"])
def test_what_cannot_be_written_is_told(out, models, file, tmp_path):
    model = descend.load(models["numbers"])
    with pytest.raises(OptionError) as error:
        predict_to(tmp_path / "nowhere" / out, model, open_scan(file), told(scratch=str(tmp_path)))
    assert error.value.code == "option.cannot-write"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OptionError) as error:
        predict_to(tmp_path / "out.parquet", model, open_scan(file), told(scratch=str(tmp_path / "none")))
    assert error.value.code == "option.scratch"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["parquet", "csv", "json"])
def test_an_interrupt_leaves_the_file_that_was_there(kind, models, file, tmp_path):
    out = tmp_path / f"out.{kind}"
    out.write_text("before")

    def stop(what, rows, size):
        assert what == "predicting"
        if rows > 2000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_to(out, descend.load(models["numbers"]), open_scan(file), Reading(Threads(), str(tmp_path), stop))
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert out.read_text() == "before"


ENDLESS = """
import sys
from descend.cli import main
from descend.model import streaming
from descend.tables.scans import parquet
parquet.PART_CELLS, parquet.FEWEST = 1, 700
inner = streaming.table_writer
from contextlib import contextmanager
@contextmanager
def telling(*arguments):
    with inner(*arguments) as write:
        def tell(frame):
            write(frame)
            print("writing", flush=True)
            sys.stdin.readline()
        yield tell
streaming.table_writer = telling
sys.exit(main(["predict", sys.argv[1], sys.argv[2], "--out", sys.argv[3], "--memory", "50kB"]))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there Ctrl-C reaches a whole console")
def test_ctrl_c_ends_a_prediction_and_leaves_nothing_behind(models, file, tmp_path):
    command = [sys.executable, "-c", ENDLESS, models["numbers"], file, str(tmp_path / "out.parquet")]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "writing\n"
        assert list(tmp_path.iterdir())  # what has been written so far
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "fit.interrupted-early" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("model", ["numbers", "classes", "three", "two"])
def test_a_test_on_a_table_that_does_not_fit_is_that_in_memory(model, models, file, capsys):
    code, whole, _ = called(capsys, "evaluate", models[model], file, "--json")
    assert code == 0
    code, parts, err = called(capsys, "evaluate", models[model], file, "--json", *SHORT)
    assert (code, err) == (0, "")
    assert_near(json.loads(parts), json.loads(whole))
    _, whole, _ = called(capsys, "evaluate", models[model], file)
    _, parts, _ = called(capsys, "evaluate", models[model], file, *SHORT)
    assert parts == whole


def test_of_very_many_rows_as_many_are_tested_as_a_test_needs_and_that_is_told(
    models, frame, file, capsys, monkeypatch
):
    monkeypatch.setattr(row_sampling, "TESTED", 2000)
    model = descend.load(models["numbers"])
    verification, notes = evaluate_scan(model, open_scan(file), told())
    keys = row_sampling.row_keys(0, ROWS, 1)
    drawn = frame.filter(pl.Series(keys < np.sort(keys)[ROWS // 4]))
    assert drawn.height == 1250
    assert_near(verification.as_dict(), model.evaluate(drawn).as_dict())
    assert [note.values for note in notes] == [{"tested": drawn.height, "rows": ROWS}]
    _, out, _ = called(capsys, "evaluate", models["numbers"], file, *SHORT)
    assert f"tested on {drawn.height:,} of the 5,000 rows, drawn by their number" in out
    _, out, _ = called(capsys, "evaluate", models["numbers"], file, "--json", *SHORT)
    assert len(json.loads(out)["notes"]) == 1


FORESEEN = [
    ("y ~ x0 + x1 + g", {}),
    ("y ~ x0 + poly(x1, 3)", {"lr": 0.1, "epochs": 50, "momentum": 0.5}),
    ("y ~ x0 + x1", {"standardize": False, "l2": 0.1, "lr": 5.0}),
    ("won ~ x2 + g", {"lr": 0.3}),
    ("kind ~ x0", {}),
    ("y ~ x0", {"loss": "huber", "lr": 0.1}),
    ("y ~ x0 + x1", {"batch_size": 50, "lr": 0.01}),
    ("y ~ x0", {"loss": "mae"}),
]


@pytest.mark.parametrize(("formula", "settings"), FORESEEN, ids=[f"{f} {s}" for f, s in FORESEEN])
def test_what_is_foretold_of_a_table_that_does_not_fit_is_what_is_foretold_in_memory(formula, settings, file, tmp_path):
    read = []
    whole = descend.forecast(formula, file, **settings)
    parts = descend.forecast(
        formula, file, memory="50kB", scratch=str(tmp_path), on_read=lambda *told: read.append(told), **settings
    )
    assert read
    assert_near(vars(parts), vars(whole))


def assert_near(mine, theirs, near=1e-9):
    assert type(mine) is type(theirs)
    if hasattr(mine, "__dataclass_fields__"):
        mine, theirs = vars(mine), vars(theirs)
    if isinstance(mine, dict):
        assert list(mine) == list(theirs)
        for key in mine:
            # the factor of a double root has half of the digits that the curvatures have
            assert_near(mine[key], theirs[key], 1e-7 if key == "factor" else 1e-9)
    elif isinstance(mine, list):
        assert len(mine) == len(theirs)
        for one, other in zip(mine, theirs, strict=True):
            assert_near(one, other)
    elif isinstance(mine, (float, np.ndarray)):
        np.testing.assert_allclose(mine, theirs, rtol=near)
    else:
        assert mine == theirs


def test_a_trajectory_over_a_table_that_does_not_fit_is_that_in_memory(file):
    settings = {"lr": 0.2, "momentum": 0.3}
    whole = descend.trajectory("y ~ x0 + g", file, **settings)
    parts = descend.trajectory("y ~ x0 + g", file, memory="50kB", **settings)
    for epoch in (0, 1, 7, 10**9):
        np.testing.assert_allclose(parts.weights(epoch), whole.weights(epoch), rtol=1e-9, atol=1e-12)
        assert parts.loss(epoch) == pytest.approx(whole.loss(epoch), rel=1e-9)
    assert parts.coefficients(3).keys() == whole.coefficients(3).keys()
    with pytest.raises(OptionError) as error:
        descend.trajectory("won ~ x2", file, memory="50kB", **settings)
    assert error.value.code == "option.no-trajectory"


def test_the_command_line_foretells_part_by_part(file, capsys):
    _, whole, _ = called(capsys, "forecast", file, "y ~ x0 + g", "--lr", "0.1")
    code, parts, err = called(capsys, "forecast", file, "y ~ x0 + g", "--lr", "0.1", "--memory", "10kB")
    assert (code, err) == (0, "")
    assert parts == whole
    assert isinstance(open_rows(file, "y ~ x0 + g", memory="10kB"), ParquetScan)


def test_hypotheses_are_not_compared_on_a_table_that_does_not_fit(file, capsys):
    formulas = ("y ~ x0", "y ~ x0 + x1")
    code, _, err = called(capsys, "compare", file, *formulas, *SHORT)
    assert code == 2
    assert "option.scan-compare" in err
    assert "--memory" in err
    whole = descend.compare(file, formulas)
    assert whole.best.formula == "y ~ x0 + x1"
    with pytest.raises(OptionError):
        descend.compare(file, formulas, memory="50kB")
    assert descend.compare(open_scan(file), formulas, memory="1GB") == whole


def test_a_path_is_opened_as_its_name_is(file):
    assert isinstance(open_rows(Path(file)), Table)
    assert isinstance(open_rows(Path(file), memory="10kB"), ParquetScan)
    assert descend.fit("y ~ x0", Path(file)).table_rows == ROWS


@pytest.mark.slow
def test_a_network_predicts_part_by_part_as_in_memory(frame, file, tmp_path):
    pytest.importorskip("torch")
    model = descend.fit("won ~ x0 + x2", frame.head(500), hypothesis="mlp(4)", epochs=3, test="none")
    predict_to(tmp_path / "out.parquet", model, open_scan(file), told())
    whole = model.predictions(frame)
    parts = pl.read_parquet(tmp_path / "out.parquet")
    np.testing.assert_allclose(parts["P(1)"], whole["P(1)"], rtol=1e-5)
    assert evaluate_scan(model, open_scan(file), told())[0].scores[0]["hypothesis"]["accuracy"] == pytest.approx(
        model.evaluate(frame).scores[0]["hypothesis"]["accuracy"]
    )


def test_rows_of_a_query_are_predicted_into_a_file_and_shown_where_they_fit(
    models, frame, tmp_path, capsys, monkeypatch
):
    import sqlite3

    monkeypatch.setattr("descend.tables.open.FETCHED", 1000)
    monkeypatch.setattr(query, "PART_CELLS", 3000)
    with sqlite3.connect(tmp_path / "rows.db") as database:
        names = ["x2", "x3", "won"]
        database.execute("create table rows (x2 real, x3 real, won integer)")
        database.executemany("insert into rows values (?, ?, ?)", frame.select(names).rows())
    database.close()
    source = (str(tmp_path / "rows.db"), "--query", "select * from rows")
    code, shown, err = called(capsys, "predict", models["classes"], *source)
    assert (code, err) == (0, "")
    written = predicted(capsys, models["classes"], *source[:1], tmp_path / "out.csv", *source[1:])
    assert_same(written, read_back(".csv", shown.encode()))
    _, told, _ = called(capsys, "evaluate", models["classes"], *source, "--json")
    expected = descend.load(models["classes"]).evaluate(frame)
    assert_near(json.loads(told)["scores"], expected.scores)
