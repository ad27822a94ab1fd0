"""Parquet files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import polars as pl

from descend.tables.formats._format import FORMATS, File, Format, gathered, require_effect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from descend.tables.formats._format import Writer
    from descend.tables.reading_options import ReadingOptions
    from descend.tables.scan import Scan
    from descend.tables.scans.partitions import Found


class Parquet(Format):
    """Parquet files, here and at addresses; read in ranges of rows."""

    name = "parquet"
    title = "Parquet"
    endings = (".parquet", ".pq")
    signatures = (b"PAR1",)
    trailer = b"PAR1"
    typed = True
    written = (".parquet",)

    def frame(self, file: File, options: ReadingOptions) -> pl.DataFrame:
        """Read a whole file."""
        return pl.read_parquet(io.BytesIO(file.data))

    def scan(self, name: str, files: Sequence[Found], options: ReadingOptions, scratch: str | None) -> Scan:
        """Open files of the same columns as one table."""
        from descend.tables.scans.parquet import ParquetScan

        require_effect(options.layout, self)
        return ParquetScan.of(name, files, options.markers(typed=True), options.decimal)

    def find_remote(self, address: str, given: str, scratch: str | None) -> list[Found]:
        """List the files at an address, which are read where they are."""
        from descend.tables.scans.remote import list_parquet

        return list_parquet(address, given)

    def writer(self, path: Path, ending: str, scratch: str | None) -> AbstractContextManager[Writer]:
        """Give what gathers frames and writes them as one file."""
        return gathered(path, scratch, lambda frame: frame.write_parquet(path), lambda rows: rows.sink_parquet(path))


FORMATS.add(Parquet())
