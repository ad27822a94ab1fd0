"""Separation: whether a linear predictor can tell classes apart, so that cross-entropy has no minimum.

A margin is the output of a row's own class less that of another class; a row's margin is its lowest. A direction of
the parameters along which no margin falls and at least one grows lowers the loss without end (Albert and Anderson
1984). Linear programmes search for such a direction on a sample of the rows. Rows whose margin falls along the
direction found are added to the sample, until there are none, or until there is no direction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats, Rows

SAMPLE = 2000  # margins to start with, and the most added at once
BLOCK = 1 << 12  # rows that stay in cache
ZERO = 1e-12  # of the sum of |x w|: a smaller margin is rounding (a product of p terms errs by about p 1e-16)
CLEAR = 1e-10  # of the same: what one margin must reach, well above what the others may fall short by
SLACKS = (1e-10, 1e-7)  # HiGHS's tolerances: the strictest that it takes, and its own where it gives up on that one


def separated(Z: Floats, Y: Floats) -> bool:
    """Tell whether the linear predictor Z (rows x outputs) is highest at every row's own class (Y, rows x 1)."""
    return bool((margins(Z, Y) > 0).all())


def margins(Z: Floats, Y: Floats) -> Floats:
    """Return each row's margin: the output of its class less the highest other one."""
    codes, rows = Y[:, 0].astype(np.intp), np.arange(len(Z))
    if Z.shape[1] == 1:
        return np.asarray(np.where(codes == 1, Z[:, 0], -Z[:, 0]))
    others = Z.copy()
    others[rows, codes] = -np.inf
    return np.asarray(Z[rows, codes] - others.max(axis=1))


@dataclass(frozen=True)
class Separation:
    """A direction of the parameters along which cross-entropy falls without end.

    ``direction`` is columns x outputs (1 for two classes, else one a class, which sum to 0), its largest absolute entry
    1. ``separated`` marks the rows whose margin is above 0 along it, all of them when ``kind`` is "perfect". With three
    classes or more it can mark none: where a level has no rows of one class, only that class's output falls behind.
    """

    kind: Literal["perfect", "quasi"]
    direction: Floats
    separated: NDArray[np.bool_]


