"""Numbers with few digits, so that they can be sent to the page at every move of a slider."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Floats

DIGITS = 4
OWN = 6


def points(x: Floats, y: Floats) -> list[list[float | None]]:
    """Return pairs of numbers with few digits; None for a number that is not finite."""
    return [list(pair) for pair in zip(short(x), short(y), strict=True)]


def short(values: Floats) -> list[Any]:
    """Return numbers to DIGITS digits of their range, small ones to OWN digits of their own; None where not finite.

    One huge number widens the range, and the others keep digits of their own.
    """
    values = np.asarray(values, dtype=np.float64)
    finite = values[np.isfinite(values)]
    with np.errstate(over="ignore"):  # the range of all float64 overflows
        span = float(np.ptp(finite)) if finite.size > 1 else 0.0
    span = span or float(np.abs(finite).max(initial=0.0))
    if not 1e-200 < span < 1e200:
        return [value if np.isfinite(value) else None for value in values.tolist()]
    near = np.round(values, DIGITS - int(np.floor(np.log10(span)))).tolist()
    small = (np.abs(values) < span / 10.0**DIGITS * 10).tolist()
    pairs = zip(values.tolist(), near, small, strict=True)
    return [_short(value) if own else rough if np.isfinite(rough) else None for value, rough, own in pairs]


def _short(value: float) -> float:
    return float(f"{value:.{OWN}g}")


def exact(x: Floats, y: Floats) -> list[list[float | None]]:
    """Return pairs of numbers with all their digits; None for what is not finite."""
    pairs = np.column_stack([x, y]).tolist()
    return [[value if np.isfinite(value) else None for value in pair] for pair in pairs]


def significant(value: float) -> float | None:
    """Return a number to seven significant digits; None where it is not finite."""
    return float(f"{value:.7g}") if np.isfinite(value) else None


def encoded(values: NDArray[np.uint8]) -> str:
    """Return bytes as Base64 text."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")
