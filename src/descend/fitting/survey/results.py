"""What a survey says of its rows, as the road goes on from there: the design, its sums, the target, the kept rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

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
    from descend.base.typing import Floats
    from descend.fitting.survey.survey import NumberedRows
    from descend.objectives.families import Family
    from descend.solvers.recipe import Recipe
    from descend.tables.scan import Scan


@dataclass(frozen=True)
class SurveyResult:
    """A survey of a scan with its plan, and what is learnt from it: the design, the target, and sums of products."""

    plan: Plan
    survey: Survey
    scan: Scan

    def require_rows(self) -> None:
        """Raise TableError where no row is left."""
        if not self.survey.fitted:
            raise TableError("table.all-dropped", file=self.scan.name, rows=self.scan.rows)

    def family(self) -> tuple[Family, Note]:
        """Return the family that the classes of all rows ask for; raises DesignError where the first rows misled."""
        column = next(iter(self.plan.target_uses))
        levels = self._classes(column)
        if self.scan.head.kind(column) == "number":
            if not are_zero_one(levels):
                found = next(level for level in levels if not are_zero_one([level]))
                raise DesignError("design.not-zero-one", column=column, found=found)
            return recognise_family(TargetColumn(column, zero_one=True))
        require_few_levels(column, levels, self.survey.rows)
        return recognise_family(TargetColumn(column, numbers=False, levels=levels))

    def target(self, family: Family) -> Target:
        """Return the target: its classes from all rows, the spread of its numbers from the fitted ones."""
        if self.plan.target is None:
            column = next(iter(self.plan.target_uses))
            return of_classes(self.plan.hypothesis, family, self._classes(column), self.scan.head.kind(column))
        for expression in self.plan.expressions:
            undo(expression, np.ones(1))
        labels = [target_label(index) for index in range(len(self.plan.expressions))]
        products, ones, _ = self._shifted(labels)
        variances = np.diag(products) / self.survey.fitted - np.square(ones / self.survey.fitted)
        spreads = bounded_deviations(np.sqrt(np.maximum(variances, 0.0)), *self.survey.ends(labels), self.survey.fitted)
        return replace(self.plan.target, spreads=tuple(spreads.tolist()))

    def design(self, recipe: Recipe) -> Design:
        """Return the design, learnt from the fitted rows; its levels come from all rows."""
        levels = {name: self._levels(name) for name, use in self.plan.uses.items() if use == "category"}
        for name, found in levels.items():
            require_levels(name, found, self.survey.rows)
        blocks = self.plan.coded(levels)
        plain = Design.unscaled(self.plan.hypothesis, self.plan.uses, levels, blocks)
        products, ones, shifts = self._shifted(plain.names)
        moved = ones / self.survey.fitted
        low, high = self.survey.ends(plain.names)
        means = np.clip(shifts + moved, shifts + low, shifts + high)
        with np.errstate(over="ignore", invalid="ignore"):
            variances = np.maximum(np.diag(products) / self.survey.fitted - np.square(moved), 0.0)
            spreads = bounded_deviations(np.sqrt(variances), low, high, self.survey.fitted)
            sizes = np.hypot(spreads, means)
        straight = self.plan.hypothesis.curve is None  # an equation takes its columns as they are
        return plain.scaled(
            self.survey.fitted, means, sizes, spreads, standardize=recipe.standardize and straight, ddof=recipe.ddof,
            settle=recipe.method == "auto" and straight,
        )  # fmt: skip

    def kept_rows(self) -> tuple[Columns, int]:
        """Return the kept rows as columns, the fitted ones before those of the test, and how many the first are."""
        kept: list[NumberedRows] = [*self.survey.shown, *self.survey.tested]
        numbers = np.concatenate([rows.numbers for rows in kept]) if kept else np.empty(0, dtype=np.int64)
        head, plan = self.scan.head, self.plan
        if kept:
            frame = pl.concat([rows.frame for rows in kept], how="vertical_relaxed")
        else:
            frame = head.frame.select(list(plan.wanted)).clear()
        kinds, notations = head.judged(plan.wanted)
        table = Table(
            frame,
            self.scan.name,
            head.missing,
            head.decimal,
            kinds=kinds,
            notations=notations,
            places=Drawn(numbers, self.scan, tuple(plan.wanted)),
        )
        data = gather(
            plan.wanted, table, missing=plan.missing, means=plan.fills, required=plan.target_uses, whole=False
        )
        means = {**self.means, **plan.fills}
        data = replace(data, means={name: means[name] for name in data.means}, notes=[])
        return data, sum(rows.numbers.size for rows in self.survey.shown)

    def sums(self, design: Design) -> Sums:
        """Return the sums of products of the design's columns, and of the targets where these are numbers."""
        targets = [target_label(index) for index in range(len(self.plan.expressions))]
        names = [*design.names, *targets]
        products, ones, shifts = self._shifted(names)
        rows, width = self.survey.fitted, len(design.names)
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

    def base(self, target: Target) -> Floats:
        """Return what no hypothesis predicts, 1 x targets or classes: the mean, or the shares, of the fitted rows."""
        if self.plan.target is None:
            found = self.survey.levels[target.columns[0]]
            alike = same_numbers(found, target.levels, numbers=False)
            counts = dict.fromkeys(target.levels, 0)
            for level, count in found.items():
                counts[level if level in counts else alike[level]] += count
            return np.array([[count / self.survey.fitted for count in counts.values()]])
        means = self.means
        return np.array([[means[name] for name in target.columns]])

    def notes(self) -> list[Note]:
        """Return the notes about the rows: filled and dropped cells, and how many were held back and tested."""
        notes = [*reading_notes(self.plan.wanted, self.scan.head)]
        notes += [
            Note("note.filled", {"count": count, "column": name, "mean": self.plan.fills[name]})
            for name, count in self.survey.filled.items()
        ]
        if self.survey.dropped:
            notes.append(Note("note.dropped", {"count": self.survey.dropped, "rows": self.scan.rows}))
        held, tested = self.survey.rows - self.survey.fitted, sum(rows.numbers.size for rows in self.survey.tested)
        if tested < held:
            notes.append(Note("note.tested-some", {"tested": tested, "held": held}))
        return notes

    @cached_property
    def means(self) -> dict[str, float]:
        """Return the mean over the fitted rows of every number column that is used."""
        means = {name: total / self.survey.fitted for name, total in self.survey.totals.items()}
        labels = self.plan.labels
        _, ones, shifts = self._shifted(list(labels.values()))
        return means | dict(zip(labels, (shifts + ones / self.survey.fitted).tolist(), strict=True))

    def _levels(self, column: str) -> tuple[str, ...]:
        """Return the levels of a category that rows of any part have, in their order."""
        return ordered_levels(self.survey.levels[column], self.scan.head.declared(column))

    def _classes(self, column: str) -> tuple[str, ...]:
        """Return the classes of a target."""
        levels = self._levels(column)
        return merged(levels) if self.scan.head.kind(column) == "number" else levels

    def _shifted(self, names: list[str]) -> tuple[Floats, Floats, Floats]:
        """Return the sums of products of some columns, of each alone, and by how much each is shifted."""
        every = self.survey.sums([INTERCEPT, *names])
        return every[1:, 1:], every[0, 1:], np.array([self.plan.shifts.get(name, 0.0) for name in names])
