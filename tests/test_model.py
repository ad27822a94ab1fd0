"""The model: what it says, predicts, and how it is kept and read again."""

from __future__ import annotations

import json
import re
import struct

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import descend
from descend.base.atomic_files import json_ready
from descend.base.errors import DescendError, ModelError, OptionError

FITS = {
    "line": ("y ~ a + b", {}),
    "curve": ("y ~ poly(a, 3) + log1p(c)", {}),
    "groups": ("y ~ group * a", {}),
    "two targets": ("y + c ~ a", {}),
    "logistic": ("passed ~ a + group", {}),
    "softmax": ("group ~ a + b", {}),
    "transform": ("log(c) ~ a", {}),
    "run": ("y ~ a", {"lr": 0.1, "epochs": 700, "momentum": 0.5}),
    "early": ("y ~ a + b", {"optimizer": "adam", "lr": 0.3, "epochs": 900, "patience": 5}),
}


@pytest.fixture(params=FITS)
def fitted(request, noisy):
    formula, settings_of_fit = FITS[request.param]
    return descend.fit(formula, noisy, **settings_of_fit)


def test_a_model_read_again_is_the_same_to_the_bit(fitted, noisy, tmp_path):
    path = fitted.save(tmp_path / "m.safetensors")
    again = descend.load(path)
    np.testing.assert_array_equal(again.predict(noisy), fitted.predict(noisy))
    if fitted.family != "linear":
        np.testing.assert_array_equal(
            again.predict(noisy, probabilities=True), fitted.predict(noisy, probabilities=True)
        )
    assert again.equation == fitted.equation
    assert again.coefficients == fitted.coefficients
    assert json_ready(again.verification.as_dict()) == json_ready(fitted.verification.as_dict())
    assert again.settings == fitted.settings
    assert again.notes == fitted.notes
    np.testing.assert_array_equal(again.history.loss, fitted.history.loss)
    np.testing.assert_array_equal(again.history.snapshots, fitted.history.snapshots)
    assert again.sample.frame.select(fitted.sample.frame.columns).equals(fitted.sample.frame)
    np.testing.assert_array_equal(again.sample.tested, fitted.sample.tested)
    assert again.save(tmp_path / "n.safetensors").read_bytes() == path.read_bytes()


@pytest.fixture
def saved(noisy, tmp_path):
    return descend.fit("y ~ group + a", noisy).save(tmp_path / "m.safetensors")


def test_a_truncated_model_is_refused_at_every_length(saved, tmp_path):
    data = saved.read_bytes()
    short = tmp_path / "short.safetensors"
    for length in [0, 1, 7, 8, 9, 100, 1000, len(data) // 2, len(data) - 1]:
        short.write_bytes(data[:length])
        with pytest.raises(ModelError) as error:
            descend.load(short)
        assert error.value.code in ("model.unreadable", "model.changed")


def test_a_model_with_any_byte_changed_is_refused(saved, tmp_path):
    data = bytearray(saved.read_bytes())
    changed = tmp_path / "changed.safetensors"
    for place in np.linspace(8, len(data) - 1, 150).astype(int):
        broken = bytearray(data)
        broken[place] ^= 0x01
        changed.write_bytes(broken)
        with pytest.raises(ModelError):
            descend.load(changed)


def test_a_digit_that_gives_the_same_number_is_a_change_too(saved, tmp_path):
    data = saved.read_bytes()
    changed = tmp_path / "changed.safetensors"
    (length,) = struct.unpack("<Q", data[:8])
    text = json.loads(data[8 : 8 + length])
    sealed = text["__metadata__"]["descend"]
    found = re.search(r"\d\.\d{6,15}(?=[,}])", sealed)
    text["__metadata__"]["descend"] = sealed[: found.end()] + "0" + sealed[found.end() :]
    header = json.dumps(text).encode()
    changed.write_bytes(struct.pack("<Q", len(header)) + header + data[8 + length :])
    with pytest.raises(ModelError) as error:
        descend.load(changed)
    assert error.value.code == "model.changed"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_are_a_model_or_a_model_error(tmp_path, data):
    path = tmp_path / "any.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelError):
        descend.load(path)


def header_of(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["descend"])["model"]


def rewritten(path, target, change):
    """Write a model with its header changed and its checksum made right, as a forger would."""
    from safetensors import safe_open

    from descend.base.container import checksum

    header = header_of(path)
    with safe_open(str(path), framework="numpy") as handle:
        tensors = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
    change(header, tensors)
    sealed = {"sha256": checksum(header, tensors), "model": header}
    save_file(tensors, target, metadata={"descend": json.dumps(sealed)})


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("model.format", lambda h, t: h.update(format=99)),
        ("model.inconsistent", lambda h, t: h.update(formula="y ~ __import__('os')")),
        ("model.inconsistent", lambda h, t: h.update(formula="y ~ a + b")),
        ("model.inconsistent", lambda h, t: h.pop("target")),
        ("model.inconsistent", lambda h, t: h["target"].update(family="poisson")),
        ("model.inconsistent", lambda h, t: h["design"]["levels"].update(group=["u"])),
        ("model.inconsistent", lambda h, t: h.update(loss="hinge")),
        ("model.inconsistent", lambda h, t: t.update(weights=t["weights"] * np.nan)),
        ("model.inconsistent", lambda h, t: t.update(scales=t["scales"] * 0)),
        ("model.inconsistent", lambda h, t: t.update(weights=t["weights"][:-1])),
        ("model.inconsistent", lambda h, t: t.update(weights=t["weights"].astype(np.float32))),
        ("model.inconsistent", lambda h, t: t.pop("history.loss")),
        ("model.inconsistent", lambda h, t: t.update({"history.loss": t["history.loss"][:1]})),
        ("model.inconsistent", lambda h, t: h.update(design=[])),
    ],
)
def test_a_forged_model_is_refused(saved, tmp_path, code, change):
    forged = tmp_path / "forged.safetensors"
    rewritten(saved, forged, change)
    with pytest.raises(ModelError) as error:
        descend.load(forged)
    assert error.value.code == code


