"""What a formula says: expressions, factors and terms, and the hypothesis that they make of a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NoReturn

from descend.base.errors import FormulaError

if TYPE_CHECKING:
    from collections.abc import Iterable

ROW_NUMBERS = "(row)"  # the name of a column that had none and only numbers the rows


@dataclass(frozen=True)
class Number:
    """A number written in the formula; ``name`` is how it is written where that is a word: pi."""

    value: float
    name: str = ""

    def __str__(self) -> str:
        if self.name:
            return self.name
        return str(int(self.value)) if self.value.is_integer() and self.value < 1e15 else repr(self.value)


@dataclass(frozen=True)
class Name:
    """A column, with where in the text it stands."""

    name: str
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Unknown:
    """A parameter of an equation, a number that the fit finds, with where in the text it stands."""

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
    """Two expressions joined by + - * / ** or by min or max; unary minus has no left side."""

    operator: str
    left: Expression | None
    right: Expression

    def __str__(self) -> str:
        if self.left is None:
            return f"-{grouped(self.right)}"
        if self.operator in ("min", "max"):
            return f"{self.operator}({self.left}, {self.right})"
        space = "" if self.operator == "**" else " "
        looser = {"+": "", "-": "", "*": "+-", "/": "+-"}.get(self.operator)
        bare = isinstance(self.left, Operation) and looser is not None and self.left.operator not in looser
        left = str(self.left) if bare else grouped(self.left)
        return f"{left}{space}{self.operator}{space}{grouped(self.right)}"


Expression = Number | Name | Unknown | Apply | Operation


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


@dataclass(frozen=True)
class Coefficient:
    """The parameter that a person named for a coefficient: it is ``sign`` (1 or -1) times the coefficient."""

    parameter: str
    sign: int = 1


@dataclass(frozen=True)
class Curve:
    """The right-hand sides of equations that are not linear in their parameters.

    expressions: an output each, as the loss takes them: the linear predictor. So a family's outer function (``sigmoid``
        of a probability, ``exp`` of a count) is taken off, or its inverse is put on where it does not stand.
    parameters: their names, in the order in which they stand. columns: the columns that they use.
    """

    expressions: tuple[Expression, ...]
    parameters: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Hypothesis:
    """What a formula says of a table: its targets, its terms in order, and whether there is an intercept.

    Of an equation that is linear in its parameters ``coefficients`` has, for each output, the parameter of each column
    of the design, the intercept's first. Of any other equation ``curve`` has its right-hand sides, and the terms are
    the columns that it uses. Of every equation ``written`` has the right-hand sides as they were written, with their
    parameters, and ``about`` says what they give: the "mean" of a number or a "probability", that of the class
    ``level`` where one is named.
    """

    text: str
    targets: tuple[Expression, ...]
    terms: tuple[Term, ...]
    intercept: bool
    coefficients: tuple[tuple[Coefficient, ...], ...] = ()
    curve: Curve | None = None
    written: tuple[Expression, ...] = ()
    about: Literal["", "mean", "probability"] = ""
    level: str | None = None

    @property
    def inputs(self) -> list[Name]:
        """The columns that the terms use, in the order of their first use."""
        return _unique(name for term in self.terms for factor in term for name in names_of(factor))

    @property
    def parameters(self) -> list[str]:
        """The parameters of an equation, in the order in which they stand."""
        return list(dict.fromkeys(one.name for expression in self.written for one in unknowns_of(expression)))

    @property
    def outputs(self) -> list[Name]:
        """The columns that the targets use."""
        return _unique(name for target in self.targets for name in names_of(target))


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
        case Number() | Unknown():
            return


def unknowns_of(expression: Expression) -> Iterable[Unknown]:
    """Yield the parameters that an expression uses, from left to right, as often as they stand there."""
    match expression:
        case Unknown():
            yield expression
        case Apply(argument=inner):
            yield from unknowns_of(inner)
        case Operation():
            for side in (expression.left, expression.right):
                if side is not None:
                    yield from unknowns_of(side)


def constant_parts(expression: Expression) -> Iterable[Expression]:
    """Yield the largest parts of an expression that use columns and no parameters."""
    if not any(unknowns_of(expression)):
        if any(names_of(expression)):
            yield expression
        return
    match expression:
        case Apply(argument=inner):
            yield from constant_parts(inner)
        case Operation():
            for side in (expression.left, expression.right):
                if side is not None:
                    yield from constant_parts(side)


def bases_of(expression: Expression) -> Iterable[Expression]:
    """Yield what an expression raises to a power, from the outermost power to the innermost.

    >>> [str(base) for base in bases_of(Apply("log", Operation("**", Name("x"), Number(2.0))))]
    ['x']
    """
    match expression:
        case Apply(argument=inner):
            yield from bases_of(inner)
        case Operation(operator, left, right):
            if operator == "**" and left is not None:
                yield left
            for side in (left, right):
                if side is not None:
                    yield from bases_of(side)


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
    return f"({node})" if isinstance(node, Operation) and node.operator not in ("min", "max") else str(node)


def _unique(names: Iterable[Name]) -> list[Name]:
    found: dict[str, Name] = {}
    for name in names:
        found.setdefault(name.name, name)
    return list(found.values())
