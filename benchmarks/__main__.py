"""python -m benchmarks [NAME ...]: run all benchmarks, or those named, and print a table of medians and ratios."""

from __future__ import annotations

import sys
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import epochs, startup

if TYPE_CHECKING:
    from collections.abc import Callable

BENCHMARKS = {"startup": startup.CASES, "epochs": epochs.CASES}
RUNS = 5


def main(names: list[str]) -> int:
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        print(f"there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in names or BENCHMARKS:
        print(f"\n## {name}\n\n| what | descend | peer | peer's time | ratio |\n|---|---|---|---|---|")
        for what, ours, peers in BENCHMARKS[name]:
            table = timed([ours, *peers.values()])
            for peer, seconds in zip(peers, table[1:], strict=True):
                print(
                    f"| {what} | {table[0]:.4f} s | {peer} | {seconds:.4f} s | {seconds / table[0]:.1f} |", flush=True
                )
    return 0


def timed(runs: list[Callable[[], float]]) -> list[float]:
    """Return each one's median seconds, run in turn so that all meet the same machine; the first round warms up."""
    rounds = [[run() for run in runs] for _ in range(RUNS + 1)][1:]
    return [median(times) for times in zip(*rounds, strict=True)]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
