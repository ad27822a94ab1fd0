"""Scans: files read part by part give what reading them whole gives, and say what is wrong with which file."""

from __future__ import annotations

import csv
import gzip
import http.server
import io
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import descend
from descend.base.errors import DescendError, OptionError, TableError
from descend.tables.executors import Threads
from descend.tables.find_files import find_files, open_scan
from descend.tables.open import read
from descend.tables.reading_options import ReadingOptions
from descend.tables.scans import _record_cuts
from descend.tables.scans.collect import collect
from descend.tables.scans.partitions import Found
from descend.tables.scans.text import TextScan
from descend.tables.text.line_index import count_lines

many = settings(max_examples=100)
TRICKS = ["a", "1", "2.5", ",", ",", "\n", "\n", "\r\n", "\r", '"', '""', " ", "키", "NA", "\ufeff", "x"]
CELLS = ["1", "2,5", "", "x", '"', "two\nlines", "\n\n", "a, b", "키", "NA", "5 inch", "\r\n"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scans")


def cut_up(path, piece, **options):
    """Open one text file as a scan of tiny pieces."""
    file = Found(str(path), Path(path).name, os.stat(path).st_size)
    return TextScan.of(Path(path).name, [file], ReadingOptions(**options), piece=piece)


def joined(scan, columns=None):
    """Return the cells of all parts, and require that the parts' numbers are what they hold."""
    first, frames = 0, []
    for part in scan.parts(columns or scan.head.columns):
        table = part.table()
        assert (part.first, part.rows) == (first, table.rows)
        assert part.size > 0 or scan.size == 0  # the bytes of a file at an address are not known
        frames.append(table.frame)
        first += part.rows
    assert first == scan.rows
    return pl.concat(frames)


def attempted(action):
    """Return what comes of an action, or the TableError that it raises."""
    try:
        return action()
    except TableError as error:
        return error


def refused(action, *arguments, **options):
    """Return the TableError that is raised, which tells itself in both languages."""
    with pytest.raises(TableError) as error:
        action(*arguments, **options)
    assert str(error.value)
    assert error.value.tell("ko")
    return error.value


# Text in pieces


@many
@given(text=st.lists(st.sampled_from(TRICKS), max_size=40).map("".join), piece=st.integers(1, 30))
@example(text='x,"1\r\n2"\r\n\r\n3,4', piece=3)
@example(text='5" pipe,2\n7" pipe,3\n', piece=1)
@example(text='5"" pipe,2\n"x\ny",3\n', piece=1)
@example(text='"1', piece=1)
@example(text="1\n2,3\n", piece=1)
def test_pieces_hold_the_cells_that_the_whole_holds(folder, text, piece):
    path = folder / "pieces.csv"
    path.write_bytes(f"a,b\n{text}".encode())
    expected, found = attempted(lambda: read(path).frame), attempted(lambda: joined(cut_up(path, piece)))
    if isinstance(found, TableError):
        assert isinstance(expected, TableError)
        assert found.code != expected.code or found.line == expected.line
        return
    if isinstance(expected, TableError):  # a quote within a cell, which stops the reader of the whole, stands as it is
        assert expected.code == "table.unreadable"
        plain = io.StringIO(path.read_bytes().decode().replace("\r\n", "\n").replace("\r", "\n"), newline="")
        names, *rows = (row for row in csv.reader(plain, strict=True) if row)
        expected = pl.DataFrame([[cell or None for cell in row] for row in rows], schema=names, orient="row")
    assert found.equals(expected)


@pytest.mark.slow
@many
@given(
    rows=st.lists(st.tuples(st.sampled_from(CELLS), st.sampled_from(CELLS)), min_size=1, max_size=12),
    blanks=st.lists(st.integers(0, 2), min_size=12, max_size=12),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp949"]),
    last=st.booleans(),
    piece=st.integers(1, 60),
)
def test_pieces_of_any_dialect_hold_the_cells_that_the_whole_holds(
    folder, rows, blanks, delimiter, end, encoding, last, piece
):
    lines = io.StringIO(newline="")
    write = csv.writer(lines, delimiter=delimiter, lineterminator=end)
    write.writerow(["이름", "n"])
    for row, blank in zip(rows, blanks, strict=False):
        lines.write(end * blank)
        write.writerow(row)
    text = lines.getvalue() if last else lines.getvalue().removesuffix(end)
    path = folder / "dialect.csv"
    path.write_bytes(text.encode(encoding))
    expected = attempted(lambda: read(path, delimiter=delimiter))
    if isinstance(expected, TableError):
        assert refused(lambda: joined(cut_up(path, piece, delimiter=delimiter))).code == expected.code
        return
    scan = cut_up(path, piece, delimiter=delimiter)
    assert joined(scan).equals(expected.frame)
    assert [note.code for note in scan.head.notes] == [note.code for note in expected.notes]


@pytest.mark.slow
@many
@given(
    texts=st.lists(st.sampled_from(["", "x", "two\nlines", "\n\n", 'a "b"', "키, 몸무게"]), min_size=2, max_size=20),
    blanks=st.lists(st.integers(0, 2), min_size=20, max_size=20),
    place=st.integers(0, 19),
    piece=st.integers(1, 60),
    fault=st.sampled_from(["oops", "3,4"]),
)
def test_a_bad_cell_and_a_ragged_row_are_named_by_their_line_in_any_piece(folder, texts, blanks, place, piece, fault):
    place %= len(texts)
    lines, line, expected = ["name,n\n"], 2, 0
    for index, (text, blank) in enumerate(zip(texts, blanks, strict=False)):
        quoted = text.replace('"', '""')
        lines.append("\n" * blank)
        expected = line + blank if index == place else expected
        lines.append(f'"{quoted}",{fault if index == place else index}\n')
        line += blank + 1 + text.count("\n")
    path = folder / "bad.csv"
    path.write_text("".join(lines))
    if fault == "3,4":
        error = refused(lambda: joined(cut_up(path, piece)))
        known = ("table.open-quote", "table.ragged") if "\n" in texts[place] else ("table.ragged",)
    else:
        scan = cut_up(path, piece)
        scan.head.kinds["n"] = "number"
        error = refused(lambda: [part.table().numbers("n") for part in scan.parts(["n"])])
        known = ("table.bad-cell",)
    assert error.code in known
    assert (error.line, error.values["file"]) == (expected, "bad.csv")


@pytest.mark.slow
@many
@given(
    rows=st.lists(st.sampled_from(["a,1\n", '"b\n",2\n', "\n", "c,3\r\n", '"d ""e""",4\n', 'f "g",5\n']), max_size=30),
    pieces=st.tuples(st.integers(1, 80), st.integers(1, 80)),
)
def test_rows_have_the_same_numbers_whatever_the_pieces(folder, rows, pieces):
    path = folder / "numbers.csv"
    path.write_bytes(("name,n\n" + "".join(rows) + "z,0\n").encode())

    def numbered(piece):
        parts = cut_up(path, piece).parts(["n"])
        return [(part.first + row, n) for part in parts for row, n in enumerate(part.table().frame["n"])]

    assert numbered(pieces[0]) == numbered(pieces[1]) == list(enumerate(read(path).frame["n"]))


def test_text_options_are_those_of_reading_the_whole(tmp_path):
    path = tmp_path / "korean.csv"
    path.write_bytes("시간;점수\n1.234,5;없음\n2;3\n".encode("cp949"))
    options = {"decimal": ",", "missing": ("없음",), "encoding": "cp949", "delimiter": ";", "header": True}
    scan = open_scan(path, **options)
    parts = [part.table() for part in scan.parts(["점수", "시간"])]
    for column in ("시간", "점수"):
        got = np.concatenate([part.numbers(column) for part in parts])
        np.testing.assert_array_equal(got, read(path, **options).numbers(column))
    assert scan.head.numbers("시간").tolist() == [1234.5, 2.0]


def test_letters_of_another_encoding_after_the_head_are_read_as_in_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("descend.tables.scans.text.HEAD_BYTES", 64)
    path = tmp_path / "late.csv"
    path.write_bytes(b"name,n\n" + b"plain,1\n" * 40 + "한글,2\n".encode("cp949"))
    scan = cut_up(path, 50)
    assert joined(scan).equals(read(path).frame)
    assert [note.code for note in scan.head.notes] == ["note.encoding"]
    path.write_bytes(b"name,n\n" + b"plain,1\n" * 40 + b"\xff\xff,2\n")
    assert refused(cut_up, path, 50).code == refused(read, path).code == "table.undecodable"
    path.write_bytes(b"name,n\n" + b"plain,1\n" * 40 + b"zero\0,2\n")
    assert refused(cut_up, path, 50).code == "table.binary"


@pytest.mark.parametrize(
    ("encoding", "named"), [("utf-16", None), ("utf-16-le", None), ("utf-32", "utf-32"), ("cp500", "cp500")]
)
@pytest.mark.parametrize("head", [32, 1 << 24])
def test_an_encoding_whose_line_ends_are_not_bytes_is_refused(tmp_path, monkeypatch, encoding, named, head):
    monkeypatch.setattr("descend.tables.scans.text.HEAD_BYTES", head)
    path = tmp_path / "wide.csv"
    path.write_bytes("hours,score\n1,2\n3,4\n".encode(encoding))
    assert read(path, encoding=named).columns == ["hours", "score"]
    error = refused(open_scan, path, encoding=named)
    assert error.code == "table.wide-encoding"
    assert "UTF-8" in error.hint()


def test_a_quote_left_open_is_named_by_its_line_and_soon(tmp_path, monkeypatch):
    path = tmp_path / "open.csv"
    path.write_text('a,b\n1,2\n3,"4\n' + "5,6\n" * 1000)
    assert (refused(cut_up, path, 100).code, refused(cut_up, path, 100).line) == ("table.open-quote", 3)
    monkeypatch.setattr(_record_cuts, "LONGEST", 500)
    assert (refused(cut_up, path, 100).code, refused(cut_up, path, 100).line) == ("table.open-quote", 3)


@many
@given(
    data=st.lists(st.sampled_from(["a", "bb", ",", "\n", "\n", "\r\n", '"', '"x\ny"']), max_size=30).map("".join),
    last=st.booleans(),
)
@example(data="a", last=False)
@example(data="\n\n", last=True)
def test_lines_and_records_are_counted_as_pythons_reader_counts_them(data, last):
    counted = count_lines(data.encode() or b"a", '"', ",", last=last)
    reader = csv.reader(io.StringIO((data or "a")[: counted.end].replace("\r\n", "\n"), newline=""))
    assert counted.records == sum(bool(row) for row in reader)
    assert counted.lines == reader.line_num
    if last and not counted.open:
        assert counted.end == len(data or "a")


def test_what_a_column_holds_is_fixed_by_the_head(tmp_path):
    path = tmp_path / "kinds.csv"
    path.write_text("flag,n\n" + "true,1\n" * 12_000 + "perhaps,x\n" * 9_000)
    scan = cut_up(path, 10_000)
    assert scan.head.rows == 10_000
    parts = list(scan.parts(["flag", "n"]))
    assert {(part.kinds["flag"], part.kinds["n"]) for part in parts} == {("boolean", "number")}
    tables = [part.table() for part in parts]
    for column, found in (("flag", "perhaps"), ("n", "x")):
        error = refused(lambda column=column: [table.numbers(column) for table in tables])
        assert (error.code, error.line, error.values["found"]) == ("table.bad-cell", 12_002, found)


def test_numbers_are_labels_as_they_are_written_beside_cells_that_are_none(tmp_path):
    path = tmp_path / "codes.csv"
    path.write_text("code,n\n007,1\n7,2\n7.0,3\nx,4\n8,5\n9,6\n")
    expected = ["007", "7", "7.0", "x", "8", "9"]
    assert read(path).labels("code").to_list() == expected
    scan = cut_up(path, 8)
    scan.head.kinds["code"] = "number"
    assert [label for part in scan.parts(["code"]) for label in part.table().labels("code")] == expected


def test_a_part_can_be_sent_and_read_elsewhere(tmp_path):
    path = tmp_path / "sent.csv"
    path.write_text("a,b\n" + "".join(f"{i},x\n" for i in range(1000)))
    scan = cut_up(path, 500)
    assert scan.scattered
    sent = pickle.loads(pickle.dumps(list(scan.parts(["a"]))))
    tables = list(Threads().each(lambda part: part.table(), reversed(sent)))
    assert [table.frame["a"][0] for table in tables] == [str(part.first) for part in reversed(sent)]


def test_a_file_that_changes_or_goes_while_it_is_scanned_is_named(tmp_path):
    path = tmp_path / "moving.csv"
    path.write_text("a,b\n1,2\n3,4\n")
    scan = open_scan(path)
    mark = scan.mark
    path.write_text("a,b\n1,2\n3,5\n")
    assert refused(joined, scan).code == "table.part-changed"
    assert open_scan(path).mark != mark
    path.write_text("a,b\n")
    assert refused(joined, scan).code == "table.part-changed"
    path.unlink()
    error = refused(joined, scan)
    assert (error.code, error.values["file"]) == ("table.part-missing", "moving.csv")
    assert refused(open_scan, path).code == "table.not-found"


# Gzipped text


def test_gzipped_text_is_unpacked_once_and_read_here(tmp_path):
    path = tmp_path / "packed.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"".join(b"%d,x\n" % i for i in range(5000))))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    scan = cut_up(path, 1000)
    assert joined(scan).equals(read(path).frame)
    assert not scan.scattered
    opened = open_scan(path, scratch=str(scratch))
    assert list(scratch.iterdir()) == []
    tables = Threads().each(lambda part: part.table().rows, opened.parts(["a"]))
    assert sum(tables) == 5000


def test_nothing_of_an_unpacked_file_is_left_after_a_kill(tmp_path):
    path = tmp_path / "packed.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 100_000))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    script = (
        "import sys, time; from descend.tables.find_files import open_scan\n"
        "scan = open_scan(sys.argv[1], scratch=sys.argv[2]); print(scan.rows, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, path, scratch], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "100000\n"
        process.send_signal(signal.SIGKILL)
    assert list(scratch.iterdir()) == []


def test_a_damaged_gzip_and_a_full_or_missing_scratch_folder_are_told(tmp_path, monkeypatch):
    path = tmp_path / "packed.csv.gz"
    path.write_bytes(gzip.compress(os.urandom(50_000).hex().encode())[:-20_000])
    error = refused(open_scan, path)
    assert (error.code, error.values["file"], error.values["kind"]) == ("table.damaged", "packed.csv.gz", "gzip")
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    with pytest.raises(OptionError) as missing:
        open_scan(path, scratch=str(tmp_path / "none"))
    assert missing.value.code == "option.cannot-write"
    monkeypatch.setattr("descend.tables.scans.unpacked.LEFT", 1 << 60)
    assert refused(open_scan, path).code == "table.no-space"


# Folders, patterns and partitions


@pytest.fixture
def save(tmp_path):
    """Return a function that writes files, text or frames, by their names in the folder, and gives the folder."""

    def write(**files):
        for name, content in files.items():
            path = tmp_path / name.replace("__", "/").replace("_csv", ".csv").replace("_parquet", ".parquet")
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, pl.DataFrame):
                content.write_parquet(path)
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return write


