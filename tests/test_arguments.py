"""Whatever a public function is given, it answers or raises an error of ours, and says what was meant."""

import os
import subprocess
import sys
from dataclasses import fields

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import descend
from descend import DescendError, Recipe
from descend.cli import main

TABLE = pl.DataFrame({"y": [1.0, 2.0, 3.0, 4.5], "x": [1.0, 2.0, 3.0, 5.0], "g": ["a", "b", "a", "b"]})
MODEL = descend.fit("y ~ x", TABLE)
RUN = descend.trajectory("y ~ x", TABLE)
OBJECTS = [
    object(), np.array([]), np.zeros((3, 2)), np.array([1 + 2j]), np.array([1, None], dtype=object), pl.DataFrame(),
    np.datetime64("2020-01-01"), pl.DataFrame({"y": [], "x": []}), pl.Series([1, 2]), {"y": [1, 2j], "x": [1, 2]}, {1},
    descend.parse("y ~ x"), range(3), 1j, int, b"bytes", "y ~ x", "no.csv", "\x00", "a" * 5000, {"y": [1, 2], "x": [1]},
]  # fmt: skip
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(OBJECTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
OPTIONS = ("recipe", "memory", "scratch", "query", "on_read")
DANGEROUS = {"hypothesis", "cluster", "epochs", "workers"}  # a module, a network's address, a long run: told elsewhere
ASKED = {
    **{f"fit, {name}": lambda junk, name=name: descend.fit("y ~ x", TABLE, **{name: junk})
       for name in (*OPTIONS, "targets", "on_forecast", "resume", "partitions", "nonsense")},
    **{f"recipe, {field.name}": lambda junk, name=field.name: Recipe(**{name: junk})
       for field in fields(Recipe) if field.name not in DANGEROUS},
    **{f"settings, {field.name}": lambda junk, name=field.name: descend.fit("y ~ x", TABLE, **{name: junk})
       for field in fields(Recipe) if field.name not in DANGEROUS},
    **{f"{ask.__name__}, {name}": lambda junk, ask=ask, name=name: ask("y ~ x", TABLE, **{name: junk})
       for ask in (descend.forecast, descend.trajectory) for name in (*OPTIONS, "lr", "l2")},
    **{f"{ask.__name__}, a hypothesis": lambda junk, ask=ask: ask(junk, TABLE)
       for ask in (descend.fit, descend.forecast, descend.trajectory)},
    **{f"{ask.__name__}, a table": lambda junk, ask=ask: ask("y ~ x", junk)
       for ask in (descend.fit, descend.forecast, descend.trajectory)},
    "compare, hypotheses": lambda junk: descend.compare(TABLE, junk),
    "compare, a hypothesis": lambda junk: descend.compare(TABLE, ["y ~ x", junk]),
    "compare, a table": lambda junk: descend.compare(junk, ["y ~ x", "y ~ g"]),
    "parse": descend.parse,
    "read": descend.read,
    "load": descend.load,
    "from_sklearn": descend.from_sklearn,
    "predict": MODEL.predict,
    "evaluate": MODEL.evaluate,
    "predict, missing": lambda junk: MODEL.predict(TABLE, missing=junk),
    "intervals, level": lambda junk: MODEL.intervals(TABLE, level=junk),
    "at": MODEL.at,
    "loss at": RUN.loss,
    "epochs to": RUN.epochs_to,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("ask", ASKED)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(junk=JUNK)
def test_junk_is_answered_or_refused_by_an_error_of_ours(ask, junk):
    with np.errstate(all="ignore"):
        try:
            ASKED[ask](junk)
        except DescendError as error:
            assert str(error)  # noqa: PT017
            assert error.tell("ko")  # noqa: PT017


def refused(code, ask):
    with pytest.raises(DescendError) as caught:
        ask()
    assert caught.value.code == code
    return str(caught.value)


def test_an_unknown_setting_names_the_one_that_is_meant():
    for ask in (descend.fit, descend.forecast, descend.trajectory):
        assert "did you mean lr?" in refused(
            "option.unknown-near", lambda ask=ask: ask("y ~ x", TABLE, learning_rate=1)
        )
    assert "epochs" in refused("option.unknown-near", lambda: Recipe(epoch=3))
    refused("option.unknown", lambda: descend.fit("y ~ x", TABLE, zzz=1))


def test_a_recipe_and_settings_are_not_taken_together():
    for ask in (descend.fit, descend.forecast, descend.trajectory):
        refused("option.recipe-and-settings", lambda ask=ask: ask("y ~ x", TABLE, recipe=Recipe(lr=0.1), epochs=3))


def test_a_hypothesis_in_the_place_of_the_table_is_told():
    refused("option.swapped", lambda: descend.fit(TABLE, "y ~ x"))
    refused("option.swapped", lambda: descend.forecast("t.csv", "y ~ x"))


def test_tables_of_no_rows_and_of_numbers_that_are_none_are_refused():
    empty = pl.DataFrame({"y": [], "x": []}, schema={"y": pl.Float64, "x": pl.Float64})
    refused("table.no-rows", lambda: descend.fit("y ~ x", empty))
    refused("table.no-category", lambda: descend.fit("y ~ x", {"y": [1 + 1j, 2.0], "x": [1.0, 2.0]}))
    refused("fit.coefficients-beyond", lambda: descend.fit("y ~ x", {"x": [5e-324, 1e-320, 3e-320], "y": [1, 2, 4]}))


def test_models_and_recipes_can_be_compared_and_kept_in_sets():
    other = descend.fit("y ~ x", TABLE)
    assert MODEL == MODEL
    assert other != MODEL
    assert other in [MODEL, other]
    assert len({MODEL, other, MODEL.history, RUN}) == 4
    assert Recipe(init=np.ones(2)) == Recipe(init=np.ones(2)) != Recipe(init=np.zeros(2))
    assert len({Recipe(), Recipe(), Recipe(lr=0.1)}) == 2


def test_what_a_person_catches_and_keeps_is_public():
    for name in ("Recipe", "Verification", "ClusterError", "InterruptedFitError"):
        assert name in descend.__all__
        assert getattr(descend, name).__name__ == name


def test_python_runs_descend_as_a_module():
    done = subprocess.run([sys.executable, "-m", "descend", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("descend ")


HOME = os.path.expanduser("~")


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (["fit", "t.csv", "y", "~", "x"], "option.unquoted", "'y ~ x'"),
        (["fit", "t.csv", "y", HOME, "x", "+", "g", "--json"], "option.unquoted", "'y ~ x + g'"),
        (["fit", "t.csv", "y", "~x"], "option.unquoted", "'y ~ x'"),
        (["compare", "t.csv", "y~", "x"], "option.unquoted", "'y ~ x'"),
        (["fit", "t.csv", "y", "=", "a*x", "+", "b"], "option.unquoted", "'y = a*x + b'"),
        (["fit", "y ~ x", "t.csv"], "option.swapped", "the table"),
        (["fit", "y = a*x + b", "t.csv"], "option.swapped", "the table"),
        (["fot"], "usage.no-command", "did you mean fit?"),
        (["fit", "t.csv", "y ~ x", "--learning-rate", "1"], "usage.no-option", "did you mean --lr?"),
        (["fit", "t.csv", "y ~ x", "--optimizer", "adamm"], "option.optimizer", "did you mean adam?"),
        (["fit", "t.csv", "y ~ factor(g)"], "formula.function-near", "did you mean C?"),
        (["fit", "t.csv", "y ~ as.factor(g)"], "formula", ""),
    ],
    ids=lambda value: None if isinstance(value, list) else value,
)
def test_a_slip_on_the_command_line_is_told_with_what_was_meant(words, code, hint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANG", "C")
    TABLE.write_csv("t.csv")
    assert main([*words, "--lang", "en"]) == 2
    told = capsys.readouterr().err
    assert f"[{code}" in told
    assert hint in told


def test_the_home_folder_is_a_value_like_any_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    TABLE.write_csv("t.csv")
    assert main(["fit", "t.csv", "y ~ x", "--scratch", HOME]) == 0
    assert main(["fit", "--scratch", HOME, "t.csv", "y ~ x"]) == 0
