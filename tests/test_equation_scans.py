"""Equations over tables that are read part by part, in databases and on a cluster: what they come to in memory."""

import json

import numpy as np
import polars as pl
import pytest
from cluster_fixtures import found_by_workers_fixture, local_fixture  # noqa: F401
from conftest import called
from scipy.optimize import curve_fit, minimize
from scipy.special import expit

import descend
from descend.base.errors import DescendError, FitError, OptionError, UndefinedError
from descend.fitting import _statement_scan as scans
from descend.tables import open as opening

ROWS = 6_000
KEPT = 500  # of the fitted rows: the minimum of these is not that of all rows
START = {"a": 1, "b": 1, "c": 1}

pytestmark = pytest.mark.usefixtures("small_parts", "few_kept")


@pytest.fixture
def few_kept(monkeypatch):
    """Let a survey keep few rows, so that the search on them ends beside the minimum of all."""
    monkeypatch.setattr(scans, "FEW", KEPT)
    monkeypatch.setattr(scans, "LOOKED_AT", KEPT)


@pytest.fixture(scope="module")
def frame():
    random = np.random.default_rng(8)
    x, z = random.uniform(0, 5, ROWS), random.normal(size=ROWS)
    y = 3 * np.exp(-0.8 * x) + 1 + 0.3 * random.normal(size=ROWS)
    won = random.random(ROWS) < expit(3 * np.exp(-x) - 1)
    return pl.DataFrame(
        {
            "x": x,
            "z": z,
            "y": y,
            "bent": y + 0.4 * np.sin(3 * x),
            "both": 3 * np.exp(-0.8 * x) + z + random.normal(size=ROWS),
            "won": won.astype(int),
            "count": random.poisson(np.exp(1 + 1.5 * np.exp(-x))),
        }
    )


@pytest.fixture(scope="module")
def files(frame, tmp_path_factory):
    """The same rows as a Parquet file, as text and as a folder of files."""
    folder = tmp_path_factory.mktemp("rows")
    frame.write_parquet(folder / "rows.parquet", row_group_size=700)
    frame.write_csv(folder / "rows.csv")
    (folder / "some").mkdir()
    for index in range(4):
        frame[1500 * index : 1500 * (index + 1)].write_parquet(folder / "some" / f"{index}.parquet")
    return folder


def in_parts(equation, path, **settings):
    return descend.fit(equation, path, memory="1kB", **settings)


def assert_same(parts, whole, near=1e-9):
    np.testing.assert_allclose(parts.raw, whole.raw, rtol=near)
    assert list(parts.coefficients) == list(whole.coefficients)
    assert parts.history.stop == whole.history.stop
    assert parts.history.final_loss == pytest.approx(whole.history.final_loss, rel=1e-12)
    assert parts.fitted_rows == whole.fitted_rows
    assert parts.verification.rows == whole.verification.rows
    for mine, theirs in zip(parts.verification.scores, whole.verification.scores, strict=True):
        assert mine["hypothesis"] == pytest.approx(theirs["hypothesis"], rel=10 * near)
        assert mine["baseline"] == pytest.approx(theirs["baseline"], rel=1e-8, abs=1e-12)
    if hasattr(whole.inference, "errors"):
        np.testing.assert_allclose(parts.inference.errors, whole.inference.errors, rtol=1e-7)
    else:
        assert parts.inference == whole.inference
    assert parts.certificate.kind == whole.certificate.kind


