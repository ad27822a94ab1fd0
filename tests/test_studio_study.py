"""The studio's view-model without a browser: what a person states, follows, fits and opens again, in real processes."""

from __future__ import annotations

import asyncio
import gzip
import os
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import orjson
import polars as pl
import pytest

import descend
from descend import labs
from descend.analysis.diagnosis.remedies.registry import changes_for
from descend.base.errors import DivergedError, FormulaError, OptionError, TableError
from descend.studio.data_chart import COMPARED, REGIONS
from descend.studio.progress import GROWN
from descend.studio.reproduce import command_line, python_code
from descend.studio.runs import settings_told
from descend.studio.study import Study
from descend.studio.worker.parent import Worker

DATA = Path(__file__).parent / "data"
LONG = {"optimizer": "sgd", "lr": 0.01, "batch_size": 16, "epochs": 100_000, "test": "none"}
SHORT = {"optimizer": "sgd", "lr": "auto", "batch_size": None, "epochs": 100, "test": None}


class Counted(Worker):
    """A worker that takes down what it is asked for."""

    asked: tuple[str, ...] = ()

    async def call(self, name, *args, **listeners):
        self.asked = (*self.asked, name)
        return await super().call(name, *args, **listeners)


@pytest.fixture(scope="module")
def loop():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def worker():
    made = Counted(100_000)
    yield made
    made.close()


@pytest.fixture
def csv(tmp_path, noisy):
    path = tmp_path / "noisy.csv"
    pl.DataFrame(noisy).write_csv(path)
    return path


@pytest.fixture
def study(worker, tmp_path):
    return study_of(worker, tmp_path)


def study_of(worker, folder):
    heard = []
    made = Study(worker, folder, "en", heard.append)
    made.told = heard
    worker.asked = ()
    return made


async def fitted(study):
    """Wait until the fit that is awaited or runs has ended."""
    task = study.turns.fitting
    await asyncio.wait([task])
    assert task.exception() is None


def shown(study):
    """What the page draws; it must be JSON."""
    made = study.stage()
    orjson.dumps(made)
    return made


async def opened(study, csv, formula="y ~ a + b", **settings):
    """Open a table and state a hypothesis that is fitted."""
    await study.open(str(csv), csv.name)
    await study.restate(formula, **settings)
    await fitted(study)


# a table, a hypothesis, a fit


@pytest.mark.slow
def test_a_file_is_opened_stated_shown_and_fitted(loop, study, csv):
    async def journey():
        await study.open(str(csv), "my.csv")
        assert (study.table.file, study.table.profile.rows, study.formula) == ("my.csv", 120, "y ~ a")
        await study.restate("y ~ a + b")
        assert study.live
        assert study.run is None
        before = shown(study)
        await fitted(study)
        return before

    before = loop.run(journey())
    assert shown(study)["moment"] == before["moment"]
    assert (study.busy, study.settled, study.error, study.run.formula) == (None, True, None, "y ~ a + b")
    np.testing.assert_allclose(study.view.weights(study.shown.epoch), study.model.weights, rtol=1e-9)
    assert study.shown.equation() == study.model.equation
    assert study.rate() == pytest.approx(study.run.lr)
    assert f"{study.rate():.4g}" in study.foretold()
    assert {"table", "hypothesis", "recipe", "stage", "zones", "words", "runs", "busy", "leave"} <= set().union(
        *study.told
    )


def test_what_follows_a_slider_is_what_is_then_fitted(loop, study, csv):
    async def journey():
        await opened(study, csv)
        asked = study.worker.asked
        for lr in (0.3, 0.03, 0.003):
            assert study.follow(lr=lr)
            shown(study)
        assert study.follow(momentum=0.5, nesterov=True)
        assert study.follow(epochs=77, l2=0.02)
        assert (study.run, study.settled, study.worker.asked) == (None, False, asked)
        study.settle(0.0)
        await fitted(study)
        return asked

    asked = loop.run(journey())
    assert study.worker.asked == (*asked, "fit")
    settings = {"lr": 0.003, "momentum": 0.5, "nesterov": True, "epochs": 77, "l2": 0.02}
    assert study.run.settings == {"optimizer": "sgd", **settings}
    assert (study.view.last, study.model.history.lr) == (77, 0.003)
    for epoch in (0, 30, 77):
        study.shown.scrub(epoch)
        np.testing.assert_allclose(study.view.weights(epoch), study.model.at(epoch).weights, rtol=1e-7, atol=1e-9)
    assert study.view.losses(77)[0] == pytest.approx(study.model.history.final_loss, rel=1e-9)
    made = shown(study)["moment"]
    assert made["loss"] == pytest.approx(study.model.history.final_loss, rel=1e-6)


