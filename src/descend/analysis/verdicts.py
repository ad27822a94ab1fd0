"""The verdict of a test: better than the baseline, no better, or not trained far enough to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.objectives.metrics import auc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.target import Target

KINDS = ("better", "few", "unsure", "same", "untrained", "one", "no")  # of verdicts: how their codes begin
FEW_ROWS = 10  # tested rows: a standard error of fewer means little
SURE = 2.0  # standard errors: about 95% of a normal distribution
PERHAPS = 1.0  # standard errors: about 68%
SAME = 1e-9  # of the errors: a smaller difference counts as none
HARDLY = 0.01  # of the baseline's error: an unfinished run that gains no more is not trained yet
FAR = 2.0  # times the baseline's error: from here on it is given as a multiple, not as a percentage


@dataclass(frozen=True)
class Verdict:
    """The ``code`` of the sentence that sums a test up, and the ``values`` for it."""

    code: str
    values: dict[str, Any]


def verdict_of(
    target: Target, truth: Floats, predicted: Floats, base: Floats, rival: Floats, *, finished: bool
) -> Verdict:
    """Compare predictions with the baseline's (``base``) row by row.

    They are better where the mean difference of the errors is more than twice its standard error. A few large squared
    errors make that wide, so the share of rows with a lower error may exceed a half by as much instead (sign test).
    ``rival`` is the baseline of each row without that row: predictions with its error are the same as the baseline. A
    run that is not ``finished`` and no better is not trained yet, which says nothing about the hypothesis. Where
    probabilities are off, classes may be told apart nevertheless; tested rows of one class alone cannot show it.
    """
    family = target.family
    kind = family.verdict
    broken = int((~np.isfinite(predicted)).any(axis=1).sum())
    if broken:
        return Verdict("verdict.no-verdict", {"broken": broken})
    if family.classes and finished and np.ptp(truth) == 0:  # a constant prediction is right every time
        return Verdict("verdict.one-class", {"level": target.levels[int(truth[0, 0])]})
    ours, theirs = family.row_errors(target, truth, predicted), family.row_errors(target, truth, base)
    left, total = float(ours.mean()), float(theirs.mean())
    ratio = _ratio(left, total, root=family.squared)
    values = {"lower": abs(1 - ratio)}
    gains = theirs - ours
    if left < total * (1 - SAME) and (finished or ratio < 1 - HARDLY):
        if gains.size < FEW_ROWS:
            return Verdict(f"verdict.few-rows-{kind}", values)
        if max(_evidence(gains), _evidence(np.sign(gains)) if family.squared else 0.0) > SURE:
            return Verdict(f"verdict.better-{kind}", values)
        return Verdict(f"verdict.unsure-{kind}" if finished else "verdict.untrained", values)
    if not finished:
        return Verdict("verdict.untrained", values)
    unseen = float(family.row_errors(target, truth, rival).mean())
    if abs(left - unseen) <= SAME * max(left, unseen):
        return Verdict(f"verdict.same-{kind}", {"lower": 0.0})
    values["times"] = ratio
    if family.classes:
        apart = _apart(truth[:, 0].astype(np.int64), predicted, base, values)
        if apart is not None:
            return apart
    if not np.isfinite(ratio):
        return Verdict(f"verdict.no-better-exact-{kind}", values)
    return Verdict(f"verdict.no-better-{kind}" if ratio < FAR else f"verdict.no-better-far-{kind}", values)


def percent(share: float) -> str:
    """Return a share as a percentage that is 0 or 100 only where the share is."""
    if 0 < share < 0.01:
        return f"{100 * share:.1g}%"
    if 0.99 < share < 1:
        return f"{100 - max(float(f'{100 * (1 - share):.1g}'), 1e-9):.12g}%"
    return f"{share:.0%}"


def _ratio(left: float, total: float, *, root: bool) -> float:
    """Return the ratio of the hypothesis's error to the baseline's, 1 where both are equal."""
    if left == total:
        return 1.0
    ratio = left / total if total > 0 else np.inf
    return float(np.sqrt(ratio)) if root else ratio


def _evidence(gains: Floats) -> float:
    """Return a mean over its standard error."""
    if gains.size < 2:
        return 0.0
    mean, error = float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(gains.size))
    return mean / error if error > 0 else np.inf * np.sign(mean) if mean else 0.0


def _apart(codes: NDArray[np.int64], predicted: Floats, base: Floats, values: dict[str, Any]) -> Verdict | None:
    """Return the verdict of classes that are told apart although their probabilities are off, None where they are not.

    They are told apart by the likeliest class, or, of two classes, by the ranks of a probability (AUC), whose standard
    error is that of random ranks (Mann and Whitney 1947).
    """
    hits = (predicted.argmax(axis=1) == codes).astype(np.float64) - (base.argmax(axis=1) == codes)
    told, ranked = _evidence(hits), -np.inf
    few, many = int((codes == 1).sum()), int((codes == 0).sum())
    if predicted.shape[1] == 2 and few and many:
        area = auc(codes == 1, predicted[:, 1])
        ranked = (area - 0.5) / np.sqrt((few + many + 1) / (12 * few * many))
        values = {**values, "auc": area}
    if max(told, ranked) <= PERHAPS:
        return None
    sure = "better" if max(told, ranked) > SURE else "unsure"
    return Verdict(f"verdict.{sure}-{'apart' if told >= ranked else 'ranks'}", values)
