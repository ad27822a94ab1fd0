"""Standard errors, tests and intervals: those of statsmodels on its own examples, or the reason why there are none."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from conftest import called
from safetensors import safe_open
from safetensors.numpy import save_file
from scipy import stats

import descend
from descend.analysis.inference import Inference
from descend.base.container import checksum
from descend.base.errors import DescendError, ModelError, OptionError
from descend.base.messages import Note
from descend.cli import main

LIKE = 1e-8

OLS = {
    "longley": "TOTEMP ~ GNPDEFL + GNP + UNEMP + ARMED + POP + YEAR",
    "stackloss": "STACKLOSS ~ AIRFLOW + WATERTEMP + ACIDCONC",
    "ccard": "AVGEXP ~ AGE + INCOME + INCOMESQ + OWNRENT",
    "committee": "BILLS104 ~ SIZE + SUBS + STAFF + PRESTIGE + BILLS103",
    "statecrime": "murder ~ hs_grad + poverty + single + white + urban",
}
CLASSES = "logpopul + selfLR + age + educ + income"


def dataset(name):
    frame = getattr(sm.datasets, name).load_pandas().data.copy()
    for column in frame:
        if not pd.api.types.is_numeric_dtype(frame[column]):
            frame[column] = frame[column].astype(str)
    return frame


def columns_of(frame):
    return {name: frame[name].tolist() for name in frame.columns}


def interval(model, level):
    reach = model.inference.quantile(level) * model.inference.errors
    return model.contrasts - reach, model.contrasts + reach


def assert_like(mine, theirs, rtol=LIKE):
    np.testing.assert_allclose(np.asarray(mine, dtype=float), np.asarray(theirs, dtype=float), rtol=rtol)


def assert_all_like(model, fitted, order=None):
    """Hold everything that statsmodels tells of coefficients (parameters x equations) against the model's."""
    order = slice(None) if order is None else order
    shape = model.contrasts.shape

    def theirs(values):
        return np.asarray(values).reshape(-1, shape[1])[order]

    assert_like(model.contrasts, theirs(fitted.params))
    assert_like(model.inference.errors, theirs(fitted.bse))
    assert_like(model.inference.statistics(model.contrasts), theirs(fitted.tvalues))
    assert_like(model.inference.p_values(model.contrasts), theirs(fitted.pvalues))
    for alpha in (0.05, 0.10):
        ends = np.asarray(fitted.conf_int(alpha))  # parameters x 2, equation by equation
        for mine, end in zip(interval(model, 1 - alpha), (0, 1), strict=True):
            assert_like(mine, ends[:, end].reshape(shape[1], -1).T[order], rtol=10 * LIKE)


# ---------------------------------------------------------------- least squares


@pytest.mark.parametrize("name", OLS)
def test_least_squares_tells_what_statsmodels_ols_tells(name):
    frame = dataset(name)
    model = descend.fit(OLS[name], frame, test="none")
    fitted = smf.ols(OLS[name], frame).fit()
    assert_all_like(model, fitted)
    assert model.inference.freedom == fitted.df_resid
    assert_like(model.inference.variances, [fitted.mse_resid])


@pytest.mark.parametrize("alpha", [0.05, 0.10])
@pytest.mark.parametrize("name", OLS)
def test_intervals_of_the_mean_and_of_a_new_row_are_those_of_ols(name, alpha):
    frame = dataset(name)
    model = descend.fit(OLS[name], frame, test="none")
    new = frame.sample(10, random_state=0) * 1.03  # rows that were not fitted
    expected = smf.ols(OLS[name], frame).fit().get_prediction(new).summary_frame(alpha)
    target = model.target.columns[0]
    found = model.intervals(new, level=1 - alpha)
    ends = {
        "_low": "obs_ci_lower",
        "_high": "obs_ci_upper",
        "_mean_low": "mean_ci_lower",
        "_mean_high": "mean_ci_upper",
    }
    assert_like(found[f"{target}_predicted"], expected["mean"])
    for mine, theirs in ends.items():
        np.testing.assert_allclose(
            found[f"{target}{mine}"], expected[theirs], rtol=LIKE, atol=LIKE * frame[target].std()
        )
    assert found.columns[-5:] == [f"{target}{end}" for end in ("_predicted", *ends)]