EQUATIONS = [
    ("y = a * exp(-b * x) + c", {"init": START}),
    ("bent = a * exp(-b * x) + c", {"init": START}),
    ("both = a * exp(-b * x) + c * z + d", {"init": {"a": 1, "b": 1, "c": 1, "d": 0}}),
    ("P(won = 1) = sigmoid(a * exp(-b * x) + c)", {"init": START}),
    ("count = exp(a * exp(-b * x) + c)", {"init": START, "family": "poisson"}),
    ("log(y + 3) = a * exp(-b * x) + c", {"init": START}),
    ("y = a * exp(-b * x) + c", {"init": START | {"b": 0.2}, "bounds": {"b": (0, 0.5)}}),
    ("y = a * exp(-b * x) + c", {"init": {"a": 1, "b": 1}, "fixed": {"c": 1.1}}),
    ("y = a * exp(-b * x) + c", {"init": START, "l2": 0.01}),
    ("y = a * exp(-b * x) + c", {"init": START, "loss": "sse"}),
    ("y = a * exp(-b * x) + c", {"init": START, "loss": "huber", "delta": 0.3}),
    ("y = a * exp(-b * x) + c; both = d * exp(-b * x) + z", {"init": START | {"d": 1}}),
    ("y = slope * x + base", {}),
    ("P(won = 1) = sigmoid(w * x + b)", {}),
    ("count = exp(w * x + b)", {"family": "poisson"}),
    ("y = a * exp(-b * x) + c", {"init": START, "optimizer": "adam", "lr": 0.1, "epochs": 20}),
    ("y = a * exp(-b * x) + c", {"init": START, "lr": 0.05, "momentum": 0.5, "epochs": 20}),
]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv", "some"])
@pytest.mark.parametrize(("equation", "settings"), EQUATIONS, ids=[f"{e} {s}" for e, s in EQUATIONS])
def test_an_equation_read_part_by_part_is_what_it_is_in_memory(equation, settings, name, frame, files):
    assert_same(in_parts(equation, files / name, **settings), descend.fit(equation, frame, **settings))


def test_an_equation_read_part_by_part_is_what_it_is_in_memory_without_a_start_too(frame, files):
    equation = "y = a * exp(-b * x) + c"
    assert_same(in_parts(equation, files / "rows.parquet"), descend.fit(equation, frame))


def test_its_parameters_and_standard_errors_are_those_of_scipy(frame, files):
    model = in_parts("y = a * exp(-b * x) + c", files / "rows.parquet", test="none")
    x, y = frame["x"].to_numpy(), frame["y"].to_numpy()
    expected, covariance = curve_fit(
        lambda x, a, b, c: a * np.exp(-b * x) + c, x, y, p0=[3, 0.8, 1], ftol=1e-15, xtol=1e-15, gtol=1e-15
    )
    found = [model.coefficients[name] for name in "abc"]
    np.testing.assert_allclose(found, expected, rtol=1e-7)
    np.testing.assert_allclose(model.inference.errors.ravel(), np.sqrt(np.diag(covariance)), rtol=1e-5)


def test_the_likelihood_of_a_class_is_that_of_scipy(frame, files):
    model = in_parts("P(won = 1) = sigmoid(a * exp(-b * x) + c)", files / "rows.csv", test="none")
    x, sign = frame["x"].to_numpy(), 1 - 2 * frame["won"].to_numpy()

    def loss(w):
        return np.logaddexp(0, sign * (w[0] * np.exp(-w[1] * x) + w[2])).mean()

    found = minimize(loss, [3, 1, -1], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-16, "maxiter": 5000})
    np.testing.assert_allclose([model.coefficients[name] for name in "abc"], found.x, rtol=1e-5)
    assert model.history.final_loss == pytest.approx(found.fun, rel=1e-12)


@pytest.mark.slow
def test_a_loss_with_corners_is_minimised_part_by_part(frame, files):
    settings = {"init": START, "loss": "mae"}
    whole = descend.fit("y = a * exp(-b * x) + c", frame, **settings)
    for name in ("rows.parquet", "rows.csv"):
        parts = in_parts("y = a * exp(-b * x) + c", files / name, **settings)
        np.testing.assert_allclose(parts.raw, whole.raw, rtol=1e-6)
        assert parts.history.final_loss == pytest.approx(whole.history.final_loss, rel=1e-11)


