"""--apply: a fit is made again with the changes that mend what it shows."""

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
    """What a command is to fit: a formula, a recipe, and how the file is read, by the names of the options."""

    formula: str
    recipe: Recipe
    reading: Mapping[str, Any]

    def changed(self, change: Change) -> Stated:
        """Return the same with a change applied."""
        formula, settings = change.applied(self.formula, self.recipe.given())
        recipe = type(self.recipe)(**settings)
        return replace(self, formula=formula, recipe=recipe, reading=change.applied_to_reading(self.reading))


def apply_fixes(stated: Stated, codes: Sequence[str], fit: Fit) -> tuple[Stated, list[Note]]:
    """Return what is to be fitted with the best change of each named finding made, and a line that tells each.

    The changes are made one after another, each to what a fit with those before it shows. Raises OptionError for a
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
    """Return the line of a change, whose label is a sentence itself."""
    label = told.values.get("label")
    values = told.values if label is None else {**told.values, "label": label.tell(lang)}
    return Note(told.code, values).tell(lang)


def _findings(stated: Stated, fit: Fit) -> list[Finding]:
    """Return what a fit shows, also one that diverges."""
    try:
        model = fit(stated)
    except DivergedError as error:
        return list(error.model.findings)
    if model.history.stop == "interrupted":
        raise KeyboardInterrupt
    return list(model.findings)


def _unseen(name: str, shown: Sequence[Finding]) -> OptionError:
    """Return the error that tells that there is no finding of a name, and which there are."""
    known = dict.fromkeys(finding.kind.name for finding in shown)
    return OptionError("option.apply" if known else "option.apply-nothing", value=name, known=", ".join(known))


def _written(change: Change) -> str:
    """Return the formula and the options that a change leads to, as they are typed; - for one that is taken back."""
    options = {**change.settings, **change.reading}
    parts = [] if change.formula is None else [change.formula]
    for name, value in options.items():
        shown = "-" if value is None else ", ".join(value) if isinstance(value, list) else str(value)
        parts.append(f"{name} = {shown}")
    return "; ".join(parts)
