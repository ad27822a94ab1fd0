"""Reading tables under anything: no input ends in another error or is misread; lines are counted right."""

import csv
import gzip
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from descend.base.errors import DescendError, TableError
from descend.tables.open import read

many = settings(max_examples=200)

MAGIC = {
    ".csv": [b"", b"\x1f\x8b\x08", b"\xff\xfe", b"\xfe\xff", b"a,b\n1,2\n"],
    ".json": [b"", b"[", b'{"a": ', b"\xef\xbb\xbf"],
    ".ndjson": [b"", b'{"a": 1}\n'],
    ".parquet": [b"", b"PAR1"],
    ".feather": [b"", b"ARROW1\0\0"],
    ".db": [b"", b"SQLite format 3\0"],
    ".xlsx": [b"", b"PK\x03\x04"],
}
SPICE = st.sampled_from(
    [
        "a",
        "b,c",
        "\n",
        "\r\n",
        "\r",
        '"',
        "'",
        ",",
        ";",
        "\t",
        "|",
        " ",
        "1",
        "1,5",
        "-",
        "NA",
        "키",
        "\ufeff",
    ]
)
TEXTS = st.one_of(st.text(), st.lists(SPICE, max_size=30).map("".join))
BARE = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=8)
CELLS = st.one_of(
    BARE,
    st.sampled_from(["a,b", 'say "hi"', "two\nlines", "\n\n", "it's", '"', "NA", ""]),
    st.floats().map(repr),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def attempt(action, argument):
    try:
        return action(argument)
    except DescendError as error:
        if not (str(error) and error.tell("ko")):
            raise AssertionError(f"{error.code} has no sentence") from error
        return None


def survives(path):
    """Read a file and every column of it; nothing but a DescendError with a sentence may come out."""
    table = attempt(read, path)
    if table is None:
        return
    assert table.rows
    for column in table.columns:
        for take in (table.numbers, table.labels):
            taken = attempt(take, column)
            assert taken is None or len(taken) == table.rows


@pytest.mark.slow
@pytest.mark.parametrize("suffix", MAGIC)
def test_any_bytes_are_read_or_refused(folder, suffix):
    path = folder / f"any{suffix}"

    @many
    @given(st.sampled_from(MAGIC[suffix]), st.binary(max_size=300))
    def check(start, data):
        path.write_bytes(start + data)
        survives(path)

    check()


@many
@given(data=st.binary(max_size=40), position=st.integers(0, 60))
@example(data=b"\xff" * 8, position=10)
def test_any_damage_to_a_gzip_file_is_read_or_refused(folder, data, position):
    path = folder / "any.csv.gz"
    whole = gzip.compress(b"hours,score\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(20)), mtime=0)
    path.write_bytes(whole[:position] + data + whole[position + len(data) :])
    survives(path)


@pytest.mark.slow
@many
@given(text=TEXTS, suffix=st.sampled_from([".csv", ".tsv", ".json", ".ndjson"]))
def test_any_text_is_read_or_refused(folder, text, suffix):
    path = folder / f"text{suffix}"
    path.write_bytes(text.encode(errors="surrogatepass"))
    survives(path)


@pytest.mark.slow
@many
@given(text=TEXTS, encoding=st.sampled_from(["utf-16-le", "utf-16-be", "utf-16", "cp949", "utf-8-sig"]))
def test_any_text_in_any_encoding_is_read_or_refused(folder, text, encoding):
    path = folder / "encoded.csv"
    path.write_bytes(text.encode(encoding, errors="replace"))
    survives(path)


@pytest.mark.slow
@many
@given(
    data=st.data(),
    width=st.integers(1, 4),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_a_table_that_python_writes_is_read_back_cell_by_cell(folder, data, width, delimiter, end):
    rows = data.draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=12))
    names = [f"column {i}" for i in range(width)]
    path = folder / "round.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter, quotechar='"', quoting=csv.QUOTE_ALL, lineterminator=end).writerows(
            [names, *rows]
        )
    table = read(path, header=True, delimiter=delimiter)
    assert table.columns == names
    assert [["" if cell is None else cell for cell in row] for row in table.frame.rows()] == rows


