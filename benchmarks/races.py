"""All races by name, under the benchmark that each belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import logistic, softmax, squared_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.contest import Race

BENCHMARKS: dict[str, dict[str, Callable[[int], Race]]] = {
    "squared-error": squared_error.RACES,
    "logistic": logistic.RACES,
    "softmax": softmax.RACES,
}
RACES = {name: make for races in BENCHMARKS.values() for name, make in races.items()}
QUICK = 50
