"""The effect of W and b in H(x) = sigmoid(W x + b)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.base.messages import Note
from descend.labs.outcome import Check, Section
from descend.objectives.links import sigmoid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.labs.outcome import Cell

PLACES = (-4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0)
STEEP = (0.5, 1.0, 2.0)
SHIFTS = (-1.0, 0.0, 1.0)
SLOPES = {0.5: 0.125, 1.0: 0.25, 2.0: 0.5, -1.0: -0.25}  # W / 4
MIDDLES = {  # -b / W
    (0.5, -1.0): 2.0,
    (0.5, 0.0): 0.0,
    (0.5, 1.0): -2.0,
    (1.0, -1.0): 1.0,
    (1.0, 0.0): 0.0,
    (1.0, 1.0): -1.0,
    (2.0, -1.0): 0.5,
    (2.0, 0.0): 0.0,
    (2.0, 1.0): -0.5,
}
AT_ONE = 0.7310585786300049  # e / (1 + e)
CLOSE = 1e-9
STEP = 1e-4


def sigmoid_curve(x: float, W: float, b: float) -> float:
    """Return H(x) = sigmoid(W x + b)."""
    return float(sigmoid(np.array(W * x + b)))


def sigmoid_sections() -> list[Section]:
    """Return the effect of slope, sign and shift, each compared with its closed form."""
    return [
        Section(Note("lesson.sigmoid-what", {}), checks=[_check("sigmoid-at-one", AT_ONE, sigmoid_curve(1, 1, 0))]),
        Section(
            Note("lesson.sigmoid-steep", {}),
            *_curves([(W, 0.0) for W in STEEP]),
            checks=[_check("sigmoid-slope", SLOPES[W], middle_slope(W), W=W) for W in STEEP],
        ),
        Section(
            Note("lesson.sigmoid-sign", {}),
            *_curves([(1.0, 0.0), (-1.0, 0.0)]),
            checks=[
                _check("sigmoid-slope", SLOPES[-1.0], middle_slope(-1), W=-1),
                *(
                    _check("sigmoid-mirror", 1 - sigmoid_curve(x, 1, 0), sigmoid_curve(x, -1, 0), x=x)
                    for x in (1.0, 4.0)
                ),
            ],
        ),
        Section(
            Note("lesson.sigmoid-shift", {}),
            *_curves([(1.0, b) for b in SHIFTS]),
            checks=[_check("sigmoid-middle", at, middle(W, b), W=W, b=b) for (W, b), at in MIDDLES.items()],
        ),
        Section(Note("lesson.sigmoid-so", {})),
    ]


def middle_slope(W: float, b: float = 0.0) -> float:
    """Return the slope at the midpoint, by central differences (error of order STEP^2) extrapolated to order STEP^4."""
    at = -b / W

    def central(h: float) -> float:
        return (sigmoid_curve(at + h, W, b) - sigmoid_curve(at - h, W, b)) / (2 * h)

    return (4 * central(STEP) - central(2 * STEP)) / 3  # Richardson (1911)


def middle(W: float, b: float) -> float:
    """Return the x where the curve is one half, by bisection of [-10, 10], to twelve decimals."""
    low, high = (-10.0, 10.0) if W > 0 else (10.0, -10.0)
    for _ in range(60):
        half = (low + high) / 2
        low, high = (half, high) if sigmoid_curve(half, W, b) < 0.5 else (low, half)
    return round((low + high) / 2, 12) + 0.0  # not -0.0


def _curves(parameters: Sequence[tuple[float, float]]) -> tuple[list[Cell], list[list[Cell]]]:
    heads: list[Cell] = ["x", *(f"W = {W:g}, b = {b:g}" for W, b in parameters)]
    rows: list[list[Cell]] = [[f"{x:g}", *(f"{sigmoid_curve(x, W, b):.4f}" for W, b in parameters)] for x in PLACES]
    return heads, rows


def _check(code: str, expected: float, ours: float, **values: float) -> Check:
    return Check(f"lesson.{code}", values, expected, ours, abs(ours - expected) <= CLOSE)


SECTIONS = sigmoid_sections
