"""Waiting for workers: those that hang are excluded, and errors are raised as ClusterError."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from descend.base.errors import ClusterError, DescendError
from descend.tables.cluster._tasks import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from descend.tables.cluster._client import Link
    from descend.tables.scan import Part

    Again = Callable[["Item", Sequence[str]], "Attempt"]

TICK = 1.0  # seconds between two looks at whether there is anyone to wait for
SLOW = 10  # times as long as parts commonly take is too long
WAITS = 9  # the last times of waiting, of which the middle one says what is common
BEATS = 5  # signs of life that a worker is to have missed
RESCUES = 5  # how often what hangs is asked of others
ENDS = ("finished", "error", "cancelled")  # what is lost with its worker is made again by Dask, and has not ended
REASON = 300  # letters of a reason that are told


class Stalled(Exception):
    """Workers do not send their results; they are excluded from now on."""


@dataclass
class Attempt:
    """A future, and the results that were computed again for it, by part."""

    future: Any
    made: dict[int, Any] = field(default_factory=dict)

    def release(self) -> None:
        """Release its futures."""
        for future in (self.future, *self.made.values()):
            future.release()


@dataclass
class Item:
    """A request to some parts, by number, and the attempts to answer it; the first that ends is taken.

    ``holdings`` are the futures that it stands on.
    """

    parts: dict[int, Part]
    attempts: list[Attempt]
    holdings: Sequence[Any] = ()
    revived: bool = False

    @property
    def future(self) -> Any:
        """The future whose result is taken."""
        return self.attempts[0].future

    def ended(self) -> bool:
        """Tell whether an attempt has ended; that one is kept, and the others are released."""
        for attempt in self.attempts:
            if attempt.future.status in ENDS:
                self.keep(attempt)
                return True
        return False

    def keep(self, attempt: Attempt) -> None:
        """Release every other attempt."""
        for other in self.attempts:
            if other is not attempt:
                other.release()
        self.attempts = [attempt]

    def futures(self) -> list[Any]:
        """Return the futures of all attempts."""
        own = [future for attempt in self.attempts for future in (attempt.future, *attempt.made.values())]
        return [*own, *self.holdings]


class Watch:
    """Waits for requests; it knows how long parts take, and which workers are excluded."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.excluded: dict[str, float | None] = {}  # and when they had been heard of last
        self._took: deque[float] = deque(maxlen=WAITS)
        self.threads = 1
        self._given: dict[str, frozenset[str]] = {}
        self._seen: tuple[float, dict[str, float]] | None = None

    @property
    def limit(self) -> float:
        """Seconds without a result after which the workers are checked: many times the usual time of a part."""
        return max(self.link.patience, SLOW * median(self._took or [0.0]))

    def allowed(self) -> dict[str, int]:
        """Return the workers that are not excluded, and their threads."""
        threads = self.link.threads()
        self.threads = sum(threads.values())
        self.excluded = {address: when for address, when in self.excluded.items() if address in threads}
        return {address: count for address, count in threads.items() if address not in self.excluded}

    def exclude(self, workers: set[str]) -> None:
        """Exclude workers from now on."""
        heard = self.link.heartbeats()
        self.excluded |= {address: heard.get(address) for address in workers}

    def readmit(self) -> None:
        """Readmit excluded workers that have sent a heartbeat since: a slow worker is better than none."""
        heard = self.link.heartbeats()
        self.excluded = {address: when for address, when in self.excluded.items() if heard.get(address) == when}

    def preferred(self) -> list[str] | None:
        """Return the workers that may run a task; None, which means all, unless some are excluded."""
        return list(self.allowed()) if self.excluded else None

    def no_workers(self) -> ClusterError:
        """Return the error of a cluster without workers."""
        return ClusterError("cluster.no-workers", address=self.link.address, seconds=self.link.patience)

    def wait(self, items: Sequence[Item], again: Again | None) -> None:
        """Return once every item has a result.

        ``again`` asks for an item anew, of some workers; without it ``Stalled`` is raised where that would be needed.
        Raises what a task raised, and ClusterError where there is no one left to wait for.
        """
        start = time.monotonic()
        _Wait(self, items, again).run()
        parts = sum(len(item.parts) for item in items)
        if parts and again is not None:
            self._took.append((time.monotonic() - start) / max(parts / max(self.threads, 1), 1))

    def gather(self, items: Sequence[Item], again: Again | None) -> list[Any]:
        """Return every item's result; those that a worker does not send are asked for again."""
        for _ in range(RESCUES):
            self.wait(items, again)
            found = self.link.gather([item.future for item in items], self.limit)
            if found is not None:
                return found
            late = self.silent()
            self.exclude(late)
            if again is None:
                raise Stalled
            for item, where in zip(items, self.where(items), strict=True):
                if where & late:
                    self.renew(item, again)
        raise self.no_workers()

    def renew(self, item: Item, again: Again) -> None:
        """Ask for an item again, in place of the attempts so far."""
        fresh = again(item, list(self.allowed()))
        item.keep(fresh)
        item.attempts = [fresh]

    def look(self) -> None:
        """Record the workers' last heartbeats and unfinished tasks, to compare with later ones."""
        self._seen, self._given = (time.monotonic(), self.link.heartbeats()), self.link.unfinished()

    def silent(self) -> set[str]:
        """Return the workers without a heartbeat between two checks."""
        when, first = self._seen or (time.monotonic(), self.link.heartbeats())
        time.sleep(max(when + BEATS * _beat(len(first)) - time.monotonic(), 0))
        second = self.link.heartbeats()
        self._seen = None
        return {address for address, heard in second.items() if first.get(address) == heard}

    def late(self) -> set[str]:
        """Return the workers to exclude: silent ones, else those that have finished nothing since the last check.

        Where none gets anything done they are all slow, and none is excluded.
        """
        given, silent = self._given, self.silent()
        self.look()
        if silent:
            return silent
        stuck = {address for address, keys in self._given.items() if keys and given.get(address) == keys}
        return stuck if self.allowed().keys() - stuck else set()

    def where(self, items: Sequence[Item]) -> list[set[str]]:
        """Return for each item the workers that hold or compute something of it."""
        given = self.link.unfinished()
        futures = [item.futures() for item in items]
        places = iter(self.link.places([future for several in futures for future in several]))
        found = []
        for several in futures:
            keys = {str(future.key) for future in several}
            places_of = {address for _ in several for address in next(places)}
            found.append(places_of | {address for address, own in given.items() if own & keys})
        return found


