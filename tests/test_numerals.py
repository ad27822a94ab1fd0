"""Numbers as people write them: one grammar and one judge for the cells of every source."""

import json
import sqlite3

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xlsxwriter
from conftest import called

import descend
from descend.base.errors import TableError
from descend.tables.columns import notation_notes
from descend.tables.find_files import open_scan
from descend.tables.open import open_rows, read
from descend.tables.text.numerals import Notation, notation_of, parse_numbers

SOURCES = ["csv", "parts", "xlsx", "sqlite", "json", "ndjson", "parquet", "parquet-parts", "pandas", "polars"]


def opened(source, columns, folder):
    """Return columns of texts as a table, or as the parts of a scan, of some kind of source."""
    frame = pl.DataFrame({name: pl.Series(cells, dtype=pl.String) for name, cells in columns.items()})
    records = frame.to_dicts()
    path = folder / f"t.{source.partition('-')[0]}"
    if source in ("csv", "parts"):
        path = folder / "t.csv"
        frame.write_csv(path, separator=";")
        return next(iter(open_scan(path).parts(frame.columns))).table() if source == "parts" else read(path)
    if source == "xlsx":
        with xlsxwriter.Workbook(path, {"strings_to_numbers": False}) as book:
            sheet = book.add_worksheet()
            for row, cells in enumerate([frame.columns, *frame.rows()]):
                sheet.write_row(row, 0, cells)
    elif source == "sqlite":
        with sqlite3.connect(path) as connection:
            connection.execute(f"create table t ({', '.join(frame.columns)})")
            connection.executemany(f"insert into t values ({','.join('?' * frame.width)})", frame.rows())
    elif source == "json":
        path.write_text(json.dumps(records), encoding="utf-8")
    elif source == "ndjson":
        path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    elif source.startswith("parquet"):
        path = folder / "t.parquet"
        frame.write_parquet(path)
        if source == "parquet-parts":
            return next(iter(open_scan(path).parts(frame.columns))).table()
    else:
        return read(frame if source == "polars" else pd.DataFrame(records))
    return read(path)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1,250", 1250),
        ("1 250", 1250),
        ("1'250", 1250),
        ("1’250.5", 1250.5),
        ("1\u202f250", 1250),
        ("0.21D+02", 21),
        ("1.5d3", 1500),
        ("2D+1", 20),
        ("(3.50)", -3.5),
        ("(1,250)", -1250),
        ("3.50-", -3.5),
        ("+3", 3),
        ("−3", -3),
        ("－3", -3),
        ("１２．５", 12.5),
        ("- 3", -3),
    ],
)
def test_a_number_is_read_however_it_is_written(cell, number):
    values, bad = parse_numbers(pl.Series([cell, "7", None], dtype=pl.String))
    assert (values[:2].tolist(), bad.tolist()) == ([number, 7], [False, False, False])
    assert np.isnan(values[2])


@pytest.mark.parametrize(
    "cell",
    [
        "0,125",
        "00,125",
        "1,25",
        "1,2500",
        "1,250,0",
        "1'25",
        "1,250 000",
        "(3",
        "3)",
        "(-3)",
        "-3-",
        "--3",
        "3 4",
        "3-4",
        "2D1",
    ],
)
def test_what_is_no_number_is_none(cell):
    assert parse_numbers(pl.Series([cell]))[1].tolist() == [True]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cells", "unit", "numbers"),
    [
        (["5%", "7.5 %"], "%", [5, 7.5]),
        (["$1,200", "-$5", "($7)"], "$", [1200, -5, -7]),
        (["3 km/h", "0", "4 km/h", "5km/h"], "km/h", [3, 0, 4, 5]),
        (["1,000원", "2,500원"], "원", [1000, 2500]),
        (["CHF 1'250", "CHF 3"], "CHF", [1250, 3]),
        (["20 °C", "21 °C"], "°C", [20, 21]),
        (["3 m2", "4 m2"], "m2", [3, 4]),
        (["3m", "4 m"], "m", [3, 4]),
        (["3 a", "4 a"], "a", [3, 4]),
        (["3명", "4명"], "명", [3, 4]),
    ],
)
@pytest.mark.parametrize("source", SOURCES)
def test_the_unit_of_a_column_is_left_out_and_told(tmp_path, source, cells, unit, numbers):
    table = opened(source, {"a": cells, "b": ["1"] * len(cells)}, tmp_path)
    assert table.kind("a") == "number"
    assert table.numbers("a").tolist() == numbers
    (note,) = notation_notes(["a", "b"], table)
    assert (note.code, note.values["unit"], note.values["column"]) == ("note.unit", unit, "a")


