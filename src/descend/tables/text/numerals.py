"""Numbers as people write them: one grammar for the cells of every source.

A cell is a number with a decimal mark and groups of three digits, a sign before or behind it or accountants' brackets
around it, a power of ten (Fortran's D too), an uncertainty after ±, and a unit or a currency. What stands around every
number of a column is its ``Notation``, which is settled once from the column's first rows, and holds for all of them.
Patterns are those of Rust's regex, which takes time in proportion to a cell's length whatever it holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from descend.base.texts import filled_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from descend.base.typing import Floats

    Mask = NDArray[np.bool_]

DECIMALS = (".", ",")
JUDGED = 10_000  # rows from which a notation is settled, in memory as part by part
POINTS = r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"  # 1.125 may be a thousand and more
SHARE = 0.75  # of a column's cells: so many have a unit where it is the column's
ERRORS = ("#N/A", "#DIV/0!", "#NULL!", "#REF!", "#VALUE!", "#NAME?", "#NUM!")  # what a spreadsheet writes for no value
_DIGITS = r"[0-9]+(?:[.,][0-9]+)*"
MARKED = rf"^[~≈<>≤≥] ?[+-]?{_DIGITS}$|^[+-]?{_DIGITS}(?: ?[*†‡+]+| ?[×x*] ?10(?:\^|\*\*)?[+-]?[0-9⁻⁰¹²³⁴-⁹]+)?$"
ORDINALS = ("st", "nd", "rd", "th")
LETTERS = "ACFGHJKLMNTVWBdghklmpstwxyµΩÅ"  # that are a unit right behind a number; any other makes a name of it: 12a

_WIDE = {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)}  # full-width forms
_ALIKE = {
    **_WIDE, **dict.fromkeys("−–‐‑‒﹣", "-"), **dict.fromkeys("\u00a0\u2007\u2009\u202f\u3000", " "),
    **dict.fromkeys("’‘ʼ`", "'"),
}  # fmt: skip
_CODES = (
    "USD EUR GBP JPY CNY RMB KRW CHF CAD AUD NZD SEK NOK DKK INR RUB BRL MXN HKD SGD TWD THB PLN CZK HUF TRY ZAR ILS"
)
_CURRENCY = rf"(?:[A-Z]{{0,3}}\p{{Sc}}|{'|'.join(_CODES.split())}|Rs\.?|kr\.?|%)"
_MONEY = re.compile(rf"[$€£¥₩₹₽₺₫฿₪₱₴₦]|^(?:원|만원|억원|円|元|Rs\.?|kr\.?|{'|'.join(_CODES.split())})$")
_UNIT = r"[\p{L}\p{Sc}%‰°][\p{L}\p{Sc}0-9%‰°/²³·*^⁻¹._ -]{0,15}?"
_CORE = r"[0-9](?:[0-9,.' ]*[0-9.,])?|[.,][0-9]+"
_CELL = (
    rf"^(?P<open>\( ?)?(?P<sign>[+-])? ?(?P<before>{_CURRENCY})? ?(?P<inner>[+-])? ?(?P<core>{_CORE})"
    rf"(?P<power>[eEdD][+-]?[0-9]+)?(?P<spread> ?(?:±|\+/-|\+-) ?[0-9.,]+)?(?P<after> ?{_UNIT})?(?P<last>-)?"
    r"(?P<close> ?\))?$"
)
_GROUPED = {  # a group of thousands never starts with 0, and has three digits
    mark: "|".join(rf"[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+(?:{decimal}[0-9]*)?" for group in groups)
    for mark, groups, decimal in ((".", (",", " ", "'"), r"\."), (",", (r"\.", " "), ","))
}
_PLAIN = {".": r"[0-9]+\.?[0-9]*|\.[0-9]+", ",": r"[0-9]+,?[0-9]*|,[0-9]+"}


@dataclass(frozen=True)
class Notation:
    """How a column writes its numbers: the decimal mark, and the text before and after each number.

    ``spread``: an uncertainty follows them after ±; ``example`` is a cell, and ``doubtful`` says that its comma could
    be a decimal mark as well, or its point a mark of thousands. ``bracketed`` is a cell in brackets, which are
    a minus, where nothing else says that these are amounts.
    """

    decimal: str = "."
    before: str = ""
    after: str = ""
    spread: bool = False
    example: str = ""
    doubtful: bool = False
    bracketed: str = ""

    @property
    def unit(self) -> str:
        """What stands around every number, in one word."""
        return f"{self.before}{self.after}"

    @property
    def money(self) -> bool:
        """Whether the numbers are amounts of a currency, which never have three decimals."""
        return any(_MONEY.search(part) for part in (self.before, self.after))

    @property
    def plain(self) -> bool:
        """Whether nothing stands around the numbers."""
        return not (self.before or self.after or self.spread)


class Marks(NamedTuple):
    """How many cells have a comma that is a decimal mark, a mark of thousands, or either.

    ``fractions``: every cell is below 1 and written 0,5; ``example`` is a cell with a comma.
    """

    decimals: int
    thousands: int
    either: int
    fractions: bool
    example: str


def parse_numbers(text: pl.Series, notation: Notation | str = ".") -> tuple[Floats, Mask]:
    """Return the numbers written in ``text`` (NaN where null) and a mask of the cells that hold no number.

    notation: a column's, or only the decimal mark. Cells are expected without space around them.
    """
    notation = Notation(notation) if isinstance(notation, str) else notation
    quick = notation.decimal == "." and notation.plain
    if quick and (clean := plain_numbers(text)) is not None:
        return clean, np.zeros(text.len(), dtype=bool)
    values = text.cast(pl.Float64, strict=False) if quick else pl.repeat(None, text.len(), dtype=pl.Float64, eager=True)
    left = text.is_not_null() & values.is_null()
    made = values.fill_null(np.nan).to_numpy().astype(np.float64)
    rest = left.to_numpy()
    forms = _split(text.filter(left))
    found = _values(forms, notation.decimal)
    numbers = found.fill_null(np.nan).to_numpy()
    alike = (forms["before"] == notation.before) & (forms["after"] == notation.after)
    bare = (forms["before"] == "") & (forms["after"] == "") & pl.Series(numbers == 0)  # nothing is nothing in any unit
    fits = (found.is_not_null() & (alike | bare) & ((forms["spread"] == "") | notation.spread)).to_numpy()
    made[rest] = np.where(fits, numbers, np.nan)
    bad = np.zeros(text.len(), dtype=bool)
    bad[rest] = ~fits
    return made, bad


def plain_numbers(text: pl.Series) -> Floats | None:
    """Return the numbers of cells that hold nothing but digits, a point and a power; None where one holds more."""
    values = text.cast(pl.Float64, strict=False)
    if values.null_count() > text.null_count():
        return None
    return np.asarray(values.fill_null(np.nan).to_numpy().astype(np.float64))


def plain_columns(texts: list[pl.Series], missing: Sequence[str]) -> dict[str, Floats]:
    """Return the numbers of those of many columns, all as long, that hold only plain ones: read at once, as one column.

    Left out are those that hold more, and those whose points may all stand for thousands.
    """
    cells = filled_cells(pl.concat([text.rename("") for text in texts]), missing)
    values = cells.cast(pl.Float64, strict=False)
    numbers, gaps, points = (
        made.to_numpy().reshape(len(texts), -1)
        for made in (values.fill_null(np.nan), cells.is_null(), cells.str.contains(POINTS).fill_null(value=True))
    )
    whole = (gaps | np.isfinite(numbers)).all(axis=1) & ~points[:, :JUDGED].all(axis=1)
    return {text.name: numbers[index] for index, text in enumerate(texts) if whole[index]}


def notation_of(text: pl.Series, decimal: str) -> Notation:
    """Return the notation of a column: the text around most of its numbers, "" where they share none."""
    cells = text.drop_nulls()
    cells = cells.filter(~cells.is_in(ERRORS))
    if not cells.len():
        return Notation(decimal)
    forms = _split(cells)
    numbers = forms.filter(_values(forms, decimal).is_not_null() | _values(forms, ",").is_not_null())
    enough = SHARE * cells.len()
    spread = int((numbers["spread"] != "").sum()) >= enough
    dressed = numbers.filter((numbers["before"] != "") | (numbers["after"] != ""))
    before = after = ""
    if dressed.height >= enough:
        common = (
            dressed.group_by("before", "after").len().sort("len", "before", "after", descending=[True, False, False])
        )
        if int(common["len"][0]) >= enough and _is_unit(str(common["after"][0])):
            before, after = str(common["before"][0]), str(common["after"][0])
    example = ""
    if before or after or spread:
        mine = (forms["before"] == before) & (forms["after"] == after)
        example = str(cells.filter(mine)[0])
    found = Notation(decimal, before, after, spread, example)
    brackets = cells.filter((forms["open"] != "") & _values(forms, decimal).is_not_null())
    return replace(found, bracketed=str(brackets[0])) if brackets.len() and not found.unit else found


def marks_of(text: pl.Series) -> Marks:
    """Count what the commas and points in the cells of a column can be."""
    cells = text.drop_nulls()
    cells = cells.filter(cells.str.contains(r"[,.，．]"))
    if not cells.len():
        return Marks(0, 0, 0, False, "")
    forms = _split(cells)
    point, comma = (_values(forms, mark).is_not_null() for mark in DECIMALS)
    either = point & comma & forms["core"].str.contains(",", literal=True)
    settled = comma & ~point
    twice = settled & forms["core"].str.contains(r"[. ].*[.,]")  # two marks in one cell leave no doubt
    fractions = settled.all() and cells.len() == text.drop_nulls().len() and forms["core"].str.contains("^0?,").all()
    shown = cells.filter(settled if settled.any() else either)
    decimals, thousands = int(settled.sum()) + int(twice.sum()), int((point & ~comma).sum())
    return Marks(decimals, thousands, int(either.sum()), bool(fractions), str(shown[0]) if shown.len() else "")


def like_numbers(text: pl.Series) -> Mask:
    """Mark the cells that begin as a number and have a unit of whatever kind after it, but those that count: 1st.

    So are those with a mark before or behind a number (<0.5, 1.2*), with groups of two digits, and with powers of ten.
    """
    forms = _split(text.fill_null(""))
    found = _values(forms, ".").is_not_null() | _values(forms, ",").is_not_null()
    found &= ~forms["after"].is_in(ORDINALS)
    return np.asarray((found | text.str.contains(MARKED).fill_null(value=False)).to_numpy(), dtype=bool)


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number, with either mark for decimals and nothing around it."""
    series = pl.Series([cell.strip()], dtype=pl.String)
    return any(not parse_numbers(series, mark)[1][0] for mark in DECIMALS)


