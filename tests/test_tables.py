"""Reading tables: every kind of file and object, typed columns, missing cells, and errors that say where."""

import gzip
import json
import sqlite3
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xlsxwriter
from sklearn import datasets

from descend.base.errors import OptionError, TableError
from descend.tables.columns import gather
from descend.tables.open import read
from descend.tables.table import Table

KOREAN = "시간,점수\n1,10\n2,20\n"
FRAME = pl.DataFrame({"hours": [1, 2, 3], "score": [1.5, None, 3.5], "group": ["x", None, "y"]})
BINARY = {
    "t.parquet": FRAME.write_parquet,
    "t.feather": FRAME.write_ipc,
    "t.arrow": FRAME.write_ipc,
    "t.ndjson": FRAME.write_ndjson,
    "t.jsonl": FRAME.write_ndjson,
    "t.json": FRAME.write_json,
    "t.xlsx": FRAME.write_excel,
}


@pytest.fixture
def save(tmp_path):
    """Return a function that writes text or bytes to a file and gives its path."""

    def write(content, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


@pytest.fixture
def database(tmp_path):
    """Return a function that writes tables, by name, to an SQLite file and gives its path."""

    def write(journal="delete", **tables):
        path = tmp_path / "school.db"
        connection = sqlite3.connect(path)
        connection.execute(f"pragma journal_mode={journal}")
        for name, rows in tables.items():
            connection.execute(f'create table "{name}" (hours, score)')
            connection.executemany(f'insert into "{name}" values (?, ?)', rows)
        connection.commit()
        connection.close()
        return path

    return write


def cells(table):
    return table.frame.to_dict(as_series=False)


def values(table, column):
    return [None if np.isnan(value) else value for value in table.numbers(column).tolist()]


def refused(source, **options):
    """Return the TableError that reading raises."""
    with pytest.raises(TableError) as error:
        read(source, **options)
    assert str(error.value)
    return error.value


def noted(table):
    return [note.code for note in table.notes]


# Delimiters, quotes, headers


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(save, delimiter):
    table = read(save("hours,score\n1,10\n2,20\n".replace(",", delimiter)))
    assert cells(table) == {"hours": ["1", "2"], "score": ["10", "20"]}


@pytest.mark.parametrize("delimiter", ["tab", "\\t", "\t"])
def test_a_tab_can_be_named_in_three_ways(save, delimiter):
    assert read(save("a\tb,c\n1\t2\n"), delimiter=delimiter).columns == ["a", "b,c"]


def test_a_delimiter_that_is_given_wins_over_the_one_that_looks_likelier(save):
    assert cells(read(save("a,b|c\n1,2|3\n"), delimiter="|")) == {"a,b": ["1,2"], "c": ["3"]}


@pytest.mark.parametrize("delimiter", ["", ",,", "é", "\n", "\r", '"'])
def test_a_delimiter_that_cannot_be_one_is_an_option_error(save, delimiter):
    with pytest.raises(OptionError) as error:
        read(save("a,b\n1,2\n"), delimiter=delimiter)
    assert error.value.code == "option.delimiter"
    assert error.value.values["value"] == delimiter


def test_one_column_needs_no_delimiter(save):
    assert cells(read(save("hours\n1\n2\n"))) == {"hours": ["1", "2"]}


@pytest.mark.parametrize("quote", ['"', "'"])
def test_quotes_hold_delimiters_and_line_ends(save, quote):
    table = read(save("name,n\n'x, y',1\n'two\nlines',2\n".replace("'", quote)))
    assert cells(table) == {"name": ["x, y", "two\nlines"], "n": ["1", "2"]}


def test_a_quote_within_quotes_is_written_twice(save):
    assert cells(read(save('a,b\n"say ""hi""",1\n')))["a"] == ['say "hi"']


def test_an_apostrophe_in_a_word_is_no_quote(save):
    assert cells(read(save("a,b\nit's,1\nthat's,2\n")))["a"] == ["it's", "that's"]


def test_a_file_of_numbers_only_has_no_header_and_a_note_says_so(save):
    table = read(save('1,"2,000"\n-3.5,4e2\n'))
    assert table.columns == ["x1", "x2"]
    assert values(table, "x2") == [2000, 400]
    assert noted(table) == ["note.no-header"]


@pytest.mark.parametrize(
    ("header", "columns", "rows"),
    [(None, ["x1", "x2"], 2), (True, ["2019", "2020"], 1), (False, ["x1", "x2"], 2)],
)
def test_the_header_is_found_out_or_given(save, header, columns, rows):
    table = read(save("2019,2020\n1,2\n"), header=header)
    assert (table.columns, table.rows) == (columns, rows)


def test_without_a_header_a_text_row_is_data(save):
    assert cells(read(save("a,b\nc,d\n"), header=False)) == {"x1": ["a", "c"], "x2": ["b", "d"]}


def test_header_cells_are_trimmed(save):
    assert read(save(" hours ,\tscore\n1,2\n"), delimiter=",").columns == ["hours", "score"]


def test_repeated_and_empty_header_cells_get_names_of_their_own(save):
    table = read(save("a,a,a_2,,column4, a \n1,2,3,4,5,6\n"))
    assert len(set(table.columns)) == 6
    assert [table.columns[i] for i in (0, 2, 4)] == ["a", "a_2", "column4"]
    assert cells(table) == {name: [str(i + 1)] for i, name in enumerate(table.columns)}
    assert noted(table) == ["note.repeated-header", "note.empty-header", "note.repeated-header"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_on_any_system(save, end):
    table = read(save(end.join(["a,b", "1,x", "", "2,y", ""])))
    assert cells(table) == {"a": ["1", "2"], "b": ["x", "y"]}


def test_line_ends_that_were_translated_twice_lose_no_row(save):
    table = read(save("a,b\r\r\n1,2\r\r\n\r\r\n3,4\r\r\n5,6\r\r\n"))
    assert values(table, "a") == [1, 3, 5]
    assert values(table, "b") == [2, 4, 6]


@pytest.mark.parametrize("text", ["\n\na,b\n1,x\n", "a,b\n\n\n1,x\n", "a,b\n1,x\n\n\n", "\r\na,b\r\n\r\n1,x\r\n\r\n"])
def test_blank_lines_anywhere_are_no_rows(save, text):
    assert cells(read(save(text))) == {"a": ["1"], "b": ["x"]}


def test_blank_lines_leave_rows_whose_last_cell_is_missing_alone(save):
    assert cells(read(save("a,b\n\n1,\n\n2,x\n\n3,\n"))) == {"a": ["1", "2", "3"], "b": [None, "x", None]}


def test_a_table_may_begin_far_down_the_file(save):
    assert cells(read(save("\n" * 70_000 + "a,b\n1,x\n"))) == {"a": ["1"], "b": ["x"]}


@pytest.mark.parametrize("mark", ["PAR1", "FEA1", "ARROW1"])
def test_a_header_that_begins_like_another_kind_of_file_is_still_text(save, mark):
    assert read(save(f"{mark},score\n1,2\n")).columns == [mark, "score"]


# Encodings


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8-sig", b""),
        ("utf-16-le", b""),
        ("utf-16-be", b""),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("cp949", b""),
        ("euc-kr", b""),
    ],
)
@pytest.mark.parametrize("text", ["hours,점수\n1,10\n2,20\n", "키,점수\n1,10\n2,20\n", KOREAN])
def test_the_encoding_is_found_out(save, encoding, mark, text):
    table = read(save(mark + text.encode(encoding)))
    assert table.columns == text.split("\n")[0].split(",")
    assert values(table, "점수") == [10, 20]
    assert noted(table) == ([] if encoding.startswith("utf-8") else ["note.encoding"])


