"""A hypothesis stated on a scan: its rows are read part by part, and few of them are kept.

The first reading is a survey; squared error needs no other. Other losses read the rows many times: from a design that
is spilled to a file, or on a cluster from its workers' memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.analysis.verification import Split, is_share
from descend.base.errors import OptionError
from descend.base.threads import block_rows
from descend.design.encodings.image import ImageCode
from descend.fitting.problem import Problem
from descend.fitting.survey.checkpoint import SurveyFile
from descend.fitting.survey.checkpoint import survey_scan as surveyed
from descend.fitting.survey.prepass import classes_of, prepared
from descend.fitting.survey.pushdown import survey_in_database as pushed_down
from descend.fitting.survey.results import (
    base_of,
    design_of,
    family_of,
    kept_rows,
    notes_of,
    require_rows,
    sums_of,
    target_of,
)
from descend.fitting.survey.survey import LAYERS, Plan, Survey, complete_columns, filled_columns
from descend.fitting.trained import run_solver
from descend.formula.ast import Formula
from descend.formula.parser import parse
from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import make_loss
from descend.objectives.partitioned import PartsObjective
from descend.objectives.rereading import Around, HeldBlock, RereadObjective
from descend.objectives.spilled import Spill, SpilledObjective
from descend.objectives.target import Target, choose_family, target_uses
from descend.solvers.effort import Effort
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions
from descend.tables.columns import uses
from descend.tables.databases.query import QueryScan
from descend.tables.executors import Reading, Rereading, Threads
from descend.tables.row_sampling import EXACT_BELOW, LOOKED_AT, Draw

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from descend.design.matrix import Design
    from descend.fitting.trained import TrainedProblem
    from descend.formula.ast import Hypothesis
    from descend.objectives.losses import Loss
    from descend.solvers.recipe import Recipe
    from descend.tables.columns import Columns, Use
    from descend.tables.scan import Part, Scan

    Floats = NDArray[np.floating[Any]]

FEW, FEW_CELLS = 200_000, 4_000_000  # rows that are kept to begin a search with, and their cells
REREAD_COLUMNS = 100  # the products of more take longer than a reading


@dataclass(frozen=True)
class Streamed:
    """A problem whose rows lie in a scan: ``problem`` has those that were kept, the ``shown`` before the tested."""

    problem: Problem
    scan: Scan
    plan: Plan
    survey: Survey
    design: Design
    reading: Reading
    shown: int

    @property
    def split(self) -> Split:
        """The kept rows that are among the fitted ones, and those that are tested."""
        rows = np.arange(len(self.problem.data))
        fitted, tested = rows[: self.shown], rows[self.shown :]
        return Split("holdout", fitted, [(fitted, tested)]) if tested.size else Split("none", fitted, [])

    def mark(self, recipe: Recipe) -> dict[str, Any]:
        """Return what tells a run of a recipe from another."""
        return scan_mark(self.problem.hypothesis, self.scan, recipe)

    def train(self, recipe: Recipe, run: RunOptions = DEFAULT_OPTIONS) -> TrainedProblem:
        """Fit on all rows that are not held back."""
        fitted = self.split.train
        shown = self.problem.over(self.design, fitted, recipe)
        data = self.problem.data.take(fitted)
        return run_solver(self.design, self.objective(recipe, shown), data, recipe, run=run, shown=shown)

    def objective(self, recipe: Recipe, few: RowsObjective | None = None) -> PartsObjective | SpilledObjective:
        """Return the loss over the rows, which are made ready to be read as often as it takes.

        ``few`` is the loss over those that were kept: from there the optimum of a file's rows is a few readings away.
        """
        columns, loss = list(self.plan.wanted), self.problem.loss
        encode = Encoding(self.plan, self.design, self.problem.target, loss)
        side = len(self.design.names)  # rows that are as many: readings tell of themselves
        Effort.of(side, side, len(self.problem.target.outputs), loss, recipe).require(recipe)
        sums = sums_of(self.plan, self.survey, self.design)
        targets = max(len(self.plan.expressions), 1)
        outputs, width = len(self.problem.target.outputs), len(self.design.names)
        about = loss, outputs, recipe.l2, self.design.penalised, width, targets, self.survey.fitted, sums
        reread = Rereading(self.reading, partial(Encoded, encode), lambda: self.scan.parts(columns))
        doubles = recipe.batch_size is None and recipe.arithmetic == "float64"
        if doubles and loss.quadratic:
            return PartsObjective(reread, *about)
        if recipe.batch_size is None:
            holding = self.reading.workers.hold(encode, self.scan.parts(columns))
            if holding is not None:
                return PartsObjective(holding, *about)
        if doubles and few is not None and recipe.method == "auto" and self._read_quickly(loss, width):
            return RereadObjective(reread, *about, few=few)
        spill = Spill(self.reading.scratch, self.survey.layers, width, targets, recipe.arithmetic)
        for part, layers in self.reading.each("spilling", encode.by_layer, self.scan.parts(columns)):
            spill.write(part.X, part.Y, layers)
        return SpilledObjective(
            spill.X, spill.Y, loss, outputs, recipe.l2, self.design.penalised, spill=spill, sums=sums
        )

    def _read_quickly(self, loss: Loss, width: int) -> bool:
        """Tell whether to read a file thrice is quicker than to write the design down and to read that."""
        return loss.likelihood and len(self.problem.target.outputs) == 1 and width <= REREAD_COLUMNS and self.scan.quick


def state(
    formula: str | Formula,
    scan: Scan,
    recipe: Recipe,
    reading: Reading,
    checkpoint: Path | None = None,
    *,
    resume: bool = False,
) -> Streamed:
    """State a hypothesis on a scan, and survey its rows; the survey is kept beside a ``checkpoint``.

    Raises as ``Problem.of`` does, and OptionError for what cannot be done part by part.
    """
    _require_possible(recipe, reading)
    parsed = parse(formula) if not isinstance(formula, Formula) else formula
    hypothesis = parsed.resolve(scan.head.columns, scan.head.repeated)
    wanted = uses(hypothesis, scan.head)
    family, why = choose_family(hypothesis, scan.head, recipe.family, recipe.loss)
    outputs = target_uses(hypothesis, family)
    target = Target(family, hypothesis.targets, tuple(outputs), ()) if not family.classes else None
    loss = make_loss(recipe.loss, family, delta=recipe.delta)
    layered = not loss.quadratic or recipe.batch_size is not None or recipe.arithmetic != "float64"
    width = len({**wanted, **outputs})
    few = max(min(FEW_CELLS // width, FEW), LOOKED_AT) if layered else LOOKED_AT
    drawn = partial(Draw.of, scan.rows, share_of(recipe.test), recipe.seed, columns=width, looked_at=few)
    plan = Plan(
        hypothesis, wanted, outputs, target, drawn(), recipe.missing, images=_images(wanted, scan), layered=layered
    )
    if target is None and plan.draw.held and scan.rows < EXACT_BELOW:
        plan = replace(plan, draw=drawn(classes=classes_of(plan, scan, reading)))
    plan = prepared(plan, scan, reading)
    file = None
    if checkpoint is not None:
        path = checkpoint.with_name(f"{checkpoint.stem}.survey{checkpoint.suffix}")
        file = SurveyFile(path, scan_mark(hypothesis, scan, recipe), resume=resume)
    survey = _added_up(scan, plan) or surveyed(plan, scan, reading, file)
    if is_share(recipe.test) and survey.rows and not (survey.fitted and survey.tested):
        raise OptionError("option.test-rows", value=recipe.test, rows=survey.rows)
    require_rows(survey, scan)
    if target is None and recipe.family == "auto" and recipe.loss == "auto":
        family, why = family_of(plan, survey, scan)
        loss = make_loss("auto", family)
    learnt = target_of(plan, survey, scan, family)
    design = design_of(plan, survey, scan, recipe)
    data, shown = kept_rows(plan, survey, scan)
    loss.check(learnt.encode(data), learnt.columns[0])
    notes = [why, *scan.head.notes, *notes_of(plan, survey, scan)]
    problem = Problem(hypothesis, wanted, data, learnt, loss, notes, base=base_of(plan, survey, learnt))
    return Streamed(problem, scan, plan, survey, design, reading, shown)


def _added_up(scan: Scan, plan: Plan) -> Survey | None:
    """Return the survey that a database makes itself, None where it cannot, or is read sooner, as a file's is."""
    if not isinstance(scan, QueryScan) or scan.database.dialect != "postgresql" or plan.draw.ranked is not None:
        return None
    return pushed_down(scan, plan)


