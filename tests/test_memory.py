"""How much memory there is: within the limits of the process and of every group that it is in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from descend.base import memory
from descend.base.errors import OptionError

GIB = 2**30
V2, V1 = "0::/a.slice/b.scope\n", "3:cpu:/a\n4:cpuset,memory:/a/b\n"


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Stand in for a system that has 16 GiB free; gives a function that writes its files."""
    monkeypatch.setattr(memory, "PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "_limits", list)

    def write(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(content))

    write({"proc/meminfo": f"MemTotal: 1 kB\nMemAvailable: {16 * 2**20} kB\n"})
    return write


def group(version, place, limit, used, cache=0):
    limit_file, used_file, key = {
        2: ("memory.max", "memory.current", "inactive_file"),
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    }[version]
    base = Path("cgroup", *(["memory"] if version == 1 else []), place)
    return {
        f"{base}/{limit_file}": limit, f"{base}/{used_file}": used, f"{base}/memory.stat": f"anon 5\n{key} {cache}\n",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("own", "files", "free"),
    [
        (None, {}, 16 * GIB),
        (V2, {}, 16 * GIB),
        (V2, group(2, "", 4 * GIB, GIB), 3 * GIB),
        (V2, group(2, "a.slice", 4 * GIB, GIB), 3 * GIB),
        (V2, group(2, "a.slice/b.scope", 4 * GIB, GIB), 3 * GIB),
        (V2, group(2, "a.slice", 4 * GIB, GIB) | group(2, "a.slice/b.scope", 9 * GIB, GIB), 3 * GIB),
        (V2, group(2, "a.slice", 9 * GIB, GIB) | group(2, "a.slice/b.scope", 4 * GIB, GIB), 3 * GIB),
        (V2, group(2, "a.slice", "max", GIB), 16 * GIB),
        (V2, group(2, "a.slice", 40 * GIB, GIB), 16 * GIB),
        (V2, group(2, "a.slice", 4 * GIB, 4 * GIB, cache=2 * GIB), 2 * GIB),
        (V2, group(2, "a.slice", 4 * GIB, 5 * GIB), 0),
        (V2, group(2, "other", GIB, 0), 16 * GIB),
        (V2, {"cgroup/a.slice/memory.high": 2 * GIB, "cgroup/a.slice/memory.current": GIB}, GIB),
        ("0::/\n", group(2, "", 4 * GIB, GIB), 3 * GIB),
        (V1, group(1, "", 4 * GIB, GIB), 3 * GIB),
        (V1, group(1, "a", 4 * GIB, GIB), 3 * GIB),
        (V1, group(1, "a/b", 4 * GIB, GIB, cache=GIB), 4 * GIB),
        (V1, group(1, "", 9223372036854771712, GIB), 16 * GIB),
        (None, group(2, "", 4 * GIB, GIB), 3 * GIB),
        ("garbage\n0:::x\n", group(2, "a", "garbage", GIB), 16 * GIB),
    ],
    ids=range(20),
)
def test_every_group_that_the_process_is_in_bounds_what_is_free(system, own, files, free):
    system(files | ({} if own is None else {"proc/self/cgroup": own}))
    assert memory.available() == free


def test_a_group_never_gives_more_than_the_system_has(system):
    system({"proc/self/cgroup": V2} | group(2, "", 64 * GIB, 0))
    assert memory.available() == 16 * GIB


@pytest.mark.parametrize(("kind", "used"), [("AS", 6 * GIB), ("DATA", 2 * GIB)])
def test_a_limit_of_the_process_bounds_what_is_free(system, monkeypatch, kind, used):
    page = os.sysconf("SC_PAGE_SIZE")
    system({"proc/self/statm": f"{6 * GIB // page} 1 1 1 0 {2 * GIB // page} 0"})
    monkeypatch.setattr(memory, "_limits", lambda: [(kind, 8 * GIB)])
    monkeypatch.setattr(memory, "_start", lambda kind: GIB)
    assert memory.available() == 8 * GIB - used
    monkeypatch.setattr(memory, "_start", lambda kind: 7 * GIB)  # what the libraries still will take
    assert memory.available() == GIB
    monkeypatch.setattr(memory, "_limits", lambda: [(kind, GIB)])
    assert memory.available() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is Linux's")
@pytest.mark.parametrize(("flag", "code"), [("-v", "option.address-space"), ("-d", "option.data-limit")])
def test_too_little_to_start_is_one_sentence(flag, code, scores):
    program = "import sys; from descend.cli import main; code = main(); assert 'numpy' not in sys.modules; exit(code)"
    command = f"ulimit {flag} 150000; '{sys.executable}' -c \"{program}\" fit {scores} 'score ~ hours'"
    environment = {**os.environ, "DESCEND_LANG": "en"}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 2)
    assert f"[{code}]" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is Linux's")
def test_the_limits_of_this_process_are_seen():
    program = """
import resource
from descend.base import memory
before = memory.available()
resource.setrlimit(resource.RLIMIT_AS, (memory._start("AS") + 50_000_000,) * 2)
assert 0 < memory.available() <= 50_000_000, memory.available()
memory.require_start()
resource.setrlimit(resource.RLIMIT_AS, (memory._start("AS") - 1,) * 2)
try:
    memory.require_start()
except ValueError as error:
    print(error.code)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("option.address-space\n", "")


def test_no_limit_refuses_nothing(monkeypatch):
    monkeypatch.setattr(memory, "_limits", list)
    memory.require_start()
    monkeypatch.setattr(memory, "_limits", lambda: [("AS", 10)])
    with pytest.raises(OptionError):
        memory.require_start()
