"""Intervals and standard errors of ill-conditioned designs: those of eighty digits, or why there are none."""

from __future__ import annotations

import mpmath
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import descend
from descend.base.errors import DescendError
from descend.base.messages import Note
from descend.cli import main

LIKE = 1e-6  # of half an interval's width
REFUSED = {"inference.digits", "inference.collinear", "inference.flat", "inference.not-optimum"}


def exactly(table, terms):
    """Return the design as rows of eighty digits."""
    names = [name for name in table if name != "y"]
    count = len(table[names[0]])
    return [terms({name: mpmath.mpf(float(table[name][row])) for name in names}) for row in range(count)]


def least_squares(rows, y, new):
    """Return the predictions of new rows and their standard errors, the deviation and the coefficients' errors."""
    with mpmath.workdps(80):
        X, y = mpmath.matrix(rows), mpmath.matrix([mpmath.mpf(float(value)) for value in y])
        inverse = (X.T * X) ** -1
        beta = inverse * (X.T * y)
        residual = y - X * beta
        variance = (residual.T * residual)[0] / (X.rows - X.cols)
        errors = [float(mpmath.sqrt(inverse[j, j] * variance)) for j in range(X.cols)]
        told = [
            (float((row.T * beta)[0]), float(mpmath.sqrt((row.T * inverse * row)[0] * variance)))
            for row in map(mpmath.matrix, new)
        ]
        return *np.array(told).T, float(mpmath.sqrt(variance)), np.array(errors)


def assert_exact(model, table, new, terms, found=None):
    """Hold the intervals of a fit, or those ``found`` elsewhere, against eighty digits."""
    if isinstance(model.inference, Note):
        assert model.inference.code in REFUSED
        return
    with mpmath.workdps(80):
        middle, mean, deviation, errors = least_squares(exactly(table, terms), table["y"], exactly(new, terms))
    found = model.intervals(new) if found is None else found
    quantile = model.inference.quantile(0.95)
    half, whole = quantile * mean, quantile * np.hypot(mean, deviation)
    ends = {
        "predicted": (middle, half),
        "mean_low": (middle - half, half),
        "mean_high": (middle + half, half),
        "low": (middle - whole, whole),
        "high": (middle + whole, whole),
    }
    for end, (expected, width) in ends.items():
        apart = np.abs(found[f"y_{end}"].to_numpy() - expected)
        assert (apart <= LIKE * width + 4 * np.finfo(float).eps * np.abs(expected)).all(), (end, apart / width)
    np.testing.assert_allclose(model.inference.errors[:, 0], errors, rtol=LIKE)


def drawn(kind, seed, power, rows):
    """Return a formula, a table, new rows and the design's terms; the worse conditioned the larger ``power`` is."""
    random = np.random.default_rng(seed)
    a, b, noise, near = *random.normal(size=(3, rows)), 10.0**-power
    far = round(10 ** (power / 2))
    match kind:
        case "two alike":
            table, terms = {"a": a, "b": a + near * b}, lambda x: [1, x["a"], x["b"]]
        case "three that determine one another":
            c = a - 2 * b + near * random.normal(size=rows)
            table, terms = {"a": a, "b": b, "c": c}, lambda x: [1, x["a"], x["b"], x["c"]]
        case "far from 0":
            table, terms = {"a": 10.0**power + a, "b": b / near}, lambda x: [1, x["a"], x["b"]]
        case "powers":
            table, terms = {"a": far + np.round(8 * a) / 8}, lambda x: [1, x["a"], x["a"] ** 2, x["a"] ** 3]
        case "poly":
            table = {"a": far + np.arange(float(rows))}
            terms = lambda x: [1, x["a"], x["a"] ** 2, x["a"] ** 3, x["a"] ** 4]  # noqa: E731
        case "product":
            table, terms = {"a": far + a, "b": 3 * far + b}, lambda x: [1, x["a"], x["b"], x["a"] * x["b"]]
        case _:
            table = {"a": far + a, "b": 7 + b}
            terms = lambda x: [1, x["a"], x["b"], (x["a"] + x["b"]) ** 2 - 3 * x["a"] / x["b"]]  # noqa: E731
    formula = {
        "powers": "a + I(a**2) + I(a**3)",
        "poly": "poly(a, 4, raw=True)",
        "product": "a * b",
        "expression": "a + b + I((a + b)**2 - 3 * a / b)",
    }.get(kind, " + ".join(table))
    new = {
        name: np.append(values[:3], values.mean() + np.array([0, 1.3]) * values.std()) for name, values in table.items()
    }
    table["y"] = a + a**2 + 0.3 * noise
    return f"y ~ {formula}", table, new, terms