@pytest.mark.parametrize(
    "cells",
    [
        ["1st", "2 kg", "3 m", "4 s"],
        ["A1", "A2", "A3"],
        ["2024-01-05", "2024-01-06"],
        ["10-20", "20-30"],
        ["12:30", "12:45"],
        ["x", "y"],
        ["0a", "1a", "2a"],
        ["12b", "14b", "0"],
        ["3я", "4я"],
        ["5 Jan 2024", "6 Jan 2024"],
        ["1Q2024", "2Q2024"],
        ["2D1", "3D4"],
    ],
)
def test_text_with_digits_in_it_stays_text(cells):
    assert read({"a": cells}).kind("a") == "text"


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("cell", ["Total", "mV", "seven", "5 m", "#DIV/0!"])
def test_a_bad_cell_among_numbers_is_named_by_every_source(tmp_path, source, cell):
    table = opened(source, {"a": ["1", "2.5", cell, "4"], "b": ["1", "2", "3", "4"]}, tmp_path)
    with pytest.raises(TableError) as error:
        table.numbers("a")
    assert (error.value.code, error.value.values["found"]) == ("table.bad-cell", cell)
    assert error.value.line == (4 if source in ("csv", "parts", "xlsx") else 3)


def test_a_cell_without_the_columns_unit_is_bad():
    table = read({"a": ["5%", "7%", "0.09", "12%", "14%"]})
    with pytest.raises(TableError) as error:
        table.numbers("a")
    assert (error.value.code, error.value.values["found"]) == ("table.bad-cell", "0.09")


def test_uncertainties_are_left_out_and_told():
    table = read({"a": ["3±0.1", "5 ± 0.1", "7+/-0.2"]})
    assert table.numbers("a").tolist() == [3, 5, 7]
    assert [note.code for note in notation_notes(["a"], table)] == ["note.uncertainty"]


def test_text_that_was_declared_and_begins_with_zeros_is_a_code():
    assert read(pl.DataFrame({"zip": ["01234", "02139"]})).kind("zip") == "text"
    assert read(pl.DataFrame({"a": pl.Series(["1", "2"], dtype=pl.Categorical)})).kind("a") == "text"


def test_most_cells_may_be_what_a_spreadsheet_writes_for_an_error(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b\n#DIV/0!;1\n#DIV/0!;2\n3;3\n", encoding="utf-8")
    with pytest.raises(TableError) as error:
        read(path).numbers("a")
    assert (error.value.code, error.value.line) == ("table.bad-cell", 2)
    path.write_text("a;b\n#N/A;1\n2;2\n3;3\n", encoding="utf-8")
    assert np.isnan(read(path).numbers("a")[0])


@pytest.mark.slow
@pytest.mark.parametrize("size", [1_000, 100_000])
@pytest.mark.parametrize("cell", ["1{}x", "({}", "1{} ", "9{}±", "-{}"])
def test_hostile_cells_are_no_numbers(size, cell):
    text = pl.Series([cell.format(inner * size) for inner in ("1", ",111", " 1", "1 ", "'111", "(")])
    values, bad = parse_numbers(text)
    assert not np.isfinite(values).any() or bad.any()
    assert notation_of(text, ".").plain


# Decimal commas


@pytest.mark.parametrize(
    ("rows", "column"),
    [
        (["0,5;1", "2,250;2", "3,375;3"], "x"),
        (["0,125;1", "0,250;2", "0,375;3,1", "0,500;4,2"], "y"),
        (["1,5;1", "2,5;2", "3;3"], "x"),
        (["1.250,5;1", "3;2", "4;2"], "x"),
        (["1.250.000;1", "3.000.000;2", "2;5"], "x"),
        (["1,125;0,5", "2,250;0,7", "3,375;0,9"], "x"),
        (["1.125;0,5", "2.250;0,7", "3.375;0,9"], "x"),
        (["1,125;0,5", "2,250;x", "3,375;0,9"], "x"),
    ],
)
@pytest.mark.parametrize("parts", [False, True])
def test_a_decimal_comma_is_never_read_as_a_mark_of_thousands(tmp_path, rows, column, parts):
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["x;y", *rows, ""]), encoding="utf-8")
    table = open_scan(path).head if parts else read(path)
    with pytest.raises(TableError) as error:
        table.numbers(column)
    assert (error.value.code, error.value.column) == ("table.decimal-comma", column)
    assert "--decimal ," in error.value.hint()


def test_fractions_below_one_are_read_with_their_comma_and_told(tmp_path, capsys):
    path = tmp_path / "t.csv"
    path.write_text("x;y\n0,125;1\n0,250;2\n0,375;3\n0,500;4\n", encoding="utf-8")
    code, out, _ = called(capsys, "fit", path, "y ~ x", "--json")
    told = json.loads(out)
    assert code == 0
    assert "0,125" in " ".join(told["notes"])
    model = descend.fit("y ~ x", path)
    assert model.coefficients["x"] == pytest.approx(8)


