"""What goes on in a worker's process: it does what is asked for over its connection, and tells how far it is."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from descend.base.errors import DescendError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

EVERY = 0.04  # seconds between two words of progress
NICENESS = 5  # a slider that moves comes before a fit that goes on
SHARE = 0.8  # of the computer's memory
NO_MEMORY = "can't allocate memory"  # in PyTorch's words


class _Progress:
    """Tells the other end how far a fit is, not too often, and hears from there that it is to end."""

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
        """Tell the last epoch, where it has not been told."""
        if self.untold is not None:
            self.connection.send(("progress", self.untold))
            self.untold = None

    def _is_due(self) -> bool:
        """Whether it is time for a word; raises KeyboardInterrupt where the fit is to end."""
        now = perf_counter()
        if now < self.due:
            return False
        self.due = now + EVERY
        while self.connection.poll():
            if self.connection.recv() == self.number:
                raise KeyboardInterrupt
        return True


def serve_worker(connection: Connection, most_rows: int) -> None:
    """Do what is asked for over the connection till it is closed; in the process."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the server, which then closes the connection
    hold_to_memory()
    from descend.studio.worker.session import Bench

    bench = Bench(most_rows)
    while True:
        try:
            asked = connection.recv()
            if not isinstance(asked, int):  # the number alone asks for the end of a call that has ended
                connection.send(_done(bench, connection, *asked))
        except (EOFError, OSError):
            return


def _done(bench: Any, connection: Connection, number: int, name: str, args: tuple[Any, ...]) -> tuple[str, Any]:
    """Do a call and return the answer to it."""
    progress = _Progress(connection, number)
    listeners = {"on_epoch": progress.on_epoch, "on_refit": progress.on_refit} if name == "fit" else {}
    try:
        result = getattr(bench, name)(*args, **listeners)
        progress.tell()
    except BaseException as error:  # a panic inside a reader is not even an Exception
        return "failed", as_descend_error(error)
    return "done", result


def as_descend_error(error: BaseException) -> DescendError:
    """Return an error as it is told to a person: itself, that memory ran out, or that nobody foresaw it."""
    if isinstance(error, MemoryError) or NO_MEMORY in str(error):
        return DescendError("studio.no-memory")
    return error if isinstance(error, DescendError) else failed(error)


def hold_to_memory() -> None:
    """Hold this process to the memory that the computer has, and let it be the first to be ended where that runs out.

    A packed file of a few kilobytes can claim any amount, and so can a network's sizes. Where the system knows no such
    bounds there are none.
    """
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    with suppress(ImportError, AttributeError, OSError, ValueError):
        import resource

        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_DATA, (int(SHARE * whole), resource.getrlimit(resource.RLIMIT_DATA)[1]))


def failed(error: BaseException) -> DescendError:
    """Return the error that tells one that nobody foresaw."""
    reason = (str(error).splitlines() or [""])[0][:200]
    return DescendError("studio.worker-failed", kind=type(error).__name__, reason=reason)
