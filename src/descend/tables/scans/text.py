"""Delimited text (CSV, TSV) as a scan: pieces of files, cut where a record ends, each read by itself.

One reading of the bytes finds the cuts and counts the rows, blank lines left out as ``read`` leaves them out, so that
a row has the same number in memory and in a scan.
"""

from __future__ import annotations

import hashlib
import zlib
from codecs import BOM_UTF8, lookup
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from descend.base.errors import TableError
from descend.tables.reading_options import ReadingOptions
from descend.tables.scans._record_cuts import PIECE, Piece, cut
from descend.tables.scans.partitions import Cell, Partitions, require_same, with_cells
from descend.tables.scans.unpacked import Unpacked, gunzipped
from descend.tables.table import Kind, Table
from descend.tables.text.delimited import (
    TOP,
    Delimited,
    decode,
    decoded,
    find_dialect,
    read_cells,
    with_line_feeds,
)
from descend.tables.text.table_lines import aligned, footer_start, line_start
from descend.tables.text.text_encoding import LANGUAGES, Guess, guess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from descend.base.messages import Note
    from descend.tables.scans.partitions import Found
    from descend.tables.text.numerals import Notation

HEAD_ROWS = 10_000
HEAD_BYTES = 4 * TOP  # a letter takes four bytes at most
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class TextFile:
    """A file and how it is cut; ``cells`` are the values that its folders' names add to every row.

    ``trailing`` and ``aligned`` are those of ``Delimited``.
    """

    path: str
    name: str
    encoding: str
    delimiter: str
    quote: str
    header: bool
    names: tuple[str, ...]
    cells: tuple[Cell, ...] = ()
    unpacked: Unpacked | None = field(default=None, repr=False)
    trailing: bool = False
    aligned: bool = False


@dataclass(frozen=True)
class TextPart:
    """The rows of a piece of a file; ``first`` is the number of the first in the whole scan."""

    file: TextFile
    piece: Piece
    first: int
    columns: tuple[str, ...]
    kinds: dict[str, Kind]
    notations: dict[str, Notation]
    decimal: str
    missing: tuple[str, ...]

    @property
    def name(self) -> str:
        """What a person calls the file."""
        return self.file.name

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.piece.rows

    @property
    def size(self) -> int:
        """The bytes that are read."""
        return self.piece.size

    def table(self) -> Table:
        """Read the rows; raises TableError where the file is missing, has changed or does not read as its head does."""
        file, piece = self.file, self.piece
        data = read_bytes(file.path, file.name, file.unpacked, piece.start, piece.size)
        if len(data) != piece.size or (piece.check is not None and zlib.crc32(data) != piece.check):
            raise TableError("table.part-changed", file=file.name)
        text = decoded(data, file.name, file.encoding, piece.line)
        plain = file.encoding == "utf-8" and b"\r" not in data
        text = text if plain else with_line_feeds(text)
        text = aligned(text, file.quote) if file.aligned else text
        source = Delimited(
            file.name, text, file.delimiter, file.quote, piece.header, line=piece.line, trailing=file.trailing
        )
        bare = data if plain and not file.aligned else None
        frame = read_cells(source, list(file.names), bare, regular=piece.regular)
        if frame.height != piece.rows:
            reason = f"{frame.height} / {piece.rows}"
            raise TableError("table.unreadable", file=file.name, reason=reason)
        frame = with_cells(frame, file.cells, self.kinds, self.decimal).select(self.columns)
        kinds, notations = dict(self.kinds), dict(self.notations)
        return Table(
            frame, file.name, self.missing, self.decimal, source, first=piece.row, kinds=kinds, notations=notations
        )


