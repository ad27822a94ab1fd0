"""What runs on a worker, and the sum of the parts' answers: one tree, whatever the number of workers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.errors import DescendError
from descend.base.reductions import added, pairs
from descend.base.threads import at_work, one_blas_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from descend.base.reductions import Pairs
    from descend.tables.scan import Part

FAN_IN = 16  # parts, or sums of so many, that are added at once


class ResidentPart:
    """The result of a task for a part; Dask asks for its size, to place and spill it."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __sizeof__(self) -> int:
        return 1000 + held_bytes(self.value)


def held_bytes(value: Any, depth: int = 3) -> int:
    """Return the approximate bytes of a value's arrays and frames; those mapped from a file count as none."""
    if isinstance(value, np.memmap):
        return 0
    own = getattr(value, "nbytes", None)
    if isinstance(own, int):
        return own
    if hasattr(value, "estimated_size"):
        return int(value.estimated_size())
    if not depth or isinstance(value, type):
        return 0
    if isinstance(value, dict):
        inner: Any = value.values()
    elif isinstance(value, (list, tuple)):
        inner = value
    elif hasattr(value, "__dict__"):
        inner = vars(value).values()
    else:
        return sys.getsizeof(value)
    return sum(held_bytes(item, depth - 1) for item in inner)


class Failed(Exception):
    """The exception that a task raised, and the part at which it did."""

    def __init__(self, position: int, kind: str, reason: str) -> None:
        super().__init__(position, kind, reason)
        self.position, self.kind, self.reason = position, kind, reason


def run_task(task: Callable[[Part], Any], part: Part, sources: Sequence[Any] = ()) -> Any:
    """Run a task on a part, with one thread: a worker runs as many tasks as it has.

    ``sources`` are what the part stands on, which Dask has brought.
    """
    whole: Any = part
    return _each(task, [whole.filled(sources) if sources else part])[0]


def keep_result(task: Callable[[Part], Any], part: Part, sources: Sequence[Any] = ()) -> ResidentPart:
    """Run a task on a part, and keep the result."""
    return ResidentPart(run_task(task, part, sources))


def columns_for(task: Any, parts: Sequence[Part]) -> list[list[Any]]:
    """Return the arguments of tasks for some parts; futures are arguments of their own, so that Dask resolves them."""
    sources = [list(getattr(part, "sources", {}).values()) for part in parts]
    own: list[Any] = list(parts)
    sent = [part.filled([None] * len(some)) if some else part for part, some in zip(own, sources, strict=True)]
    return [[task] * len(parts), sent, sources]


class Answers:
    """The answers of some parts, or their sum, as one object to send."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def __sizeof__(self) -> int:
        return 1000 + held_bytes(self.items)


def asked(held: Sequence[ResidentPart], question: Callable[[Any], Any], block: int | None) -> Answers:
    """Ask a question of each result, and return the answers in their order.

    For a sum they are added to one where these holdings are the whole ``block`` that is added together.
    """
    found = _each(lambda kept: question(kept.value), held)
    return Answers([added(list(map(pairs, found)))] if len(found) == block else found)


def _each(task: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    found = []
    with one_blas_thread():
        for position, item in enumerate(items):
            try:
                found.append(at_work(task)(item))
            except DescendError:
                raise
            except Exception as error:
                raise Failed(position, type(error).__name__, str(error)) from error
    return found


def joined(pieces: Sequence[Answers]) -> Answers:
    """Return the sum of answers that came in pieces, in their order."""
    return Answers([added([pairs(item) for piece in pieces for item in piece.items])])


def loaded(value: bytes) -> Any:
    """Return a value that was too large to be sent with every task, from its one copy."""
    import cloudpickle

    return cloudpickle.loads(value)


def tree(items: Sequence[Pairs]) -> Pairs:
    """Return the sum as a tree: FAN_IN consecutive values are added, then FAN_IN of those sums, and so on."""
    level = list(items)
    while len(level) > 1:
        level = [added(level[first : first + FAN_IN]) for first in range(0, len(level), FAN_IN)]
    return level[0]
