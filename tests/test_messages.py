"""Every sentence exists in both languages, with the same values, and is used."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import descend
from descend.errors import FormulaError, OptionError, TableError, pointer
from descend.messages import codes, language, say

SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in Path(descend.__file__).parent.rglob("*.py"))
SOURCE = SOURCE.replace("'", '"')
ENGLISH, KOREAN = codes("en"), codes("ko")


def fields(sentence):
    return sorted((name, spec) for _, name, spec, _ in string.Formatter().parse(sentence) if name)


def test_both_languages_have_the_same_codes_in_the_same_order():
    assert list(ENGLISH) == list(KOREAN)


@pytest.mark.parametrize("code", ENGLISH)
def test_both_languages_use_the_same_values(code):
    assert fields(ENGLISH[code]) == fields(KOREAN[code])


def test_korean_sentences_are_korean():
    symbols = {
        "option.one-hypothesis.hint",
        "report.saved",
        "report.r2",
        "report.rmse",
        "report.mae",
        "report.auc",
        "usage.other",
        "plot.probability",
        "studio.optimizer-rmsprop",
        "studio.optimizer-adagrad",
        "studio.optimizer-adam",
        "studio.kind-short-other",
    }
    plain = [
        code
        for code, text in KOREAN.items()
        if not re.search("[가-힣]", text) and code not in symbols and "pip install" not in text
    ]
    assert plain == []


def test_every_error_says_what_to_do():
    groups = ("table", "formula", "design", "fit", "model", "cluster")
    named = set(re.findall(r'Error\(\s*"([a-z]+\.[a-z0-9-]+)"', SOURCE)) | set(
        re.findall(r'fail\("([a-z]+\.[a-z0-9-]+)"', SOURCE)
    )
    without = [code for code in named if code.split(".")[0] in groups and f"{code}.hint" not in ENGLISH]
    assert set(without) <= {"formula.expected", "fit.interrupted-early"}  # the caret, or the person, says it


def test_every_code_that_the_source_names_has_a_sentence():
    groups = {code.split(".")[0] for code in ENGLISH}
    others = {"fit.png", "model.safetensors", "model.save", "studio.css", "table.csv"}  # files, and a line of a script
    named = {code for code in re.findall(r'"([a-z]+\.[a-z][a-z0-9_-]*)"', SOURCE) if code.split(".")[0] in groups}
    assert {code for code in named if code not in ENGLISH} - others == set()


def test_every_sentence_is_used():
    """A code is used whole, or as the end of one that is put together (say(f"report.{key}"))."""
    unused = []
    for code in ENGLISH:
        group, _, key = code.partition(".")
        base = key.removesuffix(".hint").removesuffix(".remedy")
        whole = f'"{group}.{base}"' in SOURCE
        parts = {base, *base.split("-"), base.rsplit("-", 1)[0], base.rsplit("-", 1)[-1]}
        pieced = f"{group}." in SOURCE and any(f'"{part}"' in SOURCE or f"{part}-" in SOURCE for part in parts)
        called = group == "help" and re.search(rf"def {base}\(", SOURCE)
        if not (whole or pieced or called or code == "usage.hint"):
            unused.append(code)
    assert unused == []


def test_the_language_is_the_one_asked_for_else_the_environments(monkeypatch):
    for name in ("DESCEND_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert language() == "en"
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    assert language() == "ko"
    assert language("en") == "en"
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert language() == "en"
    monkeypatch.setenv("DESCEND_LANG", "ko")
    assert language("fr") == "ko"


def test_an_unknown_language_speaks_english():
    assert say("report.table", "fr") == say("report.table", "en") == "Table"


def test_an_error_tells_itself_in_both_languages_and_where_it_is():
    error = TableError("table.bad-cell", file="a.csv", line=4, column="hours", found="three", count=1)
    assert "line 4" in str(error)
    assert "'three'" in str(error)
    assert "C(hours)" in error.hint()
    assert "4행" in error.tell("ko") or "4번째" in error.tell("ko") or "4" in error.tell("ko")
    assert (error.line, error.column, error.exit_code) == (4, "hours", 1)


def test_values_are_never_formatted_twice():
    error = OptionError("option.loss", value="{known.__class__}", known="mse")
    assert "{known.__class__}" in error.tell()


def test_an_error_survives_pickling_between_processes():
    import pickle

    error = FormulaError("formula.character", text="y ~ x[0]", position=5, found="[")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert type(again) is FormulaError


@pytest.mark.parametrize(
    ("text", "position", "under"),
    [("y ~ x[0]", 5, 7), ("점수 ~ x[0]", 6, 10), ("y" * 500 + "[", 500, 62), ("", 0, 2)],
)
def test_the_caret_stands_under_the_place_that_is_meant(text, position, under):
    shown, caret = pointer(text, position).split("\n")
    assert caret.index("^") == under
    assert len(shown) <= 102
