"""The lessons: every check holds, fails when a figure is changed, and is told in both languages."""

from __future__ import annotations

import dataclasses
import json
import sys

import numpy as np
import pytest
from conftest import called
from scipy.special import expit
from scipy.stats import binom

from descend.base.errors import OptionError
from descend.base.messages import Note, codes
from descend.cli.console import tell
from descend.labs import LESSONS, find_lab, maximum_likelihood, sigmoid, tensors, train_validation_test
from descend.labs.outcome import Outcome, Section
from descend.labs.plots import PAINTERS
from descend.labs.report import tell_outcome
from descend.labs.runner import run_lab
from descend.labs.tensor_steps import GIVEN, TITLED, Refusal, Step, source_of

STEPS = [step for steps in TITLED.values() for step in steps]
NAMES = [lesson.id for lesson in LESSONS]


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    return {lesson.id: run_lab(lesson) for lesson in LESSONS}


def bad(parts) -> list[str]:
    return [check.code for part in parts for check in part.checks if not check.good]


@pytest.fixture
def no_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_check_of_a_lesson_holds(outcomes, name):
    assert outcomes[name].checks
    assert bad(outcomes[name].parts) == []
    assert outcomes[name].whole


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_a_lesson_is_told_in_both_languages_within_a_hundred_columns(outcomes, capsys, monkeypatch, name, lang):
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", "100")
    tell(tell_outcome(outcomes[name], lang))
    out = capsys.readouterr().out
    assert max(map(cell_len, out.splitlines())) <= 100
    assert find_lab(name).title[lang] in out
    assert out.count("✓") == len(outcomes[name].checks)
    hangul = any("\uac00" <= letter <= "\ud7a3" for letter in out)
    assert hangul is (lang == "ko")


def test_a_failed_check_is_shown(outcomes, capsys):
    parts = [part for part in outcomes["tensors"].parts if not isinstance(part, Section)]
    line = parts[0].lines[0]
    broken = dataclasses.replace(line, check=dataclasses.replace(line.check, good=False))
    part = dataclasses.replace(parts[0], lines=[broken])
    outcome = Outcome(find_lab("tensors"), list(part.checks), [part])
    tell(tell_outcome(outcome, "en"))
    assert "✗" in capsys.readouterr().out
    assert not outcome.whole


# tensors


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_what_is_shown_is_what_is_run(step, library):
    """The expression that is shown, compiled again, is the function that is run, to the bytecode."""
    function = getattr(step, library)
    names = function.__code__.co_varnames
    again = eval(f"lambda {', '.join(names)}: {source_of(function)}")
    assert names[0] == {"numpy": "np", "torch": "torch"}[library]
    assert again.__code__.co_code == function.__code__.co_code
    assert again.__code__.co_consts == function.__code__.co_consts
    assert again.__code__.co_names == function.__code__.co_names


def test_every_step_has_a_sentence_and_both_libraries_the_same_values():
    sentences = codes("en")
    assert {f"lesson.{step.name}" for step in STEPS} <= set(sentences)
    assert len({step.name for step in STEPS}) == len(STEPS)
    for step in STEPS:
        ours, theirs = (function.__code__.co_varnames[1:] for function in (step.numpy, step.torch))
        assert ours == theirs
        assert set(ours) <= set(GIVEN)


def otherwise(value):
    """A value that is not the one expected."""
    if isinstance(value, Refusal):
        return Refusal("KeyError")
    if isinstance(value, tuple):
        return (*value[:-1], otherwise(value[-1]))
    if isinstance(value, list):
        return [*value[:-1], otherwise(value[-1])]
    return value + 1 if isinstance(value, (int, float)) else f"{value}?"


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_step_whose_figure_is_changed_fails(step):
    changed = dataclasses.replace(step, gives=otherwise(step.gives))
    assert "lesson.tensors-gives" in bad(tensors.tensor_sections({"rank": (changed,)}))
    if step.torch_gives is not None:
        changed = dataclasses.replace(step, torch_gives=otherwise(step.torch_gives))
        assert bad(tensors.tensor_sections({"rank": (changed,)})) == ["lesson.tensors-gives"]


def test_a_step_fails_where_the_libraries_differ_or_the_type_is_another():
    differ = Step("rank-dim", lambda np, i: i + 1, lambda torch, i: i, [2, 3])
    assert len(bad(tensors.tensor_sections({"rank": (differ,)}))) == 1
    typed = Step("cast-float", lambda np, i: i, lambda torch, i: i.float(), [1, 2], dtype="float32")
    assert len(bad(tensors.tensor_sections({"cast": (typed,)}))) == 1


