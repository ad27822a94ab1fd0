"""Levels that are one, and numbers that stand for nothing, are told before a curve is advised."""

import numpy as np
import pytest

import descend
from descend.analysis.diagnosis.kinds.cells import missing_code, near_same
from descend.tables.open import open_rows, read

RANDOM = np.random.default_rng(5)


def codes(model):
    return [finding.code for finding in model.findings]


@pytest.mark.parametrize(
    ("levels", "alike"),
    [
        (["TRUE", "T", "true", "FALSE"], [["TRUE", "true", "T"]]),
        (["yes", "Yes", "Y", "no"], [["yes", "Yes", "Y"]]),
        (["1", "1.0", "2", "01", "1.5", "1.50"], [["1", "1.0"]]),
        (["male", "M", "F", "female"], [["female", "F"], ["male", "M"]]),
        (["New York", "new  york", "New_York ", "Boston"], [["New York", "new  york", "New_York "]]),
        (["A+", "A-", "A"], []),
        (["t", "u", "v"], []),
        (["m", "f", "true", "no"], []),
    ],
)
def test_levels_that_differ_only_in_writing_are_near_same(levels, alike):
    assert sorted(map(sorted, near_same(levels))) == sorted(map(sorted, alike))


def test_near_same_levels_of_inputs_and_of_targets_are_found():
    n = 60
    x, y = RANDOM.normal(size=n), RANDOM.normal(size=n)
    table = {"g": ["yes", "Yes", "no"] * 20, "x": x, "y": y}
    (found,) = [f for f in descend.fit("y ~ x + g", table).findings if f.code == "finding.near-same-levels"]
    assert (found.values["column"], found.severity) == ("g", "warning")
    assert "Yes" in found.tell()
    assert "Yes" in found.tell("ko")
    assert "finding.near-same-levels" in codes(descend.fit("g ~ x", table))
    assert "finding.near-same-levels" not in codes(descend.fit("y ~ x + g", {**table, "g": ["yes", "no", "so"] * 20}))


@pytest.mark.parametrize("code", [9999, -999, -99, 99.9, 32767, 1e20])
def test_a_number_that_repeats_far_outside_is_a_code(code):
    values = RANDOM.uniform(20, 40, 200)
    values[[3, 50, 120]] = code
    assert missing_code(values) == (code, 3)
    values[[50, 120]] = 30
    assert missing_code(values) is None


@pytest.mark.parametrize(
    "values",
    [
        RANDOM.integers(0, 2, 100).astype(float),
        RANDOM.integers(1, 7, 100).astype(float),
        np.r_[RANDOM.exponential(size=200), 0.0, 0.0],
        RANDOM.integers(0, 100, 300).astype(float),
        np.r_[RANDOM.uniform(0, 100, 200), 99.0, 99.0],
        np.array([1.0, 1, 1, 1, 500, 500]),
    ],
)
def test_counts_and_scales_have_no_code(values):
    assert missing_code(values) is None


def coded(rows=120):
    x = RANDOM.uniform(20, 40, rows)
    y = 3 * x + RANDOM.normal(size=rows)
    x[::15] = 9999
    return {"x": x, "y": y}


def test_a_code_is_told_before_a_curve_and_its_remedy_is_rid_of_it(tmp_path):
    table = coded()
    model = descend.fit("y ~ x", table)
    assert "finding.missing-code" in codes(model)
    assert "finding.curvature" not in codes(model)
    (found,) = [f for f in model.findings if f.code == "finding.missing-code"]
    assert "--na 9999 --missing drop" in found.remedy()
    mended = descend.fit("y ~ x", read(table, missing=("9999",)), missing="drop")
    assert "finding.missing-code" not in codes(mended)
    assert mended.coefficients["x"] == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("written", ["9999", "9999.0", "9,999", "9.999e3"])
@pytest.mark.parametrize("memory", [None, "1 B"])
def test_a_marker_that_is_a_number_marks_it_however_it_is_written(tmp_path, written, memory):
    path = tmp_path / "t.csv"
    path.write_text("x;y\n" + "".join(f"{i};{2 * i}\n" for i in range(9)) + f"{written};1\n", encoding="utf-8")
    rows = open_rows(path, memory=memory, missing=("9999",))
    assert descend.fit("y ~ x", rows, missing="drop").coefficients["x"] == pytest.approx(2)


@pytest.mark.parametrize("memory", [None, "1 B"])
def test_a_marker_that_is_a_number_marks_the_numbers_of_parquet(tmp_path, memory):
    path = tmp_path / "t.parquet"
    read({"x": [*range(9), 9999], "y": [*range(0, 18, 2), 1]}).frame.write_parquet(path)
    rows = open_rows(path, memory=memory, missing=("9999",))
    assert descend.fit("y ~ x", rows, missing="drop").coefficients["x"] == pytest.approx(2)
    assert read(path, missing=("9999",)).labels("x").null_count() == 1