def test_other_files_are_refused_by_name(tmp_path):
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weight": np.zeros(3)}, foreign)
    text = tmp_path / "text.safetensors"
    text.write_text("hours,score\n1,20\n")
    for path, code in [
        (foreign, "model.foreign"),
        (text, "model.unreadable"),
        (tmp_path / "no", "model.not-found"),
        (tmp_path, "model.not-found"),
    ]:
        with pytest.raises(ModelError) as error:
            descend.load(path)
        assert error.value.code == code


def test_a_model_is_written_whole_or_not_at_all(saved, noisy, tmp_path, monkeypatch):
    before = saved.read_bytes()
    model = descend.load(saved)

    def full_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("descend.base.atomic_files.os.fsync", full_disk)
    with pytest.raises(OptionError) as error:
        model.save(saved)
    assert error.value.code == "option.cannot-write"
    assert saved.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_folder_that_does_not_exist_is_told(fitted, tmp_path):
    with pytest.raises(OptionError) as error:
        fitted.save(tmp_path / "no" / "m.safetensors")
    assert error.value.code == "option.cannot-write"


def test_predictions_stand_beside_the_rows(noisy):
    model = descend.fit("passed ~ a", noisy)
    frame = model.predictions(noisy)
    assert frame.columns == [*noisy, "passed_predicted", "P(no)", "P(yes)"]
    np.testing.assert_allclose(frame["P(no)"] + frame["P(yes)"], 1)
    assert set(frame["passed_predicted"]) == {"no", "yes"}


@pytest.mark.parametrize(
    ("labels", "kind"), [([0, 1] * 5, float), ([True, False] * 5, np.bool_), (["x", "y"] * 5, np.str_)]
)
def test_classes_come_back_as_the_table_wrote_them(labels, kind):
    model = descend.fit("k ~ x", {"x": np.arange(10.0), "k": labels}, test="none", l2=0.1)
    made = model.predict({"x": [1.0, 2.0]})
    assert isinstance(made[0], kind)
    assert set(made.tolist()) <= set(labels)


def test_what_a_model_needs_is_checked_at_prediction(noisy):
    model = descend.fit("y ~ a + group", noisy)
    cases = {
        "design.no-column": {"group": ["u"]},
        "design.no-column-near": {"aa": [1.0], "group": ["u"]},
        "design.unseen-level": {"a": [1.0, 2.0], "group": ["u", "z"]},
        "design.not-of-numbers": {"a": ["x"], "group": ["u"]},
        "table.missing": {"a": [None, 1.0], "group": ["u", "v"]},
    }
    for code, rows in cases.items():
        with pytest.raises(DescendError) as error:
            model.predict(rows)
        assert error.value.code == code, rows
    with pytest.raises(DescendError) as level:
        model.predict(cases["design.unseen-level"])
    assert level.value.values["known"] == "u, v, w"
    assert level.value.values["found"] == "z"
    assert level.value.line == 2


def test_missing_cells_at_prediction_take_the_fitted_mean_or_drop_the_row(noisy):
    model = descend.fit("y ~ a", noisy)
    rows = {"a": [None, 10.0]}
    filled = model.predict(rows, missing="mean")
    assert filled[0] == pytest.approx(model.predict({"a": [float(np.mean(noisy["a"]))]})[0])
    assert model.predict(rows, missing="drop").tolist() == [filled[1]]
    assert model.predictions(rows, missing="drop").height == 1


def test_evaluating_scores_rows_beside_the_fitted_baseline(noisy):
    model = descend.fit("y ~ a + b", noisy)
    found = model.evaluate({name: values[:30] for name, values in noisy.items()})
    assert (found.method, found.rows) == ("given", 30)
    assert found.scores[0]["baseline"]["rmse"] > found.scores[0]["hypothesis"]["rmse"]
    assert model.base.shape == (1, 1)


def test_a_notebook_shows_equation_and_verdict_with_names_escaped(noisy):
    data = {"<b>y": noisy["y"], "a": noisy["a"]}
    html = descend.fit("`<b>y` ~ a", data)._repr_html_()
    assert "&lt;b&gt;y" in html
    assert "<b>" not in html
    assert "Better than no hypothesis" in html


def test_a_large_table_keeps_a_sample_and_a_small_one_all_rows(noisy):
    random = np.random.default_rng(0)
    large = {"x": random.normal(size=10_000), "y": random.normal(size=10_000)}
    assert descend.fit("y ~ x", large).sample.frame.height == 2000
    assert descend.fit("y ~ a", noisy).sample.frame.height == 120


def test_history_is_a_frame(fitted):
    frame = fitted.history.frame()
    assert isinstance(frame, pl.DataFrame)
    assert frame["epoch"][0] == 0


def test_a_notebook_tells_what_was_found_and_what_there_is_to_note():
    x = np.random.default_rng(0).normal(size=60)
    shown = descend.fit("c ~ x", {"x": x, "c": np.where(x > 0, "yes", "no")})._repr_html_()
    assert "told apart without an error" in shown
    assert "--l2 0.01" in shown
    assert "median" in descend.fit("log(y) ~ x", {"x": x, "y": np.exp(x + np.sin(9 * x))})._repr_html_()
