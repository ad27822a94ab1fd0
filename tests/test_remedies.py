"""What mends an error or a note, and what it may not change."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from conftest import ROOT
from finding_fixtures import clean

import descend
from descend.analysis.diagnosis.remedies.registry import REMEDIES, changes_for
from descend.base.errors import DescendError, DivergedError, FormulaError, OptionError, TableError
from descend.solvers.recipe import Recipe
from descend.tables.reading_settings import reading_keywords

PENGUINS = str(ROOT / "examples" / "penguins.csv")
MASS = "body_mass_g ~ flipper_length_mm + bill_length_mm"
BIRDS = {"missing": "drop"}


def thirds(t):
    return np.array(["u", "v", "w"])[np.arange(len(t["x"])) % 3]


def gaps(t, *names):
    """Return a table with every third cell of the first column empty, the cells beside them of the next, and so on."""
    made = dict(t)
    for offset, name in enumerate(names):
        made[name] = np.where(np.arange(len(t[name])) % len(names) == offset, np.nan, t[name])
    return made


def empty(t, name, every=3):
    return {**t, name: np.where(np.arange(len(t[name])) % every == 0, np.nan, t[name])}


GRID = np.linspace(0.1, 6, 60)
ERRORS = {  # the error: formula, table, settings, the labels of what is offered, the formula after the first
    "table.missing": ("y ~ x", empty(clean(), "x"), {}, "drop mean", "y ~ x"),
    "table.missing in the target": ("y ~ x", empty(clean(), "y"), {}, "drop", "y ~ x"),
    "table.missing-no-mean": (MASS, PENGUINS, {"missing": "mean"}, "drop", MASS),
    "table.all-dropped": (
        "y ~ x + z + other",
        gaps(clean(), "x", "z", "other"),
        {"missing": "drop"},
        "mean",
        "y ~ x + z + other",
    ),
    "table.all-missing": ("y ~ .", empty(clean(), "z", 1), {}, "leave-out", "y ~ . - z"),
    "formula.unknown-column-near": (
        "y ~ noize + z + log1p(noize**2)",
        clean(),
        {"init": {"noise": 1.0}},
        "rename",
        "y ~ noise + z + log1p(noise**2)",
    ),
    "formula.function-near": ("y ~ sqr(x**2) + z", clean(), {}, "rename", "y ~ sqrt(x**2) + z"),
    "formula.parameter-or-column": ("y = a + b*noize + c*x", clean(), {}, "rename declare", "y = a + b*noise + c*x"),
    "design.one-level": ("y ~ x*c", clean(c=lambda t: np.full(60, "u")), {}, "leave-out", "y ~ x"),
    "design.all-distinct": (
        "y ~ x + c",
        clean(c=lambda t: [f"n{index}" for index in range(60)]),
        {},
        "leave-out",
        "y ~ x",
    ),
    "design.not-two": ("g ~ x", clean(g=thirds), {"loss": "binary_cross_entropy"}, "softmax", "g ~ x"),
    "design.zero-target": ("y ~ x", clean(y=lambda t: np.round(t["y"])), {"loss": "mape"}, "loss", "y ~ x"),
    "design.negative-target": ("y ~ x", clean(), {"loss": "msle"}, "loss", "y ~ x"),
    "option.loss-family": ("y ~ x", clean(), {"family": "linear", "loss": "cross_entropy"}, "own-loss", "y ~ x"),
    "option.no-effect": ("y ~ x", clean(), {"gamma": 0.5}, "reset", "y ~ x"),
    "fit.diverged": ("y ~ x", clean(), {"lr": 30, "batch_size": 8, "epochs": 200}, "rate optimum", "y ~ x"),
    "fit.left-domain": (
        "y = a*log(u - k) + c",
        {"u": GRID, "y": 2 - 0.8 * np.log(GRID) + 0.1 * np.sin(40 * GRID)},
        {"lr": 0.5, "epochs": 50, "init": {"a": 1, "k": 0, "c": 1}},
        "rate optimum",
        "y = a*log(u - k) + c",
    ),
    "fit.diverged-stable": ("y ~ x + z", clean(), {"lr": 3, "epochs": 900}, "best-rate optimum", "y ~ x + z"),
    "fit.diverged-stable-raw": (
        MASS,
        PENGUINS,
        {**BIRDS, "lr": 0.1, "standardize": False},
        "standardise-best rate optimum",
        MASS,
    ),
    "fit.diverged-bound": (
        "y ~ x",
        clean(),
        {"loss": "huber", "lr": 10, "l2": 1, "epochs": 900},
        "rate optimum",
        "y ~ x",
    ),
    "fit.diverged-bound-raw": (
        "y ~ x",
        clean(),
        {"loss": "huber", "lr": 10, "l2": 1, "epochs": 900, "standardize": False},
        "standardise-best rate optimum",
        "y ~ x",
    ),
    "fit.not-finite": (
        "y ~ x",
        clean(x=lambda t: 1e39 * t["x"]),
        {"dtype": "float32", "standardize": False},
        "float64 standardise",
        "y ~ x",
    ),
    "fit.squares-not-finite": (
        "y ~ x",
        clean(x=lambda t: 1e200 * t["x"]),
        {"standardize": False},
        "standardise",
        "y ~ x",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", ERRORS)
def test_a_remedy_pressed_ends_an_error(case):
    formula, table, settings, labels, after = ERRORS[case]
    with pytest.raises(DescendError) as met:
        descend.fit(formula, table, **settings)
    assert met.value.code == case.split()[0]
    columns = list(table) if isinstance(table, dict) else []
    changes = changes_for(met.value, formula, settings, columns=columns)
    assert " ".join(change.label.code.removeprefix("remedy.") for change in changes) == labels
    for index, change in enumerate(changes):
        new, merged = change.applied(formula, settings)
        assert index or new == after
        model = descend.fit(new, table, **merged)
        assert np.isfinite(model.weights).all()
        assert "{" not in change.label.tell() + change.label.tell("ko")


def test_every_error_with_a_remedy_has_a_case():
    here = {"design.no-column-near"}  # below: it is met by a model, not by a fit
    errors = {code for code in REMEDIES if not code.startswith("note.")}
    assert errors == {case.split()[0] for case in (*ERRORS, *UNREAD)} | here


a, b = 20 * "\u4e61", 20 * "\u4e62"  # each of two bytes that are letters by themselves
UNREAD = {  # the file, and how it is read before
    "table.decimal-comma": (b"a;b\n1,5;2\n2,5;4\n3,5;5\n4,5;7\n", {}),
    "table.decimal-comma in quotes": (b'a,b\n"1,5",2\n"2,5",4\n"3,5",5\n"4,5",7\n', {}),
    "table.undecodable": (b"a,b\nx\x81\x8d,1\n\xff\xfe\x8f\x9d,2\n\x90\xa0\xfd,3\ny,5\n", {}),
    "table.wrong-encoding": ("a,b\nçé,1\nüß,2\nx,3\ny,5\n".encode("cp1252"), {"encoding": "utf-8"}),
    "table.binary": (f"a,b\n{a},1\n{b},2\n{a},3\n{b},5\n".encode("utf-16-le"), {}),
    "table.preamble": (b"of 2024\nmade by hand\na,b\n1,2\n2,4\n3,5\n4,7\n5,9\n", {}),
    "table.double-header": (b"left,,right\na,a2,b\n1,1,2\n2,5,4\n3,2,5\n4,4,7\n", {}),
    "table.comments": (b"# of 2024\na,b\n1,2\n2,4\n3,5\n4,7\n", {}),
    "table.footer": (b"a,b\n1,2\n2,4\n3,5\n4,7\n5,8\nthe end\n", {}),
    "table.footer above one that is left out": (b"a,b\n1,2\n2,4\n3,5\n4,7\n5,8\nthe end\n9,9\n", {"skip_footer": 1}),
    "table.bad-cell": (b"a,b\n1,2\n2,4\n3,5\n4,7\nx,9\n6,12\n", {}),
    "table.bad-cell beside another text for missing": (
        b"a,b\n1,2\nnone,4\n3,5\n4,7\nx,9\n6,12\n",
        {"na": ["none"], "keep_na_text": True},
    ),
    "table.like-numbers": (b"a,b\n1,2 kg\n2,4 kg\n3,5 kg\n4,7 lb\n5,7 lb\n6,8 kg\n", {}),
    "table.missing as text": (b"a,b\nNone,2\nsome,4\nNone,5\nsome,7\nsome,8\n", {}),
}


@pytest.mark.parametrize("case", UNREAD)
def test_a_remedy_pressed_reads_a_file_that_could_not_be(case, tmp_path):
    data, before = UNREAD[case]
    path = tmp_path / "table.csv"
    path.write_bytes(data)

    def fitted(reading, **settings):
        return descend.fit("b ~ a", descend.read(path, **reading_keywords(reading)), test="none", **settings)

    with pytest.raises(DescendError) as met:
        fitted(before)
    assert met.value.code == case.split()[0]
    changes = changes_for(met.value, "b ~ a", {}, texts=["a"], reading=before)
    assert changes
    assert not [one for one in changes_for(met.value, "b ~ a", {}, reading=None) if one.reading]  # there is none
    ended = []
    for change in changes:
        assert "{" not in change.label.tell() + change.label.tell("ko")
        with suppress(DescendError):  # it is in another encoding: which one is for the person to say
            model = fitted(change.applied_to_reading(before), **change.applied("b ~ a", {})[1])
            ended.append(np.isfinite(model.weights).all())
    assert any(ended) or case == "table.undecodable"


NOTED = {
    "encoding-doubted": ("name,b\n漢,1\n字,2\n漢,3\n字,5\n".encode("cp949"), "b ~ name"),
    "comma-thousands": (b"a;b\n1,234;2\n2,345;4\n3,123;5\n4,500;7\n", "b ~ a"),
}


@pytest.mark.parametrize("code", NOTED)
def test_a_note_on_how_a_file_is_read_offers_the_other_way(code, tmp_path):
    data, formula = NOTED[code]
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    model = descend.fit(formula, path, test="none")
    (note,) = [note for note in model.notes if note.code == f"note.{code}"]
    (change,) = changes_for(note, formula, {})
    again = descend.fit(formula, descend.read(path, **reading_keywords(change.applied_to_reading({}))), test="none")
    assert note.code not in [note.code for note in again.notes]
    assert again.equation != model.equation
    assert {code for code in REMEDIES if code.startswith("note.")} == {f"note.{code}" for code in NOTED}


def test_a_column_that_another_table_calls_otherwise_is_written_as_there():
    formula, other = "y ~ `the x` + z", {"y": clean()["y"], "the_x": clean()["x"], "z": clean()["z"]}
    model = descend.fit(formula, clean() | {"the x": clean()["x"]})
    with pytest.raises(DescendError) as met:
        model.evaluate(other)
    assert met.value.code == "design.no-column-near"
    (change,) = changes_for(met.value, formula, {})
    assert change.formula == "y ~ the_x + z"
    assert descend.fit(change.formula, other).weights == pytest.approx(model.weights)


@pytest.mark.parametrize("error", [OptionError("option.seed"), TableError("table.empty", file="a.csv")])
def test_an_error_that_a_click_cannot_mend_offers_nothing(error):
    assert changes_for(error, "y ~ x", {}) == ()


def test_of_several_faults_each_is_mended_by_itself():
    assert changes_for(DescendError("table.all-missing", file="t.csv", column="x"), "y ~ x +", {}) == ()
    error = FormulaError("formula.function-near", text="y ~ sqr(x) +", position=4, found="sqr", near="sqrt", known="")
    (change,) = changes_for(error, "y ~ sqr(x) +", {"lr": -1})
    assert change.formula == "y ~ sqrt(x) +"
    settings = {"gamma": 0.5, "step_size": 5}
    for left in ({"step_size": 5}, {}):
        with pytest.raises(OptionError) as met:
            Recipe(**settings)
        (change,) = changes_for(met.value, "y ~ x", settings)
        _, settings = change.applied("y ~ x", settings)
        assert settings == left


def test_the_optimum_is_reached_whatever_the_run_was():
    """Every setting that makes a run one epoch by epoch is gone after it, so that "auto" is honoured."""
    run = {"lr": 0.001, "optimizer": "sgd", "momentum": 0.5, "nesterov": True, "epochs": 3, "tolerance": 1e-9,
           "schedule": "step", "gamma": 0.5, "step_size": 7, "warmup": 2, "patience": 50, "validation": 0.3,
           "batch_size": 10, "drop_last": True, "batch_history": True}  # fmt: skip
    kept = {"l2": 0.1, "seed": 3, "standardize": False, "test": "none"}
    error = DivergedError("fit.diverged", epoch=1, loss=1.0, first=1.0, lr=0.001, suggestion=1e-4)
    *_, optimum = changes_for(error, "y ~ x", {**run, **kept})
    assert optimum.label.code == "remedy.optimum"
    _, settings = optimum.applied("y ~ x", {**run, **kept})
    assert settings == kept
    assert Recipe(**settings).method == "auto"
    assert descend.fit("y ~ x", clean(), **settings).certificate is not None
