"""The studio against hostile files, hostile pages and clumsy hands: each is a sentence, and nothing breaks."""

from __future__ import annotations

import asyncio

import numpy as np
import orjson
import polars as pl
import pytest

import descend
from descend.errors import DivergedError, OptionError
from descend.recipe import Recipe
from descend.studio import study as studies
from descend.studio.data import COMPARED, REGIONS, ways
from descend.studio.heard import DRAGGED, PLANE, RATE, SCRUBBED, fits, only
from descend.studio.study import Study
from descend.studio.worker import Worker


@pytest.fixture(scope="module")
def loop():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def worker():
    made = Worker(100_000)
    yield made
    made.close()


@pytest.fixture
def study(worker, tmp_path):
    return Study(worker, tmp_path, "en", lambda _: None)


async def opened(study, path, formula, **settings):
    await study.open(str(path), path.name)
    await study.restate(formula, **settings)
    if study._fitting is not None:
        await asyncio.wait([study._fitting])


def written(folder, **columns):
    path = folder / "table.csv"
    pl.DataFrame(columns).write_csv(path)
    return path


# what a browser says


@pytest.mark.parametrize(
    ("shape", "good"),
    [
        (str, "y ~ x"),
        (bool, False),
        (float, 3),
        (float, 0.5),
        (PLANE, [0, 1]),
        (RATE, {"rate": 1e-3, "serial": "turn-1"}),
        (SCRUBBED, {"epoch": 12, "serial": "turn-2"}),
        (DRAGGED, {"value": "0.9", "serial": "turn-3"}),
    ],
)
def test_what_a_control_says_is_heard_and_nothing_else(shape, good):
    heard = []
    listener = only(shape, heard.append)

    class Event:
        args = good

    listener(Event)
    assert heard == [good]
    bad = [None, [], {}, [1], [0, "x"], [[1], 2], [0, 1.5], [True, False], {"rate": "fast", "serial": "a"}, 1 + 10**400]
    bad += [float("nan"), float("inf"), {"epoch": None, "serial": "a"}, {"value": {}, "serial": "a"}, {"rate": 1.0}]
    for said in bad:
        assert not fits(said, shape)
        Event.args = said
        assert listener(Event) is None
    assert heard == [good]


# names that mean something to the studio


def test_columns_named_as_a_way_to_show_the_data_are_columns(noisy):
    model = descend.fit("passed ~ regions", {"regions": noisy["a"], "passed": noisy["passed"]})
    view = studies.view_of(model)
    assert ways(view) == ["regions", COMPARED]
    for way in (*ways(view), REGIONS):
        still = studies.Looking("en")._draw(view).shown(way, "en").still()
        assert still["kind"] == ("counts" if way == COMPARED else "curve")
    model = descend.fit("y ~ predicted", {"predicted": noisy["a"], "y": noisy["y"]})
    view = studies.view_of(model)
    assert ways(view) == ["predicted", COMPARED]
    assert studies.Looking("en")._draw(view).still()["x"] == "predicted"


# numbers at the ends of what there is


def test_more_epochs_than_can_be_counted_are_refused_in_a_sentence(loop, study, tmp_path):
    with pytest.raises(OptionError, match="1e\\+18 at most"):
        Recipe(optimizer="sgd", epochs=10**400)
    table = written(tmp_path, x=np.arange(9.0), y=np.arange(9.0) * 2)
    loop.run(opened(study, table, "y ~ x", epochs=10**18))
    assert study.error is None
    assert study.run.epochs == 10**18
    orjson.dumps(study.stage())
    loop.run(study.restate(epochs=10**300))
    assert study.error.code == "option.count-large"
    assert study.busy is None


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_an_equation_of_a_column_near_nothing_is_written():
    x = np.random.default_rng(0).normal(size=60)
    model = descend.fit("y ~ x", {"x": x * 1e-320, "y": x}, optimizer="adam", epochs=20)
    for epoch in range(21):
        assert studies.Looking("en")._draw(studies.view_of(model)).equation(epoch, "en")


def test_a_run_whose_first_loss_is_infinite_has_diverged():
    x = np.arange(1.0, 61.0)
    with pytest.raises(DivergedError) as caught:
        descend.fit("y ~ x", {"x": x, "y": np.where(x > 1, x, 1e-310)}, loss="mape", init=[1e10, 1e10], epochs=5)
    assert caught.value.model.weights.ravel().tolist() == [1e10, 1e10]


# what nobody foresaw


@pytest.mark.parametrize("where", ["slides", "run_of", "load"])
def test_a_fault_of_ours_is_told_and_the_page_goes_on(loop, study, tmp_path, monkeypatch, where):
    def broken(*_):
        raise ZeroDivisionError("by nothing")

    table = written(tmp_path, x=np.arange(9.0), y=np.arange(9.0) * 2)
    with monkeypatch.context() as patch:
        patch.setattr(studies, where, broken)
        loop.run(opened(study, table, "y ~ x"))
        assert study.error.code == "studio.worker-failed"
        assert "ZeroDivisionError" in study.error.tell("en")
        assert study.busy is None
    loop.run(opened(study, table, "y ~ x"))
    assert study.error is None
    assert study.run is not None