@pytest.mark.slow
def test_an_equation_is_shown_before_its_fit_and_settings_of_its_parameters_go_along(loop, study, csv):
    async def journey():
        await study.open(str(csv), csv.name)
        await fitted(study)
        await study.restate("y = p * exp(q * a) + r * b", fixed="r=0.5", bounds="q=-1:1")
        assert (study.view.fitted, study.stale, study.live) == (False, False, False)
        assert "optimizer" not in study.settings
        before = shown(study)
        await fitted(study)
        assert study.view.fitted
        assert study.error is None
        await study.restate("y = p * exp(q * a)")
        assert study.settings == {"bounds": "q=-1.0:1.0"}
        await fitted(study)
        await study.restate("y ~ a")
        await fitted(study)
        return before

    before = loop.run(journey())
    assert before["last"] == 0
    assert before["plane"]["all"] == [{"at": 0, "name": "p"}, {"at": 1, "name": "q"}]
    assert study.settings == {"optimizer": "sgd", "lr": "auto", "epochs": 100}
    assert [run.formula for run in study.runs.rows][-3:] == [
        "y = p * exp(q * a) + r * b", "y = p * exp(q * a)", "y ~ a"
    ]  # fmt: skip


def test_the_rows_are_not_prepared_again_for_what_a_slider_can_tell(loop, study, csv):
    async def journey():
        await opened(study, csv)
        for settings in ({"lr": 0.01}, {"epochs": 30}, {"momentum": 0.4}, {"l2": 0.5}, {"init": "normal"}):
            await study.restate(**settings)
        assert study.worker.asked.count("prepare") == 2  # of the hypothesis at first, and of the one stated
        await study.restate(standardize=False)
        await study.restate(lr=1e-5)
        assert study.worker.asked.count("prepare") == 3
        await study.restate(optimizer="adam", momentum=None, l2=None)
        assert not study.live
        await study.restate(optimizer="sgd")
        assert study.worker.asked.count("prepare") == 5
        await fitted(study)

    loop.run(journey())
    assert study.live


def test_the_forecast_is_of_the_rate_that_is_stated(loop, study, csv):
    async def journey():
        await opened(study, csv, "passed ~ a + b", lr=0.1)
        one = study.foretold()
        assert not study.follow(lr=50.0)
        await study.restate(lr=50.0)
        return one

    one = loop.run(journey())
    assert "0.1" in one
    assert "50" in study.foretold()
    assert study.zones().sure


# the red zone, and out of it


def test_a_rate_in_the_red_zone_is_told_and_the_remedy_converges(loop, study, csv):
    async def journey():
        await opened(study, csv)
        edge = study.zones().edge
        assert study.follow(lr=3 * edge, epochs=1000)
        assert study.view.diverged
        assert "diverges" in study.foretold()
        shown(study)
        study.settle(0.0)
        await fitted(study)
        assert isinstance(study.error, DivergedError)
        assert study.run.error is study.error
        assert study.view.last == study.model.history.epochs
        columns = [column.name for column in study.table.profile.columns]
        forecast = study.sketch.forecast(study.settings)
        changes = changes_for(study.error, study.formula, study.settings, forecast, columns)
        await study.restate(changes[0].formula, **changes[0].settings)
        assert study.error is None
        await fitted(study)

    loop.run(journey())
    assert (study.error, study.view.diverged) == (None, False)
    assert study.model.history.loss[-1] < study.model.history.loss[0]
    assert [run.stop for run in study.runs.rows][-2:] == ["diverged", "epochs"]


