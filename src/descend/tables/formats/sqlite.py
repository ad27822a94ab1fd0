"""A table of an SQLite database that is a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from descend.base.errors import TableError
from descend.tables.formats._format import FORMATS, File, Format
from descend.tables.frames import column_of

if TYPE_CHECKING:
    from descend.tables.reading_options import ReadingOptions


class Sqlite(Format):
    """An SQLite database; its queries are read in parts (``--query``), a table of it whole."""

    name = "sqlite"
    title = "SQLite"
    endings = (".db", ".sqlite")
    signatures = (b"SQLite format 3\0",)
    inside = "file.db::table"
    whole = "format.whole-sqlite"
    unwritten = "format.unwritten-sqlite"

    def frame(self, file: File, options: ReadingOptions) -> pl.DataFrame:
        """Read a table or a view; raises TableError listing those that there are."""
        import sqlite3
        from contextlib import closing

        here = os.path.isfile(file.path)
        place = f"{Path(file.path).resolve().as_uri()}?mode=ro" if here else ":memory:"
        with closing(sqlite3.connect(place, uri=here)) as connection:
            if not here:  # it came through a pipe
                connection.deserialize(file.data)
            found = connection.execute("select name from sqlite_master where type in ('table', 'view')")
            known = [row[0] for row in found]
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


FORMATS.add(Sqlite())
