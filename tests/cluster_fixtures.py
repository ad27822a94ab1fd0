"""A scheduler and workers in processes of their own, which can be killed, and what they are given to do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from descend.losses import make_loss
from descend.objectives.rows import RowsObjective
from descend.scans.parquet import ParquetScan

HERE = Path(__file__).parent
COLUMNS = ("a", "b", "y")


@dataclass
class Sums:
    """The rows of a part, and a folder in which it is told that they are worked on."""

    objective: RowsObjective
    folder: str

    def value_and_gradient(self, w):
        return self.objective.value_and_gradient(w)

    def slowly(self, w, seconds):
        """Work for a while, telling in a file who does."""
        begin(self.folder)
        time.sleep(seconds)
        return self.objective.value_and_gradient(w)

    def last_slowly(self, w, seconds, first):
        """Work for a while on the parts from that row on."""
        if self.objective.X[0, 0] >= first:
            begin(self.folder)
            time.sleep(seconds)
        return self.objective.value_and_gradient(w)

    def process(self):
        return os.getpid()

    def stuck_once(self, w):
        """Work for very long, but only where nobody has begun."""
        if not list(Path(self.folder).iterdir()):
            begin(self.folder)
            time.sleep(600)
        return self.objective.value_and_gradient(w)

    def large(self, w):
        return (w * self.objective.rows,)

    def fails_at(self, first):
        if self.objective.X[0, 0] == first:
            raise RuntimeError("the disk is on fire")
        return (1.0,)


@dataclass(frozen=True)
class Making:
    """Makes Sums of a part."""

    folder: str
    seconds: float = 0.0

    def __call__(self, part):
        if self.seconds:
            begin(self.folder)
            time.sleep(self.seconds)
        table = part.table()
        X = np.column_stack([table.numbers("a"), table.numbers("b")])
        return Sums(
            RowsObjective(X, table.numbers("y")[:, None], make_loss("mse", "linear"), 2, 0.0, np.ones(2)), self.folder
        )


@dataclass(frozen=True)
class Numbered:
    """A part without a file."""

    first: int
    rows: int = 1
    size: int = 0

    def table(self):
        return pl.DataFrame({"x": [float(self.first)]})


@dataclass(frozen=True)
class Value:
    value: float

    def number(self):
        return (np.array([self.value, 1.0]), 1)


def value_of(part):
    return Value(1 / (part.first + 1))


def grows(part):
    """Take ever more memory."""
    taken = []
    while True:
        taken.append(np.ones(2_000_000))
        time.sleep(0.01)


def first_of(part):
    return part.first


def sleeps(part):
    time.sleep(0.1)


def who_read(part):
    assert part.table().rows == part.rows
    return os.getpid()


def table_of(part):
    return part.table().frame


def exits(part):
    os._exit(3)


def begin(folder):
    Path(folder, f"{os.getpid()}-{time.monotonic_ns()}").touch()


def make_scan(folder, files=8, rows=100):
    """Return a scan of small Parquet files, each a part; the first cell of a part is the number of its first row."""
    random = np.random.default_rng(3)
    known = []
    for index in range(files):
        path = folder / f"{index:03}.parquet"
        a = np.arange(index * rows, (index + 1) * rows, dtype=float)
        b = random.normal(size=rows)
        pl.DataFrame({"a": a, "b": b, "y": 2 * a - b + random.normal(size=rows)}).write_parquet(path)
        known.append((str(path), path.name, path.stat().st_size))
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
        import json

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
