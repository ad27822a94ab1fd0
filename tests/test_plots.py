"""Pictures: every kind of fit is drawn, in both languages, to every kind of file."""

from __future__ import annotations

import numpy as np
import pytest

import descend
from descend.base.errors import DivergedError, OptionError
from descend.report._path_panel import _plane, walked_path
from descend.report.plane import heights_of, losses_on
from descend.report.plot_data import PlotRows
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
    kept = PlotRows(model)
    assert kept.objective.rows == 96
    assert kept.objective.value(model.weights.ravel()) == pytest.approx(model.history.final_loss)


# the loss on the plane of a path


THIN = {
    "as in a first lesson": ({"x": [1, 2, 3], "y": [20, 40, 60]}, 0.01, 100),
    "a year": ({"x": range(1990, 2024), "y": [3 * year - 5900 + year % 7 for year in range(1990, 2024)]}, 1e-7, 50),
    "far from zero": ({"x": [1e6 + k for k in range(20)], "y": [k**1.5 for k in range(20)]}, 1e-13, 40),
    "diverging": ({"x": [1, 2, 3], "y": [20, 40, 60]}, 0.5, 30),
}


def minima(heights):
    """Count the places of a grid that are lower than all around them, places of one height that touch once."""
    waiting = {(int(row), int(column)) for row, column in np.ndindex(heights.shape)}
    found = 0
    while waiting:
        flat, lowest = [waiting.pop()], True
        while flat:
            row, column = flat.pop()
            for near in ((row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)):
                if not (0 <= near[0] < heights.shape[0] and 0 <= near[1] < heights.shape[1]):
                    continue
                lowest &= bool(heights[near] >= heights[row, column])
                if heights[near] == heights[row, column] and near in waiting:
                    waiting.remove(near)
                    flat.append(near)
        found += lowest
    return found


@pytest.mark.parametrize("name", THIN)
def test_a_convex_quadratic_has_one_minimum_as_it_is_drawn(name, monkeypatch):
    table, lr, epochs = THIN[name]
    drawn = []

    def kept(*given):
        drawn.append(heights_of(*given))
        return drawn[0]

    monkeypatch.setattr("descend.report._path_panel.heights_of", kept)
    draw(fitted("y ~ x", table, lr=lr, epochs=epochs, standardize=False, optimizer="sgd"))
    assert minima(drawn[0]) == 1


def fitted(formula, table, **settings):
    """Return the model of a fit, also of one that diverges."""
    try:
        return descend.fit(formula, table, **settings)
    except DivergedError as error:
        return error.model


@pytest.mark.parametrize("name", THIN)
def test_the_plane_of_a_thin_valley_is_in_its_own_axes_and_true(name):
    table, lr, epochs = THIN[name]
    model = fitted("y ~ x", table, lr=lr, epochs=epochs, standardize=False, optimizer="sgd")
    kept = PlotRows(model)
    path, end = walked_path(kept)
    plane = _plane(kept, path, end, "en")
    assert plane.turned
    a, b, values = losses_on(kept.surface, plane, 9)
    X, y = np.column_stack([np.ones(len(table["x"])), np.array(table["x"], dtype=float)]), np.array(table["y"], float)
    for row in range(9):
        for column in range(9):
            w = plane.origin + a[column] * plane.directions[0] + b[row] * plane.directions[1]
            assert values[row, column] == pytest.approx(np.mean((X @ w - y) ** 2), rel=1e-4)
    steep = np.linalg.eigh(X.T @ X)[1][:, 1]
    assert abs(plane.directions[1] @ steep) == pytest.approx(1, abs=1e-9)


def test_parameters_that_moved_by_rounding_alone_have_not_moved(noisy):
    mirrored = {"x": [-3.0, -2, -1, 1, 2, 3], "passed": [0, 1, 0, 1, 0, 1]}
    line, mean = {"x": [-1, 0, 1], "y": [-0.7, 0, 0.7]}, {"y": [1.0, -1, 0.1, -0.1]}
    for formula, table in (("passed ~ x", mirrored), ("y ~ 1", mean), ("y ~ x", line)):
        kept = PlotRows(descend.fit(formula, table, test="none"))
        path, end = walked_path(kept)
        plane = _plane(kept, path, end, "en")
        assert all(high - low > 1e-3 for low, high in plane.window), (formula, plane.window)


# what is drawn over what


@pytest.mark.slow
@pytest.mark.parametrize("name", FITS)
def test_no_legend_lies_on_a_panel(noisy, name):
    formula, settings = FITS[name]
    check_legends(draw(descend.fit(formula, noisy, **settings)))


def test_legends_of_many_and_long_names_lie_on_no_panel():
    random = np.random.default_rng(0)
    levels = np.array([f"{'a very long name of a level '}{number}" for number in range(17)])
    table = {"y": random.normal(size=340), "x": random.normal(size=340), "level": np.tile(levels, 20)}
    check_legends(draw(descend.fit("level ~ x", table, epochs=3, optimizer="sgd", lr=0.1)))
    targets = {"가격": table["y"], "수량": table["x"] ** 2, "x": table["x"]}
    check_legends(draw(descend.fit("가격 + 수량 ~ x", targets), lang="ko"))


def check_legends(figure):
    """Hold every legend against every panel, every title and everything else that is written."""
    figure.canvas.draw()
    legends = [axes.get_legend().get_window_extent() for axes in figure.axes if axes.get_legend()]
    inside = [axes.get_window_extent() for axes in figure.axes if axes.axison]
    titles = [axes._left_title.get_window_extent() for axes in figure.axes if axes.get_title(loc="left")]
    labels = [label for axes in figure.axes for label in (axes.xaxis.label, axes.yaxis.label)]
    names = [label.get_window_extent() for label in labels if label.get_text()]
    for legend in legends:
        for other in (*inside, *titles, *names):
            assert not overlap(legend, other)
        assert legend.x1 <= figure.bbox.x1


def overlap(one, other):
    """Tell whether two boxes share more than an edge, in pixels."""
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    high = min(one.y1, other.y1) - max(one.y0, other.y0)
    return wide > 1 and high > 1


def test_rows_under_a_logistic_hypothesis_with_a_column_of_0_and_1_can_be_told_apart():
    random = np.random.default_rng(4)
    table = {"smoke": random.integers(0, 2, 150), "weight": random.normal(60, 9, 150)}
    table["low"] = (random.random(150) < 1 / (1 + np.exp(-(table["smoke"] - 0.5)))).astype(int)
    for formula in ("low ~ smoke", "low ~ weight + smoke", "low ~ smoke * weight"):
        model = descend.fit(formula, table)
        axes = draw(model).axes[0]
        places = np.concatenate([points.get_offsets() for points in axes.collections])
        assert len(np.unique(places, axis=0)) == 150
        if "weight" in formula:
            assert axes.get_xlabel() == "weight"
            told = [text.get_text() for text in axes.get_legend().get_texts()]
            assert told[:2] == ["smoke = 0", "smoke = 1"]
            curves = [line.get_ydata() for line in axes.lines]
            for value, curve in enumerate(curves):
                rows = {"weight": axes.lines[0].get_xdata(), "smoke": np.full(curve.size, value)}
                np.testing.assert_allclose(curve, model.predict(rows, probabilities=True)[:, 1])
