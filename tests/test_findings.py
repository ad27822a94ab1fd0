"""Every kind of finding: shown at its threshold, told, kept in the file, and gone once its change is applied."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import numpy as np
import pytest
import statsmodels.api as sm
from conftest import ROOT
from finding_fixtures import clean, decay, evidence, heteroscedastic, high_leverage, rate_too_large, unscaled
from scipy.integrate import quad
from scipy.special import ndtr
from scipy.stats import kstest
from statsmodels.discrete._diagnostics_count import test_poisson_dispersion as dispersion_poisson
from statsmodels.stats.stattools import durbin_watson

import descend
from descend.analysis.curve_inference import infer_curve
from descend.analysis.diagnosis import FINDINGS, Change, diagnose
from descend.analysis.diagnosis.kinds.autocorrelation import durbin_watson_test
from descend.analysis.diagnosis.remedies.case import Case
from descend.analysis.verification import split_rows
from descend.base import container
from descend.base.errors import DivergedError
from descend.base.messages import codes
from descend.objectives.families import FAMILIES
from descend.report.json import model_facts
from descend.solvers.recipe import Recipe
from descend.solvers.search import OtherMinimum, Search
from descend.tables.reading_settings import reading_keywords

# one case for every finding, each with a number that makes it stronger


def rate_bounces(share):
    base = evidence("y ~ x + z", clean(), lr=0.1, epochs=4, loss="huber")
    loss = np.array([2.0, 1.0, 1.0 + share, 1.0 + share - 1e-3, 1.0])
    return replace(base, history=replace(base.history, loss=loss, final_gradient_norm=1.0))


def rate_too_small(epochs):
    return evidence("y ~ x + z", clean(), lr=0.001, epochs=epochs)


def not_converged(epochs):
    return evidence("y ~ x + z", clean(), lr=0.1, epochs=epochs)


def not_converged_least(epochs):
    return evidence("y ~ x + z", clean(), lr=0.1, epochs=epochs, dtype="float32")


def not_converged_unsteady(last):
    base = evidence("y ~ x + z", clean(), lr=0.5, epochs=4, loss="huber")
    slopes = np.array([1.0, 0.5, 0.9, 0.6, 1.0]) * base.history.gradient_norm[0]
    slopes[-1] *= last
    losses = base.history.loss[0] * np.array([1.0, 0.8, 0.7, 0.6, 0.5])
    ended = replace(
        base.history, gradient_norm=slopes, final_gradient_norm=slopes[-1], loss=losses, final_loss=losses[-1]
    )
    return replace(base, history=ended)


def short_of_the_optimum(stop, table=None, **settings):
    """Return the evidence of a run to the optimum that ended as ``stop`` says."""
    base = evidence("y ~ x + z", table or clean(), loss="huber", **settings)
    return replace(base, history=replace(base.history, stop=stop))


def not_arrived(stop):
    return short_of_the_optimum(stop)


def not_arrived_from(stop):
    return short_of_the_optimum(stop, init={"x": 3.0})


def not_arrived_raw(stop):
    return short_of_the_optimum(stop, standardize=False)


def hollows(rows):
    """Return a fit in which ``rows`` of the 60 rows are predicted far from what they are, whatever is done."""
    t = clean()
    y = 50 + t["x"] + t["z"]
    y[:rows] = 1e6
    return evidence("y ~ x + z", {**t, "y": np.where(np.arange(60) < 60 - rows, y[::-1], 0.0)}, loss="msle")


def stopped_early(**changes):
    base = evidence("y ~ x + z", clean(), patience=5, epochs=100, lr=0.4)
    return replace(base, history=replace(base.history, stop="early", **changes))


def overfit(rise):
    loss = np.array([4.0, 2.0, 1.0])
    return stopped_early(epoch=np.arange(3), loss=loss, validation_loss=np.array([4.0, 2.0, 2.0 * (1 + rise)]))


def underfit(share):
    loss = share * stopped_early().objective.Y.var()
    return stopped_early(final_loss=loss, validation_loss=np.full(3, loss), loss=np.full(3, loss), epoch=np.arange(3))


def underfit_image(share):
    images = np.random.default_rng(0).integers(0, 255, (60, 2, 2), np.uint8)
    base = evidence("y ~ image", {"image": images, "y": clean()["y"]}, patience=5, epochs=100, lr=0.4)
    loss = share * base.objective.Y.var()
    flat = {"loss": np.full(3, loss), "validation_loss": np.full(3, loss), "epoch": np.arange(3)}
    return replace(base, history=replace(base.history, stop="early", final_loss=loss, **flat))


def of_network(**history):
    """Return a network's evidence with a run of three epochs as it is given."""
    base = evidence("y ~ x", clean(), hypothesis="mlp(2)", patience=5, epochs=2, dtype="float64")
    return replace(base, history=replace(base.history, stop="epochs", epoch=np.arange(3), **history))


def overfit_network(rise):
    return of_network(loss=np.array([4.0, 2.0, 1.0]), validation_loss=np.array([4.0, 2.0, 2.0 * (1 + rise)]))


def underfit_network(share):
    loss = share * float(of_network().over.Y.var())
    return of_network(final_loss=loss, validation_loss=np.full(3, loss), loss=np.full(3, loss))


def dead_target(spread):
    t = clean()
    return evidence("y ~ x", {**t, "y": 5 + spread * t["noise"]})


def leakage(apart):
    t = clean()
    return evidence("y ~ x + z", {**t, "y": 3 * (t["x"] + apart * t["noise"])})


