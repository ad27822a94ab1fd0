"""What a person has stated on a page and what came of it: the view-model, which knows of no widget."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.archive import load
from descend.errors import DescendError, FormulaError, OptionError
from descend.foresight import Forecast, Rates, foresee, rates_of
from descend.formula import parse
from descend.messages import say
from descend.optimizers import SGD
from descend.recipe import Recipe
from descend.report.foresight import forecast_line
from descend.studio.data import data_picture, ways
from descend.studio.pictures import equation_at, loss_picture, moment, path_picture
from descend.studio.plane import contours, parameter_names, plane_of
from descend.studio.runs import Run, Runs, run_of
from descend.studio.view import Slide, slides, view_of
from descend.studio.zones import Zones, zones_foretold, zones_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from descend.model import Model
    from descend.studio.bench import Prepared
    from descend.studio.data import DataPicture
    from descend.studio.plane import Plane
    from descend.studio.profile import Profile
    from descend.studio.view import View
    from descend.studio.worker import Worker

USUAL: dict[str, Any] = {"optimizer": "sgd", "lr": "auto", "epochs": 100}
GROWN = 400  # points of the curve of a fit that still runs
SETTLED = 0.45  # seconds without a change after which what is shown is fitted and tested in full
ALWAYS_LIVE = frozenset({"lr", "epochs", "init"})
LIVE = ALWAYS_LIVE | {"momentum", "nesterov", "l2"}
NAMES = frozenset(f.name for f in fields(Recipe))


@dataclass
class Progress:
    """How far a fit in the worker has come."""

    epoch: int = 0
    total: int | None = None
    loss: float | None = None


class Study:
    """A tab's table, hypothesis, recipe, runs, and the run that is looked at.

    ``heard`` is called with the names of the parts that changed: "table", "hypothesis", "recipe", "stage", "moment",
    "zones", "words", "runs", "busy", "leave".
    """

    def __init__(self, worker: Worker, folder: Path, lang: str, heard: Callable[[set[str]], None]) -> None:
        self.worker, self.folder, self.lang, self.heard = worker, folder, lang, heard
        self.file = ""
        self.source = ("", "")  # how the table was had, and what was asked for
        self.profile: Profile | None = None
        self.formula = ""
        self.settings: dict[str, Any] = dict(USUAL)
        self.prepared: Prepared | None = None
        self.slide: Slide | None = None
        self.view: View | None = None
        self.model: Model | None = None
        self.picture: DataPicture | None = None
        self.plane: Plane | None = None
        self.epoch = 0
        self.way = ""
        self.chosen: list[int] | None = None
        self.error: DescendError | None = None
        self.runs = Runs()
        self.run: Run | None = None
        self.busy: str | None = None
        self.progress = Progress()
        self.growing: list[list[float]] = []
        self.settled = True
        self._prepared_for: Any = None
        self._task: asyncio.Task[None] | None = None
        self._rates: dict[Any, list[Rates]] = {}

    # the table

    async def open(self, path: str, shown: str) -> None:
        """Read a file and show a first hypothesis about it; ``shown`` is what the person calls the file."""
        await self._read("open", path, shown)

    async def example(self, id: str) -> None:
        """Open a worked example with its own hypothesis and settings."""
        await self._read("example", id, f"{id}.csv")

    def glance(self, profile: Profile) -> None:
        """Show the first rows of a table while the rest still comes."""
        self.profile, self.error = profile, None
        self.heard({"table"})

    def refuse(self, error: DescendError) -> None:
        """Show why something could not be done."""
        self.error, self.busy = error, None
        self.heard({"words", "busy"})

    async def _read(self, how: str, what: str, shown: str) -> None:
        await self._halt()
        self.busy, self.error = "reading", None
        self.heard({"busy", "words"})
        try:
            opened = await self.worker.call(how, what)
        except DescendError as error:
            self.refuse(error)
            return
        self.busy = None
        self.file, self.profile, self.source = shown, opened.profile, (how, what)
        self.formula, self.settings = opened.formula, {**USUAL, **opened.settings}
        self._forget()
        self.runs.clear()
        self.run, self.way, self.chosen = None, "", None
        self.heard({"table", "hypothesis", "recipe", "stage", "zones", "words", "runs", "busy", "leave"})
        if self.formula:
            await self.restate()

    def _forget(self) -> None:
        self.prepared, self.slide, self.view, self.model = None, None, None, None
        self.picture, self.plane, self._prepared_for = None, None, None

    # what is stated

    @property
    def recipe(self) -> Recipe:
        """The recipe that is stated; raises OptionError for one that makes no sense."""
        return Recipe(**self.settings)

    @property
    def live(self) -> bool:
        """Whether the run follows a slider at once."""
        return self.slide is not None

    @property
    def stale(self) -> bool:
        """Whether what is shown is of what was stated before."""
        return self.view is not None and not self.live and not self.settled

    def set(self, **settings: Any) -> None:
        """Change settings without acting on them; None takes one back to its default."""
        for name, value in settings.items():
            if name not in NAMES:
                raise OptionError("option.not-number", name=name, value=value)
            if value is None and name != "lr":
                self.settings.pop(name, None)
            else:
                self.settings[name] = value
        if self.settings.get("lr", "") is None:
            self.settings.pop("lr")

    def follow(self, **settings: Any) -> bool:
        """Change settings that only move the run; returns whether it could be told at once."""
        before = dict(self.settings)
        self.set(**settings)
        if self.slide is None or not set(settings) <= LIVE:
            return False
        try:
            recipe = self.recipe
            if not slides(self.slide.prepared, recipe) or not self.slide.trustworthy(recipe):
                return False
            self._look(self.slide.view(recipe), keep=True)
        except DescendError as error:
            self.settings = before
            self.error = error
            self.heard({"words"})
            return True
        self.error, self.settled, self.run = None, False, None
        return True

    async def restate(self, formula: str | None = None, **settings: Any) -> None:
        """Change the hypothesis or its recipe and act on it: show the run at once where that can be, then fit it."""
        if formula is not None and formula != self.formula:
            self.formula = formula
            if not isinstance(self.settings.get("init", ""), str):
                self.settings.pop("init")  # parameters given for other columns
        self.set(**settings)
        await self._halt()
        if self.profile is None:
            return
        self.run, self.error, self.settled = None, None, False
        try:
            recipe = self.recipe
            parse(self.formula)
            await self._prepare(recipe)
        except DescendError as error:
            self.error = error
            if isinstance(error, FormulaError) or formula is not None:
                self._forget()
                self.heard({"stage", "zones"})
            self.heard({"hypothesis", "recipe", "words", "busy", "leave"})
            return
        self.heard({"hypothesis", "recipe", "zones", "words", "busy", "leave"})
        if self.live:
            self.heard({"stage"})
        self.settle(0.0)

    async def _prepare(self, recipe: Recipe) -> None:
        """Have the rows read again where what is stated needs it."""
        kept = self.slide is not None and slides(self.slide.prepared, recipe)
        free = LIVE if kept or (self.prepared is not None and self.prepared.fitted is not None) else ALWAYS_LIVE
        wanted = (self.formula, tuple(sorted((k, repr(v)) for k, v in self.settings.items() if k not in free)))
        if wanted != self._prepared_for:
            self.busy = "preparing"
            self.heard({"busy"})
            try:
                prepared = await self.worker.call("prepare", self.formula, dict(self.settings))
            finally:
                self.busy = None
            if self.prepared is None or prepared.design.names != self.prepared.design.names:
                self.chosen = None
            self.prepared, self._prepared_for = prepared, None
            self._rates.clear()
            self.slide = Slide(prepared) if slides(prepared, recipe) else None
            free = LIVE if prepared.fitted is not None else ALWAYS_LIVE
            wanted = (self.formula, tuple(sorted((k, repr(v)) for k, v in self.settings.items() if k not in free)))
        self._prepared_for = wanted
        assert self.prepared is not None
        if self.slide is None and slides(self.prepared, recipe):
            self.slide = Slide(self.prepared)
        if self.slide is not None and not (slides(self.prepared, recipe) and self.slide.trustworthy(recipe)):
            self.slide = None
        if self.slide is not None:
            self._look(self.slide.view(recipe))

    # fits

    def settle(self, delay: float = SETTLED) -> None:
        """Fit what is stated in full once nothing has changed for a while."""
        if self._task is not None:
            self._task.cancel()
        self._task = asyncio.get_running_loop().create_task(self._fit_after(delay))

    async def _fit_after(self, delay: float) -> None:
        await asyncio.sleep(delay)
        try:
            await self._fit()
        except DescendError as error:
            self.error, self.busy = error, None
            self.heard({"words", "busy"})

    async def _fit(self) -> None:
        formula, settings = self.formula, dict(self.settings)
        number = self.runs.next_number()
        path = self.folder / f"run-{number}.safetensors"
        self.busy = "fitting"
        recipe = Recipe(**settings)
        rows = self.prepared.fitted_rows if self.prepared is not None else 1
        self.progress = Progress(total=recipe.epochs_for(rows) if recipe.method != "auto" else None)
        self.growing = []
        self.heard({"busy"})
        try:
            fitted = await self.worker.call("fit", formula, settings, str(path), on_progress=self._moved)
            model = await asyncio.to_thread(load, path)
            view = None if self.live else await asyncio.to_thread(view_of, model)
        finally:
            self.busy = None
        run = run_of(model, number, settings, path, fitted.seconds, fitted.error)
        self.runs.add(run)
        if (formula, settings) != (self.formula, self.settings):
            self.heard({"runs", "busy"})
            return
        self.run, self.model, self.error, self.settled = run, model, fitted.error, True
        changed = {"words", "runs", "busy", "leave"}
        if view is not None:
            self._look(view)
            changed |= {"stage", "zones"}
        self.heard(changed)

    def _moved(self, epoch: int, loss: float) -> None:
        self.progress.epoch, self.progress.loss = epoch, loss
        if np.isfinite(loss):
            self.growing.append([epoch, loss])
        if len(self.growing) > GROWN:
            self.growing = self.growing[::2]
        self.heard({"progress"})

    async def stop(self) -> None:
        """Stop the fit that runs; what it has reached is kept."""
        self.worker.stop()

    async def _halt(self) -> None:
        """End what is under way, to begin with something else."""
        task, self._task = self._task, None
        if task is None or task.done():
            return
        if self.busy == "fitting":
            self.worker.stop()
        task.cancel()
        await asyncio.wait([task], timeout=2)
        self.busy = None

    # what is looked at

    def _look(self, view: View, *, keep: bool = False) -> None:
        """Look at another run; ``keep`` says that the rows and the plane are those of before."""
        at_end = self.view is None or self.epoch >= self.view.last
        before = self.epoch
        self.view = view
        self.epoch = view.last if at_end or not keep else min(before, view.last)
        if not keep or self.picture is None:
            if self.way not in ways(view):
                self.way = ways(view)[0]
            self.picture = data_picture(view, self.way, self.lang)
        if not keep or self.plane is None or self._l2_changed():
            self.plane = plane_of(view, self.chosen, self.lang)
            self._plane_l2 = self.settings.get("l2", 0.0)
            self._plane_new = True

    def _l2_changed(self) -> bool:
        return bool(getattr(self, "_plane_l2", 0.0) != self.settings.get("l2", 0.0))

    def show(self, way: str | None = None, chosen: list[int] | None = None) -> None:
        """Show the data another way, or the loss over two other parameters."""
        if self.view is None:
            return
        if way is not None:
            self.way = way
            self.picture = data_picture(self.view, way, self.lang)
        if chosen is not None:
            self.chosen = chosen
            self.plane = plane_of(self.view, chosen, self.lang)
        self.heard({"stage"})

    def speak(self, lang: str) -> None:
        """Go on in another language."""
        self.lang = lang
        if self.view is not None:
            self.picture = data_picture(self.view, self.way, lang)
            self.plane = plane_of(self.view, self.chosen, lang)

    def scrub(self, epoch: int) -> dict[str, Any]:
        """Go to an epoch; returns what moves."""
        assert self.view is not None
        assert self.picture is not None
        self.epoch = self.view.nearest(epoch)
        return {**moment(self.view, self.picture, self.plane, self.epoch), "equation": self.equation()}

    def stage(self, *, still: bool = True) -> dict[str, Any] | None:
        """Return what the three pictures show; ``still``: with what does not move when a slider does."""
        if self.view is None or self.picture is None or self.plane is None:
            return None
        others = [(run.name, run.curve) for run in self.runs.compared()]
        made: dict[str, Any] = {
            "loss": loss_picture(self.view, others, self.lang),
            "path": path_picture(self.view, self.plane),
            "moment": self.scrub(self.epoch),
            "last": self.view.last,
        }
        if still:
            made["data"] = {**self.picture.still, "ways": ways(self.view), "way": self.way}
        if still or getattr(self, "_plane_new", False):
            made["plane"] = contours(self.view, self.plane)
            names = [] if self.view.networked else parameter_names(self.view)
            made["plane"] |= {"all": names[:200], "chosen": list(self.plane.chosen)}
            self._plane_new = False
        return made

    def equation(self) -> str:
        """Return the equation at the epoch that is looked at."""
        return "" if self.view is None else "\n".join(equation_at(self.view, self.epoch, self.lang))

    def zones(self) -> Zones:
        """Return what is painted on the slider of the learning rate."""
        try:
            recipe = self.recipe
        except DescendError:
            return Zones(-6.0, 1.0)
        if self.slide is not None:
            return zones_of(self.slide.quadratic(recipe.l2)[0], recipe)
        forecast = None if self.prepared is None else self.prepared.forecast
        return zones_foretold(forecast, recipe)

    def rate(self) -> float:
        """Return the learning rate in use, the one that "auto" takes included; nan where there is none."""
        given = self.settings.get("lr")
        if given is not None and not isinstance(given, str):
            return float(given)
        return float("nan") if self.view is None else self.view.lr

    def foretold(self) -> str:
        """Return what the learning rate will do, in a sentence; empty where there is nothing to foretell."""
        if self.prepared is None:
            return ""
        forecast = self.prepared.forecast
        if self.slide is not None and self.view is not None:
            forecast = self._foreseen(self.slide, self.recipe)
        return forecast_line(forecast, self.lang).plain

    def _foreseen(self, slide: Slide, recipe: Recipe) -> Forecast:
        quadratic = slide.quadratic(recipe.l2)[0]
        start = recipe.start(slide.prepared.design.names, slide.fitted.outputs)
        key = (recipe.l2, repr(recipe.init), recipe.seed)
        if key not in self._rates:
            self._rates[key] = rates_of(quadratic, start)
        assert self.view is not None
        optimizer = SGD(self.view.lr, recipe.momentum, recipe.nesterov)
        outlook = foresee(quadratic, start, optimizer, recipe.length, slide.prepared.design.names)
        return Forecast(quadratic.curvatures, rates=self._rates[key], outlook=outlook)

    # runs

    async def reopen(self, number: int) -> None:
        """Go back to a run: its hypothesis, its recipe, and what it came to."""
        run = self.runs.find(number)
        if run is None:
            return
        await self._halt()
        self.formula, self.settings = run.formula, dict(run.settings)
        try:
            await self._prepare(self.recipe)
            self.model = await asyncio.to_thread(load, run.path)
            if not self.live:
                self._look(await asyncio.to_thread(view_of, self.model))
        except DescendError as error:
            self.refuse(error)
            return
        self.run, self.error, self.settled = run, run.error, True
        self.heard({"hypothesis", "recipe", "zones", "stage", "words", "runs", "busy", "leave"})

    def settings_told(self, run: Run) -> str:
        """Return a run's recipe in a few words."""
        settings = run.settings
        told = [str(settings.get("optimizer", "auto"))]
        if np.isfinite(run.lr):
            told.append(say("studio.rate-short", self.lang, lr=run.lr))
        told.append(say("studio.epochs-short", self.lang, epochs=run.epochs))
        shown = ("momentum", "l2", "batch_size", "loss", "hypothesis")
        told += [f"{name} {settings[name]}" for name in shown if settings.get(name)]
        if settings.get("standardize") is False:
            told.append(say("studio.unscaled-short", self.lang))
        return " · ".join(told)

    async def close(self) -> None:
        """End the tab: its worker and its files."""
        if self._task is not None:
            self._task.cancel()
        self.worker.close()
        self.runs.clear()
