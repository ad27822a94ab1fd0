"""Images: read from IDX files and pictures, fitted as columns of pixels, told, drawn and predicted."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import called
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

import descend
from descend.base.errors import DescendError, DesignError, ModelError, TableError
from descend.base.messages import say
from descend.design.matrix import Design
from descend.formula.parser import parse
from descend.model.inputs import kept_columns
from descend.objectives.metrics import most_confused
from descend.report.plot_data import PlotRows
from descend.report.plots import draw
from descend.report.terminal import tell_frame
from descend.tables.columns import gather, uses
from descend.tables.open import read

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


@pytest.mark.slow
def test_softmax_on_digits_is_the_same_as_on_their_pixels_as_columns(model):
    some = digits("train", 800)
    flat = some["image"].reshape(800, -1) / 255
    names = {f"p{i}": flat[:, i] for i in range(784)}
    plain = descend.fit("label ~ .", {"label": some["label"], **names}, l2=0.01, standardize=False, family="softmax")
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
    np.testing.assert_array_equal(kept_columns(again).images["image"], kept_columns(model).images["image"])
    assert again.sample.frame["image"].dtype == pl.Array(pl.UInt8, (28, 28))


def test_a_model_file_whose_images_are_none_is_refused(model, tmp_path):
    frame = model.sample.frame.with_columns(image=pl.Series(np.arange(float(model.sample.frame.height))))
    path = replace(model, rows=replace(model.rows, sample=replace(model.sample, frame=frame))).save(
        tmp_path / "m.safetensors"
    )
    with pytest.raises(ModelError) as error:
        descend.load(path)
    assert error.value.code == "model.inconsistent"


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


def test_labels_that_have_nothing_to_do_with_the_images_are_told_without_a_curve_of_the_image():
    random = np.random.default_rng(0)
    table = {"image": random.integers(0, 255, (400, 3, 3), np.uint8), "label": random.choice(list("abc"), 400)}
    model = descend.fit("label ~ image", table, optimizer="sgd", epochs=300, patience=300, l2=0.5)
    (finding,) = [found for found in model.findings if "underfit" in found.code]
    assert finding.code == "finding.underfit-image"
    assert "poly" not in finding.remedy()


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


# IDX files


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    return bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize("ending", ["idx3-ubyte.gz", "idx3-ubyte"])
def test_the_digits_are_read_with_the_labels_that_lie_beside_them(tmp_path, ending):
    for part in ("images-idx3", "labels-idx1"):
        name = f"mnist-t10k-{part}-ubyte.gz"
        whole = ending.endswith("gz")
        target = tmp_path / (name if whole else name.removesuffix(".gz"))
        target.write_bytes((DATA / name).read_bytes() if whole else bytes_of(name))
    table = read(tmp_path / f"mnist-t10k-images-{ending}")
    expected = digits("t10k", 2000)
    assert (table.columns, table.kind("image"), table.kind("label")) == (["image", "label"], "image", "text")
    np.testing.assert_array_equal(table.images("image"), expected["image"])
    assert table.labels("label").to_list() == expected["label"].tolist()


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("images-idx3-ubyte", "labels-idx1-ubyte.gz"),
        ("images-idx3-ubyte.gz", "labels-idx1-ubyte"),
    ],
)
def test_labels_are_found_by_the_names_that_mnist_uses(tmp_path, images, labels):
    packed = {True: gzip.compress, False: bytes}
    (tmp_path / images).write_bytes(packed[images.endswith("gz")](idx(np.ones((2, 3, 4), np.uint8))))
    (tmp_path / labels).write_bytes(packed[labels.endswith("gz")](idx(np.array([7, 11], np.uint8))))
    assert read(tmp_path / images).labels("label").to_list() == ["7", "11"]


def test_a_label_file_can_be_named_and_is_looked_for_beside_the_images_too(tmp_path, monkeypatch):
    (tmp_path / "a.idx").write_bytes(idx(np.ones((2, 3, 4), np.uint8)))
    (tmp_path / "b.idx").write_bytes(idx(np.array([1, 300], ">i4"), 0x0C))
    monkeypatch.chdir(tmp_path.parent)
    for named in ("b.idx", f"{tmp_path.name}/b.idx", tmp_path / "b.idx"):
        assert read(f"{tmp_path / 'a.idx'}::{named}").labels("label").to_list() == ["1", "300"]


def test_images_without_labels_are_a_table_of_images_alone(tmp_path):
    (tmp_path / "photos").write_bytes(idx(np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)))
    table = read(tmp_path / "photos")
    assert (table.columns, table.rows) == (["image"], 2)
    assert table.images("image")[1, 1, 1].tolist() == [21, 22, 23]


def test_more_than_ten_classes_stand_in_the_order_of_numbers(tmp_path):
    random = np.random.default_rng(0)
    labels = np.arange(60) % 12
    model = descend.fit(
        "label ~ image", {"image": random.integers(0, 255, (60, 3, 3), np.uint8), "label": labels.astype(str)}, l2=1.0
    )
    assert model.target.levels == tuple(map(str, range(12)))


IMAGE = np.zeros((2, 3, 4), np.uint8)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "table.idx-magic"),
        (b"\0\0\x08", "table.idx-magic"),
        (b"\1\0\x08\3" + idx(IMAGE)[4:], "table.idx-magic"),
        (idx(IMAGE, 7), "table.idx-type"),
        (b"\0\0\x08\0", "table.idx-dimensions"),
        (b"\0\0\x08\x09" + bytes(36), "table.idx-dimensions"),
        (idx(IMAGE)[:10], "table.idx-short"),
        (idx(IMAGE)[:-1], "table.idx-short"),
        (b"\0\0\x08\3" + b"\xff" * 12, "table.idx-short"),
        (idx(IMAGE) + b"\0", "table.idx-long"),
        (idx(np.zeros((2, 3), np.uint8)), "table.idx-shape"),
        (idx(np.zeros((2, 3, 4, 2), np.uint8)), "table.idx-shape"),
        (idx(np.zeros((2, 3, 4), ">f4"), 0x0D), "table.idx-shape"),
        (idx(np.zeros((5, 0, 4), np.uint8)), "table.idx-shape"),
        (idx(np.zeros((0, 3, 4), np.uint8)), "table.no-rows"),
        (idx(np.zeros(3, ">f8"), 0x0E), "table.idx-labels"),
    ],
)
def test_every_defect_of_an_idx_file_is_told(tmp_path, data, code):
    (tmp_path / "x-images-idx3-ubyte").write_bytes(data)
    with pytest.raises(TableError) as error:
        read(tmp_path / "x-images-idx3-ubyte")
    assert error.value.code == code
    assert error.value.hint("ko")


def test_labels_that_do_not_belong_to_the_images_are_refused(tmp_path):
    (tmp_path / "images").write_bytes(idx(IMAGE))
    for labels, code in ((np.zeros(3, np.uint8), "table.idx-counts"), (IMAGE, "table.idx-labels")):
        (tmp_path / "labels").write_bytes(idx(labels))
        with pytest.raises(TableError) as error:
            read(f"{tmp_path / 'images'}::labels")
        assert error.value.code == code


@given(
    start=st.integers(0, 40),
    change=st.binary(max_size=12),
    cut=st.integers(0, 200),
    name=st.sampled_from(["a-images-idx3-ubyte", "a.bin"]),
)
def test_a_damaged_idx_file_is_refused_in_words_or_read(tmp_path_factory, start, change, cut, name):
    whole = idx(np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes((whole[:start] + change + whole[start + len(change) :])[: len(whole) - cut or None])
    with contextlib.suppress(DescendError):
        assert read(path).rows > 0


# Pictures


def drawn(folder: Path, images, turn=lambda picture: picture) -> Path:
    folder.mkdir(parents=True)
    for row, image in enumerate(images):
        turn(Image.fromarray(image)).save(folder / f"{row:03d}.png")
    return folder


def enlarged(picture: Image.Image) -> Image.Image:
    return picture.resize((280, 280), Image.Resampling.BICUBIC)


def on_paper(picture: Image.Image) -> Image.Image:
    return enlarged(ImageOps.invert(picture)).convert("RGB")


def off_centre(picture: Image.Image) -> Image.Image:
    paper = Image.new("L", (300, 200), 230)
    paper.paste(enlarged(picture).resize((112, 112)).point(lambda shade: 230 - shade * 0.8), (160, 12))
    return paper


def transparent(picture: Image.Image) -> Image.Image:
    ink = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    ink.putalpha(picture)
    return enlarged(ink)


def test_a_picture_is_a_table_of_one_row(tmp_path):
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(picture).save(tmp_path / "grey.png")
    Image.fromarray(np.stack([picture] * 3, axis=2)).save(tmp_path / "colour.png")
    for name, expected in (("grey.png", (1, 3, 4)), ("colour.png", (1, 3, 4, 3))):
        table = read(tmp_path / name)
        assert (table.columns, table.frame["file"].to_list(), table.pictures) == (["file", "image"], [name], True)
        assert table.images("image").shape == expected
        np.testing.assert_array_equal(table.images("image")[0].reshape(3, 4, -1)[:, :, 0], picture)


def test_a_jpeg_is_known_by_its_content_and_turned_as_its_camera_says(tmp_path):
    image = Image.fromarray(np.full((8, 16), 200, np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # on its side
    image.save(tmp_path / "photo.data", format="JPEG", exif=exif)
    assert read(tmp_path / "photo.data").images("image").shape == (1, 16, 8)


def test_subfolders_are_classes(tmp_path):
    for label, shade in (("cat", 10), ("dog", 200)):
        drawn(tmp_path / "pets" / label, np.full((2, 4, 4), shade, np.uint8))
    (tmp_path / "pets" / ".hidden.png").write_bytes(b"")
    table = read(tmp_path / "pets")
    assert table.frame["file"].to_list() == ["cat/000.png", "cat/001.png", "dog/000.png", "dog/001.png"]
    assert table.labels("label").to_list() == ["cat", "cat", "dog", "dog"]
    assert table.images("image")[:, 0, 0].tolist() == [10, 10, 200, 200]


def test_pictures_that_are_not_alike_are_refused_by_name(tmp_path):
    drawn(tmp_path / "p", [np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8)])
    with pytest.raises(TableError) as error:
        read(tmp_path / "p")
    assert (error.value.code, error.value.values["file"]) == ("table.picture-shape", "001.png")


def test_a_folder_without_pictures_is_no_table(tmp_path):
    with pytest.raises(TableError) as error:
        read(tmp_path)
    assert error.value.code == "table.folder"


@pytest.mark.slow
def test_a_picture_that_claims_to_be_huge_is_not_unpacked(tmp_path):
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(TableError) as error:
        read(tmp_path / "bomb.png")
    assert error.value.code == "table.picture-large"


@given(start=st.integers(0, 90), change=st.binary(max_size=8), cut=st.integers(0, 90))
def test_a_damaged_picture_is_refused_in_words_or_read(tmp_path_factory, start, change, cut):
    made = io.BytesIO()
    Image.fromarray(np.arange(30, dtype=np.uint8).reshape(5, 6)).save(made, format="PNG")
    whole = made.getvalue()
    path = tmp_path_factory.getbasetemp() / "damaged.png"
    path.write_bytes((whole[:start] + change + whole[start + len(change) :])[: len(whole) - cut or None])
    with contextlib.suppress(DescendError):
        assert read(path).rows == 1


# Pictures that anybody draws


@pytest.mark.parametrize("turn", [lambda picture: picture, ImageOps.invert])
def test_a_picture_of_the_models_size_is_taken_as_it_is_but_turned_to_light_on_dark(model, tmp_path, turn):
    unseen = digits("t10k", 30)
    folder = drawn(tmp_path / "p", unseen["image"], turn)
    prepared = model.prepared(folder)
    np.testing.assert_array_equal(prepared.images("image"), unseen["image"])
    codes = [note.code for note in prepared.notes]
    assert codes == ([] if turn is not ImageOps.invert else ["note.picture-turned"])
    np.testing.assert_array_equal(model.predict(folder, probabilities=True), model.predict(unseen, probabilities=True))


@pytest.mark.parametrize("turn", [enlarged, on_paper, off_centre, transparent])
def test_a_drawing_of_another_size_is_prepared_as_the_digits_were(model, tmp_path, turn):
    unseen = digits("t10k", 60)
    folder = drawn(tmp_path / "p", unseen["image"], turn)
    prepared = model.prepared(folder)
    assert prepared.notes[-1].code == "note.picture-redrawn"
    assert np.abs(prepared.images("image").astype(float) - unseen["image"]).mean() < 9
    assert (model.predict(folder) == model.predict(unseen)).mean() >= 0.9


def test_a_drawing_is_centred_by_its_mass_in_a_field_of_20(model, tmp_path):
    bar = np.zeros((50, 90), np.uint8)
    bar[5:45, 60:70] = 255
    Image.fromarray(bar).save(tmp_path / "bar.png")
    (made,) = model.prepared(tmp_path / "bar.png").images("image")
    rows, columns = np.nonzero(made > 127)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (20, 5)
    mass = made / made.sum()
    assert mass.sum(axis=1) @ np.arange(28) == pytest.approx(14, abs=0.5)
    assert mass.sum(axis=0) @ np.arange(28) == pytest.approx(14, abs=0.5)


def test_a_model_of_dark_on_light_has_its_drawings_made_so(tmp_path):
    some = digits("train", 200)
    model = descend.fit("label ~ image", {**some, "image": 255 - some["image"]}, l2=0.01, test="none")
    folder = drawn(tmp_path / "p", some["image"][:20], on_paper)
    assert np.abs(model.prepared(folder).images("image") - (255.0 - some["image"][:20])).mean() < 9


def test_an_empty_sheet_is_told(model, tmp_path):
    Image.new("L", (50, 50), 240).save(tmp_path / "empty.png")
    with pytest.raises(TableError) as error:
        model.predict(tmp_path / "empty.png")
    assert error.value.code == "table.no-ink"


def test_a_model_of_colours_takes_no_picture_of_another_size(tmp_path):
    random = np.random.default_rng(1)
    model = descend.fit(
        "y ~ image", {"image": random.integers(0, 255, (20, 4, 4, 3), np.uint8), "y": np.arange(20.0)}, l2=1.0
    )
    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
    with pytest.raises(DesignError) as error:
        model.predict(tmp_path / "red.png")
    assert error.value.code == "design.image-shape"


# What is told


@pytest.mark.slow
def test_the_command_line_fits_tests_draws_and_reads_a_picture(tmp_path, capsys):
    small = {"train": tmp_path / "train-images-idx3-ubyte", "t10k": tmp_path / "t10k-images-idx3-ubyte"}
    for split, path in small.items():
        some = digits(split, 600)
        path.write_bytes(idx(some["image"]))
        path.with_name(f"{split}-labels-idx1-ubyte").write_bytes(idx(some["label"].astype(np.uint8)))
    model = tmp_path / "softmax.safetensors"
    code, out, _ = called(capsys, "fit", small["train"], "label ~ image", "--l2", "0.01", "--out", model)
    assert code == 0
    assert "w[9] · image" in out
    assert "28 x 28" in out
    assert "image[" not in out
    assert len(out.split("\n")) < 60
    code, out, _ = called(capsys, "evaluate", model, small["t10k"])
    assert code == 0
    assert "taken for   0   1   2" in out
    assert "taken for" in out
    code, out, _ = called(capsys, "evaluate", model, small["t10k"], "--json")
    facts = json.loads(out)
    worst = facts["most_confused"][0]
    levels = [entry["class"] for entry in facts["classes"]]
    counts = np.array(facts["confusion"])
    np.fill_diagonal(counts, 0)
    assert worst["count"] == counts.max() == counts[levels.index(worst["actual"]), levels.index(worst["predicted"])]
    code, out, _ = called(capsys, "show", model)
    assert (code, "image[" in out) == (0, False)
    on_paper(Image.fromarray(digits("t10k", 1)["image"][0])).save(tmp_path / "seven.png")
    code, out, err = called(capsys, "predict", model, tmp_path / "seven.png")
    assert code == 0
    assert "turned round: 1" in err
    assert "MNIST" in err
    head, row = out.strip().split("\n")
    assert head.startswith("file,label_predicted,P(0),")
    assert row.startswith("seven.png,")
    code, out, _ = called(capsys, "predict", model, tmp_path / "seven.png", "--json")
    assert list(json.loads(out)["predictions"][0])[:2] == ["file", "label_predicted"]
    assert called(capsys, "plot", model, "--out", tmp_path / "fit.png", "--lang", "ko")[0] == 0


def test_a_picture_with_many_chances_is_told_as_a_list(model):
    from rich.console import Console

    console = Console(width=80, record=True, file=io.StringIO())
    console.print(tell_frame(model.predictions(digits("t10k", 1)), 20, "en"))
    lines = [line.split() for line in console.export_text().strip().split("\n")]
    assert [line[0] for line in lines] == ["row", "label", "label_predicted", *(f"P({digit})" for digit in range(10))]
    assert sum(float(line[1]) for line in lines[3:]) == pytest.approx(1, abs=1e-3)


def few(classes: str) -> dict[str, np.ndarray]:
    """Some digits of these classes, made smaller."""
    some = digits("train", 200)
    mine = np.isin(some["label"], list(classes))
    return {"image": some["image"][mine][:, 2:26:2, 2:26:2], "label": some["label"][mine]}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["digits", "two classes", "numbers", "colours", "network"])
def test_a_model_of_images_is_drawn_with_what_it_learnt_and_its_errors(tmp_path, kind):
    table, formula, lang = few("0123456789"), "label ~ image", "en" if kind == "digits" else "ko"
    settings = {"l2": 0.01, "test": "none" if kind == "colours" else "auto"}
    if kind == "two classes":
        table = few("38")
    elif kind == "numbers":
        formula, table = "y ~ image + a", {**table, "y": np.arange(200.0), "a": np.arange(200.0) ** 2}
    elif kind == "colours":
        table["image"] = table["image"][..., None].repeat(3, axis=3)
    elif kind == "network":
        settings = {"hypothesis": "mlp(8)", "epochs": 2}
    model = descend.fit(formula, table, **settings)
    figure = model.plot(tmp_path / "fit.png", lang=lang)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert say("plot.path" if kind == "network" else "plot.weights", lang) in titles
    if model.family != "linear":
        kept = PlotRows(model)
        looked = kept.tested if kept.tested.any() else ~kept.tested
        wrong = int((kept.predicted.argmax(axis=1) != kept.truth[:, 0])[looked].sum())
        panel = figure.axes[titles.index(next(title for title in titles if "→" in title))]
        assert len(panel.images) == min(wrong, 36)


def test_the_weights_drawn_are_the_models_centred_at_0(model):
    figure = draw(model)
    panel = next(axes for axes in figure.axes if axes.get_title(loc="left").startswith("weights"))
    for digit, drawn_image in enumerate(panel.images):
        np.testing.assert_allclose(drawn_image.get_array(), model.raw[1:, digit].reshape(28, 28))
        assert sum(drawn_image.get_clim()) == 0


def test_the_pairs_most_often_confused_are_told_highest_first():
    levels, matrix = ["a", "b", "c"], np.array([[5, 2, 0], [7, 9, 1], [0, 2, 3]])
    assert most_confused(levels, matrix, 3) == [
        {"actual": "b", "predicted": "a", "count": 7},
        {"actual": "a", "predicted": "b", "count": 2},
        {"actual": "c", "predicted": "b", "count": 2},
    ]
    assert most_confused(levels, np.diag([3, 4, 5])) == []
    assert most_confused(["a", "b"], np.array([[1, 2], [3, 4]])) == []


@pytest.mark.slow
def test_softmax_reads_nine_of_ten_unseen_digits():
    model = descend.fit("label ~ image", DATA / "mnist-train-images-idx3-ubyte.gz", l2=0.0005, test="none")
    verification = model.evaluate(DATA / "mnist-t10k-images-idx3-ubyte.gz")
    assert verification.rows == 2000
    assert verification.scores[0]["hypothesis"]["accuracy"] >= 0.90
