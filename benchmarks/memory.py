"""Memory: the most that one run holds beyond its data, measured in a process of its own."""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.contest import Race

ROOT = Path(__file__).parent.parent
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def beyond_the_data(race: str, contestant: str, setting: float, divisor: int) -> float | None:
    """Return megabytes, None where the system cannot tell."""
    if not RESET.exists():
        return None
    command = [sys.executable, "-m", "benchmarks.memory", race, contestant, repr(setting), str(divisor)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return float(done.stdout.split()[-1]) if done.returncode == 0 else None


def measure(name: str, contestant: str, setting: float, divisor: int) -> float:
    """Run a contestant small, for its imports and threads, then in full; return by how many megabytes memory rose."""
    from benchmarks.races import QUICK, RACES

    runner(RACES[name](max(QUICK, divisor)), contestant)(setting)
    run = runner(RACES[name](divisor), contestant)
    give_back()
    RESET.write_text("5")
    before = kilobytes("VmRSS")
    run(setting)
    return (kilobytes("VmHWM") - before) / 1024


def runner(race: Race, contestant: str) -> Callable[[float], Any]:
    """Return what runs a contestant; the others, and what they hold, are let go with the race."""
    return next(each.run for each in race.contestants if each.name == contestant)


def give_back() -> None:
    """Return freed memory to the system, where the C library can, so that what is used again counts again."""
    gc.collect()
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def kilobytes(what: str) -> int:
    """Return a line of the process's status, in KiB."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(what))
    return int(line.split()[1])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    name, contestant, setting, divisor = sys.argv[1:]
    print(measure(name, contestant, float(setting), int(divisor)))
