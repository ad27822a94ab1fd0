"""Networks: the same road as an equation, the same figures as PyTorch's own loop, and a run that can be taken up."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import called
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import descend
from descend.base.errors import DescendError, OptionError
from descend.fitting._statement_torch import state_module
from descend.labs import all_labs
from descend.labs.runner import agrees, recipe_of, train_lab
from descend.objectives.networks.architecture import ACTIVATIONS, Architecture, parse_architecture
from descend.objectives.networks.build import class_in_file
from descend.solvers.recipe import Recipe
from descend.solvers.run_options import RunOptions
from descend.solvers.torch_training import device_of

LABS = {lab.id: lab for lab in all_labs() if getattr(lab, "log", None) and lab.batch_size is None and not lab.rule}
DIGITS = Path(__file__).parent / "data"
RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(240, 3))
NUMBERS = X @ [1.0, -2.0, 0.5] + 3
CODES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.3)


def plain_loop(module, X, Y, criterion, optimizer, epochs):
    """The loop that everybody writes: all rows at a time, the loss before each update."""
    losses = []
    for _ in range(epochs):
        optimizer.zero_grad()
        loss = criterion(module(X), Y)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    return losses


def alone(layer):
    """A linear layer as it is: it is fitted as an equation."""
    return layer


def in_a_network(layer):
    """A linear layer in a module that is more than it: it is fitted as a network."""
    return nn.Sequential(layer, nn.Identity())


ROADS = pytest.mark.parametrize("held", [alone, in_a_network])


# ---- the linear family on a module


@pytest.mark.slow
@ROADS
@pytest.mark.parametrize("name", LABS)
def test_a_linear_module_reproduces_the_log_of_the_lab(name, held):
    lab = LABS[name]
    problem, trained = train_lab(lab, epochs=1)
    start = recipe_of(lab).start(trained.design.names, trained.weights.shape[1]).reshape(trained.weights.shape)
    bias = trained.design.hypothesis.intercept
    module = nn.Linear(len(start) - bias, start.shape[1], bias=bias, dtype=torch.float64)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(start[int(bias) :].T.copy()))
        if bias:
            module.bias.copy_(torch.from_numpy(start[0]))
    columns, family = trained.design.matrix(problem.data)[:, int(bias) :], problem.target.family.name
    targets = problem.target.encode(problem.data)
    targets = targets if family == "linear" else targets[:, 0].astype(int)
    stated = state_module(held(module), columns, targets, {
        "optimizer": "sgd", "lr": lab.lr, "epochs": lab.epochs, "dtype": lab.dtype, "family": family, "loss": lab.loss,
    })  # fmt: skip
    history = stated.problem.train(np.arange(len(columns)), stated.recipe, RunOptions(halt=False)).history
    for epoch, printed in lab.log:
        ours = history.at(epoch - lab.log_from_one)
        if lab.log_tolerance is None:
            assert agrees(printed, ours, lab.decimals if lab.decimals is not None else 6), (epoch, printed, ours)


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_a_named_network_starts_where_pytorch_starts_from_the_seed(seed):
    model = descend.fit(
        "y ~ a + b", {"a": X[:, 0], "b": X[:, 1], "y": NUMBERS}, hypothesis="mlp(5)", seed=seed, epochs=1
    )
    torch.manual_seed(seed)
    expected = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 1))
    flat = torch.cat([tensor.detach().ravel() for tensor in expected.parameters()]).numpy()
    np.testing.assert_array_equal(model.history.snapshots[0].astype(np.float32), flat)


def test_the_seeded_start_of_the_study_hours_lab_is_that_of_pytorch_s_generator():
    lab = next(lab for lab in all_labs() if lab.id == "study-hours")
    torch.manual_seed(0)
    weight, bias = torch.randn(1, 1), torch.randn(1)
    assert weight.item() == pytest.approx(lab.init["weight"][0][0])
    assert bias.item() == pytest.approx(lab.init["bias"][0])


# ---- against PyTorch's own loop


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("sgd", lambda p: torch.optim.SGD(p, lr=0.05)),
        ("sgd", lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01)),
        ("adam", lambda p: torch.optim.Adam(p, lr=0.05)),
        ("adamw", lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1)),
        ("rmsprop", lambda p: torch.optim.RMSprop(p, lr=0.05)),
        ("nadam", lambda p: torch.optim.NAdam(p, lr=0.05)),
    ],
)
def test_a_run_is_the_plain_loop_s_step_for_step(name, make):
    torch.manual_seed(4)
    module = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    mine = copy.deepcopy(module)
    optimizer = make(mine.parameters())
    expected = plain_loop(mine, torch.from_numpy(X), torch.from_numpy(CODES), nn.CrossEntropyLoss(), optimizer, 30)
    group = optimizer.param_groups[0]
    chosen = {"momentum": group.get("momentum", 0.0), "weight_decay": group["weight_decay"], "dtype": "float64"}
    model = descend.fit(module, X, CODES, optimizer=name, lr=0.05, epochs=30, test="none", **chosen)
    np.testing.assert_allclose(model.history.loss[:30], expected, rtol=1e-9)


def test_an_optimizer_given_as_an_object_is_used_and_left_as_it_was():
    module = nn.Linear(3, 1).double()
    before = copy.deepcopy(module.state_dict())
    optimizer = torch.optim.Adam([{"params": [module.weight], "lr": 0.1}, {"params": [module.bias], "lr": 0.5}])
    model = descend.fit(module, X, NUMBERS, optimizer=optimizer, epochs=50, dtype="float64", test="none")
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    assert not optimizer.state
    expected = plain_loop(module, torch.from_numpy(X), torch.from_numpy(NUMBERS)[:, None], nn.MSELoss(), optimizer, 50)
    np.testing.assert_allclose(model.history.loss[:50], expected, rtol=1e-9)


def test_batches_are_those_of_a_plain_loop_over_the_same_orders():
    module = nn.Linear(3, 1).double()
    model = descend.fit(
        module, X, NUMBERS, optimizer="sgd", lr=0.01, batch_size=32, epochs=3, dtype="float64", test="none",
        batch_history=True, seed=5,
    )  # fmt: skip
    mine, expected = copy.deepcopy(module), []
    optimizer = torch.optim.SGD(mine.parameters(), lr=0.01)
    rows, targets = torch.from_numpy(X), torch.from_numpy(NUMBERS)[:, None]
    for epoch in range(3):
        torch.manual_seed((5 << 24) + epoch)
        for chosen in torch.randperm(240).split(32):
            expected += plain_loop(mine, rows[chosen], targets[chosen], nn.MSELoss(), optimizer, 1)
    np.testing.assert_allclose(model.history.batch_loss, expected, rtol=1e-9)
    assert model.history.batch_loss.size == 3 * 8


def test_a_loss_of_ones_own_is_what_is_minimised_and_said_so():
    pinball = lambda Z, Y: torch.maximum(0.9 * (Y - Z), 0.1 * (Z - Y)).mean()  # noqa: E731
    model = descend.fit(nn.Linear(3, 1), X, NUMBERS + RANDOM.normal(size=240), loss=pinball, lr=0.05, epochs=150)
    share = np.mean(model.predict({f"x{i + 1}": X[:, i] for i in range(3)}) + 0.5 > NUMBERS + 1.2816)
    assert share > 0.8  # the ninth decile, above nearly all of the noise's mean
    assert "note.own-loss" in [note.code for note in model.notes]


@ROADS
@pytest.mark.parametrize("loss", ["mse", "sse", "mae", "huber", "msle", "mape"])
def test_every_loss_is_the_linear_engine_s(loss, held):
    y = np.abs(NUMBERS) + 1
    table = {"a": X[:, 0], "b": X[:, 1], "y": y}
    chosen = {"loss": loss, "optimizer": "sgd", "lr": 1e-4, "epochs": 20, "standardize": False, "test": "none"}
    start = nn.Linear(2, 1).double()
    flat = np.concatenate([start.bias.detach().numpy(), start.weight.detach().numpy()[0]])
    linear = descend.fit("y ~ a + b", table, init=flat, **chosen)
    network = descend.fit("y ~ a + b", table, hypothesis=held(start), dtype="float64", **chosen)
    np.testing.assert_allclose(network.history.loss, linear.history.loss, rtol=1e-9)


# ---- the road


@pytest.mark.slow
def test_a_network_learns_a_bend_that_a_line_cannot():
    x = np.linspace(-3, 3, 200)
    table = {"x": x, "y": 40_000 + 1000 * np.sin(2 * x)}
    line = descend.fit("y ~ x", table)
    bent = descend.fit("y ~ x", table, hypothesis="mlp(32, 32, activation=tanh)", epochs=400, lr=0.01)
    score = lambda model: model.verification.scores[0]["hypothesis"]["r2"]  # noqa: E731
    assert score(line) < 0.5
    assert score(bent) > 0.99


def test_dropout_batch_norm_and_clipping_are_in_the_run(noisy):
    chosen = {"hypothesis": "mlp(16, dropout=0.3, batch_norm=true)", "epochs": 60, "clip": 1.0, "weight_decay": 0.01}
    model = descend.fit("y ~ a + b", noisy, **chosen)
    kinds = [type(layer).__name__ for layer in model.network.body]
    assert kinds == ["Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear"]
    assert np.array_equal(model.predict(noisy), model.predict(noisy))  # dropout is off
    assert model.verification.verdict.startswith("verdict.better")


def test_a_step_is_no_longer_than_the_clip():
    module = nn.Linear(3, 1)
    model = descend.fit(module, X, 1e4 * NUMBERS, optimizer="sgd", lr=1.0, clip=0.5, epochs=1, test="none")
    moved = model.history.snapshots[1] - model.history.snapshots[0]
    assert np.linalg.norm(moved) == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize("batch_size", [None, 32])
def test_a_network_that_diverges_is_told_with_its_epoch(noisy, batch_size):
    with pytest.raises(descend.DivergedError) as caught:
        descend.fit(
            "y ~ a + b", noisy, hypothesis="mlp(8)", optimizer="sgd", lr=50.0, epochs=60, dtype="float64",
            batch_size=batch_size,
        )  # fmt: skip
    assert caught.value.code == "fit.diverged"
    assert caught.value.model.history.diverged


def test_early_stopping_goes_back_to_the_best_weights():
    random = np.random.default_rng(0)
    table = {"x": random.normal(size=60), "z": random.normal(size=60), "y": random.normal(size=60)}
    model = descend.fit("y ~ x + z", table, hypothesis="mlp(64, 64)", lr=0.02, epochs=300, patience=15, test="none")
    history = model.history
    assert history.stop == "early"
    best = int(history.validation_loss.argmin())
    assert history.epochs == best + 15
    np.testing.assert_array_equal(model.weights[:, 0], history.weights)
    assert history.final_loss == history.loss[best]


@ROADS
def test_a_sum_over_the_held_out_rows_is_one_over_as_many_as_are_fitted(held):
    module = held(nn.Linear(3, 1))
    chosen = {"patience": 9, "validation": 0.25, "epochs": 1, "lr": 1e-6, "dtype": "float64", "test": "none"}
    mean, total = (descend.fit(module, X, NUMBERS, loss=loss, **chosen).history for loss in ("mse", "sse"))
    assert total.loss[0] == pytest.approx(180 * mean.loss[0], rel=1e-12)
    assert total.validation_loss[0] == pytest.approx(180 * mean.validation_loss[0], rel=1e-12)


def test_the_same_seed_is_the_same_run_and_another_is_not(noisy):
    def run(seed):
        return descend.fit("y ~ a + b", noisy, hypothesis="mlp(8, dropout=0.2)", epochs=5, seed=seed).history.loss

    np.testing.assert_array_equal(run(1), run(1))
    assert not np.array_equal(run(1), run(2))
    torch.manual_seed(9)
    before = torch.rand(1)
    torch.manual_seed(9)
    run(1)
    assert torch.equal(torch.rand(1), before)  # the user's own random numbers are left alone


def test_folds_are_refitted_from_the_start(noisy):
    model = descend.fit("y ~ a + b", noisy, hypothesis="mlp(8)", epochs=100, lr=0.01, test="3")
    assert model.verification.rows == 120


@pytest.mark.parametrize("target", ["y", "passed", "group"])
def test_a_kept_network_predicts_to_the_bit(noisy, tmp_path, target):
    model = descend.fit(f"{target} ~ a + b", noisy, hypothesis="mlp(8, batch_norm=true)", epochs=5)
    loaded = descend.load(model.save(tmp_path / "net.safetensors"))
    chosen = {} if target == "y" else {"probabilities": True}
    np.testing.assert_array_equal(loaded.predict(noisy, **chosen), model.predict(noisy, **chosen))
    assert loaded.equation == model.equation
    assert loaded.network.parameters == model.network.parameters
    with pytest.raises(DescendError) as caught:
        _ = loaded.coefficients
    assert caught.value.code == "model.no-coefficients"


class Net(nn.Module):
    def __init__(self, inputs, outputs, width=4):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))

    def forward(self, X):
        return self.layers(X)


def test_a_module_of_ones_own_is_handed_in_again_at_loading(noisy, tmp_path):
    model = descend.fit("y ~ a + b", noisy, hypothesis=Net, epochs=5)
    path = model.save(tmp_path / "net.safetensors")
    for given_in, code in [(None, "needs-module"), ("Net", "not-module"), (nn.Linear(9, 1), "other-module")]:
        with pytest.raises(DescendError) as caught:
            descend.load(path, module=given_in)
        assert caught.value.code == f"model.{code}"
    np.testing.assert_array_equal(descend.load(path, module=Net).predict(noisy), model.predict(noisy))


def test_a_forged_architecture_asks_for_no_more_than_the_file_holds(noisy, tmp_path):
    from descend.base import container

    path = descend.fit("y ~ a + b", noisy, hypothesis="mlp(4)", epochs=1).save(tmp_path / "net.safetensors")
    header, tensors = container.read_container(path)
    for title in ("mlp(65536, 65536)", "mlp(5)", "cnn(4)", "Net"):
        header["network"]["title"] = title
        container.write_container(path, header, tensors)
        with pytest.raises(DescendError) as caught:
            descend.load(path)
        assert caught.value.code in ("model.inconsistent", "model.unreadable")


def test_the_model_after_some_epochs_is_that_of_its_snapshot(noisy):
    model = descend.fit("y ~ a + b", noisy, hypothesis="mlp(4)", epochs=10)
    early = model.at(3)
    np.testing.assert_array_equal(early.weights[:, 0], model.history.snapshots[3].astype(np.float32))
    assert not np.array_equal(early.predict(noisy), model.predict(noisy))


@pytest.mark.slow
def test_a_network_is_drawn(noisy, tmp_path):
    for target in ("y", "passed"):
        model = descend.fit(f"{target} ~ a + b", noisy, hypothesis="mlp(4)", epochs=10)
        model.plot(tmp_path / f"{target}.png")
        assert (tmp_path / f"{target}.png").stat().st_size > 20_000


# ---- rows from elsewhere


@pytest.mark.slow
def test_a_dataset_and_a_loader_with_workers_give_what_arrays_give():
    dataset = torch.utils.data.TensorDataset(torch.tensor(X, dtype=torch.float32), torch.tensor(CODES))
    module = nn.Linear(3, 3)
    chosen = {"optimizer": "sgd", "lr": 0.5, "epochs": 20}
    whole = descend.fit(module, X.astype(np.float32), CODES, test="none", **chosen)
    streamed = descend.fit(module, dataset, test="none", batch_size=240, workers=2, **chosen)
    loader = torch.utils.data.DataLoader(dataset, batch_size=240, num_workers=2)
    loaded = descend.fit(module, loader, **chosen)
    np.testing.assert_allclose(streamed.history.loss, whole.history.loss, rtol=1e-5)
    np.testing.assert_allclose(loaded.history.loss, whole.history.loss, rtol=1e-5)
    assert loaded.fitted_rows == 240


def test_a_dataset_s_test_rows_are_held_out():
    dataset = torch.utils.data.TensorDataset(torch.tensor(X, dtype=torch.float32), torch.tensor(CODES))
    model = descend.fit(nn.Linear(3, 3), dataset, epochs=60, lr=0.05, batch_size=32)
    assert model.verification.rows == 48
    assert model.fitted_rows == 192
    assert model.verification.verdict.startswith("verdict.better")


def test_arrays_of_any_shape_reach_the_module_as_they_are(tmp_path):
    images = RANDOM.normal(size=(60, 2, 4, 4)).astype(np.float32)
    seen = []

    class Watching(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(32, 2)

        def forward(self, X):
            seen.append(X.shape[1:])
            return self.last(X.flatten(1))

    model = descend.fit(Watching(), images, (images.mean((1, 2, 3)) > 0).astype(int), epochs=2, test="none")
    assert set(seen) == {(2, 4, 4)}
    loaded = descend.load(model.save(tmp_path / "net.safetensors"), module=Watching)
    np.testing.assert_array_equal(loaded.predict({"x": images}), model.predict({"x": images}))


# ---- checkpoints

RUN = """
import sys, time, descend
from pathlib import Path
import numpy as np
random = np.random.default_rng(0)
table = {"a": random.normal(size=200), "b": random.normal(size=200)}
table["y"] = np.sin(table["a"]) + table["b"] + 0.1 * random.normal(size=200)
slow = (lambda epoch, loss: time.sleep(0.05)) if sys.argv[2] == "slow" else None
settings = dict(epochs=60, batch_size=32, patience=50, test="none", on_epoch=slow)
if sys.argv[1] == "network":
    settings |= dict(hypothesis="mlp(16, dropout=0.3, batch_norm=true)", optimizer="adam", schedule="cosine")
