"""Planted equations fitted without a start: is the least sum of squares reached, and how long does it take?

A problem is an equation whose curve bends inside the range of its columns, with parameters drawn at random, 20 to
10,000 rows, x anywhere from 1e-6 to 1e9 and noise of 1 to 20 % of the curve's deviation. It is solved where the fit's
residual sum of squares is at most that of the true parameters (times 1 + 1e-6).
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

import descend
from benchmarks.planted_kinds import KINDS, OTHERS, Draw, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    Floats = np.ndarray[Any, Any]

EACH = 10
OF_OTHERS = 5
CLOSE = 1e-6


@dataclass(frozen=True)
class Problem:
    """An equation with rows, and the true curve's residual sum of squares."""

    kind: Kind
    equation: str
    columns: dict[str, Floats]
    truth: float


def table(divisor: int = 1) -> tuple[str, list[dict[str, Any]]]:
    """Return a Markdown table by kind, and its rows as facts."""
    few = divisor > 1
    rows = [*_rows(KINDS, 1 if few else EACH), *_rows(OTHERS, 1 if few else OF_OTHERS)]
    lines = ["| kind | solved | median | most |", "|---|---:|---:|---:|"]
    lines += [f"| {row['kind']} | {_solved([row])} | {row['median']:.2f} s | {row['most']:.2f} s |" for row in rows]
    first, second = rows[: len(KINDS)], rows[len(KINDS) :]
    summary = f"{_solved(first)} solved, and {_solved(second)} of other kinds."
    return "\n".join(["### planted", "", *lines, "", summary]), rows


def problems(kinds: tuple[Kind, ...], each: int, seed: int = 0) -> Iterator[Problem]:
    """Yield ``each`` problems of every kind."""
    for place, kind in enumerate(kinds):
        for number in range(each):
            yield problem(kind, np.random.default_rng([seed, place, number]))


def problem(kind: Kind, random: np.random.Generator) -> Problem:
    """Return a problem of a kind."""
    rows = round(10 ** random.uniform(np.log10(20), 4))
    evenly = np.linspace(0, 1, rows)
    at = evenly if random.random() < 0.5 else np.sort(random.random(rows))
    scale, height = 10 ** random.uniform(-6, 9), 10 ** random.uniform(-3, 4)
    low, high = (kind.least * scale, scale) if kind.span is None else kind.span
    columns = {"x": low + at * (high - low)}
    parameters = kind.parameters(Draw(random, scale, height))
    if kind.second:
        other = 10 ** random.uniform(-6, 9)
        columns["z"] = random.random(rows) * other
        parameters["d"] *= other
    curve = kind.value(**columns, **parameters)
    y = curve + random.normal(0, 10 ** random.uniform(-2, np.log10(0.2)) * curve.std(), rows)
    return Problem(kind, f"y = {kind.text}", columns | {"y": y}, float(np.square(y - curve).sum()))


def _rows(kinds: tuple[Kind, ...], each: int) -> list[dict[str, Any]]:
    made: dict[str, list[tuple[bool, float]]] = {}
    for one in problems(kinds, each):
        started = perf_counter()
        model = descend.fit(one.equation, one.columns, test="none")
        seconds = perf_counter() - started
        errors = one.columns["y"] - model.predict(one.columns)
        solved = bool(np.square(errors).sum() <= one.truth * (1 + CLOSE))
        made.setdefault(one.kind.name, []).append((solved, seconds))
    return [_row(name, results) for name, results in made.items()]


def _row(name: str, results: list[tuple[bool, float]]) -> dict[str, Any]:
    seconds = [second for _, second in results]
    return {
        "kind": name,
        "solved": sum(solved for solved, _ in results),
        "problems": len(results),
        "median": float(np.median(seconds)),
        "most": max(seconds),
    }


def _solved(rows: list[dict[str, Any]]) -> str:
    return f"{sum(row['solved'] for row in rows)} of {sum(row['problems'] for row in rows)}"