def test_settings_that_make_no_sense_are_told_and_the_pictures_stay(loop, study, csv):
    async def journey():
        await opened(study, csv)
        before = shown(study)
        await study.restate(l2=-1.0)
        assert (type(study.error), study.error.code) == (OptionError, "option.not-negative")
        assert shown(study) == before
        assert study.follow(lr=0.2)
        assert study.error.code == "option.not-negative"
        assert study.foretold() == ""
        assert study.zones().edge is None
        await study.restate(l2=None)
        assert study.error is None
        await fitted(study)

    loop.run(journey())
    assert study.run.settings == {"optimizer": "sgd", "lr": "auto", "epochs": 100}


def test_settings_have_names(study):
    with pytest.raises(TypeError, match="nonsense"):
        study.set(nonsense=1)


def test_a_formula_that_is_wrong_keeps_the_table(loop, study, csv):
    async def journey():
        await opened(study, csv)
        for formula, code in (("y ~ a +", "formula"), ("y ~ nobody", "formula.unknown-column"), ("y ~", "formula")):
            await study.restate(formula)
            assert isinstance(study.error, FormulaError)
            assert study.error.code.startswith(code)
            assert (study.view, study.stage(), study.run, study.formula) == (None, None, None, formula)
            assert study.table.profile.rows == 120
            assert study.turns.fitting is None
        await study.restate("y ~ b")
        await fitted(study)

    loop.run(journey())
    assert (study.error, study.run.formula) == (None, "y ~ b")


def test_a_hypothesis_that_cannot_be_stated_shows_nothing(loop, study, csv):
    async def journey():
        await opened(study, csv)
        await study.restate(family="logistic")
        assert study.error.code == "design.not-two"
        assert study.view is None
        assert not study.follow(lr=0.1)
        await study.restate(family=None)
        await fitted(study)

    loop.run(journey())
    assert study.run.formula == "y ~ a + b"


def test_families_follow_one_another(loop, study, csv):
    kinds = []

    async def journey():
        await opened(study, csv)
        for formula in ("passed ~ a + b", "group ~ a + b", "y ~ a + group", "y + c ~ a"):
            await study.restate(formula, epochs=20)
            await fitted(study)
            kinds.append((study.view.target.family.name, study.live, shown(study)["data"]["kind"]))
            study.show(way=COMPARED)
            kinds.append(shown(study)["data"]["kind"])
            study.show(way=REGIONS)

    loop.run(journey())
    assert kinds == [
        ("logistic", False, "regions"), "counts", ("softmax", False, "regions"), "counts",
        ("linear", True, "curve"), "compared", ("linear", True, "curve"), "compared",
    ]  # fmt: skip


def test_the_optimum_and_other_optimizers_are_shown_as_they_were_fitted(loop, study, csv):
    async def journey():
        await opened(study, csv)
        for settings in ({"optimizer": "auto", "lr": None, "epochs": None}, {"optimizer": "adam", "epochs": 40}):
            await study.restate(**settings)
            await fitted(study)
            assert not study.live
            assert study.shown.equation() == study.model.equation
            np.testing.assert_array_equal(study.view.weights(study.shown.epoch), study.model.weights)
            shown(study)

    loop.run(journey())


# what is looked at


def test_only_what_changed_is_sent(loop, study, csv):
    loop.run(opened(study, csv))
    first = study.stage()
    assert {"data", "plane", "loss", "path", "moment", "last"} == set(first)
    study.follow(lr=0.01)
    assert {"loss", "path", "moment", "last"} == set(study.stage(still=False))
    study.follow(l2=0.3)
    assert study.stage(still=False)["plane"] != first["plane"]
    assert "plane" not in study.stage(still=False)
    study.follow(init="normal")
    plane = study.stage(still=False)["plane"]
    place = study.shown.scrub(0)["place"]
    assert plane["a"][0] < place[0] < plane["a"][1]
    assert plane["b"][0] < place[1] < plane["b"][1]


def test_a_plane_that_is_chosen_stays_and_one_of_other_columns_does_not(loop, study, csv):
    async def journey():
        await opened(study, csv, "y ~ a + b + c")
        study.show(chosen=[3, 1])
        assert shown(study)["plane"]["names"] == ["c, standardised", "a, standardised"]
        study.follow(l2=0.1)
        assert study.stage(still=False)["plane"]["chosen"] == [3, 1]
        await study.restate("y ~ a")
        await fitted(study)

    loop.run(journey())
    assert shown(study)["plane"]["names"] == ["(intercept), standardised", "a, standardised"]