def test_a_file_is_read_a_few_times_and_nothing_is_written(files, tmp_path):
    scratch, read = tmp_path / "scratch", []
    scratch.mkdir()
    model = in_parts(
        "y = a * exp(-b * x) + c", files / "rows.parquet", init=START, scratch=str(scratch),
        on_read=lambda what, rows, size: read.append(what) if rows == ROWS else None,
    )  # fmt: skip
    assert model.history.stop == "optimum"
    assert read[0] == "surveying"
    assert set(read[1:]) == {"rereading"}
    assert len(read) <= 9
    assert not any(scratch.iterdir())


def test_text_is_read_twice(files):
    read = []
    in_parts(
        "y = a * exp(-b * x) + c", files / "rows.csv", init=START,
        on_read=lambda what, rows, size: read.append(what) if rows == ROWS else None,
    )  # fmt: skip
    assert read == ["surveying", "spilling"]


def test_batches_of_rows_read_part_by_part_lead_where_all_rows_do(frame, files):
    settings = {"init": START, "optimizer": "adam", "lr": 0.02, "epochs": 40, "batch_size": 200}
    model = in_parts("y = a * exp(-b * x) + c", files / "rows.parquet", **settings)
    optimum = descend.fit("y = a * exp(-b * x) + c", frame)
    assert model.history.final_loss == pytest.approx(optimum.history.final_loss, rel=0.01)
    assert len(model.history.loss) == 41
    assert in_parts("y = a * exp(-b * x) + c", files / "rows.parquet", **settings).raw.tolist() == model.raw.tolist()


@pytest.mark.slow
@pytest.mark.parametrize(("equation", "settings"), EQUATIONS[:5] + EQUATIONS[12:13], ids=lambda given: str(given))
def test_the_rows_of_a_query_give_what_they_give_in_memory(equation, settings, frame, place, monkeypatch):
    monkeypatch.setattr(opening, "FETCHED", 100)
    kinds = {name: "int" if frame[name].dtype.is_integer() else "real" for name in frame.columns}
    place.fill("t", kinds | {"number": "int"}, frame.with_row_index("number").select(*frame.columns, "number").rows())
    model = descend.fit(equation, place.address, query="select * from t order by number", memory="1kB", **settings)
    assert_same(model, descend.fit(equation, frame, **settings))


def test_a_row_in_which_the_equation_is_not_defined_is_named_with_its_file(frame, files, tmp_path):
    cells = frame["z"].to_numpy().copy() ** 2 + 0.1
    draw = scans.Draw.of(ROWS, None, 0)
    row = int(np.flatnonzero(draw.keys(0, ROWS) >= draw.held)[4321])
    cells[row] = -1.0
    bad = frame.with_columns(z=pl.Series(cells))
    bad.write_parquet(tmp_path / "bad.parquet", row_group_size=700)
    bad.write_csv(tmp_path / "bad.csv")
    for name, line in (("bad.parquet", row + 1), ("bad.csv", row + 2)):
        with pytest.raises(UndefinedError) as caught:
            in_parts("y = a * exp(-b * x) + c * log(z)", tmp_path / name, init=START)
        assert caught.value.values["file"].endswith(name)
        assert caught.value.values["line"] == line
        assert caught.value.values["term"] == "log(z)"


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_row_for_which_the_parameters_of_the_others_are_none_is_named(ending, tmp_path):
    random = np.random.default_rng(3)
    x = random.uniform(1, 5, ROWS)
    keys = scans.Draw.of(ROWS, None, 0).keys(0, ROWS)
    row = int(np.flatnonzero(keys >= keys.max() - 9)[-1])  # one that is fitted and not kept
    x[row] = 0.2  # the others are of a curve that begins at 0.95
    y = 2 + 3 * np.log(np.maximum(x - 0.95, 1e-3)) + 0.01 * random.normal(size=ROWS)
    frame, path = pl.DataFrame({"x": x, "y": y}), tmp_path / f"rows.{ending}"
    frame.write_csv(path) if ending == "csv" else frame.write_parquet(path, row_group_size=700)
    with pytest.raises(FitError) as caught:
        in_parts("y = a + b * log(x - c)", path)
    assert caught.value.code == "fit.undefined-row"
    assert caught.value.values["file"].endswith(path.name)
    assert caught.value.values["line"] == row + 1 + (ending == "csv")
    assert caught.value.values["part"] == "log(x - c)"
    settings = {"bounds": {"c": (None, 0.19)}, "init": {"a": 1, "b": 1, "c": 0}}
    assert_same(
        in_parts("y = a + b * log(x - c)", path, **settings), descend.fit("y = a + b * log(x - c)", frame, **settings)
    )