def test_a_step_leaves_the_values_of_the_next_as_they_are():
    again = (STEPS[-1], dataclasses.replace(STEPS[-1]))
    assert bad(tensors.tensor_sections({"place": again})) == []


@pytest.mark.slow
def test_an_error_is_part_of_the_lesson(outcomes, capsys):
    tell(tell_outcome(outcomes["tensors"], "en"))
    out = " ".join(capsys.readouterr().out.split())
    assert "RuntimeError: mean(): could not infer output dtype" in out
    assert "ValueError: operands could not be broadcast together" in out


@pytest.mark.parametrize(("lang", "word"), [("en", "is not installed"), ("ko", "설치되어 있지 않아")])
def test_without_torch_numpys_side_runs_and_says_what_to_install(capsys, no_torch, lang, word):
    code, out, _ = called(capsys, "lab", "tensors", "--lang", lang)
    assert code == 0
    assert word in out
    assert 'pip install "descend[torch]"' in " ".join(out.split())
    assert f"{len(STEPS)}" in out.splitlines()[-1]
    assert out.count("✓") == len(STEPS)


# the sigmoid


def test_the_curve_is_scipys():
    for W, b in sigmoid.MIDDLES:
        for x in sigmoid.PLACES:
            assert sigmoid.sigmoid_curve(x, W, b) == pytest.approx(expit(W * x + b), rel=1e-14)


@pytest.mark.parametrize(
    ("name", "value", "fails"),
    [
        ("AT_ONE", 0.7310585, "lesson.sigmoid-at-one"),
        ("SLOPES", {**sigmoid.SLOPES, 2.0: 0.25}, "lesson.sigmoid-slope"),
        ("SLOPES", {**sigmoid.SLOPES, -1.0: 0.25}, "lesson.sigmoid-slope"),
        ("MIDDLES", {**sigmoid.MIDDLES, (2.0, -1.0): 1.0}, "lesson.sigmoid-middle"),
    ],
)
def test_a_figure_of_the_sigmoid_that_is_changed_fails(monkeypatch, name, value, fails):
    monkeypatch.setattr(sigmoid, name, value)
    assert bad(sigmoid.sigmoid_sections()) == [fails]


def test_another_function_is_not_taken_for_the_sigmoid(monkeypatch):
    monkeypatch.setattr(sigmoid, "sigmoid", lambda z: (1 + np.tanh(z)) / 2)
    assert {"lesson.sigmoid-at-one", "lesson.sigmoid-slope"} == set(bad(sigmoid.sigmoid_sections()))


# maximum likelihood


def test_the_log_likelihood_is_scipys_without_the_number_of_orders():
    for theta in (0.1, 0.27, 0.9):
        orders = binom.logpmf(27, 100, 0.5) - 100 * np.log(0.5)
        assert maximum_likelihood.log_likelihood(theta) == pytest.approx(binom.logpmf(27, 100, theta) - orders)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEADS", 28),
        ("THETA", 0.2701),
        ("LIKELIEST", -58.3258),
        ("LOG_ODDS", -0.9946),
        ("RATE", 0.00001),
        ("EPOCHS", 80),
    ],
)
def test_a_figure_of_the_likelihood_that_is_changed_fails(monkeypatch, name, value):
    monkeypatch.setattr(maximum_likelihood, name, value)
    if name == "EPOCHS":
        monkeypatch.setattr(maximum_likelihood, "EPOCH_RATE", 0.1)
    assert bad(maximum_likelihood.likelihood_sections())


def test_an_ascent_that_goes_down_is_noticed(monkeypatch):
    monkeypatch.setattr(maximum_likelihood, "RATE", 0.00396)  # the largest stable one is 2 x 0.27 x 0.73 / 100
    monkeypatch.setattr(maximum_likelihood, "START", 0.27001)
    assert "lesson.likelihood-climbs" in bad(maximum_likelihood.likelihood_sections())


# overfitting


def test_the_fitted_and_the_validation_rows_are_apart_and_the_test_rows_unseen():
    fitted, held = train_validation_test.split().folds[0]
    assert fitted.size == held.size == 30
    assert sorted([*fitted, *held]) == list(range(60))
    table = train_validation_test.noisy_table()
    assert table.height == 260
    assert table.equals(train_validation_test.noisy_table(train_validation_test.SHOWN))
    assert not table.equals(train_validation_test.noisy_table(train_validation_test.SHOWN + 1))
    assert np.std((table["y"] - table["x"].sin()).to_numpy()) == pytest.approx(0.5, rel=0.15)


def test_patience_holds_out_the_very_rows_that_validate():
    way = next(way for way in train_validation_test.WAYS if "patience" in way.settings)
    _, trained = train_validation_test.train_remedy(way)
    assert trained.objective.rows == 30
    assert min(trained.history.validation_loss) == pytest.approx(train_validation_test.losses(way).validation)


