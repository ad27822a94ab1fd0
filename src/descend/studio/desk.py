"""What every tab of a studio shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from descend.studio.uploads import Uploads


@dataclass(frozen=True)
class Studio:
    """A running studio: the table it was started with, where files lie, and its bounds.

    ``folder`` is the studio's own and goes when it ends; ``most_rows`` bounds the rows of a tab's table, ``tabs`` the
    tabs at once; ``lang`` is spoken until a person chooses another language.
    """

    file: str | None
    folder: Path
    uploads: Uploads
    most_rows: int
    lang: str
    tabs: int = 32
