"""Rows beyond memory: a Parquet file read once by Polars, fitted by descend part by part, and by its peers.

Each in a process of its own, in turns. A number target by least squares, a target of 0 and 1 by logistic loss; ten
columns, an intercept, no penalty, all rows fitted. The excess losses of all are taken by one referee.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.apart import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

ROWS = 10_000_000
IN_MEMORY = 10_000_000  # rows, at most, of those who hold them all
BLOCK, GROUP = 1_000_000, 500_000
COLUMNS = [f"x{number}" for number in range(1, 11)]
TARGET = 1e-9
LIMIT = 300.0
ROUNDS = 3
TITLES = {"y": "a number, least squares", "hit": "0 or 1, logistic loss"}


@dataclass
class Entry:
    """A contestant: its name, its module and how it is to run, how often, and the package it may come from."""

    name: str
    module: str
    how: tuple[str, ...] = ()
    rounds: int = 1
    package: str = ""
    most: float = float("inf")
    runs: list[dict[str, Any]] = field(default_factory=list)


def entries() -> list[Entry]:
    """Return the contestants, reading first."""
    return [
        Entry("Polars, reading every row once", "reading", (), ROUNDS),
        Entry("descend, part by part in 1 GB", "ours", ("1GB",), ROUNDS),
        Entry("the same, with rows held back and tested", "ours", ("1GB", "auto")),
        Entry("descend, in memory", "ours", ("64GB",), ROUNDS, most=IN_MEMORY),
        Entry("descend, a cluster of 1 process", "ours", ("local:1",)),
        Entry("descend, a cluster of 2 processes", "ours", ("local:2",)),
        Entry("Spark MLlib, 2 threads", "spark", package="pyspark"),
        Entry("dask-ml, 2 processes", "daskml", package="dask-ml"),
        Entry("scikit-learn, batch by batch", "sgd", package="scikit-learn"),
    ]


def table(
    rows: int = ROWS, folder: Path | None = None, limit: float | None = None, pythons: dict[str, str] | None = None
) -> tuple[str, list[dict[str, Any]]]:
    """Return the tables and their rows as facts; ``pythons`` has the interpreters of peers that live elsewhere."""
    folder = folder or Path(gettempdir())
    file = made(folder, rows)
    load, facts, blocks = os.getloadavg()[0], [], []
    for target in TITLES:
        lined = [entry for entry in entries() if rows <= entry.most]
        for turn in range(ROUNDS):
            for entry in [each for each in lined if each.rounds > turn]:
                python = (pythons or {}).get(entry.package, sys.executable)
                print(f"{target}: {entry.name} ...", file=sys.stderr, flush=True)
                contestant = [entry.module, str(file), target, *entry.how]
                entry.runs.append(run(python, contestant, limit or LIMIT, folder))
        judged(file, target, lined)
        facts += [{"target": target, "name": entry.name, "rows": rows, "runs": entry.runs} for entry in lined]
        blocks.append(
            f"**{target}: {TITLES[target]}, to an excess loss of {TARGET:.0e}**\n\n{lines(lined, limit or LIMIT)}"
        )
    loads = f"1-minute load {load:.1f} before, {os.getloadavg()[0]:.1f} after"
    size = f"{rows:,} rows x {len(COLUMNS)} columns, a Parquet file of {file.stat().st_size / 1e9:.2f} GB"
    return "\n\n".join([f"### beyond\n\n{size}; {loads}; {versions(facts)}.", *blocks]), facts


def made(folder: Path, rows: int) -> Path:
    """Return the file, which is made where it is not there yet."""
    import polars as pl
    from polars.io.plugins import register_io_source

    file = folder / f"descend-beyond-{rows}.parquet"
    if not file.exists():
        head = block(0, 1)
        lazy = register_io_source(
            lambda *_: (block(first, rows) for first in range(0, rows, BLOCK)), schema=head.schema
        )
        begun = file.with_suffix(".part")
        lazy.sink_parquet(begun, compression="zstd", compression_level=1, row_group_size=GROUP)
        if pl.scan_parquet(begun).select(pl.len()).collect().item() != rows:
            raise RuntimeError(f"{begun} is not whole")
        begun.rename(file)
    return file


def block(first: int, rows: int) -> pl.DataFrame:
    """Return rows from ``first`` on: columns of unit spread, half of them rounded, as measurements are."""
    import polars as pl

    random = np.random.default_rng([6, first])
    X = random.standard_normal((len(COLUMNS), min(BLOCK, rows - first)))
    X[5:] = X[5:].round(3)
    predictor = np.linspace(-1, 1, len(COLUMNS)) @ X
    y = 3 + predictor + random.standard_normal(predictor.size)
    hit = random.random(predictor.size) < 1 / (1 + np.exp(-predictor))
    return pl.DataFrame({**dict(zip(COLUMNS, X, strict=True)), "y": y, "hit": hit.astype(np.int8)})


def judged(file: Path, target: str, lined: list[Entry]) -> None:
    """Put its excess loss into everything that was found."""
    found = [one for entry in lined for facts in entry.runs for one in facts["found"] if one["weights"]]
    if not found:
        return
    W = np.array([one["weights"] for one in found]).T
    best = least(file, target, W[:, 0])
    for one, excess in zip(found, excesses(file, target, W, best), strict=True):
        one["excess"] = float(excess)


def least(file: Path, target: str, w: Floats) -> Floats:
    """Return the weights of the least loss, by Newton's method from weights that are near; a reading for each step."""
    for _ in range(10):
        gradient, hessian = np.zeros(w.size), np.zeros((w.size, w.size))
        for X, y in matrices(file, target):
            z = X @ w
            chance = 1 / (1 + np.exp(-z))
            gradient += X.T @ (2 * (z - y) if target == "y" else chance - y)
            hessian += X.T @ (X * (2.0 if target == "y" else (chance * (1 - chance))[:, None]))
        step = np.linalg.solve(hessian, gradient)
        w = w - step
        if step @ gradient < 1e-20 * np.trace(hessian):
            break
    return w


