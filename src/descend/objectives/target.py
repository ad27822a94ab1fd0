"""The target: its family, chosen by its column, its values for the solver, and its unit back again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base import stored_fields
from descend.base.errors import DesignError
from descend.base.messages import Note
from descend.base.moments import deviations
from descend.design.encodings.levels import level_list
from descend.formula.ast import Expression, Hypothesis, Name, names_of
from descend.formula.evaluate import no_inverse, undo
from descend.objectives.families import FAMILIES, Family, TargetColumn, recognise_family
from descend.objectives.losses import LOSSES
from descend.tables.labels import are_numbers, as_numbers, merged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.tables.columns import Columns, Use
    from descend.tables.table import Table

LABEL_KINDS = ("text", "number", "boolean")


@dataclass(frozen=True)
class Target:
    """What is predicted.

    ``expressions`` are the targets as written, ``columns`` the columns under them, and ``levels`` the classes
    (logistic: the second level is the one whose probability is fitted); ``label_kind`` is what the column of classes
    holds in the table: "text", "number" or "boolean". ``spreads`` are the standard deviations of number targets.
    """

    family: Family
    expressions: tuple[Expression, ...]
    columns: tuple[str, ...]
    levels: tuple[str, ...]
    label_kind: str = "text"
    spreads: tuple[float, ...] = ()

    @property
    def outputs(self) -> list[str]:
        """A name for each column of the linear predictor: a target, the second level, or each class."""
        return self.family.outputs(self)

    @property
    def predictions(self) -> list[str]:
        """A name for each column of predictions: the columns under the targets, or the classes."""
        return self.family.predictions(self)

    def encode(self, data: Columns) -> Floats:
        """Return the target's values for the solver: rows x targets, or rows x 1 of class codes (0, 1, ...).

        Raises DesignError for a class that was not seen in fitting, and where a transform is not defined.
        """
        return self.family.encode(self, data)

    def truth(self, data: Columns) -> Floats:
        """Return what the predictions are held against: the columns in their own units, or the class codes."""
        return self.family.truth(self, data)

    def predict(self, Z: Floats) -> Floats:
        """Return predictions from the linear predictor Z (rows x outputs).

        Rows x targets in the unit of the table, or rows x classes, probabilities.
        """
        return self.family.predict(self, Z)

    def labels(self, probabilities: Floats) -> NDArray[Any]:
        """Return the likeliest class of every row, as the table writes classes: text, numbers or booleans."""
        chosen = probabilities.argmax(axis=1)
        if self.label_kind == "number":
            levels: NDArray[Any] = as_numbers(self.levels)
        elif self.label_kind == "boolean":
            levels = np.array([level == "true" for level in self.levels])
        else:
            levels = np.array(self.levels)
        return np.asarray(levels[chosen])

    def describe(self) -> dict[str, Any]:
        """Return what is needed to build the target again, besides the formula."""
        return {
            "family": self.family.name,
            "levels": list(self.levels),
            "label_kind": self.label_kind,
            "spreads": list(self.spreads),
        }

    @classmethod
    def restore(cls, hypothesis: Hypothesis, described: dict[str, Any]) -> Target:
        """Build a target again from what ``describe`` gave; raises ValueError for anything else."""
        found = stored_fields.facts(described, ("family", "levels", "label_kind", "spreads"))
        family, columns = FAMILIES[stored_fields.one_of(found["family"], [*FAMILIES])], _columns_under(hypothesis)
        levels, kind = stored_fields.distinct(found["levels"]), stored_fields.one_of(found["label_kind"], LABEL_KINDS)
        spreads = tuple(stored_fields.real(spread, 0) for spread in stored_fields.entries(found["spreads"]))
        family.require(hypothesis, columns)
        family.require_levels(columns[0], levels)
        for expression in hypothesis.targets:
            undo(expression, np.ones(1))
        if family.classes:
            fits = len(levels) > 1 and not spreads and kind_of(levels, kind) == kind
        else:
            fits = not levels and len(spreads) in (0, len(columns))
        if not fits or (kind == "boolean" and not {*levels} <= {"false", "true"}):
            raise ValueError(f"{family.name} {kind} {levels}"[:100])
        return cls(family, hypothesis.targets, columns, levels, kind, spreads)


def choose_family(hypothesis: Hypothesis, table: Table, asked: str, loss: str) -> tuple[Family, Note]:
    """Return the family and why: as asked, as the loss asks, else by what the target's column holds.

    asked, loss: names, or "auto". Raises OptionError for a family that there is not, DesignError for a target that the
    family does not predict.
    """
    named = None if asked == "auto" else FAMILIES.require(asked, "auto")
    columns = _columns_under(hypothesis)
    if named is None and loss == "auto" and hypothesis.about == "probability":
        family = next(family for family in FAMILIES.values() if family.classes and family.link.outer)
        family.require(hypothesis, columns)
        return family, Note("family.probability", {"column": columns[0]})
    if named is not None or loss != "auto":
        family = family_of_loss(loss) if named is None else named
        family.require(hypothesis, columns)
        if named is None and hypothesis.written and not family.classes and not family.link.outer:
            return family, Note("family.equation", {"columns": ", ".join(columns)})
        return family, Note(
            "family.by-loss" if named is None else "family.asked", {"family": family.name, "loss": loss}
        )
    family, why = recognise_family(_looked_at(hypothesis, columns, table))
    return family, Note("family.equation", {"columns": ", ".join(columns)}) if hypothesis.written else why


def family_of_loss(loss: str) -> Family:
    """Return the family that a loss is for; of what is no loss's name, such as a user's own loss, the first one."""
    return FAMILIES[LOSSES[loss].families[0] if loss in LOSSES else next(iter(FAMILIES))]


def number_family(loss: str) -> Family:
    """Return the family of numbers that a loss is for; of a loss that is for classes, or is none, the usual one."""
    family = family_of_loss(loss)
    return recognise_family(TargetColumn(""))[0] if family.classes else family


def _looked_at(hypothesis: Hypothesis, columns: Sequence[str], table: Table) -> TargetColumn:
    """Look at what the target's columns hold; raises DesignError for text of all different values."""
    name, kinds = columns[0], {column: table.kind(column) for column in columns}
    if len(columns) > 1 or not isinstance(hypothesis.targets[0], Name) or hypothesis.about == "mean":
        return TargetColumn(", ".join(columns), plain=False)
    if kinds[name] == "number":
        # a column of nothing but 0 and 1 is a class; a bad cell in it is told when the column is read
        values = table.numbers(name)
        zeros, ones = values == 0, values == 1
        return TargetColumn(name, zero_one=bool(zeros.any() and ones.any() and (zeros | ones | np.isnan(values)).all()))
    table.require_no_numbers(name)
    if kinds[name] == "other":
        table.numbers(name)  # tells that it holds none
    levels = table.levels(name)
    require_few_levels(name, levels, table.rows)
    return TargetColumn(name, numbers=False, levels=levels)


