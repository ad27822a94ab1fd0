"""PyTorch networks and modules as scikit-learn estimators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin, is_classifier  # type: ignore[import-untyped]
from sklearn.utils.multiclass import check_classification_targets  # type: ignore[import-untyped]
from sklearn.utils.validation import check_is_fitted, validate_data  # type: ignore[import-untyped]

from descend.analysis.verification import split_rows
from descend.estimators.base import Estimator, diverged
from descend.estimators.classes import Classifier, distinct_classes
from descend.estimators.plain import plain_design, plain_target
from descend.estimators.scaling import Scaling
from descend.objectives.losses import make_loss
from descend.objectives.target import number_family
from descend.solvers import torch_training

if TYPE_CHECKING:
    import torch
    from numpy.typing import ArrayLike, NDArray

    from descend.base.typing import Floats
    from descend.objectives.losses import Loss
    from descend.objectives.torch_module import ModuleObjective


class ModuleEstimator(Estimator):
    """Base class of the network estimators: fits ``network_`` to arrays."""

    def _fit(self, X: Floats, Y: Floats, loss: Loss, outputs: int, classes: NDArray[Any] | None = None) -> None:
        """Build the network and train it with the recipe."""
        given = self.loss if callable(self.loss) else loss.name
        recipe = self._recipe(
            hypothesis=self.hypothesis,
            loss=given,
            standardize=self.standardize,
            device=self.device,
        )
        self._scaling = Scaling.learn(X, None, intercept=True, standardize=self.standardize)
        names = [f"x{index}" for index in range(X.shape[1])]
        targets = [f"y{index}" for index in range(Y.shape[1])]
        design = plain_design(names, targets, self._scaling)
        target = plain_target(design.hypothesis, classes, loss.name)
        fitted, held = np.arange(len(X)), None
        if self.early_stopping:
            codes = Y[:, 0].astype(np.int64) if is_classifier(self) else None
            fitted, held = split_rows(len(X), recipe.validation, recipe.seed, codes).folds[0]
        network = torch_training.prepare(design, target, Y[fitted], recipe)
        columns = self._scaling.apply(X)

        def over(rows: NDArray[np.int64]) -> ModuleObjective:
            source = torch_training.in_memory(network, columns[rows], Y[rows])
            return torch_training.objective_of(
                network, source, loss, recipe, classes=outputs > 1 and classes is not None
            )

        with np.errstate(over="ignore", invalid="ignore"):  # an overflow of the loss raises DivergedError below
            history = torch_training.train_network(over(fitted), recipe, None if held is None else over(held))
        if history.diverged:
            raise diverged(history.epochs, history.lr, float(history.loss[0]), float(history.loss[-1]))
        self.network_ = network
        self._record(history)

    @property
    def module_(self) -> torch.nn.Module:
        """The trained module; it takes standardised columns."""
        check_is_fitted(self)
        module: torch.nn.Module = self.network_.body
        return module

    def _predictor(self, X: ArrayLike) -> Floats:
        """Return the network's outputs, (rows, outputs); raises scikit-learn's errors for an invalid X."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        made: Floats = self.network_.predictor(self._scaling.apply(rows))
        return made


class ModuleRegressor(MultiOutputMixin, RegressorMixin, ModuleEstimator):  # type: ignore[misc]
    """Regression by a PyTorch network, trained on standardised columns and targets.

    hypothesis: an architecture such as "mlp(32, 16, dropout=0.1)", a torch.nn.Module (copied, with the parameters it
        has), or a class of them, called with ``inputs`` and ``outputs`` where it takes them.
    loss: the name of any of descend's losses of numbers, such as "mse" or "huber" (corner at 1), or a callable of
        predictions and targets.
    optimizer: "auto" is adam in batches of 32; or any optimizer of torch.optim by name, or as an object over the
        parameters of the module that was given. lr: None takes the optimizer's usual one.
    max_iter: epochs; None: about 3,000 steps under "auto", else 1000. batch_size: rows per step.
    momentum, nesterov, smoothing (rmsprop's alpha), beta1, beta2, eps, lr_decay, weight_decay: PyTorch's, of the
        optimizers that have them; None: the optimizer's own default.
    standardize: scale columns and targets inside to mean 0 and deviation 1.
    early_stopping: hold out ``validation_fraction`` of the rows and stop when the loss on them has not improved for
        ``n_iter_no_change`` epochs, going back to the best.
    random_state: the seed of the first parameters, the batches and dropout. device: "auto", "cpu", "cuda" or "mps".
    dtype: "float64", as in scikit-learn, or "float32", which is faster and the only one on mps.

    Fitted: ``module_``, ``n_iter_``, ``loss_curve_`` (the loss of all rows before each epoch and after the last),
    ``history_`` (a descend.History), ``n_features_in_``, ``feature_names_in_``.
    ``fit`` raises DivergedError where the loss grows without bound, OptionError for a setting that makes no sense and
    where PyTorch is not installed.
    """

    def __init__(
        self,
        hypothesis: Any = "mlp(32, 16)",
        *,
        loss: Any = "mse",
        optimizer: Any = "auto",
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
        standardize: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.2,
        n_iter_no_change: int = 10,
        random_state: int | np.random.RandomState | None = None,
        device: str = "cpu",
        dtype: str = "float64",
    ) -> None:
        self.hypothesis = hypothesis
        self.loss = loss
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
        self.standardize = standardize
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.device = device
        self.dtype = dtype

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit on X (rows, columns) and y (rows,) or (rows, targets)."""
        rows, targets, _ = self._checked(X, y, None, reset=True, multi_output=True, y_numeric=True)
        self._flat = targets.ndim == 1
        Y = targets.reshape(len(rows), -1).astype(np.float64)
        named = "mse" if callable(self.loss) else self.loss
        loss = make_loss(named, number_family(named))
        loss.check(Y, "y")
        self._fit(rows, Y, loss, Y.shape[1])
        return self

    def predict(self, X: ArrayLike) -> Floats:
        """Return the predictions for X (rows, columns): (rows,) or (rows, targets)."""
        link = number_family("mse" if callable(self.loss) else self.loss).link
        made = link.inverse(self._predictor(X))
        return made[:, 0] if self._flat else made


class ModuleClassifier(Classifier, ModuleEstimator):
    """Classification by a PyTorch network, trained on standardised columns by cross-entropy.

    The module gives a logit for the second of two classes, or one for each of more; no softmax at its end.
    loss: None, or a callable of logits and targets. The other parameters are as in ModuleRegressor.
    Fitted: ``classes_`` and what ModuleRegressor has.
    """

    def __init__(
        self,
        hypothesis: Any = "mlp(32, 16)",
        *,
        loss: Any = None,
        optimizer: Any = "auto",
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
        standardize: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.2,
        n_iter_no_change: int = 10,
        random_state: int | np.random.RandomState | None = None,
        device: str = "cpu",
        dtype: str = "float64",
    ) -> None:
        self.hypothesis = hypothesis
        self.loss = loss
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
        self.standardize = standardize
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.device = device
        self.dtype = dtype

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit on X (rows, columns) and y (rows,) of classes; raises DesignError where there is one class only."""
        rows, labels, _ = self._checked(X, y, None, reset=True)
        check_classification_targets(labels)
        self.classes_ = distinct_classes(labels)
        self._fit(rows, self._codes(labels), self._loss, self._outputs, self.classes_)
        return self
