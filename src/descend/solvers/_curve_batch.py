"""An equation over rows for many draws of its parameters at once, with the linear ones solved for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from descend.formula.ast import Apply, Expression, Name, Number, Operation, Unknown, unknowns_of
from descend.formula.rebuilt import Rebuilt
from descend.formula.tangents import tangents_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from numpy.typing import NDArray

    from descend.base.typing import Floats

RIDGE = 1e-13  # added to products of columns of length 1, so that columns that depend on each other have a solution
AT_WORK = 150_000  # numbers of an array, so that it stays in the cache
ZERO = Number(0.0)


@dataclass(frozen=True)
class Batch:
    """An equation over rows as a function of its nonlinear parameters, for many draws of them at once.

    expressions: the right-hand sides, one an output. columns: the rows' columns by name. targets: rows x outputs.
    root: the root of each row's weight, or 1. linear, nonlinear: the names of the parameters. The residuals are an
    output's rows after another's.
    """

    expressions: tuple[Expression, ...]
    columns: Mapping[str, Floats]
    targets: Floats
    root: Floats | float
    linear: tuple[str, ...]
    nonlinear: tuple[str, ...]

    @property
    def size(self) -> int:
        """The number of residuals."""
        return int(self.targets.size)

    @property
    def total(self) -> float:
        """The sum of squares of the targets."""
        return float(np.square(self.targets.T * self.root).sum())

    @property
    def effort(self) -> int:
        """How many values are computed for a draw: the residuals times the parts of the equation."""
        return self.size * max(sum(1 for expression in self.expressions for _ in _nodes(expression)), 1)

    @property
    def names(self) -> set[str]:
        """The parameters that the expressions use."""
        return {unknown.name for expression in self.expressions for unknown in unknowns_of(expression)}

    def without(self, names: Collection[str]) -> Batch:
        """Return the equation with some linear parameters 0, and without what vanishes with them."""
        smaller = replace(self, expressions=tuple(map(_Vanished(names).visit, self.expressions)))
        used = smaller.names
        return replace(
            smaller,
            linear=tuple(name for name in self.linear if name in used),
            nonlinear=tuple(name for name in self.nonlinear if name in used),
        )

    def on(self, rows: NDArray[np.int64]) -> Batch:
        """Return the equation on some of the rows."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        root = self.root if isinstance(self.root, float) else self.root[rows]
        return replace(self, columns=columns, targets=self.targets[rows], root=root)

    def basis(self, draws: Floats) -> tuple[Floats, Floats]:
        """Return the residuals with the linear parameters 0 (draws x residuals) and their columns (... x linear).

        draws: draws x nonlinear parameters. A residual is the target less the equation.
        """
        r = np.empty((len(draws), self.targets.shape[1], len(self.targets)))
        P = np.zeros((*r.shape, len(self.linear)))
        for output, (value, slopes) in enumerate(self._tangents(draws, dict.fromkeys(self.linear, 0.0))):
            r[:, output] = (self.targets[:, output] - value) * self.root
            for name, slope in slopes.items():
                P[:, output, :, self.linear.index(name)] = slope * self.root
        return r.reshape(len(draws), self.size), P.reshape(len(draws), self.size, len(self.linear))

    def slopes(self, draws: Floats, solved: Floats) -> Floats:
        """Return the equation's derivatives in the nonlinear parameters, draws x residuals x nonlinear.

        solved: the linear parameters, draws x linear.
        """
        K = np.zeros((len(draws), self.targets.shape[1], len(self.targets), len(self.nonlinear)))
        turned = replace(self, linear=self.nonlinear, nonlinear=self.linear)
        free = {name: draws[:, [place]] for place, name in enumerate(self.nonlinear)}
        for output, (_, slopes) in enumerate(turned._tangents(solved, free)):
            for name, slope in slopes.items():
                K[:, output, :, self.nonlinear.index(name)] = slope * self.root
        return K.reshape(len(draws), self.size, len(self.nonlinear))

    def screened(self, draws: Floats) -> Floats:
        """Return the sum of squares of each draw with the linear parameters solved for; inf where it is undefined."""
        size = max(AT_WORK // max(self.size * (len(self.linear) + 2), 1), 1)
        parts = [draws[first : first + size] for first in range(0, max(len(draws), 1), size)]
        with np.errstate(all="ignore"):
            return np.concatenate([projected(*self.basis(part))[0] for part in parts])

    def solved(self, draws: Floats) -> Floats:
        """Return the linear parameters of least squares for each draw."""
        with np.errstate(all="ignore"):
            return projected(*self.basis(draws))[1]

    def _tangents(self, held: Floats, free: Mapping[str, Floats | float]) -> list[tuple[Floats, dict[str, Floats]]]:
        """Return each expression's values and its derivatives in the ``free`` parameters.

        held: the nonlinear parameters, which stand as columns so that they have no derivatives.
        """
        fixed = {name: held[:, [place]] for place, name in enumerate(self.nonlinear)}
        columns = {**self.columns, **fixed}
        return [tangents_of(_AsColumns(fixed).visit(expression), columns, free) for expression in self.expressions]


def projected(r: Floats, P: Floats) -> tuple[Floats, Floats, Floats]:
    """Return, for each draw, the sum of squares of r off the columns of P, the coefficients, and r off them.

    The sum of squares is infinite where r or P is not finite.
    """
    lengths = column_lengths(P)
    wrong = np.asarray(~(np.isfinite(lengths).all(axis=1) & np.isfinite(r).all(axis=1)))
    if wrong.any():
        r, P = np.where(wrong[:, None], 0.0, r), np.where(wrong[:, None, None], 0.0, P)
        lengths[wrong] = 1.0
    if P.shape[2]:
        P = P / lengths[:, None, :]
        c = np.linalg.solve(ridged(P), turned(P) @ r[:, :, None])
        r, c = r - (P @ c)[:, :, 0], c[:, :, 0] / lengths
    else:
        c = np.zeros((len(r), 0))
    losses = np.einsum("bi,bi->b", r, r)
    losses[wrong | ~np.isfinite(losses)] = np.inf
    return losses, c, r


def column_lengths(P: Floats) -> Floats:
    """Return the length of each column of each draw's matrix, 1 for a column of zeros."""
    lengths = np.sqrt(np.einsum("bik,bik->bk", P, P))
    return np.where(lengths == 0, 1.0, lengths)


def ridged(P: Floats) -> Floats:
    """Return each draw's P'P with a little on its diagonal."""
    return turned(P) @ P + RIDGE * np.eye(P.shape[2])


def turned(P: Floats) -> Floats:
    """Return each draw's matrix transposed."""
    return np.swapaxes(P, 1, 2)


def _nodes(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and all the parts that it has."""
    yield expression
    match expression:
        case Apply(argument=inner):
            yield from _nodes(inner)
        case Operation(left=left, right=right):
            for side in (left, right):
                if side is not None:
                    yield from _nodes(side)


class _AsColumns(Rebuilt):
    """An expression with some parameters as columns, whose derivatives are then not computed."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = names

    def unknown(self, unknown: Unknown) -> Expression:
        return Name(unknown.name) if unknown.name in self.names else unknown


class _Vanished(Rebuilt):
    """An expression with some parameters 0, and without the products that are 0 then."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = names

    def unknown(self, unknown: Unknown) -> Expression:
        return ZERO if unknown.name in self.names else unknown

    def negated(self, operand: Expression) -> Expression:
        inner = self.visit(operand)
        return ZERO if inner == ZERO else Operation("-", None, inner)

    def joined(self, operation: Operation, left: Expression, right: Expression) -> Expression:
        a, b = self.visit(left), self.visit(right)
        match operation.operator:
            case "*" if ZERO in (a, b):
                return ZERO
            case "/" if a == ZERO:
                return ZERO
            case "+" if a == ZERO:
                return b
            case "+" | "-" if b == ZERO:
                return a
            case "-" if a == ZERO:
                return Operation("-", None, b)
        return Operation(operation.operator, a, b)
