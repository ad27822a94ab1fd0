"""Values and derivatives of the functions that NumPy does not have: sigmoid, logit, softplus and erf."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from descend.base.typing import Floats


def logistic_value(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)) without an overflow, to the last digits at both ends."""
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(np.less(x, 0), small, 1.0) / (1 + small))


def logistic_slope(x: Floats) -> Floats:
    """Return the derivative, p (1 - p) with p the value."""
    small = np.exp(-np.abs(x))
    return np.asarray(small / np.square(1 + small))


def logistic_second(x: Floats) -> Floats:
    """Return the second derivative, p (1 - p) (1 - 2 p)."""
    return np.asarray(-logistic_slope(x) * np.tanh(x / 2))


def logistic_both(x: Floats) -> tuple[Floats, Floats]:
    """Return the value and the derivative from one exponential."""
    small = np.exp(-np.abs(x))
    above = 1 + small
    return np.asarray(np.where(np.less(x, 0), small, 1.0) / above), np.asarray(small / np.square(above))


def log_odds(p: Floats) -> Floats:
    """Return log(p / (1 - p)); about 1/2, where the ratio is near 1, by log1p of its distance from 1."""
    return np.asarray(np.where(np.less(p, 0.25), np.log(p / (1 - p)), np.log1p((2 * p - 1) / (1 - p))))


def error_function(x: Floats) -> Floats:
    """Return erf(x)."""
    from scipy.special import erf

    return np.asarray(erf(x))


def error_function_slope(x: Floats) -> Floats:
    """Return the derivative of erf."""
    return np.asarray(2 / math.sqrt(math.pi) * np.exp(-np.square(x)))


def error_function_inverse(z: Floats) -> Floats:
    """Return the number whose erf is z."""
    from scipy.special import erfinv

    return np.asarray(erfinv(z))
