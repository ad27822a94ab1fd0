"""Turns: a new request of the person replaces the one before."""

from __future__ import annotations

import asyncio


class Turns:
    """The current activity of a tab, and the fit that waits or runs in the background.

    A new turn cancels the one before, however far it is. ``busy`` names the activity ("reading", "preparing",
    "fitting"), None for nothing.
    """

    def __init__(self) -> None:
        self.busy: str | None = None
        self.acting = False  # whether the last turn is still running
        self.closed = False
        self.fitting: asyncio.Task[None] | None = None
        self.serial = 0  # the number of the last turn
        self._ending: set[asyncio.Task[None]] = set()

    def begin(self) -> int:
        """Cancel the current turn and start another; returns its number."""
        self.serial += 1
        self.acting, self.busy = True, None
        self.break_off()
        return self.serial

    def done(self, turn: int) -> bool:
        """End a turn; returns whether no other one has begun since."""
        if turn != self.serial or self.closed:
            return False
        self.acting, self.busy = False, None
        return True

    def break_off(self) -> None:
        """Cancel the waiting or running fit; the worker finishes it before anything else."""
        task, self.fitting = self.fitting, None
        if task is not None and not task.done():
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Start nothing more, and wait for the cancelled fits."""
        if self._ending:
            await asyncio.wait(self._ending)

    @property
    def ending(self) -> bool:
        """Whether a cancelled fit has not ended yet."""
        return bool(self._ending)
