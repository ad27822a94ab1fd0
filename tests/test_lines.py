"""Which lines of a file are its table: told by options, recognised, or asked for by name, in memory and in parts."""

import sqlite3
from contextlib import closing

import polars as pl
import pytest
import xlsxwriter
from conftest import called

import descend
from descend.base.errors import OptionError, TableError
from descend.tables.find_files import find_files
from descend.tables.open import open_rows, read
from descend.tables.reading_options import ReadingOptions
from descend.tables.scans.text import TextScan
from descend.tables.text.table_lines import Layout

ROADS = ["memory", "parts"]


def opened(path, road, **layout):
    """Return a text file's rows in memory, or its parts as one frame with the table of its last part."""
    if road == "memory":
        table = read(path, **layout)
        return table, table.frame
    scan = TextScan.of(path.name, find_files(str(path)), ReadingOptions(layout=Layout(**layout)), piece=1)
    tables = [part.table() for part in scan.parts(scan.head.columns)]
    assert scan.rows == sum(table.rows for table in tables)
    return scan.head, pl.concat([table.frame for table in tables])


TABLE = "t,v\n0,1\n1,3.5\n2,5\n3,7\n4,9.5\n5,11\n"
ROWS = {"t": list("012345"), "v": ["1", "3.5", "5", "7", "9.5", "11"]}


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("text", "layout"),
    [
        (TABLE, {}),
        (f"Report\nof 2020\n{TABLE}", {"skip_rows": 2}),
        (f"Report, of, 2020\n\n{TABLE}", {"header_row": 3}),
        (f"{TABLE}Total,37\nsource: us\n", {"skip_footer": 2}),
        (f"{TABLE}\n\nTotal,37\n\n", {"skip_footer": 1}),
        (f"# one\n# \"two, three'\n{TABLE}# four\n  # five\n", {"comment": "#"}),
        (TABLE.replace("t,v\n", "t,v\ns,mV\n"), {"header_row": 1, "skip_rows": 2}),
        (f"x\n// y\n{TABLE}// z\nTotal,1\n".replace("t,v\n", "t,v\ns,mV\n"),
         {"header_row": 3, "skip_rows": 4, "comment": "//", "skip_footer": 1}),
    ],
)  # fmt: skip
def test_lines_that_are_none_of_the_table_are_left_out(tmp_path, road, end, text, layout):
    path = tmp_path / "t.csv"
    path.write_bytes(text.replace("\n", end).encode())
    _, frame = opened(path, road, **layout)
    assert frame.to_dict(as_series=False) == ROWS


@pytest.mark.parametrize("road", ROADS)
def test_the_lines_that_are_left_keep_their_numbers(tmp_path, road):
    path = tmp_path / "t.csv"
    path.write_text("Report\n# x\nt,v\ns,mV\n0,1\n# y\n1,oops\n2,3\n4,5\nTotal,3\n", encoding="utf-8")
    layout = {"header_row": 3, "skip_rows": 4, "comment": "#", "skip_footer": 1}
    memory = None if road == "memory" else "1 B"
    code = "table.bad-cell"
    with pytest.raises(TableError) as error:
        descend.fit("v ~ t", descend.tables.open.open_rows(path, "v ~ t", memory=memory, **layout))
    assert (error.value.code, error.value.line) == (code, 7)


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        (f"Report of 2020\nby us\n{TABLE}", "table.preamble", "--header-row 3"),
        (f"Report of 2020\nby us\n{TABLE}".replace(",", ";"), "table.preamble", "--header-row 3"),
        ("Report,x\nt,v,w\n0,1,2\n3,4,5\n6,7,8\n", "table.preamble", "--header-row 2"),
        (f"# made by us\n{TABLE}", "table.comments", "--comment '#'"),
        (TABLE.replace("2,5", "# pause\n2,5"), "table.comments", "--comment '#'"),
        (f"{TABLE}Source: us\n", "table.footer", "--skip-footer 1"),
        (f"{TABLE}\nSource: us\nseen\n", "table.footer", "--skip-footer 2"),
        (f"Report,\n,\n{TABLE}", "table.double-header", "--header-row 3"),
        ("A,,B,\nt,v,t,v\n1,2,3,4\n5,6,7,8\n", "table.double-header", "--header-row 2"),
    ],
)
def test_what_seems_to_be_no_row_is_named_with_its_option(tmp_path, road, text, code, hint):
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TableError) as error:
        opened(path, road)
    assert error.value.code == code
    assert hint in error.value.hint()
    assert hint in error.value.hint("ko")


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("header", ["t,v\n", "t,v,\n", "\n\nt,v\n\n\n"])
def test_a_delimiter_behind_every_row_is_no_cell(tmp_path, road, header):
    path = tmp_path / "t.csv"
    path.write_text(header + TABLE.partition("\n")[2].replace("\n", ",\n"), encoding="utf-8")
    _, frame = opened(path, road)
    assert frame.to_dict(as_series=False) == ROWS


