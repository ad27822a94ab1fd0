"""Columns that are 0 in every fitted row: what is said of the others is what a fit without them says of these."""

import json

import numpy as np
import polars as pl
import pytest
from conftest import called

import descend
from descend.analysis.verification import split_rows
from descend.fitting.problem import Problem

IDLE = {"c": 0.1, "d": 0.0, "e": -1e300, "f": 1e-300}
TARGETS = {
    "y": {},
    "log(y2)": {},
    "won": {},
    "kind": {},
    "y unscaled": {"standardize": False},
    "won unscaled": {"standardize": False},
}
CURVE = "x + poly(t, 4, raw=True)"


def table(rows=300):
    random = np.random.default_rng(1)
    x, t = random.normal(3, 2, rows), np.linspace(2000.0, 2040.0, rows)
    made = {"x": x, "t": t, "y": 1 + 2 * x + np.sin(t) + random.normal(0, 0.3, rows)}
    made["y2"] = np.exp(made["y"] / 9)
    made["won"] = (random.random(rows) < 1 / (1 + np.exp(3 - x))).astype(int)
    made["kind"] = np.where(random.random(rows) < 0.3, "p", np.where(made["y"] > 6, "q", "r")).astype(object)
    made["g"] = np.where(np.arange(rows) % 3 == 0, "a", "b").astype(object)
    return made | {name: np.full(rows, value) for name, value in IDLE.items()}


def pair_of(target, terms, source, **settings):
    """Fit without and with the columns, and tell which columns of the second are those of the first."""
    settings = TARGETS.get(target, {}) | settings
    name = target.split()[0]
    alone = descend.fit(f"{name} ~ {terms}", source, **settings)
    model = descend.fit(f"{name} ~ {' + '.join(IDLE)} + {terms}", source, **settings)
    return alone, model, ~np.isin(model.design.names, list(IDLE))


def assert_alike(alone, model, others, tolerance=1e-9):
    """The same coefficients, errors and degrees of freedom of the others, and no error of the columns themselves."""
    np.testing.assert_allclose(model.raw[others], alone.raw, rtol=tolerance)
    np.testing.assert_allclose(model.inference.errors[others], alone.inference.errors, rtol=tolerance)
    assert np.isnan(model.inference.errors[~others]).all()
    assert model.inference.freedom == alone.inference.freedom
    np.testing.assert_allclose(model.inference.variances, alone.inference.variances, rtol=tolerance)
    assert model.certificate.kind == alone.certificate.kind
    assert (model.exact is None, model.rest is None) == (alone.exact is None, alone.rest is None)


@pytest.mark.parametrize("target", TARGETS)
def test_the_others_have_the_errors_and_intervals_of_the_fit_without_them(target, tmp_path):
    source = table()
    alone, model, others = pair_of(target, "x + g", source)
    assert_alike(alone, model, others)
    expected = alone.intervals(source).drop(IDLE, strict=False).select(pl.col("^.*(_low|_high)$"))
    for made in (model, descend.load(model.save(tmp_path / "model.safetensors"))):
        assert_alike(alone, made, others)
        found = made.intervals(source).select(expected.columns)
        np.testing.assert_allclose(found.to_numpy(), expected.to_numpy(), rtol=1e-9)


@pytest.mark.parametrize("standardize", [True, False])
def test_the_others_keep_the_digits_of_the_fit_without_them(standardize):
    source = table(40)
    alone, model, others = pair_of("y", CURVE, source, standardize=standardize)
    assert alone.rest is not None
    assert_alike(alone, model, others, 1e-12)
    new = {name: cells[:5] for name, cells in source.items()} | {"t": np.linspace(1990.0, 2050.0, 5)}
    np.testing.assert_allclose(model.predict(new), alone.predict(new), rtol=1e-12)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("target", ["y", "won", "kind", "y unscaled"])
def test_part_by_part_the_others_have_the_errors_of_the_fit_without_them(target, tmp_path):
    path = tmp_path / "rows.parquet"
    pl.DataFrame(table(3000)).write_parquet(path, row_group_size=600)
    alone, model, others = pair_of(target, "x + g", str(path), memory="1kB", test="none")
    assert_alike(alone, model, others)


