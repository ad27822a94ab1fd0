"""One pool of threads over blocks of rows, one per core, each with a single-threaded linear algebra library.

The blocks and the order of their sums depend on the table alone, so a sum has the same bits for any number of cores.
"""

from __future__ import annotations

import os
from functools import cache
from threading import local
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import ThreadPoolExecutor
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    Sums = tuple[NDArray[np.floating[Any]], ...]

Argument = TypeVar("Argument")
Result = TypeVar("Result")
BLOCK_BYTES = 4_000_000
TALL = 2000
_here = local()
QUIET: Any = {"over": "ignore", "invalid": "ignore"}


def block_rows(columns: int, itemsize: int = 8, *, squared: bool = False) -> int:
    """Return the number of rows per block.

    Small enough for the cache, and large enough that two threads seldom wait for the interpreter's lock; a block that
    is ``squared``, multiplied by itself, is tall enough for that.
    """
    return max(BLOCK_BYTES // (columns * itemsize), min(4 * columns, TALL) if squared else 1, 1)


def summed(part: Callable[[slice], Sums], rows: int, size: int) -> Sums:
    """Return the sums of the results of ``part`` for consecutive blocks of ``size`` rows."""
    if rows <= size:
        with np.errstate(**QUIET):
            return part(slice(0, rows))
    results = map_slices(part, rows, size)
    total = next(results)
    for more in results:
        for kept, addend in zip(total, more, strict=True):
            kept += addend
    return total


def map_slices(task: Callable[[slice], Result], rows: int, size: int) -> Iterator[Result]:
    """Yield the results of ``task`` for consecutive slices of ``size`` rows, in order, computed on all cores."""
    slices = [slice(first, min(first + size, rows)) for first in range(0, max(rows, 1), size)]
    if len(slices) < 2 or getattr(_here, "working", False):  # a thread that waits for its own pool may deadlock
        yield from map(quietly(task), slices)
        return
    with one_blas_thread():
        yield from pool()[0].map(quietly(task), slices)


def quietly(task: Callable[[Argument], Result]) -> Callable[[Argument], Result]:
    """Return a task without NumPy's overflow warnings, a setting of each thread: the caller checks the results."""

    def run(argument: Argument) -> Result:
        with np.errstate(**QUIET):
            return task(argument)

    return run


def at_work(task: Callable[[Argument], Result]) -> Callable[[Argument], Result]:
    """Return a task for a thread of the pool, in which nested calls of ``map_slices`` run serially."""

    def run(argument: Argument) -> Result:
        _here.working = True
        try:
            return task(argument)
        finally:
            _here.working = False

    return quietly(run)


def one_blas_thread() -> AbstractContextManager[Any]:
    """Return a context that limits the linear algebra library to one thread, so that it does not compete."""
    limited: AbstractContextManager[Any] = _blas().limit(limits=1, user_api="blas")
    return limited


@cache
def pool(waiting: int = 0) -> tuple[ThreadPoolExecutor, int]:
    """Return the pool of threads, one per core and ``waiting`` more, and its size."""
    from concurrent.futures import ThreadPoolExecutor

    available = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    size = len(available) + waiting
    return ThreadPoolExecutor(size, thread_name_prefix="descend"), size


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
