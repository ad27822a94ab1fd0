"""Every setting, optimizer and schedule is asked on every floor: what each table promises is there on all faces."""

from __future__ import annotations

import doctest
import inspect
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT, called

import descend
from descend import Recipe, estimators
from descend.base.errors import OptionError
from descend.base.messages import codes
from descend.cli.compare import compare_command
from descend.cli.fit import fit_command
from descend.cli.forecast import forecast_command
from descend.estimators.base import PARAMETERS
from descend.solvers import recipe as recipe_module
from descend.solvers.make import in_range
from descend.solvers.optimizers import OPTIMIZERS
from descend.solvers.schedules import SCHEDULES
from descend.solvers.settings import OF_OPTIMIZERS, OF_SCHEDULES, SETTINGS, is_default
from descend.studio.reproduce import command_line, python_code
from descend.tables.reading_settings import READING

COMMANDS = {"fit": fit_command, "compare": compare_command, "forecast": forecast_command}
RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(60, 2))
TABLE = {"a": X[:, 0], "b": X[:, 1], "y": X @ [2.0, -1.0] + 3 + RANDOM.normal(size=60)}
OTHER = {"momentum": 0.5, "nesterov": True, "alpha": 0.9, "beta1": 0.8, "beta2": 0.9, "eps": 1e-3, "lr_decay": 0.05,
         "weight_decay": 0.25, "gamma": 0.5, "step_size": 3}  # fmt: skip
PAIRS = [(kind, setting) for kind in OPTIMIZERS.values() for setting in kind.own()]
README = Path(ROOT, "README.md").read_text(encoding="utf-8")


def own_settings(kind, setting):
    """Return a value for a setting of an optimizer other than its default, and what it needs besides."""
    return {setting: OTHER[setting], **({"momentum": 0.5} if setting == "nesterov" else {})}


# settings


@pytest.mark.parametrize("row", [*SETTINGS.values(), *READING.values()], ids=lambda row: row.name)
def test_a_setting_has_its_sentences_in_both_languages(row):
    for lang in ("en", "ko"):
        known = codes(lang)
        if row.panel:
            assert {f"help.{row.help}", f"panel.{row.panel}"} <= set(known)
        if row.control is not None and row.name in SETTINGS:
            assert {f"studio.setting-{row.name}", f"studio.help-{row.name}"} <= set(known)
            if row.control.kind == "select":
                assert {f"studio.{row.name}-{choice}" for choice in row.kind.known} <= set(known)
        if row.control is not None and row.name in READING:
            assert f"studio.reading-{row.name}" in known


@pytest.mark.parametrize("row", SETTINGS.values(), ids=lambda row: row.name)
def test_a_setting_is_an_option_of_the_commands_that_take_it(row):
    for name, command in COMMANDS.items():
        parameters = inspect.signature(command).parameters
        assert (row.parameter in parameters) == (name in row.commands and bool(row.panel))
        if row.parameter in parameters:
            assert parameters[row.parameter].default == row.default


def test_the_defaults_make_a_recipe_of_no_changes():
    assert Recipe(**{name: row.default for name, row in SETTINGS.items()}).given() == {}


@pytest.mark.parametrize("name", [*OF_OPTIMIZERS, *OF_SCHEDULES, "delta", "drop_last", "validation", "clip", "workers"])
def test_a_setting_without_what_it_needs_is_refused(name):
    value = {**OTHER, "delta": 2.0, "drop_last": True, "validation": 0.5, "clip": 1.0, "workers": 2}[name]
    without = {"optimizer": "adagrad"} if name in ("momentum", "nesterov") else {}
    with pytest.raises(OptionError) as caught:
        Recipe(**{name: value}, **without)
    assert caught.value.code == (SETTINGS[name].lacking or "option.no-effect")


def test_the_recipes_examples_hold():
    assert doctest.testmod(recipe_module).attempted > 0
    assert doctest.testmod(recipe_module).failed == 0


# optimizers


@pytest.mark.parametrize("kind", OPTIMIZERS.values(), ids=list(OPTIMIZERS))
def test_each_setting_of_an_optimizer_is_declared(kind):
    assert set(kind.own()) <= set(OF_OPTIMIZERS)
    assert in_range(kind(0.1)) == kind(0.1)
    for setting in kind.own():
        assert kind.usual(setting) is not None


@pytest.mark.parametrize("setting", OF_OPTIMIZERS)
def test_each_setting_of_optimizers_is_of_one_and_of_every_estimator(setting):
    assert any(setting in kind.own() for kind in OPTIMIZERS.values())
    for name in estimators.__all__:
        assert PARAMETERS.get(setting, setting) in inspect.signature(getattr(estimators, name)).parameters


@pytest.mark.parametrize("kind", OPTIMIZERS.values(), ids=list(OPTIMIZERS))
def test_an_optimizer_is_told_on_every_floor(kind):
    for lang in ("en", "ko"):
        assert f"studio.optimizer-{kind.name}" in codes(lang)
        assert kind.name in codes(lang)["help.optimizer"]
    assert f"`{kind.name}`" in README


@pytest.mark.parametrize("kind", OPTIMIZERS.values(), ids=list(OPTIMIZERS))
def test_a_run_is_foretold_or_it_is_said_why_not(kind):
    for settings in ({}, {"weight_decay": 0.1}):
        recipe = {"optimizer": kind.name, "lr": 0.1, "epochs": 20, **settings}
        forecast = descend.forecast("y ~ a + b", TABLE, **recipe)
        reason = kind(0.1, **settings).unforetold
        assert forecast.reason == reason
        assert (forecast.outlook is None) == (reason is not None)
        assert (kind(0.1, **settings).recurrence is None) == (reason is not None)
        for lang in ("en", "ko"):
            assert reason is None or reason in codes(lang)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "setting"), PAIRS, ids=lambda value: getattr(value, "name", value))
