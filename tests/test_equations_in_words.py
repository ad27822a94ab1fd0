"""Equations as text: printed with numbers and read again, chosen by columns, renamed, and left alone by edits."""

import pytest

from descend import parse
from descend.analysis.diagnosis.remedies.registry import changes_for
from descend.base.errors import FormulaError
from descend.formula import edits
from descend.formula.printing import equations_of
from descend.formula.rebuilt import substituted
from descend.formula.roles import retargeted, roles, toggled

COLUMNS = ["y", "x", "z", "hours", "my column"]

PRINTED = {
    "y = a + b*x": ({"a": "1", "b": "-3"}, "y = 1 − 3 × x"),
    "y = a - b*x": ({"a": "-1", "b": "−3"}, "y = −1 + 3 × x"),
    "y = a*exp(-b*x) + c": ({"a": "2.5", "b": "0.7", "c": "1"}, "y = 2.5 × exp(−0.7 × x) + 1"),
    "y = a*exp(b*x) - c": ({"a": "2.5", "b": "-0.7", "c": "-1"}, "y = 2.5 × exp(−0.7 × x) + 1"),
    "y = (x - m)**2 / s^2": ({"m": "-1", "s": "-3"}, "y = (x + 1)**2 / (−3)**2"),
    "y = -(a + b*x) * -c": ({"a": "1", "b": "-3", "c": "4"}, "y = (1 − 3 × x) × 4"),
    "y = x**-b": ({"b": "-2e-07"}, "y = x**2e-07"),
    "y = a - (b - (c - x))": ({"a": "1", "b": "2", "c": "3"}, "y = 1 − (2 − (3 − x))"),
    "y = min(a*x, 0, -b)": ({"a": "1", "b": "2"}, "y = min(1 × x, 0, −2)"),
    "log(y)/2 = a*`my column`": ({"a": "2"}, "log(y) / 2 = 2 × `my column`"),
    "y = a*sin(2*pi*x)": ({"a": "-2"}, "y = −2 × sin(2 × pi × x)"),
    "P(y = yes) = sigmoid(a*x)": ({"a": "1"}, 'P(y = "yes") = sigmoid(1 × x)'),
    "y = a/b": ({}, "y = a / b"),
}


@pytest.mark.parametrize("text", PRINTED)
def test_numbers_take_the_place_of_parameters_and_signs_are_put_together(text):
    numbers, expected = PRINTED[text]
    columns = [*COLUMNS, "b"] if text == "y = a/b" else COLUMNS
    assert equations_of(parse(text).resolve(columns), numbers) == [expected]


@pytest.mark.parametrize("text", PRINTED)
def test_a_printed_equation_is_read_as_the_same_one(text):
    columns = [*COLUMNS, "b"] if text == "y = a/b" else COLUMNS
    made = parse(text).resolve(columns)
    again = parse(equations_of(made)).resolve(columns)
    assert (again.targets, again.written, again.level) == (made.targets, made.written, made.level)


def test_a_parameter_takes_a_number_and_the_others_stay():
    (right,) = parse("y = a*exp(-b*x) + a").resolve(COLUMNS).written
    assert str(substituted(right, {"a": 2.0})) == "2 * exp((-b) * x) + 2"


def test_the_roles_of_an_equations_columns_are_told_and_its_parameters_are_none():
    assert roles("log(y) = a*exp(-b*x) + hour", COLUMNS) == {"x": "input", "y": "target"}
    assert roles("P(y = 1) = sigmoid(a*z)", COLUMNS) == {"z": "input", "y": "target"}
    assert roles("y = ", COLUMNS) == {}


@pytest.mark.parametrize("text", ["y = a*x", "y = a*x; z = b*x", "y = a**", "P(y = 1) = sigmoid(a*x)"])
@pytest.mark.parametrize("column", ["x", "hours", "y"])
def test_an_equation_stays_as_it_is_when_an_input_is_chosen(text, column):
    assert toggled(text, column, COLUMNS) == text


@pytest.mark.parametrize(
    ("text", "column", "made"),
    [
        ("y = a*x + b", "z", "z = a*x + b"),
        ("log(y) = a*x + b", "my column", "`my column` = a*x + b"),
        ("y = a*x + b/x", "x", "x = a*y + b/y"),
        ("P(y = 1) = sigmoid(a*x)", "z", "P(z) = sigmoid(a*x)"),
        ("y = a*x", "y", "y = a*x"),
        ("y = a*x; z = b*x", "hours", "y = a*x; z = b*x"),
        ("y = a*", "z", "y = a*"),
    ],
)
def test_another_target_takes_the_left_side_and_changes_places_with_the_old_one(text, column, made):
    assert retargeted(text, column, COLUMNS) == made


def test_edits_of_terms_leave_equations_alone():
    text = "y = a + b*x + c*x**2"
    terms = parse(text).resolve(COLUMNS).terms
    assert edits.without(text, terms[:1], COLUMNS) is None
    assert edits.with_orthogonal(text, "x", COLUMNS) is None
    assert edits.with_bend(text, "x", COLUMNS) is None
    assert edits.renamed(text, "x", "my column") == "y = a + b*`my column` + c*`my column`**2"


def test_a_doubted_name_can_be_renamed_or_declared():
    text = "y = a*hour"
    with pytest.raises(FormulaError) as caught:
        parse(text).resolve(COLUMNS)
    rename, declare = changes_for(caught.value, text, {"init": {"a": 1.0}, "parameters": "a"}, columns=COLUMNS)
    assert rename.applied(text, {"init": {"a": 1.0}}) == ("y = a*hours", {"init": {"a": 1.0}})
    assert declare.applied(text, {}) == (text, {"parameters": ["a", "hour"]})
