"""An exponential decay over many rows: ``descend.fit`` without a start, beside SciPy's curve_fit with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.clock import timed
from benchmarks.pairs import Case, Peer

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

EQUATION = "y = a * exp(-b * x) + c"
START = (1.0, 1.0, 0.0)  # what SciPy is given
SIZES = (100_000, 1_000_000, 10_000_000)


def cases(divisor: int) -> list[Case]:
    return [case for size in SIZES for case in _cases(size // divisor)]


def _cases(rows: int) -> list[Case]:
    import descend

    random = np.random.default_rng(0)
    x = random.uniform(0, 5, rows)
    y = 3 * np.exp(-0.7 * x) + 1 + random.normal(0, 0.1, rows)
    table = {"x": x, "y": y}
    peers = (
        Peer("curve_fit, as it comes", ("scipy",), timed(lambda: _curve_fit(x, y))),
        Peer("curve_fit, with derivatives", ("scipy",), timed(lambda: _curve_fit(x, y, jac=_slopes))),
    )
    given = {"init": dict(zip("abc", START, strict=True)), "search": 0.0}
    calls: dict[str, Callable[[], Any]] = {
        "from the same start, no test": lambda: descend.fit(EQUATION, table, test="none", **given),
        "without a start, no test": lambda: descend.fit(EQUATION, table, test="none"),
        "without a start, tested on unseen rows": lambda: descend.fit(EQUATION, table),
    }
    return [Case(f"{rows:,} rows: descend.fit {name}", timed(call), peers) for name, call in calls.items()]


def _curve_fit(x: Floats, y: Floats, **settings: Any) -> Any:
    from scipy.optimize import curve_fit

    return curve_fit(_values, x, y, START, **settings)


def _values(x: Floats, a: float, b: float, c: float) -> Floats:
    return np.asarray(a * np.exp(-b * x) + c)


def _slopes(x: Floats, a: float, b: float, c: float) -> Floats:  # noqa: ARG001
    falling = np.exp(-b * x)
    return np.stack([falling, -a * x * falling, np.ones_like(x)], axis=1)
