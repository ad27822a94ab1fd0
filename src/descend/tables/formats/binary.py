"""Files that hold tables: what kind each is, and those that are not delimited text read into a polars frame."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import zlib
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from descend.base.errors import TableError
from descend.base.messages import Note
from descend.base.texts import normalised
from descend.formula.ast import ROW_NUMBERS
from descend.tables.formats.delimited import NUMBER, WHOLE
from descend.tables.formats.idx import image_columns, is_idx, label_column, label_file, parse_idx
from descend.tables.formats.image_files import is_picture, read_picture
from descend.tables.formats.memory import column_of, from_memory, named
from descend.tables.formats.table_lines import TOP_LINES, Layout, refuse_double_header

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

UNNAMED = "__UNNAMED__"  # what calamine calls a column without a name
MOST_ROWS = 1 << 20  # of a sheet
ENDED = re.compile(r"_[0-9]+$")  # what the reader of workbooks puts behind a name that stands twice


@dataclass(frozen=True)
class File:
    """A file's bytes (unpacked, where it was gzipped), its kind, and what was named inside it after ``::``.

    ``notes`` are what a person is to know of how it was read.
    """

    path: str
    inner: str
    data: bytes
    kind: str
    notes: list[Note] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name without its folder."""
        return Path(self.path).name


def open_file(source: str) -> File:
    """Read a file and tell its kind; raises TableError where it cannot be opened or unpacked."""
    path, _, inner = source.partition("::")
    data = _bytes(path)
    return File(path, inner, data, file_kind(data, Path(path).name))


def read_binary(file: File, layout: Layout = WHOLE) -> pl.DataFrame:
    """Read a file that is not delimited text; raises TableError where it is damaged or empty.

    layout: which rows of a sheet are its table.
    """
    try:
        frame = _read_excel(file, layout) if file.kind == "excel" else _READERS[file.kind](file)
    except TableError:
        raise
    except ModuleNotFoundError as error:
        raise TableError("table.needs-extra", file=file.name, extra="excel") from error
    except pl.exceptions.NoDataError as error:
        raise TableError("table.no-rows", file=file.name) from error
    except (Exception, pl.exceptions.PanicException) as error:  # every reader has errors of its own
        reason = str(error).split("\n")[0][:200]
        raise TableError("table.damaged", file=file.name, kind=file.kind, reason=reason) from error
    if frame.width == 0 or frame.height == 0:
        raise TableError("table.no-rows", file=file.name)
    return named(frame)


def _bytes(path: str) -> bytes:
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise TableError("table.not-found", file=path) from error
    except IsADirectoryError as error:
        raise TableError("table.folder", file=path) from error
    except (OSError, ValueError) as error:
        raise TableError("table.no-access", file=path, reason=getattr(error, "strerror", None) or str(error)) from error
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise TableError("table.damaged", file=path, kind="gzip", reason=str(error)) from error
    return data


