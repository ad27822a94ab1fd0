"""Equations with named parameters, of every kind, down every road that a formula goes."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from conftest import called
from scipy.optimize import curve_fit

import descend
from descend.base.errors import DescendError

RANDOM = np.random.default_rng(7)
HOURS = np.sort(RANDOM.uniform(0, 12, 80))
WIDTH = RANDOM.normal(5, 2, 80)
SCORE = 90 * (1 - np.exp(-0.35 * HOURS)) + 3 * RANDOM.normal(size=80)
TABLE = {
    "hours": HOURS,
    "width": WIDTH,
    "score": SCORE,
    "other": 3 - 2 * HOURS + RANDOM.normal(size=80),
    "count": RANDOM.poisson(3 + 2 * np.exp(0.2 * HOURS)),
    "price": np.exp(0.3 + 0.2 * HOURS + 0.1 * RANDOM.normal(size=80)),
    "passed": (RANDOM.uniform(size=80) < 0.85 / (1 + np.exp(5 - HOURS))).astype(int),
}
CURVE = "score = a*(1 - exp(-b*hours))"
PAIRS = [  # an equation, its formula, and which of the formula's coefficients each parameter is
    ("score = W*hours + b", "score ~ hours", {"W": "hours", "b": "(intercept)"}),
    ("score = a*hours + d*width", "score ~ 0 + hours + width", {"a": "hours", "d": "width"}),
    ("score = c*hours**2 + b*hours + a", "score ~ I(hours**2) + hours",
     {"c": "I(hours**2)", "b": "hours", "a": "(intercept)"}),
    ("log(price) = a + b*hours", "log(price) ~ hours", {"a": "(intercept)", "b": "hours"}),
]  # fmt: skip
KINDS = {  # every kind of equation: its text, and settings that it needs
    "linear": ("score = W*hours + b", {}),
    "curve": (CURVE, {}),
    "several": ("score = a*(1 - exp(-b*hours)); other = c - b*hours", {}),
    "transformed": ("log(price) = a + b*hours**k", {}),
    "logistic": ("P(passed = 1) = 1 / (1 + exp(-(w*hours + b)))", {}),
    "probability": ("P(passed = 1) = top / (1 + exp(-k*(hours - mid)))", {}),
    "counts": ("count = base + a*exp(b*hours)", {"family": "poisson"}),
    "linear counts": ("count = exp(a + b*hours)", {"family": "poisson"}),
}


@pytest.fixture
def csv(tmp_path):
    pl.DataFrame(TABLE).write_csv(tmp_path / "t.csv")
    return tmp_path / "t.csv"


# ---- linear equations are their formulas


@pytest.mark.parametrize(("equation", "formula", "named"), PAIRS)
def test_a_linear_equation_is_to_the_last_bit_its_formula(equation, formula, named):
    ours, theirs = descend.fit(equation, TABLE), descend.fit(formula, TABLE)
    assert ours.coefficients == {name: theirs.coefficients[column] for name, column in named.items()}
    assert list(ours.coefficients) == list(named)
    np.testing.assert_array_equal(ours.predict(TABLE), theirs.predict(TABLE))
    np.testing.assert_array_equal(ours.inference.errors, theirs.inference.errors)
    assert ours.certificate == theirs.certificate
    assert ours.verification.scores == theirs.verification.scores
    ours_low, theirs_low = (model.intervals({"hours": [3.0], "width": [5.0]}) for model in (ours, theirs))
    assert ours_low.equals(theirs_low)


@pytest.mark.parametrize(("equation", "formula", "named"), PAIRS)
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "momentum"])
def test_a_run_of_a_linear_equation_is_to_the_last_bit_its_formula_s(equation, formula, named, optimizer):
    chosen = {"optimizer": "sgd", "momentum": 0.5} if optimizer == "momentum" else {"optimizer": optimizer}
    ours, theirs = (descend.fit(text, TABLE, lr=0.01, epochs=40, **chosen) for text in (equation, formula))
    np.testing.assert_array_equal(ours.history.loss, theirs.history.loss)
    np.testing.assert_array_equal(ours.history.snapshots, theirs.history.snapshots)
    np.testing.assert_array_equal(ours.at(20).predict(TABLE), theirs.at(20).predict(TABLE))
    assert ours.at(20).coefficients == {name: theirs.at(20).coefficients[column] for name, column in named.items()}


@pytest.mark.parametrize(("equation", "formula", "named"), PAIRS)
def test_the_forecast_and_the_trajectory_of_a_linear_equation_are_its_formula_s(equation, formula, named):
    ours, theirs = (descend.forecast(text, TABLE) for text in (equation, formula))
    np.testing.assert_array_equal(ours.curvatures, theirs.curvatures)
    assert (ours.rates, ours.raw_condition) == (theirs.rates, theirs.raw_condition)
    mine, run = (descend.trajectory(text, TABLE, lr=0.01) for text in (equation, formula))
    assert mine.loss(10**6) == run.loss(10**6)
    found, expected = mine.coefficients(50), run.coefficients(50)
    assert found == {name: expected[column] for name, column in named.items()}


def test_a_forecast_names_the_parameters_of_an_equation():
    told = descend.forecast("score = slope*hours + start", TABLE, standardize=False, lr=0.001)
    assert set(told.outlook.columns) <= {"slope", "start"}
    assert told.outlook.columns


def test_two_linear_equations_are_a_formula_of_two_targets():
    ours = descend.fit(["score = w1*hours + v1*width + b1", "other = w2*hours + v2*width + b2"], TABLE)
    theirs = descend.fit("score + other ~ hours + width", TABLE)
    found = theirs.coefficients
    assert list(ours.coefficients) == ["w1", "v1", "b1", "w2", "v2", "b2"]
    assert list(ours.coefficients.values()) == [
        found[output][column] for output in ("score", "other") for column in ("hours", "width", "(intercept)")
    ]
    np.testing.assert_array_equal(ours.predict(TABLE), theirs.predict(TABLE))


@pytest.mark.parametrize(
    "written", ["1 / (1 + exp(-(w*hours + b)))", "sigmoid(w*hours + b)", "1/(1 + exp(-w*hours - b))"]
)
def test_an_affine_probability_is_to_the_last_bit_the_logistic_formula(written):
    ours = descend.fit(f"P(passed = 1) = {written}", TABLE)
    theirs = descend.fit("passed ~ hours", TABLE, family="logistic")
    assert ours.coefficients == {"w": theirs.coefficients["hours"], "b": theirs.coefficients["(intercept)"]}
    assert (ours.family, ours.certificate) == ("logistic", theirs.certificate)
    np.testing.assert_array_equal(ours.predict(TABLE, probabilities=True), theirs.predict(TABLE, probabilities=True))


def test_an_affine_equation_of_counts_is_to_the_last_bit_the_poisson_formula():
    ours = descend.fit("count = exp(a + b*hours)", TABLE, family="poisson")
    theirs = descend.fit("count ~ hours", TABLE, family="poisson")
    assert ours.coefficients == {"a": theirs.coefficients["(intercept)"], "b": theirs.coefficients["hours"]}


# ---- curves against SciPy and statsmodels


def test_a_curve_is_scipy_s_with_its_errors_and_bands():
    model = descend.fit(CURVE, TABLE, test="none")
    values, covariance = curve_fit(
        lambda x, a, b: a * (1 - np.exp(-b * x)), HOURS, SCORE, p0=[50, 1], xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    np.testing.assert_allclose(list(model.coefficients.values()), values, rtol=1e-7)
    np.testing.assert_allclose(model.inference.errors[:, 0], np.sqrt(np.diag(covariance)), rtol=1e-5)
    a, b = values
    slope = np.array([1 - np.exp(-b * 3), a * 3 * np.exp(-b * 3)])
    half = 1.9908470688116919 * np.sqrt(slope @ covariance @ slope)  # t of 78 degrees of freedom
    row = model.intervals({"hours": [3.0]}).to_dicts()[0]
    assert (row["score_mean_high"] - row["score_mean_low"]) / 2 == pytest.approx(half, rel=1e-5)
    variance = np.sum((SCORE - a * (1 - np.exp(-b * HOURS))) ** 2) / 78
    wide = 1.9908470688116919 * np.sqrt(slope @ covariance @ slope + variance)
    assert (row["score_high"] - row["score_low"]) / 2 == pytest.approx(wide, rel=1e-5)


def test_a_curve_of_counts_with_a_log_link_is_statsmodels():
    text, chosen = "count = exp(a + b*hours + c*hours**2)", {"family": "poisson", "test": "none"}
    model = descend.fit(text, TABLE, **chosen)
    X = np.column_stack([np.ones(80), HOURS, HOURS**2])
    glm = sm.GLM(TABLE["count"], X, family=sm.families.Poisson()).fit(tol=1e-14)
    np.testing.assert_allclose(list(model.coefficients.values()), glm.params, rtol=1e-8)
    held = descend.fit(
        "count = exp(a + b*hours + c*hours**2)", TABLE, family="poisson", test="none", bounds={"c": (-9, 9)}
    )
    np.testing.assert_allclose(list(held.coefficients.values()), glm.params, rtol=1e-6)
    np.testing.assert_allclose(held.inference.errors[:, 0], glm.bse, rtol=1e-4)


def test_a_run_of_a_curve_is_pytorch_s():
    torch = pytest.importorskip("torch")
    x, y = torch.from_numpy(HOURS), torch.from_numpy(SCORE)
    for name, kind in (("sgd", torch.optim.SGD), ("adam", torch.optim.Adam)):
        a, b = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (80.0, 0.5))
        optimizer, losses = kind([a, b], lr=1e-4), []
        for _ in range(60):
            optimizer.zero_grad()
            loss = ((a * (1 - torch.exp(-b * x)) - y) ** 2).mean()
            losses.append(loss.item())
            loss.backward()
            optimizer.step()
        model = descend.fit(CURVE, TABLE, test="none", optimizer=name, lr=1e-4, epochs=60, init={"a": 80.0, "b": 0.5})
        np.testing.assert_allclose(model.history.loss[:60], losses, rtol=1e-10)
        np.testing.assert_allclose(list(model.coefficients.values()), [a.item(), b.item()], rtol=1e-10)


# ---- every kind down every road


def fitted(kind, **chosen):
    text, settings = KINDS[kind]
    return descend.fit(text, TABLE, **settings, **chosen)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_kept_and_read_again(kind, tmp_path):
    model = fitted(kind)
    again = descend.load(model.save(tmp_path / "m.safetensors"))
    assert again.coefficients == model.coefficients
    assert (again.equation, again.formula) == (model.equation, KINDS[kind][0])
    np.testing.assert_array_equal(again.predict(TABLE), model.predict(TABLE))
    assert again.intervals(TABLE).equals(model.intervals(TABLE))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_scored_on_rows_given(kind):
    model = fitted(kind)
    tested = model.evaluate(TABLE)
    assert tested.rows == 80
    assert len(tested.scores) == (2 if kind == "several" else 1)
    assert tested.verdict.startswith("verdict.better")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_history_that_can_be_gone_back_in(kind):
    model = fitted(kind, optimizer="adam", lr=0.01, epochs=30)
    start, end = model.at(0), model.at(30)
    assert end.coefficients == model.coefficients
    assert start.coefficients != model.coefficients
    assert start.history.final_loss == model.history.loss[0]
    np.testing.assert_array_equal(end.predict(TABLE), model.predict(TABLE))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_taken_up_again_where_it_stopped(kind, tmp_path, monkeypatch):
    monkeypatch.setattr("descend.solvers.checkpoint.EVERY", 0.0)
    chosen = {"optimizer": "adam", "lr": 0.01}
    kept = {"checkpoint": tmp_path / "run.safetensors", "resume": True}
    fitted(kind, epochs=20, **kept, **chosen)
    resumed, whole = fitted(kind, epochs=50, **kept, **chosen), fitted(kind, epochs=50, **chosen)
    assert any(note.code == "note.resumed" for note in resumed.notes)
    np.testing.assert_array_equal(resumed.history.loss, whole.history.loss)
    assert resumed.coefficients == whole.coefficients


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn(kind, tmp_path):
    figure = fitted(kind).plot(tmp_path / "m.png")
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")
    assert figure.axes


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_told_by_every_command(kind, lang, csv, capsys):
    text, settings = KINDS[kind]
    more = [part for name, value in settings.items() for part in (f"--{name}", value)]
    out_file = csv.with_name("m.safetensors")
    for command in (
        ["forecast", csv, text, *more],
        ["fit", csv, text, *more, "--out", out_file],
        ["show", out_file, "--inference"],
        ["predict", out_file, csv, "--interval", "0.9"],
        ["predict", out_file, "--set", "hours=3"],
        ["evaluate", out_file, csv],
        ["plot", out_file, "--out", csv.with_name("m.svg")],
        ["fit", csv, text, *more, "--optimizer", "adam", "--lr", "0.01", "--epochs", "5", "--json"],
    ):
        code, out, err = called(capsys, *command, "--lang", lang)
        assert code == 0, (command, err)
        if "--json" in command:
            assert set(json.loads(out)["coefficients"]) == set(fitted(kind).coefficients)


def test_a_line_and_a_curve_are_compared_on_the_same_rows():
    compared = descend.compare(TABLE, ["score ~ hours", CURVE, "score = m + b*hours"])
    assert compared.best.formula == CURVE
    line, curve, named = compared.entries
    assert line.score == named.score
    assert curve.score < 0.5 * line.score


def test_a_curve_has_no_trajectory_and_says_so():
    with pytest.raises(DescendError) as caught:
        descend.trajectory(CURVE, TABLE)
    assert caught.value.code == "option.no-trajectory"


def test_what_mends_a_fit_of_an_equation_is_made_by_apply(csv, capsys):
    text = "score = a*(1 - exp(-b*hours))"
    code, out, err = called(capsys, "fit", csv, text, "--bounds", "b=:0.2", "--apply", "at-bound", "--lang", "en")
    assert code == 0, err
    assert "stands at its bound" not in out
    model = descend.fit(text, csv)
    assert f"{model.coefficients['b']:.6g}" in out


def panel(model):
    return model.plot().axes[0]


def bands_of(model):
    return [each for each in panel(model).collections if type(each).__name__ == "FillBetweenPolyCollection"]


@pytest.mark.parametrize(("kind", "bands"), [("curve", 2), ("several", 4), ("probability", 1), ("counts", 1)])
def test_the_picture_of_an_equation_has_the_bands_that_its_intervals_have(kind, bands):
    model = fitted(kind)
    drawn = bands_of(model)
    assert len(drawn) == bands
    if kind != "curve":
        return
    corners = np.concatenate([path.vertices for path in drawn[1].get_paths()])
    at = corners[np.abs(corners[:, 0] - corners[500, 0]) < 1e-9]
    expected = model.intervals({"hours": [corners[500, 0]]}).to_dicts()[0]
    assert at[:, 1].min() == pytest.approx(expected["score_mean_low"], rel=1e-9)
    assert at[:, 1].max() == pytest.approx(expected["score_mean_high"], rel=1e-9)


def test_a_formula_s_picture_has_no_band_and_a_fit_without_errors_none():
    assert not [
        each for each in panel(descend.fit("score ~ hours", TABLE)).collections if "Fill" in type(each).__name__
    ]
    early = fitted("curve", optimizer="adam", lr=0.01, epochs=3, init={"a": 1, "b": 1})
    assert not bands_of(early)


def test_a_curve_over_magnitudes_is_drawn_on_a_logarithmic_axis_with_points_to_match():
    dose = 10 ** RANDOM.uniform(-3, 3, 80)
    effect = 4 + 88 / (1 + (dose / 2.5) ** -1.3) + RANDOM.normal(size=80)
    table = {"dose": dose, "effect": effect}
    drawn = panel(descend.fit("effect = low + (top - low)/(1 + (dose/mid)**(-slope))", table))
    assert drawn.get_xscale() == "log"
    x = drawn.lines[0].get_xdata()
    np.testing.assert_allclose(np.diff(np.log(x)), np.diff(np.log(x))[0], rtol=1e-6)
    assert panel(descend.fit(CURVE, TABLE)).get_xscale() == "linear"


def test_the_sum_of_squares_over_rows_held_out_from_a_curve_counts_for_as_many_as_are_fitted():
    settings = {"optimizer": "sgd", "lr": 1e-6, "epochs": 5, "patience": 5, "test": "none", "init": {"a": 80, "b": 0.3}}
    of_sums = descend.fit(CURVE, TABLE, loss="sse", **settings)
    of_means = descend.fit(CURVE, TABLE, loss="mse", **settings)
    fitted = of_sums.fitted_rows
    assert fitted < 80
    np.testing.assert_allclose(of_sums.history.validation_loss[0] / fitted, of_means.history.validation_loss[0])
    np.testing.assert_allclose(of_sums.history.loss[0] / fitted, of_means.history.loss[0])