def test_syllables_that_only_cp949_has_are_read(save):
    assert cells(read(save("글자,수\n똠,1\n펲,2\n", encoding="cp949")))["글자"] == ["똠", "펲"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp949"])
def test_an_encoding_that_is_given_is_used_and_leaves_no_mark_in_the_header(save, encoding):
    assert read(save(KOREAN, encoding=encoding), encoding=encoding).columns == ["시간", "점수"]


def test_an_encoding_that_no_letters_tell_is_read_when_named(save):
    path = save("город,n\nМосква,1\n", encoding="cp1251")
    assert refused(path).code == "table.undecodable"
    assert cells(read(path, encoding="cp1251"))["город"] == ["Москва"]


def test_bytes_that_are_not_of_the_given_encoding_are_named_by_line(save):
    error = refused(save("a,b\nx,1\né,2\n", encoding="latin-1"), encoding="utf-8")
    assert (error.code, error.line, error.values["encoding"]) == ("table.wrong-encoding", 3, "utf-8")


@pytest.mark.parametrize("encoding", ["no-such-encoding", "base64", "\0"])
def test_an_encoding_that_is_none_is_an_option_error(save, encoding):
    with pytest.raises(OptionError) as error:
        read(save("a,b\n1,2\n"), encoding=encoding)
    assert error.value.code == "option.encoding"


@pytest.mark.parametrize(
    ("encoding", "cell"), [("utf-7", "+2AA-"), ("raw_unicode_escape", "\\ud800"), ("punycode", "-,")]
)
def test_text_that_a_named_encoding_turns_into_no_characters_is_refused(save, encoding, cell):
    assert refused(save(f"a,b\n{cell},2\n"), encoding=encoding).code == "table.wrong-encoding"


def test_zero_bytes_are_not_text(save):
    assert refused(save(b"a,b\n1,2\n3,\x00\n")).code == "table.binary"


# Ragged rows and broken files


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("lines", "line", "found"),
    [
        (["a,b", "1,2", "1,2,3"], 3, 3),
        (["a,b", "1,2", "1"], 3, 1),
        (["a,b", "1,2", "1,2,", "3,4"], 3, 3),
        (["a,b", "1,2", "1,2,"], 3, 3),
        (["a,b", "", "", "1,2", "", "1,2,3", "1,2"], 6, 3),
        (["", "a,b", "", "1", "1,2"], 4, 1),
        (["a,b", '"two', 'lines",2', "1,2,3", "4,5"], 4, 3),
        (["a,b", '"three', "", 'lines",2', "", '"a', 'b",1', "1", "4,5"], 8, 1),
        (['"a', 'b",c', "1", "2,3"], 3, 1),
    ],
)
def test_a_ragged_row_is_named_by_its_line(save, lines, line, found, end):
    error = refused(save(end.join([*lines, ""])), delimiter=",", header=True)
    assert (error.code, error.line) == ("table.ragged", line)
    assert (error.values["found"], error.values["expected"]) == (found, 2)


def test_a_ragged_last_row_is_found_without_a_line_end_after_it(save):
    error = refused(save("a,b\n1,2\n1,2,"))
    assert (error.code, error.line, error.values["found"]) == ("table.ragged", 3, 3)


def test_a_ragged_row_that_holds_line_ends_is_named_by_the_line_where_it_begins(save):
    assert refused(save('a,b\n1,2\n"x\ny",3,4\n5,6\n')).line == 3


def test_a_quote_that_is_left_open_is_named_by_the_line_where_its_row_begins(save):
    error = refused(save('a,b\n1,2\n"3,4\n5,6\n'))
    assert (error.code, error.line) == ("table.open-quote", 3)


def test_a_quote_left_open_in_the_last_column_is_never_read_as_a_cell(save):
    assert refused(save('a,b\n1,"2\n3,4\n')).code in ("table.open-quote", "table.unreadable")


