"""A parsed equation and what it means for a table: its names told apart, and its terms where it is linear in them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from descend.formula._affine import ONE, REST, NotAffineError, affine
from descend.formula._names import close_to, first_names, near_name
from descend.formula.ast import (
    ROW_NUMBERS,
    Arithmetic,
    Coefficient,
    Curve,
    Expression,
    Hypothesis,
    Name,
    Number,
    Unknown,
    bases_of,
    fail,
    names_of,
    unknowns_of,
)
from descend.formula.linear_predictor import inside
from descend.formula.rebuilt import Rebuilt

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from descend.formula._affine import Signed
    from descend.formula.ast import Term

MAX_PARAMETERS = 200
EULER = "e"
MIDDLE_DOT = "·"
CONSTANTS = {"pi": Number(math.pi, "pi")}


@dataclass(frozen=True)
class Relation:
    """One equation: its left side, its right side with a ``Name`` for each column and parameter, and where both start.

    probability: whether the left side is ``P(column)``, with the class in ``level`` where it is named.
    """

    target: Expression
    right: Expression
    position: int
    right_position: int
    probability: bool = False
    level: str | None = None


@dataclass(frozen=True)
class Equation:
    """One equation or several; ``resolve`` says what they mean for a table's columns."""

    text: str
    relations: tuple[Relation, ...]

    def __str__(self) -> str:
        return self.text

    @property
    def names(self) -> list[Name]:
        """The columns and the parameters, in the order in which they stand."""
        return [name for relation in self.relations for name in (*names_of(relation.target), *names_of(relation.right))]

    def columns_among(self, columns: Sequence[str]) -> list[str]:
        """Return which columns of a table the equation uses."""
        return [name for name in dict.fromkeys(name.name for name in self.names) if name in columns]

    def parameters_among(self, columns: Sequence[str]) -> list[str]:
        """Return the names on the right that are neither columns nor constants, in the order in which they stand."""
        used = (name.name for relation in self.relations for name in names_of(relation.right))
        return [name for name in dict.fromkeys(used) if name not in columns and name not in CONSTANTS]

    @property
    def columns(self) -> list[Name]:
        """The names that are columns in any table: those on the left."""
        return [name for target in self.targets for name in names_of(target)]

    @property
    def targets(self) -> tuple[Expression, ...]:
        """The left sides."""
        return tuple(relation.target for relation in self.relations)

    def resolve(
        self,
        columns: Sequence[str],
        repeated: Collection[str] = (),
        declared: Collection[str] = (),
        held: Collection[str] = (),
    ) -> Hypothesis:
        """Return the hypothesis over those columns: a name that is none of them is a parameter.

        repeated: the names that several columns have. declared: names that are said to be parameters. held: parameters
        that are fixed or bounded, whose equation is a curve also where it is linear.

        Raises FormulaError for a left side that is no column, for a target on the right, for an equation without
        parameters, for a name that may be a misspelt column and is not declared, and for a declared one that is a
        column or does not stand in the equation.
        """
        outputs = self._outputs(columns, repeated)
        self._check_declared(columns, declared)
        parameters = self._parameters(columns, repeated, declared, outputs)
        told_apart = _ToldApart(columns)
        written = tuple(told_apart.visit(relation.right) for relation in self.relations)
        if not parameters:
            fail("formula.no-parameter", self.text, self.relations[0].right_position)
        (first, *_) = self.relations
        hypothesis = Hypothesis(
            self.text,
            self.targets,
            (),
            intercept=False,
            written=written,
            about="probability" if first.probability else "mean",
            level=first.level,
        )
        made = through(hypothesis, "sigmoid" if first.probability else "", held)
        if not made.inputs and not made.intercept:
            fail("formula.no-column", self.text, self.relations[0].right_position, known=first_names(columns))
        return made

    def _outputs(self, columns: Sequence[str], repeated: Collection[str]) -> set[str]:
        """Return the columns on the left."""
        outputs: set[str] = set()
        for relation in self.relations:
            (name,) = names_of(relation.target)
            if name.name in repeated:
                fail("formula.repeated-column", self.text, name.position, found=name.name)
            if name.name not in columns:
                near = near_name(name.name, columns)
                code = "formula.unknown-column-near" if near else "formula.unknown-column"
                fail(code, self.text, name.position, found=name.name, known=first_names(columns), near=near)
            if name.name in outputs:
                fail("formula.target-twice", self.text, name.position, found=name.name)
            outputs.add(name.name)
        return outputs

    def _check_declared(self, columns: Sequence[str], declared: Collection[str]) -> None:
        used = {name.name: name.position for relation in self.relations for name in names_of(relation.right)}
        parameters = self.parameters_among(columns)
        for name in declared:
            if name in columns:
                fail("formula.declared-column", self.text, used.get(name, 0), found=name)
            if name not in parameters:
                near = near_name(name, parameters)
                code = "formula.declared-unused-near" if near else "formula.declared-unused"
                fail(code, self.text, len(self.text), found=name, known=", ".join(parameters), near=near)

    def _parameters(
        self, columns: Sequence[str], repeated: Collection[str], declared: Collection[str], outputs: set[str]
    ) -> set[str]:
        """Return the names on the right that are parameters."""
        used = [name for relation in self.relations for name in names_of(relation.right)]
        taken = {*outputs, *(name.name for name in used), ROW_NUMBERS}
        unused = [name for name in columns if name not in taken]
        found: set[str] = set()
        for name in used:
            if name.name in outputs:
                fail("formula.target-on-right", self.text, name.position, found=name.name)
            if name.name in repeated:
                fail("formula.repeated-column", self.text, name.position, found=name.name)
            if name.name in columns or name.name in CONSTANTS:
                continue
            if name.name not in declared:
                self._check_meant(name, unused)
            found.add(name.name)
            if len(found) > MAX_PARAMETERS:
                fail("formula.too-many-parameters", self.text, name.position, limit=MAX_PARAMETERS)
        return found

    def _check_meant(self, name: Name, unused: Sequence[str]) -> None:
        """Raise FormulaError for a parameter that may be something else: a column, Euler's number or a product."""
        if near := close_to(name.name, unused):
            fail("formula.parameter-or-column", self.text, name.position, found=name.name, near=near)
        if name.name == EULER and any(name in bases_of(relation.right) for relation in self.relations):
            fail("formula.parameter-or-euler", self.text, name.position, found=name.name)
        if MIDDLE_DOT in name.name:
            product = " * ".join(name.name.split(MIDDLE_DOT))
            fail("formula.name-or-product", self.text, name.position, found=name.name, product=product)


