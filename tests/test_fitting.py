"""fit(): from a table to a tested model, held against statsmodels, NumPy and PyTorch."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
import torch

import descend
from descend.base.errors import DescendError, DesignError, DivergedError, FitError, OptionError
from descend.solvers.recipe import Recipe


def test_three_rows_give_the_line_through_them(scores):
    model = descend.fit("score ~ hours", scores)
    assert model.coefficients == pytest.approx({"(intercept)": 0, "hours": 20}, abs=1e-12)
    assert model.equation == "score = 0 + 20 × hours"
    assert model.predict({"hours": [4]}) == pytest.approx([80])
    assert (model.history.stop, model.history.gap) == ("optimum", 0.0)


def test_body_mass_of_penguins_equals_statsmodels(penguins):
    ours = descend.fit("body_mass_g ~ species + sex + flipper_length_mm", penguins, missing="drop", test="none")
    frame = pd.read_csv(penguins).dropna(subset=["body_mass_g", "species", "sex", "flipper_length_mm"])
    theirs = smf.ols("body_mass_g ~ species + sex + flipper_length_mm", frame).fit()
    np.testing.assert_allclose(sorted(ours.coefficients.values()), sorted(theirs.params), rtol=1e-9)
    assert ours.coefficients["species[Gentoo]"] == pytest.approx(theirs.params["species[T.Gentoo]"])
    assert ours.fitted_rows == len(frame) == 333
    assert [note.code for note in ours.notes] == ["family.numbers", "note.dropped"]


@pytest.mark.parametrize(
    "formula",
    [
        "body_mass_g ~ poly(flipper_length_mm, 3)",
        "body_mass_g ~ species * sex + bill_length_mm",
        "body_mass_g ~ 0 + species + flipper_length_mm:sex",
        "log(body_mass_g) ~ log(flipper_length_mm) + I(bill_length_mm / bill_depth_mm)",
        "body_mass_g ~ C(year) + sqrt(bill_length_mm)",
    ],
)
def test_predictions_of_richer_hypotheses_equal_statsmodels(penguins, formula):
    frame = pd.read_csv(penguins).dropna().reset_index(drop=True)
    ours = descend.fit(formula, frame, test="none")
    there = formula.replace(
        "poly(flipper_length_mm, 3)", " + ".join(f"I((flipper_length_mm / 200)**{k})" for k in (1, 2, 3))
    )
    for name in ("log", "sqrt"):
        there = there.replace(f"{name}(", f"np.{name}(")
    theirs = smf.ols(there, frame).fit()
    expected = np.exp(theirs.fittedvalues) if formula.startswith("log") else theirs.fittedvalues
    np.testing.assert_allclose(ours.predict(frame), expected, rtol=1e-8)


def test_species_by_measurements_equals_a_penalised_fit_of_scikit_learn(penguins):
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    columns = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]
    frame = pd.read_csv(penguins).dropna(subset=columns)
    ours = descend.fit("species ~ " + " + ".join(columns), frame, l2=0.01, test="none")
    X = StandardScaler().fit_transform(frame[columns])
    theirs = LogisticRegression(C=1 / (2 * 0.01 * len(X)), tol=1e-12, max_iter=10_000).fit(X, frame["species"])
    np.testing.assert_allclose(ours.predict(frame, probabilities=True), theirs.predict_proba(X), atol=1e-6)
    np.testing.assert_array_equal(ours.predict(frame), theirs.predict(X))


def test_two_classes_equal_statsmodels_logit(noisy):
    ours = descend.fit("passed ~ a + b + group", noisy, test="none")
    frame = pd.DataFrame(noisy).assign(passed=(noisy["passed"] == "yes").astype(int))
    theirs = smf.logit("passed ~ a + b + group", frame).fit(disp=0, tol=1e-12)
    assert ours.family == "logistic"
    for name, value in theirs.params.items():
        mine = name.replace("Intercept", "(intercept)").replace("[T.", "[")
        assert ours.coefficients[mine] == pytest.approx(value, rel=1e-5)


def test_several_targets_are_fitted_as_each_alone(noisy):
    both = descend.fit("y + c ~ a + b", noisy, test="none")
    for target in ("y", "c"):
        alone = descend.fit(f"{target} ~ a + b", noisy, test="none")
        assert both.coefficients[target] == pytest.approx(alone.coefficients, rel=1e-9)
    assert both.predict(noisy).shape == (120, 2)


@pytest.mark.parametrize(("optimizer", "lr"), [("sgd", None), ("rmsprop", 0.02), ("adagrad", 1.0), ("adam", 0.1)])
def test_every_optimizer_comes_near_the_same_optimum(noisy, optimizer, lr):
    best = descend.fit("y ~ a + b", noisy, test="none").history.final_loss
    model = descend.fit("y ~ a + b", noisy, optimizer=optimizer, lr=lr, epochs=4000, test="none")
    assert model.history.final_loss == pytest.approx(best, rel=0.02)
    assert model.history.optimizer == optimizer
    assert model.history.epochs == 4000


def test_a_training_run_equals_a_pytorch_loop_through_the_whole_road(noisy):
    model = descend.fit(
        "y ~ a + c", noisy, optimizer="adam", lr=0.05, epochs=200, l2=0.01, test="none", init="normal", seed=5
    )
    columns = np.column_stack([noisy["a"], noisy["c"]])
    X = torch.tensor((columns - columns.mean(0)) / columns.std(0))
    X = torch.cat([torch.ones(120, 1, dtype=torch.float64), X], dim=1)
    w = torch.nn.Parameter(torch.tensor(np.random.default_rng(5).standard_normal((3, 1))))
    optimizer = torch.optim.Adam([w], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(X @ w, torch.tensor(noisy["y"])[:, None]) + 0.01 * (w[1:] ** 2).sum()
        loss.backward()
        optimizer.step()
    np.testing.assert_allclose(model.weights, w.detach().numpy(), rtol=1e-8)


def test_a_setting_of_epochs_means_sgd_and_says_so(noisy):
    model = descend.fit("y ~ a", noisy, lr=0.1, epochs=50)
    assert model.history.optimizer == "sgd"
    assert "note.sgd-asked" in [note.code for note in model.notes]
    assert model.history.epoch.tolist() == list(range(51))


def test_without_a_rate_sgd_takes_the_best_one(noisy):
    raw = descend.fit("y ~ a + b + c", noisy, optimizer="sgd", epochs=200, test="none")
    assert raw.history.gap < 1e-6 * raw.history.loss[0]
    batches = descend.fit("y ~ a + b", noisy, batch_size=10, epochs=300, test="none")
    assert batches.history.stop == "epochs"
    assert batches.history.final_loss < 1.5


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_divergence_is_told_with_the_epoch_and_the_largest_stable_rate(noisy, momentum):
    with pytest.raises(DivergedError) as error:
        descend.fit("y ~ a + c", noisy, lr=0.1, momentum=momentum, epochs=5000, standardize=False)
    told = error.value
    assert (told.code, told.exit_code) == ("fit.diverged-stable-raw", 3)
    assert told.model.history.epochs == told.values["epoch"]
    stable = told.values["stable"]
    below = descend.fit("y ~ a + c", noisy, lr=0.99 * stable, momentum=momentum, epochs=500, standardize=False)
    assert below.history.final_loss < below.history.loss[0]
    assert np.isfinite(told.model.weights).all()
    assert told.model.verification is None


def test_divergence_of_a_logistic_fit_names_a_rate_that_descends():
    data = {"x": [1.0, 2, 3, 4, 5, 6], "k": [0, 1, 0, 1, 0, 1]}
    with pytest.raises(DivergedError) as error:
        descend.fit("k ~ x", data, lr=1e4, epochs=50, test="none")
    assert error.value.code == "fit.diverged-bound"
    model = descend.fit("k ~ x", data, lr=error.value.values["stable"], epochs=50, test="none")
    assert (np.diff(model.history.loss) <= 1e-15).all()


def test_other_optimizers_are_told_a_smaller_rate(noisy):
    with pytest.raises(DivergedError) as error:
        descend.fit("y ~ a", noisy, optimizer="adam", lr=1e6, epochs=3)
    assert error.value.code == "fit.diverged"
    assert error.value.values["suggestion"] == 1e5


def codes(model):
    return [finding.code for finding in model.findings]


def test_separable_classes_are_noticed_and_a_penalty_helps():
    data = {"x": [1, 2, 3, 4, 5, 6], "k": ["a", "a", "a", "b", "b", "b"]}
    assert "finding.separable" in codes(descend.fit("k ~ x", data, test="none"))
    assert "finding.separable" not in codes(descend.fit("k ~ x", data, l2=0.1, test="none"))
    overlapping = {"x": [1, 2, 3, 4, 5, 6], "k": ["a", "b", "a", "b", "a", "b"]}
    assert "finding.separable" not in codes(descend.fit("k ~ x", overlapping, test="none"))


def test_early_stopping_holds_out_rows_of_the_fitted_ones(noisy):
    model = descend.fit("y ~ poly(a, 6) + b + c", noisy, optimizer="adam", lr=0.3, epochs=5000, patience=10)
    assert model.history.stop == "early"
    assert model.history.validation_loss.size == len(model.history)
    assert model.fitted_rows == 77  # 120, less 24 to test on, less 19 to stop by


def test_float32_is_kept_to_and_close(noisy):
    low = descend.fit("y ~ a + b", noisy, lr=0.3, epochs=300, dtype="float32", test="none")
    high = descend.fit("y ~ a + b", noisy, lr=0.3, epochs=300, test="none")
    assert low.coefficients == pytest.approx(high.coefficients, rel=1e-4)
    assert low.history.loss[0] == np.float32(low.history.loss[0])


def test_a_start_can_be_given_by_name_or_as_an_array(noisy):
    named = descend.fit("y ~ a", noisy, lr=0.01, epochs=1, test="none", init={"a": 2.0, "(intercept)": 1.0})
    array = descend.fit("y ~ a", noisy, lr=0.01, epochs=1, test="none", init=np.array([[1.0], [2.0]]))
    np.testing.assert_array_equal(named.history.snapshots[0], [1.0, 2.0])
    np.testing.assert_array_equal(named.weights, array.weights)


def test_a_constant_column_changes_nothing(noisy):
    with_it = descend.fit("y ~ a + k", {**noisy, "k": np.full(120, 7.0)}, test="none")
    without = descend.fit("y ~ a", noisy, test="none")
    np.testing.assert_allclose(with_it.predict({**noisy, "k": np.full(120, 7.0)}), without.predict(noisy), rtol=1e-9)


def test_more_columns_than_rows_are_fitted_by_the_smallest_weights():
    random = np.random.default_rng(0)
    data = {f"x{i}": random.normal(size=6) for i in range(10)} | {"y": random.normal(size=6)}
    model = descend.fit("y ~ .", data, test="none")
    np.testing.assert_allclose(model.predict(data), data["y"], rtol=1e-9)


@pytest.mark.parametrize(
    ("code", "settings"),
    [
        ("option.loss", {"loss": "hinge"}),
        ("option.missing", {"missing": "guess"}),
        ("option.dtype", {"dtype": "float16"}),
        ("option.ddof", {"ddof": 2}),
        ("option.count", {"epochs": 0}),
        ("option.count", {"batch_size": 2.5}),
        ("option.count", {"patience": True}),
        ("option.not-negative", {"l2": -1.0}),
        ("option.not-negative", {"tolerance": float("nan")}),
        ("option.not-negative", {"seed": -1}),
        ("option.share", {"validation": 1.0}),
        ("option.init", {"init": "ones"}),
        ("option.lr", {"lr": float("inf")}),
        ("option.optimizer", {"optimizer": "newton"}),
        ("option.schedule", {"schedule": "linear"}),
        ("option.no-effect", {"validation": 0.5}),
        ("option.no-effect", {"gamma": 0.5}),
        ("option.no-effect", {"delta": 2.0}),
        ("option.no-effect", {"schedule": "exponential", "step_size": 5}),
        ("option.not-number", {"lr": "fast"}),
        ("option.not-number", {"l2": True}),
    ],
)
def test_settings_that_make_no_sense_are_errors_before_a_table_is_read(code, settings):
    with pytest.raises(OptionError) as error:
        descend.fit("y ~ x", "no such file.csv", **settings)
    assert error.value.code == code


@pytest.mark.parametrize(
    ("code", "settings"),
    [
        ("option.family", {"family": "gamma"}),
        ("option.loss-family", {"family": "linear", "loss": "cross_entropy"}),
        ("option.init-name", {"init": {"z": 1.0}}),
        ("option.init-shape", {"init": [1.0]}),
        ("option.init-shape", {"init": {"a": [1.0, 2.0]}}),
        ("option.init-finite", {"init": {"a": float("nan")}}),
        ("option.test-rows", {"test": "121"}),
    ],
)
def test_settings_that_do_not_fit_the_table_are_errors(noisy, code, settings):
    with pytest.raises(DescendError) as error:
        descend.fit("y ~ a", noisy, **settings)
    assert error.value.code == code


def test_a_column_too_large_for_float32_is_an_error(noisy):
    data = {"y": noisy["y"], "a": noisy["a"] * 1e200}
    with pytest.raises(FitError) as error:
        descend.fit("y ~ a", data, lr=0.1, dtype="float32", standardize=False)
    assert error.value.code == "fit.not-finite"


def test_a_loss_that_the_target_does_not_allow_is_an_error(noisy):
    with pytest.raises(DesignError) as error:
        descend.fit("b ~ a", noisy, loss="msle")
    assert error.value.code == "design.negative-target"


def test_missing_cells_are_an_error_until_one_says_what_to_do():
    data = {"x": [1.0, None, 3.0, 4.0], "y": [2.0, 4.0, 6.0, None]}
    with pytest.raises(DescendError) as error:
        descend.fit("y ~ x", data)
    assert (error.value.code, error.value.line) == ("table.missing", 2)
    assert descend.fit("y ~ x", data, missing="drop").fitted_rows == 2
    with pytest.raises(DescendError) as target:
        descend.fit("y ~ x", data, missing="mean")
    assert target.value.code == "table.missing-no-mean"


def test_a_recipe_keeps_what_differs_from_the_defaults():
    recipe = Recipe(lr=0.1, epochs=10, init=np.zeros((2, 1)))
    assert recipe.changes() == {"lr": 0.1, "epochs": 10, "init": "given"}
    assert recipe.method == "sgd"
    assert Recipe().method == "auto"
    assert Recipe(optimizer="adam").method == "adam"


def uneven(name):
    random = np.random.default_rng(0)
    noise = random.normal(size=60)
    big, tiny, t = random.normal(size=60) * 1e9, random.normal(size=60) * 1e-7, 1.7e9 + 86.4 * np.arange(60)
    year = 2000.0 + np.arange(60) % 25
    made = {
        "scales": ({"a": big, "b": tiny, "y": 5 + 6e-9 * big + 3e7 * tiny + noise}, "y ~ a + b"),
        "offset": ({"t": t, "y": 2 * np.arange(60) + noise}, "y ~ t"),
        "years": ({"year": year, "y": (year - 2012) ** 2 + noise}, "y ~ poly(year, 2, raw=True)"),
    }
    return made[name]


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("name", ["scales", "offset", "years"])
def test_the_optimum_is_reached_on_columns_of_any_scale(name, standardize):
    data, formula = uneven(name)
    model = descend.fit(formula, data, standardize=standardize, test="none")
    columns = [values for key, values in data.items() if key != "y"]
    if name == "years":
        columns.append(columns[0] ** 2)
    X = np.column_stack([np.ones(60), *((c - c.mean()) / c.std() for c in columns)])
    least = np.square(data["y"] - X @ np.linalg.lstsq(X, data["y"], rcond=None)[0]).mean()
    reached = np.square(data["y"] - model.predict(data)).mean()
    assert reached == pytest.approx(least, rel=1e-4)
    assert model.history.final_loss == pytest.approx(least, rel=1e-4)
    assert model.history.loss[0] == pytest.approx(np.square(data["y"]).mean())
    assert model.notes[0].code == "family.numbers"


@pytest.mark.parametrize("name", ["scales", "offset", "years"])
def test_the_printed_equation_can_be_used_as_printed(name):
    data, formula = uneven(name)
    model = descend.fit(formula, data, test="none")
    right = model.equation.split(" = ")[1].replace("−", "-").replace("×", "*").replace("^", "**")
    computed = eval(right, {key: values for key, values in data.items() if key != "y"})
    np.testing.assert_allclose(computed, model.predict(data), atol=1e-3 * data["y"].std())


def test_columns_that_determine_one_another_are_named(noisy):
    data = {**noisy, "a2": 2 * noisy["a"] + 1, "k": np.full(120, 3.0)}
    for standardize in (True, False):
        found = {f.code: f for f in descend.fit("y ~ a + b + a2 + k", data, standardize=standardize).findings}
        assert "k" in found["finding.constant"].tell()
        named = found["finding.collinear"].values["columns"].split(", ")
        assert {"a", "a2"} <= set(named)
        assert "b" not in named
    assert descend.fit("y ~ a + b", data).findings == []


def test_every_run_on_squared_error_tells_its_gap(noisy):
    best = descend.fit("y ~ a + b", noisy, test="none").history.final_loss
    run = descend.fit("y ~ a + b", noisy, optimizer="adam", lr=0.1, epochs=100, test="none").history
    assert run.gap == pytest.approx(run.final_loss - best)


@pytest.mark.parametrize("delta", [0.1, 1.0, 10.0])
def test_a_huber_fit_arrives_from_where_no_row_is_near(delta):
    """At the start every residual is beyond delta, where the loss has no curvature at all."""
    random = np.random.default_rng(0)
    a, b = random.normal(100, 3, 2000), random.exponential(2, 2000)
    y = 200 + 2 * a - b + random.standard_t(2, 2000)
    model = descend.fit("y ~ a + b", {"a": a, "b": b, "y": y}, loss="huber", delta=delta, test="none")
    residuals = y - model.predict({"a": a, "b": b}).ravel()
    pull = np.clip(residuals, -delta, delta)  # the loss's derivative: at the minimum no column is pulled
    for column in (np.ones_like(a), (a - 100) / 3, b / 2):
        assert abs((pull * column).mean()) < 1e-9 * delta


@pytest.mark.parametrize("network", [{}, {"hypothesis": "mlp(3)", "dtype": "float64"}])
def test_a_sum_of_squares_over_held_out_rows_is_told_for_as_many_rows_as_were_fitted(noisy, network):
    summed, mean = (
        descend.fit("y ~ a + b", noisy, loss=loss, optimizer="sgd", lr=lr, epochs=5, patience=5, **network).history
        for loss, lr in (("sse", 1e-6), ("mse", 1e-6 * 77))
    )
    rows = summed.loss[0] / mean.loss[0]
    assert rows == pytest.approx(77)  # of 120 rows 24 are tested, and a fifth of the others is held out
    np.testing.assert_allclose(summed.validation_loss, rows * mean.validation_loss, rtol=1e-6)


@pytest.mark.parametrize("size", [1e-154, 1e-160, 1e-200, 1e-310])
@pytest.mark.parametrize("road", [{}, {"memory": "1KB"}], ids=["memory", "parts"])
def test_a_target_whose_squares_vanish_is_refused(size, road, tmp_path):
    x = np.random.default_rng(0).normal(size=80)
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{one},{float((one + 1) * size)!r}\n" for one in x))
    with pytest.raises(FitError) as error:
        descend.fit("y ~ x", path, **road)
    assert error.value.code == "fit.squares-vanish"
    descend.fit("y ~ x", {"x": x, "y": (x + 1) * 1e-150})
    descend.fit("y ~ x", {"x": x, "y": np.zeros(80)})


@pytest.mark.parametrize("loss", ["huber", "mae"])
@pytest.mark.parametrize(("size", "arrives"), [(1e300, True), (1e307, False)])  # the second's loss is beyond float64
def test_numbers_near_the_end_of_float64_are_fitted_or_told_and_warn_of_nothing(loss, size, arrives, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{x!r},{(x + 2) * size!r}\n" for x in np.linspace(-1, 1, 60).tolist()))
    model = descend.fit("y ~ x", path, loss=loss)  # a warning is an error here
    assert any(finding.unfinished for finding in model.findings) is not arrives
    if arrives:
        assert model.coefficients["x"] / size == pytest.approx(1, rel=1e-6)
