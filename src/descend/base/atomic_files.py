"""Writing files: atomically, streams directly, and JSON with finite numbers only."""

from __future__ import annotations

import errno
import math
import os
import re
import shutil
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from descend.base.errors import DescendError, OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Name = str | os.PathLike[str]

DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)|/dev/(stdout|stderr)")
PROBE = 1 << 20
PATIENCE = 30.0  # seconds to wait for the reader of a pipe


def require_writable(path: Name, inputs: Iterable[Name] = ()) -> None:
    """Raise OptionError where a file cannot be written, or is one of the ``inputs``.

    Call it before a long fit. It finds a folder that does not exist or is not writable, a folder in the file's place,
    and a name that is too long.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        status = None
    except (OSError, ValueError) as error:  # ValueError for a zero byte
        raise _refused(path, error) from error
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise OptionError("option.cannot-write", path=str(path), reason=os.strerror(errno.EISDIR))
    if is_stream(path):
        return
    for other in inputs:
        if os.path.realpath(other) == os.path.realpath(path) or (status is not None and _same(other, status)):
            raise OptionError("option.out-is-input", path=str(path))
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise OptionError("option.cannot-write", path=str(path), reason=str(folder))


def ending(path: Name, known: Sequence[str], code: str) -> str:
    """Return the lower-case suffix of a file's name; for a stream without one the first of ``known``.

    Raises OptionError with the code where the suffix is not known.
    """
    if not isinstance(path, str | os.PathLike):
        raise OptionError("option.kind", name="path", found=type(path).__name__, wanted="path")
    found = Path(path).suffix.lower()
    if found in known:
        return found
    if not found and is_stream(path):
        return known[0]
    raise OptionError(code, path=str(path), found=Path(path).suffix or "''", known=", ".join(known))


def is_stream(path: Name) -> bool:
    """Tell whether a path is a pipe, a device or an open descriptor, which is written to directly."""
    if _descriptor(path) is not None:
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


@contextmanager
def written_whole(path: Name) -> Iterator[Path]:
    """Yield a temporary path; on success its content is flushed to disk and replaces ``path``, else it is removed.

    A symbolic link stays and its target is replaced; an existing file keeps its mode, and a new one gets the umask's. A
    stream receives the bytes once all of them are written.

    Raises OptionError (``option.cannot-write``) where the system refuses; BrokenPipeError where the reader of a pipe
    has closed it.
    """
    temporary: Path | None = None
    try:
        if is_stream(path):
            import tempfile

            with tempfile.TemporaryDirectory(prefix="descend-") as folder:
                temporary = Path(folder, "whole.part")
                yield temporary
                _pour(temporary, path)
            return
        target = Path(os.path.realpath(path))
        temporary = _created(target)
        yield temporary
        with open(temporary, "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, target)
    except (BrokenPipeError, DescendError):
        raise
    except Exception as error:
        refusal = error if isinstance(error, OSError) and error.errno else _refusal(temporary)
        if refusal is None and not isinstance(error, OSError):
            raise
        raise _refused(path, refusal or error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _created(target: Path) -> Path:
    """Create an empty file beside the target, under a unique name, with the target's mode and owner if it exists."""
    before = target.stat() if target.exists() else None
    mode = 0o666 if before is None else stat.S_IMODE(before.st_mode)
    temporary = target.with_name(f".descend-{os.urandom(8).hex()}.part")
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        if before is not None and hasattr(os, "fchown"):
            with suppress(OSError):  # only a privileged process may change the owner
                os.fchown(descriptor, before.st_uid, before.st_gid)
            with suppress(OSError):
                os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)
    return temporary


def _pour(whole: Path, path: Name) -> None:
    """Copy a file's bytes to a stream."""
    with open(whole, "rb") as source, os.fdopen(_opened(path), "wb") as stream:
        shutil.copyfileobj(source, stream)


def _opened(path: Name) -> int:
    """Open a stream for writing; raises OptionError for a pipe without a reader."""
    known = _descriptor(path)
    if known is not None:
        return os.dup(known)
    waited = time.monotonic() + PATIENCE
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
            os.set_blocking(descriptor, True)
            return descriptor
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > waited:
                raise OptionError("option.nobody-reads", path=str(path), seconds=PATIENCE) from error
            time.sleep(0.05)


def _descriptor(path: Name) -> int | None:
    """Return the descriptor of a path such as /dev/stdout: opening it by name would truncate a file."""
    found = DESCRIPTOR.fullmatch(os.fspath(path))
    if found is None:
        return None
    return int(found[1]) if found[1] else {"stdout": 1, "stderr": 2}[found[2]]


def is_standard_output(path: Name) -> bool:
    """Tell whether a path writes to standard output."""
    if not is_stream(path) or _descriptor(path) == 1:
        return _descriptor(path) == 1
    with suppress(OSError):
        status = os.stat(path)
        return stat.S_ISFIFO(status.st_mode) and os.path.samestat(status, os.fstat(1))
    return False


def _same(path: Name, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(path), status)
    except (OSError, ValueError):
        return False


def _refusal(temporary: Path | None) -> OSError | None:
    """Return the system's error for writing more bytes: libraries report a full disk by errors of their own."""
    try:
        if temporary is not None and temporary.exists():
            with open(temporary, "ab") as handle:
                handle.write(bytes(PROBE))
                handle.flush()
                os.fsync(handle.fileno())
    except OSError as error:
        return error
    return None


def _refused(path: Name, error: Exception) -> OptionError:
    """Return the OptionError of a refused write, with the system's reason."""
    reason = getattr(error, "strerror", None) or str(error).split("\n")[0][:200]
    return OptionError("option.cannot-write", path=str(path), reason=reason)


def json_ready(value: Any) -> Any:
    """Return a value of JSON types; numbers that are not finite become null."""
    if isinstance(value, dict):
        return {str(key): json_ready(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_ready(inner) for inner in value]
    if hasattr(value, "tolist"):  # NumPy's arrays and scalars
        return json_ready(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
