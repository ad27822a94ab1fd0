"""The columns that a model needs, read from a table and checked against those it was fitted on."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import polars as pl

from descend.objectives.target import target_uses
from descend.tables.columns import Columns, Use, gather, require_columns
from descend.tables.image_normalisation import as_fitted, ground
from descend.tables.open import header_of, read
from descend.tables.table import Table

if TYPE_CHECKING:
    from descend.model.record import ModelRecord


def kept_columns(model: ModelRecord) -> Columns:
    """Return the rows that a model keeps for pictures, ready for its design and its target."""
    wanted = {**model.design.uses, **target_uses(model.design.hypothesis, model.target.family)}
    if model.sample is None:
        kinds: dict[str, Any] = {"number": pl.Float64, "category": pl.String}
        images = pl.Array(pl.UInt8, model.design.image_shape or (1, 1))
        frame = pl.DataFrame(schema={name: kinds.get(use, images) for name, use in wanted.items()})
    else:
        frame = model.sample.frame
    return gather(wanted, Table(frame, model.table_name), whole=False)


def prepared_table(model: ModelRecord, source: Any) -> Table:
    """Return a table; where it is of pictures and the model of one grey image, with these made such as it knows.

    The table's notes say so: pictures are inverted where dark and light are the other way than in the fitted images,
    and where they are of another size they are prepared as the digits of MNIST were.
    """
    table, shape = read(source, header=header_of(None, model.formula)), model.design.image_shape
    name = next(iter(model.design.uses), "")
    if not table.pictures or shape is None or len(shape) != 2 or name not in table.columns:
        return table
    return as_fitted(table, name, (shape[0], shape[1]), light=ground(model.design.mean_pixels.reshape(shape)) > 0.5)


def gather_inputs(
    model: ModelRecord, source: Any, *, missing: str = "error", target: bool = False, whole: bool = True
) -> Columns:
    """Return the columns that a model needs from a table, or from a part of one (``whole`` False)."""
    table = prepared_table(model, source)
    wanted = wanted_columns(model, table, target=target)
    outputs = target_uses(model.design.hypothesis, model.target.family) if target else {}
    return gather(wanted, table, missing=missing, means=model.means, required=outputs, whole=whole)


def wanted_columns(model: ModelRecord, table: Table, *, target: bool = False) -> dict[str, Use]:
    """Return the columns that a model needs; raises DesignError where a table lacks one, or its kind is wrong."""
    wanted: dict[str, Use] = dict(model.design.uses)
    if target:
        wanted |= target_uses(model.design.hypothesis, model.target.family)
    require_columns(wanted, table, lambda name: get_close_matches(name, table.columns, n=1, cutoff=0.6))
    return wanted
