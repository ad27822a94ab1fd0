"""Least squares to float64's last digits: the residuals, and the powers of a column, with twice as many.

A QR factorisation of the standardised columns gives a first answer and the corrections; the residual that they correct
is that of the columns as they are in the table (Bjorck 1967; Golub and Wilkinson 1966).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.extended import add, crossed, multiply, pair, product, reciprocal, rounded, subtract, total

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.columns import Columns
    from descend.design import Design
    from descend.extended import Pair

    Floats = NDArray[np.floating[Any]]

FREE = 50_000
AFFORDABLE = 5_000_000
HARD = 1e5
ROUNDS = 60
SETTLED = 1e-19


@dataclass(frozen=True)
class Exact:
    """The least-squares answer in the units of the table: ``coefficients`` (columns x targets), ``inverse`` of X'X
    (columns x columns) and the sum of squared ``residuals`` of each target.
    """

    coefficients: Floats
    inverse: Floats
    residuals: Floats


def worth_it(elements: int, condition: float) -> bool:
    """Tell whether the digits need it (by the condition number of the columns) or it costs next to nothing."""
    return elements <= (AFFORDABLE if condition > HARD else FREE)


def exactly(design: Design, data: Columns, standardized: Floats, Y: Floats, weights: Floats) -> Exact | None:
    """Return the least-squares answer near ``weights``, which belong to the ``standardized`` design matrix of ``data``.

    None where the columns are too alike for the corrections to shrink.
    """
    with np.errstate(all="ignore"):
        X, target = design.exact_matrix(data), pair(Y)
        to_raw = design.to_raw(np.eye(len(weights)))
        triangle = np.linalg.qr(standardized, mode="r")
        if len(triangle) < len(weights) or not np.abs(np.diag(triangle)).min() > 0:
            return None
        root = np.linalg.solve(triangle, np.eye(len(weights)))
        beta, last = pair(np.asarray(design.to_raw(weights), dtype=np.float64)), np.inf
        for _ in range(ROUNDS):
            residual = subtract(target, product(X, beta))
            gradient = rounded(product(pair(to_raw.T), crossed(X, residual)))
            step = to_raw @ (root @ (root.T @ gradient))
            size = float(np.max(np.abs(step) / np.maximum(np.abs(beta[0]), np.finfo(np.float64).tiny)))
            if not np.isfinite(size) or (size > 0.5 * last and size > 1e-12):
                return None
            if size > 0.5 * last:
                break
            beta, last = add(beta, pair(step)), size
            if size < SETTLED:
                break
        residual = subtract(target, product(X, beta))
        squares = rounded(total(multiply(residual, residual)))
        inverse = _inverse(X)
    return None if inverse is None else Exact(rounded(beta), inverse, squares)


def _inverse(X: Pair) -> Floats | None:
    """Return the inverse of X'X by Gauss and Jordan's sweeps with twice the digits; None where a pivot vanishes."""
    scale = 2.0 ** np.round(np.log2(np.sqrt(np.square(X[0]).sum(axis=0))))
    gram = crossed(X, X)
    high: Floats = gram[0] / np.outer(scale, scale)
    low: Floats = gram[1] / np.outer(scale, scale)
    for k in range(scale.size):
        if not high[k, k] > 0:
            return None
        pivot = reciprocal((high[k, k], low[k, k]))
        row = multiply((high[[k]], low[[k]]), pivot)
        column = high[:, [k]].copy(), low[:, [k]].copy()
        high, low = subtract((high, low), multiply(column, row))
        (high[k], low[k]), down = (row[0][0], row[1][0]), multiply(column, pivot)
        high[:, k], low[:, k] = -down[0][:, 0], -down[1][:, 0]
        high[k, k], low[k, k] = pivot
    return np.asarray((high + low) / np.outer(scale, scale))
