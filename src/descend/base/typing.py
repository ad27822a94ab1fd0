"""The types that every floor names; they are imported for type checking alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Rows = NDArray[np.int64]
"""Numbers of rows."""
Arrays = dict[str, NDArray[Any]]
OnEpoch = Callable[[int, float], None]
"""Called with an epoch and its loss, or another count and number that tell how far something is."""
