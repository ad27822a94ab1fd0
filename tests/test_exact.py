"""The last digits: double-double arithmetic, the NIST StRD sets and ill-conditioned tables against exact fractions."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import descend
from descend.analysis.inference import Inference
from descend.base.double_double import add, crossed, multiply, pair, product, reciprocal, rounded, subtract, total
from descend.base.messages import Note
from descend.cli import main

STRD = {found["name"]: found for found in json.loads((Path(__file__).parent / "data" / "strd.json").read_text())}
LINES = ("Norris", "Pontius", "NoInt1", "NoInt2", "Longley")
DIGITS = 12

# ---------------------------------------------------------------- twice float64's digits

ULP = Fraction(1, 2**100)
sizes = st.floats(1e-40, 1e40)
numbers = st.one_of(st.just(0.0), sizes, sizes.map(lambda x: -x), st.integers(-1000, 1000).map(float))
shares = st.floats(-(2.0**-54), 2.0**-54)


def fraction(x):
    return Fraction(np.ravel(x[0])[0].item()) + Fraction(np.ravel(x[1])[0].item())


def as_pair(high, share):
    """Return a number of twice the digits: ``high`` and a low part within half of its last place."""
    return np.array([high]), np.array([high * share])


pairs = st.builds(as_pair, numbers, shares)


def exact(matrix):
    return [
        [Fraction(float(h)) + Fraction(float(low)) for h, low in zip(*rows, strict=True)]
        for rows in zip(*matrix, strict=True)
    ]


@settings(max_examples=300)
@given(numbers, numbers)
def test_sums_and_products_of_two_float64s_lose_nothing(a, b):
    x, y = pair(np.array([a])), pair(np.array([b]))
    assert fraction(add(x, y)) == Fraction(a) + Fraction(b)
    assert fraction(subtract(x, y)) == Fraction(a) - Fraction(b)
    assert fraction(multiply(x, y)) == Fraction(a) * Fraction(b)


@settings(max_examples=300)
@given(pairs, pairs)
def test_sums_and_products_of_pairs_keep_a_hundred_bits(x, y):
    a, b = fraction(x), fraction(y)
    assert abs(fraction(add(x, y)) - (a + b)) <= ULP * (abs(a) + abs(b))
    assert abs(fraction(subtract(x, y)) - (a - b)) <= ULP * (abs(a) + abs(b))
    assert abs(fraction(multiply(x, y)) - a * b) <= ULP * abs(a * b)


@settings(max_examples=200)
@given(st.builds(as_pair, sizes, shares))
def test_a_reciprocal_keeps_a_hundred_bits(x):
    assert abs(fraction(reciprocal(x)) * fraction(x) - 1) <= 4 * ULP


@settings(max_examples=200)
@given(pairs)
def test_a_pair_is_rounded_to_the_nearest_float64(x):
    assert float(rounded(x)[0]) == float(fraction(x))


@settings(max_examples=100)
@given(st.lists(st.tuples(numbers, shares), min_size=1, max_size=40))
def test_a_long_sum_keeps_a_hundred_bits_of_its_largest_terms(terms):
    high = np.array([h for h, _ in terms])
    low = high * np.array([s for _, s in terms])
    made = total((high, low))
    each = [Fraction(h) + Fraction(x) for h, x in zip(high.tolist(), low.tolist(), strict=True)]
    assert abs(fraction(made) - sum(each)) <= 8 * ULP * sum(map(abs, each))


def test_a_sum_that_cancels_is_the_one_that_mpmath_gives():
    x = np.array([1e17, 1.0, -1e17, 2.0**-40, 3.0, -4.0])
    with mpmath.workdps(60):
        assert float(mpmath.fsum(map(mpmath.mpf, x))) == 2.0**-40
    assert rounded(total(pair(x[:, None])))[0] == 2.0**-40
    assert x.sum() != 2.0**-40


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 23), st.integers(1, 4), st.integers(1, 3))
def test_matrix_products_keep_a_hundred_bits(seed, rows, columns, outputs):
    random = np.random.default_rng(seed)

    def drawn(*shape):
        high = random.normal(size=shape) * 10.0 ** random.uniform(-6, 6, shape)
        return high, high * random.uniform(-1, 1, shape) * 2.0**-54

    X, Y, B = drawn(rows, columns), drawn(rows, outputs), drawn(columns, outputs)
    x, y, b = exact(X), exact(Y), exact(B)
    cross, dot = exact(crossed(X, Y)), exact(product(X, B))
    for i in range(columns):
        for k in range(outputs):
            terms = [x[row][i] * y[row][k] for row in range(rows)]
            assert abs(cross[i][k] - sum(terms)) <= 16 * ULP * sum(map(abs, terms))
    for row in range(rows):
        for k in range(outputs):
            terms = [x[row][i] * b[i][k] for i in range(columns)]
            assert abs(dot[row][k] - sum(terms)) <= 16 * ULP * sum(map(abs, terms))


@pytest.mark.parametrize("size", [1e-20, 1.0, 1e20])
def test_products_in_bulk_keep_a_hundred_bits_of_the_largest_terms(size, monkeypatch):
    random = np.random.default_rng(0)
    high = size * random.normal(size=(5000, 9))
    X = high, high * random.uniform(-1, 1, high.shape) * 2.0**-54
    T = (X[0][:9] / size).T, (X[1][:9] / size).T
    by_one = crossed(X, X), product(X, T)
    monkeypatch.setattr("descend.base.double_double.BULK", 0)
    for mine, theirs in zip((crossed(X, X), product(X, T)), by_one, strict=True):
        apart = np.abs(rounded(subtract(mine, theirs)))
        assert apart.max() <= 32 * 2.0**-100 * np.abs(rounded(theirs)).max()


# ---------------------------------------------------------------- least squares by fractions


def least_squares(X, Y):
    """Return coefficients, standard errors and the residual deviation of one target, exactly but for square roots.

    X is rows of fractions, Y fractions: the normal equations by Gauss and Jordan, which lose nothing in fractions.
    """
    count, width = len(X), len(X[0])
    left = [[sum(row[i] * row[j] for row in X) for j in range(width)] for i in range(width)]
    right = [sum(row[i] * y for row, y in zip(X, Y, strict=True)) for i in range(width)]
    table = [[*left[i], *(Fraction(int(i == j)) for j in range(width)), right[i]] for i in range(width)]
    for k in range(width):
        pivot = next(i for i in range(k, width) if table[i][k])
        table[k], table[pivot] = table[pivot], table[k]
        table[k] = [value / table[k][k] for value in table[k]]
        for i in range(width):
            if i != k and table[i][k]:
                times = table[i][k]
                table[i] = [a - times * b for a, b in zip(table[i], table[k], strict=True)]
    coefficients = [row[-1] for row in table]
    squares = sum(
        (y - sum(x * b for x, b in zip(row, coefficients, strict=True))) ** 2 for row, y in zip(X, Y, strict=True)
    )
    variance = squares / max(count - width, 1)
    with mpmath.workdps(40):
        roots = [
            mpmath.sqrt(mpmath.mpf(v.numerator) / v.denominator)
            for v in (variance, *(table[i][width + i] for i in range(width)))
        ]
        errors = [float(root * roots[0]) for root in roots[1:]]
        return [float(b) for b in coefficients], errors, float(roots[0])


def powers_of(formula, columns):
    """Return the design of a StRD formula, rows of fractions, built from the text by itself."""
    count = len(columns["y"])
    told = formula.split("~")[1]
    degree = re.search(r"poly\(x, (\d+), raw=True\)", told)
    if degree:
        return [[Fraction(float(x)) ** power for power in range(int(degree[1]) + 1)] for x in columns["x"]]
    names = [name.strip() for name in told.split("+")]
    first = [] if names[0] == "0" else [Fraction(1)]
    names = [name for name in names if name != "0"]
    return [first + [Fraction(float(columns[name][row])) for name in names] for row in range(count)]


def assert_digits(found, certified, digits=DIGITS, *, size=1.0):
    """Check significant digits; where the certified value is 0 those of ``size``."""
    for mine, theirs in zip(np.ravel(found), np.ravel(certified), strict=True):
        assert abs(mine - theirs) <= 10.0**-digits * (abs(theirs) or size), (mine, theirs)


def certified(name):
    found = STRD[name]
    return (
        list(map(float, found["coefficients"].values())),
        list(map(float, found["standard_errors"].values())),
        float(found["residual_deviation"]),
    )


def told_by(model):
    """Return what a model tells: coefficients, standard errors and the residual standard deviation."""
    assert isinstance(model.inference, Inference), model.inference
    return list(model.coefficients.values()), model.inference.errors[:, 0], np.sqrt(model.inference.variances[0])


def shuffled(columns, seed=1):
    order = np.random.default_rng(seed).permutation(len(columns["y"]))
    return {name: np.asarray(values)[order] for name, values in columns.items()}


@pytest.fixture(scope="module")
def fits():
    """Every StRD set, fitted once."""
    return {name: descend.fit(found["formula"], found["columns"], test="none") for name, found in STRD.items()}


@pytest.mark.parametrize("name", STRD)
def test_every_strd_set_has_twelve_certified_digits(fits, name):
    for mine, theirs in zip(told_by(fits[name]), certified(name), strict=True):
        assert_digits(mine, theirs)
    assert fits[name].design.names == list(STRD[name]["coefficients"])


@pytest.mark.parametrize("name", STRD)
def test_fractions_give_the_certified_digits_too(name):
    """The reference of what follows is itself held against NIST's values."""
    found = STRD[name]
    target = [Fraction(float(y)) for y in found["columns"]["y"]]
    for mine, theirs in zip(
        least_squares(powers_of(found["formula"], found["columns"]), target), certified(name), strict=True
    ):
        assert_digits(mine, theirs)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", STRD)
