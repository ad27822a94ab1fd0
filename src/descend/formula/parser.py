"""The formula language: ``score ~ hours + poly(age, 2) + sex:group``, after Wilkinson and Rogers (1973).

A recursive-descent parser, never an evaluator: what is not in this grammar is a FormulaError that points at it.

    formula    = targets "~" sum
    targets    = arithmetic { "+" arithmetic }
    sum        = [ "-" ] product { ( "+" | "-" ) product }
    product    = interact { "*" interact }
    interact   = power { ":" power }
    power      = atom [ ( "^" | "**" ) integer ]
    atom       = "0" | "1" | "." | "(" sum ")" | factor
    factor     = name | "C(" name ")" | "poly(" arithmetic "," integer [ "," "raw" "=" ( "True" | "False" ) ] ")"
               | "I(" arithmetic ")" | function "(" arithmetic ")"
    arithmetic = that of ``_arithmetic``

A text with ``=`` and no ``~`` is an equation, of the grammar of ``_equation_parser``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.formula._arithmetic import MAX_LINKS, PICKS, ArithmeticParser
from descend.formula._equation_parser import EquationParser
from descend.formula._tokens import QUOTES, Token, tokens_of
from descend.formula.ast import (
    Arithmetic,
    Category,
    Chain,
    Expression,
    Factor,
    Leaf,
    Poly,
    Power,
    Tree,
    fail,
    leaves,
    names_of,
)
from descend.formula.formula import Formula
from descend.formula.functions import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from descend.formula.equation import Equation

MAX_LENGTH = 20_000
MAX_DEGREE = 20


def parse(text: str | Sequence[str]) -> Formula | Equation:
    """Return the formula, or the equation, that is written in ``text``.

    A text with ``~`` is a Formula, one with ``=`` and no ``~`` an Equation; several equations are separated by ``;`` or
    given as a list. Raises FormulaError, which says where, for anything outside the grammar. Whether the columns exist
    is not asked before ``resolve``, which also says what ``.`` stands for and which names are parameters.

    >>> formula = parse("log(score) ~ hours + poly(age, 2):sex")
    >>> [name.name for name in formula.names]
    ['score', 'hours', 'age', 'sex']
    >>> hypothesis = parse("score ~ . - age").resolve(["score", "hours", "age", "sex"])
    >>> [str(factor) for (factor,) in hypothesis.terms], hypothesis.intercept
    (['hours', 'sex'], True)
    >>> parse("score = top * (1 - exp(-k * hours))").resolve(["score", "hours"]).curve.parameters
    ('top', 'k')
    """
    if isinstance(text, list | tuple) and all(isinstance(part, str) for part in text):
        text = "; ".join(text)
    if not isinstance(text, str):
        fail("formula.not-text", "", 0, found=type(text).__name__)
    if len(text) > MAX_LENGTH:
        fail("formula.too-long", text, MAX_LENGTH, limit=MAX_LENGTH)
    return EquationParser(text).equation() if is_equation(text) else _FormulaParser(text).formula()


def is_equation(text: str) -> bool:
    """Tell whether a text has a = and no ~, outside backticks and quotes.

    >>> is_equation("y = a * x"), is_equation("y ~ poly(x, 2, raw=True)"), is_equation("y")
    (True, False, False)
    """
    signs, at = set(), 0
    while at < len(text):
        closing = "`" if text[at] == "`" else QUOTES.get(text[at])
        end = text.find(closing, at + 1) if closing else -1
        if end < 0:
            signs.add(text[at])
        at = max(at, end) + 1
    return "=" in signs and "~" not in signs


class _FormulaParser(ArithmeticParser):
    """Reads a formula."""

    def __init__(self, text: str) -> None:
        super().__init__(text, tokens_of(text))

    def formula(self) -> Formula:
        if self.token.kind == "end":
            self.fail("formula.empty")
        if not any(token.text == "~" and token.kind == "sign" for token in self.tokens):
            self.fail("formula.no-tilde", self.tokens[-1])
        if self.stands("~"):
            self.fail("formula.no-target")
        targets = [self.target()]
        while self.accept("+"):
            targets.append(self.target())
        self.expect("~")
        if self.token.kind == "end":
            self.fail("formula.no-terms")
        right = self.sum()
        if self.token.kind != "end":
            codes = {"~": "formula.second-tilde", "=": "formula.tilde-and-equals"}
            self.fail(codes.get(self.token.text, "formula.unexpected"), found=self.token.text)
        return Formula(self.text, tuple(targets), right)

    def target(self) -> Expression:
        token = self.token
        self.links = 0
        target = self.product_of_numbers()
        if not any(names_of(target)):
            self.fail("formula.target-without-column", token)
        return target

    # the right-hand side

    def sum(self) -> Tree:
        sign = self.accept("+", "-") or Token("sign", "+", self.token.position)
        parts = [(sign.text, self.product(), sign.position)]
        while follower := self.accept("+", "-"):
            parts.append((follower.text, self.product(), follower.position))
        return Chain(tuple(parts))

    def product(self) -> Tree:
        return self.chain("*", self.interaction)

    def interaction(self) -> Tree:
        return self.chain(":", self.power)

    def chain(self, operator: str, part: Callable[[], Tree]) -> Tree:
        start = self.token
        first = part()
        parts = [("+", first, start.position)]
        while sign := self.accept(operator):
            start_of_part = self.token
            if len(parts) >= MAX_LINKS:
                self.fail("formula.too-deep", limit=MAX_LINKS)
            parts.append((operator, part(), sign.position))
            for tree, token in ((first, start), (parts[-1][1], start_of_part)):
                for leaf in leaves(tree):
                    if leaf.intercept is not None:
                        self.fail("formula.number", token, found=str(int(leaf.intercept)))
        if self.stands("/"):
            self.fail("formula.division")
        return first if len(parts) == 1 else Chain(tuple(parts))

    def power(self) -> Tree:
        base = self.atom()
        sign = self.accept("^", "**")
        if sign is None:
            return base
        if isinstance(base, Leaf):
            name = str(base.factor or ".")
            self.fail("formula.power-of-one", sign, name=name)
        return Power(base, self.integer(1, MAX_DEGREE), sign.position)

    def atom(self) -> Tree:
        token = self.token
        if self.accept("."):
            return Leaf()
        if self.accept("("):
            self.deeper()
            inner = self.sum()
            self.expect(")")
            self.depth -= 1
            return inner
        if token.kind == "number":
            if token.text not in ("0", "1"):
                self.fail("formula.number", found=token.text)
            self.at += 1
            return Leaf(intercept=token.text == "1")
        return Leaf(self.factor())

    def factor(self) -> Factor:
        token = self.token
        self.links = 0
        if self.calls() and token.text in ("C", "poly", "I"):
            self.at += 2
            made: Factor
            if token.text == "C":
                made = Category(self.name())
            elif token.text == "poly":
                made = self.poly()
            else:
                made = Arithmetic(self.arithmetic())
                self.with_column(made, token)
            self.expect(")")
            return made
        made = Arithmetic(self.operand(known=(*FUNCTIONS, *PICKS, "poly", "I", "C")))
        self.with_column(made, token)
        return made

    def with_column(self, factor: Factor, token: Token) -> None:
        if not any(names_of(factor)):
            self.fail("formula.term-without-column", token)

    def poly(self) -> Poly:
        token = self.token
        expression = self.arithmetic()
        self.expect(",")
        degree = self.integer(1, MAX_DEGREE)
        raw = False
        if self.accept(","):
            if self.token.text != "raw":
                self.wrong("raw=True")
            self.at += 1
            self.expect("=")
            if self.token.text not in ("True", "False"):
                self.wrong("True")
            raw = self.token.text == "True"
            self.at += 1
        made = Poly(expression, degree, raw)
        self.with_column(made, token)
        return made

    def integer(self, least: int, most: int) -> int:
        token = self.token
        if token.kind == "end":
            self.wrong("2")
        short = token.kind == "number" and token.text.isdecimal() and len(token.text) < 4
        if not short or not least <= int(token.text) <= most:
            self.fail("formula.degree", found=token.text, least=least, most=most)
        self.at += 1
        return int(token.text)