def leakage_classes(rows_of_class):
    x = np.arange(40.0)
    return evidence("c ~ x + z", {"x": x, "z": clean(40)["z"], "c": np.where(x < rows_of_class, "a", "b")})


def leakage_category(wrong):
    x, c = clean(40)["x"], np.repeat(["a", "b"], 20)
    g = np.where(c == "a", "u", "v")
    g[:wrong] = "v"
    return evidence("c ~ x + g", {"x": x, "g": g, "c": c})


def separable(overlap):
    x = np.arange(30.0)
    x[15] -= overlap
    return evidence("c ~ x", {"x": x, "c": np.repeat(["a", "b"], 15)})


def quasi_separable(overlap):
    return separable(1 + overlap)


def imbalance(rare):
    t = clean(100)
    c = np.where(np.isin(np.arange(100), np.linspace(0, 99, rare).astype(int)), "rare", "usual")
    return evidence("c ~ x", {**t, "c": c}, l2=0.01)


def few_rows(rows):
    return evidence("y ~ x", clean(rows))


def more_columns(rows):
    return evidence("y ~ x + z + noise", {name: values[:rows] for name, values in clean().items()})


def constant(change):
    t = clean()
    return evidence("y ~ x + c", {**t, "c": 5 + change * t["z"]})


def nearly_constant(change):
    return constant(change)


def empty_level(rows_of_level):
    t = clean()
    g = np.array(["u", "v", "w"])[np.arange(60) % 3]
    rows = np.concatenate([np.flatnonzero(g != "w"), np.flatnonzero(g == "w")[:rows_of_level]])
    return evidence("y ~ x + g", {**t, "g": g}, rows=rows)


def collinear(apart):
    t = clean()
    return evidence("y ~ x + z + s", {**t, "s": t["x"] + t["z"] + apart * t["other"]})


def near_collinear(apart):
    t = clean()
    return evidence("y ~ x + s", {**t, "s": t["x"] + apart * t["other"]})


def raw_powers(offset):
    t = clean()
    return evidence("y ~ poly(w, 2, raw=True)", {**t, "w": np.linspace(-1, 1, 60) + offset})


def outliers(away):
    t = clean()
    y = t["y"].copy()
    y[7] += away
    return evidence("y ~ x + z", {**t, "y": y})


def curvature(bend):
    t = clean()
    return evidence("y ~ x + z", {**t, "y": t["y"] + bend * t["x"] ** 2})


def untrained(epochs):
    t = clean()
    return evidence("y ~ x + z", {**t, "y": 1000 + t["y"]}, lr=0.1, epochs=epochs)


def untrained_network(share):
    alone = float(of_network().over.Y.var())
    return of_network(loss=np.array([9.0, 8.0, share * alone]), final_loss=share * alone, final_gradient_norm=1e-9)


def missing_code(times):
    table = clean()
    apart = np.linspace(0, 1, 60)
    apart[[3, 9]] = 1 + times
    return evidence("y ~ x + apart", table | {"apart": apart})


def near_same_levels(same):
    other = "Yes" if same else "so"
    return evidence("y ~ x + g", clean() | {"g": ["yes", "no", other] * 20})


def autocorrelated(share):
    t = clean()
    errors = t["noise"] + share * np.roll(t["noise"], 1)
    return evidence("y ~ x + z", {**t, "day": np.arange(60), "y": 1 + t["x"] + t["z"] + errors})


def counts(t, spread):
    mean = 1000 * np.exp(0.3 * t["x"])
    return np.round(mean + spread * np.sqrt(mean) * t["noise"])


def overdispersed(spread):
    t = clean()
    return evidence("y ~ x", {**t, "y": counts(t, spread)}, family="poisson")


def undetermined_together(more):
    return evidence(f"y = a*d*exp(-b*x) + c + {more}*d*x", decay())


def undetermined(more):
    return evidence(f"y = a*(d + c*exp(-b*x)) + {more}*d*x", decay())


def no_effect(end):
    base = evidence("y = a*exp(-b*x) + c + 0.1*max(0, x - k)", decay())
    return replace(base, weights=np.array([[3.0], [0.8], [0.5], [end]]), search=None)


def correlated_parameters(until):
    base = evidence("y = a*exp(-b*x) + c", decay(until=until))
    return replace(base, inference=infer_curve(base.curve, base.weights.ravel(), arrived=True))


def at_bound(least):
    return evidence("y = a*exp(-b*x) + c", decay(), bounds={"c": (least, None)})


def searched(**facts):
    """Return the evidence of a curve's fit whose search found these."""
    base = evidence("y = a*exp(-b*x) + c", decay())
    return replace(base, search=Search(**facts))


def endless(share):
    return searched(endless={"a": share} if share else {})


def endless_line(bend):
    base = searched(endless={"a": 1.0})
    return replace(base, weights=np.array([[1e3 / bend], [1e-3 * bend], [0.0]]))


def endless_constant(height):
    return replace(searched(endless={"a": 1.0}), weights=np.array([[height], [0.1], [1.0]]))


def other_minimum(times):
    least = evidence("y = a*exp(-b*x) + c", decay()).history.final_loss
    return searched(starts=10, reached=9, others=(OtherMinimum(times * least, np.array([1.0, 2.0, 3.0])),))


def lone_minimum(reached):
    return searched(starts=30, reached=reached, others=(OtherMinimum(9.0, np.array([1.0, 2.0, 3.0])),))


