"""Writing files: whole or not at all, and in JSON nothing but what JSON knows."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from descend.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator


def require_folder(path: str | os.PathLike[str]) -> None:
    """Raise OptionError where a file could not be written for want of a folder: better before a long fit than after."""
    folder = Path(path).absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise OptionError("option.cannot-write", path=str(path), reason=str(folder))


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on success flush it to disk and rename it, else remove it.

    Raises OptionError (``option.cannot-write``) when the folder does not exist or may not be written.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        try:
            yield temporary
            with open(temporary, "rb+") as handle:
                os.fsync(handle.fileno())
            os.replace(temporary, target)
        except OSError as error:
            reason = error.strerror or str(error)
            raise OptionError("option.cannot-write", path=str(target), reason=reason) from error
    finally:
        temporary.unlink(missing_ok=True)


def plain(value: Any) -> Any:
    """Return a value made of what JSON knows; numbers that are not finite become null."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if hasattr(value, "tolist"):  # NumPy's arrays and scalars
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