KINDS = ["two alike", "three that determine one another", "far from 0", "powers", "poly", "product", "expression"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12)
@given(seed=st.integers(0, 10**6), power=st.floats(1, 11), rows=st.integers(12, 30), standardize=st.booleans())
def test_intervals_of_any_columns_are_those_of_eighty_digits(kind, seed, power, rows, standardize):
    formula, table, new, terms = drawn(kind, seed, power, rows)
    assert_exact(descend.fit(formula, table, test="none", standardize=standardize), table, new, terms)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), power=st.floats(1, 11), standardize=st.booleans())
def test_so_are_those_of_a_table_read_part_by_part(kind, seed, power, standardize, tmp_path_factory):
    formula, table, new, terms = drawn(kind, seed, power, 90)
    path = tmp_path_factory.mktemp("parts") / "rows.parquet"
    pl.DataFrame(table).write_parquet(path)
    model = descend.fit(formula, path, test="none", standardize=standardize, memory=1)
    assert_exact(model, table, new, terms)


def years():
    year = np.arange(1980, 2020.0)
    table = {"year": year, "y": np.sin(year) + (year - 2000) ** 2 / 300}
    new = {"year": np.array([1970.0, 1980.0, 1999.0, 2019.0, 2025.5])}
    return "y ~ poly(year, 4, raw=True)", table, new, lambda x: [x["year"] ** power for power in range(5)]


@pytest.mark.parametrize("standardize", [True, False])
def test_the_fourth_power_of_years_has_the_intervals_of_eighty_digits_in_every_face(standardize, tmp_path):
    formula, table, new, terms = years()
    model = descend.fit(formula, table, test="none", standardize=standardize)
    assert not isinstance(model.inference, Note)
    assert_exact(model, table, new, terms)
    path = model.save(tmp_path / "m.safetensors")
    again = descend.load(path)
    assert again.intervals(new).equals(model.intervals(new))
    assert again.predict(new).tolist() == model.intervals(new)["y_predicted"].to_list()
    pl.DataFrame(new).write_csv(tmp_path / "new.csv")
    for extra in ([], ["--memory", "1KB"]):
        out = tmp_path / "out.csv"
        command = ["predict", str(path), str(tmp_path / "new.csv"), "--interval", "0.95", "--out", str(out), *extra]
        assert main(command) == 0
        assert_exact(model, table, new, terms, pl.read_csv(out))
        out.unlink()


def test_a_column_a_hundred_million_from_0_and_columns_alike_to_eight_digits_are_not_refused():
    random = np.random.default_rng(0)
    x, z, noise = random.normal(size=(3, 50))
    for standardize in (True, False):
        for formula, columns in (("y ~ a", {"a": 1e8 + x}), ("y ~ a + b", {"a": x, "b": x + 1e-8 * z})):
            table = {**columns, "y": x + noise}
            model = descend.fit(formula, table, test="none", standardize=standardize)
            assert not isinstance(model.inference, Note)
            new = {name: values[:5] for name, values in columns.items()}
            assert_exact(model, table, new, lambda row: [1, *row.values()])


def test_what_a_table_too_large_for_twice_the_digits_cannot_carry_is_refused_with_the_reason(monkeypatch):
    monkeypatch.setattr("descend.analysis.refined_least_squares.AFFORDABLE", 0)
    monkeypatch.setattr("descend.analysis.refined_least_squares.FREE", 0)
    formula, table, _, _ = years()
    assert descend.fit(formula, table, test="none").inference == Note("inference.digits", {})


# ---------------------------------------------------------------- likelihood