def test_commas_that_could_be_either_are_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x;y\n1,125;1\n2,250;2\n3,375;3\n", encoding="utf-8")
    assert [note.code for note in descend.fit("y ~ x", path).notes if note.code.startswith("note.")] == [
        "note.comma-thousands"
    ]
    path.write_text("x;y\n1,125;1.5\n2,250;2.5\n3,375;3.5\n", encoding="utf-8")
    assert not [note for note in descend.fit("y ~ x", path).notes if note.code.startswith("note.")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x;y\n1.500;3\n2.250;4\n3.750;7\n", True),
        ("x;y\n1.500;3.5\n2.250;4.5\n3.750;7.5\n", False),  # the other column has decimal points
        ("x;y\n1.500;3\n2.25;4\n3.750;7\n", False),
        ("x,y\n1.500,3\n2.250,4\n3.750,7\n", False),  # where commas cut the cells, points are decimal marks
    ],
)
@pytest.mark.parametrize("memory", [None, "1KB"])
def test_points_that_could_be_marks_of_thousands_are_told(tmp_path, text, told, memory):
    path = tmp_path / "t.csv"
    path.write_text(text)
    notes = descend.fit("y ~ x", path, test="none", memory=memory).notes
    assert [note.values["number"] for note in notes if note.code == "note.point-decimal"] == ["1.5"] * told


def test_a_quoted_decimal_comma_in_a_file_cut_by_commas_names_both_options(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('x,y\n"1,5",1\n"2,5",2\n"3,5",4\n', encoding="utf-8")
    with pytest.raises(TableError) as error:
        descend.fit("y ~ x", path)
    assert "--decimal , --delimiter ," in error.value.hint()
    assert descend.fit("y ~ x", read(path, decimal=",", delimiter=",")).coefficients["x"] == pytest.approx(1.5)


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_is_judged_by_its_commas(tmp_path, source):
    table = opened(source, {"a": ["1,5", "2,5", "3,5"], "b": ["1", "2", "3"]}, tmp_path)
    with pytest.raises(TableError) as error:
        table.kind("a")
    assert error.value.code == "table.decimal-comma"


def test_frames_and_sheets_have_a_decimal_mark_too(tmp_path):
    assert read({"a": ["1,5", "2.000,5"]}, decimal=",").numbers("a").tolist() == [1.5, 2000.5]
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": ["1,5", "2,5"]}).write_parquet(path)
    assert open_scan(path, decimal=",").head.numbers("a").tolist() == [1.5, 2.5]


# Targets


@pytest.mark.parametrize("rows", [5, 30])
def test_a_target_that_looks_like_numbers_is_never_a_class(rows):
    units = ["$", "€", "£", "¥"]
    table = {"x": list(range(rows)), "y": [f"{units[i % 4]}{i + 10}" for i in range(rows)]}
    with pytest.raises(TableError) as error:
        descend.fit("y ~ x", table)
    assert (error.value.code, error.value.values["first"], error.value.values["found"]) == (
        "table.like-numbers",
        "$10",
        "€11",
    )


@pytest.mark.parametrize("cell", ["<{}.5", "~{}", "≥ {}", "{}.5***", "{}.2×10^3", "{}.2 x 10⁻³", "12,34,{}56"])
def test_a_target_of_marked_numbers_is_never_a_class(cell):
    table = {"x": list(range(60)), "y": [cell.format(i % 20 + 1) for i in range(60)]}
    with pytest.raises(TableError) as error:
        descend.fit("y ~ x", table)
    assert error.value.code == "table.like-numbers"


def test_classes_that_are_marked_numbers_and_few_stay_classes():
    table = {"x": list(range(12)), "y": ["<18", "18-65", ">65"] * 4}
    assert descend.fit("y ~ x", table, l2=0.1, test="none").family == "softmax"


@pytest.mark.parametrize("source", SOURCES)
def test_brackets_that_are_a_minus_are_told_where_nothing_says_that_these_are_amounts(tmp_path, source):
    table = opened(source, {"a": ["(1)", "(2)", "3"], "b": ["$1", "$2", "($3)"]}, tmp_path)
    assert table.numbers("a").tolist() == [-1, -2, 3]
    assert table.numbers("b").tolist() == [1, 2, -3]
    notes = notation_notes(["a", "b"], table)
    assert [(note.code, note.values["column"]) for note in notes] == [("note.brackets", "a"), ("note.unit", "b")]


def test_classes_that_are_counted_stay_classes():
    table = {"x": list(range(12)), "y": ["1st", "2nd", "3rd", "2nd"] * 3}
    assert descend.fit("y ~ x", table, test="none").family == "softmax"


def test_the_unit_settled_by_the_first_rows_holds_for_every_part(tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"{i} km,{2 * i + 1}" for i in range(12_000)]
    path.write_text("\n".join(["x,y", *rows, ""]), encoding="utf-8")
    small = descend.fit("y ~ x", path, memory="1 KB", test="none")
    whole = descend.fit("y ~ x", path, test="none")
    assert small.coefficients["x"] == pytest.approx(whole.coefficients["x"])
    assert [note.code for note in small.notes] == [note.code for note in whole.notes]
    path.write_text("\n".join(["x,y", *rows, "7 m,3", ""]), encoding="utf-8")
    for memory in ("1 KB", None):
        with pytest.raises(TableError) as error:
            descend.fit("y ~ x", open_rows(path, memory=memory))
        assert (error.value.code, error.value.line, error.value.values["found"]) == ("table.bad-cell", 12_002, "7 m")


def test_a_notation_says_whether_something_stands_around_the_numbers():
    assert Notation().plain
    assert not Notation(after="%").plain
