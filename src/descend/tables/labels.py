"""Labels: what a cell is called where its column is a category. A text is its own label, a number is written out.

Two cells have one label only where they are one value: whole numbers of any size are written exactly, and a number is
written the same whether its column is of whole numbers, fractions or decimals.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl

from descend.base.texts import normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

COUNTED = 65_536  # whole numbers between the least and the greatest: few enough to count each
EXACT = 2**53  # whole numbers up to here are float64's
WHOLE = 2**64  # floats up to here are written as the whole number types write them
DIGITS = re.compile(r"[+-]?[0-9]{1,4000}")
DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
FLOATED = re.compile(r"([+-]?(?:0|[1-9][0-9]*))\.0*")  # a whole number, as a column of floats is written
MIDNIGHT = r" 00:00:00$"
FRACTION = r"(\.\d*?)0+$"


def number_label(value: float | np.floating[Any]) -> str:
    """Return a number as a category's label: 2007 for 2007.0, otherwise its shortest digits."""
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < WHOLE else str(value)


def cell_label(value: object) -> str | None:
    """Return the label of a cell of any type, None where it is missing."""
    if value is None or value != value:  # NaN, NaT
        return None
    if isinstance(value, (bool, np.bool_)):
        return str(value).lower()
    if isinstance(value, (float, np.floating)):
        return number_label(value)
    return normalised(str(value)).strip()


def ordered_levels(levels: Iterable[str], declared: Sequence[str] = ()) -> tuple[str, ...]:
    """Return levels in their order: the declared ones as declared, then numbers by size, then texts."""
    places = {level: place for place, level in enumerate(declared)}

    def key(level: str) -> tuple[int, float, str]:
        if level in places:
            return 0, places[level], level
        number = _number(level)
        return (2, 0.0, level) if number is None else (1, number, level)

    return tuple(sorted(levels, key=key))


def _number(text: str) -> float | None:
    """Return the number that a text is; whole numbers are not rounded."""
    if DIGITS.fullmatch(text):
        return int(text)
    return float(text) if DECIMAL.fullmatch(text) and math.isfinite(float(text)) else None


def merged(levels: Iterable[str]) -> tuple[str, ...]:
    """Return classes that are numbers without those that another one is, written as a float: 1.0 beside 1."""
    kept: dict[str, str] = {}
    for level in levels:
        kept.setdefault(unfloated(level), level)
    return tuple(kept.values())


def same_numbers(found: Iterable[str], levels: Sequence[str], *, numbers: bool) -> dict[str, str]:
    """Return for labels that are no levels the level that each is, where it is one written otherwise.

    A whole number may be written as a float, 1.0 for 1, as frames and other programs do where cells are missing.
    numbers: the labels are those of a column of numbers, which are a level where it alone is that number.
    """
    written: dict[str, list[str]] = {}
    sizes: dict[float | None, list[str]] = {}
    for level in levels:
        written.setdefault(unfloated(level), []).append(level)
        sizes.setdefault(_number(level), []).append(level)
    made = {}
    for label in found:
        alike = written.get(unfloated(label)) or (sizes.get(_number(label)) if numbers else None) or []
        if len(alike) == 1:
            made[label] = alike[0]
    return made


def unfloated(text: str) -> str:
    """Return a whole number without the point and the zeros of a float; any other text as it is."""
    found = FLOATED.fullmatch(text)
    return found[1] if found else text


def are_zero_one(levels: Iterable[str]) -> bool:
    """Tell whether levels are nothing but 0 and 1, however they are written."""
    return all(_number(level) in (0, 1) for level in levels)


def are_numbers(levels: Sequence[str]) -> bool:
    """Tell whether levels are written as numbers are, so that nothing is lost where they are taken for these."""
    numbers = [number for level in levels if (number := _number(level)) is not None and str(number) == level]
    return len(numbers) == len(levels) and _type_of(numbers) is not None


