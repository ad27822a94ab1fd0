"""A hypothesis stated on a table: whatever is fitted, or fitted again on other rows, starts here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.columns import Columns, gather, uses
from descend.design import Design
from descend.forecasting import foretell
from descend.formula import parse
from descend.losses import Loss, make_loss
from descend.messages import Note
from descend.objectives.rows import RowsObjective
from descend.solving import descent_of, quadratic_of, require_finite, solve
from descend.tables import read
from descend.target import Target, choose_family, learn_target, target_uses
from descend.terms import Formula, Hypothesis
from descend.verification import Split, Verification, baseline, judge, left_out, split_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.columns import Use
    from descend.foresight import Forecast
    from descend.history import History
    from descend.objectives.gram import GramObjective
    from descend.recipe import Recipe
    from descend.solvers.fast_forward import Descent

    Floats = NDArray[np.floating[Any]]
    Rows = NDArray[np.int64]
    OnEpoch = Callable[[int, float], None]
    OnForecast = Callable[[Forecast], None]


@dataclass(frozen=True)
class Trained:
    """One run of the solver: the design and parameters (columns x outputs) it gave and how it went.

    ``objective`` and ``data`` are the fitted rows; ``quadratic`` squared error's engine over them, ``descent`` its run
    in closed form and ``forecast`` what was known before it, each where it was made.
    """

    design: Design
    weights: Floats
    history: History
    objective: RowsObjective
    data: Columns
    quadratic: GramObjective | None = None
    descent: Descent | None = None
    forecast: Forecast | None = None

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
    def of(cls, formula: str | Formula, table: Any, recipe: Recipe) -> Problem:
        """Read a table and state a hypothesis on it."""
        table = read(table)
        parsed = parse(formula) if not isinstance(formula, Formula) else formula
        return cls.state(parsed.resolve(table.columns), table, recipe)

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
        on_forecast: OnForecast | None = None,
    ) -> Trained:
        """Fit on some of the rows; ``halt`` and ``on_batch`` as in ``iterate``, ``on_forecast`` as in ``fit``."""
        validation = None
        if recipe.patience is not None:
            inner = split_rows(rows.size, str(recipe.validation), recipe.seed, None)
            held, design_rows = rows[inner.folds[0][1]], rows
            rows = rows[inner.train]
            design, objective = self.objective(rows, recipe, learn_from=design_rows)
            validation = self._over(design, held, recipe)[1]
        else:
            design, objective = self.objective(rows, recipe)
        start = recipe.start(design.names, objective.outputs)
        quadratic = quadratic_of(objective, recipe)
        forecast = None
        if on_forecast is not None and (recipe.method != "auto" or quadratic is not None):
            forecast = foretell(objective, start, recipe, quadratic, design.names)
            on_forecast(forecast)
        history = solve(objective, start, recipe, quadratic, validation, on_epoch, halt=halt, on_batch=on_batch)
        weights = np.asarray(history.weights.reshape(objective.shape), dtype=np.float64)
        descent = descent_of(quadratic, start, history, recipe)
        data = self.data if rows.size == len(self.data) else self.data.take(rows)
        return Trained(design, weights, history, objective, data, quadratic, descent, forecast)

    def objective(self, rows: Rows, recipe: Recipe, *, learn_from: Rows | None = None) -> tuple[Design, RowsObjective]:
        """Learn the design from some rows (default: the same) and return it with the loss over ``rows``."""
        design = Design.learn(
            self.hypothesis,
            self.uses,
            self.data,
            rows=rows if learn_from is None else learn_from,
            standardize=recipe.standardize,
            ddof=recipe.ddof,
        )
        return self._over(design, rows, recipe)

    def _over(self, design: Design, rows: Rows, recipe: Recipe) -> tuple[Design, RowsObjective]:
        data = self.data if rows.size == len(self.data) else self.data.take(rows)
        with np.errstate(over="ignore"):  # what does not fit the dtype is refused below
            X = design.matrix(data).astype(recipe.dtype, copy=False)
            Y = self.target.encode(data).astype(recipe.dtype, copy=False)
        objective = RowsObjective(X, Y, self.loss, len(self.target.outputs), recipe.l2, design.penalised)
        require_finite(objective)
        return design, objective

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
        quick = None
        if trained and split.method == "loo" and recipe.method == "auto" and trained.quadratic and not recipe.l2:
            quick = left_out(trained.objective.X, trained.objective.Y)
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
