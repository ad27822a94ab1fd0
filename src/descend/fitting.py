"""fit(): the road from a table to a tested model, told in one page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.columns import Columns, gather, uses
from descend.design import Design
from descend.margins import separated
from descend.errors import DivergedError, FitError
from descend.foresight import best_rate, largest_stable_rate
from descend.formula import parse
from descend.losses import Loss, SquaredError, make_loss
from descend.messages import Note
from descend.model import Model, keep_sample
from descend.objectives.gram import GramObjective
from descend.objectives.rows import RowsObjective
from descend.optimizers import DEFAULT_RATES, SGD, make_optimizer
from descend.recipe import Recipe
from descend.solvers.fast_forward import fast_forward
from descend.solvers.iterate import iterate
from descend.solvers.newton import quasi_newton
from descend.solvers.optimum import lbfgs, limit
from descend.tables import read
from descend.target import Target, choose_family, learn_target, target_uses
from descend.terms import Formula, Hypothesis
from descend.verification import Split, Verification, baseline, judge, split_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.columns import Use
    from descend.history import History

    Floats = NDArray[np.float64]
    Rows = NDArray[np.int64]
    OnEpoch = Callable[[int, float], None]


def fit(
    formula: str | Formula,
    table: Any,
    *,
    recipe: Recipe | None = None,
    on_epoch: OnEpoch | None = None,
    on_refit: OnEpoch | None = None,
    **settings: Any,
) -> Model:
    """Fit a hypothesis on a table by gradient descent and test it on rows it has not seen.

    formula: ``"score ~ hours"``; table: whatever ``descend.read`` takes; settings: the fields of ``Recipe``.
    on_epoch is called with the epoch and its loss while the model is fitted, on_refit with the fold and the number of
    folds while it is verified.

    Returns the model. Its equation is of the rows that were fitted: with 50 rows or more a fifth is held out for the
    test (``test="none"`` fits all). An interrupt gives the model as far as it came, not verified.
    Raises DescendError: TableError, FormulaError, DesignError, OptionError; DivergedError, which holds the model, when
    the loss grows without bound.
    """
    recipe = recipe or Recipe(**settings)
    table = read(table)
    parsed = parse(formula) if not isinstance(formula, Formula) else formula
    problem = Problem.state(parsed.resolve(table.columns), table, recipe)
    split = split_rows(len(problem.data), recipe.test, recipe.seed, problem.codes)
    trained = problem.train(split.train, recipe, on_epoch)
    verification = None
    if trained.history.stop not in ("diverged", "interrupted"):
        verification = problem.verify(split, trained, recipe, on_refit)
    tested = split.folds[0][1] if split.method == "holdout" else np.empty(0, dtype=np.int64)
    model = Model(
        design=trained.design,
        target=problem.target,
        loss=problem.loss.name,
        delta=recipe.delta,
        weights=trained.weights,
        history=trained.history,
        verification=verification,
        table_name=table.name,
        table_rows=table.rows,
        table_columns=table.columns,
        fitted_rows=trained.objective.rows,
        base=baseline(problem.target, problem.target.truth(problem.data.take(split.train)), 1),
        means=problem.data.means,
        settings=recipe.changes(),
        notes=[*problem.notes, *trained.notes],
        sample=keep_sample(problem.data, split.train, tested, recipe.seed),
    )
    if trained.history.diverged:
        raise _diverged(model, trained)
    return model


@dataclass(frozen=True)
class Trained:
    """One run of the solver: the design and parameters (columns x outputs) it gave and how it went."""

    design: Design
    weights: Floats
    history: History
    objective: RowsObjective
    notes: list[Note]

    def predict(self, target: Target, data: Columns) -> Floats:
        """Return predictions for rows."""
        return target.predict(self.design.matrix(data) @ self.weights)


@dataclass(frozen=True)
class Problem:
    """A hypothesis stated on a table: its columns, its target and its loss; whatever is refitted starts here."""

    hypothesis: Hypothesis
    uses: dict[str, Use]
    data: Columns
    target: Target
    loss: Loss
    notes: list[Note]

    @classmethod
    def state(cls, hypothesis: Hypothesis, table: Any, recipe: Recipe, data: Columns | None = None) -> Problem:
        """Read the columns that the hypothesis names and decide its family and its loss."""
        wanted = uses(hypothesis, table)
        family, why = choose_family(hypothesis, table, recipe.family, recipe.loss)
        outputs = target_uses(hypothesis, family)
        if data is None:
            data = gather({**wanted, **outputs}, table, missing=recipe.missing, required=outputs)
        target = learn_target(hypothesis, family, data)
        loss = make_loss(recipe.loss, family, delta=recipe.delta)
        loss.check(target.encode(data), target.columns[0])
        notes = [why, *table.notes, *data.notes]
        if recipe.optimizer == "auto" and recipe.iterates:
            notes.append(Note("note.sgd-asked", {}))
        return cls(hypothesis, wanted, data, target, loss, notes)

    @property
    def codes(self) -> Rows | None:
        """The class of every row, None for numbers."""
        return None if self.target.family == "linear" else self.target.encode(self.data)[:, 0].astype(np.int64)

    def train(
        self,
        rows: Rows,
        recipe: Recipe,
        on_epoch: OnEpoch | None = None,
        *,
        halt: bool = True,
        on_batch: OnEpoch | None = None,
    ) -> Trained:
        """Fit on some of the rows; ``halt`` and ``on_batch`` as in ``iterate``."""
        design = Design.learn(
            self.hypothesis, self.uses, self.data, rows=rows, standardize=recipe.standardize, ddof=recipe.ddof
        )
        validation = None
        if recipe.patience is not None:
            inner = split_rows(rows.size, str(recipe.validation), recipe.seed, None)
            validation = self._objective(design, rows[inner.folds[0][1]], recipe)
            rows = rows[inner.train]
        objective = self._objective(design, rows, recipe)
        start = recipe.start(design.names, objective.outputs)
        quadratic = quadratic_of(objective, recipe)
        history = solve(objective, start, recipe, quadratic, validation, on_epoch, halt=halt, on_batch=on_batch)
        weights = np.asarray(history.weights.reshape(objective.shape), dtype=np.float64)
        notes = self._column_notes(design, quadratic)
        if self.target.family != "linear" and not recipe.l2 and separated(objective.X @ weights, objective.Y):
            notes.append(Note("note.separable", {"column": self.target.columns[0]}))
        return Trained(design, weights, history, objective, notes)

    def _column_notes(self, design: Design, quadratic: GramObjective | None) -> list[Note]:
        """Tell of columns that are the same in every row, and of those that determine one another."""
        names = np.array(design.names)
        constant = (design.spreads == 0) & design.penalised
        notes = [Note("note.constant", {"columns": ", ".join(names[constant])})] if constant.any() else []
        if quadratic is not None and quadratic.flat.size:
            shares = np.abs(quadratic.flat * design.scaled_sizes[:, None])
            tied = (shares > 1e-3 * shares.max(axis=0)).any(axis=1) & ~constant
            if tied.sum() > 1:
                notes.append(Note("note.collinear", {"columns": ", ".join(names[tied][:8])}))
        return notes

    def _objective(self, design: Design, rows: Rows, recipe: Recipe) -> RowsObjective:
        data = self.data.take(rows)
        with np.errstate(over="ignore"):  # what does not fit the dtype is refused in solve
            X = design.matrix(data).astype(recipe.dtype, copy=False)
            Y = self.target.encode(data).astype(recipe.dtype, copy=False)
        return RowsObjective(X, Y, self.loss, len(self.target.outputs), recipe.l2, design.penalised)

    def verify(
        self, split: Split, trained: Trained, recipe: Recipe, on_refit: OnEpoch | None = None
    ) -> Verification | None:
        """Test on the rows that the split keeps back; None where it keeps none."""
        if split.method == "none":
            return None
        truth, predicted, base = self.predict_unseen(split, trained, recipe, on_refit)
        fitted = trained.objective.rows if split.method == "holdout" else split.folds[0][0].size
        return judge(self.target, truth, predicted, base, method=split.method, fitted_rows=fitted)

    def predict_unseen(
        self, split: Split, trained: Trained | None, recipe: Recipe, on_refit: OnEpoch | None = None
    ) -> tuple[Floats, Floats, Floats]:
        """Return the truth, the predictions and the baseline's of every row tested, in the order of the folds."""
        truth = self.target.truth(self.data)
        tested = np.concatenate([test for _, test in split.folds])
        bases = [baseline(self.target, truth[fitted], test.size) for fitted, test in split.folds]
        quick = left_out(trained.objective) if trained and split.method == "loo" and recipe.method == "auto" else None
        if quick is not None:
            predictions = [self.target.predict(quick)]
        else:
            predictions = []
            for index, (fitted, test) in enumerate(split.folds):
                if on_refit is not None:
                    on_refit(index, len(split.folds))
                again = trained if trained and split.method == "holdout" else self.train(fitted, recipe)
                predictions.append(again.predict(self.target, self.data.take(test)))
        return truth[tested], np.concatenate(predictions), np.concatenate(bases)