def undefined_start(k):
    return evidence("y = a*log(x + k) + c", decay(), init={"a": 1, "k": k, "c": 1})


def not_at_minimum(stop):
    base = searched()
    return replace(base, history=replace(base.history, stop=stop))


THRESHOLDS = [  # what builds it, the number at which it is told and the one, just short of that, at which it is not
    (unscaled, 101, 99),
    (rate_too_large, 1.001, 0.999),
    (rate_bounces, 0.51, 0.49),
    (rate_too_small, 173, 174),
    (not_converged, 10, 11),
    (not_converged_least, 20, 21),
    (untrained, 34, 35),
    (untrained_network, 1.001, 0.999),
    (not_converged_unsteady, 1.0, 0.009),
    (not_arrived, "stalled", "optimum"),
    (not_arrived_from, "epochs", "optimum"),
    (not_arrived_raw, "stalled", "optimum"),
    (hollows, 3, 0),
    (overfit, 0.101, 0.099),
    (underfit, 0.991, 0.989),
    (underfit_image, 0.991, 0.989),
    (overfit_network, 0.101, 0.099),
    (underfit_network, 0.991, 0.989),
    (dead_target, 1e-12, 1.2e-12),
    (leakage, 0.0044, 0.0046),
    (leakage_classes, 5, 4),
    (leakage_category, 0, 1),
    (separable, 0.99, 1.01),
    (quasi_separable, 0, 0.01),
    (imbalance, 4, 5),
    (few_rows, 19, 20),
    (more_columns, 3, 4),
    (constant, 0, 1e-9),
    (nearly_constant, 1e-14, 1e-13),
    (empty_level, 0, 1),
    (collinear, 1e-14, 1e-12),
    (near_collinear, 0.0309, 0.0313),
    (raw_powers, 8.45, 8.43),
    (outliers, 4.93, 4.9),
    (high_leverage, 14.1, 13.9),
    (curvature, 0.46, 0.45),
    (heteroscedastic, 0.235, 0.233),
    (autocorrelated, 0.221, 0.22),
    (overdispersed, 1.24, 1.23),
    (missing_code, 5.01, 4.99),
    (near_same_levels, 1, 0),
    (undetermined_together, 0, 1),
    (undetermined, 0, 1),
    (no_effect, 6.1, 5.9),
    (correlated_parameters, 0.5, 6),
    (at_bound, 0.6, 0.1),
    (endless, 1.0, 0.0),
    (endless_line, 0.1, 10),
    (endless_constant, 0.01, 0.02),
    (other_minimum, 1.19, 1.21),
    (lone_minimum, 3, 4),
    (undefined_start, 0, 1e-3),
    (not_at_minimum, "stalled", "optimum"),
]
NAMES = {leakage_category: "leakage-classes"}


def code_of(build):
    return NAMES.get(build, build.__name__.replace("_", "-"))


@pytest.mark.parametrize(("build", "told", "silent"), THRESHOLDS, ids=[build.__name__ for build, _, _ in THRESHOLDS])
def test_a_finding_is_told_at_its_threshold_and_not_just_short_of_it(build, told, silent):
    code = f"finding.{code_of(build)}"
    assert code in [finding.code for finding in diagnose(build(told))]
    assert code not in [finding.code for finding in diagnose(build(silent))]


def test_every_finding_has_a_case_and_a_remedy_in_both_languages():
    told = {code for code in codes("en") if code.startswith("finding.") and not code.endswith(".remedy")}
    assert {f"finding.{code_of(build)}" for build, _, _ in THRESHOLDS} == told
    for build, strength, _ in THRESHOLDS:
        for finding in diagnose(build(strength)):
            for lang in ("en", "ko"):
                assert "{" not in finding.tell(lang) + finding.remedy(lang)
            assert re.search("[가-힣]", finding.tell("ko"))
            assert re.search("[가-힣]", finding.remedy("ko"))


PENGUINS = str(ROOT / "examples" / "penguins.csv")
MASS = "body_mass_g ~ flipper_length_mm + bill_length_mm"
BIRDS = {"missing": "drop"}


def days(t):
    return [f"2024-{1 + day // 28:02}-{1 + day % 28:02}" for day in range(60)]


def walk(rows, seed=0):
    return np.random.default_rng(seed).normal(size=rows).cumsum()


def thirds(t):
    return np.array(["u", "v", "w"])[np.arange(len(t["x"])) % 3]


def with_last(t):
    """Return classes of which the last has one row only, which is in the rows of the test."""
    levels = np.where(np.arange(60) % 2, "u", "v")
    levels[LAST] = "w"
    return levels


