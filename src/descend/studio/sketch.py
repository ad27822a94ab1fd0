"""A hypothesis before the full fit: its prepared rows, the run that follows a slider, and its forecast."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from descend.base.errors import DescendError
from descend.solvers.recipe import Recipe
from descend.studio.live_run import Slide, slides
from descend.studio.zones import Zones, zones_foretold, zones_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from descend.analysis.forecast import Forecast
    from descend.fitting.model import Model
    from descend.studio.view import View
    from descend.studio.worker.session import Prepared

LIVE = frozenset({"lr", "epochs", "init", "momentum", "nesterov", "l2"})  # what a slide follows without the worker


class Sketch:
    """The rows that the worker prepared, and the closed-form run (``slide``) where there is one."""

    def __init__(self) -> None:
        self.prepared: Prepared | None = None
        self.slide: Slide | None = None
        self._made_for: Any = None  # what the prepared rows depend on

    @property
    def fitted_rows(self) -> int:
        """How many rows a fit takes, 1 where none are prepared."""
        return 1 if self.prepared is None else self.prepared.fitted_rows

    def forget(self) -> None:
        """Drop the prepared rows."""
        self.prepared, self.slide, self._made_for = None, None, None

    def stands_for(self, formula: str, settings: Mapping[str, Any], recipe: Recipe) -> bool:
        """Tell whether the prepared rows are those of a formula and its settings."""
        return bool(self._needs(formula, settings, recipe) == self._made_for)

    def _needs(self, formula: str, settings: Mapping[str, Any], recipe: Recipe) -> Any:
        """Return what prepared rows depend on: the formula and all settings except those that a slide follows."""
        free = LIVE if self.prepared is not None and slides(self.prepared, recipe) else frozenset()
        return formula, tuple(sorted((k, repr(v)) for k, v in settings.items() if k not in free))

    def take(self, prepared: Prepared, formula: str, settings: Mapping[str, Any], recipe: Recipe) -> bool:
        """Hold other prepared rows; returns whether their columns differ from those before."""
        other = self.prepared is None or prepared.design.names != self.prepared.design.names
        self.prepared, self.slide = prepared, None
        self._made_for = self._needs(formula, settings, recipe)
        return other

    def slide_for(self, prepared: Prepared, recipe: Recipe) -> Slide | None:
        """Return the slide of a recipe, None where there is none; may take a while, and may run in a thread."""
        if not slides(prepared, recipe):
            return None
        slide = self.slide or Slide(prepared)
        return slide if slide.trustworthy(recipe) else None

    def run(self, recipe: Recipe) -> View | None:
        """Return the closed-form run of a recipe, None where there is none."""
        slide = self.slide
        if slide is None or not slides(slide.prepared, recipe) or not slide.trustworthy(recipe):
            return None
        return slide.view(recipe)

    def with_rows(self, model: Model) -> Model:
        """Return a model with the rows that the page draws, whatever the number of rows that the model keeps."""
        prepared = self.prepared
        if "keep_rows" not in model.settings or prepared is None or prepared.formula != model.formula:
            return model
        return replace(model, rows=replace(model.rows, sample=prepared.sample))

    def forecast(self, settings: Mapping[str, Any]) -> Forecast | None:
        """Return the forecast of the stated settings, None where there is none."""
        try:
            recipe = Recipe(**settings)
        except DescendError:
            return None
        if self.slide is not None and slides(self.slide.prepared, recipe):  # new settings may have no closed form
            return self.slide.forecast(recipe)
        return None if self.prepared is None else self.prepared.forecast

    def zones(self, settings: Mapping[str, Any]) -> Zones:
        """Return the zones of the learning rate's slider."""
        try:
            recipe = Recipe(**settings)
        except DescendError:
            return Zones()
        if self.slide is not None and slides(self.slide.prepared, recipe):
            return zones_of(self.slide.quadratic(recipe.l2)[0], recipe)
        return zones_foretold(self.forecast(settings), recipe)

    def rate(self, settings: Mapping[str, Any], shown: float | None) -> float:
        """Return the learning rate in use, also the one that "auto" takes; nan where there is none.

        shown: the rate of the shown run, None where that run is out of date.
        """
        given = settings.get("lr")
        if given is not None and not isinstance(given, str):
            return float(given)
        if shown is not None:
            return shown
        zones = self.zones(settings)
        return float("nan") if zones.edge is None else zones.best or zones.edge / 2
