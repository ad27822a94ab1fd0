"""How large the parameters of an equation are, told from the equation and from its columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from descend.formula.ast import Apply, Expression, Name, Operation, Unknown, names_of, unknowns_of
from descend.formula.evaluate import values_of
from descend.formula.visitor import Visitor
from descend.solvers._curve_roles import WAVES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from descend.base.typing import Floats

    Measure = Callable[[Floats], float]
    Form = dict[str, float]

HOMOGENEOUS = {"sqrt": 0.5, "abs": 1.0, "cbrt": 1 / 3}
STRONG, ROOT, WEAK = 0, 1, 2
SAME = 1e-9


def largest(values: Floats) -> float:
    """Return the largest absolute value."""
    return float(np.abs(values).max())


def spread(values: Floats) -> float:
    """Return the distance from the least value to the greatest; the largest absolute value of a constant."""
    return float(np.ptp(values)) or largest(values)


def smallest(values: Floats) -> float:
    """Return a small absolute value: one that a twentieth of the values are below."""
    positive = np.abs(values[values != 0])
    return float(np.quantile(positive, 0.05)) if positive.size else 1.0


@dataclass
class Size:
    """The decimal logarithm of an expression's magnitude: ``constant`` and multiples of those of the parameters.

    values: its values where it has no parameters. power: exponent and base where it is a power with an exponent that
    has parameters.
    """

    form: Form = field(default_factory=dict)
    constant: float = 0.0
    values: Floats | None = None
    power: tuple[str, Size] | None = None


class Magnitudes(Visitor[Size]):
    """The decimal logarithms of the parameters' magnitudes, by dimensional analysis of an equation.

    Terms that are added are as large as each other, what a function like ``exp`` is of is about 1, and the equation is
    as large as its target: linear equations in the logarithms. Those that contradict earlier ones are left out.

    measure: the size of a column and of what is computed of columns alone. waves: the power with which each parameter
    stands in what a wave is of.
    """

    def __init__(self, columns: Mapping[str, Floats], measure: Measure) -> None:
        self.columns, self.measure = columns, measure
        self.equations: list[tuple[int, Form, float]] = []
        self.fresh = 0
        self.waves: dict[str, float] = {}

    def of(self, expressions: Sequence[Expression], targets: Floats) -> dict[str, float]:
        """Return the logarithm of each parameter that has one by the analysis."""
        for output, expression in enumerate(expressions):
            self._equal(ROOT, self.visit(expression), self._known(targets[:, output]))
        return _solved([(form, constant) for _, form, constant in sorted(self.equations, key=lambda each: each[0])])

    def visit(self, expression: Expression) -> Size:
        """Return the size of an expression: measured where it has no parameters."""
        if not isinstance(expression, Unknown) and not any(unknowns_of(expression)):
            return self._known(np.asarray(values_of(expression, self.columns)))
        return super().visit(expression)

    def number(self, value: float) -> Size:
        return self._known(np.asarray(value))

    def column(self, name: Name) -> Size:
        return self._known(self.columns[name.name])

    def unknown(self, unknown: Unknown) -> Size:
        return Size({unknown.name: 1.0})

    def applied(self, call: Apply) -> Size:
        inner = self.visit(call.argument)
        if call.function in HOMOGENEOUS:
            return _scaled(inner, HOMOGENEOUS[call.function])
        if call.function in WAVES:
            for name, multiple in inner.form.items():
                self.waves.setdefault(name, multiple)
        self._equal(STRONG, inner, Size())
        if inner.power:
            self._equal(STRONG, inner.power[1], Size())
        return Size()

    def negated(self, operand: Expression) -> Size:
        return self.visit(operand)

    def joined(self, operation: Operation, left: Expression, right: Expression) -> Size:
        match operation.operator:
            case "*":
                return _combined(self.visit(left), self.visit(right), 1.0)
            case "/":
                return _combined(self.visit(left), self.visit(right), -1.0)
            case "**":
                return self._power(left, right)
        a, b = self.visit(left), self.visit(right)
        if a.power and b.power and a.power[0] == b.power[0]:
            self._equal(STRONG, a.power[1], b.power[1])
        else:
            for each in (a, b):
                if each.power:
                    self._equal(STRONG, each.power[1], Size())
        self._equal(STRONG, a, b)
        if a.values is None and (b.values is not None or not any(names_of(left))):
            return Size(b.form, b.constant)
        return Size(a.form, a.constant)

    def _power(self, left: Expression, right: Expression) -> Size:
        base, exponent = self.visit(left), self.visit(right)
        if exponent.values is not None and exponent.values.ndim == 0:
            return _scaled(base, float(exponent.values))
        self._equal(STRONG, exponent, Size())
        self._equal(WEAK, base, Size())
        self.fresh += 1
        return Size({f"({self.fresh})": 1.0}, power=(str(right), base))

    def _known(self, values: Floats) -> Size:
        finite = values[np.isfinite(values)] if values.ndim else values
        size = self.measure(np.atleast_1d(finite)) if finite.size else 1.0
        return Size(constant=float(np.log10(size)) if 0 < size < np.inf else 0.0, values=values)

    def _equal(self, order: int, a: Size, b: Size) -> None:
        form = _added(a.form, b.form, -1.0)
        if form:
            self.equations.append((order, form, a.constant - b.constant))


def _scaled(size: Size, by: float) -> Size:
    return Size({name: by * multiple for name, multiple in size.form.items()}, by * size.constant)


def _combined(a: Size, b: Size, sign: float) -> Size:
    power = a.power if a.power and b.values is not None else b.power if a.values is not None else None
    return Size(_added(a.form, b.form, sign), a.constant + sign * b.constant, power=power)


def _added(a: Form, b: Form, by: float) -> Form:
    made = {name: a.get(name, 0.0) + by * b.get(name, 0.0) for name in {**a, **b}}
    return {name: multiple for name, multiple in made.items() if abs(multiple) > SAME}


def _solved(equations: list[tuple[Form, float]]) -> dict[str, float]:
    """Return the unknowns that equations ``sum of multiples + constant = 0`` determine, earlier equations first."""
    pivots: dict[str, tuple[Form, float]] = {}
    for form, constant in equations:
        for name, (others, value) in pivots.items():
            form, constant = _substituted(form, constant, name, others, value)
        if not form:
            continue
        name = min(form, key=lambda each: (each.startswith("("), each))
        by = form[name]
        others = {other: -multiple / by for other, multiple in form.items() if other != name}
        value = -constant / by
        pivots = {key: _substituted(*known, name, others, value) for key, known in pivots.items()}
        pivots[name] = others, value
    return {name: value for name, (others, value) in pivots.items() if not others}


def _substituted(form: Form, constant: float, name: str, others: Form, value: float) -> tuple[Form, float]:
    multiple = form.get(name, 0.0)
    if not multiple:
        return form, constant
    rest = {other: each for other, each in form.items() if other != name}
    return _added(rest, others, multiple), constant + multiple * value
