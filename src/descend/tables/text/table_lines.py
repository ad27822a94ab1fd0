"""Which lines of a file are its table: the place of the header, and the lines above, between and below the rows.

Lines that are none of the table are made blank, and blank lines are no rows, so that every line keeps its number.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from descend.base.errors import OptionError, TableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

COMMENTS = ("#", "//", "%", "!", "--")  # what a line of comment begins with
LOOKED_AT = 200  # records from which the table's width is told
TOP_LINES = 5  # lines among which the names are looked for
ENOUGH = 3  # rows over a footer, and the header
FOOTER = 10  # lines below a table: more are rows that are wrong
MOST = 0.6  # of the records: so many have the table's width
BLOCK = 1 << 16

Record = tuple[int, list[str]]


@dataclass(frozen=True)
class Layout:
    """The lines of a text file, or the rows of a sheet, that are no rows of its table.

    skip_rows: how many lines at the top hold no rows; the header is the first line after them, or the line
    ``header_row`` (from 1), and what is above it is left out. comment: what a line begins with that is left out.
    skip_footer: how many lines at the end, blank ones not counted, hold no rows.
    """

    skip_rows: int = 0
    header_row: int | None = None
    comment: str | None = None
    skip_footer: int = 0

    def __post_init__(self) -> None:
        for name, value, least in (("skip_rows", self.skip_rows, 0), ("skip_footer", self.skip_footer, 0)):
            _require(name, value, least)
        if self.header_row is not None:
            _require("header_row", self.header_row, 1)
        if self.comment is not None and (
            not isinstance(self.comment, str) or not self.comment or not self.comment.isascii() or "\n" in self.comment
        ):
            raise OptionError("option.comment", value=self.comment)

    @property
    def above(self) -> int:
        """How many lines are above the header."""
        return self.skip_rows if self.header_row is None else self.header_row - 1

    @property
    def below(self) -> int:
        """How many lines under the header hold no rows, as one of units does."""
        return 0 if self.header_row is None else max(self.skip_rows - self.header_row, 0)

    def blanked(self, text: str, *, whole: bool = True) -> str:
        """Return a text in which the lines outside its table are blank; those at its end only where it is ``whole``."""
        if self == WHOLE:
            return text
        text = self.without_comments(text)
        lines = text.split("\n")
        for first, count in ((0, self.above), (self.above + 1, self.below)):
            gone = min(count, max(len(lines) - first, 0))  # so that no number is too large
            lines[first : first + gone] = [""] * gone
        if whole and self.skip_footer:
            for index in [i for i in range(len(lines) - 1, -1, -1) if lines[i]][: self.skip_footer]:
                lines[index] = ""
        return "\n".join(lines)

    def without_comments(self, text: str) -> str:
        """Return a text with its lines of comment blank."""
        if self.comment is None:
            return text
        return re.sub(rf"^[ \t]*{re.escape(self.comment)}[^\n]*", "", text, flags=re.MULTILINE)

    def uncommented(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the bytes of a file with its lines of comment blank."""
        pattern = re.compile(rb"^[ \t]*%b[^\r\n]*" % re.escape((self.comment or "").encode()), re.MULTILINE)
        rest = b""
        for block in blocks:
            whole, end, rest = (rest + block).rpartition(b"\n")
            yield pattern.sub(b"", whole) + end
        yield pattern.sub(b"", rest)