def frame(first, rows):
    return pl.DataFrame({"n": range(first, first + rows), "x": [i / 2 for i in range(first, first + rows)]})


def test_a_folder_of_parquet_files_is_one_table_in_natural_order(save):
    where = save(p10_parquet=frame(10, 3), p9_parquet=frame(0, 10), _SUCCESS="", _metadata=b"PAR1", empty_parquet="")
    (where / ".hidden.csv").write_text("a\n1\n")
    assert [file.name for file in find_files(str(where))] == ["p9.parquet", "p10.parquet"]
    scan = open_scan(where)
    assert (scan.rows, scan.name) == (13, where.name)
    assert scan.size == sum((where / name).stat().st_size for name in ("p9.parquet", "p10.parquet"))
    assert joined(scan)["n"].to_list() == list(range(13))
    table = descend.read(where)
    assert table.numbers("n").tolist() == list(range(13))
    assert descend.read(str(where / "p1*.parquet")).numbers("n").tolist() == [10, 11, 12]


def test_a_folder_of_text_files_is_one_table_whatever_their_dialects(save):
    where = save(
        a_csv="hours,group\n1,x\n",
        b_csv="group;hours\r\n한글;2\r\n".encode("cp949"),
        c_csv=gzip.compress(b"hours,group\n3,z"),
    )
    scan = open_scan(where)
    assert not scan.scattered
    assert joined(scan).rows() == [("1", "x"), ("2", "한글"), ("3", "z")]
    table = read(where)
    assert table.numbers("hours").tolist() == [1, 2, 3]
    assert [note.code for note in table.notes] == ["note.encoding"]


