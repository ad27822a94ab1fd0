"""Equations with named parameters: what they mean for a table, where they are linear, and what is told of bad ones."""

from itertools import combinations
from random import Random

import numpy as np
import pytest

import descend
from descend import DesignError, FormulaError, parse
from descend.formula.ast import Coefficient, unknowns_of
from descend.formula.parameter_notes import parameter_notes
from descend.formula.separable import linear_in

COLUMNS = ("y", "x", "z", "hours", "my column", "속도")


def resolved(text, columns=COLUMNS, **names):
    return parse(text).resolve(columns, **names)


LINEAR = {
    "y = a + b*x + c*x**2": ("x + I(x**2)", ["a", "b", "c"]),
    "y = b*x - a": ("x", ["-a", "b"]),
    "y = -b*x": ("0 + x", ["-b"]),
    "y = x*b + z*c + d": ("x + z", ["d", "b", "c"]),
    "y = a*(x - 3)": ("0 + I(x - 3)", ["a"]),
    "y = (a + b*x) * z": ("0 + z + I(x * z)", ["a", "b"]),
    "y = a*x + a*z + b": ("I(x + z)", ["b", "a"]),
    "y = a*x - a*z": ("0 + I(x - z)", ["a"]),
    "y = a - (b*x - c*exp(z))": ("x + exp(z)", ["a", "-b", "c"]),
    "y = b*x/3 + a": ("I(x / 3)", ["a", "b"]),
    "y = b/x + a": ("I(1 / x)", ["a", "b"]),
    "y = m": ("1", ["m"]),
    "log(y) = a + b*log(x)": ("log(x)", ["a", "b"]),
    "y = 1*a*x/1 + 0": ("0 + x", ["a"]),
    "y = x*(a + b*z)": ("0 + x + I(x * z)", ["a", "b"]),
    "y = w*`my column` + α*속도": ("0 + `my column` + 속도", ["w", "α"]),
}


@pytest.mark.parametrize("text", LINEAR)
def test_an_equation_that_is_linear_in_its_parameters_has_the_terms_of_its_formula(text):
    right, named = LINEAR[text]
    made, formula = resolved(text), resolved(f"{text.split('=')[0]} ~ {right}")
    assert (made.targets, made.terms, made.intercept) == (formula.targets, formula.terms, formula.intercept)
    assert made.coefficients == (tuple(Coefficient(name.strip("-"), -1 if name[0] == "-" else 1) for name in named),)
    assert made.curve is None
    assert made.about == "mean"


@pytest.mark.parametrize("text", [text for text in LINEAR if "`" not in text])
def test_such_an_equation_has_the_figures_of_its_formula_to_the_last_bit(text):
    random = np.random.default_rng(2)
    rows = {name: random.uniform(0.5, 3.0, 60) for name in ("y", "x", "z")}
    right, named = LINEAR[text]
    made = descend.fit(text, rows)
    formula = descend.fit(f"{text.split('=')[0]} ~ {right}", rows)
    found = formula.coefficients.values()
    values = [-value if name[0] == "-" else value for name, value in zip(named, found, strict=True)]
    assert [made.coefficients[name.strip("-")] for name in named] == values
    assert made.verification.scores == formula.verification.scores
    np.testing.assert_array_equal(made.predict(rows), formula.predict(rows))


CURVES = [
    "y = (a + b) * x",
    "y = a*x + b*x",
    "y = a + b + c*x",
    "y = a + 2*x",
    "y = a*b*x",
    "y = exp(a)*x",
    "y = x**a",
    "y = a*x + b*(2*x)/2 - 1",
    "y = 2*a + b*x",
    "y = a*x; z = a*x",
    "y = a*x; z = b*x + c",
    "y = max(a*x, 0)",
    "y = x / a",
]


@pytest.mark.parametrize("text", CURVES)
def test_any_other_equation_is_a_curve_over_plain_columns(text):
    made = resolved(text)
    assert made.curve is not None
    assert made.curve.expressions == made.written
    assert [str(factor) for (factor,) in made.terms] == list(made.curve.columns)
    assert (made.intercept, made.coefficients) == (False, ())


def test_several_equations_with_the_same_columns_are_linear():
    made = resolved(["y = a*x + b", "z = c + d*x"])
    assert [str(factor) for (factor,) in made.terms] == ["x"]
    assert made.coefficients == (
        (Coefficient("b"), Coefficient("a")),
        (Coefficient("c"), Coefficient("d")),
    )


