"""How a factor of a term becomes columns: each kind of encoding is a class in a module of its own here.

``FactorEncoding`` is what the program asks of one, whatever its kind. To add a kind, add a module with a class that
``ENCODINGS.add`` takes up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from descend.base.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from descend.base.double_double import Pair
    from descend.base.typing import Floats
    from descend.formula.ast import Expression, Factor
    from descend.tables.columns import Columns, Use

    Group = tuple[str, type]  # its name, and list or dict

CONSTANT = ""  # the name of the constant among addends


class Spelling(Protocol):
    """What an encoding asks of a database to write its columns."""

    def number(self, expression: Expression) -> str:
        """Return the SQL of an expression's value."""

    def indicator(self, column: str, level: str) -> str:
        """Return the SQL of a 1 in rows of a category's level, and a 0 in others."""


class FactorEncoding(Protocol):
    """A factor as it was learnt on a table's rows, which makes the same columns of any rows.

    name: what the kind is called.
    use: how the table's columns are read for it.
    stored_as: the entry of a design's description that such encodings add to, and whether that is a list (one after
        another) or a dict (by column); None where the formula says all there is to know.
    """

    name: ClassVar[str]
    use: ClassVar[Use]
    stored_as: ClassVar[Group | None]

    @classmethod
    def takes(cls, factor: Factor, uses: Mapping[str, Use]) -> bool:
        """Tell whether this kind encodes a factor of columns that are used so."""

    @classmethod
    def learn(cls, factor: Factor, data: Columns, rows: NDArray[np.int64] | None = None) -> FactorEncoding:
        """Learn the encoding from the rows that are fitted (default: all); raises DesignError where they do not do.

        What is to be known of other rows, too, as which levels there are, is learnt from all.
        """

    @classmethod
    def sized(cls, factor: Factor, data: Columns) -> FactorEncoding:
        """Return an encoding with as many columns as there will be, at less work where that can be."""

    @classmethod
    def restore(cls, factor: Factor, stored: StoredEncodings) -> FactorEncoding:
        """Build the encoding again from what ``describe`` gave; raises ValueError for anything else."""

    def describe(self) -> Any:
        """Return what ``restore`` needs besides the factor, as JSON can hold it."""

    @property
    def names(self) -> list[str]:
        """The names of its columns."""

    @property
    def width(self) -> int:
        """How many columns it has."""

    @property
    def inputs(self) -> set[str]:
        """The columns of the table that it reads."""

    @property
    def column(self) -> str:
        """The column of the table that it encodes as it stands; "" where it computes something first."""

    @property
    def expression(self) -> Expression | None:
        """What it computes of the table's numbers; None of anything but numbers."""

    @property
    def value(self) -> Expression | None:
        """The expression whose value its one column is; None where its columns are made otherwise."""

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels of a category; of anything else there are none."""

    @property
    def reference(self) -> str | None:
        """The level that has no column; None where each has one."""

    def with_every_level(self) -> FactorEncoding:
        """Return the encoding with a column for each level, the reference too."""

    def columns(self, data: Columns) -> Floats:
        """Return rows x columns; raises DesignError where a row has none."""

    def exact_columns(self, data: Columns) -> Pair:
        """Return the columns with twice float64's digits, where there are more than float64's."""

    @property
    def has_sql(self) -> bool:
        """Whether a database can make its columns."""

    def sql(self, spelling: Spelling) -> list[str]:
        """Return the SQL of each column; raises NotImplementedError where ``has_sql`` says that there is none."""

    def addends(self, weights: Floats) -> dict[str, float]:
        """Return what the equation adds up for the columns' weights: names (CONSTANT: no name) and coefficients."""

    def largest(self, weights: Floats) -> float:
        """Return the size of the largest addend that is not one of the columns themselves; 0 where there is none."""


class StoredEncodings:
    """What a description holds of encodings; each entry is taken once, in the order of the design's blocks.

    width: the most columns that there can be.
    """

    def __init__(self, groups: Mapping[str, Any], width: int) -> None:
        self.width = width
        self._lists = {name: list(found) for name, found in groups.items() if isinstance(found, list)}
        self._columns = {name: dict(found) for name, found in groups.items() if isinstance(found, dict)}
        self._taken: set[tuple[str, str]] = set()

    def following(self, group: str) -> Any:
        """Take the next entry of a list; raises ValueError where it is at its end."""
        if not self._lists.get(group):
            raise ValueError(group)
        return self._lists[group].pop(0)

    def of_column(self, group: str, column: str) -> Any:
        """Take a column's entry; raises ValueError where there is none."""
        if column not in self._columns.get(group, {}):
            raise ValueError(column[:100])
        self._taken.add((group, column))
        return self._columns[group][column]

    def left(self) -> bool:
        """Tell whether there is an entry that nobody took."""
        columns = {(group, column) for group, found in self._columns.items() for column in found}
        return any(self._lists.values()) or columns != self._taken


ENCODINGS: Registry[type[FactorEncoding]] = Registry("encoding", __name__)


def kind_of_factor(factor: Factor, uses: Mapping[str, Use]) -> type[FactorEncoding]:
    """Return the kind of encoding that takes a factor of columns that are used so."""
    return next(kind for kind in ENCODINGS.values() if kind.takes(factor, uses))