def _is_unit(after: str) -> bool:
    """Tell whether what follows a number can be its unit: no second number does, and no year."""
    return not any(digit.isdigit() and (before in " .-" or before.isdigit()) for before, digit in pairwise(after))


def _split(cells: pl.Series) -> pl.DataFrame:
    """Cut cells into the parts of the grammar, "" where a cell lacks one; the core is null where it is no number."""
    tidy = cells.str.replace_many(list(_ALIKE), list(_ALIKE.values()))
    forms = tidy.str.extract_groups(_CELL).struct.unnest()
    named = forms["after"].str.contains(rf"^[\p{{Lu}}\p{{Ll}}--[{LETTERS}]]$").fill_null(value=False)
    return forms.with_columns(
        pl.all().exclude("core", "after").fill_null(""),
        forms["core"].set(named, None),
        pl.col("after").fill_null("").str.strip_chars_start(" "),
    )


def _values(forms: pl.DataFrame, decimal: str) -> pl.Series:
    """Return the numbers of cut cells under a decimal mark, null where there is none."""
    core, power = pl.col("core"), pl.col("power")
    marks = "[. ]" if decimal == "," else "[, ']"
    whole = pl.when(core.str.contains(f"^(?:{_PLAIN[decimal]})$")).then(core)
    grouped = whole.when(core.str.contains(f"^(?:{_GROUPED[decimal]})$")).then(core.str.replace_all(marks, ""))
    digits = grouped.otherwise(None).str.replace(decimal, ".", literal=True)
    signs = sum((pl.col(part) != "").cast(pl.Int8) for part in ("open", "sign", "inner", "last"))
    sound = (signs <= 1) & ((pl.col("open") != "") == (pl.col("close") != ""))
    sound &= ~power.str.contains("^[dD][0-9]") | core.str.contains(r"[.,]")  # 1.5D2 is Fortran's, 2D1 may be a code
    below = (pl.col("open") != "") | (pl.col("last") != "") | (pl.col("sign") == "-") | (pl.col("inner") == "-")
    sign = pl.when(below).then(pl.lit("-")).otherwise(pl.lit(""))
    written = pl.concat_str([sign, digits, power.str.replace("[dD]", "e")])
    return forms.select(pl.when(sound).then(written).cast(pl.Float64, strict=False).alias("value")).to_series()