@pytest.mark.parametrize("cell", ['"5" pipe"', '"John "Johnny" Smith"', '""b""'])
def test_a_quote_within_quotes_that_is_written_once_never_changes_a_cell_or_joins_rows(save, cell):
    error = refused(save(f"name,n\nx,1\n{cell},2\n{cell},3\n"))
    assert (error.code, error.line) == ("table.open-quote", 3)


@pytest.mark.parametrize(("text", "code"), [("", "table.empty"), (" \n\n", "table.empty"), ("a,b\n", "table.no-rows")])
def test_a_file_without_rows_is_refused(save, text, code):
    error = refused(save(text, "scores.csv"))
    assert (error.code, error.values["file"]) == (code, "scores.csv")


def test_a_missing_file_a_folder_and_an_impossible_name_are_told_apart(tmp_path):
    assert refused(tmp_path / "none.csv").code == "table.not-found"
    assert refused(tmp_path).code == "table.folder"
    assert refused("a\0b.csv").code == "table.no-access"


def test_a_model_file_is_not_taken_for_a_table(save):
    assert refused(save(b"\x10\0\0\0\0\0\0\0{}", "fit.safetensors")).code == "table.is-model"


@pytest.mark.parametrize("decimal", ["", ";", "point"])
def test_a_decimal_mark_is_a_point_or_a_comma(save, decimal):
    with pytest.raises(OptionError) as error:
        read(save("a\n1\n"), decimal=decimal)
    assert (error.value.code, error.value.values["value"]) == ("option.decimal", decimal)


# Kinds of columns and numbers


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (["1", "2.5", ""], "number"),
        (["1", "2", "x"], "number"),
        (["1", "x", "y"], "text"),
        (["1", "x"], "text"),
        (["a", "b"], "text"),
        (["true", "FALSE", "NA"], "boolean"),
        (["true", "1"], "text"),
        (["NA", "-", "1"], "number"),
        (["2024-01-05", "2024-01-06"], "text"),
    ],
)
def test_the_kind_of_a_text_files_column_follows_most_of_its_cells(save, column, kind):
    assert read(save("a;b\n" + "".join(f"{cell};0\n" for cell in column))).kind("a") == kind


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ([1, 2], "number"),
        ([1.5, None], "number"),
        ([None, None], "number"),
        ([True, None], "boolean"),
        (["1", "2"], "number"),
        ([date(2024, 1, 5)], "other"),
        ([[1, 2], [3]], "other"),
        ([{"a": 1}], "other"),
        ([b"x"], "other"),
    ],
)
def test_the_kind_of_a_column_in_memory_follows_its_type_and_that_of_text_its_cells(column, kind):
    assert read({"a": column}).kind("a") == kind


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("5", 5),
        ("+5", 5),
        (" 5 ", 5),
        ("5.", 5),
        (".5", 0.5),
        ("-1.5e-3", -0.0015),
        ("1E2", 100),
        ("−5", -5),
        ("1,234", 1234),
        ("-1,234,567.5", -1234567.5),
        ("1 234", 1234),
        ("1\u00a0234", 1234),
        ("00012", 12),
        ("9007199254740992", 2**53),
    ],
)
def test_a_number_is_read_as_people_write_it(save, cell, number):
    assert values(read(save(f"a;b\n{cell};1\n")), "a") == [number]


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1,5", 1.5),
        ("-,5", -0.5),
        ("1.234,5", 1234.5),
        ("1.234", 1234),
        ("1 234,5", 1234.5),
        ("1,5e3", 1500),
        ("7", 7),
    ],
)
def test_a_decimal_comma_is_read_when_asked_for(save, cell, number):
    assert values(read(save(f"a;b\n{cell};1\n"), decimal=","), "a") == [number]


def test_a_decimal_comma_is_never_the_delimiter(save):
    table = read(save("1,5;2,5\n3,5;4,5\n"), decimal=",")
    assert values(table, "x1") == [1.5, 3.5]
    assert values(table, "x2") == [2.5, 4.5]


@pytest.mark.parametrize(
    ("cell", "decimal"),
    [
        (cell, ".")
        for cell in [
            "x",
            "12,34",
            "1,2345",
            "1.2.3",
            "1_000",
            "0x10",
            "5%",
            "--5",
            "1e",
            "inf",
            "-inf",
            "1e400",
        ]
    ]
    + [(cell, ",") for cell in ["1.5", "12.34", "1,5,2", "1'234"]],
)
def test_a_cell_that_is_no_finite_number_is_named(save, cell, decimal):
    table = read(save(f"a;b\n1;1\n2;2\n{cell};3\n4;4\n", "scores.csv"), decimal=decimal)
    with pytest.raises(TableError) as error:
        table.numbers("a")
    assert error.value.code == "table.bad-cell"
    assert (error.value.line, error.value.column) == (4, "a")
    assert error.value.values | {"file": "scores.csv", "found": cell, "count": 1} == error.value.values


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_line_of_a_bad_cell_counts_blank_lines_and_lines_within_quotes(save, end):
    lines = ["name,n", '"two', 'lines",1', "", "", "x,2", '"three', "", 'lines",oops', "y,3", "z,4"]
    table = read(save(end.join(lines)))
    with pytest.raises(TableError) as error:
        table.numbers("n")
    assert (error.value.code, error.value.line, error.value.values["found"]) == ("table.bad-cell", 7, "oops")


def test_the_line_of_a_bad_cell_is_right_without_a_header(save):
    table = read(save("1,2\n\n3,4\n5,6\n7,x\n"))
    with pytest.raises(TableError) as error:
        table.numbers("x2")
    assert (error.value.line, error.value.column) == (5, "x2")


def test_the_first_bad_cell_is_named_and_all_are_counted(save):
    table = read(save("a,b\n" + "1,1\n" * 5 + "x,1\ny,1\n"))
    with pytest.raises(TableError) as error:
        table.numbers("a")
    assert (error.value.line, error.value.values["found"], error.value.values["count"]) == (7, "x", 2)


