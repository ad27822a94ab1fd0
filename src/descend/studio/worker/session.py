"""The bench: what is done to a table for one page of the studio, step by step: read it, prepare it, fit it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from descend import labs
from descend.analysis.forecast import Forecast, foretell
from descend.base.errors import DescendError, DivergedError, InterruptedFitError, OptionError, TableError
from descend.fitting.fit import fit
from descend.fitting.problem import Problem
from descend.labs.runner import recipe_of
from descend.model.hypotheses.network import NetworkHypothesis
from descend.model.sample import keep_sample
from descend.objectives.compressed import squeeze
from descend.objectives.families import TargetColumn, recognise_family
from descend.objectives.rows import DesignRows
from descend.solvers.dispatch import quadratic_of
from descend.solvers.recipe import Recipe
from descend.studio.profile import profile, propose
from descend.tables.formats import recognise
from descend.tables.open import read
from descend.tables.reading_settings import reading_keywords
from descend.tables.text.delimited import TOP

if TYPE_CHECKING:
    from collections.abc import Callable

    from descend.analysis.verification import Method, Split
    from descend.base.messages import Note
    from descend.base.typing import OnEpoch, Rows
    from descend.design.matrix import Design
    from descend.model.sample import Sample
    from descend.objectives.in_memory import RowsObjective
    from descend.objectives.losses import Loss
    from descend.objectives.target import Target
    from descend.studio.profile import Profile
    from descend.tables.table import Table

    Key = tuple[Any, ...]


@dataclass(frozen=True)
class Opened:
    """A table that was opened: its columns, a formula to begin with, and the settings that an example brings."""

    profile: Profile
    formula: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """A hypothesis stated on the table, ready to be fitted, and as small as its columns.

    ``fitted`` is the loss over the rows that are fitted, ``stopping`` over those held out to stop by (with the setting
    ``patience``) and ``unseen`` over those of the test, all squeezed and with the penalty; None where there are no such
    rows, and for all but squared error of equations in float64. ``names`` are the columns of the design.
    """

    formula: str
    settings: dict[str, Any]
    design: Design
    target: Target
    loss: Loss
    fitted_rows: int
    table_rows: int
    table_name: str
    split: Method
    sample: Sample
    notes: list[Note]
    forecast: Forecast
    names: list[str]
    fitted: RowsObjective | None = None
    stopping: RowsObjective | None = None
    unseen: RowsObjective | None = None


@dataclass(frozen=True)
class Fitted:
    """A fit that has ended: the file of its model, how long it took, and the error where it diverged."""

    path: str
    seconds: float
    epochs: int
    stop: str
    error: DescendError | None = None


class Bench:
    """One table at a time, of ``most_rows`` rows at most, and what is done to it."""

    def __init__(self, most_rows: int) -> None:
        self.most_rows = most_rows
        self._table: Table | None = None
        self._kept: dict[str, tuple[Key, Any]] = {}

    def preview(self, path: str) -> Profile | None:
        """Look at the first rows of a text file that is still being written; None where they cannot be read yet."""
        name = Path(path).name
        try:
            with open(path, "rb") as file:
                data = file.read(TOP)
            table = recognise(data, name).preview(data, name)
        except (OSError, DescendError):
            return None
        return None if table is None else profile(table, partial=True)

    def open(self, path: str, reading: dict[str, Any] | None = None) -> Opened:
        """Read a file as the page has it (see ``reading``); raises TableError and OptionError as ``descend.read`` does.

        And TableError for one of too many rows.

        The table before it stays where it cannot be read.
        """
        return self._take(read(path, **reading_keywords(reading or {})))

    def example(self, id: str) -> Opened:
        """Take a worked example: its table, its formula and its settings."""
        lab = labs.example(id)
        table = read(lab.table())
        table.name = lab.id
        settings = recipe_of(lab).given()
        if not isinstance(settings.get("init", ""), str):
            settings["init"] = np.asarray(settings["init"]).tolist()
        for name in ("dtype", "test"):  # a page tells every epoch in float64, and tests on unseen rows
            settings.pop(name, None)
        usual, _ = recognise_family(TargetColumn(""))
        if (lab.family, lab.loss) == (usual.name, usual.loss):
            settings = {name: value for name, value in settings.items() if name not in ("family", "loss")}
        return self._take(table, lab.hypothesis, settings)

    def prepare(self, formula: str, settings: dict[str, Any]) -> Prepared:
        """State a hypothesis on the table as ``fit`` would, as far as the first step.

        Raises DescendError as ``fit`` does.
        """
        recipe = _recipe(settings)
        problem, split, design = self._stated(formula, recipe)
        rows, held = problem.held_out(split.train, recipe)
        tested = split.folds[0][1] if split.method == "holdout" else None
        told = self._foretold(problem, design, rows, held, tested, recipe)
        none = np.empty(0, dtype=np.int64)
        return Prepared(
            formula=formula,
            settings=settings,
            design=design,
            target=problem.target,
            loss=problem.loss,
            fitted_rows=rows.size,
            table_rows=problem.data.table.rows,
            table_name=problem.data.table.name,
            split=split.method,
            sample=keep_sample(problem.data, split.train, none if tested is None else tested, recipe.seed),
            notes=problem.notes,
            names=design.names,
            **told,
        )

    def fit(
        self,
        formula: str,
        settings: dict[str, Any],
        out: str,
        on_epoch: OnEpoch | None = None,
        on_refit: OnEpoch | None = None,
    ) -> Fitted:
        """Fit a hypothesis and write its model to ``out``; also of a run that diverged, whose error is returned.

        on_epoch, on_refit: as in ``descend.fit``. One that raises KeyboardInterrupt ends the run with what was reached,
        and while the fit is verified with nothing: InterruptedFitError.
        """
        recipe, began = _recipe(settings), perf_counter()
        diverged = None
        try:
            model = fit(formula, self._opened, recipe=recipe, on_epoch=on_epoch, on_refit=on_refit)
        except DivergedError as error:
            model, diverged = error.model, error
            diverged.model = None  # it lies in the file, and would be sent along
        except KeyboardInterrupt as error:
            raise InterruptedFitError("fit.interrupted-early") from error
        seconds = perf_counter() - began
        path = model.save(out)
        return Fitted(str(path), seconds, model.history.epochs, model.history.stop, diverged)

    @property
    def _opened(self) -> Table:
        if self._table is None:
            raise TableError("studio.no-table")
        return self._table

    def _take(self, table: Table, formula: str | None = None, settings: dict[str, Any] | None = None) -> Opened:
        """Make a table the one that is worked on."""
        if table.rows > self.most_rows:
            raise TableError("studio.too-many-rows", rows=table.rows, most=self.most_rows)
        seen = profile(table)
        self._table, self._kept = table, {}
        return Opened(seen, propose(seen) if formula is None else formula, settings or {})

    def _stated(self, formula: str, recipe: Recipe) -> tuple[Problem, Split, Design]:
        """State a hypothesis, split its rows and learn its design; what a changed recipe leaves as it was is kept."""
        table = self._opened
        key: Key = (formula, recipe.family, recipe.loss, recipe.delta, recipe.missing)
        problem: Problem = self._once("problem", key, lambda: Problem.of(formula, table, recipe))
        problem = Problem.of(problem.hypothesis, table, recipe, problem.data)  # its notes are also of the recipe
        key = (*key, recipe.test, recipe.seed)
        split = self._once("split", key, lambda: problem.split(recipe))
        key = (*key, recipe.standardize, recipe.ddof)
        return problem, split, self._once("design", key, lambda: problem.learn_design(split.train, recipe))

    def _once(self, what: str, key: Key, make: Callable[[], Any]) -> Any:
        """Return what was made last, where it was made of the same, else make it."""
        kept = self._kept.get(what)
        if kept is None or kept[0] != key:
            self._kept[what] = kept = key, make()
        return kept[1]

    def _foretold(
        self, problem: Problem, design: Design, rows: Rows, held: Rows | None, tested: Rows | None, recipe: Recipe
    ) -> dict[str, Any]:
        """Return the forecast of the run and, where its loss is a quadratic, the squeezed objectives."""
        if recipe.networked:
            return {"forecast": Forecast(reason=NetworkHypothesis.refusals["forecast"], asked=True)}
        objective = problem.over(design, rows, recipe)
        start = recipe.start(design.names, objective.outputs)
        forecast = foretell(objective, start, recipe, quadratic_of(objective, recipe, start), design.names)
        if not (problem.loss.quadratic and recipe.arithmetic == "float64"):
            return {"forecast": forecast}

        def squeezed(chosen: Rows | None) -> RowsObjective | None:
            if chosen is None:
                return None
            made = squeeze(problem.over(design, chosen, recipe))
            times = 1.0 if made.loss.mean else np.sqrt(rows.size / chosen.size)  # a sum is told for as many rows
            return replace(made, data=DesignRows(times * made.X, times * made.Y))

        return {
            "forecast": forecast,
            "fitted": squeeze(objective),
            "stopping": squeezed(held),
            "unseen": squeezed(tested),
        }


def _recipe(settings: dict[str, Any]) -> Recipe:
    """Return the recipe of settings that came from a page: no module, class or function is among them."""
    for name in ("hypothesis", "optimizer", "loss"):
        value = settings.get(name, "")
        if not isinstance(value, str):
            raise OptionError("option.hypothesis-kind", found=type(value).__name__)
    return Recipe(**settings)
