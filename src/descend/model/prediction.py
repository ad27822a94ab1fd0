"""Predictions of rows that were gathered, and the rows of a table with their predictions beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from descend.analysis.verification import Verification, judge
from descend.base.errors import DesignError, ModelError
from descend.model.cautions import means, medians

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.model.record import ModelRecord
    from descend.tables.columns import Columns


def predict_columns(model: ModelRecord, data: Columns, *, mean: bool = False) -> Floats:
    """Return what ``Target.predict`` gives for rows that were gathered: rows x targets, or x classes.

    With ``mean`` the means of transformed targets; raises ModelError where the model has no errors to take them by.
    """
    Z = model.hypothesis.of_rows(data)
    if not mean or not medians(model.target):
        return model.target.predict(Z)
    if model.errors is None:
        raise ModelError("model.no-errors", target=", ".join(model.target.columns))
    return means(model.target, Z, model.errors)


def with_predictions(model: ModelRecord, data: Columns, first: int = 0, *, mean: bool = False) -> pl.DataFrame:
    """Return rows that were gathered with their predictions beside them; ``first`` is the number of the first."""
    made = predict_columns(model, data, mean=mean)
    frame = _without_images(data, first)
    if model.target.family.classes:
        added = {f"{model.target.columns[0]}_predicted": model.target.labels(made)}
        added |= {f"P({level})": made[:, i] for i, level in enumerate(model.target.levels)}
    else:
        added = {f"{column}_predicted": made[:, i] for i, column in enumerate(model.target.columns)}
    return with_added(frame, added, data.table.name)


def score_given(model: ModelRecord, truth: Floats, predicted: Floats) -> Verification:
    """Score predictions of given rows beside the baseline of the rows that the model was fitted on."""
    base = np.broadcast_to(model.base, (len(truth), model.base.shape[1]))
    return judge(
        model.target, truth, predicted, base, method="given", fitted_rows=model.fitted_rows, finished=model.finished
    )


def with_added(frame: pl.DataFrame, added: dict[str, Any], table: str) -> pl.DataFrame:
    """Return a frame with columns added to it; raises DesignError where it has a column of such a name."""
    for name in added:
        if name in frame.columns:
            raise DesignError("design.column-taken", table=table, column=name)
    return frame.with_columns(pl.Series(name, values) for name, values in added.items())


def _without_images(data: Columns, first: int = 0) -> pl.DataFrame:
    """Return the rows' table without its images, with ``row`` in their place unless a column names their files."""
    table = data.table
    images = [name for name in table.columns if table.kind(name) == "image"]
    if not images:
        return table.frame[data.rows]
    frame = table.frame.drop(images)[data.rows]
    if {"file", "row"} & set(frame.columns):
        return frame
    return frame.select(pl.Series("row", first + data.rows + 1), pl.all())
