"""fit(): the road from a table to a tested model, told in one page."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.errors import DivergedError
from descend.examination import examine
from descend.foresight import largest_stable_rate
from descend.losses import SquaredError
from descend.messages import Note
from descend.model import Model, keep_sample
from descend.networks.build import is_module
from descend.problem import Problem, Trained
from descend.recipe import Recipe
from descend.solvers.checkpoints import Checkpoint
from descend.stating import Stated, of_module
from descend.verification import baseline, split_rows

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from descend.foresight import Forecast
    from descend.problem import OnEpoch, OnForecast
    from descend.terms import Formula


def fit(
    formula: str | Formula | Any,
    table: Any,
    targets: Any = None,
    *,
    recipe: Recipe | None = None,
    on_epoch: OnEpoch | None = None,
    on_refit: OnEpoch | None = None,
    on_forecast: OnForecast | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    **settings: Any,
) -> Model:
    """Fit a hypothesis on a table by gradient descent and test it on rows it has not seen.

    formula: ``"score ~ hours"``; table: whatever ``descend.read`` takes; settings: the fields of ``Recipe``.
    In place of them a PyTorch module, inputs and ``targets``: ``fit(module, X, y)``; or a module and a torch Dataset or
    DataLoader of pairs, of which a Dataset's test rows are held out and a DataLoader is only fitted.
    on_forecast is called before the first step with what it will come to, where that is known; on_epoch with the epoch
    and its loss while the model is fitted, on_refit with the fold and the number of folds while it is verified.
    checkpoint: a file in which a run epoch by epoch is kept as it goes; with ``resume`` it is taken up from there.

    Returns the model. Its equation is of the rows that were fitted: with 50 rows or more a fifth is held out for the
    test (``test="none"`` fits all). An interrupt gives the model as far as it came, not verified.
    Raises DescendError: TableError, FormulaError, DesignError, OptionError; DivergedError, which holds the model, when
    the loss grows without bound.
    """
    if is_module(formula):
        stated = of_module(formula, table, targets, settings if recipe is None else recipe.given())
    else:
        recipe = recipe or Recipe(**settings)
        stated = Stated(Problem.of(formula, table, recipe), recipe)
    problem, recipe = stated.problem, stated.recipe
    split = split_rows(len(problem.data), recipe.test, recipe.seed, problem.codes)
    kept = None
    if checkpoint is not None:
        kept = Checkpoint(checkpoint, mark_of(problem, split.train, recipe), resume=resume)
    trained = problem.train(split.train, recipe, on_epoch, on_forecast=on_forecast or _unheard, checkpoint=kept)
    notes = list(problem.notes)
    if kept is not None and kept.resumed_at is not None:
        notes.append(Note("note.resumed", {"epoch": kept.resumed_at, "path": kept.path.name}))
    if recipe.mixed_precision and trained.network is not None and trained.network.device != "cuda":
        notes.append(Note("note.full-precision", {"device": trained.network.device}))
    examination = examine(problem, trained, recipe)
    verification = None
    if trained.history.stop not in ("diverged", "interrupted"):
        verification = problem.verify(split, trained, recipe, on_refit)
    table = problem.data.table
    tested = split.folds[0][1] if split.method == "holdout" else np.empty(0, dtype=np.int64)
    targets = problem.data.only(problem.target.columns).take(split.train)
    model = Model(
        design=trained.design,
        target=problem.target,
        loss=problem.loss.name,
        delta=recipe.delta,
        weights=trained.weights,
        history=trained.history,
        verification=verification,
        table_name=table.name,
        table_rows=table.rows if problem.stream is None else trained.over.rows,
        table_columns=table.columns,
        fitted_rows=trained.over.rows,
        base=baseline(problem.target, problem.target.truth(targets), 1),
        means=problem.data.means,
        settings=recipe.changes(),
        notes=notes,
        sample=keep_sample(problem.data, split.train, tested, recipe.seed),
        exact=examination.exact,
        certificate=examination.certificate,
        inference=examination.inference,
        findings=examination.findings,
        descent=trained.descent,
        forecast=trained.forecast,
        network=trained.network,
    )
    if trained.history.diverged:
        raise _diverged(model, trained)
    if stated.held is not None:
        return replace(model, verification=replace(model.evaluate(stated.held), method="holdout"))
    return model


def mark_of(problem: Problem, rows: NDArray[np.int64], recipe: Recipe) -> dict[str, Any]:
    """Return what tells a run from another, for its checkpoint: the hypothesis, the settings and the rows.

    A run can be taken up again for more epochs, but under a schedule that is spread over all of them.
    """
    data = problem.data.take(rows)
    columns = [*data.numbers.values(), *data.images.values()]
    texts = ["\0".join(map(str, labels.to_list())).encode() for labels in data.labels.values()]
    marks = {
        "targets": _digest(problem.target.encode(data)),
        "columns": _digest(*columns, *texts),
    }
    if hasattr(recipe.hypothesis, "state_dict") and not isinstance(recipe.hypothesis, type):
        state = recipe.hypothesis.state_dict()
        marks["module"] = _digest(str(recipe.hypothesis).encode(), *(np.array(t.tolist()) for t in state.values()))
    settings = recipe.changes()
    if recipe.schedule != "cosine":
        settings.pop("epochs", None)
    return {**settings, "formula": problem.hypothesis.text, "rows": int(rows.size), **marks}


def _digest(*parts: NDArray[Any] | bytes) -> str:
    """Return a short checksum of arrays and texts."""
    made = hashlib.sha256()
    for part in parts:
        made.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes())
    return made.hexdigest()[:16]


def _unheard(forecast: Forecast) -> None:
    """Let a forecast be made that nobody asked to hear: the diagnosis looks at it."""


def _diverged(model: Model, trained: Trained) -> DivergedError:
    """Return the error that tells a divergence: when, how large, and the rate that would have been stable."""
    history = model.history
    values = {
        "epoch": history.epochs,
        "loss": float(history.loss[-1]),
        "lr": history.lr,
        "first": float(history.loss[0]),
    }
    if history.optimizer == "sgd":
        momentum = model.settings.get("momentum", 0.0)
        nesterov = bool(model.settings.get("nesterov", False))
        worst = trained.over.curvature_limit()
        if worst is not None and np.isfinite(worst) and history.batch_size is None:
            stable = largest_stable_rate(worst, momentum, nesterov)
            code = "fit.diverged-stable" if isinstance(trained.over.loss, SquaredError) else "fit.diverged-bound"
            if model.settings.get("standardize", True) is False:
                code += "-raw"
            return DivergedError(code, model, stable=stable, safe=0.9 * stable, **values)
    return DivergedError("fit.diverged", model, suggestion=history.lr / 10, **values)
