"""What a survey says of its rows, as the road goes on from there: the design, its sums, the target, the kept rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from descend.base.errors import DesignError, TableError
from descend.base.messages import Note
from descend.base.moments import bounded_deviations
from descend.design.matrix import INTERCEPT, Design, require_levels
from descend.fitting.survey.survey import Plan, Survey, target_label
from descend.formula.evaluate import undo
from descend.objectives.families import TargetColumn, recognise_family
from descend.objectives.sufficient_statistics import Sums
from descend.objectives.target import Target, of_classes, require_few_levels
from descend.tables.columns import Columns, gather, reading_notes
from descend.tables.labels import are_zero_one, merged, ordered_levels, same_numbers
from descend.tables.scans.collect import Drawn
from descend.tables.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.fitting.survey.survey import NumberedRows
    from descend.objectives.families import Family
    from descend.solvers.recipe import Recipe
    from descend.tables.scan import Scan

    Floats = NDArray[np.floating[Any]]


def require_rows(survey: Survey, scan: Scan) -> None:
    """Raise TableError where no row is left."""
    if not survey.fitted:
        raise TableError("table.all-dropped", file=scan.name, rows=scan.rows)


def design_of(plan: Plan, survey: Survey, scan: Scan, recipe: Recipe) -> Design:
    """Return the design, learnt from the fitted rows; its levels come from all rows."""
    levels = {name: _levels(name, survey, scan) for name, use in plan.uses.items() if use == "category"}
    for name, found in levels.items():
        require_levels(name, found, survey.rows)
    blocks = plan.coded(levels)
    plain = Design.unscaled(plan.hypothesis, plan.uses, levels, blocks)
    products, ones, shifts = _shifted(plan, survey, plain.names)
    moved = ones / survey.fitted
    low, high = survey.ends(plain.names)
    means = np.clip(shifts + moved, shifts + low, shifts + high)
    with np.errstate(over="ignore", invalid="ignore"):
        variances = np.maximum(np.diag(products) / survey.fitted - np.square(moved), 0.0)
        spreads = bounded_deviations(np.sqrt(variances), low, high, survey.fitted)
        sizes = np.hypot(spreads, means)
    return plain.scaled(
        survey.fitted, means, sizes, spreads, standardize=recipe.standardize, ddof=recipe.ddof,
        settle=recipe.method == "auto",
    )  # fmt: skip


def sums_of(plan: Plan, survey: Survey, design: Design) -> Sums:
    """Return the sums of products of the design's columns, and of the targets where these are numbers."""
    targets = [target_label(index) for index in range(len(plan.expressions))]
    names = [*design.names, *targets]
    products, ones, shifts = _shifted(plan, survey, names)
    rows, width = survey.fitted, len(design.names)
    centres = shifts[width:] + ones[width:] / rows if design.hypothesis.intercept else np.zeros(len(targets))
    off = shifts - np.concatenate([design.means, centres])
    scales = np.concatenate([design.scales, np.ones(len(targets))])
    moved = products + np.outer(off, ones) + np.outer(ones, off) + rows * np.outer(off, off)
    moved = moved / scales[:, None] / scales
    totals = (ones + rows * off) / scales
    idle = np.flatnonzero(design.idle)
    moved[idle], moved[:, idle], totals[idle] = 0.0, 0.0, 0.0
    return Sums(
        rows,
        moved[:width, :width],
        totals[:width],
        moved[:width, width:],
        np.diag(moved)[width:].copy(),
        centres,
    )


def target_of(plan: Plan, survey: Survey, scan: Scan, family: Family) -> Target:
    """Return the target: its classes from all rows, the spread of its numbers from the fitted ones."""
    if plan.target is None:
        column = next(iter(plan.target_uses))
        return of_classes(plan.hypothesis, family, _classes(column, survey, scan), scan.head.kind(column))
    for expression in plan.expressions:
        undo(expression, np.ones(1))
    labels = [target_label(index) for index in range(len(plan.expressions))]
    products, ones, _ = _shifted(plan, survey, labels)
    variances = np.diag(products) / survey.fitted - np.square(ones / survey.fitted)
    spreads = bounded_deviations(np.sqrt(np.maximum(variances, 0.0)), *survey.ends(labels), survey.fitted)
    return replace(plan.target, spreads=tuple(spreads.tolist()))


