"""Every kind of encoding of a factor: kept and built again, exact columns, equation and SQL."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import polars as pl
import pytest

import descend
from descend.design.encodings import ENCODINGS, kind_of_factor
from descend.design.matrix import Design
from descend.formula.parser import parse
from descend.tables.columns import gather, uses

ROWS = 24
FACTORS = {  # a factor of each kind, and the columns that it makes
    "number": [("x", 1), ("log(x)", 1), ("I(x * 3 + w)", 1)],
    "poly": [("poly(x, 3)", 3), ("poly(x, 2, raw=True)", 2)],
    "levels": [("g", 2), ("C(k)", 2)],
    "image": [("p", 6)],
}
CASES = [(kind, *case) for kind, cases in FACTORS.items() for case in cases]


def table():
    random = np.random.default_rng(11)
    return descend.read(
        pl.DataFrame(
            {
                "y": random.normal(size=ROWS),
                "x": random.uniform(1, 3, ROWS),
                "w": random.normal(size=ROWS),
                "g": ["u", "v", "w"] * 8,
                "k": [1, 2, 3, 2] * 6,
                "p": pl.Series(random.integers(0, 256, (ROWS, 2, 3)).astype(np.uint8)),
            }
        )
    )


def learnt(text):
    """Return the design of a hypothesis of one factor, its encoding and the columns of the table."""
    source = table()
    hypothesis = parse(f"y ~ {text}").resolve(source.columns)
    used = uses(hypothesis, source)
    data = gather(used, source)
    design = Design.learn(hypothesis, used, data)
    (code,) = design.codes
    return design, code, data


def test_there_is_a_case_of_each_kind():
    assert sorted(FACTORS) == sorted(ENCODINGS)


@pytest.mark.parametrize(("kind", "text", "width"), CASES)
def test_one_kind_takes_a_factor_and_its_columns_are_as_many_as_their_names(kind, text, width):
    design, code, data = learnt(text)
    factor = design.hypothesis.terms[0][0]
    assert [one.name for one in ENCODINGS.values() if one.takes(factor, design.uses)] == [kind]
    assert kind_of_factor(factor, design.uses) is type(code)
    assert (code.width, len(code.names), code.columns(data).shape) == (width, width, (ROWS, width))
    assert type(code).sized(factor, data).width == width
    assert code.inputs == {name.name for name in design.hypothesis.inputs}
    assert bool(code.levels) == (kind == "levels")
    assert (code.expression is not None) == (code.use == "number") == (kind in ("number", "poly"))


@pytest.mark.parametrize(("kind", "text", "width"), CASES)
def test_it_is_built_again_from_what_a_file_holds(kind, text, width):
    design, code, data = learnt(text)
    described = json.loads(json.dumps(design.describe()))
    moments = design.means, design.scales, design.sizes, design.spreads
    (again,) = Design.restore(design.hypothesis, described, moments).codes
    assert again == code
    np.testing.assert_array_equal(again.columns(data), code.columns(data))
    if code.stored_as is not None:
        group, container = code.stored_as
        for wrong in (container(), None, 3, {"other": [1, 2]}, [*described[group], 1] if container is list else "x"):
            with pytest.raises(ValueError):  # noqa: PT011
                Design.restore(design.hypothesis, {**described, group: wrong}, moments)


@pytest.mark.parametrize(("kind", "text", "width"), CASES)
def test_its_exact_columns_are_its_columns_with_more_digits(kind, text, width):
    _, code, data = learnt(text)
    high, low = code.exact_columns(data)
    np.testing.assert_allclose(high, code.columns(data), rtol=1e-15)
    assert (np.abs(low) <= np.spacing(np.abs(high))).all()
    if text == "poly(x, 2, raw=True)":
        for row, x in enumerate(data.numbers["x"]):
            exact = Fraction(x) ** 2
            assert abs(Fraction(high[row, 1]) + Fraction(low[row, 1]) - exact) <= exact * Fraction(2) ** -100


@pytest.mark.parametrize(("kind", "text", "width"), CASES)
def test_the_equation_adds_up_to_the_columns_times_their_weights(kind, text, width):
    _, code, data = learnt(text)
    weights = np.linspace(0.5, 2.0, width)
    addends = code.addends(weights)
    expected = code.columns(data) @ weights
    if kind == "image":
        assert addends == {}
        return
    made = np.zeros(ROWS)
    for name, weight in addends.items():
        if kind == "poly":
            column = data.numbers["x"] ** (0 if name == "" else int(name.partition("^")[2] or 1))
        elif kind == "levels":
            column = data.labels[code.column].to_numpy() == name.rpartition("[")[2].rstrip("]")
        else:
            column = code.columns(data)[:, 0]
        made = made + weight * column
    np.testing.assert_allclose(made, expected, rtol=1e-9, atol=1e-9)
    largest = code.largest(weights)
    assert largest == 0 or largest >= max(abs(value) for value in addends.values())


class Words:
    """A spelling that writes what it is asked."""

    def number(self, expression):
        return f"<{expression}>"

    def indicator(self, column, level):
        return f"<{column} is {level}>"


@pytest.mark.parametrize(("kind", "text", "width"), CASES)
def test_it_has_sql_of_each_column_or_says_that_it_has_none(kind, text, width):
    _, code, _ = learnt(text)
    if code.has_sql:
        assert len(code.sql(Words())) == width
        assert len(code.with_every_level().sql(Words())) == width + (kind == "levels")
    else:
        assert kind == "image" or text == "poly(x, 3)"
        with pytest.raises(NotImplementedError):
            code.sql(Words())


@pytest.mark.parametrize(("kind", "text", "width"), CASES)
def test_a_fit_on_it_is_saved_and_loaded(kind, text, width, tmp_path):
    source = table()
    model = descend.fit(f"y ~ {text}", source, test="none")
    again = descend.load(model.save(tmp_path / "m.safetensors"))
    assert again.equation == model.equation
    np.testing.assert_array_equal(again.predict(source), model.predict(source))


def test_a_file_from_before_there_was_a_kind_is_read_where_nothing_of_that_kind_is_needed():
    design, code, _ = learnt("log(x)")
    moments = design.means, design.scales, design.sizes, design.spreads
    described = {"uses": design.uses, "levels": {}}
    assert Design.restore(design.hypothesis, described, moments).codes == [code]
    design, _, _ = learnt("poly(x, 3)")
    with pytest.raises(ValueError, match="polys"):
        Design.restore(design.hypothesis, {"uses": design.uses, "levels": {}}, (design.means,) * 4)