def test_the_epoch_that_is_looked_at_stays_while_the_rate_moves(loop, study, csv):
    loop.run(opened(study, csv))
    study.follow(lr=0.01)
    assert study.shown.epoch == 100
    assert study.shown.scrub(37)["epoch"] == 37
    study.follow(lr=0.02)
    assert study.stage(still=False)["moment"]["epoch"] == 37
    study.follow(epochs=20)
    assert study.shown.epoch == 20
    assert study.shown.scrub(10**9)["epoch"] == 20
    study.follow(epochs=500)
    assert study.shown.epoch == 500


def test_another_language_is_spoken_at_once(loop, study, csv):
    loop.run(opened(study, csv, "passed ~ a"))
    english = study.stage()
    study.shown.speak("ko")
    korean = study.stage()
    assert english["data"]["y"] == "probability of passed = yes"
    assert korean["data"]["y"] == "passed = yes일 확률"
    assert korean["plane"].pop("names") != english["plane"].pop("names")  # standardised, in words
    assert korean["plane"] == english["plane"]
    assert korean["moment"] == english["moment"]


# the runs


def test_a_run_is_opened_again_as_it_was(loop, study, csv):
    async def journey():
        await opened(study, csv, lr=0.05)
        first = shown(study), study.run, study.foretold()
        await study.restate("passed ~ a", lr=0.3, epochs=7)
        await fitted(study)
        second = shown(study), study.run, study.foretold()
        for made, run, foretold in (first, second, first):
            await study.reopen(run.number)
            assert (study.run, study.formula, study.settings) == (run, run.formula, run.settings)
            assert (study.settled, study.busy, study.foretold()) == (True, None, foretold)
            assert orjson.dumps(shown(study)) == orjson.dumps(made)
        fits = study.worker.asked.count("fit")
        await study.reopen(99)
        assert study.worker.asked.count("fit") == fits

    loop.run(journey())


def test_a_run_that_is_forgotten_is_looked_at_no_more(loop, study, csv):
    async def journey():
        await opened(study, csv)
        study.runs.rename(study.run.number, "first")
        assert study.run.name == "first"
        study.runs.delete(study.run.number)

    loop.run(journey())
    assert study.run is None
    assert list(study.folder.glob("*.safetensors")) == []


def test_two_runs_lie_over_one_another(loop, study, csv):
    async def journey():
        await opened(study, csv)
        await study.restate("y ~ a")
        await fitted(study)

    loop.run(journey())
    for run in study.runs.rows:
        study.runs.choose(run.number, True)
    one, other = study.runs.rows[-2:]
    loss = shown(study)["loss"]
    assert [line["name"] for line in loss["others"]][-1:] == [one.name]
    assert loss["name"] == other.name  # the one that is looked at is there already
    assert study.runs.best() == one.number
    assert settings_told(one, "en").startswith("sgd · rate")


# one thing after another


def test_of_quick_restatements_only_the_last_counts(loop, study, csv):
    async def journey():
        await opened(study, csv)
        before = len(study.runs.rows)
        formulas = ["y ~ a", "y ~ nobody", "passed ~ a", "y ~ a +", "y ~ b"]
        await asyncio.gather(*(study.restate(formula) for formula in formulas))
        assert (study.formula, study.error, study.sketch.prepared.formula) == ("y ~ b", None, "y ~ b")
        await fitted(study)
        assert not study.worker.busy
        return before

    before = loop.run(journey())
    assert [run.formula for run in study.runs.rows[before:]] == ["y ~ b"]
    assert (study.run.formula, study.busy, study.view.design.names) == ("y ~ b", None, ["(intercept)", "b"])
    assert study.worker.asked.count("prepare") <= 4


