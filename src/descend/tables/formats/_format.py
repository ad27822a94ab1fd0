"""What a kind of file is: how it is recognised, read whole or in parts, and written."""

from __future__ import annotations

import gzip
import os
import tempfile
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from descend.base.errors import OptionError, TableError
from descend.base.registry import Registry
from descend.tables.frames import named
from descend.tables.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from descend.base.messages import Note
    from descend.tables.reading_options import ReadingOptions
    from descend.tables.scan import Scan
    from descend.tables.scans.partitions import Found
    from descend.tables.table import Places
    from descend.tables.text.table_lines import Layout

    Writer = Callable[[pl.DataFrame], None]

GZIP = b"\x1f\x8b"
FORMATS: Registry[Format] = Registry("format", "descend.tables.formats")


@dataclass(frozen=True)
class File:
    """The bytes of a file (unpacked, where it was gzipped), its format, and what was named inside it after ``::``.

    ``notes`` say how it was read.
    """

    path: str
    inner: str
    data: bytes
    format: Format
    notes: list[Note] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name without its folder."""
        return Path(self.path).name


class Format:
    """One kind of file.

    name: what errors call it, such as "excel".
    title: what people call it, the same in every language; several names are separated by commas.
    endings: how the names of such files end, ``.gz`` apart.
    signatures: the first bytes of such a file, one of these; trailer: its last bytes.
    inside: how a table inside such a file is named, for help; "" where a file holds one table.
    lines: the options of ``read`` that say which lines of such a file are its table.
    typed: the file itself says what its columns hold and which cells are missing, so that ``NA`` is a text.
    images: the file holds images; drawn: they may be drawn in any way, as on paper.
    extra: the optional dependency of descend that reads it.
    written: the endings under which tables are written.
    whole: the code of the sentence that says why the file is not read in parts; "" where it is.
    unwritten: the code of the sentence that says why it is not written; "" where it is.
    """

    name: str
    title: str
    endings: tuple[str, ...] = ()
    signatures: tuple[bytes, ...] = ()
    trailer: bytes = b""
    inside: str = ""
    lines: tuple[str, ...] = ()
    typed: bool = False
    images: bool = False
    drawn: bool = False
    extra: str | None = None
    written: tuple[str, ...] = ()
    whole: str = ""
    unwritten: str = ""

    # how a file is recognised

    def has_signature(self, data: bytes) -> bool:
        """Tell whether the bytes of a file can be of no other format."""
        return data.startswith(self.signatures) and data.endswith(self.trailer)

    def is_named(self, name: str) -> bool:
        """Tell whether the name of a file says that it has this format."""
        return ending_of(name) in self.endings

    def resembles(self, data: bytes) -> bool:
        """Tell whether bytes that have no name, as those of a pipe, are probably of this format."""
        return self.has_signature(data)

    def may_begin(self, head: bytes) -> bool:
        """Tell whether the first bytes of what is still to come may be of this format."""
        return head.startswith(self.signatures) or self.resembles(head)

    def is_folder(self, path: Path) -> bool:
        """Tell whether a folder is one table of files of this format, as one of pictures is; raises OSError."""
        return False

    # how it is read

    def read(self, file: File, options: ReadingOptions) -> Table:
        """Read a whole file; raises TableError where it is damaged or empty, OptionError for a useless option."""
        require_effect(options.layout, self)
        try:
            frame = self.frame(file, options)
        except TableError:
            raise
        except ModuleNotFoundError as error:
            if self.extra is None:
                raise
            raise TableError("table.needs-extra", file=file.name, extra=self.extra) from error
        except pl.exceptions.NoDataError as error:
            raise TableError("table.no-rows", file=file.name) from error
        except (Exception, pl.exceptions.PanicException) as error:  # every library has errors of its own
            reason = str(error).split("\n")[0][:200]
            raise TableError("table.damaged", file=file.name, kind=self.name, reason=reason) from error
        if frame.width == 0 or frame.height == 0:
            raise TableError("table.no-rows", file=file.name)
        return Table(
            named(frame),
            file.name,
            options.markers(typed=self.typed),
            options.decimal,
            notes=file.notes,
            pictures=self.drawn,
            places=self.places(file, options),
        )

    def frame(self, file: File, options: ReadingOptions) -> pl.DataFrame:
        """Return the cells of a file; any exception says that it is damaged."""
        raise NotImplementedError

    def places(self, file: File, options: ReadingOptions) -> Places | None:
        """Return the lookup of the file's line of each row; None: rows are counted."""
        return None

    def preview(self, data: bytes, name: str) -> Table | None:
        """Read the first rows of a file of which ``data`` is the beginning; None where that cannot be done."""
        return None

    def read_folder(self, path: str, options: ReadingOptions) -> Table:
        """Read a folder for which ``is_folder`` holds."""
        raise NotImplementedError

    # how it is read in parts

    def scan(self, name: str, files: Sequence[Found], options: ReadingOptions, scratch: str | None) -> Scan:
        """Open files as a table that is read in parts; asked only where ``whole`` is empty."""
        raise NotImplementedError

    @property
    def remote_endings(self) -> tuple[str, ...]:
        """The endings of such files at an address; none where they are not read in parts."""
        return () if self.whole else self.endings

    def find_remote(self, address: str, given: str, scratch: str | None) -> list[Found]:
        """Return the files at an address; asked only where ``whole`` is empty.

        given: what the person wrote, for an error. Raises TableError where the address cannot be reached.
        """
        raise NotImplementedError

    # how it is written

    def writer(self, path: Path, ending: str, scratch: str | None) -> AbstractContextManager[Writer]:
        """Give a function that writes one frame after another into a file; asked only where ``unwritten`` is empty.

        scratch: the folder for what must be gathered first; None: beside the file.
        """
        raise NotImplementedError


