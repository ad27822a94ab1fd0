"""One picture a race: excess loss against time, one line a contestant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib import colormaps
from matplotlib.figure import Figure

from benchmarks.contest import settings

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.contest import Race, Standing

FLOOR = 1e-16
MARKS = "osD^vP*X<>hd8"


def gains(standing: Standing) -> list[tuple[float, float]]:
    """Return seconds and excess of the rungs that came nearer than every quicker one."""
    found: list[tuple[float, float]] = []
    for seconds, excess in sorted((rung.seconds, max(rung.excess, FLOOR)) for rung in standing.rungs):
        if not found or excess < found[-1][1]:
            found.append((seconds, excess))
    return found


def draw(race: Race, standings: list[Standing], folder: Path) -> Path:
    """Write excess-NAME.png and return its path; what lies under 1e-16 is drawn there."""
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.add_subplot()
    colours = colormaps["tab20"].colors
    for order, standing in enumerate(standings):
        points = gains(standing)
        if not points:
            continue
        first = order == 0
        axes.plot(
            *zip(*points, strict=True),
            label=standing.contestant.name,
            marker=MARKS[order % len(MARKS)],
            markersize=5,
            color="black" if first else colours[(2 * order + order // 10) % len(colours)],
            linewidth=2.5 if first else 1.2,
            zorder=3 if first else 2,
        )
    axes.axhline(race.target, color="grey", linestyle="--", linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel="seconds", ylabel="least excess loss so far")
    axes.set_title(f"{race.title}: {settings(race.objective)}")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    path = folder / f"excess-{race.name}.png"
    figure.savefig(path, dpi=120)
    return path
