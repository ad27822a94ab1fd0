"""Writing rows into files that ``read`` reads again: the one writer of predictions, whole or in parts."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from descend.base.atomic_files import ending, written_whole
from descend.base.errors import OptionError
from descend.base.messages import Note
from descend.tables.formats import Format, ending_of, known_formats

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    import polars as pl

    Writer = Callable[[pl.DataFrame], None]


def written_endings() -> dict[str, Format]:
    """Return the endings under which rows are written, each with its format; a stream without one gets the first."""
    return {ending: format for format in known_formats() for ending in format.written}


def require_written(out: str | os.PathLike[str]) -> str:
    """Return the ending of a file that is to be written.

    Raises OptionError: ``option.out-unwritten`` for a format that is only read, with the reason, and
    ``option.out-kind`` for an ending that is unknown.
    """
    known = written_endings()
    try:
        return ending(out, tuple(known), "option.out-kind")
    except OptionError as error:
        found = error.values.get("found", "")
        format = next((format for format in known_formats() if found and ending_of(str(out)) in format.endings), None)
        if error.code != "option.out-kind" or format is None or not format.unwritten:
            raise
        raise OptionError(
            "option.out-unwritten",
            path=str(out),
            format=format.title,
            reason=Note(format.unwritten, {}),
            known=", ".join(known),
        ) from None


@contextmanager
def table_writer(out: str | os.PathLike[str], scratch: str | None = None) -> Iterator[Writer]:
    """Give a function that writes frames of the same columns, one after another; the file is there at the end, or not.

    scratch: the folder for what must be gathered first; None: beside the file.
    Raises OptionError as ``require_written``, and where the system refuses to write.
    """
    found = require_written(out)
    with written_whole(out) as path, written_endings()[found].writer(path, found, scratch) as write:
        yield write