LAST = split_rows(60, "auto", 0).folds[0][1][0]
NOISE = {
    **clean(),
    **{f"n{index}": column for index, column in enumerate(np.random.default_rng(1).normal(size=(40, 60)))},
}
RARE = np.where(np.isin(np.arange(100), [3, 44, 91]), "rare", "usual")
IMAGES = np.random.default_rng(0).integers(0, 2, (800, 2, 2), dtype=np.uint8) * 255
ONE = {"test": "none"}
GRID, EVEN = np.linspace(0, 6, 60), 0.1 * np.tile([1, -1, -1, 1], 15)
CASES = {  # the finding: formula, table, settings and the labels of what is offered
    "unscaled": (MASS, PENGUINS, {**BIRDS, "standardize": False, "lr": 1e-6, "epochs": 50}, "standardise-best"),
    "unscaled at the optimum": (MASS, PENGUINS, {**BIRDS, "standardize": False, "l2": 1e-6}, "standardise"),
    "rate-too-large": (MASS, PENGUINS, {**BIRDS, "lr": 1.2, "epochs": 80}, "best-rate optimum"),
    "rate-too-large in batches": (MASS, PENGUINS, {**BIRDS, "lr": 3, "batch_size": 32, "epochs": 40}, "rate optimum"),
    "rate-bounces": (MASS, PENGUINS, {**BIRDS, "lr": 4000, "epochs": 40, "loss": "mae"}, "rate optimum"),
    "rate-too-small": (MASS, PENGUINS, {**BIRDS, "lr": 1e-4, "epochs": 40}, "best-rate optimum"),
    "rate-too-small for a bound": ("sex ~ body_mass_g", PENGUINS, {**BIRDS, "lr": 1e-5, "epochs": 9}, "rate optimum"),
    "not-converged": (MASS, PENGUINS, {**BIRDS, "lr": 0.02, "epochs": 30}, "best-rate epochs optimum"),
    "not-converged with momentum": (
        MASS,
        PENGUINS,
        {**BIRDS, "lr": 0.05, "epochs": 9, "momentum": 0.5},
        "epochs optimum",
    ),
    "not-converged-least": (
        "sex ~ body_mass_g + bill_depth_mm",
        PENGUINS,
        {**BIRDS, "lr": 0.5, "epochs": 60},
        "epochs optimum",
    ),
    "untrained": ("y ~ x + z", clean(y=lambda t: 1000 + t["y"]), {"lr": 0.1, "epochs": 16}, "optimum"),
    "untrained-network": (
        "y ~ x + z",
        clean(y=lambda t: 1000 + t["y"]),
        {"hypothesis": "mlp(4)", "epochs": 1, "lr": 1e-9, "batch_size": 8, "seed": 1},
        "",
    ),
    "overfit": ("y ~ . - noise", NOISE, {"lr": 0.05, "epochs": 900, "patience": 900, **ONE}, "stop l2"),
    "underfit": ("y ~ x + z", clean(600, y=lambda t: t["x"] ** 2), {"lr": 0.3, "patience": 5}, "bend"),
    "leakage": ("y ~ x + z + x:other", clean(y=lambda t: 3 * t["x"]), {}, "leave-out"),
    "leakage-classes": ("c ~ x + z", clean(c=lambda t: np.where(t["x"] > 0.1, "a", "b")), {}, "leave-out"),
    "separable": ("c ~ x", clean(c=lambda t: np.where(t["x"] > 0.1, "a", "b")), {}, "l2"),
    "quasi-separable": (
        "c ~ g + x",
        clean(g=thirds, c=lambda t: np.where((thirds(t) == "u") | (t["noise"] > 0), "a", "b")),
        {},
        "l2",
    ),
    "more-columns": ("y ~ x + z + other", {name: column[:3] for name, column in clean().items()}, {}, "l2"),
    "few-rows": ("y ~ x + z", clean(24), ONE, "l2"),
    "empty-level": ("y ~ x + g", clean(g=with_last), {"seed": 0}, "all-rows leave-out"),
    "constant": (
        "y ~ x + c + d",
        clean(c=lambda t: 0 * t["x"] + 5, d=lambda t: 0 * t["x"]),
        {"init": {"x": 0.5}},
        "leave-out",
    ),
    "nearly-constant": ("y ~ x + c", clean(c=lambda t: 1e8 + 1.5e-8 * (np.arange(60) % 3)), {}, "leave-out"),
    "collinear": ("y ~ x + z + s", clean(s=lambda t: t["x"] + t["z"]), {}, "leave-out l2"),
    "near-collinear": ("y ~ x*g + s", clean(g=thirds, s=lambda t: t["x"] + 0.01 * t["other"]), {}, "leave-out l2"),
    "raw-powers": ("y ~ poly(w, 3, raw=True)", clean(w=lambda t: np.linspace(100, 101, 60)), {}, "orthogonal"),
    "near-same-levels": ("y ~ x + g", clean(g=lambda t: ["yes", "no", "Yes"] * 20), {}, ""),
    "missing-code": (
        "y ~ x + z",
        clean(z=lambda t: np.where(np.arange(60) % 20 == 7, 9999, t["z"])),
        {},
        "missing-code",
    ),
    "missing-code where such rows are left out": (
        "y ~ x + z",
        clean(z=lambda t: np.where(np.arange(60) % 20 == 7, -999, t["z"])),
        {"missing": "drop"},
        "missing-text",
    ),
    "outliers": ("y ~ x + z", clean(y=lambda t: t["y"] + 9 * (np.arange(60) == 7)), ONE, "huber"),
    "curvature": ("y ~ x + z", clean(y=lambda t: t["y"] + t["x"] ** 2), ONE, "bend"),
    "heteroscedastic": ("y ~ x + z", clean(500, y=lambda t: (4 + t["x"]) * np.exp(0.4 * t["noise"])), ONE, "predict"),
    "heteroscedastic below 0": (
        "y ~ x",
        clean(200, y=lambda t: t["x"] + t["noise"] * np.exp(t["x"] / 2)),
        ONE,
        "",
    ),
    "autocorrelated": (
        "y ~ x + z",
        clean(year=lambda t: 1960 + np.arange(60), y=lambda t: t["y"] + 0.1 * np.arange(60)),
        {},
        "bend",
    ),
    "autocorrelated by date": ("y ~ x + z", clean(day=days, y=lambda t: t["y"] + 0.1 * np.arange(60)), {}, ""),
    "overdispersed": ("y ~ x", clean(y=lambda t: counts(t, 2)), {"family": "poisson"}, ""),
    "autocorrelated by more than a trend": ("y ~ x", clean(day=days, y=lambda t: walk(60)), {}, ""),
    "overfit-network": (
        "y ~ x + z",
        clean(),
        {"hypothesis": "mlp(64)", "lr": 0.01, "epochs": 150, "patience": 150, "optimizer": "adam"},
        "dropout weight-decay stop",
    ),
    "hollows": (
        "y ~ x + z",
        clean(y=lambda t: np.where(np.arange(60) < 57, 50 + t["x"] + t["z"], 0.0)),
        {"loss": "msle", "test": "none"},
        "",
    ),
    "underfit-image": (
        "label ~ image",
        {"image": IMAGES, "label": np.where((IMAGES[:, 0, 0] > 0) ^ (IMAGES[:, 1, 1] > 0), "odd", "even")},
        {"patience": 20, "lr": 0.5},
        "network",
    ),
    "dead-target": ("y ~ x", clean(y=lambda t: 0 * t["x"] + 5), {}, ""),
    "imbalance": ("c ~ x", clean(100, c=lambda t: RARE), {"l2": 0.01}, ""),
    "high-leverage": (
        "y ~ x + z",
        clean(
            x=lambda t: np.where(np.arange(60) == 7, 15, t["x"]),
            y=lambda t: t["z"] + t["noise"] + 0.1 * t["x"] * (np.arange(60) != 7),
        ),
        ONE,
        "",
    ),
    "undetermined-together": ("y = a*d*exp(-b*x) + c", decay(), {}, "hold"),
    "undetermined": ("y = a*(d + c*exp(-b*x))", decay(), {}, "hold"),
    "no-effect": ("y = a*exp(-b*x) + c + 0*k*x", decay(), {}, "hold"),
    "correlated-parameters": ("y = a*exp(-b*x) + c", decay(until=0.5), {}, ""),
    "at-bound": ("y = a*exp(-b*x) + c", decay(), {"bounds": {"c": (0.6, None), "b": (0, 9)}}, "free"),
    "undefined-start": ("y = a*log(x + k) + c", decay(), {"init": {"a": 1, "k": -1, "c": 1}}, ""),
    "endless": ("y = a/(1 + exp(-k*(x - 3))) + b", {"x": GRID, "y": (GRID > 3) + EVEN}, {}, ""),
    "endless-line": (
        "y = a + c*x + x**2/(b**2 + x)",
        {"x": GRID, "y": 1 + 2 * GRID - 0.02 * GRID**2 + EVEN},
        {},
        "",
    ),
    "endless-constant": ("y = a + x**2/(b**2 + x**2)", {"x": GRID, "y": 1 - 0.1 * GRID + EVEN}, {}, ""),
    "underfit-network": (
        "y ~ other",
        clean(2000),
        {"hypothesis": "mlp(2)", "epochs": 5, "patience": 5, "seed": 3, "lr": 0.001},
        "",
    ),
}


