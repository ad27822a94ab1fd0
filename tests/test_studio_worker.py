"""The studio's bench and its worker: real tables, real processes."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from threading import enumerate as threads

import numpy as np
import polars as pl
import pytest
from conftest import called

import descend
from descend import labs
from descend.analysis.verification import split_rows
from descend.base.errors import DescendError, InterruptedFitError, OptionError, TableError
from descend.fitting.problem import Problem
from descend.labs.runner import train_lab
from descend.objectives.quadratic import GramObjective
from descend.solvers.recipe import Recipe
from descend.solvers.run_options import RunOptions
from descend.studio.profile import BARS, profile, propose
from descend.studio.worker.parent import Worker
from descend.studio.worker.session import Bench
from descend.tables.open import read

MOST = 1_000_000
FORMULA = "y ~ a + b + group"
LONG = {"optimizer": "sgd", "lr": 0.01, "batch_size": 16, "epochs": 100_000, "test": "none"}


@pytest.fixture
def bench() -> Bench:
    return Bench(MOST)


@pytest.fixture
def csv(tmp_path, noisy):
    path = tmp_path / "noisy.csv"
    pl.DataFrame(noisy).write_csv(path)
    return path


def refused(work, *arguments) -> DescendError:
    with pytest.raises(DescendError) as caught:
        work(*arguments)
    return caught.value


def column(about, name):
    return next(found for found in about.columns if found.name == name)


# the columns at a glance


def test_a_column_of_numbers_has_a_histogram_and_its_gaps_are_counted():
    table = read({"x": [0.0, 0.05, 1.0, None, 0.5], "whole": [3, 1, 1, 2, 1], "same": [7.5] * 5})
    found = profile(table)
    x = column(found, "x")
    assert (x.kind, x.missing, x.low, x.high, x.bad) == ("number", 1, 0.0, 1.0, 0)
    assert x.bars == [2, *[0] * 7, 1, *[0] * 6, 1]
    assert column(found, "whole").bars == [3, 1, 1]
    assert (column(found, "same").bars, column(found, "same").varies) == ([5], False)


def test_the_largest_numbers_there_are_have_a_histogram():
    found = column(profile(read({"x": [-1.7e308, 0.0, 1.7e308, float("inf")]})), "x")
    assert (found.low, found.high, found.bad) == (-1.7e308, 1.7e308, 1)
    assert sum(found.bars) == 3
    assert [found.bars[0], found.bars[8], found.bars[-1]] == [1, 1, 1]


def test_bad_cells_are_counted_and_the_rest_is_drawn(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y\n1,2\nthree,NA\n4,6\n5,8\n")
    found = profile(read(path))
    assert (column(found, "x").bad, column(found, "x").missing, column(found, "x").bars) == (1, 0, [1, 0, 0, 1, 1])
    assert (column(found, "y").bad, column(found, "y").missing) == (0, 1)
    assert propose(found) == ""


def test_text_tells_its_commonest_levels(penguins):
    found = column(profile(read(penguins)), "species")
    assert (found.levels, found.bars, found.distinct) == (["Adelie", "Gentoo", "Chinstrap"], [152, 124, 68], 3)
    many = column(profile(read({"id": [f"row {i:02}" for i in range(30)] * 2})), "id")
    assert (many.levels[0], many.bars, many.distinct) == ("row 00", [2] * 8, 30)
    long = column(profile(read({"text": ["x" * 5000]})), "text")
    assert len(long.levels[0]) == 80


def test_a_column_that_cannot_be_used_says_why_and_harms_no_other(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x;y;z\n1,5;1;1\n2,5;2;4\n3,5;3;5\n")
    found = profile(read(path))
    assert column(found, "x").fault.code == "table.decimal-comma"
    assert propose(found) == "z ~ y"


def test_many_rows_are_drawn_from_some_of_them():
    values = np.arange(2_500_000) / 7
    values[1] = -50.0  # the ends are of all rows
    found = column(profile(read({"x": values})), "x")
    assert (found.low, found.high, len(found.bars)) == (-50.0, values[-1], BARS)
    assert 800_000 < sum(found.bars) <= 1_000_000


@pytest.mark.parametrize(
    ("columns", "formula"),
    [
        ({"hours": [1, 2, 3], "score": [2, 4, 7]}, "score ~ hours"),
        ({"a b": [1, 2, 3], "C(x)": [2, 4, 7]}, "`C(x)` ~ `a b`"),
        ({"시간": [1, 2, 3], "점수": [2, 4, 7]}, "점수 ~ 시간"),
        ({"x": [1, 2, 3], "passed": ["no", "yes", "yes"]}, "passed ~ x"),
        ({"group": ["u", "v", "u"], "y": [2, 4, 7]}, "y ~ group"),
        ({"y": [2, 4, 7], "id": [f"{i}" * 3 for i in range(3)]}, "id ~ y"),
        ({"x": [1, 2, 3], "y": [2, 4, 7], "same": [1, 1, 1], "note": ["n"] * 3}, "y ~ x"),
        ({"a`b": [1, 2, 3], "y": [2, 4, 7]}, ""),
        ({"y": [2, 4, 7]}, ""),
        ({"image": np.zeros((4, 2, 2), np.uint8), "label": ["0", "1", "1", "0"]}, "label ~ image"),
    ],
)
def test_a_hypothesis_to_begin_with_is_of_the_last_column_and_can_be_stated(columns, formula):
    table = read(columns)
    assert propose(table) == propose(profile(table)) == formula
    if formula:
        descend.formula.parser.parse(formula).resolve(table.columns)


# the bench


def test_the_first_rows_of_a_file_are_seen_while_it_is_written(bench, tmp_path):
    path = tmp_path / "half.csv"
    path.write_text('x,note\n1,"two\nlines"\n2,b\n3,"cut in')
    seen = bench.preview(str(path))
    assert (seen.rows, seen.partial, column(seen, "x").bars) == (2, True, [1, 1])
    path.write_text("x,note\n1")
    assert bench.preview(str(path)) is None
    assert bench.preview(str(tmp_path / "none.csv")) is None


def test_no_preview_is_made_of_what_is_not_plain_text(bench, tmp_path, noisy):
    pl.DataFrame(noisy).write_parquet(tmp_path / "whole.parquet")
    half = (tmp_path / "whole.parquet").read_bytes()[:3000]
    for name, data in {"a.parquet": half, "a": half, "a.csv.gz": b"\x1f\x8b\x08", "a.safetensors": b"x\n1\n"}.items():
        (tmp_path / name).write_bytes(data)
        assert bench.preview(str(tmp_path / name)) is None


def test_a_table_of_too_many_rows_is_refused_and_the_one_before_stays(tmp_path, scores):
    bench = Bench(10)
    bench.open(str(scores))
    (tmp_path / "long.csv").write_text("x\n" + "1\n" * 11)
    error = refused(bench.open, str(tmp_path / "long.csv"))
    assert (error.code, error.values) == ("studio.too-many-rows", {"rows": 11, "most": 10})
    assert "command line" in error.hint()
    assert bench.prepare("score ~ hours", {}).table_name == "scores.csv"


def test_without_a_table_there_is_nothing_to_prepare(bench, tmp_path):
    assert refused(bench.prepare, "y ~ x", {}).code == "studio.no-table"
    assert refused(bench.fit, "y ~ x", {}, str(tmp_path / "m.safetensors")).code == "studio.no-table"


@pytest.mark.slow
@pytest.mark.parametrize("lab", labs.examples(), ids=lambda lab: lab.id)
def test_an_example_brings_its_formula_and_settings_that_give_its_run(bench, tmp_path, lab):
    opened = bench.example(lab.id)
    assert (opened.profile.name, opened.formula) == (lab.id, lab.hypothesis)
    settings = pickle.loads(pickle.dumps(opened.settings))
    assert all(isinstance(value, str | int | float | list) for value in settings.values())
    assert "test" not in settings  # the page tests it on unseen rows; the textbook's figures are of all of them
    settings["test"] = "none"
    prepared = bench.prepare(opened.formula, settings)
    assert prepared.fitted_rows == len(lab.table())
    fitted = bench.fit(opened.formula, settings | {"dtype": lab.dtype}, str(tmp_path / "m.safetensors"))
    trained = train_lab(lab)[1]
    if fitted.error is None:
        np.testing.assert_array_equal(descend.load(fitted.path).weights, trained.weights)
    else:
        assert not trained.history.loss[-1] <= trained.history.loss[0]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"test": "none", "loss": "sse"},
        {"test": 0.3, "seed": 4, "standardize": False},
        {"test": "5", "l2": 0.1},
        {"patience": 5, "optimizer": "sgd", "lr": 0.1, "validation": 0.3},
        {"optimizer": "adam", "epochs": 20},
        {"batch_size": 16, "epochs": 5},
    ],
    ids=str,
)
def test_what_is_prepared_is_what_fit_fits(bench, csv, noisy, settings):
    bench.open(str(csv))
    bench.prepare(FORMULA, {"missing": "error", "standardize": True})  # what is kept of this changes nothing
    prepared = pickle.loads(pickle.dumps(bench.prepare(FORMULA, settings)))
    model, trained = descend.fit(FORMULA, noisy, **settings), fitted_in_full(noisy, settings)
    assert prepared.names == model.design.names
    np.testing.assert_array_equal(prepared.design.means, model.design.means)
    assert (prepared.fitted_rows, prepared.table_rows) == (model.fitted_rows, 120)
    assert prepared.split == ("none" if model.verification is None else model.verification.method)
    assert [note.code for note in prepared.notes] == [note.code for note in model.notes]
    assert prepared.forecast.outlook == trained.forecast.outlook
    assert prepared.forecast.batch_sure == trained.forecast.batch_sure
    assert prepared.sample.frame.equals(model.sample.frame)
    w = np.random.default_rng(1).standard_normal(len(prepared.names))
    assert prepared.fitted.rows <= len(prepared.names) + 1
    assert prepared.fitted.value(w) == pytest.approx(trained.objective.value(w), rel=1e-12)
    np.testing.assert_allclose(prepared.fitted.gradient(w), trained.objective.gradient(w), rtol=1e-9, atol=1e-9)


def fitted_in_full(table, settings):
    """Return the run over all the rows, as descend trains it."""
    recipe = Recipe(**settings)
    problem = Problem.of(FORMULA, table, recipe)
    return problem.train(split_rows(120, recipe.test, recipe.seed).train, recipe, RunOptions(foretell=True))


def test_the_weights_and_the_test_come_out_of_what_was_prepared(bench, csv, noisy):
    bench.open(str(csv))
    prepared, model = bench.prepare(FORMULA, {}), descend.fit(FORMULA, noisy)
    weights = GramObjective.of(prepared.fitted).minimum
    np.testing.assert_allclose(weights, model.weights, rtol=1e-9)
    rmse = model.verification.scores[0]["hypothesis"]["rmse"]
    assert np.sqrt(prepared.unseen.value(weights.ravel())) == pytest.approx(rmse, rel=1e-9)
    assert prepared.stopping is None


def test_the_rows_to_stop_by_are_prepared_too(bench, csv, noisy):
    settings = {"patience": 3, "optimizer": "sgd", "lr": 0.1, "epochs": 30}
    bench.open(str(csv))
    prepared, history = bench.prepare(FORMULA, settings), fitted_in_full(noisy, settings).history
    for snapshot, loss in zip(history.snapshots, history.validation_loss, strict=True):
        assert prepared.stopping.value(snapshot) == pytest.approx(loss, rel=1e-9)


@pytest.mark.parametrize(
    ("formula", "settings", "reason"),
    [
        ("passed ~ a + b", {}, None),
        ("y ~ a", {"loss": "mae"}, "forecast.no-bound"),
        ("y ~ a", {"hypothesis": "mlp(4)"}, "forecast.network"),
    ],
)
def test_what_no_few_rows_can_stand_for_is_prepared_without_them(bench, csv, formula, settings, reason):
    bench.open(str(csv))
    prepared = bench.prepare(formula, settings)
    assert (prepared.fitted, prepared.stopping, prepared.unseen) == (None, None, None)
    assert prepared.forecast.reason == reason
    assert prepared.split == "holdout"


def test_the_columns_are_gathered_once_for_all_recipes(bench, csv, monkeypatch):
    bench.open(str(csv))
    bench.prepare("y ~ a", {})
    monkeypatch.setattr("descend.fitting.problem.gather", None)
    sgd = bench.prepare("y ~ a", {"lr": 0.1, "test": "none", "standardize": False})
    assert sgd.fitted_rows == 120
    assert "note.sgd-asked" in [note.code for note in sgd.notes]
    bench.open(str(csv))
    with pytest.raises(TypeError):
        bench.prepare("y ~ a", {})


@pytest.mark.parametrize("value", [descend.fit, dict, object()], ids=["function", "class", "object"])
@pytest.mark.parametrize("name", ["hypothesis", "optimizer", "loss"])
def test_settings_are_words_and_numbers(bench, csv, name, value):
    bench.open(str(csv))
    error = refused(bench.prepare, "y ~ a", {"hypothesis": "mlp(4)", name: value})
    assert (type(error), error.code) == (OptionError, "option.hypothesis-kind")


def test_a_run_that_diverges_is_kept_with_its_error(bench, csv, tmp_path, capsys):
    bench.open(str(csv))
    fitted = bench.fit("y ~ a", {"lr": 10.0, "epochs": 2000}, str(tmp_path / "m.safetensors"))
    again = pickle.loads(pickle.dumps(fitted))
    assert (again.stop, again.error.code, again.error.model) == ("diverged", "fit.diverged-stable", None)
    assert called(capsys, "fit", csv, "y ~ a", "--lr", 10, "--epochs", 2000)[0] == 3
    assert descend.load(again.path).history.diverged


# the worker


@pytest.fixture(scope="module")
def loop():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def worker():
    made = Worker(MOST)
    yield made
    made.close()


@pytest.fixture
def ask(loop, worker):
    """Have the worker do something, and wait for it."""

    def asked(*call, **listeners):
        async def answer():
            return await worker.call(*call, **listeners)

        return loop.run(answer())

    return asked


@pytest.fixture
def during(loop, worker, ask, csv, tmp_path):
    """Open a table, begin a long fit, do something at its first word of progress, and return what comes of it."""
    ask("open", str(csv))

    def begun(act):
        async def run():
            spoken = asyncio.Event()
            out = str(tmp_path / "long.safetensors")
            call = worker.call("fit", "passed ~ a + b", LONG, out, on_progress=lambda *word: spoken.set())
            task = asyncio.create_task(call)
            await spoken.wait()
            act(task)
            return await asyncio.gather(task, return_exceptions=True)

        return loop.run(run())[0]

    return begun


@pytest.mark.slow
def test_a_table_is_opened_prepared_and_fitted_elsewhere(ask, worker, csv, noisy, tmp_path):
    opened = ask("open", str(csv))
    assert (opened.profile.rows, opened.formula) == (120, "y ~ a")
    weights = GramObjective.of(ask("prepare", FORMULA, {}).fitted).minimum
    fitted = ask("fit", FORMULA, {}, str(tmp_path / "m.safetensors"))
    np.testing.assert_allclose(weights, descend.load(fitted.path).weights, rtol=1e-9)
    assert (fitted.stop, fitted.error) == ("optimum", None)
    assert worker.pid != os.getpid()
    assert not worker.busy


def test_an_error_is_the_one_that_the_command_line_tells(ask, tmp_path, capsys, noisy):
    (tmp_path / "ragged.csv").write_text("x,y\n1,2\n3\n")
    pl.DataFrame(noisy).write_parquet(tmp_path / "damaged.parquet")
    whole = bytearray((tmp_path / "damaged.parquet").read_bytes())
    whole[-60:-20] = b"\xff" * 40
    (tmp_path / "damaged.parquet").write_bytes(whole)
    for name, code in (("ragged.csv", "table.ragged"), ("damaged.parquet", "table.damaged")):
        error = refused(ask, "open", str(tmp_path / name))
        assert (type(error), error.code) == (TableError, code)
        told = " ".join(called(capsys, "fit", tmp_path / name, "y ~ x")[2].split())
        assert " ".join(error.tell().split()) in told


def test_what_is_no_error_of_the_users_is_told_as_ours(ask, csv):
    ask("open", str(csv))
    error = refused(ask, "prepare", "y ~ a", {}, "nonsense")
    assert (error.code, error.values["kind"]) == ("studio.worker-failed", "TypeError")
    assert "prepare() takes 3" in error.values["reason"]
    assert ask("prepare", "y ~ a", {}).fitted_rows == 96


def test_a_fit_tells_how_far_it_is_up_to_its_last_epoch(ask, csv, tmp_path):
    ask("open", str(csv))
    words = []
    settings = {"optimizer": "adam", "lr": 0.1, "epochs": 3000, "test": "none"}
    fitted = ask(
        "fit", "passed ~ a + b", settings, str(tmp_path / "m.safetensors"),
        on_progress=lambda epoch, loss: words.append((epoch, loss)),
    )  # fmt: skip
    history = descend.load(fitted.path).history
    assert words[0] == (0, pytest.approx(np.log(2)))
    assert words[-1] == (2999, history.at(2999))
    assert [epoch for epoch, _ in words] == sorted({epoch for epoch, _ in words})
    assert len(words) < 1500


def test_a_fit_that_is_stopped_gives_what_it_has_reached(during, worker):
    pid = worker.pid
    fitted = during(lambda task: worker.stop())
    assert (fitted.stop, fitted.error) == ("interrupted", None)
    assert 0 < fitted.epochs < LONG["epochs"]
    assert descend.load(fitted.path).history.stop == "interrupted"
    assert worker.pid == pid


def test_a_fit_that_is_stopped_before_it_begins_gives_nothing(loop, worker, csv, tmp_path):
    async def run():
        task = asyncio.create_task(worker.call("fit", "y ~ a", LONG, str(tmp_path / "m.safetensors")))
        await asyncio.sleep(0)
        worker.stop()
        return await asyncio.gather(task, return_exceptions=True)

    worker.kill()
    (error,) = loop.run(run())
    assert (type(error), error.code) == (InterruptedFitError, "fit.interrupted-early")


@pytest.mark.slow
def test_a_stop_is_of_a_fit_that_is_running_and_of_no_other(ask, worker, csv, tmp_path):
    ask("open", str(csv))
    worker.stop()
    fitted = ask("fit", "y ~ a", {"optimizer": "adam", "epochs": 50}, str(tmp_path / "m.safetensors"))
    assert fitted.stop == "epochs"


def test_a_fit_is_stopped_between_the_refits_of_its_test(bench, csv, tmp_path):
    def interrupt(fold, folds):
        raise KeyboardInterrupt

    bench.open(str(csv))
    with pytest.raises(InterruptedFitError):
        bench.fit("passed ~ a", {"test": "5"}, str(tmp_path / "m.safetensors"), on_refit=interrupt)


@pytest.mark.slow
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGABRT], ids=lambda blow: blow.name)
def test_a_process_that_dies_is_an_error_and_the_next_has_the_table_again(during, ask, worker, blow):
    pid = worker.pid
    error = during(lambda task: os.kill(pid, blow))
    assert (type(error), error.code) == (TableError, "studio.worker-died")
    assert error.hint()
    assert ask("prepare", FORMULA, {}).table_name == "noisy.csv"
    assert worker.pid != pid


def test_a_process_that_dies_while_it_has_nothing_to_do_is_not_missed(ask, worker, csv):
    ask("open", str(csv))
    os.kill(worker.pid, signal.SIGKILL)
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
    assert ask("prepare", FORMULA, {}).table_name == "noisy.csv"


def test_what_is_killed_by_hand_is_no_fault(during, ask, worker):
    error = during(lambda task: worker.kill())
    assert (type(error), error.code) == (InterruptedFitError, "studio.stopped")
    assert ask("prepare", FORMULA, {}).table_rows == 120


@pytest.mark.slow
def test_a_table_that_is_gone_is_told_when_it_is_needed_again(ask, worker, csv):
    ask("open", str(csv))
    worker.kill()
    csv.unlink()
    assert refused(ask, "prepare", FORMULA, {}).code == "table.not-found"
    assert ask("example", "study-hours").formula == "score = W * hours + b"
    worker.kill()
    assert ask("prepare", "score = W * hours + b", {}).table_name == "study-hours"


def test_a_call_that_is_cancelled_leaves_the_process_ready(during, ask, worker):
    pid = worker.pid
    assert isinstance(during(lambda task: task.cancel()), asyncio.CancelledError)
    assert ask("prepare", FORMULA, {}).table_rows == 120
    assert worker.pid == pid


def test_a_ctrl_c_in_the_terminal_is_not_for_the_process(ask, worker, csv, tmp_path):
    ask("open", str(csv))
    pid, out = worker.pid, str(tmp_path / "m.safetensors")
    os.kill(pid, signal.SIGINT)
    settings = {"optimizer": "adam", "epochs": 3000, "test": "none"}
    fitted = ask("fit", "passed ~ a", settings, out, on_progress=lambda *word: os.kill(pid, signal.SIGINT))
    assert (fitted.stop, worker.pid) == ("epochs", pid)


def test_a_process_that_cannot_be_had_is_told(ask, worker, monkeypatch):
    def refuse(process):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    worker.kill()
    with monkeypatch.context() as patched:
        patched.setattr("multiprocessing.process.BaseProcess.start", refuse)
        error = refused(ask, "example", "study-hours")
    assert (error.code, error.values["kind"]) == ("studio.worker-failed", "BlockingIOError")
    assert ask("example", "study-hours").profile.rows == 3


def test_calls_wait_their_turn_and_the_page_goes_on_meanwhile(loop, worker, csv):
    async def run():
        calls = [worker.call("open", str(csv)), worker.call("prepare", FORMULA, {}), worker.call("example", "signs")]
        tasks = [asyncio.create_task(call) for call in calls]
        turns = 0
        await asyncio.sleep(0)
        while not tasks[-1].done():
            assert worker.busy
            turns += 1
            await asyncio.sleep(0)
        return await asyncio.gather(*tasks), turns

    (opened, prepared, example), turns = loop.run(run())
    assert (opened.profile.name, prepared.table_name, example.profile.name) == ("noisy.csv", "noisy.csv", "signs")
    assert turns > 100


@pytest.mark.slow
def test_two_workers_know_nothing_of_one_another(loop, csv, scores):
    before = set(threads())

    async def run():
        first, second = Worker(MOST), Worker(MOST)
        await asyncio.gather(first.call("open", str(csv)), second.call("open", str(scores)))
        calls = [first.call("prepare", "y ~ a", {}), second.call("prepare", "score ~ hours", {})]
        prepared = await asyncio.gather(*calls)
        with pytest.raises(DescendError):
            await second.call("prepare", "y ~ a", {})
        pids = first.pid, second.pid
        for worker in (first, second):
            worker.close()
            with pytest.raises(InterruptedFitError):
                await worker.call("prepare", "y ~ a", {})
        return prepared, pids

    prepared, pids = loop.run(run())
    assert [one.table_name for one in prepared] == ["noisy.csv", "scores.csv"]
    assert len({os.getpid(), *pids}) == 3
    for thread in set(threads()) - before:
        thread.join(20)
        assert not thread.is_alive()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc to look at another process's files")
def test_the_process_does_not_hold_the_servers_sockets(ask, worker, scores):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.set_inheritable(True)
        worker.kill()
        ask("open", str(scores))
        held = {os.readlink(entry) for entry in Path(f"/proc/{worker.pid}/fd").iterdir()}
        assert os.readlink(f"/proc/self/fd/{server.fileno()}") not in held


SERVER = """
import asyncio, sys, time
from descend.studio.worker.parent import Worker

async def main():
    worker = Worker(100)
    await worker.call("example", "study-hours")
    print(worker.pid, flush=True)
    time.sleep(600)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.slow
def test_the_process_ends_with_the_server_however_that_ends(tmp_path):
    (tmp_path / "serve.py").write_text(SERVER)
    with subprocess.Popen([sys.executable, str(tmp_path / "serve.py")], stdout=subprocess.PIPE, text=True) as server:
        pid = int(server.stdout.readline())
        os.kill(pid, 0)
        server.kill()
    for _ in range(2000):
        if not alive(pid):
            break
        time.sleep(0.01)
    assert not alive(pid)


def alive(pid):
    """Whether a process runs; one that only waits for its parent to look at it does not."""
    status = Path(f"/proc/{pid}/stat")
    if status.parent.parent.is_dir() and Path("/proc/self").exists():
        return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
