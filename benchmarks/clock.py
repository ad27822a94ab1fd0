"""Time: a cap on what runs too long, and medians of what takes turns."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from statistics import median
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


PAUSE = 0.3


class TimeUp(Exception):
    """A run took longer than its cap."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TimeUp once the time is over; compiled code hears of it only when it comes back to Python."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def ring(*_: object) -> None:
        raise TimeUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def after_a_pause(run: Callable[[], float]) -> float:
    """Let the threads of the run before go to sleep: some spin for a fifth of a second, on the cores of the next."""
    sleep(PAUSE)
    return run()


def in_turn(runs: list[Callable[[], float]], repeats: int) -> list[float]:
    """Return each one's median seconds, run in turn so that all meet the same machine."""
    rounds = [[after_a_pause(run) for run in runs] for _ in range(repeats)]
    return [median(times) for times in zip(*rounds, strict=True)]


def timed(call: Callable[[], Any]) -> Callable[[], float]:
    """Return a function that makes a call and returns the seconds it took."""

    def seconds() -> float:
        started = perf_counter()
        call()
        return perf_counter() - started

    return seconds
