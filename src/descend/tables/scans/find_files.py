"""Which files a person means, by a path, a folder, a pattern or an address, and the scan that they are."""

from __future__ import annotations

import glob
import gzip
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from descend.base.errors import OptionError, TableError
from descend.tables.formats.binary import file_kind
from descend.tables.formats.image_files import SUFFIXES
from descend.tables.formats.numerals import DECIMALS
from descend.tables.formats.table_lines import Layout
from descend.tables.scans._partitions import Found, natural, partition_of
from descend.tables.scans._text import GZIP, TextOptions, TextScan
from descend.tables.scans.parquet import ParquetScan
from descend.tables.scans.pipes import piped_name
from descend.tables.scans.remote import find_remote, is_address
from descend.tables.table import markers_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from descend.tables.scan import Scan
    from descend.tables.scans._unpacked import Unpacked

NOTES = (".md", ".rst")  # of a folder: what is written about a table
PATTERN = "*?["
SCANNED = ("parquet", "text")


def open_scan(
    source: Any,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    decimal: str = ".",
    missing: Sequence[str] | None = None,
    skip_rows: int = 0,
    header_row: int | None = None,
    comment: str | None = None,
    skip_footer: int = 0,
    scratch: str | None = None,
    piped: Unpacked | None = None,
) -> Scan | None:
    """Open Parquet or text files as a scan; None for anything else, such as pictures, Excel or JSON.

    source: a file, a folder (also one whose subfolders are called ``year=2024``), a pattern (``data/**/*.csv``), or an
        address (s3://, gs://, https://) of any of these.
    scratch: the folder for what must be unpacked or fetched first; None: the system's.
    piped: the text that came through a pipe, where the source is one.

    The other options are those of ``descend.read``. Raises TableError where there are no files, or files of different
    kinds or with different columns.
    """
    if decimal not in DECIMALS:
        raise OptionError("option.decimal", value=decimal)
    layout = Layout(skip_rows, header_row, comment, skip_footer)
    if not isinstance(source, (str, os.PathLike)):
        return None
    text = os.fspath(source)
    if piped is not None:
        kind, files = "text", [Found(text, piped_name(text), piped.size, unpacked=piped)]
    elif is_address(text):
        kind, files = find_remote(text, scratch)
    else:
        files = find_files(text)
        if not files:
            return None
        kind = _one_kind(files, text)
    name = files[0].name if len(files) == 1 else Path(text).name or text
    if kind == "parquet":
        layout.require_effect(kind)
        return ParquetScan.of(name, files, markers_of(missing, kind), decimal)
    if kind == "text":
        reading = TextOptions(encoding, delimiter, header, decimal, markers_of(missing, kind), layout)
        return TextScan.of(name, files, reading, scratch)
    return None


def is_many(source: str) -> bool:
    """Tell whether a source is a folder, a pattern or an address, and not one file here."""
    return is_address(source) or os.path.isdir(source) or _is_pattern(source)


def find_files(source: str) -> list[Found]:
    """Return the files that a path, a folder or a pattern means, in the order of their names.

    Hidden files, those that others keep beside a table (``_SUCCESS``, ``_metadata``) and empty ones are left out. None
    of them is returned for a folder of pictures, or for what is named inside a file (``book.xlsx::Sheet``).

    Raises TableError where there is no such file.
    """
    if os.path.isdir(source):
        return [] if _has_pictures(Path(source)) else _filled(_walk(source, source), source)
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
    """Tell whether a file or a folder among others is none of the table: hidden, a writer's mark, or about it."""
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
        raise TableError("table.folder" if os.path.isdir(source) else "table.no-files", file=source)
    return sorted(found, key=lambda file: natural(file.name))


def _has_pictures(folder: Path) -> bool:
    """Tell whether a folder, or a folder in it, holds pictures: then it is a table of these."""

    def held(inside: Path) -> bool:
        return any(file.suffix.lower() in SUFFIXES and not file.name.startswith(".") for file in inside.iterdir())

    try:
        return held(folder) or any(held(inside) for inside in folder.iterdir() if inside.is_dir())
    except OSError as error:
        raise TableError("table.no-access", file=str(folder), reason=error.strerror or str(error)) from error


def _one_kind(files: Sequence[Found], source: str) -> str:
    """Return the kind of all the files; raises TableError where there are two."""
    first = _kind(files[0])
    for file in files[1:]:
        if (kind := _kind(file)) != first:
            values = {"first": files[0].name, "expected": first, "found": kind}
            raise TableError("table.mixed-kinds", folder=source, file=file.name, **values)
    if len(files) > 1 and first not in SCANNED:
        raise TableError("table.many-of-kind", file=source, kind=first)
    return first


def _kind(file: Found) -> str:
    """Tell a file's kind by its first and last bytes and its name."""
    try:
        with open(file.path, "rb") as opened:
            start = opened.read(4096)
            opened.seek(max(0, file.size - 8))
            end = opened.read()
        if start.startswith(GZIP):
            with gzip.open(file.path) as packed:
                return file_kind(packed.read(4096), Path(file.name).name)
    except EOFError as error:
        raise TableError("table.damaged", file=file.name, kind="gzip", reason=str(error)) from error
    except OSError as error:
        raise TableError("table.no-access", file=file.name, reason=error.strerror or str(error)) from error
    return file_kind(start + end, Path(file.name).name)
