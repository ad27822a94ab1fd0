"""Tables from standard input, pipes and devices: read to their end, and given up where they have none."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import threading

import numpy as np
import polars as pl
import pytest
from conftest import called

import descend
from descend.base.errors import TableError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes as POSIX has them")
PROGRAM = [sys.executable, "-c", "from descend.cli import main; raise SystemExit(main())"]


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("DESCEND_LANG", "en")
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def piped(monkeypatch):
    """Let standard input be a pipe into which a thread writes what is given; None: nobody ever does."""
    readers, opened = [], []

    def pipe(data):
        reading, writing = os.pipe()
        readers.append(os.fdopen(reading))
        monkeypatch.setattr(sys, "stdin", readers[-1])

        def write():
            with os.fdopen(writing, "wb", buffering=0) as sink:
                try:
                    for block in [data] if isinstance(data, bytes) else data:
                        sink.write(block)
                except BrokenPipeError:
                    pass

        if data is None:
            opened.append(writing)
            return
        thread = threading.Thread(target=write)
        thread.start()
        opened.append(thread)

    yield pipe
    for reader in readers:
        reader.close()
    for one in opened:
        os.close(one) if isinstance(one, int) else one.join(60)


def written(noisy, kind):
    frame, made = pl.DataFrame(noisy), io.BytesIO()
    match kind:
        case "csv" | "csv.gz":
            frame.write_csv(made)
        case "tsv":
            frame.write_csv(made, separator="\t")
        case "utf-16":
            return frame.write_csv().encode("utf-16")
        case "json" | "json.gz":
            frame.write_json(made)
        case "ndjson":
            frame.write_ndjson(made)
        case "parquet":
            frame.write_parquet(made)
        case "feather":
            frame.write_ipc(made)
        case "arrow stream":
            frame.write_ipc_stream(made)
        case "one column":
            made.write(b"\n" + json.dumps({"a": list(noisy["a"]), "y": list(noisy["y"])}).encode())
    return gzip.compress(made.getvalue()) if kind.endswith("gz") else made.getvalue()


KINDS = [
    "csv",
    "csv.gz",
    "tsv",
    "utf-16",
    "json",
    "json.gz",
    "ndjson",
    "parquet",
    "feather",
    "arrow stream",
    "one column",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("memory", [None, "1kB"])
def test_a_table_through_standard_input_is_that_of_a_file(piped, noisy, kind, memory):
    if memory is not None and kind == "utf-16":
        pytest.skip("UTF-16 is not read part by part, from a file neither")
    data = written(noisy, kind)
    piped(data)
    found = descend.fit("y ~ a", "-", memory=memory, test="none")
    assert found.equation == descend.fit("y ~ a", noisy, test="none").equation
    assert (found.table_name, found.table_rows) == ("stdin", 120)


def test_every_command_that_reads_a_table_reads_it_from_standard_input(capsys, piped, noisy, tmp_path):
    model, data = tmp_path / "m.safetensors", written(noisy, "csv")
    for command in (
        ("fit", "-", "y ~ a", "-o", model),
        ("predict", model, "-"),
        ("predict", model, "-", "-o", tmp_path / "p.csv"),
        ("predict", model, "-", "-o", tmp_path / "p.parquet", "--memory", "1kB"),
        ("evaluate", model, "-"),
        ("evaluate", model, "-", "--memory", "1kB"),
        ("compare", "-", "y ~ a", "y ~ b"),
        ("forecast", "-", "y ~ a"),
        ("forecast", "-", "y ~ a", "--memory", "1kB"),
    ):
        piped(data)
        code, out, err = called(capsys, *command)
        assert (code, err) == (0, ""), command
        assert out
    assert pl.read_csv(tmp_path / "p.csv").height == pl.read_parquet(tmp_path / "p.parquet").height == 120


@pytest.mark.slow
def test_a_shell_pipes_a_table_in(noisy, tmp_path):
    path, out = tmp_path / "t.csv", tmp_path / "m.safetensors"
    pl.DataFrame(noisy).write_csv(path)
    command = " ".join(f"'{word}'" for word in [*PROGRAM, "fit"])
    for given in (f"cat {path} | {command} -", f"{command} - < {path}", f"{command} <(cat {path})"):
        done = subprocess.run(
            ["bash", "-c", f"{given} 'y ~ a' -o {out}"], capture_output=True, check=False, timeout=120
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert descend.load(out).table_rows == 120
        out.unlink()


def test_a_named_pipe_is_read_once_and_whole(noisy, tmp_path):
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(written(noisy, "csv")))
    writer.start()
    assert descend.read(str(pipe)).rows == 120
    writer.join(60)


def endless(block):
    while True:
        yield block


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ([b"\0" * 65536], "table.binary"),
        ([b"y,x\n1,2\n", b"\0" * 65536], "table.binary"),
        ([b"x" * 65536], "table.endless-line"),
        ([b"y,x\n1,2\n", b"x" * 65536], "table.endless-line"),
        ([gzip.compress(b"x" * 4_000_000)], "table.endless-line"),
        ([b"1,2\n" * 4096], "table.too-much"),
        ([b'[{"y": 1},', b'{"y": 1},' * 4096], "table.too-much"),
    ],
    ids=["zeros", "zeros in the middle", "a line", "a line in the middle", "a line gzipped", "rows", "records"],
)
def test_what_never_ends_is_given_up(piped, monkeypatch, what, code):
    monkeypatch.setattr("descend.tables.pipes.LINE", 1 << 20)
    if code == "table.too-much":
        monkeypatch.setattr("descend.tables.pipes.SHARE", 1e-5)
    packed = what[0].startswith(b"\x1f\x8b")
    piped(what[0] if packed else iter_of(what))
    with pytest.raises(TableError) as error:
        descend.read("-")
    assert error.value.code == code


def iter_of(blocks):
    yield from blocks[:-1]
    yield from endless(blocks[-1])


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no such devices here")
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/dev/null"])
def test_a_device_is_no_table(capsys, device):
    for command in (("fit", device, "y ~ x"), ("forecast", device, "y ~ x"), ("compare", device, "y ~ x", "y ~ z")):
        code, out, err = called(capsys, *command)
        assert (code, out) == (1, "")
        assert "[table.empty]" in err if device == "/dev/null" else "[table.binary]" in err


@pytest.mark.parametrize("where", ["stdin", "fifo"])
def test_a_pipe_that_nobody_writes_to_is_given_up(capsys, piped, monkeypatch, tmp_path, where):
    monkeypatch.setattr("descend.tables.pipes.SILENCE", 0.05)
    piped(None)
    os.mkfifo(tmp_path / "pipe")
    code, _, err = called(capsys, "fit", "-" if where == "stdin" else tmp_path / "pipe", "y ~ x")
    assert (code, "[table.silent]" in err) == (1, True)
    if where == "fifo":  # lets the thread that waits for a writer go
        os.close(os.open(tmp_path / "pipe", os.O_RDWR))


def test_nothing_through_the_pipe_and_damage_are_told(piped):
    for data, code in ((b"", "table.empty"), (b"\x1f\x8bbroken", "table.damaged")):
        piped(data)
        with pytest.raises(TableError) as error:
            descend.read("-")
        assert (error.value.code, error.value.values["file"]) == (code, "stdin")


def test_standard_input_that_is_closed_is_told(scores):
    command = " ".join(f"'{word}'" for word in [*PROGRAM, "fit", "-", "score ~ hours"])
    done = subprocess.run(["bash", "-c", f"{command} <&-"], capture_output=True, check=False, timeout=120)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 2)
    assert b"[table.no-access]" in done.stderr


def test_numbers_are_those_of_the_table(piped):
    piped(b"x,y\n1,2.5\n2,5.0\n3,7.25\n")
    table = descend.read("-")
    np.testing.assert_array_equal(table.numbers("y"), [2.5, 5.0, 7.25])
