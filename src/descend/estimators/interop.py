"""Conversion between scikit-learn and descend: a fitted linear estimator to a Model, and a Model to an estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from descend.base.errors import ModelError
from descend.base.messages import Note
from descend.estimators import DescentClassifier, DescentRegressor
from descend.estimators.plain import plain_design, plain_target
from descend.estimators.scaling import Scaling
from descend.fitting.model import Model
from descend.model.hypotheses.linear import LinearHypothesis
from descend.model.record import Assessment, FittedRows, Provenance
from descend.objectives.families import FAMILIES
from descend.objectives.losses import LOSSES
from descend.solvers.history import History

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from descend.base.typing import Floats


def from_sklearn(
    estimator: Any, feature_names: Sequence[str] | None = None, target: str | Sequence[str] | None = None
) -> Model:
    """Return a fitted scikit-learn estimator as a Model, which has an equation, predicts, evaluates and saves.

    estimator: LinearRegression, Ridge, Lasso, ElasticNet, SGDRegressor (squared_error, huber), PoissonRegressor,
        LogisticRegression, SGDClassifier (log_loss, two classes), DescentRegressor, DescentClassifier, or a Pipeline of
        a StandardScaler and one of these.
    feature_names: the names of the columns; None: those of the fit, else x0, x1 and so on.
    target: a name, or one for each target; None: y, or y0, y1 and so on.

    The training rows are not known: the baseline of ``evaluate`` is the prediction where the scaled columns are 0, or
        equal probabilities. Raises ModelError for another estimator, one that is not fitted, and too few or too many
        names.

    >>> import sklearn.linear_model
    >>> hours, score = [[1.0], [2.0], [3.0], [4.0]], [3.0, 5.0, 7.0, 9.0]
    >>> fitted = sklearn.linear_model.LinearRegression().fit(hours, score)
    >>> model = from_sklearn(fitted, feature_names=["hours"], target="score")
    >>> print(model.equation)
    score = 1 + 2 × hours
    """
    scaler, final = _parts(estimator)
    loss = _loss(final)
    first = final if scaler is None else scaler
    if not (hasattr(first, "n_features_in_") and hasattr(final, "coef_")):
        raise ModelError("model.sklearn-unfitted", found=type(estimator).__name__)
    own, whole = _scalings(scaler, final)
    weights = own.inward(np.atleast_2d(final.coef_).astype(np.float64), _intercepts(final))
    classes = getattr(final, "classes_", None)
    names = _named(feature_names, getattr(first, "feature_names_in_", None), "x", whole.means.size)
    given = [target] if isinstance(target, str) else target
    targets = _named(given, None, "y", weights.shape[1] if classes is None else 1)
    design = plain_design(names, targets, whole)
    made = plain_target(design.hypothesis, classes, loss)
    centre = weights[0] if whole.intercept else np.zeros(weights.shape[1])
    centred = scaler is not None and scaler.with_mean
    means = dict(zip(names, scaler.mean_.tolist(), strict=True)) if centred else {}
    return Model(
        hypothesis=LinearHypothesis(design, weights),
        target=made,
        history=_history(final, weights),
        provenance=Provenance(
            table_name=type(final).__name__,
            table_rows=0,
            table_columns=[*names, *targets],
            loss=loss,
            delta=float(getattr(final, "delta", getattr(final, "epsilon", 1.0))),
            settings={"test": "none"},
            notes=[Note("note.from-sklearn", {"name": type(final).__name__})],
        ),
        rows=FittedRows(
            count=0,
            base=made.predict(centre[None]) if classes is None else np.full((1, len(classes)), 1 / len(classes)),
            means=means,
        ),
        assessment=Assessment(),
    )


def _parts(estimator: Any) -> tuple[Any, Any]:
    """Return the scaler of a pipeline, None without one, and its last step."""
    from sklearn.pipeline import Pipeline  # type: ignore[import-untyped]
    from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

    if not isinstance(estimator, Pipeline):
        return None, estimator
    steps = [step for _, step in estimator.steps if step is not None and step != "passthrough"]
    if len(steps) == 1:
        return None, steps[0]
    if len(steps) != 2 or not isinstance(steps[0], StandardScaler):
        found = " + ".join(type(step).__name__ for step in steps)
        raise ModelError("model.sklearn-kind", found=f"Pipeline({found})")
    return steps[0], steps[1]


def _loss(final: Any) -> str:
    """Return descend's name of the loss that the estimator minimised; raises ModelError for one that descend lacks."""
    from sklearn.linear_model import (  # type: ignore[import-untyped]
        ElasticNet,
        LinearRegression,
        LogisticRegression,
        Ridge,
        SGDClassifier,
        SGDRegressor,
    )

    found = type(final).__name__
    if isinstance(final, DescentRegressor):
        return final.loss
    if isinstance(final, (LinearRegression, Ridge, ElasticNet)):
        return FAMILIES["linear"].loss
    two = len(getattr(final, "classes_", "ab")) == 2
    if isinstance(final, (SGDRegressor, SGDClassifier)):
        family = "linear" if isinstance(final, SGDRegressor) else "logistic" if two else None
        for loss in LOSSES.values():  # with more classes it is one against the rest, not softmax
            if loss.sklearn == final.loss and family in loss.families:
                return loss.name
        found = f"{found}(loss={final.loss!r})"
    if isinstance(final, (LogisticRegression, DescentClassifier)):
        return FAMILIES["logistic" if two else "softmax"].loss
    for of_numbers in FAMILIES.values():
        if of_numbers.estimator == found and not of_numbers.classes:
            return of_numbers.loss
    raise ModelError("model.sklearn-kind", found=found)


