"""What is printed and written: Markdown tables of medians and ratios, and the same facts as plain data."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contest import settings

if TYPE_CHECKING:
    from benchmarks.contest import Race, Standing
    from benchmarks.pairs import Pair

PACKAGES = ("descend", "numpy", "scipy", "scikit-learn", "scikit-learn-intelex", "torch", "glum", "statsmodels")


def race_table(race: Race, standings: list[Standing]) -> str:
    """Return a race as a Markdown table, descend in the first line."""
    ours = next((each.seconds for each in standings[:1]), None)
    lines = [
        f"### {race.name}\n\n{race.title}, {settings(race.objective)}, to an excess loss of {race.target:.0e}.\n",
        "| contestant | time | times descend | excess loss | setting | memory beyond the data |",
        "|---|---:|---:|---:|---|---:|",
    ]
    lines += [f"| {' | '.join(cells(standing, ours))} |" for standing in standings]
    times = {each.contestant.name: each.seconds for each in standings if each.seconds is not None}
    for one, other in race.pairs:
        if one in times and other in times:
            lines.append(f"\n{one}: {times[one] / times[other]:.2f} times {other}.")
    return "\n".join(lines)


def cells(standing: Standing, ours: float | None) -> list[str]:
    """Return one contestant's line."""
    name, sets, deciding = standing.contestant.name, standing.contestant.sets, standing.deciding
    if deciding and standing.seconds is not None:
        ratio = f"{standing.seconds / ours:.2f}" if ours else ""
        setting = f"{sets} {deciding.setting:.3g}" if sets else ""
        memory = f"{standing.memory:.0f} MB" if standing.memory is not None else ""
        return [name, f"{standing.seconds:.3g} s", ratio, f"{deciding.excess:.1e}", setting, memory]
    at = f", at {standing.nearest:.1e}" if standing.rungs else ""
    if standing.end.startswith("failed"):
        return [name, standing.end + at, "", "", "", ""]
    if standing.end == "cap":
        ratio = f"> {standing.longest / ours:.1f}" if ours else ""
        return [name, f"> {standing.longest:.3g} s{at}", ratio, "", "", ""]
    return [name, f"stops after {standing.rungs[-1].seconds:.3g} s{at}", "", "", "", ""]


def race_facts(race: Race, standings: list[Standing], missing: list[str]) -> dict[str, Any]:
    """Return a race as plain data."""
    return {
        "title": race.title,
        "size": settings(race.objective),
        "target": race.target,
        "l2": race.objective.penalty.strength,
        "missing": missing,
        "contestants": [
            {
                "name": each.contestant.name,
                "sets": each.contestant.sets,
                "end": each.end,
                "setting": each.deciding.setting if each.deciding else None,
                "excess": each.deciding.excess if each.deciding else None,
                "seconds": each.seconds,
                "runs": each.runs,
                "memory_mb": each.memory,
                "rungs": [[rung.setting, rung.seconds, rung.excess] for rung in each.rungs],
            }
            for each in standings
        ],
    }


def pair_table(pairs: list[Pair]) -> str:
    """Return descend beside one peer after another as a Markdown table."""
    if not pairs:
        return ""
    lines = ["| what | descend | peer | peer's time | times descend |", "|---|---:|---|---:|---:|"]
    lines += [
        f"| {pair.what} | {pair.ours:.3g} s | {pair.peer} | {pair.theirs:.3g} s | {pair.theirs / pair.ours:.2f} |"
        for pair in pairs
    ]
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """Return what the figures were taken on."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := installed(name))},
    }


def machine_line() -> str:
    """Return the same in one line."""
    facts = machine()
    packages = ", ".join(f"{name} {found}" for name, found in facts["packages"].items())
    return f"{facts['processor']}, {facts['cores']} cores, {facts['system']}, Python {facts['python']}; {packages}."


def processor() -> str:
    """Return the processor's name, as far as the system tells."""
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def installed(name: str) -> str | None:
    """Return a package's version, None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