@pytest.mark.parametrize("road", ROADS)
def test_columns_aligned_by_spaces_are_cut_at_their_runs(tmp_path, road):
    path = tmp_path / "t.txt"
    text = "".join("   ".join(f"{cell:>6}" for cell in line.split(",")) + "\n" for line in TABLE.splitlines())
    path.write_text(text, encoding="utf-8")
    table, frame = opened(path, road)
    assert frame.to_dict(as_series=False) == ROWS
    assert [note.code for note in table.notes] == ["note.aligned"]
    path.write_text('name     n\n"a b"    1\n  c    2\n', encoding="utf-8")
    assert read(path, delimiter="space").frame.to_dict(as_series=False) == {"name": ["a b", "c"], "n": ["1", "2"]}


@pytest.mark.parametrize(
    "text", ["text\nhello world\nhow are\n", "first name\nAda Lovelace\nAlan Turing\n", "a\n1 234\n"]
)
def test_words_are_no_columns(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    assert len(read(path).columns) == 1


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("heading", ["", "Unnamed: 0"])
@pytest.mark.parametrize("numbers", [range(6), range(1, 7), [3, 0, 5, 1, 4, 2]])
def test_a_nameless_first_column_of_row_numbers_is_left_out_of_the_dot(tmp_path, road, heading, numbers):
    path = tmp_path / "t.csv"
    head, *rows = TABLE.splitlines()
    lines = [f"{heading},{head}", *(f"{number},{row}" for number, row in zip(numbers, rows, strict=True))]
    path.write_text("\n".join(lines), encoding="utf-8")
    rows = descend.tables.open.open_rows(path, memory=None if road == "memory" else "1 B")
    model = descend.fit("v ~ .", rows)
    assert list(model.coefficients) == ["(intercept)", "t"]
    assert "note.row-numbers" in [note.code for note in model.notes]
    model.save(tmp_path / "m.safetensors")
    assert descend.load(tmp_path / "m.safetensors").predict(path) == pytest.approx(model.predict(path))
    assert list(descend.fit("v ~ `(row)`", path).coefficients) == ["(intercept)", "(row)"]


@pytest.mark.parametrize("cells", ["a,b,c", "1,1,2", "0.5,1.5,2"])
def test_a_nameless_first_column_of_anything_else_keeps_its_place(tmp_path, cells):
    path = tmp_path / "t.csv"
    path.write_text(",v\n" + "".join(f"{cell},1\n" for cell in cells.split(",")), encoding="utf-8")
    assert read(path).columns == ["column1", "v"]


def sheet(path, rows, merged=()):
    with xlsxwriter.Workbook(path) as book:
        made = book.add_worksheet()
        for place, text in merged:
            made.merge_range(place, text)
        for row, cells in rows:
            made.write_row(row, 0, cells)
    return path


def test_a_sheets_rows_are_chosen_as_a_text_files_lines_are(tmp_path):
    rows = [["Report"], [], ["t", "v"], ["s", "mV"], [1, 2], [3, 4], ["Total", 6]]
    path = sheet(tmp_path / "t.xlsx", enumerate(rows))
    with pytest.raises(TableError) as error:
        read(path)
    assert (error.value.code, error.value.hint()) == ("table.double-header", "add --header-row 3")
    table = read(path, header_row=3, skip_rows=4, skip_footer=1)
    assert (table.numbers("t").tolist(), table.numbers("v").tolist()) == ([1, 3], [2, 4])


def test_a_merged_header_names_the_row_below_it(tmp_path, capsys):
    rows = enumerate([["t", "v", "u", "w"], [1, 2, 3, 4], [5, 6, 7, 8], [6, 8, 1, 2]], start=1)
    path = sheet(tmp_path / "t.xlsx", rows, [("A1:B1", "Group A"), ("C1:D1", "Group B")])
    code, _, err = called(capsys, "fit", path, "v ~ t")
    assert code == 1
    assert "--header-row 2" in err
    assert called(capsys, "fit", path, "v ~ t", "--header-row", 2)[0] == 0


def test_a_sheets_row_numbers_are_left_out_of_the_dot(tmp_path):
    path = sheet(tmp_path / "t.xlsx", enumerate([[None, "t", "v"], [0, 1, 2], [1, 2, 4], [2, 3, 6]]))
    assert list(descend.fit("v ~ .", path).coefficients) == ["(intercept)", "t"]


@pytest.mark.parametrize(
    "options",
    [
        {"skip_rows": -1},
        {"header_row": 0},
        {"skip_footer": 1.5},
        {"comment": ""},
        {"comment": "주석"},
        {"skip_rows": True},
    ],
)
def test_a_layout_that_makes_no_sense_is_refused(tmp_path, options):
    path = tmp_path / "t.csv"
    path.write_text(TABLE, encoding="utf-8")
    with pytest.raises(OptionError) as error:
        read(path, **options)
    assert error.value.code in ("option.lines", "option.comment")


def test_every_command_that_reads_a_table_takes_the_layout(tmp_path, capsys):
    path, model = tmp_path / "t.csv", tmp_path / "m.safetensors"
    path.write_text(f"Report\n{TABLE}Total,37\n", encoding="utf-8")
    layout = ["--skip-rows", 1, "--skip-footer", 1]
    assert called(capsys, "fit", path, "v ~ t", "--out", model, *layout)[0] == 0
    for command in (["predict", model, path], ["evaluate", model, path], ["forecast", path, "v ~ t"]):
        assert called(capsys, *command, *layout)[0] == 0, command
    assert called(capsys, "compare", path, "v ~ t", "v ~ 1", *layout)[0] == 0


@pytest.mark.parametrize("option", [{"skip_rows": 1}, {"header_row": 2}, {"comment": "#"}, {"skip_footer": 1}])
@pytest.mark.parametrize("kind", ["parquet", "parts", "json", "db", "query", "frame"])
def test_an_option_about_lines_is_refused_where_a_source_has_none(tmp_path, kind, option):
    frame = pl.DataFrame({"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 4.0]})
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_json(tmp_path / "t.json")
    with closing(sqlite3.connect(tmp_path / "t.db")) as connection:
        connection.execute("create table t (x, y)")
        connection.executemany("insert into t values (?, ?)", frame.rows())
        connection.commit()
    how = {"parts": {"memory": "1KB"}, "query": {"query": "select * from t"}}.get(kind, {})
    name = {"parts": "t.parquet", "query": "t.db"}.get(kind, f"t.{kind}")
    source = frame if kind == "frame" else tmp_path / name
    with pytest.raises(OptionError) as caught:
        open_rows(source, "y ~ x", **how, **option)
    assert caught.value.code == "option.no-effect"


@pytest.mark.parametrize("lines", [2**31, 2**62])
@pytest.mark.parametrize("option", ["skip_rows", "header_row", "skip_footer"])
@pytest.mark.parametrize("kind", ["csv", "parts", "xlsx"])
def test_more_lines_than_a_file_has_leave_nothing_of_it(tmp_path, kind, option, lines):
    frame = pl.DataFrame({"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 4.0]})
    path = tmp_path / f"t.{'xlsx' if kind == 'xlsx' else 'csv'}"
    if kind == "xlsx":
        frame.write_excel(path)
    else:
        frame.write_csv(path)
    with pytest.raises(TableError) as caught:
        open_rows(path, "y ~ x", memory="1KB" if kind == "parts" else None, **{option: lines})
    assert caught.value.code in {"table.empty", "table.no-rows"}


def test_a_cell_of_a_workbook_is_named_by_the_row_that_it_shows(tmp_path):
    path = tmp_path / "t.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for line, cells in {3: ["x", "y"], 4: [1, 2], 6: [3, 4], 7: [4, 6], 9: ["Total", 12]}.items():
            for column, cell in enumerate(cells):
                sheet.write(line - 1, column, cell)
    for layout in ({}, {"header_row": 3}, {"skip_rows": 2}):
        table = read(path, **layout)
        assert table.columns == ["x", "y"]
        with pytest.raises(TableError) as caught:
            table.numbers("x")
        assert (caught.value.code, caught.value.line) == ("table.bad-cell", 9)
    assert read(path, skip_footer=1).numbers("x").tolist() == [1, 3, 4]