class _ToldApart(Rebuilt):
    """The same expression with a parameter, or a constant, for each name that is no column."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = set(columns)

    def column(self, name: Name) -> Expression:
        if name.name in self.columns:
            return name
        return CONSTANTS.get(name.name) or Unknown(name.name, name.position)


def through(hypothesis: Hypothesis, outer: str, held: Collection[str] = ()) -> Hypothesis:
    """Return the hypothesis of an equation whose predictions are ``outer`` of the linear predictor.

    outer: the function of a link, "sigmoid" of a probability, "exp" of counts; "" where the predictor is the
    prediction. Where the predictor is linear in its parameters, each with a column of its own, and none of them is
    ``held``, the hypothesis has terms and coefficients as a formula has them; else a curve.
    """
    written = hypothesis.written
    expressions = written if not outer else tuple(inside(expression, outer) for expression in written)
    parameters = tuple(dict.fromkeys(one.name for expression in written for one in unknowns_of(expression)))
    if not set(held) & set(parameters) and (linear := _linear(expressions)):
        terms, intercept, coefficients = linear
        return replace(hypothesis, terms=terms, intercept=intercept, coefficients=coefficients, curve=None)
    columns = tuple(dict.fromkeys(name.name for expression in written for name in names_of(expression)))
    places = {name.name: name for expression in written for name in names_of(expression)}
    return replace(
        hypothesis,
        terms=tuple((Arithmetic(places[name]),) for name in columns),
        intercept=False,
        coefficients=(),
        curve=Curve(expressions, parameters, columns),
    )


def of_family(hypothesis: Hypothesis, outer: str, held: Collection[str] = ()) -> Hypothesis:
    """Return a resolved hypothesis with the function of its family's link; that of a probability it has already."""
    return through(hypothesis, outer, held) if hypothesis.about == "mean" and outer else hypothesis


def _linear(
    expressions: tuple[Expression, ...],
) -> tuple[tuple[Term, ...], bool, tuple[tuple[Coefficient, ...], ...]] | None:
    """Return terms, intercept and coefficients, None where a parameter has no column of its own or outputs differ."""
    try:
        found = [affine(expression) for expression in expressions]
    except NotAffineError:
        return None
    outputs = [_by_column(factors) for factors in found]
    parameters = [name for factors in found for name in factors]
    if None in outputs or len(parameters) > len(set(parameters)):
        return None
    first = outputs[0]
    assert first is not None
    if any(other is None or other.keys() != first.keys() for other in outputs):
        return None
    columns = [*([ONE] if ONE in first else []), *(factor for factor in first if factor != ONE)]
    terms = tuple((Arithmetic(factor),) for factor in columns if factor != ONE)
    coefficients = tuple(tuple(own[factor] for factor in columns) for own in outputs if own is not None)
    return terms, ONE in first, coefficients


def _by_column(factors: dict[str, Signed]) -> dict[Expression, Coefficient] | None:
    """Return the parameter of each column; None where two have one, a column is a number, or something has none."""
    made: dict[Expression, Coefficient] = {}
    for name, (sign, factor) in factors.items():
        if name == REST or factor in made or (factor != ONE and not any(names_of(factor))):
            return None
        made[factor] = Coefficient(name, sign)
    return made
