"""A contestant run in a process of its own, and what it takes of the machine: seconds of the processor, and memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from tempfile import TemporaryFile
from threading import Thread
from time import monotonic
from typing import Any

ROOT = Path(__file__).parent.parent
RUN = ROOT / "benchmarks" / "alone" / "run.py"
PROCESSES = Path("/proc")
LOOK = 0.1  # seconds between two looks at the processes


class Usage:
    """What the processes of a session have used so far; nothing where the system cannot tell."""

    def __init__(self, session: int) -> None:
        self._session = session
        self._seconds: dict[str, float] = {}
        self.memory = 0

    @property
    def seconds(self) -> float:
        """Seconds of the processor, of the user's and of the system's, of all processes that were seen."""
        return sum(self._seconds.values())

    def look(self) -> None:
        """Take note of what there is now."""
        memory = 0
        for folder in PROCESSES.glob("[0-9]*"):
            with suppress(OSError, IndexError):
                told = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(told[3]) == self._session:
                    self._seconds[folder.name] = (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")
                    memory += int(told[21]) * os.sysconf("SC_PAGE_SIZE")
        self.memory = max(self.memory, memory)


def run(python: str, contestant: list[str], limit: float, folder: Path) -> dict[str, Any]:
    """Return what a contestant told within so many seconds: "versions", what it "found", and how it ended.

    Each thing found has the seconds of the processor that went into it from the start of the process on, and the most
    memory that its processes held together.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(folder)}
    with TemporaryFile("w+") as told:
        process = subprocess.Popen(
            [python, str(RUN), *contestant], stdout=subprocess.PIPE, stderr=told, text=True, env=environment,
            start_new_session=True, cwd=folder,
        )  # fmt: skip
        try:
            facts = _heard(process, limit)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        told.seek(0)
        lines = told.read().strip().splitlines()
    if not facts["late"] and process.returncode and not facts.get("absent"):
        facts["failed"] = lines[-1] if lines else f"ended with {process.returncode}"
    return facts


def _heard(process: subprocess.Popen[str], limit: float) -> dict[str, Any]:
    """Collect a process's lines of JSON until it ends, or the time is over."""
    lines: Queue[str | None] = Queue()
    Thread(target=_listen, args=(process, lines), daemon=True).start()
    usage, started = Usage(process.pid), monotonic()
    facts: dict[str, Any] = {"found": [], "late": False}
    while monotonic() - started < limit:
        usage.look()
        try:
            line = lines.get(timeout=LOOK)
        except Empty:
            continue
        if line is None:
            process.wait()
            return facts
        usage.look()
        heard = json.loads(line)
        if "weights" in heard:
            own = heard.pop("peak") or 0
            facts["found"].append({**heard, "processor": usage.seconds, "memory": max(own, usage.memory)})
        else:
            facts.update(heard)
    return {**facts, "late": True}


def _listen(process: subprocess.Popen[str], lines: Queue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            lines.put(line)
    lines.put(None)