def test_an_equation_with_a_held_parameter_stays_a_curve():
    assert resolved("y = a + b*x", held=["b"]).curve.parameters == ("a", "b")


PROBABILITIES = {
    "P(y = 1) = sigmoid(a + b*x)": ["a", "b"],
    "P(y = 1) = 1 / (1 + exp(-(a + b*x)))": ["a", "b"],
    "P(y = 1) = 1 / (exp(-a - b*x) + 1)": ["a", "b"],
    "P(y = 1) = 1 / (1 + exp(a + b*x))": ["-a", "-b"],
    "P(y = 1) = exp(a + b*x) / (1 + exp(a + b*x))": ["a", "b"],
    "P(y = 1) = 1 - sigmoid(a + b*x)": ["-a", "-b"],
    "P(y = 1) = 1 - 1 / (1 + exp(a + b*x))": ["a", "b"],
}


@pytest.mark.parametrize("text", PROBABILITIES)
def test_the_probability_of_a_line_is_linear_in_its_logits(text):
    made = resolved(text)
    assert [str(factor) for (factor,) in made.terms] == ["x"]
    assert [f"{'-' * (one.sign < 0)}{one.parameter}" for one in made.coefficients[0]] == PROBABILITIES[text]
    assert (made.about, made.level, made.intercept) == ("probability", "1", True)


@pytest.mark.parametrize(
    "right",
    [
        "c + ((1 - c) * sigmoid(k * x))",
        "1 / (2 + exp(k * x))",
        "exp(k * x) / (1 + exp(c * x))",
        "2 / (1 + exp(k * x))",
        "1 - exp(k * x)",
        "2 - sigmoid(k * x)",
    ],
)
def test_a_probability_that_is_no_sigmoid_has_its_logit_as_predictor(right):
    made = resolved(f"P(y = 1) = {right}")
    assert str(made.curve.expressions[0]) == f"logit({right})"


LEVELS = {
    "P(y)": None,
    "P(y = 1)": "1",
    "P(y = 1.0)": "1",
    "P(y = -2.5)": "-2.5",
    "P(y = yes)": "yes",
    "P(y = `very good`)": "very good",
    'P(y = "very good")': "very good",
    "P(y = “아주 좋음”)": "아주 좋음",
    "P(y == 'no ~ no')": "no ~ no",
}


@pytest.mark.parametrize("left", LEVELS)
def test_the_level_of_a_probability_is_a_number_a_name_or_a_quoted_text(left):
    made = resolved(f"{left} = sigmoid(a*x)")
    assert made.level == LEVELS[left]
    assert [name.name for name in made.outputs] == ["y"]


SEPARABLE = {
    "y = b1*exp(-b2*x) + b3*exp(-(x-b4)**2/b5**2) + b6*exp(-(x-b7)**2/b8**2)": ("b1", "b3", "b6"),
    "y = b1*(1 - exp(-b2*x))": ("b1",),
    "y = (a + b*x) / (1 + c*x)": ("a", "b"),
    "y = a*(b + c*x)": ("b", "c"),
    "y = x**a": (),
    "y = a*x**b; z = a*c*x": ("a",),
    "y = a*cos(w*x) + b*sin(w*x) + c": ("a", "b", "c"),
}


@pytest.mark.parametrize("text", SEPARABLE)
def test_the_largest_set_of_parameters_in_which_a_curve_is_linear_is_found(text):
    assert linear_in(resolved(text).curve) == SEPARABLE[text]


def largest(names, bends):
    """The size of the largest set without a pair, by looking at every set."""
    sets = (set(chosen) for size in range(len(names) + 1) for chosen in combinations(names, size))
    return max(len(one) for one in sets if not any(pair <= one for pair in bends))


def test_no_set_of_linear_parameters_is_larger_than_the_one_that_is_found():
    random = Random(1)
    for _ in range(60):
        names = [f"p{index}" for index in range(7)]
        bends = [set(pair) for pair in combinations(names, 2) if random.random() < 0.35]
        terms = [*(f"{name}*x" for name in names), *("*".join(sorted(pair)) for pair in bends)]
        curve = resolved(f"y = {' + '.join(terms)}", held=names).curve
        found = set(linear_in(curve))
        assert len(found) == largest(names, bends)
        assert not any(pair <= found for pair in bends)


