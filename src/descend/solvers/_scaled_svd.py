"""The singular values of a matrix whose columns are scaled: least squares, damped or not, at any units of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from descend.base.typing import Floats

RANK = 1e-15  # of the largest singular value of columns of length 1: what is less is rounding


class ScaledSVD(NamedTuple):
    """A matrix A = U diag(s) V' diag(scale), without the directions that its rows do not determine."""

    U: Floats
    s: Floats
    V: Floats
    scale: Floats

    @classmethod
    def of(cls, A: Floats, scale: Floats | None = None, rank: float = RANK) -> ScaledSVD:
        """Decompose A (rows x columns) with its columns divided by ``scale``; None: by their lengths.

        Singular values under ``rank`` of the first are dropped. Of a tall matrix the R of its QR factorisation is
        decomposed (Chan 1982).
        """
        if scale is None:
            scale = lengths(A)
        if A.shape[0] > 2 * A.shape[1]:
            Q, R = np.linalg.qr(A / scale)
            U, s, Vt = np.linalg.svd(R, full_matrices=False)
            U = Q @ U
        else:
            U, s, Vt = np.linalg.svd(A / scale, full_matrices=False)
        kept = int((s > rank * s[0]).sum()) if s.size and s[0] > 0 else 0
        return cls(U[:, :kept], s[:kept], Vt[:kept].T, scale)

    @property
    def top(self) -> float:
        """The largest singular value."""
        return float(self.s[0]) if self.s.size else 0.0

    def solve(self, r: Floats, damping: float = 0.0) -> Floats:
        """Return the x that minimises |A x - r|^2 + damping |scale x|^2, of least length in the scale."""
        return np.asarray(self.V @ (self.s / (np.square(self.s) + damping) * (self.U.T @ r)) / self.scale)

    def off(self, A: Floats) -> Floats:
        """Return A without its part in the column space; twice, so that rounding leaves none (Giraud et al. 2005)."""
        for _ in range(2):
            A = A - self.U @ (self.U.T @ A)
        return A


def lengths(A: Floats) -> Floats:
    """Return the lengths of the columns without overflow, 1 for those of length 0."""
    largest = np.abs(A).max(axis=0, initial=0.0)
    largest[largest == 0] = 1.0
    found: Floats = largest * np.sqrt(np.square(A / largest).sum(axis=0))
    found[found == 0] = 1.0
    return found