def test_a_setting_of_an_optimizer_is_had_by_python_the_command_line_a_script_and_a_file(
    kind, setting, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    descend.read(TABLE).frame.write_csv("t.csv")
    own = own_settings(kind, setting)
    settings = {"optimizer": kind.name, "lr": 0.05, "epochs": 7, "test": "none", **own}
    model = descend.fit("y ~ a + b", "t.csv", **settings)
    without = descend.fit("y ~ a + b", "t.csv", **{**settings, setting: SETTINGS[setting].default})
    assert not np.array_equal(model.weights, without.weights)
    model.save("m.safetensors")
    loaded = descend.load("m.safetensors")
    assert loaded.settings == model.settings
    assert loaded.settings[setting] == own[setting]
    line = command_line("t.csv", "y ~ a + b", settings, "c.safetensors")
    assert called(capsys, *line.replace('"y ~ a + b"', "FORMULA").replace("\\\n", "").split()[1:2], "t.csv",
                  "y ~ a + b", *line.replace("\\\n", "").split('"')[2].split())[0] == 0  # fmt: skip
    assert np.array_equal(descend.load("c.safetensors").weights, model.weights)
    assert f"{setting}={own[setting]!r}" in python_code("t.csv", "y ~ a + b", settings)


@pytest.mark.parametrize(("kind", "setting"), PAIRS, ids=lambda value: getattr(value, "name", value))
def test_a_setting_of_an_optimizer_gives_pytorchs_steps(kind, setting):
    own = own_settings(kind, setting)
    settings = {"optimizer": kind.name, "lr": 0.05, "epochs": 9, "test": "none", "standardize": False, **own}
    model = descend.fit("y ~ a + b", TABLE, **settings)
    w = torch.nn.Parameter(torch.zeros(3, 1, dtype=torch.float64))
    theirs = {name: value for name, value in own.items() if not name.startswith("beta")}
    if len(theirs) < len(own):
        theirs["betas"] = (own.get("beta1", 0.9), own.get("beta2", 0.999))
    made = {found.lower(): value for found, value in vars(torch.optim).items()}[kind.name]([w], lr=0.05, **theirs)
    design = torch.tensor(np.column_stack([np.ones(60), X]))
    for _ in range(9):
        made.zero_grad()
        torch.nn.functional.mse_loss(design @ w, torch.tensor(TABLE["y"])[:, None]).backward()
        made.step()
    np.testing.assert_allclose(model.weights, w.detach().numpy(), rtol=1e-9)


@pytest.mark.parametrize(("kind", "setting"), PAIRS, ids=lambda value: getattr(value, "name", value))
def test_a_networks_optimizer_has_the_setting_by_the_same_name(kind, setting):
    from descend.solvers.torch_training import prepare, torch_optimizer

    own = own_settings(kind, setting)
    model = descend.fit("y ~ a + b", TABLE, hypothesis="mlp(2)", optimizer=kind.name, epochs=1, test="none", **own)
    made = torch_optimizer(Recipe(hypothesis="mlp(2)", optimizer=kind.name, **own), model.hypothesis.network)
    assert prepare is not None
    group = made.param_groups[0]
    group = {**group, **dict(zip(("beta1", "beta2"), group.get("betas", ()), strict=False))}
    for name in kind.own():
        usual = inspect.signature(type(made)).parameters.get(name)
        assert group[name] == own.get(name, group[name] if usual is None else usual.default)


def test_a_run_with_weight_decay_is_taken_up_again(tmp_path):
    kept, settings = tmp_path / "run.safetensors", {"optimizer": "adam", "beta1": 0.7, "weight_decay": 0.1, "lr": 0.05}
    descend.fit("y ~ a + b", TABLE, epochs=5, checkpoint=kept, **settings)
    resumed = descend.fit("y ~ a + b", TABLE, epochs=9, checkpoint=kept, resume=True, **settings)
    whole = descend.fit("y ~ a + b", TABLE, epochs=9, **settings)
    np.testing.assert_array_equal(resumed.weights, whole.weights)
    with pytest.raises(OptionError) as caught:
        descend.fit("y ~ a + b", TABLE, epochs=9, checkpoint=kept, resume=True, **{**settings, "beta1": 0.8})
    assert caught.value.code == "option.other-run"


# schedules


@pytest.mark.parametrize("kind", SCHEDULES.values(), ids=list(SCHEDULES))
def test_a_schedule_is_declared_told_and_kept(kind, tmp_path):
    own = {field.name: field.default for field in fields(kind) if field.name in kind.own()}
    assert all(is_default(value, SETTINGS[name].default) for name, value in own.items())
    assert set(own) <= set(OF_SCHEDULES)
    for lang in ("en", "ko"):
        assert kind.name in codes(lang)["help.schedule"]
    others = {name: OTHER[name] for name in kind.own()}
    model = descend.fit("y ~ a + b", TABLE, lr=0.1, epochs=9, warmup=2, schedule=kind.name, **others)
    path = model.save(tmp_path / "m.safetensors")
    assert descend.load(path).settings == model.settings
    assert Recipe(schedule=kind.name, **others).make_schedule(9) == kind(9, **others)
    assert kind(9, **others).factor(0) == 1.0