def ending_of(name: str) -> str:
    """Return the last ending of a file's name in lower case, ``.gz`` apart; "" where there is none."""
    endings = [ending.lower() for ending in Path(name).suffixes if ending.lower() != ".gz"]
    return endings[-1] if endings else ""


def known_formats() -> list[Format]:
    """Return the formats as people read them: those that are read in parts first, then by title, images last."""
    return sorted(FORMATS.values(), key=lambda format: (format.images, bool(format.whole), format.title))


def titles(formats: Iterable[Format]) -> str:
    """Return the names of formats as a list for a sentence."""
    return ", ".join(format.title for format in formats)


def folder_refused(path: str) -> TableError:
    """Return the error for a folder where a file is needed; it says which folders are tables."""
    formats = known_formats()
    parted = titles(format for format in formats if not format.whole)
    return TableError("table.folder", file=path, known=parted, pictures=titles(f for f in formats if f.drawn))


def require_effect(layout: Layout, format: Format | None = None) -> None:
    """Raise OptionError naming an option about lines that a source has none of; None: the source is no file."""
    for name, value in vars(layout).items():
        if value not in (0, None) and name not in (format.lines if format else ()):
            needs = titles(other for other in known_formats() if name in other.lines)
            raise OptionError("option.no-effect", name=name, needs=needs)


def bytes_of(path: str) -> bytes:
    """Return the bytes of a file, unpacked where it is gzipped; raises TableError where that cannot be done."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise TableError("table.not-found", file=path) from error
    except IsADirectoryError as error:
        raise folder_refused(path) from error
    except (OSError, ValueError) as error:
        raise TableError("table.no-access", file=path, reason=getattr(error, "strerror", None) or str(error)) from error
    if data.startswith(GZIP):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise TableError("table.damaged", file=path, kind="gzip", reason=str(error)) from error
    return data


@contextmanager
def gathered(
    path: Path, scratch: str | None, write_frame: Callable[[pl.DataFrame], Any], sink: Callable[[pl.LazyFrame], Any]
) -> Iterator[Writer]:
    """Give a function that takes frames; at the end they are written as one with ``write_frame`` or ``sink``.

    A single frame is written as it is; several lie in a temporary folder until the last has come. A column whose
    numbers are of several types, as files of one table may have them, gets the type that holds them all.
    """
    single: list[pl.DataFrame] = []
    parts: list[tuple[pl.Schema, str]] = []
    with ExitStack() as stack:
        inside = ""

        def spill(frame: pl.DataFrame) -> None:
            nonlocal inside
            inside = inside or stack.enter_context(_temporary_folder(path, scratch))
            place = os.path.join(inside, f"{len(parts)}.parquet")
            frame.write_parquet(place, compression="lz4")
            parts.append((frame.schema, place))

        def write(frame: pl.DataFrame) -> None:
            if not single and not parts:
                single.append(frame)
                return
            while single:
                spill(single.pop())
            spill(frame)

        yield write
        if single:
            write_frame(single[0])
            return
        runs = [(schema, [place for _, place in run]) for schema, run in groupby(parts, key=lambda part: part[0])]
        whole = pl.concat([schema.to_frame() for schema, _ in runs], how="vertical_relaxed").schema
        scans = (pl.scan_parquet(places, glob=False, hive_partitioning=False) for _, places in runs)
        sink(pl.concat([rows.cast(dict(whole)) for rows in scans]))


def _temporary_folder(path: Path, scratch: str | None) -> tempfile.TemporaryDirectory[str]:
    folder = scratch or str(path.parent)
    try:
        return tempfile.TemporaryDirectory(prefix=f"{path.stem}.", suffix=".parts", dir=folder)
    except OSError as error:
        raise OptionError("option.scratch", path=folder, reason=error.strerror or str(error)) from error
