"""Files at an address (s3://, gs://, https://), through Polars' readers, whose errors become TableErrors."""

from __future__ import annotations

import re
import socket
import warnings
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import polars as pl

from descend.base.errors import TableError
from descend.tables.scans.partitions import Found, natural, partition_of
from descend.tables.scans.unpacked import Unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESS = re.compile(r"(s3|gs|https?)://", re.IGNORECASE)
PATIENCE = 5  # seconds that a machine has to answer
OPTIONS = {"max_retries": 2, "retry_timeout_ms": 1000 * PATIENCE, "connect_timeout": f"{PATIENCE}s"}
UNREACHABLE = ("error sending request", "connection", "timed out", "dns error")
DENIED = (" 401 ", " 403 ", "credential", "token request", "accessdenied", "169.254.169.254", "permission")
MISSING = (" 404 ", "not found", "nosuchbucket", "nosuchkey")


def is_address(source: str) -> bool:
    """Tell an address from the path of a file here."""
    return ADDRESS.match(source) is not None


def options_for(path: str) -> dict[str, Any] | None:
    """Return Polars' storage options for an address, with short time-outs; None for a local file.

    Keys and endpoints are taken from the environment.
    """
    if not is_address(path):
        return None
    warnings.filterwarnings("ignore", message=".*region.* not set", category=UserWarning)  # it is asked of the bucket
    return dict(OPTIONS)


def remote_error(error: BaseException, file: str, kind: str) -> TableError:
    """Return the TableError for an error of Polars' readers; an unknown error means that the file is no ``kind``."""
    told = str(error)
    reason = _reason(told)
    lower = told.lower()
    if isinstance(error, FileNotFoundError) or any(sign in lower for sign in MISSING):
        return TableError("table.remote-missing", file=file, reason=reason)
    if isinstance(error, PermissionError) or any(sign in lower for sign in DENIED):
        return TableError("table.remote-denied", file=file, reason=reason)
    if isinstance(error, ConnectionError) or any(sign in lower for sign in UNREACHABLE):
        return TableError("table.remote-unreachable", file=file, reason=reason)
    return TableError("table.damaged", file=file, kind=kind, reason=reason)


def _reason(told: str) -> str:
    """Return the innermost cause in an error's text, or the server's message, as one line."""
    called = re.search(r"<Message>(.*?)</Message>", told, re.DOTALL)
    causes = re.findall(r"^ +\d+: (.+)$", told, re.MULTILINE)
    answer = re.search(r"status code: (\d+ [A-Z][a-zA-Z ]+)", told)
    found = called[1] if called else causes[-1] if causes else answer[1] if answer else told.split("\n")[0]
    return found.strip()[:200]


def require_answer(address: str) -> None:
    """Raise TableError soon where no machine answers at a web address, which Polars would try for minutes."""
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise TableError("table.remote-unreachable", file=address, reason=str(error)) from error
    if not parts.scheme.lower().startswith("http") or getproxies().get(parts.scheme.lower()):
        return
    try:
        port = parts.port or (443 if parts.scheme.lower() == "https" else 80)
        with socket.create_connection((parts.hostname or "", port), timeout=PATIENCE):
            return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TableError("table.remote-unreachable", file=address, reason=reason) from error


def list_parquet(address: str, given: str) -> list[Found]:
    """Return the files that an address or a pattern means, in their order; none where a pattern fits none.

    given: what the person wrote, for an error.
    """
    if not is_remote_pattern(address):
        return [Found(address, remote_name(address), 0)]
    lazy = pl.scan_parquet(
        address, hive_partitioning=False, include_file_paths="", storage_options=options_for(address)
    )
    try:
        paths = lazy.select(pl.col("").unique()).collect().to_series().to_list()
    except (Exception, pl.exceptions.PanicException) as error:
        if "expanded paths were empty" in str(error):
            return []
        raise remote_error(error, given, "parquet") from error
    return _named(address, [(path, None) for path in paths])


def fetch_text(address: str, given: str, scratch: str | None) -> list[Found]:
    """Fetch text files into the scratch folder, line by line, in their order."""
    pattern = is_remote_pattern(address)
    lazy = pl.scan_lines(
        address, name="line", glob=pattern, include_file_paths="path", storage_options=options_for(address)
    )
    found: list[tuple[str, Unpacked | None]] = []
    try:
        batches = lazy.collect_batches(maintain_order=True)
        runs = _Runs(batch for whole in batches for batch in whole.partition_by("path", maintain_order=True))
        while (path := runs.next_path()) is not None:
            found.append((path, Unpacked(runs.bytes(path), remote_name(path), scratch)))
    except TableError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:
        if "expanded paths were empty" in str(error):
            return []
        raise remote_error(error, given, "UTF-8") from error
    return _named(address, found)


class _Runs:
    """Frames of lines, those of one file after those of another."""

    def __init__(self, frames: Iterator[pl.DataFrame]) -> None:
        self._frames = frames
        self._next = next(frames, None)

    def next_path(self) -> str | None:
        """Return the file whose lines come next, None at the end."""
        return None if self._next is None else str(self._next["path"][0])

    def bytes(self, path: str) -> Iterator[bytes]:
        """Yield the lines of one file."""
        while self._next is not None and self.next_path() == path:
            yield ("\n".join(self._next["line"]) + "\n").encode()
            self._next = next(self._frames, None)


def _named(address: str, found: list[tuple[str, Unpacked | None]]) -> list[Found]:
    if not is_remote_pattern(address):
        return [Found(path, remote_name(path), file.size if file else 0, (), file) for path, file in found]
    fixed = re.split(r"[*?\[]", address, maxsplit=1)[0]
    start = fixed.rfind("/") + 1
    named = (
        Found(path, path[start:], file.size if file else 0, partition_of(path[start:]), file) for path, file in found
    )
    return sorted(named, key=lambda file: natural(file.name))


def is_web(address: str) -> bool:
    """Tell an address of the web, which is one file, from a bucket."""
    return address.lower().startswith("http")


def is_remote_pattern(address: str) -> bool:
    """Tell whether an address means all files of a bucket that fit a pattern."""
    return not is_web(address) and any(letter in address for letter in "*?[")


def remote_name(address: str) -> str:
    """Return the name of a file at an address, without its folder."""
    return (urlsplit(address).path if is_web(address) else address).rsplit("/", 1)[-1]
