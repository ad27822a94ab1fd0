"""Products of categories: as many columns as they say, and no more; the column spaces are those of patsy."""

from itertools import combinations

import numpy as np
import patsy
import polars as pl
import pytest

import descend
from descend.design.matrix import INTERCEPT, Design
from descend.formula.parser import parse
from descend.tables.columns import gather, uses
from descend.tables.table import Table

ROWS = 150
LEVELS = {"a": "pqr", "b": "uv", "c": "kmno", "d": "st"}


def table(rows=ROWS):
    random = np.random.default_rng(5)
    made = {name: random.choice(list(levels), rows).astype(object) for name, levels in LEVELS.items()}
    made |= {name: random.normal(size=rows) for name in "xzy"}
    return made


TABLE = table()


def random_formula(random):
    """Up to five terms of up to three factors, in any order, with and without an intercept."""
    every = [term for size in (1, 2, 3) for term in combinations([*LEVELS, "x", "z"], size)]
    chosen = random.choice(len(every), random.integers(1, 6), replace=False)
    terms = [":".join(random.permutation(every[index])) for index in chosen]
    return " + ".join(["0"] * int(random.random() < 0.4) + terms)


FORMULAS = list(dict.fromkeys(random_formula(np.random.default_rng(seed)) for seed in range(230)))[:200]


def designed(right):
    source = Table(pl.DataFrame({name: list(values) for name, values in TABLE.items()}), "t")
    hypothesis = parse(f"y ~ {right}").resolve(source.columns)
    wanted = uses(hypothesis, source)
    data = gather(wanted, source)
    design = Design.learn(hypothesis, wanted, data, standardize=False)
    return design, design.matrix(data)


def test_there_are_200_formulas_of_every_kind():
    assert len(FORMULAS) == 200
    assert 40 < sum(right.startswith("0") for right in FORMULAS) < 160
    assert sum(right.count(":") > 1 for right in FORMULAS) > 100


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 200, 20))
def test_columns_are_independent_and_span_those_of_patsy(first):
    for right in FORMULAS[first : first + 20]:
        design, ours = designed(right)
        theirs = np.asarray(patsy.dmatrix(right, TABLE))
        rank = np.linalg.matrix_rank(theirs)
        assert ours.shape[1] == theirs.shape[1] == rank, (right, design.names)
        assert np.linalg.matrix_rank(ours) == rank, (right, design.names)
        assert np.linalg.matrix_rank(np.hstack([ours, theirs])) == rank, (right, design.names)
        assert len(set(design.names)) == rank


def test_a_product_beside_an_intercept_alone_has_a_reference():
    assert designed("a:b")[0].names == [
        INTERCEPT, "b[v]", "a[q]:b[u]", "a[r]:b[u]", "a[q]:b[v]", "a[r]:b[v]",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("right", ["a:b", "x + a:b:c", "a:b + b:c", "x:a + x", "0 + a:b + c", "b:x + a:b:x"])
@pytest.mark.parametrize("memory", [None, "1kB"])
def test_a_fit_of_products_is_least_squares_of_patsys_columns_on_every_road(right, memory, tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    pl.DataFrame({name: list(values) for name, values in TABLE.items()}).write_parquet(path, row_group_size=90)
    model = descend.fit(f"y ~ {right}", str(path), memory=memory, test="none")
    X = np.asarray(patsy.dmatrix(right, TABLE))
    expected = X @ np.linalg.lstsq(X, TABLE["y"])[0]
    np.testing.assert_allclose(model.predict(TABLE), expected, atol=1e-10)
    assert "finding.collinear" not in [finding.code for finding in model.findings]
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(descend.load(tmp_path / "m.safetensors").predict(TABLE), model.predict(TABLE))


@pytest.mark.slow
def test_in_sums_that_a_database_makes_products_are_coded_alike(postgresql):
    kinds = dict.fromkeys("abcd", "text") | dict.fromkeys("xzy", "real")
    postgresql.fill("t", kinds, list(zip(*(TABLE[name].tolist() for name in kinds), strict=True)))
    for right in ("a:b", "x:a + b:c"):
        model = descend.fit(f"y ~ {right}", postgresql.address, query="select * from t", memory="1kB", test="none")
        X = np.asarray(patsy.dmatrix(right, TABLE))
        np.testing.assert_allclose(model.predict(TABLE), X @ np.linalg.lstsq(X, TABLE["y"])[0], atol=1e-10)
