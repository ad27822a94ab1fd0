"""Diagnosis: what the columns, the target, the run and the errors of a fit say, worst first."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np

from descend.analysis.diagnosis._cells import of_cells
from descend.analysis.diagnosis._columns import of_columns
from descend.analysis.diagnosis._residuals import of_residuals
from descend.analysis.diagnosis._run import of_descent, of_unsteady
from descend.analysis.diagnosis._training import of_training
from descend.analysis.diagnosis.finding import SEVERITIES, Evidence, Finding
from descend.analysis.diagnosis.subsample import Subsample
from descend.analysis.diagnosis.target import of_class_counts, of_target, separated
from descend.base.threads import one_blas_thread

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["SEVERITIES", "Evidence", "Finding", "diagnose", "of_run"]

LATE = {f"finding.not-{name}" for name in ("converged", "converged-least", "converged-unsteady")}  # there is
LATE |= {f"finding.not-{name}" for name in ("arrived", "arrived-from", "arrived-raw")}  # nowhere to arrive then
SMALL = 10  # rows: a textbook's table, which is not to be nagged
LARGE = 10_000  # numbers: what fewer cost is nothing with any threads
TINY = 1e-12  # of the target's mean square: an error that is rounding


def diagnose(evidence: Evidence) -> list[Finding]:
    """Return the findings, errors before warnings before hints, each kind in the order of the road.

    A run that diverged has nothing to say but how it went. A table of a few rows that is fitted exactly is told the
    worst thing only. Of a network only the run and the classes are looked at: it has no columns of weights.
    """
    if evidence.networked:
        found = of_run(evidence) + of_class_counts(evidence)
        return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))
    sample = Subsample.of(evidence)
    with np.errstate(all="ignore"), _one_thread(sample):
        found = of_run(evidence, sample)
        if not evidence.history.diverged and np.isfinite(evidence.weights).all():
            found += of_cells(evidence, sample)
            found += of_target(evidence, sample) + of_columns(evidence, sample) + of_residuals(evidence, sample)
        if any(finding.endless for finding in found):
            found = [finding for finding in found if finding.code not in LATE]
        if "finding.missing-code" in {finding.code for finding in found}:  # what they bend is no bend
            found = [finding for finding in found if finding.code != "finding.curvature"]
        found.sort(key=lambda finding: SEVERITIES.index(finding.severity))
        return found[:1] if sample.rows < SMALL and _exact(evidence, sample) else found


def of_run(evidence: Evidence, sample: Subsample | None = None) -> list[Finding]:
    """Return what the run says; that it got nowhere, or not to its end, only where nothing says why."""
    found = of_descent(evidence, sample)
    if any(finding.unfinished for finding in found):
        return found
    return [*(of_training(evidence) or of_unsteady(evidence)), *found]


def _one_thread(sample: Subsample) -> AbstractContextManager[object]:
    """Return what holds the linear algebra to one thread where it would take more for many short products.

    On a busy machine these would wait for one another far longer than they work.
    """
    return nullcontext() if sample.X.size < LARGE else one_blas_thread()


def _exact(evidence: Evidence, sample: Subsample) -> bool:
    """Tell whether every row is fitted as it is, or on its own class's side."""
    Z = sample.X @ evidence.weights
    if evidence.target.family.classes:
        return separated(Z, sample.Y)
    left = evidence.target.family.link.inverse(Z) - sample.Y
    return bool(np.square(left).sum() <= TINY * np.square(sample.Y).sum())