def test_patterns_find_files_at_any_depth(save):
    where = save(a__b__1_csv="n\n1\n", a__2_csv="n\n2\n", c__3_csv="n\n3\n", a__4_parquet=frame(0, 1))

    def names(pattern):
        return [file.name for file in find_files(str(where / pattern))]

    assert names("**/*.csv") == ["a/2.csv", "a/b/1.csv", "c/3.csv"]
    assert names("a/*.csv") == ["2.csv"]
    assert names("[ab]/?.csv") == ["a/2.csv"]
    assert names("a/b*") == ["b/1.csv"]
    assert refused(find_files, str(where / "*.tsv")).code == "table.no-files"
    odd = where / "odd [1].csv"
    odd.write_text("n\n9\n")
    assert read(odd).numbers("n").tolist() == [9]
    assert open_scan(odd).rows == 1


def test_folders_of_partitions_add_their_columns(save):
    where = save()
    for year, month, place, n in ((2023, "03", "a%2Fb c", 1), (2024, "12", "__HIVE_DEFAULT_PARTITION__", 2)):
        part = where / f"year={year}" / f"month={month}" / f"place={place}"
        part.mkdir(parents=True)
        frame(n, 2).write_parquet(part / "part-0.parquet")
    scan = open_scan(where)
    assert scan.head.columns == ["n", "x", "year", "month", "place"]
    assert [scan.head.kind(column) for column in scan.head.columns] == ["number", "number", "number", "number", "text"]
    assert joined(scan, ["month", "n"]).rows() == [("03", 1), ("03", 2), ("12", 2), ("12", 3)]
    assert [part.table().numbers("month")[0] for part in scan.parts(["month"])] == [3.0, 12.0]
    assert joined(scan, ["year"]).rows() == [(2023,), (2023,), (2024,), (2024,)]
    table = read(str(where / "year=*" / "**" / "*.parquet"))
    assert table.labels("place").to_list() == ["a/b c", "a/b c", None, None]
    assert table.labels("year").to_list() == ["2023", "2023", "2024", "2024"]
    sent = pickle.loads(pickle.dumps(list(scan.parts(["place", "x"]))))
    assert [part.table().labels("place").to_list() for part in sent] == [["a/b c"] * 2, [None] * 2]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize("memory", [None, "1KB"])
