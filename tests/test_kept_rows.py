"""The rows of the table that a model keeps for its pictures: as many as are asked for, told, and missed by nothing."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from conftest import called

import descend
from descend.base.errors import OptionError

SECRET = "Katharina"


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("DESCEND_LANG", "en")
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def table(noisy, tmp_path):
    path = tmp_path / "table.parquet"
    pl.DataFrame(noisy).write_parquet(path)
    return path


def rows_in(path):
    sample = descend.load(path).sample
    return 0 if sample is None else sample.frame.height


@pytest.mark.parametrize("keep", [0, 1, 7, 120, 5000])
def test_a_file_keeps_as_many_rows_as_are_asked_for(capsys, table, tmp_path, keep):
    out = tmp_path / "m.safetensors"
    code, told, _ = called(capsys, "fit", table, "y ~ a + group", "-o", out, "--keep-rows", keep)
    kept = min(keep, 120)
    assert (code, rows_in(out)) == (0, kept)
    sentence = f"with {kept:,} of the table's rows" if kept else "without rows of the table"
    assert sentence in told
    assert sentence in called(capsys, "show", out)[1]
    assert json.loads(called(capsys, "show", out, "--json")[1])["kept_rows"] == kept
    korean = called(capsys, "show", out, "--lang", "ko")[1]
    assert (f"표의 행 {kept:,}개가" if kept else "표의 행은 들어 있지 않음") in korean


def test_the_rows_that_nobody_limits_are_two_thousand_and_told(capsys, tmp_path):
    random, path, out = np.random.default_rng(0), tmp_path / "t.csv", tmp_path / "m.safetensors"
    x = random.normal(size=3000)
    pl.DataFrame({"x": x, "y": 2 * x + random.normal(size=3000)}).write_csv(path)
    assert "with 2,000 of the table's rows" in called(capsys, "fit", path, "y ~ x", "-o", out)[1]
    assert rows_in(out) == 2000


@pytest.mark.parametrize("how", [{}, {"optimizer": "sgd", "lr": 0.1}, {"test": "none"}, {"family": "softmax"}])
def test_a_model_without_rows_says_the_same_as_one_with_them(noisy, tmp_path, how):
    formula = "group ~ a + b" if "family" in how else "y ~ a + b + group"
    with_rows, without = (descend.fit(formula, noisy, keep_rows=keep, **how) for keep in (2000, 0))
    assert without.sample is None
    path = without.save(tmp_path / "m.safetensors")
    again = descend.load(path)
    assert again.equation == with_rows.equation
    np.testing.assert_array_equal(again.predict(noisy), with_rows.predict(noisy))
    assert repr(without.verification) == repr(with_rows.verification)
    assert repr(without.findings) == repr(with_rows.findings)
    assert path.stat().st_size < with_rows.save(tmp_path / "w.safetensors").stat().st_size


def test_no_cell_of_the_table_is_in_the_file(tmp_path):
    random = np.random.default_rng(1)
    hours = random.permutation(np.linspace(1, 9, 200)) + 0.123456789
    table = {"hours": hours, "score": 3 * hours + random.normal(size=200)}
    path = descend.fit("score ~ hours", table, keep_rows=0).save(tmp_path / "m.safetensors")
    held = path.read_bytes()
    assert not [value for name in table for value in table[name] if np.float64(value).tobytes() in held]


def test_rows_read_part_by_part_are_kept_or_not_as_those_in_memory(table, small_parts):
    for keep in (0, 9):
        model = descend.fit("y ~ a + group", str(table), memory="1kB", keep_rows=keep)
        assert (0 if model.sample is None else model.sample.frame.height) == keep


@pytest.mark.slow
@pytest.mark.parametrize("formula", ["y ~ a + b", "y ~ a", "passed ~ a + b", "group ~ a", "y ~ group", "y ~ 1"])
def test_a_picture_without_rows_is_drawn_and_says_so(noisy, tmp_path, formula):
    for lang, told in (("en", "without rows"), ("ko", "행 없이")):
        figure = descend.fit(formula, noisy, keep_rows=0).plot(tmp_path / "p.png", lang=lang)
        texts = [text.get_text() for axes in figure.axes for text in axes.texts]
        assert any(told in text for text in texts)
    bare = [axes for axes in figure.axes if axes.axison and not axes.has_data()]
    assert bare == []


@pytest.mark.parametrize("dark", [True, False], ids=["on black", "on white"])
def test_pictures_are_turned_to_the_ground_of_the_fitted_images_without_their_rows(tmp_path, dark):
    from PIL import Image

    random = np.random.default_rng(3)
    images = np.zeros((60, 8, 8), dtype=np.uint8)
    labels = np.arange(60) % 2
    for image, label in zip(images, labels, strict=True):
        image[2:6, 3 if label else 2 : 4 if label else 6] = random.integers(180, 255)
    shown = images if dark else 255 - images
    table = {"image": shown, "label": np.where(labels, "one", "box")}
    model = descend.fit("label ~ image", table, keep_rows=0, l2=0.001, test="none")
    for index in (0, 1):
        Image.fromarray(images[index]).save(tmp_path / "dark.png")
        Image.fromarray(255 - images[index]).save(tmp_path / "light.png")
        for name in ("dark.png", "light.png"):
            assert list(model.predict(str(tmp_path / name))) == [table["label"][index]], name


@pytest.mark.parametrize("keep", [-1, 1.5, True, "all"])
def test_a_number_of_rows_that_is_none_is_told(noisy, keep):
    with pytest.raises(OptionError):
        descend.fit("y ~ a", noisy, keep_rows=keep)