def fitted(formula, table, settings):
    try:
        return descend.fit(formula, table, **settings)
    except DivergedError as error:
        return error.model


@cache
def told(case):
    """Return the fit of a case and its finding."""
    formula, table, settings, _ = CASES[case]
    model = fitted(formula, table, settings)
    (finding,) = [finding for finding in model.findings if finding.code == f"finding.{case.split()[0]}"]
    return model, finding


def offered(case):
    return told(case)[1].fixes


def mends(name, values, formula, model, settings, forecast=None):
    """Return what a kind of finding offers for these values of a fit that was made."""
    known = [*model.design.uses, *model.target.columns]
    case = Case(values, formula, settings, Recipe(**settings), forecast, known, model.design)
    return case.possible(FINDINGS[name].offers)


@pytest.mark.parametrize("case", CASES)
def test_a_finding_offers_what_a_click_can_do_the_best_first(case):
    assert " ".join(change.label.code.removeprefix("remedy.") for change in offered(case)) == CASES[case][3]
    for change in offered(case):
        for lang in ("en", "ko"):
            assert "{" not in change.label.tell(lang)


@pytest.mark.parametrize("case", CASES)
def test_a_finding_is_told_kept_and_written_with_what_mends_it(case, tmp_path):
    model, finding = told(case)
    again = descend.load(model.save(tmp_path / "m.safetensors"))
    assert again.findings == model.findings
    for lang in ("en", "ko"):
        assert "{" not in finding.tell(lang) + finding.remedy(lang)
        (facts,) = [fact for fact in model_facts(model, lang)["findings"] if fact["code"] == finding.code]
        assert (facts["sentence"], facts["remedy"]) == (finding.tell(lang), finding.remedy(lang))
        assert [fix["label"] for fix in facts["fixes"]] == [fix.tell(lang) for fix in finding.fixes]
        for fact, fix in zip(facts["fixes"], finding.fixes, strict=True):
            assert (fact["formula"], fact["settings"], fact["reading"]) == (fix.formula, fix.settings, fix.reading)


def test_a_file_written_before_findings_had_changes_loads_without_them(tmp_path):
    model, finding = told("curvature")
    header, tensors = container.read_container(model.save(tmp_path / "m.safetensors"))
    del header["fixes"]
    again = descend.load(container.write_container(tmp_path / "old.safetensors", header, tensors))
    assert finding.fixes
    assert [(one.code, one.fixes) for one in again.findings] == [(one.code, ()) for one in model.findings]