@pytest.mark.parametrize("target", ["y", "won", "kind"])
def test_under_a_penalty_the_certificate_is_that_of_the_fit_without_them(target):
    alone, model, others = pair_of(target, "x + g", table(), l2=0.1)
    np.testing.assert_allclose(model.raw[others], alone.raw, rtol=1e-9)
    assert model.certificate.kind == alone.certificate.kind != "none"
    assert model.certificate.gap == pytest.approx(alone.certificate.gap, abs=1e-20)
    assert model.inference.code == alone.inference.code == "inference.penalised"


def test_of_more_columns_than_rows_the_idle_ones_do_not_count():
    random = np.random.default_rng(0)
    source = {
        "y": random.normal(size=9),
        "x": random.normal(size=9),
        **{f"k{i}": np.full(9, i * 0.1) for i in range(9)},
    }
    model, alone = descend.fit("y ~ .", source, test="none"), descend.fit("y ~ x", source, test="none")
    assert model.inference.freedom == alone.inference.freedom == 7
    np.testing.assert_allclose(model.inference.errors[:2], alone.inference.errors, rtol=1e-9)


def test_columns_that_determine_one_another_have_no_errors_beside_idle_ones_either():
    source = table()
    source["s"] = source["x"] + source["t"]
    model = descend.fit("y ~ c + x + t + s", source)
    assert model.inference.code == "inference.collinear"


def test_a_level_without_fitted_rows_leaves_the_others_their_errors():
    source, held = table(60), np.isin(np.arange(60), split_rows(60, "auto", 0).folds[0][1])
    source["h"] = np.where(held, "unseen", np.where(np.arange(60) % 2, "seen", "other")).astype(object)
    model = descend.fit("y ~ x + h", source)
    alone = descend.fit("y ~ x + h", {**source, "h": np.where(source["h"] == "other", "other", "seen")})
    bare = np.array([name == "h[unseen]" for name in model.design.names])
    assert bare.any()
    assert np.isnan(model.inference.errors[bare]).all()
    np.testing.assert_allclose(model.inference.errors[~bare], alone.inference.errors, rtol=1e-9)


def test_each_row_is_left_out_without_a_fit_of_its_own_beside_idle_columns_too(monkeypatch):
    monkeypatch.setattr(Problem, "_refitted", lambda *_: pytest.fail("fitted again"))
    alone, model, _ = pair_of("y", "x + g", table(30))
    found, expected = (made.verification.scores[0]["hypothesis"] for made in (model, alone))
    assert alone.verification.method == "loo"
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_the_error_of_an_idle_column_is_told_as_none(tmp_path, capsys, lang):
    path = tmp_path / "model.safetensors"
    descend.fit("y ~ x + c", table()).save(path)
    code, out, _ = called(capsys, "show", path, "--inference", "--lang", lang)
    assert code == 0
    (line,) = [line.split() for line in out.splitlines() if line.split()[:1] == ["c"]]
    assert line == ["c", "0", *"–––––"]
    assert "nan" not in out
    code, out, _ = called(capsys, "show", path, "--inference", "--json")
    found = json.loads(out)["inference"]
    at = found["columns"].index("c")
    assert [found[key][at] for key in ("standard_errors", "statistics", "p_values")] == [[None]] * 3


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_steps_on_columns_as_they_are_move_a_constant_ones_coefficient_as_pytorch_does(optimizer):
    torch = pytest.importorskip("torch")
    source = table(50)
    model = descend.fit(
        "y ~ x + k + d", {**source, "k": np.full(50, 3.0)}, test="none",
        optimizer=optimizer, lr=0.01, epochs=7, standardize=False, init={"d": 4.0},
    )  # fmt: skip
    X = torch.tensor(np.column_stack([np.ones(50), source["x"], np.full(50, 3.0), np.zeros(50)]))
    w, y = torch.tensor([0.0, 0, 0, 4], dtype=torch.float64, requires_grad=True), torch.tensor(source["y"])
    stepper = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]([w], lr=0.01)
    for _ in range(7):
        stepper.zero_grad()
        (X @ w - y).square().mean().backward()
        stepper.step()
    np.testing.assert_allclose(model.raw[:, 0], w.detach().numpy(), rtol=1e-9)
    (told,) = [finding.tell() for finding in model.findings if finding.code == "finding.constant"]
    assert "k" in told
    assert "without" not in told
