"""What the command line tells reaches whoever reads it: in any encoding, through a pipe that closes, on a full disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import polars as pl
import pytest

import descend
from descend.cli import main
from descend.cli.streams import outlets

PROGRAM = [sys.executable, "-c", "from descend.cli import main; raise SystemExit(main())"]
ENVIRONMENT = {**os.environ, "DESCEND_LANG": "en", "COLUMNS": "100"}


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("DESCEND_LANG", "en")  # main leaves there the language that it was asked for


def run(*arguments, **how):
    environment = {**ENVIRONMENT, **how.pop("environment", {})}
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
    return subprocess.run([*PROGRAM, *map(str, arguments)], env=environment, check=False, timeout=120, **how)


@pytest.fixture
def korean(tmp_path):
    path = tmp_path / "점수.csv"
    pl.DataFrame({"시간": [1.0, 2, 3, 4, 5], "점수": [2.0, 4, 6.5, 8, 9.5]}).write_csv(path)
    return path


@pytest.fixture
def encoded(monkeypatch, tmp_path):
    """Let this process's streams be those of a person whose terminal has an encoding; gives what was written."""

    def run(encoding, *arguments):
        monkeypatch.setenv("DESCEND_LANG", "en")  # main leaves there the language that it was asked for
        paths = [tmp_path / name for name in ("out.txt", "err.txt")]
        streams = [open(path, "w", encoding=encoding, newline="") for path in paths]  # noqa: SIM115
        monkeypatch.setattr("descend.cli.streams.DESCRIPTORS", (streams[0].fileno(), streams[1].fileno()))
        for name, stream in zip(("stdout", "stderr"), streams, strict=True):
            monkeypatch.setattr(sys, name, stream)
            monkeypatch.setattr(sys, f"__{name}__", stream)
        code = main([str(argument) for argument in arguments])
        monkeypatch.undo()
        for stream in streams:
            stream.close()
        return code, *(path.read_bytes() for path in paths)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "cp949", "shift_jis", "utf-8", "utf-16"])
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_a_result_is_told_in_any_encoding(encoded, korean, scores, encoding, lang):
    code, out, err = encoded(encoding, "fit", scores, "score ~ hours", "--lang", lang)
    assert code == 0
    told = out.decode(encoding)
    assert "score = " in told
    if lang == "en":
        assert "?" not in told
        assert err == b""
    else:
        assert bool(err) == (encoding not in ("cp949", "utf-8", "utf-16"))
    code, out, _ = encoded(encoding, "fit", korean, "점수 ~ 시간")
    assert code == 0
    assert ("?? = " if encoding not in ("cp949", "utf-8", "utf-16") else "점수 = ") in out.decode(encoding)


def test_letters_that_an_encoding_lacks_become_the_nearest(encoded, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("é,y\n1,2\n2,1\n3,0\n4,-1.5\n", encoding="utf-8")
    _, out, err = encoded("ascii", "fit", path, "y ~ é")
    told = out.decode("ascii")
    assert " x e" in told
    assert "->" in told
    assert err == b""
    code, _, err = encoded("ascii", "fit", path, "y ~ q")
    assert (code, err.splitlines()[-1][:3]) == (2, b"-> ")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_json_loses_no_letter(encoded, korean, encoding):
    code, out, err = encoded(encoding, "fit", korean, "점수 ~ 시간", "--json")
    assert (code, err) == (0, b"")
    assert list(json.loads(out)["coefficients"]) == ["(intercept)", "시간"]
    code, out, _ = encoded(encoding, "fit", korean, "점수 ~ 분", "--json")
    assert (code, "분" in json.loads(out)["error"]["message"]) == (2, True)


def test_a_file_whose_name_is_no_text_is_told(encoded, tmp_path, scores):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv")
    try:
        with open(path, "wb") as file:
            file.write(scores.read_bytes())
    except OSError:
        pytest.skip("this file system takes no such name")
    code, out, _ = encoded("utf-8", "fit", path, "score ~ hours")
    assert (code, rb"caf\udce9.csv" in out) == (0, True)


@pytest.mark.slow
def test_an_error_handler_that_was_asked_for_stays(scores):
    done = run("fit", scores, "score ~ hours", environment={"PYTHONIOENCODING": "ascii:backslashreplace"})
    assert b"\\xd7" in done.stdout
    done = run("fit", scores, "score", environment={"PYTHONIOENCODING": "ascii:backslashreplace"})
    assert b"\n-> " in done.stderr  # where Python chooses, whatever was asked for


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_behind_standard_output_is_told_and_the_model_is_kept(scores, tmp_path):
    out = tmp_path / "m.safetensors"
    with open("/dev/full", "wb") as full:
        done = run("fit", scores, "score ~ hours", "-o", out, stdout=full)
    assert done.returncode == 1
    assert done.stderr.decode().count("\n") == 2
    assert "[usage.output]" in done.stderr.decode()
    assert "No space left on device" in done.stderr.decode()
    assert descend.load(out).formula == "score ~ hours"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_an_error_stream_that_takes_nothing_changes_nothing(scores):
    with open("/dev/full", "wb") as full:
        assert run("fit", scores, "score", stderr=full).returncode == 2


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a POSIX shell's closed streams")
def test_streams_that_are_closed_are_told_of_where_anything_can_be(scores, tmp_path):
    command = " ".join(f"'{word}'" for word in [*PROGRAM, "fit", str(scores), "score ~ hours", "-o"])
    for closed, code, told in ((">&-", 1, b"usage.output"), ("2>&-", 0, b""), ("<&-", 0, b""), (">&- 2>&-", 1, b"")):
        out = tmp_path / f"m{code}{len(closed)}.safetensors"
        done = subprocess.run(
            ["bash", "-c", f"{command} {out} {closed}"], capture_output=True, env=ENVIRONMENT, check=False, timeout=120
        )
        assert (done.returncode, told in done.stderr, out.exists()) == (code, True, True), closed
        assert done.stderr.count(b"\n") in ((2,) if told else (0,))


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="pipes that close are POSIX's")
def test_a_reader_who_has_gone_stops_no_fit(scores, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    done = run("fit", scores, "score ~ hours", "-o", tmp_path / "m.safetensors", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "m.safetensors").exists()


def test_other_streams_than_the_standard_ones_are_left_alone(capsys):
    before = sys.stdout, sys.stderr
    with outlets() as outcome:
        assert (sys.stdout, sys.stderr) == before
    assert (outcome.failure, outcome.lost) == (None, False)


@pytest.mark.parametrize(
    ("error", "code", "fragment"),
    [
        (MemoryError(), "usage.memory", "MemoryError"),
        (MemoryError("Unable to allocate 8.00 GiB"), "usage.memory", "8.00 GiB"),
        (RuntimeError("can't start new thread"), "usage.memory", "thread"),
        (ImportError("x.so: failed to map segment from shared object"), "usage.memory", "segment"),
        (OSError(28, "No space left on device", "/scratch/x"), "usage.system", "/scratch/x: No space"),
        (ZeroDivisionError("division"), "usage.bug", "ZeroDivisionError: division"),
        (type("PanicException", (BaseException,), {})("called unwrap"), "usage.bug", "PanicException"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_what_nobody_foresaw_is_one_sentence_in_both_languages(capsys, monkeypatch, error, code, fragment):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("descend.tables.open.open_rows", fail)
    for lang in ("en", "ko"):
        assert main(["fit", "t.csv", "y ~ x", "--lang", lang]) == 1
        err = capsys.readouterr().err
        assert f"[{code}]" in err
        assert fragment in err
        assert len(err.splitlines()) == 2