def test_a_long_bad_cell_is_shortened(save):
    table = read(save("a,b\n1,1\n2,1\n" + "x" * 500 + ",1\n"))
    with pytest.raises(TableError) as error:
        table.numbers("a")
    assert error.value.values["found"] == "x" * 39 + "…"


def test_columns_that_are_not_used_never_raise(save):
    table = read(save("a,b\n1,2\n2,oops\n3,4\n"))
    assert values(table, "a") == [1, 2, 3]


@pytest.mark.parametrize("first", ["", "NA", "5"])
def test_asking_a_text_column_for_numbers_names_its_first_text(save, first):
    table = read(save(f"a,b\n{first},1\nx,2\ny,3\n"))
    with pytest.raises(TableError) as error:
        table.numbers("a")
    assert error.value.code == "table.not-numbers"
    assert (error.value.line, error.value.column, error.value.values["found"]) == (3, "a", "x")


def test_dates_are_no_numbers_and_their_labels_are_as_iso_8601_writes_them():
    table = read({"day": [date(2024, 1, 5), None], "at": [datetime(2024, 1, 5), datetime(2024, 1, 5, 12, 30, 0, 500)]})
    for column in ("day", "at"):
        with pytest.raises(TableError) as error:
            table.numbers(column)
        assert (error.value.code, error.value.column) == ("table.no-category", column)
    assert table.labels("day").to_list() == ["2024-01-05", None]
    assert table.labels("at").to_list() == ["2024-01-05", "2024-01-05 12:30:00.0005"]


def test_an_infinite_number_in_memory_is_named_by_its_row():
    with pytest.raises(TableError) as error:
        read({"a": [1.0, np.inf, 2.0]}).numbers("a")
    assert (error.value.code, error.value.line, error.value.values["found"]) == ("table.bad-cell", 2, "inf")


def test_booleans_are_ones_and_zeros_as_numbers(save):
    assert values(read(save("a,b\nTRUE,1\nfalse,2\nNA,3\n")), "a") == [1, 0, None]
    assert values(read({"a": [True, False, None]}), "a") == [1, 0, None]


@pytest.mark.parametrize(
    ("column", "labels"),
    [
        (["2007", "2007.0", "", "2,007"], ["2007", "2007.0", None, "2,007"]),
        (["01234", "1234", "1e3", "1000", "0x3E8"], ["01234", "1234", "1e3", "1000", "0x3E8"]),
        (["9007199254740992", "9007199254740993"], ["9007199254740992", "9007199254740993"]),
        (["0.5", "-0", "NA"], ["0.5", "-0", None]),
        (["TRUE", "FALSE", "-"], ["true", "false", None]),
        (["TRUE", "true", "-"], ["TRUE", "true", None]),
        ([" x ", "X", "na"], ["x", "X", None]),
        (["", "NA"], [None, None]),
        (["\u00e9", "e\u0301", "\ufeffe\u200b\u0301"], ["\u00e9"] * 3),
        (["\uac00", "\u1100\u1161"], ["\uac00"] * 2),
    ],
)
def test_the_label_of_a_cell_of_text_is_what_is_written_there(save, column, labels):
    assert read(save("a;b\n" + "".join(f"{cell};0\n" for cell in column))).labels("a").to_list() == labels


@pytest.mark.parametrize(
    ("column", "labels"),
    [
        ([1, 2, None], ["1", "2", None]),
        ([1.0, np.nan], ["1", None]),
        ([0.1, 1e300, 2.0**60, -0.0], ["0.1", "1e+300", "1152921504606846976", "0"]),
        ([9007199254740992, 9007199254740993, None], ["9007199254740992", "9007199254740993", None]),
        ([9007199254740993, np.nan], ["9007199254740993", None]),
        ([2**64 - 1, 2**64 - 2], ["18446744073709551615", "18446744073709551614"]),
        ([2**100, 2**100 + 1], [str(2**100), str(2**100 + 1)]),
        (np.array([0.1, 3], dtype=np.float32), ["0.1", "3"]),
        ([Decimal("9007199254740993.00"), Decimal("1.50"), None], ["9007199254740993", "1.5", None]),
        ([1, 1.0, "x", np.nan], ["1", "1", "x", None]),
        ([True, None], ["true", None]),
        (["x", " "], ["x", None]),
    ],
)
def test_labels_of_columns_in_memory_are_text(column, labels):
    assert read({"a": column}).labels("a").to_list() == labels


NUMBERED = [
    pl.Series([3, 1, 3, -128, 127], dtype=pl.Int8),
    pl.Series([65_534, 0, 70_000], dtype=pl.UInt32),
    pl.Series([2**53 + 2, 2**53 + 4, 2**53 + 2], dtype=pl.Int64),
    pl.Series([2**64 - 1, 2**64 - 2], dtype=pl.UInt64),
    pl.Series([-(2**40), -(2**40) + 7], dtype=pl.Int64),
    pl.Series([1, None, 0], dtype=pl.Int16),
    pl.Series([0.5, 2.0, 0.5, None]),
    pl.Series([], dtype=pl.Int32),
]


@pytest.mark.parametrize("column", NUMBERED, ids=lambda column: f"{column.dtype} {column.len()}")
def test_labels_are_the_same_where_they_are_packed(column):
    table = Table(pl.DataFrame({"a": column}), "t")
    packed, plain = table.labels("a", packed=True), table.labels("a")
    assert packed.cast(pl.String).to_list() == plain.to_list()
    assert isinstance(packed.dtype, pl.Enum)
    assert set(packed.dtype.categories) == set(plain.drop_nulls())


# Missing cells


