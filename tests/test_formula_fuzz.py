"""The formula language under arbitrary input, against Python's arithmetic and against patsy's terms."""

import re

import numpy as np
import patsy
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from descend import DescendError, FormulaError, parse
from descend.formula.ast import label
from descend.formula.evaluate import values_of

COLUMNS = ("y", "x", "z", "g", "점수", "Sepal.Length", "my column")
PLAIN = ("x", "z", "g", "점수", "Sepal.Length")
names = st.sampled_from(PLAIN)
TOKENS = [
    *("y", "x", "z", "g", "점수", "Sepal.Length", "`my column`", "nope", "`"),
    *("log", "sqrt", "poly", "C", "I"),
    *("0", "1", "2", "3", "1.5", ".5", "1e3", "1e999", "99999999999999999999", "raw", "True", "False"),
    *("~", "+", "-", "−", "*", "**", "/", "^", ":", "(", ")", ",", ".", "=", " ", "\n", "$", "'", "[", "가"),
    *("y ~ ", "log(", "I(", "poly(x, 2)", ", raw=True)", "C(g)", "(x + z)", ")^2", "x**2"),
]
many = settings(max_examples=300, database=None)


def outcome(formula, columns=COLUMNS):
    """The hypothesis and no error, or no hypothesis and the error of descend."""
    try:
        return parse(formula).resolve(columns), None
    except DescendError as error:
        return None, error


def survives(formula, columns=COLUMNS):
    """The hypothesis, or None where it is refused by an error that can be told and points into the text."""
    hypothesis, error = outcome(formula, columns)
    if error is not None:
        assert isinstance(error, FormulaError)
        assert error.code.startswith("formula.")
        assert 0 <= error.values["position"] <= len(formula)
        for lang in ("en", "ko"):
            assert error.tell(lang)
        assert len(error.caret.splitlines()) == 2
        assert error.caret in str(error)
    return hypothesis


def reparsed(hypothesis):
    """The hypothesis that the printed form of another one gives."""
    right = [label(term) for term in hypothesis.terms]
    left = " + ".join(map(str, hypothesis.targets))
    return parse(f"{left} ~ {' + '.join(['1' if hypothesis.intercept else '0', *right])}").resolve(COLUMNS)


# whatever is typed


@many
@given(st.text(max_size=60))
@example("\ud800 ~ x")
@example("y ~ \x00")
@example("y ~ x\u200b")
@example("y ~ poly(x, ²)")
@example("y ~ poly(x, ٣)")
@example("y ~ ９ * x")
def test_any_text_is_understood_or_refused_with_a_formula_error(text):
    survives(text)


@many
@given(st.text(alphabet="yxzg01.~+-*/^:(),=` log", max_size=40))
def test_any_text_of_the_languages_letters_is_understood_or_refused(text):
    survives(f"y ~ {text}")


@many
@given(st.lists(st.sampled_from(TOKENS), max_size=25))
def test_tokens_joined_at_random_are_understood_or_refused(tokens):
    survives("".join(tokens))


@many
@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=25))
def test_tokens_joined_at_random_after_a_target_are_understood_or_refused(tokens):
    survives("y ~ " + " ".join(tokens))


@settings(many, max_examples=100)
@given(st.sampled_from(TOKENS), st.integers(0, 3000), st.sampled_from(["", " ", "x", " + "]))
def test_a_token_repeated_thousands_of_times_is_understood_or_refused(token, times, between):
    survives(("y ~ " + (token + between) * times)[:20_000])


@settings(many, max_examples=60)
@given(st.integers(0, 20_000), st.sampled_from(["9", "0", "1.", "1e", ".", "٣"]))
def test_numbers_of_any_length_are_understood_or_refused(digits, piece):
    survives(f"y ~ I(x * {(piece * digits)[:9000]})")
    survives(f"y ~ poly(x, {(piece * digits)[:4000]})")


# whatever is understood is printed so that it is understood again


sums = st.recursive(
    st.one_of(
        names,
        st.builds("C({})".format, names),
        st.builds("{}({})".format, st.sampled_from(["log", "exp", "tanh"]), names),
        st.builds("poly({}, {}{})".format, names, st.integers(1, 20), st.sampled_from(["", ", raw=True"])),
        st.builds("I({} {} {})".format, names, st.sampled_from(["+", "-", "*", "/", "**"]), st.integers(0, 9)),
        st.just("."),
    ),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", ":"]), inner),
        st.builds("{} {} {}".format, inner, st.sampled_from(["+", "-", "*", ":"]), inner),
        st.builds("({})^{}".format, inner, st.integers(1, 3)),
    ),
    max_leaves=5,
)


