"""Kinds of fitted hypotheses: each answers for itself on every floor, and a new kind needs no other file."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import numpy as np
import pytest
from rich.console import Console

import descend
from descend.base import stored_fields
from descend.base.errors import ModelError
from descend.base.messages import Note, has, say
from descend.formula.ast import Coefficient
from descend.model.hypothesis import HYPOTHESES, FittedHypothesis, Parameter, require_answerable
from descend.model.inputs import kept_columns
from descend.model.record import Assessment
from descend.objectives.losses import make_loss
from descend.report.coefficients import tell_coefficients, tell_inference
from descend.report.json import model_facts
from descend.report.plots import draw
from descend.report.terminal import tell_model
from descend.studio.charts import equation_at
from descend.studio.plane import contours, plane_of
from descend.studio.view import view_of

LANGUAGES = ("en", "ko")
ROWS = np.random.default_rng(5)
X = ROWS.uniform(0.1, 3, size=(60, 2))
TABLE = {
    "a": X[:, 0],
    "b": X[:, 1],
    "y": 2.5 * np.exp(-0.7 * X[:, 0]) + 1.0 + 0.01 * ROWS.normal(size=60),
    "c": np.where(X[:, 0] + 0.5 * ROWS.normal(size=60) > 1.5, "yes", "no"),
    "d": np.array(["red", "green", "blue"])[ROWS.integers(0, 3, 60)],
}


@dataclass(frozen=True, eq=False)
class Decay:
    """p exp(-q x) + r of the one column x: three parameters by name, which belong to no column of the design."""

    name: ClassVar = "decay"
    linear: ClassVar = False
    readable: ClassVar = True
    refusals: ClassVar = {"inference": "inference.not-optimum", "intervals": "model.network-interval"}
    names: ClassVar = ("p", "q", "r")

    design: object
    weights: np.ndarray
    title = "p exp(-q x) + r"
    network = exact = rest = None
    scaled = False

    @property
    def raw(self):
        raise ModelError("model.no-coefficients", title=self.title)

    def coefficient_names(self, output):
        return [Coefficient(name) for name in self.names]

    @property
    def finite(self):
        return bool(np.isfinite(self.weights).all())

    def weight_names(self, target):
        return list(self.names)

    def at(self, weights):
        return replace(self, weights=np.asarray(weights, dtype=np.float64).reshape(3, 1))

    def with_parameters(self, values):
        return self.at([values[name] for name in self.names])

    def exactly(self, coefficients, rest):
        raise NotImplementedError

    def predictor(self, X):
        p, q, r = self.weights.ravel()
        x = X[:, -1] * self.design.scales[-1] + self.design.means[-1]
        return (p * np.exp(-q * x) + r)[:, None]

    def of_rows(self, data):
        return self.predictor(self.design.matrix(data))

    def scores(self, inference, data):
        require_answerable(self, "intervals")

    def profile(self, inference, level, loss, limits, rows):
        raise ModelError("model.no-profile", title=self.title)

    def objective(self, X, Y, loss, l2):
        return DecayLoss(self, X, Y)

    def equation(self, target):
        p, q, r = self.weights.ravel()
        return f"{target.outputs[0]} = {p:.4g} exp(-{q:.4g} {self.design.names[-1]}) + {r:.4g}"

    def coefficients(self, target):
        return dict(zip(self.names, self.weights.ravel().tolist(), strict=True))

    def parameters(self):
        return [Parameter(name, value) for name, value in zip(self.names, self.weights.ravel(), strict=True)]

    def facts(self):
        return None

    def notes(self, settings):
        return []

    def describe(self):
        return {"network": None, "hypothesis": self.name}, {"weights": self.weights}

    @classmethod
    def restore(cls, stored, design, target):  # noqa: ARG003
        return cls(design, stored_fields.array(stored.tensors["weights"], (3, 1)))


class DecayLoss:
    """Squared error of a decay over rows."""

    def __init__(self, hypothesis, X, Y):
        self.hypothesis, self.X, self.Y = hypothesis, X, Y

    def value(self, w):
        return float(np.square(self.hypothesis.at(w).predictor(self.X) - self.Y).mean())


def a_decay():
    model = descend.fit("y ~ a", TABLE, test="none", epochs=30, optimizer="sgd")
    path = model.history.snapshots[:, :1] + np.array([2.5, 0.7, 1.0])
    history = replace(model.history, snapshots=path, weights=np.array([2.5, 0.7, 1.0]))
    hypothesis = Decay(model.design, np.array([[2.5], [0.7], [1.0]]))
    return replace(model, hypothesis=hypothesis, history=history, assessment=Assessment(), descent=None)


MODELS = {
    "linear": lambda: descend.fit("y ~ a + b", TABLE, test="none"),
    "linear, two classes": lambda: descend.fit("c ~ a", TABLE, test="none", l2=0.01),
    "linear, three classes": lambda: descend.fit("d ~ a + b", TABLE, test="none", l2=0.01),
    "network": lambda: descend.fit("y ~ a + b", TABLE, hypothesis="mlp(3)", epochs=2, test="none"),
    "curve": lambda: descend.fit("y = p * exp(-q * a) + r", TABLE, test="none"),
    "decay": a_decay,
}


@pytest.fixture(params=MODELS, name="model")
def fixture_model(request, monkeypatch):
    if request.param == "network":
        pytest.importorskip("torch")
    list(HYPOTHESES)  # those of the package, before one is put beside them
    monkeypatch.setitem(HYPOTHESES._things, "decay", Decay)
    return MODELS[request.param]()


def told(thing):
    console = Console(file=io.StringIO(), width=120)
    console.print(thing)
    return console.file.getvalue()


def test_every_kind_is_asked_here():
    assert set(HYPOTHESES) == {name.split(",")[0] for name in MODELS} - {"decay"}


@pytest.mark.parametrize("kind", list(HYPOTHESES.values()), ids=list(HYPOTHESES))
def test_what_a_kind_refuses_is_told_in_both_languages(kind):
    for code in kind.refusals.values():
        for lang in LANGUAGES:
            assert say(code, lang, title="mlp(3)")
    assert has(f"report.{kind.name}") or kind.readable


def test_a_kind_has_all_that_is_asked_of_it(model):
    asked = {name for name in vars(FittedHypothesis) if name[0] != "_"} | set(FittedHypothesis.__annotations__)
    held = {*dir(type(model.hypothesis)), *(field.name for field in fields(model.hypothesis))}
    assert asked - held == set()
    assert model.weights.ndim == 2


def test_predictions_of_rows_are_those_of_their_columns(model):
    data = kept_columns(model)
    Z = model.hypothesis.predictor(model.design.matrix(data))
    np.testing.assert_allclose(model.hypothesis.of_rows(data), Z, rtol=1e-9, atol=1e-12)
    made = model.predict(TABLE, probabilities=True)
    np.testing.assert_allclose(made.reshape(len(made), -1), model.target.predict(Z), rtol=1e-6, atol=1e-9)


def test_other_weights_make_another_hypothesis(model):
    before, matrix = model.weights.copy(), model.design.matrix(kept_columns(model))
    kept = model.hypothesis.predictor(matrix)
    other = model.hypothesis.at(1.5 * before.ravel())
    assert np.abs(other.predictor(matrix) - kept).max() > 1e-6
    np.testing.assert_array_equal(model.hypothesis.predictor(matrix), kept)
    np.testing.assert_allclose(other.at(before).predictor(matrix), kept, rtol=1e-6, atol=1e-9)


def test_the_loss_over_rows_is_that_of_the_predictions(model):
    data, loss = kept_columns(model), make_loss(model.loss, model.target.family)
    X, Y = model.design.matrix(data), model.target.encode(data)
    w = 0.9 * model.weights.ravel()
    objective = model.hypothesis.objective(X, Y, loss, 0.0)
    Z = model.hypothesis.at(w).predictor(X)
    if not model.target.family.classes:
        expected = np.square(Z - Y).mean()
    elif Z.shape[1] == 1:
        expected = (np.logaddexp(0, Z) - Y * Z).mean()
    else:
        expected = (np.logaddexp.reduce(Z, axis=1) - Z[np.arange(len(Y)), Y[:, 0].astype(int)]).mean()
    assert objective.value(w) == pytest.approx(expected, rel=1e-5)


def test_a_model_file_keeps_each_kind(model, tmp_path):
    again = descend.load(model.save(tmp_path / "model.safetensors"))
    assert type(again.hypothesis) is type(model.hypothesis)
    np.testing.assert_array_equal(again.weights, model.weights)
    np.testing.assert_array_equal(again.predict(TABLE), model.predict(TABLE))
    assert again.equation == model.equation


@pytest.mark.slow
def test_each_kind_is_told_and_drawn(model, tmp_path):
    for lang in LANGUAGES:
        json.dumps(model_facts(model, lang), allow_nan=False)
        assert model.equation.split("=")[0].strip() in told(tell_model(model, lang))
        shown = told(tell_coefficients(model, lang))
        assert all(parameter.name in shown for parameter in model.hypothesis.parameters())
        told(tell_inference(model, 0.95, lang))
    draw(model, tmp_path / "model.png", "en")
    assert model._repr_html_()


def test_the_studio_draws_each_kind(model):
    view = view_of(model)
    plane = plane_of(view, None, "en")
    assert contours(view, plane)["kind"] in ("plane", "line")
    shown = "\n".join(equation_at(view, view.last, "en"))
    assert (shown == model.equation) == ("coefficients" not in model.hypothesis.refusals)


def test_each_kind_has_coefficients_by_name_or_says_why_not(model):
    if "coefficients" not in model.hypothesis.refusals:
        assert model_facts(model)["coefficients"] == model.coefficients
        return
    assert model_facts(model)["coefficients"] is None
    with pytest.raises(ModelError) as caught:
        _ = model.coefficients
    assert caught.value.code == model.hypothesis.refusals["coefficients"]


def test_each_kind_has_intervals_or_says_why_not(model):
    if isinstance(model.inference, Note) or "intervals" in model.hypothesis.refusals:
        with pytest.raises(ModelError) as caught:
            model.intervals(TABLE)
        assert caught.value.code == model.hypothesis.refusals.get("intervals", "model.no-inference")
    else:
        assert model.intervals(TABLE).height == len(X)


def test_a_kind_with_parameters_of_its_own_is_no_linear_model_of_scikit_learn():
    pytest.importorskip("sklearn")
    pytest.importorskip("torch")
    with pytest.raises(ModelError) as caught:
        MODELS["network"]().to_sklearn()
    assert caught.value.code == "model.sklearn-network"
