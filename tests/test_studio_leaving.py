"""The command line and the script that leave the studio do what the page did, to the last bit."""

from __future__ import annotations

import inspect
import os
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from conftest import ROOT, called
from hypothesis import given
from hypothesis import strategies as st

import descend
from descend import labs
from descend.base.errors import DivergedError, OptionError
from descend.cli.fit import fit_command as fit_command
from descend.labs.runner import recipe_of
from descend.solvers.parameter_settings import parse_start
from descend.solvers.recipe import Recipe
from descend.solvers.settings import SETTINGS
from descend.studio.reading import CONTROLS
from descend.studio.reproduce import WIDTH, command_line, example_csv, python_code
from descend.tables.reading_settings import reading_keywords

SCORES, PENGUINS = "examples/scores.csv", "examples/penguins.csv"
MASS = "body_mass_g ~ species + poly(flipper_length_mm, 2)"
SPECIES = "species ~ bill_length_mm + bill_depth_mm"
SEX = "sex ~ body_mass_g"
START = {"(intercept)": -0.1, "poly(flipper_length_mm, 2)[1]": 1e-17, "species[Gentoo]": 2 / 3}
CASES = [
    (SCORES, "score ~ hours", {}),
    (SCORES, "score ~ hours", {"lr": 0.1 + 0.02, "epochs": 7, "standardize": False, "test": "none"}),
    (SCORES, "score ~ hours", {"lr": "auto", "init": [0.25, -1 / 3], "ddof": 1, "epochs": np.int64(3)}),
    (PENGUINS, MASS, {"missing": "drop", "init": START, "lr": 0.01, "epochs": 5, "l2": 1e-5, "seed": 3}),
    (PENGUINS, MASS, {"missing": "drop", "optimizer": "sgd", "momentum": 0.9, "nesterov": True, "epochs": 9.0}),
    (PENGUINS, MASS, {"missing": "drop", "loss": "huber", "delta": 300, "init": "normal", "dtype": "float32"}),
    (PENGUINS, MASS, {"missing": "drop", "lr": 0.1, "patience": 2, "validation": 0.25, "test": 0.3, "epochs": 40}),
    (PENGUINS, "log(body_mass_g) ~ 0 + sex", {"missing": "drop", "epochs": 6, "schedule": "step", "step_size": 2,
                                              "gamma": 0.5, "warmup": 1, "lr": 0.05, "tolerance": 1e-9}),
    (PENGUINS, SEX, {"missing": "drop", "family": "logistic", "optimizer": "adam", "epochs": 4, "batch_size": 32,
                     "drop_last": True, "batch_history": True}),
    (PENGUINS, SPECIES, {"missing": "drop", "init": np.arange(9.0).reshape(3, 3) / 7, "epochs": 3, "test": 4}),
    (PENGUINS, SPECIES, {"missing": "drop", "hypothesis": "mlp(4, dropout=0.1)", "epochs": 2, "weight_decay": 0.01,
                         "clip": 0.5, "optimizer": "adamw", "device": "cpu", "batch_size": 64}),
    (SCORES, "score = top * (1 - exp(-rate * hours)) + base",
     {"init": {"rate": 0.25, "top": 80.0}, "fixed": {"base": 20}, "bounds": {"rate": (0, 3), "top": (None, 1e3)}}),
    (SCORES, "score = W * hours + b", {"init": {"W": 0.5, "b": -1 / 3}, "lr": "auto", "epochs": 4}),
    (SCORES, "score = hour * hours**p", {"parameters": ["hour"], "optimizer": "adam", "lr": 0.01, "epochs": 9}),
]  # fmt: skip


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.slow
@pytest.mark.parametrize(("file", "formula", "settings"), CASES)
def test_the_command_fits_the_same_to_the_last_bit(capsys, tmp_path, file, formula, settings):
    out = str(tmp_path / "model.safetensors")
    columns = descend.fit(formula, file, **{**settings, "init": "zeros"}).design.names
    line = command_line(file, formula, settings, out, names=columns)
    words = as_the_shell_has_it(line)
    assert words[:2] == ["descend", "fit"]
    code, _, err = called(capsys, *words[1:])
    assert (code, err) == (0, "")
    made, asked = descend.load(out), descend.fit(formula, file, **settings)
    assert np.array_equal(made.weights, asked.weights)
    assert np.array_equal(made.history.loss, asked.history.loss)
    assert np.array_equal(made.history.batch_loss, asked.history.batch_loss)


@pytest.mark.slow
def test_the_scripts_fit_the_same_to_the_last_bit(tmp_path):
    """One process runs them all, as a start of Python costs more than a fit."""
    for number, (file, formula, settings) in enumerate(CASES):
        code = python_code(file, formula, settings, str(tmp_path / f"{number}.safetensors"))
        (tmp_path / f"{number}.py").write_text(code, encoding="utf-8")
    every = "import glob, runpy, sys\nfor p in sorted(glob.glob(sys.argv[1] + '/*.py')): runpy.run_path(p)"
    environment = {**os.environ, "PYTHONPATH": str(Path(descend.__file__).parent.parent)}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", every, tmp_path], env=environment, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "score = " in ran.stdout
    for number, (file, formula, settings) in enumerate(CASES):
        made = descend.load(tmp_path / f"{number}.safetensors")
        assert np.array_equal(made.weights, descend.fit(formula, file, **settings).weights)


