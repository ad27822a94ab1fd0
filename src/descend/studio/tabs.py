"""The pages there are: those whose browser has come back over its socket, and those that still wait for it."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Protocol

from descend.base.messages import say

if TYPE_CHECKING:
    from collections.abc import Callable

WAITING = 64  # pages that were asked for and have no socket yet; before one more the oldest goes


class Tab(Protocol):
    """What is open in a browser's tab."""

    async def close(self) -> None:
        """End the tab: nothing of it is left."""


class Tabs:
    """At most ``most`` pages that are open, each with a process of its own, and WAITING that may come to be.

    That one more was refused is told on the terminal once, until there is room again.
    """

    def __init__(self, most: int, lang: str) -> None:
        self.most, self.lang = most, lang
        self._open: dict[str, Tab] = {}
        self._waiting: dict[str, tuple[Tab, Callable[[], None]]] = {}
        self._told = False

    @property
    def full(self) -> bool:
        """Whether no page more can be open."""
        if len(self._open) < self.most:
            return False
        if not self._told:
            self._told = True
            print(say("studio.tabs-full", self.lang, most=self.most), file=sys.stderr, flush=True)
        return True

    def expect(self, key: str, tab: Tab, give_up: Callable[[], None]) -> None:
        """Take note of a page whose socket is to come; ``give_up`` ends one that many others have come after."""
        if len(self._waiting) >= WAITING:
            oldest = next(iter(self._waiting))
            self._waiting.pop(oldest)[1]()
        self._waiting[key] = tab, give_up

    def enter(self, key: str) -> bool:
        """Open a page whose socket has come; whether there was room for it."""
        if key not in self._waiting or self.full:
            return False
        self._open[key] = self._waiting.pop(key)[0]
        return True

    async def leave(self, key: str) -> None:
        """Close a page, whichever way it stood."""
        waiting, tab = self._waiting.pop(key, None), self._open.pop(key, None)
        tab = waiting[0] if tab is None and waiting is not None else tab
        self._told = self._told and len(self._open) >= self.most
        if tab is not None:
            await tab.close()

    async def close(self) -> None:
        """Close all of them at once."""
        await asyncio.gather(*map(self.leave, [*self._waiting, *self._open]), return_exceptions=True)
