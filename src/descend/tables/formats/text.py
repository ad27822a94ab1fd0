"""Delimited text (CSV, TSV)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from descend.base.errors import DescendError
from descend.tables.formats._format import FORMATS, GZIP, File, Format
from descend.tables.table import Table
from descend.tables.text.delimited import read_delimited

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from descend.tables.formats._format import Writer
    from descend.tables.reading_options import ReadingOptions
    from descend.tables.scan import Scan
    from descend.tables.scans.partitions import Found

DELIMITERS = {".csv": ",", ".tsv": "\t"}


class DelimitedText(Format):
    """Delimited text, also gzipped; a file that is nothing else is read as text, whatever its name."""

    name = "text"
    title = "CSV, TSV"
    endings = (".csv", ".tsv", ".txt")
    lines = ("skip_rows", "header_row", "comment", "skip_footer")
    written = tuple(DELIMITERS)

    def read(self, file: File, options: ReadingOptions) -> Table:
        """Read a whole text; what is not given of how it is written is found out."""
        frame, source = read_delimited(
            file.data,
            file.name,
            encoding=options.encoding,
            delimiter=options.delimiter,
            header=options.header,
            decimal=options.decimal,
            layout=options.layout,
        )
        return Table(frame, file.name, options.markers(typed=False), options.decimal, source, source.notes)

    def preview(self, data: bytes, name: str) -> Table | None:
        """Read the first rows of a text that is not gzipped; None where its beginning says too little."""
        if data.startswith(GZIP):
            return None
        try:
            frame, source = read_delimited(_whole_records(data), name)
        except DescendError:
            return None
        return Table(frame, name, source=source, notes=source.notes)

    def scan(self, name: str, files: Sequence[Found], options: ReadingOptions, scratch: str | None) -> Scan:
        """Open files of the same columns as one table, which is cut where a record ends."""
        from descend.tables.scans.text import TextScan

        return TextScan.of(name, files, options, scratch)

    @property
    def remote_endings(self) -> tuple[str, ...]:
        """The endings of text at an address, which may be gzipped there."""
        return (*self.endings, *(f"{ending}.gz" for ending in self.endings))

    def find_remote(self, address: str, given: str, scratch: str | None) -> list[Found]:
        """Fetch the files at an address into the scratch folder."""
        from descend.tables.scans.remote import fetch_text

        return fetch_text(address, given, scratch)

    @contextmanager
    def writer(self, path: Path, ending: str, scratch: str | None) -> Iterator[Writer]:
        """Give what appends rows, the header before the first."""
        with open(path, "wb") as file:
            begun = False

            def append(frame: pl.DataFrame) -> None:
                nonlocal begun
                frame.write_csv(file, include_header=not begun, separator=DELIMITERS[ending])
                begun = True

            yield append


def _whole_records(data: bytes) -> bytes:
    """Return the bytes as far as the last end of a line that lies outside quotes."""
    end = data.rfind(b"\n") + 1
    open_quote = data.count(b'"', 0, end) % 2
    while end and open_quote:
        start = data.rfind(b"\n", 0, end - 1) + 1
        open_quote ^= data.count(b'"', start, end) % 2
        end = start
    return data[:end]


FORMATS.add(DelimitedText())
