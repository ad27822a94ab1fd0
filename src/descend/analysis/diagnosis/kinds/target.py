"""Findings of the target: it never changes, a column determines it, its classes are separable or rare."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from descend.analysis.diagnosis.finding import FINDINGS, FindingKind, Sign
from descend.analysis.diagnosis.remedies.settings import shrink
from descend.analysis.diagnosis.remedies.terms import leave_first
from descend.analysis.diagnosis.subsample import listed, placed
from descend.analysis.separation import margins, separated
from descend.design.encodings.levels import level_codes
from descend.formula.ast import Name
from descend.formula.notation import quoted, written

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.analysis.diagnosis.evidence import Evidence
    from descend.analysis.diagnosis.subsample import Subsample
    from descend.base.typing import Floats
    from descend.formula.ast import Expression

    Codes = NDArray[np.int64]

SAME = 1e-12  # of the largest value: a smaller spread is rounding
EQUAL = 0.99999  # correlation: no measured cause is so close to its effect
LEAK_ROWS = 10  # fewer rows may lie on a line on purpose, as in a textbook
LEAK_CLASS_ROWS = 20  # classes of fewer rows are told apart by chance
LEAK_IN_CLASS = 5  # two of 20 rows lie at one end once in ten times, five once in 7,000
RARE = 0.05  # below it "always the commonest" is right 95 times in 100
RARE_OF_EVEN = 0.25  # of an even share: with many classes each is rare
CERTAIN = 1e-6  # a probability so near to 1 suggests separation
HEAVY = 8.0  # a logit a standard deviation: odds of 3,000 to 1
SOLVED_ROWS = 4  # fewer are not worth a linear programme
SOLVED_WEIGHTS = 300  # a linear programme of more takes longer than the fit
LOADED = 0.1  # of the direction's largest share: what a column needs to be named


def look_at_target(evidence: Evidence) -> list[Sign]:
    """Return what the target and the columns together show."""
    sample = evidence.sample
    if not evidence.target.family.classes:
        return [finding for output in range(sample.Y.shape[1]) for finding in _of_numbers(evidence, sample, output)]
    codes = sample.Y[:, 0].astype(np.int64)
    tellers = _tellers(evidence, sample, codes)
    return [
        *_separable(evidence, sample, tellers),
        *_leaking_classes(evidence, sample, tellers),
    ]


def _of_numbers(evidence: Evidence, sample: Subsample, output: int) -> list[Sign]:
    """Find a target of numbers that is constant, or that a column equals."""
    design, name = evidence.design, evidence.target.outputs[output]
    y, all_y = sample.Y[:, output], evidence.objective.Y[:, output]
    if sample.rows < 2:
        return []
    if np.ptp(all_y) <= SAME * np.abs(all_y).max():
        return [Sign("dead-target", {"target": name, "value": float(all_y[0])})]
    if sample.rows < LEAK_ROWS:
        return []
    y = y - y.mean()
    equal = []
    for block, place in placed(design):
        if block.value is None:
            continue
        x = sample.X[:, place.start] - sample.X[:, place.start].mean()
        size = np.sqrt(x @ x) * np.sqrt(y @ y)
        if size > 0 and abs(x @ y) > EQUAL * size and (_several(evidence) or _equals(evidence, block.value, output)):
            equal.append((block.names[0], written(block.term), abs(x @ y) / size))
    if not equal:
        return []
    names, terms, correlations = zip(*equal, strict=True)
    values = {"columns": listed(list(names)), "first": terms[0], "target": name, "correlation": min(1.0, *correlations)}
    return [Sign("leakage", values)]


def _several(evidence: Evidence) -> bool:
    """Tell whether more than one column of the table is used: with one, an exact law is likelier meant."""
    return len(evidence.design.hypothesis.inputs) > 1


def _equals(evidence: Evidence, value: Expression, output: int) -> bool:
    expression = evidence.target.expressions[output]
    if not isinstance(value, Name) or not isinstance(expression, Name):
        return False
    numbers = evidence.data.numbers
    return bool(np.array_equal(numbers[value.name], numbers[expression.name]))


def _tellers(evidence: Evidence, sample: Subsample, codes: Codes) -> list[int]:
    """Return the places of the number columns that tell all classes apart by thresholds."""
    found = []
    if np.bincount(codes).size < 2:
        return []
    every = evidence.objective.Y[:, 0].astype(np.int64) if not sample.whole else codes
    for block, place in placed(evidence.design):
        if block.value is not None and _apart(sample.X[:, place.start], codes):
            x = evidence.objective.X[:, place.start] if not sample.whole else sample.X[:, place.start]
            if sample.whole or _apart(x, every):
                found.append(place.start)
    return found


def _apart(x: Floats, codes: Codes) -> bool:
    """Tell whether the classes are in disjoint intervals."""
    ends = sorted((float(x[own].min()), float(x[own].max())) for own in (codes == c for c in np.unique(codes)))
    return len(ends) > 1 and all(high < low for (_, high), (low, _) in pairwise(ends))


def _leaking_classes(evidence: Evidence, sample: Subsample, tellers: list[int]) -> list[Sign]:
    """Find columns that determine the class, each by itself."""
    counts = _counts(evidence)
    counts = counts[counts > 0]
    if sample.rows < LEAK_CLASS_ROWS or counts.size < 2 or counts.min() < LEAK_IN_CLASS or not _several(evidence):
        return []
    blocks = list(placed(evidence.design))
    telling = {evidence.design.names[p.start]: written(block.term) for block, p in blocks if p.start in tellers}
    codes = sample.Y[:, 0].astype(np.int64)
    for name, levels in evidence.design.levels.items():
        own = level_codes(name, evidence.data.take(sample.chosen), levels)
        pairs = np.unique(own * (codes.max() + 1) + codes).size
        if pairs == np.unique(own).size == np.unique(codes).size:
            whole = (b.term for b, _ in blocks if len(b.codes) == 1 and getattr(b.codes[0], "name", None) == name)
            telling[name] = written(next(whole, ())) or quoted(name)
    if not telling:
        return []
    first, target = next(iter(telling.values())), evidence.target.columns[0]
    values = {"columns": listed(list(telling)), "first": first, "target": target}
    return [Sign("leakage-classes", values)]


def _separable(evidence: Evidence, sample: Subsample, tellers: list[int]) -> list[Sign]:
    """Find separable classes, for which the loss has no minimum and the weights grow without bound.

    A linear programme is solved only where the fit gives a reason, and the weights themselves do not separate them.
    """
    objective, history = evidence.objective, evidence.history
    if evidence.recipe.l2 or sample.rows < 2 or (_counts(evidence) > 0).sum() < 2:
        return []
    W = evidence.weights
    Z = objective.predictor(W.astype(objective.X.dtype))
    kind, direction, apart = "perfect", W, sample.rows
    alone = bool(tellers) and evidence.design.hypothesis.intercept  # without one a line may not separate them
    if not alone and not separated(Z, objective.Y):
        halted = history.optimizer == "auto" and history.stop != "optimum"
        if W.shape[0] * max(W.shape[1] - 1, 1) > SOLVED_WEIGHTS:
            return []
        if sample.rows < SOLVED_ROWS or not (halted or _extreme(evidence, Z) or _pure_levels(evidence, sample)):
            return []
        from descend.analysis.separation import find_separation

        codes, classes = objective.Y[:, 0].astype(np.int64), len(evidence.target.levels)
        found = find_separation(objective.X.astype(np.float64, copy=False), codes, classes)
        if found is None:
            return []
        kind, direction, apart = found.kind, found.direction, int(found.separated.sum())
    columns = [evidence.design.names[index] for index in tellers] or _columns(evidence, direction)
    if not tellers and kind == "quasi":
        pure = _pure_levels(evidence, sample)
        whole = {level.partition("[")[0] for level in pure}  # of these categories the level is known
        columns = pure + [name for name in columns if name.partition("[")[0] not in whole]
    values = {"target": evidence.target.columns[0], "columns": listed(columns), "apart": apart, "rows": sample.rows}
    if kind == "perfect":
        return [Sign("separable", values)]
    return [Sign("quasi-separable", values)]


def _extreme(evidence: Evidence, Z: Floats) -> bool:
    """Tell whether a row's own class is nearly certain, or a column's weight is very large."""
    steepest = np.abs(evidence.weights * evidence.design.scaled_sizes[:, None])[evidence.design.penalised]
    if steepest.max(initial=0.0) > HEAVY:
        return True
    return bool(margins(Z, evidence.objective.Y).max() > -np.log(CERTAIN))


def _pure_levels(evidence: Evidence, sample: Subsample) -> list[str]:
    """Return the levels whose rows are all of one class: each is enough for quasi-separation."""
    codes = sample.Y[:, 0].astype(np.int64)
    alone = [b.codes[0] for b in evidence.design.blocks if len(b.codes) == 1]
    found = []
    for code in alone:
        if not code.levels:
            continue
        labels = replace(evidence.data, numbers={}, labels={code.column: evidence.data.labels[code.column]})
        own = level_codes(code.column, labels.take(sample.chosen), code.levels)
        table = np.zeros((len(code.levels), codes.max() + 1))
        np.add.at(table, (own, codes), 1)
        pure = np.flatnonzero((table > 0).sum(axis=1) == 1)
        found += [f"{code.column}[{code.levels[level]}]" for level in pure]
    return found


def _columns(evidence: Evidence, direction: Floats) -> list[str]:
    """Return the columns that a direction is made of, the largest share first."""
    spread = direction - direction.mean(axis=1, keepdims=True) if direction.shape[1] > 1 else direction
    shares = np.abs(spread).max(axis=1) * evidence.design.scaled_sizes * evidence.design.penalised
    order = np.argsort(-shares, kind="stable")
    names = evidence.design.owners
    return list(dict.fromkeys(names[index] for index in order if shares[index] > LOADED * shares.max()))


def look_at_class_counts(evidence: Evidence) -> list[Sign]:
    """Find a class that is so rare that accuracy says little."""
    if not evidence.target.family.classes:
        return []
    counts = _counts(evidence)
    rows, rarest, commonest = int(counts.sum()), int(counts.argmin()), int(counts.argmax())
    if counts[rarest] >= rows * min(RARE, RARE_OF_EVEN / max(counts.size, 1)):
        return []
    levels = evidence.target.levels
    values = {
        "target": evidence.target.columns[0],
        "level": levels[rarest],
        "count": int(counts[rarest]),
        "rows": rows,
        "commonest": levels[commonest],
        "share": float(counts[commonest] / rows),
    }
    return [Sign("imbalance", values)]


def _counts(evidence: Evidence) -> Codes:
    codes = evidence.over.Y[:, 0].astype(np.int64)
    return np.bincount(codes, minlength=len(evidence.target.levels))


FINDINGS.add(FindingKind("dead-target", look_at_target, "target", "error"))
FINDINGS.add(FindingKind("leakage", look_at_target, "target", offers=leave_first))
FINDINGS.add(FindingKind("separable", look_at_target, "target", offers=shrink, endless=True))
FINDINGS.add(FindingKind("quasi-separable", look_at_target, "target", offers=shrink, endless=True))
FINDINGS.add(FindingKind("leakage-classes", look_at_target, "target", offers=leave_first))
FINDINGS.add(FindingKind("imbalance", look_at_class_counts, "target", "hint", "classes"))