else:
    settings |= dict(optimizer="adam", lr=0.05)
model = descend.fit("y ~ a + b", table, checkpoint=sys.argv[3] or None, resume=True, **settings)
print(repr(model.history.loss.tolist()), repr(model.weights.ravel().tolist()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["network", "linear"])
def test_a_killed_run_is_taken_up_and_ends_the_same(kind, tmp_path):
    kept = tmp_path / "run.safetensors"

    def command(pace, path):
        return [sys.executable, "-c", RUN, kind, pace, str(path)]

    whole = subprocess.run(command("fast", ""), capture_output=True, text=True, check=True).stdout
    process = subprocess.Popen(command("slow", kept), stdout=subprocess.PIPE)
    waited = time.monotonic()
    while not kept.exists() and time.monotonic() - waited < 60:
        time.sleep(0.05)
    first = kept.stat().st_mtime_ns
    while kept.stat().st_mtime_ns == first and process.poll() is None:
        time.sleep(0.05)
    assert process.poll() is None, "it must be killed in mid-run"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    resumed = subprocess.run(command("fast", kept), capture_output=True, text=True, check=True).stdout
    assert resumed == whole


def test_a_checkpoint_of_another_run_is_refused(noisy, tmp_path):
    kept = tmp_path / "run.safetensors"
    chosen = {"hypothesis": "mlp(4)", "epochs": 3, "checkpoint": kept, "resume": True}
    descend.fit("y ~ a", noisy, **chosen)
    assert kept.exists()
    with pytest.raises(DescendError) as caught:
        descend.fit("y ~ a", noisy, lr=0.5, **chosen)
    assert caught.value.code == "option.other-run"
    assert "lr" in caught.value.tell("en")
    kept.write_bytes(kept.read_bytes()[:-9])
    with pytest.raises(DescendError) as caught:
        descend.fit("y ~ a", noisy, **chosen)
    assert caught.value.code.startswith("model.")


class Coming(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter(zip(torch.tensor(X).float(), torch.tensor(NUMBERS).float(), strict=True))


def test_the_loss_of_a_stream_is_the_mean_over_the_rows_that_come():
    rows = torch.utils.data.TensorDataset(torch.tensor(X).float(), torch.tensor(NUMBERS).float())
    net, chosen = nn.Linear(3, 1), {"optimizer": "sgd", "epochs": 2}
    whole = descend.fit(net, X, NUMBERS, test="none", **chosen).history.loss
    part = descend.fit(net, X[:224], NUMBERS[:224], test="none", **chosen).history.loss
    np.testing.assert_allclose(descend.fit(net, Coming(), **chosen).history.loss, whole, rtol=1e-5)
    loader = torch.utils.data.DataLoader(rows, batch_size=32, drop_last=True)
    streamed = descend.fit(net, loader, **chosen).history
    assert streamed.loss[0] == pytest.approx(part[0], rel=1e-5)
    assert np.isnan(streamed.gradient_norm).all()  # batches were seen, and no gradient of all rows
    held = descend.fit(net, rows, batch_size=32, **chosen)
    assert held.history.loss[0] > held.history.loss[1]


def test_a_data_set_s_classes_are_codes_or_booleans():
    inputs = torch.tensor(X).float()
    yes = torch.utils.data.TensorDataset(inputs, torch.tensor(X[:, 0] > 0))
    model = descend.fit(nn.Linear(3, 1), yes, lr=0.1, epochs=20)
    assert model.verification.scores[0]["hypothesis"]["accuracy"] > 0.8
    assert model.predict({"x1": [3.0], "x2": [0.0], "x3": [0.0]}).tolist() == [True]
    for codes in (CODES + 1, CODES - 1):
        with pytest.raises(DescendError) as caught:
            descend.fit(nn.Linear(3, 3), torch.utils.data.TensorDataset(inputs, torch.tensor(codes)), test="none")
        assert caught.value.code == "design.stream-classes"


class Broken(torch.utils.data.Dataset):
    def __len__(self):
        return 60

    def __getitem__(self, index):
        return X[index, : 1 + index % 3], 1.0


def test_what_a_data_set_raises_is_told_and_a_loader_s_own_settings_are_not_asked_twice():
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(NUMBERS)))
    for stream, chosen, code in [
        (Broken(), {}, "design.stream-fails"),
        (loader, {"batch_size": 8}, "option.stream-setting"),
    ]:
        with pytest.raises(DescendError) as caught:
            descend.fit(nn.Linear(3, 1), stream, epochs=1, **chosen)
        assert caught.value.code == code


