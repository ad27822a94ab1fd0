"""Losses: value, first and second derivative in the linear predictor, element by element, and the link.

A loss knows nothing of parameters. Z is the linear predictor (rows x outputs) and Y the target of the same shape,
or rows x 1 of class codes for ``cross_entropy``. ``total`` divides: a mean runs over rows and targets, a sum does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from descend.errors import DesignError, OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]


class Loss(Protocol):
    """What a solver's objective asks of a loss."""

    @property
    def name(self) -> str:
        """What the loss is called."""
        ...

    @property
    def mean(self) -> bool:
        """Whether the total is divided by its count."""
        ...

    @property
    def curvature_limit(self) -> float | None:
        """The largest second derivative that can occur, None where there is none."""
        ...

    @property
    def likelihood(self) -> bool:
        """Whether it is less a log-likelihood, so that a loss of 1 says the same whatever the target's unit."""
        ...

    @property
    def cornered(self) -> bool:
        """Whether the slope jumps, or as good as that, so that a solver is led there by rounder losses."""
        ...

    @property
    def convex(self) -> Loss | None:
        """A convex loss that is like this one where the error is small, where this one is not convex."""
        ...

    @property
    def shortfall(self) -> Loss | None:
        """By how much the minimum of a rounded loss can be above that of the loss itself, in the mean, if known."""
        ...

    @property
    def hollow(self) -> Loss | None:
        """What counts the elements that are where this loss is not convex, where it is not."""
        ...

    @property
    def measure(self) -> bool:
        """Whether it only measures, and is not made small."""
        ...

    def residual(self, value: float) -> float:
        """Return the size of the residuals that a mean loss of ``value`` tells of."""
        ...

    def rounded(self, size: float) -> Loss:
        """Return the loss with corners of that size of a residual; itself where its own are as round."""
        ...

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return each element's loss (rows x outputs; rows x 1 for cross-entropy over classes)."""
        ...

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return the derivative in Z, of Z's shape."""
        ...

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return the second derivative in Z, of Z's shape (its diagonal, for cross-entropy over classes)."""
        ...

    def total_and_slope(self, Z: Floats, Y: Floats) -> tuple[Any, Floats]:
        """Return the sum of all elements' losses, in Z's dtype, and the derivative, from what they share."""
        ...

    def expansion(self, Z: Floats, Y: Floats) -> tuple[Any, Floats, Floats]:
        """Return the sum of all elements' losses, the derivative and the second one (as ``curvature``)."""
        ...

    def curvatures(self, Z: Floats, Y: Floats) -> Iterator[tuple[int, int, Floats]]:
        """Yield outputs a <= b and the second derivative in z_a and z_b for every row, where it is not always 0."""
        ...

    def check(self, Y: Floats, column: str) -> None:
        """Raise DesignError when the loss is not defined for a target like that."""
        ...


class Elementwise:
    """What the losses of one output at a time have in common; any target will do unless a loss says otherwise."""

    @property
    def likelihood(self) -> bool:
        """Of numbers, whose unit is the target's."""
        return False

    @property
    def cornered(self) -> bool:
        """Nowhere."""
        return False

    @property
    def convex(self) -> Loss | None:
        """Nothing: it is convex."""
        return None

    @property
    def shortfall(self) -> Loss | None:
        """Nothing."""
        return None

    @property
    def hollow(self) -> Loss | None:
        """Nothing: it is convex."""
        return None

    @property
    def measure(self) -> bool:
        """It does not."""
        return False

    def residual(self, value: float) -> float:
        """Return the value."""
        return value

    def rounded(self: Loss, size: float) -> Loss:
        """Return itself."""
        return self

    def total_and_slope(self: Loss, Z: Floats, Y: Floats) -> tuple[Any, Floats]:
        """Return both."""
        return self.value(Z, Y).sum(), self.slope(Z, Y)

    def expansion(self: Loss, Z: Floats, Y: Floats) -> tuple[Any, Floats, Floats]:
        """Return all three."""
        return *self.total_and_slope(Z, Y), self.curvature(Z, Y)

    def curvatures(self: Loss, Z: Floats, Y: Floats) -> Iterator[tuple[int, int, Floats]]:
        """Yield each output with itself."""
        C = self.curvature(Z, Y)
        for output in range(Z.shape[1]):
            yield output, output, C[:, output]

    def check(self, Y: Floats, column: str) -> None:
        """Any number will do."""


