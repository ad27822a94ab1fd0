"""Labels: on every road a column has as many levels as it has distinct texts, and declared levels keep their order."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

import descend
from descend.base.errors import DesignError, FormulaError, TableError
from descend.base.texts import normalised
from descend.cli import main
from descend.formula.parser import parse
from descend.tables.databases.query import open_query
from descend.tables.databases.sql import name_sql
from descend.tables.find_files import open_scan
from descend.tables.labels import are_numbers, as_numbers, ordered_levels
from descend.tables.open import read, typed_row

BIG = 2**53
IDS = [BIG, BIG + 1, BIG + 2] * 8
MEANS = {BIG: 10.0, BIG + 1: 50.0, BIG + 2: 90.0}


def csv_of(folder, cells, name="g"):
    path = folder / "cells.csv"
    path.write_text(f"{name},n\n" + "".join(f'"{cell}",{row}\n' for row, cell in enumerate(cells)), encoding="utf-8")
    return path


def sqlite_of(folder, cells, name="g"):
    path = folder / "cells.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"create table cells ({name_sql(name)}, n)")
        connection.executemany("insert into cells values (?, ?)", [(cell, row) for row, cell in enumerate(cells)])
        connection.commit()
    return path


def excel_of(folder, cells):
    path = folder / "cells.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for row, cell in enumerate(["g", *cells]):
            sheet.write_string(row, 0, cell)
    return path


def json_of(folder, cells):
    path = folder / "cells.json"
    path.write_text(json.dumps([{"g": cell, "n": row} for row, cell in enumerate(cells)]), encoding="utf-8")
    return path


def parquet_of(folder, cells, name="g"):
    path = folder / "cells.parquet"
    pl.DataFrame({name: cells, "n": range(len(cells))}, strict=False).write_parquet(path)
    return path


def scanned(scan):
    found = set()
    for part in scan.parts(["g"]):
        found |= set(part.table().labels("g", packed=True).cast(pl.String))
    return found


FILES = {
    "csv": lambda folder, cells: set(read(csv_of(folder, cells)).levels("g")),
    "csv in parts": lambda folder, cells: scanned(open_scan(csv_of(folder, cells))),
    "parquet": lambda folder, cells: set(read(parquet_of(folder, cells)).levels("g")),
    "parquet in parts": lambda folder, cells: scanned(open_scan(parquet_of(folder, cells))),
    "json": lambda folder, cells: set(read(json_of(folder, cells)).levels("g")),
    "sqlite": lambda folder, cells: set(read(sqlite_of(folder, cells)).levels("g")),
    "query": lambda folder, cells: scanned(open_query(str(sqlite_of(folder, cells)), "select * from cells")),
}
FRAMES = {
    "columns": lambda cells: {"g": cells},
    "records": lambda cells: [{"g": cell} for cell in cells],
    "array": lambda cells: {"g": np.array(cells)},
    "polars": lambda cells: pl.DataFrame({"g": cells}),
    "pandas": lambda cells: pd.DataFrame({"g": cells}),
    "objects": lambda cells: pd.DataFrame({"g": pd.Series(cells, dtype=object)}),
    "arrow": lambda cells: pa.table({"g": cells}),
}

TEXTS = st.lists(
    st.one_of(
        st.sampled_from(["01234", "1234", "1e3", "1000", "0x3E8", "1.0", "1", "01", "+1", "TRUE", "true", "false"]),
        st.text("0123456789", min_size=1, max_size=20),
        st.text("aé\u0301가각ᄀ\u200b\ufeff'ß", min_size=1, max_size=4).filter(lambda text: normalised(text).strip()),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.slow
@pytest.mark.parametrize("road", FILES)
@settings(max_examples=30)
@given(cells=TEXTS)
def test_there_are_as_many_levels_as_distinct_texts_in_every_file(tmp_path_factory, road, cells):
    expected = {normalised(cell).strip() for cell in cells}
    booleans = len(expected) == len({cell.lower() for cell in expected}) and "csv" in road
    if booleans and {cell.lower() for cell in expected} <= {"true", "false"}:
        expected = {cell.lower() for cell in expected}  # such a file's column holds no texts
    assert FILES[road](tmp_path_factory.mktemp("road"), cells) == expected


@pytest.mark.slow
@pytest.mark.parametrize("road", FRAMES)
@settings(max_examples=30)
@given(cells=TEXTS)
def test_there_are_as_many_levels_as_distinct_texts_in_every_frame(road, cells):
    assert set(read(FRAMES[road](cells)).levels("g")) == {normalised(cell).strip() for cell in cells}


def test_there_are_as_many_levels_as_distinct_texts_in_a_workbook(tmp_path):
    cells = ["01234", "1234", "1e3", "1000", "1.0", "1", "e\u0301", "é", "9007199254740992", "9007199254740993"]
    assert set(read(excel_of(tmp_path, cells)).levels("g")) == {*cells} - {"e\u0301"}


WHOLE = st.lists(
    st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(BIG - 2, BIG + 6), st.integers(0, 3)),
    min_size=1,
    max_size=9,
)


@pytest.mark.slow
@pytest.mark.parametrize("road", [*FILES, *FRAMES])
@settings(max_examples=20)
@given(cells=WHOLE)
def test_there_are_as_many_levels_as_distinct_whole_numbers_on_every_road(tmp_path_factory, road, cells):
    expected = {str(cell) for cell in cells}
    if road in FILES:
        assert FILES[road](tmp_path_factory.mktemp("road"), cells) == expected
    else:
        assert set(read(FRAMES[road](cells)).levels("g")) == expected


@pytest.mark.parametrize(
    "cells",
    [
        np.array(IDS, dtype=np.uint64),
        pd.Series(IDS, dtype="Int64"),
        pl.Series(IDS, dtype=pl.Int128),
        pl.Series([Decimal(cell) for cell in IDS], dtype=pl.Decimal(20, 2)),
        [str(cell) for cell in IDS],
        [*IDS[:-1], float("nan")],
    ],
    ids=["uint64", "Int64", "Int128", "decimal", "text", "beside NaN"],
)
def test_stores_of_large_ids_are_three_stores(cells):
    y = [MEANS[cell] for cell in IDS]
    model = descend.fit("sales ~ C(store)", {"store": cells, "sales": y}, missing="drop")
    assert model.design.levels["store"] == tuple(map(str, (BIG, BIG + 1, BIG + 2)))
    np.testing.assert_allclose(model.raw[:, 0], [10, 40, 80], rtol=1e-9)


@pytest.mark.parametrize("memory", [None, 1])
@pytest.mark.parametrize("kind", ["csv", "parquet", "query"])
def test_large_ids_are_levels_and_classes_on_every_road(tmp_path, kind, memory):
    ids = [BIG + i % 3 for i in range(900)]
    frame = pl.DataFrame({"store": ids, "x": np.random.default_rng(0).normal(size=900), "row": range(900)})
    frame = frame.with_columns(((pl.col("store") - BIG) * 40.0 + 10).alias("sales"))
    query = None
    if kind == "query":
        path = tmp_path / "t.db"
        _written(path, frame)
        query = "select * from t"
    else:
        path = tmp_path / f"t.{kind}"
        frame.write_csv(path) if kind == "csv" else frame.write_parquet(path)
    model = descend.fit("sales ~ C(store)", path, memory=memory, query=query)
    assert model.design.levels["store"] == tuple(map(str, (BIG, BIG + 1, BIG + 2)))
    np.testing.assert_allclose(model.raw[:, 0], [10, 40, 80], rtol=1e-9)
    classes = descend.fit("store ~ sales", path, family="softmax", memory=memory, query=query)
    assert classes.target.levels == tuple(map(str, (BIG, BIG + 1, BIG + 2)))
    assert set(classes.predict({"sales": [10.0, 50.0, 90.0]}).tolist()) <= {BIG, BIG + 1, BIG + 2}


def _written(path, frame):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"create table t ({', '.join(frame.columns)})")
        connection.executemany(f"insert into t values ({', '.join('?' * frame.width)})", frame.rows())
        connection.commit()


@pytest.mark.parametrize("memory", [None, 1])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(("first", "told"), [(BIG + 1, str(BIG + 1)), (BIG, None), (-BIG - 1, str(-BIG - 1))])
def test_whole_numbers_that_float64_may_not_hold_are_told_where_they_are_numbers(tmp_path, kind, memory, first, told):
    path = tmp_path / f"t.{kind}"
    frame = pl.DataFrame({"id": [first, *range(1, 60)], "y": [float(row % 7) for row in range(60)]})
    frame.write_csv(path) if kind == "csv" else frame.write_parquet(path)
    found = [note for note in descend.fit("y ~ id", path, memory=memory).notes if note.code == "note.rounded"]
    assert [note.values["found"] for note in found] == ([told] if told else [])


# Declared categories


SIZES = ["small", "medium", "large"]
CELLS = ["large", "small", "medium", "large", "small", "medium"] * 4


DECLARED = {
    "pandas": lambda cells: pd.DataFrame({"size": pd.Categorical(cells, categories=SIZES)}),
    "pandas, ordered": lambda cells: pd.DataFrame({"size": pd.Categorical(cells, categories=SIZES, ordered=True)}),
    "polars": lambda cells: pl.DataFrame({"size": pl.Series(cells, dtype=pl.Enum(SIZES))}),
    "arrow": lambda cells: pa.table(
        {"size": pa.DictionaryArray.from_arrays([SIZES.index(cell) for cell in cells], SIZES)}
    ),
    "arrow, in chunks": lambda cells: pa.table(
        {
            "size": pa.chunked_array(
                [pa.DictionaryArray.from_arrays([SIZES.index(cell)], SIZES) for cell in cells],
            )
        }
    ),
}


COLUMNS = {
    "pandas": lambda cells: pd.Series(cells, dtype=pd.CategoricalDtype(SIZES)),
    "pandas, by itself": lambda cells: pd.Categorical(cells, categories=SIZES),
    "polars": lambda cells: pl.Series(cells, dtype=pl.Enum(SIZES)),
    "arrow": lambda cells: pa.DictionaryArray.from_arrays([SIZES.index(cell) for cell in cells], SIZES),
}
DECLARED |= {f"{kind}, in a dict": lambda cells, made=made: {"size": made(cells)} for kind, made in COLUMNS.items()}


@pytest.mark.parametrize("kind", DECLARED)
def test_declared_categories_keep_their_order_and_only_the_ones_that_occur_are_levels(kind):
    assert read(DECLARED[kind](CELLS)).levels("size") == tuple(SIZES)
    assert read(DECLARED[kind](["large", "small"])).levels("size") == ("small", "large")


@pytest.mark.parametrize("memory", [None, 1])
def test_the_declared_order_gives_the_reference_and_the_second_class(tmp_path, memory):
    path = tmp_path / "sizes.parquet"
    y = [float(3 * SIZES.index(cell) + row % 2) for row, cell in enumerate(CELLS)]
    cells = pl.Series("size", CELLS, dtype=pl.Enum(SIZES))
    passed = pl.Series("passed", ["yes", "no"] * 12, dtype=pl.Enum(["yes", "no"]))
    pl.DataFrame([cells, passed, pl.Series("y", y)]).write_parquet(path)
    assert descend.fit("y ~ size", path, memory=memory).design.levels["size"] == tuple(SIZES)
    model = descend.fit("passed ~ y", path, memory=memory)
    assert (model.target.levels, model.target.outputs) == (("yes", "no"), ["no"])
    saved = model.save(tmp_path / "model.safetensors")
    assert descend.load(saved).target.levels == ("yes", "no")


def test_categories_of_numbers_are_levels_by_their_declared_order():
    frame = pd.DataFrame({"grade": pd.Categorical([3, 1, 2, 3, 1, 2], categories=[3, 2, 1]), "y": range(6)})
    assert descend.fit("y ~ grade", frame).design.levels["grade"] == ("3", "2", "1")


@pytest.mark.parametrize("kind", [pl.Enum(list("210")), pl.Categorical], ids=["enum", "categorical"])
def test_digits_that_are_declared_categories_are_classes_in_a_dict_too(kind):
    digits = pl.Series(list("012") * 20, dtype=kind)
    model = descend.fit("digit ~ x", {"digit": digits, "x": np.arange(60) % 3 + np.sin(np.arange(60))}, l2=0.1)
    assert model.target.levels == (tuple("210") if kind is not pl.Categorical else tuple("012"))


def test_a_missing_category_is_a_missing_cell():
    frame = pd.DataFrame({"size": pd.Categorical(["large", None, "small"], categories=SIZES)})
    assert read(frame).labels("size").to_list() == ["large", None, "small"]


# Classes


def test_classes_are_given_back_as_they_are_written(tmp_path):
    path = tmp_path / "zip.csv"
    path.write_text("zip,x\n" + "".join(f"{'01234' if row % 2 else '1234'},{row % 2 - row % 3}\n" for row in range(30)))
    model = descend.fit("zip ~ x", path, family="logistic")
    assert model.target.levels == ("01234", "1234")
    assert set(model.predict(path).tolist()) == {"01234", "1234"}
    reloaded = descend.load(model.save(tmp_path / "zip.safetensors"))
    assert reloaded.predict(path).tolist() == model.predict(path).tolist()
    assert reloaded.evaluate(path) == model.evaluate(path)


@pytest.mark.parametrize("written", [("0", "1"), ("0.0", "1.0")])
@pytest.mark.parametrize("memory", [None, 1])
def test_a_target_of_zeros_and_ones_gives_numbers_however_they_are_written(tmp_path, written, memory):
    path = tmp_path / "t.csv"
    path.write_text("y,x\n" + "".join(f"{written[row % 2]},{row % 2 + row % 3}\n" for row in range(300)))
    model = descend.fit("y ~ x", path, memory=memory)
    assert model.family == "logistic"
    assert set(model.predict(path).tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("levels", "numbers"),
    [
        (("0", "1"), [0.0, 1.0]),
        (("0.5", "2.0"), [0.5, 2.0]),
        (("0.5", "1e+300"), [0.5, 1e300]),
        ((str(BIG), str(BIG + 1)), [BIG, BIG + 1]),
        ((str(2**63), str(2**64 - 1)), [2**63, 2**64 - 1]),
        (("1", "01"), None),
        (("1", "1e3"), None),
        (("1", "nan"), None),
        (("1", "inf"), None),
        (("0.5", str(BIG + 1)), None),
        (("1", str(2**64)), None),
        (("-1", str(2**63)), None),
    ],
)
def test_levels_are_numbers_only_where_nothing_is_lost(levels, numbers):
    assert are_numbers(levels) == (numbers is not None)
    if numbers is not None:
        assert as_numbers(levels).tolist() == numbers


@pytest.mark.parametrize(
    ("levels", "declared", "expected"),
    [
        (["b", "10", "9", "a", "-1.5"], (), ("-1.5", "9", "10", "a", "b")),
        (["9007199254740993", "9007199254740992"], (), ("9007199254740992", "9007199254740993")),
        (["nan", "2", "inf", "1_0", "1"], (), ("1", "2", "1_0", "inf", "nan")),
        (["a", "z", "1"], ("z", "a"), ("z", "a", "1")),
        (["1" * 5000, "2"], (), ("2", "1" * 5000)),
    ],
)
def test_levels_come_by_declaration_then_by_size_then_by_the_alphabet(levels, declared, expected):
    assert ordered_levels(levels, declared) == ordered_levels(reversed(levels), declared) == expected


@pytest.mark.parametrize("classes", [[BIG, BIG + 1], [2**63, 2**63 + 1]])
def test_estimators_and_their_models_tell_large_classes_apart(classes):
    X = np.arange(20.0)[:, None]
    y = np.array([classes[row >= 10] for row in range(20)])
    estimator = descend.DescentClassifier(l2=1e-4).fit(X, y)
    assert estimator.classes_.tolist() == classes
    model = descend.from_sklearn(estimator, ["x1"], "y")
    assert model.target.levels == tuple(map(str, classes))
    assert model.predict({"x1": X[:, 0]}).tolist() == estimator.predict(X).tolist()


# Names


@pytest.mark.parametrize(
    "header", ["e\u0301t\u00e9", "\u00e9te\u0301", "\ufeffe\u0301\u200bt\u00e9", "\u00e9t\u00ad\u00e9"]
)
@pytest.mark.parametrize("name", ["\u00e9t\u00e9", "e\u0301te\u0301", "\u00e9\u200bt\u00e9"])
@pytest.mark.parametrize("road", ["csv", "parquet", "parquet in parts", "query", "frame", "pandas", "records"])
def test_names_that_look_the_same_are_the_same(tmp_path, road, header, name):
    cells = [1.0, 2.0, 4.0, 8.0]
    sources = {
        "csv": lambda: read(csv_of(tmp_path, cells, header)),
        "parquet": lambda: read(parquet_of(tmp_path, cells, header)),
        "parquet in parts": lambda: open_scan(parquet_of(tmp_path, cells, header)).head,
        "query": lambda: open_query(str(sqlite_of(tmp_path, cells, header)), "select * from cells").head,
        "frame": lambda: read({header: cells, "n": range(4)}),
        "pandas": lambda: read(pd.DataFrame({header: cells, "n": range(4)})),
        "records": lambda: read([{header: cell, "n": row} for row, cell in enumerate(cells)]),
    }
    table = sources[road]()
    hypothesis = parse(f"n ~ {name}").resolve(table.columns)
    assert [one.name for one in hypothesis.inputs] == ["\u00e9t\u00e9"]
    assert table.numbers("\u00e9t\u00e9").tolist() == cells
    assert parse(f"n ~ log(`{name}`)").resolve(table.columns).inputs == hypothesis.inputs


@pytest.mark.parametrize("kind", ["parquet", "query"])
def test_a_name_in_another_form_is_read_part_by_part(tmp_path, kind):
    header = "e\u0301\u200b"
    cells = [float(row) for row in range(500)]
    path = parquet_of(tmp_path, cells, header) if kind == "parquet" else sqlite_of(tmp_path, cells, header)
    query = "select * from cells" if kind == "query" else None
    model = descend.fit("n ~ \u00e9", path, memory=1, query=query)
    np.testing.assert_allclose(model.raw[:, 0], [0, 1], atol=1e-9)


def test_two_names_that_look_the_same_are_refused_in_a_frame():
    with pytest.raises(TableError) as error:
        read({"\u00e9": [1], "e\u0301": [2]})
    assert (error.value.code, error.value.values["column"]) == ("table.repeated-column", "\u00e9")


def test_levels_and_names_typed_by_hand_are_compared_in_the_same_form(tmp_path):
    path = csv_of(tmp_path, ["\u00e9", "b"] * 10)
    model = descend.fit("n ~ g", path)
    assert model.predict(typed_row({"g\u200b": "e\u0301"})).shape == (1,)
    with pytest.raises(DesignError) as error:
        model.predict(typed_row({"g": "e"}))
    assert error.value.code == "design.unseen-level"


@pytest.mark.parametrize("given", ["TRUE", "false", "column9"])
def test_a_column_of_a_query_is_called_what_the_query_calls_it(tmp_path, given):
    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f'create table t (y, "{given}")')
        connection.executemany("insert into t values (?, ?)", [(2.0 * row, row) for row in range(400)])
        connection.commit()
    with open_query(str(path), "select * from t") as scan:
        assert scan.head.columns == ["y", given]
    for memory in (None, 1):
        model = descend.fit(f"y ~ `{given}`", path, query="select * from t", memory=memory)
        np.testing.assert_allclose(model.raw[:, 0], [0, 2], atol=1e-9)


@pytest.mark.parametrize("memory", [None, 1])
@pytest.mark.parametrize("dtype", ["bigint", "numeric(20, 0)", "numeric(18, 2)", "text"])
def test_large_ids_of_a_server_are_levels_whether_rows_or_sums_are_fetched(postgresql, dtype, memory):
    cells = [str(BIG + row % 3) for row in range(600)]
    rows = [(MEANS[int(cell)], cell) for cell in cells]
    postgresql.fill("t", {"y": "real", "store": dtype}, rows)
    model = descend.fit("y ~ C(store)", postgresql.address, query="select * from t", memory=memory)
    assert model.design.levels["store"] == tuple(map(str, (BIG, BIG + 1, BIG + 2)))
    np.testing.assert_allclose(model.raw[:, 0], [10, 40, 80], rtol=1e-9)


def test_a_declared_decimal_of_a_server_is_a_number_too(postgresql):
    rows = [(2.5 * row, f"{row}.25" if row else "NaN") for row in range(400)]
    postgresql.fill("t", {"y": "real", "x": "numeric(20, 4)"}, rows)
    for memory in (None, 1):
        model = descend.fit("y ~ x", postgresql.address, query="select * from t", memory=memory, missing="drop")
        np.testing.assert_allclose(model.raw[:, 0], [-0.625, 2.5], rtol=1e-9)


# Texts that mean a missing cell


WORDS = ["NA", "None", "null", "-", "x"]


@pytest.mark.parametrize("road", FRAMES)
def test_a_text_in_a_frame_is_a_text_for_a_frame_has_its_own_gaps(road):
    assert read(FRAMES[road](WORDS)).labels("g").to_list() == WORDS
    assert read(FRAMES[road](WORDS), missing=["x"]).labels("g").to_list() == [*WORDS[:-1], None]


def test_a_text_in_parquet_is_a_text_in_memory_and_part_by_part(tmp_path):
    path = parquet_of(tmp_path, WORDS)
    assert read(path).levels("g") == tuple(sorted(WORDS))
    assert scanned(open_scan(path)) == {*WORDS}


@pytest.mark.parametrize("road", ["csv", "csv in parts", "json", "sqlite", "query"])
def test_in_other_files_and_databases_the_usual_markers_mean_missing(tmp_path, road):
    assert FILES[road](tmp_path, WORDS) - {None} == {"x"}


def test_the_usual_markers_can_be_turned_off(tmp_path):
    path = csv_of(tmp_path, [*WORDS, ""])
    for table in (read(path, missing=()), open_scan(path, missing=()).head):
        assert table.labels("g").to_list() == [*WORDS, None]


@pytest.mark.parametrize(
    ("cells", "markers"),
    [(["x", "NA", "n/a", "NA", "y"], "; 'NA', 'n/a'"), (["x", "", "y"], ""), (["1", "-", "2"], "; '-'")],
)
def test_the_error_of_missing_cells_names_the_markers_found(tmp_path, cells, markers):
    with pytest.raises(TableError) as error:
        descend.fit("n ~ g", csv_of(tmp_path, cells))
    assert (error.value.code, error.value.values["markers"]) == ("table.missing", markers)
    assert markers in str(error.value)


def test_the_command_line_keeps_texts_and_adds_markers(tmp_path, capsys):
    path = csv_of(tmp_path, ["NA", "FR", "DE", "?"] * 6)
    assert main(["fit", str(path), "n ~ g"]) == 1
    assert "--keep-na-text" in capsys.readouterr().err
    arguments = ["fit", str(path), "n ~ g", "--keep-na-text", "--na", "?", "--missing", "drop", "--json"]
    assert main(arguments) == 0
    assert list(json.loads(capsys.readouterr().out)["coefficients"]) == ["(intercept)", "g[FR]", "g[NA]"]


# Headers


YEARS = "2019,2020\n" + "".join(f"{row},{2 * row + 1}\n" for row in range(60))


@pytest.mark.parametrize("memory", [None, 1])
def test_a_header_of_numbers_that_the_formula_names_is_a_header(tmp_path, memory):
    path = tmp_path / "years.csv"
    path.write_text(YEARS)
    formula = "`2020` ~ `2019`"
    model = descend.fit(formula, path, memory=memory)
    assert (model.table_rows, model.target.columns) == (60, ("2020",))
    np.testing.assert_allclose(model.raw[:, 0], [1, 2], atol=1e-9)
    np.testing.assert_allclose(model.predict(path), read(path, header=True).numbers("2020"))
    assert model.evaluate(path).rows == 60
    assert descend.compare(path, [formula, "`2020` ~ 1"]).best.formula == formula
    assert descend.forecast(formula, path).outlook is not None
    assert read(path).columns == ["x1", "x2"]


def test_the_command_line_predicts_below_a_header_of_numbers(tmp_path, capsys):
    path, model = tmp_path / "years.csv", str(tmp_path / "model.safetensors")
    path.write_text(YEARS)
    assert main(["fit", str(path), "`2020` ~ `2019`", "--out", model]) == 0
    capsys.readouterr()
    assert main(["predict", model, str(path), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["predictions"]) == 60
    assert main(["compare", str(path), "`2020` ~ `2019`", "`2020` ~ 1"]) == 0


@pytest.mark.parametrize("memory", [None, 1])
def test_a_name_that_stands_over_two_columns_is_refused_where_the_formula_uses_it(tmp_path, memory):
    path = tmp_path / "twice.csv"
    path.write_text("a,a,y\n" + "".join(f"{row},{row * row % 7},{3 * row}\n" for row in range(60)))
    for formula in ("y ~ a", "y ~ log(a + 1)", "a ~ y", "y ~ C(a)", "y ~ a_2 + a"):
        with pytest.raises(FormulaError) as error:
            descend.fit(formula, path, memory=memory)
        assert (error.value.code, error.value.values["found"]) == ("formula.repeated-column", "a")
        assert formula[error.value.values["position"]] == "a"
    assert descend.fit("y ~ a_2", path, memory=memory).design.names == ["(intercept)", "a_2"]
    assert descend.fit("y ~ .", path, memory=memory).design.names == ["(intercept)", "a", "a_2"]
    with pytest.raises(TableError) as refused:
        descend.fit("y ~ a", {"a": range(9), "y": range(9)}).predict(path)
    assert (refused.value.code, refused.value.values["column"]) == ("table.repeated-header", "a")


def test_a_name_that_stands_twice_in_a_workbook_is_refused_where_the_formula_uses_it(tmp_path):
    book = tmp_path / "twice.xlsx"
    with xlsxwriter.Workbook(book) as written:
        sheet = written.add_worksheet()
        for column, name in enumerate(["a", "a", "a_1", "y"]):
            sheet.write_column(0, column, [name, *(row * (column + 1) for row in range(9))])
    table = read(book)
    assert (table.repeated, [note.values["name"] for note in table.notes]) == ({"a"}, ["a"])
    with pytest.raises(FormulaError) as error:
        descend.fit("y ~ a", book)
    assert error.value.code == "formula.repeated-column"


@pytest.mark.parametrize(("name", "text"), [("t.json", '[{"a": 1, "a": 2}]'), ("t.ndjson", '{"a": 1, "a": 2}')])
def test_a_name_that_stands_twice_in_a_json_object_is_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(TableError) as error:
        read(tmp_path / name)
    assert (error.value.code, error.value.values["column"]) == ("table.repeated-column", "a")


def test_columns_of_a_workbook_that_end_in_numbers_are_no_repeated_ones(tmp_path):
    book = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(book) as written:
        sheet = written.add_worksheet()
        for column, cell in enumerate(["a", "a_1", "b_2"]):
            sheet.write(0, column, cell)
            sheet.write(1, column, column)
    assert (read(book).columns, read(book).repeated) == (["a", "a_1", "b_2"], set())


# Without pyarrow


WITHOUT_PYARROW = """
import importlib.util, runpy, sys