def test_the_order_of_the_rows_costs_no_digits(name, seed):
    found = STRD[name]
    model = descend.fit(found["formula"], shuffled(found["columns"], seed), test="none")
    for mine, theirs in zip(told_by(model), certified(name), strict=True):
        assert_digits(mine, theirs)


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("offset", [1e6, -1e6])
def test_an_offset_of_a_million_in_every_column_costs_no_digits(name, offset):
    found = STRD[name]
    columns = {column: np.asarray(values, dtype=float) + offset for column, values in found["columns"].items()}
    exactly = least_squares(powers_of(found["formula"], columns), [Fraction(float(y)) for y in columns["y"]])
    model = descend.fit(found["formula"], columns, test="none")
    for mine, theirs in zip(told_by(model), exactly, strict=True):
        assert_digits(mine, theirs)


@pytest.mark.parametrize("name", ["Filip", "Wampler1", "Wampler3"])
def test_an_offset_of_a_hundred_under_powers_is_exact_or_refused(name):
    found = STRD[name]
    columns = {"x": np.asarray(found["columns"]["x"], dtype=float) + 100, "y": found["columns"]["y"]}
    model = descend.fit(found["formula"], columns, test="none")
    if isinstance(model.inference, Note):
        assert model.inference.code in ("inference.collinear", "inference.not-optimum")
        return
    exactly = least_squares(powers_of(found["formula"], columns), [Fraction(float(y)) for y in columns["y"]])
    for mine, theirs in zip(told_by(model), exactly, strict=True):
        assert_digits(mine, theirs)


