"""Columns that are the same in every row: no effect and no digit changed, whatever their value, loss, rows and road."""

import warnings

import numpy as np
import polars as pl
import pytest
from cluster_fixtures import found_by_workers_fixture, local_fixture  # noqa: F401
from sklearn.base import clone

import descend
from descend import DescentClassifier, DescentRegressor
from descend.base.errors import DesignError
from descend.base.moments import deviations
from descend.tables.row_sampling import Draw

VALUES = [0.0, 0.1, -0.1, 0.3, 1 / 3, 7.7, 12345.678, -1e9]
VALUES += [sign * 10.0**power for power in (-300, -150, -6, 6, 150, 300) for sign in (1, -1)]
NAMES = [f"k{index}" for index in range(len(VALUES))]
FAMILIES = {
    "squares": ("y", {}),
    "ridge": ("y", {"l2": 0.1}),
    "huber": ("y", {"loss": "huber"}),
    "absolute": ("y", {"loss": "mae"}),
    "logistic": ("won", {}),
    "softmax": ("kind", {"l2": 0.01}),
    "steps": ("y", {"optimizer": "adam", "lr": 0.1, "epochs": 5}),
    "units": ("y", {"standardize": False}),
}
QUICK = [family for family in FAMILIES if family != "absolute"]
# how far the engines go: an absolute error has a flat bottom, and a loss that is searched is so to its tolerance
TOLERANCE = {"absolute": 1e-6}


def table(rows, seed=0):
    """Rows of two columns, three targets and a constant column for each value."""
    random = np.random.default_rng(seed)
    x, z = random.normal(3, 2, rows), random.exponential(1, rows)
    made = {"x": x, "z": z, "y": 1 + 2 * x - z + random.normal(0, 0.3, rows)}
    made["won"] = (random.random(rows) < 1 / (1 + np.exp(3 - x))).astype(int)
    made["kind"] = np.where(random.random(rows) < 0.3, "p", np.where(x > 3, "q", "r")).astype(object)
    made["won"][:2], made["kind"][:3] = (0, 1), ["p", "q", "r"][: min(rows, 3)]
    return made | {name: np.full(rows, value) for name, value in zip(NAMES, VALUES, strict=True)}


def assert_without_effect(formula, source, names, tolerance=1e-12, **settings):
    """Fit with and without the constant columns: their coefficients are 0, the others those of the fit without them."""
    settings = {"test": "none"} | settings
    alone = descend.fit(formula, source, **settings)
    model = descend.fit(f"{formula} + {' + '.join(names)}", source, **settings)
    constant = np.isin(model.design.names, names)
    assert constant.sum() == len(names)
    assert (model.raw[constant] == 0).all()
    scale = np.abs(alone.raw).max()
    np.testing.assert_allclose(model.raw[~constant], alone.raw, rtol=0, atol=tolerance * scale)
    codes = [finding.code for finding in model.findings]
    assert "finding.constant" in codes
    assert "finding.collinear" not in codes or "finding.collinear" in [f.code for f in alone.findings]
    return model


@pytest.mark.parametrize("family", QUICK)
def test_a_constant_column_has_no_effect_whatever_its_value(family):
    target, settings = FAMILIES[family]
    assert_without_effect(f"{target} ~ x + z", table(1000), NAMES, TOLERANCE.get(family, 1e-12), **settings)


