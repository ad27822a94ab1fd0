"""Files that make up one table: what they are called, their order, and the columns that their folders' names add."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

import polars as pl

from descend.errors import TableError
from descend.labels import number_label
from descend.numerals import parse_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.scans.unpacked import Unpacked
    from descend.tables import Kind

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  # what Hive and Spark call the folder of rows without a value
KEY = re.compile(r"([^=]+)=(.*)", re.DOTALL)


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

    @classmethod
    def of(cls, files: Sequence[Found], own: Sequence[str], missing: Sequence[str]) -> Partitions:
        """Look at the names of all files; a column that the files have of their ``own`` stays theirs.

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
        return cls(kinds, markers)

    def cells(self, file: Found) -> tuple[tuple[str, float | str | None], ...]:
        """Return the one value that each of the columns has in a file, None where it is missing."""
        return tuple((key, self._cell(key, value)) for key, value in file.partition if key in self.kinds)

    def _cell(self, key: str, value: str) -> float | str | None:
        if value.strip().lower() in self.missing:
            return None
        return _number(value) if self.kinds[key] == "number" else value


def with_cells(
    frame: pl.DataFrame, cells: Sequence[tuple[str, float | str | None]], kinds: dict[str, Kind], decimal: str = ""
) -> pl.DataFrame:
    """Add columns of one value; as text with a ``decimal`` mark, where that is given."""
    added = []
    for key, value in cells:
        if decimal and isinstance(value, float):
            value = number_label(value).replace(".", decimal)
        dtype = pl.Float64() if kinds[key] == "number" and not decimal else pl.String()
        added.append(pl.lit(value, dtype=dtype).alias(key))
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


def _number(value: str) -> float:
    """Return the number that a text is, NaN where it is none."""
    return float(parse_numbers(pl.Series([value.strip()], dtype=pl.String))[0][0])