def test_numbers_in_folders_names_are_levels_as_they_are_written(save, kind, memory):
    where, values = save(), {"007": 1.0, "7": 5.0, "9007199254740992": 20.0, "9007199254740993": 30.0}
    for value, mean in values.items():
        (where / f"id={value}").mkdir(parents=True)
        rows = pl.DataFrame({"y": mean + np.array([-0.5, 0.0, 0.5] * 8)})
        getattr(rows, f"write_{kind}")(where / f"id={value}" / f"part.{kind}")
    model = descend.fit("y ~ C(id)", where, test="none", memory=memory)
    assert model.design.levels["id"] == tuple(values)
    np.testing.assert_allclose(model.raw[:, 0], [1, 4, 19, 29], atol=1e-8)


def test_folders_of_partitions_hold_text_too(save):
    where = save()
    for size, code, text in (("1.5", "1", "n\n1,5\n"), ("10", "x", "n\n2\n")):
        part = where / f"size={size}" / f"code={code}"
        part.mkdir(parents=True)
        (part / "part.csv").write_text(text.replace("\n1,5", '\n"1,5"'))
    for table in (read(where, decimal=","), *(part.table() for part in open_scan(where, decimal=",").parts(["size"]))):
        assert table.kind("size") == "number"
    whole_table = read(where, decimal=",")
    assert whole_table.numbers("size").tolist() == [1.5, 10]
    assert whole_table.numbers("n").tolist() == [1.5, 2]
    assert whole_table.kind("code") == "text"
    (where / "size=3").mkdir()
    (where / "size=3" / "part.csv").write_text("n\n3\n")
    error = refused(open_scan, where)
    assert (error.code, error.column) == ("table.column-lacking", "code")


