"""A parsed formula and what it means for a table: its terms written out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from descend.formula._names import first_names, near_name
from descend.formula.ast import (
    ROW_NUMBERS,
    Arithmetic,
    Factor,
    Hypothesis,
    Leaf,
    Name,
    Power,
    Term,
    Tree,
    fail,
    leaves,
    names_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from descend.formula.ast import Expression

MAX_TERMS = 2_000
MAX_WORK = 200_000
_Terms = dict[frozenset[Factor], Term]


@dataclass(frozen=True)
class Formula:
    """A parsed formula; ``resolve`` says what it means for a table's columns."""

    text: str
    targets: tuple[Expression, ...]
    right: Tree

    def __str__(self) -> str:
        return self.text

    @property
    def names(self) -> list[Name]:
        """The columns that are named, in the order in which they stand."""
        return [
            *(name for target in self.targets for name in names_of(target)),
            *(name for leaf in leaves(self.right) for name in _names_in(leaf)),
        ]

    @property
    def columns(self) -> list[Name]:
        """The names that are columns in any table: all of them."""
        return self.names

    def columns_among(self, columns: Sequence[str]) -> list[str]:
        """Return which columns of a table the formula uses; raises FormulaError as ``resolve`` does."""
        hypothesis = self.resolve(columns)
        return [name.name for name in (*hypothesis.inputs, *hypothesis.outputs)]

    def parameters_among(self, columns: Sequence[str]) -> list[str]:
        """Return no names: a formula has no parameters."""
        return []

    def resolve(
        self,
        columns: Sequence[str],
        repeated: Collection[str] = (),
        declared: Collection[str] = (),
        held: Collection[str] = (),
    ) -> Hypothesis:
        """Return the hypothesis over those columns, with ``.`` written out; it leaves out a column of row numbers.

        repeated: the names that several columns have. declared, held: those of ``Equation.resolve``, which say nothing
        to a formula: it has no parameters. Raises FormulaError where the formula uses one of these, for a
        name that is not among the columns, for a target on the right, and for a right-hand side of nothing.
        """
        outputs = [name.name for target in self.targets for name in names_of(target)]
        left_out = (*outputs, ROW_NUMBERS)
        others: list[Factor] = [Arithmetic(Name(column)) for column in columns if column not in left_out]
        expanded, intercept = _Expansion(others, self.text).expand(self.right)
        terms = tuple(sorted(expanded.values(), key=len))  # main effects first, as written
        hypothesis = Hypothesis(self.text, self.targets, terms, intercept is not False)
        for name in self.names:
            if name.name in repeated:
                fail("formula.repeated-column", self.text, name.position, found=name.name)
            if name.name not in columns:
                near = near_name(name.name, columns)
                code = "formula.unknown-column-near" if near else "formula.unknown-column"
                fail(code, self.text, name.position, found=name.name, known=first_names(columns), near=near)
        for name in hypothesis.inputs:
            if name.name in outputs:
                fail("formula.target-on-right", self.text, name.position, found=name.name)
        if not terms and not hypothesis.intercept:
            fail("formula.nothing", self.text, len(self.text))
        return hypothesis


def _names_in(leaf: Leaf) -> Iterable[Name]:
    return names_of(leaf.factor) if leaf.factor is not None else ()


class _Expansion:
    """Expands a right-hand side into its terms; it stops at a limit, because a formula may come from a web page."""

    def __init__(self, others: list[Factor], text: str) -> None:
        self.others, self.text, self.work = others, text, 0

    def expand(self, node: Tree) -> tuple[_Terms, bool | None]:
        """Return the terms, in order, and what the node says of the intercept (None: nothing)."""
        match node:
            case Leaf(factor=None, intercept=None):
                return {frozenset([factor]): (factor,) for factor in self.others}, None
            case Leaf(factor=None):
                return {}, node.intercept
            case Leaf():
                assert node.factor is not None
                return {frozenset([node.factor]): (node.factor,)}, None
            case Power():
                base, intercept = self.expand(node.base)
                terms, newest = dict(base), base
                for _ in range(node.exponent - 1):
                    crossed = self.crossed(newest, base, node.position)
                    newest = {key: term for key, term in crossed.items() if key not in terms}
                    terms = self.united(node.position, terms, newest)
                return terms, intercept
        terms, intercept = {}, None
        for operator, part, position in node.parts:
            right, said = self.expand(part)
            if operator == "-":
                terms = {key: term for key, term in terms.items() if key not in right}
                intercept = intercept if said is None else not said
            else:
                crossed = self.crossed(terms, right, position) if operator in "*:" else {}
                if operator == ":":
                    terms = crossed
                else:
                    self.united(position, terms, right, crossed)
                intercept = intercept if said is None else said
        return terms, intercept

    def crossed(self, left: _Terms, right: _Terms, position: int) -> _Terms:
        """Return the product of every term of one side with every one of the other."""
        self.count(len(left) * len(right), position)
        crossed: _Terms = {}
        for a_key, a in left.items():
            for b_key, b in right.items():
                key = a_key | b_key
                if key not in crossed:
                    crossed[key] = (*a, *(factor for factor in b if factor not in a_key))
            if len(crossed) > MAX_TERMS:
                fail("formula.too-many-terms", self.text, position, limit=MAX_TERMS)
        return crossed

    def united(self, position: int, terms: _Terms, *more: _Terms) -> _Terms:
        """Add terms to the first, each as it was written first, and return it."""
        for added in more:
            self.count(len(added), position)
            for key, term in added.items():
                terms.setdefault(key, term)
        return terms

    def count(self, work: int, position: int) -> None:
        """Add to the work done; raises FormulaError where it is more than MAX_WORK."""
        self.work += work
        if self.work > MAX_WORK:
            fail("formula.too-many-terms", self.text, position, limit=MAX_TERMS)
