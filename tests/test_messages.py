"""Every sentence exists in both languages, with the same values, and is used."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import descend
from descend.base.errors import FormulaError, OptionError, TableError, pointer
from descend.base.messages import codes, language, say
from descend.base.messages._particles import FORMS, final_of, with_particles
from descend.solvers.settings import SETTINGS
from descend.tables.reading_settings import READING

PACKAGE = Path(descend.__file__).parent
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
SOURCE = SOURCE.replace("'", '"')
ENGLISH, KOREAN = codes("en"), codes("ko")


def fields(sentence):
    return sorted((name, spec) for _, name, spec, _ in string.Formatter().parse(sentence) if name)


def spellings(path):
    """Return the words and the codes with blanks ("report.{}") that are written in a source file's code."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    documented = [node for node in nodes if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))]
    docstrings = {id(node.body[0].value) for node in documented if isinstance(node.body[0], ast.Expr)}
    strings = [node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    words = {node.value for node in strings if id(node) not in docstrings}
    words |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)} if path.parent.name == "cli" else set()
    words |= {node.target.id for node in nodes if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    made = [node.values for node in nodes if isinstance(node, ast.JoinedStr)]
    codes = {"".join(part.value if isinstance(part, ast.Constant) else "{}" for part in parts) for parts in made}
    return words, {code for code in codes if re.fullmatch(r"[a-z_.-]*\{\}[a-z_.-]*", code) and code != "{}"}


SPELLED = {path.relative_to(PACKAGE).as_posix(): spellings(path) for path in PACKAGE.rglob("*.py")}
for table, rows in {"solvers/settings.py": SETTINGS, "tables/reading_settings.py": READING}.items():
    for row in rows.values():  # the words that a row makes: its option and what can be chosen of it
        SPELLED[table][0].update([row.help, *(f"{row.name}-{choice}" for choice in (*row.kind.known, "given"))])
# where the words are written that fill a blank, if not beside it
WORDS_OF = {
    "studio.{}": ("studio/", "solvers/settings.py", "tables/reading_settings.py"),
    "studio.loss-{}": "objectives/",
    "studio.setting-{}": "solvers/",
    "loss.{}": "objectives/",
    "option.{}": ("objectives/", "solvers/optimizers.py", "solvers/schedules.py"),
    "studio.family-{}": "objectives/families/",
    **{
        f"verdict.{kind}-{{}}": ("objectives/families/", "analysis/verdicts.py")
        for kind in ("better", "unsure", "few-rows", "no-better", "no-better-far", "no-better-exact", "same")
    },
    "function.{}": "formula/functions.py",
    "finding.{}": "analysis/diagnosis/kinds/",
    "lesson.{}": "labs/",
    "help.{}": ("cli/", "solvers/settings.py", "tables/reading_settings.py"),
    "panel.{}": ("cli/", "solvers/settings.py", "tables/reading_settings.py"),
    "report.split-{}": "analysis/verification.py",
    "report.{}": "",
    "plot.{}": "report/",
    "forecast.{}": ("analysis/forecast.py", "solvers/rates.py", "report/forecast.py"),
}


def spelled(text, where, deeper=True):
    """Tell whether a text is written in the files that start with ``where``, whole or with one blank that is filled."""
    files = [found for name, found in SPELLED.items() if name.startswith(where)]
    if any(text in words for words, _ in files):
        return True
    filled = [fill(code, text) for _, codes in files for code in codes]
    return deeper and any(word and spelled(word, where, deeper=False) for word in filled)


def fill(code, text):
    """Return what must stand in a code's blank to make a text, None where nothing does."""
    before, after = code.split("{}")
    fits = text.startswith(before) and text.endswith(after) and len(text) > len(before) + len(after)
    return text[len(before) : len(text) - len(after)] if fits else None


def unused(sentences):
    """Return the codes that no source says."""
    left = []
    for code in sentences:
        base = re.sub(r"(?<=\..)(.*)\.(hint|remedy)$", r"\1", code)
        blanks = [(name, made) for name, (_, codes) in SPELLED.items() for made in codes if "." in made]
        told = any(
            spelled(word, WORDS_OF.get(made, name), made == "studio.{}")
            for name, made in blanks
            if (word := fill(made, base))
        )
        if not told and not any(base in words for words, _ in SPELLED.values()):
            left.append(code)
    return left


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
    others = {
        "formula.parser",
        "fit.png",
        "model.safetensors",
        "model.save",
        "studio.css",
        "table.csv",
    }  # modules, files, a line of a script
    named = {code for code in re.findall(r'"([a-z]+\.[a-z][a-z0-9_-]*)"', SOURCE) if code.split(".")[0] in groups}
    assert {code for code in named if code not in ENGLISH} - others == set()


def test_every_sentence_is_used():
    """A code is written out, or put together where the words that fill it are written: say(f"report.{key}")."""
    assert unused(ENGLISH) == []


@pytest.mark.parametrize(
    "code",
    [
        "report.nothing-says-this",
        "studio.setting-nothing",
        "finding.nothing",
        "finding.nothing.remedy",
        "option.nothing.hint",
        "help.nothing",
        "lesson.rank-nothing",
    ],
)
def test_a_sentence_that_nothing_says_is_noticed(code):
    assert unused([code]) == [code]


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
    assert "4번째 줄" in error.tell("ko")
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


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("사과", "사과를 사과로"),
        ("수박", "수박을 수박으로"),
        ("귤", "귤을 귤로"),
        (0.5, "0.5를 0.5로"),
        (3, "3을 3으로"),
        (17, "17을 17로"),
        (1e10, "10000000000.0을 10000000000.0으로"),
        ("'수박'", "'수박'을 '수박'으로"),
        ("torch", "torch를 torch로"),
        ("", "를 로"),
        ("x을(를)y", "x을(를)y를 x을(를)y로"),
    ],
)
def test_a_korean_particle_goes_by_the_last_sound_of_the_value_before_it(value, told):
    assert with_particles("{value}을(를) {value}(으)로", {"value": value}).format(value=value) == told