@pytest.mark.parametrize(
    "forged",
    [
        {"label": {"code": "remedy.none", "values": {}}},
        {"label": {"code": "remedy.rate", "values": {}}},
        {"formula": 3},
        {"settings": {"sudo": 1}},
        {"settings": {"lr": {"a": 1}}},
        {"reading": {"na": [1]}},
        {"more": 1},
    ],
)
def test_a_forged_change_is_refused(forged):
    _, finding = told("curvature")
    kept = finding.fix.as_dict()
    assert Change.restore(kept) == finding.fix
    with pytest.raises((ValueError, KeyError)):
        Change.restore({**kept, **forged})


PROMISED = {  # what is still told after the remedy, and is better by it
    ("few-rows", "l2"): lambda before, after: norm(after) < norm(before),
    ("overfit", "l2"): lambda before, after: rise(after) < rise(before),
    ("overfit-network", "dropout"): lambda before, after: rise(after) < rise(before),
    ("overfit-network", "weight-decay"): lambda before, after: rise(after) < rise(before),
    ("not-converged-least", "epochs"): lambda before, after: slope(after) < 0.5 * slope(before),
}


def norm(model):
    return np.linalg.norm(model.weights[1:])


def rise(model):
    return model.history.validation_loss[-1] / model.history.validation_loss.min()


def slope(model):
    return model.history.final_gradient_norm


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case, (*_, labels) in CASES.items() if labels])
def test_a_remedy_pressed_ends_what_was_found(case):
    formula, table, settings, _ = CASES[case]
    before, finding = told(case)
    for change in offered(case):
        after_formula, after_settings = change.applied(formula, settings)
        again = descend.read(table, **reading_keywords(change.reading)) if change.reading else table
        after = descend.fit(after_formula, again, **after_settings)  # none of them diverges
        promise = PROMISED.get((case, change.label.code.removeprefix("remedy.")))
        still = finding.code in [found.code for found in after.findings]
        assert still == (promise is not None), change.label.tell()
        if promise is not None:
            assert promise(before, after), change.label.tell()


HARDLY_EVER = {  # the findings of runs that no table here brings about: settings, the labels of what is offered
    "not-arrived": ({"loss": "huber"}, "l2"),
    "not-arrived-from": ({"loss": "huber", "init": {"x": 3.0}}, "reset"),
    "not-arrived-raw": ({"loss": "huber", "standardize": False}, "standardise"),
    "not-converged-unsteady": ({"loss": "huber", "lr": 0.5, "epochs": 4}, "optimum"),
}


OF_A_SEARCH = {"other-minimum", "lone-minimum", "not-at-minimum"}  # they offer nothing, and THRESHOLDS has each


@pytest.mark.parametrize("code", HARDLY_EVER)
def test_a_run_that_ended_too_soon_offers_what_makes_the_way_shorter(code):
    settings, labels = HARDLY_EVER[code]
    model = descend.fit("y ~ x + z", clean(), **settings)
    (change,) = mends(code, {}, "y ~ x + z", model, settings, model.forecast)
    assert change.label.code == f"remedy.{labels}"
    formula, after = change.applied("y ~ x + z", settings)
    assert descend.fit(formula, clean(), **after).history.stop == "optimum"


def test_every_finding_has_a_case_and_what_it_offers_is_known():
    assert {case.split()[0] for case in (*CASES, *HARDLY_EVER, *OF_A_SEARCH)} == set(FINDINGS)
    offering = {case.split()[0] for case, (*_, labels) in CASES.items() if labels}
    assert {name for name, kind in FINDINGS.items() if kind.offers} == offering | set(HARDLY_EVER)


def offers(name, values, formula, table, settings):
    """Return what a kind of finding offers for these values of a fit of a table."""
    return mends(name, values, formula, fitted(formula, table, settings), settings)


def test_the_best_rate_of_uneven_columns_is_kept_under_the_stable_one():
    """Their best rate is all but the largest stable one, and rounded up it would diverge."""
    table = clean(400, s=lambda t: t["x"] + 0.01 * t["other"])
    settings = {"lr": 3, "epochs": 900}
    model = fitted("y ~ x + s + z", table, settings)
    (finding, *_) = model.findings
    whole = descend.forecast("y ~ x + s + z", table, **settings)  # of all rows, of which a fifth is held out
    change, _ = mends("rate-too-large", finding.values, "y ~ x + s + z", model, settings, whole)
    rates = next(rates for rates in whole.rates if rates.kind == "sgd")
    assert rates.best > 0.999 * rates.stable
    assert change.label.code == "remedy.rate"
    assert 0.85 * rates.stable < change.settings["lr"] < 0.95 * rates.stable
    assert f"{change.settings['lr']:.3g}" in change.label.tell()
    assert not fitted("y ~ x + s + z", table, change.applied("", settings)[1]).history.diverged


def test_the_rate_on_the_label_is_the_rate_that_is_set():
    for lr in (0.123456, 0.1999999, 1e-7 / 3, 49999.0, 1.0):
        values = {"lr": 1e9, "first": 1.0, "last": 2.0, "epochs": 5, "suggestion": lr}
        change, _ = offers("rate-too-large", values, "y ~ x", clean(), {"lr": 0.1})
        assert float(change.label.tell().split()[-1]) == change.settings["lr"]
        assert 0.99 * lr < change.settings["lr"] <= lr


