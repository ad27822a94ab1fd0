"""What is looked at of a study: the pictures of a run at an epoch, and what is told of its learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descend.base.errors import DescendError
from descend.report.forecast import forecast_line
from descend.solvers.recipe import Recipe
from descend.studio.live_run import slides
from descend.studio.runs import Runs
from descend.studio.scene import Scene
from descend.studio.zones import Zones, zones_foretold, zones_of

if TYPE_CHECKING:
    from descend.analysis.forecast import Forecast
    from descend.studio.live_run import Slide
    from descend.studio.runs import Run
    from descend.studio.view import View
    from descend.studio.worker.session import Prepared

USUAL: dict[str, Any] = {"optimizer": "sgd", "lr": "auto", "epochs": 100}


class Looking:
    """A recipe, the run that shows it, and the epoch of it that is looked at."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.settings: dict[str, Any] = dict(USUAL)
        self.prepared: Prepared | None = None
        self.slide: Slide | None = None
        self.scene: Scene | None = None
        self.epoch = 0
        self.way = ""  # to show the data that was asked for
        self.chosen: list[int] | None = None  # parameters for the plane of the loss
        self.runs = Runs()
        self._sent: dict[str, Any] | None = None  # the surface that the page has drawn

    def heard(self, parts: set[str]) -> None:
        """Tell the page what changed."""
        raise NotImplementedError

    @property
    def recipe(self) -> Recipe:
        """The recipe that is stated; raises OptionError for one that makes no sense."""
        return Recipe(**self.settings)

    @property
    def stale(self) -> bool:
        """Whether what is shown is of what was stated before."""
        return False

    @property
    def live(self) -> bool:
        """Whether the run follows a slider at once."""
        return self.slide is not None

    @property
    def run(self) -> Run | None:
        """The row of the run that is looked at; None while it has none."""
        return None

    @property
    def view(self) -> View | None:
        """The run that is looked at."""
        return None if self.scene is None else self.scene.view

    def _draw(self, view: View) -> Scene:
        return Scene.of(view, self.way, self.chosen, self.lang)

    def _look(self, scene: Scene, *, anew: bool = False) -> None:
        """Look at another run: at its end, or where it is looked at already at the same epoch unless ``anew``."""
        at_end = anew or self.view is None or self.epoch >= self.view.end
        self.scene = scene
        self.epoch = scene.view.end if at_end else min(self.epoch, scene.view.last)

    def show(self, way: str | None = None, chosen: list[int] | None = None) -> None:
        """Show the data another way, or the loss over two other parameters."""
        if self.scene is None:
            return
        if way is not None:
            self.way = way
            self.scene = self.scene.shown(way, self.lang)
        if chosen is not None:
            self.chosen = chosen
            self.scene = self.scene.bent(self.scene.view, chosen, self.lang)
        self.heard({"stage"})

    def speak(self, lang: str) -> None:
        """Go on in another language."""
        self.lang = lang
        if self.scene is not None:
            self.scene = self.scene.spoken(self.chosen, lang)

    def scrub(self, epoch: int) -> dict[str, Any]:
        """Go to an epoch; returns what moves."""
        assert self.scene is not None
        self.epoch = self.scene.view.nearest(epoch)
        return {**self.scene.moment(self.epoch), "equation": self.equation()}

    def stage(self, *, still: bool = True) -> dict[str, Any] | None:
        """Return what the three pictures show; ``still``: with what does not move when a slider does."""
        if self.scene is None:
            return None
        compared = self.runs.compared()
        made = self.scene.moving([(one.name, one.curve) for one in compared if one is not self.run], self.lang)
        if self.run is not None and self.run in compared:
            made["loss"]["name"] = self.run.name
        made["moment"] = self.scrub(self.epoch)
        if still:
            made["data"] = self.scene.still()
        if still or self.scene.surface is not self._sent:
            made["plane"] = self._sent = self.scene.surface
        return made

    def equation(self) -> str:
        """Return the equation at the epoch that is looked at."""
        return "" if self.scene is None else self.scene.equation(self.epoch, self.lang)

    def zones(self) -> Zones:
        """Return what is painted on the slider of the learning rate."""
        try:
            recipe = self.recipe
        except DescendError:
            return Zones()
        if self.slide is not None and slides(self.slide.prepared, recipe):
            return zones_of(self.slide.quadratic(recipe.l2)[0], recipe)
        return zones_foretold(self.forecast(), recipe)

    def rate(self) -> float:
        """Return the learning rate in use, the one that "auto" takes included; nan where there is none."""
        given = self.settings.get("lr")
        if given is not None and not isinstance(given, str):
            return float(given)
        if self.view is None or self.stale:
            zones = self.zones()
            return float("nan") if zones.edge is None else zones.best or zones.edge / 2
        return self.view.lr

    def foretold(self) -> str:
        """Return what the learning rate will do, in a sentence; empty where there is nothing to foretell."""
        forecast = self.forecast()
        return "" if forecast is None else forecast_line(forecast, self.lang).plain

    def forecast(self) -> Forecast | None:
        """Return the forecast of the recipe as it is stated, None where there is none."""
        try:
            recipe = self.recipe
        except DescendError:
            return None
        if self.slide is not None and slides(self.slide.prepared, recipe):  # what is stated may be refused, or new
            return self.slide.forecast(recipe)
        return None if self.prepared is None else self.prepared.forecast