def test_a_column_that_files_have_of_their_own_stays_theirs(save):
    where = save()
    (where / "n=7").mkdir()
    frame(1, 2).write_parquet(where / "n=7" / "a.parquet")
    assert read(where).numbers("n").tolist() == [1, 2]


def test_the_first_file_with_other_columns_is_named(save):
    where = save(a_csv="n,m\n1,2\n", b_csv="m,n\n1,2\n", c_csv="n\n1\n", d_csv="k\n1\n")
    error = refused(open_scan, where)
    assert (error.code, error.column) == ("table.column-lacking", "m")
    assert (error.values["file"], error.values["first"]) == ("c.csv", "a.csv")
    (where / "c.csv").write_text("n,m,k\n1,2,3\n")
    error = refused(open_scan, where)
    assert (error.code, error.column, error.values["file"]) == ("table.column-besides", "k", "c.csv")


def test_parquet_files_of_other_columns_or_types_are_named(save):
    where = save(a_parquet=frame(0, 2), b_parquet=frame(2, 2).cast({"n": pl.Float64}))
    assert read(where).numbers("n").tolist() == [0, 1, 2, 3]
    frame(0, 2).cast({"n": pl.String}).write_parquet(where / "c.parquet")
    error = refused(read, where)
    assert (error.code, error.column, error.values["file"]) == ("table.column-type", "n", "c.parquet")
    frame(0, 2).drop("x").write_parquet(where / "c.parquet")
    assert refused(read, where).code == "table.column-lacking"


