"""Findings of single cells: levels that are one level written in two ways, numbers that stand for missing cells."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from descend.analysis.diagnosis.finding import FINDINGS, FindingKind, Sign
from descend.analysis.diagnosis.remedies.reading import as_missing
from descend.analysis.diagnosis.subsample import listed, placed
from descend.tables.labels import number_label, unfloated

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from descend.analysis.diagnosis.evidence import Evidence
    from descend.base.typing import Floats

SHORT = {"t": ("true",), "f": ("false", "female"), "y": ("yes",), "n": ("no",), "m": ("male",)}
CODE = re.compile(r"-?(?:99+(?:\.9+)?|88+|77+|32767|32768|65535|2147483647|1e\+?[23]\d)")
FEW = 5  # other cells, with three distinct values: with fewer no value can be said to lie apart
CODED = 0.5  # times the span of the others: the distance from which 99, 999 and the like are taken for codes
APART = 5.0  # times that span: the distance from which any repeated value is taken for a code
MOST_CODES = 4  # that are told


def look_at_levels(evidence: Evidence) -> list[Sign]:
    """Return the levels that are one level written in two ways."""
    levels: dict[str, Sequence[str]] = {}
    for block, _ in placed(evidence.design):
        levels |= {code.column: code.levels for code in block.codes if code.levels}
    if evidence.target.levels:
        levels[evidence.target.columns[0]] = evidence.target.levels
    return [
        Sign("near-same-levels", {"column": column, "levels": listed(alike), "first": alike[0]})
        for column, found in levels.items()
        for alike in near_same(found)
    ]


def near_same(levels: Iterable[str]) -> list[list[str]]:
    """Return groups of levels that differ only in case, in spaces, as 1 and 1.0 do, or as T and true do."""
    groups: dict[str, list[str]] = defaultdict(list)
    for level in levels:
        groups[re.sub(r"[\s_]+", " ", unfloated(level.casefold())).strip(" .'\"")].append(level)
    for short, names in SHORT.items():
        name = next((name for name in names if name in groups), None)
        if short in groups and name is not None:
            groups[name] += groups.pop(short)
    return [alike for alike in groups.values() if len(alike) > 1]


def look_at_codes(evidence: Evidence) -> list[Sign]:
    """Return the numbers that stand for missing cells."""
    found = []
    for column, values in evidence.data.numbers.items():
        code = missing_code(values[evidence.sample.chosen])
        if code is not None:
            value, count = code
            values_told = {"column": column, "value": number_label(value), "count": count}
            found.append(Sign("missing-code", values_told))
    return found[:MOST_CODES]


def missing_code(values: Floats) -> tuple[float, int] | None:
    """Return a value that repeats far outside the others, and how often; None where there is none."""
    values = values[np.isfinite(values)]
    for value in (values.max(initial=-np.inf), values.min(initial=np.inf)):
        others = values[values != value]
        count = values.size - others.size
        if count < 2 or others.size < FEW or np.unique(others[: 10 * FEW]).size < 3:
            continue
        span = others.max() - others.min()
        gap = np.abs(others - value).min()
        if gap > (CODED if CODE.fullmatch(number_label(float(value))) else APART) * span:
            return float(value), int(count)
    return None


FINDINGS.add(FindingKind("near-same-levels", look_at_levels, "cells"))
FINDINGS.add(FindingKind("missing-code", look_at_codes, "cells", offers=as_missing("value")))
