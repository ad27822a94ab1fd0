"""The estimators of networks keep scikit-learn's contract and learn what a PyTorch loop learns."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch
from sklearn import clone, datasets
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

import descend
from descend import DescentRegressor, DivergedError, ModuleClassifier, ModuleRegressor, OptionError

QUICK = {"hypothesis": "mlp(16)", "lr": 0.05, "max_iter": 15}


@pytest.mark.slow
@parametrize_with_checks([ModuleRegressor(**QUICK), ModuleClassifier(**QUICK)])
def test_the_estimators_pass_scikit_learns_own_checks(estimator, check):
    check(estimator)


class Bent(torch.nn.Module):
    """A user's own module."""

    def __init__(self, inputs, outputs, width=8):
        super().__init__()
        self.first, self.last = torch.nn.Linear(inputs, width), torch.nn.Linear(width, outputs)

    def forward(self, X):
        return self.last(torch.tanh(self.first(X)))


X = np.random.default_rng(3).uniform(-2, 2, (200, 2))
WAVE = np.sin(2 * X[:, 0]) + X[:, 1] ** 2
QUADRANT = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")


def test_a_network_is_that_of_fit_with_the_same_seed():
    frame = pl.DataFrame({"x0": X[:, 0], "x1": X[:, 1], "y": WAVE, "kind": QUADRANT})
    settings = {"hypothesis": "mlp(8)", "dtype": "float64", "device": "cpu", "test": "none", "seed": 4, "epochs": 5}
    numbers = descend.fit("y ~ x0 + x1", frame, **settings)
    ours = ModuleRegressor("mlp(8)", random_state=4, max_iter=5).fit(X, WAVE)
    np.testing.assert_allclose(ours.predict(X), numbers.predict(frame), rtol=1e-9)
    classes = descend.fit("kind ~ x0 + x1", frame, **settings)
    told = ModuleClassifier("mlp(8)", random_state=4, max_iter=5).fit(X, QUADRANT)
    np.testing.assert_allclose(told.predict_proba(X), classes.predict(frame, probabilities=True), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("hypothesis", ["mlp(16, 8)", Bent, Bent(2, 1, width=16), "mlp(32, dropout=0.1)"], ids=str)
def test_networks_and_modules_learn_what_lines_cannot(hypothesis):
    numbers = ModuleRegressor(hypothesis, lr=0.02, max_iter=60, batch_size=20, random_state=0).fit(X, WAVE)
    assert numbers.score(X, WAVE) > 0.9 > 0.4 > DescentRegressor().fit(X, WAVE).score(X, WAVE)
    classes = ModuleClassifier(hypothesis, lr=0.02, max_iter=60, batch_size=20, random_state=0).fit(X, QUADRANT)
    assert classes.score(X, QUADRANT) > 0.9
    assert isinstance(classes.module_, torch.nn.Module)
    np.testing.assert_allclose(np.exp(classes.predict_log_proba(X)), classes.predict_proba(X), atol=1e-12)


def test_a_module_that_was_given_is_not_touched():
    module = Bent(2, 1)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    made = ModuleRegressor(module, max_iter=3).fit(X, WAVE)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    assert made.module_ is not module
    assert clone(made).hypothesis is not module


def test_an_optimizer_of_torch_goes_step_for_step():
    module = Bent(2, 1).double()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    ours = ModuleRegressor(module, optimizer=optimizer, max_iter=20, standardize=False).fit(X, WAVE)
    for _ in range(20):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(module(torch.from_numpy(X))[:, 0], torch.from_numpy(WAVE)).backward()
        optimizer.step()
    np.testing.assert_allclose(ours.predict(X), module(torch.from_numpy(X))[:, 0].detach().numpy(), rtol=1e-9)


def test_several_targets_and_several_classes():
    both = np.column_stack([WAVE, X[:, 0]])
    made = ModuleRegressor("mlp(16)", lr=0.05, max_iter=40, random_state=0).fit(X, both)
    assert made.predict(X).shape == (200, 2)
    assert made.score(X, both) > 0.7
    iris, species = datasets.load_iris(return_X_y=True)
    three = ModuleClassifier("mlp(16)", lr=0.05, max_iter=20, batch_size=16, random_state=0).fit(iris, species)
    assert three.predict_proba(iris).shape == (150, 3)
    assert three.score(iris, species) > 0.9


@pytest.mark.slow
def test_a_loss_of_ones_own_and_early_stopping():
    def quartic(Z, Y):
        return (Z - Y).pow(4).mean()

    made = ModuleRegressor(
        "mlp(16)", loss=quartic, lr=0.05, max_iter=300, early_stopping=True, n_iter_no_change=5, random_state=0
    ).fit(X, WAVE)
    assert made.history_.stop == "early"
    assert made.n_iter_ < 300
    assert made.score(X, WAVE) > 0.5
    held = ModuleClassifier("mlp(16)", lr=0.1, max_iter=300, batch_size=16, early_stopping=True, random_state=0)
    assert held.fit(X, QUADRANT).history_.stop == "early"


def test_searches_and_pickles_take_them():
    search = GridSearchCV(
        ModuleClassifier(lr=0.05, max_iter=20, random_state=0), {"hypothesis": ["mlp(4)", Bent]}, cv=2
    )
    search.fit(X, QUADRANT)
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"hypothesis": "forest(3)"}, "forest"),
        ({"hypothesis": 3}, "int"),
        ({"optimizer": "newton"}, "newton"),
        ({"max_iter": 0}, "max_iter"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"device": "abacus"}, "abacus"),
        ({"dtype": "float16"}, "float16"),
    ],
)
def test_a_setting_that_makes_no_sense_is_told(settings, told):
    with pytest.raises(OptionError) as caught:
        ModuleRegressor(**settings).fit(X, WAVE)
    assert told in str(caught.value)


def test_a_rate_that_is_too_large_is_told():
    with pytest.raises(DivergedError):
        ModuleRegressor("mlp(8)", optimizer="sgd", lr=1e6, max_iter=50, random_state=0).fit(X, WAVE)


@pytest.mark.slow
def test_a_missing_torch_is_told_when_it_is_needed():
    code = (
        "import sys\n"
        "from descend import ModuleRegressor, OptionError\n"
        "assert 'torch' not in sys.modules\n"
        "sys.modules['torch'] = None\n"
        "try:\n"
        "    ModuleRegressor().fit([[1.0], [2.0]], [1.0, 2.0])\n"
        "except OptionError as error:\n"
        "    print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert 'pip install "descend[torch]"' in told
