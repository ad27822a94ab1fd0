"""The rows of the table that a model keeps, for its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from descend.solvers.settings import KEPT_ROWS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.tables.columns import Columns


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows kept for pictures: the columns that the hypothesis uses, and which of the rows were held out."""

    frame: pl.DataFrame
    tested: NDArray[np.bool_]


def keep_sample(
    data: Columns, train: NDArray[np.int64], tested: NDArray[np.int64], seed: int, most: int = KEPT_ROWS
) -> Sample:
    """Return at most so many rows of the columns, drawn at random where there are more."""
    rows = np.concatenate([train, tested])
    held = np.concatenate([np.zeros(train.size, dtype=bool), np.ones(tested.size, dtype=bool)])
    if rows.size > most:
        chosen = np.sort(np.random.default_rng(seed).choice(rows.size, most, replace=False))
        rows, held = rows[chosen], held[chosen]
    taken = data.take(rows)
    return Sample(pl.DataFrame({**taken.numbers, **taken.labels, **taken.images}), held)