find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name.startswith("pyarrow") else find(name, *rest)

class Absent:
    def find_spec(self, name, *rest):
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.slow
def test_frames_of_pandas_are_read_where_pyarrow_is_not_installed():
    script = Path(__file__).parent / "smoke" / "without_pyarrow.py"
    program = [sys.executable, "-c", WITHOUT_PYARROW, str(script)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "pandas without pyarrow: all is well\n"), done.stderr


FLOATED = pl.DataFrame({"g": [1.0, 2.0, 3.0] * 4, "y": [0.0, 1, 0, 1] * 3})
WHOLE = [str(int(level)) for level in FLOATED["g"]]


@pytest.mark.parametrize(("fitted", "given"), [("1", "1.0"), ("1.0", "1"), ("1.0", "1."), ("01", "01")])
@pytest.mark.parametrize("kind", ["csv", "parquet", "frame"])
def test_a_level_is_the_same_number_where_another_table_writes_it_as_a_float(tmp_path, fitted, given, kind):
    written = FLOATED.with_columns(g=pl.Series([fitted.replace("1", level) for level in WHOLE]))
    model = descend.fit("y ~ C(g)", csv_of_frame(tmp_path / "fitted.csv", written), test="none")
    if kind == "csv":
        cells = pl.Series([given.replace("1", level) for level in WHOLE])
        new = csv_of_frame(tmp_path / "new.csv", FLOATED.with_columns(g=cells))
    else:
        new = FLOATED if kind == "frame" else tmp_path / "new.parquet"
        FLOATED.write_parquet(tmp_path / "new.parquet")
    np.testing.assert_allclose(model.predict(new), model.predict(written), rtol=1e-12)
    assert model.evaluate(new).confusion == model.evaluate(written).confusion


