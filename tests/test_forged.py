"""Files that a forger wrote: their checksum is right, and a field of theirs is not what it should be."""

import functools
import json
import math
import warnings
from copy import deepcopy
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console
from safetensors.numpy import save_file

import descend
from descend.base import container
from descend.base.errors import DescendError, ModelError
from descend.model.inputs import kept_columns
from descend.report.coefficients import tell_coefficients, tell_inference
from descend.report.json import model_facts
from descend.report.terminal import batch_lines, log_lines, tell_model

LANGUAGES = ("en", "ko")


def table():
    random = np.random.default_rng(0)
    a, b, kind = random.normal(size=60), random.normal(size=60), np.tile(["u", "v", "w"], 20)
    y = 2 * a - b + (kind == "v") + random.normal(size=60) / 2
    return pl.DataFrame(
        {
            "y": y,
            "z": np.exp(y / 4),
            "a": a,
            "b": b,
            "kind": kind,
            "two": np.where(y + random.normal(size=60) > 0, "p", "q"),
        }
    )


FITS = {
    "linear": ("y ~ a*kind + poly(b, 2)", {}),
    "transformed": ("log(z) + y ~ a + sqrt(a^2) + I(b^2)", {}),
    "logistic": ("two ~ a + kind", {}),
    "softmax": ("kind ~ a + poly(b, 2, raw=True)", {"l2": 0.01, "test": "5"}),
    "epochs": (
        "y ~ a + C(kind) - 1",
        {"lr": 0.01, "momentum": 0.5, "epochs": 30, "batch_size": 8, "batch_history": True},
    ),
    "early": ("two ~ a", {"optimizer": "adam", "patience": 3, "epochs": 50}),
    "huber": ("y ~ a", {"loss": "huber", "delta": 2.0, "test": "none"}),
    "network": ("kind ~ a + b", {"hypothesis": "mlp(4)", "epochs": 3}),
}


@functools.cache
def written(name):
    """Return the header and tensors of a fitted model's file."""
    formula, options = FITS[name]
    if name == "network":
        pytest.importorskip("torch")
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return container.read_container(descend.fit(formula, table(), **options).save(Path(folder, "m.safetensors")))


def sealed(path, header, tensors):
    """Write a file whose checksum is right."""
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    content = {"sha256": container.checksum(header, tensors), "model": header}
    save_file(tensors, path, metadata={"descend": json.dumps(content)})
    return path


def fields_of(value, path=()):
    """Yield the path of every field of a header; of long lists those of the first and the last."""
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from fields_of(value[key], (*path, key))
    elif isinstance(value, list):
        for index in {0, len(value) - 1} if value else ():
            yield from fields_of(value[index], (*path, index))


def put(header, path, value):
    """Return a header with another value at a path; a missing one is left out."""
    made = deepcopy(header)
    place = made
    for key in path[:-1]:
        place = place[key]
    if value is LEFT_OUT:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return made


LEFT_OUT = object()
WRONG = [
    LEFT_OUT, None, True, False, 0, 1, -1, 7, 10**30, 0.5, -0.5, 1e308, math.nan, math.inf, "", "x", "{x.__class__}",
    "verdict.better-numbers", "finding.outliers", "note.dropped", "report.loss", "lr", "y ~ a",
    "kind ~ a", "\x1b[2J", "long" * 5000,
    [], [[]], [1], ["a", "a"], ["u", "v"], [None], {},
    {"code": "note.dropped", "values": {}}, {"x": 1}, {"lang": 1, "code": 2},
]  # fmt: skip
WRONG_TENSORS = {
    "left out": lambda t: None,
    "shorter": lambda t: t[:-1],
    "longer": lambda t: np.concatenate([t, t]),
    "empty": lambda t: t[:0],
    "wider": lambda t: t[..., None],
    "one number": lambda t: np.array([1.0]),
    "nan": lambda t: t * np.nan,
    "negative": lambda t: -1 - abs(t) if t.dtype.kind in "if" else t[::-1],
    "huge": lambda t: (t.astype(np.float64) + 1) * 1e300,
    "far": lambda t: np.full_like(t, 10**9) if t.dtype.kind == "i" else t,
    "turned": lambda t: t[::-1],
    "float32": lambda t: t.astype(np.float32),
    "int64": lambda t: np.nan_to_num(t).astype(np.int64),
    "bool": lambda t: t.astype(bool),
}


