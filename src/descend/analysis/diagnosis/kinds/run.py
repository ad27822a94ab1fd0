"""Findings of the run: a rate too large or too small, unscaled columns, an end before the optimum, overfitting."""

from __future__ import annotations

from math import ceil, isfinite, log
from typing import TYPE_CHECKING

import numpy as np

from descend.analysis.diagnosis.arrival import ARRIVED, arrived, excess
from descend.analysis.diagnosis.finding import FINDINGS, FindingKind, Sign
from descend.analysis.diagnosis.kinds._training import training_signs
from descend.analysis.diagnosis.remedies.run import faster, longer, optimum, slower, sooner, standardise
from descend.analysis.diagnosis.remedies.settings import each_of, from_zero, network_instead, regularise, shrink
from descend.analysis.diagnosis.remedies.terms import bend
from descend.analysis.forecast import foresee
from descend.base.setting import LARGEST_COUNT
from descend.design.matrix import INTERCEPT
from descend.formula.notation import quoted
from descend.solvers.optimizers import SGD
from descend.solvers.rates import best_rate, largest_stable_rate

if TYPE_CHECKING:
    from descend.analysis.diagnosis.evidence import Evidence
    from descend.analysis.diagnosis.remedies.case import Offer
    from descend.analysis.forecast import Outlook

UNEVEN = 1e4  # condition number from which descent takes tens of thousands of epochs
EVENED = 100.0  # times: by how much standardising must lower it to be the remedy
SAFE = 0.9  # of the largest stable rate
HALF = 0.5  # of the best rate: above it the rate is not what makes the run slow
BOUNCED = 0.5  # of the loss's net fall: all its rises together
HARDLY = 0.01  # of the first loss: a smaller fall counts as none
STEEP = 0.5  # of the first gradient's norm: with more left at the end there was a way to go
FALLING = 0.9  # of the gradient norm at half time: with more left the trend does not show how long it would take
RISEN = 0.1  # of the best held-out loss
NO_BETTER = 0.99  # of the mean's loss
L2 = 0.01  # a penalty that makes a minimum round enough to be found, and changes little
MORE_RATE = 10  # times the rate, where nothing is known of the right one


def look_at_progress(evidence: Evidence) -> list[Sign]:
    """Return what the run did not reach, with the reason where one is known."""
    slow = evidence.once(_slowness)
    if any(FINDINGS[sign.kind].unfinished for sign in slow):
        return slow
    return [*(training_signs(evidence) or _unsteady(evidence)), *slow]


def _slowness(evidence: Evidence) -> list[Sign]:
    """Return the reasons why the run did not reach the optimum."""
    if evidence.history.optimizer == "auto":
        return _stopped_short(evidence)
    if len(evidence.history) < 2:
        return []
    outlook = _outlook(evidence)
    return _too_large(evidence, outlook) or _too_small(evidence, outlook) or _not_converged(evidence, outlook)


def _stopped_short(evidence: Evidence) -> list[Sign]:
    """Find a run of "auto" that ended before the optimum, by what may have made it hard to reach."""
    history, recipe, loss = evidence.history, evidence.recipe, evidence.over.loss
    if history.stop not in ("stalled", "epochs"):
        return []
    values = {"steps": history.epochs, "slope": history.final_gradient_norm, "loss": history.final_loss}
    if loss.hollow is not None:
        target = quoted(evidence.target.columns[0])
        return [Sign("hollows", {"loss": history.final_loss, "target": target})]
    if recipe.init != "zeros":
        return [Sign("not-arrived-from", values)]
    if not recipe.standardize:
        return [Sign("not-arrived-raw", values)]
    option = "--loss mse" if recipe.l2 and evidence.target.family.solved else f"--l2 {max(10 * recipe.l2, L2):.2g}"
    return [Sign("not-arrived", {**values, "option": option})]


def look_at_scales(evidence: Evidence) -> list[Sign]:
    """Find columns left in their units where standardising lowers the condition number much."""
    history, recipe, design = evidence.history, evidence.recipe, evidence.design
    at_optimum = history.optimizer == "auto" and history.stop == "optimum"  # where scales matter to a penalty only
    if (at_optimum and not recipe.l2) or recipe.standardize or design.pixels.any():  # pixels are all of one scale
        return []
    sample = evidence.sample
    if sample.X.shape[0] < 2 or not sample.factored:
        return []
    spread = np.linalg.svd(np.linalg.qr(sample.X, mode="r"), compute_uv=False)
    counting = spread[spread > np.finfo(np.float64).eps * sample.X.shape[0] * spread[0]]
    raw = float((counting[0] / counting[-1]) ** 2) if counting.size else 1.0
    columns = np.flatnonzero(design.penalised & ~design.constant & (design.spreads > 0))
    if not raw > UNEVEN or not columns.size:
        return []
    even, _ = sample.even(columns, centred=design.hypothesis.intercept)
    solid = even[even > np.finfo(np.float64).eps * sample.X.shape[0] * even[0]]
    scaled = float((solid[0] / solid[-1]) ** 2) if solid.size else 1.0
    if raw < EVENED * scaled:
        return []
    sizes = np.where(design.sizes > 0, design.sizes, np.nan)
    small, large = int(np.nanargmin(sizes)), int(np.nanargmax(sizes))
    values = {
        "smallest": design.names[small],
        "small": float(sizes[small]),
        "largest": design.names[large],
        "large": float(sizes[large]),
        "condition": raw,
        "standardised": scaled,
    }
    return [Sign("unscaled", values, "hint" if history.optimizer == "auto" else None)]


