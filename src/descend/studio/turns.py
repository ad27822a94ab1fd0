"""One thing after another: what a person asks for takes the place of what they asked for before."""

from __future__ import annotations

import asyncio


class Turns:
    """What a tab is doing, and the fit that waits or runs behind it.

    A new turn ends the one before without a word, whatever it had come to. ``busy`` names what goes on ("reading",
    "preparing", "fitting"), None for nothing.
    """

    def __init__(self) -> None:
        self.busy: str | None = None
        self.acting = False  # whether the last turn is still being done
        self.closed = False
        self.fitting: asyncio.Task[None] | None = None
        self.serial = 0  # the number of the last turn
        self._ending: set[asyncio.Task[None]] = set()

    def begin(self) -> int:
        """End what is under way, to begin with something else; returns the turn's number."""
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
        """End the fit that waits or runs; the worker sees it to its end before it does anything else."""
        task, self.fitting = self.fitting, None
        if task is not None and not task.done():
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Begin nothing more, and wait for the fits that end."""
        if self._ending:
            await asyncio.wait(self._ending)

    @property
    def ending(self) -> bool:
        """Whether a fit that was broken off has not ended yet."""
        return bool(self._ending)