def test_of_many_parameters_a_set_is_found_too():
    made = resolved("y = " + " + ".join(f"a{index}*b{index}*x**{index}" for index in range(20)))
    found = linear_in(made.curve)
    assert len(found) == 20
    assert not any({f"a{index}", f"b{index}"} <= set(found) for index in range(20))


@pytest.mark.parametrize("text", ["y = a*e**(-k*x)", "y = a*x + e", "y = a*x**e", "y = a·x*z + e"])
def test_a_doubted_name_that_is_declared_is_a_parameter(text):
    hypothesis = resolved(text, declared=[name for name in ("e", "a·x") if name in text])
    assert "e" in {one.name for one in unknowns_of(hypothesis.written[0])}


@pytest.mark.parametrize("text", ["y = a*x + e", "y = a*x**e", "y = a*(e*x)**2"])
def test_a_parameter_called_e_that_is_no_base_is_not_doubted(text):
    assert "e" in {one.name for one in unknowns_of(resolved(text).written[0])}


def test_text_in_an_equation_is_an_error_and_booleans_are_numbers():
    rows = {"y": [1.0, 3.0, 2.0, 4.5], "group": ["a", "b", "a", "b"], "done": [False, True, False, True]}
    with pytest.raises(DesignError) as caught:
        descend.fit("y = a + b*group", rows, test="none")
    assert (caught.value.code, caught.value.values["column"]) == ("design.text-in-equation", "group")
    model = descend.fit("y = a + b*done", rows, test="none")
    assert list(model.coefficients.values()) == pytest.approx([1.5, 2.25])


def test_a_parameter_that_is_called_like_a_column_is_told():
    rows = {"y": [1.0, 3.0, 2.0, 4.5], "x": [1.0, 2.0, 3.0, 5.0], "hours": [0.0, 1.0, 0.0, 2.0]}
    hypothesis = resolved("y = hour*x + b", list(rows), declared=["hour"])
    (note,) = parameter_notes(hypothesis, list(rows))
    assert (note.code, note.values) == ("note.parameter-near-column", {"parameter": "hour", "column": "hours"})
    assert parameter_notes(resolved("y ~ x", list(rows)), ["y", "x", "X"]) == []
    model = descend.fit("y = hour*x + b", rows, test="none", parameters="hour")
    assert "note.parameter-near-column" in {note.code for note in model.notes}
    (caution,) = model.cautions({"x": [2.0], "b": [1.0]})
    assert (caution.code, caution.values) == ("note.parameter-is-column", {"parameter": "b"})