def test_more_epochs_than_anybody_waits_for_are_not_offered():
    values = {"epochs": 100, "left": 0.5, "hundredth": 5000, "millionth": 10**18, "enough": 10**18}
    settings = {"lr": 0.1, "epochs": 100}
    epochs, _ = offers("not-converged", values, "y ~ x", clean(), settings)
    assert epochs.settings == {"epochs": 5100}
    values["hundredth"] = 10**9
    (optimum,) = offers("not-converged", values, "y ~ x", clean(), settings)
    assert optimum.label.code == "remedy.optimum"


def test_weights_that_are_still_too_large_are_held_smaller():
    values = {"epoch": 0, "best": 1.0, "last": 2.0}
    (l2,) = offers("overfit", values, "y ~ x", clean(), {"l2": 0.02})
    assert (l2.settings, l2.label.tell()) == ({"l2": 0.2}, "Hold the weights small, l2 = 0.2")


def test_a_network_is_not_sent_to_an_optimum():
    settings = {"hypothesis": "mlp(2)", "lr": 0.1, "epochs": 2}
    values = {"lr": 0.1, "first": 1.0, "last": 2.0, "epochs": 2, "suggestion": 0.01}
    (rate,) = offers("rate-too-large", values, "y ~ x", clean(), settings)
    assert rate.settings == {"lr": 0.01}


def test_a_start_by_column_does_not_outlive_its_columns():
    formula, settings = "y ~ x + s", {"init": {"s": 1.0}, **ONE}
    table = clean(s=lambda t: 2 * t["x"])
    model = descend.fit(formula, table, **settings)
    change, _ = model.findings[0].fixes
    assert change == Change(change.label, "y ~ x", {"init": None})
    assert descend.fit(change.formula, table, **change.applied(formula, settings)[1]).findings == []


# errors that follow one another


def imhof(statistic, X):
    """Return the chance of a smaller Durbin-Watson statistic, by the quadratic form's characteristic function.

    (Imhof 1961, equation 3.2.)
    """
    rows, columns = X.shape
    Q = np.linalg.qr(X)[0]
    left, steps = np.eye(rows) - Q @ Q.T, np.diff(np.eye(rows), axis=0)
    roots = np.linalg.eigvalsh(left @ steps.T @ steps @ left)[columns:] - statistic

    def wave(u):
        return np.sin(np.arctan(roots * u).sum() / 2) / (u * np.exp(np.log1p((roots * u) ** 2).sum() / 4))

    return 0.5 - quad(wave, 0, np.inf, limit=2000)[0] / np.pi


@pytest.mark.parametrize(("rows", "columns"), [(15, 2), (25, 4), (60, 3), (200, 5)])
@pytest.mark.parametrize("follow", [0.0, 0.4, 0.6])
def test_the_statistic_is_statsmodels_and_its_chance_that_of_imhof(rows, columns, follow):
    random = np.random.default_rng(rows)
    X = np.column_stack([np.ones(rows), np.arange(rows), random.normal(size=(rows, columns - 2))])
    errors = random.normal(size=rows)
    for row in range(1, rows):
        errors[row] += follow * errors[row - 1]
    left = errors - X @ np.linalg.lstsq(X, errors, rcond=None)[0]
    statistic, chance = durbin_watson_test(left, np.linalg.qr(X)[0])
    assert statistic == pytest.approx(durbin_watson(left), rel=1e-12)
    expected = imhof(statistic, X)
    assert chance == pytest.approx(expected, rel=0.15 if expected < 0.01 else 0.05, abs=1e-9)


@pytest.mark.slow
def test_of_independent_errors_no_more_are_called_alike_than_the_chance_says():
    chances = []
    for seed in range(400):
        random = np.random.default_rng(seed)
        rows = int(random.integers(20, 120))
        X = np.column_stack([np.ones(rows), walk(rows, 1000 + seed)])
        noise = random.normal(size=rows)
        left = noise - X @ np.linalg.lstsq(X, noise, rcond=None)[0]
        chances.append(durbin_watson_test(left, np.linalg.qr(X)[0])[1])
        if seed < 100:
            table = {"t": np.arange(rows), "x": X[:, 1], "y": X[:, 1] + noise}
            assert "finding.autocorrelated" not in [f.code for f in descend.fit("y ~ x", table, **ONE).findings]
    assert kstest(chances, "uniform").pvalue > 0.01


def shows(table, formula="y ~ x + z", **settings):
    model = descend.fit(formula, table, **{**ONE, **settings})
    return [one.values["column"] for one in model.findings if one.code == "finding.autocorrelated"]


def test_errors_are_called_alike_only_where_a_column_orders_the_rows():
    """Dates in any order, or numbers that rise or fall by even steps, with gaps; no other numbers, texts or dates."""
    trend = clean(y=lambda t: t["y"] + 0.1 * np.arange(60))
    mixed = np.random.default_rng(0).permutation(60)
    dates = [date(2024, 1, 1) + timedelta(day) for day in range(60)]
    gaps = np.arange(60) + 3 * (np.arange(60) > 20)
    for column in (dates, dates[::-1], days(trend), 2020 + np.arange(60) / 12, 60 - np.arange(60), gaps):
        assert shows({**trend, "when": column}) == ["when"]
    mixed_up = {name: np.asarray(cells)[mixed] for name, cells in {**trend, "when": np.array(dates)}.items()}
    assert shows({**mixed_up, "when": mixed_up["when"].tolist()}) == ["when"]
    exponential, twice = 1.1 ** np.arange(60), np.arange(60) // 2
    for column in (mixed, exponential, twice, [f"row {row:02}" for row in range(60)], [dates[0]] * 60):
        assert shows({**trend, "when": column}) == []
    assert shows(trend) == []