class Held(nn.Module):
    """Its layers are held in another order than they are called in."""

    def __init__(self, last):
        super().__init__()
        self.first, self.second, self.squash, self.last = nn.Linear(3, 4), nn.Linear(4, 1), nn.Sigmoid(), last

    def forward(self, X):
        Z = self.second(self.squash(self.first(X)))
        return self.squash(Z) if self.last else Z


def test_a_module_is_judged_by_the_layer_that_is_called_last_not_held_last():
    assert descend.fit(Held(last=False), X, NUMBERS, epochs=1).history.loss[0] > 0
    with pytest.raises(DescendError) as caught:
        descend.fit(Held(last=True), X, NUMBERS, epochs=1)
    assert caught.value.code == "option.module-squashed"


class Failing(nn.Module):
    def __init__(self):
        super().__init__()
        raise ValueError("no")


def test_what_a_module_or_a_loss_raises_is_told():
    frozen, made = nn.Linear(3, 1).requires_grad_(False), nn.Linear(3, 1)
    cases = [
        (nn.Linear(5, 1), {}, "design.module-fails"),
        (nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1)), {"batch_size": 1}, "design.module-fails"),
        (nn.LSTM(3, 1), {}, "design.module-outputs"),
        (nn.LazyLinear(1), {}, "option.module-lazy"),
        (frozen, {}, "option.module-frozen"),
        (nn.Flatten(), {}, "option.module-frozen"),
        (Failing, {}, "option.module-arguments"),
        (made, {"loss": nn.MSELoss(reduction="none")}, "option.loss-shape"),
        (made, {"loss": lambda Z, Y: Z / 0 + None}, "option.loss-fails"),
        (made, {"optimizer": torch.optim.LBFGS(made.parameters())}, "option.optimizer-kind"),
        (made, {"optimizer": torch.optim.SGD(made.parameters(), lr=0.1), "lr": 0.5}, "option.no-effect"),
        (made, {"optimizer": torch.optim.SGD(made.parameters(), lr=0.1), "momentum": 0.5}, "option.no-effect"),
        (made, {"optimizer": torch.optim.SGD(made.parameters(), lr=0.1), "weight_decay": 0.5}, "option.no-effect"),
    ]
    for module, chosen, code in cases:
        with pytest.raises(DescendError) as caught:
            descend.fit(module, X, NUMBERS, epochs=1, **chosen)
        assert caught.value.code == code
        assert caught.value.tell("ko")


