"""Linear, logistic and softmax regression as scikit-learn estimators, with sample weights and ``partial_fit``.

The penalty is l2 times the squares of ``coef_``, the parameters of the columns as given; ``standardize`` changes only
how fast a run converges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin  # type: ignore[import-untyped]
from sklearn.utils.class_weight import compute_class_weight  # type: ignore[import-untyped]
from sklearn.utils.multiclass import check_classification_targets  # type: ignore[import-untyped]

from descend.base.errors import OptionError
from descend.estimators.classes import Classifier, distinct_classes
from descend.estimators.descent import DescentEstimator
from descend.objectives.losses import make_loss
from descend.objectives.target import number_family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from descend.base.typing import Floats
    from descend.objectives.losses import Loss


class DescentRegressor(MultiOutputMixin, RegressorMixin, DescentEstimator):  # type: ignore[misc]
    """Linear regression by gradient descent: min loss(X coef_' + intercept_, y) + l2 |coef_|^2.

    loss: the name of any of descend's losses of numbers, such as "mse" or "huber" (corner at ``delta``); all but "sse"
        are means over rows and targets. With "poisson" it is Poisson regression of numbers from 0, whose predictions
        are exp(X coef_' + intercept_): ``PoissonRegressor(alpha)`` has the minimum of ``l2=alpha / 2``.
    l2: the penalty of the columns as given; 0: none. Of n rows (or the sum of their weights) and m targets,
        ``Ridge(alpha)`` has the minimum of ``l2=alpha / (n * m)`` with "mse" and of ``l2=alpha`` with "sse".
    standardize: descend in columns of mean 0 and standard deviation 1. Penalty and optimum are those of the columns as
        given either way; of several optima the run takes the nearest to its start in the columns that it descends in.
    optimizer: "auto" finds the optimum; one of descend's optimizers ("sgd", "adam" ...) runs ``max_iter`` epochs
        (None: 1000). A setting that only makes sense epoch by epoch turns "auto" into "sgd".
    momentum, nesterov, smoothing (rmsprop's alpha), beta1, beta2, eps, lr_decay, weight_decay: PyTorch's, of the
        optimizers that have them; None: the optimizer's own default.
    lr: the learning rate; None: the best known one for sgd, the optimizer's default for the others.
    batch_size: rows per step; None: all. tol: stop when the gradient's norm is at most ``tol`` times its first.
    early_stopping: hold out ``validation_fraction`` of the rows and stop when the loss on them has not improved for
        ``n_iter_no_change`` epochs.
    warm_start: ``fit`` starts from where the last one ended. dtype: "float64" or "float32".

    Fitted: ``coef_`` (columns,) or (targets, columns), ``intercept_``, ``n_iter_``, ``loss_curve_`` (the loss before
    each epoch and after the last), ``history_`` (a descend.History), ``n_features_in_``, ``feature_names_in_``.
    ``fit`` raises DivergedError where the loss grows without bound, OptionError for a setting that makes no sense.
    With ``loss="poisson"`` targets may be any numbers from 0 on and ``predict`` gives means; ``score`` is R^2 with
    every loss.

    >>> model = DescentRegressor().fit([[1.0], [2.0], [3.0], [4.0]], [3.0, 5.0, 7.0, 9.0])
    >>> model.coef_.round(6).tolist(), round(model.intercept_, 6)
    ([2.0], 1.0)
    >>> model.predict([[5.0]]).round(6).tolist()
    [11.0]
    """

    def __init__(
        self,
        loss: str = "mse",
        *,
        l2: float = 0.0,
        fit_intercept: bool = True,
        standardize: bool = True,
        optimizer: str = "auto",
        lr: float | None = None,
        momentum: float = 0.0,
        nesterov: bool = False,
        smoothing: float | None = None,
        beta1: float | None = None,
        beta2: float | None = None,
        eps: float | None = None,
        lr_decay: float | None = None,
        weight_decay: float | None = None,
        max_iter: int | None = None,
        batch_size: int | None = None,
        tol: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.2,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        delta: float = 1.0,
        dtype: str = "float64",
    ) -> None:
        self.loss = loss
        self.l2 = l2
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.optimizer = optimizer
        self.lr = lr
        self.momentum = momentum
        self.nesterov = nesterov
        self.smoothing = smoothing
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        self.lr_decay = lr_decay
        self.weight_decay = weight_decay
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.random_state = random_state
        self.delta = delta
        self.dtype = dtype

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit on X (rows, columns) and y (rows,) or (rows, targets); a sample weight repeats its row."""
        rows, Y, weights = self._arrays(X, y, sample_weight, reset=True)
        self._fit(rows, Y, self._loss(Y), Y.shape[1], weights)
        return self

    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Take one epoch's steps on a chunk. The first chunk fixes the scaling and the learning rate."""
        rows, Y, weights = self._arrays(X, y, sample_weight, reset=not hasattr(self, "coef_"))
        self._partial_fit(rows, Y, self._loss(Y), Y.shape[1], weights)
        return self

    def predict(self, X: ArrayLike) -> Floats:
        """Return the predictions for X (rows, columns): (rows,) or (rows, targets)."""
        made = number_family(self.loss).link.inverse(self._predictor(X))
        return made[:, 0] if self._flat else made

    def _loss(self, Y: Floats) -> Loss:
        loss = make_loss(self.loss, number_family(self.loss), delta=self.delta)
        loss.check(Y, "y")
        return loss

    def _arrays(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, reset: bool
    ) -> tuple[Floats, Floats, Floats | None]:
        rows, targets, weights = self._checked(X, y, sample_weight, reset=reset, multi_output=True, y_numeric=True)
        self._flat = targets.ndim == 1
        return rows, targets.reshape(len(rows), -1).astype(np.float64), weights


class DescentClassifier(Classifier, DescentEstimator):
    """Logistic (two classes) or softmax (more) regression by gradient descent.

    min mean cross-entropy(X coef_' + intercept_, y) + l2 |coef_|^2.

    l2: of n rows (or the sum of their weights), ``LogisticRegression(C)`` has the minimum of ``l2=1 / (2 * n * C)``.
        0: none. If a plane then separates classes the loss has no minimum: a ConvergenceWarning says so, and the
        coefficients are those under a penalty of 1e-6 on the scaled columns. ``l2`` itself is a penalty of the columns
        as given, so scale columns of different sizes first.
    class_weight: a weight by class, or "balanced" for n / (classes * rows of the class); it multiplies sample_weight.
    The other parameters and the fitted attributes are as in DescentRegressor, with ``classes_``; ``coef_`` is
    (1, columns) or (classes, columns).

    >>> model = DescentClassifier(l2=0.01).fit([[1.0], [2.0], [3.0], [4.0]], ["no", "no", "yes", "yes"])
    >>> model.predict([[0.0], [5.0]]).tolist()
    ['no', 'yes']
    >>> model.predict_proba([[2.5]]).round(6).tolist()
    [[0.5, 0.5]]
    """

    def __init__(
        self,
        *,
        l2: float = 0.0,
        fit_intercept: bool = True,
        standardize: bool = True,
        optimizer: str = "auto",
        lr: float | None = None,
        momentum: float = 0.0,
        nesterov: bool = False,
        smoothing: float | None = None,
        beta1: float | None = None,
        beta2: float | None = None,
        eps: float | None = None,
        lr_decay: float | None = None,
        weight_decay: float | None = None,
        max_iter: int | None = None,
        batch_size: int | None = None,
        tol: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.2,
        n_iter_no_change: int = 10,
        class_weight: Mapping[Any, float] | str | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        dtype: str = "float64",
    ) -> None:
        self.l2 = l2
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.optimizer = optimizer
        self.lr = lr
        self.momentum = momentum
        self.nesterov = nesterov
        self.smoothing = smoothing
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        self.lr_decay = lr_decay
        self.weight_decay = weight_decay
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.random_state = random_state
        self.dtype = dtype

    _flat = False

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit on X (rows, columns) and y (rows,) of classes; raises DesignError where there is one class only."""
        rows, labels, weights = self._arrays(X, y, sample_weight, reset=True)
        self.classes_ = distinct_classes(labels)
        self._fit(rows, self._codes(labels), self._loss, self._outputs, self._weighed(labels, weights))
        return self

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Take one epoch's steps on a chunk; ``classes`` lists all classes, and is required at the first call only."""
        first = not hasattr(self, "coef_")
        if isinstance(self.class_weight, str):
            raise OptionError("option.balanced-chunks", value=self.class_weight)
        rows, labels, weights = self._arrays(X, y, sample_weight, reset=first)
        if first:
            if classes is None:
                raise OptionError("option.classes-first")
            self.classes_ = distinct_classes(classes)
        unknown = np.setdiff1d(
            labels if classes is None else np.concatenate([labels, np.ravel(classes)]), self.classes_
        )
        if unknown.size:
            known = ", ".join(map(str, self.classes_[:20]))
            raise OptionError("option.class-unknown", value=unknown[0], known=known)
        self._partial_fit(rows, self._codes(labels), self._loss, self._outputs, self._weighed(labels, weights))
        return self

    def _weighed(self, y: NDArray[Any], weights: Floats | None) -> Floats | None:
        """Return the weight of each row: its sample weight times its class weight."""
        if self.class_weight is None:
            return weights
        by_class = compute_class_weight(self.class_weight, classes=self.classes_, y=y, sample_weight=weights)
        rows: Floats = by_class[np.searchsorted(self.classes_, y)]
        return rows if weights is None else rows * weights

    def _arrays(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, reset: bool
    ) -> tuple[Floats, NDArray[Any], Floats | None]:
        rows, classes, weights = self._checked(X, y, sample_weight, reset=reset)
        check_classification_targets(classes)
        return rows, classes, weights
