"""The table of a tab: its file, the options of reading, and a profile of its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from descend.base.errors import FormulaError
from descend.formula.parser import parse
from descend.tables.open import header_of

if TYPE_CHECKING:
    from descend.studio.profile import Profile
    from descend.studio.reading import Unread


class OpenedTable:
    """The table that the worker holds, and the last file that could not be read.

    ``file`` is the name that the person sees, ``source`` how the table was opened ("open", "example") and its path or
    name, ``reading`` the options of reading. ``profile`` is what the page shows, possibly the first rows of another
    file that is still being uploaded; ``opened`` is the profile of the table that the worker holds.
    """

    def __init__(self) -> None:
        self.file = ""
        self.source = ("", "")
        self.reading: dict[str, Any] = {}
        self.unread: Unread | None = None
        self.profile: Profile | None = None
        self.opened: Profile | None = None

    @property
    def asked(self) -> dict[str, Any] | None:
        """The options of reading of the last file asked for; None where there is none."""
        if self.unread is not None:
            return self.unread.reading
        return self.reading if self.source[0] == "open" else None

    @property
    def origin(self) -> tuple[str, str]:
        """The path of the last file asked for, and the name that the person sees."""
        return (self.unread.path, self.unread.shown) if self.unread else (self.source[1], self.file)

    @property
    def column_names(self) -> list[str]:
        """The names of the worker's table's columns."""
        return [] if self.opened is None else [column.name for column in self.opened.columns]

    def take(self, profile: Profile, file: str) -> None:
        """Hold another table."""
        self.file, self.profile, self.opened = file, profile, profile

    def restore(self) -> bool:
        """Show the worker's table again; returns whether another one was shown."""
        other = self.profile is not self.opened
        self.profile = self.opened
        return other

    def names_heading(self, formula: str) -> bool:
        """Tell whether a formula names cells of a first line of numbers, which is then a header and not a row."""
        heading = () if self.opened is None else self.opened.heading
        try:
            parsed = parse(formula)
        except FormulaError:
            return False
        return header_of(self.reading.get("header"), parsed) is True and any(
            name.name in heading for name in parsed.names
        )

    def lacks_columns_of(self, formula: str) -> bool:
        """Tell whether a formula names columns that the table does not have."""
        assert self.opened is not None
        known = {column.name for column in self.opened.columns}
        return any(name.name not in known for name in parse(formula).columns)