def find_separation(X: Floats, codes: Rows, classes: int) -> Separation | None:
    """Return a direction that separates the classes perfectly or else quasi-completely, None where they overlap.

    X is rows x columns, finite, with its intercept column if it has one; codes are 0 to classes - 1, and a class may
    have no rows. Collinear columns and columns of any scale or offset will do. The time grows with about the cube of
    columns times outputs.
    """
    scale = np.maximum(X.max(axis=0, initial=0), -X.min(axis=0, initial=0)).astype(np.float64)
    shrink = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 1e-200)
    if classes < 2 or not shrink.any():
        return None
    rows = _sample(codes, classes, max(SAMPLE // (classes - 1), 5 * scale.size))
    search = _Search(X, codes, classes, _basis(X, shrink, rows))
    search.add(np.repeat(rows, classes), np.tile(np.arange(classes), rows.size))
    if search.solve(every=False) is None:  # how most tables end, without a look at all rows
        return None
    found = search.run(every=True) or search.run(every=False)
    if found is None:
        return None
    W, margins = found
    direction = W[:, 1:] if classes == 2 else W - W.mean(axis=1, keepdims=True)
    separated = np.asarray((margins > ZERO).all(axis=1))
    return Separation("perfect" if separated.all() else "quasi", direction / np.abs(direction).max(), separated)


@dataclass
class _Search:
    """The rows, a basis of their columns, and the margins in the linear programme, each by its row and other class."""

    X: Floats
    codes: Rows
    classes: int
    basis: Floats
    rows: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    others: Rows = field(default_factory=lambda: np.empty(0, np.int64))

    @cached_property
    def gain(self) -> Floats:
        """The derivative of the sum of all margins by the weights of all classes but the first, scaled to at most 1."""
        sums = np.stack([(self.codes == code).astype(float) @ self.X for code in range(self.classes)])
        gain = ((self.classes * sums - sums.sum(axis=0)) @ self.basis)[1:].ravel()
        return np.asarray(gain / (np.abs(gain).max() or 1.0))

    def add(self, rows: Rows, others: Rows) -> None:
        """Add margins to the programme, but those of a class with itself."""
        other = self.codes[rows] != others
        self.rows = np.concatenate([self.rows, rows[other]])
        self.others = np.concatenate([self.others, others[other]])

    def run(self, *, every: bool) -> tuple[Floats, Floats] | None:
        """Return W (columns x classes) with every margin above 0, or else none below, and the margins; or None."""
        while (V := self.solve(every=every)) is not None:
            W = self.basis @ V
            margins = _margins(self.X, self.codes, W, np.abs(self.basis) @ np.abs(V).max(axis=1))
            broken = margins <= ZERO if every else margins < -ZERO
            if not broken.any():
                return (W, margins) if (margins[np.isfinite(margins)] > CLEAR).any() else None
            broken[self.rows, self.others] = False
            if not broken.any():
                return None
            margins[self.rows, self.others] = np.inf
            count = min(int(broken.sum()) + 300, SAMPLE, margins.size - 1)  # those that nearly fall would be next
            lowest = np.argpartition(margins, count, axis=None)[:count]
            self.add(*np.divmod(lowest[np.isfinite(margins.ravel()[lowest])], self.classes))
        return None

    def solve(self, *, every: bool) -> Floats | None:
        """Return the W (in the basis) that raises the lowest margin of the programme most, or else the sum of all.

        None where neither can rise. The sum is over all rows: if it cannot rise while no margin of the programme falls,
        then there is no direction for all rows either.
        """
        from scipy.optimize import linprog  # its import takes 0.3 s, and most fits do not need it

        rows, pairs = self.X[self.rows] @ self.basis, np.arange(self.rows.size)
        rows /= np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-300)
        falls = np.zeros((pairs.size, self.classes, rows.shape[1]))
        falls[pairs, self.codes[self.rows]] = -rows
        falls[pairs, self.others] = rows
        A = falls[:, 1:].reshape(pairs.size, -1)  # class 0 stays at 0: only differences count
        if every:
            A, goal = np.column_stack([A, np.ones(pairs.size)]), np.append(np.zeros(A.shape[1]), 1.0)
        else:
            goal = self.gain
        for slack in SLACKS:
            options = {"primal_feasibility_tolerance": slack, "dual_feasibility_tolerance": slack}
            solved = linprog(-goal, A, np.zeros(pairs.size), bounds=(-1, 1), method="highs-ds", options=options)
            if solved.x is not None:
                break
        if solved.x is None or goal @ solved.x <= 10 * slack:
            return None
        tight = A[np.abs(A @ solved.x) < 10 * slack]  # 0 within the tolerance: made exactly 0
        found = solved.x - np.linalg.lstsq(tight, tight @ solved.x, rcond=1e-8)[0]
        V = found[: goal.size - every].reshape(self.classes - 1, -1).T
        return np.column_stack([np.zeros(len(V)), V])


def _sample(codes: Rows, classes: int, size: int) -> Rows:
    """Return about ``size`` rows, equally many of each class, so that rare classes are there."""
    if codes.size <= size:
        return np.arange(codes.size)
    random = np.random.default_rng(0)
    own = [np.flatnonzero(codes == code) for code in range(classes)]
    return np.concatenate([random.choice(rows, min(rows.size, -(-size // classes)), replace=False) for rows in own])


def _basis(X: Floats, shrink: Floats, rows: Rows) -> Floats:
    """Return columns x rank: combinations of the columns that are orthogonal, and of mean square 1, on the given rows.

    So offsets, scales and collinear columns have no effect. Where a combination is 0 on those rows only (a rare level),
    the row where it is largest is added to them; one that is 0 on all rows is left out.
    """
    while True:
        spread, V = np.linalg.svd(np.linalg.qr(X[rows] * shrink, mode="r"))[1:]
        rank = np.count_nonzero(spread > CLEAR / 10 * spread[0])
        reach = np.abs(X @ (V[rank:].T * shrink[:, None])) if rank < shrink.size else np.zeros((1, 1))
        more = np.setdiff1d(reach.argmax(axis=0)[reach.max(axis=0) > CLEAR], rows)
        if not more.size:
            return np.asarray(shrink[:, None] * V[:rank].T * (np.sqrt(rows.size) / spread[:rank]))
        rows = np.concatenate([rows, more])


def _margins(X: Floats, codes: Rows, W: Floats, sizes: Floats) -> Floats:
    """Return margins, rows x classes, each over the sum of |x| sizes; infinite for the own class."""
    margins = np.empty((len(X), W.shape[1]))
    for start in range(0, len(X), BLOCK):
        part = slice(start, start + BLOCK)
        Z, unit = X[part] @ W, np.abs(X[part]) @ sizes
        margins[part] = (np.take_along_axis(Z, codes[part, None], axis=1) - Z) / np.maximum(unit, 1e-300)[:, None]
    margins[np.arange(len(X)), codes] = np.inf
    return margins
