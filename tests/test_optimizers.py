"""Optimizers and schedules are PyTorch's, step for step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from descend.base.errors import OptionError
from descend.solvers.make import make_optimizer, make_schedule
from descend.solvers.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from descend.solvers.schedules import ConstantSchedule, CosineSchedule, ExponentialSchedule, StepSchedule

RANDOM = np.random.default_rng(3)
A = RANDOM.normal(size=(30, 6)) * [1, 2, 0.1, 5, 1, 1]
B = RANDOM.normal(size=30)
START = RANDOM.normal(size=6)

PAIRS = [
    (SGD(0.01), torch.optim.SGD, {"lr": 0.01}),
    (SGD(0.01, momentum=0.9), torch.optim.SGD, {"lr": 0.01, "momentum": 0.9}),
    (SGD(0.01, 0.9, nesterov=True), torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    (SGD(0.01, 0.5, weight_decay=0.1), torch.optim.SGD, {"lr": 0.01, "momentum": 0.5, "weight_decay": 0.1}),
    (RMSprop(), torch.optim.RMSprop, {"lr": 0.01}),
    (RMSprop(0.02, 0.9, 0.8, weight_decay=0.01), torch.optim.RMSprop,
     {"lr": 0.02, "alpha": 0.9, "momentum": 0.8, "weight_decay": 0.01}),
    (Adagrad(), torch.optim.Adagrad, {"lr": 0.01}),
    (Adagrad(0.5, lr_decay=0.01, weight_decay=0.1), torch.optim.Adagrad,
     {"lr": 0.5, "lr_decay": 0.01, "weight_decay": 0.1}),
    (Adam(), torch.optim.Adam, {"lr": 0.001}),
    (Adam(0.05, 0.8, 0.99, weight_decay=0.02), torch.optim.Adam,
     {"lr": 0.05, "betas": (0.8, 0.99), "weight_decay": 0.02}),
    (AdamW(), torch.optim.AdamW, {"lr": 0.001}),
    (AdamW(0.05, 0.8, 0.99, 1e-6, weight_decay=0.3), torch.optim.AdamW,
     {"lr": 0.05, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.3}),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs", "settings"), PAIRS)
def test_every_step_equals_pytorchs_to_1e12(ours, theirs, settings):
    w = START.copy()
    state = ours.init(w)
    parameter = torch.nn.Parameter(torch.tensor(START))
    optimizer = theirs([parameter], **settings)
    for _ in range(200):
        gradient = 2 * A.T @ (A @ w - B) / len(B)
        ours.update(w, gradient, state, ours.lr)
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        np.testing.assert_allclose(w, parameter.detach().numpy(), rtol=1e-12, atol=1e-12)


def _torch_rates(make, epochs):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("schedule", "make"),
    [
        (StepSchedule(50, gamma=0.5, step_size=10), lambda o: torch.optim.lr_scheduler.StepLR(o, 10, 0.5)),
        (ExponentialSchedule(50, gamma=0.9), lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.9)),
        (CosineSchedule(50), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 50)),
        (
            ConstantSchedule(50, warmup=9),
            lambda o: torch.optim.lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=9),
        ),
    ],
)
def test_schedules_equal_pytorchs(schedule, make):
    ours = [schedule.factor(epoch) for epoch in range(50)]
    np.testing.assert_allclose(ours, _torch_rates(make, 50), rtol=1e-9, atol=1e-12)


def test_a_warm_up_climbs_and_then_the_schedule_begins():
    schedule = StepSchedule(20, gamma=0.5, step_size=5, warmup=3)
    factors = [schedule.factor(epoch) for epoch in range(10)]
    assert factors[:4] == [0.25, 0.5, 0.75, 1.0]
    assert factors[7] == 1.0
    assert factors[8] == 0.5
    assert not schedule.constant
    assert ConstantSchedule().constant


@pytest.mark.parametrize(
    ("code", "settings"),
    [
        ("option.optimizer", {"name": "lbfgs", "lr": 1.0}),
        ("option.lr", {"name": "sgd", "lr": 0.0}),
        ("option.lr", {"name": "adam", "lr": float("nan")}),
        ("option.momentum", {"name": "sgd", "lr": 1.0, "momentum": 1.0}),
        ("option.nesterov", {"name": "sgd", "lr": 1.0, "nesterov": True}),
        ("option.nesterov", {"name": "rmsprop", "lr": 1.0, "momentum": 0.5, "nesterov": True}),
        ("option.no-momentum", {"name": "adam", "lr": 1.0, "momentum": 0.5}),
        ("option.no-effect", {"name": "sgd", "lr": 1.0, "beta1": 0.5}),
        ("option.below-one", {"name": "adam", "lr": 1.0, "beta2": 1.0}),
        ("option.positive", {"name": "adagrad", "lr": 1.0, "eps": 0.0}),
        ("option.not-negative", {"name": "adagrad", "lr": 1.0, "lr_decay": -1.0}),
    ],
)
def test_settings_that_make_no_sense_are_errors(code, settings):
    with pytest.raises(OptionError) as error:
        make_optimizer(**settings)
    assert error.value.code == code


@pytest.mark.parametrize(
    ("code", "settings"),
    [
        ("option.schedule", {"name": "linear"}),
        ("option.gamma", {"name": "step", "gamma": 0.0}),
        ("option.schedule-epochs", {"name": "step", "step_size": 0}),
        ("option.schedule-epochs", {"name": "constant", "warmup": -1}),
        ("option.no-effect", {"name": "cosine", "gamma": 0.5}),
    ],
)
def test_schedules_that_make_no_sense_are_errors(code, settings):
    with pytest.raises(OptionError) as error:
        make_schedule(**{"epochs": 10, **settings})
    assert error.value.code == code