def _require(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= sys.maxsize:
        raise OptionError("option.lines", name=name, value=value, least=least)


WHOLE = Layout()  # every line belongs to the table


def line_start(read: Callable[[int, int], bytes], start: int, lines: int) -> int:
    """Return the place of a file's byte after so many lines from the byte ``start`` on."""
    while lines and (block := read(start, BLOCK)):
        block = block[:-1] if block.endswith(b"\r") and len(block) > 1 else block  # a line feed may follow
        ends = [found.end() for found in islice(re.finditer(rb"\r\n|\n|\r", block), min(lines, BLOCK))]
        lines -= len(ends)
        start += ends[-1] if not lines and ends else len(block)
    return start


def footer_start(read: Callable[[int, int], bytes], size: int, lines: int) -> int:
    """Return the place where a file's last lines, blank ones not counted, begin."""
    tail, start = b"", size
    while start and len([line for line in tail.splitlines() if line]) <= lines:
        step = min(BLOCK, start)
        start -= step
        tail = read(start, step) + tail
    cut = len(tail)
    for line in reversed(tail.splitlines(keepends=True)):
        if not lines:
            break
        cut -= len(line)
        lines -= bool(line.strip(b"\r\n"))
    return start + cut


def aligned(text: str, quote: str = '"') -> str:
    """Return the lines of a text whose columns are aligned by spaces, cut by tabs; what is quoted stays together."""
    q = re.escape(quote)
    lines = (re.sub(rf"({q}[^{q}\n]*{q})|[ \t]+", lambda found: found[1] or "\t", line) for line in _stripped(text))
    return "\n".join(lines)


def _stripped(text: str) -> Iterator[str]:
    return (line.strip(" \t") for line in text.split("\n"))


def is_aligned(lines: Sequence[str], is_number: Callable[[str], bool]) -> bool:
    """Tell whether lines are cut at runs of spaces: into as many cells each, and under the header one is a number."""
    cells = [line.split() for line in lines if line.strip()]
    if len(cells) < 2 or len(cells[0]) < 2 or len({len(row) for row in cells}) > 1:
        return False
    return any(all(is_number(row[column]) for row in cells[1:]) for column in range(len(cells[0])))


def refuse_ragged(
    file: str, records: Sequence[Record], line: int, found: int, expected: int, is_number: Callable[[str], bool]
) -> None:
    """Raise TableError for a record of another width than the header's, and say which lines seem to be no rows.

    records: those of the file that are looked at, the header first, blank lines left out.
    """
    values = {"file": file, "line": line, "found": found, "expected": expected}
    width, count = Counter(len(cells) for _, cells in records[:LOOKED_AT]).most_common(1)[0]
    begun, names = next((number, cells) for number, cells in records if len(cells) == width)
    above = [cells for number, cells in records if number < begun]
    stray = next((cells for number, cells in records if number == line), [])
    for cells in [*above[:1], *([stray] if found < expected else [])]:
        mark = next((mark for mark in COMMENTS if cells and cells[0].lstrip().startswith(mark)), None)
        if mark is not None:
            raise TableError("table.comments", **values, mark=mark)
    named = expected == 1 or not any(is_number(cell.strip()) for cell in names)
    if above and width > expected and count >= max(2, MOST * min(len(records), LOOKED_AT)) and named:
        raise TableError("table.preamble", **values, first=begun, width=width)
    after = [cells for number, cells in records if number >= line]
    if len(after) <= FOOTER and len(records) > len(after) + ENOUGH and all(len(cells) < expected for cells in after):
        raise TableError("table.footer", **values, count=len(after))
    raise TableError("table.ragged", **values)


def refuse_double_header(file: str, records: Sequence[Record], is_number: Callable[[str], bool]) -> None:
    """Raise TableError where lines with gaps, over several columns each, stand above the line that has the names."""
    for place, (line, cells) in enumerate(records[:TOP_LINES]):
        filled = all(cell.strip() and not is_number(cell.strip()) for cell in cells)
        if place and filled and len(cells) == len(records[0][1]):
            under = [cell for _, row in records[place + 1 :] for cell in row]
            if sum(is_number(cell.strip()) for cell in under) * 3 > len(under) > 0:
                raise TableError("table.double-header", file=file, line=line, found=_heading(records[0][1]))
            return
        if filled or all(cell.strip() for cell in cells[1:]):
            return


def _heading(cells: Sequence[str]) -> str:
    return next((cell.strip() for cell in cells if cell.strip()), "")
