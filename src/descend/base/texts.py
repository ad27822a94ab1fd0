"""Normalisation of text for comparison: names of columns and levels that look the same are equal."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

# soft hyphens, zero-width spaces and joiners, marks of direction and of byte order: invisible
UNSEEN = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_UNSEEN = re.compile(f"[{UNSEEN}]")


def normalised(text: str) -> str:
    """Return a text in Unicode's composed form (NFC), without invisible characters."""
    return text if text.isascii() else unicodedata.normalize("NFC", _UNSEEN.sub("", text))


def is_unseen(letter: str) -> bool:
    """Tell whether a character is invisible."""
    return _UNSEEN.fullmatch(letter) is not None


def plain_name(text: str) -> str:
    """Return the normalised name of a column; a name of invisible characters alone stays."""
    return normalised(text) or text


def plain_cells(cells: pl.Series) -> pl.Series:
    """Return normalised cells of text, without spaces around them."""
    if cells.str.len_bytes().sum() != cells.str.len_chars().sum():  # letters beyond ASCII
        cells = cells.str.replace_all(f"[{UNSEEN}]", "").str.normalize("NFC")
    return cells.str.strip_chars()


def filled_cells(cells: pl.Series, missing: Sequence[str]) -> pl.Series:
    """Return normalised cells with null for the markers of missing cells, in lower, upper or title case."""
    text = plain_cells(cells)
    cases = (case(marker) for marker in missing for case in (str, str.lower, str.upper, str.capitalize))
    return text.set(text.is_in(sorted({*cases, ""})), None)


def cut_short(value: object) -> str:
    """Return a cell for an error message, cut to its first characters."""
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def shape_text(shape: Sequence[int]) -> str:
    """Return a shape as text: 28 x 28."""
    return " x ".join(map(str, shape))
