"""Tables: files, frames and queries read as columns that are numbers, categories, images or neither.

Columns of text files are parsed only when they are used, and a cell that does not parse is named with its line.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol

import numpy as np
import polars as pl

from descend.base.errors import TableError
from descend.base.texts import cut_short, filled_cells, plain_cells
from descend.tables._decimal_marks import DecimalMarks
from descend.tables.labels import EXACT, is_moment, moment_labels, number_labels, ordered_levels
from descend.tables.reading_options import MISSING
from descend.tables.text.numerals import (
    ERRORS,
    JUDGED,
    Notation,
    like_numbers,
    marks_of,
    notation_of,
    parse_numbers,
    plain_columns,
    plain_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from descend.base.messages import Note
    from descend.base.typing import Floats
    from descend.tables.text.delimited import Delimited

    Images = NDArray[np.uint8 | np.floating[Any]]

Kind = Literal["number", "text", "boolean", "image", "other"]
TRUTH = ("true", "false")
WIDE = 200  # columns
MOST_CLASSES = 10  # of a target whose text looks like numbers


class Places(Protocol):
    """The files and lines of the rows of a table that was joined from several files."""

    def file(self, row: int) -> str:
        """Return what a person calls the file of a row."""
        ...

    def line(self, row: int) -> int:
        """Return the line, or the row, of that file."""
        ...


@dataclass
class Table:
    """Columns by name, as read from one source.

    ``frame`` holds the cells as they came (all text where ``source`` is a delimited file); ``numbers`` and
    ``labels`` give a column as float64 or as category labels, ``images`` as pixels. ``pictures`` says that its images
    were read from PNG or JPEG files, and so may be drawn in any way. Where it is a part of a larger table, ``first`` is
    the number of its first row there, ``kinds`` what the larger one's columns hold and ``notations`` how these write
    their numbers. Where it was joined from parts, ``places`` knows where these stand.
    """

    frame: pl.DataFrame
    name: str
    missing: tuple[str, ...] = MISSING
    decimal: str = "."
    source: Delimited | None = None
    notes: list[Note] = field(default_factory=list)
    pictures: bool = False
    first: int = 0
    kinds: dict[str, Kind] = field(default_factory=dict)
    notations: dict[str, Notation] = field(default_factory=dict)
    places: Places | None = None
    _numbers: dict[str, tuple[Floats, NDArray[np.bool_]]] = field(default_factory=dict, repr=False)

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in their order."""
        return self.frame.columns

    @property
    def repeated(self) -> set[str]:
        """The names that two columns of a text file share; the second column has another name here."""
        return {str(note.values["name"]) for note in self.notes if note.code == "note.repeated-header"}

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.frame.height

    def line(self, row: int) -> int:
        """Return where a person finds row ``row`` (from 0): the file's line, else the row's number from 1."""
        if self.places is not None:
            return self.places.line(row)
        return (self.source and self.source.line_of(row)) or self.first + row + 1

    def file(self, row: int) -> str:
        """Return the file in which a person finds row ``row``: the table's name, where it is of one file."""
        return self.name if self.places is None else self.places.file(row)

    def kind(self, column: str) -> Kind:
        """Tell what a column holds; one in which most cells are numbers counts as numbers, with bad cells in it."""
        if column not in self.kinds:
            if not self.kinds and self.source is not None and self.decimal == "." and self.frame.width > WIDE:
                self._read_together()
            self.kinds[column] = self.kinds.get(column) or self._found_kind(column)
        return self.kinds[column]

    def _read_together(self) -> None:
        """Parse a wide file's plain numbers in one call, which is faster than column by column."""
        texts = [text for text in self.frame.get_columns() if text.name not in self.notations]
        for name, values in plain_columns(texts, self.missing).items():
            self._numbers[name], self.kinds[name] = (values, np.zeros(values.size, dtype=bool)), "number"

    def _found_kind(self, column: str) -> Kind:
        series = self.frame[column]
        if series.dtype == pl.Boolean:
            return "boolean"
        if series.dtype.is_numeric() or series.dtype == pl.Null:
            return "number"
        if is_image(series.dtype):
            return "image"
        if series.dtype not in (pl.String, pl.Categorical, pl.Enum):
            return "other"
        if series.dtype != pl.String:  # categories that were declared
            return "text"
        text = self._text(column)
        if self.source is None:
            # text that was declared: a code, such as 01234, or beside images the name of a class, such as 7
            if text.str.contains("^0[0-9]").any() or any(map(is_image, self.frame.dtypes)):
                return "text"
        else:
            cells = text.drop_nulls()
            if cells.len() and cells[0].lower() in TRUTH and _are_booleans(cells):
                return "boolean"
        values, bad = self.parsed(column)
        self._refuse_decimal_comma(column, text, bad)
        wrong = int(bad.sum())
        if wrong == 0 or wrong < int(np.isfinite(values).sum()) + int(text.is_in(ERRORS).sum()):
            return "number"
        return "text"

    def numbers(self, column: str) -> Floats:
        """Return a column as float64, NaN where a cell is missing.

        Raises TableError (``table.bad-cell``) naming the first cell that is no finite number.
        """
        kind = self.kind(column)
        if kind in ("image", "other"):
            self._refuse_kind(column)
        if kind == "text":
            raise TableError("table.not-numbers", column=column, **self._first_text(column))
        if kind == "boolean":
            labels = self.labels(column)
            self._refuse_bad(column, (labels.is_not_null() & ~labels.is_in(TRUTH)).to_numpy())
            truth = (labels == "true").cast(pl.Float64)
            return truth.fill_null(np.nan).to_numpy().astype(np.float64)
        values, bad = self.parsed(column)
        self._refuse_bad(column, bad | np.isinf(values))
        return values

    def _refuse_bad(self, column: str, bad: NDArray[np.bool_]) -> None:
        """Raise TableError naming the first of the bad cells."""
        if bad.any():
            row = int(np.argmax(bad))
            raise TableError(
                "table.bad-cell",
                file=self.file(row),
                line=self.line(row),
                column=column,
                found=cut_short(self.frame[column][row]),
                count=int(bad.sum()),
            )

    def parsed(self, column: str) -> tuple[Floats, NDArray[np.bool_]]:
        """Return the numbers of a column, NaN where there is none, and a mask of the cells that hold something else."""
        if column not in self._numbers:
            series = self.frame[column]
            if series.dtype == pl.String:
                text = self._text(column)
                plain = plain_numbers(text) if self.decimal == "." and column not in self.notations else None
                if plain is None:
                    self._numbers[column] = parse_numbers(text, self.notation(column))
                else:
                    self._numbers[column] = plain, np.zeros(plain.size, dtype=bool)
            else:
                values = series.cast(pl.Float64).fill_null(np.nan).to_numpy()  # of float64 without gaps the frame's own
                self._numbers[column] = values, np.zeros(values.size, dtype=bool)
            if self.codes:
                values, bad = self._numbers[column]
                self._numbers[column] = np.where(np.isin(values, self.codes), np.nan, values), bad
        return self._numbers[column]

    @cached_property
    def codes(self) -> tuple[float, ...]:
        """The markers of missing cells that are numbers; such a number is missing however it is written."""
        found = parse_numbers(pl.Series(self.missing, dtype=pl.String))[0]
        return tuple(found[np.isfinite(found)].tolist())

    def notation(self, column: str) -> Notation:
        """Return how a column of text writes its numbers; its first rows decide, in memory as part by part."""
        if column not in self.notations:
            text = self._text(column)
            head = text.head(JUDGED)
            head = head if head.null_count() < head.len() else text
            found = notation_of(head, self.decimal)
            if self.decimal == ".":
                marks = marks_of(head)
                if marks.fractions:
                    found = replace(found, decimal=",", example=marks.example)
                elif marks.either and not marks.decimals and not marks.thousands and not found.money:
                    found = replace(
                        found, doubtful=self._marks.doubts_commas(column), example=found.example or marks.example
                    )
            self.notations[column] = found
        return self.notations[column]

    def judged(self, columns: Iterable[str]) -> tuple[dict[str, Kind], dict[str, Notation]]:
        """Return the kinds and notations of columns, which every part of the table is read by.

        A column that is refused is left out: it harms nobody until it is used.
        """
        kinds = {}
        for column in columns:
            with suppress(TableError):
                kinds[column] = self.kind(column)
        return kinds, {column: self.notations.get(column, Notation(self.decimal)) for column in kinds}

    def first_beyond(self, column: str) -> str | None:
        """Return the first whole number of a column that is beyond 2^53, as it is written; None where there is none."""
        series = self.frame[column]
        if series.dtype == pl.String:
            with np.errstate(invalid="ignore"):
                large = np.abs(self.parsed(column)[0]) >= EXACT
            if not large.any():
                return None
            series = self._text(column).filter(pl.Series(large))
            found = series.filter(series.str.contains(r"^[+-]?[0-9]+$"))
        elif series.dtype in (pl.Int64, pl.UInt64, pl.Int128, pl.UInt128):  # the others hold none
            signed = series.dtype.is_signed_integer()
            found = series.filter((series > EXACT) | (series < -EXACT) if signed else series > EXACT)
        else:
            return None
        return next((str(cell) for cell in found if abs(int(cell)) > EXACT), None)

    def labels(self, column: str, *, packed: bool = False) -> pl.Series:
        """Return a column as text labels, null where missing: texts as they are, numbers and dates as text.

        packed: of numbers, as codes of the texts (polars' Enum), which take a tenth of the time.
        """
        series, kind = self.frame[column], self.kind(column)
        if is_moment(series.dtype):
            return moment_labels(series)
        if kind in ("image", "other"):
            self._refuse_kind(column)
        if series.dtype.is_numeric():
            if self.codes:
                series = series.set(series.cast(pl.Float64).is_in(self.codes), None)
            return number_labels(series, packed=packed)
        text = self._text(column)
        return text.str.to_lowercase() if kind == "boolean" else text

    def declared(self, column: str) -> tuple[str, ...]:
        """Return the levels that a column's type declares, in that order; () where it declares none."""
        dtype = self.frame[column].dtype
        return tuple(plain_cells(dtype.categories)) if isinstance(dtype, pl.Enum) else ()

    def levels(self, column: str) -> tuple[str, ...]:
        """Return the levels that a column's cells have, in their order."""
        return ordered_levels(self.labels(column).drop_nulls().unique().to_list(), self.declared(column))

    def is_moment(self, column: str) -> bool:
        """Tell whether a column holds dates or times, which may be categories."""
        return is_moment(self.frame[column].dtype)

    def images(self, column: str) -> Images:
        """Return a column of images, rows x height x width (x 3 for colour), or of arrays of numbers.

        Raises TableError (``table.no-image``) where a row has none, or has a number that is not finite.
        """
        series = self.frame[column]
        if series.null_count():
            row = int(np.argmax(series.is_null().to_numpy()))
            raise TableError("table.no-image", file=self.file(row), line=self.line(row), column=column)
        images: Images = np.asarray(series.to_numpy())
        if images.dtype != np.uint8 and not np.isfinite(images).all():
            row = int(np.argmin(np.isfinite(images).reshape(len(images), -1).all(axis=1)))
            raise TableError("table.no-image", file=self.file(row), line=self.line(row), column=column)
        return images

    def require_no_numbers(self, column: str) -> None:
        """Raise TableError for a column that looks like numbers, each with a unit of its own, and not like classes."""
        series = self.frame[column]
        if series.dtype != pl.String:
            return
        text = self._text(column)
        levels = text.drop_nulls().unique()
        alike = like_numbers(text)
        few = levels.len() <= MOST_CLASSES and levels.len() * 2 <= text.len()
        if few or alike.sum() * 2 <= text.len() - text.null_count():
            return
        apart = self._apart(text, alike)
        if not apart.any():  # text that was declared
            return
        row, first = int(np.argmax(apart)), int(np.argmax(alike))
        values = {"first": cut_short(series[first]), "row": self.line(first), "line": self.line(row)}
        raise TableError(
            "table.like-numbers", file=self.file(row), column=column, found=cut_short(series[row]), **values
        )

    def _apart(self, text: pl.Series, alike: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Mark the cells that are written otherwise than the first cell that looks like a number."""
        first = text.filter(pl.Series(alike)).head(1)
        return parse_numbers(text, notation_of(first, self.decimal))[1]

    @cached_property
    def _marks(self) -> DecimalMarks:
        """What the commas and points in the columns of text are."""
        names = [name for name in self.columns if self.frame[name].dtype == pl.String]
        return DecimalMarks(names, self._text, None if self.source is None else self.source.delimiter)

    def _refuse_decimal_comma(self, column: str, text: pl.Series, bad: NDArray[np.bool_]) -> None:
        """Raise TableError where a column's numbers are written with a decimal comma, and a point was expected."""
        if self.decimal != "." or self.notations.get(column, Notation()).decimal != ".":
            return
        if bad.any() or column in self.notations:
            marks = self._marks.comma_among_errors(column, text, bad)
        else:
            marks, doubtful = self._marks.comma_beside_points(column, text)
            if doubtful is not None:
                self.notations[column] = doubtful
        if marks is not None:
            row = int(np.argmax((text == marks.example).fill_null(value=False).to_numpy()))
            raise TableError(
                "table.decimal-comma",
                file=self.file(row),
                column=column,
                found=cut_short(marks.example),
                line=self.line(row),
                options=self._comma_options(),
            )

    def _comma_options(self) -> str:
        """Return the options that read a decimal comma; it is a delimiter no longer, where that is not said again."""
        return "--decimal , --delimiter ," if self.source and self.source.delimiter == "," else "--decimal ,"

    def markers(self, column: str, gap: NDArray[np.bool_]) -> list[str]:
        """Return the texts that stand in the missing cells of a column, as they are written."""
        series = self.frame[column]
        if series.dtype != pl.String:
            return []
        found = plain_cells(series.filter(pl.Series(gap))).unique(maintain_order=True).drop_nulls()
        return [cut_short(text) for text in found if text]

    def _refuse_kind(self, column: str) -> NoReturn:
        dtype = str(self.frame[column].dtype)
        raise TableError("table.no-category", file=self.name, column=column, dtype=dtype)

    def _text(self, column: str) -> pl.Series:
        return filled_cells(self.frame[column].cast(pl.String), self.missing)

    def _first_text(self, column: str) -> dict[str, Any]:
        """Return the first cell of a column that is text and not a number, and where it stands, for an error."""
        series = self.frame[column]
        wrong = self.parsed(column)[1] if series.dtype == pl.String else series.is_not_null().to_numpy()
        row = int(np.argmax(wrong))
        return {"file": self.file(row), "found": cut_short(series[row]), "line": self.line(row)}


def is_image(dtype: pl.DataType) -> bool:
    """Tell whether cells of that type are images, height x width (x 3) bytes, or arrays of numbers of any shape."""
    if not isinstance(dtype, pl.Array) or 0 in dtype.shape:
        return False
    inner: Any = dtype
    while isinstance(inner, pl.Array):
        inner = inner.inner
    if inner == pl.UInt8:
        return len(dtype.shape) == 2 or dtype.shape[2:] == (3,)
    return inner in (pl.Float32, pl.Float64)


def _are_booleans(cells: pl.Series) -> bool:
    """Tell whether cells of text are true and false, each of them written in one way."""
    found = cells.unique().to_list()
    return {cell.lower() for cell in found} <= set(TRUTH) and len({cell.lower() for cell in found}) == len(found)
