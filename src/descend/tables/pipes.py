"""Tables read from a pipe: standard input (``-``), a named pipe or a device, read to the end within a limit of size."""

from __future__ import annotations

import errno
import os
import queue
import shutil
import sys
import tempfile
import threading
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from descend.base.atomic_files import is_stream
from descend.base.errors import TableError
from descend.tables.formats import FORMATS, GZIP, TEXT, File, may_be_lines, recognise_nameless
from descend.tables.scans.unpacked import Unpacked, gunzipped

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

STDIN = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
SILENCE = 30.0  # seconds after which nobody seems to write; a person at a terminal has all the time there is
BLOCK = 1 << 20
HEAD = 1 << 16  # bytes by which the kind is told
LINE = 64 << 20  # bytes of the longest line
SHARE = 0.5  # of the disk that is free, for what a pipe brings


def is_piped(source: str) -> bool:
    """Tell whether a table is read from standard input, a pipe or a device, which can be read only once."""
    path = source.partition("::")[0]
    return path in STDIN or is_stream(path)


def piped_name(source: str) -> str:
    """Return what a person calls a pipe."""
    path = source.partition("::")[0]
    return "stdin" if path in STDIN else Path(path).name


def spool(source: str, scratch: str | None) -> Unpacked:
    """Read a pipe to its end into an anonymous temporary file; gzipped bytes are unpacked.

    Raises TableError where nobody writes, where what comes is no table or has a line without end, and where it is more
    than half of what the disk has room for.
    """
    path, name = source.partition("::")[0], piped_name(source)
    with closing(_blocks(path, name)) as blocks:  # an error, too, lets the pipe go at once
        whole = Unpacked(_bounded(blocks, name, scratch), name, scratch)
    if whole.read(0, 2) != GZIP:
        return whole
    return Unpacked(_bounded(gunzipped(whole.rewound(), name), name, scratch), name, scratch)


def file_of(source: str, whole: Unpacked) -> File:
    """Return all that came through a pipe as a file, recognised by its bytes alone."""
    data = whole.read(0, whole.size)
    return File(piped_name(source), source.partition("::")[2], data, recognise_nameless(data))


def is_in_parts(whole: Unpacked) -> bool:
    """Tell whether what came through a pipe can be read in parts."""
    return recognise_nameless(whole.read(0, HEAD) + whole.read(max(whole.size - 8, 0), 8)) is FORMATS[TEXT]


def _blocks(path: str, name: str) -> Generator[bytes]:
    """Yield the bytes as they come; another thread reads them, so that this one can raise when nothing comes."""
    box: queue.Queue[bytes | OSError] = queue.Queue(maxsize=2)
    left = threading.Event()

    def put(found: bytes | OSError) -> None:
        while not left.is_set():
            try:
                box.put(found, timeout=0.2)
            except queue.Full:
                continue
            break

    def listen() -> None:
        try:
            descriptor = _opened(path)
            while not left.is_set() and (block := os.read(descriptor, BLOCK)):
                put(block)
            os.close(descriptor)
            put(b"")
        except OSError as error:
            put(error)

    patience = None if path in STDIN and sys.stdin is not None and sys.stdin.isatty() else SILENCE
    threading.Thread(target=listen, daemon=True).start()
    try:
        while True:
            try:
                found = box.get(timeout=patience)
            except queue.Empty:
                raise TableError("table.silent", file=name, seconds=SILENCE) from None
            if isinstance(found, OSError):
                reason = found.strerror or str(found)
                raise TableError("table.no-access", file=name, reason=reason) from found
            if not found:
                return
            yield found
    finally:
        left.set()


def _opened(path: str) -> int:
    """Open a pipe to read; standard input is read by its descriptor, which may not be opened twice."""
    if path in STDIN:
        if sys.stdin is None:  # it was closed before this process began
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return os.dup(sys.stdin.fileno())
    return os.open(path, os.O_RDONLY)


def _bounded(blocks: Iterable[bytes], name: str, scratch: str | None) -> Iterator[bytes]:
    """Yield the same blocks; raises TableError as soon as they cannot be a table, or are too many."""
    most = int(SHARE * shutil.disk_usage(scratch or tempfile.gettempdir()).free)
    head, size, line, lines = b"", 0, 0, True
    for block in blocks:
        size += len(block)
        if size > most:
            raise TableError("table.too-much", file=name, size=size / 1e9)
        if len(head) < HEAD:
            head += block[:HEAD]
            lines = not head.startswith(GZIP) and may_be_lines(head)
        if lines:
            last = max(block.rfind(b"\n"), block.rfind(b"\r"))
            line = line + len(block) if last < 0 else len(block) - last - 1
            if line > LINE:
                raise TableError("table.endless-line", file=name, size=LINE >> 20)
            if b"\0\0\0\0" in block or _binary(head):
                raise TableError("table.binary", file=name)
        yield block


def _binary(head: bytes) -> bool:
    """Tell whether bytes contain zeros other than the halves of UTF-16 letters."""
    if b"\0" not in head or head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return False
    return max(head[1::2].count(0), head[::2].count(0)) <= len(head) / 8
