"""The bench: the work on one page's table, step by step: open it, prepare it, fit it."""

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
    from descend.model.hypothesis import FittedHypothesis
    from descend.model.sample import Sample
    from descend.objectives.in_memory import RowsObjective
    from descend.objectives.losses import Loss
    from descend.objectives.target import Target
    from descend.studio.profile import Profile
    from descend.tables.table import Table

    Key = tuple[Any, ...]

FEW = 500  # rows that suggest the parameters which an equation is shown with before its fit


@dataclass(frozen=True)
class Opened:
    """An opened table: its columns, a first formula, and the settings of an example."""

    profile: Profile
    formula: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """A hypothesis prepared for fitting, reduced to the size of its columns.

    ``fitted`` is the loss over the fitted rows, ``stopping`` over those held out to stop by (with the setting
    ``patience``) and ``unseen`` over the test rows, each reduced to a quadratic with the penalty; None where there are
    no such rows, and for all but squared error of equations in float64. ``names`` are the columns of the design.
    ``outset`` is an equation that is not linear, with the parameters that its run is likely to begin with.
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
    outset: FittedHypothesis | None = None
    fitted: RowsObjective | None = None
    stopping: RowsObjective | None = None
    unseen: RowsObjective | None = None


@dataclass(frozen=True)
class Fitted:
    """The result of a fit: the model's file, the seconds it took, and the error where it diverged."""

    path: str
    seconds: float
    epochs: int
    stop: str
    error: DescendError | None = None


