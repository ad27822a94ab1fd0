"""Every sentence that a person reads, by code and language.

``en.toml`` and ``ko.toml`` hold the same codes with the same values in braces; a test compares them.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from descend.base.messages._particles import with_particles
from descend.base.visible import visible

LANGUAGES = ("en", "ko")
HERE = Path(__file__).parent


@cache
def _sentences(lang: str) -> dict[str, str]:
    tree = tomllib.loads((HERE / f"{lang}.toml").read_text(encoding="utf-8"))
    return {f"{group}.{key}": text for group, entries in tree.items() for key, text in entries.items()}


def say(code: str, lang: str = "en", **values: Any) -> str:
    """Return the sentence of ``code`` in ``lang`` with its values; an unknown language means English.

    Control characters in the values are escaped; a value that is a Note is told in the same language.
    """
    values = {name: value.tell(lang) if isinstance(value, Note) else value for name, value in values.items()}
    sentence = _sentences(lang if lang in LANGUAGES else "en")[code]
    if lang == "ko":
        sentence = with_particles(sentence, values)
    return visible(sentence.format(**values))


@dataclass(frozen=True)
class Note:
    """A remark: the code of a sentence and its values."""

    code: str
    values: dict[str, Any]

    def tell(self, lang: str = "en") -> str:
        """Return the sentence in ``lang``."""
        return say(self.code, lang, **self.values)


def has(code: str) -> bool:
    """Tell whether a sentence has that code."""
    return code in _sentences("en")


def codes(lang: str) -> dict[str, str]:
    """Return every sentence of a language by its code, with its placeholders."""
    return dict(_sentences(lang))


def language(wanted: str | None = None) -> str:
    """Return the language to use: ``wanted``, else ``DESCEND_LANG``, else the locale's, else English."""
    if wanted in LANGUAGES:
        return wanted
    for name in ("DESCEND_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return "ko" if value.lower().startswith("ko") else "en"
    return "en"