def test_a_damaged_a_missing_and_a_rewritten_parquet_file_is_named(save):
    where = save(a_parquet=frame(0, 2), b_parquet=frame(2, 2))
    scan = open_scan(where)
    frame(0, 1).write_parquet(where / "b.parquet")
    assert refused(joined, scan).code == "table.part-changed"
    frame(0, 2).rename({"n": "k"}).write_parquet(where / "b.parquet")
    assert refused(joined, scan).code == "table.part-columns"
    (where / "b.parquet").unlink()
    error = refused(joined, scan)
    assert (error.code, error.values["file"]) == ("table.part-missing", "b.parquet")
    (where / "b.parquet").write_bytes((where / "a.parquet").read_bytes()[:200])
    for action in (joined, open_scan):
        error = refused(action, scan if action is joined else where)
        assert (error.code, error.values["file"]) == ("table.damaged", "b.parquet")


def test_files_of_different_kinds_are_refused_with_their_names(save):
    where = save(a_csv="n\n1\n", b_parquet=frame(0, 1))
    error = refused(read, where)
    assert error.code == "table.mixed-kinds"
    assert (error.values["first"], error.values["file"]) == ("a.csv", "b.parquet")
    (where / "b.parquet").rename(where / "b.json")
    (where / "b.json").write_text("[]")
    assert refused(read, str(where / "*.*")).code == "table.mixed-kinds"
    (where / "c.json").write_text("[]")
    assert refused(read, str(where / "*.json")).code == "table.many-of-kind"


def test_what_only_reading_the_whole_knows_is_no_scan(save, tmp_path):
    where = save(a_csv="n\n1\n")
    frame(0, 1).write_ipc(where / "a.feather")
    (where / "a.json").write_text('[{"n": 1}]')
    for name in ("a.feather", "a.json", "book.xlsx::Sheet"):
        assert open_scan(where / name) is None
    assert open_scan({"n": [1]}) is None
    with pytest.raises(OptionError):
        open_scan(where / "a.csv", decimal="x")