def _scalings(scaler: Any, final: Any) -> tuple[Scaling, Scaling]:
    """Return the scaling that the last step applies itself, and its product with the scaler's."""
    width = np.shape(final.coef_)[-1]
    nothing, one = np.zeros(width), np.ones(width)
    own = Scaling.given(nothing, one, intercept=True)
    if isinstance(final, (DescentRegressor, DescentClassifier)):
        own = final._scaling
    means = nothing if scaler is None or not scaler.with_mean else scaler.mean_
    scales = one if scaler is None or not scaler.with_std else scaler.scale_
    intercept = bool(final.fit_intercept or means.any())
    own = Scaling.given(own.means, own.scales, intercept=intercept)
    return own, Scaling.given(means + scales * own.means, scales * own.scales, intercept=intercept)


def _intercepts(final: Any) -> Floats:
    """Return an intercept for each output."""
    outputs = len(np.atleast_2d(final.coef_))
    return np.broadcast_to(np.ravel(final.intercept_).astype(np.float64), (outputs,))


def _named(given: Sequence[str] | None, known: ArrayLike | None, letter: str, count: int) -> list[str]:
    """Return the given names, else the known ones, else a letter with numbers."""
    if given is None and known is None:
        return [letter] if letter == "y" and count == 1 else [f"{letter}{index}" for index in range(count)]
    names = [str(name) for name in cast("Sequence[str]", known if given is None else given)]
    if len(names) != count:
        raise ModelError("model.sklearn-names", names=len(names), count=count)
    return names


def _history(final: Any, weights: Floats) -> History:
    """Return the history of the fit; for a foreign estimator one that holds only its name."""
    kept = getattr(final, "history_", None)
    if isinstance(kept, History) and kept.weights.size == weights.size and np.allclose(kept.weights, weights.ravel()):
        return kept
    return History(
        epoch=np.zeros(1, dtype=np.int64),
        loss=np.array([np.nan]),
        gradient_norm=np.array([np.nan]),
        weights=weights.ravel(),
        snapshot_epoch=np.zeros(1, dtype=np.int64),
        snapshots=weights.reshape(1, -1).copy(),
        stop="imported",
        optimizer=type(final).__name__,
        lr=float("nan"),
    )