def test_the_polynomials_losses_are_numpys():
    data = train_validation_test.noisy_table()
    x, y = data["x"].to_numpy(), data["y"].to_numpy()
    fitted, held = train_validation_test.split().folds[0]
    cubic = np.polynomial.Polynomial.fit(x[fitted], y[fitted], 3)
    losses = train_validation_test.losses(train_validation_test.FEWER)
    for rows, ours in ((fitted, losses.fitted), (held, losses.validation), (np.arange(60, 260), losses.test)):
        assert ours == pytest.approx(np.mean((cubic(x[rows]) - y[rows]) ** 2))


def test_remedies_that_do_not_help_fail():
    useless = dataclasses.replace(train_validation_test.OVERFITTED, name="weight-decay", cures="overfitted")
    told = Note("lesson.overfitting-remedies", {})
    parts = train_validation_test.remedies(told, [train_validation_test.OVERFITTED, useless], 3, 2)
    assert bad(parts) == ["lesson.overfitting-helps", "lesson.overfitting-wins", "lesson.overfitting-ratio"]


def test_without_noise_there_is_nothing_to_overfit(monkeypatch):
    monkeypatch.setattr(train_validation_test, "NOISE", 0.0)
    assert bad([train_validation_test.degrees()]) == ["lesson.overfitting-degree-rises"]


# the command line


def test_a_lesson_is_told_as_json_like_any_lab(capsys):
    code, out, _ = called(capsys, "lab", "sigmoid", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["id"] == "sigmoid"
    assert facts["reproduced"] == facts["figures"] == len(facts["checks"])
    _, out, _ = called(capsys, "labs", "--json")
    assert {entry["id"] for entry in json.loads(out)["labs"]} >= set(NAMES)


def test_a_lesson_that_fails_exits_with_1(capsys, monkeypatch):
    monkeypatch.setattr(sigmoid, "AT_ONE", 0.73)
    code, out, _ = called(capsys, "lab", "sigmoid", "--lang", "en")
    assert code == 1
    assert "✗ differs" in out


@pytest.mark.slow
@pytest.mark.parametrize("name", PAINTERS)
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_a_lesson_is_drawn(capsys, tmp_path, no_torch, name, lang):
    path = tmp_path / f"{name}.svg"
    code, out, _ = called(capsys, "lab", name, "--plot", path, "--lang", lang, "--json")
    assert code == 0
    assert json.loads(out)["id"] == name
    assert path.read_text(encoding="utf-8").startswith("<?xml")


def test_what_cannot_be_drawn_or_has_no_table_is_an_error(capsys, tmp_path):
    for arguments, code in (
        (("tensors", "--plot", tmp_path / "a.png"), "option.lab-plot"),
        (("study-hours", "--plot", tmp_path / "a.png"), "option.lab-plot"),
        (("sigmoid", "--plot", tmp_path / "a.doc"), "option.plot-kind"),
        (("sigmoid", "--plot", tmp_path / "no" / "a.png"), "option.cannot-write"),
        (("tensors", "--save-table", tmp_path / "a.csv"), "option.lab-table"),
    ):
        status, _, err = called(capsys, "lab", *arguments)
        assert (status, code in err) == (2, True), err
    assert list(tmp_path.iterdir()) == []


def test_a_lessons_table_is_written(capsys, tmp_path):
    path = tmp_path / "coin.csv"
    assert called(capsys, "lab", "maximum-likelihood", "--save-table", path)[0] == 0
    rows = path.read_text().split()
    assert (rows[0], rows.count("1"), rows.count("0")) == ("heads", 27, 73)


@pytest.mark.slow
@pytest.mark.parametrize(("lang", "word"), [("en", "need PyTorch"), ("ko", "PyTorch가 필요합니다")])
def test_without_torch_the_remedies_of_networks_are_left_out_with_a_sentence(capsys, no_torch, lang, word):
    code, out, _ = called(capsys, "lab", "train-validation-test", "--lang", lang)
    assert code == 0
    assert word in " ".join(out.split())
    assert "14" in out.splitlines()[-1]


@pytest.mark.slow
def test_a_note_within_a_check_is_told_in_the_readers_language(capsys, no_torch):
    _, out, _ = called(capsys, "lab", "train-validation-test", "--json", "--lang", "ko")
    remedies = [check["remedy"] for check in json.loads(out)["checks"] if "remedy" in check]
    assert Note("lesson.overfitting-fewer-columns", {}).tell("ko") in remedies


def test_an_unknown_lesson_is_an_error():
    with pytest.raises(OptionError, match="no lab"):
        find_lab("tensor")
