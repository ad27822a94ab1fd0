"""What is to be fitted: a hypothesis stated on a table in memory, or on a scan; from here the road is the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.analysis.verification import HOLDOUT_FROM
from descend.fitting.problem import Problem
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from descend.analysis.verification import Split
    from descend.fitting._streaming import Streamed
    from descend.fitting.trained import TrainedProblem
    from descend.formula.ast import Formula
    from descend.solvers.recipe import Recipe
    from descend.tables.executors import Reading
    from descend.tables.scan import Scan
    from descend.tables.table import Table


@dataclass(frozen=True)
class Stated:
    """A problem and its recipe, and which of its rows are fitted and tested.

    ``held`` are the rows of a stream that are kept back for the test, as a table; ``streamed`` is there where the rows
    lie in a scan, of which the problem has but some.
    """

    problem: Problem
    recipe: Recipe
    split: Split
    held: dict[str, Any] | None = None
    streamed: Streamed | None = None

    @classmethod
    def of(cls, problem: Problem, recipe: Recipe, held: dict[str, Any] | None = None) -> Stated:
        """State a problem whose rows are in memory."""
        return cls(problem, recipe, problem.split(recipe), held)

    @property
    def mark(self) -> dict[str, Any]:
        """What tells the run from another, for its checkpoint."""
        if self.streamed is not None:
            return self.streamed.mark(self.recipe)
        return table_mark(self.problem, self.split.train, self.recipe)

    @property
    def table(self) -> tuple[str, int, list[str]]:
        """The table's name, how many rows it has, and its columns."""
        if self.streamed is not None:
            scan = self.streamed.scan
            return scan.name, scan.rows, scan.head.columns
        table = self.problem.data.table
        return table.name, table.rows, table.columns

    def train(self, run: RunOptions = DEFAULT_OPTIONS) -> TrainedProblem:
        """Fit the rows that are not held back."""
        if self.streamed is not None:
            return self.streamed.train(self.recipe, run)
        return self.problem.train(self.split.train, self.recipe, run)


def of_table(formula: str | Formula, table: Table, recipe: Recipe) -> Stated:
    """State a hypothesis on a table in memory."""
    return Stated.of(Problem.of(formula, table, recipe), recipe)


def of_scan(
    formula: str | Formula, scan: Scan, recipe: Recipe, reading: Reading, checkpoint: Path | None, *, resume: bool
) -> Stated:
    """State a hypothesis on a scan, of which this surveys the rows.

    So few rows that each is predicted from the others are taken into memory: they fit there.
    """
    from descend.fitting._streaming import state
    from descend.tables.scans.collect import collect

    if scan.rows >= HOLDOUT_FROM:
        streamed = state(formula, scan, recipe, reading, checkpoint, resume=resume)
        if recipe.test != "auto" or streamed.survey.rows >= HOLDOUT_FROM:
            return Stated(streamed.problem, recipe, streamed.split, streamed=streamed)
    return of_table(formula, collect(scan), recipe)


def table_mark(problem: Problem, rows: NDArray[np.int64], recipe: Recipe) -> dict[str, Any]:
    """Return what tells a run from another, for its checkpoint: the hypothesis, the settings and the rows."""
    data = problem.data.take(rows)
    columns = [*data.numbers.values(), *data.images.values()]
    texts = ["\0".join(map(str, labels.to_list())).encode() for labels in data.labels.values()]
    marks = {
        "targets": _digest(problem.target.encode(data)),
        "columns": _digest(*columns, *texts),
    }
    if hasattr(recipe.hypothesis, "state_dict") and not isinstance(recipe.hypothesis, type):
        state = recipe.hypothesis.state_dict()
        marks["module"] = _digest(str(recipe.hypothesis).encode(), *(np.array(t.tolist()) for t in state.values()))
    return {**recipe.mark(), "formula": problem.hypothesis.text, "rows": int(rows.size), **marks}


def _digest(*parts: NDArray[Any] | bytes) -> str:
    """Return a short checksum of arrays and texts."""
    made = hashlib.sha256()
    for part in parts:
        made.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes())
    return made.hexdigest()[:16]
