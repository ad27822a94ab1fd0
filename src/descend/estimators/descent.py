"""The fit of the linear estimators: arrays, an objective, a solver, and coefficients."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier  # type: ignore[import-untyped]
from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
from sklearn.utils.validation import check_is_fitted, validate_data  # type: ignore[import-untyped]

from descend.analysis.diagnosis.arrival import arrived
from descend.analysis.separation import find_separation, margins, separated
from descend.analysis.verification import split_rows
from descend.base.errors import OptionError
from descend.base.messages import say
from descend.estimators.base import Estimator, diverged
from descend.estimators.scaling import Scaling
from descend.objectives.in_memory import RowsObjective
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows
from descend.solvers.dispatch import centred, optimizer_of, quadratic_of, require_finite, solve

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from descend.base.typing import Floats
    from descend.objectives.losses import Loss
    from descend.solvers.optimizers import Optimizer, State
    from descend.solvers.recipe import Recipe

CERTAIN = 14.0  # a logit: a probability within a millionth of 1
SLIGHT = 1e-6  # the penalty of separated classes, on the scaled columns, so that all are penalised alike
PROGRAMMED = 1_000_000  # cells above which a linear programme takes longer than the fit


class DescentEstimator(Estimator):
    """Base class of the linear estimators: fits ``coef_`` and ``intercept_`` to arrays.

    ``_flat``: there is one output without a dimension of its own, so ``coef_`` is (columns,), not (1, columns).
    """

    _flat: bool

    def _run(self, loss: Loss, **changes: Any) -> Recipe:
        return self._recipe(**{"loss": loss.name, "l2": self.l2, "tolerance": self.tol, **changes})

    def _objective(self, X: Floats, Y: Floats, loss: Loss, outputs: int) -> RowsObjective:
        """Return the loss over rows with the learnt scaling of columns; the penalty is that of the unscaled columns."""
        columns = self._scaling.apply(X).astype(self.dtype, copy=False)
        with np.errstate(over="ignore"):  # an overflow of the dtype is refused below
            Y = Y.astype(self.dtype, copy=False)
        objective = RowsObjective(DesignRows(columns, Y), loss, outputs, L2(float(self.l2), self._scaling.penalised))
        require_finite(objective)
        return objective

    def _fit(self, X: Floats, Y: Floats, loss: Loss, outputs: int, weights: Floats | None) -> None:
        """Run the recipe's solver and set the fitted attributes."""
        recipe = self._run(loss)
        if weights is not None and not weights.all():  # drop rows of weight 0
            X, Y, weights = X[weights > 0], Y[weights > 0], weights[weights > 0]
        before = self._parameters() if self.warm_start and self._has(outputs, X.shape[1]) else None
        self._scaling = Scaling.learn(
            X, weights, intercept=self.fit_intercept, standardize=self.standardize, settle=recipe.method == "auto"
        )
        fitted: Any = slice(None)
        held = None
        if self.early_stopping:
            codes = Y[:, 0].astype(np.int64) if is_classifier(self) else None
            fitted, held = split_rows(len(X), recipe.validation, recipe.seed, codes).folds[0]

        def over(rows: Any) -> RowsObjective:
            objective = self._objective(X[rows], Y[rows], loss, outputs)
            return objective if weights is None else objective.weighted(weights[rows])

        objective = over(fitted)
        validation = None if held is None else over(held)
        start = np.zeros(objective.shape) if before is None else self._scaling.inward(*before)
        quadratic = quadratic_of(objective, recipe, start.ravel())
        history = solve(objective, start.ravel(), recipe, quadratic, validation)
        if history.diverged:
            raise diverged(history.epochs, history.lr, float(history.loss[0]), float(history.loss[-1]))
        W = history.weights.reshape(objective.shape)
        if recipe.method == "auto" and is_classifier(self) and not self.l2 and _apart(objective, W):
            warnings.warn(say("note.no-minimum", l2=SLIGHT), ConvergenceWarning, stacklevel=3)
            penalised = np.arange(len(W)) >= int(self.fit_intercept)
            objective = replace(objective, penalty=L2(SLIGHT, penalised.astype(np.float64)))
            history = solve(objective, np.zeros(W.size), recipe)
            W = history.weights.reshape(objective.shape)
        self._keep(W)
        self._steps: tuple[Optimizer, State, np.random.Generator] | None = None
        self._record(history, there=arrived(history, quadratic))

    def _partial_fit(self, X: Floats, Y: Floats, loss: Loss, outputs: int, weights: Floats | None) -> None:
        """Take one epoch's steps on a chunk, from the current parameters and the optimizer's state."""
        recipe = self._run(loss, optimizer="sgd" if self.optimizer == "auto" else self.optimizer)
        if not hasattr(self, "coef_"):
            self._scaling = Scaling.learn(
                X, weights, intercept=self.fit_intercept, standardize=self.standardize, more=True
            )
            self._keep(np.zeros((self._scaling.width, outputs)))
            self.loss_curve_, self.n_iter_, self._steps = np.empty(0), 0, None
        elif not self._has(outputs, X.shape[1]):
            raise OptionError("option.targets-changed", known=len(self._parameters()[0]), found=outputs)
        objective = self._objective(X, Y, loss, outputs)
        if weights is not None:  # not normalised, so that a chunk of large weights takes a larger step
            objective = replace(objective, data=replace(objective.data, weight=weights[:, None].astype(self.dtype)))
        w = self._scaling.inward(*self._parameters()).ravel().astype(self.dtype)
        if self._steps is None:
            optimizer = optimizer_of(objective, None, recipe)
            self._steps = optimizer, optimizer.init(w), np.random.default_rng(recipe.seed)
        optimizer, state, random = self._steps
        losses = []
        with np.errstate(over="ignore", invalid="ignore"):
            size = objective.rows if recipe.batch_size is None else recipe.batch_size
            for batch in objective.batches(size, random.permutation(objective.rows)):
                value, gradient = batch.value_and_gradient(w)
                optimizer.update(w, gradient, state, optimizer.lr)
                losses.append(value)
            W = centred(objective, w.astype(np.float64)).reshape(objective.shape)
            finite = all(np.isfinite(part).all() for part in self._scaling.outward(W))
        self.loss_curve_ = np.append(self.loss_curve_, np.mean(losses))
        self.n_iter_ += 1
        if not finite:
            raise diverged(self.n_iter_, optimizer.lr, float(self.loss_curve_[0]), float(self.loss_curve_[-1]))
        self._keep(W)

    def _keep(self, weights: Floats) -> None:
        """Set ``coef_`` and ``intercept_`` from parameters of the scaled columns."""
        coefficients, intercepts = self._scaling.outward(weights)
        self.coef_ = coefficients[0] if self._flat else coefficients
        self.intercept_ = float(intercepts[0]) if self._flat else intercepts

    def _parameters(self) -> tuple[Floats, Floats]:
        return np.atleast_2d(self.coef_), np.atleast_1d(self.intercept_)

    def _has(self, outputs: int, columns: int) -> bool:
        return hasattr(self, "coef_") and np.atleast_2d(self.coef_).shape == (outputs, columns)

    def _predictor(self, X: ArrayLike) -> Floats:
        """Return X coef_' + intercept_, rows x outputs; raises sklearn's errors for X that it cannot take."""
        check_is_fitted(self)
        rows: Floats = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        coefficients, intercepts = self._parameters()
        return np.asarray(rows @ coefficients.T + intercepts)


def _apart(objective: RowsObjective, weights: Floats) -> bool:
    """Tell whether a plane separates classes, wholly or in part, so that their loss has no minimum.

    A linear programme is solved only where the probability of some row's class is almost 1, as separation makes it.
    """
    Z = objective.predictor(weights.astype(objective.X.dtype))
    if separated(Z, objective.Y):
        return True
    if not margins(Z, objective.Y).max() > CERTAIN or objective.cells > PROGRAMMED:
        return False
    codes, classes = objective.Y[:, 0].astype(np.int64), max(Z.shape[1], 2)
    return find_separation(objective.X.astype(np.float64, copy=False), codes, classes) is not None