def scan_mark(hypothesis: Hypothesis, scan: Scan, recipe: Recipe) -> dict[str, Any]:
    """Return what tells a run over a scan from another: the hypothesis, the settings and the table."""
    return {**recipe.mark(), "formula": hypothesis.text, "table": scan.mark, "rows": scan.rows}


def share_of(test: str | float) -> float | None:
    """Return which share of the rows is held back, None where that is left to us; raises OptionError."""
    if test in ("auto", "none"):
        return None if test == "auto" else 0.0
    if not is_share(test):
        raise OptionError("option.scan-test", value=test)
    return float(test)


@dataclass(frozen=True)
class Encoding:
    """How a part's fitted rows become a loss's X and Y; it goes to whoever reads the part."""

    plan: Plan
    design: Design
    target: Target
    loss: Loss

    def __call__(self, part: Part) -> RowsObjective:
        """Read a part and return the loss over its fitted rows, as one of many parts."""
        data, keys = self._ready(part)
        return self._over(data, np.flatnonzero(keys >= self.plan.draw.held))

    def by_layer(self, part: Part) -> tuple[RowsObjective, NDArray[np.int64]]:
        """Return the same with the rows sorted by their layers, and how many each layer has."""
        data, keys = self._ready(part)
        fitted = np.flatnonzero(keys >= self.plan.draw.held)
        layers = (keys[fitted] % LAYERS).astype(np.uint8)
        order = np.argsort(layers, kind="stable")  # by counting, as these are bytes
        return self._over(data, fitted[order]), np.bincount(layers, minlength=LAYERS)

    def by_block(self, part: Part) -> Iterator[HeldBlock]:
        """Yield the rows in blocks that stay in the processor's cache, each written over the one before."""
        data, keys = self._ready(part)
        held, Y = keys < self.plan.draw.held, self._targets(data)
        width = self.design.means.size
        size = block_rows(width)
        room = np.empty((width, min(size, len(data))))
        for start in range(0, max(len(data), 1), size):
            rows = slice(start, min(start + size, len(data)))
            block = data.part(rows)
            X = self.design.matrix(block, out=room[:, : len(block)].T)
            yield HeldBlock(X, Y[rows], np.flatnonzero(held[rows]))

    def _ready(self, part: Part) -> tuple[Columns, NDArray[np.uint32]]:
        """Return the columns of a part's rows that are not dropped, and their keys."""
        table = part.table()
        data = complete_columns(self.plan, table)
        if data is None or not all(np.isfinite(values.sum()) for values in data.numbers.values()):
            data = filled_columns(self.plan, table)
        keys = self.plan.draw.keys(part.first, part.rows)
        return data, keys if len(data) == part.rows else keys[data.rows]

    def _over(self, data: Columns, rows: NDArray[np.int64]) -> RowsObjective:
        X = self.design.matrix(data).take(rows, axis=0)  # rows lie together, the cells of columns do not
        Y = self._targets(data).take(rows, axis=0)
        return RowsObjective(X, Y, self.loss, len(self.target.outputs), 0.0, np.zeros(X.shape[1]), part=True)

    def _targets(self, data: Columns) -> Floats:
        Y = self.target.encode(data)
        self.loss.check(Y, self.target.columns[0])
        return Y


@dataclass(frozen=True)
class Encoded:
    """A part that is read and encoded when it is asked something."""

    encode: Encoding
    part: Part

    def answer(self, *asked: Any) -> Any:
        """Return what ``RowsObjective.answer`` gives of its rows."""
        return self.encode(self.part).answer(*asked)

    def around(self, w: Floats) -> Around:
        """Return what its rows say of the loss around ``w``."""
        blocks = self.encode.by_block(self.part)
        return Around.total(w, (Around.of(w, self.encode.loss, block) for block in blocks))


def _images(wanted: dict[str, Use], scan: Scan) -> dict[str, ImageCode]:
    images = {name: scan.head.images(name) for name, use in wanted.items() if use == "image"}
    return {name: ImageCode.of(name, found) for name, found in images.items()}


def _require_possible(recipe: Recipe, reading: Reading) -> None:
    """Raise OptionError for a setting that needs all rows at hand."""
    if recipe.networked:
        raise OptionError("option.scan-network")
    if recipe.patience is not None:
        raise OptionError("option.scan-patience")
    if recipe.batch_size is not None and not isinstance(reading.workers, Threads):
        raise OptionError("option.cluster-batches")
