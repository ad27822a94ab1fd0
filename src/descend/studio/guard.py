"""Access control of the studio: every request is checked by Host, Origin and token before anything else reads it.

A page from another site, open in the same browser, can send requests to this computer too. It cannot choose Host (with
DNS rebinding its own name stands there), Origin or Sec-Fetch-*, so these headers tell it apart.
"""

from __future__ import annotations

import hmac
import re
import secrets
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.responses import HTMLResponse, PlainTextResponse

from descend.base.messages import LANGUAGES, say

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")
PAGE = '<!doctype html><html lang="{lang}"><meta charset="utf-8"><title>descend</title>{head}<body>{body}</body></html>'


def is_loopback(host: str) -> bool:
    """Tell whether a host, as --host takes it, is reachable from this computer alone."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def in_address(host: str) -> str:
    """Return a host as it is written in an address: an IPv6 host in brackets."""
    return f"[{host}]" if ":" in host else host.lower()


class Guard:
    """ASGI middleware around the whole application, for http and websocket.

    With a ``token`` every request needs it: first as ``?token=`` in the address, then as a cookie. Without a token only
    loopback names are answered, so ``host`` must then be a loopback address.
    """

    def __init__(self, app: ASGIApp, *, host: str, port: int, token: str | None = None, lang: str = "en") -> None:
        if token is None and not is_loopback(host):
            raise ValueError("a host that others reach needs a token")
        self.app = app
        self._names = LOOPBACK | {in_address(host)} | ({socket.gethostname().lower()} if token else set())
        self._port, self._token, self._lang = port, token, lang
        self._tickets: set[str] = set()
        self._cookie = f"descend-{port}"  # cookies ignore ports: two studios on one host need two names

    def ticket(self) -> str:
        """Return a token that opens the studio once.

        Every user of this computer may read the browser's command line, so it holds this token and not the lasting one.
        """
        ticket = secrets.token_urlsafe(32)
        self._tickets.add(ticket)
        return ticket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        answer = refusal or self._entry(scope)
        if scope["type"] == "websocket" and answer is not None:
            await send({"type": "websocket.close", "code": 1008})  # before acceptance: the server answers 403
        elif scope["type"] == "websocket":
            await self.app(scope, receive, send)
        else:
            host = _header(scope, b"host") if refusal is None else ""  # no answer repeats a foreign name
            await (answer or self.app)(scope, receive, _secured(send, _policy(host)))

    def _refusal(self, scope: Scope) -> Response | None:
        host, origin = _header(scope, b"host"), _header(scope, b"origin")
        found = HOST.fullmatch(host)
        if found is None or int(found[2] or 80) != self._port or not self._ours(found[1]):
            return PlainTextResponse(say("studio.host-refused", self._lang), 421)
        spoken = "https" if scope["scheme"] in ("https", "wss") else "http"
        if origin != f"{spoken}://{host}" and (origin or scope["type"] == "websocket"):  # browsers always send it here
            return PlainTextResponse(say("studio.origin-refused", self._lang), 403)
        if _header(scope, b"sec-fetch-site") in ("cross-site", "same-site") and not _follows_a_link(scope):
            return PlainTextResponse(say("studio.origin-refused", self._lang), 403)
        return None

    def _ours(self, name: str) -> bool:
        if name in self._names:
            return True
        try:
            return self._token is not None and bool(ip_address(name.strip("[]")))  # rebinding needs a name
        except ValueError:
            return False

    def _entry(self, scope: Scope) -> Response | None:
        """Return the answer to a request without the cookie; None where the request may pass."""
        if self._token is None:
            return None
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if scope["type"] == "http" and scope["method"] == "GET" and "token" in query:
            return self._welcome() if self._opens(query["token"]) else _unknown()
        cookies = [part.strip() for part in _header(scope, b"cookie", "; ").split(";")]
        given = [part.partition("=")[2] for part in cookies if part.partition("=")[0] == self._cookie]
        return None if any(_same(value, self._token) for value in given) else _unknown()

    def _opens(self, given: str) -> bool:
        used = [ticket for ticket in self._tickets if _same(given, ticket)]
        self._tickets.difference_update(used)
        return bool(used) or _same(given, self._token or "")

    def _welcome(self) -> Response:
        """Set the cookie and go to the address without the token.

        By a page, not by a redirect: after a link in a message read in the browser, a redirect would count as
            cross-site and the browser would not send the cookie.
        """
        body = f'<a href="/">{say("studio.enter", self._lang)}</a>'
        page = PAGE.format(lang=self._lang, head='<meta http-equiv="refresh" content="0; url=/">', body=body)
        response = HTMLResponse(page, headers={"Cache-Control": "no-store"})
        response.set_cookie(self._cookie, self._token or "", path="/", httponly=True, samesite="strict")
        return response


def _unknown() -> Response:
    told = [f'<p lang="{lang}">{say("studio.token-needed", lang)}</p>' for lang in LANGUAGES]
    page = PAGE.format(lang="en", head="", body="".join(told))
    return HTMLResponse(page, 401, headers={"Cache-Control": "no-store"})


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _header(scope: Scope, name: bytes, joint: str = ", ") -> str:
    """Return a header in lower case, except cookies; a header that occurs twice is joined, and so matches nothing."""
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    text = joint.join(values)
    return text if name == b"cookie" else text.lower()


def _follows_a_link(scope: Scope) -> bool:
    """Tell whether the request is a person's click on a link of another page, not an embedding or a fetch."""
    return (_header(scope, b"sec-fetch-mode"), _header(scope, b"sec-fetch-dest")) == ("navigate", "document")


def _policy(host: str) -> str:
    """Return the content security policy: NiceGUI's inline scripts, and nothing from another host."""
    own = f"'self' ws://{host} wss://{host}" if HOST.fullmatch(host) else "'self'"
    return "; ".join(
        [
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "worker-src 'self' blob:",
            f"connect-src {own} data: blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )


def _secured(send: Send, policy: str) -> Send:
    ours = {
        b"content-security-policy": policy.encode("latin-1"),
        b"x-content-type-options": b"nosniff",
        b"referrer-policy": b"no-referrer",
        b"cross-origin-resource-policy": b"same-origin",
    }

    async def secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            others = [(key, value) for key, value in message.get("headers", []) if key.lower() not in ours]
            message = {**message, "headers": [*others, *ours.items()]}
        await send(message)

    return secured