@pytest.mark.parametrize("chosen", [{"hypothesis": "mlp(4)"}, {"lr": 0.1, "batch_size": 16}])
def test_a_checkpoint_is_of_its_columns_and_its_module_and_of_no_more_epochs(chosen, noisy, tmp_path, monkeypatch):
    monkeypatch.setattr("descend.solvers.checkpoint.EVERY", 0.0)
    kept = {"checkpoint": tmp_path / "run.safetensors", "resume": True, "test": "none"}
    descend.fit("y ~ a", noisy, epochs=6, **chosen, **kept)
    other = {**{name: noisy[name] for name in ("y", "b")}, "a": np.asarray(noisy["b"])}
    for table, epochs, code in [(other, 6, "other-run"), (noisy, 3, "run-beyond")]:
        with pytest.raises(DescendError) as caught:
            descend.fit("y ~ a", table, epochs=epochs, **chosen, **kept)
        assert caught.value.code == f"option.{code}"
    kept["checkpoint"] = tmp_path / "module.safetensors"
    descend.fit(in_a_network(nn.Linear(3, 1)), X, NUMBERS, epochs=3, **kept)
    for module in (in_a_network(nn.Linear(3, 1)), nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))):
        with pytest.raises(DescendError) as caught:
            descend.fit(module, X, NUMBERS, epochs=3, **kept)
        assert caught.value.code == "option.other-run"


