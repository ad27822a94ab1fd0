"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from descend.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator


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
