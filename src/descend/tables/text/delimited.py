"""Delimited text (CSV, TSV): its encoding, delimiter, quotes and header found out, its rows read as text.

Cells stay text here; ``tables.Table`` turns a column into numbers only when the hypothesis asks for it, so that a
stray cell in a column nobody uses harms nobody.
"""

from __future__ import annotations

import csv
import io
import re
from codecs import BOM_UTF8
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import dropwhile, islice
from typing import TYPE_CHECKING

import polars as pl

from descend.base.errors import OptionError, TableError
from descend.base.messages import Note
from descend.base.texts import normalised
from descend.formula.ast import ROW_NUMBERS
from descend.tables.text.table_lines import (
    LOOKED_AT,
    MOST,
    WHOLE,
    Layout,
    aligned,
    is_aligned,
    refuse_double_header,
    refuse_ragged,
)
from descend.tables.text.text_encoding import Guess, guess

if TYPE_CHECKING:
    from collections.abc import Iterator

DELIMITERS = (",", "\t", ";", "|")
HEAD = 65_536
NAMELESS = ("", "Unnamed: 0")  # what pandas calls a column of row numbers that it reads again
TOP = 4_194_304
NUMBER = re.compile(r"[+\-−]?(\d[\d,.   ]*|[.,]\d+)([eE][+-]?\d+)?")
CLOSED_QUOTE = re.compile(r"(^|[,;|\t])'[^']*'(?=[,;|\t]|$)", re.MULTILINE)


@dataclass
class Delimited:
    """The text of a file, how it is cut into cells, and the notes on how that was found out.

    Where it is a part of a file, ``line`` is the number of its first line there. ``trailing`` says that a delimiter
    follows the last cell of every row, and ``aligned`` that its columns were aligned by spaces, which are tabs here.
    """

    name: str
    text: str
    delimiter: str
    quote: str
    header: bool
    notes: list[Note] = field(default_factory=list)
    line: int = 1
    trailing: bool = False
    aligned: bool = False

    def records(self, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
        """Yield the line on which each record starts (as an editor counts) and its cells; a blank line has none.

        strict: raise TableError where text follows a closing quote, or a quote stays open.
        """
        csv.field_size_limit(2**31 - 1)
        lines = io.StringIO(self.text, newline="")
        reader = csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, strict=strict)
        line = self.line
        try:
            for cells in reader:
                yield line, cells
                line = self.line + reader.line_num
        except csv.Error as error:
            raise TableError("table.open-quote", file=self.name, line=line) from error

    def quotes_suspect(self) -> bool:
        """Tell whether text seems to follow a closing quote, which readers understand in different ways."""
        q, d = re.escape(self.quote), re.escape(self.delimiter)
        return self.quote in self.text and bool(
            re.search(rf"(?:^|[{d}\n]){q}(?:[^{q}]++|{q}{q})*+{q}[^{d}\n]", self.text)
        )

    def line_of(self, row: int) -> int | None:
        """Return the line on which data row ``row`` (from 0, blank lines not counted) starts."""
        filled = (line for line, cells in self.records() if cells)
        for index, line in enumerate(filled):
            if index == row + int(self.header):
                return line
        return None


def read_delimited(
    data: bytes,
    name: str,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    decimal: str = ".",
    layout: Layout = WHOLE,
) -> tuple[pl.DataFrame, Delimited]:
    """Read delimited text into a frame whose columns are all text (null where the cell is empty).

    What is not given is found out. Raises TableError for undecodable, empty, ragged or unclosed input.
    """
    text, found = decode(data, name, encoding)
    unchanged = found.encoding == "utf-8-sig" and b"\r" not in data and not data.startswith(BOM_UTF8)
    text = layout.blanked(text if unchanged else with_line_feeds(text))
    source, names = find_dialect(text, name, found, delimiter=delimiter, header=header, decimal=decimal)
    frame = read_cells(source, names, data if unchanged and source.text is text and layout == WHOLE else None)
    if frame.height == 0:
        raise TableError("table.no-rows", file=name)
    return frame, source


