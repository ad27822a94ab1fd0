"""Connections: how many may be open at once, and how long one may take to send the head of a request."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from descend.base.messages import say

if TYPE_CHECKING:
    import asyncio

MOST = 256  # connections at once: each tab has one socket, and opens six more while its page loads
HEAD = 10.0  # seconds within which the head of a request must arrive


class Bounds:
    """Limits on a server's connections; each time the limit is reached, the terminal says so once."""

    def __init__(self, lang: str, most: int = MOST, head: float = HEAD) -> None:
        self.lang, self.most, self.head = lang, most, head
        self._full = False

    def exceeded(self, connections: int) -> bool:
        """Tell whether more connections are open than allowed."""
        if connections <= self.most:
            self._full = self._full and connections > self.most // 2
            return False
        if not self._full:
            self._full = True
            print(say("studio.connections-full", self.lang, most=self.most), file=sys.stderr, flush=True)
        return True


def bounded_protocol(protocol: type[asyncio.Protocol], bounds: Bounds) -> type[asyncio.Protocol]:
    """Return uvicorn's HTTP protocol (h11 or httptools) with limits: uvicorn itself waits for a head without end."""
    base: Any = protocol

    class Bounded(base):  # type: ignore[misc]
        _due: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            if bounds.exceeded(len(self.server_state.connections)):
                self._refuse("503 Service Unavailable", say("studio.busy", bounds.lang, most=bounds.most))
            else:
                self._await_head()

        def connection_lost(self, error: Exception | None) -> None:
            self._await_no_head()
            super().connection_lost(error)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._await_head()

        def _await_head(self) -> None:
            self._await_no_head()
            self._due = self.loop.call_later(bounds.head, self._give_up)

        def _await_no_head(self) -> None:
            if self._due is not None:
                self._due.cancel()
                self._due = None

        def _give_up(self) -> None:
            """Close the connection, unless a request is being answered on it or it has become a websocket."""
            answering = self.cycle is not None and not self.cycle.response_complete
            if not answering and self.transport.get_protocol() is self:
                self._refuse("408 Request Timeout", say("studio.no-request", bounds.lang, seconds=bounds.head))

        def _refuse(self, status: str, text: str) -> None:
            if self.transport.is_closing():
                return
            body = text.encode()
            head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
            self.transport.write(f"{head}Connection: close\r\n\r\n".encode("ascii") + body)
            self.transport.close()

    return Bounded