@pytest.mark.parametrize("rows", [3, 5])
def test_of_a_handful_of_rows_constant_columns_have_no_effect(rows):
    source = table(rows)
    source["x"] = np.arange(rows) * 1.5
    assert_without_effect("y ~ x", source, NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("rows", [10, 100, 300, 3_000, 100_000])
@pytest.mark.parametrize("names", [NAMES, *([name] for name in NAMES[1::3])], ids=lambda names: "-".join(names[:2]))
def test_a_constant_column_has_no_effect_among_many_rows_and_by_itself(rows, family, names):
    target, settings = FAMILIES[family]
    if (family == "absolute" and rows > 3000) or (rows < 100 and family in ("logistic", "absolute")):
        pytest.skip("too slow, or no optimum")
    assert_without_effect(f"{target} ~ x + z", table(rows), names, TOLERANCE.get(family, 1e-12), **settings)


@pytest.mark.parametrize("target", ["y", "won"])
def test_a_table_of_which_a_diagnosis_sees_a_part_has_its_constant_columns_told(target):
    settings = {"loss": "huber"} if target == "y" else {}
    assert_without_effect(f"{target} ~ x + z", table(30_000), ["k1"], **settings)


def written(tmp_path, source, parts=5):
    rows = len(source["y"])
    path = tmp_path / "rows.parquet"
    pl.DataFrame(source).write_parquet(path, row_group_size=rows // parts)
    return str(path)


@pytest.mark.slow
@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("family", QUICK)
def test_part_by_part_constant_columns_have_no_effect(family, tmp_path):
    target, settings = FAMILIES[family]
    path = written(tmp_path, table(4000))
    near = 1e-10 if family == "softmax" else 1e-12  # a guessed curvature: two searches end within the loss's rounding
    model = assert_without_effect(f"{target} ~ x + z", path, NAMES, near, memory="1kB", test=0.2, **settings)
    assert model.fitted_rows < 4000


@pytest.mark.slow
def test_on_a_cluster_constant_columns_have_no_effect(local, tmp_path):
    path = written(tmp_path, table(4000))
    for target in ("y", "won"):
        assert_without_effect(f"{target} ~ x + z", path, NAMES, 1e-11, cluster=local, partitions=3)


@pytest.mark.slow
def test_in_sums_that_a_database_makes_constant_columns_have_no_effect(postgresql):
    source, names = table(1500), [name for name, value in zip(NAMES, VALUES, strict=True) if abs(value) < 1e300]
    names = [name for name in names if VALUES[NAMES.index(name)] == 0 or abs(VALUES[NAMES.index(name)]) > 1e-300]
    kept = ["x", "z", "y", *names]
    postgresql.fill("t", dict.fromkeys(kept, "real"), list(zip(*(source[name].tolist() for name in kept), strict=True)))
    assert_without_effect("y ~ x + z", postgresql.address, names, query="select * from t", memory="1kB", test=0.2)


@pytest.mark.parametrize("memory", [None, "1kB"])
@pytest.mark.usefixtures("small_parts")
def test_a_column_is_constant_where_only_its_fitted_rows_are(memory, tmp_path, monkeypatch):
    source = table(2000)
    draw = Draw.of(2000, 0.2, 0)
    held = draw.keys(0, 2000) < draw.held
    source["k"] = np.where(held, np.arange(2000.0), 0.1)
    model = assert_without_effect("y ~ x + z", written(tmp_path, source), ["k"], memory=memory, test=0.2)
    assert model.fitted_rows == (~held).sum()


def test_a_column_is_constant_where_only_the_rows_that_are_not_dropped_are():
    source = table(400)
    source["k"] = np.where(np.arange(400) < 200, 0.1, 5.0)
    source["x"][200:] = np.nan
    assert_without_effect("y ~ x + z", source, ["k"], missing="drop")


def test_a_column_of_one_value_and_gaps_filled_with_its_mean_is_constant(tmp_path):
    source = table(1000)
    source["k"] = np.where(np.arange(1000) % 3 == 0, np.nan, 0.1)
    assert_without_effect("y ~ x + z", source, ["k"], missing="mean")
    assert_without_effect("y ~ x + z", written(tmp_path, source), ["k"], missing="mean", memory="1kB")


@pytest.mark.parametrize("term", ["k:m", "k^2", "poly(k, 3, raw=True)", "log(k)", "k:m + k*m", "I(k * 1e100)"])
@pytest.mark.parametrize("memory", [None, "1kB"])
def test_what_is_made_of_constant_columns_is_constant(term, memory, tmp_path):
    source = table(500) | {"k": np.full(500, 0.1), "m": np.full(500, 7.7)}
    source = source if memory is None else written(tmp_path, source)
    settings = {"test": "none", "memory": memory}
    alone = descend.fit("y ~ x + z", source, **settings)
    model = descend.fit(f"y ~ x + z + {term.replace('k^2', 'I(k ** 2)')}", source, **settings)
    assert (model.raw[3:] == 0).all()
    np.testing.assert_allclose(model.raw[:3], alone.raw, rtol=1e-12)


def test_in_the_folds_in_which_a_column_is_constant_it_has_no_effect():
    source = table(60)
    source["k"] = np.full(60, 0.1)
    source["k"][7] = 0.2
    found = descend.fit("y ~ x + z + k", source, test="loo").verification.scores[0]["hypothesis"]["rmse"]
    errors = []
    for row in range(60):
        others = np.arange(60) != row
        X = np.column_stack([np.ones(60), source["x"], source["z"], source["k"] if row != 7 else np.zeros(60)])
        w = np.linalg.lstsq(X[others], source["y"][others])[0]
        errors.append(source["y"][row] - X[row] @ w)
    assert found == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-9)


@pytest.mark.parametrize("memory", [None, "1kB"])
@pytest.mark.parametrize("target", ["y", "won", "kind"])
def test_numbers_that_differ_by_their_rounding_alone_are_told_and_not_divided_by(target, memory, tmp_path):
    source = table(1000)
    source["k"] = 1e8 + 1.5e-8 * np.random.default_rng(1).integers(0, 3, 1000)
    assert np.unique(source["k"]).size == 3
    source = source if memory is None else written(tmp_path, source)
    settings = {"l2": 0.01 * (target == "kind"), "test": "none", "memory": memory}
    alone = descend.fit(f"{target} ~ x + z", source, **settings)
    model = descend.fit(f"{target} ~ x + z + k", source, **settings)
    assert (model.raw[3] == 0).all()
    np.testing.assert_allclose(model.raw[:3], alone.raw, rtol=0, atol=1e-12 * np.abs(alone.raw).max())
    assert [f.code for f in model.findings if "constant" in f.code] == ["finding.nearly-constant"]


def test_a_small_spread_on_a_large_offset_is_no_constant():
    source = table(1000)
    source["k"] = 1e8 + source["z"] * 1e-4
    model = descend.fit("y ~ x + k", source, test="none")
    assert model.coefficients["k"] == pytest.approx(-1e4, rel=0.1)
    assert not any("constant" in finding.code for finding in model.findings)


@pytest.mark.parametrize("settings", [{"init": {"k0": 5.0, "k1": 5.0}}, {"init": "normal", "seed": 3}], ids=str)
def test_a_start_gives_constant_columns_no_effect(settings):
    model = descend.fit("y ~ x + z + k0 + k1", table(200), test="none", **settings)
    alone = descend.fit("y ~ x + z", table(200), test="none")
    np.testing.assert_allclose(model.raw[:, 0], [*alone.raw[:, 0], 0, 0], rtol=1e-12)


@pytest.mark.parametrize("memory", [None, "1kB"])
def test_a_level_without_rows_has_no_effect(memory, tmp_path, monkeypatch):
    source = table(2000)
    draw = Draw.of(2000, 0.2, 0)
    held = draw.keys(0, 2000) < draw.held
    source["g"] = np.where(held & (np.arange(2000) % 2 == 0), "c", np.where(np.arange(2000) % 3 == 0, "a", "b"))
    model = descend.fit("y ~ x + g", written(tmp_path, source), memory=memory, test=0.2)
    assert model.coefficients["g[c]"] == 0
    assert np.isfinite(model.raw).all()


@pytest.mark.parametrize("value", [0.1, 7.7, -1e150, 1e-150])
def test_a_constant_target_is_its_own_prediction(value, tmp_path):
    source = table(1000) | {"y": np.full(1000, value)}
    for place in ({}, {"memory": "1kB"}):
        model = descend.fit("y ~ x + z", source if not place else written(tmp_path, source), **place)
        assert "finding.dead-target" in [finding.code for finding in model.findings]
        np.testing.assert_allclose(model.raw[:, 0] / value, [1, 0, 0], rtol=1e-14, atol=1e-14)
        assert np.isnan(model.verification.scores[0]["hypothesis"]["r2"])


# estimators


def arrays(rows, seed=0):
    made = table(rows, seed)
    X = np.column_stack([made["x"], made["z"], *(made[name] for name in NAMES)])
    return X, made


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("target", ["y", "won", "kind"])
def test_in_an_estimator_constant_columns_have_no_effect(target, weighted, standardize):
    X, made = arrays(1000)
    weights = np.random.default_rng(2).integers(0, 4, 1000) * 0.1 if weighted else None
    if weighted:
        X[weights == 0, 2:] = 5.0  # of rows that count for nothing
    kind = DescentRegressor if target == "y" else DescentClassifier
    estimator = kind(standardize=standardize, l2=0.01 * (target == "kind"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = clone(estimator).fit(X, made[target], sample_weight=weights)
        alone = clone(estimator).fit(X[:, :2], made[target], sample_weight=weights)
    coefficients, others = np.atleast_2d(model.coef_), np.atleast_2d(alone.coef_)
    assert (coefficients[:, 2:] == 0).all()
    np.testing.assert_allclose(coefficients[:, :2], others, rtol=0, atol=1e-12 * np.abs(others).max())
    np.testing.assert_allclose(model.intercept_, alone.intercept_, rtol=0, atol=1e-11)


def test_a_column_that_is_constant_in_the_first_chunk_alone_is_learnt_from_the_others():
    X, made = arrays(1000)
    X = np.column_stack([X[:, :2], np.where(np.arange(1000) < 100, 0.1, X[:, 1])])
    estimator = DescentRegressor(random_state=0)
    for _ in range(60):
        for start in range(0, 1000, 100):
            estimator.partial_fit(X[start : start + 100], made["y"][start : start + 100])
    assert abs(estimator.coef_[2]) > 0.01
    assert np.isfinite(estimator.coef_).all()


def test_in_chunks_constant_columns_have_no_effect():
    X, made = arrays(1000)
    for kind, target in ((DescentRegressor, "y"), (DescentClassifier, "won")):
        found = []
        for columns in (X, X[:, :2]):
            estimator = kind(random_state=0)
            for start in range(0, 1000, 100):
                chunk = slice(start, start + 100)
                extra = {"classes": [0, 1]} if target == "won" else {}
                estimator.partial_fit(columns[chunk], made[target][chunk], **extra)
            found.append(np.atleast_2d(estimator.coef_))
        assert (found[0][:, 2:] == 0).all()
        np.testing.assert_allclose(found[0][:, :2], found[1], rtol=1e-9)


def test_a_network_does_not_see_constant_columns():
    pytest.importorskip("torch")
    source = table(300)
    source["target"] = np.full(300, 0.1)
    for target in ("y", "won", "target"):
        model = descend.fit(f"{target} ~ x + z + k1 + k8 + k18", source, hypothesis="mlp(4)", epochs=3, test="none")
        other = {**source, "k1": np.full(300, 0.11), "k8": np.full(300, -3.0), "k18": np.full(300, 2e6)}
        assert np.isfinite(model.predict(source)).all()
        np.testing.assert_array_equal(model.predict(source), model.predict(other))


def test_deviations_are_those_of_numpy_and_0_where_nothing_varies():
    values = np.random.default_rng(0).normal(5, [1, 1e-3, 1e3], (5000, 3))
    np.testing.assert_allclose(deviations(values), values.std(axis=0), rtol=1e-12)
    for rows in (1, 2, 1000, 100_000):
        np.testing.assert_array_equal(deviations(np.tile(VALUES, (rows, 1))), 0)
    np.testing.assert_allclose(deviations(values * 1e300), values.std(axis=0) * 1e300, rtol=1e-12)


def test_powers_of_numbers_that_differ_by_their_rounding_alone_are_refused():
    source = table(100)
    source["k"] = 1e8 + 1.5e-8 * (np.arange(100) % 3)
    assert np.unique(source["k"]).size == 3
    with pytest.raises(DesignError) as caught:
        descend.fit("y ~ poly(k, 2)", source)
    assert (caught.value.code, caught.value.values["distinct"]) == ("design.poly-degree", 1)