def require_few_levels(column: str, levels: Sequence[str], rows: int) -> None:
    """Raise DesignError where a target is text of nearly as many values as there are rows."""
    if len(levels) > 20 and len(levels) > rows // 2:
        raise DesignError("design.target-all-distinct", column=column, levels=len(levels), rows=rows)


def target_uses(hypothesis: Hypothesis, family: Family) -> dict[str, Use]:
    """Return how the target's columns are read from the table."""
    return dict.fromkeys(_columns_under(hypothesis), family.use)


def learn_target(hypothesis: Hypothesis, family: Family, data: Columns) -> Target:
    """Fit the target on rows; raises DesignError when it has one class only, or not two where two are needed."""
    columns = _columns_under(hypothesis)
    if family.classes:
        levels, kind = level_list(columns[0], data), data.table.kind(columns[0])
        return of_classes(hypothesis, family, merged(levels) if kind == "number" else levels, kind)
    for expression in hypothesis.targets:
        undo(expression, np.ones(1))
    target = Target(family, hypothesis.targets, columns, ())
    return replace(target, spreads=tuple(deviations(target.encode(data)).tolist()))


def of_classes(hypothesis: Hypothesis, family: Family, levels: tuple[str, ...], kind: str) -> Target:
    """Return the target of classes; raises DesignError when there is one only, or not two where two are needed."""
    columns = _columns_under(hypothesis)
    if len(levels) < 2:
        raise DesignError("design.one-class", column=columns[0], level="".join(levels))
    family.require_levels(columns[0], levels)
    return Target(
        family, hypothesis.targets, columns, _last(levels, hypothesis.level, columns[0]), kind_of(levels, kind)
    )


def _last(levels: tuple[str, ...], level: str | None, column: str) -> tuple[str, ...]:
    """Return the classes with the one whose probability an equation gives as the last; raises DesignError."""
    if level is None:
        return levels
    named = [
        other for other in levels if other == level or (are_numbers((other, level)) and float(other) == float(level))
    ]
    if not named:
        raise DesignError("design.no-such-level", column=column, level=level, levels=", ".join(levels[:12]))
    return (*(other for other in levels if other != named[0]), named[0])


def kind_of(levels: Sequence[str], kind: str) -> str:
    """Return what classes are given back as: what their column holds, but text where numbers would be other ones."""
    return "text" if kind == "number" and not are_numbers(levels) else kind


def _columns_under(hypothesis: Hypothesis) -> tuple[str, ...]:
    columns = []
    for expression in hypothesis.targets:
        under = {name.name for name in names_of(expression)}
        if len(under) != 1:
            raise no_inverse(expression)
        columns.append(under.pop())
    repeated = [column for column in columns if columns.count(column) > 1]
    if repeated:
        raise DesignError("design.repeated-target", column=repeated[0])
    return tuple(columns)
