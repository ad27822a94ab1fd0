"""Executors, which read the parts of a scan: this machine's threads, or a cluster in their place."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from operator import add as put_together
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from descend.base.reductions import total_of
from descend.base.threads import at_work, one_blas_thread, pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from descend.base.threads import Sums
    from descend.tables.scan import Part

    OnRead = Callable[[str, int, int], None]

Result = TypeVar("Result")
Addend = TypeVar("Addend")
WAITING = 1  # threads beside one a core, as there is always one that waits for those in which Polars reads
AHEAD = 2  # parts that are waited for beside those being read: few, as each may hold a part's rows


class Holding(Protocol):
    """The results of a task for every part, kept where they were computed.

    A question is a function of one part's result; it is pickled where the results are on other machines.
    """

    def ask(self, question: Callable[[Any], Result]) -> Iterator[Result]:
        """Yield the answer of each part's holding, in the order of the parts."""
        ...

    def total(self, question: Callable[[Any], Any]) -> Sums:
        """Return the sums of all parts' answers, numbers or arrays, added in a fixed order."""
        ...

    def release(self) -> None:
        """Let go of it."""
        ...


class Workers(Protocol):
    """Reads the parts of a scan."""

    def each(self, task: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """Yield the result of a task for every part, in the order of the parts; raises what the task raises."""
        ...

    def hold(self, task: Callable[[Part], Any], parts: Iterable[Part]) -> Holding | None:
        """Keep the results of a task for every part where they are computed; None where they do not fit in memory."""
        ...


class Threads:
    """The threads of this machine: each part is read by one thread, and only a few parts are read ahead."""

    def each(self, task: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """Yield the result of a task for every part, in their order."""
        threads, size = pool(WAITING)
        waiting: deque[Any] = deque()
        with one_blas_thread(), _dropped(waiting):
            for part in parts:
                waiting.append(threads.submit(at_work(task), part))
                if len(waiting) >= size + AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def hold(self, task: Callable[[Part], Any], parts: Iterable[Part]) -> None:
        """Keep nothing: what does not fit in memory is spilled to a file."""


@contextmanager
def _dropped(waiting: deque[Any]) -> Iterator[None]:
    """Cancel what was not begun where the reading ends early."""
    try:
        yield
    finally:
        for future in waiting:
            future.cancel()


@dataclass(frozen=True)
class Reading:
    """How a scan is read: by which workers, into which scratch folder, and which callback is told of the progress.

    ``on_read`` is called with what is being done, and the rows and bytes of the scan that have been read.
    """

    workers: Workers
    scratch: str | None = None
    on_read: OnRead | None = None

    def each(
        self, what: str, task: Callable[[Part], Result], parts: Iterable[Part], before: Sequence[Part] = ()
    ) -> Iterator[Result]:
        """Yield the result of a task for every part, and report progress; the parts ``before`` were read already."""
        begun: deque[tuple[int, int]] = deque()

        def noted() -> Iterator[Part]:
            for part in parts:
                begun.append((part.rows, part.size))
                yield part

        rows, size = sum(part.rows for part in before), sum(part.size for part in before)
        for made in self.workers.each(task, noted()):
            more = begun.popleft()
            rows, size = rows + more[0], size + more[1]
            if self.on_read is not None:
                self.on_read(what, rows, size)
            yield made

    def sum(self, what: str, task: Callable[[Part], Addend], parts: Iterable[Part]) -> Addend:
        """Return the sum of the results of a task for every part."""
        return reduce(put_together, self.each(what, task, parts))


class Rereading:
    """The results of a task, computed again at each request: a request reads the scan, and nothing is kept."""

    def __init__(self, reading: Reading, task: Callable[[Part], Any], parts: Callable[[], Iterable[Part]]) -> None:
        self.reading, self.task, self.parts = reading, task, parts

    def ask(self, question: Callable[[Any], Result]) -> Iterator[Result]:
        """Yield each part's answer, in their order."""
        return self.reading.each("rereading", partial(_asked, self.task, question), self.parts())

    def total(self, question: Callable[[Any], Any]) -> Sums:
        """Return the sums over all parts."""
        return total_of(self.ask(question))

    def release(self) -> None:
        """Do nothing: no memory is held."""


def _asked(task: Callable[[Part], Any], question: Callable[[Any], Result], part: Part) -> Result:
    return question(task(part))