@dataclass(frozen=True)
class SquaredError(Elementwise):
    """(z - y)^2; its mean or, with ``mean=False``, its sum."""

    name: str = "mse"
    mean: bool = True
    curvature_limit: float | None = 2.0

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return (z - y)^2."""
        return np.square(Z - Y)

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return 2 (z - y)."""
        return 2 * (Z - Y)

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return 2."""
        return np.full_like(Z, 2)


@dataclass(frozen=True)
class RelativeSquaredError(Elementwise):
    """((z - y) / (1 + |y|))^2: what a squared difference of logarithms is nearly, where it is small."""

    name: str = "relative"
    mean: bool = True
    curvature_limit: float | None = 2.0

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return the squared relative error."""
        return np.asarray(np.square((Z - Y) / (1 + np.abs(Y))))

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return 2 (z - y) / (1 + |y|)^2."""
        return np.asarray(2 * (Z - Y) / np.square(1 + np.abs(Y)))

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return 2 / (1 + |y|)^2."""
        return np.asarray(2 / np.square(1 + np.abs(Y)))


@dataclass(frozen=True)
class AbsoluteError(Elementwise):
    """|z - y|; its slope is 0 where they are equal.

    ``relative`` divides the error by |y| (MAPE). With e the error, ``rounding`` r > 0 gives the smooth
    sqrt(e^2 + r^2) - r, at most r below.
    """

    name: str = "mae"
    relative: bool = False
    rounding: float = 0.0
    mean: bool = True
    curvature_limit: float | None = None

    def errors(self, Z: Floats, Y: Floats) -> tuple[Floats, Floats]:
        """Return the errors, and their lengths in which corners are rounded."""
        E = (Z - Y) / np.abs(Y) if self.relative else Z - Y
        return E, np.hypot(E, self.rounding) if self.rounding else np.abs(E)

    def _weighed(self, slopes: Floats, Y: Floats, power: int = 1) -> Floats:
        return np.asarray(slopes / np.abs(Y) ** power) if self.relative else slopes

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return |z - y|, or |z - y| / |y|."""
        E, length = self.errors(Z, Y)
        if not self.rounding:
            return np.asarray(length)
        share = E / (length + self.rounding)  # so that no digits cancel where the rounding is large
        return np.asarray(E * share)

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return the sign of z - y, or that over |y|."""
        E, length = self.errors(Z, Y)
        signs: Floats = np.divide(E, length, out=np.zeros_like(E), where=length > 0)
        return self._weighed(signs, Y)

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return 0, or that of the rounded corner."""
        _, length = self.errors(Z, Y)
        share = np.divide(self.rounding, length, out=np.zeros_like(length), where=length > 0)
        bent: Floats = np.divide(np.square(share), length, out=np.zeros_like(length), where=length > 0)
        return self._weighed(bent, Y, 2)

    @property
    def cornered(self) -> bool:
        """Where the error is 0, unless that is rounded."""
        return not self.rounding

    def rounded(self, size: float) -> AbsoluteError:
        """Return the same loss with its corner rounded."""
        return replace(self, rounding=size)

    @property
    def shortfall(self) -> Shortfall | None:
        """By how much the minimum of a rounded loss can be above that of the loss itself."""
        return Shortfall(self) if self.rounding else None

    def check(self, Y: Floats, column: str) -> None:
        """MAPE divides by the target, which must not be zero."""
        if self.relative and (Y == 0).any():
            raise DesignError("design.zero-target", column=column, loss=self.name)


class Measure(Elementwise):
    """What is only looked at, and is not made small: it has no slope."""

    mean: bool = True
    curvature_limit: float | None = None

    @property
    def measure(self) -> bool:
        """It does."""
        return True

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return 0."""
        return np.zeros_like(Z)

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return 0."""
        return np.zeros_like(Z)


@dataclass(frozen=True)
class Shortfall(Measure):
    """|e| - e s, with s the slope of a rounded absolute error in e: its sum is a gap between linear programmes.

    Where the slopes are orthogonal to the columns, as at the minimum of the rounded loss, they are a feasible point of
    the dual of the absolute error's programme, in which minus the sum of y s is made large: what that falls short by
    is the sum of these.
    """

    of: AbsoluteError
    name: str = "shortfall"

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return |e| (1 - |e| / length), without a difference of what is nearly equal."""
        E, length = self.of.errors(Z, Y)
        share = np.divide(self.of.rounding, length, out=np.zeros_like(E), where=length > 0)
        cosine = np.divide(np.abs(E), length, out=np.ones_like(E), where=length > 0)
        return np.asarray(np.abs(E) * np.square(share) / (1 + cosine))


