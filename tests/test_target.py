"""The target: its family, its classes, and predictions in the unit of its column whatever its transform."""

import json

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from descend import DesignError, OptionError, TableError, fit, parse, read
from descend.formula.evaluate import undo, values_of
from descend.objectives.families import FAMILIES
from descend.objectives.target import Target, choose_family, learn_target, target_uses
from descend.tables.columns import gather

RANDOM = np.random.default_rng(4)
ROWS = 40
X = np.linspace(0.5, 4, ROWS)
TABLE = {
    "x": X,
    "price": np.exp(1 + 0.5 * X),
    "score": 3 - 2 * X,
    "passed": (RANDOM.permutation(ROWS) % 2).astype(int),
    "rating": RANDOM.permutation(ROWS) % 3,
    "yes": np.where(RANDOM.permutation(ROWS) % 2, "yes", "no"),
    "kind": np.array(["b", "a", "c"])[RANDOM.permutation(ROWS) % 3],
    "flag": RANDOM.permutation(ROWS) % 2 == 0,
}


def hypothesis_of(left, columns):
    return parse(f"{left} ~ x").resolve(list(columns))


def family_of(left, source=TABLE, family="auto", loss="auto"):
    """The family and the code that says why."""
    chosen, why = choose_family(hypothesis_of(left, source), read(source), family, loss)
    return chosen.name, why.code


def learnt(left, family, source=TABLE):
    """The target of a family and the columns it was learnt on."""
    hypothesis = hypothesis_of(left, source)
    data = gather(target_uses(hypothesis, FAMILIES[family]), read(source))
    return learn_target(hypothesis, FAMILIES[family], data), data


def expression_of(left):
    return hypothesis_of(left, ["x", "y", "z"]).targets[0]


# which family


@pytest.mark.parametrize(
    ("left", "family", "why"),
    [
        ("price", "linear", "family.numbers"),
        ("rating", "linear", "family.numbers"),
        ("log(price)", "linear", "family.numbers"),
        ("price + score", "linear", "family.numbers"),
        ("passed + rating", "linear", "family.numbers"),
        ("passed", "logistic", "family.zero-one"),
        ("yes", "logistic", "family.two-levels"),
        ("flag", "logistic", "family.two-levels"),
        ("kind", "softmax", "family.levels"),
    ],
)
def test_the_family_follows_from_what_the_target_holds(left, family, why):
    assert family_of(left) == (family, why)


@pytest.mark.parametrize(
    ("cells", "family"),
    [
        ([0, 1, 1, 0], "logistic"),
        ([0.0, 1.0, 1.0, 1.0], "logistic"),
        ([0, 1, None, 1], "logistic"),
        ([0, 0, 0, 0], "linear"),
        ([1, 1, 1, 1], "linear"),
        ([1, 2, 1, 2], "linear"),
        ([0, 1, 2, 1], "linear"),
        ([-1, 1, 1, -1], "linear"),
        ([0, 0.5, 1, 1], "linear"),
    ],
)
def test_numbers_are_classes_only_where_there_are_both_0_and_1_and_nothing_else(cells, family):
    assert family_of("t", {"x": [1, 2, 3, 4], "t": cells})[0] == family


@pytest.mark.parametrize(
    ("left", "asked"),
    [
        ("passed", "linear"),
        ("rating", "softmax"),
        ("yes", "softmax"),
        ("kind", "softmax"),
        ("flag", "logistic"),
    ],
)
def test_a_family_that_is_asked_for_is_taken(left, asked):
    assert family_of(left, family=asked) == (asked, "family.asked")


@pytest.mark.parametrize(
    ("loss", "family"),
    [
        ("binary_cross_entropy", "logistic"),
        ("cross_entropy", "softmax"),
        ("mse", "linear"),
        ("mae", "linear"),
        ("huber", "linear"),
    ],
)
def test_a_loss_implies_its_family(loss, family):
    assert family_of("passed", loss=loss) == (family, "family.by-loss")


def test_a_family_that_is_asked_for_goes_before_the_loss():
    assert family_of("passed", family="softmax", loss="mse") == ("softmax", "family.asked")


def test_a_family_that_does_not_exist_is_an_error_that_lists_the_others():
    with pytest.raises(OptionError) as caught:
        family_of("price", family="gamma")
    assert caught.value.code == "option.family"
    assert caught.value.values == {"value": "gamma", "known": ", ".join(["auto", *FAMILIES])}


