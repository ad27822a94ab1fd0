"""The files of one table: their names, their order, and the columns that their folders' names add."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

import polars as pl

from descend.base.errors import TableError
from descend.tables.text.numerals import parse_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.tables.scans.unpacked import Unpacked
    from descend.tables.table import Kind

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  # what Hive and Spark call the folder of rows without a value
WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
SWAPPED = str.maketrans(",.", ".,")
KEY = re.compile(r"([^=]+)=(.*)", re.DOTALL)


class Cell(NamedTuple):
    """What a file's folders say of all of its rows in one column: None where it is missing."""

    key: str
    value: int | str | None
    dtype: type[pl.DataType]


class Found(NamedTuple):
    """A file: its path or address, what a person calls it, its bytes, and what its folders' names say of its rows.

    ``unpacked`` are the bytes of a file that had to be unpacked or fetched first.
    """

    path: str
    name: str
    size: int
    partition: tuple[tuple[str, str], ...] = ()
    unpacked: Unpacked | None = None


def natural(name: str) -> list[str | int]:
    """Return a key by which part-10 comes after part-9."""
    return [int(piece) if piece.isdecimal() else piece for piece in re.split(r"([0-9]+)", name)]


def partition_of(name: str) -> tuple[tuple[str, str], ...]:
    """Return what the folders of a name say: ``year=2024/month=03/part-0.parquet`` has a year and a month."""
    folders = (KEY.fullmatch(folder) for folder in name.split("/")[:-1])
    return tuple((unquote(found[1]), "" if found[2] == NO_VALUE else unquote(found[2])) for found in folders if found)


@dataclass(frozen=True)
class Partitions:
    """The columns that folders' names add to every file, numbers where all that they say of one is a number."""

    kinds: dict[str, Kind]
    missing: frozenset[str]
    dtypes: dict[str, type[pl.DataType]]

    @classmethod
    def of(cls, files: Sequence[Found], own: Sequence[str], missing: Sequence[str]) -> Partitions:
        """Read the names of all files; a column that is in the files (``own``) is not added.

        Raises TableError for a file whose folders name other columns than the first one's.
        """
        first = files[0]
        markers = frozenset({"", *(marker.lower() for marker in missing)})
        values: dict[str, list[str]] = {key: [] for key, _ in first.partition}
        for file in files:
            require_same(first.name, list(values), file.name, [key for key, _ in file.partition])
            for key, value in file.partition:
                values[key].append(value)
        kinds: dict[str, Kind] = {
            key: "number" if _are_numbers(found, markers) else "text" for key, found in values.items() if key not in own
        }
        dtypes: dict[str, type[pl.DataType]] = {
            key: pl.Int64 if _are_whole(values[key], markers) else pl.String for key in kinds
        }
        return cls(kinds, markers, dtypes)

    def cells(self, file: Found) -> tuple[Cell, ...]:
        """Return the one value that each of the columns has in a file."""
        return tuple(self._cell(key, value) for key, value in file.partition if key in self.kinds)

    def _cell(self, key: str, value: str) -> Cell:
        gap, dtype = value.strip().lower() in self.missing, self.dtypes[key]
        return Cell(key, None if gap else int(value) if dtype == pl.Int64 else value, dtype)


def with_cells(frame: pl.DataFrame, cells: Sequence[Cell], kinds: dict[str, Kind], decimal: str = "") -> pl.DataFrame:
    """Add columns of one value; as text with a ``decimal`` mark, where that is given."""
    added = []
    for key, value, dtype in cells:
        text = str(value).translate(SWAPPED) if decimal == "," and kinds[key] == "number" else str(value)
        written = text if decimal and value is not None else value
        added.append(pl.lit(written, dtype=pl.String if decimal else dtype).alias(key))
    return frame.with_columns(added)


def require_same(first: str, expected: Sequence[str], file: str, found: Sequence[str]) -> None:
    """Raise TableError naming a column that one of two files has and the other has not."""
    for column in expected:
        if column not in found:
            raise TableError("table.column-lacking", file=file, first=first, column=column)
    for column in found:
        if column not in expected:
            raise TableError("table.column-besides", file=file, first=first, column=column)


def _are_numbers(values: Sequence[str], missing: frozenset[str]) -> bool:
    given = [value for value in values if value.strip().lower() not in missing]
    return bool(given) and all(math.isfinite(_number(value)) for value in given)


def _are_whole(values: Sequence[str], missing: frozenset[str]) -> bool:
    """Tell whether values are whole numbers and written as these are: 007 is not."""
    given = [value for value in values if value.strip().lower() not in missing]
    return all(WHOLE.fullmatch(value) for value in given)


def _number(value: str) -> float:
    """Return the number that a text is, NaN where it is none."""
    return float(parse_numbers(pl.Series([value.strip()], dtype=pl.String))[0][0])
