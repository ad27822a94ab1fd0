"""Cuts of delimited text into pieces that can be read independently: at the ends of records."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from descend.base.errors import TableError
from descend.tables.text.line_index import count_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PIECE = 16 << 20
LONGEST = 256 << 20  # bytes of a record: a longer one is a quote that was left open


@dataclass(frozen=True)
class Piece:
    """Whole records of a file: their bytes, their first line, and their rows, of which ``row`` is the first's number.

    ``header`` says that the first record is the file's header and no row, ``regular`` that every quote opens or closes
    a cell; ``check`` tells whether the bytes are the same when they are read again, None where that is not asked.
    """

    start: int
    size: int
    line: int
    row: int
    rows: int
    header: bool
    regular: bool
    check: int | None


def cut(
    read: Callable[[int, int], bytes],
    name: str,
    quote: str,
    delimiter: str,
    *,
    header: bool,
    start: int,
    most: int,
    line: int = 1,
) -> Iterator[tuple[Piece, bytes]]:
    """Read a file once, from the byte ``start``, and yield its pieces, of about ``most`` bytes, with their bytes.

    ``line`` is the number of the line that begins there.

    read: gives bytes by their place and number, fewer only where the file ends.

    Raises TableError where a quote stays open.
    """
    rest, row = b"", 0
    while True:
        fresh = read(start + len(rest), max(most, len(rest)))
        data = rest + fresh
        if not data:
            return
        counted = count_lines(data, quote, delimiter, last=not fresh)
        if len(data) - counted.end > LONGEST or (not fresh and counted.open):
            raise TableError("table.open-quote", file=name, line=line + counted.lines)
        if counted.end:
            whole, rest = data[: counted.end], data[counted.end :]
            first = header and counted.records > 0
            rows = counted.records - first
            check = zlib.crc32(whole)
            yield Piece(start, len(whole), line, row, rows, first, counted.regular, check), whole
            header &= not first
            start, line, row = start + len(whole), line + counted.lines, row + rows
        else:
            rest = data
        if not fresh:
            return