BAD = [  # the equation, the code, the text before the place that is pointed at, and the names that are declared
    ("= a*x", "formula.no-left", ""),
    ("y =", "formula.no-right", "y ="),
    ("y = a*x; z =", "formula.no-right", "y = a*x; z ="),
    ("y = a*x;", "formula.empty-equation", "y = a*x;"),
    ("y = a*x;; z = b*x", "formula.empty-equation", "y = a*x;"),
    ("y = a*x; z", "formula.no-equals", "y = a*x; z"),
    ("P(y = 1)", "formula.no-equals", "P(y = 1)"),
    ("y == a*x", "formula.double-equals", "y ="),
    ("y = a = b*x", "formula.second-equals", "y = a "),
    ("y ~ a = b*x", "formula.tilde-and-equals", "y ~ a "),
    ("y = 2x", "formula.no-times", "y = 2"),
    ("y = a x + b", "formula.no-times", "y = a "),
    ("y = (a + b)x", "formula.no-times", "y = (a + b)"),
    ("y = (a + b)(x + 1)", "formula.no-times", "y = (a + b)"),
    ("y = 2(x + a)", "formula.no-times", "y = 2"),
    ("y = a(x + 1)", "formula.function-or-product", "y = "),
    ("y = exp x + a", "formula.function-without-parentheses", "y = "),
    ("y = a*sin 2", "formula.function-without-parentheses", "y = a*"),
    ("y = a*Exp(x)", "formula.function-near", "y = a*"),
    ("y = a*sqr(x)", "formula.function-near", "y = a*"),
    ("y = a*poly(x, 2)", "formula.of-formulas", "y = a*"),
    ("y = a*C(x)", "formula.of-formulas", "y = a*"),
    ("y = a*P(x)", "formula.probability-on-left", "y = a*"),
    ("y = a*max(x)", "formula.one-argument", "y = a*"),
    ("y = a*max()", "formula.operand", "y = a*max("),
    ("y = a*exp(x, 2)", "formula.expected", "y = a*exp(x"),
    ("y = a*exp()", "formula.operand", "y = a*exp("),
    ("y = a*(x + 1", "formula.unfinished", "y = a*(x + 1"),
    ("y = a*x)", "formula.misplaced", "y = a*x"),
    ("y = a*x, b", "formula.misplaced", "y = a*x"),
    ("y = a:x", "formula.misplaced", "y = a"),
    ("y = .", "formula.operand", "y = "),
    ("y = a +", "formula.no-operand", "y = a +"),
    ("y = a * / x", "formula.operand", "y = a * "),
    ("y = +a*x", "formula.operand", "y = "),
    ("y = a*x!", "formula.character", "y = a*x"),
    ("y = a*x[1]", "formula.character", "y = a*x"),
    ("y = a*`x", "formula.open-backtick", "y = a*"),
    ("y = a*``", "formula.empty-name", "y = a*"),
    ('P(y = "yes) = sigmoid(a*x)', "formula.open-quote", "P(y = "),
    ("y = 'a'*x", "formula.operand", "y = "),
    ("y = 1e999*a*x", "formula.too-large", "y = "),
    ("3 = a*x", "formula.target-without-column", ""),
    ("y + z = a*x", "formula.two-on-left", "y + "),
    ("y, z = a*x", "formula.misplaced", "y"),
    ("y = a*x; y = b*z", "formula.target-twice", "y = a*x; "),
    ("P(log(y)) = a*x", "formula.probability-of-column", "P("),
    ("P(1) = a*x", "formula.probability-of-column", "P("),
    ("P(y = ) = a*x", "formula.expected", "P(y = "),
    ("P(y = 1) = sigmoid(a*x); z = b*x", "formula.probability-alone", ""),
    ("a = b*x", "formula.unknown-column", ""),
    ("hour = b*x", "formula.unknown-column-near", ""),
    ("y = a*y", "formula.target-on-right", "y = a*"),
    ("y = a*x; z = b*y", "formula.target-on-right", "y = a*x; z = b*"),
    ("y = x", "formula.no-parameter", "y = "),
    ("y = 2*x + pi", "formula.no-parameter", "y = "),
    ("y = exp(a) + b", "formula.no-column", "y = "),
    ("y = a + b", "formula.no-column", "y = "),
    ("y = a*hour", "formula.parameter-or-column", "y = a*"),
    ("y = X*x + Z", "formula.parameter-or-column", "y = X*x + "),
    ("y = a*e**(-k*x)", "formula.parameter-or-euler", "y = a*"),
    ("y = a*exp(e^x)", "formula.parameter-or-euler", "y = a*exp("),
    ("y = a·x + b*z", "formula.name-or-product", "y = "),
    ("y = a*xx + two", "formula.repeated-column", "y = a*xx + "),
    ("two = a*x", "formula.repeated-column", ""),
    ("y = a*x", "formula.declared-column", "y = a*", "x"),
    ("y = a*x", "formula.declared-unused", "y = a*x", "rate"),
    ("y = rate*x", "formula.declared-unused-near", "y = rate*x", "rat"),
    ("y = a*pi*x", "formula.declared-unused", "y = a*pi*x", "pi"),
    (
        "; ".join(f"{t} = x*({'+'.join(f'{t}{n}' for n in range(150))})" for t in "yz"),
        "formula.too-many-parameters",
        None,
    ),
    (" + ".join(["y = a*x", *["b"] * 250]), "formula.too-deep", None),
    ("y = " + "(" * 70 + "a*x" + ")" * 70, "formula.too-deep", None),
    ("y = a*x; " * 101 + "y = a*x", "formula.too-many-equations", None),
    ("y = a*x + " * 3000, "formula.too-long", None),
]


@pytest.mark.parametrize("case", BAD, ids=lambda case: case[0][:40])
def test_a_bad_equation_is_told_where_it_is_bad_in_both_languages(case):
    text, code, before, *declared = case
    with pytest.raises(FormulaError) as caught:
        resolved(text, [*COLUMNS, "two"], repeated=["two"], declared=declared)
    error = caught.value
    assert error.code == code
    assert before is None or error.values["position"] == len(before)
    for lang in ("en", "ko"):
        assert error.tell(lang)
        assert "{" not in error.tell(lang) + error.hint(lang)
        assert error.hint(lang) or code == "formula.expected"
