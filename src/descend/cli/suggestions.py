"""Suggestions for mistyped commands: a formula without quotes, which the shell splits, or a misspelt word."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from descend.base.setting import Flag
from descend.base.spelling import nearest
from descend.cli.app import COMMANDS
from descend.solvers.settings import SETTINGS
from descend.tables.reading_settings import READING

if TYPE_CHECKING:
    from collections.abc import Sequence

WITH_FORMULA = ("fit", "forecast", "compare")
ALONE = frozenset(  # options without a value
    ["--json", "--debug", "--resume", "--keep"]
    + [flag for row in (*SETTINGS.values(), *READING.values()) if isinstance(row.kind, Flag) for flag in row.flags]
)


def unquoted(arguments: Sequence[str]) -> str | None:
    """Return the formula or the equation that was typed without quotes, None where there is none.

    The shell splits it at its blanks, and replaces a ``~`` that stands alone by the home folder.
    """
    words = [word for index, word in enumerate(arguments) if not _of_option(arguments, index)]
    if not words or words[0] not in WITH_FORMULA or any("~" in word.strip("~") for word in words):
        return None
    if "=" in words[3:] and len(words) > 4:
        return " ".join(words[2:])
    tilde = {"~", os.path.expanduser("~")}
    for index, word in enumerate(words[2:], 2):
        left, right = words[2:index], words[index + 1 :]
        if word in tilde and left:
            return f"{' '.join(left)} ~ {' '.join(right)}".strip()
        if len(word) > 1 and word.startswith("~") and left:
            return " ".join([*left, "~", word[1:], *right])
        if len(word) > 1 and word.endswith("~"):
            return " ".join([*left, word[:-1], "~", *right])
    return " ".join(words[2:]) if "=" in words[3:] else None


def near_option(error: Any) -> str:
    """Return the option or the command that an unknown one may mean, "" where none is close."""
    name, context = getattr(error, "option_name", None), getattr(error, "ctx", None)
    if name is None:
        return ""
    known = [option for parameter in context.command.params for option in parameter.opts] if context else []
    found = nearest(name.lstrip("-"), [option.lstrip("-") for option in known if option.startswith("--")])
    return f"--{found}" if found else ""


def near_command(word: str) -> str:
    """Return the command that an unknown word may mean, "" where none is close."""
    return nearest(word, COMMANDS)


def _of_option(arguments: Sequence[str], index: int) -> bool:
    """Tell whether a word is an option, or may be the value of one."""
    word, before = arguments[index], arguments[index - 1] if index else ""
    return word.startswith("-") or (before.startswith("--") and "=" not in before and before not in ALONE)
