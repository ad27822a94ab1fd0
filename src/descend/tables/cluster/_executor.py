"""The workers of a Dask cluster as readers of the parts of a scan."""

from __future__ import annotations

from collections import deque
from itertools import count, islice
from typing import TYPE_CHECKING, Any, TypeVar

from descend.tables.cluster import _tasks
from descend.tables.cluster._resident import ResidentParts
from descend.tables.cluster._supervision import Attempt, Item, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import ExitStack
    from types import TracebackType

    from descend.tables.cluster._client import Link
    from descend.tables.scan import Part

Result = TypeVar("Result")
ROUNDS = 2  # parts that are given out beside those that are waited for, for every thread of the workers


class Cluster:
    """Dask workers on this machine or on others; ``connect`` opens the connection, ``close`` ends it."""

    def __init__(self, link: Link, end: ExitStack) -> None:
        self.link = link
        self.watch = Watch(link)
        self._end = end

    @property
    def threads(self) -> int:
        """How many tasks the workers run at the same time."""
        return sum(self.watch.allowed().values())

    @property
    def workers(self) -> int:
        """How many workers there are."""
        return len(self.watch.allowed())

    def each(self, task: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """Yield what a task gives for every part, in the order of the parts; raises what the task raises."""
        threads = max(self.threads, 1)
        block = min(threads, _tasks.FAN_IN)
        numbered = zip(count(), parts, strict=False)
        shared: Any = None
        waiting: deque[Item] = deque()

        def start(chosen: Sequence[tuple[int, Part]], where: Sequence[str] | None) -> list[Any]:
            return self.link.start(
                "read", _tasks.run_task, _tasks.columns_for(shared, [part for _, part in chosen]), where
            )

        def again(item: Item, where: Sequence[str]) -> Attempt:
            chosen = list(item.parts.items())
            return Attempt(start(chosen, [where[chosen[0][0] % len(where)]] if where else None)[0])

        try:
            shared = self.link.shared(task, block + ROUNDS * threads)
            while True:
                more = list(islice(numbered, block + ROUNDS * threads - len(waiting)))
                for (number, part), future in zip(more, start(more, self.watch.preferred()), strict=True):
                    waiting.append(Item({number: part}, [Attempt(future)]))
                if not waiting:
                    return
                first = list(islice(waiting, block))
                found = self.watch.gather(first, again)
                self.link.release_later([waiting.popleft().future for _ in first])
                yield from found
        finally:
            self.link.release([attempt.future for item in waiting for attempt in item.attempts])

    def hold(self, task: Callable[[Part], Any], parts: Iterable[Part]) -> ResidentParts:
        """Return the results of a task for every part, once all are kept in the workers' memory."""
        return ResidentParts(self.link, self.watch, task, list(parts))

    def close(self) -> None:
        """Close the connection, and end the workers that were started here."""
        self._end.close()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