def test_a_run_that_was_stopped_goes_on_from_its_checkpoint(files, tmp_path):
    equation, kept = "y = a * exp(-b * x) + c", tmp_path / "run.safetensors"
    settings = {"init": START, "optimizer": "adam", "lr": 0.1, "epochs": 30}
    whole = in_parts(equation, files / "rows.csv", **settings)
    steps = []

    def stop(epoch, loss):
        steps.append(epoch)
        if epoch == 10:
            raise KeyboardInterrupt

    in_parts(equation, files / "rows.csv", checkpoint=kept, on_epoch=stop, **settings)
    model = in_parts(equation, files / "rows.csv", checkpoint=kept, resume=True, **settings)
    np.testing.assert_array_equal(model.raw, whole.raw)
    assert "note.resumed" in [note.code for note in model.notes]


def test_a_run_to_the_minimum_goes_on_from_its_checkpoint(files, tmp_path):
    equation, kept = "bent = a * exp(-b * x) + c", tmp_path / "run.safetensors"
    whole = in_parts(equation, files / "rows.parquet", init=START)

    def stop(epoch, loss):
        if epoch == 1:
            raise KeyboardInterrupt

    begun = in_parts(equation, files / "rows.parquet", init=START, checkpoint=kept, on_epoch=stop)
    assert begun.history.stop == "interrupted"
    model = in_parts(equation, files / "rows.parquet", init=START, checkpoint=kept, resume=True)
    assert model.history.stop == "optimum"
    np.testing.assert_allclose(model.raw, whole.raw, rtol=1e-9)


def test_its_model_predicts_and_is_tested_part_by_part(frame, files, tmp_path, capsys):
    model = in_parts("y = a * exp(-b * x) + c", files / "rows.parquet", init=START)
    model.save(tmp_path / "m.safetensors")
    again = descend.load(tmp_path / "m.safetensors")
    assert again.equation == model.equation
    expected = model.predict(frame)
    code, _, err = called(
        capsys, "predict", tmp_path / "m.safetensors", files / "rows.csv", "--memory", "1kB",
        "--out", tmp_path / "out.parquet",
    )  # fmt: skip
    assert (code, err) == (0, "")
    written = pl.read_parquet(tmp_path / "out.parquet")
    np.testing.assert_allclose(written.to_numpy()[:, -1].astype(float), np.ravel(expected), rtol=1e-14)
    code, out, err = called(capsys, "evaluate", tmp_path / "m.safetensors", files / "some", "--memory", "1kB", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)["scores"][0]["hypothesis"]
    assert found == pytest.approx(model.evaluate(frame).as_dict()["scores"][0]["hypothesis"], rel=1e-12)


def test_a_forecast_reads_the_rows_part_by_part(frame, files):
    settings = {"init": START, "optimizer": "sgd", "epochs": 10}
    parts = descend.forecast("y = a * exp(-b * x) + c", files / "rows.csv", memory="1kB", **settings)
    whole = descend.forecast("y = a * exp(-b * x) + c", frame, **settings)
    assert parts.local == pytest.approx(whole.local, rel=1e-9)


@pytest.mark.parametrize(
    ("settings", "code"),
    [({"patience": 3, "epochs": 9}, "option.scan-patience"), ({"test": 5}, "option.scan-test")],
)
def test_what_cannot_be_done_part_by_part_is_refused(settings, code, files):
    with pytest.raises(OptionError) as caught:
        in_parts("y = a * exp(-b * x) + c", files / "rows.csv", **settings)
    assert caught.value.code == code