@pytest.mark.parametrize(
    "marker", ["", '""', " ", "NA", "na", "N/A", "NaN", "null", "NULL", "None", "-", ".", "?", " NA "]
)
def test_the_usual_markers_mean_a_missing_cell(save, marker):
    table = read(save(f"a,b\n1,x\n{marker},y\n3,{marker}\n"))
    assert values(table, "a") == [1, None, 3]
    assert table.labels("b").to_list() == ["x", "y", None]


def test_ones_own_markers_replace_the_usual_ones(save):
    table = read(save("a,b\n1,-999\n,NA\n3,x\n-999,y\n"), missing=["-999"])
    assert values(table, "a") == [1, None, 3, None]
    assert table.labels("b").to_list() == [None, "NA", "x", "y"]


def test_a_marker_that_was_replaced_is_a_bad_cell(save):
    with pytest.raises(TableError) as error:
        read(save("a,b\n1,1\n2,2\nNA,3\n"), missing=["-999"]).numbers("a")
    assert (error.value.code, error.value.line, error.value.values["found"]) == ("table.bad-cell", 4, "NA")


@pytest.fixture
def gaps(save):
    return read(save("x,y,g\n1,1,a\n\n,2,b\n3,3,\nNA,4,a\n?,5,a\n-,6,a\n"))


def test_missing_cells_are_refused_with_the_first_lines_and_their_count(gaps):
    with pytest.raises(TableError) as error:
        gather({"x": "number"}, gaps)
    assert (error.value.code, error.value.line, error.value.column) == ("table.missing", 4, "x")
    assert (error.value.values["lines"], error.value.values["count"]) == ("4, 6, 7, …", 4)
    assert error.value.values["markers"] == "; 'NA', '?', '-'"


def test_a_few_missing_cells_are_all_named(gaps):
    with pytest.raises(TableError) as error:
        gather({"g": "category"}, gaps, missing="error")
    assert (error.value.code, error.value.values["lines"], error.value.values["count"]) == (
        "table.missing",
        "5",
        1,
    )


def test_columns_without_gaps_are_gathered_whole(gaps):
    data = gather({"y": "number"}, gaps)
    assert (data.numbers["y"].tolist(), len(data), data.notes) == ([1, 2, 3, 4, 5, 6], 6, [])


def test_rows_with_a_gap_are_dropped_from_every_column(gaps):
    data = gather({"x": "number", "y": "number", "g": "category"}, gaps, missing="drop")
    assert data.numbers["y"].tolist() == [1]
    assert data.labels["g"].to_list() == ["a"]
    assert data.rows.tolist() == [0]
    assert [(note.code, note.values) for note in data.notes] == [("note.dropped", {"count": 5, "rows": 6})]


def test_rows_keep_their_lines_after_others_are_dropped_or_taken(gaps):
    data = gather({"x": "number"}, gaps, missing="drop")
    assert data.numbers["x"].tolist() == [1, 3]
    assert [data.line(row) for row in range(2)] == [2, 5]
    assert data.take(np.array([1])).line(0) == 5


def test_gaps_are_filled_with_the_columns_mean(gaps):
    data = gather({"x": "number"}, gaps, missing="mean")
    assert data.numbers["x"].tolist() == [1, 2, 3, 2, 2, 2]
    assert data.means == {"x": 2}
    assert [(note.code, note.values["count"], note.values["mean"]) for note in data.notes] == [("note.filled", 4, 2)]


def test_gaps_are_filled_with_the_mean_that_is_given(gaps):
    assert gather({"x": "number"}, gaps, missing="mean", means={"x": 10.0}).numbers["x"].tolist() == [
        1,
        10,
        3,
        10,
        10,
        10,
    ]


def test_a_column_of_nothing_but_gaps_is_filled_with_the_mean_that_is_given():
    data = gather({"x": "number"}, read({"x": [None]}), missing="mean", means={"x": 10.0})
    assert data.numbers["x"].tolist() == [10]


@pytest.mark.parametrize(("column", "use", "required"), [("g", "category", ()), ("x", "number", ("x",))])
def test_categories_and_targets_have_no_mean_to_be_filled_with(gaps, column, use, required):
    with pytest.raises(TableError) as error:
        gather({column: use}, gaps, missing="mean", required=required)
    assert (error.value.code, error.value.column) == ("table.missing-no-mean", column)


@pytest.mark.parametrize("missing", ["error", "drop", "mean"])
def test_a_column_without_any_value_is_refused(missing):
    with pytest.raises(TableError) as error:
        gather({"x": "number"}, read({"x": [None, None]}), missing=missing)
    assert (error.value.code, error.value.column) == ("table.all-missing", "x")


def test_dropping_every_row_is_refused():
    with pytest.raises(TableError) as error:
        gather({"x": "number", "y": "number"}, read({"x": [1, None], "y": [None, 2]}), missing="drop")
    assert (error.value.code, error.value.values["rows"]) == ("table.all-dropped", 2)


def test_a_policy_that_is_none_is_an_option_error(gaps):
    with pytest.raises(OptionError) as error:
        gather({"x": "number"}, gaps, missing="median")
    assert error.value.code == "option.missing"


# Files of other kinds


@pytest.mark.parametrize("name", BINARY)
def test_every_kind_of_file_gives_the_same_table(tmp_path, name):
    BINARY[name](tmp_path / name)
    table = read(tmp_path / name)
    assert (table.name, table.columns, table.rows) == (name, ["hours", "score", "group"], 3)
    assert [table.kind(column) for column in table.columns] == ["number", "number", "text"]
    assert values(table, "score") == [1.5, None, 3.5]
    assert table.labels("group").to_list() == ["x", None, "y"]


