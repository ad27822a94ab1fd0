"""Whether a run got past the loss of the intercept alone (the mean, or the class shares)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.analysis.diagnosis.finding import Sign

if TYPE_CHECKING:
    from descend.analysis.diagnosis.evidence import Evidence

HARDLY = 0.01  # of the loss of the mean alone: a smaller gain counts as none
LEFT = 0.1  # of the gain over the mean that the columns allow: with more of it left the run has not arrived
STEEP = 0.1  # of the first gradient's norm
DRAWN = 1.05  # times the mean's loss on a sample of the rows: a sample's loss may differ by so much
MOST = 300  # parameters, at most, for which the Hessian is computed
EDGE = 1e-12  # of a loss, and of a curvature


def training_signs(evidence: Evidence) -> list[Sign]:
    """Find a run that ended by its number of epochs with a loss on its own rows no better than the mean's."""
    history = evidence.history
    alone = _alone(evidence)
    if history.stop != "epochs" or alone is None or not _short(evidence, alone):
        return []
    values = {"epochs": history.epochs, "loss": history.final_loss, "mean": alone}
    return [Sign("untrained-network" if evidence.networked else "untrained", values)]


def _short(evidence: Evidence, alone: float) -> bool:
    """Tell whether much of the possible gain over the mean's loss is left, as far as that is known."""
    history, last = evidence.history, evidence.history.final_loss
    drawn = len(evidence.over.Y) < evidence.rows
    if last > alone * (DRAWN if drawn else 1 + EDGE):
        return True
    if evidence.networked:
        return False
    left = _left(evidence)
    if left is not None:
        return left > LEFT * max(alone - last + left, EDGE * abs(alone))
    hardly = last > alone - HARDLY * abs(alone)
    return hardly and history.final_gradient_norm > STEEP * float(history.gradient_norm[0])


def _alone(evidence: Evidence) -> float | None:
    """Return the loss of the hypothesis with its intercept alone; None where it has none."""
    loss = evidence.over.loss
    if callable(evidence.recipe.loss) or not (evidence.networked or evidence.design.hypothesis.intercept):
        return None
    Y = np.asarray(evidence.over.Y, dtype=np.float64)
    null = evidence.target.family.null_predictor(evidence.target, Y)
    Z = np.broadcast_to(null, (len(Y), null.shape[1]))
    with np.errstate(all="ignore"):
        total = float(loss.total_and_slope(Z, Y)[0])
    return total / Y.size if loss.mean else total * evidence.rows / len(Y)


def _left(evidence: Evidence) -> float | None:
    """Return how far above its least the loss is: exactly, or by its curvature there."""
    if evidence.quadratic is not None:
        gap = evidence.history.gap
        return evidence.history.final_loss - evidence.quadratic.least if gap is None else gap
    objective = evidence.objective
    if objective.loss.concordance is None or evidence.weights.size > MOST:
        return None
    w = evidence.weights.ravel().astype(objective.X.dtype)
    slope = objective.gradient(w).astype(np.float64)
    curvatures, directions = np.linalg.eigh(objective.hessian(w).astype(np.float64))
    solid = curvatures > EDGE * curvatures[-1]
    return float((np.square(directions[:, solid].T @ slope) / curvatures[solid]).sum() / 2)
