"""Directions in which an equation's parameters change without a change of any prediction, and what is left of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from descend.objectives.curve import predictor_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.base.typing import Floats
    from descend.objectives.curve import CurveObjective

TIED = 1e-6  # of the largest share in a flat direction: less is rounding
EVEN = 1e-4  # of a share: within it shares are equal
STEP = 1.1  # times a parameter: by so much two are changed to see whether the predictions stay
SAME = 1e-7  # of a prediction's size: a change that is none
ROWS = 1000  # rows that are predicted


@dataclass(frozen=True)
class Tied:
    """Parameters (places) that change together without effect.

    together: what of them the rows determine ("a * b"), empty where it has no such form.
    """

    places: tuple[int, ...]
    together: str = ""


def tied_parameters(objective: CurveObjective, w: Floats, flat: Floats) -> list[Tied]:
    """Return the groups of parameters that flat directions (parameters x directions) change."""
    largest = np.abs(flat).max(axis=0)
    shares = flat / np.where(largest > 0, largest, 1.0) / np.where(w == 0, 1.0, np.abs(w))[:, None]
    basis, _ = np.linalg.qr(shares / np.linalg.norm(shares, axis=0))
    projection = basis @ basis.T
    found = []
    for group in _connected(np.abs(projection) > TIED):
        if not projection[group[0], group[0]] > TIED:
            continue
        inner = projection[np.ix_(group, group)]
        left = np.linalg.eigh(inner)[1][:, 0] if len(group) - round(float(np.trace(inner))) == 1 else None
        together = "" if left is None or len(group) < 2 else _together(objective, w, group, left)
        found.append(Tied(tuple(group), together))
    return found


def _connected(linked: Floats) -> list[list[int]]:
    """Return the groups of places that are linked, directly or by others."""
    groups: list[list[int]] = []
    left = list(range(len(linked)))
    while left:
        group = [left.pop(0)]
        for place in group:
            more = [other for other in left if linked[place, other]]
            group += more
            left = [other for other in left if other not in more]
        groups.append(sorted(group))
    return groups


def _together(objective: CurveObjective, w: Floats, group: Sequence[int], left: Floats) -> str:
    """Return the product, quotient, sum or difference that the rows determine, which is seen from a second point.

    left: the direction in the parameters' shares that changes predictions: for a product all shares are equal.
    """
    names = [objective.curve.parameters[place] for place in group]
    own = np.where(w == 0, 1.0, w)[list(group)]
    for relative, signs in ((True, _signs(left * np.sign(own))), (False, _signs(left / np.abs(own)))):
        if signs is not None and _stays(objective, w, group, signs, relative=relative):
            order = sorted(range(len(group)), key=lambda index: -signs[index])  # what is added stands first
            plus, minus = (" * ", " / ") if relative else (" + ", " - ")
            text = names[order[0]]
            for index in order[1:]:
                text += (plus if signs[index] > 0 else minus) + names[index]
            return text
    return ""


def _signs(shares: Floats) -> list[int] | None:
    """Return the signs of shares that are all of one size, most of them positive; None for others."""
    sizes = np.abs(shares)
    if not sizes.max() - sizes.min() <= EVEN * sizes.max():
        return None
    signs = [1 if share > 0 else -1 for share in shares.tolist()]
    return signs if (sum(signs), signs[0]) > (0, 0) else [-sign for sign in signs]


def _stays(objective: CurveObjective, w: Floats, group: Sequence[int], signs: Sequence[int], *, relative: bool) -> bool:
    """Tell whether predictions stay when two parameters change so that their product, or their sum, stays."""
    X = objective.X[:ROWS]
    before = predictor_of(objective.curve, X, w)
    for (one, sign), (other, against) in pairwise(zip(group, signs, strict=True)):
        moved = w.copy()
        if relative:
            moved[one] *= STEP
            moved[other] *= STEP ** (-sign * against)
        else:
            step = (STEP - 1) * abs(w[one])
            moved[one] += step
            moved[other] -= sign * against * step
        after = predictor_of(objective.curve, X, moved)
        if not np.abs(after - before).max(initial=0.0) <= SAME * np.abs(before).max(initial=0.0):
            return False
    return True
