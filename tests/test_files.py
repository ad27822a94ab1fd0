"""What is written: whole or not at all, never over something else, and nothing left behind, by real processes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest
from conftest import called

import descend
from descend.base.atomic_files import written_whole
from descend.base.errors import DesignError, OptionError

PROGRAM = [sys.executable, "-c", "from descend.cli import main; raise SystemExit(main())"]
ENVIRONMENT = {**os.environ, "DESCEND_LANG": "en", "COLUMNS": "100"}


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("DESCEND_LANG", "en")  # main leaves there the language that it was asked for


@pytest.fixture
def table(noisy, tmp_path):
    path = tmp_path / "table.csv"
    pl.DataFrame(noisy).write_csv(path)
    return path


@pytest.fixture
def model(table, tmp_path):
    return descend.fit("y ~ a + group", table).save(tmp_path / "m.safetensors")


def run(*arguments, **how):
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)], capture_output=True, env=ENVIRONMENT, check=False, timeout=120, **how
    )


def left_over(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".") or "part" in path.suffix]


def test_threads_that_save_one_path_never_fail_and_a_reader_sees_a_whole_file(model, tmp_path):
    kept, path = descend.load(model), tmp_path / "shared.safetensors"
    kept.save(path)
    threads, done = 6, threading.Event()
    begin = threading.Barrier(threads)

    def save(_):
        begin.wait()
        for _ in range(10):
            kept.save(path)

    def read():
        seen = 0
        while not done.is_set() or not seen:
            assert descend.load(path).equation == kept.equation
            seen += 1
        return seen

    with ThreadPoolExecutor(threads + 1) as pool:
        reader = pool.submit(read)
        try:
            list(pool.map(save, range(threads)))
        finally:
            done.set()
        assert reader.result() > 0
    assert left_over(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o666])
def test_a_file_that_is_written_again_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "kept"
    path.write_text("before")
    path.chmod(mode)
    with written_whole(path) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) == mode  # what it holds is shown to nobody meanwhile either
        temporary.write_text("after")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("after", mode)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o000, 0o666)])
def test_a_new_file_has_the_mode_that_the_umask_leaves(capsys, model, table, tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        for out in ("p.csv", "p.parquet"):
            assert called(capsys, "predict", model, table, "-o", tmp_path / out)[0] == 0
            assert stat.S_IMODE((tmp_path / out).stat().st_mode) == mode
    finally:
        os.umask(before)


@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to nothing yet"])
def test_a_symbolic_link_stays_one_and_what_it_leads_to_is_written(capsys, model, table, tmp_path, there):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "p.csv", tmp_path / "link.csv"
    if there:
        target.write_text("before")
    link.symlink_to(target)
    assert called(capsys, "predict", model, table, "-o", link)[0] == 0
    assert link.is_symlink()
    assert pl.read_csv(target).columns[-1] == "y_predicted"
    assert left_over(tmp_path) == left_over(tmp_path / "far") == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("name", ["pipe", "pipe.parquet"])
def test_a_pipe_is_written_to_and_not_replaced(capsys, model, table, tmp_path, name):
    pipe, got = tmp_path / name, tmp_path / "got"
    os.mkfifo(pipe)
    with open(got, "wb") as sink:
        reader = subprocess.Popen(["cat", pipe], stdout=sink)
        assert called(capsys, "predict", model, table, "-o", pipe)[0] == 0
        reader.wait(60)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    frame = pl.read_parquet(got) if name.endswith(".parquet") else pl.read_csv(got)
    assert (frame.height, frame.columns[-1]) == (120, "y_predicted")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_that_nobody_reads_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("descend.base.atomic_files.PATIENCE", 0.0)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OptionError) as error, written_whole(tmp_path / "pipe") as temporary:
        temporary.write_text("what nobody reads")
    assert error.value.code == "option.nobody-reads"


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="no /dev/stdout here")
def test_standard_output_as_the_file_holds_the_file_alone(model, table, tmp_path):
    done = run("predict", model, table, "-o", "/dev/stdout")
    assert pl.read_csv(done.stdout).columns[-1] == "y_predicted"
    assert b"wrote" in done.stderr
    again = tmp_path / "again.safetensors"
    with open(again, "wb") as sink:
        fitted = subprocess.run([*PROGRAM, "fit", table, "y ~ a", "-o", "/dev/stdout"], stdout=sink, check=False)
    assert fitted.returncode == 0
    assert descend.load(again).formula == "y ~ a"
    log = tmp_path / "log"
    log.write_text("kept\n")
    with open(log, "ab") as sink:
        subprocess.run([*PROGRAM, "predict", model, table, "-o", "/dev/stdout"], stdout=sink, check=True)
    assert log.read_text().startswith("kept\na,b,c")


def test_what_is_read_is_never_written_over(capsys, model, table, tmp_path, noisy):
    before = table.read_bytes()
    link, hard, folder = tmp_path / "link.csv", tmp_path / "hard.csv", tmp_path / "data"
    link.symlink_to(table)
    hard.hardlink_to(table)
    folder.mkdir()
    part = folder / "part.parquet"
    pl.DataFrame(noisy).write_parquet(part)
    bytes_of_part = part.read_bytes()
    commands = [
        *(("predict", model, table, "-o", out) for out in (table, link, hard)),
        ("predict", model, link, "-o", table),
        ("predict", model, folder, "-o", part),
        ("predict", model, folder / "*.parquet", "-o", part, "--memory", "1kB"),
        ("fit", table, "y ~ a", "--optimizer", "sgd", "--checkpoint", table),
        ("fit", table, "y ~ a", "--optimizer", "sgd", "--checkpoint", model, "-o", model),
        ("fit", table, "y ~ a", "--optimizer", "sgd", "--checkpoint", tmp_path / "n.safetensors", "-o",
         tmp_path / "n.safetensors"),
        ("lab", "sigmoid", "--plot", tmp_path / "l.png", "--save-table", tmp_path / "l.png"),
    ]  # fmt: skip
    for command in commands:
        code, _, err = called(capsys, *command)
        assert (code, "[option.out-is-input]" in err) == (2, True), command
    assert (table.read_bytes(), part.read_bytes()) == (before, bytes_of_part)


@pytest.mark.parametrize("how", [[], ["--memory", "1kB"], ["--interval", "0.9"], ["-o", "out.csv"]])
def test_no_column_of_the_table_is_replaced_by_a_prediction(capsys, model, noisy, tmp_path, monkeypatch, how):
    monkeypatch.chdir(tmp_path)
    taken = "y_mean_low" if "--interval" in how else "y_predicted"
    path = tmp_path / "again.parquet"
    pl.DataFrame(noisy).with_columns(pl.lit(7.0).alias(taken)).write_parquet(path)
    more = ["-o", "out.parquet"] if "--memory" in how else []
    code, out, err = called(capsys, "predict", model, path, *how, *more)
    assert (code, out) == (1, "")
    assert "[design.column-taken]" in err
    assert taken in err
    assert not any(tmp_path.glob("out.*"))


def test_no_column_of_a_frame_is_replaced_by_a_prediction(noisy):
    fitted = descend.fit("passed ~ a", noisy)
    for name in ("passed_predicted", "P(no)"):
        with pytest.raises(DesignError) as error:
            fitted.predictions(noisy | {name: noisy["a"]})
        assert (error.value.code, error.value.column) == ("design.column-taken", name)
    assert len(fitted.predict(noisy | {"passed_predicted": noisy["a"]})) == 120


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits are POSIX's")
@pytest.mark.parametrize(
    "command",
    [
        *(
            f"predict {{model}} {{table}} -o {{out}}/p{kind}"
            for kind in (".csv", ".tsv", ".json", ".ndjson", ".parquet")
        ),
        *(f"predict {{model}} {{table}} --memory 1kB -o {{out}}/p{kind}" for kind in (".csv", ".json", ".parquet")),
        *(f"plot {{model}} -o {{out}}/p{kind}" for kind in (".png", ".svg", ".pdf")),
        "fit {table} y~a -o {out}/m.safetensors",
        "fit {table} passed~a --optimizer adam --epochs 20 --checkpoint {out}/c.safetensors",
        "lab sigmoid --plot {out}/l.png",
        "lab study-hours --save-table {out}/l.csv",
    ],
    ids=lambda command: command.split("{out}/")[1] + (" in parts" if "--memory" in command else ""),
)
def test_a_full_disk_is_one_sentence_and_leaves_nothing(capsys, model, table, tmp_path, command):
    import resource

    out = tmp_path / "out"
    out.mkdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
    try:
        code, _, err = called(capsys, *command.format(model=model, table=table, out=out).split())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (code, err.count("error [option.cannot-write]"), err.count("[")) == (2, 1, 1), err
    assert "File too large" in err
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("name", ["n" * 252 + ".csv", "zero\0.csv", "folder.csv", "no/such/folder.csv"])
def test_a_name_that_cannot_be_written_is_told_before_the_work(capsys, model, table, tmp_path, name, monkeypatch):
    (tmp_path / "folder.csv").mkdir()
    monkeypatch.setattr("descend.tables.open.open_rows", None)  # nothing is read
    code, _, err = called(capsys, "predict", model, table, "-o", f"{tmp_path}/{name}")
    assert (code, "[option.cannot-write]" in err) == (2, True)


def test_the_longest_name_that_the_system_takes_is_written(capsys, model, table, tmp_path):
    assert called(capsys, "predict", model, table, "-o", tmp_path / ("n" * 251 + ".csv"))[0] == 0


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name)
def test_a_process_that_is_ended_leaves_no_half_file(tmp_path, number):
    program = """
import sys, time
from descend.cli.console import heeding_interrupts
from descend.base.atomic_files import written_whole
with heeding_interrupts(), written_whole(sys.argv[1]) as path:
    path.write_text("half")
    print("begun", flush=True)
    time.sleep(600)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "out"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    assert len(left_over(tmp_path)) == 1
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == -number
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="a mutex as Linux makes it")
def test_a_process_that_hangs_outside_python_ends_all_the_same():
    program = """
import ctypes
from descend.cli import console
console.GRACE = 0.0
with console.heeding_interrupts():
    libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
    libc.pthread_mutex_lock(mutex)
    print("begun", flush=True)
    libc.pthread_mutex_lock(mutex)
"""
    for _ in range(20):
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.terminate()
        try:
            ended = process.wait(60)
        finally:
            process.kill()
            process.stdout.close()
        if ended != -signal.SIGTERM:  # else the signal came before it hung
            break
    assert ended == 128 + signal.SIGTERM
