"""The view-model of a tab: the table, hypothesis and recipe that a person has stated, and the runs."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from descend.base.errors import DescendError, OptionError
from descend.fitting.model import load
from descend.formula.parser import parse
from descend.report.forecast import forecast_line
from descend.solvers.recipe import Recipe
from descend.solvers.settings import SETTINGS
from descend.studio.opened_table import OpenedTable
from descend.studio.profile import propose
from descend.studio.progress import Progress
from descend.studio.reading import Unread, changed
from descend.studio.runs import Run, Runs, run_of
from descend.studio.shown_run import ShownRun
from descend.studio.sketch import LIVE, Sketch
from descend.studio.statement import USUAL, carried_over
from descend.studio.threads import in_thread
from descend.studio.turns import Turns
from descend.studio.view import view_of, view_of_outset
from descend.studio.worker.child import as_descend_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from descend.fitting.model import Model
    from descend.studio.live_run import Slide
    from descend.studio.profile import Profile
    from descend.studio.reading import Reading
    from descend.studio.scene import Scene
    from descend.studio.view import View
    from descend.studio.worker.parent import Worker
    from descend.studio.worker.session import Opened, Prepared
    from descend.studio.zones import Zones

SETTLED = 0.45  # seconds without a change after which the full fit and its test start
BENDING = ("l2", "init", "seed")  # settings that change the loss surface or the start of the path


class Study:
    """A tab's table, hypothesis, recipe and runs, and the run that is shown.

    heard: called with the changed parts: "table", "hypothesis", "recipe", "stage", "moment", "zones", "words", "runs",
        "busy", "progress", "leave". A new request cancels the one before, except the reading of a table.
    """

    def __init__(self, worker: Worker, folder: Path, lang: str, heard: Callable[[set[str]], None]) -> None:
        self.worker, self.folder, self._heard = worker, folder, heard
        self.table, self.shown, self.turns, self.runs = OpenedTable(), ShownRun(lang), Turns(), Runs()
        self.formula = ""
        self.settings: dict[str, Any] = dict(USUAL)
        self.sketch = Sketch()
        self.model: Model | None = None
        self.progress = Progress()
        self.error: DescendError | None = None
        self.settled = True
        self._run: int | None = None  # the number of the run that is shown
        self._lasting_error: DescendError | None = None  # an error that is not about the fit, and stays after one
        self._preparing = asyncio.Lock()

    def heard(self, parts: set[str]) -> None:
        """Tell the page which parts changed."""
        if not self.turns.closed:
            self._heard(parts)

    # what is shown

    @property
    def lang(self) -> str:
        """The language of the page."""
        return self.shown.lang

    @property
    def busy(self) -> str | None:
        """The current activity: "reading", "preparing", "fitting"; None for nothing."""
        return self.turns.busy

    @property
    def recipe(self) -> Recipe:
        """The stated recipe; raises OptionError for one that makes no sense."""
        return Recipe(**self.settings)

    @property
    def view(self) -> View | None:
        """The run that is shown."""
        return self.shown.view

    @property
    def run(self) -> Run | None:
        """The row of the run that is shown; None where it has none or was deleted."""
        return None if self._run is None else self.runs.find(self._run)

    @property
    def live(self) -> bool:
        """Whether the run follows a slider at once."""
        return self.sketch.slide is not None

    @property
    def stale(self) -> bool:
        """Whether the shown run is of an earlier statement."""
        return self.view is not None and self.view.fitted and not self.live and not self.settled

    def show(self, way: str | None = None, chosen: list[int] | None = None) -> None:
        """Show the data another way, or the loss over two other parameters."""
        if self.shown.show(way, chosen):
            self.heard({"stage"})

    def stage(self, *, still: bool = True) -> dict[str, Any] | None:
        """Return the data of the three pictures; ``still``: include the parts that do not move with a slider."""
        return self.shown.stage(self.run, self.runs.compared(), still=still)

    def zones(self) -> Zones:
        """Return the zones of the learning rate's slider."""
        return self.sketch.zones(self.settings)

    def rate(self) -> float:
        """Return the learning rate in use, also the one that "auto" takes; nan where there is none."""
        return self.sketch.rate(self.settings, None if self.view is None or self.stale else self.view.lr)

    def foretold(self) -> str:
        """Return the forecast of the learning rate in a sentence; empty where there is no forecast."""
        forecast = self.sketch.forecast(self.settings)
        return "" if forecast is None else forecast_line(forecast, self.lang).plain

    # the table

    async def open(self, path: str, shown: str, reading: Reading | None = None) -> None:
        """Read a file and state a first hypothesis about it; ``shown`` is the file name that the person sees."""
        await self._read("open", path, shown, changed(reading or {}))

    async def example(self, id: str) -> None:
        """Open a worked example with its own hypothesis and settings."""
        await self._read("example", id, f"{id}.csv", {})

    async def reread(self, settings: Mapping[str, Any] | None = None, /, **options: Any) -> None:
        """Read the file with other options, and change settings with it; the stated hypothesis stays."""
        if self.busy == "reading" or self.table.asked is None:
            return
        path, shown = self.table.origin
        stated = None
        if self.formula and path == self.table.source[1]:
            merged = {**self.settings, **(settings or {})}
            stated = self.formula, {name: value for name, value in merged.items() if value is not None}
        await self._read("open", path, shown, changed(self.table.asked, **options), stated)

    def glance(self, profile: Profile) -> None:
        """Show the first rows of a table while the rest arrives."""
        self.table.profile, self.error = profile, None
        self.heard({"table", "words"})

    def refuse(self, error: DescendError) -> None:
        """Show an error; the table before stays."""
        self.error = self._lasting_error = error
        if self.table.restore():
            self.heard({"table"})
        self.heard({"words", "busy"})

    async def _read(self, how: str, what: str, shown: str, reading: dict[str, Any], stated: Any = None) -> None:
        turn = self.turns.begin()
        self.turns.busy, self.error, self._lasting_error = "reading", None, None
        self.heard({"busy", "words"})
        try:
            opened = await self.worker.call(how, what, *([reading] if reading else []))
        except DescendError as error:
            if self.turns.done(turn):
                self.table.unread = Unread(what, shown, reading) if how == "open" else None
                self.heard({"table"})
                await self._go_on(error)
            return
        before = self.table.opened
        proposed = before is not None and self.formula == propose(before)
        self.table.source, self.table.reading, self.table.unread = (how, what), reading, None
        self._take_table(opened, shown)  # even if another one is requested already: the worker holds this one
        if stated is not None:
            formula, self.settings = stated
            if not (proposed and self.table.lacks_columns_of(formula)):
                self.formula = formula
        if self.turns.done(turn):
            self.heard({"table", "hypothesis", "recipe", "stage", "zones", "words", "runs", "busy", "leave"})
            if self.formula:
                await self.restate()
            else:
                self.error = opened.profile.fault
                self.heard({"words"})

    def _take_table(self, opened: Opened, shown: str) -> None:
        self.table.take(opened.profile, shown)
        self.formula, self.settings = opened.formula, {**USUAL, **opened.settings}
        self._forget()
        self.shown.forget()
        self.runs.clear()
        self._run, self.settled = None, True

    async def _go_on(self, error: DescendError) -> None:
        """Go on with the table before, after another one could not be read."""
        if self.formula and (self.sketch.prepared is None or not self.settled):
            await self.restate()
        self.refuse(error)

    # the statement

    def set(self, **settings: Any) -> None:
        """Change settings without acting on them; None takes a setting back to its default."""
        unknown = settings.keys() - SETTINGS.keys()
        if unknown:
            raise TypeError(f"no such settings: {', '.join(sorted(unknown))}")
        for name, value in settings.items():
            self.settings.pop(name, None)
            if value is not None:
                self.settings[name] = value

    def follow(self, **settings: Any) -> bool:
        """Change settings of the slider alone; returns whether the run could follow at once."""
        before = dict(self.settings)
        self.set(**settings)
        if not self.live or self.view is None or not set(settings) <= LIVE:
            return False
        try:
            view = self.sketch.run(self.recipe)
        except Exception as error:
            self.settings = before
            self.error = as_descend_error(error)
            self.heard({"words"})
            return True
        if view is None:
            return False
        bent = any(before.get(name) != self.settings.get(name) for name in BENDING)
        self.shown.follow(view, bent=bent)
        self.error, self._lasting_error, self.settled, self._run = None, None, False, None
        return True

    async def restate(self, formula: str | None = None, **settings: Any) -> None:
        """Change the hypothesis or its recipe and act on it: show the closed-form run where there is one, then fit."""
        if self.busy == "reading":
            return
        named = False
        if formula is not None and formula != self.formula:
            named = self.table.names_heading(formula)
            self.settings = carried_over(self.settings, self.formula, formula, self.table.column_names)
            self.formula = formula
        self.set(**settings)
        if named:
            await self.reread(header=True)
            return
        turn = self.turns.begin()
        if self.table.opened is None:
            self.turns.done(turn)
            return
        self.error, self._lasting_error, self.settled, self._run = None, None, False, None
        try:
            recipe = self.recipe
        except OptionError as error:
            self._refuse_statement(turn, error, forget=formula is not None)
            return
        try:
            parse(self.formula)
            await self._prepare(turn, recipe)
        except Exception as error:
            self._refuse_statement(turn, as_descend_error(error), forget=True)
            return
        if self.turns.done(turn):
            drawn = self.live or (self.view is not None and not self.view.fitted)
            self.heard({"hypothesis", "recipe", "zones", "words", "busy", "leave", *(["stage"] if drawn else [])})
            self.settle(0.0)

    def _refuse_statement(self, turn: int, error: DescendError, *, forget: bool) -> None:
        """Show the error of a statement; ``forget``: and remove the run, which is of another hypothesis."""
        if not self.turns.done(turn):
            return
        self.error = error
        if forget:
            self._forget()
            self.heard({"stage", "zones"})
        self.heard({"hypothesis", "recipe", "words", "busy", "leave"})

    async def _prepare(self, turn: int, recipe: Recipe) -> None:
        """Have the worker prepare the rows again where the statement needs it, and show the closed-form run."""
        async with self._preparing:  # of several that wait here only the last is prepared
            sketch = self.sketch
            if turn == self.turns.serial and not sketch.stands_for(self.formula, self.settings, recipe):
                self.turns.busy = "preparing"
                self.heard({"busy"})
                prepared = await self.worker.call("prepare", self.formula, dict(self.settings))
                if turn == self.turns.serial and sketch.take(prepared, self.formula, self.settings, recipe):
                    self.shown.chosen = None
            if turn != self.turns.serial or sketch.prepared is None:
                return
            slide, scene = await in_thread(partial(self._draw_sketch, sketch.prepared, recipe))
            if turn == self.turns.serial:
                sketch.slide = slide
                if scene is not None:
                    self.shown.look(scene, anew=True)

    def _draw_sketch(self, prepared: Prepared, recipe: Recipe) -> tuple[Slide | None, Scene | None]:
        """Return the slide, None where there is no closed form, and the scene before the fit, if any; in a thread."""
        slide = self.sketch.slide_for(prepared, recipe)
        view = slide.view(recipe) if slide is not None else view_of_outset(prepared)
        return slide, None if view is None else self.shown.draw(view)

    def _forget(self) -> None:
        self.sketch.forget()
        self.shown.scene, self.model = None, None

    # fits

    def settle(self, delay: float = SETTLED) -> None:
        """Fit the stated hypothesis in full once nothing has changed for a while."""
        if self.turns.acting or self.turns.closed:
            return
        self.turns.break_off()
        self.turns.fitting = asyncio.get_running_loop().create_task(self._fit_after(delay))

    async def _fit_after(self, delay: float) -> None:
        await asyncio.sleep(delay)
        try:
            await self._fit()
        except Exception as error:
            self.error = as_descend_error(error)
            self.heard({"words", "busy"})

    async def _fit(self) -> None:
        formula, settings, recipe = self.formula, dict(self.settings), self.recipe
        number = self.runs.next_number()
        path = self.folder / f"run-{number}.safetensors"
        total = recipe.epochs_for(self.sketch.fitted_rows) if recipe.method != "auto" else None
        self.progress = progress = Progress(total=total)

        def moved(epoch: int, loss: float) -> None:
            progress.moved(epoch, loss)
            if progress is self.progress:
                self.heard({"progress"})

        task = asyncio.current_task()
        self.turns.busy = "fitting"
        self.heard({"busy"})
        try:
            fitted = await self.worker.call("fit", formula, settings, str(path), on_progress=moved)
            model, scene = await in_thread(partial(self._read_model, path))
            run = run_of(model, number, settings, path, fitted.seconds, fitted.error)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            if self.turns.fitting is task:
                self.turns.busy = None
        self.runs.add(run)
        if (formula, settings) != (self.formula, self.settings):
            self.heard({"runs", "busy"})
            return
        self._run, self.model, self.settled = number, model, True
        self.error = fitted.error or self._lasting_error
        if scene is not None:
            self.shown.look(scene, anew=True)
            self.heard({"stage", "zones"})
        self.heard({"words", "runs", "busy", "leave"})

    def _read_model(self, path: Path) -> tuple[Model, Scene | None]:
        """Return a model and, where no slide shows its run, its scene; in a thread."""
        model = load(path)
        return model, None if self.live else self.shown.draw(view_of(self.sketch.with_rows(model)))

    async def reopen(self, number: int) -> None:
        """Go back to a run: its hypothesis, its recipe and its result."""
        run = self.runs.find(number)
        if run is None or self.busy == "reading":
            return
        turn = self.turns.begin()
        self.formula, self.settings = run.formula, dict(run.settings)
        try:
            await self._prepare(turn, self.recipe)
            if turn != self.turns.serial:
                return
            model, scene = await in_thread(partial(self._read_model, run.path))
        except Exception as error:
            if self.turns.done(turn):
                self.refuse(as_descend_error(error))
            return
        if not self.turns.done(turn):
            return
        self.model, self._run, self.error, self._lasting_error, self.settled = model, number, run.error, None, True
        if scene is not None:
            self.shown.look(scene, anew=True)
        self.heard({"hypothesis", "recipe", "zones", "stage", "words", "runs", "busy", "leave"})

    async def close(self) -> None:
        """End the tab: its worker and its files."""
        self.turns.closed = True
        self.turns.begin()
        self.worker.close()
        await self.turns.close()
        self.runs.clear()
