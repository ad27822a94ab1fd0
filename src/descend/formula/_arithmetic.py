"""The rules of arithmetic, which formulas and equations share.

arithmetic = product { ( "+" | "-" ) product }
product    = signed { ( "*" | "/" ) signed }
signed     = "-" signed | operand [ ( "**" | "^" ) signed ]
operand    = number | name | "(" arithmetic ")" | "I(" arithmetic ")" | function "(" arithmetic ")"
           | ( "min" | "max" ) "(" arithmetic "," arithmetic { "," arithmetic } ")"
function   = a name in ``functions.FUNCTIONS``, or another name of one
"""

from __future__ import annotations

from difflib import get_close_matches
from math import isfinite
from typing import TYPE_CHECKING, NoReturn

from descend.formula.ast import Apply, Expression, Name, Number, Operation, fail
from descend.formula.functions import FUNCTIONS, function_named

if TYPE_CHECKING:
    from descend.formula._tokens import Token

MAX_DEPTH = 60
MAX_LINKS = 200
AS_CATEGORY = "C"
CATEGORICAL = ("factor", "category", "categorical", "as")  # how R and others write it: factor(x), as.factor(x)
PICKS = ("min", "max")


class ArithmeticParser:
    """Reads tokens from left to right; every method returns the tree of its rule or fails at a token."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.links = 0

    @property
    def token(self) -> Token:
        """The next token."""
        return self.tokens[self.at]

    @property
    def follower(self) -> Token:
        """The token after the next one."""
        return self.tokens[min(self.at + 1, len(self.tokens) - 1)]

    def fail(self, code: str, token: Token | None = None, **values: object) -> NoReturn:
        """Raise a FormulaError at a token, the next one by default."""
        fail(code, self.text, (token or self.token).position, **values)

    def accept(self, *signs: str) -> Token | None:
        """Take the next token where it is one of some signs."""
        token = self.token
        if token.kind == "sign" and token.text in signs:
            self.at += 1
            return token
        return None

    def stands(self, sign: str) -> bool:
        """Tell whether a sign is the next token."""
        return (self.token.kind, self.token.text) == ("sign", sign)

    def expect(self, sign: str) -> None:
        """Take a sign; fails where something else stands."""
        if not self.accept(sign):
            self.wrong(sign)

    def wrong(self, expected: str) -> NoReturn:
        """Fail because something else was expected here, or because the text ends."""
        code = "formula.unfinished" if self.token.kind == "end" else "formula.expected"
        self.fail(code, expected=expected, found=self.token.text)

    def deeper(self) -> None:
        """Go one level deeper; fails beyond MAX_DEPTH."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail("formula.too-deep", limit=MAX_DEPTH)

    def calls(self) -> bool:
        """Tell whether a name with an opening parenthesis stands here."""
        return self.token.kind == "name" and (self.follower.kind, self.follower.text) == ("sign", "(")

    def arithmetic(self) -> Expression:
        """Read a sum."""
        left = self.product_of_numbers()
        while sign := self.accept("+", "-"):
            left = self.joined(sign.text, left, self.product_of_numbers())
        return left

    def product_of_numbers(self) -> Expression:
        """Read a product."""
        left = self.signed()
        while sign := self.accept("*", "/"):
            left = self.joined(sign.text, left, self.signed())
        return left

    def signed(self) -> Expression:
        """Read an operand with its sign and its power."""
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

    def operand(self, known: tuple[str, ...] = (*FUNCTIONS, *PICKS, "I")) -> Expression:
        """Read a number, a name, a call or parentheses; ``known`` are the functions that an error tells of."""
        token = self.token
        if token.kind == "number":
            if not isfinite(float(token.text)):
                self.fail("formula.too-large", found=token.text[:20])
            self.at += 1
            return Number(float(token.text))
        if self.accept("("):
            return self.inside()
        if self.calls():
            function = function_named(token.text)
            if function is None and token.text not in ("I", *PICKS):
                self.unknown_function(known)
            self.at += 2
            if token.text in PICKS:
                return self.pick(token)
            inner = self.inside()
            return inner if function is None else Apply(function.name, inner)
        return self.name()

    def inside(self) -> Expression:
        """Read a sum and the parenthesis that closes it."""
        self.deeper()
        inner = self.arithmetic()
        self.expect(")")
        self.depth -= 1
        return inner

    def pick(self, token: Token) -> Expression:
        """Read the arguments of min or max: two or more."""
        self.deeper()
        made = self.arithmetic()
        if self.stands(")"):
            self.fail("formula.one-argument", token, found=token.text)
        self.expect(",")
        made = self.joined(token.text, made, self.arithmetic())
        while self.accept(","):
            made = self.joined(token.text, made, self.arithmetic())
        self.expect(")")
        self.depth -= 1
        return made

    def unknown_function(self, known: tuple[str, ...]) -> NoReturn:
        """Fail because there is no such function."""
        written = self.token.text
        near = [AS_CATEGORY] if written.lower() in CATEGORICAL else get_close_matches(written, known, n=1)
        code = "formula.function-near" if near else "formula.function"
        self.fail(code, found=written, known=", ".join(known), near="".join(near))

    def name(self) -> Name:
        """Read a name."""
        token = self.token
        if token.kind not in ("name", "quoted"):
            self.wrong("…")
        self.at += 1
        return Name(token.text, token.position)
