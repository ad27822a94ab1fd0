"""A PyTorch module that is one linear layer: it is fitted as the linear equation that it is."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import descend

torch = pytest.importorskip("torch")
nn = torch.nn

RANDOM = np.random.default_rng(11)
X = RANDOM.normal(size=(120, 3)) * [1.0, 3.0, 0.2] + [0.0, 5.0, 0.0]
NUMBERS = X @ [1.0, -2.0, 3.0] + 4.0 + RANDOM.normal(size=120)
TWO = np.stack([NUMBERS, X @ [0.5, 0.5, 0.5] + RANDOM.normal(size=120)], axis=1)
CODES = (RANDOM.uniform(size=120) * 3).astype(int)
YES = (X[:, 0] + RANDOM.normal(size=120) > 0).astype(int)
ONES = np.column_stack([np.ones(120), X])
COLUMNS = {f"x{index + 1}": X[:, index] for index in range(3)}


def plain_loop(module, targets, loss, optimizer, epochs):
    rows, losses = torch.from_numpy(X), []
    for _ in range(epochs):
        optimizer.zero_grad()
        value = loss(module(rows), targets)
        losses.append(value.item())
        value.backward()
        optimizer.step()
    return losses


@pytest.mark.parametrize("wrap", [lambda layer: layer, nn.Sequential])
def test_a_linear_layer_alone_comes_to_least_squares_with_all_that_is_known_of_it(wrap):
    model = descend.fit(wrap(nn.Linear(3, 1)), X, NUMBERS, test="none")
    expected = np.linalg.lstsq(ONES, NUMBERS, rcond=None)[0]
    np.testing.assert_allclose(list(model.coefficients.values()), expected, rtol=1e-12)
    assert (model.hypothesis.name, model.history.stop) == ("linear", "optimum")
    assert model.certificate.kind == "exact"
    residuals = NUMBERS - ONES @ expected
    covariance = residuals @ residuals / 116 * np.linalg.inv(ONES.T @ ONES)
    np.testing.assert_allclose(model.inference.errors[:, 0], np.sqrt(np.diag(covariance)), rtol=1e-9)
    plain = descend.fit("y ~ x1 + x2 + x3", {**COLUMNS, "y": NUMBERS}, test="none", standardize=False)
    np.testing.assert_array_equal(model.raw, plain.raw)
    assert [note.code for note in model.notes if note.code == "note.linear-layer"]


def test_a_layer_without_a_bias_is_an_equation_without_an_intercept():
    model = descend.fit(nn.Linear(3, 1, bias=False), X, NUMBERS, test="none")
    assert list(model.coefficients) == ["x1", "x2", "x3"]
    np.testing.assert_allclose(model.raw[:, 0], np.linalg.lstsq(X, NUMBERS, rcond=None)[0], rtol=1e-12)
    assert model.formula == "y ~ 0 + x1 + x2 + x3"
    assert descend.fit(nn.Linear(3, 2, bias=False), X, TWO).raw.shape == (3, 2)


@pytest.mark.parametrize(
    ("targets", "outputs", "loss"),
    [
        (NUMBERS, 1, nn.MSELoss()),
        (TWO, 2, nn.MSELoss()),
        (YES, 1, nn.BCEWithLogitsLoss()),
        (CODES, 3, nn.CrossEntropyLoss()),
    ],
)
@pytest.mark.parametrize(
    ("optimizer", "make"),
    [
        ("sgd", lambda p: torch.optim.SGD(p, lr=0.01)),
        ("sgd", lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9)),
        ("adam", lambda p: torch.optim.Adam(p, lr=0.01)),
        ("rmsprop", lambda p: torch.optim.RMSprop(p, lr=0.01)),
    ],
)
def test_a_run_by_a_named_optimizer_is_pytorch_s_from_the_layer_s_own_parameters(
    targets, outputs, loss, optimizer, make
):
    layer = nn.Linear(3, outputs).double()
    mine, before = copy.deepcopy(layer), copy.deepcopy(layer.state_dict())
    made = make(mine.parameters())
    group = made.param_groups[0]
    chosen = {"momentum": group["momentum"]} if group.get("momentum") else {}
    model = descend.fit(layer, X, targets, optimizer=optimizer, lr=0.01, epochs=40, test="none", **chosen)
    wanted = torch.from_numpy(targets)
    wanted = wanted if outputs == 3 else wanted.double().reshape(120, outputs)
    expected = plain_loop(mine, wanted, loss, made, 40)
    np.testing.assert_allclose(model.history.loss[:40], expected, rtol=1e-9)
    assert model.hypothesis.name == "linear"
    assert all(torch.equal(before[name], tensor) for name, tensor in layer.state_dict().items())
    found = model.network.body.state_dict()
    weight, bias = mine.weight.detach(), mine.bias.detach()
    if outputs == 3:  # a softmax says nothing of what all classes share
        weight, bias = weight - weight.mean(axis=0), bias - bias.mean()
    np.testing.assert_allclose(found["weight"], weight, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found["bias"], bias, rtol=1e-7, atol=1e-9)


def test_the_module_of_the_model_predicts_what_the_model_predicts(tmp_path):
    model = descend.fit(nn.Linear(3, 1).double(), X, NUMBERS)
    with torch.no_grad():
        made = model.network.body(torch.from_numpy(X)).numpy()[:, 0]
    np.testing.assert_allclose(made, model.predict(COLUMNS), rtol=1e-12)
    loaded = descend.load(model.save(tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(loaded.predict(COLUMNS), model.predict(COLUMNS))
    assert loaded.coefficients == model.coefficients


def test_a_layer_on_a_table_starts_from_its_parameters_on_standardised_columns_and_targets():
    table, layer = {**COLUMNS, "y": NUMBERS}, nn.Linear(3, 1).double()
    chosen = {"optimizer": "sgd", "lr": 0.01, "epochs": 30, "test": "none"}
    equation = descend.fit("y ~ x1 + x2 + x3", table, hypothesis=layer, **chosen)
    network = descend.fit(
        "y ~ x1 + x2 + x3", table, hypothesis=nn.Sequential(layer, nn.Identity()), dtype="float64", **chosen
    )
    np.testing.assert_allclose(equation.history.loss, network.history.loss, rtol=1e-9)
    assert (equation.hypothesis.name, network.hypothesis.name) == ("linear", "network")


def test_the_forecast_of_a_layer_is_exact():
    table, layer = {**COLUMNS, "y": NUMBERS}, nn.Linear(3, 1)
    chosen = {"optimizer": "sgd", "lr": 0.005, "epochs": 25, "standardize": False}
    run = descend.trajectory("y ~ x1 + x2 + x3", table, hypothesis=layer, **chosen)
    model = descend.fit("y ~ x1 + x2 + x3", table, hypothesis=layer, test="none", **chosen)
    np.testing.assert_allclose(run.loss(25), model.history.final_loss, rtol=1e-10)
    forecast = descend.forecast("y ~ x1 + x2 + x3", table, hypothesis=layer, **chosen)
    assert forecast.curvatures.size == 4
    np.testing.assert_allclose(
        np.sort(forecast.curvatures), np.sort(np.linalg.eigvalsh(2 * ONES.T @ ONES / 120)), rtol=1e-9
    )


@pytest.mark.parametrize(
    "chosen",
    [
        {"batch_size": 32, "epochs": 2},
        {"loss": lambda Z, Y: ((Z - Y) ** 2).mean(), "epochs": 2},
        {"clip": 1.0, "epochs": 2},
        {"optimizer": "adamax", "epochs": 2},
    ],
)
def test_what_only_pytorch_does_stays_a_network_s(chosen):
    assert descend.fit(nn.Linear(3, 1), X, NUMBERS, **chosen).hypothesis.name == "network"


def test_more_than_a_linear_layer_stays_a_network():
    class Own(nn.Linear):
        pass

    hooked, half = nn.Linear(3, 1), nn.Linear(3, 1)
    hooked.register_forward_hook(lambda module, given, made: 2 * made)
    half.bias.requires_grad_(False)
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(3, 1))
    for module in (Own(3, 1), hooked, half, normed, nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))):
        assert descend.fit(module, X, NUMBERS, epochs=1).hypothesis.name == "network"


def test_a_layer_over_very_many_columns_is_an_equation_too():
    wide = RANDOM.normal(size=(300, 130))
    y = wide[:, 0] - wide[:, 1] + 0.1 * RANDOM.normal(size=300)
    model = descend.fit(nn.Linear(130, 1), wide, y, test="none")
    expected = np.linalg.lstsq(np.column_stack([np.ones(300), wide.astype(np.float32)]), y, rcond=None)[0]
    np.testing.assert_allclose(model.weights[:, 0], expected, rtol=1e-9, atol=1e-12)


def test_a_run_of_a_layer_is_resumed_by_the_same_layer_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("descend.solvers.checkpoint.EVERY", 0.0)
    layer, chosen = nn.Linear(3, 1), {"optimizer": "adam", "lr": 0.1, "test": "none"}
    kept = {"checkpoint": tmp_path / "run.safetensors", "resume": True, **chosen}
    descend.fit(layer, X, NUMBERS, epochs=5, **kept)
    whole = descend.fit(layer, X, NUMBERS, epochs=9, **chosen)
    np.testing.assert_array_equal(descend.fit(layer, X, NUMBERS, epochs=9, **kept).history.loss, whole.history.loss)
    with pytest.raises(descend.DescendError) as caught:
        descend.fit(nn.Linear(3, 1), X, NUMBERS, epochs=9, **kept)
    assert caught.value.code == "option.other-run"


def test_a_layer_in_a_file_is_fitted_as_an_equation_by_the_command(tmp_path, capsys):
    import json

    import polars as pl
    from conftest import called

    pl.DataFrame({**COLUMNS, "y": NUMBERS}).write_csv(tmp_path / "t.csv")
    (tmp_path / "net.py").write_text("from torch.nn import Linear\n")
    code, out, _ = called(
        capsys, "fit", tmp_path / "t.csv", "y ~ x1 + x2 + x3", "--module", f"{tmp_path / 'net.py'}:Linear(3, 1)",
        "--test", "none", "--json",
    )  # fmt: skip
    assert code == 0
    expected = np.linalg.lstsq(ONES, NUMBERS, rcond=None)[0]
    found = list(json.loads(out)["coefficients"].values())
    np.testing.assert_allclose(found, expected, rtol=1e-9)
