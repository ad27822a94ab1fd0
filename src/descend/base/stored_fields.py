"""Checks of the fields of a stored file, which anybody may have written: each returns it or raises ValueError."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import DTypeLike, NDArray

T = TypeVar("T")
LARGEST = 2**63 - 1


def _require(whole: bool, value: object) -> None:
    if not whole:
        raise ValueError(f"{type(value).__name__} {value!r}"[:100])


def text(value: Any) -> str:
    """Return a string."""
    _require(isinstance(value, str), value)
    return str(value)


def flag(value: Any) -> bool:
    """Return a bool."""
    _require(isinstance(value, bool), value)
    return bool(value)


def whole_number(value: Any, least: int = 0) -> int:
    """Return a whole number that is not less than ``least``."""
    _require(type(value) is int and least <= value <= LARGEST, value)
    return int(value)


def real(value: Any, least: float = -math.inf) -> float:
    """Return a finite number that is not less than ``least``."""
    _require(type(value) in (int, float) and math.isfinite(value) and value >= least, value)
    return float(value)


def real_or_nan(value: Any) -> float:
    """Return a finite number, NaN for null."""
    return math.nan if value is None else real(value)


def one_of(value: Any, known: Iterable[T]) -> T:
    """Return the known value that is equal to it and of the same type."""
    for one in known:
        if type(one) is type(value) and one == value:
            return one
    raise ValueError(f"{value!r}"[:100])


def entries(value: Any) -> list[Any]:
    """Return a list."""
    _require(isinstance(value, list), value)
    return list(value)


def texts(value: Any) -> list[str]:
    """Return a list of texts."""
    return [text(one) for one in entries(value)]


def distinct(value: Any) -> tuple[str, ...]:
    """Return a tuple of different texts."""
    found = tuple(texts(value))
    _require(len(set(found)) == len(found), value)
    return found


def facts(value: Any, names: Iterable[str] | None = None) -> dict[str, Any]:
    """Return a dict; with ``names`` one with exactly these keys."""
    _require(isinstance(value, dict) and (names is None or set(value) == set(names)), value)
    return dict(value)


def some(value: Any, known: Iterable[str]) -> dict[str, Any]:
    """Return a dict whose keys are among the known ones."""
    _require(isinstance(value, dict) and set(value) <= set(known), value)
    return dict(value)


def array(
    tensor: Any, shape: Sequence[int | None], dtype: DTypeLike = np.float64, *, finite: bool = True
) -> NDArray[Any]:
    """Return a tensor of that shape (None: any length) and type, of finite numbers unless they need not be."""
    kind = np.dtype(dtype)
    fits = len(tensor.shape) == len(shape) and all(n in (None, m) for n, m in zip(shape, tensor.shape, strict=True))
    if not fits or tensor.dtype != kind or (finite and kind.kind == "f" and not np.isfinite(tensor).all()):
        raise ValueError(f"{tensor.dtype}{tensor.shape}")
    return np.asarray(tensor)


def rising(tensor: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return strictly increasing whole numbers from 0 on."""
    if tensor.size and (tensor[0] < 0 or (np.diff(tensor) <= 0).any()):
        raise ValueError("order")
    return tensor
