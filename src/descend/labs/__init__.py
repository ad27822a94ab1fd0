"""The labs: worked examples as data, with the figures that textbooks print for them, and lessons in code."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from descend.base.errors import OptionError
from descend.base.messages import LANGUAGES, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from descend.labs.outcome import Section, Snippet


@dataclass(frozen=True)
class Lab:
    """One worked example.

    ``data`` are the columns of its table, or ``rule`` names the function that makes them; ``init`` holds the first
    weights (columns x outputs) and biases, or "normal"; ``log`` rows are [epoch, loss before that epoch's update];
    ``figures`` the other printed figures. ``title`` and ``note`` are by language.
    """

    id: str
    title: dict[str, str]
    hypothesis: str
    loss: str
    lr: float
    epochs: int
    family: str = "linear"
    data: dict[str, list[Any]] = field(default_factory=dict)
    rule: str = ""
    init: Any = None
    continues: str = ""
    batch_size: int | None = None
    dtype: str = "float64"
    standardize: dict[str, int] = field(default_factory=dict)
    log: list[list[Any]] = field(default_factory=list)
    log_from_one: bool = False
    log_tolerance: float | None = None
    decimals: int | None = None
    note: dict[str, str] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    def table(self, seed: int = 0) -> pl.DataFrame:
        """Return the table; one that a rule makes is drawn with ``seed``."""
        import numpy as np
        import polars as pl

        if self.rule == "noisy-line":
            random = np.random.default_rng(seed)
            x, noise = random.standard_normal(1000), random.standard_normal(1000)
            return pl.DataFrame({"x": x, "y": 3 * x + 2 + noise})
        if self.rule == "sine-cubic":
            x = np.linspace(-np.pi, np.pi, 1000)
            return pl.DataFrame({"x": x, "y": np.sin(x)})
        return pl.DataFrame(self.data)


@dataclass(frozen=True)
class Lesson:
    """A lesson about learning in several parts, with checks; the module of its name defines it.

    The module has ``run``, which returns the parts, and, where the lesson has a table, ``table``, which makes it from a
    seed.
    """

    id: str
    hypothesis: str = ""

    @property
    def title(self) -> dict[str, str]:
        """The title by language."""
        return {lang: say(f"lesson.{self.id}", lang) for lang in LANGUAGES}

    def run(self) -> Sequence[Section | Snippet]:
        """Run every part."""
        parts: Sequence[Section | Snippet] = self._module.SECTIONS()
        return parts

    def table(self, seed: int = 0) -> pl.DataFrame:
        """Return the table, made from ``seed``; raises OptionError (``option.lab-table``) where there is none."""
        if not hasattr(self._module, "TABLE"):
            raise OptionError("option.lab-table", value=self.id)
        made: pl.DataFrame = self._module.TABLE(seed)
        return made

    @property
    def _module(self) -> Any:
        return import_module(f"descend.labs.{self.id.replace('-', '_')}")


LESSONS = (
    Lesson("tensors"),
    Lesson("sigmoid", "H(x) = sigmoid(W x + b)"),
    Lesson("maximum-likelihood", "heads ~ 1"),
    Lesson("train-validation-test", "y ~ poly(x, 15, raw=True)"),
)


@cache
def examples() -> tuple[Lab, ...]:
    """Return the worked examples in teaching order."""
    entries = json.loads(Path(__file__).with_name("labs.json").read_text(encoding="utf-8"))
    known = set(Lab.__dataclass_fields__)
    made = []
    for entry in entries:
        settings = {key: value for key, value in entry.items() if key in known}
        figures = {key: value for key, value in entry.items() if key not in known}
        made.append(Lab(**settings, figures=figures))
    return tuple(made)


def all_labs() -> tuple[Lab | Lesson, ...]:
    """Return every lab: the worked examples, then the lessons."""
    return (*examples(), *LESSONS)


def find_lab(id: str) -> Lab | Lesson:
    """Return a lab by its name; raises OptionError (``option.lab``)."""
    for lab in all_labs():
        if lab.id == id:
            return lab
    raise OptionError("option.lab", value=id)


def example(id: str) -> Lab:
    """Return a worked example by its name; raises OptionError (``option.lab``)."""
    found = find_lab(id)
    if isinstance(found, Lesson):
        raise OptionError("option.lab", value=id)
    return found