@pytest.mark.parametrize("left", ["log(passed)", "passed + flag", "2 * passed"])
@pytest.mark.parametrize(
    ("options", "family"),
    [
        ({"family": "logistic"}, "logistic"),
        ({"family": "softmax"}, "softmax"),
        ({"loss": "binary_cross_entropy"}, "logistic"),
        ({"loss": "cross_entropy"}, "softmax"),
    ],
)
def test_classes_are_one_column_as_it_is(left, options, family):
    with pytest.raises(DesignError) as caught:
        family_of(left, **options)
    assert (caught.value.code, caught.value.values) == ("design.one-class-target", {"family": family})


def test_text_that_differs_in_almost_every_row_is_no_class():
    names = [f"n{i}" for i in range(ROWS)]
    with pytest.raises(DesignError) as caught:
        family_of("name", TABLE | {"name": names})
    assert caught.value.code == "design.target-all-distinct"
    assert caught.value.values == {"column": "name", "levels": ROWS, "rows": ROWS}


@pytest.mark.parametrize(
    ("cells", "family", "level"),
    [
        (["only"] * ROWS, "logistic", "only"),
        ([True] * ROWS, "logistic", "true"),
        ([7] * ROWS, "softmax", "7"),
    ],
)
def test_a_target_of_one_class_is_an_error_that_names_it(cells, family, level):
    with pytest.raises(DesignError) as caught:
        fit("t ~ x", {"x": X, "t": cells}, family=family)
    assert (caught.value.code, caught.value.values) == ("design.one-class", {"column": "t", "level": level})


def test_logistic_for_more_than_two_classes_is_an_error_that_counts_them():
    with pytest.raises(DesignError) as caught:
        learnt("kind", "logistic")
    assert caught.value.code == "design.not-two"
    assert caught.value.values == {"column": "kind", "count": 3, "levels": "a, b, c", "first": "a"}


def test_text_asked_to_be_linear_is_an_error_that_shows_a_cell():
    with pytest.raises(TableError) as caught:
        fit("kind ~ x", TABLE, family="linear")
    assert (caught.value.code, caught.value.values["column"]) == ("table.not-numbers", "kind")


@pytest.mark.parametrize(("left", "column"), [("price + price", "price"), ("score + price + log(price)", "price")])
def test_a_column_is_a_target_once(left, column):
    with pytest.raises(DesignError) as caught:
        family_of(left)
    assert (caught.value.code, caught.value.values) == ("design.repeated-target", {"column": column})


# classes


@pytest.mark.parametrize(
    ("left", "family", "levels", "outputs", "kind"),
    [
        ("yes", "logistic", ("no", "yes"), ["yes"], "text"),
        ("passed", "logistic", ("0", "1"), ["1"], "number"),
        ("flag", "logistic", ("false", "true"), ["true"], "boolean"),
        ("kind", "softmax", ("a", "b", "c"), ["a", "b", "c"], "text"),
        ("rating", "softmax", ("0", "1", "2"), ["0", "1", "2"], "number"),
    ],
)
def test_classes_are_sorted_and_logistic_fits_the_second(left, family, levels, outputs, kind):
    target, data = learnt(left, family)
    assert (target.levels, target.outputs, target.label_kind) == (levels, outputs, kind)
    labels = [str(value).lower() for value in TABLE[left].tolist()]
    assert target.encode(data)[:, 0].tolist() == [levels.index(label) for label in labels]


def test_classes_that_are_numbers_are_in_the_order_of_numbers():
    target, _ = learnt("t", "softmax", {"x": X, "t": np.resize([10, 9, 100], ROWS)})
    assert target.levels == ("9", "10", "100")


@pytest.mark.parametrize(
    ("left", "family", "cells"),
    [
        ("yes", "logistic", ["no", "yes"]),
        ("passed", "logistic", [0.0, 1.0]),
        ("flag", "logistic", [False, True]),
        ("rating", "softmax", [0.0, 1.0, 2.0]),
    ],
)
def test_predicted_classes_are_what_the_table_holds(left, family, cells):
    target, _ = learnt(left, family)
    made = target.labels(np.eye(len(cells)))
    assert made.tolist() == cells
    assert type(made.tolist()[0]) is type(cells[0])


