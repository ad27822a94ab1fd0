"""What every tab of a studio shares."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfile, rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from descend.base.errors import TableError

if TYPE_CHECKING:
    from descend.studio.uploads import Uploads


MOST_SHARED = 100


@dataclass(frozen=True)
class Shared:
    """A run that a person has shared: how its table is had ("open" a path, or "example"), and what was stated."""

    how: str
    what: str
    shown: str
    formula: str
    settings: dict[str, Any]
    reading: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Studio:
    """A running studio: the table it was started with, where files lie, and its bounds.

    ``folder`` is the studio's own and goes when it ends; ``most_rows`` bounds the rows of a tab's table, ``tabs`` the
    tabs at once; ``lang`` is spoken until a person chooses another language. ``shared`` holds the runs that tabs have
    shared on purpose, by the key that a link carries.
    """

    file: str | None
    folder: Path
    uploads: Uploads
    most_rows: int
    lang: str
    tabs: int = 32
    shared: dict[str, Shared] = field(default_factory=dict)

    def share(
        self,
        how: str,
        what: str,
        shown: str,
        formula: str,
        settings: dict[str, Any],
        reading: dict[str, Any] | None = None,
    ) -> str:
        """Put a run where another tab finds it, with a copy of its table; returns the key that opens it.

        Raises TableError where the table cannot be copied.
        """
        key = secrets.token_urlsafe(16)
        if self._is_ours(what, how):
            what = self._copied(Path(what))
        if len(self.shared) >= MOST_SHARED:
            oldest = self.shared.pop(next(iter(self.shared)))
            if self._is_ours(oldest.what, oldest.how):
                rmtree(Path(oldest.what).parent, ignore_errors=True)
        self.shared[key] = Shared(how, what, shown, formula, dict(settings), dict(reading or {}))
        return key

    def _is_ours(self, what: str, how: str) -> bool:
        return how == "open" and Path(what.partition("::")[0]).is_relative_to(self.folder)

    def _copied(self, path: Path) -> str:
        """Return another name of a file, for the tab that it came to may close."""
        try:
            kept = Path(mkdtemp(dir=self.folder, prefix="shared-"), path.name)
            try:
                os.link(path, kept)
            except FileNotFoundError:
                raise
            except OSError:  # a file system that knows one name a file
                copyfile(path, kept)
        except OSError as error:
            reason = error.strerror or str(error)
            raise TableError("studio.upload-not-kept", file=path.name, reason=reason, folder=self.folder) from error
        return str(kept)
