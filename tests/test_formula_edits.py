"""A formula changed by its terms says what was meant, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descend.base.errors import FormulaError
from descend.formula import edits
from descend.formula.ast import Arithmetic, Name
from descend.formula.parser import parse


def terms_of(formula, columns):
    return {frozenset(term) for term in parse(formula).resolve(columns).terms}


COLUMNS = ["y", "x", "xx", "a b", "x~", "점수"]
PART = st.sampled_from(
    ["x", "xx", "`a b`", "`x~`", "점수", "x:xx", "x*`a b`", "(x + xx)^2", "log(x)", "poly(xx, 2)", "."]
)
SUM = st.lists(st.tuples(st.sampled_from([" + ", " - ", "+"]), PART), min_size=1, max_size=5)


@given(SUM, st.sampled_from(["", "0 + ", "- 1 + ", "+"]), st.sampled_from(COLUMNS[1:]))
def test_a_formula_loses_the_column_that_is_meant_and_no_other(parts, start, column):
    formula = f"`y` ~ {start}" + "".join(sign + part for sign, part in parts).lstrip(" +-")
    try:
        before = terms_of(formula, COLUMNS)
    except FormulaError:
        return
    gone = frozenset([Arithmetic(Name(column))])
    text = edits.without(formula, [tuple(gone)], COLUMNS)
    left = {term for term in before if not gone <= term}
    if left == before:
        assert text is None
    elif text is None:  # nothing would be left to fit
        assert left == set()
        assert not parse(formula).resolve(COLUMNS).intercept
    else:
        assert terms_of(text, COLUMNS) == left
        assert parse(text).resolve(COLUMNS).intercept == parse(formula).resolve(COLUMNS).intercept


@pytest.mark.parametrize(
    ("formula", "without_s"),
    [
        ("y ~ x + z + s", "y ~ x + z"),
        ("y ~ s + x", "y ~ x"),
        ("y ~ s", "y ~ 1"),
        ("y ~ 0 + s", None),
        ("y ~ 0 + s + x", "y ~ 0 + x"),
        ("y ~ s - 1 + x", "y ~ - 1 + x"),
        ("y ~ . - a", "y ~ . - a - s"),
        ("y ~ x*s + `s t`", "y ~ x + `s t`"),
        ("y ~ (x + s)^2 + C(g)", "y ~ x + C(g)"),
        ("`s ~ s` ~ s + ss", "`s ~ s` ~ ss"),
        ("y ~ x + log(s) + s:x", "y ~ x + log(s)"),
    ],
)
def test_a_formula_without_a_column_reads_as_a_person_would_write_it(formula, without_s):
    known = ["y", "x", "s", "a"] if "." in formula else []
    assert edits.without(formula, [(Arithmetic(Name("s")),)], known) == without_s


@pytest.mark.parametrize(
    ("formula", "orthogonal"),
    [
        ("y ~ poly(w, 3, raw=True) + x", "y ~ poly(w, 3) + x"),
        ("y ~ x + w + I(w^2) + I(w**3)", "y ~ x + poly(w, 3)"),
        ("y ~ (w + x)^2 + I(w**2)", "y ~ x + w:x + poly(w, 2)"),
        ("y ~ w + I(w**3)", None),
        ("y ~ w + I(w**2.5)", None),
        ("y ~ w2 + w:x", None),
    ],
)
def test_plain_powers_become_orthogonal_ones_where_none_is_missing(formula, orthogonal):
    assert edits.with_orthogonal(formula, "w") == orthogonal


def test_a_column_is_renamed_wherever_it_stands_and_nothing_else():
    formula = "log(hors) ~ hors + `hors`:x + hors2 + poly(hors,2) + C(hors) + `my hors`"
    assert edits.renamed(formula, "hors", "the hours") == (
        "log(`the hours`) ~ `the hours` + `the hours`:x + hors2 + poly(`the hours`,2) + C(`the hours`) + `my hors`"
    )
    assert edits.renamed(formula, "hor", "x") is None
