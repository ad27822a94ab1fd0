"""Profile intervals of a model's parameters, from the rows that the model keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.base.errors import ModelError
from descend.model.inputs import kept_columns
from descend.model.intervals import require_inference
from descend.objectives.losses import make_loss
from descend.solvers.parameter_settings import bounds_of

if TYPE_CHECKING:
    from descend.analysis.profile import ProfileIntervals
    from descend.base.typing import Floats
    from descend.model.record import ModelRecord


def profile_of(model: ModelRecord, level: float) -> ProfileIntervals:
    """Return the profile intervals of every parameter at probability ``level``.

    Raises ModelError where the fit has no standard errors, where the kind of hypothesis has no profile, and where the
    model keeps fewer rows than it was fitted on; OptionError for a level that is none.
    """
    inference = require_inference(model)
    loss = make_loss(model.loss, model.target.family, delta=model.delta)
    limits = bounds_of(model.settings.get("bounds"))
    return model.hypothesis.profile(inference, level, loss, limits, lambda: _fitted_rows(model))


def _fitted_rows(model: ModelRecord) -> tuple[Floats, Floats]:
    """Return the rows that were fitted, as the hypothesis takes them, and their targets."""
    tested = np.ones(0, dtype=bool) if model.sample is None else model.sample.tested
    fitted = np.flatnonzero(~tested)
    if fitted.size < model.fitted_rows:
        raise ModelError("model.profile-rows", kept=fitted.size, rows=model.fitted_rows, most=model.table_rows)
    columns = kept_columns(model).take(fitted)
    return model.design.matrix(columns), model.target.encode(columns)
