"""The standard streams: characters that the encoding lacks are replaced, and a failed stream is reported once."""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from descend.base.visible import json_visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import ReadableBuffer

NEAREST = {
    "×": "x", "−": "-", "→": "->", "…": "...", "·": ".", "±": "+-", "≥": ">=", "≤": "<=", "≈": "~", "–": "-", "—": "-",
    "‘": "'", "’": "'", "“": '"', "”": '"', "─": "-", "│": "|", "├": "|", "└": "|", "✓": "v", "✗": "x", "◎": "o",
    "Σ": "sum", "²": "2",
}  # fmt: skip
HANDLER = "descend-nearest"
DESCRIPTORS = (1, 2)
USUAL = ("strict", "surrogateescape")  # for standard output alone, unless PYTHONIOENCODING chooses

_lost = False  # whether a character became a question mark


class Outlet(io.FileIO):
    """A descriptor that keeps the first error of writing to it, and ignores all later output."""

    failure: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        """Write bytes; returns the number written, all of them once the descriptor has failed."""
        while self.failure is None:
            try:
                written = super().write(data)
            except OSError as error:
                self.failure = error
                break
            if written is not None:
                return written
            _wait(self)  # the pipe was opened as non-blocking
        return memoryview(data).nbytes


class StreamOutcome:
    """The outcome of writing to standard output: its error, and whether characters were lost."""

    failure: OSError | None = None
    lost = False


@contextmanager
def outlets() -> Iterator[StreamOutcome]:
    """Keep the standard streams from raising within the block; their errors are reported at its end.

    So a fit is finished and saved even when the reader of its output has gone or the terminal's encoding lacks
    characters.
    """
    global _lost
    _lost, outcome = False, StreamOutcome()
    codecs.register_error(HANDLER, _nearest)
    before = sys.stdout, sys.stderr
    raw = [_outlet(*each) for each in zip(DESCRIPTORS, before, (sys.__stdout__, sys.__stderr__), strict=True)]
    sys.stdout, sys.stderr = (
        stream if outlet is None else _text(outlet, stream) for outlet, stream in zip(raw, before, strict=True)
    )
    try:
        yield outcome
    finally:
        for replacement, stream in zip((sys.stdout, sys.stderr), before, strict=True):
            if replacement is not stream:
                replacement.flush()
        outcome.failure, outcome.lost = getattr(raw[0], "failure", None), _lost
        sys.stdout, sys.stderr = before


def json_text(facts: Any, indent: int | None = None) -> str:
    """Return facts as JSON that standard output can encode: characters that it lacks are escaped, so none is lost."""
    text = json_visible(json.dumps(facts, ensure_ascii=False, indent=indent, allow_nan=False))
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(facts, indent=indent, allow_nan=False)
    return text


def _outlet(number: int, stream: TextIO | None, standard: TextIO | None) -> Outlet | None:
    """Return the descriptor of a standard stream; None where the stream was replaced, or is a Windows console."""
    if stream is None:  # it was closed before this process started
        closed = Outlet(os.devnull, "wb")
        closed.failure = OSError(errno.EBADF, os.strerror(errno.EBADF))
        return closed
    if stream is not standard or (sys.platform == "win32" and stream.isatty()):
        return None
    stream.flush()
    return Outlet(number, "wb", closefd=False)


def _text(outlet: Outlet, stream: TextIO | None) -> TextIO:
    """Return a text stream like the replaced one, over a descriptor; a chosen error handler stays."""
    errors = getattr(stream, "errors", None) or "strict"
    return io.TextIOWrapper(
        io.BufferedWriter(outlet),
        encoding=getattr(stream, "encoding", None) or "utf-8",
        errors=HANDLER if errors in USUAL or stream is sys.__stderr__ else errors,
        line_buffering=getattr(stream, "line_buffering", False),
        write_through=getattr(stream, "write_through", False),
    )


def _nearest(error: UnicodeError) -> tuple[str, int]:
    """Return the nearest ASCII characters for those that an encoding lacks, else question marks."""
    from unicodedata import normalize

    global _lost
    if not isinstance(error, UnicodeEncodeError):
        raise error
    made = []
    for letter in error.object[error.start : error.end]:
        plain = NEAREST.get(letter) or "".join(part for part in normalize("NFKD", letter) if part.isascii())
        _lost = _lost or not plain
        made.append(plain or "?")
    return "".join(made), error.end


def _wait(outlet: Outlet) -> None:
    import select

    select.select([], [outlet], [])