def test_the_last_is_what_counts_also_where_it_is_wrong(loop, study, csv):
    async def journey():
        await opened(study, csv)
        await asyncio.gather(study.restate("y ~ b"), study.restate("y ~ "))
        assert isinstance(study.error, FormulaError)
        assert study.stage() is None
        await asyncio.gather(study.restate("y ~ c"), study.restate(l2=-1.0))
        assert study.error.code == "option.not-negative"
        await study.restate(l2=None)
        await fitted(study)

    loop.run(journey())
    assert (study.run.formula, study.error) == ("y ~ c", None)


def test_a_fit_that_something_else_takes_the_place_of_leaves_nothing(loop, study, csv):
    async def journey():
        await opened(study, csv, "y ~ a")
        runs = list(study.runs.rows)
        files = sorted(study.folder.glob("*"))
        await study.restate("passed ~ a + b", **LONG)
        await until(lambda: study.busy == "fitting" and study.progress.points)
        growing = study.progress.points
        await study.restate("y ~ a", **SHORT)
        assert study.progress.points is growing
        await fitted(study)
        await until(lambda: not study.turns.ending)
        assert [run.number for run in study.runs.rows[:-1]] == [run.number for run in runs[:-1]]
        return files

    files = loop.run(journey())
    assert len(sorted(study.folder.glob("*"))) == len(files)
    assert (study.busy, study.run.formula) == (None, "y ~ a")