def solve(
    objective: RowsObjective,
    start: Floats,
    recipe: Recipe,
    quadratic: GramObjective | None = None,
    validation: RowsObjective | None = None,
    on_epoch: OnEpoch | None = None,
    *,
    halt: bool = True,
    on_batch: OnEpoch | None = None,
) -> History:
    """Choose the engine and the solver that give the recipe's run, and run it.

    Squared error goes through its Gram matrix, where ``quadratic_of`` gives one; full-batch SGD is told in closed form.
    """
    if not np.isfinite(objective.X).all() or not np.isfinite(objective.Y).all():
        raise FitError("fit.not-finite", dtype=recipe.dtype)
    if recipe.method == "auto":
        if quadratic is not None:
            history = limit(quadratic, start)
            if quadratic.trustworthy:
                return history
            return replace(history, loss=np.array([objective.value(start)]))  # the curvatures cannot give it
        to_optimum = lbfgs if objective.loss.curvature_limit is None else quasi_newton
        return to_optimum(objective, start, on_epoch=on_epoch)
    lr = recipe.lr if recipe.lr is not None else _usual_rate(objective, quadratic, recipe)
    optimizer = make_optimizer(recipe.method, lr, momentum=recipe.momentum, nesterov=recipe.nesterov)
    schedule = recipe.make_schedule()
    if (
        quadratic is not None
        and quadratic.trustworthy
        and isinstance(optimizer, SGD)
        and schedule.constant
        and validation is None
    ):
        return fast_forward(quadratic, start, optimizer, recipe.length, tolerance=recipe.tolerance, halt=halt)
    engine = quadratic if quadratic is not None and quadratic.trustworthy else objective
    history = iterate(
        engine,
        start.astype(recipe.dtype),
        optimizer,
        schedule,
        recipe.length,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        tolerance=recipe.tolerance,
        validation=validation,
        patience=recipe.patience,
        halt=halt,
        on_epoch=on_epoch,
        on_batch=on_batch,
    )
    return history if engine is not quadratic else replace(history, gap=history.final_loss - quadratic.least)


