"""fit(): the road from a table to a tested model, told in one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.arguments import require, require_functions
from descend.base.errors import DivergedError, FitError
from descend.base.messages import Note
from descend.fitting._assessment import assess, rows_of_fit
from descend.fitting._statement import state_table
from descend.fitting._statement_torch import state_module
from descend.fitting.model import Model
from descend.formula.parser import parse
from descend.model.cautions import medians
from descend.model.record import Provenance
from descend.objectives.networks.build import is_module
from descend.solvers.checkpoint import Checkpoint
from descend.solvers.rates import largest_stable_rate
from descend.solvers.recipe import Recipe
from descend.solvers.run_options import RunOptions
from descend.tables.executors import Reading
from descend.tables.open import open_rows
from descend.tables.table import Table
from descend.tables.workers import workers_of

if TYPE_CHECKING:
    import os

    from descend.base.typing import OnEpoch
    from descend.fitting._statement import Statement
    from descend.fitting.trained import OnForecast, TrainedProblem
    from descend.formula.formula import Formula
    from descend.tables.executors import OnRead


def fit(
    formula: str | Formula | Any,
    table: Any,
    targets: Any = None,
    *,
    recipe: Recipe | None = None,
    on_epoch: OnEpoch | None = None,
    on_refit: OnEpoch | None = None,
    on_forecast: OnForecast | None = None,
    on_read: OnRead | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    memory: str | int | None = None,
    scratch: str | None = None,
    query: str | None = None,
    cluster: Any = None,
    partitions: int | None = None,
    **settings: Any,
) -> Model:
    """Fit a hypothesis on a table by gradient descent and test it on rows it has not seen.

    formula: ``"score ~ hours"``, or an equation in named parameters, ``"y = a * exp(-b * x) + c"`` (a list of them is
    one system of equations); table: whatever ``descend.read`` takes; settings: the fields of ``Recipe``,
    which tells what each means; their kinds, ranges and defaults are the table in ``solvers.settings``.
    In place of them a PyTorch module, inputs and ``targets``: ``fit(module, X, y)``; or a module and a torch Dataset or
    DataLoader of pairs, of which a Dataset's test rows are held out and a DataLoader is only fitted.
    on_forecast is called before the first step with what it will come to, where that is known; on_epoch with the epoch
    and its loss while the model is fitted, on_refit with the fold and the number of folds while it is verified.
    checkpoint: a file in which a run epoch by epoch is kept as it goes; with ``resume`` it is taken up from there.
    memory: what a table may take ("2GB"; default: half of what is free). A larger one (Parquet, text, folders of them,
    a database's rows by ``query``) is read part by part: on_read hears what is done, and the rows and bytes read; a
    design that must be read often is put in the folder ``scratch``.
    cluster: "tcp://scheduler:8786", "local:4" or a Dask Client, whose workers read the parts, of Parquet files so many
    ``partitions`` (None: as large as is read well); the table may also be a Dask dataframe.

    >>> import descend
    >>> model = descend.fit("score ~ hours", {"hours": [1, 2, 3, 4, 5], "score": [3.1, 4.9, 7.2, 8.8, 11.0]})
    >>> print(model.equation)
    score = 1.09 + 1.97 × hours
    >>> model.predict({"hours": [6, 7]}).round(2).tolist()
    [12.91, 14.88]

    Returns the model. Its equation is of the rows that were fitted: with 50 rows or more a fifth is held out for the
    test (``test="none"`` fits all). An interrupt gives the model as far as it came, not verified.
    Raises DescendError: TableError, FormulaError, DesignError, OptionError; DivergedError, which holds the model, when
    the loss grows without bound.
    """
    require("checkpoint", checkpoint, "path", "None")
    require("resume", resume, "bool")
    require_functions(on_epoch=on_epoch, on_refit=on_refit, on_forecast=on_forecast, on_read=on_read)
    kept = None if checkpoint is None else Path(checkpoint)
    if isinstance(formula, list | tuple):
        formula = parse(formula)
    with workers_of(cluster) as workers:
        if is_module(formula):
            statement = state_module(
                formula, table, targets, settings if recipe is None else Recipe.of(recipe, settings).given()
            )
        else:
            recipe = Recipe.of(recipe, settings)
            spread = None if cluster is None else workers
            rows = open_rows(
                table, formula, memory=memory, scratch=scratch, query=query, workers=spread, partitions=partitions
            )
            if isinstance(rows, Table):
                statement = state_table(formula, rows, recipe)
            else:
                from descend.fitting._statement_scan import state_scan

                reading = Reading(workers, scratch, on_read)
                statement = state_scan(formula, rows, recipe, reading, kept, resume=resume)
        file = None if kept is None else Checkpoint(kept, statement.mark, resume=resume)
        run = RunOptions(on_epoch=on_epoch, on_forecast=on_forecast, foretell=True, checkpoint=file)
        return _fitted(statement, run, on_refit)


def _fitted(statement: Statement, run: RunOptions, on_refit: OnEpoch | None) -> Model:
    """Train, assess the run, test it on unseen rows, and put everything into a model."""
    problem, recipe, split = statement.problem, statement.recipe, statement.split
    trained = statement.train(run)
    notes = list(problem.notes)
    if split.instead is not None:
        notes.append(split.instead)
    if run.checkpoint is not None and run.checkpoint.resumed_at is not None:
        notes.append(Note("note.resumed", {"epoch": run.checkpoint.resumed_at, "path": run.checkpoint.path.name}))
    notes += [*trained.hypothesis.notes(recipe.changes()), *medians(problem.target)]
    hypothesis, assessment = assess(problem, trained, recipe)
    rows = rows_of_fit(statement, trained)
    if trained.history.stop not in ("diverged", "interrupted"):
        finished = not any(finding.unfinished for finding in assessment.findings)
        verification = problem.verify(split, trained, recipe, on_refit, finished=finished)
        assessment = replace(assessment, verification=verification)
    provenance = Provenance(
        table_name=statement.table_name,
        table_rows=statement.table_rows(trained),
        table_columns=statement.table_columns,
        loss=problem.loss.name,
        delta=recipe.delta,
        settings=recipe.changes(),
        notes=notes,
    )
    model = Model(hypothesis, problem.target, trained.history, provenance, rows, assessment, trained.descent)
    if trained.history.diverged:
        raise _diverged(model, trained, recipe)
    if not model.hypothesis.finite:
        raise FitError("fit.coefficients-beyond")
    return statement.tested(model)


def _diverged(model: Model, trained: TrainedProblem, recipe: Recipe) -> DivergedError:
    """Return the error that tells a divergence: when, how large, and the rate that would have been stable."""
    history = model.history
    values = {
        "epoch": history.epochs,
        "loss": float(history.loss[-1]),
        "lr": history.lr,
        "first": float(history.loss[0]),
    }
    if recipe.recurs:
        worst = trained.over.curvature_limit()
        if worst is not None and np.isfinite(worst) and history.batch_size is None:
            stable = largest_stable_rate(worst, recipe.momentum, recipe.nesterov)
            code = "fit.diverged-stable" if trained.over.loss.quadratic else "fit.diverged-bound"
            if not recipe.standardize:
                code += "-raw"
            return DivergedError(code, model, stable=stable, safe=0.9 * stable, **values)
    lasting = None if trained.forecast is None else trained.forecast.lasting
    suggestion = history.lr / 10 if lasting is None or lasting > history.lr else lasting / 2
    if trained.curve is not None and np.isnan(history.loss[-1]):
        from descend.analysis.domain import undefined_facts

        outside = undefined_facts(trained.curve.at_hand, history.snapshots[-1].ravel(), trained.data)
        if outside is not None:
            return DivergedError("fit.left-domain", model, suggestion=suggestion, **values, **outside)
    return DivergedError("fit.diverged", model, suggestion=suggestion, **values)
