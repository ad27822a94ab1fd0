"""Sheets of Excel and OpenDocument workbooks."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import polars as pl

from descend.base.messages import Note
from descend.base.texts import normalised
from descend.formula.ast import ROW_NUMBERS
from descend.tables.formats._format import FORMATS, File, Format
from descend.tables.text.delimited import NUMBER
from descend.tables.text.table_lines import TOP_LINES, WHOLE, Layout, refuse_double_header

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from descend.tables.reading_options import ReadingOptions

UNNAMED = "__UNNAMED__"  # what calamine calls a column without a name
MOST_ROWS = 1 << 20  # of a sheet
ENDED = re.compile(r"_[0-9]+$")  # what the reader of workbooks puts behind a name that stands twice


class Excel(Format):
    """Workbooks (.xlsx, .xls, .ods), of which one sheet is read."""

    name = "excel"
    title = "Excel"
    endings = (".xlsx", ".xls", ".ods")
    signatures = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
    inside = "book.xlsx::Sheet"
    lines = ("skip_rows", "header_row", "skip_footer")
    extra = "excel"
    whole = "format.whole-excel"
    unwritten = "format.unwritten-excel"

    def frame(self, file: File, options: ReadingOptions) -> pl.DataFrame:
        """Read a sheet; raises TableError where its names seem to stand lower than the header is looked for."""
        return _read_sheet(file, options.layout)

    def places(self, file: File, options: ReadingOptions) -> SheetRows:
        """Return the lookup of the sheet's line of each row."""
        return SheetRows(file, options.layout)


def _read_sheet(file: File, layout: Layout) -> pl.DataFrame:
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
    """The lines of a sheet's rows, looked up when first asked for; blank lines are no rows."""

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
    """Yield notes on names that occur twice in a sheet's header, with calamine's name for the second."""
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


FORMATS.add(Excel())
