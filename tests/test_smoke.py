"""The main job from end to end, with nothing but descend, pytest and, where it is there, pandas.

It runs in small environments too: the lowest versions that pyproject.toml names, other Pythons, pandas without pyarrow.
"""

from __future__ import annotations

import json
import math
import sqlite3
from pathlib import Path

import polars as pl
import pytest

import descend
from descend.cli import main

EXAMPLES = Path(__file__).parent.parent / "examples"
SCORES, PENGUINS = EXAMPLES / "scores.csv", EXAMPLES / "penguins.csv"
LINE = {"hours": [1.0, 2.0, 3.0, 4.0, 5.0], "score": [3.0, 5.1, 6.9, 9.0, 11.1]}
SLOPE, INTERCEPT = 2.01, 0.99  # by hand: sum of (x - 3)(y - 7.02) is 20.1 over 10
FAMILIES = {  # by family: a hypothesis, and how many rows have no missing cell among its columns
    "linear": ("body_mass_g ~ species + sex + flipper_length_mm", 333),
    "logistic": ("sex ~ body_mass_g + bill_length_mm", 342),
    "softmax": ("species ~ bill_length_mm + bill_depth_mm", 342),
}


@pytest.fixture(autouse=True)
def english(monkeypatch):
    """Speak English, and leave no other language behind."""
    monkeypatch.setenv("DESCEND_LANG", "en")


def run(capsys, *arguments):
    """Run the command line; returns what it prints and fails where it does."""
    code = main([str(argument) for argument in arguments])
    out = capsys.readouterr()
    assert code == 0, out.err
    return out.out


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_table_becomes_a_model_that_predicts_and_is_drawn(family, tmp_path, capsys):
    formula, rows = FAMILIES[family]
    model, picture, found = tmp_path / "m.safetensors", tmp_path / "m.png", tmp_path / "found.csv"
    told = json.loads(run(capsys, "fit", PENGUINS, formula, "--missing", "drop", "--out", model, "--json"))
    assert told["hypothesis"]["family"] == family
    run(capsys, "predict", model, PENGUINS, "--missing", "drop", "--out", found)
    assert pl.read_csv(found).height == rows
    run(capsys, "evaluate", model, PENGUINS, "--missing", "drop")
    assert run(capsys, "show", model, "--inference")
    run(capsys, "plot", model, "--out", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_hypotheses_are_forecast_and_compared(capsys):
    assert run(capsys, "forecast", SCORES, "score ~ hours", "--lr", "0.01", "--lang", "ko")
    two = ("body_mass_g ~ flipper_length_mm", "body_mass_g ~ poly(flipper_length_mm, 2)")
    assert run(capsys, "compare", PENGUINS, *two, "--missing", "drop")


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "feather", "json", "ndjson", "sqlite"])
def test_every_kind_of_file_gives_the_line_of_its_rows(kind, tmp_path):
    frame, path = pl.DataFrame(LINE), tmp_path / f"line.{kind}"
    match kind:
        case "csv":
            frame.write_csv(path)
        case "tsv":
            frame.write_csv(path, separator="\t")
        case "parquet":
            frame.write_parquet(path)
        case "feather":
            frame.write_ipc(path)
        case "json":
            path.write_text(json.dumps(frame.to_dicts()))
        case "ndjson":
            frame.write_ndjson(path)
        case "sqlite":
            with sqlite3.connect(path) as connection:
                connection.execute("create table line (hours real, score real)")
                connection.executemany("insert into line values (?, ?)", frame.rows())
            connection.close()
    coefficients = descend.fit("score ~ hours", path, test="none").coefficients
    assert coefficients["hours"] == pytest.approx(SLOPE, rel=1e-12)
    assert coefficients["(intercept)"] == pytest.approx(INTERCEPT, rel=1e-12)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_read_part_by_part_gives_the_same(kind, tmp_path):
    rows = 5000
    x = [math.sin(row) for row in range(rows)]
    frame, path = pl.DataFrame({"x": x, "y": [3 * v + 1 for v in x]}), tmp_path / f"t.{kind}"
    frame.write_csv(path) if kind == "csv" else frame.write_parquet(path)
    coefficients = descend.fit("y ~ x", path, memory="1KB").coefficients
    assert coefficients["x"] == pytest.approx(3, rel=1e-12)
    assert coefficients["(intercept)"] == pytest.approx(1, rel=1e-12)


def test_worked_examples_come_out_as_printed(capsys):
    assert "study-hours" in run(capsys, "labs")
    assert run(capsys, "lab", "study-hours", "--lang", "ko")


def test_frames_of_pandas_are_tables():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(LINE).assign(group=["a", "b", "a", "b", "a"])
    model = descend.fit("score ~ hours", frame, test="none")
    assert model.coefficients["hours"] == pytest.approx(SLOPE, rel=1e-12)
    assert descend.fit("score ~ group", frame, test="none").coefficients["group[b]"] == pytest.approx(0.05)
