"""How a table is read, as a person says it: the options that the command line and the page have for it.

``read`` calls most of them the same; what it calls ``missing`` is said by two of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descend.base.setting import Control, Flag, Setting, Text, Whole, Words

if TYPE_CHECKING:
    from collections.abc import Mapping

ENCODINGS = (
    "utf-8", "utf-16", "utf-16-le", "utf-16-be",
    "cp1252", "latin-1", "cp1250", "cp1251", "cp949", "shift_jis", "gb18030", "big5",
)  # fmt: skip
DELIMITERS = (",", ";", "tab", "|")


def _decimals() -> tuple[str, ...]:
    from descend.tables.text.numerals import DECIMALS

    return DECIMALS


_ROWS = (
    Setting("query", Text(), panel="table"),
    Setting("memory", Text(), panel="table"),
    Setting("scratch", Text(), panel="table"),
    Setting("decimal", Text(_decimals), ".", panel="table", control=Control("select")),
    Setting("delimiter", Text(lambda: DELIMITERS), panel="table", control=Control("select")),
    Setting("encoding", Text(lambda: ENCODINGS), panel="table", control=Control("select")),
    Setting("header", Flag(optional=True), panel="table", control=Control("select")),
    Setting("skip_rows", Whole(), 0, panel="table", control=Control("number")),
    Setting("header_row", Whole(optional=True), panel="table", control=Control("number")),
    Setting("comment", Text(), panel="table", control=Control("text")),
    Setting("skip_footer", Whole(), 0, panel="table", control=Control("number")),
    Setting("na", Words(), panel="table", control=Control("words")),
    Setting("keep_na_text", Flag(), False, panel="table", control=Control("check")),
)
READING: dict[str, Setting] = {row.name: row for row in _ROWS}


def reading_keywords(reading: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords of ``read`` (and ``open_rows``) that say the same as options by their names.

    ``na`` adds to the usual texts that stand for a missing cell, ``keep_na_text`` leaves these out.
    """
    from descend.tables.reading_options import MISSING

    made = {name: value for name, value in reading.items() if name not in ("na", "keep_na_text")}
    added, alone = reading.get("na") or [], reading.get("keep_na_text", False)
    return {**made, "missing": [*([] if alone else MISSING), *added]} if added or alone else made
