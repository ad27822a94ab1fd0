"""Where an equation is not defined: the part, the line and the values are told."""

from __future__ import annotations

import numpy as np
import pytest

import descend
from descend.base.errors import DivergedError, FitError
from descend.formula.parser import parse
from descend.formula.undefined import undefined_part

X = np.linspace(0.1, 6, 60)
TABLE = {"x": X, "y": 2 - 0.8 * np.log(X) + 0.1 * np.sin(40 * X)}


@pytest.mark.parametrize(
    ("equation", "parameters", "part", "row"),
    [
        ("y = a + log(x - k)", {"a": 1, "k": 1.5}, "log(x - k)", 0),
        ("y = a + sqrt(k - x)", {"a": 1, "k": 1.5}, "sqrt(k - x)", 1),
        ("y = a*exp(b / (x - 2))", {"a": 1, "b": 1}, "b / (x - 2)", 1),
        ("y = (x - k)**b", {"k": 1.5, "b": 0.5}, "(x - k)**b", 0),
        ("y = exp(log(x - k)) + sqrt(0 - x*b)", {"k": 0.5, "b": 1}, "sqrt(0 - (x * b))", 0),
        ("y = a*log(x - k)", {"a": 1, "k": 0.5}, None, None),
    ],
)
def test_the_innermost_part_that_is_no_number_is_found(equation, parameters, part, row):
    (expression,) = parse(equation).resolve(["x", "y"]).curve.expressions
    found = undefined_part(expression, {"x": np.array([1.0, 2.0, 3.0])}, parameters)
    if part is None:
        assert found is None
    else:
        assert (str(found.part), found.row) == (part, row)
        assert found.at["x"] == row + 1.0


def test_a_run_does_not_begin_where_the_equation_is_not_defined():
    with pytest.raises(FitError) as caught:
        descend.fit("y = a*log(x - k) + c", TABLE, lr=0.1, epochs=5, init={"a": 1, "k": 2, "c": 1})
    assert caught.value.code == "fit.undefined-start"
    assert caught.value.values["part"] == "log(x - k)"
    assert "k = 2, x = 0.1" in caught.value.values["at"]
    for lang in ("en", "ko"):
        assert "log(x - k)" in caught.value.tell(lang)
        assert "--init" in caught.value.hint(lang)


def test_a_run_that_leaves_the_domain_says_where():
    with pytest.raises(DivergedError) as caught:
        descend.fit("y = a*log(x - k) + c", TABLE, lr=0.5, epochs=50, init={"a": 1, "k": 0, "c": 1})
    error = caught.value
    assert error.code == "fit.left-domain"
    k, x = (float(part.split(" = ")[1]) for part in error.values["at"].split(", "))
    assert x <= k
    assert error.model.history.diverged
    assert "log(x - k)" in error.tell("ko")


def test_a_search_goes_elsewhere_and_says_so():
    model = descend.fit("y = a*log(x - k) + c", TABLE, init={"a": 1, "k": 2, "c": 1})
    assert model.history.stop == "optimum"
    assert "finding.undefined-start" in [finding.code for finding in model.findings]
