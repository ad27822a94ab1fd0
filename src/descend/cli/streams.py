"""The standard streams: letters that they lack become ones that they have, and one that fails is told of once."""

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
USUAL = ("strict", "surrogateescape")  # unless PYTHONIOENCODING chooses, for standard output alone

_lost = False  # whether a letter came out as a question mark


class Outlet(io.FileIO):
    """A descriptor that keeps the first error of writing to it, and lets all that comes after go."""

    failure: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        """Write bytes; returns how many, all of them once it has failed."""
        while self.failure is None:
            try:
                written = super().write(data)
            except OSError as error:
                self.failure = error
                break
            if written is not None:
                return written
            _wait(self)  # whoever opened the pipe made it one that does not wait
        return memoryview(data).nbytes


class StreamOutcome:
    """How the writing to standard output went: the error that it met, and whether letters were lost."""

    failure: OSError | None = None
    lost = False


@contextmanager
def outlets() -> Iterator[StreamOutcome]:
    """Let the standard streams never raise within the block: what befell them is told at its end.

    So a fit whose reader has gone, or whose terminal knows few letters, is finished and kept all the same.
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
        for mine, stream in zip((sys.stdout, sys.stderr), before, strict=True):
            if mine is not stream:
                mine.flush()
        outcome.failure, outcome.lost = getattr(raw[0], "failure", None), _lost
        sys.stdout, sys.stderr = before


def json_text(facts: Any, indent: int | None = None) -> str:
    """Return facts as JSON that standard output can write: letters that it lacks are escaped, and so not lost."""
    text = json_visible(json.dumps(facts, ensure_ascii=False, indent=indent, allow_nan=False))
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(facts, indent=indent, allow_nan=False)
    return text


def _outlet(number: int, stream: TextIO | None, standard: TextIO | None) -> Outlet | None:
    """Return the descriptor of a standard stream; None where the stream is another one, or a Windows console."""
    if stream is None:  # it was closed before this process began
        closed = Outlet(os.devnull, "wb")
        closed.failure = OSError(errno.EBADF, os.strerror(errno.EBADF))
        return closed
    if stream is not standard or (sys.platform == "win32" and stream.isatty()):
        return None
    stream.flush()
    return Outlet(number, "wb", closefd=False)


def _text(outlet: Outlet, stream: TextIO | None) -> TextIO:
    """Return a text stream like the one that stood there, over a descriptor; the handler that somebody chose stays."""
    errors = getattr(stream, "errors", None) or "strict"
    return io.TextIOWrapper(
        io.BufferedWriter(outlet),
        encoding=getattr(stream, "encoding", None) or "utf-8",
        errors=HANDLER if errors in USUAL or stream is sys.__stderr__ else errors,
        line_buffering=getattr(stream, "line_buffering", False),
        write_through=getattr(stream, "write_through", False),
    )


def _nearest(error: UnicodeError) -> tuple[str, int]:
    """Return plain letters in place of those that an encoding lacks: the nearest ones, else a question mark."""
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
