"""A scheduler and workers in processes of their own, which can be killed; local ones; and a table of small files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from operator import methodcaller
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from cluster_tasks import COLUMNS, Making

from descend.tables.cluster import connect
from descend.tables.scans.parquet import ParquetScan
from descend.tables.scans.partitions import Found

HERE = Path(__file__).parent
W = np.array([0.5, 1.0, -2.0, 3.0])


def same(found, expected):
    return all(a.tobytes() == b.tobytes() for a, b in zip(found, expected, strict=True))


def make_scan(folder, files=8, rows=100):
    """Return a scan of small Parquet files, each a part; the first cell of a part is the number of its first row."""
    random = np.random.default_rng(3)
    known = []
    for index in range(files):
        path = folder / f"{index:03}.parquet"
        a = np.arange(index * rows, (index + 1) * rows, dtype=float)
        b = random.normal(size=rows)
        pl.DataFrame({"a": a, "b": b, "y": 2 * a - b + random.normal(size=rows)}).write_parquet(path)
        known.append(Found(str(path), path.name, path.stat().st_size))
    return ParquetScan.of("rows", known, ("NA",))


class Processes:
    """A scheduler and workers, each a process; ``end`` ends those that are left."""

    def __init__(self, folder, host="127.0.0.1"):
        self.folder = folder
        self.started = []
        self.log = (folder / "log").open("w")
        file = folder / "scheduler.json"
        self.scheduler = self._start(
            "distributed.cli.dask_scheduler", "--host", host, "--port", "0", "--no-dashboard",
            "--scheduler-file", str(file),
        )  # fmt: skip
        wait_until(lambda: file.exists() and file.read_text().endswith("}"))
        self.address = json.loads(file.read_text())["address"]

    def worker(self, path=None, host="127.0.0.1", inside=None):
        """Start a worker; ``path`` is where it looks for modules first, ``inside`` a network namespace."""
        return self._start(
            "distributed.cli.dask_worker", self.address, "--host", host, "--nthreads", "1", "--no-nanny",
            "--no-dashboard", "--local-directory", str(self.folder), path=path, inside=inside,
        )  # fmt: skip

    def _start(self, module, *arguments, path=None, inside=None):
        paths = [str(path)] if path else []
        paths += [str(HERE), str(HERE.parent / "src")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
        if inside:
            command = ["ip", "netns", "exec", inside, *command]
        process = subprocess.Popen(command, env=environment, stdout=self.log, stderr=self.log, cwd=self.folder)
        self.started.append(process)
        return process

    def end_workers(self):
        for process in self.started[1:]:
            process.kill()
            process.wait()
        del self.started[1:]

    def end(self):
        self.end_workers()
        self.scheduler.kill()
        self.scheduler.wait()
        self.log.close()


def wait_until(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


class Striking(threading.Thread):
    """Sends a signal to whoever begins to work, once."""

    def __init__(self, folder, kind=signal.SIGKILL, after=0, of=None):
        super().__init__(daemon=True)
        self.folder, self.kind, self.after, self.of = Path(folder), kind, after, of
        self.struck = None
        self.before = set(self.folder.iterdir())

    def run(self):
        def begun():
            return [path for path in self.folder.iterdir() if path not in self.before]

        wait_until(lambda: len(begun()) > self.after)
        self.struck = self.of or int(sorted(begun(), key=lambda path: path.name.split("-")[1])[-1].name.split("-")[0])
        os.kill(self.struck, self.kind)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.join()


@pytest.fixture(name="found_by_workers", scope="module", autouse=True)
def found_by_workers_fixture():
    """Local workers look for modules where this process does."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *([before] if before else [])])
    yield
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(name="scan", scope="module")
def scan_fixture(tmp_path_factory):
    return make_scan(tmp_path_factory.mktemp("rows"))


@pytest.fixture(name="local", scope="module")
def local_fixture(found_by_workers):
    with connect("local:2", patience=20) as cluster:
        yield cluster


@pytest.fixture(name="marks")
def marks_fixture(tmp_path):
    folder = tmp_path / "marks"
    folder.mkdir()
    return str(folder)


@pytest.fixture(name="scheduler", scope="module")
def scheduler_fixture(tmp_path_factory):
    started = Processes(tmp_path_factory.mktemp("processes"))
    yield started
    started.end()


@pytest.fixture(name="processes")
def processes_fixture(scheduler):
    yield scheduler
    scheduler.end_workers()


@contextmanager
def joined(processes, workers, patience=30):
    """Start workers, wait until they are there, and from then on with so many seconds' patience."""
    for _ in range(workers):
        processes.worker()
    with connect(processes.address) as cluster:
        wait_until(lambda: cluster.workers >= workers)
        cluster.link.patience = patience
        yield cluster


@pytest.fixture(name="undisturbed", scope="module")
def undisturbed_fixture(scan, local, tmp_path_factory):
    held = local.hold(Making(str(tmp_path_factory.mktemp("marks"))), scan.parts(COLUMNS))
    total = held.total(methodcaller("value_and_gradient", W))
    held.release()
    return total