@dataclass(frozen=True)
class TextScan:
    """Text files of the same columns, one after another, each with the pieces that it is cut into."""

    name: str
    head: Table
    rows: int
    size: int
    mark: str
    files: tuple[tuple[TextFile, tuple[Piece, ...]], ...]
    scattered: bool
    quick: bool = False

    @classmethod
    def of(
        cls,
        name: str,
        files: Sequence[Found],
        reading: ReadingOptions | None = None,
        scratch: str | None = None,
        piece: int = PIECE,
    ) -> TextScan:
        """Read the files' bytes once, to find where they may be cut into pieces of about ``piece`` bytes.

        scratch: the folder in which gzipped files are unpacked; None: the system's.

        Raises TableError where one is damaged, has other columns than the first, or an encoding that cannot be cut.
        """
        reading = reading or ReadingOptions()
        missing = reading.markers(typed=False)
        known: list[tuple[TextFile, tuple[Piece, ...]]] = []
        notes: list[Note] = []
        for found in files:
            file, pieces, noted = _examined(found, reading, scratch, piece)
            require_same(files[0].name, (known[0][0] if known else file).names, file.name, file.names)
            known.append((file, pieces))
            notes += [note for note in noted if note not in notes]
        rows = sum(piece.rows for _, pieces in known for piece in pieces)
        if not rows:
            raise TableError("table.no-rows", file=name)
        added = Partitions.of(files, known[0][0].names, missing)
        known = [
            (replace(file, cells=added.cells(found)), pieces)
            for found, (file, pieces) in zip(files, known, strict=True)
        ]
        first = _head(known, added.kinds, reading)
        head = Table(
            first.frame,
            name,
            missing,
            reading.decimal,
            first.source,
            notes,
            kinds=dict(added.kinds),
            places=first,
        )
        kept = [(file.name, file.encoding, file.delimiter, file.header, file.cells, pieces) for file, pieces in known]
        mark = hashlib.sha256(repr(kept).encode()).hexdigest()[:16]
        size = sum(piece.size for _, pieces in known for piece in pieces)
        scattered = all(file.unpacked is None for file, _ in known)
        return cls(name, head, rows, size, mark, tuple(known), scattered)

    @property
    def added(self) -> list[str]:
        """The columns that folders' names add."""
        return [cell.key for cell in self.files[0][0].cells]

    def parts(self, columns: Sequence[str]) -> Iterator[TextPart]:
        """Yield the pieces of the files that have rows, in their order."""
        wanted = {*columns, *self.added}
        kinds, notations = self.head.judged(wanted)
        head, first = self.head, 0
        for file, pieces in self.files:
            for piece in pieces:
                if piece.rows:
                    yield TextPart(file, piece, first, tuple(columns), kinds, notations, head.decimal, head.missing)
                first += piece.rows


def read_bytes(path: str, name: str, unpacked: Unpacked | None, start: int, size: int) -> bytes:
    """Return some bytes of a file; raises TableError where it cannot be opened."""
    if unpacked is not None:
        return unpacked.read(start, size)
    try:
        with open(path, "rb", buffering=0) as file:
            file.seek(start)
            blocks = []
            while size and (block := file.read(size)):
                blocks.append(block)
                size -= len(block)
            return b"".join(blocks)
    except FileNotFoundError as error:
        raise TableError("table.part-missing", file=name) from error
    except OSError as error:
        raise TableError("table.no-access", file=name, reason=error.strerror or str(error)) from error


