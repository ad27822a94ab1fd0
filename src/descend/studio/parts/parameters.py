"""The parameters of an equation: sliders that move the curve and the loss, and fits from where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descend.base.errors import DescendError
from descend.solvers.parameter_settings import text_of_values
from descend.studio.event_schema import HELD, MOVED, only
from descend.studio.parts.part import PagePart
from descend.studio.short_numbers import significant
from descend.studio.sliders import Sliders
from descend.studio.widgets import ParameterSliders

if TYPE_CHECKING:
    from collections.abc import Callable

    from descend.solvers.recipe import Recipe
    from descend.studio.study import Study

LABELS = (
    "parameters", "loss", "fit", "start", "back", "number", "hold", "hold-help", "spoken", "rows", "more",
)  # fmt: skip


class ParametersPart(PagePart):
    """A slider for each parameter of the shown run's equation; no sliders of a formula and of a network.

    draw: draws a moment of the pictures; it is given the serial that the page reports once it is on the screen.
    back: shows the end of the run again.
    """

    def __init__(self, study: Study, draw: Callable[[dict[str, Any], str], None], back: Callable[[], None]) -> None:
        super().__init__(study)
        self._draw = draw
        self.sliders: Sliders | None = None
        self.widget = ParameterSliders({key: self.say(f"parameters-{key}") for key in LABELS})
        self.widget.on("move", only(MOVED, lambda said: self._move(said["name"], said["value"], said["serial"])))
        self.widget.on("hold", only(HELD, lambda said: self._hold(said["name"], held=said["held"])))
        self.widget.on("start", lambda _: self._start())
        self.widget.on("back", lambda _: back())
        self.widget.set_visibility(False)

    @property
    def shown(self) -> bool:
        """Whether there are sliders."""
        return self.sliders is not None

    def show(self, epoch: int) -> dict[str, Any] | None:
        """Show the parameters of the shown run after an epoch.

        Values that were set by hand stay while the run is the same; their moment of the pictures is then returned.
        """
        scene, recipe = self.study.shown.scene, self._recipe
        if scene is None or recipe is None or not scene.view.design.hypothesis.parameters:
            self.sliders = None
            return None
        limits, held = recipe.limits, recipe.held
        sliders = self.sliders
        if sliders is None or not sliders.stands_for(scene, limits, held):
            self.sliders = Sliders(scene, limits, held)
            self.sliders.at_epoch(scene, epoch)
        elif sliders.by_hand and sliders.scene.view is scene.view:
            sliders.scene = scene
            self._paint()
            return sliders.moment()
        else:
            sliders.at_epoch(scene, epoch)
        self._paint()
        return None

    def at_epoch(self, epoch: int) -> None:
        """Show the parameters of another epoch of the same run."""
        if self.sliders is not None:
            self.sliders.at_epoch(self.sliders.scene, epoch)
            self._paint()

    @property
    def equation(self) -> str:
        """The equation with the values that the sliders stand at."""
        return "" if self.sliders is None else self.sliders.equation(self.study.lang)

    @property
    def _recipe(self) -> Recipe | None:
        try:
            return self.study.recipe
        except DescendError:
            return None

    def _paint(self) -> None:
        if self.sliders is not None:
            self.widget.paint(self._now(self.sliders))

    def _now(self, sliders: Sliders) -> dict[str, Any]:
        return {
            "sliders": sliders.told(),
            "loss": significant(sliders.loss),
            "fit": significant(sliders.loss_of(sliders.fit)),
            "byHand": sliders.by_hand,
            "moved": sliders.values != sliders.fit,
            "rows": sliders.sampled,
            "more": sliders.more,
        }

    def _move(self, name: str, value: float, serial: str) -> None:
        sliders = self.sliders
        if sliders is None:
            return
        if name in sliders.held:
            self._hold(name, held=True, value=float(value))
        elif sliders.move(name, float(value)):
            self._draw(sliders.moment(), serial)
            self._paint()

    def _hold(self, name: str, *, held: bool, value: float | None = None) -> None:
        """Hold a parameter at its value, or leave it free, and fit."""
        sliders = self.sliders
        if sliders is None or name not in sliders.values:
            return
        kept = {other: at for other, at in sliders.held.items() if other != name}
        if held:
            kept[name] = sliders.values[name] if value is None else value
        self._restate(fixed=text_of_values(kept) or None)

    def _start(self) -> None:
        """Fit from the values that the sliders stand at."""
        if self.sliders is not None and self.sliders.by_hand:
            self._restate(init=self.sliders.start())

    def _restate(self, **settings: Any) -> None:
        self.study.settled = False
        self.act(self.study.restate(**settings))
