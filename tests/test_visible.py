import csv
import json
import os
import unicodedata
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import descend
from descend.base.visible import in_a_line, json_visible, visible
from descend.cli import main

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eabc\u2066\x7f\x00\x08$\\bad$"
NAMES = {"y": f"y{HOSTILE}", "g": f"g{HOSTILE}", "x": "x", "k": "k"}
Y, G = f"`{NAMES['y']}`".replace("\x00", ""), f"`{NAMES['g']}`".replace("\x00", "")


def steering(text):
    return {c for c in text if (unicodedata.category(c) == "Cc" and c != "\n") or c in "\u202e\u2066"}


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A table whose header and cells steer a terminal, in a folder and under a name that do."""
    monkeypatch.chdir(tmp_path)
    rows = [
        [index + index % 5 / 7, f"level {index % 3}{HOSTILE}", index * 7 % 11, ("no", HOSTILE)[index * index % 7 > 2]]
        for index in range(60)
    ]
    name = "t\x1b[2J.csv"
    with open(name, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [[cell.replace("\x00", "") for cell in map(str, row)] for row in [NAMES.values(), *rows]]
        )
    return name


@given(st.text())
def test_a_text_keeps_all_its_letters_and_shows_what_steers(text):
    assert not steering(visible(text)) - {"\t"}
    assert not steering(in_a_line(text))
    assert "\n" not in in_a_line(text)
    if not steering(text) and text.isprintable():
        assert visible(text) == text


@given(st.dictionaries(st.text(), st.text()))
def test_json_says_the_same_with_nothing_that_steers(facts):
    told = json_visible(json.dumps(facts, ensure_ascii=False))
    assert json.loads(told) == facts
    assert not steering(told)


COMMANDS = {
    "fit": ["fit", "TABLE", f"{Y} ~ {G} + x", "--out", "made.safetensors", "--log-every", "1", "--lr", "0.1"],
    "fit as JSON": ["fit", "TABLE", f"{Y} ~ {G} + x", "--json"],
    "fit of classes": ["fit", "TABLE", f"k ~ {G} + x"],
    "a fit that diverges": ["fit", "TABLE", f"{Y} ~ {G} + x", "--lr", "1e9"],
    "show": ["show", "m.safetensors"],
    "show in Korean": ["show", "m.safetensors", "--lang", "ko"],
    "show intervals": ["show", "m.safetensors", "--inference"],
    "show as JSON": ["show", "m.safetensors", "--json"],
    "predict a row": ["predict", "m.safetensors", "--set", f"{NAMES['g']}=level 1{HOSTILE}", "--set", "x=1"],
    "predict as JSON": ["predict", "m.safetensors", "TABLE", "--json"],
    "evaluate": ["evaluate", "m.safetensors", "TABLE"],
    "compare": ["compare", "TABLE", f"{Y} ~ {G}", f"{Y} ~ x"],
    "forecast": ["forecast", "TABLE", f"{Y} ~ {G}"],
    "plot": ["plot", "m.safetensors", "--out", "p\x1b[2J.png"],
    "a column that is not there": ["fit", "TABLE", "`a\x1b[2J` ~ x"],
    "a letter outside the grammar": ["fit", "TABLE", "k ~ \x1b[2J"],
    "a cell that is no number": ["fit", "TABLE", f"sqrt({G}) ~ x"],
    "a file that is not there": ["fit", "no\x1b[2J.csv", "y ~ x"],
    "the same as JSON": ["fit", "no\x1b[2J\x9b.csv", "y ~ x", "--json"],
    "a model that is not there": ["show", "no\x1b[2J\x9b.safetensors"],
    "an option that is not there": ["fit", "TABLE", "y ~ x", "--\x1b[2J\x9b"],
    "a command that is not there": ["\x1b[2J\x9b"],
    "a setting of none": ["fit", "TABLE", "y ~ x", "--loss", "\x1b[2J\x9b\u202e"],
    "a number that is none": ["fit", "TABLE", "y ~ x", "--epochs", "\x1b[2J\x9b\u202e"],
    "a lab that is not there": ["lab", "\x1b[2J\x9b\u202e"],
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_that_a_person_reads_steers_the_terminal(command, hostile, capsys):
    descend.fit(f"k ~ {G} + x", hostile).save("m.safetensors")
    main([word.replace("\x00", "").replace("TABLE", hostile) for word in COMMANDS[command]])
    told = capsys.readouterr()
    assert told.out + told.err
    assert not steering(told.out + told.err)
    if "--json" in COMMANDS[command]:
        json.loads(told.out)


def test_a_table_of_predictions_on_a_terminal_shows_what_steers_and_a_file_keeps_it(hostile, capsys, monkeypatch):
    descend.fit(f"k ~ {G} + x", hostile).save("m.safetensors")
    monkeypatch.setenv("TERM", "dumb")  # so that descend itself sends no colours
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["predict", "m.safetensors", hostile]) == 0
    told = capsys.readouterr().out
    assert not steering(told)
    assert r"\x1b]0;owned" in told
    assert main(["predict", "m.safetensors", hostile, "--out", "made.csv"]) == 0
    assert HOSTILE.replace("\x00", "").encode() in Path("made.csv").read_bytes()


def test_columns_stand_under_their_heads_where_control_characters_are_shown():
    from io import StringIO

    from descend.report.layout import Visible, grid_of

    grid = grid_of([], ["a\x1b", "b"], first="c")
    grid.add_row("x", "1\x9b\x9b", "2")
    grid.add_row("y", "3", "4")
    written = StringIO()
    Visible(file=written, width=40).print(grid)
    lines = [line.rstrip() for line in written.getvalue().splitlines()]
    assert lines == ["c      a\\x1b  b", "x  1\\x9b\\x9b  2", "y          3  4"]


def test_a_styled_text_keeps_its_styles_where_control_characters_are_shown():
    from io import StringIO

    from rich.text import Text

    from descend.report.layout import Visible

    written = StringIO()
    console = Visible(file=written, width=60, force_terminal=True, color_system="standard")
    console.print(Text("a\x1b[2Jb").append("red\x9b", style="red").append("c"))
    assert written.getvalue() == "a\\x1b[2Jb\x1b[31mred\\x9b\x1b[0mc\n"


@pytest.mark.slow
def test_a_picture_and_a_notebook_show_names_as_they_are(hostile, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for formula in (f"k ~ {G} + x", f"{Y} ~ {G} + x", f"{Y} ~ {G}", f"{G} ~ x"):
            model = descend.fit(formula, hostile)
            for kind in ("png", "svg"):
                model.plot(tmp_path / f"p.{kind}")
            assert not steering(model._repr_html_())
            assert not steering(str(model))
            assert not steering(repr(model))
            assert os.path.getsize(tmp_path / "p.png") > 10_000


def test_an_error_in_python_shows_what_steers():
    with pytest.raises(descend.DescendError) as caught:
        descend.fit("y ~ x", "no\x1b[2J\u202e.csv")
    assert r"no\x1b[2J\u202e.csv" in str(caught.value)
    assert not steering(str(caught.value))