def test_numbers_and_settings_that_no_network_can_take_are_refused():
    cases = [
        ((X * 1e300, NUMBERS), {}, "fit.not-finite"),
        ((X, NUMBERS * 1e300), {}, "fit.not-finite"),
        ((X[:0], NUMBERS[:0]), {}, "design.empty-stream"),
        (([["a", "b", "c"]] * 60, NUMBERS[:60]), {}, "option.array-kind"),
        (([[1, 2, 3], [1]] * 30, NUMBERS[:60]), {}, "option.array-kind"),
        ((X + 1j, NUMBERS), {}, "option.array-kind"),
        ((X, NUMBERS), {"seed": 1.5}, "option.not-negative"),
        ((X, NUMBERS), {"seed": "a"}, "option.not-negative"),
        ((X, NUMBERS), {"epochs": float("inf")}, "option.count"),
        ((X, NUMBERS), {"epochs": "x"}, "option.count"),
    ]
    for arrays, chosen, code in cases:
        with pytest.raises(DescendError) as caught:
            descend.fit(in_a_network(nn.Linear(3, 1)), *arrays, **{"epochs": 1, **chosen})
        assert caught.value.code == code
    assert descend.fit("y ~ a", {"a": X[:, 0], "y": NUMBERS}, hypothesis="mlp(2)", epochs=1, seed=2**70).network