def test_without_an_intercept_and_without_standardising_the_errors_are_the_same_theory():
    frame = dataset("stackloss")
    formula = "STACKLOSS ~ 0 + AIRFLOW + WATERTEMP"
    assert_all_like(descend.fit(formula, frame, test="none"), smf.ols(formula, frame).fit())
    formula = OLS["stackloss"]
    assert_all_like(descend.fit(formula, frame, test="none", standardize=False), smf.ols(formula, frame).fit())
    assert_all_like(descend.fit(formula, frame, test="none", loss="sse", ddof=1), smf.ols(formula, frame).fit())


def test_the_inference_is_that_of_the_rows_that_were_fitted(noisy):
    model = descend.fit("y ~ a + b", noisy)
    held = model.sample.tested
    rows = pd.DataFrame({name: np.asarray(model.sample.frame[name]) for name in ("a", "b", "y")})[~held]
    assert 0 < held.sum() < len(held)
    assert_all_like(model, smf.ols("y ~ a + b", rows).fit())


def test_categories_and_interactions_have_the_errors_of_ols():
    frame = dataset("grunfeld")
    formula = "invest ~ value * firm + capital"
    model = descend.fit(formula, columns_of(frame), test="none")
    fitted = smf.ols(formula, frame).fit()
    names = [name.replace("[T.", "[").replace("Intercept", "(intercept)") for name in fitted.params.index]
    assert sorted(names) == sorted(model.design.names)
    assert_all_like(model, fitted, [names.index(name) for name in model.design.names])
    expected = fitted.get_prediction(frame[:40]).summary_frame()
    found = model.intervals(columns_of(frame[:40]))
    for mine, theirs in {"low": "obs_ci_lower", "mean_high": "mean_ci_upper"}.items():
        assert_like(found[f"invest_{mine}"], expected[theirs])


def test_powers_have_the_errors_of_ols():
    frame = dataset("engel")
    model = descend.fit("foodexp ~ poly(income, 2, raw=True)", frame, test="none")
    fitted = smf.ols("foodexp ~ income + I(income ** 2)", frame).fit()
    assert_all_like(model, fitted)
    orthogonal = descend.fit("foodexp ~ poly(income, 2)", frame, test="none")
    new = {"income": [400.0, 1000.0, 4000.0]}
    for column in ("foodexp_low", "foodexp_high", "foodexp_mean_low", "foodexp_mean_high"):
        assert_like(orthogonal.intervals(new)[column], model.intervals(new)[column], rtol=1e-7)


def test_several_targets_have_each_its_own_errors():
    frame = dataset("longley")
    model = descend.fit("TOTEMP + UNEMP ~ GNPDEFL + ARMED + POP", frame, test="none")
    found = model.intervals(frame[:5], level=0.9)
    for index, target in enumerate(("TOTEMP", "UNEMP")):
        fitted = smf.ols(f"{target} ~ GNPDEFL + ARMED + POP", frame).fit()
        assert_like(model.raw[:, index], fitted.params)
        assert_like(model.inference.errors[:, index], fitted.bse)
        assert_like(model.inference.p_values(model.raw)[:, index], fitted.pvalues)
        assert_like(model.inference.variances[index], fitted.mse_resid)
        expected = fitted.get_prediction(frame[:5]).summary_frame(0.1)
        assert_like(found[f"{target}_low"], expected["obs_ci_lower"])
        assert_like(found[f"{target}_mean_high"], expected["mean_ci_upper"])


def test_intervals_of_a_transformed_target_are_the_images_of_its_own():
    frame = dataset("ccard")
    model = descend.fit("log(AVGEXP) ~ AGE + INCOME", frame, test="none")
    expected = smf.ols("np.log(AVGEXP) ~ AGE + INCOME", frame).fit().get_prediction(frame).summary_frame(0.2)
    found = model.intervals(frame, level=0.8)
    ends = {
        "_low": "obs_ci_lower",
        "_high": "obs_ci_upper",
        "_mean_low": "mean_ci_lower",
        "_mean_high": "mean_ci_upper",
    }
    for mine, theirs in ends.items():
        assert_like(found[f"AVGEXP{mine}"], np.exp(expected[theirs]))


