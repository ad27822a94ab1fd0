"""The results of a task for every part, kept in the workers' memory, and the requests to them."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import Counter, deque
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, groupby, islice
from math import ceil
from typing import TYPE_CHECKING, Any

from descend.base.reductions import pairs, round_totals
from descend.tables.cluster import _tasks
from descend.tables.cluster._supervision import RESCUES, Attempt, Item, Stalled
from descend.tables.cluster._tasks import FAN_IN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from descend.tables.cluster._client import Link
    from descend.tables.cluster._supervision import Again, Watch
    from descend.tables.scan import Part

FRESH = 1.0  # seconds for which it is taken as known where the holdings lie
AHEAD = 64  # groups of parts that are asked before their answers are wanted


class ResidentParts:
    """The results of a task in the workers' memory; consecutive parts are with the same worker.

    What is asked goes to groups of consecutive parts that lie together, not to each part: fewer tasks, and as the
    order in which sums are added depends on the parts' numbers alone, the same sums to the bit.
    """

    def __init__(self, link: Link, watch: Watch, task: Callable[[Part], Any], parts: Sequence[Part]) -> None:
        self.link = link
        self.watch = watch
        self.parts = parts
        self._task = link.shared(task, len(parts))
        self._idle: set[str] = set()
        self._grouped: list[list[int]] = []
        self._looked = 0.0
        self._futures: dict[int, Any] = {}
        try:
            self._make(share(parts, watch.allowed()))
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let the workers drop what they hold."""
        self.link.release(list(self._futures.values()))
        self._futures = {}

    def places(self) -> dict[str, int]:
        """Return the number of parts that each worker holds."""
        return dict(Counter(min(where) for where in self._places() if where))

    def ask(self, question: Callable[[Any], Any]) -> Iterator[Any]:
        """Yield the answer of each part's holding, in the order of the parts."""
        groups = iter(self._groups())
        shared = _Question(self.link.shared(question, len(self.parts)), summed=False)
        again = partial(self._again, shared)
        waiting: deque[Item] = deque()
        try:
            while True:
                waiting.extend(self._start(shared, list(islice(groups, AHEAD - len(waiting)))))
                if not waiting:
                    return
                first = list(islice(waiting, FAN_IN))
                found = self.watch.gather(first, again)
                self._adopt(first)
                self.link.release_later([waiting.popleft().future for _ in first])
                for answers in found:
                    yield from answers.items
        finally:
            self.link.release(_answers(waiting))

    def total(self, question: Callable[[Any], Any]) -> tuple[NDArray[Any], ...]:
        """Return the sum over all parts of the tuple of numbers and arrays that each answers.

        Added with twice the digits, FAN_IN consecutive parts at once, then FAN_IN of those sums, and so on: by the
        workers, until so few are left that they travel.
        """
        groups = self._groups()
        shared = _Question(self.link.shared(question, len(groups)), summed=True)
        again = partial(self._again, shared)
        items = self._start(shared, groups)
        try:
            for _ in range(RESCUES):
                try:
                    found = self._top(items, again)
                    return round_totals(_tasks.tree([pairs(item) for answers in found for item in answers.items]))
                except Stalled:
                    self._renew_lost(items, again)
            raise self.watch.no_workers()
        except BaseException:
            self.link.release(_answers(items))
            raise
        finally:
            self._adopt(items)
            self.link.release_later(_answers(items))

    def _top(self, items: list[Item], again: Again) -> list[_tasks.Answers]:
        """Return the last sums of the tree, at most FAN_IN of them; of so few parts, the answer of each."""
        if len(self.parts) <= FAN_IN:
            return self.watch.gather(items, again)
        self.watch.wait(items, again)
        made: list[Item] = []
        try:
            level = []
            for _, several in groupby(items, lambda item: min(item.parts) // FAN_IN):
                block = list(several)
                level.append(block[0] if len(block) == 1 else self._join(block, made))
            while len(level) > FAN_IN:
                level = [self._join(level[first : first + FAN_IN], made) for first in range(0, len(level), FAN_IN)]
            return self.watch.gather(level, None)
        finally:
            self.link.release(_answers(made))

    def _join(self, items: Sequence[Item], made: list[Item]) -> Item:
        """Let a worker add the answers of some items."""
        futures = [item.future for item in items]
        future = self.link.start("joined", _tasks.joined, [[futures]], self.watch.preferred())[0]
        made.append(Item(items[0].parts, [Attempt(future)]))
        return made[-1]

    def _start(self, question: _Question, groups: Sequence[Sequence[int]]) -> list[Item]:
        """Ask groups of parts."""
        held = [[self._futures[number] for number in group] for group in groups]
        futures = self._ask(question, groups, held, self.watch.preferred())
        return [
            Item({number: self.parts[number] for number in group}, [Attempt(future)], holdings)
            for group, future, holdings in zip(groups, futures, held, strict=True)
        ]

    def _again(self, question: _Question, item: Item, where: Sequence[str]) -> Attempt:
        """Ask a group again: one worker computes all its results again from their source."""
        numbers = list(item.parts)
        one = [where[numbers[0] % len(where)]] if where else None
        made = self._held(numbers, one)
        return Attempt(self._ask(question, [numbers], [list(made.values())], one)[0], made)

    def _ask(
        self, question: _Question, groups: Sequence[Sequence[int]], held: Sequence[Any], where: Sequence[str] | None
    ) -> list[Any]:
        starts = [group[0] // FAN_IN * FAN_IN for group in groups]
        blocks = [min(start + FAN_IN, len(self.parts)) - start if question.summed else None for start in starts]
        return self.link.start("asked", _tasks.asked, [held, [question.shared] * len(groups), blocks], where)

    def _held(self, numbers: Sequence[int], where: Sequence[str] | None) -> dict[int, Any]:
        """Start the computation of the results of some parts, and return the futures."""
        columns = _tasks.columns_for(self._task, [self.parts[number] for number in numbers])
        return dict(zip(numbers, self.link.start("held", _tasks.keep_result, columns, where), strict=True))

    def _make(self, plan: Mapping[str, Sequence[int]]) -> None:
        """Let each worker compute the results of its parts, and wait for all of them."""

        def again(item: Item, where: Sequence[str]) -> Attempt:
            (number,) = item.parts
            return Attempt(self._held([number], [where[number % len(where)]] if where else None)[number])

        items = []
        try:
            for worker, numbers in plan.items():
                for number, future in self._held(numbers, [worker] if worker else None).items():
                    items.append(Item({number: self.parts[number]}, [Attempt(future)]))
            self.watch.wait(items, again)
        except BaseException:
            self.link.release(_answers(items))
            raise
        self._replace({number: item.future for item in items for number in item.parts})

    def _adopt(self, items: Sequence[Item]) -> None:
        """Keep the results that were computed again by the attempts that ended first."""
        self._replace({number: future for item in items for number, future in item.attempts[0].made.items()})

    def _replace(self, futures: Mapping[int, Any]) -> None:
        if futures:
            self.link.unpin(list(futures.values()))
        for number, future in futures.items():
            if self._futures.get(number) is not future:
                self.link.release([self._futures[number]] if number in self._futures else [])
                self._futures[number] = future
                self._grouped = []

    def _renew_lost(self, items: Sequence[Item], again: Again) -> None:
        """Ask again for the answers of workers that are excluded."""
        for item, where in zip(items, self.watch.where(items), strict=True):
            if where & self.watch.excluded.keys():
                self.watch.renew(item, again)

    def _groups(self) -> list[list[int]]:
        """Return groups of consecutive parts of one worker, which adds their answers: each at most a thread's share.

        Where they lie is looked up now and then, as two questions to the scheduler cost a tenth of a short pass.
        """
        if self._grouped and time.monotonic() - self._looked < FRESH:
            return self._grouped
        threads = self.watch.allowed()
        places = self._places()
        if self._level(places, threads):
            places = self._places()
        most = min(max(ceil(len(self.parts) / max(sum(threads.values()), 1)), 1), FAN_IN)
        groups: list[list[int]] = []
        for number in range(len(self.parts)):
            last = groups[-1] if groups else []
            if last and places[last[0]] & places[number] and number % FAN_IN and len(last) < most:
                last.append(number)
            else:
                groups.append([number])
        self._grouped, self._looked = groups, time.monotonic()
        return groups

    def _places(self) -> list[set[str]]:
        return [set(where) for where in self.link.places([self._futures[n] for n in range(len(self.parts))])]

    def _level(self, places: Sequence[set[str]], threads: Mapping[str, int]) -> bool:
        """Give workers that hold no parts, such as new ones, their share of them."""
        idle = set(threads) - set().union(*places)
        before, self._idle = self._idle, idle
        wanted = share(self.parts, threads) if idle & before else {}
        plan = {worker: numbers for worker, numbers in wanted.items() if worker in idle & before and numbers}
        if plan:
            self._make(plan)
        return bool(plan)


@dataclass(frozen=True)
class _Question:
    """What is asked of groups of holdings: a function, as all workers share it, and whether the answers are summed."""

    shared: Any
    summed: bool


def share(parts: Sequence[Part], threads: Mapping[str, int]) -> dict[str, list[int]]:
    """Return the numbers of consecutive parts for each worker, whose share of the rows is its share of the threads.

    Where there are no workers yet, all are anyone's ("").
    """
    plan: dict[str, list[int]] = {worker: [] for worker in threads or ("",)}
    rows, every = 0, sum(part.rows for part in parts)
    ends = list(accumulate(threads.values())) or [1]
    for number, part in enumerate(parts):
        middle = (rows + part.rows / 2) / max(every, 1) * ends[-1]
        plan[list(plan)[min(bisect_right(ends, middle), len(ends) - 1)]].append(number)
        rows += part.rows
    return plan


def _answers(items: Iterable[Item]) -> list[Any]:
    """Return the futures of answers, without those of results that were computed again for them."""
    return [attempt.future for item in items for attempt in item.attempts]
