"""The blocks of a design: the columns of each term, as its factors are encoded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from descend.base.double_double import multiply
from descend.design._contrasts import subterms_of
from descend.design.encodings.levels import category_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from descend.base.double_double import Pair
    from descend.base.typing import Floats
    from descend.design.encodings import FactorEncoding
    from descend.formula.ast import Expression, Factor, Hypothesis, Term
    from descend.tables.columns import Columns, Use

    Encode = Callable[[Factor], FactorEncoding]


@dataclass(frozen=True)
class Block:
    """The columns of a term, or of some of its factors: all products of theirs; the first factor's change fastest."""

    term: Term
    codes: tuple[FactorEncoding, ...]

    @cached_property
    def names(self) -> list[str]:
        """The names of the columns, ``a:b`` for a product."""
        names = self.codes[0].names
        for code in self.codes[1:]:
            names = [f"{left}:{right}" for right in code.names for left in names]
        return names

    @property
    def computed(self) -> bool:
        """Whether its columns are more than one of the table's numbers, or 0."""
        numbers = [code for code in self.codes if code.use == "number"]
        return len(numbers) > 1 or any(not code.column for code in numbers)

    @property
    def value(self) -> Expression | None:
        """The expression whose value its one column is; None where its columns are made otherwise."""
        return self.codes[0].value if len(self.codes) == 1 else None

    def addends(self, weights: Floats) -> dict[str, float]:
        """Return what the equation adds up for the columns' weights: names and coefficients; see ``FactorEncoding``."""
        if len(self.codes) == 1:
            return self.codes[0].addends(weights)
        return dict(zip(self.names, map(float, weights), strict=True))

    @cached_property
    def width(self) -> int:
        """How many columns."""
        return math.prod(code.width for code in self.codes)

    def columns(self, data: Columns) -> Floats:
        """Return rows x columns of the term; raises DesignError where it is not defined."""
        made = self.codes[0].columns(data)
        for code in self.codes[1:]:
            right = code.columns(data)
            made = (right[:, :, None] * made[:, None, :]).reshape(len(data), -1)
        return made

    def exact_columns(self, data: Columns) -> Pair:
        """Return the same with twice the digits."""
        pairs = [code.exact_columns(data) for code in self.codes]
        made = pairs[0]
        for right in pairs[1:]:
            wide = multiply((right[0][:, :, None], right[1][:, :, None]), (made[0][:, None, :], made[1][:, None, :]))
            made = wide[0].reshape(len(data), -1), wide[1].reshape(len(data), -1)
        return made


def blocks_of(hypothesis: Hypothesis, uses: Mapping[str, Use], encode: Encode) -> tuple[Block, ...]:
    """Encode every term, a block for each of its subterms: see ``subterms_of``."""
    categories = {factor for term in hypothesis.terms for factor in term if category_of(factor, uses) is not None}
    blocks = []
    for term, subterms in zip(hypothesis.terms, subterms_of(hypothesis, categories), strict=True):
        for subterm in subterms:
            own = tuple(factor for factor in term if factor in subterm or factor not in categories)
            coded = {factor: encode(factor) for factor in own}
            shown = [code.with_every_level() if subterm.get(factor) else code for factor, code in coded.items()]
            blocks.append(Block(own, tuple(shown)))
    return tuple(blocks)
