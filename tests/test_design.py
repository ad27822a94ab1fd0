"""The design: columns against patsy and NumPy, scaling, raw units, the printed equation, and its errors."""

import json
import re
from datetime import date, timedelta

import numpy as np
import patsy
import pytest
from numpy.polynomial import polynomial

from descend import DesignError, TableError, fit, parse, read
from descend.design.matrix import INTERCEPT, Design
from descend.model.equation import equation_lines
from descend.tables.columns import gather, uses

RANDOM = np.random.default_rng(20)
ROWS = 60
TABLE = {
    "y": RANDOM.normal(size=ROWS),
    "x": RANDOM.normal(3, 2, ROWS),
    "z": RANDOM.uniform(1, 5, ROWS),
    "a": np.resize(["q", "p", "r"], ROWS),
    "b": np.repeat(["v", "u"], ROWS // 2),
    "c": RANDOM.permutation(np.resize(["m", "n"], ROWS)),
    "k": RANDOM.permutation(np.resize([10, 2, 1], ROWS)),
    "flag": RANDOM.permutation(np.resize([True, False], ROWS)),
}


def designed(formula, source=TABLE, **options):
    """The design of a formula and the columns it was learnt on; not standardised unless asked."""
    table = read(source)
    hypothesis = parse(formula).resolve(table.columns)
    wanted = uses(hypothesis, table)
    data = gather(wanted, table)
    return Design.learn(hypothesis, wanted, data, **{"standardize": False, **options}), data


def matrix(formula, source=TABLE, **options):
    """The names and the columns of the design matrix."""
    design, data = designed(formula, source, **options)
    return design.names, design.matrix(data)


def theirs(right):
    """Patsy's columns by name, in our spelling of the names."""
    made = patsy.dmatrix(right, TABLE)
    names = [name.replace("[T.", "[") for name in made.design_info.column_names]
    names = [INTERCEPT if name == "Intercept" else name for name in names]
    return dict(zip(names, np.asarray(made).T, strict=True))


def rows(count, **changed):
    """A few rows of the table with some columns changed."""
    return {name: values[:count] for name, values in TABLE.items()} | changed


def test_a_table_of_many_blocks_has_the_moments_and_the_matrix_of_the_whole():
    random = np.random.default_rng(4)
    count = 120_000
    source = {
        "y": np.zeros(count),
        "x": random.normal(1e6, 1, count),
        "z": random.uniform(-1, 1, count) * 1e200,
        "one": np.full(count, 7.0),
        "g": random.choice(["a", "b", "c"], count),
    }
    chosen = np.flatnonzero(random.random(count) < 0.7)
    plain, data = designed("y ~ x + z + one + g + x:g", source)
    design, _ = designed("y ~ x + z + one + g + x:g", source, rows=chosen, standardize=True)
    X = plain.matrix(data)[chosen]
    np.testing.assert_allclose(design.means[1:], X.mean(axis=0)[1:], rtol=1e-12)
    scale = np.abs(X).max(axis=0)
    np.testing.assert_allclose(design.sizes, scale * np.sqrt(np.square(X / scale).mean(axis=0)), rtol=1e-12)
    np.testing.assert_allclose(design.spreads, scale * (X / scale).std(axis=0), rtol=1e-9, atol=1e-12)
    assert design.spreads[design.names.index("one")] == 0
    np.testing.assert_array_equal(design.matrix(data, chosen), (X - design.means) / design.scales)
    np.testing.assert_array_equal(design.matrix(data, chosen), design.matrix(data.take(chosen)))


# the columns of the design matrix


@pytest.mark.parametrize(
    "right",
    [
        "x",
        "0 + x",
        "x + z + x:z",
        "a",
        "0 + a",
        "a + b",
        "0 + a + b",
        "0 + x + a",
        "x + a",
        "x*a",
        "x + x:a",
        "x:a",
        "a:x",
        "0 + x:a",
        "a + x:a",
        "x:z:a",
        "a*b",
        "b*a",
        "a + a:b",
        "b + a:b",
        "0 + a:b",
        "0 + a + a:b",
        "a*b*c",
        "0 + a*b",
        "(a + b + c)**2",
        "a*b*x",
        "a*x + b*x",
        "a + x:b",
        "x:a:b",
    ],
)
def test_the_columns_are_those_of_patsy_by_name(right):
    names, X = matrix(f"y ~ {right}")
    expected = theirs(right)
    assert set(names) == set(expected)
    np.testing.assert_allclose(X, np.stack([expected[name] for name in names], axis=1), rtol=1e-15, atol=0)


@pytest.mark.parametrize("right", ["a:b", "a:b:c", "x + a:b", "0 + a:b + b:c", "x + x:a:b", "a + b:c"])
def test_the_columns_span_the_same_space_as_those_of_patsy(right):
    ours = matrix(f"y ~ {right}")[1]
    expected = np.stack(list(theirs(right).values()), axis=1)
    rank = np.linalg.matrix_rank(expected)
    assert np.linalg.matrix_rank(ours) == rank
    assert np.linalg.matrix_rank(np.hstack([ours, expected])) == rank


@pytest.mark.parametrize(
    ("right", "names"),
    [
        ("x + a", [INTERCEPT, "x", "a[q]", "a[r]"]),
        ("a + x", [INTERCEPT, "a[q]", "a[r]", "x"]),
        ("0 + a + b", ["a[p]", "a[q]", "a[r]", "b[v]"]),
        ("x*a", [INTERCEPT, "x", "a[q]", "a[r]", "x:a[q]", "x:a[r]"]),
        ("a:b + x", [INTERCEPT, "x", "b[v]", *(f"a[{left}]:b[{right}]" for right in "uv" for left in "qr")]),
        ("a*b", [INTERCEPT, "a[q]", "a[r]", "b[v]", "a[q]:b[v]", "a[r]:b[v]"]),
        ("poly(x, 2)", [INTERCEPT, "poly(x, 2)[1]", "poly(x, 2)[2]"]),
        ("0 + poly(x, 3, raw=True)", ["x", "x^2", "x^3"]),
        ("poly(x, 2):b", [INTERCEPT, *(f"poly(x, 2)[{i}]:b[{level}]" for level in "uv" for i in (1, 2))]),
        ("log(z) + I(x**2)", [INTERCEPT, "log(z)", "I(x**2)"]),
        ("C(k)", [INTERCEPT, "k[2]", "k[10]"]),
        ("flag", [INTERCEPT, "flag[true]"]),
    ],
)
def test_columns_are_named_and_ordered_as_written_main_effects_first(right, names):
    assert matrix(f"y ~ {right}")[0] == names


def test_numbers_taken_as_a_category_have_their_levels_in_the_order_of_numbers():
    design, data = designed("y ~ C(k)")
    assert design.levels == {"k": ("1", "2", "10")}
    expected = np.stack([np.ones(ROWS), TABLE["k"] == 2, TABLE["k"] == 10], axis=1)
    np.testing.assert_array_equal(design.matrix(data), expected)


def test_a_boolean_column_is_a_category_of_false_and_true():
    design, data = designed("y ~ flag")
    assert design.levels == {"flag": ("false", "true")}
    np.testing.assert_array_equal(design.matrix(data)[:, 1], TABLE["flag"])


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("log(z)", np.log(TABLE["z"])),
        ("log1p(z)", np.log1p(TABLE["z"])),
        ("log10(z)", np.log10(TABLE["z"])),
        ("exp(x)", np.exp(TABLE["x"])),
        ("sqrt(z)", np.sqrt(TABLE["z"])),
        ("abs(x)", np.abs(TABLE["x"])),
        ("sin(x)", np.sin(TABLE["x"])),
        ("cos(x)", np.cos(TABLE["x"])),
        ("tanh(x)", np.tanh(TABLE["x"])),
        ("I(x**2)", TABLE["x"] ** 2),
        ("I(-x**2 + z / 2)", -(TABLE["x"] ** 2) + TABLE["z"] / 2),
        ("I(2**x)", 2 ** TABLE["x"]),
        ("log(x**2 + 1)", np.log(TABLE["x"] ** 2 + 1)),
        ("I(flag + 1)", TABLE["flag"] + 1.0),
    ],
)
def test_a_function_or_arithmetic_gives_what_numpy_gives(written, expected):
    np.testing.assert_allclose(matrix(f"y ~ 0 + {written}")[1][:, 0], expected, rtol=1e-15)


