"""The design and the target of plain arrays: every column as it is."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.errors import DesignError
from descend.base.moments import ROUNDING
from descend.design.matrix import Design
from descend.formula.parser import parse
from descend.objectives.families import TargetColumn, recognise_family
from descend.objectives.target import Target, kind_of, number_family
from descend.tables.labels import cell_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from descend.estimators.scaling import Scaling
    from descend.formula.ast import Hypothesis

LETTERS = re.compile(r"[^\W\d]\w*")
KINDS = {"b": "boolean", "i": "number", "u": "number", "f": "number"}


def plain_design(names: Sequence[str], targets: Sequence[str], scaling: Scaling) -> Design:
    """Return the design of columns as they are, scaled.

    Raises FormulaError for a name that a formula cannot hold, DesignError for one that occurs twice. Columns that are
    not scaled have no known size or spread; the design holds 1 for both. No column is marked as constant, because its
    coefficient may differ from 0.
    """
    for name, count in Counter(names).items():
        if count > 1:
            raise DesignError("design.same-name", column=name)
    terms = " + ".join(["0"] * (not scaling.intercept) + [_quoted(name) for name in names])
    formula = f"{' + '.join(map(_quoted, targets))} ~ {terms}"
    hypothesis = parse(formula).resolve([*names, *targets])
    sizes = np.minimum(np.hypot(scaling.means, scaling.scales), scaling.scales / (2 * ROUNDING))
    moments = [scaling.means, scaling.scales, sizes, scaling.scales]
    if scaling.intercept:
        constant = (0.0, 1.0, 1.0, 0.0)
        moments = [np.append(first, values) for first, values in zip(constant, moments, strict=True)]
    described = {"uses": dict.fromkeys(names, "number"), "levels": {}, "polys": [], "images": {}}
    return Design.restore(hypothesis, described, moments)


def plain_target(hypothesis: Hypothesis, classes: NDArray[Any] | None, loss: str) -> Target:
    """Return the target of a hypothesis: numbers of the loss's family, or classes in the order of their codes."""
    if classes is None:
        family = number_family(loss)
        described = {"family": family.name, "levels": [], "label_kind": "text", "spreads": []}
        return Target.restore(hypothesis, described)
    levels = [cell_label(value) or str(value) for value in classes]
    kind = kind_of(levels, KINDS.get(classes.dtype.kind, "text"))
    family, _ = recognise_family(TargetColumn("", numbers=False, levels=levels))
    return Target.restore(hypothesis, {"family": family.name, "levels": levels, "label_kind": kind, "spreads": []})


def _quoted(name: str) -> str:
    return name if LETTERS.fullmatch(name) else f"`{name}`"