class _Wait:
    """One wait for some items."""

    def __init__(self, watch: Watch, items: Sequence[Item], again: Again | None) -> None:
        self.watch = watch
        self.again = again
        self.pending = list(items)
        self.news = time.monotonic()
        self.alone: float | None = None
        self.limit = watch.limit
        self.rescues = 0
        self.looked = False

    def run(self) -> None:
        while True:
            left = [item for item in self.pending if not self._has_result(item)]
            if len(left) < len(self.pending):
                self.news = time.monotonic()
            self.pending = left
            if not left:
                return
            self._look()
            racing = any(len(item.attempts) > 1 for item in left)
            futures = [attempt.future for item in left for attempt in item.attempts]
            self.watch.link.pause(futures, min(TICK, self.limit / 4), every=not racing)
            self.watch.link.check()

    def _has_result(self, item: Item) -> bool:
        if not item.ended():
            return False
        if item.future.status == "cancelled":
            raise self.watch.link.lost()
        if item.future.status != "error":
            return True
        if self.again is not None and item.holdings and not item.revived and _killed(item):
            item.revived = True  # it was made once, so the workers that ended since need not have ended by it
            self.watch.renew(item, self.again)
            return False
        raise _told(item, self.watch.link)

    def _look(self) -> None:
        """Check the workers where no result has come for a while."""
        now = time.monotonic()
        quiet = now - self.news
        if quiet > TICK:
            if not self.looked:
                self.watch.link.unpin([future for item in self.pending for future in item.futures()])
                self.watch.look()
                self.looked = True
            self._someone(now)
        if quiet > self.limit and self.alone is None:
            self._pass_over(self.watch.late())
            self.news = time.monotonic()

    def _someone(self, now: float) -> None:
        if self.watch.allowed():
            self.alone = None
            return
        self.watch.readmit()
        self.alone = self.alone or now
        if now - self.alone > self.watch.link.patience:
            raise self.watch.no_workers()

    def _pass_over(self, late: set[str]) -> None:
        """Ask other workers in place of the late ones; where none is late, wait for twice as long.

        Where no worker has been given anything, all is asked again.
        """
        if not late:
            if self.watch.link.all_paused():
                raise ClusterError("cluster.paused", address=self.watch.link.address)
            self.limit *= 2
            if any(self.watch.link.unfinished().values()):
                return
        self.rescues += 1
        if self.rescues > RESCUES:
            raise self.watch.no_workers()
        self.watch.exclude(late)
        if self.again is None:
            raise Stalled
        good = list(self.watch.allowed())
        if not good:
            return
        for item, where in zip(self.pending, self.watch.where(self.pending), strict=True):
            if where & late or not late:
                item.attempts.append(self.again(item, good))


def _beat(workers: int) -> float:
    """Return the seconds between two heartbeats of Dask's workers, which depend on the number of workers."""
    return 0.5 if workers <= 10 else 1.0 if workers < 50 else 2.0 if workers < 200 else workers / 200 + 1


def _killed(item: Item) -> bool:
    from distributed import KilledWorker

    return isinstance(item.future.exception(), KilledWorker)


def _told(item: Item, link: Link) -> DescendError:
    """Return the error of an item whose task raised."""
    from descend.tables.cluster._versions import refuse_versions

    error = item.future.exception()
    if isinstance(error, DescendError):
        return error
    number, part = next(iter(item.parts.items()))
    if isinstance(error, Failed):
        number, part = list(item.parts.items())[error.position]
    rows = {"part": number + 1, "first": part.first + 1, "last": part.first + part.rows}
    if _killed(item):
        return ClusterError("cluster.memory", workers=error.allowed_failures + 1, **rows)
    if not isinstance(error, Failed):
        refuse_versions(link)  # a worker that came later may have other programs
    reason = f"{error.kind}: {error.reason}" if isinstance(error, Failed) else f"{type(error).__name__}: {error}"
    told = ClusterError("cluster.task-failed", reason=reason[:REASON], **rows)
    told.__cause__ = error
    return told
