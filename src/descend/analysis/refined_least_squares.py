"""Least squares to the last digit of float64, by arithmetic with twice its digits.

The inverse of a triangular QR factor in float64 makes the columns nearly orthonormal, however collinear they are (Rump
1990: the inverse of an ill-conditioned factor is still a good preconditioner). The result is orthonormalised by a
Cholesky factor with twice the digits (Yamamoto et al. 2015, CholeskyQR).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from descend.analysis._information import spread_out
from descend.base.double_double import add, crossed, multiply, pair, product, rounded, subtract, total
from descend.base.threads import one_blas_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.double_double import Pair
    from descend.base.typing import Floats
    from descend.design.matrix import Design
    from descend.tables.columns import Columns

FREE = 50_000  # cells: the doubled digits of so few take milliseconds
AFFORDABLE = 5_000_000  # cells: those of so many take about a second
HARD = 1e5  # a condition number from which float64 loses five of its digits
BLOCK = 200_000  # numbers whose products fit in the processor's cache
UNIT = 2.0**-104  # the rounding of a pair of float64
LEAST = 1e-9  # the share of an orthonormal column that may be rounding


@dataclass(frozen=True)
class Exact:
    """A least-squares fit in the units of the table, with twice float64's digits.

    ``coefficients`` are columns x targets. ``root`` is a root of (X'X)^-1, columns x columns: X root is orthonormal.
    ``squares`` are the sums of the squared residuals, one for each target.
    """

    coefficients: Pair
    root: Pair
    squares: Floats


def worth_it(elements: int, condition: float) -> bool:
    """Tell whether the condition number of the columns asks for it, or it costs next to nothing."""
    return elements <= (AFFORDABLE if condition > HARD else FREE)


def exactly(design: Design, data: Columns, Y: Floats) -> Exact | None:
    """Return the least-squares fit of rows; None where the columns are collinear even with twice the digits."""
    with np.errstate(all="ignore"), one_blas_thread():  # many short products, for which threads would wait
        live = design.live
        X, target = design.exact_matrix(data), pair(Y)
        X = X if live.all() else (X[0][:, live], X[1][:, live])
        root = _orthonormal(X)
        if root is None:
            return None
        basis = in_blocks(X, root)
        along = crossed(basis, target)
        residual = subtract(target, product(basis, along))
        squares = rounded(total(multiply(residual, residual)))
        coefficients = product(root, along)
        if not (np.isfinite(coefficients[0]).all() and np.isfinite(squares).all()):
            return None
        return Exact(_among(coefficients, live), _square(root, live), squares)


def _among(rows: Pair, live: NDArray[np.bool_]) -> Pair:
    """Return rows of the ``live`` columns as rows of all columns, 0 for the others."""
    made = tuple(np.zeros((live.size, part.shape[1])) for part in rows)
    for part, own in zip(made, rows, strict=True):
        part[live] = own
    return made[0], made[1]


def _square(root: Pair, live: NDArray[np.bool_]) -> Pair:
    return spread_out(root[0], live), spread_out(root[1], live)


def in_blocks(X: Pair, Y: Pair) -> Pair:
    """Return the matrix product X Y of many rows and few columns, computed in blocks of rows."""
    size = max(BLOCK // max(Y[0].shape), 1)
    made = [product((X[0][i : i + size], X[1][i : i + size]), Y) for i in range(0, max(len(X[0]), 1), size)]
    return np.concatenate([high for high, _ in made]), np.concatenate([low for _, low in made])


def _orthonormal(X: Pair) -> Pair | None:
    """Return R with X R orthonormal; None where X has no full column rank."""
    lengths = np.sqrt(np.square(X[0] / np.abs(X[0]).max(axis=0)).sum(axis=0)) * np.abs(X[0]).max(axis=0)
    if len(X[0]) < len(lengths) or not (lengths > 0).all():
        return None
    scale = 2.0 ** -np.round(np.log2(lengths))
    scaled = X[0] * scale, X[1] * scale
    triangle = np.linalg.qr(scaled[0], mode="r")
    if not np.abs(np.diag(triangle)).min(initial=1.0) > 0:
        return None
    root = pair(np.linalg.solve(triangle, np.eye(len(scale))))
    basis = in_blocks(scaled, root)
    rest = _inverse_root(crossed(basis, basis))
    if rest is None:
        return None
    root = product(root, rest)
    if not UNIT * len(scale) * np.abs(root[0]).max() < LEAST:
        return None
    return root[0] * scale[:, None], root[1] * scale[:, None]


def _inverse_root(gram: Pair) -> Pair | None:
    """Return W with W' gram W = I: from a Cholesky factor in float64, refined by Newton's method."""
    try:
        root = pair(np.linalg.inv(np.linalg.cholesky(gram[0])).T)
    except np.linalg.LinAlgError:
        return None
    half, one = pair(np.array(0.5)), pair(np.eye(len(gram[0])))
    for _ in range(3):
        missing = subtract(one, crossed(root, product(gram, root)))
        if not np.abs(missing[0]).max(initial=0.0) < 0.1:
            return None
        root = add(root, product(root, multiply(missing, half)))
    return root
