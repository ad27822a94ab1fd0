"""Tables in the terminal: as wide as it is, and no word broken while a word has room."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from conftest import called
from rich.cells import cell_len
from rich.console import Console

import descend
from descend.base.messages import say
from descend.report.coefficients import tell_coefficients
from descend.report.json import model_facts
from descend.report.layout import grid_of, labelled
from descend.report.terminal import fit_lines, tell_model

LEVELS = ["Adelie", "Chinstrap", "Gentoo", "Macaroni"]


def printed(content, width):
    console = Console(file=io.StringIO(), width=width)
    console.print(content)
    return console.file.getvalue().splitlines()


@pytest.fixture(scope="module")
def penguins():
    random = np.random.default_rng(0)
    codes = random.integers(0, 4, 200)
    bill = 3 * codes + random.normal(size=200)
    return descend.fit("species ~ bill", {"species": np.array(LEVELS)[codes], "bill": bill}, epochs=20, optimizer="sgd")


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("width", [48, 60, 72, 100])
def test_a_confusion_table_breaks_no_word(penguins, lang, width):
    lines = printed(tell_model(penguins, lang), width)
    assert max(map(cell_len, lines)) <= width
    words = " ".join(lines).split()
    heads = {"en": ["precision", "recall", "accuracy", "log-loss"], "ko": ["정밀도", "재현율"]}[lang]
    for word in (*heads, *LEVELS):
        assert word in words
    for row, level in enumerate(LEVELS):  # every count stands in a line of its class
        told = [word for line in lines if level in line.split()[:2] for word in line.split()]
        for count in penguins.verification.confusion[row]:
            assert str(count) in told


@pytest.mark.parametrize("width", range(12, 90, 7))
@pytest.mark.parametrize("columns", [1, 3, 9])
def test_a_table_goes_on_below_with_every_cell_whole_and_under_its_head(width, columns):
    grid = grid_of([], [f"column{index}" for index in range(columns)], first="name")
    for row in ("one", "two"):
        grid.add_row(row, *(f"{row}{index}" for index in range(columns)))
    lines = [line for line in printed(labelled([("", grid)]), width + 14) if line.strip()]
    told = [line.split() for line in lines]
    places = dict.fromkeys(range(columns), 0)
    for heads, one, two in zip(told[::3], told[1::3], told[2::3], strict=True):
        assert (heads[0], one[0], two[0]) == ("name", "one", "two")
        for head, first, second in zip(heads[1:], one[1:], two[1:], strict=True):
            index = int(head.removeprefix("column"))
            places[index] += 1
            assert (first, second) == (f"one{index}", f"two{index}")
    assert set(places.values()) == {1}


def test_a_row_named_by_a_text_longer_than_the_line_is_folded_and_nothing_else():
    grid = grid_of([], ["rows", "precision"], first="class")
    grid.add_row("x" * 70, "12345", "0.123456")
    lines = printed(grid, 40)
    assert max(map(cell_len, lines)) <= 40
    assert {"rows", "precision", "12345", "0.123456"} <= set(" ".join(lines).split())
    assert "".join(lines).count("x") == 70 * sum("precision" in line or "rows" in line for line in lines)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("settings", [{}, {"lr": 1, "epochs": 3}], ids=["auto", "short"])
def test_of_classes_that_can_be_told_apart_no_optimum_is_said_to_be_near_or_far(classes, settings):
    x = np.random.default_rng(0).normal(size=60)
    c = np.digitize(x, np.linspace(-0.5, 0.5, classes - 1))
    model = descend.fit("c ~ x", {"x": x, "c": np.array(["a", "b", "d"])[c]}, **settings)
    lines = fit_lines(model, "en")
    assert "there is no optimum" in " ".join(lines)
    assert not [line for line in lines if "not at the optimum yet" in line or "not certified" in line]
    assert "최적점이 없습니다" in " ".join(fit_lines(model, "ko"))
    sound = fit_lines(descend.fit("c ~ x", {"x": x, "c": np.where(np.arange(60) % 2, "a", "b")}), "en")
    assert "there is no optimum" not in " ".join(sound)


@pytest.mark.parametrize(("settings", "code"), [({}, "standardised"), ({"standardize": False}, "raw")], ids=str)
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_a_model_tells_of_which_columns_its_penalty_is(tmp_path, capsys, settings, code, lang):
    table = {"x": np.arange(9.0), "y": np.arange(9.0) ** 2}
    path = descend.fit("y ~ x", table, l2=0.25, **settings).save(tmp_path / "m.safetensors")
    sentence = say(f"report.penalty-{code}", lang, l2=0.25)
    assert sentence in " ".join(called(capsys, "show", path, "--lang", lang)[1].split())
    assert json.loads(called(capsys, "show", path, "--json", "--lang", lang)[1])["fit"]["penalty"] == sentence


def test_a_model_without_a_penalty_tells_of_none(penguins):
    assert model_facts(penguins)["fit"]["penalty"] is None
    assert "squared" not in " ".join(printed(tell_coefficients(penguins, "en"), 100))
