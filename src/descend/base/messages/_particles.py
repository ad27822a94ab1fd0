"""Korean particles, which are chosen by the last sound of the word before them."""

from __future__ import annotations

import re
from typing import Any

PARTICLE = re.compile(r"(\{[^{}]*\})(['\"”’)\]]*)(을\(를\)|은\(는\)|이\(가\)|와\(과\)|\(으\)로|\(이\))")
FORMS = {"을(를)": ("을", "를"), "은(는)": ("은", "는"), "이(가)": ("이", "가"), "와(과)": ("과", "와")}
FORMS |= {"(으)로": ("으로", "로"), "(이)": ("이", "")}
SYLLABLES, FINALS, RIEUL = 0xAC00, 28, 8
DIGITS = dict(zip("0123456789", (21, 8, 0, 16, 0, 0, 1, 8, 8, 0), strict=True))  # the final of 영, 일, 이, 삼 ... 구


def with_particles(sentence: str, values: dict[str, Any]) -> str:
    """Return an unfilled sentence with the particle of every value that ends in a Korean syllable or a digit.

    Of any other value, as a word in Latin letters, how it sounds is not known: both forms stay.
    """

    def chosen(match: re.Match[str]) -> str:
        field, closing, particle = match.groups()
        final = _final(field.format(**values).rstrip("'\"”’)] "))
        if final is None:
            return match.group()
        with_final, without = FORMS[particle]
        open_ended = final == 0 or (particle == "(으)로" and final == RIEUL)
        return field + closing + (without if open_ended else with_final)

    return PARTICLE.sub(chosen, sentence)


def _final(word: str) -> int | None:
    """Return the number of the final consonant that a word ends in, 0 for none; None where it is not known."""
    last = word[-1:]
    if "가" <= last <= "힣":
        return (ord(last) - SYLLABLES) % FINALS
    return DIGITS.get(last)
