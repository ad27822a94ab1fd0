"""What goes on in a worker's process: it does what is asked for over its connection, and tells how far it is."""

from __future__ import annotations

import signal
from time import perf_counter
from typing import TYPE_CHECKING, Any

from descend.errors import DescendError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

EVERY = 0.04  # seconds between two words of progress


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


def serve(connection: Connection, most_rows: int) -> None:
    """Do what is asked for over the connection till it is closed; in the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the server, which then closes the connection
    from descend.studio.bench import Bench

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
        return "failed", told(error)
    return "done", result


def told(error: BaseException) -> DescendError:
    """Return an error as it is told to a person: itself, or that nobody foresaw it."""
    return error if isinstance(error, DescendError) else failed(error)


def failed(error: BaseException) -> DescendError:
    """Return the error that tells one that nobody foresaw."""
    reason = (str(error).splitlines() or [""])[0][:200]
    return DescendError("studio.worker-failed", kind=type(error).__name__, reason=reason)
