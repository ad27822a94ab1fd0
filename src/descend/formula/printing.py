"""Equations as text: as they are read again, or with numbers in the place of their parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from descend.formula.ast import Expression, Name, Number, Operation, Unknown, names_of
from descend.formula.notation import quoted
from descend.formula.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from descend.formula.ast import Apply, Hypothesis

SUM, PRODUCT, SIGNED, OPERAND = range(4)  # the rule of the grammar that gives a text, the loosest first
MINUS = "−"


def equations_of(hypothesis: Hypothesis, numbers: Mapping[str, str] | None = None) -> list[str]:
    """Return the equations of a hypothesis, one a target, with numbers for parameters where they are given.

    >>> from descend.formula.parser import parse
    >>> hypothesis = parse("P(y = 1) = sigmoid(b * x + a)").resolve(["x", "y"])
    >>> equations_of(hypothesis), equations_of(hypothesis, {"a": "-2", "b": "0.5"})
    (['P(y = 1) = sigmoid(b × x + a)'], ['P(y = 1) = sigmoid(0.5 × x − 2)'])
    """
    lefts = [with_numbers(target, {}) for target in hypothesis.targets]
    if hypothesis.about == "probability":
        (name,) = names_of(hypothesis.targets[0])
        level = "" if hypothesis.level is None else f" = {_level(hypothesis.level)}"
        lefts = [f"P({quoted(name.name)}{level})"]
    rights = [with_numbers(expression, numbers or {}) for expression in hypothesis.written]
    return [f"{left} = {right}" for left, right in zip(lefts, rights, strict=True)]


def with_numbers(expression: Expression, numbers: Mapping[str, str]) -> str:
    """Return an expression as an equation takes it, with the numbers of its parameters.

    numbers: the text of each number by parameter. Then signs are put together: ``+ -3`` becomes ``− 3``. Without
    numbers the text is read as the same expression again.

    >>> from descend.formula.parser import parse
    >>> (curve,) = parse("y = a * exp(-b * x) - c").resolve(["x", "y"]).written
    >>> with_numbers(curve, {}), with_numbers(curve, {"a": "2.5", "b": "0.7", "c": "-1"})
    ('a × exp(−b × x) − c', '2.5 × exp(−0.7 × x) + 1')
    """
    return (_WithNumbers(numbers) if numbers else _AsWritten()).visit(expression).whole


@dataclass(frozen=True)
class _Text:
    """A text, the rule that gives it, and whether a minus stands before it."""

    text: str
    rule: int
    negative: bool = False

    @property
    def whole(self) -> str:
        """The text with its minus."""
        return f"{MINUS}{self.without_sign(PRODUCT)}" if self.negative else self.text

    def at(self, rule: int) -> str:
        """Return the text with its minus where a rule is wanted, in parentheses where it is of a looser one."""
        loose = min(self.rule, SIGNED) if self.negative else self.rule
        return self.whole if loose >= rule else f"({self.whole})"

    def without_sign(self, rule: int) -> str:
        """Return the text without its minus where a rule is wanted."""
        return self.text if self.rule >= rule else f"({self.text})"


class _AsWritten(Visitor[_Text]):
    """The text that is read as the same tree."""

    def visit(self, expression: Expression) -> _Text:
        return _number(str(expression)) if isinstance(expression, Number) else super().visit(expression)

    def number(self, value: float) -> _Text:
        return _number(str(Number(value)))

    def column(self, name: Name) -> _Text:
        return _Text(quoted(name.name), OPERAND)

    def unknown(self, unknown: Unknown) -> _Text:
        return _Text(quoted(unknown.name), OPERAND)

    def applied(self, call: Apply) -> _Text:
        return _Text(f"{call.function}({self.visit(call.argument).whole})", OPERAND)

    def negated(self, operand: Expression) -> _Text:
        return _Text(f"{MINUS}{self.visit(operand).at(SIGNED)}", SIGNED)

    def joined(self, operation: Operation, left: Expression, right: Expression) -> _Text:
        a, b = self.visit(left), self.visit(right)
        match operation.operator:
            case "min" | "max" as name:
                inner = a.text.removeprefix(f"{name}(").removesuffix(")") if _is(left, name) else a.whole
                return _Text(f"{name}({inner}, {b.whole})", OPERAND)
            case "**":
                return _Text(f"{a.at(OPERAND)}**{b.at(SIGNED)}", SIGNED)
            case "*" | "/" as sign:
                return self.product("×" if sign == "*" else sign, a, b)
            case sign:
                return self.sum(sign, a, b)

    def product(self, sign: str, a: _Text, b: _Text) -> _Text:
        """Return a product or a quotient."""
        return _Text(f"{a.at(PRODUCT)} {sign} {b.at(SIGNED)}", PRODUCT)

    def sum(self, sign: str, a: _Text, b: _Text) -> _Text:
        """Return a sum or a difference."""
        return _Text(f"{a.at(SUM)} {MINUS if sign == '-' else sign} {b.at(PRODUCT)}", SUM)


class _WithNumbers(_AsWritten):
    """The text with numbers for parameters, in which no sign follows another one."""

    def __init__(self, numbers: Mapping[str, str]) -> None:
        self.numbers = numbers

    def unknown(self, unknown: Unknown) -> _Text:
        return _number(self.numbers[unknown.name]) if unknown.name in self.numbers else super().unknown(unknown)

    def negated(self, operand: Expression) -> _Text:
        inner = self.visit(operand)
        return _Text(inner.text, inner.rule, not inner.negative)

    def product(self, sign: str, a: _Text, b: _Text) -> _Text:
        text = f"{a.without_sign(PRODUCT)} {sign} {b.without_sign(SIGNED)}"
        return _Text(text, PRODUCT, a.negative != b.negative)

    def sum(self, sign: str, a: _Text, b: _Text) -> _Text:
        minus = (sign == "-") != b.negative
        return _Text(f"{a.at(SUM)} {MINUS if minus else '+'} {b.without_sign(PRODUCT)}", SUM)


def _number(text: str) -> _Text:
    """Return a number, which may have a minus before it; 0 has none."""
    size = text.lstrip(f"-{MINUS}")
    return _Text(size, OPERAND, text != size and size != "0")


def _is(expression: Expression, operator: str) -> bool:
    return isinstance(expression, Operation) and expression.operator == operator


def _level(level: str) -> str:
    """Return a level as an equation takes it: a number as it is, a word in quotes that it does not have."""
    try:
        float(level)
    except ValueError:
        mark = next((mark for mark in "\"'`" if mark not in level), '"')
        return f"{mark}{level}{mark}"
    return level
