"""Formats: one module a kind of file, each an object in ``FORMATS`` that recognises, reads and writes such files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from descend.base.errors import TableError
from descend.tables.formats._format import (
    FORMATS,
    GZIP,
    File,
    Format,
    bytes_of,
    ending_of,
    folder_refused,
    known_formats,
    require_effect,
    titles,
)

if TYPE_CHECKING:
    from os import PathLike

__all__ = [
    "FORMATS",
    "GZIP",
    "TEXT",
    "File",
    "Format",
    "ending_of",
    "folder_format",
    "folder_refused",
    "format_list",
    "known_formats",
    "may_be_lines",
    "open_file",
    "parted_titles",
    "recognise",
    "recognise_nameless",
    "require_effect",
    "titles",
]

TEXT = "text"  # what a file is where nothing says that it is something else
MODEL = ".safetensors"


def recognise(data: bytes, name: str) -> Format:
    """Return the format of a file by its bytes, else by its name, else text.

    data: the bytes, or the first few thousand and the last eight of them.
    """
    formats = known_formats()
    found = next((format for format in formats if format.has_signature(data)), None)
    if found is None and ending_of(name) == MODEL:
        raise TableError("table.is-model", file=name)
    return found or next((format for format in formats if format.is_named(name)), FORMATS[TEXT])


def recognise_nameless(data: bytes) -> Format:
    """Return the format that bytes without a name seem to have, else text."""
    return next((format for format in known_formats() if format.resembles(data)), FORMATS[TEXT])


def may_be_lines(head: bytes) -> bool:
    """Tell whether the first bytes of what is still to come are those of lines of text, as far as can be told."""
    return not any(format.may_begin(head) for format in FORMATS.values())


def open_file(source: str) -> File:
    """Read a file and recognise it; raises TableError where it cannot be opened or unpacked."""
    path, _, inner = source.partition("::")
    data = bytes_of(path)
    return File(path, inner, data, recognise(data, Path(path).name))


def folder_format(path: str | PathLike[str]) -> Format | None:
    """Return the format of which a folder is one table; None where its files are tables of their own.

    Raises TableError where the folder may not be read.
    """
    try:
        return next((format for format in FORMATS.values() if format.is_folder(Path(path))), None)
    except OSError as error:
        raise TableError("table.no-access", file=str(path), reason=error.strerror or str(error)) from error


def parted_titles() -> str:
    """Return the names of the formats that are read in parts, and so several files as one table."""
    return titles(format for format in known_formats() if not format.whole)


def format_list(*, images: bool) -> str:
    """Return the names of the formats that hold images, or of the others, and how a table inside them is named."""
    formats = (format for format in known_formats() if format.images is images)
    return ", ".join(f"{each.title} ({each.inside})" if each.inside else each.title for each in formats)
