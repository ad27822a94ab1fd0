"""A hypothesis stated on a table: whatever is fitted, or fitted again on other rows, starts here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.analysis.verification import Split, Verification, baseline, judge, left_out, split_rows
from descend.base.errors import DesignError, OptionError, TableError
from descend.base.messages import Note
from descend.design.matrix import Design, width_of
from descend.fitting._network import fit_network
from descend.fitting._stated import stated
from descend.fitting.trained import TrainedProblem, run_solver, start_values
from descend.formula.ast import Hypothesis, Poly
from descend.formula.parameter_notes import parameter_notes
from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import make_loss
from descend.objectives.rows import DesignRows
from descend.objectives.target import Target, choose_family, learn_target, target_uses
from descend.solvers.dispatch import quadratic_of, require_finite
from descend.solvers.effort import Effort
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions
from descend.tables.columns import Columns, gather, reading_notes, uses
from descend.tables.open import read

if TYPE_CHECKING:
    from descend.analysis.forecast import Forecast
    from descend.base.typing import Floats, OnEpoch, Rows
    from descend.formula.equation import Equation
    from descend.formula.formula import Formula
    from descend.model.hypothesis import FittedHypothesis
    from descend.objectives.curve import CurveObjective
    from descend.objectives.families import Family
    from descend.objectives.losses import Loss
    from descend.objectives.networks.network import Network
    from descend.objectives.torch_batches import Source
    from descend.solvers.recipe import Recipe
    from descend.tables.columns import Use
    from descend.tables.table import Table

REFITS = 2e10  # operations of the refits that leave out one row each: about 15 seconds
REFIT_SEARCH = 0.2  # seconds of a search for a refit that may not start from the parameters of all rows
REFIT = 1e7  # operations that a refit of classes takes besides those of its rows
FOLDS = 10  # folds, where leaving out single rows would take too long
LAID = 4_000_000  # cells of a design matrix that is kept for all refits


@dataclass(frozen=True)
class Outline:
    """What a hypothesis asks of a table, in memory or a scan, before the rows are read.

    ``uses`` and ``target_uses`` say how the columns are read; ``why`` is the note that says why the family was chosen.
    """

    hypothesis: Hypothesis
    uses: dict[str, Use]
    target_uses: dict[str, Use]
    family: Family
    why: Note

    @classmethod
    def of(cls, formula: str | Formula | Equation | Hypothesis, table: Table, recipe: Recipe) -> Outline:
        """Decide how the columns of a table (of a scan its first rows) are read, and the family of the target."""
        hypothesis = stated(formula, table.columns, table.repeated, recipe)
        named = "auto" if callable(recipe.loss) else recipe.loss
        wanted = uses(hypothesis, table)
        family, why = choose_family(hypothesis, table, recipe.family, named)
        if hypothesis.written and family.classes and not family.link.outer:
            raise DesignError("design.equation-classes", formula=hypothesis.text, family=family.name)
        return cls(hypothesis, wanted, target_uses(hypothesis, family), family, why)

    @property
    def wanted(self) -> dict[str, Use]:
        """How each column that is read is used."""
        return {**self.uses, **self.target_uses}

    def problem(
        self, data: Columns, target: Target, recipe: Recipe, told: list[Note], base: Floats | None = None
    ) -> Problem:
        """Return the problem on columns that were read; ``told`` are the notes so far.

        A loss that is a function of the user's own takes the place of the family's. Raises OptionError for a loss that
        the family has not, DesignError where the target's values are none for it.
        """
        own = callable(recipe.loss)
        loss = make_loss("auto" if own else recipe.loss, target.family, delta=recipe.delta)
        loss.check(target.encode(data), target.columns[0])
        notes = [*told, *parameter_notes(self.hypothesis, data.table.columns)]
        if recipe.optimizer == "auto" and recipe.iterates and not recipe.networked:
            notes.append(Note("note.sgd-asked", {}))
        if own:
            notes.append(Note("note.own-loss", {"name": recipe.changes()["loss"]}))
        return Problem(self.hypothesis, self.uses, data, target, loss, notes, base=base)


@dataclass(frozen=True)
class Problem:
    """A hypothesis stated on a table: its columns, its target and its loss; every fit and refit starts from it.

    ``stream`` is a torch Dataset or DataLoader that a network is fitted on, where ``data`` are only its first rows.
    ``base`` is the prediction without a hypothesis (1 x targets or classes), where ``data`` are not all the rows.
    ``layer`` is the module of one linear layer as which the hypothesis was given.
    """

    hypothesis: Hypothesis
    uses: dict[str, Use]
    data: Columns
    target: Target
    loss: Loss
    notes: list[Note]
    stream: Any = None
    base: Floats | None = None
    layer: Network | None = None

    @classmethod
    def of(
        cls, formula: str | Formula | Equation | Hypothesis, source: Any, recipe: Recipe, data: Columns | None = None
    ) -> Problem:
        """Read a table and state a hypothesis on it.

        data: the columns that the hypothesis names, where they are read already. Raises DescendError.
        """
        table = read(source)
        if not table.rows:
            raise TableError("table.no-rows", file=table.name)
        outline = Outline.of(formula, table, recipe)
        if data is None:
            data = gather(outline.wanted, table, missing=recipe.missing, required=outline.target_uses)
        target = learn_target(outline.hypothesis, outline.family, data)
        told = [outline.why, *table.notes, *reading_notes(outline.wanted, table), *data.notes]
        return outline.problem(data, target, recipe, told)

    @property
    def codes(self) -> Rows | None:
        """The class of every row, None for numbers."""
        return self.target.encode(self.data)[:, 0].astype(np.int64) if self.target.family.classes else None

    def split(self, recipe: Recipe) -> Split:
        """Return which rows are fitted and which are tested."""
        used, data = len({*self.uses, *self.target.columns}), self.data
        draw = partial(
            split_rows, len(data), seed=recipe.seed, codes=self.codes, columns=used, numbers=data.rows,
            whole=data.table.rows,
        )  # fmt: skip
        split = draw(recipe.test)
        if split.method == "loo" and self._refits(recipe) > REFITS:
            folds = min(FOLDS, max(len(data) // 2, 2))
            values = {"rows": len(data), "folds": folds}
            split = replace(draw(folds), instead=Note("note.folds-instead", values))
        self.require_feasible(split, recipe)
        return split

    def require_feasible(self, split: Split, recipe: Recipe) -> None:
        """Raise FitError where a fit and its test would take longer than allowed, or more memory than is free."""
        if recipe.networked:
            return
        effort = self.effort(recipe, split.train.size)
        refits = split.method == "folds" or (split.method == "loo" and self._refits(recipe) > 0)
        effort.require(recipe, len(split.folds) if refits else 0)

    def effort(self, recipe: Recipe, rows: int) -> Effort:
        """Return what a fit of so many of the rows takes."""
        return Effort.of(rows, self.width, len(self.target.outputs), self.loss, recipe)

    @cached_property
    def width(self) -> int:
        """The number of columns of the design."""
        return width_of(self.hypothesis, self.uses, self.data)

    def _refits(self, recipe: Recipe) -> float:
        """Return about how many sums it takes to fit all rows but one, for each; least squares have a formula."""
        if recipe.networked:
            return 0.0
        effort, solved = self.effort(recipe, len(self.data)), self.target.family.solved
        if solved and recipe.method == "auto" and not recipe.l2 and effort.rows > effort.columns:
            return 0.0
        return effort.rows * (effort.sums + (0.0 if solved else REFIT))

    def train(
        self, rows: Rows, recipe: Recipe, run: RunOptions = DEFAULT_OPTIONS, warm: Floats | None = None
    ) -> TrainedProblem:
        """Fit on some of the rows; ``warm`` are the parameters of an equation's fit on nearly the same rows."""
        design_rows = rows
        rows, held = self.held_out(rows, recipe)
        if recipe.drop_last and recipe.batch is not None and recipe.batch > rows.size and self.stream is None:
            raise OptionError("option.no-batch", rows=rows.size, batch=recipe.batch)
        design = self.learn_design(design_rows, recipe)
        if self.hypothesis.curve is not None:
            from descend.fitting._curve import fit_curve

            fitted = self.over_curve(design, rows, recipe)
            stops = None if held is None else self.over_curve(design, held, recipe).beside(fitted)
            return fit_curve(design, fitted, self.rows_of(rows), recipe, stops, run, warm)
        if recipe.networked:
            sources = partial(self._sources, design, rows, held, recipe)
            return fit_network(design, self.target, self.loss, self.rows_of(rows), sources, recipe, run)
        objective = self.over(design, rows, recipe)
        validation = None if held is None else self.over(design, held, recipe).beside(objective)
        return run_solver(design, objective, self.rows_of(rows), recipe, validation, run, layer=self.layer)

    def over_curve(self, design: Design, rows: Rows, recipe: Recipe) -> CurveObjective:
        """Return the loss of an equation over some of the rows."""
        from descend.fitting._curve import curve_objective

        X, Y = self._arrays(design, rows)
        return curve_objective(self.hypothesis, X, Y, self.loss, recipe)

    def begin(self, design: Design, rows: Rows, recipe: Recipe) -> tuple[FittedHypothesis, Forecast]:
        """Return an equation that is not linear as it is before its fit on some rows, and the forecast of its run."""
        from descend.fitting._curve import begin_curve

        return begin_curve(design, self.over_curve(design, rows, recipe), self.rows_of(rows), recipe)

    def _sources(
        self, design: Design, rows: Rows, held: Rows | None, recipe: Recipe, network: Network
    ) -> tuple[Source, Source | None]:
        """Return the rows to fit and those to stop by as a network takes them; of a stream all rows are fitted."""
        from descend.solvers import torch_training

        if self.stream is not None:
            return torch_training.streamed(network, self.stream, design, recipe), None
        fitted = torch_training.in_memory(network, *self._arrays(design, rows))
        return fitted, None if held is None else torch_training.in_memory(network, *self._arrays(design, held))

    def objective(self, rows: Rows, recipe: Recipe, *, learn_from: Rows | None = None) -> tuple[Design, RowsObjective]:
        """Learn the design from some rows (default: the same) and return it with the loss over ``rows``."""
        design = self.learn_design(rows if learn_from is None else learn_from, recipe)
        return design, self.over(design, rows, recipe)

    def held_out(self, rows: Rows, recipe: Recipe) -> tuple[Rows, Rows | None]:
        """Return the rows to fit and those to stop by, None where the recipe keeps none back."""
        if recipe.patience is None:
            return rows, None
        inner = split_rows(rows.size, str(recipe.validation), recipe.seed, None)
        return rows[inner.train], rows[inner.folds[0][1]]

    def learn_design(self, rows: Rows, recipe: Recipe) -> Design:
        """Learn the design from some of the rows; who goes there step by step may want all columns as they are."""
        if self.hypothesis.curve is not None:
            return Design.learn(self.hypothesis, self.uses, self.data, rows=rows, standardize=False)
        settle = recipe.method == "auto"
        if self._laid is not None and rows.size:
            plain, X = self._laid
            return plain.learnt(X, rows, standardize=recipe.standardize, ddof=recipe.ddof, settle=settle)
        return Design.learn(
            self.hypothesis, self.uses, self.data, rows=rows, standardize=recipe.standardize, ddof=recipe.ddof,
            settle=settle,
        )  # fmt: skip

    @cached_property
    def _laid(self) -> tuple[Design, Floats] | None:
        """The columns as they are, of all rows, where these are few enough to be kept for one refit after the other."""
        factors = [factor for term in self.hypothesis.terms for factor in term]
        if self.data.images or any(isinstance(factor, Poly) and not factor.raw for factor in factors):
            return None  # these columns depend on the rows that they are learnt from, and images are many
        if len(self.data) * len(factors) > LAID:
            return None
        plain = Design.learn(self.hypothesis, self.uses, self.data, rows=np.empty(0, dtype=np.int64))
        return (plain, plain.matrix(self.data)) if len(self.data) * plain.means.size <= LAID else None

    def matrix(self, design: Design, rows: Rows) -> Floats:
        """Return a design's matrix of some of the rows."""
        if self._laid is None:
            return design.matrix(self.data, None if rows.size == len(self.data) else rows)
        return design.standardized(self._laid[1][rows])

    def over(self, design: Design, rows: Rows, recipe: Recipe) -> RowsObjective:
        """Return the loss over some of the rows; raises FitError where a number does not fit the recipe's dtype."""
        X, Y = self._arrays(design, rows)
        with np.errstate(over="ignore"):  # what does not fit the dtype is refused below
            X, Y = X.astype(recipe.arithmetic, copy=False), Y.astype(recipe.arithmetic, copy=False)
        objective = RowsObjective(
            DesignRows(X, Y), self.loss, len(self.target.outputs), recipe.penalty(design.penalised)
        )
        require_finite(objective)
        return objective

    def rows_of(self, rows: Rows) -> Columns:
        """Return the columns of some rows, uncopied where they are all of them."""
        return self.data if rows.size == len(self.data) else self.data.take(rows)

    def _arrays(self, design: Design, rows: Rows) -> tuple[Floats, Floats]:
        """Return the design and the target's values of some rows."""
        everything = rows.size == len(self.data)
        target = self.data.only(self.target.columns)
        return (
            self.matrix(design, rows),
            self.target.encode(target if everything else target.take(rows)),
        )

    def verify(
        self,
        split: Split,
        trained: TrainedProblem,
        recipe: Recipe,
        on_refit: OnEpoch | None = None,
        *,
        finished: bool = True,
    ) -> Verification | None:
        """Test on the rows that the split keeps back; None where it keeps none. ``finished`` as in ``verdict_of``."""
        if split.method == "none":
            return None
        truth, predicted, base = self.predict_unseen(split, trained, recipe, on_refit)
        fitted = trained.over.rows if split.method == "holdout" else split.folds[0][0].size
        return judge(self.target, truth, predicted, base, method=split.method, fitted_rows=fitted, finished=finished)

    def alone(self, fitted: Floats, tested: int) -> Floats:
        """Return the predictions without a hypothesis for so many rows, from the truth of the fitted ones."""
        if self.base is not None:
            return np.broadcast_to(self.base, (tested, self.base.shape[1]))
        return baseline(self.target, fitted, tested)

    def predict_unseen(
        self, split: Split, trained: TrainedProblem | None, recipe: Recipe, on_refit: OnEpoch | None = None
    ) -> tuple[Floats, Floats, Floats]:
        """Return the truth, the predictions and the baseline's of every row tested, in the order of the folds."""
        truth = self.target.truth(self.data)
        tested = np.concatenate([test for _, test in split.folds])
        bases = [self.alone(truth[fitted], test.size) for fitted, test in split.folds]
        quick = None
        whole = trained.whole if trained and split.method == "loo" else None
        if trained and whole and recipe.method == "auto" and trained.quadratic and not recipe.l2:
            live = trained.design.live
            quick = left_out(whole.X if live.all() else whole.X[:, live], whole.Y)
        if quick is not None:
            predictions = [self.target.predict(quick)]
        else:
            predictions = []
            for index, (fitted, test) in enumerate(split.folds):
                if on_refit is not None:
                    on_refit(index, len(split.folds))
                if trained and split.method == "holdout":
                    Z = trained.hypothesis.predictor(self.matrix(trained.design, test))
                    predictions.append(self.target.predict(Z))
                else:
                    predictions.append(self._refitted(fitted, test, recipe, trained))
        return truth[tested], np.concatenate(predictions), np.concatenate(bases)

    def _refitted(self, fitted: Rows, test: Rows, recipe: Recipe, trained: TrainedProblem | None) -> Floats:
        """Return the predictions of some rows by a fit on others; least squares are solved without a run.

        trained: the fit of all rows to fit, from whose parameters those of an equation are sought.
        """
        straight = self.hypothesis.curve is None and not recipe.networked
        if recipe.method == "auto" and recipe.patience is None and straight:
            design, objective = self.objective(fitted, recipe)
            start = start_values(design, objective, recipe)
            quadratic = quadratic_of(objective, recipe, start)
            if quadratic is not None:
                weights = quadratic.minimum_near(start).reshape(objective.shape)
                return self.target.predict(self.matrix(design, test) @ weights)
        warm = None if trained is None or self.hypothesis.curve is None else trained.weights.ravel()
        again = self.train(fitted, recipe, warm=warm)
        if warm is not None and trained is not None and _leaves_more_open(again, trained, fitted.size):
            again = self.train(fitted, replace(recipe, search=min(recipe.search, REFIT_SEARCH)))
        made = self.target.predict(again.hypothesis.predictor(self.matrix(again.design, test)))
        return np.full_like(made, np.nan) if again.history.diverged else made


def _leaves_more_open(again: TrainedProblem, trained: TrainedProblem, rows: int) -> bool:
    """Return whether a refit of an equation that started from the fit of all rows leaves open what those determine.

    Along such directions it stays where the rows that are left out have put it, so that it has not left them out.
    """
    if again.search is None or trained.search is None:
        return False
    few = rows * len(again.design.hypothesis.targets) < again.weights.size
    return few or len(again.search.undetermined) > len(trained.search.undetermined)
