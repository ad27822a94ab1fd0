"""What is to be minded about predictions: medians of transformed targets and their means, and rows far outside."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

import descend
from descend.base.errors import ModelError
from descend.cli import main
from descend.model.cautions import ERRORS


def priced(rows=400, seed=0):
    random = np.random.default_rng(seed)
    x = random.uniform(0, 10, rows)
    return {"x": x, "price": np.exp(2 + 0.3 * x + 0.6 * random.normal(size=rows))}


@pytest.mark.parametrize(
    ("formula", "forward", "back"),
    [
        ("log(price) ~ x", np.log, np.exp),
        ("log10(price) ~ x", np.log10, lambda z: 10**z),
        ("sqrt(price) ~ x", np.sqrt, lambda z: np.square(np.maximum(z, 0))),
        ("log(2 * price + 1) ~ x", lambda y: np.log(2 * y + 1), lambda z: (np.exp(z) - 1) / 2),
    ],
)
def test_the_mean_of_a_transformed_target_is_duans_smearing_estimate(formula, forward, back, tmp_path):
    table = priced()
    model = descend.fit(formula, table, test="none")
    X = np.column_stack([np.ones(400), table["x"]])
    weights, *_ = np.linalg.lstsq(X, forward(table["price"]), rcond=None)
    errors = forward(table["price"]) - X @ weights
    new = {"x": [1.0, 5.0, 9.0]}
    line = np.column_stack([np.ones(3), new["x"]]) @ weights
    np.testing.assert_allclose(model.predict(new), back(line), rtol=1e-8)
    expected = [np.mean(back(z + errors)) for z in line]
    np.testing.assert_allclose(model.predict(new, mean=True), expected, rtol=1e-8)
    again = descend.load(model.save(tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(again.predict(new, mean=True), model.predict(new, mean=True))
    assert again.predictions(new, mean=True)["price_predicted"].to_list() == model.predict(new, mean=True).tolist()


def test_the_mean_of_many_rows_is_told_from_quantiles_and_lies_near_the_lognormal_one():
    model = descend.fit("log(price) ~ x", priced(50_000), test="none")
    assert len(model.errors) == ERRORS
    ratio = model.predict({"x": [3.0]}, mean=True) / model.predict({"x": [3.0]})
    assert ratio[0] == pytest.approx(np.exp(0.6**2 / 2), rel=0.01)


def test_a_median_is_told_where_the_transform_bends_and_only_there(capsys, tmp_path):
    table = priced()
    for formula, told in (("log(price) ~ x", True), ("price ~ x", False), ("I(2 * price - 1) ~ x", False)):
        model = descend.fit(formula, table)
        notes = [note.code for note in model.notes if note.code == "note.median"]
        assert bool(notes) == told
        assert bool([note for note in model.cautions({"x": [1.0]}) if note.code == "note.median"]) == told
        for mean in (False, True):  # where nothing bends the two are one
            assert (model.predict({"x": [1.0]}, mean=mean) == model.predict({"x": [1.0]})).all() or told
    path = descend.fit("log(price) ~ x", table).save(tmp_path / "m.safetensors")
    assert main(["predict", str(path), "--set", "x=3", "--lang", "en"]) == 0
    shown = capsys.readouterr()
    assert "price is predicted by its median" in " ".join(shown.err.split())
    assert main(["predict", str(path), "--set", "x=3", "--mean", "--lang", "en"]) == 0
    assert "median" not in capsys.readouterr().err
    assert main(["predict", str(path), "--set", "x=3", "--mean", "--interval", "0.9"]) == 2


def test_a_model_without_errors_says_that_it_has_no_mean():
    from dataclasses import replace

    model = descend.fit("log(price) ~ x", priced())
    model = replace(model, rows=replace(model.rows, errors=None))
    with pytest.raises(ModelError) as error:
        model.predict({"x": [1.0]}, mean=True)
    assert error.value.code == "model.no-errors"


def test_rows_far_outside_of_the_fitted_range_are_told_in_every_face(capsys, tmp_path):
    table = priced()
    model = descend.fit("price ~ x", table, test="none")
    low, high = table["x"].min(), table["x"].max()
    width = high - low
    assert model.ranges == {"x": (low, high)}
    assert model.cautions({"x": [low - 0.49 * width, high + 0.49 * width, 5.0]}) == []
    (note,) = model.cautions({"x": [high + 0.51 * width, 1e6, low - width, 5.0]})
    assert (note.values["column"], note.values["count"], note.values["worst"]) == ("x", 3, 1e6)
    path = str(model.save(tmp_path / "m.safetensors"))
    assert descend.load(path).ranges == model.ranges
    assert main(["predict", path, "--set", "x=1000", "--lang", "en"]) == 0
    assert "far outside of what was fitted: x" in " ".join(capsys.readouterr().err.split())
    assert main(["predict", path, "--set", "x=1000", "--json", "--lang", "ko"]) == 0
    assert "멀리 벗어났습니다" in json.loads(capsys.readouterr().out)["notes"][0]
    assert main(["predict", path, "--set", "x=5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == []


def test_rows_far_outside_are_told_of_a_table_that_is_read_part_by_part(capsys, tmp_path):
    model = descend.fit("log(price) ~ x", priced())
    path = str(model.save(tmp_path / "m.safetensors"))
    rows = tmp_path / "rows.parquet"
    pl.DataFrame({"x": np.r_[np.linspace(0, 10, 5000), 99.0, -50.0]}).write_parquet(rows, row_group_size=1000)
    out = str(tmp_path / "out.parquet")
    assert main(["predict", path, str(rows), "--memory", "1KB", "--out", out, "--json", "--lang", "en"]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert "is 99 in the farthest of 2 such rows" in notes[0]
    assert "median" in notes[1]
    assert main(["predict", path, str(rows), "--memory", "1KB", "--out", out, "--mean"]) == 0
    wanted = model.predict(pl.read_parquet(rows), mean=True)
    np.testing.assert_allclose(pl.read_parquet(out)["price_predicted"], wanted)


def test_units_that_were_left_out_of_new_rows_are_told_in_every_face(capsys, tmp_path):
    fitted = {"dist": [5.0, 6.0, 7.0, 8.0, 9.0], "speed": [11.0, 12.0, 15.0, 16.0, 19.0]}
    saved = str(descend.fit("speed ~ dist", fitted).save(tmp_path / "m.safetensors"))
    path = tmp_path / "new.csv"
    path.write_text("dist,speed\n" + "".join(f"{d} km,${s}\n" for d, s in zip(*fitted.values(), strict=True)))
    (note,) = descend.load(saved).cautions(path)
    assert (note.code, note.values["unit"]) == ("note.unit", "km")
    for extra in ([], ["--memory", "1KB", "--out", str(tmp_path / "made.csv")]):
        assert main(["predict", saved, str(path), *extra]) == 0
        assert "'km' was left out" in capsys.readouterr().err
    for extra in ([], ["--memory", "1KB"]):
        assert main(["evaluate", saved, str(path), *extra]) == 0
        told = capsys.readouterr().out
        assert "'km' was left out" in told
        assert "'$' was left out" in told


def test_a_unit_that_is_part_of_a_category_is_not_told(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("rate,y\n" + "5%,1.0\n10%,2.5\n20%,3.0\n" * 4)
    for settings in ({}, {"memory": "1KB"}):
        model = descend.fit("y ~ C(rate)", path, test="none", **settings)
        assert model.design.levels["rate"] == ("10%", "20%", "5%")
        assert "note.unit" not in [note.code for note in model.notes]
    assert "note.unit" in [note.code for note in descend.fit("y ~ rate", path, test="none").notes]