# polynomials


@pytest.mark.parametrize("degree", [1, 2, 3, 6])
def test_raw_powers_are_those_of_numpy(degree):
    X = matrix(f"y ~ poly(x, {degree}, raw=True)")[1]
    np.testing.assert_allclose(X, polynomial.polyvander(TABLE["x"], degree), rtol=1e-13)


@pytest.mark.parametrize("degree", [1, 2, 3, 8, 20])
@pytest.mark.parametrize("written", ["x", "year", "log(z)"])
def test_orthogonal_powers_are_orthonormal_and_orthogonal_to_the_intercept(degree, written):
    X = matrix(f"y ~ poly({written}, {degree})", TABLE | {"year": 1960 + np.arange(ROWS)})[1][:, 1:]
    np.testing.assert_allclose(X.T @ X, np.eye(degree), atol=1e-12)
    np.testing.assert_allclose(X.sum(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("degree", [1, 2, 5])
def test_orthogonal_powers_are_those_of_a_qr_factorisation(degree):
    X = matrix(f"y ~ poly(x, {degree})")[1][:, 1:]
    Q, R = np.linalg.qr(polynomial.polyvander(TABLE["x"] - TABLE["x"].mean(), degree))
    np.testing.assert_allclose(X, (Q * np.sign(np.diag(R)))[:, 1:], atol=1e-12)


def test_orthogonal_powers_of_new_rows_continue_the_same_polynomials():
    design, data = designed("y ~ poly(x, 3)", rows=np.arange(40))
    X = design.matrix(data)
    np.testing.assert_allclose(X[:40, 1:].T @ X[:40, 1:], np.eye(3), atol=1e-12)
    coefficients = polynomial.polyfit(TABLE["x"][:40], X[:40, 1:], 3)
    np.testing.assert_allclose(X[40:, 1:], polynomial.polyval(TABLE["x"][40:], coefficients).T, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("raw", ["", ", raw=True"])
def test_powers_of_a_polynomial_are_told_in_the_variable_itself(raw):
    design, data = designed(f"y ~ poly(x, 3{raw})")
    (code,) = design.blocks[0].codes
    weights = np.array([1.5, -2.0, 0.25])
    values = design.matrix(data)[:, 1:] @ weights
    np.testing.assert_allclose(polynomial.polyval(TABLE["x"], code.powers(weights)), values, rtol=1e-10, atol=1e-12)


def test_a_degree_that_the_distinct_values_do_not_reach_is_an_error():
    with pytest.raises(DesignError) as caught:
        designed("y ~ poly(k, 3)")
    assert caught.value.code == "design.poly-degree"
    assert caught.value.values == {"term": "poly(k, 3)", "distinct": 3, "most": 2}


def test_a_degree_is_held_against_the_distinct_values_of_the_training_rows():
    source = {"y": np.arange(8.0), "x": [1, 1, 1, 2, 2, 3, 4, 5]}
    with pytest.raises(DesignError) as caught:
        designed("y ~ poly(x, 2)", source, rows=np.arange(5))
    assert (caught.value.code, caught.value.values["distinct"]) == ("design.poly-degree", 2)


# standardisation and the way back


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("training", [None, np.arange(10, 50)])
def test_columns_get_mean_0_and_deviation_1_on_the_training_rows(ddof, training):
    design, data = designed("y ~ x*a + log(z)", standardize=True, ddof=ddof, rows=training)
    plain = matrix("y ~ x*a + log(z)")[1][training if training is not None else slice(None)]
    np.testing.assert_allclose(design.means[1:], plain[:, 1:].mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(design.scales[1:], plain[:, 1:].std(axis=0, ddof=ddof), rtol=1e-13)
    assert (design.means[0], design.scales[0]) == (0, 1)
    X = design.matrix(data if training is None else data.take(training))
    np.testing.assert_allclose(X[:, 1:].mean(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose(X[:, 1:].std(axis=0, ddof=ddof), 1, rtol=1e-13)
    np.testing.assert_array_equal(X[:, 0], 1)


def test_without_an_intercept_columns_are_only_scaled_by_their_root_mean_square():
    design, data = designed("y ~ 0 + x + z", standardize=True)
    np.testing.assert_array_equal(design.means, 0)
    np.testing.assert_allclose(design.scales, [np.sqrt(np.mean(TABLE[name] ** 2)) for name in "xz"], rtol=1e-14)
    np.testing.assert_allclose((design.matrix(data) ** 2).mean(axis=0), 1, rtol=1e-13)


def test_a_column_that_does_not_vary_is_not_scaled():
    design, _ = designed("y ~ x + one", TABLE | {"one": np.full(ROWS, 7.3)}, standardize=True)
    assert (design.means[2], design.scales[2]) == (pytest.approx(7.3), 1)


def test_levels_come_from_all_rows_and_scales_from_the_training_rows():
    training = np.flatnonzero(TABLE["a"] != "r")
    design, data = designed("y ~ x + a", rows=training, standardize=True)
    assert design.levels == {"a": ("p", "q", "r")}
    assert design.names == [INTERCEPT, "x", "a[q]", "a[r]"]
    assert design.means[1] == pytest.approx(TABLE["x"][training].mean())
    assert (design.means[3], design.scales[3]) == (0, 1)
    np.testing.assert_array_equal(design.matrix(data)[:, 3], TABLE["a"] == "r")


@pytest.mark.parametrize(
    "right", ["x", "x + z", "0 + x + z", "x*a", "0 + a + x", "a*b", "poly(x, 3, raw=True) + a", "log(z):x"]
)
@pytest.mark.parametrize("ddof", [0, 1])
def test_raw_coefficients_are_those_of_least_squares_in_raw_units(right, ddof):
    design, data = designed(f"y ~ {right}", standardize=True, ddof=ddof)
    Y = np.stack([TABLE["y"], TABLE["z"] ** 2], axis=1)
    weights = np.linalg.lstsq(design.matrix(data), Y)[0]
    expected = np.linalg.lstsq(matrix(f"y ~ {right}")[1], Y)[0]
    np.testing.assert_allclose(design.to_raw(weights), expected, rtol=1e-9, atol=1e-11)


def test_a_fit_gives_the_coefficients_of_least_squares_by_the_names_of_patsy():
    model = fit("y ~ x*a + z", TABLE, test="none")
    expected = theirs("x*a + z")
    solution = np.linalg.lstsq(np.stack(list(expected.values()), axis=1), TABLE["y"])[0]
    assert model.coefficients == pytest.approx(dict(zip(expected, solution, strict=True)), rel=1e-8)


def test_l2_spares_the_intercept_only():
    design, _ = designed("y ~ x + a")
    assert design.penalised.tolist() == [False, True, True, True]


@pytest.mark.parametrize(
    ("right", "name"),
    [("x + poly(x, 2, raw=True)", "x"), ("x:z + `x:z`", "x:z"), ("a + C(a)", "a[q]")],
)
def test_two_columns_of_one_name_are_refused(right, name):
    """Coefficients are told by name: of two columns with one name, one would be lost."""
    with pytest.raises(DesignError) as caught:
        designed(f"y ~ {right}", TABLE | {"x:z": TABLE["y"]})
    assert (caught.value.code, caught.value.values) == ("design.same-name", {"column": name})


def test_a_design_may_have_thousands_of_columns():
    wide = {"y": [1.0, 2.0, 4.0]} | {f"x{i}": [float(i), 1.0, 3.0] for i in range(3000)}
    design, _ = designed("y ~ .", wide)
    assert len(design.names) == 3001


# the printed equation


def printed(model, columns):
    """What the printed right side, in all digits, evaluates to when it is typed into Python."""
    (line,) = equation_lines(model.design, model.target, model.raw, digits=17)
    text = line.partition(" = ")[2].replace("×", "*").replace("−", "-").replace("^", "**")
    text = re.sub(r"(\w+)\[(\w+)\]", r"(\1 == '\2')", text).replace(":", "*")
    functions = {"log": np.log, "sqrt": np.sqrt, "I": lambda value: value}
    return eval(text, {"__builtins__": {}}, {**columns, **functions})


@pytest.mark.parametrize(
    "right",
    [
        "x",
        "x + log(z) + I(x**2)",
        "a + x:z + x",
        "poly(x, 3)",
        "poly(x, 2, raw=True)",
        "poly(x, 2) + x:z",
        "poly(x, 4) + poly(z, 2) + a",
        "x + z + poly(x, 2)",
        "0 + poly(x, 2)",
        "poly(log(z), 2)",
        "poly(x + z, 2)",
        "poly(x / 2, 2, raw=True)",
        "poly(-x, 2)",
    ],
)
def test_the_printed_equation_evaluates_to_the_predictions(right):
    model = fit(f"y ~ {right}", TABLE, test="none")
    np.testing.assert_allclose(printed(model, TABLE), model.predict(TABLE), rtol=1e-8, atol=1e-9)


def test_a_polynomial_is_printed_in_powers_of_its_variable():
    x = np.arange(1.0, 8.0)
    model = fit("y ~ poly(x, 2)", {"x": x, "y": 2 - 3 * x + 0.5 * x**2}, test="none")
    assert model.equation == "y = 2 − 3 × x + 0.5 × x^2"


def test_a_coefficient_that_is_only_rounding_is_printed_as_0():
    x = np.arange(1.0, 8.0)
    model = fit("y ~ x + z", {"x": x, "z": np.array([1.0, -1, 2, -2, 1, 3, 0]), "y": 2 * x}, test="none")
    assert model.equation == "y = 0 + 2 × x + 0 × z"


# describing and restoring


def test_a_design_restored_from_json_makes_the_same_matrix():
    design, data = designed("y ~ poly(x, 3)*a + C(k) + log(z):b", standardize=True, rows=np.arange(50))
    described = json.loads(json.dumps(design.describe()))
    again = Design.restore(design.hypothesis, described, [design.means, design.scales, design.sizes, design.spreads])
    assert again.names == design.names
    np.testing.assert_array_equal(again.matrix(data), design.matrix(data))


# errors


def test_a_level_that_was_not_seen_is_named_with_its_row_and_the_known_ones():
    model = fit("y ~ x + a", TABLE, test="none")
    with pytest.raises(DesignError) as caught:
        model.predict(rows(3, a=["p", "q", "s"]))
    assert caught.value.code == "design.unseen-level"
    values = caught.value.values
    assert (values["column"], values["found"], values["known"], values["line"]) == ("a", "s", "p, q, r", 3)
    assert "p, q, r" in str(caught.value)


def test_a_level_that_was_not_seen_is_named_with_its_line_in_a_file(tmp_path):
    model = fit("y ~ x + a", TABLE, test="none")
    file = tmp_path / "new.csv"
    file.write_text("x,a\n1,p\n2,q\n3,s\n", encoding="utf-8")
    with pytest.raises(DesignError) as caught:
        model.predict(file)
    values = caught.value.values
    assert (caught.value.code, values["file"], values["line"], values["found"]) == (
        "design.unseen-level",
        "new.csv",
        4,
        "s",
    )


def test_an_unseen_number_in_a_category_of_numbers_is_named():
    model = fit("y ~ C(k)", TABLE, test="none")
    with pytest.raises(DesignError) as caught:
        model.predict({"k": [1, 2, 3]})
    assert (caught.value.code, caught.value.values["found"], caught.value.values["known"]) == (
        "design.unseen-level",
        "3",
        "1, 2, 10",
    )


@pytest.mark.parametrize(
    ("columns", "code", "near"),
    [({"q": [1.0]}, "design.no-column", ""), ({"hour": [1.0]}, "design.no-column-near", "hour")],
)
def test_a_missing_column_is_named_at_prediction(columns, code, near):
    model = fit("y ~ hours", {"y": [1.0, 2, 4], "hours": [1.0, 2, 3]}, test="none")
    with pytest.raises(DesignError) as caught:
        model.predict(columns)
    assert caught.value.code == code
    values = caught.value.values
    assert (values["column"], values["near"], values["known"]) == ("hours", near, ", ".join(columns))


@pytest.mark.parametrize(
    ("formula", "column", "cells", "code"),
    [
        ("y ~ x", "x", ["one", "two"], "design.not-of-numbers"),
        ("y ~ log(z)", "z", ["one", "two"], "design.not-of-numbers"),
        ("y ~ x", "x", [date(2020, 1, 1), date(2020, 1, 2)], "design.neither-kind"),
        ("y ~ x", "x", [timedelta(1), timedelta(2)], "design.neither-kind"),
        ("y ~ a", "a", [timedelta(1), timedelta(2)], "design.neither-kind"),
    ],
)
def test_a_column_of_the_wrong_kind_is_named_at_prediction(formula, column, cells, code):
    model = fit(formula, TABLE, test="none")
    with pytest.raises(DesignError) as caught:
        model.predict({column: cells})
    assert (caught.value.code, caught.value.values) == (code, {"column": column, "file": "table"})


@pytest.mark.parametrize(("cells", "found"), [([1, 2], "1"), ([date(2020, 1, 1), date(2020, 1, 2)], "2020-01-01")])
def test_numbers_and_dates_where_the_model_needs_levels_are_unseen_levels(cells, found):
    model = fit("y ~ a", TABLE, test="none")
    with pytest.raises(DesignError) as caught:
        model.predict({"a": cells})
    values = caught.value.values
    assert caught.value.code == "design.unseen-level"
    assert (values["column"], values["found"], values["known"]) == ("a", found, "p, q, r")


def test_a_target_is_not_needed_at_prediction():
    model = fit("log(z) ~ x + a", TABLE, test="none")
    without = {"x": TABLE["x"], "a": TABLE["a"]}
    np.testing.assert_array_equal(model.predict(without), model.predict(TABLE))


@pytest.mark.parametrize(
    ("written", "cells", "line", "term"),
    [
        ("log(x)", ["1", "2", "0", "4"], 4, "log(x)"),
        ("log(x)", ["1", "-2", "0", "4"], 3, "log(x)"),
        ("log1p(x)", ["1", "2", "3", "-1"], 5, "log1p(x)"),
        ("log10(x)", ["0", "2", "3", "1"], 2, "log10(x)"),
        ("sqrt(x)", ["1", "2", "-3", "1"], 4, "sqrt(x)"),
        ("I(1 / x)", ["1", "2", "0", "1"], 4, "I(1 / x)"),
        ("exp(x)", ["1", "2", "3", "1000"], 5, "exp(x)"),
        ("poly(log(x), 2)", ["1", "2", "0", "3"], 4, "poly(log(x), 2)"),
        ("poly(log(x), 2, raw=True)", ["1", "0", "2", "3"], 3, "poly(log(x), 2, raw=True)"),
    ],
)
def test_where_a_function_is_not_defined_its_line_is_named(written, cells, line, term, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("y,x\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells)), encoding="utf-8")
    with pytest.raises(DesignError) as caught:
        fit(f"y ~ {written}", file, test="none")
    assert caught.value.code == "design.undefined"
    values = caught.value.values
    assert (values["file"], values["line"], values["term"]) == ("rows.csv", line, term)


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("name", ["log", "log10", "log2"])
def test_a_logarithm_of_zero_is_told_what_takes_zero(name, lang):
    with pytest.raises(DesignError) as caught:
        fit(f"y ~ {name}(x)", {"x": [1.0, 2.0, 0.0], "y": [1.0, 2.0, 3.0]}, test="none")
    assert "log1p" in caught.value.hint(lang)


def test_a_function_that_is_not_defined_on_a_new_row_names_it():
    model = fit("y ~ log(z)", TABLE, test="none")
    with pytest.raises(DesignError) as caught:
        model.predict({"z": [1.0, 2.0, 0.0]})
    assert (caught.value.code, caught.value.values["line"]) == ("design.undefined", 3)


def test_a_column_may_not_be_a_number_and_a_category_at_once():
    with pytest.raises(DesignError) as caught:
        designed("y ~ k + C(k)")
    assert (caught.value.code, caught.value.values["column"]) == ("design.both-uses", "k")


def test_text_inside_a_function_is_an_error_that_shows_a_cell():
    with pytest.raises(TableError) as caught:
        designed("y ~ log(a)")
    values = caught.value.values
    assert (caught.value.code, values["column"], values["found"]) == ("table.not-numbers", "a", "q")


def test_a_category_of_one_level_is_an_error():
    with pytest.raises(DesignError) as caught:
        designed("y ~ g", {"y": [1.0, 2, 3], "g": ["same"] * 3})
    assert (caught.value.code, caught.value.values) == ("design.one-level", {"column": "g", "level": "same"})


def test_text_that_is_different_in_every_row_is_an_error():
    with pytest.raises(DesignError) as caught:
        designed("y ~ name", TABLE | {"name": [f"n{i}" for i in range(ROWS)]})
    assert (caught.value.code, caught.value.values) == (
        "design.all-distinct",
        {"column": "name", "rows": ROWS},
    )


# missing cells


def test_a_missing_cell_is_an_error_that_names_lines_and_count():
    holes = np.where(np.arange(ROWS) % 10 == 4, np.nan, TABLE["x"])
    with pytest.raises(TableError) as caught:
        designed("y ~ x", TABLE | {"x": holes})
    values = caught.value.values
    assert caught.value.code == "table.missing"
    assert (values["column"], values["line"], values["lines"], values["count"]) == ("x", 5, "5, 15, 25, …", 6)


def test_a_row_with_a_gap_in_any_of_its_columns_is_dropped():
    rows = np.arange(ROWS)
    source = TABLE | {"x": np.where(rows == 3, np.nan, TABLE["x"]), "z": np.where(rows == 7, np.nan, TABLE["z"])}
    model = fit("y ~ x + z", source, test="none", missing="drop")
    whole = fit("y ~ x + z", {name: np.delete(TABLE[name], [3, 7]) for name in ("x", "y", "z")}, test="none")
    assert model.fitted_rows == ROWS - 2
    np.testing.assert_array_equal(model.raw, whole.raw)


def test_a_name_that_stands_twice_in_a_header_is_refused_at_prediction_where_the_model_uses_it(tmp_path):
    model = fit("y ~ x", TABLE, test="none")
    path = tmp_path / "new.csv"
    path.write_text("x,z,x\n1,2,3\n4,5,6\n")
    with pytest.raises(TableError) as caught:
        model.predict(str(path))
    assert (caught.value.code, caught.value.values["column"]) == ("table.repeated-header", "x")


def test_a_gap_in_the_target_is_never_filled():
    with pytest.raises(TableError) as caught:
        fit("y ~ x", TABLE | {"y": np.where(np.arange(ROWS) == 3, np.nan, TABLE["y"])}, missing="mean")
    assert (caught.value.code, caught.value.values["line"]) == ("table.missing-no-mean", 4)


@pytest.mark.parametrize("missing", ["drop", "mean"])
def test_missing_cells_are_dropped_or_filled_as_asked(missing):
    holes = np.where(np.arange(ROWS) % 10 == 4, np.nan, TABLE["x"])
    model = fit("y ~ x", TABLE | {"x": holes}, test="none", missing=missing)
    if missing == "drop":
        x, y = holes[~np.isnan(holes)], TABLE["y"][~np.isnan(holes)]
    else:
        x, y = np.where(np.isnan(holes), np.nanmean(holes), holes), TABLE["y"]
    slope, constant = np.polyfit(x, y, 1)
    assert model.coefficients == pytest.approx({INTERCEPT: constant, "x": slope})
    assert model.fitted_rows == x.size


def test_a_missing_category_is_never_filled_in():
    with pytest.raises(TableError) as caught:
        fit("y ~ a", TABLE | {"a": [None, *TABLE["a"][1:]]}, missing="mean", test="none")
    assert (caught.value.code, caught.value.values["column"]) == ("table.missing-no-mean", "a")


def test_a_column_without_any_value_is_named():
    with pytest.raises(TableError) as caught:
        designed("y ~ x", TABLE | {"x": [None] * ROWS})
    assert (caught.value.code, caught.value.values["column"]) == ("table.all-missing", "x")