class Bench:
    """One table of at most ``most_rows`` rows, and the operations on it."""

    def __init__(self, most_rows: int) -> None:
        self.most_rows = most_rows
        self._table: Table | None = None
        self._kept: dict[str, tuple[Key, Any]] = {}

    def preview(self, path: str) -> Profile | None:
        """Return a profile of the first rows of a text file that is still being written; None if it is unreadable."""
        name = Path(path).name
        try:
            with open(path, "rb") as file:
                data = file.read(TOP)
            table = recognise(data, name).preview(data, name)
        except (OSError, DescendError):
            return None
        return None if table is None else profile(table, partial=True)

    def open(self, path: str, reading: dict[str, Any] | None = None) -> Opened:
        """Open a file with the page's options of reading (see ``reading``).

        If it fails, the table before stays. Raises TableError and OptionError as ``descend.read`` does, and TableError
        for too many rows.
        """
        return self._take(read(path, **reading_keywords(reading or {})))

    def example(self, id: str) -> Opened:
        """Open a worked example: its table, its formula and its settings."""
        lab = labs.example(id)
        table = read(lab.table())
        table.name = lab.id
        settings = recipe_of(lab).given()
        if not isinstance(settings.get("init", ""), str):
            settings["init"] = np.asarray(settings["init"]).tolist()
        for name in ("dtype", "test"):  # a page shows every epoch in float64, and tests on unseen rows
            settings.pop(name, None)
        usual, _ = recognise_family(TargetColumn(""))
        if (lab.family, lab.loss) == (usual.name, usual.loss):
            settings = {name: value for name, value in settings.items() if name not in ("family", "loss")}
        return self._take(table, lab.hypothesis, settings)

    def prepare(self, formula: str, settings: dict[str, Any]) -> Prepared:
        """Prepare a hypothesis on the table as ``fit`` would, up to the first step.

        Raises DescendError as ``fit`` does.
        """
        recipe = _recipe(settings)
        problem, split, design = self._state_problem(formula, recipe)
        rows, held = problem.held_out(split.train, recipe)
        tested = split.folds[0][1] if split.method == "holdout" else None
        if problem.hypothesis.curve is not None:
            told = self._outset(problem, design, rows, recipe)
        else:
            told = self._forecast_and_objectives(problem, design, rows, held, tested, recipe)
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
        """Fit a hypothesis and write its model to ``out``; of a run that diverged too, whose error is returned.

        on_epoch, on_refit: as in ``descend.fit``. A KeyboardInterrupt from ``on_epoch`` ends the run and keeps its
            result so far.

        Raises InterruptedFitError for a KeyboardInterrupt before there is a result to keep, or during the verification.
        """
        recipe, began = _recipe(settings), perf_counter()
        diverged = None
        try:
            model = fit(formula, self._opened, recipe=recipe, on_epoch=on_epoch, on_refit=on_refit)
        except DivergedError as error:
            model, diverged = error.model, error
            diverged.model = None  # it is in the file, and need not be sent
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
        """Make a table the current one."""
        if table.rows > self.most_rows:
            raise TableError("studio.too-many-rows", rows=table.rows, most=self.most_rows)
        seen = profile(table)
        self._table, self._kept = table, {}
        return Opened(seen, propose(seen) if formula is None else formula, settings or {})

    def _state_problem(self, formula: str, recipe: Recipe) -> tuple[Problem, Split, Design]:
        """State a hypothesis, split its rows and learn its design; reuse what a changed recipe does not affect."""
        table = self._opened
        key: Key = (formula, recipe.family, recipe.loss, recipe.delta, recipe.missing)
        problem: Problem = self._once("problem", key, lambda: Problem.of(formula, table, recipe))
        problem = Problem.of(problem.hypothesis, table, recipe, problem.data)  # its notes depend on the recipe too
        key = (*key, recipe.test, recipe.seed)
        split = self._once("split", key, lambda: problem.split(recipe))
        key = (*key, recipe.standardize, recipe.ddof)
        return problem, split, self._once("design", key, lambda: problem.learn_design(split.train, recipe))

    def _once(self, what: str, key: Key, make: Callable[[], Any]) -> Any:
        """Return the cached result where the key is the same, else compute it."""
        kept = self._kept.get(what)
        if kept is None or kept[0] != key:
            self._kept[what] = kept = key, make()
        return kept[1]

    def _outset(self, problem: Problem, design: Design, rows: Rows, recipe: Recipe) -> dict[str, Any]:
        """Return what an equation that is not linear begins with, as some of its rows suggest, and the forecast."""
        if rows.size > FEW:
            rows = np.sort(np.random.default_rng(recipe.seed).choice(rows, FEW, replace=False))
        outset, forecast = problem.begin(design, rows, recipe)
        return {"outset": outset, "forecast": forecast}

    def _forecast_and_objectives(
        self, problem: Problem, design: Design, rows: Rows, held: Rows | None, tested: Rows | None, recipe: Recipe
    ) -> dict[str, Any]:
        """Return the forecast of the run and, where its loss is a quadratic, the reduced objectives."""
        if recipe.networked:
            return {"forecast": Forecast(reason=NetworkHypothesis.refusals["forecast"], asked=True)}
        objective = problem.over(design, rows, recipe)
        start = recipe.start_of(design, objective.outputs)
        forecast = foretell(objective, start, recipe, quadratic_of(objective, recipe, start), design.names)
        if not (problem.loss.quadratic and recipe.arithmetic == "float64"):
            return {"forecast": forecast}

        def squeezed(chosen: Rows | None) -> RowsObjective | None:
            if chosen is None:
                return None
            made = squeeze(problem.over(design, chosen, recipe))
            times = 1.0 if made.loss.mean else np.sqrt(rows.size / chosen.size)  # a sum is scaled to as many rows
            return replace(made, data=DesignRows(times * made.X, times * made.Y))

        return {
            "forecast": forecast,
            "fitted": squeeze(objective),
            "stopping": squeezed(held),
            "unseen": squeezed(tested),
        }


def _recipe(settings: dict[str, Any]) -> Recipe:
    """Return the recipe of a page's settings, which contain no module, class or function."""
    for name in ("hypothesis", "optimizer", "loss"):
        value = settings.get(name, "")
        if not isinstance(value, str):
            raise OptionError("option.hypothesis-kind", found=type(value).__name__)
    return Recipe(**settings)
