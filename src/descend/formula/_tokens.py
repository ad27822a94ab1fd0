"""The tokens of a formula and of an equation: names, numbers, signs and quoted texts, each with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass

from descend.base.texts import UNSEEN, is_unseen, normalised
from descend.formula.ast import fail

_FORMULA = re.compile(rf"[\s{UNSEEN}]+|(?P<number>(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)|(?P<sign>\*\*|[-~+*/^:(),.=−])")
_EQUATION = re.compile(rf"[\s{UNSEEN}]+|(?P<number>(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)|(?P<sign>\*\*|[-+*/^:(),.=;−×⋅÷])")
_SPELLINGS = {"−": "-", "×": "*", "⋅": "*", "÷": "/"}
QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’"}


@dataclass(frozen=True)
class Token:
    """A piece of a text. kind: "name", "quoted" (in backticks), "text" (in quotes), "number", "sign" or "end"."""

    kind: str
    text: str
    position: int


def tokens_of(text: str, *, equation: bool = False) -> list[Token]:
    """Return the tokens of a formula or of an equation; the last is of the kind "end".

    Raises FormulaError for a character that is none of the language's, and for a quotation that is not closed.
    """
    pattern, tokens, at = _EQUATION if equation else _FORMULA, [], 0
    while at < len(text):
        if text[at] == "`":
            end = text.find("`", at + 1)
            if end < 0:
                fail("formula.open-backtick", text, at)
            if not normalised(text[at + 1 : end]).strip():
                fail("formula.empty-name", text, at)
            tokens.append(Token("quoted", normalised(text[at + 1 : end]), at))
            at = end + 1
        elif equation and text[at] in QUOTES:
            end = text.find(QUOTES[text[at]], at + 1)
            if end < 0:
                fail("formula.open-quote", text, at, expected=QUOTES[text[at]])
            tokens.append(Token("text", normalised(text[at + 1 : end]), at))
            at = end + 1
        elif text[at].isidentifier():
            end = at + 1
            while end < len(text) and _in_name(text, end):
                end += 1
            tokens.append(Token("name", normalised(text[at:end]), at))
            at = end
        else:
            match = pattern.match(text, at)
            if match is None:
                fail("formula.character", text, at, found=text[at] if text[at].isprintable() else repr(text[at]))
            if match.lastgroup:
                tokens.append(Token(match.lastgroup, _SPELLINGS.get(match.group(), match.group()), at))
            at = match.end()
    return [*tokens, Token("end", "", len(text))]


def _in_name(text: str, at: int) -> bool:
    """Tell whether a character goes on a name: as in Python, and a dot inside it as in ``Sepal.Length``."""
    if text[at] == ".":
        return at + 1 < len(text) and ("a" + text[at + 1]).isidentifier()
    return is_unseen(text[at]) or ("a" + text[at]).isidentifier()
