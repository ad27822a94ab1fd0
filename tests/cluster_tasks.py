"""What the workers of the tests are given to do; they import it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from descend.objectives.families import FAMILIES
from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import make_loss
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows

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
            RowsObjective(
                DesignRows(X, table.numbers("y")[:, None]), make_loss("mse", FAMILIES["linear"]), 2, L2(0.0, np.ones(2))
            ),
            self.folder,
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
