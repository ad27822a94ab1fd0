"""Curvature in the residuals: a column whose square explains a part of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from descend.analysis.diagnosis.finding import Sign
from descend.analysis.diagnosis.subsample import placed
from descend.formula.ast import names_of
from descend.formula.edits import rewritten
from descend.formula.notation import quoted

if TYPE_CHECKING:
    from descend.analysis.diagnosis.evidence import Evidence
    from descend.analysis.diagnosis.subsample import Subsample
    from descend.base.typing import Floats

BENT = 1e-3  # chance of a bend where there is none, over all columns and targets (Bonferroni)
MATERIAL = 0.01  # share of the squared errors that a bend must explain: with many rows anything is significant
NOTHING_NEW = 1e-12  # of a square: if the columns leave no more of it, it is a combination of them but for rounding
NONE_LEFT = 1e-14  # of the squared errors, so that a bend that explains all has a finite F


@dataclass(frozen=True)
class Bend:
    """A column whose square explains a ``share`` of the squared errors; ``chance`` that it would without a bend."""

    name: str
    column: int
    share: float
    chance: float


def find_bend(evidence: Evidence, sample: Subsample, errors: Floats) -> Bend | None:
    """Return the column whose square explains most, by the partial F test (all columns held), None where none does."""
    from scipy.special import fdtrc

    straight, targets = [] if evidence.curve is not None else _straight(evidence), len(evidence.target.outputs)
    if not straight:
        return None
    squares, freedom = float(errors @ errors), errors.size - sample.basis.shape[1] - 1
    curves = squared(evidence, sample.X[:, [column for _, column in straight]])
    fresh = curves - sample.basis @ (sample.basis.T @ curves)
    lengths = np.square(fresh).sum(axis=0)
    new = lengths > NOTHING_NEW * np.square(curves).sum(axis=0)
    shares = np.divide((errors @ fresh) ** 2, lengths * squares, out=np.zeros(lengths.size), where=new)
    best = int(shares.argmax())
    share = min(float(shares[best]), 1 - NONE_LEFT)
    chance = min(1.0, float(fdtrc(1, freedom, share / (1 - share) * freedom)) * len(straight) * targets)
    if not (chance < BENT and share > MATERIAL):
        return None
    name, column = straight[best]
    return Bend(name, column, share, chance)


def squared(evidence: Evidence, x: Floats) -> Floats:
    """Return the square of a column, or of each; with an intercept, of its distance from its mean."""
    return np.square(x - x.mean(axis=0)) if evidence.design.hypothesis.intercept else np.square(x)


def curvature_sign(evidence: Evidence, bend: Bend, target: str) -> Sign:
    """Return the sign of a bend, with the formula to type."""
    term = f"poly({quoted(bend.name)}, 2)"
    written = rewritten(evidence.design.hypothesis, evidence.data.table.columns, bend.name)
    values = {
        "column": bend.name,
        "target": target,
        "share": bend.share,
        "chance": bend.chance,
        "term": term,
        "formula": written or f"{target} ~ … + {term}",
    }
    return Sign("curvature", values)


def _straight(evidence: Evidence) -> list[tuple[str, int]]:
    """Return the names and places of the number columns that are in the hypothesis untransformed only."""
    found, bent = [], set()
    for block, place in placed(evidence.design):
        for code, factor in zip(block.codes, block.term, strict=True):
            if code.use != "number" or not code.column:
                bent |= {name.name for name in names_of(factor)}
            elif len(block.codes) == 1:
                found.append((code.column, place.start))
    return [(name, column) for name, column in found if name not in bent]
