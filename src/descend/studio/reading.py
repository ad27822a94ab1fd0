"""The options of reading a file that have a control, and the values that the control shows.

A page holds them under the names of the command line. An option that is not set is detected from the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from descend.base.errors import OptionError
from descend.base.messages import say
from descend.tables.reading_settings import READING

if TYPE_CHECKING:
    from descend.base.setting import Control, Setting

Reading = Mapping[str, Any]
CONTROLS: dict[str, Control] = {name: row.control for name, row in READING.items() if row.control is not None}
ANSWERS = {"yes": True, "no": False}  # the choices of a switch that may be detected


@dataclass(frozen=True)
class Unread:
    """A file that could not be read: its path, the name that the person sees, and the options of reading."""

    path: str
    shown: str
    reading: dict[str, Any]


def choices(row: Setting) -> tuple[str, ...]:
    """Return the choices of an option whose control is a list."""
    return row.kind.known or tuple(ANSWERS)


def parsed(row: Setting, value: Any, lang: str) -> Any:
    """Return the value of an option's control; None for an empty one. Raises OptionError."""
    kind = CONTROLS[row.name].kind
    if kind == "check":
        return True if value else None
    text = str(value).strip()
    if not text:
        return None
    if kind == "number":
        try:
            return int(text)
        except ValueError as error:
            name = say(f"studio.reading-{row.name}", lang)
            raise OptionError("option.not-number", name=name, value=text) from error
    if kind == "words":
        return [word for word in (part.strip() for part in text.split(",")) if word]
    return ANSWERS.get(text, text)


def shown(row: Setting, value: Any) -> Any:
    """Return a value as the option's control shows it."""
    kind = CONTROLS[row.name].kind
    if kind == "check":
        return bool(value)
    if kind == "words":
        return ", ".join(value or [])
    return {None: "", True: "yes", False: "no"}.get(value, str(value))


def changed(reading: Reading, **options: Any) -> dict[str, Any]:
    """Return options of reading with some of them changed; None takes an option back to detection."""
    return {name: value for name, value in {**reading, **options}.items() if value is not None and name in CONTROLS}