def test_logistic_probabilities_are_those_of_both_classes():
    target, _ = learnt("yes", "logistic")
    Z = np.array([[-800.0], [-1.0], [0.0], [2.0], [800.0]])
    made = target.predict(Z)
    np.testing.assert_allclose(made[:, 1], [0, 1 / (1 + np.e), 0.5, 1 / (1 + np.exp(-2)), 1], rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(made.sum(axis=1), 1, rtol=1e-15)


def test_softmax_probabilities_sum_to_1_and_follow_the_scores():
    target, _ = learnt("kind", "softmax")
    made = target.predict(np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [-900.0, 0.0, 900.0]]))
    expected = np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum()
    np.testing.assert_allclose(made, [[1 / 3] * 3, expected, [0, 0, 1]], rtol=1e-14, atol=1e-300)


def test_a_class_that_was_not_seen_is_named_with_the_known_ones():
    model = fit("kind ~ x", TABLE, test="none")
    with pytest.raises(DesignError) as caught:
        model.evaluate({"x": [1.0, 2.0], "kind": ["a", "d"]})
    values = caught.value.values
    assert caught.value.code == "design.unseen-level"
    assert (values["column"], values["found"], values["known"], values["line"]) == ("kind", "d", "a, b, c", 2)


@pytest.mark.parametrize(("left", "family"), [("flag", "logistic"), ("kind", "softmax"), ("log(price)", "linear")])
def test_a_target_restored_from_json_is_the_same(left, family):
    target, _ = learnt(left, family)
    described = json.loads(json.dumps(target.describe()))
    assert Target.restore(hypothesis_of(left, TABLE), described) == target


@pytest.mark.parametrize("missing", ["error", "mean"])
def test_a_missing_target_is_never_filled_in(missing):
    holes = np.where(np.arange(ROWS) == 6, np.nan, TABLE["price"])
    with pytest.raises(TableError) as caught:
        fit("price ~ x", {"x": X, "price": holes}, missing=missing)
    code = "table.missing" if missing == "error" else "table.missing-no-mean"
    assert (caught.value.code, caught.value.values["column"], caught.value.values["line"]) == (
        code,
        "price",
        7,
    )


# back to the unit of the column


@pytest.mark.parametrize(
    "left",
    [
        "price",
        "log(price)",
        "log10(price)",
        "2 * log(price)",
        "log(3 * price)",
        "-log(price)",
        "log(price) / 4",
        "1 / price",
        "10 / price",
        "sqrt(log(price) * 8)",
        "exp(score)",
        "tanh(score / 10)",
        "log1p(price - 1)",
    ],
)
def test_predictions_come_back_in_the_unit_of_the_column(left):
    """Where the transform is linear in x the fit is exact; else it is what NumPy's fit gives."""
    expression = hypothesis_of(left, TABLE).targets[0]
    forward = values_of(expression, TABLE)
    slope, constant = np.polyfit(X, forward, 1)
    inverse = {
        "1 / price": lambda z: 1 / z,
        "10 / price": lambda z: 10 / z,
        "price": lambda z: z,
        "exp(score)": lambda z: np.log(np.maximum(z, np.finfo(float).tiny)),  # nothing below 0 is an exponential
        "tanh(score / 10)": lambda z: 10 * np.arctanh(z),
        "sqrt(log(price) * 8)": lambda z: np.exp(z**2 / 8),
    }
    with np.errstate(invalid="ignore"):
        expected = inverse[left](constant + slope * X) if left in inverse else TABLE["price"]
    predicted = fit(f"{left} ~ x", TABLE, test="none").predict({"x": X})
    np.testing.assert_allclose(predicted, expected, rtol=1e-6)


def test_several_targets_come_back_each_in_its_own_unit():
    model = fit("log(price) + 5 * score ~ x", TABLE, test="none")
    assert model.target.outputs == ["log(price)", "5 * score"]
    np.testing.assert_allclose(model.predict({"x": X}), np.stack([TABLE["price"], TABLE["score"]], axis=1), rtol=1e-7)
    assert model.coefficients["log(price)"] == pytest.approx({"(intercept)": 1, "x": 0.5})
    assert model.coefficients["5 * score"] == pytest.approx({"(intercept)": 15, "x": -10})


def test_a_test_of_a_transformed_target_is_told_in_the_unit_of_the_column():
    model = fit("log(price) ~ x", TABLE, test="none")
    doubled = TABLE["price"] * 2
    (scores,) = model.evaluate({"x": X, "price": doubled}).scores
    assert scores["hypothesis"]["rmse"] == pytest.approx(np.sqrt(np.mean(TABLE["price"] ** 2)), rel=1e-6)


