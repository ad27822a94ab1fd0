"""The available memory and the size of a table, which decide whether rows are held in memory or read in parts."""

from __future__ import annotations

import os
import re
from pathlib import Path

from descend.base.arguments import require
from descend.base.errors import OptionError

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
COPIES = 4  # copies of a table's numbers that a fit in memory holds: the cells, the columns, the design, a work copy
SHARE = 0.5  # of the free memory
PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
START = {"AS": 1_300_000_000, "DATA": 300_000_000}  # bytes that the libraries need before any row is read
START_OF_CORE = {"AS": 150_000_000, "DATA": 50_000_000}  # bytes for each of their threads


def allowance(asked: str | int | None) -> int:
    """Return the bytes that a fit may take: as asked ("500MB", "2GiB", a number), else half of the free memory.

    Raises OptionError for an invalid size.
    """
    require("memory", asked, "str", "int", "None")
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
    """Return the free bytes, within the limits of this process and its control groups."""
    return max(min([_free(), *_under_limits(), *_in_groups()]), 0)


def require_start() -> None:
    """Raise OptionError where this process is not allowed the memory of the libraries, which would abort."""
    for kind, limit in _limits():
        if limit < _start(kind):
            code = "option.address-space" if kind == "AS" else "option.data-limit"
            raise OptionError(code, limit=limit / 1e9, needed=_start(kind) / 1e9)


def _limits() -> list[tuple[str, int]]:
    """Return the limits of this process (``ulimit -v``, ``ulimit -d``) in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        return []
    set_ = [(kind, resource.getrlimit(getattr(resource, f"RLIMIT_{kind}"))[0]) for kind in START]
    return [(kind, limit) for kind, limit in set_ if limit != resource.RLIM_INFINITY]


def _start(kind: str) -> int:
    return START[kind] + START_OF_CORE[kind] * (os.cpu_count() or 1)


def _under_limits() -> list[int]:
    """Return the bytes that each limit of this process leaves after the start of the libraries."""
    try:
        pages = (PROC / "self/statm").read_text().split()
        used = {"AS": int(pages[0]) * os.sysconf("SC_PAGE_SIZE"), "DATA": int(pages[5]) * os.sysconf("SC_PAGE_SIZE")}
    except (OSError, ValueError, IndexError):
        used = {}
    return [limit - max(used.get(kind, 0), _start(kind)) for kind, limit in _limits()]


def _in_groups() -> list[int]:
    """Return the bytes that each control group leaves, from this process's own up to the root, of version 1 and 2.

    Cached pages of files that are inactive count as free: the system reclaims them when needed.
    """
    try:
        lines = (PROC / "self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    left = []
    for number, names, place in (line.split(":", 2) for line in [*lines, "0::/", "1:memory:/"] if line.count(":") > 1):
        if number == "0":
            root, used, cache = CGROUPS, "memory.current", "inactive_file"
            limits = ["memory.max", "memory.high"]
        elif "memory" in names.split(","):
            root, used, cache = CGROUPS / "memory", "memory.usage_in_bytes", "total_inactive_file"
            limits = ["memory.limit_in_bytes"]
        else:
            continue
        inner = root / place.strip("/")
        for group in (inner, *inner.parents):
            if group.is_relative_to(root):
                left += [_left(group, limit, used, cache) for limit in limits]
    return [free for free in left if free is not None]


def _left(group: Path, limit: str, used: str, cache: str) -> int | None:
    """Return the bytes that one limit of a group leaves, None without a limit."""
    try:
        left = int((group / limit).read_text()) - int((group / used).read_text())
    except (OSError, ValueError):  # no such group here, or "max"
        return None
    try:
        told = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return left + int(told.get(cache, 0))
    except (OSError, ValueError):
        return left


def _free() -> int:
    try:
        told = dict(line.split(":", 1) for line in (PROC / "meminfo").read_text().splitlines())
        return int(told["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        pass
    try:  # macOS: the total memory, because it does not report the free memory
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return 4 * 10**9