def _outlook(evidence: Evidence) -> Outlook | None:
    """Return the forecast of the run that was made, where the loss is squared error."""
    if evidence.forecast is not None and evidence.forecast.outlook is not None:
        return evidence.forecast.outlook
    recipe, quadratic, history = evidence.recipe, evidence.quadratic, evidence.history
    if quadratic is None or not recipe.recurs or history.batch_size is not None:
        return None
    if not quadratic.trustworthy or not recipe.make_schedule().constant:
        return None
    names = evidence.design.names
    optimizer = SGD(history.lr, recipe.momentum, recipe.nesterov)
    return foresee(quadratic, recipe.start_of(evidence.design, quadratic.shape[1]), optimizer, history.epochs, names)


def _too_large(evidence: Evidence, outlook: Outlook | None) -> list[Sign]:
    """Find a rate at which the loss grew, must grow, or went up and down."""
    history, recipe = evidence.history, evidence.recipe
    foretold = outlook is not None and outlook.verdict == "diverges"
    if not history.diverged and not foretold and not _bounced(evidence):
        return []
    stable = None
    if recipe.recurs and history.batch_size is None:
        quadratic = evidence.quadratic
        worst = evidence.over.curvature_limit() if quadratic is None else quadratic.curvature_limit()
        if worst is not None and isfinite(worst):
            stable = largest_stable_rate(worst, recipe.momentum, recipe.nesterov)
    suggestion = history.lr / MORE_RATE
    if stable is not None and isfinite(stable) and SAFE * stable < history.lr:
        suggestion = SAFE * stable
    values = {
        "lr": history.lr,
        "first": float(history.loss[0]),
        "last": float(history.loss[-1]),
        "epochs": history.epochs,
        "suggestion": suggestion,
    }
    if history.diverged or foretold:
        return [Sign("rate-too-large", values, "error" if history.diverged else None)]
    return [Sign("rate-bounces", {**values, "rises": int((np.diff(history.loss) > 0).sum())})]


def _bounced(evidence: Evidence) -> bool:
    """Tell whether the loss of a full-batch run rose again and again, and the run did not arrive."""
    history = evidence.history
    if history.batch_size is not None or _arrived(evidence):
        return False
    rises = np.diff(history.loss)
    fall = float(history.loss[0] - history.loss[-1])
    return bool(rises[rises > 0].sum() > BOUNCED * abs(fall))


def _arrived(evidence: Evidence) -> bool:
    return arrived(evidence.history, evidence.quadratic)


def _too_small(evidence: Evidence, outlook: Outlook | None) -> list[Sign]:
    """Find a rate at which the run hardly moved, where a larger one would have moved it."""
    history, recipe, forecast = evidence.history, evidence.recipe, evidence.forecast
    bound = forecast.bound if forecast is not None else None
    stalled = (outlook is not None and outlook.verdict == "stalls") or (
        bound is not None and bound.prospect == "stalls"
    )
    if history.stop != "epochs" or _arrived(evidence) or not (stalled or _still(evidence)):
        return []
    suggestion, enough = MORE_RATE * history.lr, float("inf")
    if recipe.recurs and evidence.quadratic is not None:
        suggestion = best_rate(evidence.quadratic.curvatures, recipe.momentum, recipe.nesterov)
        enough = HALF * suggestion
    elif recipe.recurs and bound is not None and isfinite(bound.sure):
        suggestion = bound.sure / 2
        enough = HALF * suggestion
    if history.lr >= enough:
        return []
    values = {
        "lr": history.lr,
        "first": float(history.loss[0]),
        "last": history.final_loss,
        "epochs": history.epochs,
        "suggestion": suggestion,
    }
    return [Sign("rate-too-small", values)]


def _still(evidence: Evidence) -> bool:
    """Tell whether the loss hardly fell although the gradient stayed large."""
    history = evidence.history
    first, slope = float(history.loss[0]), float(history.gradient_norm[0])
    if history.batch_size is not None or not slope > 1e-8 * abs(first):
        return False
    return first - history.final_loss < HARDLY * abs(first) and history.final_gradient_norm > STEEP * slope


