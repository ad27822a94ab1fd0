"""A change of what was asked for: the structured remedy of a finding, a note or an error."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from descend.base import stored_fields
from descend.base.messages import Note, has
from descend.solvers.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS = tuple(setting.name for setting in fields(Recipe))


@dataclass(frozen=True)
class Change:
    """Another formula (None: the same), other settings, other ways to read the file: what one remedy changes.

    label: the sentence that says it. settings: by the names of ``fit``; None takes one back to its default. reading:
    by the names of the command line's options; None takes one back to what is found out, and a list is added to the
    one that is there.

    >>> change = Change(Note("remedy.bend", {"term": "poly(x, 2)"}), "y ~ poly(x, 2)", {"init": None})
    >>> change.tell()
    'Add poly(x, 2)'
    >>> change.applied("y ~ x", {"l2": 0.1, "init": "normal"})
    ('y ~ poly(x, 2)', {'l2': 0.1})
    """

    label: Note
    formula: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    reading: Mapping[str, Any] = field(default_factory=dict)

    def tell(self, lang: str = "en") -> str:
        """Return what the change does, in a few words."""
        return self.label.tell(lang)

    def applied(self, formula: str, settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return a formula and settings as they are after the change."""
        return self.formula or formula, _merged(settings, self.settings)

    def applied_to_reading(self, reading: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options by which a file is read as they are after the change."""
        added = {
            name: [*(reading.get(name) or ()), *value] if isinstance(value, list) else value
            for name, value in self.reading.items()
        }
        return _merged(reading, added)

    def as_dict(self) -> dict[str, Any]:
        """Return the change as a model's file keeps it."""
        return asdict(self)

    @classmethod
    def restore(cls, found: Any) -> Change:
        """Return the change that a model's file keeps; raises ValueError for what is none."""
        facts = stored_fields.facts(found, ("label", "formula", "settings", "reading"))
        label = stored_fields.facts(facts["label"], ("code", "values"))
        note = Note(stored_fields.text(label["code"]), stored_fields.facts(label["values"]))
        if not note.code.startswith("remedy.") or not has(note.code):
            raise ValueError(note.code[:100])
        note.tell()  # so that its values fill the sentence
        formula = None if facts["formula"] is None else stored_fields.text(facts["formula"])
        settings = stored_fields.some(facts["settings"], SETTINGS)
        reading = stored_fields.facts(facts["reading"])
        for value in (*settings.values(), *reading.values()):
            _require_plain(value)
        return cls(note, formula, settings, reading)


def _merged(before: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with some of them changed, without those that are None."""
    back = {name for name, value in changed.items() if value is None}
    return {name: value for name, value in {**before, **changed}.items() if name not in back}


def _require_plain(value: Any) -> None:
    """Raise ValueError for a value that no option takes: one that is no text, number, flag, null or list of texts."""
    if isinstance(value, list):
        stored_fields.texts(value)
    elif not isinstance(value, str | bool | None):
        stored_fields.real(value)