def test_a_network_is_not_foretold(noisy):
    for look in (descend.forecast, descend.trajectory):
        with pytest.raises(DescendError) as caught:
            look("y ~ a", noisy, hypothesis="mlp(2)")
        assert caught.value.code == "option.not-foretold"


def test_a_file_with_a_class_may_print_hold_dataclasses_and_have_any_ending(tmp_path, capsys):
    for name in ("net.py", "net.txt"):
        (tmp_path / name).write_text(
            "from __future__ import annotations\nimport dataclasses\nfrom torch import nn\nprint('hello')\n"
            "@dataclasses.dataclass\nclass Size:\n    width: int = 3\nclass Net(nn.Linear):\n    pass\n"
        )
        assert class_in_file(f"{tmp_path / name}:Net(3, 1)").weight.shape == (1, 3)
    assert capsys.readouterr().out == ""
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)")
    with pytest.raises(OptionError) as caught:
        class_in_file(f"{tmp_path / 'leaves.py'}:Net")
    assert caught.value.code == "option.module-fails"


def test_a_class_that_cannot_be_made_is_no_contradiction_in_the_file(noisy, tmp_path):
    module = in_a_network(nn.Linear(2, 1))
    path = descend.fit("y ~ a + b", noisy, hypothesis=module, epochs=1).save(tmp_path / "net.safetensors")
    with pytest.raises(DescendError) as caught:
        descend.load(path, module=nn.Linear)
    assert caught.value.code == "model.other-module"


# ---- what is refused

BAD = {
    "mlq(3)": "hypothesis",
    "mlp(3": "hypothesis-syntax",
    "mlp(0)": "hypothesis-size",
    "mlp(3.5)": "hypothesis-size",
    "mlp(3, dropout=1.5)": "hypothesis-value",
    "mlp(3, activation=tan)": "hypothesis-value",
    "mlp(3, droput=0.5)": "hypothesis-option",
    "mlp(dropout=0.1, 3)": "hypothesis-syntax",
    "mlp(__import__('os'))": "hypothesis-syntax",
    "cnn(8)": "hypothesis-image",
    "": "hypothesis-syntax",
}


@pytest.mark.parametrize("text", BAD)
def test_a_hypothesis_that_is_none_is_refused_with_its_reason(text, noisy):
    with pytest.raises(DescendError) as caught:
        descend.fit("y ~ a", noisy, hypothesis=text)
    assert caught.value.code == f"option.{BAD[text]}"


@settings(max_examples=300)
@given(st.text(alphabet="mlpcn(),=. 0123456789_dropoutrelutrue\n\t'\"", max_size=60))
def test_no_text_makes_the_parser_of_architectures_fail_otherwise(text):
    with contextlib.suppress(OptionError):
        made = parse_architecture(text)
        assert parse_architecture(str(made)) == made


@given(
    st.lists(st.integers(1, 65536), max_size=5),
    st.floats(0, 0.99),
    st.booleans(),
    st.sampled_from(ACTIVATIONS),
)
def test_an_architecture_is_read_again_as_it_is_written(sizes, dropout, norm, activation):
    made = Architecture("mlp", tuple(sizes), dropout, norm, activation)
    assert parse_architecture(str(made)) == made


def test_modules_and_settings_that_cannot_be_are_refused(noisy):
    squashed, narrow = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid()), nn.Linear(2, 2)
    cases = [
        ({"hypothesis": squashed}, "option.module-squashed"),
        ({"hypothesis": narrow}, "design.module-outputs"),
        ({"hypothesis": "mlp(2)", "optimizer": "adamm"}, "option.optimizer"),
        ({"hypothesis": "mlp(2)", "optimizer": "adam", "momentum": 0.9}, "option.optimizer-setting"),
        ({"hypothesis": "mlp(2)", "device": "tpu"}, "option.device"),
        ({"hypothesis": "mlp(2)", "l2": 0.1}, "option.no-effect"),
        ({"clip": 0.1}, "option.no-effect"),
        ({"beta1": 0.1}, "option.no-effect"),
        ({"clip": -1.0, "hypothesis": "mlp(2)"}, "option.not-negative"),
        ({"drop_last": True}, "option.no-effect"),
        ({"hypothesis": nn.Linear(2, 1), "optimizer": torch.optim.SGD(narrow.parameters(), lr=0.1)},
         "option.optimizer-parameters"),
        ({"hypothesis": 3}, "option.hypothesis-kind"),
    ]  # fmt: skip
    for chosen, code in cases:
        with pytest.raises(DescendError) as caught:
            descend.fit("y ~ a + b", noisy, epochs=2, **chosen)
        assert caught.value.code == code
    if not torch.cuda.is_available():
        with pytest.raises(DescendError) as caught:
            device_of("cuda")
        assert caught.value.code == "option.no-device"


