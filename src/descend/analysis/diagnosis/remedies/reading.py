"""Remedies that read the file another way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descend.analysis.diagnosis.change import Change
from descend.base.messages import Note

if TYPE_CHECKING:
    from descend.analysis.diagnosis.remedies.case import Case, Offer

USUAL_ENCODINGS = ("cp1252", "cp949", "shift_jis")
UNMARKED = ("utf-16-le", "utf-16-be")  # what text with zero bytes is in, where it is text
CUT = "…"  # ends what is told of a cell too long to be told


def decimal_commas(case: Case) -> list[Change]:
    """Read numbers with a decimal comma, and cells that are parted by one as before."""
    delimiter = "," if "--delimiter" in case.values.get("options", "") else (case.reading or {}).get("delimiter")
    return [_read("decimal-comma", {}, decimal=",", delimiter=delimiter)]


def encodings(case: Case) -> list[Change]:
    """Read the file in one of the encodings that are met most."""
    known = [encoding for encoding in USUAL_ENCODINGS if encoding != case.values.get("encoding")]
    return [_encoding(one) for one in known]


def unmarked(_: Case) -> list[Change]:
    """Read a file with zero bytes as text."""
    return [_encoding(one) for one in UNMARKED]


def other_encoding(case: Case) -> list[Change]:
    """Read the file in the other encoding that its letters could be in."""
    return [_encoding(case.values["other"])]


def header_at(key: str) -> Offer:
    """Return the offer of the line that the columns' names seem to stand in."""
    return lambda case: [_read("header-row", {"line": case.values[key]}, header_row=case.values[key], skip_rows=None)]


def without_comments(case: Case) -> list[Change]:
    """Leave out the lines that seem to be comments."""
    return [_read("comment", {"mark": case.values["mark"]}, comment=case.values["mark"])]


def without_footer(case: Case) -> list[Change]:
    """Leave out the lines at the end that seem to be no rows, and those that are left out already."""
    count = case.values["count"]
    already = int((case.reading or {}).get("skip_footer", 0))
    return [_read("footer", {"count": count}, skip_footer=already + count)]


def as_missing(key: str) -> Offer:
    """Return the offer to take a cell's text as missing, and to leave such rows out unless that is settled."""

    def offer(case: Case) -> list[Change]:
        text = str(case.values[key])
        if text.endswith(CUT):
            return []
        settings = {"missing": "drop"} if case.recipe.missing == "error" else {}
        label = "missing-code" if settings else "missing-text"
        return [_read(label, {"text": text}, settings, na=[text])]

    return offer


def markers_as_text(case: Case) -> list[Change]:
    """Take NA, None and the like in a column of text as text."""
    if not case.values["markers"] or case.values["column"] not in case.texts:
        return []
    return [_read("keep-na-text", {}, keep_na_text=True)]


def _encoding(encoding: str) -> Change:
    return _read("encoding", {"encoding": encoding}, encoding=encoding)


def _read(label: str, told: dict[str, Any], settings: dict[str, Any] | None = None, **reading: Any) -> Change:
    return Change(Note(f"remedy.{label}", told), None, settings or {}, reading)