def test_errors_that_follow_one_another_are_of_numbers_and_least_squares_alone():
    trend = clean(y=lambda t: t["y"] + 0.1 * np.arange(60)) | {"t": np.arange(60)}
    assert shows(trend) == ["t"]
    assert shows({**trend, "y": np.where(trend["y"] > 4, "a", "b")}) == []
    assert shows(trend, loss="huber") == []
    assert shows(trend, hypothesis="mlp(2)", epochs=3) == []
    assert shows({**trend, "y": trend["x"] + trend["z"]}) == []  # exact
    assert shows({name: cells[:12] for name, cells in trend.items()}) == []
    assert shows(trend, "y ~ x + z + t") == []


def test_rows_left_out_and_rows_kept_for_the_test_leave_the_order():
    trend = clean(300, y=lambda t: t["y"] + 0.02 * np.arange(300)) | {"t": np.arange(300)}
    holes = {**trend, "x": np.where(np.arange(300) % 7 == 0, np.nan, trend["x"])}
    assert shows(holes, test="auto", missing="drop") == ["t"]


def test_of_several_targets_each_is_asked_for_itself():
    trend = clean(w=lambda t: t["other"] + 0.1 * np.arange(60)) | {"t": np.arange(60)}
    model = descend.fit("y + w ~ x", trend, **ONE)
    (finding,) = [one for one in model.findings if one.code == "finding.autocorrelated"]
    assert finding.values["target"] == "w"
    assert finding.fix.formula == "y + w ~ x + t"


# counts that vary more than their means say


def test_overdispersion_is_the_test_of_dean_and_lawless_as_statsmodels_has_it():
    random = np.random.default_rng(4)
    x = random.normal(size=200)
    y = random.negative_binomial(5, 5 / (5 + np.exp(1 + 0.3 * x)))
    peer = sm.Poisson(y, sm.add_constant(x)).fit(disp=False, tol=1e-14)
    statistic = dispersion_poisson(peer).statistic[2] + 2 / np.sqrt(2 * 200)  # with the correction for two parameters
    (finding,) = descend.fit("y ~ x", {"x": x, "y": y}, family="poisson", test="none").findings
    assert finding.code == "finding.overdispersed"
    assert finding.values["chance"] == pytest.approx(ndtr(-statistic), rel=1e-6)
    assert finding.values["ratio"] == pytest.approx(np.square(peer.resid_pearson).sum() / 198, rel=1e-9)


@pytest.mark.slow
def test_the_chance_of_overdispersion_is_even_where_there_is_none():
    random = np.random.default_rng(5)
    chances = []
    for _ in range(300):
        x = random.normal(size=200)
        y = random.poisson(np.exp(1.5 + 0.3 * x)).astype(float)
        means = descend.fit("y ~ x", {"x": x, "y": y}, family="poisson", test="none").predict({"x": x})
        chances.append(FAMILIES["poisson"].overdispersion(y[:, None], means[:, None], 2)[1])
    assert kstest(chances, "uniform").pvalue > 0.01


# ---------------------------------------------------------------- the errors of curves


def curve_codes(y):
    """Return the findings of y = a*exp(-b*x) + c on 200 rows."""
    x = np.linspace(0, 6, 200)
    base = evidence("y = a*exp(-b*x) + c", {"x": x, "y": 3 * np.exp(-0.8 * x) + 0.5 + y(x)})
    return {finding.code.removeprefix("finding."): finding for finding in diagnose(base)}


QUIET = 0.1 * np.random.default_rng(6).normal(size=200)


def test_errors_of_a_curve_that_are_as_they_should_be_are_not_told():
    assert curve_codes(lambda x: QUIET) == {}


def test_a_row_far_from_a_curve_is_told_with_what_the_curve_gives_there():
    found = curve_codes(lambda x: QUIET + 1.5 * (np.arange(200) == 50))
    assert set(found) == {"outliers"}
    seen, expected = found["outliers"].values["rows"].split(": ")[1].split(", ")
    x = np.linspace(0, 6, 200)[50]
    assert float(expected) == pytest.approx(3 * np.exp(-0.8 * x) + 0.5, abs=0.1)
    assert float(seen) - float(expected) == pytest.approx(1.5, abs=0.3)
    assert [fix.settings for fix in found["outliers"].fixes] == [{"loss": "huber"}]


def test_errors_of_a_curve_that_grow_are_told():
    assert "heteroscedastic" in curve_codes(lambda x: QUIET * np.exp(3 - x))


def test_errors_of_a_curve_that_follow_one_another_are_told():
    found = curve_codes(lambda x: QUIET / 3 + 0.2 * np.sin(6 * x))
    assert "autocorrelated" in found
    assert found["autocorrelated"].fixes == ()
    for lang in ("en", "ko"):
        assert "descend plot" in found["autocorrelated"].remedy(lang)


def test_errors_of_a_curve_that_has_not_arrived_say_nothing():
    table = decay(200)
    table["y"][50] += 3
    base = evidence("y = a*exp(-b*x) + c", table, lr=1e-4, epochs=3, init={"a": 1, "b": 1, "c": 1})
    assert "finding.outliers" not in [finding.code for finding in diagnose(base)]
