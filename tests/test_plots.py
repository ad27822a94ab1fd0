"""Pictures: every kind of fit is drawn, in both languages, to every kind of file."""

from __future__ import annotations

import numpy as np
import pytest

import descend
from descend.errors import OptionError
from descend.report.kept import Kept
from descend.report.plots import draw, korean_font, lacks_letters

FITS = {
    "line": ("y ~ a", {}),
    "curve": ("y ~ poly(a, 3)", {}),
    "lines by group": ("y ~ a * group", {}),
    "many columns": ("y ~ a + b + c + group", {}),
    "groups alone": ("y ~ group", {}),
    "mean alone": ("y ~ 1", {}),
    "one parameter": ("y ~ 0 + a", {"lr": 0.3, "epochs": 30}),
    "two targets": ("y + c ~ a", {}),
    "sigmoid": ("passed ~ a", {}),
    "regions": ("passed ~ a + b", {}),
    "classes": ("group ~ a", {}),
    "classes by group": ("group ~ passed", {}),
    "transform": ("log(c) ~ a", {}),
    "early": ("y ~ a", {"optimizer": "adam", "lr": 0.3, "patience": 5}),
    "not tested": ("passed ~ a", {"test": "none"}),
}


@pytest.mark.parametrize("name", FITS)
def test_every_kind_of_fit_is_drawn(noisy, name, tmp_path):
    formula, settings = FITS[name]
    model = descend.fit(formula, noisy, **settings)
    figure = model.plot(tmp_path / "fit.png")
    assert (tmp_path / "fit.png").read_bytes().startswith(b"\x89PNG")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert ("loss by epoch" if model.family == "linear" else "loss by iteration") in titles
    assert "the path over the loss" in titles
    assert ("residuals" in titles) == (model.family == "linear")


@pytest.mark.parametrize(("kind", "start"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_every_kind_of_file_is_written_whole(noisy, tmp_path, kind, start):
    descend.fit("y ~ a", noisy).plot(tmp_path / f"fit.{kind}")
    assert (tmp_path / f"fit.{kind}").read_bytes().startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [f"fit.{kind}"]


def test_the_path_begins_at_the_start_and_ends_at_the_weights(noisy):
    model = descend.fit("y ~ a", noisy, lr=0.05, epochs=80)
    path = next(axes for axes in draw(model).axes if axes.get_title(loc="left") == "the path over the loss")
    line = path.lines[0].get_xydata()
    assert line[0].tolist() == pytest.approx([0, 0], abs=1e-12)
    assert sorted(line[-1]) == pytest.approx(sorted(model.weights.ravel()))


def test_the_curve_drawn_is_the_equation(noisy):
    model = descend.fit("y ~ poly(a, 2)", noisy)
    data = draw(model).axes[0]
    x, y = data.lines[0].get_xydata().T
    np.testing.assert_allclose(y, model.predict({"a": x}))
    assert sum(len(points.get_offsets()) for points in data.collections) == 120


def test_a_korean_picture_has_korean_titles(noisy):
    model = descend.fit("점수 ~ 공부시간", {"점수": noisy["y"], "공부시간": noisy["a"]})
    if korean_font() is None:
        assert lacks_letters(model, "en")
        pytest.skip("no font with Korean letters is installed")
    figure = draw(model, lang="ko")
    assert "에포크" in figure.axes[1].get_title(loc="left")
    assert not lacks_letters(model, "ko")


def test_the_picture_of_a_model_read_again_is_the_same(noisy, tmp_path):
    model = descend.fit("y ~ a + group", noisy)
    again = descend.load(model.save(tmp_path / "m.safetensors"))
    model.plot(tmp_path / "a.svg")
    again.plot(tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_column_name_with_a_dollar_is_drawn_as_it_is(noisy, tmp_path):
    data = {"y": noisy["y"], "$a_1$ \\frac{": noisy["a"]}
    descend.fit("y ~ `$a_1$ \\frac{`", data).plot(tmp_path / "fit.png")
    assert (tmp_path / "fit.png").stat().st_size > 10_000


def test_a_folder_that_does_not_exist_is_told(noisy, tmp_path):
    with pytest.raises(OptionError) as error:
        descend.fit("y ~ a", noisy).plot(tmp_path / "no" / "fit.png")
    assert error.value.code == "option.cannot-write"


def test_the_contours_are_those_of_the_fitted_rows(noisy):
    model = descend.fit("y ~ a", noisy)
    kept = Kept(model)
    assert kept.objective.rows == 96
    assert kept.objective.value(model.weights.ravel()) == pytest.approx(model.history.final_loss)
