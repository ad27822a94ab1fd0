"""Images: columns of pixels through the design, the fit, the model file and the diagnosis."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import descend
from descend.columns import gather, uses
from descend.design import Design
from descend.errors import DesignError, TableError
from descend.formula import parse
from descend.tables import read

DATA = Path(__file__).parent / "data"


def bytes_of(name: str) -> bytes:
    return gzip.decompress((DATA / name).read_bytes())


def digits(split: str, count: int) -> dict[str, np.ndarray]:
    """The first digits of a split, read without descend's reader."""
    pixels = np.frombuffer(bytes_of(f"mnist-{split}-images-idx3-ubyte.gz"), np.uint8, offset=16)
    labels = np.frombuffer(bytes_of(f"mnist-{split}-labels-idx1-ubyte.gz"), np.uint8, offset=8)
    return {"image": pixels.reshape(-1, 28, 28)[:count], "label": labels[:count].astype(str)}


@pytest.fixture(scope="module")
def model():
    return descend.fit("label ~ image", digits("train", 800), l2=0.01)


def test_the_columns_of_an_image_are_its_pixels_from_0_to_1_never_standardised():
    table = read({"image": np.arange(2 * 2 * 3, dtype=np.uint8).reshape(2, 2, 3), "y": [1.0, 2.0]})
    hypothesis = parse("y ~ image").resolve(table.columns)
    wanted = uses(hypothesis, table)
    design = Design.learn(hypothesis, wanted, gather(wanted, table))
    assert wanted == {"image": "image"}
    assert design.names == ["(intercept)", *(f"image[{i},{j}]" for i in range(2) for j in range(3))]
    expected = np.arange(12).reshape(2, 6) / 255
    np.testing.assert_array_equal(design.matrix(gather(wanted, table))[:, 1:], expected)
    assert design.pixels.tolist() == [False] + [True] * 6
    assert (set(design.means), set(design.scales)) == ({0.0}, {1.0})


@pytest.mark.parametrize(("formula", "shape"), [("y ~ image", (2, 3, 3)), ("y ~ .", None), ("y ~ a", None)])
def test_a_design_tells_the_shape_of_the_image_that_it_is_about(formula, shape):
    table = read({"image": np.ones((4, 2, 3, 3), dtype=np.uint8), "y": [1.0, 2.0, 3.0, 5.0], "a": [1.0, 0.0, 0.0, 1.0]})
    hypothesis = parse(formula).resolve(table.columns)
    wanted = uses(hypothesis, table)
    design = Design.learn(hypothesis, wanted, gather(wanted, table))
    assert design.image_shape == shape
    moments = [design.means, design.scales, design.sizes, design.spreads]
    again = Design.restore(hypothesis, design.describe(), moments)
    assert (again.image_shape, again.names) == (shape, design.names)


def test_numbers_beside_an_image_are_standardised_as_ever():
    table = read({"image": np.ones((4, 2, 2), dtype=np.uint8), "y": [1.0, 2.0, 3.0, 5.0], "a": [1.0, 0.0, 0.0, 1.0]})
    hypothesis = parse("y ~ image + a").resolve(table.columns)
    wanted = uses(hypothesis, table)
    design = Design.learn(hypothesis, wanted, gather(wanted, table))
    assert (design.means[-1], design.scales[-1], design.names[-1]) == (0.5, 0.5, "a")


@pytest.mark.parametrize("term", ["C(image)", "poly(image, 2)", "log(image)", "I(image + 1)", "image:y", "image * y"])
def test_an_image_stands_alone_in_a_hypothesis(term):
    table = {"image": np.ones((4, 2, 2), dtype=np.uint8), "y": [1.0, 2.0, 3.0, 5.0], "z": [0.0, 3.0, 4.0, 9.0]}
    with pytest.raises(DesignError) as error:
        descend.fit(f"z ~ {term}", table)
    assert error.value.code == "design.image-in-term"


def test_an_image_is_no_target():
    with pytest.raises(DesignError) as error:
        descend.fit("image ~ y", {"image": np.ones((4, 2, 2), dtype=np.uint8), "y": [1.0, 2.0, 3.0, 5.0]})
    assert error.value.code == "design.image-target"


