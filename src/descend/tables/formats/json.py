"""JSON and NDJSON: a list of records, a mapping of columns, or a record a line."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import polars as pl

from descend.base.errors import TableError
from descend.tables.formats._format import FORMATS, File, Format
from descend.tables.frames import from_memory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from descend.tables.formats._format import Writer
    from descend.tables.reading_options import ReadingOptions

OPENING = re.compile(rb'\{\s*(\}|"[^"]*"\s*:)|\[\s*[\[{\]]')  # how an object or a list of them begins; no header does


class Json(Format):
    """A list of objects, one a row, or an object of lists, one a column."""

    name = "json"
    title = "JSON"
    endings: tuple[str, ...] = (".json",)
    written: tuple[str, ...] = (".json",)
    whole = "format.whole-json"

    def resembles(self, data: bytes) -> bool:
        """Tell whether bytes without a name are JSON of this kind."""
        return _kind_of(data) == self.name

    def may_begin(self, head: bytes) -> bool:
        """Tell whether what begins so may be JSON, all of which may stand on one line."""
        return head.lstrip()[:1] in (b"", b"[", b"{")

    def frame(self, file: File, options: ReadingOptions) -> pl.DataFrame:
        """Read a whole file; raises TableError naming the line that is no JSON."""
        try:
            tree = json.loads(file.data, object_pairs_hook=_once)
        except json.JSONDecodeError as error:
            raise TableError("table.bad-json", file=file.name, line=error.lineno, reason=error.msg) from error
        if isinstance(tree, dict):
            return from_memory(tree, None)
        if isinstance(tree, list) and tree and all(isinstance(row, dict) for row in tree):
            return from_memory(tree, None)
        raise TableError("table.json-shape", file=file.name)

    @contextmanager
    def writer(self, path: Path, ending: str, scratch: str | None) -> Iterator[Writer]:
        """Give what appends rows to a list of objects."""
        with open(path, "wb") as file:
            opened = False

            def append(frame: pl.DataFrame) -> None:
                nonlocal opened
                if frame.height:
                    made = BytesIO()
                    frame.write_json(made)
                    file.write((b"," if opened else b"[") + made.getvalue()[1:-1])
                    opened = True

            yield append
            file.write(b"]" if opened else b"[]")


class NdJson(Json):
    """An object a line."""

    name = "ndjson"
    title = "NDJSON"
    endings = (".ndjson", ".jsonl")
    written = (".ndjson",)
    whole = "format.whole-ndjson"

    def frame(self, file: File, options: ReadingOptions) -> pl.DataFrame:
        """Read a whole file; raises TableError naming the line that is no JSON object."""
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

    @contextmanager
    def writer(self, path: Path, ending: str, scratch: str | None) -> Iterator[Writer]:
        """Give what appends rows, a line each."""
        with open(path, "wb") as file:
            yield lambda frame: frame.write_ndjson(file)


def _kind_of(data: bytes) -> str:
    """Return "json", "ndjson", or "" for bytes that are neither."""
    start = data.removeprefix(BOM_UTF8).lstrip()
    if start[:1] not in (b"[", b"{"):
        return ""
    try:
        json.loads(start.partition(b"\n")[0])
    except (ValueError, RecursionError):
        return "json" if OPENING.match(start) else ""
    return "ndjson" if start[:1] == b"{" and start.rstrip().count(b"\n") else "json"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; raises TableError where two of its values have one name."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise TableError("table.repeated-column", column=next(name for name in found if names.count(name) > 1))
    return found


FORMATS.add(Json())
FORMATS.add(NdJson())
