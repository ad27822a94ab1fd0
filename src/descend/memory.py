"""How much memory there is, and how much a table takes: what decides whether its rows are held or read part by part."""

from __future__ import annotations

import os
import re
from pathlib import Path

from descend.errors import OptionError

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
COPIES = 4  # of a table's numbers that a fit in memory holds at once: the cells, the columns, the design, a work copy
SHARE = 0.5  # of the memory that is free
CONTROLS = (  # of a container: its limit, and what is used of it
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def allowance(asked: str | int | None) -> int:
    """Return how many bytes a fit may take: those asked for ("500MB", "2GiB", a number), else half of what is free.

    Raises OptionError for a size that is none.
    """
    return int(SHARE * available()) if asked is None else size_of(asked)


def size_of(text: str | int) -> int:
    """Return a size in bytes; raises OptionError."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([kmgt]i?)?b?\s*", str(text), re.IGNORECASE)
    if found is None or isinstance(text, bool):
        raise OptionError("option.memory", value=text)
    size = float(found[1]) * UNITS[(found[2] or "").lower()]
    if not 0 < size < 2**63:
        raise OptionError("option.memory", value=text)
    return int(size)


def available() -> int:
    """Return how many bytes are free, within the limit of a container where there is one."""
    free = _free()
    for limit, used in CONTROLS:
        try:
            left = int(Path(limit).read_text()) - int(Path(used).read_text())
        except (OSError, ValueError):  # no container, or one without a limit
            continue
        free = min(free, max(left, 0))
    return free


def _free() -> int:
    try:
        told = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return int(told["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        pass
    try:  # macOS: what there is, as what is free is not told
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return 4 * 10**9
