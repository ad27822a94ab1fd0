"""The language of equations: ``score = top * (1 - exp(-k * hours))``.

    equation   = relation { ";" relation }
    relation   = ( probability | arithmetic ) "=" arithmetic
    probability = "P(" name [ "=" level ] ")"
    level      = [ "-" ] number | name | text in quotes
    arithmetic = that of ``_arithmetic``

A name on the right is a column or a parameter: ``Equation.resolve``, which knows the columns, says which.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import NoReturn

from descend.formula._arithmetic import PICKS, ArithmeticParser
from descend.formula._tokens import tokens_of
from descend.formula.ast import Expression, Name, Number, fail, names_of
from descend.formula.equation import Equation, Relation
from descend.formula.functions import FUNCTIONS, function_named

MAX_RELATIONS = 100
PROBABILITY = "P"
OF_FORMULAS = ("poly", "C")
INSIDE = "(...)"


class EquationParser(ArithmeticParser):
    """Reads one or several equations."""

    def __init__(self, text: str) -> None:
        super().__init__(text, tokens_of(text, equation=True))

    def equation(self) -> Equation:
        """Read the whole text."""
        relations = [self.relation()]
        while self.accept(";"):
            if len(relations) == MAX_RELATIONS:
                self.fail("formula.too-many-equations", limit=MAX_RELATIONS)
            relations.append(self.relation())
        if self.token.kind != "end":
            self.misplaced()
        if len(relations) > 1:
            for relation in relations:
                if relation.probability:
                    fail("formula.probability-alone", self.text, relation.position)
        return Equation(self.text, tuple(relations))

    def relation(self) -> Relation:
        """Read one equation."""
        position = self.token.position
        self.links = 0
        if self.stands("="):
            self.fail("formula.no-left")
        if self.ends():
            self.fail("formula.empty-equation")
        probability = self.calls() and self.token.text.upper() == PROBABILITY
        target, level = self.probability() if probability else (self.target(), None)
        if self.ends():
            self.fail("formula.no-equals")
        if not self.accept("="):
            self.misplaced()
        if self.stands("="):
            self.fail("formula.double-equals")
        if self.ends():
            self.fail("formula.no-right")
        self.links = 0
        right_position = self.token.position
        return Relation(target, self.arithmetic(), position, right_position, probability=probability, level=level)

    def ends(self) -> bool:
        """Tell whether an equation ends here."""
        return self.token.kind == "end" or self.stands(";")

    def target(self) -> Expression:
        """Read the left side: an expression of one column."""
        token = self.token
        target = self.arithmetic()
        names = list(names_of(target))
        if not names:
            self.fail("formula.target-without-column", token)
        if len(names) > 1:
            fail("formula.two-on-left", self.text, names[1].position, found=names[1].name)
        return target

    def probability(self) -> tuple[Expression, str | None]:
        """Read P(column) or P(column = level)."""
        self.at += 2
        if self.calls() or self.token.kind not in ("name", "quoted"):
            self.fail("formula.probability-of-column", found=self.token.text)
        target, level = self.name(), None
        if self.accept("="):
            self.accept("=")  # as programs write it
            level = self.level()
        self.expect(")")
        return target, level

    def level(self) -> str:
        """Read a value of a column."""
        sign = "-" if self.accept("-") else ""
        token = self.token
        if token.kind not in (("number",) if sign else ("number", "name", "quoted", "text")):
            self.wrong("1")
        self.at += 1
        return sign + (str(Number(float(token.text))) if token.kind == "number" else token.text)

    def unknown_function(self, known: tuple[str, ...]) -> NoReturn:
        """Fail because there is no such function: it may be one of formulas, or a product without its sign."""
        found = self.token.text
        if found in OF_FORMULAS:
            self.fail("formula.of-formulas", found=found)
        if found.upper() == PROBABILITY:
            self.fail("formula.probability-on-left")
        known = (*FUNCTIONS, *PICKS)
        near = get_close_matches(found.lower(), known, n=1)
        code = "formula.function-near" if near else "formula.function-or-product"
        self.fail(code, found=found, known=", ".join(known), near="".join(near))

    def name(self) -> Name:
        """Read a name."""
        if self.token.kind in ("sign", "text"):
            self.fail("formula.operand", found=self.token.text)
        if self.token.kind == "end":
            self.fail("formula.no-operand")
        return super().name()

    def misplaced(self) -> NoReturn:
        """Fail because something stands where a sign was expected, or a second = ."""
        token, before = self.token, self.tokens[self.at - 1]
        if self.stands("="):
            self.fail("formula.second-equals")
        if before.kind == "name" and function_named(before.text) and token.kind != "sign":
            self.fail("formula.function-without-parentheses", before, found=before.text)
        if token.kind in ("name", "quoted", "number") or self.stands("("):
            shown = [INSIDE if one.text in "()" else one.text for one in (before, token)]
            self.fail("formula.no-times", found=token.text, product=" * ".join(shown))
        self.fail("formula.misplaced", found=token.text)
