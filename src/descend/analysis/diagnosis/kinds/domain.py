"""The finding of a start at which a curve is not defined in every row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.analysis.diagnosis.finding import FINDINGS, FindingKind, Sign

if TYPE_CHECKING:
    from descend.analysis.diagnosis.evidence import Evidence


def look_at_the_start(evidence: Evidence) -> list[Sign]:
    """Return where the curve is not defined at the start that was given, from which a search could not go down."""
    from descend.analysis.domain import undefined_facts

    history, objective = evidence.history, evidence.curve
    assert objective is not None
    if evidence.search is None or np.isfinite(history.loss[0]) or not len(history.snapshots):
        return []
    facts = undefined_facts(objective, history.snapshots[0].ravel(), evidence.data)
    return [] if facts is None else [Sign("undefined-start", facts)]


FINDINGS.add(FindingKind("undefined-start", look_at_the_start, "run", "hint", "curve"))
