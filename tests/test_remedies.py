"""Every finding with what mends it: shown by a fit, told, kept in its file, and gone once the change is applied."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

import numpy as np
import pytest
from conftest import ROOT

import descend
from descend.analysis.diagnosis import FINDINGS, Change
from descend.analysis.diagnosis.remedies.case import Case
from descend.analysis.diagnosis.remedies.registry import REMEDIES, changes_for
from descend.analysis.verification import split_rows
from descend.base import container
from descend.base.errors import DescendError, DivergedError, FormulaError, OptionError, TableError
from descend.report.json import model_facts
from descend.solvers.recipe import Recipe
from descend.studio.reading import keywords

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
NOISE = {
    **clean(),
    **{f"n{index}": column for index, column in enumerate(np.random.default_rng(1).normal(size=(40, 60)))},
}
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
        again = descend.read(table, **keywords(change.reading)) if change.reading else table
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


@pytest.mark.parametrize("code", HARDLY_EVER)
def test_a_run_that_ended_too_soon_offers_what_makes_the_way_shorter(code):
    settings, labels = HARDLY_EVER[code]
    model = descend.fit("y ~ x + z", clean(), **settings)
    (change,) = mends(code, {}, "y ~ x + z", model, settings, model.forecast)
    assert change.label.code == f"remedy.{labels}"
    formula, after = change.applied("y ~ x + z", settings)
    assert descend.fit(formula, clean(), **after).history.stop == "optimum"


def test_every_finding_has_a_case_and_what_it_offers_is_known():
    assert {case.split()[0] for case in (*CASES, *HARDLY_EVER)} == set(FINDINGS)
    offering = {case.split()[0] for case, (*_, labels) in CASES.items() if labels}
    assert {name for name, kind in FINDINGS.items() if kind.offers} == offering | set(HARDLY_EVER)


def gaps(t, *names):
    """Return a table with every third cell of the first column empty, the cells beside them of the next, and so on."""
    made = dict(t)
    for offset, name in enumerate(names):
        made[name] = np.where(np.arange(len(t[name])) % len(names) == offset, np.nan, t[name])
    return made


def empty(t, name, every=3):
    return {**t, name: np.where(np.arange(len(t[name])) % every == 0, np.nan, t[name])}


ERRORS = {  # the error: formula, table, settings, the labels of what is offered, the formula after the first
    "table.missing": ("y ~ x", empty(clean(), "x"), {}, "drop mean", "y ~ x"),
    "table.missing in the target": ("y ~ x", empty(clean(), "y"), {}, "drop", "y ~ x"),
    "table.missing-no-mean": (MASS, PENGUINS, {"missing": "mean"}, "drop", MASS),
    "table.all-dropped": (
        "y ~ x + z + other",
        gaps(clean(), "x", "z", "other"),
        {"missing": "drop"},
        "mean",
        "y ~ x + z + other",
    ),
    "table.all-missing": ("y ~ .", empty(clean(), "z", 1), {}, "leave-out", "y ~ . - z"),
    "formula.unknown-column-near": (
        "y ~ noize + z + log1p(noize**2)",
        clean(),
        {"init": {"noise": 1.0}},
        "rename",
        "y ~ noise + z + log1p(noise**2)",
    ),
    "formula.function-near": ("y ~ sqr(x**2) + z", clean(), {}, "rename", "y ~ sqrt(x**2) + z"),
    "design.one-level": ("y ~ x*c", clean(c=lambda t: np.full(60, "u")), {}, "leave-out", "y ~ x"),
    "design.all-distinct": (
        "y ~ x + c",
        clean(c=lambda t: [f"n{index}" for index in range(60)]),
        {},
        "leave-out",
        "y ~ x",
    ),
    "design.not-two": ("g ~ x", clean(g=thirds), {"loss": "binary_cross_entropy"}, "softmax", "g ~ x"),
    "design.zero-target": ("y ~ x", clean(y=lambda t: np.round(t["y"])), {"loss": "mape"}, "loss", "y ~ x"),
    "design.negative-target": ("y ~ x", clean(), {"loss": "msle"}, "loss", "y ~ x"),
    "option.loss-family": ("y ~ x", clean(), {"family": "linear", "loss": "cross_entropy"}, "own-loss", "y ~ x"),
    "option.no-effect": ("y ~ x", clean(), {"gamma": 0.5}, "reset", "y ~ x"),
    "fit.diverged": ("y ~ x", clean(), {"lr": 30, "batch_size": 8, "epochs": 200}, "rate optimum", "y ~ x"),
    "fit.diverged-stable": ("y ~ x + z", clean(), {"lr": 3, "epochs": 900}, "best-rate optimum", "y ~ x + z"),
    "fit.diverged-stable-raw": (
        MASS,
        PENGUINS,
        {**BIRDS, "lr": 0.1, "standardize": False},
        "standardise-best rate optimum",
        MASS,
    ),
    "fit.diverged-bound": (
        "y ~ x",
        clean(),
        {"loss": "huber", "lr": 10, "l2": 1, "epochs": 900},
        "rate optimum",
        "y ~ x",
    ),
    "fit.diverged-bound-raw": (
        "y ~ x",
        clean(),
        {"loss": "huber", "lr": 10, "l2": 1, "epochs": 900, "standardize": False},
        "standardise-best rate optimum",
        "y ~ x",
    ),
    "fit.not-finite": (
        "y ~ x",
        clean(x=lambda t: 1e39 * t["x"]),
        {"dtype": "float32", "standardize": False},
        "float64 standardise",
        "y ~ x",
    ),
    "fit.squares-not-finite": (
        "y ~ x",
        clean(x=lambda t: 1e200 * t["x"]),
        {"standardize": False},
        "standardise",
        "y ~ x",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_a_remedy_pressed_ends_an_error(case):
    formula, table, settings, labels, after = ERRORS[case]
    with pytest.raises(DescendError) as met:
        descend.fit(formula, table, **settings)
    assert met.value.code == case.split()[0]
    columns = list(table) if isinstance(table, dict) else []
    changes = changes_for(met.value, formula, settings, columns=columns)
    assert " ".join(change.label.code.removeprefix("remedy.") for change in changes) == labels
    for index, change in enumerate(changes):
        new, merged = change.applied(formula, settings)
        assert index or new == after
        model = descend.fit(new, table, **merged)
        assert np.isfinite(model.weights).all()
        assert "{" not in change.label.tell() + change.label.tell("ko")


def test_every_error_with_a_remedy_has_a_case():
    here = {"design.no-column-near"}  # below: it is met by a model, not by a fit
    errors = {code for code in REMEDIES if not code.startswith("note.")}
    assert errors == {case.split()[0] for case in (*ERRORS, *UNREAD)} | here


a, b = 20 * "\u4e61", 20 * "\u4e62"  # each of two bytes that are letters by themselves
UNREAD = {  # the file, and how it is read before
    "table.decimal-comma": (b"a;b\n1,5;2\n2,5;4\n3,5;5\n4,5;7\n", {}),
    "table.decimal-comma in quotes": (b'a,b\n"1,5",2\n"2,5",4\n"3,5",5\n"4,5",7\n', {}),
    "table.undecodable": (b"a,b\nx\x81\x8d,1\n\xff\xfe\x8f\x9d,2\n\x90\xa0\xfd,3\ny,5\n", {}),
    "table.wrong-encoding": ("a,b\nçé,1\nüß,2\nx,3\ny,5\n".encode("cp1252"), {"encoding": "utf-8"}),
    "table.binary": (f"a,b\n{a},1\n{b},2\n{a},3\n{b},5\n".encode("utf-16-le"), {}),
    "table.preamble": (b"of 2024\nmade by hand\na,b\n1,2\n2,4\n3,5\n4,7\n5,9\n", {}),
    "table.double-header": (b"left,,right\na,a2,b\n1,1,2\n2,5,4\n3,2,5\n4,4,7\n", {}),
    "table.comments": (b"# of 2024\na,b\n1,2\n2,4\n3,5\n4,7\n", {}),
    "table.footer": (b"a,b\n1,2\n2,4\n3,5\n4,7\n5,8\nthe end\n", {}),
    "table.footer above one that is left out": (b"a,b\n1,2\n2,4\n3,5\n4,7\n5,8\nthe end\n9,9\n", {"skip_footer": 1}),
    "table.bad-cell": (b"a,b\n1,2\n2,4\n3,5\n4,7\nx,9\n6,12\n", {}),
    "table.bad-cell beside another text for missing": (
        b"a,b\n1,2\nnone,4\n3,5\n4,7\nx,9\n6,12\n",
        {"na": ["none"], "keep_na_text": True},
    ),
    "table.like-numbers": (b"a,b\n1,2 kg\n2,4 kg\n3,5 kg\n4,7 lb\n5,7 lb\n6,8 kg\n", {}),
    "table.missing as text": (b"a,b\nNone,2\nsome,4\nNone,5\nsome,7\nsome,8\n", {}),
}


@pytest.mark.parametrize("case", UNREAD)
def test_a_remedy_pressed_reads_a_file_that_could_not_be(case, tmp_path):
    data, before = UNREAD[case]
    path = tmp_path / "table.csv"
    path.write_bytes(data)

    def fitted(reading, **settings):
        return descend.fit("b ~ a", descend.read(path, **keywords(reading)), test="none", **settings)

    with pytest.raises(DescendError) as met:
        fitted(before)
    assert met.value.code == case.split()[0]
    changes = changes_for(met.value, "b ~ a", {}, texts=["a"], reading=before)
    assert changes
    assert not [one for one in changes_for(met.value, "b ~ a", {}, reading=None) if one.reading]  # there is none
    ended = []
    for change in changes:
        assert "{" not in change.label.tell() + change.label.tell("ko")
        with suppress(DescendError):  # it is in another encoding: which one is for the person to say
            model = fitted(change.applied_to_reading(before), **change.applied("b ~ a", {})[1])
            ended.append(np.isfinite(model.weights).all())
    assert any(ended) or case == "table.undecodable"


NOTED = {
    "encoding-doubted": ("name,b\n漢,1\n字,2\n漢,3\n字,5\n".encode("cp949"), "b ~ name"),
    "comma-thousands": (b"a;b\n1,234;2\n2,345;4\n3,123;5\n4,500;7\n", "b ~ a"),
}


@pytest.mark.parametrize("code", NOTED)
def test_a_note_on_how_a_file_is_read_offers_the_other_way(code, tmp_path):
    data, formula = NOTED[code]
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    model = descend.fit(formula, path, test="none")
    (note,) = [note for note in model.notes if note.code == f"note.{code}"]
    (change,) = changes_for(note, formula, {})
    again = descend.fit(formula, descend.read(path, **keywords(change.applied_to_reading({}))), test="none")
    assert note.code not in [note.code for note in again.notes]
    assert again.equation != model.equation
    assert {code for code in REMEDIES if code.startswith("note.")} == {f"note.{code}" for code in NOTED}


def test_a_column_that_another_table_calls_otherwise_is_written_as_there():
    formula, other = "y ~ `the x` + z", {"y": clean()["y"], "the_x": clean()["x"], "z": clean()["z"]}
    model = descend.fit(formula, clean() | {"the x": clean()["x"]})
    with pytest.raises(DescendError) as met:
        model.evaluate(other)
    assert met.value.code == "design.no-column-near"
    (change,) = changes_for(met.value, formula, {})
    assert change.formula == "y ~ the_x + z"
    assert descend.fit(change.formula, other).weights == pytest.approx(model.weights)


@pytest.mark.parametrize("error", [OptionError("option.seed"), TableError("table.empty", file="a.csv")])
def test_an_error_that_a_click_cannot_mend_offers_nothing(error):
    assert changes_for(error, "y ~ x", {}) == ()


def test_of_several_faults_each_is_mended_by_itself():
    assert changes_for(DescendError("table.all-missing", file="t.csv", column="x"), "y ~ x +", {}) == ()
    error = FormulaError("formula.function-near", text="y ~ sqr(x) +", position=4, found="sqr", near="sqrt", known="")
    (change,) = changes_for(error, "y ~ sqr(x) +", {"lr": -1})
    assert change.formula == "y ~ sqrt(x) +"
    settings = {"gamma": 0.5, "step_size": 5}
    for left in ({"step_size": 5}, {}):
        with pytest.raises(OptionError) as met:
            Recipe(**settings)
        (change,) = changes_for(met.value, "y ~ x", settings)
        _, settings = change.applied("y ~ x", settings)
        assert settings == left


def test_the_optimum_is_reached_whatever_the_run_was():
    """Every setting that makes a run one epoch by epoch is gone after it, so that "auto" is honoured."""
    run = {"lr": 0.001, "optimizer": "sgd", "momentum": 0.5, "nesterov": True, "epochs": 3, "tolerance": 1e-9,
           "schedule": "step", "gamma": 0.5, "step_size": 7, "warmup": 2, "patience": 50, "validation": 0.3,
           "batch_size": 10, "drop_last": True, "batch_history": True}  # fmt: skip
    kept = {"l2": 0.1, "seed": 3, "standardize": False, "test": "none"}
    error = DivergedError("fit.diverged", epoch=1, loss=1.0, first=1.0, lr=0.001, suggestion=1e-4)
    *_, optimum = changes_for(error, "y ~ x", {**run, **kept})
    assert optimum.label.code == "remedy.optimum"
    _, settings = optimum.applied("y ~ x", {**run, **kept})
    assert settings == kept
    assert Recipe(**settings).method == "auto"
    assert descend.fit("y ~ x", clean(), **settings).certificate is not None


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
