"""Whether the commas and points in numbers are decimal marks: what the columns of a table say of one another."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from descend.tables.text.numerals import JUDGED, POINTS, Marks, Notation, marks_of, parse_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

FEW = 20  # cells that are looked at before the others are


class DecimalMarks:
    """The decimal marks, and the marks between thousands, in a table's columns of text.

    names: the columns of text; text: returns the cells of one, null where missing.
    delimiter: what separates the cells of the file; None where the table is no delimited file.
    """

    def __init__(self, names: Sequence[str], text: Callable[[str], pl.Series], delimiter: str | None) -> None:
        self._names = names
        self._text = text
        self._delimiter = delimiter

    @cached_property
    def _by_column(self) -> dict[str, Marks]:
        """The marks in the first rows of each column."""
        return {name: marks_of(self._text(name).head(JUDGED)) for name in self._names}

    @cached_property
    def _totals(self) -> tuple[int, int]:
        """The numbers of decimal marks and of marks between thousands in all columns.

        The marks of all columns but one are the totals less its own: each column is read once, not once for each other.
        """
        found = [_certain(marks) for marks in self._by_column.values()]
        return sum(decimals for decimals, _ in found), sum(thousands for _, thousands in found)

    def others(self, column: str) -> Marks:
        """Return the marks in the first rows of the other columns."""
        decimals, thousands = self._totals
        own = _certain(self._by_column[column]) if column in self._by_column else (0, 0)
        return Marks(decimals - own[0], thousands - own[1], 0, False, "")

    def doubts_commas(self, column: str) -> bool:
        """Tell whether nothing in the file says if 1,125 is a thousand or one and an eighth."""
        return not self.others(column).thousands and self._delimiter != ","

    def comma_among_errors(self, column: str, text: pl.Series, bad: NDArray[np.bool_]) -> Marks | None:
        """Return the marks of a column with a decimal comma, some cells of which (``bad``) are no numbers else.

        One comma among numbers is a typing error. Several are a way of writing numbers; so is one where another column
        has decimal commas, or where the column's other commas could be either. None: the column has no decimal comma.
        """
        marks = marks_of(text)
        settled = marks.decimals > 0 and not marks.thousands
        several = marks.decimals > 1 or marks.either > 0 or bad.all()
        if settled and (several or self.others(column).decimals):
            mended = int(parse_numbers(text, ",")[1].sum()) < int(bad.sum())
            return marks if mended else None
        if marks.either and not marks.thousands and self._only_decimals(self.others(column)):
            return marks
        return None

    def comma_beside_points(self, column: str, text: pl.Series) -> tuple[Marks | None, Notation | None]:
        """Return the marks of a column whose points stand between thousands, as decimal commas elsewhere say.

        Where nothing says so, but semicolons separate the cells, as they do where commas are decimal marks, returns the
        column's notation, which is doubtful.
        """
        head = text.head(JUDGED).drop_nulls()
        if not head.len() or not head.head(FEW).str.contains(POINTS).all() or not head.str.contains(POINTS).all():
            return None, None
        others = self.others(column)
        example = str(head[0])
        if self._only_decimals(others):
            return marks_of(head)._replace(example=example), None
        if not others.thousands and self._delimiter == ";":
            return None, Notation(doubtful=True, example=example)
        return None, None

    @staticmethod
    def _only_decimals(marks: Marks) -> bool:
        return marks.decimals > 0 and not marks.thousands


def _certain(marks: Marks) -> tuple[int, int]:
    """Return the decimal marks and those between thousands of a column that has only one kind of them."""
    return (0 if marks.thousands else marks.decimals), (0 if marks.decimals else marks.thousands)
