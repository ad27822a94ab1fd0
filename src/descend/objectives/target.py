"""The target: which family of hypothesis its column asks for, its values for the solver, and its unit back again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from descend.base import stored_fields
from descend.base.errors import DesignError, OptionError
from descend.base.messages import Note
from descend.base.moments import deviations
from descend.design.encodings import level_codes, level_list
from descend.formula.ast import Expression, Hypothesis, Name, names_of
from descend.formula.evaluate import no_inverse, undefined, undo, values_of
from descend.tables.labels import are_numbers, as_numbers, merged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from descend.tables.columns import Columns, Use
    from descend.tables.table import Table

    Floats = NDArray[np.floating[Any]]

Family = Literal["linear", "logistic", "softmax"]
FAMILIES: tuple[Family, ...] = ("linear", "logistic", "softmax")
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
        """A name for each column of predictions of the solver: a target, the second level, or each class."""
        if self.family == "linear":
            return [str(expression) for expression in self.expressions]
        return [self.levels[1]] if self.family == "logistic" else list(self.levels)

    def encode(self, data: Columns) -> Floats:
        """Return the target's values for the solver: rows x targets, or rows x 1 of class codes (0, 1, ...).

        Raises DesignError for a class that was not seen in fitting, and where a transform is not defined.
        """
        if self.family != "linear":
            return level_codes(self.columns[0], data, self.levels)[:, None].astype(np.float64)
        made = []
        for expression in self.expressions:
            values = np.broadcast_to(values_of(expression, data.numbers), (len(data),))
            if not np.isfinite(values).all():
                row = int(np.argmin(np.isfinite(values)))
                term, file = str(expression), data.file(row)
                raise undefined(expression, term=term, file=file, line=data.line(row))
            made.append(values)
        return np.stack(made, axis=1)

    def truth(self, data: Columns) -> Floats:
        """Return what the predictions are held against: the columns in their own units, or the class codes."""
        if self.family != "linear":
            return self.encode(data)
        return np.stack([data.numbers[column] for column in self.columns], axis=1)

    def predict(self, Z: Floats) -> Floats:
        """Return predictions from the linear predictor Z (rows x outputs).

        Linear: rows x targets in the unit of the table. Logistic and softmax: rows x classes, probabilities.
        """
        if self.family == "linear":
            return np.stack([undo(e, Z[:, i]) for i, e in enumerate(self.expressions)], axis=1)
        if self.family == "logistic":
            from descend.objectives.losses import sigmoid

            return np.concatenate([sigmoid(-Z), sigmoid(Z)], axis=1)
        from descend.objectives.losses import softmax

        return np.asarray(softmax(Z), dtype=np.float64)

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
            "family": self.family,
            "levels": list(self.levels),
            "label_kind": self.label_kind,
            "spreads": list(self.spreads),
        }

    @classmethod
    def restore(cls, hypothesis: Hypothesis, described: dict[str, Any]) -> Target:
        """Build a target again from what ``describe`` gave; raises ValueError for anything else."""
        found = stored_fields.facts(described, ("family", "levels", "label_kind", "spreads"))
        family, columns = stored_fields.one_of(found["family"], FAMILIES), _columns_under(hypothesis)
        levels, kind = stored_fields.distinct(found["levels"]), stored_fields.one_of(found["label_kind"], LABEL_KINDS)
        spreads = tuple(stored_fields.real(spread, 0) for spread in stored_fields.entries(found["spreads"]))
        if family == "linear":
            fits = not levels and len(spreads) in (0, len(columns))
            for expression in hypothesis.targets:
                undo(expression, np.ones(1))
        else:
            alone = len(columns) == 1 and isinstance(hypothesis.targets[0], Name)
            most = 2 if family == "logistic" else len(levels)
            fits = alone and 2 <= len(levels) <= most and not spreads and kind_of(levels, kind) == kind
        if not fits or (kind == "boolean" and not {*levels} <= {"false", "true"}):
            raise ValueError(f"{family} {kind} {levels}"[:100])
        return cls(family, hypothesis.targets, columns, levels, kind, spreads)


def choose_family(hypothesis: Hypothesis, table: Table, asked: str, loss: str) -> tuple[Family, Note]:
    """Return the family and why: as asked, as the loss asks, else by what the target's column holds.

    Numbers are linear; two levels (text, boolean, or only 0 and 1) logistic; more levels of text softmax.
    """
    if asked not in ("auto", *FAMILIES):
        raise OptionError("option.family", value=asked, known=", ".join(("auto", *FAMILIES)))
    columns = _columns_under(hypothesis)
    name = columns[0]
    if asked != "auto" or loss != "auto":
        by_loss = {"binary_cross_entropy": "logistic", "cross_entropy": "softmax"}.get(loss, "linear")
        family = cast("Family", by_loss if asked == "auto" else asked)
        if family != "linear" and (len(columns) > 1 or not isinstance(hypothesis.targets[0], Name)):
            raise DesignError("design.one-class-target", family=family)
        code = "family.by-loss" if asked == "auto" else "family.asked"
        return family, Note(code, {"family": family, "loss": loss})
    kinds = {column: table.kind(column) for column in columns}
    if len(columns) > 1 or not isinstance(hypothesis.targets[0], Name):
        return "linear", Note("family.numbers", {"column": ", ".join(columns)})
    if kinds[name] == "number":
        # a column of nothing but 0 and 1 is a class; a bad cell in it is told when the column is read
        values = table.numbers(name)
        zeros, ones = values == 0, values == 1
        if zeros.any() and ones.any() and (zeros | ones | np.isnan(values)).all():
            return "logistic", Note("family.zero-one", {"column": name})
        return "linear", Note("family.numbers", {"column": name})
    table.require_no_numbers(name)
    if kinds[name] == "other":
        table.numbers(name)  # tells that it holds none
    levels = table.levels(name)
    if len(levels) > 20 and len(levels) > table.rows // 2:
        raise DesignError("design.target-all-distinct", column=name, levels=len(levels), rows=table.rows)
    return by_levels(name, levels)


def by_levels(column: str, levels: Sequence[str]) -> tuple[Family, Note]:
    """Return the family that classes ask for, and why."""
    if len(levels) <= 2:
        return "logistic", Note("family.two-levels", {"column": column, "levels": ", ".join(levels)})
    return "softmax", Note("family.levels", {"column": column, "count": len(levels)})


def target_uses(hypothesis: Hypothesis, family: Family) -> dict[str, Use]:
    """Return how the target's columns are read from the table."""
    return dict.fromkeys(_columns_under(hypothesis), "number" if family == "linear" else "category")


def learn_target(hypothesis: Hypothesis, family: Family, data: Columns) -> Target:
    """Fit the target on rows; raises DesignError when it has one class only, or not two where two are needed."""
    columns = _columns_under(hypothesis)
    if family == "linear":
        for expression in hypothesis.targets:
            undo(expression, np.ones(1))
        target = Target(family, hypothesis.targets, columns, ())
        return replace(target, spreads=tuple(deviations(target.encode(data)).tolist()))
    levels, kind = level_list(columns[0], data), data.table.kind(columns[0])
    return of_classes(hypothesis, family, merged(levels) if kind == "number" else levels, kind)


def of_classes(hypothesis: Hypothesis, family: Family, levels: tuple[str, ...], kind: str) -> Target:
    """Return the target of classes; raises DesignError when there is one only, or not two where two are needed."""
    columns = _columns_under(hypothesis)
    if len(levels) < 2:
        raise DesignError("design.one-class", column=columns[0], level="".join(levels))
    if family == "logistic" and len(levels) > 2:
        raise DesignError("design.not-two", column=columns[0], count=len(levels), levels=", ".join(levels[:5]))
    return Target(family, hypothesis.targets, columns, levels, kind_of(levels, kind))


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