def most_likely(rows, codes, classes, start, new):
    """Return the coefficients of each class but the first, their errors, and each log-odds and its error.

    Newton's method with fifty digits, from ``start``.
    """
    width, others = len(rows[0]), classes - 1
    flat = [mpmath.mpf(float(value)) for value in np.ravel(start)]

    def shares(row):
        z = [mpmath.mpf(0)] + [sum(row[j] * flat[j * others + a] for j in range(width)) for a in range(others)]
        e = [mpmath.exp(value - max(z)) for value in z]
        return [value / sum(e) for value in e]

    for _ in range(30):
        slope, bend = mpmath.zeros(width * others, 1), mpmath.zeros(width * others)
        for row, code in zip(rows, codes, strict=True):
            p = shares(row)[1:]
            for a in range(others):
                for b in range(others):
                    weight = p[a] * ((a == b) - p[b])
                    for j in range(width):
                        for k in range(width):
                            bend[j * others + a, k * others + b] += weight * row[j] * row[k]
                for j in range(width):
                    slope[j * others + a] += row[j] * ((code == a + 1) - p[a])
        step = mpmath.lu_solve(bend, slope)
        flat = [value + more for value, more in zip(flat, step, strict=True)]
        if max(abs(more) for more in step) <= mpmath.mpf(10) ** -30 * max(map(abs, flat)):
            break
    inverse = bend**-1
    errors = [float(mpmath.sqrt(inverse[i, i])) for i in range(width * others)]
    odds = []
    for row in new:
        p = shares(row)
        for k in range(classes):
            slopes = [row[j] * ((a + 1 == k) - p[a + 1]) / (1 - p[k]) for j in range(width) for a in range(others)]
            vector = mpmath.matrix(slopes)
            odds.append((float(mpmath.log(p[k] / (1 - p[k]))), float(mpmath.sqrt((vector.T * inverse * vector)[0]))))
    return np.array(errors).reshape(width, others), np.array(odds).reshape(len(new), classes, 2)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("kind", ["two alike", "far from 0", "powers", "product"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.slow
def test_intervals_of_classes_are_those_of_fifty_digits_or_refused(classes, kind, standardize):
    for power in (1, 3, 6, 8):
        formula, table, new, terms = drawn(kind, power, power, 40)
        random = np.random.default_rng(power)
        score = (table["a"] - table["a"].mean()) / table["a"].std()
        codes = (np.outer(score, np.arange(classes)) + random.gumbel(size=(40, classes))).argmax(axis=1)
        model = descend.fit(
            formula, {**table, "y": [f"c{code}" for code in codes]}, test="none", standardize=standardize
        )
        if isinstance(model.inference, Note):
            assert model.inference.code in REFUSED
            assert (power, standardize) != (1, True)
            continue
        with mpmath.workdps(50):
            rows, more = exactly(table, terms), exactly(new, terms)
            errors, odds = most_likely(rows, codes, classes, model.contrasts, more)
        np.testing.assert_allclose(model.inference.errors, errors, rtol=LIKE)
        found, quantile = model.intervals(new), model.inference.quantile(0.95)
        for index, level in enumerate(model.target.levels):
            middle, half = odds[:, index, 0], quantile * odds[:, index, 1]
            for end, expected in (("", middle), ("_low", middle - half), ("_high", middle + half)):
                p, q = 1 / (1 + np.exp(-expected)), 1 / (1 + np.exp(expected))
                apart = np.abs(found[f"P({level}){end}"].to_numpy() - p)
                assert (apart <= LIKE * half * p * q + 1e-15).all()


def test_classes_of_parts_whose_columns_are_alike_are_refused_with_the_reason(tmp_path):
    random = np.random.default_rng(0)
    x, z = random.normal(size=(2, 400))
    table = {"a": x, "b": x + 1e-7 * z, "y": np.where(x + random.logistic(size=400) > 0, "yes", "no")}
    pl.DataFrame(table).write_parquet(tmp_path / "rows.parquet")
    model = descend.fit("y ~ a + b", tmp_path / "rows.parquet", test="none", memory=1)
    assert isinstance(model.inference, Note)
    assert model.inference.code in REFUSED
    with pytest.raises(DescendError) as error:
        model.intervals(table)
    assert error.value.code == "model.no-inference"
