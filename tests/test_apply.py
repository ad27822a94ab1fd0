"""--apply: the command line makes the change that mends a finding, says so, and fits again."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from conftest import called
from finding_fixtures import clean

import descend


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("DESCEND_LANG", "en")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def bent(tmp_path):
    """Return a table whose errors bend, of which two columns are the same, and one of whose rows does not belong."""
    table = clean(y=lambda t: t["y"] + t["x"] ** 2, s=lambda t: 2 * t["x"])
    path = tmp_path / "bent.csv"
    pl.DataFrame(table).write_csv(path)
    return path


def fitted(capsys, *arguments):
    """Return the exit code of a fit, what it writes as JSON, and its lines of progress and errors."""
    code, out, err = called(capsys, "fit", *arguments, "--test", "none", "--json")
    return code, json.loads(out) if out else None, err


def codes_of(facts):
    return [finding["code"] for finding in facts["findings"]]


def test_a_change_is_made_said_in_a_line_and_fitted(bent, capsys):
    code, out, _ = called(capsys, "fit", bent, "y ~ x + z", "--test", "none", "--apply", "curvature")
    assert code == 0
    assert out.splitlines()[0] == "--apply curvature: Add poly(x, 2) (y ~ poly(x, 2) + z)"
    assert "Hypothesis  y ~ poly(x, 2) + z" in out


def test_the_fit_is_that_of_the_change_in_python(bent, capsys):
    _, facts, err = fitted(capsys, bent, "y ~ x + z", "--apply", "finding.curvature")
    model = descend.fit("y ~ x + z", bent, test="none")
    formula, settings = model.findings[0].fix.applied(model.formula, model.settings)
    assert facts["equation"] == descend.fit(formula, bent, **settings).equation.split("\n")
    assert facts["findings"] == []
    assert "--apply curvature" in err


def test_several_changes_are_made_one_after_another(bent, capsys):
    _, facts, err = fitted(capsys, bent, "y ~ x + s + z", "--apply", "collinear", "--apply", "curvature")
    assert facts["hypothesis"]["formula"] == "y ~ poly(x, 2) + z"
    assert codes_of(facts) == []
    assert [line.split(":")[0] for line in err.splitlines() if "--apply" in line] == [
        "--apply collinear",
        "--apply curvature",
    ]


def test_what_a_change_before_it_has_mended_is_left_as_it_is(bent, capsys):
    _, facts, err = fitted(capsys, bent, "y ~ x + s + z", "--apply", "collinear", "--apply", "collinear")
    assert facts["hypothesis"]["formula"] == "y ~ x + z"
    assert "shows it no more" in err


def test_a_fit_that_diverges_is_made_with_a_rate_that_does_not(bent, capsys):
    assert fitted(capsys, bent, "y ~ x + z", "--lr", "3", "--epochs", "200")[0] != 0
    code, facts, _ = fitted(capsys, bent, "y ~ x + z", "--lr", "3", "--epochs", "200", "--apply", "rate-too-large")
    assert code == 0
    assert facts["fit"]["settings"]["lr"] < 1


def test_the_file_is_read_another_way_beside_the_ways_that_were_asked_for(tmp_path, capsys):
    table = clean(z=lambda t: np.where(np.arange(60) % 20 == 7, 9999.0, t["z"]))
    path = tmp_path / "t.csv"
    pl.DataFrame(table).with_columns(pl.col("x").cast(pl.String).replace(str(table["x"][0]), "none")).write_csv(path)
    options = ("--na", "none", "--missing", "drop", "--apply", "missing-code")
    code, facts, err = fitted(capsys, path, "y ~ x + z", *options)
    assert code == 0
    assert "finding.missing-code" not in codes_of(facts)
    assert facts["fit"]["rows"] == 60 - 3 - 1
    assert "na = 9999" in err


@pytest.mark.parametrize(
    ("formula", "asked", "code", "told"),
    [
        ("y ~ x + z", "collinear", "option.apply", "it shows: curvature"),
        ("y ~ x + z", "curvatur", "option.apply", "it shows: curvature"),
        ("y ~ poly(x, 2) + z", "curvature", "option.apply-nothing", "leave --apply out"),
    ],
)
def test_a_finding_that_the_fit_does_not_show_is_refused_with_those_that_it_does(
    bent, capsys, formula, asked, code, told
):
    exit_code, out, err = called(capsys, "fit", bent, formula, "--test", "none", "--apply", asked)
    assert exit_code == 2
    assert out == ""
    assert f"[{code}]" in err
    assert asked in err
    assert told in err


def test_a_finding_that_no_change_mends_is_refused(tmp_path, capsys):
    path = tmp_path / "t.csv"
    pl.DataFrame(clean(g=lambda t: ["yes", "no", "Yes"] * 20)).write_csv(path)
    code, _, err = called(capsys, "fit", path, "y ~ x + g", "--apply", "near-same-levels")
    assert code == 2
    assert "[option.apply-no-change]" in err


def test_the_report_names_the_findings_that_a_change_mends(bent, capsys):
    _, out, _ = called(capsys, "fit", bent, "y ~ x + z", "--test", "none")
    assert "--apply CODE makes the change that mends it and fits again: curvature" in out
    assert "--apply CODE" not in called(capsys, "fit", bent, "y ~ poly(x, 2) + z", "--test", "none")[1]


def test_korean_says_what_was_changed(bent, capsys):
    _, out, _ = called(capsys, "fit", bent, "y ~ x + z", "--test", "none", "--apply", "curvature", "--lang", "ko")
    assert out.splitlines()[0].startswith("--apply curvature 적용: poly(x, 2)")
