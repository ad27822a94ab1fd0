"""How a file is read: the options of ``descend.read``, for each of which the page has a control.

A page holds them under the names that the command line gives them. An option that is not set is found out.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from descend.base.errors import OptionError
from descend.base.messages import say
from descend.tables.open import read
from descend.tables.reading_options import MISSING
from descend.tables.text.numerals import DECIMALS

Reading = Mapping[str, Any]

ENCODINGS = (
    "utf-8", "utf-16", "utf-16-le", "utf-16-be",
    "cp1252", "latin-1", "cp1250", "cp1251", "cp949", "shift_jis", "gb18030", "big5",
)  # fmt: skip


@dataclass(frozen=True)
class ReadingOption:
    """One way to read a file: its control, what can be chosen, and what ``read`` calls it."""

    name: str
    kind: Literal["select", "text", "number", "check", "words"]
    choices: tuple[str, ...] = ()
    keyword: str = ""

    def parsed(self, value: Any, lang: str) -> Any:
        """Return what a control says as a value; None where it says nothing. Raises OptionError."""
        if self.kind == "check":
            return True if value else None
        text = str(value).strip()
        if not text:
            return None
        if self.kind == "number":
            try:
                return int(text)
            except ValueError as error:
                name = say(f"studio.reading-{self.name}", lang)
                raise OptionError("option.not-number", name=name, value=text) from error
        if self.kind == "words":
            return [word for word in (part.strip() for part in text.split(",")) if word]
        return {"yes": True, "no": False}.get(text, text)

    def shown(self, value: Any) -> Any:
        """Return a value as its control shows it."""
        if self.kind == "check":
            return bool(value)
        if self.kind == "words":
            return ", ".join(value or [])
        return {None: "", True: "yes", False: "no"}.get(value, str(value))


@dataclass(frozen=True)
class Unread:
    """A file that could not be read: where it lies, what the person calls it, and how it was to be read."""

    path: str
    shown: str
    reading: dict[str, Any]


OPTIONS = (
    ReadingOption("decimal", "select", DECIMALS),
    ReadingOption("delimiter", "select", (",", ";", "tab", "|")),
    ReadingOption("encoding", "select", ENCODINGS),
    ReadingOption("header", "select", ("yes", "no")),
    ReadingOption("skip_rows", "number"),
    ReadingOption("header_row", "number"),
    ReadingOption("comment", "text"),
    ReadingOption("skip_footer", "number"),
    ReadingOption("na", "words", keyword="missing"),
    ReadingOption("keep_na_text", "check", keyword="missing"),
)


@cache
def offered() -> dict[str, ReadingOption]:
    """Return the options that ``read`` takes, by their names."""
    known = inspect.signature(read).parameters
    return {option.name: option for option in OPTIONS if (option.keyword or option.name) in known}


def changed(reading: Reading, **options: Any) -> dict[str, Any]:
    """Return how a file is read with some options changed; None takes one back to what is found out."""
    return {name: value for name, value in {**reading, **options}.items() if value is not None and name in offered()}


def keywords(reading: Reading) -> dict[str, Any]:
    """Return the keywords of ``descend.read`` that say the same."""
    made = {name: value for name, value in reading.items() if not offered()[name].keyword}
    na, alone = reading.get("na", []), reading.get("keep_na_text", False)
    return {**made, "missing": [*([] if alone else MISSING), *na]} if na or alone else made
