"""What a person has stated on a page and what came of it: the view-model, which knows of no widget."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from descend.base.errors import DescendError, OptionError
from descend.fitting.model import load
from descend.formula.parser import parse
from descend.solvers.recipe import Recipe
from descend.studio.live_run import Slide, slides
from descend.studio.opening import Opening
from descend.studio.progress import Progress
from descend.studio.runs import Run, run_of
from descend.studio.threads import in_thread
from descend.studio.view import view_of
from descend.studio.worker.child import as_descend_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from descend.fitting.model import Model
    from descend.studio.scene import Scene
    from descend.studio.worker.parent import Worker
    from descend.studio.worker.session import Prepared

SETTLED = 0.45  # seconds without a change after which what is shown is fitted and tested in full
LIVE = frozenset({"lr", "epochs", "init", "momentum", "nesterov", "l2"})  # what a slide follows by itself
BENDING = ("l2", "init", "seed")  # what changes the loss that is drawn, or where the path begins
NAMES = frozenset(f.name for f in fields(Recipe))


class Study(Opening):
    """A tab's table, hypothesis, recipe, runs, and the run that is looked at.

    ``heard`` is called with the names of the parts that changed: "table", "hypothesis", "recipe", "stage", "moment",
    "zones", "words", "runs", "busy", "progress", "leave".
    """

    def __init__(self, worker: Worker, folder: Path, lang: str, heard: Callable[[set[str]], None]) -> None:
        super().__init__(worker, lang, heard)
        self.folder = folder
        self.model: Model | None = None
        self.progress = Progress()
        self._wanted_before: Any = None  # what was prepared
        self._preparing = asyncio.Lock()

    # what is stated

    @property
    def run(self) -> Run | None:
        """The row of the run that is looked at; None while it has none, or no more."""
        return None if self._shown is None else self.runs.find(self._shown)

    @property
    def stale(self) -> bool:
        """Whether what is shown is of what was stated before."""
        return self.view is not None and not self.live and not self.settled

    @property
    def growing(self) -> list[list[float]]:
        """The losses so far of a fit that still runs."""
        return self.progress.points

    def set(self, **settings: Any) -> None:
        """Change settings without acting on them; None takes one back to its default."""
        unknown = settings.keys() - NAMES
        if unknown:
            raise TypeError(f"no such settings: {', '.join(sorted(unknown))}")
        for name, value in settings.items():
            self.settings.pop(name, None)
            if value is not None:
                self.settings[name] = value

    def follow(self, **settings: Any) -> bool:
        """Change settings that only move the run; returns whether it could be told at once."""
        before = dict(self.settings)
        self.set(**settings)
        if self.slide is None or self.scene is None or not set(settings) <= LIVE:
            return False
        try:
            recipe = self.recipe
            if not slides(self.slide.prepared, recipe) or not self.slide.trustworthy(recipe):
                return False
            view = self.slide.view(recipe)
        except Exception as error:
            self.settings = before
            self.error = as_descend_error(error)
            self.heard({"words"})
            return True
        if any(before.get(name) != self.settings.get(name) for name in BENDING):
            self._look(self.scene.bent(view, self.chosen, self.lang))
        else:
            self._look(self.scene.moved(view))
        self.error, self._told, self.settled, self._shown = None, None, False, None
        return True

    async def restate(self, formula: str | None = None, **settings: Any) -> None:
        """Change the hypothesis or its recipe and act on it: show the run at once where that can be, then fit it."""
        if self.busy == "reading":
            return
        named = False
        if formula is not None and formula != self.formula:
            named = self._in_heading(formula)
            self.formula = formula
            if not isinstance(self.settings.get("init", ""), str):
                self.settings.pop("init")  # parameters given for other columns
        self.set(**settings)
        if named:
            await self.reread(header=True)
            return
        mine = self._begin()
        if self._opened is None:
            self._done(mine)
            return
        self.error, self._told, self.settled, self._shown = None, None, False, None
        try:
            recipe = self.recipe
        except OptionError as error:
            self._refuse_statement(mine, error, forget=formula is not None)
            return
        try:
            parse(self.formula)
            await self._prepare(mine, recipe)
        except Exception as error:
            self._refuse_statement(mine, as_descend_error(error), forget=True)
            return
        if self._done(mine):
            self.heard({"hypothesis", "recipe", "zones", "words", "busy", "leave", *(["stage"] if self.live else [])})
            self.settle(0.0)

    def _refuse_statement(self, mine: int, error: DescendError, *, forget: bool) -> None:
        """Show what is wrong with what is stated; ``forget``: and nothing, for it is of another hypothesis."""
        if not self._done(mine):
            return
        self.error = error
        if forget:
            self._forget()
            self.heard({"stage", "zones"})
        self.heard({"hypothesis", "recipe", "words", "busy", "leave"})

    async def _prepare(self, mine: int, recipe: Recipe) -> None:
        """Have the rows read again where what is stated needs it, and show the run where it can be told at once."""
        async with self._preparing:  # of many that wait here only the last is asked for
            if mine == self._serial and self._wanted(recipe) != self._wanted_before:
                self.busy = "preparing"
                self.heard({"busy"})
                prepared = await self.worker.call("prepare", self.formula, dict(self.settings))
                if mine == self._serial:
                    self._take_prepared(prepared, recipe)
            if mine != self._serial or self.prepared is None:
                return
            slide, scene = await in_thread(partial(self._sketch, self.prepared, recipe))
            if mine == self._serial:
                self.slide = slide
                if scene is not None:
                    self._look(scene, anew=True)

    def _wanted(self, recipe: Recipe) -> Any:
        """Return what the rows that are prepared depend on: all that is stated but what a slide follows."""
        free = LIVE if self.prepared is not None and slides(self.prepared, recipe) else frozenset()
        return self.formula, tuple(sorted((k, repr(v)) for k, v in self.settings.items() if k not in free))

    def _take_prepared(self, prepared: Prepared, recipe: Recipe) -> None:
        if self.prepared is None or prepared.design.names != self.prepared.design.names:
            self.chosen = None
        self.prepared, self.slide = prepared, None
        self._wanted_before = self._wanted(recipe)

    def _sketch(self, prepared: Prepared, recipe: Recipe) -> tuple[Slide | None, Scene | None]:
        """Return what follows the sliders and the run as it is stated, where there are such; in a thread."""
        if not slides(prepared, recipe):
            return None, None
        slide = self.slide or Slide(prepared)
        if not slide.trustworthy(recipe):
            return None, None
        return slide, self._draw(slide.view(recipe))

    def _forget(self) -> None:
        self.prepared, self.slide, self.scene, self.model = None, None, None, None
        self._wanted_before = None

    # fits

    def settle(self, delay: float = SETTLED) -> None:
        """Fit what is stated in full once nothing has changed for a while."""
        if self._acting or self._closed:
            return
        self._break_off()
        self._fitting = asyncio.get_running_loop().create_task(self._fit_after(delay))

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
        rows = self.prepared.fitted_rows if self.prepared is not None else 1
        self.progress = progress = Progress(total=recipe.epochs_for(rows) if recipe.method != "auto" else None)

        def moved(epoch: int, loss: float) -> None:
            progress.moved(epoch, loss)
            if progress is self.progress:
                self.heard({"progress"})

        task = asyncio.current_task()
        self.busy = "fitting"
        self.heard({"busy"})
        try:
            fitted = await self.worker.call("fit", formula, settings, str(path), on_progress=moved)
            model, scene = await in_thread(partial(self._read_model, path))
            run = run_of(model, number, settings, path, fitted.seconds, fitted.error)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            if self._fitting is task:
                self.busy = None
        self.runs.add(run)
        if (formula, settings) != (self.formula, self.settings):
            self.heard({"runs", "busy"})
            return
        self._shown, self.model, self.settled = number, model, True
        self.error = fitted.error or self._told
        if scene is not None:
            self._look(scene, anew=True)
            self.heard({"stage", "zones"})
        self.heard({"words", "runs", "busy", "leave"})

    def _read_model(self, path: Path) -> tuple[Model, Scene | None]:
        """Return a model and, where no slide tells its run, the scene of it; in a thread."""
        model = load(path)
        return model, None if self.live else self._draw(view_of(self._with_rows(model)))

    def _with_rows(self, model: Model) -> Model:
        """Return a model with the rows that the page draws, however many of them it was asked to keep."""
        prepared = self.prepared
        if "keep_rows" not in model.settings or prepared is None or prepared.formula != model.formula:
            return model
        return replace(model, sample=prepared.sample)

    async def stop(self) -> None:
        """Stop the fit that runs; what it has reached is kept."""
        self.worker.stop()

    # runs

    async def reopen(self, number: int) -> None:
        """Go back to a run: its hypothesis, its recipe, and what it came to."""
        run = self.runs.find(number)
        if run is None or self.busy == "reading":
            return
        mine = self._begin()
        self.formula, self.settings = run.formula, dict(run.settings)
        try:
            await self._prepare(mine, self.recipe)
            if mine != self._serial:
                return
            model, scene = await in_thread(partial(self._read_model, run.path))
        except Exception as error:
            if self._done(mine):
                self.refuse(as_descend_error(error))
            return
        if not self._done(mine):
            return
        self.model, self._shown, self.error, self._told, self.settled = model, number, run.error, None, True
        if scene is not None:
            self._look(scene, anew=True)
        self.heard({"hypothesis", "recipe", "zones", "stage", "words", "runs", "busy", "leave"})

    async def close(self) -> None:
        """End the tab: its worker and its files."""
        self._closed = True
        self._begin()
        self.worker.close()
        if self._ending:
            await asyncio.wait(self._ending)
        self.runs.clear()
