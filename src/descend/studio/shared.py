"""The objects that all tabs of a studio share."""

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
    """A shared run: how its table was opened ("open" a path, or "example"), its formula and settings."""

    how: str
    what: str
    shown: str
    formula: str
    settings: dict[str, Any]
    reading: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Studio:
    """A running studio: the table that it was started with, its folder and its limits.

    ``folder`` is removed when the studio ends; ``most_rows`` limits the rows of a tab's table, ``tabs`` the open tabs;
    ``lang`` is the language until a person chooses another. ``shared`` holds the runs that tabs have shared, by the key
    in the link.
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
        """Share a run with other tabs, with a copy of its table; returns the key that opens it.

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
        """Return a second name (hard link) or a copy of a file, as the tab that uploaded it may close."""
        try:
            kept = Path(mkdtemp(dir=self.folder, prefix="shared-"), path.name)
            try:
                os.link(path, kept)
            except FileNotFoundError:
                raise
            except OSError:  # a file system without hard links
                copyfile(path, kept)
        except OSError as error:
            reason = error.strerror or str(error)
            raise TableError("studio.upload-not-kept", file=path.name, reason=reason, folder=self.folder) from error
        return str(kept)
