"""Texts as they are compared: names of columns and levels that look the same are the same."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

# soft hyphens, zero-width spaces and joiners, marks of direction and of byte order: nobody sees them
UNSEEN = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_UNSEEN = re.compile(f"[{UNSEEN}]")


def normalised(text: str) -> str:
    """Return a text in Unicode's composed form (NFC), without the characters that are not seen."""
    return text if text.isascii() else unicodedata.normalize("NFC", _UNSEEN.sub("", text))


def is_unseen(letter: str) -> bool:
    """Tell whether a letter is one of those that nobody sees."""
    return _UNSEEN.fullmatch(letter) is not None


def plain_name(text: str) -> str:
    """Return the name of a column as it is compared: plain; one of nothing that is seen stays."""
    return normalised(text) or text


def plain_cells(cells: pl.Series) -> pl.Series:
    """Return cells of text as they are compared: plain, without spaces around them."""
    if cells.str.len_bytes().sum() != cells.str.len_chars().sum():  # letters beyond ASCII
        cells = cells.str.replace_all(f"[{UNSEEN}]", "").str.normalize("NFC")
    return cells.str.strip_chars()


def filled_cells(cells: pl.Series, missing: Sequence[str]) -> pl.Series:
    """Return the same with null for the markers of a missing cell, in whatever case they are written."""
    text = plain_cells(cells)
    cases = (case(marker) for marker in missing for case in (str, str.lower, str.upper, str.capitalize))
    return text.set(text.is_in(sorted({*cases, ""})), None)


def cut_short(value: object) -> str:
    """Return a cell as an error shows it: its first letters, where it is long."""
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def shape_text(shape: Sequence[int]) -> str:
    """Return a shape as a person reads it: 28 x 28."""
    return " x ".join(map(str, shape))