def excesses(file: Path, target: str, W: Floats, best: Floats) -> Floats:
    """Return by how much the mean loss of each column of weights is above the least, from one reading.

    Row by row, differences of losses; for squared error the squares of the predictions' differences, which are the
    same in the mean.
    """
    total, rows = np.zeros(W.shape[1]), 0
    for X, y in matrices(file, target):
        Z, z = X @ W, (X @ best)[:, None]
        if target == "y":
            total += np.square(Z - z).sum(axis=0)
        else:
            total += (np.logaddexp(0, Z) - np.logaddexp(0, z) - y[:, None] * (Z - z)).sum(axis=0)
        rows += len(X)
    return total / rows


def matrices(file: Path, target: str) -> Iterator[tuple[Floats, Floats]]:
    """Yield the rows in pieces, with a column of ones."""
    import polars as pl

    for batch in pl.scan_parquet(file).select(*COLUMNS, target).collect_batches(chunk_size=100_000):
        numbers = batch.cast(pl.Float64).to_numpy()
        yield np.column_stack([np.ones(len(numbers)), numbers[:, :-1]]), numbers[:, -1]


def lines(lined: list[Entry], limit: float) -> str:
    """Return the contestants as a Markdown table."""
    times = [deciding["seconds"] for entry in lined[:2] if (deciding := decided(entry)) is not None]
    heads = ["contestant", "time", "times reading", "times descend", "processor", "memory", "excess loss", "setting"]
    return "\n".join(
        [f"| {' | '.join(heads)} |", "|---|---:|---:|---:|---:|---:|---:|---|"]
        + [f"| {' | '.join([entry.name, *cells(entry, times, limit)])} |" for entry in lined]
    )


def cells(entry: Entry, times: list[float], limit: float) -> list[str]:
    """Return one contestant's cells."""
    deciding = decided(entry)
    if deciding is None:
        return [ended(entry, limit), "", "", "", "", "", ""]
    seconds, excess = deciding["seconds"], deciding.get("excess")
    ratios = [f"{seconds / time:.2f}" for time in times] + [""] * (2 - len(times))
    if excess is None:
        ratios[1] = ""
    processor = f"{deciding['processor']:.1f} s" if deciding["processor"] else ""
    memory = f"{deciding['memory'] / 1e6:,.0f} MB" if deciding["memory"] else ""
    told = "" if excess is None or "auto" in entry.how else f"{abs(excess):.1e}"
    return [f"{seconds:.3g} s", *ratios, processor, memory, told, deciding["setting"]]


def decided(entry: Entry) -> dict[str, Any] | None:
    """Return the first thing that reached the target, with the medians of its runs; None where nothing did."""
    reached = [next((one for one in facts["found"] if counts(entry, one)), None) for facts in entry.runs]
    good = [one for one in reached if one is not None]
    if not good or len(good) < len(entry.runs):
        return None
    medians = {key: median(one[key] for one in good) for key in ("seconds", "processor", "memory")}
    return {**good[0], **medians}


def counts(entry: Entry, one: dict[str, Any]) -> bool:
    """Tell whether something that was found is what is asked for; a fit of fewer rows has another least loss."""
    return not one["weights"] or "auto" in entry.how or abs(one["excess"]) <= TARGET


def ended(entry: Entry, limit: float) -> str:
    """Return why there is nothing to tell."""
    facts = entry.runs[0]
    if absent := facts.get("absent"):
        return f"not measured: {absent}"
    near = min(facts["found"], key=lambda one: one["excess"], default=None)
    at = f", at {near['excess']:.1e} after {near['setting']}" if near else ""
    if failed := facts.get("failed"):
        return f"failed: {failed}{at}"
    return f"> {limit:.0f} s{at}" if facts["late"] else f"stops{at}"


def versions(facts: list[dict[str, Any]]) -> str:
    """Return the packages that took part, with their versions."""
    found: dict[str, str] = {}
    for one in facts:
        found.update(one["runs"][0].get("versions", {}))
    return ", ".join(f"{name} {version}" for name, version in sorted(found.items()))
