"""The worker: a process with one page's bench, so that the page never freezes.

Everything that reads a file or takes time per row runs there. The process answers one call at a time, reports the
progress of a fit, and can be stopped. If it dies the call raises an error, and the next call starts a new process.
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

OPENING = ("open", "example")  # calls that give the bench its table
NEEDING = ("prepare", "fit")  # calls that need the table


class Worker:
    """A bench in a process of its own, started by ``start`` or by the first call.

    Everything here belongs to one event loop, which is never blocked: a thread talks to the process during a call.
    """

    def __init__(self, most_rows: int) -> None:
        self._most_rows = most_rows
        self._turn = asyncio.Lock()
        self._calls = 0  # running or waiting
        self._numbers = count()
        self._table: Call | None = None  # the call that last gave the bench its table
        self._guard = Lock()  # for all calls that follow
        self._child: _Child | None = None
        self._running: Call | None = None
        self._sent: int | None = None  # the number of the running call
        self._ending: Literal["", "stop", "kill"] = ""
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether a call is running or waiting."""
        return self._calls > 0

    @property
    def pid(self) -> int | None:
        """The process id, None without a process."""
        child = self._child
        return None if child is None else child.process.pid

    def start(self) -> None:
        """Start the process before the first call, because it takes about a second."""
        if self._closed:
            return
        with suppress(DescendError):  # the first call raises the error
            self._running_child()

    async def call(self, name: str, *args: Any, on_progress: OnProgress | None = None) -> Any:
        """Call a method of the bench and return its result; calls run one after another.

        on_progress: called in the event loop with an epoch and its loss, about 25 times a second and for the last one.

        Raises the bench's DescendError; ``studio.worker-died`` where the process has ended (the next call starts a new
        one and opens the table again); ``studio.stopped`` after ``kill`` and ``close``. A cancelled call runs to its
        end first, and a fit is stopped.
        """
        self._calls += 1
        try:
            async with self._turn:
                return await self._run_call((name, args), on_progress)
        finally:
            self._calls -= 1

    def stop(self) -> None:
        """Stop the running fit and keep its result so far; other calls go on."""
        with self._guard:
            if self._running is None or self._running[0] != "fit" or self._ending:
                return
            self._ending = "stop"
            if self._sent is not None and self._child is not None:
                self._child.stop(self._sent)

    def kill(self) -> None:
        """End the running call at once; the next call starts a new process and opens the table again."""
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

    async def _run_call(self, call: Call, on_progress: OnProgress | None) -> Any:
        """Run one call, when it is its turn."""
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
            await self._finish_cancelled(answer)
            raise
        finally:
            with self._guard:
                self._running = None

    async def _finish_cancelled(self, answer: asyncio.Future[Any]) -> None:
        """Wait for the answer to a cancelled call; end the process if cancelled again."""
        try:
            await asyncio.wait([answer])
        except asyncio.CancelledError:
            self.kill()
            await asyncio.wait([answer])
        answer.exception()  # retrieved, so that asyncio does not warn of it

    def _work(self, call: Call, told: OnProgress) -> Any:
        """Send a call to the process and return its result; runs in a thread."""
        child = self._running_child()
        try:
            if call[0] in NEEDING and self._table is not None and child.table != self._table:
                child.send(next(self._numbers), self._table)
                child.answer(told)
                child.table = self._table
            self._send(child, call)
            result = child.answer(told)
        except (EOFError, OSError) as error:  # the pipe is closed, so the process has ended
            raise self._worker_died(child) from error
        if call[0] in OPENING:
            child.table = self._table = call
        return result

    def _running_child(self) -> _Child:
        """Return the process, a new one where there is none."""
        child = self._child
        try:
            if child is None or not child.process.is_alive():  # the process died while idle: no call failed
                child = _Child(self._most_rows)
        except OSError as error:  # the system refuses another process
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
        """Send a call, unless it was stopped before it could start."""
        with self._guard:
            if self._ending == "stop":
                raise InterruptedFitError("fit.interrupted-early")
            self._sent = next(self._numbers)
            child.send(self._sent, call)

    def _worker_died(self, child: _Child) -> DescendError:
        """Remove a process that has ended and return the error that says so."""
        with self._guard:
            if self._child is child:
                self._child = None
            killed = self._ending == "kill"
        child.kill()
        return InterruptedFitError("studio.stopped") if killed else TableError("studio.worker-died")


class _Child:
    """The process as the server sees it, and the call that gave its bench the table."""

    def __init__(self, most_rows: int) -> None:
        # not fork, which would copy the server's sockets and the locks that its threads hold
        spawn = get_context("spawn")
        self.connection, theirs = spawn.Pipe()
        self.process = spawn.Process(target=serve_worker, args=(theirs, most_rows), daemon=True)
        self.process.start()
        theirs.close()
        self.table: Call | None = None

    def send(self, number: int, call: Call) -> None:
        self.connection.send((number, *call))

    def answer(self, told: OnProgress) -> Any:
        """Wait for the answer to the sent call; raises EOFError or OSError where the process ends."""
        while True:
            kind, value = self.connection.recv()
            if kind == "done":
                return value
            if kind == "failed":
                raise value
            told(*value)

    def stop(self, number: int) -> None:
        """Ask the process to stop a call; has no effect on one that has ended."""
        try:
            self.connection.send(number)
        except OSError:
            return  # the thread that waits for the answer sees the end of the process

    def kill(self) -> None:
        """End the process without waiting, because freeing much memory takes a while."""
        self.process.kill()
        Thread(target=self.process.join, daemon=True).start()
