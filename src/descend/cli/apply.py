"""--apply: repeat a fit with the changes that its findings recommend."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from descend.base.errors import DivergedError, OptionError
from descend.base.messages import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from descend.analysis.diagnosis import Change, Finding
    from descend.fitting.model import Model
    from descend.solvers.recipe import Recipe

    Fit = Callable[["Stated"], Model]


@dataclass(frozen=True)
class Stated:
    """What a command fits: a formula, a recipe and the options of reading, by the names of the options."""

    formula: str
    recipe: Recipe
    reading: Mapping[str, Any]

    def changed(self, change: Change) -> Stated:
        """Return a copy with a change applied."""
        formula, settings = change.applied(self.formula, self.recipe.given())
        recipe = type(self.recipe)(**settings)
        return replace(self, formula=formula, recipe=recipe, reading=change.applied_to_reading(self.reading))


def apply_fixes(stated: Stated, codes: Sequence[str], fit: Fit) -> tuple[Stated, list[Note]]:
    """Return the statement with the best change of each named finding applied, and a line that describes each.

    The changes are applied in turn, each to the findings of a fit with the changes before it. Raises OptionError for a
    code that no fit so far shows (``option.apply``), and for one without a change (``option.apply-no-change``).
    """
    told: list[Note] = []
    seen = set[str]()
    for name in (code.removeprefix("finding.") for code in codes):
        shown = _findings(stated, fit)
        found = [finding for finding in shown if finding.kind.name == name]
        seen |= {finding.kind.name for finding in shown}
        fix = next((finding.fix for finding in found if finding.fix is not None), None)
        if fix is not None:
            stated = stated.changed(fix)
            told.append(Note("fit.applied", {"finding": name, "label": fix.label, "change": _written(fix)}))
        elif found:
            raise OptionError("option.apply-no-change", value=name)
        elif name in seen:
            told.append(Note("fit.applied-none", {"finding": name}))
        else:
            raise _unseen(name, shown)
    return stated, told


def tell_applied(told: Note, lang: str) -> str:
    """Return the line that describes a change; its label is a sentence itself."""
    label = told.values.get("label")
    values = told.values if label is None else {**told.values, "label": label.tell(lang)}
    return Note(told.code, values).tell(lang)


def _findings(stated: Stated, fit: Fit) -> list[Finding]:
    """Return the findings of a fit, also of one that diverges."""
    try:
        model = fit(stated)
    except DivergedError as error:
        return list(error.model.findings)
    if model.history.stop == "interrupted":
        raise KeyboardInterrupt
    return list(model.findings)


def _unseen(name: str, shown: Sequence[Finding]) -> OptionError:
    """Return the error for an unknown finding, with the findings that there are."""
    known = dict.fromkeys(finding.kind.name for finding in shown)
    return OptionError("option.apply" if known else "option.apply-nothing", value=name, known=", ".join(known))


def _written(change: Change) -> str:
    """Return the formula and options of a change as they are typed; - for an option that is removed."""
    options = {**change.settings, **change.reading}
    parts = [] if change.formula is None else [change.formula]
    for name, value in options.items():
        shown = "-" if value is None else ", ".join(value) if isinstance(value, list) else str(value)
        parts.append(f"{name} = {shown}")
    return "; ".join(parts)
