"""How a table is read: the options of ``descend.read``, checked once and handed on as one record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from descend.base.arguments import require
from descend.base.errors import OptionError
from descend.tables.text.numerals import DECIMALS
from descend.tables.text.table_lines import WHOLE, Layout

if TYPE_CHECKING:
    from collections.abc import Sequence

MISSING = ("", "NA", "N/A", "#N/A", "NaN", "null", "None", "-", ".", "?")


@dataclass(frozen=True)
class ReadingOptions:
    """The options of ``descend.read``; what is None is found out from the file.

    missing: the texts that stand for a missing cell; None: those that are usual in the kind of source.
    layout: which lines of a text, or rows of a sheet, are the table.
    """

    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    decimal: str = "."
    missing: tuple[str, ...] | None = None
    layout: Layout = WHOLE

    @classmethod
    def of(
        cls,
        *,
        encoding: str | None = None,
        delimiter: str | None = None,
        header: bool | None = None,
        decimal: str = ".",
        missing: Sequence[str] | None = None,
        skip_rows: int = 0,
        header_row: int | None = None,
        comment: str | None = None,
        skip_footer: int = 0,
    ) -> ReadingOptions:
        """Return options that a person gave; raises OptionError naming one that makes no sense."""
        for option, value in {"encoding": encoding, "delimiter": delimiter, "comment": comment}.items():
            require(option, value, "str", "None")
        require("header", header, "bool", "None")
        require("decimal", decimal, "str")
        require_words("missing", missing)
        if decimal not in DECIMALS:
            raise OptionError("option.decimal", value=decimal)
        layout = Layout(skip_rows, header_row, comment, skip_footer)
        return cls(encoding, delimiter, header, decimal, None if missing is None else tuple(missing), layout)

    def markers(self, *, typed: bool) -> tuple[str, ...]:
        """Return the texts that mean a missing cell; see ``markers_of``."""
        return markers_of(self.missing, typed=typed)


def require_words(option: str, value: Any) -> None:
    """Raise OptionError where an option that is a list of texts is something else; None is allowed."""
    if value is not None and (isinstance(value, str | bytes) or not isinstance(value, Iterable)):
        raise OptionError("option.kind", name=option, found=type(value).__name__, wanted="list, None")


def markers_of(missing: Sequence[str] | None, *, typed: bool = False) -> tuple[str, ...]:
    """Return the texts that mean a missing cell: those given, else the usual ones.

    typed: the source itself marks its missing cells, as a frame and a Parquet file do, so that no text means one unless
    it is given.
    """
    if missing is not None:
        return tuple(missing)
    return () if typed else MISSING
