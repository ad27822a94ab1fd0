"""What a remedy is made from: the fit, or the statement that failed, and the values of what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from descend.analysis.diagnosis.change import Change
from descend.base.errors import FormulaError, OptionError
from descend.formula.parser import is_equation
from descend.solvers.recipe import Recipe

if TYPE_CHECKING:
    from descend.analysis.diagnosis.evidence import Evidence
    from descend.analysis.forecast import Forecast
    from descend.base.messages import Note
    from descend.design.matrix import Design

Offer = Callable[["Case"], list[Change]]


@dataclass(frozen=True)
class Case:
    """What a remedy is made from.

    ``known`` are columns of the table, ``texts`` those of text; ``reading`` is how its file is read, None where there
    is none.
    """

    values: Mapping[str, Any]
    formula: str
    settings: dict[str, Any]
    recipe: Recipe
    forecast: Forecast | None = None
    known: Sequence[str] = ()
    design: Design | None = None
    texts: Sequence[str] = ()
    reading: Mapping[str, Any] | None = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any], evidence: Evidence) -> Case:
        """Return the case of a finding with these values."""
        design, recipe = evidence.design, evidence.recipe
        known = [*design.uses, *(name.name for name in design.hypothesis.outputs)]
        return cls(values, design.hypothesis.text, recipe.given(), recipe, evidence.forecast, known, design)

    @property
    def fit(self) -> Design:
        """The design of the fit that a finding is of."""
        assert self.design is not None
        return self.design

    def setting(self, label: Note, **settings: Any) -> Change:
        """Return the change to other settings."""
        return Change(label, None, settings)

    def writing(self, label: Note, formula: str | None) -> list[Change]:
        """Return the change to another formula; starting values by column are dropped, as its columns are others.

        Those of an equation are by parameter, and stay.
        """
        if formula is None:
            return []
        start = {} if isinstance(self.recipe.init, str) or is_equation(formula) else {"init": None}
        return [Change(label, formula, start)]

    def possible(self, offer: Offer) -> tuple[Change, ...]:
        """Return the changes of an offer that change something and keep valid settings valid.

        () where the formula has more faults than the one that is told.
        """
        try:
            changes = offer(self)
        except FormulaError:
            return ()
        sound, kept = are_settings(self.settings), []
        for change in changes:
            formula, settings = change.applied(self.formula, self.settings)
            different = (formula, settings) != (self.formula, self.settings)
            changed = different and (not sound or are_settings(settings))
            if self.reading is not None if change.reading else changed:
                kept.append(change)
        return tuple(kept)


def are_settings(settings: Mapping[str, Any]) -> bool:
    """Tell whether a recipe takes these settings."""
    try:
        Recipe(**settings)
    except OptionError:
        return False
    return True
