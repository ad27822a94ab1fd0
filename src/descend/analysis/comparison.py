"""What a comparison of hypotheses gives: each with its score on the same unseen rows, and which to prefer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One hypothesis: its columns (parameters an output), its score on unseen rows and that score's standard error.

    ``difference`` is its score less the best one's, with its own standard error from the row-by-row differences.
    """

    formula: str
    columns: int
    score: float
    error: float
    difference: float
    difference_error: float


@dataclass(frozen=True)
class Comparison:
    """Hypotheses about one target, scored on the same ``tested`` rows in the same folds; lower scores are better.

    ``metric`` is rmse (in the target's unit; over several targets in units of their spread) or log_loss. ``simplest``
    is the one with the fewest columns within one standard error of the best (Breiman et al. 1984, section 3.4.3).
    """

    table_name: str
    rows: int
    folds: int
    tested: int
    metric: str
    baseline: float
    entries: list[Entry]
    best: Entry
    simplest: Entry
    verdict: str
    values: dict[str, Any]