async def until(holds):
    for _ in range(6000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came about")


def test_a_fit_that_is_stopped_is_kept_as_far_as_it_came(loop, study, csv):
    async def journey():
        await opened(study, csv, "y ~ a")
        await study.restate("passed ~ a + b", **LONG)
        await until(lambda: study.progress.points)
        assert study.progress.total == LONG["epochs"]
        study.worker.stop()
        await fitted(study)

    loop.run(journey())
    assert (study.run.stop, study.busy, study.error) == ("interrupted", None, None)
    assert 0 < study.view.last < LONG["epochs"]
    assert len(study.progress.points) <= GROWN
    shown(study)


def test_example_after_example(loop, study):
    ids = [lab.id for lab in labs.examples()]

    async def journey():
        tasks = []
        for id in ids:
            tasks.append(asyncio.create_task(study.example(id)))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        await fitted(study)

    loop.run(journey())
    assert (study.table.file, study.table.profile.name) == (f"{ids[-1]}.csv", ids[-1])
    assert study.formula == labs.example(ids[-1]).hypothesis == study.sketch.prepared.formula
    assert [run.formula for run in study.runs.rows] == [study.formula]
    assert study.worker.asked.count("prepare") == study.worker.asked.count("fit") == 1


@pytest.mark.slow
@pytest.mark.parametrize("id", [lab.id for lab in labs.examples()])
def test_every_example_can_be_looked_at(loop, study, id):
    async def journey():
        await study.example(id)
        await fitted(study)

    loop.run(journey())
    assert study.run is not None
    for way in shown(study)["data"]["ways"]:
        study.show(way=way)
        shown(study)
    assert study.foretold()


def test_what_is_stated_while_a_table_is_read_was_of_another(loop, study, csv):
    async def journey():
        await opened(study, csv)
        reading = asyncio.create_task(study.example("study-hours"))
        await asyncio.sleep(0)
        await study.restate("y ~ b")
        await study.reopen(1)
        study.settle(0.0)
        await reading
        await fitted(study)

    loop.run(journey())
    assert (study.formula, study.error) == ("score = W * hours + b", None)
    assert [run.formula for run in study.runs.rows] == ["score = W * hours + b"]


def test_a_damaged_file_is_told_and_the_table_before_it_is_gone_on_with(loop, study, csv, noisy, tmp_path):
    damaged = tmp_path / "damaged.parquet"
    pl.DataFrame(noisy).write_parquet(damaged)
    damaged.write_bytes(damaged.read_bytes()[:200] + b"PAR1")

    async def journey():
        await opened(study, csv)
        study.glance(study.table.profile)
        await study.restate("y ~ a")  # being fitted
        await study.open(str(damaged), "damaged.parquet")
        assert isinstance(study.error, TableError)
        assert (study.table.file, study.formula) == ("noisy.csv", "y ~ a")
        await fitted(study)

    loop.run(journey())
    assert isinstance(study.error, TableError)
    assert (study.run.formula, study.busy) == ("y ~ a", None)


def written(folder, text):
    path = folder / "table.csv"
    path.write_text(text)
    return path


YEARS = "2019,2020\n1,2.5\n2,3.5\n3,5.5\n4,7\n5,8.5\n6,9\n"


def test_a_header_of_years_is_one_once_the_formula_names_it(loop, study, tmp_path):
    async def run():
        await study.open(str(written(tmp_path, YEARS)), "table.csv")
        assert [column.name for column in study.table.profile.columns] == ["x1", "x2"]
        await study.restate("x2 ~ 7")  # no such name is in the first line
        assert study.table.reading == {}
        await study.restate("`2020` ~ `2019`", test="none")
        assert [column.name for column in study.table.profile.columns] == ["2019", "2020"]
        assert (study.formula, study.table.reading, study.error) == ("`2020` ~ `2019`", {"header": True}, None)
        await fitted(study)
        wanted = descend.fit("`2020` ~ `2019`", tmp_path / "table.csv", test="none", epochs=100, optimizer="sgd")
        np.testing.assert_allclose(study.model.weights, wanted.weights)

    loop.run(run())


def test_a_first_line_that_is_said_to_be_no_header_is_none_for_any_formula(loop, study, tmp_path):
    async def run():
        await study.open(str(written(tmp_path, YEARS)), "table.csv", {"header": False})
        await study.restate("`2020` ~ `2019`")
        assert study.table.reading == {"header": False}
        assert study.error is not None

    loop.run(run())


def test_a_first_hypothesis_gives_way_where_the_columns_are_called_otherwise(loop, study, tmp_path):
    async def run():
        await study.open(str(written(tmp_path, YEARS)), "table.csv")
        first = study.formula
        await study.reread(header=True)
        assert first != study.formula == "`2019` ~ `2020`"
        assert study.error is None
        await study.restate("`2020` ~ `2019`")
        await study.reread(header=None)
        assert study.formula == "`2020` ~ `2019`"  # a person has written it

    loop.run(run())


def test_a_code_for_missing_is_taken_as_missing_by_a_click(loop, study, tmp_path):
    rows = "".join(f"{x},{2 * x + (x * 7) % 3}\n" for x in range(40))
    path = written(tmp_path, "x,y\n" + rows + "9999,1\n9999,2\n9999,3\n")

    async def run():
        await opened(study, path, "y ~ x", test="none")
        (found,) = [finding for finding in study.run.findings if finding.code == "finding.missing-code"]
        (change,) = found.fixes
        await study.reread(change.settings, **change.reading)
        await fitted(study)
        assert (study.formula, study.table.reading, study.settings["missing"]) == ("y ~ x", {"na": ["9999"]}, "drop")
        assert "finding.missing-code" not in [finding.code for finding in study.run.findings]

    loop.run(run())


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_model_without_rows_of_the_table_is_drawn_here_and_takes_none_along(loop, study, csv, tmp_path, optimizer):
    loop.run(opened(study, csv, "y ~ a", keep_rows=0, optimizer=optimizer, test=0.2))
    assert study.error is None
    drawn = shown(study)["data"]["points"]
    assert sum(len(group["fitted"]) + len(group["unseen"]) for group in drawn) == 120  # the page has the table
    model = descend.load(study.run.path)
    assert model.sample is None
    model.plot(tmp_path / "fit.png")
    assert (tmp_path / "fit.png").stat().st_size > 0
    line = command_line("noisy.csv", study.run.formula, study.run.settings)
    assert "--keep-rows 0" in line
    assert "keep_rows=0" in python_code("noisy.csv", study.run.formula, study.run.settings)


def test_an_upload_that_breaks_off_leaves_the_table_that_was(loop, study, csv, tmp_path):
    loop.run(opened(study, csv))
    before = study.table.profile
    (tmp_path / "more.csv").write_text("p,q\n1,2\n3,4\n")

    async def preview():
        study.glance(await study.worker.call("preview", str(tmp_path / "more.csv")))

    loop.run(preview())
    assert [column.name for column in study.table.profile.columns] == ["p", "q"]
    study.refuse(TableError("studio.upload-broken", file="more.csv"))
    assert (study.table.profile, study.error.code) == (before, "studio.upload-broken")


# other tables


def test_images_are_looked_at(loop, study, tmp_path):
    pixels = np.frombuffer(
        gzip.decompress((DATA / "mnist-t10k-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16
    )
    labels = gzip.decompress((DATA / "mnist-t10k-labels-idx1-ubyte.gz").read_bytes())[8:308]
    small = np.ascontiguousarray(pixels.reshape(-1, 28, 28)[:300, 2::4, 2::4])
    head = struct.pack(">IIII", 2051, *small.shape)
    (tmp_path / "digits-images-idx3-ubyte").write_bytes(head + small.tobytes())
    (tmp_path / "digits-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, 300) + labels)

    async def journey():
        await study.open(str(tmp_path / "digits-images-idx3-ubyte"), "digits")
        assert study.formula == "label ~ image"
        await fitted(study)

    loop.run(journey())
    made = shown(study)
    assert (made["data"]["kind"], made["data"]["ticks"]) == ("counts", list("0123456789"))
    assert np.sum(made["moment"]["data"]["counts"]) == 60
    assert len(made["plane"]["all"]) == 200
    assert made["plane"]["more"] == 300
    assert {one["at"] for one in made["plane"]["all"]} >= set(made["plane"]["chosen"])
    assert study.shown.equation() == "500 coefficients: more than an equation can show"
    assert len(orjson.dumps(made)) < 200_000


@pytest.mark.slow
def test_a_network_is_looked_at(loop, study, csv):
    pytest.importorskip("torch")

    async def journey():
        await opened(study, csv, "passed ~ a + b")
        network = {"hypothesis": "mlp(4)", "optimizer": None, "lr": None, "epochs": 5, "momentum": None}
        await study.restate(**network)
        await fitted(study)

    loop.run(journey())
    made = shown(study)
    assert study.error is None
    assert study.run.settings["hypothesis"] == "mlp(4)"
    assert made["last"] == 5
    assert made["plane"]["all"] == []
    assert study.shown.equation() == "a network: its parameters are no equation"
    assert study.foretold()


# the end


@pytest.mark.slow
def test_closing_in_the_middle_of_a_fit_leaves_no_process_and_no_file(loop, csv, tmp_path):
    folder = tmp_path / "tab"
    folder.mkdir()

    async def journey():
        study = study_of(Counted(1000), folder)
        await opened(study, csv, "y ~ a")
        await study.restate("passed ~ a + b", **LONG)
        await until(lambda: study.progress.points)
        process = study.worker._child.process
        restating = asyncio.create_task(study.restate("y ~ b"))
        await asyncio.sleep(0)
        said = len(study.told)
        await study.close()
        await restating
        assert len(study.told) == said
        await asyncio.to_thread(process.join, 60)  # beside the loop, which may have to end it
        assert not process.is_alive()
        with pytest.raises(ProcessLookupError):
            os.kill(process.pid, 0)
        study.settle(0.0)
        return study

    study = loop.run(journey())
    assert study.turns.fitting is None
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_a_worker_that_dies_is_told_and_the_next_hypothesis_is_fitted(loop, study, csv):
    async def journey():
        await opened(study, csv)
        await study.restate("passed ~ a + b", **LONG)
        await until(lambda: study.progress.points)
        os.kill(study.worker.pid, 9)
        await fitted(study)
        assert study.error.code == "studio.worker-died"
        assert study.busy is None
        await study.restate("y ~ a", **SHORT)
        await fitted(study)

    loop.run(journey())
    assert (study.error, study.run.formula) == (None, "y ~ a")
    assert descend.load(study.run.path).formula == "y ~ a"


def test_a_recipe_is_told_in_the_words_of_the_page():
    settings = {"optimizer": "adam", "batch_size": 32, "loss": "huber", "hypothesis": "mlp(8)", "momentum": 0}
    run = SimpleNamespace(settings=settings, lr=0.01, epochs=20)
    assert settings_told(run, "en") == "adam · rate 0.01 · 20 epochs · Batch size 32 · Huber · mlp(8)"
    assert settings_told(run, "ko") == "adam · 학습률 0.01 · 20 에포크 · 배치 크기 32 · Huber 손실 · mlp(8)"
