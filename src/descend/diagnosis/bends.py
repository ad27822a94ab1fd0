"""Whether the errors bend with a column, and the formula that lets the hypothesis bend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.coding import NumberCode
from descend.diagnosis.findings import Finding
from descend.diagnosis.sample import placed
from descend.errors import FormulaError
from descend.formula import parse
from descend.terms import Arithmetic, Name, Poly, Term, names_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.diagnosis.findings import Evidence
    from descend.diagnosis.sample import Sample

    Floats = NDArray[np.floating[Any]]

BENT = 1e-3  # chance of a bend where there is none, over all columns and targets (Bonferroni)
MATERIAL = 0.01  # share of what is left that a bend must explain: with many rows anything is significant
NOTHING_NEW = 1e-12  # of a square: what the columns leave of it is rounding, as of a column of two values
NONE_LEFT = 1e-14  # of the squared errors, so that a bend that explains all has a finite F


@dataclass(frozen=True)
class Bend:
    """A column whose square explains a ``share`` of the squared errors; ``chance`` that it would without a bend."""

    name: str
    column: int
    share: float
    chance: float


def find_bend(evidence: Evidence, sample: Sample, errors: Floats) -> Bend | None:
    """Return the column whose square explains most, by the partial F test (all columns held), None where none does."""
    from scipy.special import fdtrc

    straight, targets = _straight(evidence), len(evidence.target.outputs)
    squares, freedom = float(errors @ errors), errors.size - sample.basis.shape[1] - 1
    best = None
    for name, column in straight:
        square = squared(evidence, sample.X[:, column])
        new = square - sample.basis @ (sample.basis.T @ square)
        length = float(new @ new)
        if length <= NOTHING_NEW * float(square @ square):
            continue
        share = min(float(errors @ new) ** 2 / length / squares, 1 - NONE_LEFT)
        chance = min(1.0, float(fdtrc(1, freedom, share / (1 - share) * freedom)) * len(straight) * targets)
        if chance < BENT and share > MATERIAL and (best is None or share > best.share):
            best = Bend(name, column, share, chance)
    return best


def squared(evidence: Evidence, x: Floats) -> Floats:
    """Return the square of a column, about its middle where the line through it may be anywhere."""
    return np.square(x - x.mean()) if evidence.design.hypothesis.intercept else np.square(x)


def told(evidence: Evidence, bend: Bend, target: str) -> Finding:
    """Return what a bend says, with the formula to type."""
    term = f"poly({quoted(bend.name)}, 2)"
    values = {
        "column": bend.name,
        "target": target,
        "share": bend.share,
        "chance": bend.chance,
        "term": term,
        "formula": _rewritten(evidence, bend.name) or f"{target} ~ … + {term}",
    }
    return Finding("finding.curvature", "warning", values)


def _straight(evidence: Evidence) -> list[tuple[str, int]]:
    """Return the number columns that are in the hypothesis as they are and in no other shape, and where."""
    found, bent = [], set()
    for block, place in placed(evidence.design):
        for code, factor in zip(block.codes, block.term, strict=True):
            if not isinstance(code, NumberCode) or not isinstance(code.expression, Name):
                bent |= {name.name for name in names_of(factor)}
            elif len(block.codes) == 1:
                found.append((code.expression.name, place.start))
    return [(name, column) for name, column in found if name not in bent]


def _rewritten(evidence: Evidence, name: str) -> str | None:
    """Return the formula with ``poly(name, 2)`` in the place of ``name``, None where that cannot be written safely."""
    old = evidence.design.hypothesis
    where = [n for term in old.terms if len(term) == 1 for n in names_of(term[0]) if n.name == name]
    tries = []
    for found in where:
        token = f"`{name}`" if old.text.startswith("`", found.position) else name
        if found.position > old.text.find("~") and old.text.startswith(token, found.position):
            end = found.position + len(token)
            tries.append(f"{old.text[: found.position]}poly({token}, 2){old.text[end:]}")
    tries.append(f"{old.text} - {quoted(name)} + poly({quoted(name)}, 2)")

    def bent(term: Term, every: bool) -> Term:
        plain, curve = Arithmetic(Name(name)), Poly(Name(name), 2)
        return tuple(curve if f == plain and (every or len(term) == 1) else f for f in term)

    wanted = [{frozenset(bent(term, every)) for term in old.terms} for every in (False, True)]
    for text in tries:
        try:
            new = parse(text).resolve(evidence.data.table.columns)
        except FormulaError:
            continue
        same = (new.targets, new.intercept) == (old.targets, old.intercept)
        if same and {frozenset(term) for term in new.terms} in wanted:
            return text
    return None


def quoted(name: str) -> str:
    """Return a column's name as a formula takes it."""
    try:
        (found,) = parse(f"{name} ~ 1").targets
    except FormulaError:
        return f"`{name}`"
    return name if found == Name(name) else f"`{name}`"