@pytest.mark.parametrize("name", ["t.parquet", "t.json", "t.ndjson", "t.csv"])
def test_gzipped_files_are_read(tmp_path, save, name):
    BINARY.get(name, FRAME.write_csv)(tmp_path / name)
    table = read(save(gzip.compress((tmp_path / name).read_bytes()), f"{name}.gz"))
    assert values(table, "hours") == [1, 2, 3]


def test_lines_are_counted_in_a_gzipped_file_as_in_the_plain_one(save):
    with pytest.raises(TableError) as error:
        read(save(gzip.compress(b"a,b\n\n1,2\n3,4\nx,5\n"), "t.csv.gz")).numbers("a")
    assert error.value.line == 5


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"a,b\n1,2\n", mtime=0)[:-6],
        gzip.compress(b"a,b\n1,2\n", mtime=0)[:-8] + b"\0" * 8,
        b"\x1f\x8b\x08" + b"\0" * 7 + b"\xff" * 8,
        b"\x1f\x8b",
    ],
    ids=["cut short", "wrong checksum", "no deflate stream", "two bytes"],
)
def test_a_damaged_gzip_file_is_refused(save, data):
    error = refused(save(data, "t.csv.gz"))
    assert (error.code, error.values["kind"]) == ("table.damaged", "gzip")


