"""Safe text for people: control characters and marks of direction are escaped."""

from __future__ import annotations

import re

# C0 but for tab and line feed, delete, C1; line and paragraph separators; embeddings, overrides and isolates; and
# surrogates, which no encoding can write
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u206f\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Return a text with every control character escaped: ``\x1b`` for escape, ``\u202e`` for an override."""
    return _STEERING.sub(_shown, text)


def in_a_line(text: str) -> str:
    """Return a text on one line: control characters, line feeds and tabs escaped."""
    return visible(text).replace("\n", r"\n").replace("\t", r"\t")


def json_visible(text: str) -> str:
    """Return JSON with control characters as JSON escapes, which keeps its meaning."""
    return _STEERING.sub(lambda found: rf"\u{ord(found[0]):04x}", text)


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    return rf"\x{code:02x}" if code < 0x100 else rf"\u{code:04x}"
