"""Findings of an equation's parameters: not determined by the rows, alike, at a bound, without end; other minima."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from descend.analysis.diagnosis.finding import FINDINGS, FindingKind, Sign
from descend.analysis.diagnosis.remedies.parameters import free_parameter, hold_parameter
from descend.analysis.diagnosis.subsample import listed

if TYPE_CHECKING:
    from descend.analysis.diagnosis.evidence import Evidence
    from descend.analysis.diagnosis.finding import Severity
    from descend.analysis.diagnosis.remedies.case import Offer
    from descend.base.typing import Floats
    from descend.objectives.curve import CurveObjective

ALIKE = 0.99  # a correlation of estimates: their errors are seven times those that each alone would have
PAIRS = 3  # told
LEADING = 0.1  # of a direction's largest share: what a parameter needs to be named
LIMIT = 1e-3  # of the spread of the targets, or of the curve itself: a curve that is so near to its limit is that
ROWS = 1000  # rows that are predicted
NEAR = 1.2  # times the least loss: a minimum as good as that might be the one that is meant
FEW = 0.1  # of the starts: where no more led to the least loss, a lower one may have been missed
STARTS = 5  # fewer show nothing of that


def look_at_directions(evidence: Evidence) -> list[Sign]:
    """Return the parameters that the rows do not determine, and pairs that they hardly tell apart."""
    from descend.analysis.diagnosis.kinds._directions import tied_parameters

    objective, w = _curve(evidence), evidence.weights.ravel()
    names, found = objective.curve.parameters, []
    for tied in tied_parameters(objective, w, _flat(evidence, objective, w)):
        own = [names[place] for place in tied.places]
        values: dict[str, Any] = {"parameters": listed(own), "first": own[0], "value": float(w[tied.places[0]])}
        if tied.together:
            found.append(Sign("undetermined-together", {**values, "together": tied.together}))
        else:
            found.append(Sign("undetermined" if len(own) > 1 else "no-effect", values))
    return found + _alike(evidence, names)


def _flat(evidence: Evidence, objective: CurveObjective, w: Floats) -> Floats:
    """Return the directions in which no prediction changes, parameters x directions, in the parameters' units."""
    if evidence.search is not None and not evidence.search.undetermined:
        return np.empty((w.size, 0))
    from descend.analysis.curve_inference import Tangents

    tangents = Tangents.of(objective, w)
    return tangents.flat / np.where(tangents.lengths > 0, tangents.lengths, 1.0)[:, None]


def _alike(evidence: Evidence, names: tuple[str, ...]) -> list[Sign]:
    """Find parameters whose estimates are correlated so closely that the rows hardly tell them apart."""
    if evidence.inference is None:
        return []
    known = ~np.isnan(evidence.inference.errors.ravel())
    root = np.where(known[:, None], evidence.inference.root, 0.0)
    even = root / np.where(known, evidence.inference.errors.ravel(), 1.0)[:, None]
    correlations = np.triu(even @ even.T, 1)
    pairs = [tuple(pair) for pair in np.argwhere(np.abs(correlations) > ALIKE)]
    pairs.sort(key=lambda pair: -abs(correlations[pair]))
    if not pairs:
        return []
    told = [f"{names[one]}, {names[other]}: {correlations[one, other]:.4f}" for one, other in pairs[:PAIRS]]
    values = {"pairs": "; ".join(told) + ("; …" if len(pairs) > PAIRS else ""), "count": len(pairs)}
    return [Sign("correlated-parameters", values)]


def look_at_bounds(evidence: Evidence) -> list[Sign]:
    """Return the parameters that a bound stopped."""
    objective, limits = _curve(evidence), evidence.recipe.limits
    found = []
    for name, value in zip(objective.curve.parameters, evidence.weights.ravel().tolist(), strict=True):
        if value in limits.get(name, ()):
            found.append(Sign("at-bound", {"first": name, "value": value}))
    return found