def test_a_folder_without_a_table_is_told(tmp_path):
    assert refused(open_scan, tmp_path).code == "table.folder"
    (tmp_path / "only.csv").write_text("n\n")
    assert refused(open_scan, tmp_path).code == "table.no-rows"
    assert refused(open_scan, "a\0b.csv").code == "table.no-access"


def test_an_error_in_a_joined_table_names_the_file_and_its_line(save):
    where = save(a_csv="n,g\n1,x\n2,y\n", b_csv='n,g\n\n"3",z\n,z\nbad,w\n4,w\n5,w\n')
    table = read(where)
    error = refused(table.numbers, "n")
    assert (error.values["file"], error.line) == ("b.csv", 5)
    with pytest.raises(DescendError) as missing:
        descend.fit("g ~ n", str(where / "b*.csv"), missing="error")
    assert missing.value.values["file"] == "b.csv"
    pieces = TextScan.of("all", find_files(str(where)), piece=5)
    assert collect(pieces).frame.equals(table.frame)
    assert refused(collect(pieces).numbers, "n").values == error.values


def test_an_error_in_joined_parquet_files_names_the_file_and_its_row(save):
    where = save(a_parquet=pl.DataFrame({"n": [1.0, 2.0]}), b_parquet=pl.DataFrame({"n": [3.0, float("inf")]}))
    error = refused(read(where).numbers, "n")
    assert (error.code, error.values["file"], error.line) == ("table.bad-cell", "b.parquet", 2)


def test_marks_tell_tables_apart(save):
    where = save(a_parquet=frame(0, 2), b_parquet=frame(2, 2))
    marks = {open_scan(where).mark, open_scan(where / "a.parquet").mark, open_scan(where / "b.parquet").mark}
    assert len(marks) == 3
    assert open_scan(where).mark in marks


# Addresses


@pytest.fixture(scope="module")
def bucket():
    """A bucket of an S3 server on this machine, and what puts files in it."""
    boto3 = pytest.importorskip("boto3")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
        client.create_bucket(Bucket="school")

        def put(key, content):
            if isinstance(content, pl.DataFrame):
                packed = io.BytesIO()
                content.write_parquet(packed)
                content = packed.getvalue()
            client.put_object(Bucket="school", Key=key, Body=content)

        for number in (10, 9):
            put(f"parquet/year=2024/part-{number}.parquet", frame(number, 2))
        put("parquet/_SUCCESS", b"")
        put("text/b.csv", 'n,g\r\n3,"two\nlines"\r\n\r\n4,키\r\n'.encode())
        put("text/a.csv", b"n,g\n1,x\n2,y")
        put("text/oops/c.csv", b"n,g\n1,x\nbad,y\n5,z\n")
        put("packed.csv.gz", gzip.compress(b"n\n1\n2\n"))
        put("korean.csv", "n,g\n1,한글\n".encode("cp949"))
        put("damaged.parquet", b"PAR1 and no more")
        yield "s3://school"
        client.close()
    server.stop()


@pytest.mark.slow
def test_parquet_files_of_a_bucket_are_read_like_those_of_a_folder(bucket):
    for address in ("/parquet/", "/parquet", "/parquet/**/*.parquet"):
        scan = open_scan(bucket + address)
        assert scan.scattered
        assert joined(scan, ["n", "year"]).rows() == [(9, 2024.0), (10, 2024.0), (10, 2024.0), (11, 2024.0)]
    one = descend.read(f"{bucket}/parquet/year=2024/part-9.parquet")
    assert (one.name, one.numbers("n").tolist()) == ("part-9.parquet", [9, 10])


