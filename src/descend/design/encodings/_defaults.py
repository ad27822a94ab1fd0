"""What most kinds of encoding answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

from descend.base.double_double import pair

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from descend.base.double_double import Pair
    from descend.base.typing import Floats
    from descend.design.encodings import Group, Spelling
    from descend.formula.ast import Expression, Factor
    from descend.tables.columns import Columns


class Defaults(ABC):
    """The answers of an encoding of which nothing is stored, whose equation is its columns, and which has no SQL."""

    name: ClassVar[str]
    stored_as: ClassVar[Group | None] = None

    @classmethod
    @abstractmethod
    def learn(cls, factor: Factor, data: Columns, rows: NDArray[np.int64] | None = None) -> Self:
        """Learn the encoding from rows."""

    @classmethod
    def sized(cls, factor: Factor, data: Columns) -> Self:
        """Return the encoding that ``learn`` gives."""
        return cls.learn(factor, data)

    def describe(self) -> Any:
        """Return nothing."""
        return None

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """The names of its columns."""

    @property
    def value(self) -> Expression | None:
        """None: its columns are more than an expression's value."""
        return None

    @property
    def reference(self) -> str | None:
        """None: it has no levels."""
        return None

    def with_every_level(self) -> Self:
        """Return the encoding as it is."""
        return self

    @abstractmethod
    def columns(self, data: Columns) -> Floats:
        """Return rows x columns."""

    def exact_columns(self, data: Columns) -> Pair:
        """Return the columns, which have no more than float64's digits."""
        return pair(self.columns(data))

    @property
    def has_sql(self) -> bool:
        """False: the rows are read."""
        return False

    def sql(self, spelling: Spelling) -> list[str]:
        """Raise NotImplementedError."""
        raise NotImplementedError(self.name)

    def addends(self, weights: Floats) -> dict[str, float]:
        """Return each column's weight by its name."""
        return dict(zip(self.names, map(float, weights), strict=True))

    def largest(self, weights: Floats) -> float:
        """Return 0: what is added up are the columns themselves."""
        return 0.0
