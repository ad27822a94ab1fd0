"""Uploads: each file goes straight to disk, in a folder of its own, under a safe name."""

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
KEPT = 2  # a tab's table, and the one before it, which may still be in use


class Receiver(Protocol):
    """Gets the progress of an upload: began, then moved and head as data arrives, then done or failed."""

    async def began(self, name: str, size: int | None) -> None:
        """Note that a file starts to arrive; ``size`` in bytes, None where the browser does not send it."""

    async def moved(self, received: int) -> None:
        """Note the number of bytes received so far, about ten times a second."""

    def head(self, path: Path) -> Coroutine[Any, Any, None]:
        """Read the first rows when the first megabyte has arrived; the upload goes on."""

    async def done(self, path: Path) -> None:
        """Read the whole file."""

    async def failed(self, error: DescendError) -> None:
        """Note that the upload failed."""


class _Superseded(Exception):
    """The tab is sending another file, or is closed."""


@dataclass(eq=False)
class _Tab:
    receiver: Receiver
    coming: Path | None = None
    kept: list[Path] = field(default_factory=list)


class Uploads:
    """Receives files of at most ``most`` bytes into ``folder``, from registered tabs."""

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self.most = folder, most
        self._tabs: dict[str, _Tab] = {}

    def expect(self, receiver: Receiver) -> str:
        """Return the key with which one tab may send files; nobody else knows it."""
        key = secrets.token_urlsafe(32)
        self._tabs[key] = _Tab(receiver)
        return key

    def forget(self, key: str) -> None:
        """Accept no more files under a key, and remove the received ones."""
        tab = self._tabs.pop(key, None)
        if tab is not None:
            tab.coming = None
            for home in tab.kept:
                shutil.rmtree(home, ignore_errors=True)

    def drop(self, key: str, path: Path) -> None:
        """Remove a received file that is not a table."""
        tab = self._tabs.get(key)
        if tab is not None and path.parent in tab.kept:
            tab.kept.remove(path.parent)
            shutil.rmtree(path.parent, ignore_errors=True)

    async def receive(self, request: Request) -> Response:
        """Answer ``POST /upload/{key}``: the file is the body, its name (percent-encoded) in ``X-File-Name``.

        204 when the receiver has taken the file, 404 for an unknown key, 413 for a file that is too large, 409 when the
        tab has sent another one meanwhile, 400 for other failures, which the receiver gets.
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
            if isinstance(error, (_Superseded, asyncio.CancelledError)):  # CancelledError when the studio ends
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
        """Write the body as it arrives, in a thread, so that a slow disk does not block the server."""
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
    """Yield the body in blocks of at least a megabyte; only the last may be smaller."""
    gathered = bytearray()
    async for part in request.stream():
        gathered += part
        if len(gathered) >= MEGABYTE:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)


def _append(path: Path, block: bytes) -> None:
    """Append to a file and close it, so that it can be read while the rest arrives."""
    try:
        with open(path, "ab") as file:
            file.write(block)
    except OSError as error:
        raise _not_kept(path, error) from error


def _not_kept(path: Path, error: OSError) -> TableError:
    reason = error.strerror or str(error)
    return TableError("studio.upload-not-kept", file=path.name, reason=reason, folder=path.parent.parent)


def _refused(status: int, code: str) -> Response:
    """Return an error response that closes the connection, because the rest of the body is not read."""
    return JSONResponse({"error": code}, status, headers={"Connection": "close"})


def safe_name(name: str) -> str:
    """Return a file name without path parts and special characters; letters and suffixes stay.

    No folder, no leading dot, no ``..``, no ``::`` (which separates a file from a table inside it), no invisible
    characters, at most 120 characters; "table" where nothing is left.
    """
    name = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])  # macOS decomposes Hangul syllables into letters
    name = "".join(letter for letter in name if unicodedata.category(letter) not in INVISIBLE)
    name = re.sub(r"\.{2,}", ".", re.sub(r'[:*?"<>|]+', "_", name)).strip(". \u3000")
    suffixes = "".join(PurePosixPath(name).suffixes[-2 if name.lower().endswith(".gz") else -1 :])
    if len(suffixes.encode()) > LONGEST_SUFFIX:
        suffixes = ""
    stem = name.removesuffix(suffixes)[: LONGEST - len(suffixes)]
    stem = stem.encode()[: LONGEST_BYTES - len(suffixes.encode())].decode(errors="ignore").rstrip(". ")
    return f"{stem}{suffixes}" if stem else f"table{suffixes}"