NAME = st.text(st.sampled_from("ab$`'\"\\! ~#;&|<>(){}[]*?=%점수\t\n,-"), min_size=1, max_size=12)


def as_the_shell_has_it(line):
    """Return the words of a command as a shell splits it, one that finds no programs and no files of ours to harm."""
    script = 'descend() { printf "%s\\0" descend "$@"; }\n' + line
    with TemporaryDirectory() as folder:
        ran = subprocess.run(["/bin/sh", "-c", script], cwd=folder, env={"PATH": ""}, capture_output=True, check=True)
    return ran.stdout.decode().split("\0")[:-1]


@given(file=NAME, column=NAME, long=st.integers(0, 12))
def test_whatever_the_names_the_shell_gets_the_same_words(file, column, long):
    formula = f"y ~ `{column}`" + " + another_column" * long
    start = {f"column_{index}": index / 3 for index in range(long)}
    line = command_line(file, formula, {"lr": 0.1, "init": start}, file)
    words = as_the_shell_has_it(line)
    assert words == shlex.split(line.replace(" \\\n    ", " "))
    assert words[-2:] == ([file, formula] if file.startswith("-") else ["--out", file])
    assert {file, formula, "--lr", "0.1"} <= set(words)
    if long:
        assert parse_start(words[words.index("--init") + 1]) == start


@given(file=NAME, column=NAME, value=st.floats(allow_nan=False, allow_infinity=False))
def test_whatever_the_names_the_script_says_them(file, column, value):
    formula, heard = f"y ~ `{column}`", []
    script = python_code(file, formula, {"init": {column: value, "a": [value] * 12}}, file)

    class Heard:
        equation = ""
        save = heard.append

        @classmethod
        def fit(cls, *arguments, **settings):
            heard.append((arguments, settings))
            return cls

    exec(script.replace("import descend\n", "", 1), {"descend": Heard, "print": heard.append})
    assert heard == [((formula, file), {"init": {column: value, "a": [value] * 12}}), "", file]


def test_a_script_is_as_the_formatter_would_have_it(tmp_path):
    scripts = [python_code(*case) for case in CASES]
    scripts += [
        python_code(
            "표" * 30 + ".csv", 'y ~ `it\'s` + `a "b"` + `"`', {"init": {"긴 이름" * 9: [0.1, 0.2, 0.3]}}, "x" * 90
        ),
        python_code("a\\b'.csv", "y ~ " + " + ".join(["x", "z"] * 30), {"init": np.eye(12)}),
        python_code("\t\x07\xa0.csv", "y ~ x", {"init": {"x": 1, "z" * 80: 2}}),
    ]
    for number, script in enumerate(scripts):
        (tmp_path / f"{number}.py").write_text(script, encoding="utf-8")
    for more in ([], ["--line-length", "120"]):
        command = [sys.executable, "-m", "ruff", "format", "--isolated", "--no-cache", "--diff", *more, str(tmp_path)]
        ran = subprocess.run(command, capture_output=True, text=True)
        assert ran.stdout == ""
        assert ran.returncode == 0, ran.stderr


def test_every_setting_has_a_flag_or_is_known_to_have_none():
    assert {name for name, row in SETTINGS.items() if not row.panel} == {"workers"}


def test_what_is_left_out_means_the_same_on_the_command_line():
    """Only what differs from the recipe's defaults is written, so the command's defaults must be the recipe's."""
    command = {name: parameter.default for name, parameter in inspect.signature(fit_command).parameters.items()}
    for row in SETTINGS.values():
        if row.panel:
            assert command[row.parameter] == row.default


def test_settings_that_are_the_defaults_are_not_written():
    settings = {field.name: field.default for field in fields(Recipe)}
    line = 'descend fit scores.csv "score ~ hours" --out m.safetensors'
    assert command_line("scores.csv", "score ~ hours", settings, "m.safetensors") == line
    assert command_line("scores.csv", "score ~ hours", {"init": {}}, "m.safetensors") == line


def test_a_long_command_is_broken_between_its_options():
    file, formula, settings = CASES[7]
    first, *rest = command_line(file, formula, settings).split(" \\\n")
    assert first.startswith('descend fit examples/penguins.csv "log(body_mass_g) ~ 0 + sex" --')
    assert rest
    assert all(line.startswith("    --") and len(line) <= WIDTH for line in rest)


