"""Check what a browser sends against what its controls can send: a page can be made to send anything."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Shape = type | list["Shape"] | dict[str, "Shape"]

DRAGGED: Shape = {"value": str, "serial": str}
RATE: Shape = {"rate": float, "serial": str}
SCRUBBED: Shape = {"epoch": float, "serial": str}
MOVED: Shape = {"name": str, "value": float, "serial": str}
HELD: Shape = {"name": str, "held": bool}
PLANE: Shape = [int, int]


def fits(said: Any, shape: Shape) -> bool:
    """Tell whether a value has a shape: ``str``, ``bool``, ``int``, ``float`` (finite), or a container of such."""
    if isinstance(shape, dict):
        return isinstance(said, dict) and all(key in said and fits(said[key], inner) for key, inner in shape.items())
    if isinstance(shape, list):
        return isinstance(said, list) and len(said) == len(shape) and all(map(fits, said, shape))
    if shape is float:
        return type(said) in (int, float) and _is_finite(said)
    return type(said) is shape


def only(shape: Shape, do: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a listener that calls ``do`` with an event's value if the value has the shape, and else does nothing."""
    return lambda event: do(event.args) if fits(event.args, shape) else None


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an int too large for a float
        return False
