"""Whether rows vary more than their family says that they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.analysis.diagnosis.finding import FINDINGS, FindingKind, Sign

if TYPE_CHECKING:
    from descend.analysis.diagnosis.evidence import Evidence

ROWS = 30  # the test rests on more
FREEDOM = 10  # rows that the columns must leave over
BY_CHANCE = 1e-3  # chance of so wide a spread where there is none
MATERIAL = 1.2  # times the variance: standard errors a tenth too small


def look_at_dispersion(evidence: Evidence) -> list[Sign]:
    """Return the target of a fit at its optimum whose rows vary more than their means say."""
    sample, target = evidence.sample, evidence.target
    columns = int(evidence.design.live.sum())
    if evidence.history.stop not in ("optimum", "solved") or len(sample.X) < max(ROWS, columns + FREEDOM):
        return []
    found = target.family.overdispersion(sample.Y, target.family.link.inverse(sample.X @ evidence.weights), columns)
    if found is None or found[1] >= BY_CHANCE or found[0] < MATERIAL:
        return []
    ratio, chance = found
    return [Sign("overdispersed", {"target": target.columns[0], "ratio": ratio, "times": ratio**0.5, "chance": chance})]


FINDINGS.add(FindingKind("overdispersed", look_at_dispersion, "residuals"))
