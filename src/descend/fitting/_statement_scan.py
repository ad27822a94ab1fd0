"""A hypothesis stated on a scan: its rows are read part by part, and few of them are kept.

The first reading is a survey; squared error needs no other. Other losses read the rows many times: from a design that
is spilled to a file, or on a cluster from its workers' memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.analysis.verification import HOLDOUT_FROM, Split, is_share
from descend.base.errors import FitError, OptionError
from descend.design.encodings.image import ImageCode
from descend.fitting._encoding import Encoded, Encoding
from descend.fitting._statement import Statement, state_table
from descend.fitting.problem import Outline
from descend.fitting.survey.checkpoint import SurveyFile
from descend.fitting.survey.checkpoint import survey_scan as surveyed
from descend.fitting.survey.prepass import classes_of, prepared
from descend.fitting.survey.pushdown import survey_in_database as pushed_down
from descend.fitting.survey.results import SurveyResult
from descend.fitting.survey.survey import Plan, Survey
from descend.fitting.trained import run_solver
from descend.objectives.partitioned import PartsObjective
from descend.objectives.rereading import RereadObjective
from descend.objectives.spilled import Spill, SpilledObjective, SpilledRows
from descend.objectives.target import Target
from descend.solvers.effort import Effort
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions
from descend.tables.databases.query import QueryScan
from descend.tables.executors import Reading, Rereading, Threads
from descend.tables.row_sampling import EXACT_BELOW, LOOKED_AT, Draw
from descend.tables.scans.collect import collect

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from descend.base.typing import Floats
    from descend.design.matrix import Design
    from descend.fitting.trained import TrainedProblem
    from descend.formula.ast import Curve, Hypothesis
    from descend.formula.equation import Equation
    from descend.formula.formula import Formula
    from descend.objectives.curve_parts import CurvePartsObjective
    from descend.objectives.in_memory import RowsObjective
    from descend.objectives.losses import Loss
    from descend.solvers.recipe import Recipe
    from descend.tables.columns import Use
    from descend.tables.scan import Part, Scan

FEW, FEW_CELLS = 200_000, 4_000_000  # at most so many rows, and cells, are kept to start a search from
REREAD_COLUMNS = 100  # with more columns their products take longer than reading the file


@dataclass(frozen=True)
class ScanStatement(Statement):
    """A hypothesis stated on a scan, whose rows are read part by part; the problem has those that the survey kept."""

    result: SurveyResult
    design: Design
    reading: Reading

    @property
    def mark(self) -> dict[str, Any]:
        """What identifies the run in its checkpoint."""
        return scan_mark(self.problem.hypothesis, self.result.scan, self.recipe)

    @property
    def table_name(self) -> str:
        """The name of the scan."""
        return self.result.scan.name

    @property
    def table_columns(self) -> list[str]:
        """The columns of the scan."""
        return self.result.scan.head.columns

    def table_rows(self, trained: TrainedProblem) -> int:
        """Return how many rows the scan has."""
        return self.result.scan.rows

    def train(self, run: RunOptions = DEFAULT_OPTIONS) -> TrainedProblem:
        """Fit on all rows that are not held back."""
        fitted = self.split.train
        if self.problem.hypothesis.curve is not None:
            from descend.fitting._curve import fit_curve

            objective, data = self.over_curve(), self.problem.data.take(fitted)
            trained = fit_curve(self.design, objective, data, self.recipe, None, run)
            if not np.isfinite(trained.history.loss[-1]):
                self._require_defined(objective.curve, trained.history.snapshots[-1])
            return trained
        shown = self.problem.over(self.design, fitted, self.recipe)
        data = self.problem.data.take(fitted)
        return run_solver(self.design, self.objective(shown), data, self.recipe, run=run, shown=shown)

    def objective(self, few: RowsObjective | None = None) -> PartsObjective | SpilledObjective:
        """Return the loss over the rows, prepared for as many readings as the solver needs.

        ``few`` is the loss over those that were kept: from there the optimum of a file's rows is a few readings away.
        """
        loss, recipe = self.problem.loss, self.recipe
        encode = self._encoding()
        side = len(self.design.names)  # as many rows as columns: the time of readings is not counted
        Effort.of(side, side, len(self.problem.target.outputs), loss, recipe).require(recipe)
        sums = self.result.sums(self.design)
        targets = max(len(self.result.plan.expressions), 1)
        outputs, width = len(self.problem.target.outputs), len(self.design.names)
        penalty = recipe.penalty(self.design.penalised)
        about = loss, outputs, penalty, width, targets, self.result.survey.fitted, sums
        reread = Rereading(self.reading, partial(Encoded, encode), self._parts)
        doubles = recipe.batch_size is None and recipe.arithmetic == "float64"
        if doubles and loss.quadratic:
            return PartsObjective(reread, *about)
        if recipe.batch_size is None:
            holding = self.reading.workers.hold(encode, self._parts())
            if holding is not None:
                return PartsObjective(holding, *about)
        if doubles and few is not None and recipe.method == "auto" and self._read_quickly(loss, width):
            return RereadObjective(reread, *about, resident=few)
        spill = self._spilled(encode, recipe.arithmetic)
        return SpilledObjective(spill.data, loss, outputs, penalty, spill=spill, sums=sums)

    def over_curve(self) -> CurvePartsObjective:
        """Return the loss of an equation over the rows, prepared for as many readings as the solver needs."""
        from descend.objectives.curve_parts import CurvePartsObjective, SpilledCurve

        few = self.problem.over_curve(self.design, self.split.train, self.recipe)
        encode = self._encoding(few.curve)
        about = few.curve, few.loss, few.penalty, few.targets, self.result.survey.fitted, few
        if self.recipe.batch_size is None:
            holding = self.reading.workers.hold(encode.fitted, self._parts())
            if holding is not None:
                return CurvePartsObjective(holding, *about)
        if self.recipe.method == "auto" and self.result.scan.quick and not few.loss.cornered:
            return CurvePartsObjective(Rereading(self.reading, encode.fitted, self._parts), *about)
        return SpilledCurve(SpilledRows(self._spilled(encode, "float64")), *about)

    def _encoding(self, curve: Curve | None = None) -> Encoding:
        return Encoding(self.result.plan, self.design, self.problem.target, self.problem.loss, curve)

    def _require_defined(self, curve: Curve, w: Floats) -> None:
        """Read the rows, and raise FitError for the first in which an equation is not defined at ``w``."""
        task = partial(self._encoding(curve).undefined_at, w)
        for facts in self.reading.each("rereading", task, self._parts()):
            if facts is not None:
                raise FitError("fit.undefined-row", **facts)

    def _parts(self) -> Iterable[Part]:
        return self.result.scan.parts(list(self.result.plan.wanted))

    def _spilled(self, encode: Encoding, dtype: str) -> Spill:
        """Write the design of the rows to a file."""
        width, targets = len(self.design.names), max(len(self.result.plan.expressions), 1)
        spill = Spill(self.reading.scratch, self.result.survey.layers, width, targets, dtype)
        for rows, layers in self.reading.each("spilling", encode.by_layer, self._parts()):
            spill.write(rows, layers)
        return spill

    def _read_quickly(self, loss: Loss, width: int) -> bool:
        """Return whether reading the file three times takes less time than writing the design to a file."""
        return (
            loss.likelihood
            and len(self.problem.target.outputs) == 1
            and width <= REREAD_COLUMNS
            and self.result.scan.quick
        )


def state_scan(
    formula: str | Formula | Equation,
    scan: Scan,
    recipe: Recipe,
    reading: Reading,
    checkpoint: Path | None,
    *,
    resume: bool,
) -> Statement:
    """State a hypothesis on a scan, and survey its rows.

    So few rows that each is predicted from the others are taken into memory: they fit there.
    """
    if scan.rows >= HOLDOUT_FROM:
        statement = survey_statement(formula, scan, recipe, reading, checkpoint, resume=resume)
        if recipe.test != "auto" or statement.result.survey.rows >= HOLDOUT_FROM:
            return statement
    return state_table(formula, collect(scan), recipe)


def survey_statement(
    formula: str | Formula | Equation,
    scan: Scan,
    recipe: Recipe,
    reading: Reading,
    checkpoint: Path | None = None,
    *,
    resume: bool = False,
) -> ScanStatement:
    """State a hypothesis on a scan, and survey its rows; the survey is kept beside a ``checkpoint``.

    Raises as ``Problem.of`` does, and OptionError for what cannot be done part by part.
    """
    _require_possible(recipe, reading)
    outline = Outline.of(formula, scan.head, recipe)
    plan = prepared(_plan(outline, scan, recipe, reading), scan, reading)
    file = None
    if checkpoint is not None:
        path = checkpoint.with_name(f"{checkpoint.stem}.survey{checkpoint.suffix}")
        file = SurveyFile(path, scan_mark(outline.hypothesis, scan, recipe), resume=resume)
    survey = _added_up(scan, plan) or surveyed(plan, scan, reading, file)
    if is_share(recipe.test) and survey.rows and not (survey.fitted and survey.tested):
        raise OptionError("option.test-rows", value=recipe.test, rows=survey.rows)
    result = SurveyResult(plan, survey, scan)
    result.require_rows()
    family, why = outline.family, outline.why
    if plan.target is None and recipe.family == "auto" and recipe.loss == "auto":
        family, why = result.family()
    target = result.target(family)
    design = result.design(recipe)
    data, shown = result.kept_rows()
    told = [why, *scan.head.notes, *result.notes()]
    problem = outline.problem(data, target, recipe, told, result.base(target))
    rows = np.arange(len(data))
    fitted, tested = rows[:shown], rows[shown:]
    split = Split("holdout", fitted, [(fitted, tested)]) if tested.size else Split("none", fitted, [])
    return ScanStatement(problem, recipe, split, result, design, reading)


def _plan(outline: Outline, scan: Scan, recipe: Recipe, reading: Reading) -> Plan:
    """Return what the survey is to find, and which rows are held back."""
    family, targets, width = outline.family, tuple(outline.target_uses), len(outline.wanted)
    target = None if family.classes else Target(family, outline.hypothesis.targets, targets, ())
    squared = recipe.loss in ("auto", "mse", "sse") and family.solved and recipe.batch_size is None
    squared = squared and outline.hypothesis.curve is None
    layered = not squared or recipe.arithmetic != "float64"
    few = max(min(FEW_CELLS // width, FEW), LOOKED_AT) if layered else LOOKED_AT
    drawn = partial(Draw.of, scan.rows, share_of(recipe.test), recipe.seed, columns=width, looked_at=few)
    plan = Plan(
        outline.hypothesis, outline.uses, outline.target_uses, target, drawn(), recipe.missing,
        images=_images(outline.uses, scan), layered=layered,
    )  # fmt: skip
    if target is None and plan.draw.held and scan.rows < EXACT_BELOW:
        plan = replace(plan, draw=drawn(classes=classes_of(plan, scan, reading)))
    return plan


def _added_up(scan: Scan, plan: Plan) -> Survey | None:
    """Return the survey that a database computes; None where it cannot, or where reading its rows takes less time."""
    if not isinstance(scan, QueryScan) or scan.database.dialect != "postgresql" or plan.draw.ranked is not None:
        return None
    return pushed_down(scan, plan)


def scan_mark(hypothesis: Hypothesis, scan: Scan, recipe: Recipe) -> dict[str, Any]:
    """Return what identifies a run over a scan: the hypothesis, the settings and the table."""
    return {**recipe.mark(), "formula": hypothesis.text, "table": scan.mark, "rows": scan.rows}


def share_of(test: str | float) -> float | None:
    """Return the share of the rows that is held back, None for "auto"; raises OptionError."""
    if test in ("auto", "none"):
        return None if test == "auto" else 0.0
    if not is_share(test):
        raise OptionError("option.scan-test", value=test)
    return float(test)


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
