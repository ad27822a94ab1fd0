"""Who reads the parts of a scan: this machine's threads, or what stands in for them."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from descend.threads import at_work, one_blas_thread, pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from descend.scans import Part
    from descend.threads import Sums

Result = TypeVar("Result")
AHEAD = 2  # parts that are waited for beside those being read: few, as each may hold a part's rows


class Holding(Protocol):
    """What was made of every part and is kept where it was made."""

    def ask(self, name: str, *arguments: Any, **named: Any) -> Iterator[Any]:
        """Yield what the method ``name`` of each part's holding gives, in the order of the parts."""
        ...

    def total(self, name: str, *arguments: Any, **named: Any) -> Sums:
        """Return the sums over all parts of what the method ``name`` gives, numbers or arrays, in a fixed order."""
        ...

    def release(self) -> None:
        """Let go of it."""
        ...


class Workers(Protocol):
    """Where the parts of a scan are read."""

    def each(self, task: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """Yield what a task gives for every part, in the order of the parts; raises what the task raises."""
        ...


class Threads:
    """The threads of this machine: a part is read by one of them, and few are read before they are asked for."""

    def each(self, task: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """Yield what a task gives for every part, in their order."""
        threads, size = pool()
        waiting: deque[Any] = deque()
        with one_blas_thread(), _dropped(waiting):
            for part in parts:
                waiting.append(threads.submit(at_work(task), part))
                if len(waiting) >= size + AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


@contextmanager
def _dropped(waiting: deque[Any]) -> Iterator[None]:
    """Cancel what was not begun where the reading ends early."""
    try:
        yield
    finally:
        for future in waiting:
            future.cancel()
