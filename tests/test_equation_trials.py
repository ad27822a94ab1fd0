"""Equations as their first users write them: doses of 0, rows where nothing is defined, tables larger than a search."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from conftest import called
from scipy.optimize import curve_fit, minimize

import descend
from descend.base.errors import DesignError
from descend.formula.parser import parse
from descend.formula.tangents import tangents_of

RANDOM = np.random.default_rng(1)
DOSE = np.repeat([0, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100], 4)
RESPONSE = 5 + 90 * DOSE**1.3 / (DOSE**1.3 + 2**1.3) + RANDOM.normal(0, 3, DOSE.size)
DOSES = {"dose": DOSE, "response": RESPONSE}
UNDEFINED = "response = a*sqrt(dose) + b*(dose - 20)**p"


# ---- a control at dose 0


@pytest.mark.parametrize(
    "written",
    [
        "bottom + (top - bottom) / (1 + (EC50/dose)**h)",
        "bottom + (top - bottom) / (1 + (dose/EC50)**(-h))",
        "bottom + (top - bottom) / (1 + exp(h * log(EC50/dose)))",
    ],
)
def test_a_dose_response_with_a_dose_of_0_is_fitted_however_it_is_written(written):
    def curve(x, bottom, top, h, middle):
        return bottom + (top - bottom) * x**h / (x**h + middle**h)

    expected, _ = curve_fit(curve, DOSE, RESPONSE, [5, 95, 1, 2])
    model = descend.fit(f"response = {written}", DOSES, test="none")
    found = [model.coefficients[name] for name in ("bottom", "top", "h", "EC50")]
    assert found == pytest.approx(expected, rel=1e-5)
    assert not model.findings


def test_the_derivative_of_a_power_whose_base_is_infinite_is_its_limit():
    expression = parse("y = (a/x)**h").resolve(["x", "y"]).curve.expressions[0]
    _, slopes = tangents_of(expression, {"x": np.array([0.0, 2.0])}, {"a": 3.0, "h": 1.5})
    assert slopes["a"].tolist() == pytest.approx([np.inf, 1.5 * 1.5**0.5 / 2])


# ---- rows in which an equation is not defined


@pytest.mark.parametrize("settings", [{}, {"optimizer": "sgd", "lr": 0.001, "epochs": 5}])
def test_an_equation_that_no_values_define_everywhere_is_refused_with_a_row(settings):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DesignError) as caught:
            descend.fit(UNDEFINED, DOSES, **settings)
    assert caught.value.code == "design.undefined-everywhere"
    assert "(dose - 20)**p" in str(caught.value)
    assert "line 1 " in str(caught.value)


@pytest.mark.parametrize("settings", [{"search": 0.0}, {"optimizer": "sgd", "lr": 0.001, "epochs": 5}])
def test_a_start_at_which_the_equation_is_not_defined_is_refused_with_a_row(settings):
    with pytest.raises(DesignError) as caught:
        descend.fit("response = a + b*log(dose - c)", DOSES, init={"a": 1, "b": 1, "c": 0.02}, **settings)
    assert caught.value.code == "design.undefined-start"
    assert "log(dose - c)" in str(caught.value)
    assert "c = 0.02" in str(caught.value)


def test_the_search_leaves_a_start_at_which_the_equation_is_not_defined_and_says_so(tmp_path, capsys):
    (tmp_path / "t.csv").write_text(
        "dose,response\n" + "".join(f"{d},{r}\n" for d, r in zip(DOSE, RESPONSE, strict=True))
    )
    _, told, _ = called(
        capsys, "fit", tmp_path / "t.csv", "response = a + b*log(dose - c)", "--init", "c=1", "--test", "none"
    )
    assert "it starts from drawn ones" in " ".join(told.split())
    assert "nan" not in told
    assert "a minimum: the loss rises in every direction" in told


# ---- more rows than the search looks at


@pytest.fixture(scope="module")
def many():
    random = np.random.default_rng(3)
    t = random.uniform(0, 10, 20_000)
    grown = 50 / (1 + np.exp(-0.8 * (t - 4))) + random.normal(0, 2, t.size)
    passed = (random.uniform(size=t.size) < 1 / (1 + np.exp(-(t - 5)))).astype(int)
    return {"t": t, "grown": grown, "passed": passed}


def test_of_many_rows_the_starts_are_counted_and_the_search_s_own_minimum_is_no_other(many):
    model = descend.fit("grown = top / (1 + exp(-k * (t - mid)))", many, test="none")
    assert model.certificate.reached == model.certificate.starts > 1
    assert not model.findings


def test_of_many_rows_a_probability_with_an_asymptote_near_1_arrives(many):
    model = descend.fit("P(passed = 1) = top / (1 + exp(-k * (t - mid)))", many, test="none")

    def loss(w):
        p = w[0] / (1 + np.exp(-w[1] * (many["t"] - w[2])))
        with np.errstate(invalid="ignore", divide="ignore"):
            value = -np.where(many["passed"] == 1, np.log(p), np.log(1 - p)).mean()
        return value if np.isfinite(value) else 1e9

    expected = minimize(
        loss, [0.99, 1.0, 5.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14, "maxiter": 5000}
    )
    assert model.history.final_loss == pytest.approx(expected.fun, rel=1e-9)
    assert [model.coefficients[name] for name in ("top", "k", "mid")] == pytest.approx(expected.x, rel=1e-4)
