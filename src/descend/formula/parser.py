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
    arithmetic = the usual + - * / ** (or ^), unary minus, numbers, names, functions, I( ) and parentheses
    function   = a name in ``functions.FUNCTIONS``
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from typing import TYPE_CHECKING, NoReturn

from descend.base.texts import UNSEEN, is_unseen, normalised
from descend.formula.ast import (
    Apply,
    Arithmetic,
    Category,
    Chain,
    Expression,
    Factor,
    Leaf,
    Name,
    Number,
    Operation,
    Poly,
    Power,
    Tree,
    fail,
    leaves,
    names_of,
)
from descend.formula.formula import Formula
from descend.formula.functions import FUNCTIONS, function_named

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LENGTH = 20_000
AS_CATEGORY = "C"
CATEGORICAL = ("factor", "category", "categorical", "as")  # how R and others write it: factor(x), as.factor(x)
MAX_DEPTH = 60
MAX_LINKS = 200
MAX_DEGREE = 20


def parse(text: str) -> Formula:
    """Return the formula that is written in ``text``.

    Raises FormulaError, which says where, for anything outside the grammar. Whether the columns exist is not asked
    before ``Formula.resolve``, which also says what ``.`` stands for.

    >>> formula = parse("log(score) ~ hours + poly(age, 2):sex")
    >>> [name.name for name in formula.names]
    ['score', 'hours', 'age', 'sex']
    >>> hypothesis = parse("score ~ . - age").resolve(["score", "hours", "age", "sex"])
    >>> [str(factor) for (factor,) in hypothesis.terms], hypothesis.intercept
    (['hours', 'sex'], True)
    """
    if not isinstance(text, str):
        fail("formula.not-text", "", 0, found=type(text).__name__)
    if len(text) > MAX_LENGTH:
        fail("formula.too-long", text, MAX_LENGTH, limit=MAX_LENGTH)
    return _Parser(text).formula()


_TOKEN = re.compile(rf"[\s{UNSEEN}]+|(?P<number>(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)|(?P<sign>\*\*|[-~+*/^:(),.=−])")


@dataclass(frozen=True)
class _Token:
    kind: str  # "name", "quoted", "number", "sign" or "end"
    text: str
    position: int


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(text):
        if text[at] == "`":
            end = text.find("`", at + 1)
            if end < 0:
                fail("formula.open-backtick", text, at)
            if not normalised(text[at + 1 : end]).strip():
                fail("formula.empty-name", text, at)
            tokens.append(_Token("quoted", normalised(text[at + 1 : end]), at))
            at = end + 1
        elif text[at].isidentifier():
            end = at + 1
            while end < len(text) and _in_name(text, end):
                end += 1
            tokens.append(_Token("name", normalised(text[at:end]), at))
            at = end
        else:
            match = _TOKEN.match(text, at)
            if match is None:
                fail(
                    "formula.character",
                    text,
                    at,
                    found=text[at] if text[at].isprintable() else repr(text[at]),
                )
            if match.lastgroup:
                tokens.append(_Token(match.lastgroup, match.group().replace("−", "-"), at))
            at = match.end()
    return [*tokens, _Token("end", "", len(text))]


def _in_name(text: str, at: int) -> bool:
    """Tell whether a character goes on a name: as in Python, and a dot inside it as in ``Sepal.Length``."""
    if text[at] == ".":
        return at + 1 < len(text) and ("a" + text[at + 1]).isidentifier()
    return is_unseen(text[at]) or ("a" + text[at]).isidentifier()


class _Parser:
    """Reads tokens from left to right; every method returns the tree of its rule or fails at a token."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0
        self.depth = 0
        self.links = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def fail(self, code: str, token: _Token | None = None, **values: object) -> NoReturn:
        fail(code, self.text, (token or self.token).position, **values)

    def accept(self, *signs: str) -> _Token | None:
        token = self.token
        if token.kind == "sign" and token.text in signs:
            self.at += 1
            return token
        return None

    def stands(self, sign: str) -> bool:
        """Tell whether a sign stands here."""
        return (self.token.kind, self.token.text) == ("sign", sign)

    def expect(self, sign: str) -> None:
        if not self.accept(sign):
            self.wrong(sign)

    def wrong(self, expected: str) -> NoReturn:
        """Fail because something else was expected here, or because the text ends."""
        code = "formula.unfinished" if self.token.kind == "end" else "formula.expected"
        self.fail(code, expected=expected, found=self.token.text)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail("formula.too-deep", limit=MAX_DEPTH)

    def calls(self) -> bool:
        """Tell whether a name with an opening parenthesis stands here."""
        follower = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        return self.token.kind == "name" and (follower.kind, follower.text) == ("sign", "(")

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
            code = "formula.second-tilde" if self.stands("~") else "formula.unexpected"
            self.fail(code, found=self.token.text)
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
        sign = self.accept("+", "-") or _Token("sign", "+", self.token.position)
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
        made = Arithmetic(self.operand(known=(*FUNCTIONS, "poly", "I", "C")))
        self.with_column(made, token)
        return made

    def with_column(self, factor: Factor, token: _Token) -> None:
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

    # arithmetic

    def arithmetic(self) -> Expression:
        left = self.product_of_numbers()
        while sign := self.accept("+", "-"):
            left = self.joined(sign.text, left, self.product_of_numbers())
        return left

    def product_of_numbers(self) -> Expression:
        left = self.signed()
        while sign := self.accept("*", "/"):
            left = self.joined(sign.text, left, self.signed())
        return left

    def signed(self) -> Expression:
        if self.accept("-"):
            self.deeper()
            inner = self.signed()
            self.depth -= 1
            return Operation("-", None, inner)
        base = self.operand()
        if self.accept("**", "^"):
            self.deeper()
            base = Operation("**", base, self.signed())
            self.depth -= 1
        return base

    def joined(self, operator: str, left: Expression, right: Expression) -> Expression:
        """Join two expressions; a long chain is as deep as it is long, so its length is limited too."""
        self.links += 1
        if self.links > MAX_LINKS:
            self.fail("formula.too-deep", limit=MAX_LINKS)
        return Operation(operator, left, right)

    def operand(self, known: tuple[str, ...] = (*FUNCTIONS, "I")) -> Expression:
        token = self.token
        if token.kind == "number":
            if not isfinite(float(token.text)):
                self.fail("formula.too-large", found=token.text[:20])
            self.at += 1
            return Number(float(token.text))
        if self.accept("("):
            self.deeper()
            inner = self.arithmetic()
            self.expect(")")
            self.depth -= 1
            return inner
        if self.calls():
            function = function_named(token.text)
            if function is None and token.text != "I":
                near = [AS_CATEGORY] if token.text.lower() in CATEGORICAL else get_close_matches(token.text, known, n=1)
                code = "formula.function-near" if near else "formula.function"
                self.fail(code, found=token.text, known=", ".join(known), near="".join(near))
            self.at += 2
            self.deeper()
            inner = self.arithmetic()
            self.expect(")")
            self.depth -= 1
            return inner if function is None else Apply(function.name, inner)
        return self.name()

    def name(self) -> Name:
        token = self.token
        if token.kind not in ("name", "quoted"):
            self.wrong("…")
        self.at += 1
        return Name(token.text, token.position)

    def integer(self, least: int, most: int) -> int:
        token = self.token
        if token.kind == "end":
            self.wrong("2")
        short = token.kind == "number" and token.text.isdecimal() and len(token.text) < 4
        if not short or not least <= int(token.text) <= most:
            self.fail("formula.degree", found=token.text, least=least, most=most)
        self.at += 1
        return int(token.text)
