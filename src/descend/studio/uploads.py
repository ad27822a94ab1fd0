"""Files that a tab sends: straight to disk, each in a folder of its own, under a name that leads nowhere else."""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import unicodedata
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from descend.base.errors import DescendError, TableError
from descend.studio.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from starlette.requests import Request

MEGABYTE = 1 << 20
LONGEST, LONGEST_BYTES, LONGEST_SUFFIX = 120, 240, 20
INVISIBLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
KEPT = 2  # a tab's table, and the one before it, which may still be read


class Receiver(Protocol):
    """Who is told how an upload goes: began, then moved and head as it comes, then done or failed."""

    async def began(self, name: str, size: int | None) -> None:
        """Take note of a file that starts to come; ``size`` in bytes, where the browser tells it."""

    async def moved(self, received: int) -> None:
        """Take note of the bytes so far, some ten times a second."""

    def head(self, path: Path) -> Coroutine[Any, Any, None]:
        """Look at the file when its first megabyte lies there; the rest goes on coming."""

    async def done(self, path: Path) -> None:
        """Take the whole file."""

    async def failed(self, error: DescendError) -> None:
        """Take note that nothing came of it."""


class _Superseded(Exception):
    """The tab sends another file by now, or is closed."""


@dataclass(eq=False)
class _Tab:
    receiver: Receiver
    coming: Path | None = None
    kept: list[Path] = field(default_factory=list)


class Uploads:
    """Receives files of at most ``most`` bytes into ``folder``, for the tabs that expect some."""

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self.most = folder, most
        self._tabs: dict[str, _Tab] = {}

    def expect(self, receiver: Receiver) -> str:
        """Return a key under which one tab may send files; only who knows it can."""
        key = secrets.token_urlsafe(32)
        self._tabs[key] = _Tab(receiver)
        return key

    def forget(self, key: str) -> None:
        """Take no more files under a key, and remove those that came."""
        tab = self._tabs.pop(key, None)
        if tab is not None:
            tab.coming = None
            for home in tab.kept:
                shutil.rmtree(home, ignore_errors=True)

    def drop(self, key: str, path: Path) -> None:
        """Remove a file that came and is no table."""
        tab = self._tabs.get(key)
        if tab is not None and path.parent in tab.kept:
            tab.kept.remove(path.parent)
            shutil.rmtree(path.parent, ignore_errors=True)

    async def receive(self, request: Request) -> Response:
        """Answer ``POST /upload/{key}``: the file is the body, its name (percent-encoded) in ``X-File-Name``.

        204 when the receiver has taken the file, 404 for an unknown key, 413 for one too large, 409 where the tab sent
        another one meanwhile, 400 for other failures, which the receiver is told.
        """
        tab = self._tabs.get(request.path_params["key"])
        if tab is None:
            return _refused(404, "studio.upload-unknown")
        name = safe_name(unquote(request.headers.get("x-file-name", "")))
        length = request.headers.get("content-length", "")
        size = int(length) if length.isdecimal() else None
        try:
            home = tab.coming = Path(mkdtemp(dir=self.folder))
        except OSError as error:
            await tab.receiver.failed(_not_kept(self.folder / name / name, error))
            return _refused(400, "studio.upload-not-kept")
        try:
            await tab.receiver.began(name, size)
            await self._take(tab, home / name, size, request)
        except BaseException as error:
            shutil.rmtree(home, ignore_errors=True)
            if isinstance(error, (_Superseded, asyncio.CancelledError)):  # the latter when the studio ends
                return _refused(409, "studio.upload-broken")
            if not isinstance(error, DescendError):
                raise
            await tab.receiver.failed(error)
            return _refused(413 if error.code == "studio.upload-too-large" else 400, error.code)
        await tab.receiver.done(home / name)
        return Response(status_code=204)

    async def _take(self, tab: _Tab, path: Path, size: int | None, request: Request) -> None:
        if size is not None and size > self.most:
            raise self._too_large(path)
        while len(tab.kept) >= KEPT:
            await in_thread(partial(shutil.rmtree, tab.kept.pop(0), ignore_errors=True))
        try:
            await self._write(tab, path, request)
        except ClientDisconnect as error:
            raise TableError("studio.upload-broken", file=path.name) from error
        if tab.coming != path.parent:
            raise _Superseded
        tab.kept.append(path.parent)

    async def _write(self, tab: _Tab, path: Path, request: Request) -> None:
        """Write the body as it comes, in a thread: a slow disk holds up nobody else."""
        received, told = 0, monotonic()
        head: asyncio.Task[None] | None = None
        try:
            async for block in _blocks(request):
                if tab.coming != path.parent:
                    raise _Superseded
                received += len(block)
                if received > self.most:
                    raise self._too_large(path)
                await in_thread(partial(_append, path, block))
                head = head or asyncio.create_task(tab.receiver.head(path))
                if monotonic() - told > 0.1:
                    told = monotonic()
                    await tab.receiver.moved(received)
            if head is not None:
                await head
            await tab.receiver.moved(received)
        finally:
            if head is not None and not head.done():
                head.cancel()
                await asyncio.wait([head])

    def _too_large(self, path: Path) -> TableError:
        return TableError("studio.upload-too-large", file=path.name, most=self.most / MEGABYTE)


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    """Gather the body into blocks of a megabyte or a little more; only the last is smaller."""
    gathered = bytearray()
    async for part in request.stream():
        gathered += part
        if len(gathered) >= MEGABYTE:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)


def _append(path: Path, block: bytes) -> None:
    """Add to a file and close it, so that all of it can be read while the rest is still to come."""
    try:
        with open(path, "ab") as file:
            file.write(block)
    except OSError as error:
        raise _not_kept(path, error) from error


def _not_kept(path: Path, error: OSError) -> TableError:
    reason = error.strerror or str(error)
    return TableError("studio.upload-not-kept", file=path.name, reason=reason, folder=path.parent.parent)


def _refused(status: int, code: str) -> Response:
    """Return a refusal; the connection is closed, for the rest of the body is not read."""
    return JSONResponse({"error": code}, status, headers={"Connection": "close"})


def safe_name(name: str) -> str:
    """Return a file's name without what could lead elsewhere or mean something; letters and suffixes stay.

    No folder, no leading dot, no ``..``, no ``::`` (which parts a file from a table inside it), nothing invisible, at
    most 120 characters; "table" where nothing is left.
    """
    name = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])  # macOS parts Hangul syllables into letters
    name = "".join(letter for letter in name if unicodedata.category(letter) not in INVISIBLE)
    name = re.sub(r"\.{2,}", ".", re.sub(r'[:*?"<>|]+', "_", name)).strip(". \u3000")
    suffixes = "".join(PurePosixPath(name).suffixes[-2 if name.lower().endswith(".gz") else -1 :])
    if len(suffixes.encode()) > LONGEST_SUFFIX:
        suffixes = ""
    stem = name.removesuffix(suffixes)[: LONGEST - len(suffixes)]
    stem = stem.encode()[: LONGEST_BYTES - len(suffixes.encode())].decode(errors="ignore").rstrip(". ")
    return f"{stem}{suffixes}" if stem else f"table{suffixes}"
