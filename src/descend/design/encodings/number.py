"""A number: an expression's value is the one column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from descend.design.encodings import ENCODINGS, Spelling, StoredEncodings
from descend.design.encodings._defaults import Defaults
from descend.design.encodings._values import defined, exactly_defined
from descend.formula.ast import Arithmetic, Expression, Factor, Name, names_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from descend.base.double_double import Pair
    from descend.base.typing import Floats
    from descend.tables.columns import Columns, Use


@ENCODINGS.add
@dataclass(frozen=True)
class NumberCode(Defaults):
    """One column: an expression's value."""

    name: ClassVar[str] = "number"
    use: ClassVar[Use] = "number"
    levels: ClassVar[tuple[str, ...]] = ()
    expression: Expression
    text: str

    @classmethod
    def takes(cls, factor: Factor, uses: Mapping[str, Use]) -> bool:
        """Tell whether a factor is computed, or is a column of numbers."""
        if not isinstance(factor, Arithmetic):
            return False
        return not isinstance(factor.expression, Name) or uses[factor.expression.name] == "number"

    @classmethod
    def of(cls, factor: Factor) -> NumberCode:
        """Return the encoding of a factor, of which nothing is to be learnt."""
        assert isinstance(factor, Arithmetic)
        return cls(factor.expression, str(factor))

    @classmethod
    def learn(cls, factor: Factor, data: Columns, rows: NDArray[np.int64] | None = None) -> NumberCode:  # noqa: ARG003
        """Return the encoding, whatever the rows."""
        return cls.of(factor)

    @classmethod
    def restore(cls, factor: Factor, stored: StoredEncodings) -> NumberCode:  # noqa: ARG003
        """Return the encoding; of it nothing is stored."""
        return cls.of(factor)

    @property
    def names(self) -> list[str]:
        """The name of the column."""
        return [self.text]

    @property
    def width(self) -> int:
        """How many columns."""
        return 1

    @property
    def inputs(self) -> set[str]:
        """The columns that the expression uses."""
        return {name.name for name in names_of(self.expression)}

    @property
    def column(self) -> str:
        """The column that the expression is; "" where it is more."""
        return self.expression.name if isinstance(self.expression, Name) else ""

    @property
    def value(self) -> Expression:
        """The expression."""
        return self.expression

    @property
    def has_sql(self) -> bool:
        """Whether a database can make its column."""
        return True

    def sql(self, spelling: Spelling) -> list[str]:
        """Return the SQL of the value."""
        return [spelling.number(self.expression)]

    def columns(self, data: Columns) -> Floats:
        """Return the value for every row, rows x 1; raises DesignError where it is not defined."""
        return defined(self.expression, self.text, data)[:, None]

    def exact_columns(self, data: Columns) -> Pair:
        """Return the same with twice the digits."""
        high, low = exactly_defined(self.expression, self.text, data)
        return high[:, None], low[:, None]
