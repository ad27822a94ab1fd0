"""The referee: the excess loss of anyone's weights, from a minimum found slowly and without descend's solvers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from descend.objectives.links import sigmoid, softmax

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.objectives.in_memory import RowsObjective

    Floats = NDArray[np.floating[Any]]

STEPS = 100
ENOUGH = 1e-14
FORCING = 0.03
CONJUGATE = 400
RENEWED = 30
SHORTEST = 1e-6
EASE = 1e-10
BATCH = 20_000


def judge(objective: RowsObjective) -> Callable[[Floats], float]:
    """Return the function from weights to their excess loss.

    For squared error it is the mean of (X (w - w*))^2, which no rounding of the loss can hide; else a difference.
    """
    if objective.loss.quadratic:
        X, best = objective.X, least_squares(objective)
        return lambda w: sum(float(np.square(part @ (w - best)).sum()) for part in parts(X)) / len(X)
    least = objective.value(newton(objective))
    return lambda w: objective.value(w) - least


def parts(X: Floats) -> list[Floats]:
    """Return the rows in pieces, so that judging takes little memory."""
    return [X[first : first + BATCH] for first in range(0, len(X), BATCH)]


def least_squares(objective: RowsObjective) -> Floats:
    """Return the minimum from the triangle of a QR factorisation, made in pieces, with two rounds on the residual."""
    X, y = objective.X, objective.Y.ravel()
    lengths = np.sqrt(sum(np.square(part).sum(axis=0) for part in parts(X)))
    R = np.linalg.qr(np.concatenate([np.linalg.qr(part / lengths, mode="r") for part in parts(X)]), mode="r")
    w = np.zeros(X.shape[1])
    for _ in range(3):
        gradient = X.T @ (y - X @ w) / lengths
        w += np.linalg.solve(R, np.linalg.solve(R.T, gradient)) / lengths
    return w


def newton(objective: RowsObjective) -> Floats:
    """Return the minimum by Newton's method; each step by conjugate gradients, preconditioned output by output."""
    X, shape = objective.X, objective.shape
    ridge = objective.penalty.curvatures[:, None]
    W = np.zeros(shape)
    value, gradient = objective.value_and_gradient(W.ravel())
    products, precondition = CONJUGATE, None
    for _ in range(STEPS):
        Z = X @ W
        if precondition is None or products > RENEWED:
            precondition = blocks(X, objective.loss.curvature(Z, objective.Y), ridge)
        step, products = conjugate(bend(Z, X, ridge), gradient.reshape(shape), precondition)
        decrement = -float(gradient @ step.ravel()) / 2
        if decrement < ENOUGH:
            break
        length = 1.0
        while objective.value((W + length * step).ravel()) > value - 1e-4 * length * decrement and length > SHORTEST:
            length /= 2
        if length <= SHORTEST:
            break
        W = W + length * step
        value, gradient = objective.value_and_gradient(W.ravel())
    return W.ravel()


def bend(Z: Floats, X: Floats, ridge: Floats) -> Callable[[Floats], Floats]:
    """Return the product with the Hessian of logistic loss (one output) or softmax loss (several), at logits Z."""
    if Z.shape[1] == 1:
        curvature = sigmoid(Z) * sigmoid(-Z) / len(X)
        return lambda V: X.T @ (curvature * (X @ V)) + ridge * V
    P = softmax(Z)

    def product(V: Floats) -> Floats:
        U = P * (X @ V)
        return X.T @ ((U - P * U.sum(axis=1, keepdims=True)) / len(X)) + ridge * V

    return product


def blocks(X: Floats, curvature: Floats, ridge: Floats) -> Callable[[Floats], Floats]:
    """Return the division by the Hessian without what joins the outputs."""
    factors = []
    for weights in curvature.T:
        pieces = zip(parts(X), parts(weights[:, None] / len(X)), strict=True)
        block = sum(part.T @ (weight * part) for part, weight in pieces) + np.diag(ridge[:, 0])
        factors.append(cho_factor(block + EASE * np.diag(np.diag(block))))
    return lambda G: np.column_stack([cho_solve(factor, g) for factor, g in zip(factors, G.T, strict=True)])


def conjugate(
    product: Callable[[Floats], Floats], gradient: Floats, precondition: Callable[[Floats], Floats]
) -> tuple[Floats, int]:
    """Return the step s with H s = -gradient, near enough for Newton's method to close in, and the products made."""
    step, residual = np.zeros_like(gradient), -gradient
    direction = eased = precondition(residual)
    size = first = float((residual * eased).sum())
    products = 0
    while products < CONJUGATE:
        products += 1
        bent = product(direction)
        length = size / float((direction * bent).sum())
        step = step + length * direction
        residual = residual - length * bent
        eased = precondition(residual)
        size, previous = float((residual * eased).sum()), size
        if size <= FORCING**2 * first:
            break
        direction = eased + size / previous * direction
    return step, products
