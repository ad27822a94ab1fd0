"""The worker: a process of its own for one page, in which its bench stands, so that the page never freezes.

What reads a file or costs rows happens there. It is asked one thing at a time, tells how far a fit is, can be stopped,
and may even die: that is an error like any other, and the next call is answered by a new process.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import count
from multiprocessing import get_context
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Literal

from descend.base.errors import DescendError, InterruptedFitError, TableError
from descend.studio.threads import in_thread
from descend.studio.worker.child import failed, serve_worker

if TYPE_CHECKING:
    from collections.abc import Callable

    OnProgress = Callable[[int, float], None]
    Call = tuple[str, tuple[Any, ...]]

OPENING = ("open", "example")  # what gives the bench its table
NEEDING = ("prepare", "fit")  # what needs that table


class Worker:
    """A bench in a process of its own, started when it is first asked for something if not by ``start`` before.

    Everything here belongs to one event loop, which is never held up: a thread talks to the process during a call.
    """

    def __init__(self, most_rows: int) -> None:
        self._most_rows = most_rows
        self._turn = asyncio.Lock()
        self._calls = 0  # under way or waiting
        self._numbers = count()
        self._table: Call | None = None  # the call that last gave the bench its table
        self._guard = Lock()  # over all that follows
        self._child: _Child | None = None
        self._running: Call | None = None
        self._sent: int | None = None  # the number under which the process works on it
        self._ending: Literal["", "stop", "kill"] = ""
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a call is being worked on or waits."""
        return self._calls > 0

    @property
    def pid(self) -> int | None:
        """The number of the process, None where there is none."""
        child = self._child
        return None if child is None else child.process.pid

    def start(self) -> None:
        """Start the process ahead of the first call: until it can work takes it about a second."""
        if self._closed:
            return
        with suppress(DescendError):  # the call will tell
            self._living()

    async def call(self, name: str, *args: Any, on_progress: OnProgress | None = None) -> Any:
        """Have the bench do something and return what comes of it; calls are worked on one after another.

        on_progress: called in the event loop with an epoch and its loss, about 25 times a second and for the last one.
        Raises the bench's DescendError; ``studio.worker-died`` where the process has ended, and the next call has a new
        one and the table opened again; ``studio.stopped`` after ``kill`` and ``close``.
        A call that is cancelled is seen to its end first, and a fit is stopped.
        """
        self._calls += 1
        try:
            async with self._turn:
                return await self._called((name, args), on_progress)
        finally:
            self._calls -= 1

    def stop(self) -> None:
        """End the fit that is running with what it has reached; other calls go on."""
        with self._guard:
            if self._running is None or self._running[0] != "fit" or self._ending:
                return
            self._ending = "stop"
            if self._sent is not None and self._child is not None:
                self._child.stop(self._sent)

    def kill(self) -> None:
        """End what is running at once, whatever it is; the next call has a new process and the table opened again."""
        with self._guard:
            self._ending = "kill"
            child, self._child = self._child, None
        if child is not None:
            child.kill()

    def close(self) -> None:
        """End the process for good."""
        with self._guard:
            self._closed = True
        self.kill()

    async def _called(self, call: Call, on_progress: OnProgress | None) -> Any:
        """Do one call, now that it is its turn."""
        loop = asyncio.get_running_loop()

        def told(epoch: int, loss: float) -> None:
            if on_progress is not None:
                loop.call_soon_threadsafe(on_progress, epoch, loss)

        with self._guard:
            if self._closed:
                raise InterruptedFitError("studio.stopped")
            self._running, self._sent, self._ending = call, None, ""
        answer = in_thread(lambda: self._work(call, told))
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            self.stop()
            await self._seen_to_its_end(answer)
            raise
        finally:
            with self._guard:
                self._running = None

    async def _seen_to_its_end(self, answer: asyncio.Future[Any]) -> None:
        """Wait for the answer to a call that was cancelled; cancelled again, end it."""
        try:
            await asyncio.wait([answer])
        except asyncio.CancelledError:
            self.kill()
            await asyncio.wait([answer])
        answer.exception()  # looked at, so that nobody is told of what nobody waits for

    def _work(self, call: Call, told: OnProgress) -> Any:
        """Have the process do a call and return what comes of it; in a thread."""
        child = self._living()
        try:
            if call[0] in NEEDING and self._table is not None and child.table != self._table:
                child.send(next(self._numbers), self._table)
                child.answer(told)
                child.table = self._table
            self._send(child, call)
            result = child.answer(told)
        except (EOFError, OSError) as error:  # the pipe has come to its end, and so has the process
            raise self._buried(child) from error
        if call[0] in OPENING:
            child.table = self._table = call
        return result

    def _living(self) -> _Child:
        """Return the process, a new one where there is none."""
        child = self._child
        try:
            if child is None or not child.process.is_alive():  # one that died while it had nothing to do is not missed
                child = _Child(self._most_rows)
        except OSError as error:  # no process more is to be had
            raise failed(error) from error
        with self._guard:
            if not self._ending:
                self._child = child
                return child
            stopped = self._ending == "stop"
            self._child = child if stopped else None
        if stopped:
            raise InterruptedFitError("fit.interrupted-early")
        child.kill()
        raise InterruptedFitError("studio.stopped")

    def _send(self, child: _Child, call: Call) -> None:
        """Send a call, unless it has been stopped before it could begin."""
        with self._guard:
            if self._ending == "stop":
                raise InterruptedFitError("fit.interrupted-early")
            self._sent = next(self._numbers)
            child.send(self._sent, call)

    def _buried(self, child: _Child) -> DescendError:
        """Put away a process that has ended and return the error that says so."""
        with self._guard:
            if self._child is child:
                self._child = None
            killed = self._ending == "kill"
        child.kill()
        return InterruptedFitError("studio.stopped") if killed else TableError("studio.worker-died")


class _Child:
    """The process as it is seen from here, and the call that gave its bench the table."""

    def __init__(self, most_rows: int) -> None:
        # not a fork: that would hold the server's sockets, and whatever locks its threads held
        spawn = get_context("spawn")
        self.connection, theirs = spawn.Pipe()
        self.process = spawn.Process(target=serve_worker, args=(theirs, most_rows), daemon=True)
        self.process.start()
        theirs.close()
        self.table: Call | None = None

    def send(self, number: int, call: Call) -> None:
        self.connection.send((number, *call))

    def answer(self, told: OnProgress) -> Any:
        """Wait for what comes of the call that was sent; raises EOFError or OSError where the process ends."""
        while True:
            kind, value = self.connection.recv()
            if kind == "done":
                return value
            if kind == "failed":
                raise value
            told(*value)

    def stop(self, number: int) -> None:
        """Ask for the end of a call; of one that has ended already nothing comes."""
        try:
            self.connection.send(number)
        except OSError:
            return  # whoever waits for the answer meets the end of the process

    def kill(self) -> None:
        """End the process; its end is waited for elsewhere, for freeing much memory takes a while."""
        self.process.kill()
        Thread(target=self.process.join, daemon=True).start()
