"""What is computed once an equation that is a curve is fitted: its certificate, its inference, and the findings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from descend.analysis.certificates import certify_minimum
from descend.analysis.curve_inference import infer_curve
from descend.analysis.diagnosis import diagnose
from descend.analysis.inference import MOST, Inference
from descend.model.record import Assessment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.analysis.diagnosis import Evidence
    from descend.objectives.curve_loss import CurveLoss

NEAR = 1e-6  # of a row's share of the loss: so far from the minimum standard errors hold
WORK = 2e11  # operations of a Hessian, at most


def assess_curve(objective: CurveLoss, evidence: Evidence) -> Assessment:
    """Return what is known of a fit; of one that diverged or was interrupted only the findings."""
    history, w = evidence.history, evidence.weights.ravel()
    if not evidence.sound or not np.isfinite(history.final_loss) or history.stop in ("diverged", "interrupted"):
        return Assessment(findings=diagnose(evidence), forecast=evidence.forecast)
    limits, names = evidence.recipe.limits, objective.curve.parameters
    at_bound = [name for name, value in zip(names, w.tolist(), strict=True) if value in limits.get(name, ())]
    free = np.array([name not in at_bound for name in names])
    arrived = history.stop == "optimum" or _is_near(objective, evidence, free)
    hessian = None
    if arrived and w.size <= MOST and objective.rows * float(w.size) ** 2 <= WORK:
        hessian = objective.hessian(w)[np.ix_(free, free)]
    certificate = certify_minimum(hessian, history.final_gradient_norm, evidence.search)
    inference = infer_curve(objective, w, at_bound=at_bound, arrived=arrived)
    found = replace(evidence, inference=inference if isinstance(inference, Inference) else None)
    return Assessment(None, certificate, inference, diagnose(found), evidence.forecast)


def _is_near(objective: CurveLoss, evidence: Evidence, free: NDArray[np.bool_]) -> bool:
    """Tell whether a run of epochs ended so near to the minimum that its standard errors hold, by a Newton step."""
    loss, slope, curvature = objective.gauss_newton(evidence.weights.ravel())
    if not np.isfinite(curvature).all():
        return False
    step = np.linalg.lstsq(curvature[np.ix_(free, free)], slope[free], rcond=None)[0]
    return float(slope[free] @ step) / 2 <= NEAR * abs(loss) / objective.rows