@pytest.mark.slow
@pytest.mark.parametrize(
    ("equation", "settings"), [*EQUATIONS[:5], EQUATIONS[12], EQUATIONS[15]], ids=lambda given: str(given)
)
def test_an_equation_on_a_cluster_is_what_it_is_in_memory_however_the_rows_are_cut(
    equation, settings, frame, files, local
):
    whole = descend.fit(equation, frame, **settings)
    for partitions in (1, 5):
        spread = descend.fit(equation, str(files / "some"), cluster=local, partitions=partitions, **settings)
        assert_same(spread, whole)


@pytest.mark.slow
def test_batches_of_an_equation_are_refused_on_a_cluster(files, local):
    with pytest.raises(DescendError) as caught:
        descend.fit("y = a * exp(-b * x) + c", str(files / "some"), cluster=local, batch_size=100, epochs=2)
    assert caught.value.code == "option.cluster-batches"


@pytest.mark.parametrize("missing", ["drop", "mean"])
def test_missing_cells_are_treated_as_in_memory(missing, frame, tmp_path):
    gone = (pl.col("number") * 7919) % 100 < 3
    bad = frame.with_row_index("number").with_columns(x=pl.when(~gone).then("x")).drop("number")
    bad.write_parquet(tmp_path / "bad.parquet", row_group_size=700)
    settings = {"init": START, "missing": missing}
    whole = descend.fit("y = a * exp(-b * x) + c", bad, test="none", **settings)
    parts = in_parts("y = a * exp(-b * x) + c", tmp_path / "bad.parquet", test="none", **settings)
    np.testing.assert_allclose(parts.raw, whole.raw, rtol=1e-9)
    assert parts.fitted_rows == whole.fitted_rows


def test_the_probability_of_a_class_by_its_name_is_fitted_part_by_part(frame, tmp_path):
    named = frame.with_columns(kind=pl.when(pl.col("won") == 1).then(pl.lit("won")).otherwise(pl.lit("lost")))
    named.write_csv(tmp_path / "named.csv")
    equation = "P(kind = lost) = 1 - sigmoid(a * exp(-b * x) + c)"
    assert_same(in_parts(equation, tmp_path / "named.csv", init=START), descend.fit(equation, named, init=START))


@pytest.mark.slow
def test_a_row_in_which_an_equation_is_not_defined_is_named_on_a_cluster_too(frame, local, tmp_path):
    cells = np.abs(frame["z"].to_numpy()) + 0.1
    row = int(np.flatnonzero(scans.Draw.of(ROWS, None, 0).keys(0, ROWS) >= KEPT)[-1])
    cells[row] = 0.0
    frame.with_columns(z=pl.Series(cells)).write_parquet(tmp_path / "bad.parquet", row_group_size=700)
    with pytest.raises(UndefinedError) as caught:
        descend.fit(
            "y = a * exp(-b * x) + c * log(z)", str(tmp_path / "bad.parquet"), init=START, cluster=local, test="none"
        )
    assert caught.value.values["line"] == row + 1
    assert caught.value.values["file"].endswith("bad.parquet")


def test_a_bent_valley_of_the_loss_is_gone_along_from_the_minimum_of_few_rows(tmp_path):
    random = np.random.default_rng(0)
    x = random.uniform(0, 1.2, ROWS)
    y = 50 * np.exp(-2 * x / 1000) + 1e-4 * random.normal(size=ROWS)  # nearly a line: two parameters hardly told apart
    frame = pl.DataFrame({"x": x, "y": y})
    frame.write_parquet(tmp_path / "rows.parquet", row_group_size=700)
    equation, init = "y = a * exp(-b * (x + 1000) / 1000) + c", {"a": 300, "b": 2.0, "c": 0}
    whole = descend.fit(equation, frame, init=init)
    parts = in_parts(equation, tmp_path / "rows.parquet", init=init)
    assert parts.history.stop == "optimum"
    assert parts.history.final_loss == pytest.approx(whole.history.final_loss, rel=1e-11)
    np.testing.assert_allclose(parts.raw, whole.raw, rtol=1e-6)