def test_a_transform_that_falls_turns_the_ends_round():
    frame = dataset("ccard")
    falling = descend.fit("-log(AVGEXP) ~ AGE + INCOME", frame, test="none").intervals(frame)
    rising = descend.fit("log(AVGEXP) ~ AGE + INCOME", frame, test="none").intervals(frame)
    for end in ("low", "high", "mean_low", "mean_high"):
        assert_like(falling[f"AVGEXP_{end}"], rising[f"AVGEXP_{end}"])
    assert (falling["AVGEXP_low"] < falling["AVGEXP_mean_low"]).all()
    assert (falling["AVGEXP_mean_low"] < falling["AVGEXP_predicted"]).all()
    assert (falling["AVGEXP_predicted"] < falling["AVGEXP_mean_high"]).all()


def test_a_new_row_lies_within_its_interval_as_often_as_promised():
    random = np.random.default_rng(3)
    inside = []
    for _ in range(60):
        x = random.normal(size=60)
        y = 1 + 2 * x + random.normal(size=60)
        model = descend.fit("y ~ x", {"x": x[:20], "y": y[:20]}, test="none")
        found = model.intervals({"x": x[20:]}, level=0.8)
        inside.append(((found["y_low"].to_numpy() < y[20:]) & (y[20:] < found["y_high"].to_numpy())).mean())
    assert abs(np.mean(inside) - 0.8) < 0.04  # three standard errors of this mean


# ---------------------------------------------------------------- likelihood