def use(model, path):
    """Do everything that can be done with a model; what it cannot it says as an error of ours."""
    rows = table()
    for lang in LANGUAGES:
        console = Console(width=80, file=StringIO())
        console.print(tell_model(model, lang))
        console.print(tell_coefficients(model, lang))
        console.print(tell_inference(model, 0.9, lang))
        list(log_lines(model.history, 1, lang)), list(batch_lines(model.history, lang))
        json.dumps(model_facts(model, lang), allow_nan=False)
        str(model), repr(model), model._repr_html_()
    for ask in (
        lambda: model.coefficients,
        lambda: model.intercept,
        lambda: model.predict(rows),
        lambda: model.predict(rows, probabilities=True, missing="mean"),
        lambda: model.predictions(rows),
        lambda: model.evaluate(rows).tell("ko"),
        lambda: model.intervals(rows),
        lambda: model.cautions(rows),
        lambda: model.at(0).predict(rows),
        lambda: model.at(10**9),
        lambda: kept_columns(model),
        lambda: model.to_sklearn(),
        lambda: model.history.frame(),
        lambda: model.finished,
    ):
        said(ask)
    model.save(path)


def require_told(error):
    assert str(error)
    assert error.tell("ko")


def said(ask):
    """Ask for something; what cannot be had is said as an error of ours."""
    try:
        ask()
    except DescendError as error:
        require_told(error)


def held(path, header, tensors, *, drawn=False):
    """A forged file is refused as a model that is not whole, or what it gives can be used."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            sealed(path, header, tensors)
        except ValueError:
            return None  # JSON or safetensors cannot hold it
        try:
            model = descend.load(path)
        except ModelError as error:
            require_told(error)
            return False
        use(model, path)
        if drawn:
            said(lambda: model.plot(path.with_suffix(".png")))
        return True


@pytest.mark.slow
@pytest.mark.parametrize("name", FITS)
def test_a_file_that_nobody_changed_can_be_used(name, tmp_path):
    assert held(tmp_path / "m.safetensors", *written(name), drawn=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.slow
@pytest.mark.parametrize("name", FITS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_field_of_a_model_that_is_wrong_is_refused_or_can_be_used(name, data, tmp_path):
    header, tensors = written(name)
    path = data.draw(st.sampled_from(list(fields_of(header))))
    value = data.draw(st.sampled_from(WRONG) | JSON)
    held(tmp_path / "m.safetensors", put(header, path, value), tensors)


@pytest.mark.slow
@pytest.mark.parametrize("name", FITS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_tensor_of_a_model_that_is_wrong_is_refused_or_can_be_used(name, data, tmp_path):
    header, tensors = written(name)
    tensor = data.draw(st.sampled_from(sorted(tensors)))
    wrong = WRONG_TENSORS[data.draw(st.sampled_from(sorted(WRONG_TENSORS)))](tensors[tensor])
    others = {key: array for key, array in tensors.items() if key != tensor}
    held(tmp_path / "m.safetensors", header, others if wrong is None else {**others, tensor: wrong})


def test_every_kind_of_verdict_is_known_to_the_file_and_to_the_terminal():
    from descend.analysis.verdicts import KINDS
    from descend.base.messages import codes
    from descend.report.terminal import VERDICT_STYLES

    named = {code.split(".")[1].split("-")[0] for code in codes("en") if code.startswith("verdict.")}
    assert {*KINDS} == {*VERDICT_STYLES} == named - {"given", "unseen"}


def test_a_sentence_takes_the_same_values_in_the_same_form_in_both_languages():
    from string import Formatter

    from descend.base.messages import codes

    def taken(sentence):
        return {(name, form, turned) for _, name, form, turned in Formatter().parse(sentence) if name is not None}

    both = [{code: taken(sentence) for code, sentence in codes(lang).items()} for lang in LANGUAGES]
    assert both[0] == both[1]  # so that values that fill one fill the other