def file_kind(data: bytes, name: str) -> str:
    """Tell a file's kind by its first bytes, else by its name, else it is text."""
    if data.startswith(b"PAR1") and data.endswith(b"PAR1"):
        return "parquet"
    if data.startswith(b"ARROW1\0\0"):
        return "arrow"
    if data.startswith(b"SQLite format 3\0"):
        return "sqlite"
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return "excel"
    if is_idx(data, name):
        return "idx"
    if is_picture(data, name):
        return "picture"
    suffixes = [suffix.lower() for suffix in Path(name).suffixes if suffix.lower() != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    by_name = {
        ".parquet": "parquet", ".feather": "arrow", ".arrow": "arrow", ".json": "json", ".ndjson": "ndjson",
        ".jsonl": "ndjson", ".xlsx": "excel", ".xls": "excel", ".ods": "excel", ".db": "sqlite", ".sqlite": "sqlite",
    }  # fmt: skip
    if suffix == ".safetensors":
        raise TableError("table.is-model", file=name)
    return by_name.get(suffix, "text")


def _read_arrow(file: File) -> pl.DataFrame:
    return (
        pl.read_ipc(io.BytesIO(file.data))
        if file.data.startswith(b"ARROW1")
        else pl.read_ipc_stream(io.BytesIO(file.data))
    )


def _read_excel(file: File, layout: Layout) -> pl.DataFrame:
    """Read a sheet; raises TableError where its names seem to stand lower than the header is looked for."""
    read = partial(pl.read_excel, sheet_name=file.inner or None, engine="calamine")
    above, below = min(layout.above, MOST_ROWS), min(layout.below, MOST_ROWS)
    options = {"header_row": above, **({"skip_rows": below} if below else {})}
    frame = read(io.BytesIO(file.data), read_options=options)
    if any(ENDED.sub("", name) in frame.columns for name in frame.columns if ENDED.search(name)):
        options = {"skip_rows": above, "n_rows": 1}
        top = read(io.BytesIO(file.data), has_header=False, read_options=options)
        file.notes.extend(_repeated(top.row(0), frame.columns))
    frame = frame.head(max(frame.height - layout.skip_footer, 0))
    if layout == WHOLE and any(name.startswith(UNNAMED) for name in frame.columns):
        sheet = read(io.BytesIO(file.data), has_header=False, drop_empty_rows=False, infer_schema_length=0)
        rows = [[str(cell if cell is not None else "") for cell in row] for row in sheet.head(4 * TOP_LINES).rows()]
        records = [(line, cells) for line, cells in enumerate(rows, start=1) if any(map(str.strip, cells))]
        refuse_double_header(file.name, records, lambda cell: NUMBER.fullmatch(cell) is not None)
    return frame.rename({column: _named(column, frame) for column in frame.columns})


@dataclass(frozen=True)
class SheetRows:
    """Where a sheet's rows stand in it, which is looked up when it is asked for; blank ones are no rows."""

    sheet: File
    layout: Layout

    def file(self, row: int) -> str:
        """Return what a person calls the workbook."""
        return self.sheet.name

    def line(self, row: int) -> int:
        """Return the number that the workbook shows beside a row."""
        return self._lines[row]

    @cached_property
    def _lines(self) -> list[int]:
        cells = pl.read_excel(
            io.BytesIO(self.sheet.data), sheet_name=self.sheet.inner or None, engine="calamine", has_header=False,
            drop_empty_rows=False, infer_schema_length=0, read_options={"skip_rows": 0},
        )  # fmt: skip
        filled = cells.select(pl.any_horizontal(pl.all().is_not_null())).to_series().to_list()
        lines = [line for line, found in enumerate(filled, start=1) if found and line > self.layout.above]
        return [line for line in lines[1:] if line > lines[0] + self.layout.below]


def _repeated(header: Sequence[object], names: Sequence[str]) -> Iterator[Note]:
    """Yield what is to be told of names that stand twice in a sheet's header, and what calamine calls the second."""
    seen: set[str] = set()
    for cell, name in zip(map(str, header), names, strict=False):
        if cell in seen and cell != name:
            yield Note("note.repeated-header", {"name": normalised(cell).strip(), "fresh": normalised(name).strip()})
        seen.add(cell)


def _named(column: str, frame: pl.DataFrame) -> str:
    """Return a column's name; one without a name has its place, and that of row numbers a name of its own."""
    if not column.startswith(UNNAMED):
        return column.strip()
    place, cells = int(column.removeprefix(UNNAMED)), frame[column]
    if not place and cells.dtype.is_numeric() and cells.null_count() == 0 and cells.n_unique() == cells.len():
        return ROW_NUMBERS
    name = f"column{place + 1}"
    return name if name not in frame.columns else f"{name}_2"


def _read_sqlite(file: File) -> pl.DataFrame:
    import sqlite3
    from contextlib import closing

    here = os.path.isfile(file.path)
    place = f"{Path(file.path).resolve().as_uri()}?mode=ro" if here else ":memory:"
    with closing(sqlite3.connect(place, uri=here)) as connection:
        if not here:  # it came through a pipe
            connection.deserialize(file.data)
        known = [row[0] for row in connection.execute("select name from sqlite_master where type in ('table', 'view')")]
        inner = file.inner
        if not inner and len(known) == 1:
            inner = known[0]
        if inner not in known:
            raise TableError("table.no-such-table", file=file.name, found=inner, known=", ".join(known) or "-")
        quoted = inner.replace('"', '""')
        cursor = connection.execute(f'select * from "{quoted}"')
        names = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
    cells = zip(*rows, strict=True) if rows else ([] for _ in names)
    return pl.DataFrame([column_of(name, list(column)) for name, column in zip(names, cells, strict=True)])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; raises TableError where two of its values have one name."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise TableError("table.repeated-column", column=next(name for name in found if names.count(name) > 1))
    return found


def _read_json(file: File) -> pl.DataFrame:
    try:
        tree = json.loads(file.data, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise TableError("table.bad-json", file=file.name, line=error.lineno, reason=error.msg) from error
    if isinstance(tree, dict):
        return from_memory(tree, None)
    if isinstance(tree, list) and tree and all(isinstance(row, dict) for row in tree):
        return from_memory(tree, None)
    raise TableError("table.json-shape", file=file.name)


def _read_ndjson(file: File) -> pl.DataFrame:
    rows = []
    for number, line in enumerate(file.data.splitlines(), start=1):
        if line.strip():
            try:
                row = json.loads(line, object_pairs_hook=_once)
            except json.JSONDecodeError as error:
                raise TableError("table.bad-json", file=file.name, line=number, reason=error.msg) from error
            if not isinstance(row, dict):
                raise TableError("table.json-shape", file=file.name)
            rows.append(row)
    return from_memory(rows, None) if rows else pl.DataFrame()


def _read_idx(file: File) -> pl.DataFrame:
    columns = image_columns(parse_idx(file.data, file.name), file.name)
    labels = label_file(file.path, file.inner) if "image" in columns else None
    if labels is not None:
        found = parse_idx(_bytes(str(labels)), labels.name)
        columns["label"] = label_column(found, labels.name, len(columns["image"]))
    return pl.DataFrame(columns)


def _read_picture(file: File) -> pl.DataFrame:
    return pl.DataFrame({"file": [file.name], "image": read_picture(file.data, file.name)[None]})


_READERS = {
    "idx": _read_idx,
    "picture": _read_picture,
    "parquet": lambda file: pl.read_parquet(io.BytesIO(file.data)),
    "arrow": _read_arrow,
    "json": _read_json,
    "ndjson": _read_ndjson,
    "sqlite": _read_sqlite,
}
