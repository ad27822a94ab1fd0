"""The studio's server: one process, one port, and a temporary folder."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import signal
import socket
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from descend.base.errors import OptionError, TableError
from descend.base.messages import say

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from descend.studio.guard import Guard
    from descend.studio.shared import Studio

PORT, TRIED = 8765, 50
GRACE = 2  # seconds that running requests, and then tasks, have to finish at the end
LONGEST = 8.0  # seconds that the whole shutdown may take
AWAY = 30.0  # seconds after which a page without a connection is closed
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#14324a"/>'
    '<path d="M5 6C8 22 14 25 27 25.5" fill="none" stroke="#56b4e9" stroke-width="3.5" stroke-linecap="round"/>'
    '<circle cx="11.5" cy="20.5" r="3.5" fill="#e69f00"/></svg>'
)


def serve(
    file: str | None = None,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    browser: bool = True,
    most_upload: int = 4 * 1024**3,
    most_rows: int = 20_000_000,
    lang: str = "en",
) -> None:
    """Open the studio and serve it until Ctrl-C or SIGTERM.

    port: None is 8765 or the next free one, 0 any free one.
    host: one that other computers reach makes the server ask for a token.
    most_upload: in bytes.

    Raises TableError for a ``file`` that does not exist, OptionError for settings that make no sense, for a port that
    is taken, and where NiceGUI is not installed.
    """
    _check(file, port, most_upload, most_rows)
    with _until_ended(), TemporaryDirectory(prefix="descend-studio-", ignore_cleanup_errors=True) as folder:
        os.environ["NICEGUI_STORAGE_PATH"] = str(Path(folder, "nicegui"))  # read at NiceGUI's import
        try:
            import nicegui  # noqa: F401
        except ImportError as error:
            raise OptionError("studio.needs-extra") from error
        from descend.studio.shared import Studio
        from descend.studio.uploads import Uploads

        uploads = Path(folder, "uploads")
        uploads.mkdir()
        studio = Studio(file, Path(folder), Uploads(uploads, most_upload), most_rows, lang)
        with _listening(host, port) as listener:
            _run(studio, host, listener, browser=browser)


def _check(file: str | None, port: int | None, most_upload: int, most_rows: int) -> None:
    if port is not None and not 0 <= port <= 65535:
        raise OptionError("studio.port", value=port, usual=PORT)
    for name, most in (("--max-upload", most_upload), ("--max-rows", most_rows)):
        if most < 1:
            raise OptionError("option.count", name=name, value=most)
    if file is None:
        return
    path = file.partition("::")[0]
    if not os.path.exists(path):
        raise TableError("table.not-found", file=path)
    if not os.access(path, os.R_OK):
        raise TableError("table.no-access", file=path, reason=os.strerror(errno.EACCES))


@contextmanager
def _until_ended() -> Iterator[None]:
    """End the block quietly on Ctrl-C, on SIGTERM and when the terminal closes."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    def pass_on(*_: object) -> None:
        signal.raise_signal(signal.SIGTERM)  # to the server's own handler, which closes the tabs

    before = {}
    if threading.current_thread() is threading.main_thread():  # Python handles signals in the main thread only
        before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
        hangup = getattr(signal, "SIGHUP", None)  # Windows has no SIGHUP; under nohup it stays ignored
        if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
            before[hangup] = signal.signal(hangup, pass_on)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listening(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens at ``port``; None tries the default port and those after it."""
    name = host.strip("[]")
    asked = [port] if port is not None else [*range(PORT, PORT + TRIED), 0]
    for number in asked:
        try:
            family = socket.getaddrinfo(name, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
            both = name == "::" and socket.has_dualstack_ipv6()
            return socket.create_server((name, number), family=family, backlog=128, dualstack_ipv6=both)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                reason = error.strerror or str(error)
                raise OptionError("studio.cannot-listen", host=host, port=number, reason=reason) from error
    raise OptionError("studio.port-taken", port=port)


def _run(studio: Studio, host: str, listener: socket.socket, *, browser: bool) -> None:
    import uvicorn
    from fastapi import FastAPI
    from nicegui import app as pages
    from nicegui import ui
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.routing import Route

    from descend.studio.connections import Bounds, bounded_protocol
    from descend.studio.guard import Guard, is_loopback
    from descend.studio.page import add_page

    alone, port = is_loopback(host), listener.getsockname()[1]
    route = Route("/upload/{key}", studio.uploads.receive, methods=["POST"])
    application = FastAPI(routes=[route], docs_url=None, redoc_url=None, openapi_url=None)
    tabs = add_page(studio)
    ui.run_with(
        application,
        title="descend",
        favicon=ICON,
        reconnect_timeout=AWAY,
        show_welcome_message=False,
        tailwind=False,  # it observes every change of the page, which has its own style
        gzip_middleware_factory=None if alone else GZipMiddleware,  # slower than loopback
    )
    token = None if alone else secrets.token_urlsafe(32)
    guard = Guard(application, host=host, port=port, token=token, lang=studio.lang)
    pages.on_startup(lambda: _announce(studio, host, port, guard, token, browser=browser))
    config = uvicorn.Config(
        guard,
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # no proxy may set where a request came from
        server_header=False,
        ws_per_message_deflate=not alone,
        timeout_graceful_shutdown=GRACE,
    )
    config.load()
    config.http_protocol_class = bounded_protocol(config.http_protocol_class, Bounds(studio.lang))

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """End within seconds: work that the libraries would wait for without a limit ends with the process."""
            await asyncio.wait([asyncio.create_task(tabs.close())], timeout=GRACE)
            await asyncio.wait([asyncio.create_task(super().shutdown(sockets))], timeout=LONGEST)

    _until_done(Server(config).serve(sockets=[listener]), config.get_loop_factory() or asyncio.new_event_loop)


def _until_done(serving: Coroutine[Any, Any, None], new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Run to the end; cancel the tasks that are left, and wait for them no longer than GRACE."""
    loop = new_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(serving)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=GRACE))
        asyncio.set_event_loop(None)
        loop.close()


def _announce(studio: Studio, host: str, port: int, guard: Guard, token: str | None, *, browser: bool) -> None:
    """Print the studio's address and open it in the browser."""
    from descend.studio.guard import in_address

    name = host.strip("[]")
    shown = in_address(_outward() if name in ("0.0.0.0", "::") else name)
    query = f"/?token={token}" if token else "/"
    if token:
        print(say("studio.shared", studio.lang), file=sys.stderr, flush=True)
    print(say("studio.open-at", studio.lang, url=f"http://{shown}:{port}{query}"), flush=True)
    if browser:
        import webbrowser

        query = f"/?token={guard.ticket()}" if token else "/"
        address = f"http://{shown}:{port}{query}"
        threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()  # some block


def _outward() -> str:
    """Return the address at which other computers reach this one, as far as it is known; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address (RFC 5737): this only asks the routing table
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname().lower()
