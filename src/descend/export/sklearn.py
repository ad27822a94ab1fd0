"""A fitted model as an estimator of scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.errors import ModelError
from descend.formula.ast import Name, label
from descend.model.hypothesis import require_answerable

if TYPE_CHECKING:
    from descend.model.fitted import FittedModel


def to_sklearn(model: FittedModel) -> Any:
    """Return a fitted estimator of scikit-learn's linear models, the family's, that predicts what the model does.

    Raises ModelError for a network, and for a hypothesis with a term or a target that is more than a column.
    """
    from sklearn import linear_model  # type: ignore[import-untyped]

    require_answerable(model.hypothesis, "sklearn")
    for block in model.design.blocks:
        code = block.codes[0]
        if len(block.codes) > 1 or code.use != "number" or not code.column:
            raise ModelError("model.sklearn-term", term=label(block.term))
    for expression in model.target.expressions:
        if not isinstance(expression, Name):
            raise ModelError("model.sklearn-target", target=str(expression))
    intercept = model.design.hypothesis.intercept
    raw = model.raw
    intercepts = raw[0] if intercept else np.zeros(raw.shape[1])
    coefficients = raw[int(intercept) :].T
    family = model.target.family
    made = getattr(linear_model, family.estimator)(fit_intercept=intercept)
    if family.classes:
        made.coef_, made.intercept_ = coefficients, intercepts
        made.classes_ = model.target.labels(np.eye(len(model.target.levels)))
        made.n_iter_ = np.array([model.history.epochs], dtype=np.int32)
    else:
        several = len(coefficients) > 1
        made.coef_ = coefficients if several else coefficients[0]
        made.intercept_ = intercepts if several else float(intercepts[0])
    if hasattr(made, "_get_loss"):  # a generalized linear model keeps its link there
        made._base_loss = made._get_loss()
    names = [name.name for name in model.design.hypothesis.inputs]
    made.n_features_in_, made.feature_names_in_ = len(names), np.array(names, dtype=object)
    return made
