"""The bounds between which predictions lie with a given probability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.base.errors import ModelError
from descend.base.messages import Note, language
from descend.model.hypothesis import require_answerable
from descend.model.prediction import with_added, with_predictions

if TYPE_CHECKING:
    import polars as pl

    from descend.analysis.inference import Inference
    from descend.base.typing import Floats
    from descend.model.record import ModelRecord
    from descend.tables.columns import Columns


def require_inference(model: ModelRecord) -> Inference:
    """Return what the rows leave uncertain; raises ModelError where that cannot be said."""
    require_answerable(model.hypothesis, "intervals")
    if isinstance(model.inference, Note):
        raise ModelError("model.no-inference", reason=model.inference.tell(language()))
    return model.inference


def with_intervals(
    model: ModelRecord, data: Columns, inference: Inference, level: float, first: int = 0
) -> pl.DataFrame:
    """Return rows that were gathered with their predictions and the bounds of these beside them."""
    frame = with_predictions(model, data, first)
    Z = model.hypothesis.of_rows(data)
    scores = model.hypothesis.scores(inference, data)
    bounds: dict[str, tuple[Floats, Floats]] = {}
    if not model.target.family.classes:
        ends_of = {"": inference.row_interval(Z, scores, level)} if model.target.family.dispersion else {}
        ends_of["_mean"] = inference.mean_interval(Z, scores, level)
        for kind, (low, high) in ends_of.items():
            ends = np.sort(np.stack([model.target.predict(low), model.target.predict(high)]), axis=0)
            middle = model.target.predict(Z)
            torn = ~((ends[0] <= middle) & (middle <= ends[1]))  # across a pole of the target's transform
            ends[0][torn], ends[1][torn] = -np.inf, np.inf
            for index, column in enumerate(model.target.columns):
                bounds[f"{column}{kind}"] = ends[0][:, index], ends[1][:, index]
    else:
        low, high = inference.class_interval(Z, scores, level)
        bounds = {f"P({name})": (low[:, i], high[:, i]) for i, name in enumerate(model.target.levels)}
    added = {
        f"{name}_{end}": values
        for name, ends in bounds.items()
        for end, values in zip(("low", "high"), ends, strict=True)
    }
    return with_added(frame, added, data.table.name)