@dataclass(frozen=True)
class Bulging(Measure):
    """1 where a loss is not convex, else 0."""

    of: Loss
    name: str = "bulging"

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return which curvatures are not above 0."""
        return (self.of.curvature(Z, Y) <= 0).astype(Z.dtype)


@dataclass(frozen=True)
class Huber(Elementwise):
    """r^2 / 2 for |r| <= delta, else delta (|r| - delta / 2), with r = z - y (Huber 1964)."""

    delta: float = 1.0
    name: str = "huber"
    mean: bool = True
    curvature_limit: float | None = 1.0

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return the square near the target, the line away from it."""
        size = np.abs(Z - Y)
        near = np.minimum(size, self.delta)
        return np.asarray(near * (size - near / 2))

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return r held to [-delta, delta]."""
        return np.clip(Z - Y, -self.delta, self.delta)

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return 1 near the target, 0 away from it."""
        return (np.abs(Z - Y) <= self.delta).astype(Z.dtype)

    @property
    def cornered(self) -> bool:
        """Seen from far away."""
        return True

    def residual(self, value: float) -> float:
        """Return the residual of a loss on the line."""
        return value / self.delta + self.delta / 2

    def rounded(self, size: float) -> Huber:
        """Return the loss with a larger delta, itself where that is as large."""
        return replace(self, delta=size) if size > self.delta else self


