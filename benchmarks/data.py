"""Made-up tables, the same on every run; each has a first column of ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

SIDE = 28


def columns(rows: int, count: int, random: np.random.Generator) -> Floats:
    """Return ones and normal columns, each correlated by 0.5 with the one before it."""
    X = random.normal(size=(rows, count))
    X[:, 0] = 1.0
    for column in range(2, count):
        X[:, column] *= 0.75**0.5
        X[:, column] += 0.5 * X[:, column - 1]
    return X


def linear(rows: int, count: int) -> tuple[Floats, Floats]:
    """Return a design and a target with as much noise as one column's share."""
    random = np.random.default_rng(0)
    X = columns(rows, count, random)
    return X, X @ random.normal(size=(count, 1)) + random.normal(size=(rows, 1))


def binary(rows: int, count: int, *, unscaled: bool = False) -> tuple[Floats, Floats]:
    """Return a design and a target of 0 and 1, its logits about 1.5 wide.

    ``unscaled`` columns are the same ones in units from 1e-3 to 1e3, each moved by some of its own spreads: the least
    loss stays the same.
    """
    random = np.random.default_rng(1)
    X = columns(rows, count, random)
    weights = random.normal(size=(count, 1)) / count**0.5
    logits = X @ weights
    logits *= 1.5 / logits.std()
    Y = (random.random(size=(rows, 1)) < 1 / (1 + np.exp(-logits))).astype(np.float64)
    if unscaled:
        units = random.permutation(10.0 ** np.linspace(-3, 3, count - 1))
        X[:, 1:] += 3 * random.normal(size=count - 1)
        X[:, 1:] *= units
    return X, Y


def pixels(rows: int, classes: int = 10) -> tuple[Floats, Floats]:
    """Return ones and 784 columns like the pixels of digits, and the class codes.

    Neighbours are correlated, values lie in [0, 1], about three in four are zero and the corners always are. Classes
    overlap: a row's picture is its class's, with strokes of its own.
    """
    random = np.random.default_rng(2)
    down, across = np.mgrid[:SIDE, :SIDE]
    centres = random.uniform(4, SIDE - 4, size=(60, 2))
    away = (down.ravel() - centres[:, :1]) ** 2 + (across.ravel() - centres[:, 1:]) ** 2
    strokes = np.exp(-away / 8)
    habits = random.normal(size=(classes, len(strokes)))
    codes = random.integers(classes, size=(rows, 1))
    ink = 0.6 * habits[codes[:, 0]] + random.normal(size=(rows, len(strokes)))
    X = np.ones((rows, 1 + SIDE * SIDE))
    np.clip(ink @ strokes - 0.4, 0, 1, out=X[:, 1:])
    middle = (SIDE - 1) / 2
    X[:, 1:] *= ((down - middle) ** 2 + (across - middle) ** 2 <= (0.6 * SIDE) ** 2).ravel()
    return X, codes.astype(np.float64)