READ = {  # what is written, and how a Korean reads it
    "0": "영", "7": "칠", "10": "십", "20": "이십", "100": "백", "1,000": "천", "25,000": "이만 오천", "10000": "만",
    "300000": "삼십만", "1000000": "백만", "100000000": "억", "12345": "오", "2024": "사", "0.5": "오", "3.0": "영",
    "-1.25": "오", "1e-3": "삼", "1.5e-07": "칠", "1e10": "십", "1e+100": "백", "20%": "퍼센트", "12.5%": "퍼센트",
    "30°": "도", "5kg": "킬로그램", "5 kg": "킬로그램", "16 GB": "기가바이트",
    "3ms": "밀리초", "10px": "픽셀", "2h": "시간", "키 (cm)": "센티미터",
    "R": "알", "L": "엘", "MLP": "피", "CNN": "엔", "mlp": "피", "cnn": "엔", "URL": "엘", "M": "엠", "sgd": "디",
    "csv": "브이", "x": "엑스", "l2": "이", "log10": "십", "float64": "사", "x1": "일", "torch": "토치",
    "sklearn": "런", "model": "델", "table": "블", "column": "럼", "name": "네임", "time": "타임", "line": "라인",
    "file": "파일", "batch": "치", "stock": "톡", "logistic": "틱", "group": "룹", "step": "텝", "type": "입",
    "dataset": "셋", "target": "깃", "height": "트", "test": "트", "training": "닝", "schedule": "줄", "softmax": "스",
    "Sequential": "셜", "BatchNorm1d": "디", "cross_entropy": "피", "Sepal.Length": "스", "score": "어", "hours": "스",
    "web": "웹", "momentum": "텀", "Adam": "담", "data.parquet": "켓", "'수박'": "박", "무게 (kg)": "킬로그램",
    "log(x)": "엑스", "x[1]": "일", "C:\\temp\\": "템프", "température": "르", "μ": "뮤", "ε": "엡실론", "R²": "이",
    "５０": "십", "년": "년", "…": "가", "": "가", "_": "가", "()": "가",
}  # fmt: skip


@pytest.mark.parametrize(("written", "read"), READ.items())
def test_a_value_is_read_as_a_korean_reads_it(written, read):
    final = (ord(read[-1]) - 0xAC00) % 28
    assert bool(final_of(written)) == bool(final)
    assert (final_of(written) == 8) == (final == 8)  # (으)로 asks whether it is ㄹ


UNRESOLVED = re.compile(r"\((으|를|는|가|과|이|은|을|와)\)")
KOREAN_WITH_PARTICLES = {code: text for code, text in KOREAN.items() if UNRESOLVED.search(text)}


@settings(max_examples=200)
@given(
    st.one_of(
        st.text(st.characters(exclude_characters="()", exclude_categories=["Cs"]), max_size=12),
        st.floats(allow_nan=True),
        st.integers(),
        st.from_regex(r"[A-Za-z]{1,12}", fullmatch=True),
        st.from_regex(r"-?\d{1,3}(,\d{3}){0,3}(\.\d+)?%?", fullmatch=True),
        st.floats(allow_nan=False).map("{:.4g}".format),
    )
)
def test_no_particle_of_any_value_is_left_open(value):
    assert 0 <= final_of(str(value)) < 28
    for particle in FORMS:
        told = with_particles(f"{{value}}{particle} '{{value}}'{particle}", {"value": value})
        assert not UNRESOLVED.search(told.replace("{value}", ""))


@pytest.mark.parametrize("code", KOREAN_WITH_PARTICLES)
def test_every_particle_of_the_korean_sentences_stands_where_it_is_resolved(code):
    sentence = KOREAN[code]
    names = [(name, spec) for _, name, spec, _ in string.Formatter().parse(sentence) if name]
    values = {name: 0.5 if spec and spec[-1] in "gef%" else 7 if spec else "torch" for name, spec in names}
    assert not UNRESOLVED.search(with_particles(sentence, values))


def test_korean_sentences_keep_one_register():
    assert not [code for code, sentence in codes("ko").items() if re.search("세요|해요|이에요|예요", sentence)]