@dataclass(frozen=True)
class SquaredLogError(Elementwise):
    """(log(1 + z) - log(1 + y))^2, with z below 0 counted as 0; not convex."""

    name: str = "msle"
    mean: bool = True
    curvature_limit: float | None = None

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return the squared difference of the logarithms."""
        return np.asarray(np.square(np.log1p(np.maximum(Z, 0)) - np.log1p(Y)))

    def slope(self, Z: Floats, Y: Floats) -> Floats:
        """Return 2 (log(1 + z) - log(1 + y)) / (1 + z), 0 below 0."""
        held = np.maximum(Z, 0)
        return np.where(Z < 0, 0, 2 * (np.log1p(held) - np.log1p(Y)) / (1 + held))

    def curvature(self, Z: Floats, Y: Floats) -> Floats:
        """Return 2 (1 - difference) / (1 + z)^2, 0 below 0."""
        held = np.maximum(Z, 0)
        return np.where(Z < 0, 0, 2 * (1 - np.log1p(held) + np.log1p(Y)) / np.square(1 + held))

    @property
    def convex(self) -> RelativeSquaredError:
        """The squared relative error."""
        return RelativeSquaredError()

    @property
    def hollow(self) -> Bulging:
        """Elements below 0, or more than e times too large."""
        return Bulging(self)

    def check(self, Y: Floats, column: str) -> None:
        """The logarithm needs a target that is not negative."""
        if (Y < 0).any():
            raise DesignError("design.negative-target", column=column, loss=self.name)


AT_ONCE = 16


@dataclass(frozen=True)
class BinaryCrossEntropy(Elementwise):
    """log(1 + e^z) - y z, from the logit, without overflow at any z."""

    name: str = "binary_cross_entropy"
    mean: bool = True
    curvature_limit: float | None = 0.25

    @property
    def likelihood(self) -> bool:
        """Of classes."""
        return True

    def value(self, Z: Floats, Y: Floats) -> Floats:
        """Return log1p(e^-|z|) + max(z, 0) - y z."""
        return np.asarray(np.log1p(np.exp(-np.abs(Z))) + np.maximum(Z, 0) - Y * Z)

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

    def curvature_root(self, Z: Floats) -> Floats:
        """Return the root of p (1 - p), rows x 1 x 1."""
        return np.sqrt(self.curvature(Z, Z))[:, :, None]


@dataclass(frozen=True)
class CrossEntropy(Elementwise):
    """log(sum of e^z) - z[y], from the logits of all classes, without overflow."""

    name: str = "cross_entropy"
    mean: bool = True
    curvature_limit: float | None = 0.5  # Boehning (1992)

    @property
    def likelihood(self) -> bool:
        """Of classes."""
        return True

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

    def curvature_root(self, Z: Floats) -> Floats:
        """Return B, rows x classes x classes but the first, with B'B the Hessian of the logits of all but the first.

        diag(p) - p p' is the covariance of a class drawn by p: the sum over classes of p_k (e_k - p)(e_k - p)'.
        """
        P = softmax(Z)
        return np.asarray(np.sqrt(P)[:, :, None] * (np.eye(P.shape[1]) - P[:, None, :])[..., 1:])


def sigmoid(Z: Floats) -> Floats:
    """Return 1 / (1 + e^-z) without overflow."""
    small = np.exp(-np.abs(Z))
    return np.asarray(np.where(Z >= 0, 1, small) / (1 + small))


def softmax(Z: Floats) -> Floats:
    """Return e^z over its row's sum, without overflow."""
    E: Floats = np.exp(Z - Z.max(axis=1, keepdims=True))
    E /= E.sum(axis=1, keepdims=True)
    return E


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


DEFAULTS = {"linear": "mse", "logistic": "binary_cross_entropy", "softmax": "cross_entropy"}
BY_FAMILY = {
    "linear": ("mse", "sse", "mae", "huber", "msle", "mape"),
    "logistic": ("binary_cross_entropy",),
    "softmax": ("cross_entropy",),
}
NAMES = tuple(name for names in BY_FAMILY.values() for name in names)


def make_loss(name: str, family: str, *, delta: float = 1.0) -> Loss:
    """Return a loss by name ("auto": the family's own); ``delta`` is Huber's.

    Raises OptionError for an unknown name and for a loss that the family cannot use.
    """
    name = DEFAULTS[family] if name == "auto" else name
    if name not in NAMES:
        raise OptionError("option.loss", value=name, known=", ".join(NAMES))
    if name not in BY_FAMILY[family]:
        raise OptionError("option.loss-family", value=name, family=family, known=", ".join(BY_FAMILY[family]))
    if delta <= 0 or not np.isfinite(delta):
        raise OptionError("option.delta", value=delta)
    made: dict[str, Loss] = {
        "mse": SquaredError(),
        "sse": SquaredError("sse", mean=False),
        "mae": AbsoluteError(),
        "huber": Huber(delta),
        "msle": SquaredLogError(),
        "mape": AbsoluteError("mape", relative=True),
        "binary_cross_entropy": BinaryCrossEntropy(),
        "cross_entropy": CrossEntropy(),
    }
    return made[name]