def with_line_feeds(text: str) -> str:
    """Return a text whose lines all end in a line feed."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def find_dialect(
    text: str, name: str, found: Guess, *, delimiter: str | None, header: bool | None, decimal: str
) -> tuple[Delimited, list[str]]:
    """Find out how a text is cut, and the names of its columns, from its first lines.

    ``found`` is the encoding it was found in. Raises TableError where it is empty or no text.
    """
    if delimiter is not None:
        delimiter = {"tab": "\t", "\\t": "\t", "space": " "}.get(delimiter, delimiter)
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in "\r\n\0\"'":
            raise OptionError("option.delimiter", value=delimiter)
    if not text or text.isspace():
        raise TableError("table.empty", file=name)
    if "\0" in text:
        raise TableError("table.binary", file=name)
    head = text[:TOP].lstrip("\n")[:HEAD]
    quote = "'" if '"' not in head and CLOSED_QUOTE.search(head) else '"'
    chosen = delimiter or _delimiter(head, quote, decimal)
    source = Delimited(name, text, chosen, quote, header is not False)
    if chosen == " ":
        source = replace(source, text=aligned(text, quote), delimiter="\t", aligned=True)
        if delimiter is None:
            source.notes.append(Note("note.aligned", {}))
    if found.encoding not in ("utf-8", "utf-8-sig"):
        code = "note.encoding-doubted" if found.other else "note.encoding"
        source.notes.append(Note(code, {"encoding": found.encoding, "other": found.other}))
    top = source if len(text) < TOP else replace(source, text=source.text[:TOP])
    records = list(islice((record for record in top.records() if record[1]), LOOKED_AT))
    first = records[0][1]
    if header is None and all(not cell.strip() or NUMBER.fullmatch(cell.strip()) for cell in first):
        source.header = False
        source.notes.append(
            Note("note.no-header", {"names": ", ".join(f"x{i + 1}" for i in range(min(len(first), 3)))})
        )
    if source.header:
        refuse_double_header(name, records, _is_number)
    if _trails(records, source):
        source.trailing = True
        first = first if any(len(cells) > len(first) for _, cells in records) else first[:-1]
    return source, _numbered(_names(first, source), first, records[1:], source)


def decode(data: bytes, name: str, encoding: str | None) -> tuple[str, Guess]:
    """Return the text and its encoding: the one given, else by byte order mark, UTF-8, UTF-16, or by its letters.

    Raises TableError where none fits, and where a text in UTF-8 has broken letters.
    """
    if encoding is not None:
        return decoded(data, name, encoding).removeprefix("\ufeff"), Guess(encoding, "")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        candidates = ["utf-16"]
    elif b"\0" in data:  # in UTF-16 the high byte of a letter or a comma is 0, and all of these lie on one side
        high, low = data[1::2].count(0), data[::2].count(0)
        wide = "utf-16-le" if high > low else "utf-16-be"
        candidates = [wide] if max(high, low) > len(data) / 8 else ["utf-8-sig", wide]
    else:
        candidates = ["utf-8-sig"]
    for candidate in candidates:
        with suppress(UnicodeDecodeError):
            return data.decode(candidate), Guess(candidate, "")
    for found in [] if b"\0" in data else guess(data):
        if found.encoding == "utf-8":
            return decoded(data, name, "utf-8"), found
        with suppress(UnicodeDecodeError):
            return data.decode(found.encoding), found
    raise TableError("table.undecodable", file=name)


def decoded(data: bytes, name: str, encoding: str, first: int = 1) -> str:
    """Return the text of bytes whose first line is that of the number ``first``; raises TableError naming the line."""
    try:
        text = data.decode(encoding)
        if encoding != "utf-8":
            text.encode()  # some codecs give halves of characters
    except UnicodeError as error:
        line = data[: getattr(error, "start", 0)].count(b"\n") + first
        raise TableError("table.wrong-encoding", file=name, encoding=encoding, line=line) from error
    except (LookupError, ValueError) as error:
        raise OptionError("option.encoding", value=encoding) from error
    return text


def _delimiter(head: str, quote: str, decimal: str) -> str:
    """Choose the delimiter that cuts the first lines into the same number of cells, and the most of them."""
    lines = [line for line in head.splitlines() if line.strip()][:50]
    if len(head) == HEAD and len(lines) > 1:
        lines.pop()

    def score(delimiter: str) -> tuple[int, int]:
        widths = [len(cells) for cells in csv.reader(lines, delimiter=delimiter, quotechar=quote) if cells]
        if not widths or widths[0] < 2:
            return 0, 0
        return sum(width == widths[0] for width in widths), widths[0]

    def common(delimiter: str) -> int:
        widths = Counter(len(cells) for cells in csv.reader(lines, delimiter=delimiter, quotechar=quote))
        width, count = widths.most_common(1)[0] if widths else (0, 0)
        return count if width > 1 and count > 1 and count >= MOST * len(lines) else 0

    candidates = [d for d in DELIMITERS if d != decimal]
    best = max(candidates, key=score)
    if score(best)[0]:
        return best
    if is_aligned(lines, _is_number):
        return " "
    return max(candidates, key=common)  # what stands above the table has fewer cells


def _is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell) is not None


def _trails(records: list[tuple[int, list[str]]], source: Delimited) -> bool:
    """Tell whether a delimiter follows the last cell of every row, so that another cell seems to be there."""
    width, rows = len(records[0][1]), [cells for _, cells in records[int(source.header) :]]
    wider = width + int(source.header and any(len(cells) > width for cells in rows))
    last = [cells[-1].strip() for cells in rows]
    heading = records[0][1][-1].strip() if source.header and wider == width else ""
    even = all(len(cells) == wider and any(map(str.strip, cells)) for cells in rows)
    enough = len(rows) > int(wider > width)  # a single row that is too long is wrong
    return wider > 2 and enough and bool(rows) and even and not any(last) and not heading


def _numbered(names: list[str], first: list[str], rows: list[tuple[int, list[str]]], source: Delimited) -> list[str]:
    """Return the names with that of the first column changed where it has none and only numbers the rows."""
    if not source.header or len(names) < 2 or first[0].strip() not in NAMELESS or ROW_NUMBERS in names:
        return names
    numbers = [cells[0].strip() for _, cells in rows]
    if not numbers or len(set(numbers)) < len(numbers) or not all(number.isdecimal() for number in numbers):
        return names
    kept = [note for note in source.notes if note.code != "note.empty-header" or note.values["position"] != 1]
    source.notes[:] = [*kept, Note("note.row-numbers", {"name": ROW_NUMBERS})]
    return [ROW_NUMBERS, *names[1:]]


def _names(first: list[str], source: Delimited) -> list[str]:
    """Return the names of the columns: trimmed, the empty ones numbered, the repeated ones told apart."""
    if not source.header:
        return [f"x{i + 1}" for i in range(len(first))]
    names: list[str] = []
    taken = {normalised(cell).strip() for cell in first}
    seen: set[str] = set()
    for index, cell in enumerate(first):
        name = normalised(cell).strip()
        if not name:
            name = _free(f"column{index + 1}", taken)
            source.notes.append(Note("note.empty-header", {"position": index + 1, "name": name}))
        elif name in seen:
            fresh = _free(f"{name}_2", taken)
            source.notes.append(Note("note.repeated-header", {"name": name, "fresh": fresh}))
            name = fresh
        names.append(name)
        seen.add(name)
        taken.add(name)
    return names


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        stem, _, number = name.rpartition("_")
        name = f"{stem}_{int(number) + 1}" if stem and number.isdecimal() else f"{name}_2"
    return name


def read_cells(source: Delimited, names: list[str], data: bytes | None, *, regular: bool = False) -> pl.DataFrame:
    """Read every cell as text; raise TableError naming the first ragged line or the quote left open.

    ``data`` are the bytes of the text in UTF-8, where they are at hand; ``regular`` says that no quote in it can be
    understood in two ways.
    """
    text = source.text
    if text.startswith("\n") or not text.endswith("\n"):
        text, data = text.strip("\n") + "\n", None  # without an end of line polars lets the last row be too long
    if text.startswith("\ufeff"):
        text, data = f"\ufeff{text}", None  # polars takes the first one for a mark, and here it belongs to a cell
    read = [*names, "\0"] if source.trailing else names
    if source.trailing and source.header:
        text, data = _widened(source, text, len(read)), None
    try:
        frame = pl.read_csv(
            text.encode() if data is None else data,
            has_header=False,
            new_columns=read,
            schema_overrides=[pl.String] * len(read),
            separator=source.delimiter,
            quote_char=source.quote,
            infer_schema=False,
        )
    except pl.exceptions.PolarsError as error:
        _check_widths(source, len(read))
        deque(source.records(strict=True), maxlen=0)
        raise TableError("table.unreadable", file=source.name, reason=str(error).splitlines()[0]) from error
    if not regular and source.quotes_suspect():
        deque(source.records(strict=True), maxlen=0)
    if frame.width != len(read):
        _check_widths(source, len(read))
    if frame[:, -1].null_count() and not _is_even(frame, source, text):
        blank = _check_widths(source, len(read))
        if blank:
            keep = pl.Series([True] * frame.height)
            keep[[index for index in blank if index < frame.height]] = False
            frame = frame.filter(keep)
    frame = frame.slice(1) if source.header else frame
    return _without_last(frame, source) if source.trailing else frame


def _widened(source: Delimited, text: str, width: int) -> str:
    """Return a text with a delimiter behind its header where it has none: a table is as wide as its first record."""
    filled = ((line, cells) for line, cells in source.records() if cells)
    (_, cells), following = next(filled), next(filled, None)
    if len(cells) == width or following is None:
        return text
    lines = text.split("\n")
    blank = len(source.text) - len(source.text.lstrip("\n"))  # which the text no longer has
    last = following[0] - source.line - blank - 1
    while not lines[last]:
        last -= 1
    lines[last] += source.delimiter
    return "\n".join(lines)


def _without_last(frame: pl.DataFrame, source: Delimited) -> pl.DataFrame:
    """Return the cells without an empty last column; raises TableError where one of its cells is filled."""
    last = frame[:, -1].str.strip_chars()
    there = (last.is_not_null() & (last != "")).fill_null(value=False)
    if there.any():
        line = source.line_of(int(there.arg_max() or 0)) or source.line
        raise TableError("table.ragged", file=source.name, line=line, found=frame.width, expected=frame.width - 1)
    return frame[:, :-1]


def _is_even(frame: pl.DataFrame, source: Delimited, text: str) -> bool:
    """Tell, where there are no quotes, that every line has as many delimiters as it should: none is short or blank."""
    return source.quote not in text and text.count(source.delimiter) == frame.height * (frame.width - 1) > 0


def _check_widths(source: Delimited, width: int) -> list[int]:
    """Return the indices of blank lines; raise TableError for a record with too many or too few cells."""
    blank = []
    records = dropwhile(lambda record: not record[1], source.records())
    for index, (line, cells) in enumerate(records):
        if not cells:
            blank.append(index)
        elif len(cells) != width and not (source.trailing and source.header and len(cells) == width - 1 and not index):
            if any("\n" in cell for cell in cells):
                raise TableError("table.open-quote", file=source.name, line=line)
            filled = [record for record in source.records() if record[1]]
            refuse_ragged(source.name, filled, line, len(cells), width - source.trailing, _is_number)
    return blank
