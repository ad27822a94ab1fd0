"""The base class of all estimators: their parameters as a recipe, and arrays validated by scikit-learn."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator  # type: ignore[import-untyped]
from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
from sklearn.utils import check_random_state  # type: ignore[import-untyped]
from sklearn.utils.validation import _check_sample_weight, validate_data  # type: ignore[import-untyped]

from descend.base.errors import DivergedError, OptionError
from descend.base.messages import say
from descend.solvers.recipe import Recipe
from descend.solvers.settings import OF_OPTIMIZERS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from descend.base.typing import Floats
    from descend.solvers.history import History

KINDS = ("float64", "float32")
PARAMETERS = {
    "epochs": "max_iter",
    "tolerance": "tol",
    "patience": "n_iter_no_change",
    "validation": "validation_fraction",
    "seed": "random_state",
    "alpha": "smoothing",  # scikit-learn's alpha is a penalty
}


class Estimator(BaseEstimator):  # type: ignore[misc]
    """Base class; a subclass's constructor sets the parameters."""

    def _recipe(self, **settings: Any) -> Recipe:
        """Return the parameters as a recipe; an error names them as they are called here."""
        if self.early_stopping:
            settings |= {"patience": self.n_iter_no_change, "validation": self.validation_fraction}
        whole = isinstance(self.random_state, (int, np.integer))
        random = self.random_state if whole else check_random_state(self.random_state).randint(2**31 - 1)
        common = {
            "optimizer": self.optimizer,
            "lr": self.lr,
            **{name: getattr(self, PARAMETERS.get(name, name)) for name in OF_OPTIMIZERS},
            "epochs": self.max_iter,
            "batch_size": self.batch_size,
            "seed": int(random),
            "dtype": self.dtype,
        }
        try:
            return Recipe(**{**common, **settings})
        except OptionError as error:
            name = error.values.get("name")
            raise OptionError(error.code, **{**error.values, "name": PARAMETERS.get(str(name), name)}) from None

    def _checked(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, reset: bool, **how: Any
    ) -> tuple[Floats, NDArray[Any], Floats | None]:
        """Return the arrays after scikit-learn's validation; raises its errors."""
        if self.dtype not in KINDS:
            raise OptionError("option.dtype", value=self.dtype, known=", ".join(KINDS))
        rows, targets = validate_data(self, X, y, dtype=np.dtype(self.dtype), reset=reset, **how)
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
        return rows, targets, weights

    def _record(self, history: History, *, there: bool = True) -> None:
        """Set the fitted attributes of the run, and warn if it stopped before it was ``there``, at the optimum.

        Raises KeyboardInterrupt for an interrupted run.
        """
        self.history_ = history
        self.loss_curve_ = history.loss
        self.n_iter_ = max(history.epochs, 1)
        if history.stop == "interrupted":
            raise KeyboardInterrupt  # the result so far is kept, but a search over many fits must end
        if history.stop in ("stalled", "epochs") and not there:
            code = "estimator.not-arrived" if history.optimizer == "auto" else "estimator.run-not-arrived"
            values: dict[str, Any] = {"steps": history.epochs, "slope": history.final_gradient_norm}
            warnings.warn(say(code, **values), ConvergenceWarning, stacklevel=4)


def diverged(epoch: int, lr: float, first: float, last: float) -> DivergedError:
    """Return the DivergedError of a run: its epoch, rate, first and last loss."""
    return DivergedError("fit.diverged", None, epoch=epoch, lr=lr, first=first, loss=last, suggestion=lr / 10)