def look_at_the_limit(evidence: Evidence) -> list[Sign]:
    """Return the parameters that went on without end while the loss hardly fell, and what the curve becomes."""
    objective, search = _curve(evidence), evidence.search
    if search is None or not search.endless:
        return []
    largest = max(abs(share) for share in search.endless.values())
    leading = [name for name, share in search.endless.items() if abs(share) > LEADING * largest]
    w, start = evidence.weights.ravel(), evidence.history.snapshots[0].ravel()
    named = {name: place for place, name in enumerate(objective.curve.parameters)}
    ways = [f"{name} → {_end(w[named[name]], start[named[name]])}" for name in leading]
    limit = _limit(objective, w)
    limit = "" if limit == "line" and evidence.target.family.link.outer else limit  # a line under a link is none
    return [Sign(f"endless-{limit}" if limit else "endless", {"parameters": listed(ways), "first": leading[0]})]


def _end(value: float, start: float) -> str:
    """Return where a parameter goes on to, by where it has come from its start."""
    if abs(value) < abs(start):
        return "0"
    return "∞" if value > 0 else "−∞"


def _limit(objective: CurveObjective, w: Floats) -> str:
    """Return what the curve is where the parameters ended, but for little: "constant", "line" or neither ("")."""
    from descend.objectives.curve import predictor_of

    X = objective.X[:ROWS]
    Z = predictor_of(objective.curve, X, w)
    spread = np.abs(Z - Z.mean(axis=0)).max(initial=0.0)
    if spread <= LIMIT * (float(np.ptp(objective.Y)) if objective.loss.quadratic else 1.0):
        return "constant"
    straight = np.column_stack([np.ones(len(X)), X / np.where(X.any(axis=0), np.abs(X).max(axis=0), 1.0)])
    left = Z - straight @ np.linalg.lstsq(straight, Z, rcond=None)[0]
    return "line" if np.abs(left).max(initial=0.0) <= LIMIT * spread else ""


def look_at_minima(evidence: Evidence) -> list[Sign]:
    """Return the other minima that a search has seen, and whether the best one was hard to find."""
    objective, search, least = _curve(evidence), evidence.search, evidence.history.final_loss
    if search is None:
        return []
    facts = {"starts": search.starts, "reached": search.reached, "loss": least}
    near = [other for other in search.others if least <= other.loss <= NEAR * least]
    if near and least > 0:
        told = zip(objective.curve.parameters, near[0].parameters.tolist(), strict=True)
        at = listed([f"{name} = {value:.6g}" for name, value in told])
        return [
            Sign("other-minimum", {**facts, "other": near[0].loss, "more": 100 * (near[0].loss / least - 1), "at": at})
        ]
    if search.others and search.starts >= STARTS and search.reached <= FEW * search.starts:
        return [Sign("lone-minimum", {**facts, "other": search.others[0].loss})]
    return []


def look_at_the_end(evidence: Evidence) -> list[Sign]:
    """Return that a search ended where there is no minimum, unless parameters went on without end."""
    history, search = evidence.history, evidence.search
    if search is None or search.endless or history.stop not in ("stalled", "epochs"):
        return []
    return [Sign("not-at-minimum", {"steps": history.epochs, "slope": history.final_gradient_norm})]


def _curve(evidence: Evidence) -> CurveObjective:
    assert evidence.curve is not None
    return evidence.curve


def _direction(name: str, severity: Severity, offers: Offer | None = None) -> None:
    FINDINGS.add(FindingKind(name, look_at_directions, "parameters", severity, "minimum", offers))


_direction("undetermined-together", "warning", hold_parameter)
_direction("undetermined", "warning", hold_parameter)
_direction("no-effect", "warning", hold_parameter)
_direction("correlated-parameters", "hint")
FINDINGS.add(FindingKind("at-bound", look_at_bounds, "parameters", "hint", "minimum", free_parameter))
for _name in ("endless", "endless-line", "endless-constant"):
    FINDINGS.add(FindingKind(_name, look_at_the_limit, "parameters", needs="minimum", endless=True))
FINDINGS.add(FindingKind("other-minimum", look_at_minima, "parameters", "hint", "minimum"))
FINDINGS.add(FindingKind("lone-minimum", look_at_minima, "parameters", "hint", "minimum"))
FINDINGS.add(FindingKind("not-at-minimum", look_at_the_end, "parameters", needs="minimum", unfinished=True))