def test_a_row_without_an_image_is_named():
    images = pl.Series("image", np.ones((2, 2, 2), dtype=np.uint8)).extend_constant(None, 1)
    with pytest.raises(TableError) as error:
        descend.fit("y ~ image", pl.DataFrame({"image": images, "y": [1.0, 2.0, 3.0]}))
    assert (error.value.code, error.value.line) == ("table.no-image", 3)


def test_rows_dropped_for_a_missing_cell_lose_their_images_too():
    images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    table = read({"image": images, "a": [1.0, np.nan, 2.0]})
    data = gather({"image": "image", "a": "number"}, table, missing="drop")
    np.testing.assert_array_equal(data.images["image"], images[[0, 2]])
    np.testing.assert_array_equal(data.take(np.array([1])).images["image"], images[[2]])


def test_softmax_on_digits_is_the_same_as_on_their_pixels_as_columns(model):
    some = digits("train", 800)
    flat = some["image"].reshape(800, -1) / 255
    names = {f"p{i}": flat[:, i] for i in range(784)}
    plain = descend.fit("label ~ .", {"label": some["label"], **names}, l2=0.01, standardize=False)
    assert model.history.final_loss == pytest.approx(plain.history.final_loss, rel=1e-8)
    unseen = digits("t10k", 200)
    columns = {f"p{i}": unseen["image"].reshape(200, -1)[:, i] / 255 for i in range(784)}
    probabilities = model.predict(unseen, probabilities=True)
    np.testing.assert_allclose(probabilities, plain.predict(columns, probabilities=True), atol=1e-4)


def test_a_full_stop_means_the_image(model):
    again = descend.fit("label ~ .", digits("train", 800), l2=0.01)
    np.testing.assert_array_equal(again.weights, model.weights)


def test_a_model_of_images_is_read_again_with_its_shape_and_its_rows(model, tmp_path):
    again = descend.load(model.save(tmp_path / "m.safetensors"))
    unseen = digits("t10k", 100)
    assert again.design.image_shape == (28, 28)
    np.testing.assert_array_equal(again.predict(unseen), model.predict(unseen))
    np.testing.assert_array_equal(again.kept_rows().images["image"], model.kept_rows().images["image"])
    assert again.sample.frame["image"].dtype == pl.Array(pl.UInt8, (28, 28))


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (np.ones((2, 20, 28), dtype=np.uint8), "design.image-shape"),
        (np.ones((2, 28, 28, 3), dtype=np.uint8), "design.image-shape"),
        ([1.0, 2.0], "design.not-image"),
        (["a", "b"], "design.not-image"),
    ],
)
def test_images_of_another_kind_than_the_models_are_refused(model, image, code):
    with pytest.raises(DesignError) as error:
        model.predict({"image": image})
    assert error.value.code == code


def test_an_image_where_the_model_has_a_number_is_refused(noisy):
    model = descend.fit("y ~ a", noisy)
    with pytest.raises(DesignError) as error:
        model.predict({"a": np.ones((2, 28, 28), dtype=np.uint8)})
    assert error.value.code == "design.neither-kind"


def test_pixels_that_are_blank_or_alike_are_no_finding(model):
    assert model.findings == []


def test_digits_that_can_be_told_apart_without_an_error_are_told_by_the_name_of_the_image():
    (finding,) = descend.fit("label ~ image", digits("train", 300), test="none").findings
    assert (finding.code, finding.values["columns"]) == ("finding.separable", "image")


def test_the_equation_of_an_image_is_short(model):
    lines = model.equation.split("\n")
    assert len(lines) == 11
    assert lines[1].endswith(" + w[0] · image")
    assert max(map(len, lines)) < 60


def test_predictions_leave_the_pixels_out(model):
    frame = model.predictions(digits("t10k", 3))
    assert frame.columns == ["row", "label", "label_predicted", *(f"P({digit})" for digit in range(10))]
    assert frame["row"].to_list() == [1, 2, 3]


def test_a_file_that_claims_a_huge_image_is_refused(model, tmp_path):
    described = model.design.describe()
    described["images"] = {"image": [1_000_000, 1_000_000]}
    design = model.design
    with pytest.raises(ValueError, match="1000000"):
        Design.restore(design.hypothesis, described, [design.means, design.scales, design.sizes, design.spreads])