def test_text_files_of_a_bucket_are_fetched_and_read(bucket, tmp_path):
    scan = open_scan(f"{bucket}/text/*.csv", scratch=str(tmp_path))
    assert not scan.scattered
    assert joined(scan).rows() == [("1", "x"), ("2", "y"), ("3", "two\nlines"), ("4", "키")]
    assert list(tmp_path.iterdir()) == []
    assert read(f"{bucket}/packed.csv.gz").numbers("n").tolist() == [1, 2]
    error = refused(read(f"{bucket}/text").numbers, "n")
    assert (error.code, error.values["file"], error.line) == ("table.bad-cell", "oops/c.csv", 3)
    assert refused(read, f"{bucket}/korean.csv").code == "table.damaged"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("/none.parquet", "table.remote-missing"),
        ("/none.csv", "table.remote-missing"),
        ("0/none.parquet", "table.remote-missing"),
        ("0/folder/", "table.remote-missing"),
        ("/none/", "table.no-files"),
        ("/none/*.parquet", "table.no-files"),
        ("/none/*.csv", "table.no-files"),
        ("/book.xlsx", "table.remote-kind"),
        ("/damaged.parquet", "table.damaged"),
    ],
)
def test_what_a_bucket_has_not_is_told(bucket, address, code):
    error = refused(open_scan, bucket + address)
    assert (error.code, error.values["file"]) == (code, bucket + address)


def test_keys_that_are_refused_are_told(bucket, monkeypatch):
    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(403)
            self.end_headers()
            self.wfile.write(b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    with serving(Refusing) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        for name in ("x.parquet", "x.csv", "folder/"):
            error = refused(open_scan, f"s3://closed/{name}")
            assert error.code == "table.remote-denied"


@pytest.mark.slow
def test_an_endpoint_that_nobody_answers_at_is_told_soon(bucket, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    assert refused(open_scan, "s3://unanswered/x.parquet").code == "table.remote-unreachable"
    for scheme in ("http", "https"):
        error = refused(open_scan, f"{scheme}://127.0.0.1:{port}/x.parquet")
        assert error.code == "table.remote-unreachable"
    for address in ("https://nowhere.invalid/x.csv", "https://[bad/x.csv", "http://127.0.0.1:99999/x.csv"):
        assert refused(open_scan, address).code == "table.remote-unreachable"


class serving:
    """A web server on this machine while the block runs; its address."""

    def __init__(self, handler):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Ranges(http.server.SimpleHTTPRequestHandler):
    """Serves files of a folder, and the ranges of bytes of them that are asked for."""

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        start, end = 0, len(data)
        if wanted := self.headers.get("Range"):
            low, high = wanted.removeprefix("bytes=").split("-")
            start = int(low) if low else max(len(data) - int(high), 0)
            end = min(int(high) + 1, len(data)) if low and high else len(data)
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Last-Modified", self.date_time_string(0))
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        self.wfile.write(data[start:end])

    def log_message(self, *_):
        pass


def test_files_of_a_web_server_are_read(save, monkeypatch):
    where = save(a_parquet=frame(0, 3), b_csv="n,g\n1,키\n2,y\n", c_parquet="no parquet")
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving(partial(Ranges, directory=where)) as address:
        for query in ("", "?token=a*b"):
            assert read(f"{address}/a.parquet{query}").numbers("n").tolist() == [0, 1, 2]
            table = read(f"{address}/b.csv{query}")
            assert (table.name, table.labels("g").to_list()) == ("b.csv", ["키", "y"])
        assert joined(open_scan(f"{address}/a.parquet"))["n"].to_list() == [0, 1, 2]
        assert refused(read, f"{address}/none.parquet").code == "table.remote-missing"
        assert refused(read, f"{address}/none.csv").code == "table.remote-missing"
        assert refused(read, f"{address}/c.parquet").code == "table.damaged"
        assert refused(read, f"{address}/folder/").code == "table.remote-kind"


def test_what_is_written_about_a_table_is_no_part_of_it(tmp_path):
    pl.DataFrame({"x": [1.0, 2.0]}).write_csv(tmp_path / "rows.csv")
    (tmp_path / "README.md").write_text("# Rows\n\nof a table, of another width\n")
    assert read(str(tmp_path)).rows == 2
    assert read(str(tmp_path / "*")).rows == 2