@pytest.mark.slow
@many
@given(
    rows=st.lists(st.tuples(CELLS, st.integers(-999, 999).map(str)), min_size=1, max_size=12),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_a_table_with_no_more_quotes_than_needed_is_read_back_cell_by_cell(folder, rows, end):
    path = folder / "minimal.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator=end).writerows([('"name"', "n"), *rows])
    table = read(path, header=True, delimiter=",")
    assert [("" if name is None else name, n) for name, n in table.frame.rows()] == rows


@pytest.mark.slow
@many
@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_come_back_to_the_last_bit(folder, numbers):
    path = folder / "numbers.csv"
    path.write_text("x,y\n" + "".join(f"{number!r},0\n" for number in numbers))
    assert read(path).numbers("x").tolist() == numbers


@many
@given(text=st.lists(st.sampled_from(["a", "1", ",", ",", "\n", "\r\n", '"', '""', " "]), max_size=25).map("".join))
@example(text="1,2,")
@example(text='"1 "a" 1",2')
@example(text='"1\n",2\n\n3,4')
def test_what_is_read_is_what_pythons_strict_reader_reads(folder, text):
    path = folder / "agree.csv"
    path.write_bytes(f"a,b\n{text}".encode())
    try:
        table = read(path, header=True, delimiter=",")
    except TableError:
        return
    plain = io.StringIO(path.read_bytes().decode().replace("\r\n", "\n"), newline="")
    try:
        expected = [row for row in csv.reader(plain, strict=True) if row]
    except csv.Error as error:
        raise AssertionError(f"read {table.frame.rows()} from quotes that do not close: {error}") from error
    got = [["" if cell is None else cell.replace("\r\n", "\n") for cell in row] for row in table.frame.rows()]
    if table.source.trailing:  # a delimiter behind every row is no cell
        expected = [row[:2] for row in expected]
    assert [table.columns, *got] == expected


LINES = st.lists(st.sampled_from(["", "x", "two\nlines", "\n\n", 'a "b"', "키, 몸무게"]), min_size=3, max_size=30)


@pytest.mark.slow
@many
@given(
    texts=LINES,
    blanks=st.lists(st.integers(0, 2), min_size=31, max_size=31),
    place=st.integers(0, 29),
    end=st.sampled_from(["\n", "\r\n"]),
    header=st.booleans(),
)
def test_a_bad_cell_is_named_by_the_line_where_its_row_begins(folder, texts, blanks, place, end, header):
    place %= len(texts)
    line, lines, expected = 1, [], 0
    if header:
        lines, line = ['"the\nname",n'.replace("\n", end) + end], 3
    for index, (text, blank) in enumerate(zip(texts, blanks, strict=False)):
        quoted = text.replace('"', '""').replace("\n", end)
        if index or header:
            lines.append(end * blank)
            line += blank
        if index == place:
            expected = line
        lines.append(f'"{quoted}",{"oops" if index == place else index}{end}')
        line += 1 + text.count("\n")
    path = folder / "bad.csv"
    path.write_bytes("".join(lines).encode())
    table = read(path, header=header, delimiter=",")
    column = table.columns[1]
    with pytest.raises(TableError) as error:
        table.numbers(column)
    assert (error.value.code, error.value.column) == ("table.bad-cell", column)
    assert (error.value.line, error.value.values["found"]) == (expected, "oops")


@many
@given(
    counts=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=12),
    cells=st.sampled_from([["x"], ["x", "1", "2"], ["", "", "", ""]]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_a_ragged_row_is_named_by_the_line_where_it_begins(folder, counts, cells, end):
    lines, line = [f"a,b{end}"], 2
    for blank, inner in counts:
        lines.append(end * blank + f'"x{end * inner}",1{end}')
        line += blank + inner + 1
    lines.append(",".join(cells) + end + f"y,2{end}" * 2)
    path = folder / "ragged.csv"
    path.write_bytes("".join(lines).encode())
    with pytest.raises(TableError) as error:
        read(path)
    assert (error.value.code, error.value.line) == ("table.ragged", line)
    assert error.value.values["found"] == len(cells)
