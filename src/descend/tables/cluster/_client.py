"""The connection to a Dask scheduler: each request has a time-out, and a lost connection is a ClusterError."""

from __future__ import annotations

import pickle
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from descend.base.errors import ClusterError
from descend.tables.cluster import _tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LARGE = 100_000  # bytes that do not travel with every task
ALL_LARGE = 4_000_000  # nor so many with all of them
RETRIES = 1  # of a task that raised: a file may be there again, or another worker's


class Link:
    """A Dask client, and the requests that a fit makes."""

    def __init__(self, client: Any, address: str, patience: float) -> None:
        self.client = client
        self.address = address
        self.patience = patience
        self._to_release: list[Any] = []

    def lost(self) -> ClusterError:
        """Return the error for a scheduler that no longer answers."""
        return ClusterError("cluster.lost", address=self.address)

    def check(self) -> None:
        """Raise ClusterError where the scheduler no longer answers."""
        if self.client.status != "running":
            raise self.lost()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Raise ClusterError where the scheduler does not answer."""
        from distributed.client import ClosedClientError

        self.check()
        try:
            yield
        except (OSError, ClosedClientError) as error:
            raise self.lost() from error
        except AttributeError:  # of a client that has closed meanwhile there is no scheduler
            self.check()
            raise

    def ask(self, what: str, **arguments: Any) -> Any:
        """Call a method of the scheduler."""
        with self._guarded():
            method = getattr(self.client.scheduler, what)
            return self.client.sync(method, callback_timeout=self.patience, **arguments)

    def threads(self) -> dict[str, int]:
        """Return the workers' addresses and their threads."""
        found: dict[str, int] = self.ask("ncores")
        return found

    def heartbeats(self) -> dict[str, float]:
        """Return the time of each worker's last heartbeat, by the scheduler's clock."""
        return {address: worker["last_seen"] for address, worker in self.ask("identity")["workers"].items()}

    def all_paused(self) -> bool:
        """Tell whether all workers are paused, as workers are whose memory is full."""
        states = [worker["status"] for worker in self.ask("identity")["workers"].values()]
        return bool(states) and all(state == "paused" for state in states)

    def unfinished(self) -> dict[str, frozenset[str]]:
        """Return the unfinished tasks of each worker."""
        return {address: frozenset(map(str, keys)) for address, keys in self.ask("processing").items()}

    def run(self, task: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """Run a function of Python's own on the scheduler and on every worker; return the answers that come in time.

        Where it raises that is None.
        """
        import asyncio

        async def one(address: str) -> Any:
            asked = self.client.run(task, *arguments, workers=[address], on_error="return", asynchronous=True)
            answer = (await asyncio.wait_for(asked, self.patience))[address]
            return None if isinstance(answer, Exception) else answer

        async def all_of(addresses: Sequence[str]) -> list[Any]:
            return await asyncio.gather(*map(one, addresses), return_exceptions=True)

        addresses = list(self.threads())
        with self._guarded():
            found = dict(zip(addresses, self.client.sync(all_of, addresses), strict=True))
            with suppress(ValueError):  # some schedulers refuse to run anything
                found[self.address] = self.client.run_on_scheduler(task, *arguments, callback_timeout=self.patience)
        return {address: answer for address, answer in found.items() if not isinstance(answer, Exception)}

    def places(self, futures: Sequence[Any]) -> list[list[str]]:
        """Return for each future which workers hold its result."""
        found = self.ask("who_has", keys=[future.key for future in futures])
        return [list(found.get(future.key, ())) for future in futures]

    def start(
        self, name: str, task: Callable[..., Any], columns: Sequence[Sequence[Any]], where: Sequence[str] | None = None
    ) -> list[Any]:
        """Have a task run for every row of the arguments' columns, rather on some of the workers, and return futures.

        Every task has a name of its own: what ran once is not taken for what is asked now.
        """
        if not len(columns[0]):
            return []
        run = uuid4().hex
        keys = [f"descend-{name}-{run}-{index}" for index in range(len(columns[0]))]
        placed = {"workers": list(where), "allow_other_workers": True} if where else {}
        with self._guarded(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")
            made: list[Any] = self.client.map(task, *columns, key=keys, pure=False, retries=RETRIES, **placed)
        spent, self._to_release = self._to_release, []
        self.release(spent)
        return made

    def unpin(self, futures: Sequence[Any]) -> None:
        """Let tasks that were sent to some workers run again on any worker.

        Dask leaves those whose workers have all gone undone where others come later, though it may give them to any.
        """
        with suppress(KeyError):  # of one that the scheduler does not know yet
            self.ask("set_restrictions", worker={future.key: None for future in futures})

    def shared(self, value: Any, times: int) -> Any:
        """Return a value to give to many tasks: the value, or where it is large a future of it, which is sent once.

        The scheduler keeps that copy, so it can be had again where a worker that had it is lost.
        """
        import cloudpickle

        size = held = _tasks.held_bytes(value)
        if held < LARGE:
            blob = cloudpickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
            size = len(blob)
        if size < LARGE and size * times < ALL_LARGE:
            return value
        blob = cloudpickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        return self.start("shared", _tasks.loaded, [[blob]])[0]

    def pause(self, futures: Sequence[Any], seconds: float, every: bool) -> None:
        """Wait until all futures (or any of them) are done, for at most so many seconds."""
        from distributed import CancelledError, wait

        with self.client.as_current(), suppress(TimeoutError, CancelledError):
            wait(list(futures), timeout=seconds, return_when="ALL_COMPLETED" if every else "FIRST_COMPLETED")

    def gather(self, futures: Sequence[Any], seconds: float) -> list[Any] | None:
        """Return the results of finished futures; None where a worker does not send its result in time."""
        from distributed import CancelledError

        try:
            found: list[Any] = self.client.sync(
                lambda: self.client.gather(list(futures), asynchronous=True), callback_timeout=seconds
            )
        except TimeoutError:
            return None
        except CancelledError as error:
            raise self.lost() from error
        except OSError as error:
            self.check()
            raise self.lost() from error
        return found

    def release(self, futures: Sequence[Any]) -> None:
        """Release futures; tasks that have not begun are cancelled."""
        for future in futures:
            future.release()

    def release_later(self, futures: Sequence[Any]) -> None:
        """Release futures with the next request: a message of its own would delay that request by 10 ms."""
        self._to_release += futures