@pytest.mark.parametrize("cell", ["01", "1e0", "1.5", "4", "1.0.0"])
def test_a_text_that_is_no_level_is_another_one_though_it_may_be_the_same_number(cell):
    model = descend.fit("y ~ C(g)", FLOATED.with_columns(g=pl.Series(WHOLE)), test="none")
    with pytest.raises(DesignError, match="has not seen"):
        model.predict({"g": [cell]})


def test_a_number_that_could_be_two_levels_is_none_of_them():
    written = FLOATED.with_columns(g=pl.Series(["01", "001", "3"] * 4))
    model = descend.fit("y ~ C(g)", written, test="none")
    with pytest.raises(DesignError):
        model.predict({"g": [1.0]})


@pytest.mark.parametrize("family", ["auto", "softmax"])
def test_classes_that_are_numbers_are_one_where_some_are_written_as_floats(tmp_path, family):
    random = np.random.default_rng(5)
    x = random.normal(size=90)
    y = (x + random.normal(size=90) > 0).astype(int) if family == "auto" else random.integers(1, 4, size=90)
    cells = [f"{value}.0" if row % 2 else str(value) for row, value in enumerate(y)]
    plain_path, mixed = (
        csv_of_frame(tmp_path / f"{name}.csv", pl.DataFrame({"x": x, "y": pl.Series(values)}))
        for name, values in (("plain", list(map(str, y))), ("mixed", cells))
    )
    expected = descend.fit("y ~ x", plain_path, family=family)
    for settings_ in ({}, {"memory": "1KB"}):
        found = descend.fit("y ~ x", mixed, family=family, **settings_)
        np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-6, atol=1e-8)
        assert found.target.levels == expected.target.levels
        np.testing.assert_allclose(found.base, expected.base)
        assert found.verification.rows == expected.verification.rows


def csv_of_frame(path, frame):
    frame.write_csv(path)
    return path


@pytest.mark.parametrize("dtype", [pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.Int8, pl.Int64])
def test_whole_numbers_of_every_type_are_numbers(tmp_path, dtype):
    frame = pl.DataFrame({"x": pl.Series([1, 2, 3, 5] * 20, dtype=dtype), "y": [1.0, 2.0, 3.0, 4.0] * 20})
    frame.write_parquet(tmp_path / "t.parquet")
    slope = np.polyfit(frame["x"].cast(float), frame["y"], 1)[0]
    for source, memory in ((frame, None), (tmp_path / "t.parquet", None), (tmp_path / "t.parquet", "1KB")):
        model = descend.fit("y ~ x", source, test="none", memory=memory)
        assert model.coefficients["x"] == pytest.approx(slope, rel=1e-10)
    if dtype == pl.UInt64:
        large = frame.with_columns(x=frame["x"] + 2**63)
        assert "note.rounded" in [note.code for note in descend.fit("y ~ x", large, test="none").notes]
