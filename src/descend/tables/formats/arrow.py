"""Feather and Arrow files, and streams of Arrow."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import polars as pl

from descend.tables.formats._format import FORMATS, File, Format, gathered

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from descend.tables.formats._format import Writer
    from descend.tables.reading_options import ReadingOptions

STREAM = b"\xff\xff\xff\xff"  # how a stream begins, which has no signature of its own


class Arrow(Format):
    """Feather (version 2) and Arrow files."""

    name = "arrow"
    title = "Feather"
    endings = (".feather", ".arrow")
    signatures = (b"ARROW1\0\0",)
    typed = True
    written = (".feather",)
    whole = "format.whole-arrow"

    def resembles(self, data: bytes) -> bool:
        """Tell whether bytes without a name are a file or a stream of Arrow."""
        return self.has_signature(data) or data.startswith(STREAM)

    def frame(self, file: File, options: ReadingOptions) -> pl.DataFrame:
        """Read a file or a stream."""
        read = pl.read_ipc if file.data.startswith(b"ARROW1") else pl.read_ipc_stream
        return read(io.BytesIO(file.data))

    def writer(self, path: Path, ending: str, scratch: str | None) -> AbstractContextManager[Writer]:
        """Give what gathers frames and writes them as one file."""
        return gathered(path, scratch, lambda frame: frame.write_ipc(path), lambda rows: rows.sink_ipc(path))


FORMATS.add(Arrow())