def as_numbers(levels: Sequence[str]) -> NDArray[Any]:
    """Return the numbers that levels are: floats, or whole numbers where floats would be other ones."""
    numbers = [_number(level) or 0 for level in levels]
    return np.array(numbers, dtype=_type_of(numbers))


def _type_of(numbers: Sequence[float]) -> type[np.generic] | None:
    """Return the type that holds all of the numbers exactly, None where there is none."""
    if all(isinstance(number, float) or abs(number) <= EXACT for number in numbers):
        return np.float64
    whole = all(isinstance(number, int) for number in numbers)
    fitting = (kind for kind in (np.int64, np.uint64) if _holds(kind, min(numbers)) and _holds(kind, max(numbers)))
    return next(fitting, None) if whole else None


def _holds(kind: type[np.int64 | np.uint64], number: float) -> bool:
    return bool(np.iinfo(kind).min <= number <= np.iinfo(kind).max)


def is_moment(dtype: pl.DataType) -> bool:
    """Tell whether cells of that type are dates, times of the day or both."""
    return dtype in (pl.Date, pl.Datetime, pl.Time)


def moment_labels(series: pl.Series) -> pl.Series:
    """Return dates and times as ISO 8601 writes them; midnight is the day alone."""
    text = series.cast(pl.String).str.replace(FRACTION, "$1").str.strip_suffix(".")
    return text.str.replace(MIDNIGHT, "")


def number_labels(series: pl.Series, *, packed: bool = False) -> pl.Series:
    """Return the labels of a column of numbers, null where there is none.

    packed: as codes of the texts (polars' Enum), which take a tenth of the time.
    """
    if series.dtype.is_float():
        series = series.fill_nan(None)
    counted = _counted(series) if packed else None
    if counted is not None:
        return _enum(series.name, *counted)
    found = series.drop_nulls().unique().sort()
    names = pl.Series(_names(found), dtype=pl.String)
    if not packed:
        return series.replace_strict(found, names, default=None, return_dtype=pl.String)
    if series.null_count() or series.dtype in (pl.Decimal, pl.Int128, pl.UInt128):
        codes = series.replace_strict(found, range(found.len()), default=None, return_dtype=pl.UInt32)
    else:
        codes = pl.Series(series.name, np.searchsorted(found.to_numpy(), series.to_numpy()), dtype=pl.UInt32)
    return _chosen(names.to_list(), codes)


def _names(distinct: pl.Series) -> list[str]:
    if distinct.dtype.is_float():
        return [number_label(value) for value in distinct.to_numpy()]
    texts = distinct.cast(pl.String).to_list()
    if distinct.dtype.is_decimal():
        return [text.rstrip("0").rstrip(".") if "." in text else text for text in texts]
    return texts


def _enum(column: str, distinct: Iterable[int], places: NDArray[Any]) -> pl.Series:
    """Return whole numbers, given as places among the distinct ones, as codes of their labels."""
    return _chosen([str(value) for value in distinct], pl.Series(column, places, dtype=pl.UInt32))


def _chosen(names: list[str], places: pl.Series) -> pl.Series:
    """Return the names at some places among them, packed; a missing place is a missing name."""
    return pl.Series(places.name, names, dtype=pl.Enum(names)).gather(places)


def _counted(series: pl.Series) -> tuple[list[int], NDArray[Any]] | None:
    """Return the distinct ones of whole numbers that lie close together, and each one's place among them, by counting.

    None for other numbers, and where cells are missing.
    """
    if not series.dtype.is_integer() or series.null_count() or not series.len():
        return None
    low, high = int(cast("int", series.min())), int(cast("int", series.max()))
    if high - low >= COUNTED or max(-low, high) > EXACT:
        return None
    offsets = series.cast(pl.Int64).to_numpy() - low
    there = np.bincount(offsets) > 0
    places = np.cumsum(there, dtype=np.uint32) - np.uint32(1)
    return (np.flatnonzero(there) + low).tolist(), places.take(offsets)