def tight(model, method="newton"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(disp=0, method=method, tol=1e-14, maxiter=200)


@pytest.fixture(scope="module")
def spector():
    frame = dataset("spector")
    model = descend.fit("GRADE ~ GPA + TUCE + PSI", frame, test="none")
    return frame, model, tight(smf.logit("GRADE ~ GPA + TUCE + PSI", frame))


@pytest.fixture(scope="module")
def votes():
    frame = dataset("anes96")
    frame["party"] = [f"party {code:.0f}" for code in frame["PID"]]
    model = descend.fit(f"party ~ {CLASSES}", columns_of(frame), test="none")
    return frame, model, tight(smf.mnlogit(f"PID ~ {CLASSES}", frame))


def test_two_classes_have_the_errors_of_statsmodels_logit(spector):
    _, model, fitted = spector
    assert model.family == "logistic"
    assert model.inference.freedom is None
    assert_all_like(model, fitted)


def test_many_rows_and_a_category_have_the_errors_of_logit():
    frame = dataset("fair")
    frame["affair"] = np.where(frame["affairs"] > 0, "yes", "no")
    frame["bit"] = (frame["affairs"] > 0).astype(float)
    frame["faith"] = frame["religious"].map(lambda code: f"f{code:.0f}")
    formula = "age + yrs_married + faith * educ"
    model = descend.fit(f"affair ~ {formula}", columns_of(frame), test="none")
    fitted = tight(smf.logit(f"bit ~ {formula}", frame))
    names = [name.replace("[T.", "[").replace("Intercept", "(intercept)") for name in fitted.params.index]
    assert sorted(names) == sorted(model.design.names)
    assert_all_like(model, fitted, [names.index(name) for name in model.design.names])


def test_several_classes_have_the_errors_of_statsmodels_mnlogit(votes):
    _, model, fitted = votes
    assert model.family == "softmax"
    assert model.inference.freedom is None
    assert model.inference.errors.shape == (6, 6)
    assert_all_like(model, fitted)


@pytest.mark.parametrize("alpha", [0.05, 0.10])
def test_the_interval_of_a_probability_is_that_of_the_log_odds_seen_as_a_probability(spector, alpha):
    frame, model, _ = spector
    binomial = smf.glm("GRADE ~ GPA + TUCE + PSI", frame, family=sm.families.Binomial()).fit(tol=1e-14, maxiter=100)
    expected = binomial.get_prediction(frame).summary_frame(alpha)
    found = model.intervals(frame, level=1 - alpha)
    yes, no = model.target.levels[1], model.target.levels[0]
    assert_like(found[f"P({yes})"], expected["mean"])
    assert_like(found[f"P({yes})_low"], expected["mean_ci_lower"])
    assert_like(found[f"P({yes})_high"], expected["mean_ci_upper"])
    assert_like(found[f"P({no})_low"], 1 - found[f"P({yes})_high"])
    assert_like(found[f"P({no})_high"], 1 - found[f"P({yes})_low"])


def test_the_interval_of_a_class_is_that_of_a_numerical_delta_method(votes):
    frame, model, fitted = votes
    rows = frame[:15]
    X = np.column_stack([np.ones(len(rows)), rows[["logpopul", "selfLR", "age", "educ", "income"]]])
    params, covariance = np.asarray(fitted.params), np.asarray(fitted.cov_params())
    found = model.intervals(columns_of(rows), level=0.9)

    def log_odds(flat):
        Z = np.column_stack([np.zeros(len(X)), X @ flat.reshape(params.T.shape).T])
        E = np.exp(Z - Z.real.max(axis=1, keepdims=True))
        return np.log(E) - np.log(E.sum(axis=1, keepdims=True) - E)

    flat = params.T.ravel()  # equation by equation, as cov_params has them
    step = 1e-30
    slopes = np.stack([log_odds(flat + 1j * step * row).imag / step for row in np.eye(flat.size)], axis=-1)
    errors = np.sqrt(np.einsum("rka,ab,rkb->rk", slopes, covariance, slopes))
    middle = log_odds(flat + 0j).real
    for index, level in enumerate(model.target.levels):
        for end, sign in (("low", -1), ("high", 1)):
            expected = 1 / (1 + np.exp(-(middle[:, index] + sign * stats.norm.ppf(0.95) * errors[:, index])))
            assert_like(found[f"P({level})_{end}"], expected)
        assert (found[f"P({level})_low"] < found[f"P({level})"]).all()
        assert (found[f"P({level})"] < found[f"P({level})_high"]).all()


def test_the_errors_do_not_depend_on_the_scale_or_the_offset_of_a_column(spector):
    frame, model, _ = spector
    moved = frame.assign(GPA=1e5 * frame["GPA"], TUCE=frame["TUCE"] + 1e4)
    again = descend.fit("GRADE ~ GPA + TUCE + PSI", moved, test="none")
    assert_like(again.inference.errors[1:, 0] * [1e5, 1, 1], model.inference.errors[1:, 0], rtol=1e-7)
    assert_like(again.inference.p_values(again.raw)[1:], model.inference.p_values(model.raw)[1:], rtol=1e-6)


# ---------------------------------------------------------------- why there is none


def cases():
    random = np.random.default_rng(0)
    x, w, noise = random.normal(size=(3, 60))
    line = {"x": x, "w": w, "twin": 2 * x - w, "y": x + noise}
    line["k"] = np.where(x + random.logistic(size=60) > 0, "a", "b").tolist()
    line["three"] = random.choice(["a", "b", "c"], 60).tolist()
    line["apart"] = np.where(x + w > 0, "a", "b").tolist()
    line["edge"] = np.where(x > 0.5, "a", np.where(w > 0, "b", "c")).tolist()
    few = {name: values[:3] for name, values in line.items()}
    return {
        "l2": ("y ~ x", line, {"l2": 0.1}, {"inference.penalised"}),
        "l2 of classes": ("k ~ x", line, {"l2": 0.1}, {"inference.penalised"}),
        "few epochs": ("y ~ x + w", line, {"lr": 0.01, "epochs": 5}, {"inference.not-optimum"}),
        "few epochs of classes": ("k ~ x", line, {"lr": 0.01, "epochs": 5}, {"inference.not-optimum"}),
        "batches": ("y ~ x", line, {"lr": 0.01, "epochs": 5, "batch_size": 10}, {"inference.not-optimum"}),
        "mae": ("y ~ x", line, {"loss": "mae"}, {"inference.loss"}),
        "huber": ("y ~ x", line, {"loss": "huber"}, {"inference.loss"}),
        "as many columns as rows": ("y ~ x + w", few, {}, {"inference.no-freedom"}),
        "more columns than rows": ("y ~ x + w + I(x * w)", few, {}, {"inference.no-freedom"}),
        "collinear": ("y ~ x + w + twin", line, {}, {"inference.collinear"}),
        "collinear of classes": ("k ~ x + w + twin", line, {}, {"inference.flat"}),
        "collinear of three classes": ("three ~ x + w + twin", line, {}, {"inference.flat"}),
        "separable": ("apart ~ x + w", line, {}, {"inference.flat", "inference.not-optimum"}),
        "quasi-separable": ("edge ~ x + w", line, {}, {"inference.flat", "inference.not-optimum"}),
    }


@pytest.mark.parametrize("case", cases())
def test_where_there_is_no_inference_the_reason_is_told(case, monkeypatch, tmp_path, capsys):
    formula, table, settings, codes = cases()[case]
    model = descend.fit(formula, table, test="none", **settings)
    assert isinstance(model.inference, Note)
    assert model.inference.code in codes
    for lang in ("en", "ko"):
        monkeypatch.setenv("DESCEND_LANG", lang)
        with pytest.raises(ModelError) as error:
            model.intervals(table)
        assert error.value.code == "model.no-inference"
        assert error.value.values["reason"] == model.inference.tell(lang)
    path = model.save(tmp_path / "m.safetensors")
    assert descend.load(path).inference == model.inference
    assert main(["show", str(path), "--inference", "--lang", "en"]) == 0
    assert f"no standard errors: {model.inference.tell('en')}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("formula", ["y ~ x + w", "k ~ x + w", "three ~ x + w"])
def test_more_parameters_than_are_worth_it_have_no_inference(formula, monkeypatch):
    for module in ("analysis.inference", "fitting._assessment"):
        monkeypatch.setattr(f"descend.{module}.MOST", 2)
    model = descend.fit(formula, cases()["l2"][1], test="none")
    assert model.inference == Note("inference.many", {"most": 2})


@pytest.mark.parametrize(
    ("formula", "settings"),
    [
        ("y ~ x + w", {"lr": 0.4, "epochs": 400}),
        ("y ~ x + w", {"optimizer": "sgd", "lr": "auto", "momentum": 0.5, "epochs": 500}),
        ("k ~ x + w", {"lr": 3.0, "epochs": 2000}),
        ("three ~ x", {"lr": 1.5, "epochs": 2000}),
    ],
)
def test_a_run_that_arrives_has_the_inference_of_the_optimum(formula, settings):
    line = cases()["l2"][1]
    run, optimum = (descend.fit(formula, line, test="none", **chosen) for chosen in (settings, {}))
    assert run.history.stop != "optimum"
    assert isinstance(run.inference, Inference)
    assert_like(run.inference.errors, optimum.inference.errors)
    assert_like(run.contrasts, optimum.contrasts, rtol=1e-6)
    mine, theirs = run.intervals(line), optimum.intervals(line)
    for column in theirs.columns[-2:]:
        assert_like(mine[column], theirs[column], rtol=1e-5)


def test_an_earlier_epoch_of_a_run_has_no_inference():
    run = descend.fit("y ~ x + w", cases()["l2"][1], test="none", lr=0.4, epochs=400)
    assert run.at(3).inference == Note("inference.not-optimum", {})


# ---------------------------------------------------------------- kept in a file


@pytest.mark.parametrize("formula", ["y ~ a + group", "y + c ~ a", "passed ~ a + b", "group ~ a + b"])
def test_a_model_read_again_has_the_same_inference_to_the_bit(formula, noisy, tmp_path):
    model = descend.fit(formula, noisy)
    again = descend.load(model.save(tmp_path / "m.safetensors"))
    for name in ("root", "variances", "errors"):
        np.testing.assert_array_equal(getattr(again.inference, name), getattr(model.inference, name))
    assert again.inference.freedom == model.inference.freedom
    assert again.intervals(noisy).equals(model.intervals(noisy))


def forged(path, change):
    """Rewrite a model file with a true checksum, as a forger would."""
    with safe_open(str(path), framework="numpy") as handle:
        header = json.loads(handle.metadata()["descend"])["model"]
        tensors = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
    change(header, tensors)
    sealed = {"sha256": checksum(header, tensors), "model": header}
    save_file(tensors, path, metadata={"descend": json.dumps(sealed)})
    return path


def cut(name):
    return lambda header, tensors: tensors.update({f"inference.{name}": tensors[f"inference.{name}"][:-1].copy()})


FORGERIES = {
    "root cut": cut("root"),
    "variances cut": cut("variances"),
    "errors cut": cut("errors"),
    "errors turned": lambda h, t: t.update({"inference.errors": np.ascontiguousarray(t["inference.errors"].T)}),
    "root of one number": lambda h, t: t.update({"inference.root": np.ones((1, 1))}),
    "errors not numbers": lambda h, t: t.update({"inference.errors": t["inference.errors"] * np.nan}),
    "errors in float32": lambda h, t: t.update({"inference.errors": t["inference.errors"].astype(np.float32)}),
    "no root": lambda h, t: t.pop("inference.root"),
    "no freedom and no note": lambda h, t: h.update(inference={}),
    "freedom in words": lambda h, t: h["inference"].update(freedom="many"),
    "a note without a code": lambda h, t: h.update(inference={"note": {"values": {}}}),
    "nothing": lambda h, t: h.pop("inference"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("formula", ["y ~ a + group", "group ~ a + b"])
def test_a_forged_inference_is_refused(forgery, formula, noisy, tmp_path):
    path = descend.fit(formula, noisy).save(tmp_path / "m.safetensors")
    with pytest.raises(ModelError) as error:
        descend.load(forged(path, FORGERIES[forgery]))
    assert error.value.code == "model.inconsistent"


# ---------------------------------------------------------------- the command line


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("DESCEND_LANG", "en")
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def kept(noisy, tmp_path):
    return descend.fit("y ~ a + group", noisy).save(tmp_path / "m.safetensors")


WORDS = {
    "en": ["std. error", "low", "high", "least squares, t with 92 degrees of freedom", "residual standard deviation"],
    "ko": ["표준오차", "아래", "위", "최소제곱(자유도 92인 t)의 표준오차와 확률", "잔차 표준편차"],
}


@pytest.mark.parametrize("lang", WORDS)
@pytest.mark.parametrize("level", [None, 0.9])
def test_show_tells_errors_tests_and_intervals(capsys, kept, lang, level):
    asked = [] if level is None else ["--level", level]
    code, out, err = called(capsys, "show", kept, "--inference", *asked, "--lang", lang)
    assert (code, err) == (0, "")
    assert all(word in out for word in WORDS[lang])
    assert f"{level or 0.95:.0%}" in out
    model = descend.load(kept)
    low, high = interval(model, level or 0.95)
    for row, name in enumerate(model.design.names):
        line = next(line for line in out.splitlines() if line.split()[:1] == [name])
        value, error, t, p, *ends = map(float, line.split()[1:])
        assert value == pytest.approx(model.raw[row, 0], rel=1e-7)
        assert error == pytest.approx(model.inference.errors[row, 0], rel=1e-5)
        assert t == pytest.approx(value / error, rel=1e-3)
        assert p == pytest.approx(2 * stats.t.sf(abs(value / error), 92), rel=1e-2)
        assert ends == pytest.approx([low[row, 0], high[row, 0]], rel=1e-5)


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_show_tells_classes_against_the_first(capsys, noisy, tmp_path, lang):
    path = descend.fit("group ~ a", noisy).save(tmp_path / "m.safetensors")
    code, out, _ = called(capsys, "show", path, "--inference", "--lang", lang)
    model = descend.load(path)
    assert code == 0
    assert {"en": "each class against u", "ko": "각 클래스를 u"}[lang] in out
    assert [line.split()[0] for line in out.splitlines() if "(intercept)" in line] == ["v", "w"]
    assert f"{model.contrasts[0, 1]:.8g}" in out


def test_show_tells_machines_the_inference(capsys, kept, noisy, tmp_path):
    code, out, _ = called(capsys, "show", kept, "--json")
    facts, model = json.loads(out)["inference"], descend.load(kept)
    assert code == 0
    assert facts["columns"] == ["(intercept)", "a", "group[v]", "group[w]"]
    np.testing.assert_array_equal(facts["standard_errors"], model.inference.errors)
    np.testing.assert_array_equal(facts["p_values"], model.inference.p_values(model.raw))
    assert facts["degrees_of_freedom"] == 92
    assert facts["residual_variances"] == model.inference.variances.tolist()
    penalised = descend.fit("y ~ a", noisy, l2=1.0).save(tmp_path / "p.safetensors")
    for lang in ("en", "ko"):
        reason = json.loads(called(capsys, "show", penalised, "--json", "--lang", lang)[1])["inference"]["reason"]
        assert reason == Note("inference.penalised", {}).tell(lang)


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_predict_tells_the_interval_of_a_row_given_by_hand(capsys, kept, lang):
    arguments = ["predict", kept, "--set", "a=10", "--set", "group=v", "--interval", "0.95", "--lang", lang]
    expected = descend.load(kept).intervals({"a": [10.0], "group": ["v"]})
    code, out, err = called(capsys, *arguments, "--json")
    assert (code, err) == (0, "")
    (found,) = json.loads(out)["predictions"]
    assert list(found) == ["y_predicted", "y_low", "y_high", "y_mean_low", "y_mean_high"]
    assert list(found.values()) == [expected[name][0] for name in found]
    code, out, err = called(capsys, *arguments)
    assert (code, err) == (0, "")
    assert all(name in out for name in found)


def test_predict_writes_the_intervals_of_a_file(capsys, kept, noisy, tmp_path):
    rows, made = tmp_path / "rows.csv", tmp_path / "made.csv"
    pl.DataFrame(noisy).write_csv(rows)
    code, _, _ = called(capsys, "predict", kept, rows, "--interval", "0.8", "--out", made)
    assert code == 0
    found, expected = pl.read_csv(made), descend.load(kept).intervals(noisy, level=0.8)
    assert found.columns == expected.columns
    for name in ("y_predicted", "y_low", "y_high", "y_mean_low", "y_mean_high"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)


@pytest.mark.parametrize("level", [0, 1, 2, -0.5, "nan"])
def test_a_level_that_is_no_probability_is_refused(capsys, kept, level):
    told = {"en": "between 0 and 1", "ko": "0과 1 사이"}
    for lang, words in told.items():
        code, out, err = called(
            capsys, "predict", kept, "--set", "a=1", "--set", "group=u", "--interval", level, "--lang", lang
        )
        assert (code, out) == (2, "")
        assert words in err
        assert called(capsys, "show", kept, "--inference", "--level", level, "--lang", lang)[0] == 2
    with pytest.raises(OptionError) as error:
        descend.load(kept).intervals({"a": [1.0], "group": ["u"]}, level=float(level))
    assert error.value.code == "option.share"


def test_an_interval_of_a_model_without_errors_is_refused(capsys, noisy, tmp_path):
    path = descend.fit("y ~ a", noisy, l2=1.0).save(tmp_path / "m.safetensors")
    for lang in ("en", "ko"):
        code, out, err = called(capsys, "predict", path, "--set", "a=1", "--interval", "0.9", "--lang", lang)
        assert (code != 0, out) == (True, "")
        assert Note("inference.penalised", {}).tell(lang)[:20] in err


def test_rows_of_intervals_are_checked_as_those_of_predictions(kept):
    with pytest.raises(DescendError) as error:
        descend.load(kept).intervals({"a": [1.0], "group": ["z"]})
    assert error.value.code == "design.unseen-level"
    with pytest.raises(DescendError) as error:
        descend.load(kept).intervals({"a": [None, 1.0], "group": ["u", "v"]})
    assert error.value.code == "table.missing"
    assert descend.load(kept).intervals({"a": [None, 1.0], "group": ["u", "v"]}, missing="drop").height == 1


def test_separable_classes_with_an_uneven_column_have_no_inference():
    x = np.random.default_rng(0).exponential(size=24)
    model = descend.fit("k ~ x", {"x": x, "k": np.where(x < 1, "a", "b")}, test="none")
    assert isinstance(model.inference, Note)


@pytest.mark.parametrize(("epochs", "told"), [(20, False), (30, False), (40, True), (60, True)])
def test_a_run_standard_errors_away_from_the_optimum_has_no_inference(epochs, told):
    random = np.random.default_rng(0)
    x = random.normal(size=1000)
    table = {"x": x, "y": 1e6 + x + random.normal(size=1000)}
    run = descend.fit("y ~ x", table, test="none", lr=0.25, epochs=epochs)
    optimum = descend.fit("y ~ x", table, test="none")
    away = np.abs(run.raw - optimum.raw) / optimum.inference.errors
    assert (away.max() < 1e-2) == told
    assert isinstance(run.inference, Note) is not told


def test_an_interval_across_a_pole_of_the_targets_transform_has_no_ends():
    random = np.random.default_rng(0)
    x = random.normal(size=12)
    y = 1 / (0.3 + 0.2 * x + 0.5 * np.abs(random.normal(size=12)))
    found = descend.fit("1/y ~ x", {"x": x, "y": y}, test="none").intervals({"x": [-1.0, 0.0, 2.0]})
    assert (found["y_low"] <= found["y_predicted"]).all()
    assert (found["y_predicted"] <= found["y_high"]).all()
    assert found["y_low"][0] == -np.inf
