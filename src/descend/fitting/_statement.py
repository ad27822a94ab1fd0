"""What is to be fitted: a hypothesis stated on a table, with its recipe and the split of its rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.fitting._linear_layer import as_equation
from descend.fitting.problem import Problem
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.analysis.verification import Split
    from descend.fitting.model import Model
    from descend.fitting.trained import TrainedProblem
    from descend.formula.equation import Equation
    from descend.formula.formula import Formula
    from descend.solvers.recipe import Recipe


@dataclass(frozen=True)
class Statement:
    """A hypothesis stated on a table in memory, with its recipe, and which of the rows are fitted and tested."""

    problem: Problem
    recipe: Recipe
    split: Split

    @property
    def mark(self) -> dict[str, Any]:
        """What identifies the run in its checkpoint: the hypothesis, the settings and checksums of the rows."""
        return table_mark(self.problem, self.split.train, self.recipe)

    @property
    def table_name(self) -> str:
        """The name of the table."""
        return self.problem.data.table.name

    @property
    def table_columns(self) -> list[str]:
        """The columns of the table."""
        return self.problem.data.table.columns

    def table_rows(self, trained: TrainedProblem) -> int:
        """Return how many rows the table has."""
        return self.problem.data.table.rows

    def train(self, run: RunOptions = DEFAULT_OPTIONS) -> TrainedProblem:
        """Fit the rows that are not held back."""
        return self.problem.train(self.split.train, self.recipe, run)

    def tested(self, model: Model) -> Model:
        """Return a model with the test on rows that the problem does not hold; here the problem holds all of them."""
        return model


def state_table(formula: str | Formula | Equation, table: Any, recipe: Recipe) -> Statement:
    """State a hypothesis on a table in memory."""
    problem = Problem.of(formula, table, recipe)
    split = problem.split(recipe)
    return Statement(*as_equation(problem, recipe, split.train), split)


def table_mark(problem: Problem, rows: NDArray[np.int64], recipe: Recipe) -> dict[str, Any]:
    """Return what identifies a run in its checkpoint: the hypothesis, the settings and checksums of the rows."""
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
    if problem.layer is not None:
        marks["module"] = _digest(problem.layer.state())
    return {**recipe.mark(), "formula": problem.hypothesis.text, "rows": int(rows.size), **marks}


def _digest(*parts: NDArray[Any] | bytes) -> str:
    """Return a short checksum of arrays and texts."""
    made = hashlib.sha256()
    for part in parts:
        made.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes())
    return made.hexdigest()[:16]
