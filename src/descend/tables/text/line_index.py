"""The ends of lines in the bytes of delimited text: those outside quotes, blank lines apart.

The bytes are those of an encoding in which a line's end, a quote and a delimiter are the bytes of ASCII, and begin
where a record begins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = NDArray[np.int64]

LINE, RETURN = 10, 13


@dataclass(frozen=True)
class Spans:
    """The quotes that open and close, in turn; ``regular`` where every quote is one of these or a doubled one.

    An odd number of them says that the last is open at the end.
    """

    places: Places
    regular: bool

    def outside(self, places: Places) -> Places:
        """Return those of the places that lie outside quotes."""
        if not self.places.size:
            return places
        outside: Places = places[np.searchsorted(self.places, places) % 2 == 0]
        return outside


def spans(data: bytes, quote: str, delimiter: str) -> Spans:
    """Find the quotes that hold cells: those that open at a cell's start, as Python's csv reads them."""
    if quote.encode() not in data:
        return Spans(np.zeros(0, dtype=np.int64), regular=True)
    letters = np.frombuffer(data, dtype=np.uint8)
    places = np.flatnonzero(letters == ord(quote))
    beside = np.zeros(256, dtype=bool)
    beside[[LINE, RETURN, ord(quote), ord(delimiter)]] = True
    opening, closing = places[::2], places[1::2]
    before = letters[opening[int(opening[0] == 0) :] - 1]
    after = letters[closing[: closing.size - int(closing.size > 0 and closing[-1] == letters.size - 1)] + 1]
    if beside[before].all() and beside[after].all():
        return Spans(places, regular=True)
    return Spans(_read_by_cells(data, quote.encode(), delimiter.encode()), regular=False)


def _read_by_cells(data: bytes, quote: bytes, delimiter: bytes) -> Places:
    """Find the quotes that enclose cells where others are inside cells, which takes longer."""
    q, d = re.escape(quote), re.escape(delimiter)
    found: list[int] = []
    for cell in re.finditer(rb"(?:\A|(?<=[%b\n\r]))%b(?:[^%b]++|%b%b)*+(%b?)" % (d, q, q, q, q, q), data):
        found.append(cell.start())
        if cell[1]:
            found.append(cell.end() - 1)
    return np.asarray(found, dtype=np.int64)


@dataclass(frozen=True)
class Lines:
    """What was counted up to ``end``, the end of the last whole record: lines, and records that are not blank.

    ``open`` says that a quote is open at the end of the data.
    """

    end: int
    lines: int
    records: int
    regular: bool
    open: bool


def count_lines(data: bytes, quote: str, delimiter: str, *, last: bool) -> Lines:
    """Count the lines and records of bytes; ``last`` says that nothing follows, so that the last one may lack its end.

    A blank line is no record.
    """
    letters = np.frombuffer(data, dtype=np.uint8)
    returns = b"\r" in data
    if not returns and quote.encode() not in data:
        feeds = letters == LINE
        if not feeds[0] and not (feeds[1:] & feeds[:-1]).any():  # no blank line: the quickest way, and the usual one
            end, lines = data.rfind(b"\n") + 1, int(np.count_nonzero(feeds))
            more = int(last and end < len(data))
            return Lines(len(data) if last else end, lines + more, lines + more, regular=True, open=False)
    every = _line_ends(letters, returns, last)
    quoted = spans(data, quote, delimiter)
    ends = quoted.outside(every)
    starts = np.concatenate([[0], ends[:-1] + 1])[: ends.size]
    pairs = (letters[ends] == LINE) & (ends > starts) & (letters[np.maximum(ends - 1, 0)] == RETURN)
    records = int((ends - pairs > starts).sum())
    end = int(ends[-1]) + 1 if ends.size else 0
    lines = int(np.searchsorted(every, end))
    open_ = quoted.places.size % 2 == 1
    if last and end < len(data) and not open_:
        return Lines(len(data), every.size + 1, records + 1, quoted.regular, open_)
    return Lines(end, lines, records, quoted.regular, open_)


def _line_ends(letters: NDArray[np.uint8], returns: bool, last: bool) -> Places:
    """Return where lines end: at a line feed, and at a carriage return that none follows."""
    ends = letters == LINE
    if returns:
        alone = letters == RETURN
        alone[:-1] &= ~ends[1:]
        alone[-1] &= last  # at the end of a piece a line feed may follow
        ends = ends | alone
    return np.flatnonzero(ends)