def test_arrays_and_streams_that_cannot_be_are_refused():
    empty = torch.utils.data.TensorDataset(torch.empty(0, 3), torch.empty(0))
    cases = [
        ((nn.Linear(3, 1), X, NUMBERS[:-1]), {}, "design.unequal-arrays"),
        ((nn.Linear(3, 1), X), {}, "option.no-targets"),
        ((nn.Linear(3, 1), [(X[0], 1.0, 2)] * 9), {}, "option.no-targets"),
        ((nn.Linear(3, 1), torch.utils.data.DataLoader(empty)), {}, "design.empty-stream"),
        ((nn.Linear(3, 1), torch.utils.data.DataLoader(torch.tensor(X))), {}, "design.loader-pairs"),
        ((nn.Linear(3, 1), torch.utils.data.DataLoader(empty)), {"patience": 3}, "option.stream-setting"),
    ]
    for given_in, chosen, code in cases:
        with pytest.raises(DescendError) as caught:
            descend.fit(*given_in, epochs=1, **chosen)
        assert caught.value.code == code


def test_without_pytorch_a_network_says_what_to_install(noisy, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(DescendError) as caught:
        descend.fit("y ~ a", noisy, hypothesis="mlp(2)")
    assert caught.value.code == "option.needs-extra"
    assert "descend[torch]" in caught.value.hint("ko")


# ---- the command line


def test_the_command_line_fits_keeps_shows_and_predicts_a_network(capsys, penguins, tmp_path):
    out = tmp_path / "net.safetensors"
    formula = "species ~ bill_length_mm + bill_depth_mm"
    code, told, _ = called(
        capsys, "fit", penguins, formula, "--missing", "drop", "--hypothesis", "mlp(8)", "--epochs", 40, "--lr", 0.02,
        "--out", out, "--log-every", 20,
    )  # fmt: skip
    assert code == 0
    assert "mlp(8): inputs 2, outputs 3, parameters 51;" in told
    assert "epoch 20/40" in told
    for lang, word in (("en", "parameter"), ("ko", "모수")):
        code, told, _ = called(capsys, "show", out, "--lang", lang)
        assert code == 0
        assert word in told
        assert "8 x 2" in told
    code, told, _ = called(capsys, "predict", out, "--set", "bill_length_mm=39", "--set", "bill_depth_mm=18", "--json")
    assert json.loads(told)["predictions"][0]["species_predicted"] == "Adelie"
    code, told, _ = called(capsys, "show", out, "--json")
    assert json.loads(told)["network"]["parameters"] == 51


def test_a_class_in_a_file_is_fitted_and_loaded_from_the_command_line(capsys, scores, tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self, width=3, inputs=1, outputs=1):\n"
        "        super().__init__(nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, outputs))\n"
        "class Broken(nn.Module):\n"
        "    def __init__(self):\n"
        "        raise RuntimeError('out of paper')\n"
        "def helper(): ...\n",
        encoding="utf-8",
    )
    out, where = tmp_path / "net.safetensors", tmp_path / "net.py"
    settings = ("--epochs", 20, "--test", "none")
    code, told, _ = called(capsys, "fit", scores, "score ~ hours", "--module", f"{where}:Net(5)", *settings, "-o", out)
    assert code == 0
    assert "Net: inputs 1, outputs 1, parameters 16;" in told
    code, _, said = called(capsys, "predict", out, "--set", "hours=4")
    assert code == 1
    assert "model.needs-module" in said
    code, told, _ = called(capsys, "predict", out, "--set", "hours=4", "--module", f"{where}:Net(5)")
    assert code == 0
    for asked, expected in [
        (f"{where}:Other", "option.module-class"),
        (f"{where}:helper", "option.module-class"),
        (f"{where}:Broken()", "option.module-fails"),
        (f"{tmp_path}/no.py:Net", "option.module-file"),
        ("Net", "option.module-file"),
    ]:
        code, _, said = called(capsys, "fit", scores, "score ~ hours", "--module", asked)
        assert code == 2
        assert expected in said


def test_the_losses_of_batches_are_printed(capsys, scores):
    code, told, _ = called(
        capsys, "fit", scores, "score ~ hours", "--batch-size", 2, "--epochs", 3, "--lr", 0.01, "--log-batches"
    )
    assert code == 0
    lines = [line for line in told.splitlines() if line.startswith("epoch")]
    assert len(lines) == 6
    assert lines[1].startswith("epoch 0/3  batch 2/2  loss ")
    code, told, _ = called(
        capsys, "fit", scores, "score ~ hours", "--batch-size", 2, "--epochs", 3, "--lr", 0.01, "--log-batches",
        "--drop-last",
    )  # fmt: skip
    assert sum(line.startswith("epoch") for line in told.splitlines()) == 3


def test_a_checkpoint_can_be_had_from_the_command_line(capsys, scores, tmp_path):
    kept = Path(tmp_path) / "run.safetensors"
    command = ("fit", scores, "score ~ hours", "--hypothesis", "mlp(4)", "--test", "none", "--checkpoint", kept)
    assert called(capsys, *command, "--epochs", 5)[0] == 0
    code, told, _ = called(capsys, *command, "--epochs", 9, "--resume")
    assert code == 0
    assert "the run was taken up at epoch" in told
    code, _, said = called(capsys, *command, "--lr", 0.5, "--resume")
    assert code == 2
    assert "option.other-run" in said