@pytest.mark.parametrize("name", STRD)
def test_a_model_read_again_keeps_the_digits(fits, name, tmp_path):
    again = descend.load(fits[name].save(tmp_path / "m.safetensors"))
    for mine, theirs in zip(told_by(again), told_by(fits[name]), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for mine, theirs in zip(told_by(again), certified(name), strict=True):
        assert_digits(mine, theirs)
    assert again.equation == fits[name].equation


def digits_of(number):
    return len(number.split("e")[0].replace("−", "").replace(".", "").lstrip("0"))


@pytest.mark.parametrize("name", STRD)
def test_the_equation_tells_certified_coefficients_to_its_last_digit(fits, name):
    told = re.findall(r"([+−]?) ?(\d[\d.]*(?:e[+-]?\d+)?)(?: × (\S+))?", fits[name].equation.split(" = ")[1])
    values = {column or "(intercept)": (-1 if sign == "−" else 1) * float(number) for sign, number, column in told}
    assert set(values) == set(STRD[name]["coefficients"])
    for _, number, column in told:
        theirs = float(STRD[name]["coefficients"][column or "(intercept)"])
        digits = max(digits_of(number), 6)
        assert abs(values[column or "(intercept)"] - theirs) <= 0.6 * 10.0 ** (1 - digits) * 10 ** np.ceil(
            np.log10(abs(theirs))
        )


@pytest.mark.parametrize("name", ["Filip", "Longley", "Wampler5"])
def test_the_command_line_tells_the_certified_digits(fits, name, tmp_path, capsys):
    path = fits[name].save(tmp_path / "m.safetensors")
    assert main(["show", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    coefficients, errors, deviation = certified(name)
    assert_digits(list(facts["coefficients"].values()), coefficients)
    assert_digits(facts["inference"]["coefficients"], coefficients)
    assert_digits(facts["inference"]["standard_errors"], errors)
    assert_digits(np.sqrt(facts["inference"]["residual_variances"]), deviation)
    assert main(["show", str(path)]) == 0
    shown = capsys.readouterr().out
    for value in coefficients:
        assert f"{value:.10g}" in shown


@pytest.mark.parametrize("name", ["Norris", "Longley", "Wampler3"])
def test_predictions_are_those_of_the_certified_coefficients(fits, name):
    found = STRD[name]
    with mpmath.workdps(40):
        coefficients = list(map(mpmath.mpf, found["coefficients"].values()))
        rows = powers_of(found["formula"], found["columns"])
        expected = [
            float(sum(b * x.numerator / x.denominator for b, x in zip(coefficients, row, strict=True))) for row in rows
        ]
    np.testing.assert_allclose(fits[name].predict(found["columns"]), expected, rtol=1e-9)


# ---------------------------------------------------------------- tables made to be hard


def ill_conditioned(seed, condition, rows=30, columns=4):
    """Return columns without offset whose singular values fall evenly from 1 to 1 / condition, and a target."""
    random = np.random.default_rng(seed)
    U, _ = np.linalg.qr(random.normal(size=(rows, columns)))
    V, _ = np.linalg.qr(random.normal(size=(columns, columns)))
    X = U * np.geomspace(1, 1 / condition, columns) @ V.T
    y = X @ random.normal(size=columns) + 0.1 * random.normal(size=rows)
    return {**{f"x{i}": X[:, i] for i in range(columns)}, "y": y}


def by_fractions(columns, names, intercept=True):
    count = len(columns["y"])
    first = [Fraction(1)] if intercept else []
    rows = [first + [Fraction(float(columns[name][row])) for name in names] for row in range(count)]
    return least_squares(rows, [Fraction(float(y)) for y in columns["y"]])


@pytest.mark.parametrize("intercept", [True, False], ids=["intercept", "none"])
@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6, 1e8, 1e10])
@pytest.mark.parametrize("seed", range(3))
def test_condition_numbers_up_to_ten_billion_cost_no_digits(seed, condition, intercept):
    columns = ill_conditioned(seed, condition)
    names = ["x0", "x1", "x2", "x3"]
    model = descend.fit(f"y ~ {'' if intercept else '0 + '}{' + '.join(names)}", columns, test="none")
    for mine, theirs in zip(told_by(model), by_fractions(columns, names, intercept), strict=True):
        assert_digits(mine, theirs)


@settings(max_examples=30)
@given(
    st.integers(0, 10**6),
    st.floats(2, 10),
    st.integers(8, 25),
    st.integers(2, 4),
    st.integers(-8, 8),
    st.booleans(),
)
def test_no_condition_scale_or_number_of_rows_costs_digits(seed, power, rows, count, scale, standardize):
    columns = ill_conditioned(seed, 10**power, rows, count)
    names = [f"x{i}" for i in range(count)]
    columns = {name: values * 10.0**scale if name == "x0" else values for name, values in columns.items()}
    if not standardize and abs(scale) > 3:
        scale = 0
        columns["x0"] = columns["x0"] / np.abs(columns["x0"]).max()
    model = descend.fit(f"y ~ {' + '.join(names)}", columns, test="none", standardize=standardize)
    for mine, theirs in zip(told_by(model), by_fractions(columns, names), strict=True):
        assert_digits(mine, theirs)


@pytest.mark.parametrize(
    ("formula", "row"),
    [
        ("y ~ log(x) + x", lambda x: [1, mpmath.log(x), x]),
        ("y ~ exp(I(x / 1000)) + sqrt(x) + x", lambda x: [1, mpmath.exp(x / 1000), mpmath.sqrt(x), x]),
        ("y ~ sin(I(x / 1000)) + tanh(I(x / 1000)) + x", lambda x: [1, mpmath.sin(x / 1000), mpmath.tanh(x / 1000), x]),
        ("y ~ I(x**1.5) + atan(x) + x", lambda x: [1, x**1.5, mpmath.atan(x), x]),
    ],
)
def test_functions_of_a_column_that_are_nearly_a_line_cost_no_digits(formula, row):
    random = np.random.default_rng(1)
    x = np.round(random.uniform(1000, 1010, 60), 3)
    y = np.round(3 + 2 * np.log(x) - 0.5 * x + random.normal(0, 0.01, 60), 4)
    made = descend.fit(formula, {"x": x, "y": y}, test="none").coefficients
    with mpmath.workdps(60):
        X = mpmath.matrix([row(mpmath.mpf(value)) for value in x.tolist()])
        expected = mpmath.lu_solve(X.T * X, X.T * mpmath.matrix([mpmath.mpf(value) for value in y.tolist()]))
    np.testing.assert_allclose(list(made.values()), [float(value) for value in expected], rtol=10.0**-DIGITS)


def test_several_targets_have_their_digits_each():
    columns = ill_conditioned(5, 1e7)
    columns["z"] = 1e5 * columns["y"] ** 2 + 3
    names = ["x0", "x1", "x2", "x3"]
    model = descend.fit(f"y + z ~ {' + '.join(names)}", columns, test="none")
    for index, target in enumerate(("y", "z")):
        coefficients, errors, deviation = by_fractions({**columns, "y": columns[target]}, names)
        assert_digits(list(model.coefficients[target].values()), coefficients)
        assert_digits(model.inference.errors[:, index], errors)
        assert_digits(np.sqrt(model.inference.variances[index]), deviation)


def test_columns_that_determine_one_another_have_no_digits_and_no_errors():
    columns = ill_conditioned(6, 1e2)
    columns["twin"] = columns["x0"] + columns["x1"]
    model = descend.fit("y ~ x0 + x1 + x2 + x3 + twin", columns, test="none")
    assert isinstance(model.inference, Note)
    assert model.inference.code == "inference.collinear"
    assert model.exact is None
