"""What a formula says: expressions, factors and terms, and the hypothesis that they make of a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, NoReturn

from descend.base.errors import FormulaError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

ROW_NUMBERS = "(row)"  # the name of a column that had none and only numbers the rows
MAX_TERMS = 2_000
MAX_WORK = 200_000


@dataclass(frozen=True)
class Number:
    """A number written in the formula."""

    value: float

    def __str__(self) -> str:
        return str(int(self.value)) if self.value.is_integer() and self.value < 1e15 else repr(self.value)


@dataclass(frozen=True)
class Name:
    """A column, with where in the text it stands."""

    name: str
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Apply:
    """A function, by its name in ``functions.FUNCTIONS``, applied to an expression."""

    function: str
    argument: Expression

    def __str__(self) -> str:
        return f"{self.function}({self.argument})"


@dataclass(frozen=True)
class Operation:
    """Two expressions joined by + - * / or **; unary minus has no left side."""

    operator: str
    left: Expression | None
    right: Expression

    def __str__(self) -> str:
        if self.left is None:
            return f"-{grouped(self.right)}"
        space = "" if self.operator == "**" else " "
        looser = {"+": "", "-": "", "*": "+-", "/": "+-"}.get(self.operator)
        bare = isinstance(self.left, Operation) and looser is not None and self.left.operator not in looser
        left = str(self.left) if bare else grouped(self.left)
        return f"{left}{space}{self.operator}{space}{grouped(self.right)}"


Expression = Number | Name | Apply | Operation


@dataclass(frozen=True)
class Arithmetic:
    """A factor computed from columns: one column as it is, a function of it, or ``I(...)``."""

    expression: Expression

    def __str__(self) -> str:
        return f"I({self.expression})" if isinstance(self.expression, Operation) else str(self.expression)


@dataclass(frozen=True)
class Poly:
    """The powers 1 to ``degree`` of an expression, made orthogonal unless ``raw``."""

    expression: Expression
    degree: int
    raw: bool = False

    def __str__(self) -> str:
        return f"poly({self.expression}, {self.degree}{', raw=True' if self.raw else ''})"


@dataclass(frozen=True)
class Category:
    """A column whose values are levels, whatever its kind: ``C(name)``."""

    name: Name

    def __str__(self) -> str:
        return f"C({self.name})"


Factor = Arithmetic | Poly | Category
Term = tuple[Factor, ...]


@dataclass(frozen=True)
class Leaf:
    """A factor, ``.`` (no factor) or, where ``intercept`` is not None, a 0 or a 1."""

    factor: Factor | None = None
    intercept: bool | None = None


@dataclass(frozen=True)
class Chain:
    """Parts joined by the operator before each of them, from left to right; the first operator is "+" or "-"."""

    parts: tuple[tuple[str, Tree, int], ...]


@dataclass(frozen=True)
class Power:
    """A sum crossed with itself: ``(a + b)^2``."""

    base: Tree
    exponent: int
    position: int


Tree = Leaf | Chain | Power
_Terms = dict[frozenset[Factor], Term]


@dataclass(frozen=True)
class Hypothesis:
    """What a formula says of a table: its targets, its terms in order, and whether there is an intercept."""

    text: str
    targets: tuple[Expression, ...]
    terms: tuple[Term, ...]
    intercept: bool

    @property
    def inputs(self) -> list[Name]:
        """The columns that the terms use, in the order of their first use."""
        return _unique(name for term in self.terms for factor in term for name in names_of(factor))

    @property
    def outputs(self) -> list[Name]:
        """The columns that the targets use."""
        return _unique(name for target in self.targets for name in names_of(target))


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

    def resolve(self, columns: Sequence[str], repeated: Collection[str] = ()) -> Hypothesis:
        """Return the hypothesis over those columns, with ``.`` written out; it leaves out a column of row numbers.

        repeated: the names that several columns have. Raises FormulaError where the formula uses one of these, for a
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
                near = get_close_matches(name.name, columns, n=1, cutoff=0.6)
                code = "formula.unknown-column-near" if near else "formula.unknown-column"
                fail(
                    code,
                    self.text,
                    name.position,
                    found=name.name,
                    known=_listed(columns),
                    near="".join(near),
                )
        for name in hypothesis.inputs:
            if name.name in outputs:
                fail("formula.target-on-right", self.text, name.position, found=name.name)
        if not terms and not hypothesis.intercept:
            fail("formula.nothing", self.text, len(self.text))
        return hypothesis


def names_of(node: Expression | Factor) -> Iterable[Name]:
    """Yield the columns that an expression or a factor uses."""
    match node:
        case Name():
            yield node
        case Apply(argument=inner) | Arithmetic(expression=inner) | Poly(expression=inner) | Category(name=inner):
            yield from names_of(inner)
        case Operation():
            for side in (node.left, node.right):
                if side is not None:
                    yield from names_of(side)
        case Number():
            return


def functions_of(expression: Expression) -> list[str]:
    """Return the names of the functions in an expression, each once, the outermost first.

    >>> functions_of(Apply("log", Apply("sqrt", Name("x"))))
    ['log', 'sqrt']
    """
    match expression:
        case Apply(name, argument):
            return list(dict.fromkeys([name, *functions_of(argument)]))
        case Operation(left=left, right=right):
            inside = [*(functions_of(left) if left is not None else ()), *functions_of(right)]
            return list(dict.fromkeys(inside))
    return []


def leaves(tree: Tree) -> Iterable[Leaf]:
    """Yield the leaves of a right-hand side, from left to right."""
    match tree:
        case Leaf():
            yield tree
        case Power():
            yield from leaves(tree.base)
        case Chain():
            for _, part, _ in tree.parts:
                yield from leaves(part)


def _names_in(leaf: Leaf) -> Iterable[Name]:
    return names_of(leaf.factor) if leaf.factor is not None else ()


def label(term: Term) -> str:
    """Return a term as a formula has it.

    >>> label((Arithmetic(Name("a")), Category(Name("b"))))
    'a:C(b)'
    """
    return ":".join(map(str, term))


def fail(code: str, text: str, position: int, **values: object) -> NoReturn:
    """Raise a FormulaError that points at ``position`` of ``text``."""
    raise FormulaError(code, text=text, position=position, **values)


def grouped(node: Expression) -> str:
    """Return an expression as text, in parentheses where it is an operation.

    >>> grouped(Name("x")), grouped(Operation("+", Name("x"), Number(1.0)))
    ('x', '(x + 1)')
    """
    return f"({node})" if isinstance(node, Operation) else str(node)


def _unique(names: Iterable[Name]) -> list[Name]:
    found: dict[str, Name] = {}
    for name in names:
        found.setdefault(name.name, name)
    return list(found.values())


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(columns[:12])
    return f"{shown}, … ({len(columns)})" if len(columns) > 12 else shown


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
