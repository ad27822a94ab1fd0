"""Names that may be meant: the column or the parameter that is near to a written one."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN = 12
DOUBTED = 0.8  # a parameter is more like a column than two words of one length that differ in a letter: rate, date


def near_name(name: str, known: Sequence[str]) -> str:
    """Return the known name that an unknown one may mean, "" where none is near."""
    return "".join(get_close_matches(name, known, n=1, cutoff=0.6))


def close_to(name: str, columns: Sequence[str]) -> str:
    """Return the column that a parameter may be a misspelling of, "" where there is none.

    It has the same letters, in another case or another order, or nearly the same.

    >>> [close_to(name, ["hours", "temp", "date"]) for name in ("hour", "Hours", "tmep", "rate", "k")]
    ['hours', 'hours', 'temp', '', '']
    """
    lower: dict[str, str] = {}
    for column in columns:
        lower.setdefault(column.casefold(), column)
    own = name.casefold()
    if own in lower:
        return lower[own]
    moved = next((column for column in lower if len(own) > 2 and sorted(column) == sorted(own)), "")
    near = [moved] if moved else get_close_matches(own, lower, n=1, cutoff=DOUBTED)
    return "".join(lower[column] for column in near)


def first_names(columns: Sequence[str]) -> str:
    """Return names for a message, the first twelve of them."""
    shown = ", ".join(columns[:SHOWN])
    return f"{shown}, … ({len(columns)})" if len(columns) > SHOWN else shown