# ---- digits


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hypothesis", "epochs", "least"),
    [
        ("mlp(256, 128, dropout=0.3, batch_norm=true)", 10, 0.95),
        ("cnn(16, 32, dropout=0.3, batch_norm=true)", 4, 0.97),
    ],
)
def test_networks_read_nearly_all_unseen_digits(hypothesis, epochs, least):
    settings = {"lr": 0.003, "schedule": "cosine", "epochs": epochs, "test": "none"}
    model = descend.fit("label ~ image", DIGITS / "mnist-train-images-idx3-ubyte.gz", hypothesis=hypothesis, **settings)
    tested = model.evaluate(DIGITS / "mnist-t10k-images-idx3-ubyte.gz")
    assert tested.rows == 2000
    assert tested.scores[0]["hypothesis"]["accuracy"] >= least


@ROADS
def test_a_module_at_its_optimum_may_rise_a_little_without_having_diverged(held):
    module = nn.Linear(3, 1).double()
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[1.0, -2.0, 0.5]]))
        module.bias.fill_(3.0)
    noise = 0.1 * np.random.default_rng(8).normal(size=240)
    model = descend.fit(
        held(module), X, NUMBERS + noise, optimizer="adam", lr=0.001, epochs=30, dtype="float64", test="none"
    )  # fmt: skip
    assert model.history.stop == "epochs"


def test_settings_that_would_do_nothing_are_refused(noisy):
    cases = [({"clip": 0.0}, "option.clip"), ({"batch_size": 999, "drop_last": True}, "option.no-batch")]
    for chosen, code in cases:
        with pytest.raises(DescendError) as caught:
            descend.fit("y ~ a", noisy, hypothesis="mlp(2)", epochs=2, **chosen)
        assert caught.value.code == code
    images = {"image": np.zeros((60, 8, 8), np.uint8), "label": ["a", "b"] * 30}
    with pytest.raises(DescendError) as caught:
        descend.fit("label ~ image", images, hypothesis="cnn(2, kernel=99)")
    assert caught.value.code == "option.hypothesis-kernel"


def test_a_network_has_no_intervals_and_a_checkpoint_is_no_model(noisy, tmp_path):
    kept = tmp_path / "run.safetensors"
    model = descend.fit("y ~ a", noisy, hypothesis="mlp(2)", epochs=2, checkpoint=kept)
    with pytest.raises(DescendError) as caught:
        model.intervals(noisy)
    assert caught.value.code == "model.network-interval"
    with pytest.raises(DescendError) as caught:
        descend.load(kept)
    assert caught.value.code == "model.checkpoint"


def test_a_network_s_file_without_pytorch_says_what_to_install(noisy, tmp_path, monkeypatch):
    path = descend.fit("y ~ a", noisy, hypothesis="mlp(2)", epochs=2).save(tmp_path / "net.safetensors")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(DescendError) as caught:
        descend.load(path)
    assert caught.value.code == "option.needs-extra"


def test_a_recipe_and_a_stream_go_together():
    dataset = torch.utils.data.TensorDataset(torch.tensor(X, dtype=torch.float32), torch.tensor(CODES))
    model = descend.fit(nn.Linear(3, 3), dataset, recipe=Recipe(hypothesis="mlp", epochs=2, batch_size=32))
    assert model.history.epochs == 2


def test_bytes_reach_a_module_as_pictures_or_as_they_are():
    seen = {}

    class Watching(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.LazyLinear(2)

        def forward(self, X):
            seen[X.shape[1:]] = float(X.max())
            return self.last(X.flatten(1))

    codes = np.arange(60) % 2
    for shape in ((60, 4, 4), (60, 4, 4, 3), (60, 1, 4, 4)):
        module = Watching()
        module(torch.zeros(1, *((1, 4, 4) if len(shape) == 3 else (3, 4, 4) if shape[-1] == 3 else shape[1:])))
        descend.fit(module, np.full(shape, 255, np.uint8), codes, epochs=1, test="none")
    assert seen == {(1, 4, 4): 255.0, (3, 4, 4): 1.0}


def test_whole_numbers_under_a_loss_of_numbers_are_numbers():
    whole = np.round(NUMBERS).astype(int)
    model = descend.fit(nn.Linear(3, 1), X, whole, loss=nn.MSELoss(), lr=0.1, epochs=60)
    assert model.family == "linear"
    assert model.verification.scores[0]["hypothesis"]["r2"] > 0.9
    assert descend.fit(nn.Linear(3, 3), X, CODES, loss=nn.CrossEntropyLoss(), epochs=1).family == "softmax"


def test_an_interrupt_leaves_the_parameters_whose_loss_is_told(noisy):
    def press(epoch, loss):
        if epoch == 7:
            raise KeyboardInterrupt

    for chosen in ({"hypothesis": "mlp(4)"}, {"optimizer": "sgd", "lr": 0.01, "batch_size": 20}):
        model = descend.fit("y ~ a + b", noisy, epochs=20, on_epoch=press, **chosen)
        assert model.history.stop == "interrupted"
        np.testing.assert_array_equal(model.history.weights, model.history.snapshots[7])


def test_half_precision_without_cuda_is_said_to_be_full(noisy):
    if torch.cuda.is_available():
        pytest.skip("there is cuda")
    model = descend.fit("y ~ a", noisy, hypothesis="mlp(2)", epochs=2, mixed_precision=True)
    assert "note.full-precision" in [note.code for note in model.notes]


def test_an_unknown_optimizer_is_told_before_the_run(capsys, scores):
    code, told, said = called(capsys, "fit", scores, "score ~ hours", "--hypothesis", "mlp(2)", "--optimizer", "adamm")
    assert (code, told) == (2, "")
    assert "option.optimizer" in said