def _not_converged(evidence: Evidence, outlook: Outlook | None) -> list[Sign]:
    """Find a run that ended by its number of epochs, and how many more it would have needed."""
    history = evidence.history
    if history.stop != "epochs" or _arrived(evidence):
        return []
    won = excess(evidence.history, evidence.quadratic)
    if outlook is not None and won is not None:
        hundredth, millionth = (outlook.reach.get(share) or LARGEST_COUNT for share in (1e-2, 1e-6))
        values = {
            "epochs": history.epochs,
            "left": won[1] / won[0],
            "hundredth": max(hundredth - history.epochs, 1),
            "millionth": max(millionth - history.epochs, 1),
            "enough": millionth,
        }
        return [Sign("not-converged", values)]
    slopes = history.gradient_norm
    middle, last, first = float(slopes[slopes.size // 2]), float(slopes[-1]), float(slopes[0])
    passed = int(history.epoch[-1] - history.epoch[slopes.size // 2])
    if not (first > 0 and 0 < last < FALLING * middle):
        return []
    # the directions that are left are the flattest, so the gradient does not shrink faster than it did
    more = max(ceil(log(last / (ARRIVED * first)) / log(middle / last) * passed), 1)
    values = {"epochs": history.epochs, "left": last / first, "more": more, "enough": history.epochs + more}
    return [Sign("not-converged-least", values)]


def _unsteady(evidence: Evidence) -> list[Sign]:
    """Find a run that ended by its number of epochs, where the number that it needs is not known."""
    history = evidence.history
    if history.stop != "epochs" or history.optimizer == "auto" or evidence.networked or _arrived(evidence):
        return []
    first, last = float(history.gradient_norm[0]), history.final_gradient_norm
    values = {"epochs": history.epochs, "left": last / first if first > 0 else 1.0}
    return [Sign("not-converged-unsteady", values)]


def look_at_held_out(evidence: Evidence) -> list[Sign]:
    """Return what the loss on held-out rows shows: overfitting or underfitting."""
    history = evidence.history
    if history.optimizer == "auto":
        return []
    held, loss = history.validation_loss, history.loss
    if held.size < 2 or not np.isfinite(held).all():
        return []
    best = int(held.argmin())
    rise = float(held[-1] - held[best])
    if rise > RISEN * abs(float(held[best])) and loss[-1] < loss[best]:
        values = {"epoch": int(history.epoch[best]), "best": float(held[best]), "last": float(held[-1])}
        return [Sign("overfit-network" if evidence.networked else "overfit", values)]
    alone = evidence.over.loss.constant_loss(evidence.over.Y)
    if evidence.once(_slowness) or alone is None or min(float(held[best]), history.final_loss) < NO_BETTER * alone:
        return []
    names = [name for name in evidence.design.names if name != INTERCEPT]
    if not names:
        return []
    inputs = [one.name for one in evidence.design.hypothesis.inputs]
    first = next((name for name in inputs if evidence.design.uses.get(name) == "number"), inputs[0])  # it can bend
    said = {"loss": history.final_loss, "held": float(held[best]), "mean": alone, "first": first}
    kind = "underfit-network" if evidence.networked else "underfit"
    if evidence.design.pixels.any() and not evidence.networked:
        kind = "underfit-image"
    return [Sign(kind, said)]


def _unfinished(name: str, offers: Offer | None, *unless: str) -> None:
    """Add a kind that says that the run ended before it had arrived."""
    kind = FindingKind(name, look_at_progress, "run", needs="run", offers=offers, unless=unless, unfinished=True)
    FINDINGS.add(kind)


def _held(name: str, offers: Offer | None) -> None:
    """Add a kind that the held-out rows show."""
    FINDINGS.add(FindingKind(name, look_at_held_out, "run", needs="run", offers=offers))


ENDLESS = ("separable", "quasi-separable")  # beside these there is nowhere to arrive
_unfinished("untrained", optimum)
_unfinished("untrained-network", None)
_unfinished("rate-too-large", slower)
_unfinished("rate-bounces", slower)
_unfinished("rate-too-small", faster)
_unfinished("not-converged", longer, *ENDLESS)
_unfinished("not-converged-least", longer, *ENDLESS)
_unfinished("not-converged-unsteady", optimum, *ENDLESS)
_unfinished("not-arrived", shrink, *ENDLESS)
_unfinished("not-arrived-from", from_zero, *ENDLESS)
_unfinished("not-arrived-raw", standardise, *ENDLESS)
FINDINGS.add(FindingKind("hollows", look_at_progress, "run", needs="run"))
FINDINGS.add(FindingKind("unscaled", look_at_scales, "run", needs="design", offers=standardise))
_held("overfit", each_of(sooner, shrink))
_held("overfit-network", each_of(regularise, sooner))
_held("underfit", bend("first"))
_held("underfit-image", network_instead)
_held("underfit-network", None)
