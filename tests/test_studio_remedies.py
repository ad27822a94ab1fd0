"""Every remedy, pressed on a real fit that asks for it, does what it promises."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from conftest import ROOT

import descend
from descend.diagnosis import Finding
from descend.errors import DescendError, DivergedError
from descend.foresight import foresee
from descend.formula import parse
from descend.messages import codes
from descend.studio import edits
from descend.studio.remedies import FOR_ERRORS, FOR_FINDINGS, Change, changes_for, changes_for_error
from descend.verification import split_rows
from descend.terms import Arithmetic, Name

PENGUINS = str(ROOT / "examples" / "penguins.csv")
MASS = "body_mass_g ~ flipper_length_mm + bill_length_mm"
BIRDS = {"missing": "drop"}


def upright(rows, columns, seed=0):
    """Return columns of mean 0 and deviation 1 that are not correlated."""
    Q = np.linalg.qr(np.column_stack([np.ones(rows), np.random.default_rng(seed).normal(size=(rows, columns))]))[0]
    return Q[:, 1:].T * np.sqrt(rows)


def clean(rows=60, **more):
    """Return a table with nothing wrong: y = 1 + x + z and noise; ``more`` are columns made of these."""
    x, z, noise, other = upright(rows, 4)
    table = {"x": x, "z": z, "noise": noise, "other": other, "y": 1 + x + z + noise}
    return table | {name: make(table) for name, make in more.items()}


def thirds(t):
    return np.array(["u", "v", "w"])[np.arange(len(t["x"])) % 3]


def with_last(t):
    """Return classes of which the last has one row only, which is in the rows of the test."""
    levels = np.where(np.arange(60) % 2, "u", "v")
    levels[LAST] = "w"
    return levels


LAST = split_rows(60, "auto", 0).folds[0][1][0]
NOISE = {**clean(), **{f"n{index}": column for index, column in enumerate(np.random.default_rng(1).normal(size=(40, 60)))}}
RARE = np.where(np.isin(np.arange(100), [3, 44, 91]), "rare", "usual")
IMAGES = np.random.default_rng(0).integers(0, 2, (800, 2, 2), dtype=np.uint8) * 255
ONE = {"test": "none"}
CASES = {  # the finding: formula, table, settings and the labels of what is offered
    "unscaled": (MASS, PENGUINS, {**BIRDS, "standardize": False, "lr": 1e-6, "epochs": 50}, "standardise-best"),
    "unscaled at the optimum": (MASS, PENGUINS, {**BIRDS, "standardize": False, "l2": 1e-6}, "standardise"),
    "rate-too-large": (MASS, PENGUINS, {**BIRDS, "lr": 1.2, "epochs": 80}, "best-rate optimum"),
    "rate-too-large in batches": (MASS, PENGUINS, {**BIRDS, "lr": 3, "batch_size": 32, "epochs": 40}, "rate optimum"),
    "rate-bounces": (MASS, PENGUINS, {**BIRDS, "lr": 4000, "epochs": 40, "loss": "mae"}, "rate optimum"),
    "rate-too-small": (MASS, PENGUINS, {**BIRDS, "lr": 1e-4, "epochs": 40}, "best-rate optimum"),
    "rate-too-small for a bound": ("sex ~ body_mass_g", PENGUINS, {**BIRDS, "lr": 1e-5, "epochs": 9}, "rate optimum"),
    "not-converged": (MASS, PENGUINS, {**BIRDS, "lr": 0.02, "epochs": 30}, "best-rate epochs optimum"),
    "not-converged with momentum": (MASS, PENGUINS, {**BIRDS, "lr": 0.05, "epochs": 9, "momentum": 0.5}, "epochs optimum"),
    "not-converged-least": ("sex ~ body_mass_g + bill_depth_mm", PENGUINS, {**BIRDS, "lr": 0.5, "epochs": 60}, "epochs optimum"),
    "overfit": ("y ~ . - noise - x", NOISE, {"lr": 0.05, "epochs": 900, "patience": 900, **ONE}, "stop l2"),
    "underfit": ("y ~ x + z", clean(y=lambda t: t["x"] ** 2), {"lr": 0.3, "patience": 5}, "bend"),
    "leakage": ("y ~ x + z + x:other", clean(y=lambda t: 3 * t["x"]), {}, "leave-out"),
    "leakage-classes": ("c ~ x + z", clean(c=lambda t: np.where(t["x"] > 0.1, "a", "b")), {}, "leave-out"),
    "separable": ("c ~ x", clean(c=lambda t: np.where(t["x"] > 0.1, "a", "b")), {}, "l2"),
    "quasi-separable": ("c ~ g + x", clean(g=thirds, c=lambda t: np.where((thirds(t) == "u") | (t["noise"] > 0), "a", "b")), {}, "l2"),
    "more-columns": ("y ~ x + z + other", {name: column[:3] for name, column in clean().items()}, {}, "l2"),
    "few-rows": ("y ~ x + z", clean(24), ONE, "l2"),
    "empty-level": ("y ~ x + g", clean(g=with_last), {"seed": 0}, "all-rows leave-out"),
    "constant": ("y ~ x + c + d", clean(c=lambda t: 0 * t["x"] + 5, d=lambda t: 0 * t["x"]), {"init": {"x": 0.5}}, "leave-out"),
    "collinear": ("y ~ x + z + s", clean(s=lambda t: t["x"] + t["z"]), {}, "leave-out l2"),
    "near-collinear": ("y ~ x*g + s", clean(g=thirds, s=lambda t: t["x"] + 0.01 * t["other"]), {}, "leave-out l2"),
    "raw-powers": ("y ~ poly(w, 3, raw=True)", clean(w=lambda t: np.linspace(100, 101, 60)), {}, "orthogonal"),
    "outliers": ("y ~ x + z", clean(y=lambda t: t["y"] + 9 * (np.arange(60) == 7)), ONE, "huber"),
    "curvature": ("y ~ x + z", clean(y=lambda t: t["y"] + t["x"] ** 2), ONE, "bend"),
    "heteroscedastic": ("y ~ x + z", clean(500, y=lambda t: (4 + t["x"]) * np.exp(0.4 * t["noise"])), ONE, "predict"),
    "heteroscedastic below 0": ("y ~ x", clean(200, y=lambda t: t["x"] + t["noise"] * np.exp(t["x"] / 2)), ONE, "huber"),
    "overfit-network": ("y ~ x + z", clean(), {"hypothesis": "mlp(64)", "lr": 0.01, "epochs": 300, "patience": 300, "optimizer": "adam"}, "dropout weight-decay stop"),
    "underfit-image": ("label ~ image", {"image": IMAGES, "label": np.where((IMAGES[:, 0, 0] > 0) ^ (IMAGES[:, 1, 1] > 0), "odd", "even")}, {"patience": 20, "lr": 0.5}, "network"),
    "dead-target": ("y ~ x", clean(y=lambda t: 0 * t["x"] + 5), {}, ""),
    "imbalance": ("c ~ x", clean(100, c=lambda t: RARE), {"l2": 0.01}, ""),
    "high-leverage": ("y ~ x + z", clean(x=lambda t: np.where(np.arange(60) == 7, 15, t["x"]), y=lambda t: t["z"] + t["noise"] + 0.1 * t["x"] * (np.arange(60) != 7)), ONE, ""),
    "underfit-network": ("y ~ other", clean(2000), {"hypothesis": "mlp(2)", "epochs": 5, "patience": 5, "seed": 1, "lr": 0.001}, ""),
}  # fmt: skip


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
    formula, _, settings, _ = CASES[case]
    model, finding = told(case)
    return changes_for(finding, formula, settings, model.forecast, model.design)


@pytest.mark.parametrize("case", CASES)
def test_a_finding_offers_what_a_click_can_do_the_best_first(case):
    assert " ".join(change.label.code.removeprefix("studio.") for change in offered(case)) == CASES[case][3]
    for change in offered(case):
        for lang in ("en", "ko"):
            assert "{" not in change.label.tell(lang)


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


@pytest.mark.parametrize("case", [case for case, (*_, labels) in CASES.items() if labels])
def test_a_remedy_pressed_ends_what_was_found(case):
    formula, table, settings, _ = CASES[case]
    before, finding = told(case)
    for change in offered(case):
        after_formula, after_settings = change.applied(formula, settings)
        after = descend.fit(after_formula, table, **after_settings)  # none of them diverges
        promise = PROMISED.get((case, change.label.code.removeprefix("studio.")))
        still = finding.code in [found.code for found in after.findings]
        assert still == (promise is not None), change.label.tell()
        if promise is not None:
            assert promise(before, after), change.label.tell()


def test_every_finding_has_a_case_and_what_it_offers_is_known():
    every = {code for code in codes("en") if code.startswith("finding.") and not code.endswith(".remedy")}
    assert {f"finding.{case.split()[0]}" for case in CASES} == every
    offering = {f"finding.{case.split()[0]}" for case, (*_, labels) in CASES.items() if labels}
    assert set(FOR_FINDINGS) == offering