@pytest.mark.parametrize(
    "settings",
    [
        {"init": [0.0, 1.0]},
        {"init": {"g[a=1,b]": 2.0}},
        {"init": {" x ": 2.0}},
        {"hypothesis": dict, "workers": 2},
        {"hypothesis": dict, "loss": len},
    ],
)
def test_what_a_command_line_cannot_say_is_told(settings):
    with pytest.raises(OptionError, match="command line") as told:
        command_line("t.csv", "y ~ x", settings)
    assert told.value.code == "studio.no-command"
    assert told.value.values["name"] in settings


def test_what_a_script_cannot_say_is_told():
    with pytest.raises(OptionError) as told:
        python_code("t.csv", "y ~ x", {"hypothesis": dict})
    assert (told.value.code, told.value.values) == ("studio.no-script", {"name": "hypothesis"})


def test_a_start_may_name_columns_with_commas():
    assert parse_start("poly(x, 2)[1]=0.5, x:poly(z, 3, raw)[2]=1/-2,(intercept)=3") == {
        "poly(x, 2)[1]": 0.5,
        "x:poly(z, 3, raw)[2]": [1.0, -2.0],
        "(intercept)": 3.0,
    }
    for text, told in (("a=1, b", "b"), ("a=1,", ""), ("a=big, b=1", "a=big")):
        with pytest.raises(OptionError) as error:
            parse_start(text)
        assert (error.value.code, error.value.values["value"]) == ("option.init", told)


# what is left with the table


@pytest.mark.slow
@pytest.mark.parametrize("lab", labs.examples(), ids=lambda lab: lab.id)
def test_the_table_of_a_worked_example_is_the_file_that_its_command_fits_the_same_on(tmp_path, lab):
    path = tmp_path / f"{lab.id}.csv"
    path.write_bytes(example_csv(lab.id))
    given = {**recipe_of(lab).given(), "test": "none"}
    if given.get("epochs", 0) > 300:
        given["epochs"] = 300
    models = []
    for table in (lab.table(), str(path)):
        try:
            models.append(descend.fit(lab.hypothesis, table, **given))
        except DivergedError as error:
            models.append(error.model)
    assert models[0].equation == models[1].equation
    np.testing.assert_array_equal(models[0].weights, models[1].weights)


READ = {
    "decimal": ("a;b\n1,5;2\n2,5;4,25\n3,5;5\n4,5;7\n", {"decimal": ","}),
    "encoding": ("a,b,\ud55c\n1,2,x\n2,4,y\n3,5,x\n4,7,y\n", {"encoding": "cp949"}),
    "missing": ("a,b\n1,2\n2,4\n-9,5\n4,7\n7,8\n", {"na": ["-9", "?"]}),
    "header": ("a,b\n1,2\n2,4\n3,5\n4,7\n", {"header": True}),
    "no header": ("1,2\n2,4\n3,5\n4,7\n", {"header": False}, "x2 ~ x1"),
    "delimiter": ("a|b\n1|2\n2|4\n3|5\n4|7\n", {"delimiter": "|"}),
    "lines": ("of 2024\na,b\nm,kg\n1,2\n2,4\n3,5\n4,7\nthe,end\n", {"header_row": 2, "skip_rows": 3, "skip_footer": 1}),
    "comment": ("$ of 2024\na,b\n1,2\n2,4\n3,5\n4,7\n", {"comment": "$"}),
    "text": ("a,b\nNone,2\nsome,4\nNone,5\nsome,7\n", {"keep_na_text": True}),
    "text and missing": ("a,b\nNone,2\nsome,4\nNone,5\nsome,7\n?,9\n", {"keep_na_text": True, "na": ["?"]}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", READ)
def test_how_a_file_is_read_goes_along_in_the_command_and_in_the_script(capsys, tmp_path, name):
    text, reading, formula = (*READ[name], "b ~ a")[:3]
    file = tmp_path / "table.csv"
    file.write_text(text, encoding=reading.get("encoding", "utf-8"))
    settings = {"missing": "drop", "epochs": 5, "lr": 0.1, "optimizer": "sgd"}
    wanted = descend.fit(formula, descend.read(file, **reading_keywords(reading)), **settings)
    for number, line in enumerate((command_line, python_code)):
        out = tmp_path / f"model{number}.safetensors"
        said = line(str(file), formula, settings, str(out), reading=reading)
        if line is command_line:
            assert called(capsys, *as_the_shell_has_it(said)[1:])[0] == 0
        else:
            compile(said, "script", "exec")
            subprocess.run([sys.executable, "-c", said], check=True, capture_output=True)
        np.testing.assert_array_equal(descend.load(out).weights, wanted.weights)


def test_every_way_to_read_that_the_page_offers_is_an_option_of_the_command():
    assert {name for _, reading, *_ in READ.values() for name in reading} == set(CONTROLS)
    known = inspect.signature(fit_command).parameters
    assert set(CONTROLS) <= set(known)
    assert set(inspect.signature(descend.read).parameters) - {"source", "names"} <= {*CONTROLS, "missing"}
