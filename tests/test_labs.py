"""The worked examples: every printed figure, out of every engine that can run it."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from conftest import called

from descend.base.errors import OptionError
from descend.formula.parser import parse
from descend.labs import LESSONS, all_labs, example, examples, find_lab
from descend.labs.runner import agrees, recipe_of, run_lab, train_lab

LABS = {lab.id: lab for lab in examples()}
LOGGED = [lab.id for lab in examples() if lab.log and not lab.rule]


def test_there_are_twenty_two_examples_and_four_lessons():
    assert len(LABS) == 22
    assert len(LESSONS) == 4
    assert len({lab.id for lab in all_labs()}) == 26
    assert sum(not lab.log for lab in LABS.values()) == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", LABS)
def test_every_figure_of_the_lab_is_reproduced(name):
    outcome = run_lab(LABS[name])
    assert outcome.checks
    assert [check for check in outcome.checks if not check.good] == []


# these hold at other rates too, or are computed from the rate
ANY_RATE = ("quiz-minibatch", "noisy-line", "sine-cubic", "signs", "rate-too-small")


@pytest.mark.parametrize("name", [name for name in LABS if name not in ANY_RATE])
def test_a_lab_whose_rate_is_changed_is_not_reproduced(name):
    changed = dataclasses.replace(LABS[name], lr=LABS[name].lr * 1.1)
    outcome = run_lab(changed)
    assert any(not check.good for check in outcome.checks)


def log_of(lab, losses):
    return [
        (printed, float(losses[epoch - lab.log_from_one]))
        for epoch, printed in lab.log
        if agrees(printed, float(losses[epoch - lab.log_from_one]), lab.decimals if lab.decimals is not None else 6)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", LOGGED)
def test_the_log_comes_out_of_a_plain_pytorch_loop_too(name):
    import torch

    lab = LABS[name]
    _, trained = train_lab(lab, epochs=1)
    dtype = getattr(torch, lab.dtype)
    start = recipe_of(lab).start(trained.design.names, trained.weights.shape[1]).reshape(trained.weights.shape)
    w = torch.nn.Parameter(torch.tensor(start, dtype=dtype))
    X, Y = torch.tensor(trained.objective.X, dtype=dtype), torch.tensor(trained.objective.Y, dtype=dtype)
    functional = torch.nn.functional
    losses = []
    for _ in range(lab.epochs):
        z = X @ w
        if lab.loss == "mse":
            loss = functional.mse_loss(z, Y)
        elif lab.loss == "binary_cross_entropy":
            loss = functional.binary_cross_entropy_with_logits(z, Y)
        else:
            loss = functional.cross_entropy(z, Y[:, 0].long())
        losses.append(loss.item())
        (gradient,) = torch.autograd.grad(loss, w)
        with torch.no_grad():
            w -= lab.lr * gradient
    assert len(log_of(lab, losses)) == len(lab.log)


@pytest.mark.parametrize("name", LABS)
def test_a_lab_is_told_in_both_languages_and_its_hypothesis_reads_its_table(name):
    lab = LABS[name]
    assert set(lab.title) == {"en", "ko"}
    assert not lab.note or set(lab.note) == {"en", "ko"}
    table = lab.table()
    assert parse(lab.hypothesis).resolve(table.columns).terms
    assert table.height >= 3


AS_WRITTEN = {
    "study-hours": ("score ~ hours", ["W", "b"]),
    "fruit-yield": (
        "apples + oranges ~ temperature + rainfall + humidity",
        ["w11", "w12", "w13", "b1", "w21", "w22", "w23", "b2"],
    ),
    "noisy-line": ("y ~ x", ["W", "b"]),
    "signs": ("positive ~ 0 + x", ["W"]),
    "sine-cubic": ("y ~ I(x**3) + I(x**2) + x", ["a", "b", "c", "d"]),
}


@pytest.mark.parametrize("name", AS_WRITTEN)
def test_a_lab_as_its_source_writes_it_is_the_same_run_as_its_formula_with_named_coefficients(name):
    formula, names = AS_WRITTEN[name]
    written, stated = LABS[name], dataclasses.replace(LABS[name], hypothesis=formula)
    (problem, named), (_, plain) = train_lab(written), train_lab(stated)
    assert list(named.hypothesis.coefficients(problem.target)) == names
    assert np.array_equal(named.weights, plain.weights)
    assert np.array_equal(named.history.loss, plain.history.loss)


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_a_lab_tells_its_equation_as_written_with_the_numbers_that_it_came_to(capsys, lang):
    code, out, _ = called(capsys, "lab", "study-hours", "--lang", lang)
    assert code == 0
    assert "score = W * hours + b" in out
    assert "score = 19.7401" in out
    _, out, _ = called(capsys, "lab", "study-hours", "--json", "--lang", lang)
    facts = json.loads(out)
    assert facts["hypothesis"] == "score = W * hours + b"
    assert facts["equation"].startswith("score = 19.7401")
    assert {name: round(value, 4) for name, value in facts["coefficients"].items()} == {"W": 19.7401, "b": 0.5909}
    assert {check.get("column") for check in facts["checks"]} == {None, "W", "b"}


def test_an_unknown_lab_is_an_error():
    with pytest.raises(OptionError) as error:
        find_lab("study-minutes")
    assert error.value.code == "option.lab"
    with pytest.raises(OptionError):
        example("tensors")


@pytest.mark.parametrize(
    ("printed", "ours", "decimals", "good"),
    [
        (1.0, 1.0001, 6, True),
        (1.0, 1.00011, 6, False),
        (0.001, 0.00149, 3, True),
        (0.001, 0.00151, 3, False),
        ("nan", float("nan"), 6, True),
        ("nan", 1.0, 6, False),
        ("inf", float("inf"), 6, True),
        ("inf", float("nan"), 6, False),
        (1.0, float("nan"), 6, False),
    ],
)
def test_agreement_is_one_in_ten_thousand_or_half_the_last_decimal(printed, ours, decimals, good):
    assert agrees(printed, ours, decimals) is good


def test_made_tables_are_the_same_for_the_same_seed():
    lab = example("noisy-line")
    assert lab.table(3).equals(lab.table(3))
    assert not lab.table(3).equals(lab.table(4))
    assert np.isclose(example("sine-cubic").table()["x"][0], -np.pi)
