"""Losses of classes: the cross-entropies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.objectives.links import sigmoid, softmax
from descend.objectives.losses.loss import LOSSES, Elementwise, Loss

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.losses.loss import Criterion

AT_ONCE = 16


@dataclass(frozen=True)
class BinaryCrossEntropy(Elementwise):
    """log(1 + e^z) - y z, from the logit, without overflow at any z."""

    name: str = "binary_cross_entropy"
    mean: bool = True
    families = ("logistic",)
    curvature_limit = 0.25
    likelihood = True
    endless = True
    concordance = 1.0
    even_at_zero = True

    @property
    def sklearn(self) -> str | None:
        """Scikit-learn's is the same, of two classes."""
        return "log_loss"

    def formula(self, xp: Any, Z: Any, Y: Any) -> Any:
        """Return log1p(e^-|z|) + max(z, 0) - y z."""
        return xp.log1p(xp.exp(-xp.abs(Z))) + xp.clip(Z, 0, None) - Y * Z

    def criterion(self, torch: Any) -> Criterion:
        """Return PyTorch's own, one kernel instead of six."""
        made: Criterion = torch.nn.functional.binary_cross_entropy_with_logits
        return made

    def constant_loss(self, Y: Floats) -> float | None:
        """Return the entropy of the classes' shares, which these reach."""
        return _entropy(Y)

    def total_and_slope(self, Z: Floats, Y: Floats) -> tuple[Any, Floats]:
        """Return both from one exponential, and one logarithm of the product of a few rows' 1 + e^-|z|."""
        sign = Y * -2
        sign += 1
        worse = sign * Z  # above 0 where the other class is the likelier one
        small = np.abs(worse)
        np.negative(small, out=small)
        np.exp(small, out=small)
        above = small + 1
        flat = above.reshape(-1)
        whole = flat[: flat.size // AT_ONCE * AT_ONCE].reshape(AT_ONCE, -1)
        logs = np.log(whole.prod(axis=0)).sum() + np.log(flat[whole.size :]).sum()
        if logs < 1e-6 * Z.size:  # rounding 1 + e^-|z| would be seen
            logs = np.log1p(small).sum()
        slope = np.maximum(small, worse > 0, out=small)
        slope /= above
        slope *= sign
        return logs + np.maximum(worse, 0, out=worse).sum(), slope

    def expansion(self, Z: Floats, Y: Floats) -> tuple[Any, Floats, Floats]:
        """Return all three from the one exponential: the slope is p or p - 1, and the curvature p (1 - p)."""
        total, slope = self.total_and_slope(Z, Y)
        size = np.abs(slope)
        bend = 1 - size
        bend *= size
        return total, slope, bend

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return p - y, without rounding 1 away where p is near it."""
        sign = 1 - 2 * Y
        return sign * sigmoid(sign * Z)

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return p (1 - p)."""
        return sigmoid(Z) * sigmoid(-Z)


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """log(sum of e^z) - z[y], from the logits of all classes, without overflow."""

    name: str = "cross_entropy"
    mean: bool = True
    families = ("softmax",)
    curvature_limit = 0.5  # Boehning (1992)
    likelihood = True
    endless = True
    concordance = 1.0
    shift_invariant = True

    def criterion(self, torch: Any) -> Criterion:
        """Return PyTorch's own, of class codes as whole numbers."""
        kernel = torch.nn.functional.cross_entropy
        return lambda Z, Y: kernel(Z, Y[:, 0].long())

    def constant_loss(self, Y: Floats) -> float | None:
        """Return the entropy of the classes' shares, which these reach."""
        return _entropy(Y)

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return each row's loss, rows x 1."""
        Z, rest = _from_the_top(Z)
        own = np.take_along_axis(Z, _codes(Y), axis=1)
        return np.asarray(np.log1p(rest)[:, None] - own)

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return p, less 1 at the row's class."""
        P = softmax(Z)
        _less_own(P, np.arange(len(P)), _codes(Y)[:, 0])
        return P

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return p (1 - p), the diagonal of diag(p) - p p'."""
        P = softmax(Z)
        return P * (1 - P)

    def total_and_slope(self, Z: Floats, Y: Floats) -> tuple[Any, Floats]:
        """Return both from one exponential a class."""
        codes, rows = _codes(Y)[:, 0], np.arange(len(Z))
        Z, rest = _from_the_top(Z)
        own = Z[rows, codes]
        P: Floats = np.exp(Z, out=Z)
        P /= (1 + rest)[:, None]
        _less_own(P, rows, codes)
        return np.log1p(rest).sum() - own.sum(), P

    def curvatures(self, Z: Floats, Y: Floats) -> Iterator[tuple[int, int, Floats]]:
        """Yield p_a (1 - p_a) and -p_a p_b."""
        P = softmax(Z)
        for a in range(Z.shape[1]):
            yield a, a, P[:, a] * (1 - P[:, a])
            for b in range(a + 1, Z.shape[1]):
                yield a, b, -P[:, a] * P[:, b]

    def curvature_root(self, Z: Floats, Y: Floats) -> Floats:
        """Return B, rows x classes x classes but the first, with B'B the Hessian of the logits of all but the first.

        diag(p) - p p' is the covariance of a class drawn by p: the sum over classes of p_k (e_k - p)(e_k - p)'.
        """
        P = softmax(Z)
        return np.asarray(np.sqrt(P)[:, :, None] * (np.eye(P.shape[1]) - P[:, None, :])[..., 1:])


def _entropy(codes: Floats) -> float:
    """Return the entropy of the shares that classes have of all rows."""
    shares = np.bincount(codes[:, 0].astype(np.int64)) / len(codes)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def _from_the_top(Z: Floats) -> tuple[Floats, Floats]:
    """Return the logits less their row's largest, and the sum of the others' exponentials.

    So a loss next to 0 has all its digits: log(1 + the sum) is not taken of a 1 that has swallowed it.
    """
    rows, top = np.arange(len(Z)), Z.argmax(axis=1)
    Z = Z - Z[rows, top][:, None]
    others: Floats = np.exp(Z)
    others[rows, top] = 0
    return Z, others.sum(axis=1)


def _less_own(P: Floats, rows: NDArray[np.intp], codes: NDArray[np.intp]) -> None:
    """Take 1 from each row's own class, as the sum of the others' p: so nothing is rounded away where p is near 1."""
    P[rows, codes] = 0
    P[rows, codes] = -P.sum(axis=1)


def _codes(Y: Floats) -> NDArray[np.intp]:
    return Y.astype(np.intp)


LOSSES.add(BinaryCrossEntropy())
LOSSES.add(CrossEntropy())