@many
@given(sums)
def test_printed_terms_give_the_same_terms_again(right):
    hypothesis = survives(f"y ~ {right}", ["y", *PLAIN])
    assume(hypothesis is not None)
    for term in hypothesis.terms:
        assert parse(f"y ~ {label(term)}").resolve(COLUMNS).terms == (term,)


numbers = st.one_of(
    st.integers(0, 50).map(str),
    st.floats(1e-6, 1e6, allow_nan=False).map(repr),
    st.sampled_from([".5", "2.", "1e-3"]),
)
arithmetic = st.recursive(
    st.one_of(st.sampled_from("xzg"), numbers),
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner),
        st.builds("({})".format, inner),
        st.builds("-{}".format, inner),
        st.builds("{}({})".format, st.sampled_from(["log", "log1p", "sqrt", "abs", "sin", "tanh"]), inner),
    ),
    max_leaves=6,
)


@pytest.mark.slow
@many
@given(arithmetic)
@example("0.12345678901234567 * x")
def test_printed_arithmetic_gives_the_same_expression_again(text):
    assume(re.search(r"\b[xzg]\b", text))
    hypothesis = parse(f"y ~ I({text})").resolve(COLUMNS)
    assert reparsed(hypothesis).terms == hypothesis.terms


@pytest.mark.parametrize("text", ["x * 1e999", "x * 0.1234567890123456789", "x + 1e-320", "x * 123456789012345678"])
def test_a_number_of_any_size_is_printed_in_full_or_refused(text):
    hypothesis, error = outcome(f"y ~ I({text})")
    if error is not None:
        assert error.values["position"] == 10
    else:
        assert reparsed(hypothesis).terms == hypothesis.terms


@pytest.mark.parametrize("operator", ["+", "-", "*", "/"])
def test_a_long_chain_is_printed_so_that_it_can_be_read_again(operator):
    hypothesis = parse("y ~ I(" + f" {operator} ".join(["x", "z"] * 50) + ")").resolve(COLUMNS)
    assert reparsed(hypothesis).terms == hypothesis.terms


# independent references


@pytest.mark.slow
@many
@given(arithmetic)
@example("-x**2")
@example("2**-x**2")
@example("x - z - g")
@example("x / z / g * x")
@example("-(x + z)**2 / -g")
def test_arithmetic_computes_what_python_computes(text):
    assume(re.search(r"\b[xzg]\b", text))
    values = {"x": [0.5, 1.0, 2.5], "z": [3.0, -1.5, 0.25], "g": [0.125, 2.0, -4.0]}
    columns = {name: np.array(cells) for name, cells in values.items()}
    ((factor,),) = parse(f"y ~ I({text})").resolve(COLUMNS).terms
    functions = {name: getattr(np, name) for name in ("log", "log1p", "sqrt", "abs", "sin", "tanh")}
    as_floats = re.sub(r"(?<![\w.])(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)", r"F('\1')", text)
    with np.errstate(all="raise", under="ignore"):
        try:
            expected = eval(as_floats, {"__builtins__": {}, "F": np.float64}, {**columns, **functions})
        except FloatingPointError:
            assume(False)
    np.testing.assert_allclose(values_of(factor.expression, columns), expected, rtol=1e-14)


def crossings(leaves):
    """Right sides made of names and the operators that patsy has too."""
    return st.recursive(
        st.sampled_from(leaves),
        lambda inner: st.one_of(
            st.builds("{} {} {}".format, inner, st.sampled_from(["+", "-", "*", ":"]), inner),
            st.builds("({})".format, inner),
            st.builds("({} + {})**{}".format, inner, inner, st.integers(1, 4)),
        ),
        max_leaves=7,
    )


@many
@given(
    crossings(["a", "b", "c", "d"]),
    st.sampled_from(["", "0 + ", "1 + ", "0 + 1 + "]),
    st.sampled_from(["", " - 1", " + 0"]),
)
def test_the_terms_are_those_of_patsy(right, before, after):
    formula = f"y ~ {before}{right}{after}"
    theirs = patsy.ModelDesc.from_formula(formula).rhs_termlist
    expected = {frozenset(factor.name() for factor in term.factors) for term in theirs}
    intercept = frozenset() in expected
    ours, error = outcome(formula, "yabcd")
    if error is not None:
        assert (error.code, expected) == ("formula.nothing", set())
        return
    assert ours.intercept is intercept
    assert {frozenset(map(str, term)) for term in ours.terms} == expected - {frozenset()}
    assert len(ours.terms) == len(expected - {frozenset()})
    assert [len(term) for term in ours.terms] == sorted(len(term) for term in ours.terms)
