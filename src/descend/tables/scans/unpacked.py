"""Gzipped and fetched files, unpacked into anonymous temporary files so that any of their bytes can be read."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import threading
import weakref
import zlib
from typing import IO, TYPE_CHECKING

from descend.base.errors import OptionError, TableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BLOCK = 16 << 20
LEFT = 256 << 20  # bytes of a disk that are left to others


class Unpacked:
    """The bytes of an anonymous temporary file, which the system removes when this process ends, however it ends."""

    def __init__(self, blocks: Iterable[bytes], name: str, scratch: str | None) -> None:
        folder = scratch or tempfile.gettempdir()
        file = _opened(folder)
        weakref.finalize(self, file.close)
        self._file = file
        self._lock = threading.Lock()
        self.size = 0
        for block in blocks:
            if shutil.disk_usage(folder).free < len(block) + LEFT:
                raise TableError("table.no-space", file=name, folder=folder)
            try:
                file.write(block)
            except OSError as error:
                raise TableError("table.no-space", file=name, folder=folder) from error
            self.size += len(block)

    def rewound(self) -> IO[bytes]:
        """Return the file, at its beginning; nobody else may read meanwhile."""
        self._file.seek(0)
        return self._file

    def read(self, start: int, size: int) -> bytes:
        """Return some of the bytes; safe to call from several threads."""
        with self._lock:
            self._file.seek(start)
            return self._file.read(size)


def _opened(folder: str) -> IO[bytes]:
    try:
        return tempfile.TemporaryFile(dir=folder, buffering=0)
    except OSError as error:
        raise OptionError("option.cannot-write", path=folder, reason=error.strerror or str(error)) from error


def gunzipped(path: str | IO[bytes], name: str) -> Iterator[bytes]:
    """Yield the bytes that a gzipped file, closed or open, holds; raises TableError where it is damaged."""
    try:
        with gzip.open(path) as packed:
            while block := packed.read(BLOCK):
                yield block
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise TableError("table.damaged", file=name, kind="gzip", reason=str(error)) from error
