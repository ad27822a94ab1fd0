"""The base class of classifiers: the classes, and predictions from logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import ClassifierMixin  # type: ignore[import-untyped]

from descend.base.errors import DesignError
from descend.objectives.families import FAMILIES
from descend.objectives.links import sigmoid, softmax
from descend.objectives.losses import BinaryCrossEntropy, make_loss

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from descend.base.typing import Floats
    from descend.objectives.losses import Loss


class Classifier(ClassifierMixin):  # type: ignore[misc]
    """Predictions of ``classes_`` from a subclass's ``_predictor``: logits, rows x outputs."""

    def decision_function(self, X: ArrayLike) -> Floats:
        """Return the logit of the second of two classes (rows,), or of each of more (rows, classes)."""
        Z = self._predictor(X)
        return np.asarray(Z[:, 0] if Z.shape[1] == 1 else Z)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the likeliest class of every row."""
        Z = self._predictor(X)
        chosen = (Z[:, 0] > 0).astype(np.intp) if Z.shape[1] == 1 else Z.argmax(axis=1)
        return np.asarray(self.classes_[chosen])

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Return the probability of every class, (rows, classes)."""
        Z = self._predictor(X)
        return np.concatenate([sigmoid(-Z), sigmoid(Z)], axis=1) if Z.shape[1] == 1 else softmax(Z)

    def predict_log_proba(self, X: ArrayLike) -> Floats:
        """Return the log-probability of every class, (rows, classes); finite where the probability rounds to 0."""
        Z = self._predictor(X)
        if Z.shape[1] == 1:
            return -BinaryCrossEntropy().value(Z, np.array([[0.0, 1.0]]))
        Z = Z - Z.max(axis=1, keepdims=True)
        return np.asarray(Z - np.log(np.exp(Z).sum(axis=1, keepdims=True)))

    @property
    def _loss(self) -> Loss:
        return make_loss("auto", FAMILIES["logistic" if self.classes_.size == 2 else "softmax"])

    @property
    def _outputs(self) -> int:
        return 1 if self.classes_.size == 2 else int(self.classes_.size)

    def _codes(self, y: NDArray[Any]) -> Floats:
        return np.searchsorted(self.classes_, y)[:, None].astype(np.float64)


def distinct_classes(labels: ArrayLike) -> NDArray[Any]:
    """Return the sorted classes of labels; raises DesignError where there is only one."""
    classes = np.unique(np.asarray(labels))
    if classes.size < 2:
        raise DesignError("design.one-class", column="y", level="".join(map(str, classes)))
    return classes