def family_of(plan: Plan, survey: Survey, scan: Scan) -> tuple[Family, Note]:
    """Return the family that the classes of all rows ask for; raises DesignError where the first rows misled."""
    column = next(iter(plan.target_uses))
    levels = _classes(column, survey, scan)
    if scan.head.kind(column) == "number":
        if not are_zero_one(levels):
            found = next(level for level in levels if not are_zero_one([level]))
            raise DesignError("design.not-zero-one", column=column, found=found)
        return recognise_family(TargetColumn(column, zero_one=True))
    require_few_levels(column, levels, survey.rows)
    return recognise_family(TargetColumn(column, numbers=False, levels=levels))


def _levels(column: str, survey: Survey, scan: Scan) -> tuple[str, ...]:
    """Return the levels of a category that rows of any part have, in their order."""
    return ordered_levels(survey.levels[column], scan.head.declared(column))


def _classes(column: str, survey: Survey, scan: Scan) -> tuple[str, ...]:
    """Return the classes of a target."""
    levels = _levels(column, survey, scan)
    return merged(levels) if scan.head.kind(column) == "number" else levels


def kept_rows(plan: Plan, survey: Survey, scan: Scan) -> tuple[Columns, int]:
    """Return the rows that were kept as columns, those looked at before those tested, and how many the first are."""
    kept: list[NumberedRows] = [*survey.shown, *survey.tested]
    numbers = np.concatenate([rows.numbers for rows in kept]) if kept else np.empty(0, dtype=np.int64)
    frame = (
        pl.concat([rows.frame for rows in kept], how="vertical_relaxed")
        if kept
        else scan.head.frame.select(list(plan.wanted)).clear()
    )
    head = scan.head
    kinds, notations = head.judged(plan.wanted)
    table = Table(
        frame,
        scan.name,
        head.missing,
        head.decimal,
        kinds=kinds,
        notations=notations,
        places=Drawn(numbers, scan, tuple(plan.wanted)),
    )
    data = gather(plan.wanted, table, missing=plan.missing, means=plan.fills, required=plan.target_uses, whole=False)
    means = {**column_means(plan, survey), **plan.fills}
    data = replace(data, means={name: means[name] for name in data.means}, notes=[])
    return data, sum(rows.numbers.size for rows in survey.shown)


def base_of(plan: Plan, survey: Survey, target: Target) -> Floats:
    """Return what no hypothesis predicts, 1 x targets or classes: the mean, or the shares, of the fitted rows."""
    if plan.target is None:
        found = survey.levels[target.columns[0]]
        alike = same_numbers(found, target.levels, numbers=False)
        counts = dict.fromkeys(target.levels, 0)
        for level, count in found.items():
            counts[level if level in counts else alike[level]] += count
        return np.array([[count / survey.fitted for count in counts.values()]])
    means = column_means(plan, survey)
    return np.array([[means[name] for name in target.columns]])


def notes_of(plan: Plan, survey: Survey, scan: Scan) -> list[Note]:
    """Return what a person is to know of the rows: filled and dropped cells, and which were held back and tested."""
    notes = [*reading_notes(plan.wanted, scan.head)]
    notes += [
        Note("note.filled", {"count": count, "column": name, "mean": plan.fills[name]})
        for name, count in survey.filled.items()
    ]
    if survey.dropped:
        notes.append(Note("note.dropped", {"count": survey.dropped, "rows": scan.rows}))
    held, tested = survey.rows - survey.fitted, sum(rows.numbers.size for rows in survey.tested)
    if tested < held:
        notes.append(Note("note.tested-some", {"tested": tested, "held": held}))
    return notes


def column_means(plan: Plan, survey: Survey) -> dict[str, float]:
    """Return the mean over the fitted rows of every number column that is used."""
    means = {name: total / survey.fitted for name, total in survey.totals.items()}
    labels = plan.labels
    _, ones, shifts = _shifted(plan, survey, list(labels.values()))
    return means | dict(zip(labels, (shifts + ones / survey.fitted).tolist(), strict=True))


def _shifted(plan: Plan, survey: Survey, names: list[str]) -> tuple[Floats, Floats, Floats]:
    """Return the sums of products of some columns, of each alone, and by how much each is shifted."""
    every = survey.sums([INTERCEPT, *names])
    return every[1:, 1:], every[0, 1:], np.array([plan.shifts.get(name, 0.0) for name in names])
