"""The open pages: those with a connected socket, and those that still wait for one."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Protocol

from descend.base.messages import say

if TYPE_CHECKING:
    from collections.abc import Callable

WAITING = 64  # pages without a socket yet; one more drops the oldest


class Tab(Protocol):
    """The content of a browser's tab."""

    async def close(self) -> None:
        """End the tab and remove everything that belongs to it."""


class Tabs:
    """At most ``most`` open pages, each with its own process, and WAITING pages without a socket.

    When a page is refused the terminal says so once, until there is room again.
    """

    def __init__(self, most: int, lang: str) -> None:
        self.most, self.lang = most, lang
        self._open: dict[str, Tab] = {}
        self._waiting: dict[str, tuple[Tab, Callable[[], None]]] = {}
        self._refusal_told = False

    @property
    def full(self) -> bool:
        """Whether no more pages can be opened."""
        if len(self._open) < self.most:
            return False
        if not self._refusal_told:
            self._refusal_told = True
            print(say("studio.tabs-full", self.lang, most=self.most), file=sys.stderr, flush=True)
        return True

    def expect(self, key: str, tab: Tab, give_up: Callable[[], None]) -> None:
        """Note a page whose socket is to come; ``give_up`` closes it when too many others have come after it."""
        if len(self._waiting) >= WAITING:
            oldest = next(iter(self._waiting))
            self._waiting.pop(oldest)[1]()
        self._waiting[key] = tab, give_up

    def enter(self, key: str) -> bool:
        """Open a page whose socket has come; returns whether there was room for it."""
        if key not in self._waiting or self.full:
            return False
        self._open[key] = self._waiting.pop(key)[0]
        return True

    async def leave(self, key: str) -> None:
        """Close a page, open or waiting."""
        waiting, tab = self._waiting.pop(key, None), self._open.pop(key, None)
        tab = waiting[0] if tab is None and waiting is not None else tab
        self._refusal_told = self._refusal_told and len(self._open) >= self.most
        if tab is not None:
            await tab.close()

    async def close(self) -> None:
        """Close all pages at once."""
        await asyncio.gather(*map(self.leave, [*self._waiting, *self._open]), return_exceptions=True)
