"""Which files a person means, by a path, a folder, a pattern or an address, and the scan that they are."""

from __future__ import annotations

import glob
import gzip
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from descend.base.errors import TableError
from descend.base.messages import Note
from descend.tables.formats import (
    FORMATS,
    GZIP,
    TEXT,
    Format,
    folder_format,
    folder_refused,
    known_formats,
    parted_titles,
    recognise,
    titles,
)
from descend.tables.pipes import piped_name
from descend.tables.reading_options import ReadingOptions
from descend.tables.scans.partitions import Found, natural, partition_of
from descend.tables.scans.remote import is_address, is_remote_pattern, is_web, remote_name, require_answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from descend.tables.scan import Scan
    from descend.tables.scans.unpacked import Unpacked

NOTES = (".md", ".rst")  # of a folder: what is written about a table
PATTERN = "*?["


def open_scan(source: Any, *, scratch: str | None = None, piped: Unpacked | None = None, **options: Any) -> Scan | None:
    """Open files that can be read in parts as a scan; None for others, such as pictures, Excel or JSON.

    source: a file, a folder (also one whose subfolders are called ``year=2024``), a pattern (``data/**/*.csv``), or an
        address (s3://, gs://, https://) of any of these.
    scratch: the folder for what must be unpacked or fetched first; None: the system's.
    piped: the text that came through a pipe, where the source is one.
    options: those of ``descend.read``.

    Raises TableError where there are no files, or files of different formats or with different columns.
    """
    reading = ReadingOptions.of(**options)
    if not isinstance(source, (str, os.PathLike)):
        return None
    text = os.fspath(source)
    if piped is not None:
        format, files = FORMATS[TEXT], [Found(text, piped_name(text), piped.size, unpacked=piped)]
    elif is_address(text):
        format, files = _find_remote(text, scratch)
    else:
        files = find_files(text)
        if not files:
            return None
        format = _one_format(files, text)
    name = files[0].name if len(files) == 1 else Path(text).name or text
    return None if format.whole else format.scan(name, files, reading, scratch)


def is_many(source: str) -> bool:
    """Tell whether a source is a folder, a pattern or an address, and not one file here."""
    return is_address(source) or os.path.isdir(source) or _is_pattern(source)


def find_files(source: str) -> list[Found]:
    """Return the files that a path, a folder or a pattern means, in the order of their names.

    Hidden files, those that others keep beside a table (``_SUCCESS``, ``_metadata``) and empty ones are left out. None
    of them is returned for a folder that is one table, as of pictures, or for what is named inside a file, as in
    ``book.xlsx::Sheet``.

    Raises TableError where there is no such file.
    """
    if os.path.isdir(source):
        return [] if folder_format(source) else _filled(_walk(source, source), source)
    if _is_pattern(source):
        fixed = Path(_fixed(source) or ".")
        found: list[tuple[str, str]] = []
        for path in glob.glob(source, recursive=True):
            if os.path.isdir(path):
                found += [] if "**" in source else _walk(path, str(fixed))
            elif not _is_hidden(Path(path).name):
                found.append((path, Path(os.path.relpath(path, fixed)).as_posix()))
        return _filled(found, source)
    if "::" in source:
        return []
    try:
        return [Found(source, Path(source).name, os.stat(source).st_size)]
    except FileNotFoundError as error:
        raise TableError("table.not-found", file=source) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TableError("table.no-access", file=source, reason=reason) from error


def _is_pattern(source: str) -> bool:
    return any(letter in source for letter in PATTERN) and "\0" not in source and not os.path.exists(source)


def _fixed(pattern: str) -> str:
    """Return the folder of a pattern before its first star."""
    pieces = pattern.replace(os.sep, "/").split("/")
    kept = next(index for index, piece in enumerate(pieces) if any(letter in piece for letter in PATTERN))
    return "/".join(pieces[:kept]) + ("/" if kept == 1 and not pieces[0] else "")


def _is_hidden(name: str) -> bool:
    """Tell whether a file or a folder among others is not part of the table: hidden, a writer's marker, or notes."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name) or name.endswith(NOTES)


def _walk(folder: str, root: str) -> list[tuple[str, str]]:
    """Return the files under a folder, and their names from the root on; raises TableError where it may not be read."""

    def refuse(error: OSError) -> None:
        raise TableError("table.no-access", file=error.filename or folder, reason=error.strerror or str(error))

    found = []
    for inside, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        paths = (os.path.join(inside, name) for name in names if not _is_hidden(name))
        found += [(path, Path(os.path.relpath(path, root)).as_posix()) for path in paths]
    return found


def _filled(paths: Iterable[tuple[str, str]], source: str) -> list[Found]:
    """Return those of the files that are not empty, in the order of their names."""
    found = []
    for path, name in paths:
        try:
            size = os.stat(path).st_size
        except OSError as error:
            raise TableError("table.no-access", file=path, reason=error.strerror or str(error)) from error
        if size and os.path.isfile(path):
            found.append(Found(path, name, size, partition_of(name)))
    if not found:
        if os.path.isdir(source):
            raise folder_refused(source)
        raise TableError("table.no-files", file=source, known=parted_titles())
    return sorted(found, key=lambda file: natural(file.name))


def _one_format(files: Sequence[Found], source: str) -> Format:
    """Return the format of all the files; raises TableError where there are two, or where it is not read in parts."""
    first = _format_of(files[0])
    for file in files[1:]:
        if (format := _format_of(file)) is not first:
            values = {"first": files[0].name, "expected": first.name, "found": format.name}
            raise TableError("table.mixed-kinds", folder=source, file=file.name, **values)
    if len(files) > 1 and first.whole:
        reason = Note(first.whole, {})
        raise TableError("table.many-of-kind", file=source, kind=first.name, known=parted_titles(), reason=reason)
    return first


def _format_of(file: Found) -> Format:
    """Recognise a file by its first and last bytes and its name."""
    try:
        with open(file.path, "rb") as opened:
            start = opened.read(4096)
            opened.seek(max(0, file.size - 8))
            end = opened.read()
        if start.startswith(GZIP):
            with gzip.open(file.path) as packed:
                return recognise(packed.read(4096), Path(file.name).name)
    except EOFError as error:
        raise TableError("table.damaged", file=file.name, kind="gzip", reason=str(error)) from error
    except OSError as error:
        raise TableError("table.no-access", file=file.name, reason=error.strerror or str(error)) from error
    return recognise(start + end, Path(file.name).name)


def _find_remote(address: str, scratch: str | None) -> tuple[Format, list[Found]]:
    """Return the format and the files of an address.

    A folder of a bucket, which ends in / or has no suffix, gives its files of the first format of which it has any;
    those that say what their columns hold come first.

    Raises TableError where it cannot be reached, is not there, may not be read, or is of another format.
    """
    require_answer(address)
    web = is_web(address)
    path = address if web else address.rstrip("/")
    last = remote_name(path)
    formats = sorted((format for format in known_formats() if not format.whole), key=lambda format: not format.typed)
    named = next((format for format in formats if last.lower().endswith(format.remote_endings)), None)
    if named is not None:
        found = named.find_remote(path, address, scratch)
        if not found:
            raise TableError("table.no-files", file=address, known=titles(formats))
        return named, found
    if web or "." in last or is_remote_pattern(path):
        endings = ", ".join(ending for format in formats for ending in format.remote_endings)
        raise TableError("table.remote-kind", file=address, endings=endings)
    for format in formats:
        for ending in format.remote_endings:
            if found := format.find_remote(f"{path}/**/*{ending}", address, scratch):
                return format, found
    raise TableError("table.no-files", file=address, known=titles(formats))