def _examined(
    found: Found, reading: ReadingOptions, scratch: str | None, most: int, guesses: Sequence[Guess] = ()
) -> tuple[TextFile, tuple[Piece, ...], list[Note]]:
    """Find out how a file is cut into cells and into pieces, and what there is to note about it.

    ``guesses`` are the encodings that are left, where what is no UTF-8 came after the head.
    """
    unpacked = found.unpacked
    if unpacked is None and read_bytes(found.path, found.name, None, 0, 2) == GZIP:
        unpacked = Unpacked(gunzipped(found.path, found.name), found.name, scratch)
    read = partial(read_bytes, found.path, found.name, unpacked)
    layout = reading.layout
    if layout.comment is not None:
        unpacked = Unpacked(layout.uncommented(_blocks(read)), found.name, scratch)
        read = partial(read_bytes, found.path, found.name, unpacked)
    head = read(0, HEAD_BYTES)
    if len(head) == HEAD_BYTES and b"\0" not in head:  # in UTF-16 this byte may be half of a letter
        head = head[: head.rfind(b"\n") + 1] or head
    if guesses:
        text, encoding = decoded(head, found.name, guesses[0].encoding), guesses[0]
    else:
        text, encoding = decode(head, found.name, reading.encoding)
        if encoding.encoding in LANGUAGES:
            guesses = guess(head)
    file, notes = _dialect(found, reading, layout.blanked(with_line_feeds(text), whole=False), encoding, unpacked)
    start = len(BOM_UTF8) if file.encoding == "utf-8" and head.startswith(BOM_UTF8) else 0
    marked = start > 0
    lines = layout.above + (1 + layout.below if layout.below and file.header else 0)
    if layout.skip_footer:
        size = unpacked.size if unpacked is not None else found.size
        read = partial(_bounded, read, footer_start(read, size, layout.skip_footer))
    start = line_start(read, start, lines)
    headed = file.header and not layout.below
    pieces: list[Piece] = []
    delimiter = " " if file.aligned else file.delimiter
    for piece, data in cut(
        read, file.name, file.quote, delimiter, header=headed, start=start, most=most, line=lines + 1
    ):
        if b"\0" in data:
            raise TableError("table.binary", file=found.name)
        if reading.encoding is None and not _decodes(data, file.encoding):  # the head had fewer letters
            left = guesses[1:] if guesses else [] if marked else guess(data)
            if not left:
                raise TableError("table.undecodable", file=found.name)
            if left[0].encoding == "utf-8":
                decoded(data, found.name, "utf-8", piece.line)
            return _examined(found._replace(unpacked=unpacked), reading, scratch, most, left)
        pieces.append(piece)
    return file, tuple(pieces), notes


def _dialect(
    found: Found, reading: ReadingOptions, text: str, encoding: Guess, unpacked: Unpacked | None
) -> tuple[TextFile, list[Note]]:
    """Find out from a file's head how it is cut into cells; raises TableError for an encoding that cannot be cut."""
    codec = lookup(encoding.encoding).name
    codec = "utf-8" if codec == "utf-8-sig" else codec
    marks = "\r\n\t\"',;|"
    if marks.encode(codec) != marks.encode("ascii") or codec.startswith(("iso2022", "hz", "utf-7")):
        raise TableError("table.wide-encoding", file=found.name, encoding=encoding.encoding)
    source, names = find_dialect(
        text, found.name, encoding, delimiter=reading.delimiter, header=reading.header, decimal=reading.decimal
    )
    file = TextFile(
        found.path,
        found.name,
        codec,
        source.delimiter,
        source.quote,
        source.header,
        tuple(names),
        (),
        unpacked,
        source.trailing,
        source.aligned,
    )
    return file, source.notes


def _blocks(read: Callable[[int, int], bytes]) -> Iterator[bytes]:
    """Yield the bytes of a file."""
    start = 0
    while block := read(start, PIECE):
        yield block
        start += len(block)


def _bounded(read: Callable[[int, int], bytes], end: int, start: int, size: int) -> bytes:
    """Return some bytes of a file, but none after ``end``."""
    return read(start, max(min(size, end - start), 0))


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.isascii() or data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _head(
    known: Sequence[tuple[TextFile, tuple[Piece, ...]]], added: dict[str, Kind], reading: ReadingOptions
) -> Table:
    """Read the first rows of the first file that has any."""
    file, pieces = next((file, pieces) for file, pieces in known if any(piece.rows for piece in pieces))
    rows = size = count = 0
    while count < len(pieces) and rows < HEAD_ROWS and (not rows or size < PIECE):
        rows, size, count = rows + pieces[count].rows, size + pieces[count].size, count + 1
    taken = pieces[:count]
    whole = replace(
        taken[0],
        size=size,
        rows=rows,
        header=any(piece.header for piece in taken),
        regular=all(piece.regular for piece in taken),
        check=None,
    )
    columns = (*file.names, *(cell.key for cell in file.cells))
    table = TextPart(file, whole, 0, columns, added, {}, reading.decimal, reading.markers(typed=False)).table()
    table.frame = table.frame.head(HEAD_ROWS)
    return table
