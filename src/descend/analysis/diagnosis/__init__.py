"""Diagnosis: what the columns, the target, the run and the errors of a fit say, worst first, and what mends it.

FINDINGS is the registry of the kinds of findings, which ``kinds`` fills; a Finding is one of them in a fit, and a
Change is what mends it. ``remedies`` makes the changes, those of notes and errors too.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np

from descend.analysis.diagnosis.change import Change
from descend.analysis.diagnosis.evidence import Evidence
from descend.analysis.diagnosis.finding import FINDINGS, SEVERITIES, STAGES, Finding, FindingKind, Sign
from descend.analysis.separation import separated
from descend.base.threads import one_blas_thread

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from descend.analysis.diagnosis.subsample import Subsample

__all__ = ["FINDINGS", "SEVERITIES", "Change", "Evidence", "Finding", "diagnose", "is_unfinished"]

SMALL = 10  # rows: a textbook's table, which is not to be nagged
LARGE = 10_000  # numbers: what fewer cost is nothing with any threads
TINY = 1e-12  # of the target's mean square: an error that is rounding


def diagnose(evidence: Evidence) -> list[Finding]:
    """Return the findings, errors before warnings before hints, each kind in the order of the road.

    Of a run that diverged only what needs no weights is looked at, of a network only the run and the classes. A table
    of a few rows that is fitted exactly is told the worst thing only.
    """
    with np.errstate(all="ignore"), _one_thread(evidence):
        signs = _signs(evidence, FINDINGS.values())
        kinds = {sign.kind for sign in signs}
        signs = [sign for sign in signs if kinds.isdisjoint(FINDINGS[sign.kind].unless)]
        found = [FINDINGS[sign.kind].finding(sign, evidence) for sign in signs]
        found.sort(key=lambda finding: SEVERITIES.index(finding.severity))
        exact = "equation" in evidence.holds and evidence.sample.rows < SMALL and _exact(evidence, evidence.sample)
        return found[:1] if exact else found


def is_unfinished(evidence: Evidence) -> bool:
    """Tell whether a run ended before it had arrived, as far as the run itself says."""
    signs = _signs(evidence, (kind for kind in FINDINGS.values() if kind.unfinished))
    return any(FINDINGS[sign.kind].unfinished for sign in signs)


def _signs(evidence: Evidence, kinds: Iterable[FindingKind]) -> list[Sign]:
    """Return what the looks of these kinds see, in the order of the road."""
    served = sorted((kind for kind in kinds if kind.serves(evidence)), key=lambda kind: STAGES.index(kind.stage))
    looks = dict.fromkeys(kind.look for kind in served)
    return [sign for look in looks for sign in look(evidence)]


def _one_thread(evidence: Evidence) -> AbstractContextManager[object]:
    """Return what holds the linear algebra to one thread where it would take more for many short products.

    On a busy machine these would wait for one another far longer than they work.
    """
    small = "design" not in evidence.holds or evidence.sample.X.size < LARGE
    return nullcontext() if small else one_blas_thread()


def _exact(evidence: Evidence, sample: Subsample) -> bool:
    """Tell whether every row is fitted as it is, or on its own class's side."""
    Z = sample.X @ evidence.weights
    if evidence.target.family.classes:
        return separated(Z, sample.Y)
    left = evidence.target.family.link.inverse(Z) - sample.Y
    return bool(np.square(left).sum() <= TINY * np.square(sample.Y).sum())
