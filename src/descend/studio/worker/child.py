"""The worker's process: it answers calls over its connection and reports the progress of a fit."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from descend.base.errors import DescendError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from descend.studio.worker.session import Bench

EVERY = 0.04  # seconds between two reports of progress
NICENESS = 5  # a moving slider has priority over a running fit
SHARE = 0.8  # a share of the computer's memory
NO_MEMORY = "can't allocate memory"  # PyTorch's message


class _Progress:
    """Sends the progress of a fit, not too often, and receives the request to stop it."""

    def __init__(self, connection: Connection, number: int) -> None:
        self.connection, self.number = connection, number
        self.untold: tuple[int, float] | None = None
        self.due = 0.0

    def on_epoch(self, epoch: int, loss: float) -> None:
        self.untold = (epoch, loss)
        if self._is_due():
            self.tell()

    def on_refit(self, fold: int, folds: float) -> None:
        self._is_due()

    def tell(self) -> None:
        """Send the last epoch if it has not been sent."""
        if self.untold is not None:
            self.connection.send(("progress", self.untold))
            self.untold = None

    def _is_due(self) -> bool:
        """Whether it is time to send progress; raises KeyboardInterrupt where the fit is to stop."""
        now = perf_counter()
        if now < self.due:
            return False
        self.due = now + EVERY
        while self.connection.poll():
            if self.connection.recv() == self.number:
                raise KeyboardInterrupt
        return True


def serve_worker(connection: Connection, most_rows: int) -> None:
    """Answer calls over the connection until it is closed; runs in the worker's process."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server handles Ctrl-C and closes the connection
    hold_to_memory()
    from descend.studio.worker.session import Bench

    bench = Bench(most_rows)
    while True:
        try:
            asked = connection.recv()
            if not isinstance(asked, int):  # a number alone asks to stop a call, which has ended already
                connection.send(_execute(bench, connection, *asked))
        except (EOFError, OSError):
            return


def _calls(bench: Bench) -> dict[str, Callable[..., Any]]:
    """Return what the page may ask of a bench, by name."""
    return {
        "preview": bench.preview,
        "open": bench.open,
        "example": bench.example,
        "prepare": bench.prepare,
        "fit": bench.fit,
    }


def _execute(bench: Bench, connection: Connection, number: int, name: str, args: tuple[Any, ...]) -> tuple[str, Any]:
    """Execute a call and return its answer."""
    progress = _Progress(connection, number)
    listeners = {"on_epoch": progress.on_epoch, "on_refit": progress.on_refit} if name == "fit" else {}
    try:
        result = _calls(bench)[name](*args, **listeners)
        progress.tell()
    except BaseException as error:  # a panic inside a reader is not even an Exception
        return "failed", as_descend_error(error)
    return "done", result


def as_descend_error(error: BaseException) -> DescendError:
    """Return the DescendError for any error: itself, out of memory, or an unforeseen error."""
    if isinstance(error, MemoryError) or NO_MEMORY in str(error):
        return DescendError("studio.no-memory")
    return error if isinstance(error, DescendError) else failed(error)


def hold_to_memory() -> None:
    """Limit this process to the computer's memory, and let the system end it first when memory runs out.

    A packed file of a few kilobytes can claim any amount, and so can a network's sizes. On systems without such limits
    this does nothing.
    """
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    with suppress(ImportError, AttributeError, OSError, ValueError):
        import resource

        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_DATA, (int(SHARE * whole), resource.getrlimit(resource.RLIMIT_DATA)[1]))


def failed(error: BaseException) -> DescendError:
    """Return the DescendError for an unforeseen error."""
    reason = (str(error).splitlines() or [""])[0][:200]
    return DescendError("studio.worker-failed", kind=type(error).__name__, reason=reason)
