"""The command line, run as a person runs it: real processes, real files, exit codes, both languages."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest
from conftest import called

ENVIRONMENT = {**os.environ, "DESCEND_LANG": "", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


def descend(*arguments, cwd=None, **environment):
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from descend.cli import main; raise SystemExit(main())",
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**ENVIRONMENT, **environment},
        check=False,
        timeout=120,
    )


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("DESCEND_LANG", "en")
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def table(noisy, tmp_path):
    path = tmp_path / "table.csv"
    pl.DataFrame(noisy).write_csv(path)
    return path


@pytest.fixture
def model(table, tmp_path, capsys):
    path = tmp_path / "m.safetensors"
    assert called(capsys, "fit", table, "y ~ a + group", "-o", path)[0] == 0
    return path


@pytest.mark.slow
def test_the_main_job_tells_its_story_in_order(scores):
    done = descend("fit", scores, "score ~ hours")
    assert (done.returncode, done.stderr) == (0, "")
    labels = [line.split()[0] for line in done.stdout.splitlines() if line.startswith(" ") and line[1] != " "]
    assert labels == ["Table", "Hypothesis", "Forecast", "Fit", "Equation", "Test", "Verdict", "Files"]
    assert "score = 0 + 20 × hours" in done.stdout
    assert not any(line.endswith(" ") for line in done.stdout.splitlines())


@pytest.mark.slow
def test_the_main_job_speaks_korean_when_asked_or_when_the_locale_does(scores):
    asked = descend("fit", scores, "score ~ hours", "--lang", "ko")
    located = descend("fit", scores, "score ~ hours", LC_ALL="ko_KR.UTF-8")
    assert asked.stdout == located.stdout
    assert "경사하강법" in asked.stdout
    assert "score = 0 + 20 × hours" in asked.stdout


def test_json_tells_the_same_to_machines(capsys, table):
    code, out, err = called(capsys, "fit", table, "y ~ a + b", "--json")
    facts = json.loads(out)
    assert (code, err) == (0, "")
    assert set(facts) == {
        "table",
        "hypothesis",
        "fit",
        "equation",
        "coefficients",
        "network",
        "verification",
        "forecast",
        "inference",
        "kept_rows",
        "findings",
        "notes",
        "files",
    }
    assert facts["coefficients"]["a"] == pytest.approx(2, abs=0.1)
    assert facts["fit"]["stop"] == "optimum"
    assert facts["verification"]["sentence"].startswith("Better than no hypothesis")


def test_the_log_is_printed_as_textbooks_do(capsys, scores):
    _, out, _ = called(
        capsys,
        "fit",
        scores,
        "score ~ hours",
        "--lr",
        "0.01",
        "--epochs",
        "300",
        "--no-standardize",
        "--log-every",
        "100",
        "--init",
        "hours=1.5409960746765137, (intercept)=-0.293428897857666",
    )
    lines = out[out.index("epoch   0/300") :].splitlines()
    assert lines[0] == "epoch   0/300  loss 1611.847575"
    assert lines[1] == "epoch 100/300  loss 3.812150"
    assert [line.split()[1] for line in lines[:4]] == ["0/300", "100/300", "200/300", "300/300"]


def test_predictions_by_hand_by_file_and_to_files(capsys, model, table, tmp_path):
    code, out, _ = called(capsys, "predict", model, "--set", "a=10", "--set", "group=u", "--json")
    assert code == 0
    (by_hand,) = json.loads(out)["predictions"]
    _, out, _ = called(capsys, "predict", model, table)
    frame = pl.read_csv(out.encode())
    assert frame.height == 120
    assert frame.columns[-1] == "y_predicted"
    for kind, reader in [
        ("csv", pl.read_csv),
        ("parquet", pl.read_parquet),
        ("ndjson", pl.read_ndjson),
        ("json", pl.read_json),
    ]:
        target = tmp_path / f"out.{kind}"
        code, out, _ = called(capsys, "predict", model, table, "-o", target)
        assert (code, out) == (0, f"wrote {target} (120 rows)\n")
        np.testing.assert_allclose(reader(target)["y_predicted"], frame["y_predicted"])
    assert by_hand["y_predicted"] == pytest.approx(float(frame["y_predicted"].mean()), rel=0.5)


@pytest.mark.slow
def test_evaluate_show_and_plot_use_the_model_file(capsys, model, table, tmp_path):
    code, out, _ = called(capsys, "evaluate", model, table)
    assert code == 0
    assert "RMSE" in out
    assert "on 120 rows its error" in out
    code, out, _ = called(capsys, "show", model)
    assert code == 0
    assert "y ~ a + group" in out
    assert "\n group[v]  " in out
    code, out, _ = called(capsys, "show", model, "--json")
    assert json.loads(out)["hypothesis"]["formula"] == "y ~ a + group"
    code, out, _ = called(capsys, "plot", model, "-o", tmp_path / "fit.png")
    assert code == 0
    assert (tmp_path / "fit.png").exists()


def test_compare_prints_every_hypothesis_and_which_to_prefer(capsys, table):
    code, out, _ = called(capsys, "compare", table, "y ~ a", "y ~ a + b", "y ~ poly(a, 2) + b")
    assert code == 0
    assert "Prefer y ~ a + b" in out.replace("\n", " ")
    code, out, _ = called(capsys, "compare", table, "y ~ a", "y ~ a + b", "--json")
    facts = json.loads(out)
    assert facts["simplest"] == "y ~ a + b"
    assert len(facts["hypotheses"]) == 2


def test_labs_are_listed_in_both_languages_and_run(capsys, tmp_path):
    _, out, _ = called(capsys, "labs")
    assert "study-hours" in out
    assert "공부시간과 시험점수" in out
    code, out, _ = called(capsys, "lab", "study-hours")
    assert code == 0
    assert "17 of 17" in out
    code, out, _ = called(capsys, "lab", "study-hours", "--save-table", tmp_path / "hours.csv", "--json")
    assert code == 0
    assert json.loads(out)["reproduced"] == 17
    assert (tmp_path / "hours.csv").read_text() == "hours,score\n1,20\n2,40\n3,60\n"


@pytest.mark.slow
def test_all_labs_succeed_even_without_torch_and_a_failing_one_is_a_failure(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    code, out, _ = called(capsys, "lab", "--all")
    assert code == 0
    assert "26 of 26" in out
    import descend.labs.runner

    monkeypatch.setattr(descend.labs, "all_labs", descend.labs.examples)
    monkeypatch.setattr(descend.labs.runner, "agrees", lambda printed, ours, decimals: False)
    code, out, _ = called(capsys, "lab", "--all")
    assert code == 1
    assert "✗" in out


def test_divergence_exits_with_3_and_keeps_nothing_unless_told(capsys, table, tmp_path):
    out_file = tmp_path / "d.safetensors"
    arguments = ["fit", table, "y ~ a + c", "--lr", "0.1", "--no-standardize", "-o", out_file]
    code, _, err = called(capsys, *arguments)
    assert code == 3
    assert "fit.diverged-stable-raw" in err
    assert "standardised" in err
    assert not out_file.exists()
    code, _, _ = called(capsys, *arguments, "--keep")
    assert code == 3
    assert out_file.exists()
    assert called(capsys, "show", out_file)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_an_interrupt_ends_cleanly_and_saves_what_was_reached(table, tmp_path, lang):
    out_file = tmp_path / "i.safetensors"
    command = [sys.executable, "-c", "from descend.cli import main; raise SystemExit(main())", "fit", table]
    command += ["passed ~ a + b", "--optimizer", "adam", "--lr", "1e-7", "--epochs", "100000000"]
    command += ["-o", out_file, "--lang", lang]
    for patience in (2, 4, 8, 16):  # a busy machine may take long to come to the fit
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        time.sleep(patience)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "Traceback" not in err
        if "fit.interrupted-early" not in err:
            break
    assert ("stopped by hand" if lang == "en" else "중단") in err
    assert out_file.exists()
    assert "passed ~ a + b" in out


def test_an_interrupt_before_the_fit_says_so(monkeypatch, capsys, scores):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("descend.tables.open.open_rows", interrupted)
    code, _, err = called(capsys, "fit", scores, "score ~ hours")
    assert code == 130
    assert "stopped by hand" in err


@pytest.mark.slow
def test_nothing_but_the_result_is_printed_when_output_is_piped(table):
    done = descend("fit", table, "passed ~ a + b", "--optimizer", "adam", "--epochs", "8000", "--test", "none")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "\033" not in done.stdout


@pytest.mark.slow
def test_a_progress_bar_is_drawn_on_a_terminal_for_a_long_run(table):
    import pty

    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from descend.cli import main; raise SystemExit(main())", "fit", table, "passed ~ a + b",
         "--optimizer", "adam", "--epochs", "100000000", "--test", "none"],
        stdout=subprocess.PIPE, stderr=child, env={**ENVIRONMENT, "TERM": "xterm"},
    )  # fmt: skip
    os.close(child)
    drawn = b""
    try:
        while not (b"fitting" in drawn and b"loss" in drawn):  # a run that is longer than any wait
            drawn += os.read(parent, 65536)
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # its end closes the terminal
            while os.read(parent, 65536):
                pass
        process.communicate()
    finally:
        process.kill()
        os.close(parent)
    assert process.returncode == 130


@pytest.mark.parametrize(
    ("code", "fragment", "arguments"),
    [
        (1, "table.not-found", ["fit", "no.csv", "y ~ x"]),
        (2, "formula.no-tilde", ["fit", "{scores}", "score"]),
        (2, "formula.unknown-column-near", ["fit", "{scores}", "score ~ hour"]),
        (2, "option.lr", ["fit", "{scores}", "score ~ hours", "--lr", "-1"]),
        (2, "option.optimizer", ["fit", "{scores}", "score ~ hours", "--optimizer", "lbfgs"]),
        (2, "usage.value", ["fit", "{scores}", "score ~ hours", "--epochs", "many"]),
        (2, "usage.no-option", ["fit", "{scores}", "score ~ hours", "--rate", "1"]),
        (2, "usage.missing", ["fit", "{scores}"]),
        (2, "usage.no-command", ["learn", "{scores}"]),
        (2, "option.keep-without-out", ["fit", "{scores}", "score ~ hours", "--keep"]),
        (
            2,
            "option.cannot-write",
            ["fit", "{scores}", "score ~ hours", "-o", "no/such/folder/m.safetensors"],
        ),
        (2, "option.model-kind", ["fit", "{scores}", "score ~ hours", "-o", "scores.csv"]),
        (2, "option.init", ["fit", "{scores}", "score ~ hours", "--init", "hours=big"]),
        (2, "option.count", ["fit", "{scores}", "score ~ hours", "--log-every", "0"]),
        (1, "model.not-found", ["show", "no.safetensors"]),
        (1, "model.unreadable", ["show", "{scores}"]),
        (2, "option.nothing-to-predict", ["predict", "no.safetensors"]),
        (2, "option.both-inputs", ["predict", "m", "{scores}", "--set", "a=1"]),
        (2, "option.out-kind", ["predict", "m", "{scores}", "-o", "out.docx"]),
        (2, "option.plot-kind", ["plot", "m", "-o", "fit.bmp"]),
        (2, "option.lab", ["lab", "study-minutes"]),
        (2, "option.lab-which", ["lab"]),
        (2, "option.one-hypothesis", ["compare", "{scores}", "score ~ hours"]),
    ],
)
def test_what_goes_wrong_is_one_sentence_a_remedy_and_a_code(capsys, scores, code, fragment, arguments):
    filled = [argument.format(scores=scores) for argument in arguments]
    found, out, err = called(capsys, *filled)
    assert found == code
    assert out == ""
    assert f"[{fragment}]" in err
    assert "Traceback" not in err
    korean = called(capsys, *filled, "--lang", "ko")
    assert korean[0] == code
    assert any("가" <= letter <= "힣" for letter in korean[2])


def test_an_error_points_into_the_formula(capsys, scores):
    _, _, err = called(capsys, "fit", scores, "score ~ hours[0]")
    lines = err.splitlines()
    assert lines[1] == "  score ~ hours[0]"
    assert lines[2] == "  " + " " * 13 + "^"


def test_an_error_in_json_is_json(capsys, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("x,y\n1,2\n2,four\n3,6\n")
    code, out, _ = called(capsys, "fit", path, "y ~ x", "--json")
    error = json.loads(out)["error"]
    assert code == 1
    assert (error["code"], error["line"]) == ("table.bad-cell", 3)


def test_debug_shows_the_traceback(scores):
    done = descend("fit", scores, "score", "--debug")
    assert "Traceback" in done.stderr
    assert done.returncode != 0


@pytest.mark.slow
def test_help_and_version_are_told_in_both_languages():
    for arguments in (["--help"], [], ["fit", "--help"]):
        english, korean = (
            descend(*arguments),
            descend(*arguments, "--lang", "ko") if arguments else descend(LANG="ko_KR", LC_ALL=""),
        )
        assert english.returncode == korean.returncode == 0
        assert "descend" in english.stdout
        assert any("가" <= letter <= "힣" for letter in korean.stdout)
    assert descend("--version").stdout == "descend 0.1.0\n"


def test_a_closed_pipe_is_no_error(table, model):
    program = "from descend.cli import main; raise SystemExit(main())"
    command = f"{sys.executable} -c '{program}' predict {model} {table} | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.stderr == ""
    assert done.stdout.startswith("a,b,c")


@pytest.mark.parametrize("module", ["numpy", "polars", "scipy", "matplotlib", "torch", "rich.table"])
def test_importing_descend_loads_nothing_heavy(module):
    program = f"import sys, descend; raise SystemExit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("module", ["numpy", "polars", "scipy", "matplotlib"])
def test_help_loads_nothing_heavy(module):
    program = f"import sys; from descend.cli import main; main(['--help']); raise SystemExit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True).returncode == 0


@pytest.mark.slow
def test_a_line_through_three_rows_needs_neither_scipy_nor_matplotlib(scores):
    program = (
        f"import sys; from descend.cli import main; main(['fit', {str(scores)!r}, 'score ~ hours']);"
        "raise SystemExit(any(m in sys.modules for m in ('scipy', 'matplotlib', 'narwhals', 'pandas', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True).returncode == 0


def test_every_public_name_can_be_had():
    import descend as package

    for name in package.__all__:
        assert getattr(package, name) is not None
    assert dir(package) == package.__all__
    with pytest.raises(AttributeError):
        package.nothing  # noqa: B018


def test_names_with_brackets_are_printed_as_they_are(capsys, tmp_path):
    path = tmp_path / "brackets.csv"
    path.write_text("[bold]x[/bold],[red]y :smile:\n" + "\n".join(f"{i},{2 * i}" for i in range(1, 9)) + "\n")
    code, out, _ = called(capsys, "fit", path, "`[red]y :smile:` ~ `[bold]x[/bold]`", "-o", tmp_path / "m.safetensors")
    assert code == 0
    assert "[red]y :smile: = 0 + 2 × [bold]x[/bold]" in out
    _, out, _ = called(capsys, "show", tmp_path / "m.safetensors")
    assert "[bold]x[/bold]  " in out


def test_a_wide_hypothesis_is_told_by_its_first_coefficients(capsys, tmp_path):
    random = np.random.default_rng(0)
    columns = {f"x{i}": random.normal(size=80) for i in range(30)}
    path = tmp_path / "wide.csv"
    pl.DataFrame({**columns, "y": sum(columns.values())}).write_csv(path)
    code, out, _ = called(capsys, "fit", path, "y ~ .", "--lang", "en")
    assert code == 0
    assert "… and 17 more" in out
    code, out, _ = called(capsys, "fit", path, "y ~ .", "--json")
    assert len(json.loads(out)["coefficients"]) == 31


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ["--optimizer", "adam", "--lr", "0.3", "--patience", "5"],
            "stopped early: the loss on held-out rows was best",
        ),
        (["--optimizer", "sgd", "--tolerance", "1e-3"], "stopped as the gradient had vanished"),
        (["--lr", "0.1", "--batch-size", "16", "--epochs", "30"], "in batches of 16: 30 epochs"),
        (["--lr", "0.1", "--momentum", "0.5", "--nesterov"], "sgd (Nesterov 0.5) with a learning rate of 0.1"),
        (["--loss", "huber"], "Huber loss, L-BFGS"),
        (["--test", "5"], "each predicted by a fit that has not seen it"),
        (["--test", "none"], "not tested"),
    ],
)
def test_how_the_fit_went_is_told(capsys, table, options, told):
    code, out, _ = called(capsys, "fit", table, "y ~ a + b", *options)
    assert code == 0
    assert told in " ".join(out.split())