STEPS = [
    *("log({})", "log10({})", "log1p({})", "exp({})", "sqrt({})", "tanh({})", "-({})"),
    *(
        "({} + 1.5)",
        "({} - 0.75)",
        "(4 - {})",
        "(2 + {})",
        "({}) * 2.5",
        "-3 * ({})",
        "({}) / 4",
        "2 / ({})",
        "(({}))",
    ),
    *("log(2) * ({})", "({} - (1 + 2) ** 2)"),
]


@settings(max_examples=300, database=None)
@given(
    st.lists(st.sampled_from(STEPS), min_size=1, max_size=4),
    st.lists(st.floats(0.5, 3), min_size=1, max_size=5),
)
@example(["sqrt({})", "(4 - {})", "log({})"], [1.0, 2.0])
@example(["exp({})", "2 / ({})", "-({})"], [0.5, 3.0])
def test_undoing_a_chain_of_invertible_steps_gives_the_column_back(steps, column):
    left, values = "y", np.array(column)
    for step in steps:
        left = step.format(left)
        forward = values_of(expression_of(left), {"y": values})
        assume(np.isfinite(forward).all() and (np.abs(forward) > 0.05).all() and (np.abs(forward) < 20).all())
        assume("tanh" not in step or (np.abs(forward) < 0.999).all())
    np.testing.assert_allclose(undo(expression_of(left), forward), values, rtol=1e-6)


@pytest.mark.parametrize(
    ("left", "named"),
    [
        ("abs(y)", "abs(y)"),
        ("sin(y)", "sin(y)"),
        ("cos(y)", "cos(y)"),
        ("y ** 2", "y**2"),
        ("2 ** y", "2**y"),
        ("log(abs(y))", "abs(y)"),
        ("sqrt(y ** 2) / 3", "y**2"),
        ("y * y", "y * y"),
        ("(y - log(y))", "y - log(y)"),
        ("(y + z)", "y + z"),
        ("y * z", "y * z"),
        ("log(y / z)", "log(y / z)"),
    ],
)
def test_a_target_that_cannot_be_undone_is_an_error_that_names_it(left, named):
    with pytest.raises(DesignError) as caught:
        fit(f"{left} ~ x", {"x": X, "y": X + 1, "z": X + 2})
    assert (caught.value.code, caught.value.values["target"]) == ("design.no-inverse", named)


@pytest.mark.parametrize("left", ["0 * y", "y * 0", "y * (1 - 1)", "0 / y", "y / 0", "log(2) * 0 * y"])
def test_a_target_scaled_by_zero_cannot_be_undone(left):
    with pytest.raises(DesignError) as caught:
        fit(f"{left} ~ x", {"x": X, "y": X + 1})
    assert caught.value.code == "design.no-inverse"


@pytest.mark.parametrize(
    ("left", "cells", "line", "term"),
    [
        ("log(t)", [1, 2, 0, 3], 3, "log(t)"),
        ("sqrt(t)", [1, -2, 0, 3], 2, "sqrt(t)"),
        ("log1p(t)", [1, 2, 3, -1], 4, "log1p(t)"),
        ("1 / t", [1, 0, 3, 4], 2, "1 / t"),
        ("x + exp(t)", [1, 2, 800, 4], 3, "exp(t)"),
    ],
)
def test_where_a_target_is_not_defined_its_row_is_named(left, cells, line, term):
    source = {"x": [1.0, 2, 3, 4], "z": [1.0, 2, 4, 3], "t": cells}
    with pytest.raises(DesignError) as caught:
        fit(f"{left} ~ z", source, test="none")
    assert caught.value.code == "design.undefined"
    assert (caught.value.values["line"], caught.value.values["term"]) == (line, term)


def test_an_undefined_target_is_named_with_its_line_in_a_file(tmp_path):
    file = tmp_path / "prices.csv"
    file.write_text("x,price\n1,10\n2,0\n3,30\n", encoding="utf-8")
    with pytest.raises(DesignError) as caught:
        fit("log(price) ~ x", file, test="none")
    values = caught.value.values
    assert (caught.value.code, values["file"], values["line"]) == ("design.undefined", "prices.csv", 3)
