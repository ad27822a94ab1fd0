"""Korean particles, which depend on the last sound of the word before them."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

FORMS = {"을(를)": ("을", "를"), "은(는)": ("은", "는"), "이(가)": ("이", "가"), "와(과)": ("과", "와")}
FORMS |= {"(으)로": ("으로", "로"), "(이)": ("이", "")}
PARTICLE = re.compile(rf"(\{{[^{{}}]*\}})(['\"”’)\]]*)({'|'.join(map(re.escape, FORMS))})")

# A final consonant is its index among the 28 of a Hangul syllable: 0 for none, 8 for ㄹ, 21 for ㅇ.
SYLLABLES, FINALS = 0xAC00, 28
NONE, G, N, R, M, B, S, NG = 0, 1, 4, 8, 16, 17, 19, 21
DIGITS = (NG, R, NONE, M, NONE, NONE, G, R, R, NONE)  # 영, 일, 이, 삼, 사, 오, 육, 칠, 팔, 구
TENS = (NONE, B, G, N)  # 십, 백, 천
MYRIADS = (NONE, N, G, NONE, NG, NONE, NONE, NG, NONE, N, NG, NONE, G)  # 만, 억, 조, 경, 해, 자, 양, 구, 간, 정, 재, 극
LETTERS = {"L": R, "M": M, "N": N, "R": R}  # 엘, 엠, 엔, 알; the names of the others end in a vowel
SIGNS = {"%": NONE, "‰": R, "°": NONE, "∞": NONE}  # 퍼센트, 퍼밀, 도, 무한대
UNITS = {"g": M, "kg": M, "mg": M, "h": N, "min": N, "px": R}  # 그램, 시간, 분, 픽셀
UNITS |= dict.fromkeys(("B", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB"), NONE)  # 바이트
UNITS |= dict.fromkeys(("m", "cm", "mm", "km", "s", "ms", "L", "Hz"), NONE)  # 미터, 초, 리터, 헤르츠

NUMBER = re.compile(r"(?P<whole>\d[\d,]*)?(?:(?P<point>\.)(?P<fraction>\d+))?(?:[eE][+-]?(?P<power>\d+))?$")
UNIT = re.compile(r"(?:\d\s?|\b(?=[A-Za-z]{2}))([A-Za-z]+)$")  # read as units after a number, or from two letters on
WORD = re.compile(r"[A-Z]?[a-z]+$|[A-Z]+$")
ENDINGS = (  # endings of English words and the final consonant of their Korean spelling; the first match counts
    (r"ng$", NG),  # 링
    (r"mn$|[^aeiou]?m$|[aeiouy]me$", M),  # 칼럼, 시스템, 네임
    (r"n$|[aeiouy]ne$", N),  # 런, 라인
    (r"l$|le$", R),  # 모델, 테이블, 파일
    (r"ck$|[aeiou]c$|ook$", G),  # 블록, 로지스틱, 북
    (r"(^|[^aeiou])[aeiou]p$|oup$|eep$|ype$", B),  # 스텝, 그룹, 타입
    (r"(^|[^aeiou])[aeou]b$", B),  # 웹
    (r"(^|[^aeiou]|qu)[aeou]t$|..it$", S),  # 데이터셋, 유닛
)


def with_particles(sentence: str, values: dict[str, Any]) -> str:
    """Return a sentence with placeholders, with the particle after each value chosen by the value's last sound.

    >>> with_particles("{rate}(으)로는", {"rate": 0.5}).format(rate=0.5)
    '0.5로는'
    """

    def chosen(match: re.Match[str]) -> str:
        field, closing, particle = match.groups()
        final = final_of(field.format(**values))
        with_final, without = FORMS[particle]
        open_ended = final == NONE or (particle == "(으)로" and final == R)
        return field + closing + (without if open_ended else with_final)

    return PARTICLE.sub(chosen, sentence)


def final_of(text: str) -> int:
    """Return the final consonant of a text as read in Korean, 0 for none.

    Quotes, brackets and other signs at the end are not read. Numbers are read in Sino-Korean, abbreviations letter by
    letter; words in Latin letters, and in other scripts by the letters' names, follow a rule of thumb.

    >>> [final_of(text) for text in ("수박", "10", "1,000", "0.5", "R", "MLP", "torch")]
    [1, 17, 4, 0, 8, 0, 0]
    """
    read = unicodedata.normalize("NFKC", text)
    while read and not (read[-1].isalnum() or read[-1] in SIGNS):
        read = read[:-1]
    last = read[-1:]
    if "가" <= last <= "힣":
        return (ord(last) - SYLLABLES) % FINALS
    if last in SIGNS:
        return SIGNS[last]
    if "0" <= last <= "9":
        return _final_of_number(read)
    latin = unicodedata.normalize("NFKD", read).rstrip("\u0300\u0301\u0302\u0303\u0308\u030a\u0327")
    if latin[-1:].isascii() and latin:
        unit = UNIT.search(latin)
        if unit is not None and unit[1] in UNITS:
            return UNITS[unit[1]]
        word = WORD.search(latin)
        return NONE if word is None else _final_of_word(word[0])
    digit = unicodedata.digit(last, None) if last else None
    if digit is not None:
        return DIGITS[digit]
    name = unicodedata.name(last, "").split(" ")[-1] if last else ""
    return _final_of_word(name.lower()) if name.isalpha() else NONE


def _final_of_number(text: str) -> int:
    """Return the final consonant of the number that ends a text: 1,000 is 천, 0.5 영 점 오, 1e-3 일 이 마이너스 삼."""
    number = NUMBER.search(text)
    assert number is not None
    if number["power"] is None and number["fraction"] is not None:
        return DIGITS[int(number["fraction"][-1])]
    digits = (number["power"] or number["whole"] or text[-1]).replace(",", "")
    zeros = len(digits) - len(digits.rstrip("0"))
    if zeros == 0 or zeros == len(digits):
        return DIGITS[int(digits[-1])]
    if zeros < 4:
        return TENS[zeros]
    return MYRIADS[zeros // 4] if zeros // 4 < len(MYRIADS) else NG


def _final_of_word(word: str) -> int:
    """Return the final consonant of a word in Latin letters: of its last letter's name for an abbreviation."""
    if len(word) == 1 or word.isupper() or not re.search("[aeiouy]", word.lower()):
        return LETTERS.get(word[-1].upper(), NONE)
    return next((final for ending, final in ENDINGS if re.search(ending, word.lower())), NONE)