def quadratic_of(objective: RowsObjective, recipe: Recipe) -> GramObjective | None:
    """Return squared error's Gram engine where the recipe can use it: all rows at once, in float64."""
    if not isinstance(objective.loss, SquaredError) or recipe.batch_size is not None:
        return None
    if not (recipe.dtype == "float64" or recipe.method == "auto") or not np.isfinite(objective.X).all():
        return None
    return GramObjective.of(objective)


def _usual_rate(objective: RowsObjective, quadratic: GramObjective | None, recipe: Recipe) -> float:
    """Return the rate to take where none is given: for SGD the best, or a safe one where the best is not known."""
    if recipe.method in DEFAULT_RATES:
        return DEFAULT_RATES[recipe.method]
    if quadratic is not None and not recipe.momentum:
        return best_rate(quadratic.curvatures)
    worst = objective.curvature_limit() if recipe.batch_size is None else objective.row_curvature_limit()
    return 1 / worst if worst else 0.01


def left_out(objective: RowsObjective) -> Floats | None:
    """Return every row's prediction from all the others at the least-squares optimum, without refitting (Allen 1974).

    y - r / (1 - h), with h the leverage. None where that is not exact: other losses, a penalty, too few rows.
    """
    X, Y = objective.X, objective.Y
    if not isinstance(objective.loss, SquaredError) or objective.l2 or X.dtype != np.float64:
        return None
    Q, R = np.linalg.qr(X)
    diagonal = np.abs(np.diag(R))
    if len(X) <= X.shape[1] or not diagonal.min(initial=1.0) > 1e-10 * diagonal.max(initial=0.0):
        return None
    leverage = np.square(Q).sum(axis=1, keepdims=True)
    if leverage.max() > 1 - 1e-9:
        return None
    return np.asarray(Y - (Y - Q @ (Q.T @ Y)) / (1 - leverage))


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
        worst = trained.objective.curvature_limit()
        if worst is not None and np.isfinite(worst) and history.batch_size is None:
            stable = largest_stable_rate(worst, momentum, nesterov)
            code = "fit.diverged-stable" if isinstance(trained.objective.loss, SquaredError) else "fit.diverged-bound"
            if model.settings.get("standardize", True) is False:
                code += "-raw"
            return DivergedError(code, model, stable=stable, safe=0.9 * stable, **values)
    return DivergedError("fit.diverged", model, suggestion=history.lr / 10, **values)