@pytest.mark.parametrize("name", ["t.parquet", "t.feather", "t.xlsx"])
def test_a_file_that_was_cut_short_is_damaged(tmp_path, save, name):
    BINARY[name](tmp_path / name)
    data = (tmp_path / name).read_bytes()
    assert refused(save(data[: len(data) // 2], name)).code == "table.damaged"


def test_a_changed_byte_in_a_feather_file_never_escapes_as_another_error(tmp_path, save):
    FRAME.write_ipc(tmp_path / "whole.feather")
    data = (tmp_path / "whole.feather").read_bytes()
    codes = set()
    for position in range(8, len(data), 5):
        try:
            read(save(data[:position] + b"\xff" + data[position + 1 :], "t.feather"))
        except TableError as error:
            codes.add(error.code)
    assert "table.damaged" in codes


@pytest.mark.parametrize("name", ["noext", "t.csv"])
def test_parquet_is_known_by_its_content_whatever_its_name(tmp_path, name):
    FRAME.write_parquet(tmp_path / name)
    assert values(read(tmp_path / name), "hours") == [1, 2, 3]


def test_an_arrow_stream_is_read(tmp_path):
    FRAME.write_ipc_stream(tmp_path / "t.arrow")
    assert values(read(tmp_path / "t.arrow"), "hours") == [1, 2, 3]


@pytest.mark.parametrize("writer", ["write_parquet", "write_ipc"])
def test_a_binary_file_without_rows_is_refused(tmp_path, writer):
    getattr(FRAME.clear(), writer)(tmp_path / "t.parquet")
    assert refused(tmp_path / "t.parquet").code == "table.no-rows"


def test_json_is_a_list_of_records_or_a_mapping_of_columns(save):
    records = read(save('[{"a": 1, "b": "x"}, {"b": null, "a": 2.5}, {"a": null}]', "t.json"))
    columns = read(save('{"a": [1, 2.5, null], "b": ["x", null, null]}', "t.json"))
    assert cells(records) == cells(columns) == {"a": [1, 2.5, None], "b": ["x", None, None]}


def test_json_columns_may_be_called_data_and_target(save):
    assert cells(read(save('{"data": [1, 2], "target": [3, 4]}', "t.json"))) == {
        "data": [1, 2],
        "target": [3, 4],
    }


def test_json_as_pandas_writes_it_by_default_gives_values_not_row_numbers(save):
    table = read(save(pd.DataFrame({"a": [10, 20], "b": ["x", "y"]}).to_json(), "t.json"))
    assert cells(table) == {"a": [10, 20], "b": ["x", "y"]}


def test_a_mixed_json_column_follows_most_of_its_cells_and_loses_nothing(save):
    table = read(save('[{"a": 1}, {"a": "x"}, {"a": 2.5}]', "t.json"))
    assert (table.kind("a"), table.labels("a").to_list()) == ("number", ["1", "x", "2.5"])


@pytest.mark.parametrize("text", ["3", "[]", "[1, 2]", "[[1, 2], [3, 4]]", '"a"', "null"])
def test_json_that_is_no_table_is_refused(save, text):
    assert refused(save(text, "t.json")).code == "table.json-shape"


def test_json_columns_of_different_lengths_are_refused(save):
    error = refused(save('{"a": [1, 2], "b": [1]}', "t.json"))
    assert (error.code, error.values["lengths"]) == ("table.unequal", "a: 2, b: 1")


def test_a_json_value_that_is_no_column_is_named(save):
    error = refused(save('{"a": [1], "unit": "cm"}', "t.json"))
    assert (error.code, error.column) == ("table.scalar-column", "unit")


def test_broken_json_is_named_by_its_line(save):
    error = refused(save('[{"a": 1},\n {"a": 2},\n {"a" 3}]', "t.json"))
    assert (error.code, error.line) == ("table.bad-json", 3)


def test_a_broken_ndjson_line_is_named_counting_blank_lines(save):
    error = refused(save('{"a": 1}\n\n{"a": 2}\r\n{"a": \n', "t.ndjson"))
    assert (error.code, error.line) == ("table.bad-json", 4)


def test_ndjson_rows_may_lack_fields_and_start_with_a_mark(save):
    assert cells(read(save('{"a": 1}\n\n{"b": "x\u2028y"}', "t.ndjson", "utf-8-sig"))) == {
        "a": [1, None],
        "b": [None, "x\u2028y"],
    }


def test_ndjson_that_holds_no_objects_is_refused(save):
    assert refused(save("[1]\n", "t.ndjson")).code == "table.json-shape"
    assert refused(save("\n", "t.ndjson")).code == "table.no-rows"


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        first, second, third, _ = (workbook.add_worksheet(name) for name in ("one", "점수", "header", "empty"))
        first.write_row(0, 0, [" hours ", "group"])
        first.write_row(1, 0, [1, "x"])
        first.write_row(2, 0, [2.5, "y"])
        second.write_row(0, 0, ["키", "키"])
        second.write_row(1, 0, [170, 180])
        third.write_row(0, 0, ["a", "b"])
    return path


def test_a_workbook_gives_its_first_sheet_with_trimmed_headers(book):
    assert cells(read(book)) == {"hours": [1, 2.5], "group": ["x", "y"]}


def test_a_sheet_is_chosen_by_its_name(book):
    table = read(f"{book}::점수")
    assert (table.name, table.rows, table.columns[0], len(table.columns)) == ("book.xlsx", 1, "키", 2)
    assert [series[0] for series in table.frame] == [170, 180]


def test_a_sheet_that_is_not_there_is_named(book):
    error = refused(f"{book}::two")
    assert error.code in ("table.no-such-table", "table.damaged")
    assert "two" in str(error)


def test_sheets_without_rows_are_refused(book):
    assert refused(f"{book}::header").code == "table.no-rows"
    assert refused(f"{book}::empty").code == "table.no-rows"


def test_a_database_table_is_chosen_by_its_name(database):
    path = database(scores=[(1, 10.5), (2, None)], other=[(9, 9)])
    table = read(f"{path}::scores")
    assert cells(table) == {"hours": [1, 2], "score": [10.5, None]}
    assert table.name == "school.db"


def test_the_only_table_of_a_database_needs_no_name(database):
    assert cells(read(database(scores=[(1, "x"), (2.5, "y")]))) == {"hours": [1, 2.5], "score": ["x", "y"]}


def test_a_table_that_is_not_in_the_database_is_refused_with_those_that_are(database):
    path = database(scores=[(1, 2)], other=[(1, 2)])
    for found in ("", "nope"):
        error = refused(f"{path}::{found}")
        assert (error.code, error.values["found"], error.values["known"]) == (
            "table.no-such-table",
            found,
            "scores, other",
        )


def test_a_table_name_is_quoted_not_run(database):
    name = 'odd "name"; drop table x'
    path = database(**{name.replace('"', '""'): [(1, 2)], "x": [(3, 4)]})
    assert cells(read(f"{path}::{name}")) == {"hours": [1], "score": [2]}


def test_a_database_table_without_rows_is_refused(database):
    assert refused(database(scores=[])).code == "table.no-rows"


def test_a_database_in_write_ahead_mode_is_read(database):
    assert cells(read(database(journal="wal", scores=[(1, 10)]))) == {"hours": [1], "score": [10]}


def test_a_mixed_database_column_loses_no_value(database):
    assert cells(read(database(scores=[(1, 1), ("x", 2.5), (None, 3)]))) == {
        "hours": ["1", "x", None],
        "score": [1, 2.5, 3],
    }


# Objects in memory


@pytest.mark.parametrize(
    "source",
    [
        FRAME,
        FRAME.lazy(),
        FRAME.to_arrow(),
        FRAME.to_pandas(),
        FRAME.to_dict(as_series=False),
        FRAME.to_dicts(),
        tuple(FRAME.to_dicts()),
        {
            "hours": np.array([1, 2, 3]),
            "score": pd.Series([1.5, np.nan, 3.5]),
            "group": pl.Series(["x", None, "y"]),
        },
        np.array(
            [(1, 1.5, "x"), (2, np.nan, ""), (3, 3.5, "y")],
            dtype=[("hours", "i4"), ("score", "f4"), ("group", "U4")],
        ),
    ],
    ids=[
        "polars",
        "lazy",
        "pyarrow",
        "pandas",
        "lists",
        "records",
        "tuple of records",
        "arrays",
        "structured",
    ],
)
def test_every_kind_of_object_gives_the_same_table(source):
    table = read(source)
    assert table.columns == ["hours", "score", "group"]
    assert [table.kind(column) for column in table.columns] == ["number", "number", "text"]
    assert values(table, "hours") == [1, 2, 3]
    assert values(table, "score") == [1.5, None, 3.5]
    assert table.labels("group").to_list() == ["x", None, "y"]


def test_a_table_is_given_back_as_it_is():
    table = read({"a": [1]})
    assert read(table) is table


def test_pandas_types_of_their_own_are_understood():
    frame = pd.DataFrame(
        {
            "category": pd.Categorical(["x", "y", None]),
            "integer": pd.array([1, None, 3], dtype="Int64"),
            "flag": pd.array([True, None, False], dtype="boolean"),
            "day": pd.to_datetime(["2024-01-05"] * 3),
        },
        index=[7, 8, 9],
    )
    table = read(frame)
    assert [table.kind(column) for column in table.columns] == ["text", "number", "boolean", "other"]
    assert table.labels("category").to_list() == ["x", "y", None]
    assert values(table, "integer") == [1, None, 3]
    assert values(table, "flag") == [1, None, 0]


def test_pandas_columns_that_are_called_by_numbers_are_named_by_text():
    assert read(pd.DataFrame([[1, 2]])).columns == ["0", "1"]


def test_a_mixed_pandas_column_harms_nobody_who_does_not_use_it():
    table = read(pd.DataFrame({"mixed": [1, 2, "x"], "a": [1, 2, 3]}))
    assert values(table, "a") == [1, 2, 3]
    assert table.kind("mixed") == "number"


@pytest.mark.parametrize(
    "source",
    [pd.DataFrame([[1, 2]], columns=["a", "a"]), pa.table([[1], [2]], names=["a", "a"])],
    ids=["pandas", "pyarrow"],
)
def test_a_frame_with_a_repeated_column_is_refused(source):
    error = refused(source)
    assert (error.code, error.column) == ("table.repeated-column", "a")


def test_names_that_are_the_same_as_text_never_hide_a_column():
    error = refused({1: [1, 2], "1": [3, 4]})
    assert (error.code, error.column) == ("table.repeated-column", "1")
    error = refused(np.ones((2, 2)), names=["a", "a"])
    assert (error.code, error.column) == ("table.repeated-column", "a")


@pytest.mark.parametrize("dtype", ["i1", "u8", ">i4", "f2", "f4", ">f8", "g", "object"])
def test_arrays_of_any_real_type_are_numbers(dtype):
    assert values(read({"a": np.array([1, 2], dtype=dtype)}), "a") == [1, 2]


def test_masked_cells_of_an_array_are_missing():
    assert values(read({"a": np.ma.masked_array([1, 2, 3], [False, True, False])}), "a") == [1, None, 3]


def test_time_spans_of_any_unit_are_neither_numbers_nor_an_accident():
    assert read({"a": np.array([1], dtype="timedelta64[s]"), "b": [1]}).kind("a") == "other"


def test_a_mixed_list_is_text_and_loses_nothing():
    assert read({"a": [1, 2, "x"]}).labels("a").to_list() == ["1", "2", "x"]


def test_columns_called_data_and_target_are_no_bunch():
    assert cells(read({"data": [1, 2], "target": [3, 4]})) == {"data": [1, 2], "target": [3, 4]}


def test_an_array_takes_the_names_given_or_numbers_its_columns():
    array = np.array([[1, 2], [3, 4]])
    assert cells(read(array, names=["a", "b"])) == {"a": [1, 3], "b": [2, 4]}
    assert read(array).columns == ["x1", "x2"]


def test_an_array_with_too_few_names_or_another_shape_is_refused():
    error = refused(np.ones((2, 3)), names=["a"])
    assert (error.code, error.values["names"], error.values["columns"]) == ("table.array-names", 1, 3)
    assert refused(np.ones(3)).values["shape"] == "3"
    assert refused(np.ones((2, 3, 4))).values["shape"] == "2x3x4"
    assert refused({"a": np.ones((2, 2), dtype=int)}).code == "table.array-shape"  # of floats it is a row of arrays


def test_columns_of_different_lengths_or_of_one_value_are_refused():
    error = refused({"a": [1, 2], "b": [1]})
    assert (error.code, error.values["lengths"]) == ("table.unequal", "a: 2, b: 1")
    for value in (4, "text", None):
        error = refused({"a": [1], "b": value})
        assert (error.code, error.column) == ("table.scalar-column", "b")


@pytest.mark.parametrize("source", [None, 5, b"a,b", [], [1, 2], [[1, 2]], pd.Series([1]), pl.Series([1]), object()])
def test_an_object_that_is_no_table_is_refused_by_its_type(source):
    error = refused(source)
    assert (error.code, error.values["type"]) == ("table.unknown-object", type(source).__name__)


def test_records_with_keys_that_are_no_text_are_read():
    assert cells(read([{1: 10, "b": 2}, {1: 20, "b": 3}])) == {"1": [10, 20], "b": [2, 3]}


@pytest.mark.parametrize("as_frame", [False, True])
def test_iris_has_its_features_and_its_species_by_name(as_frame):
    bunch = datasets.load_iris(as_frame=as_frame)
    table = read(bunch)
    assert table.columns == [*bunch.feature_names, "target"]
    assert values(table, "petal width (cm)")[:2] == [0.2, 0.2]
    assert table.kind("target") == "text"
    assert table.labels("target").unique(maintain_order=True).to_list() == [
        "setosa",
        "versicolor",
        "virginica",
    ]


@pytest.mark.parametrize("as_frame", [False, True])
def test_diabetes_has_a_number_for_its_target(as_frame):
    bunch = datasets.load_diabetes(as_frame=as_frame)
    table = read(bunch)
    assert (table.columns, table.rows) == ([*bunch.feature_names, "target"], 442)
    assert values(table, "target")[:3] == [151, 75, 141]


@pytest.mark.parametrize("as_frame", [False, True])
def test_linnerud_has_its_three_targets_by_name(as_frame):
    table = read(datasets.load_linnerud(as_frame=as_frame))
    assert table.columns == ["Chins", "Situps", "Jumps", "Weight", "Waist", "Pulse"]
    assert (values(table, "Chins")[0], values(table, "Waist")[0]) == (5, 36)


def test_a_row_in_memory_is_found_by_its_number_from_one():
    assert [read({"a": [1, 2]}).line(row) for row in range(2)] == [1, 2]


def test_an_error_survives_being_told_in_korean(save):
    error = refused(save("a,b\n1,2,3\n"))
    assert "3" in error.tell("ko")
    assert json.dumps(error.values)


def test_a_column_of_decimal_commas_says_which_option_reads_it(save):
    path = save("a;y\n1,5;2\n2,5;3\n3;4\n", "comma.csv")
    with pytest.raises(TableError) as error:
        read(path).kind("a")
    assert (error.value.code, error.value.column, error.value.line) == ("table.decimal-comma", "a", 2)
    assert read(path, decimal=",").numbers("a").tolist() == [1.5, 2.5, 3.0]


@pytest.mark.slow
def test_each_of_many_doubtful_columns_is_looked_at_once(tmp_path, monkeypatch):
    """Columns of 1.125 ask what the others have: 300 of them are not looked at 300 times each."""
    from descend.tables.text.numerals import Marks

    looked = 0

    def counted(self):
        nonlocal looked
        looked += 1
        return self[0]

    pl.DataFrame({f"c{index}": ["1.125", "2.250"] for index in range(300)}).write_csv(tmp_path / "t.csv")
    table = read(tmp_path / "t.csv")
    monkeypatch.setattr(Marks, "decimals", property(counted))
    assert {table.kind(name) for name in table.columns} == {"number"}
    assert looked < 20 * 300
