"""Equations as their first users write them: doses of 0, rows where nothing is defined, tables larger than a search."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from conftest import called
from scipy.optimize import curve_fit, minimize

import descend
from descend.base.errors import DescendError, DesignError, FitError, OptionError
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
        with pytest.raises(FitError) as caught:
            descend.fit(UNDEFINED, DOSES, **settings)
    assert caught.value.code == "fit.undefined-everywhere"
    assert "(dose - 20)**p" in str(caught.value)
    assert "line 1," in str(caught.value)


def test_the_search_leaves_a_start_at_which_the_equation_is_not_defined_and_says_so(tmp_path, capsys):
    (tmp_path / "t.csv").write_text(
        "dose,response\n" + "".join(f"{d},{r}\n" for d, r in zip(DOSE, RESPONSE, strict=True))
    )
    _, told, _ = called(
        capsys, "fit", tmp_path / "t.csv", "response = a + b*log(dose - c)", "--init", "c=1", "--test", "none"
    )
    assert "other starts were drawn" in " ".join(told.split())
    assert "gradient norm nan" not in told
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


# ---- what is said of a fit is true


def test_rows_that_are_left_out_do_not_tell_an_equation_with_as_many_parameters_what_they_are():
    model = descend.fit("y = a*exp(b*x) + c", {"x": [1.0, 2.0, 3.0], "y": [2.0, 3.0, 7.0]})
    (score,) = model.verification.scores
    assert model.history.final_loss < 1e-20
    assert score["hypothesis"]["rmse"] > 0.1


def test_a_row_that_alone_determines_a_parameter_is_not_predicted_by_it():
    x = np.r_[np.linspace(0, 1, 12), 40.0]
    y = 2 + 3 * x + np.sin(50 * x) + np.where(x > 30, 17.0, 0.0)
    model = descend.fit("y = a + b*x**(1 + 0*c) + c*exp(9*x - 360)", {"x": x, "y": y})
    assert model.verification.scores[0]["hypothesis"]["rmse"] > 1


def test_another_minimum_is_never_told_to_be_lower_than_the_best_one():
    model = descend.fit("y = a*exp(b*x) + c*sin(d*x)", {"x": [1.0, 2.0, 3.0], "y": [2.0, 3.0, 7.0]}, test="none")
    assert not any("-" in f"{finding.values.get('more', 0):.3g}".split("e")[0] for finding in model.findings)


def test_classes_that_a_step_tells_apart_are_not_told_to_lie_on_a_line():
    x = np.linspace(0, 10, 60)
    model = descend.fit("P(y) = 1/(1 + exp(-b*(x - c)))", {"x": x, "y": (x > 5).astype(int)}, test="none")
    told = " ".join(finding.tell() for finding in model.findings)
    assert "without end" in told
    assert "straight line" not in told


def test_a_zero_is_written_without_a_minus():
    model = descend.fit("y = a*exp(b*x) + c", {"x": np.arange(20.0), "y": np.zeros(20)}, test="none")
    assert "−0 " not in f"{model.equation} "


def test_an_equation_with_a_loss_of_its_own_is_not_said_to_be_linear(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{x},{2 * 1.5**x}\n" for x in range(9)))
    _, told, _ = called(capsys, "fit", tmp_path / "t.csv", "y = a*exp(b*x)", "--loss", "huber", "--test", "none")
    assert "the equation gives numbers ('y')" in told
    assert "linear" not in told


def test_bounds_in_the_wrong_order_are_told_as_that():
    with pytest.raises(OptionError) as caught:
        descend.fit("y = a*exp(b*x)", {"x": [1.0, 2, 3], "y": [1.0, 2, 4]}, bounds="a=5:1")
    assert caught.value.code == "option.bounds-order"


def test_a_probability_of_several_classes_is_told_to_be_made_one_of_two():
    with pytest.raises(DesignError) as caught:
        descend.fit("P(y) = 1/(1 + exp(-b*(x - c)))", {"x": np.arange(9.0), "y": list("abcabcabc")})
    assert "1 for a and 0 for the others" in caught.value.hint()


def test_a_name_with_a_blank_is_told_to_stand_in_backticks():
    with pytest.raises(DescendError) as caught:
        descend.fit("y = a*(my x - b)", {"my x": [1.0, 2, 3], "y": [1.0, 2, 4]})
    assert "backticks" in caught.value.hint()
