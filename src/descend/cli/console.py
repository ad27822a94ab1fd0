"""The output of the command line: results to standard output, progress and errors to standard error."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from functools import cache
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from descend.base.messages import language, say
from descend.cli.streams import json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType

    from descend.base.typing import OnEpoch

PATIENCE = 0.5
GRACE = 5.0  # seconds that the process has to clean up before it is ended


def speak() -> str:
    """Return the language that ``main`` has set."""
    return language()


def console() -> Console:
    """Return the console of standard output: as wide as the terminal; when piped, as COLUMNS says, else 100."""
    from descend.report.layout import Visible

    width = None if sys.stdout.isatty() else shutil.get_terminal_size((100, 24)).columns
    return Visible(width=width, highlight=False, markup=False, emoji=False)


def tell(content: RenderableType) -> None:
    """Print text for the terminal, without trailing blanks when it is piped."""
    target = console()
    if sys.stdout.isatty():
        target.print(content)
        return
    with target.capture() as captured:
        target.print(content)
    sys.stdout.write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))


def tell_json(facts: dict[str, Any]) -> None:
    """Print facts as JSON."""
    print(json_text(facts, indent=2))


_asked: type[BaseException] | None = None  # the exception of a signal: raised again if a library swallows it


class Ended(SystemExit):
    """The system asks this process to end; half-written files are removed on the way out."""


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt for Ctrl-C; for SIGTERM and SIGHUP end the process by that signal after cleaning up."""
    import os
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread receives signals
        return

    def heed(number: int, frame: object) -> None:
        global _asked
        _asked = KeyboardInterrupt if number == signal.SIGINT else Ended
        raise _asked(number)

    global _asked
    _asked = None
    before: dict[int, Any] = {signal.SIGINT: signal.signal(signal.SIGINT, heed)}
    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP, and under nohup it stays ignored
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            before[number] = signal.signal(number, heed)
    ended = None
    watched = _watch([number for number in before if number != signal.SIGINT])
    try:
        yield
    except Ended as error:
        ended = error.code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if watched is not None:
            signal.set_wakeup_fd(-1)
            os.close(watched)
    if isinstance(ended, int):
        os.kill(os.getpid(), ended)  # so that the parent process sees which signal ended it


def _watch(numbers: list[int]) -> int | None:
    """End the process some seconds after one of these signals, if code outside Python keeps it from ending.

    Returns the descriptor to which the system's handler writes the signals; closing it ends the watch.
    """
    import os
    import signal
    import threading

    def watch() -> None:
        while told := os.read(heard, 1):
            if told[0] in numbers:
                sleep(GRACE)
                os._exit(128 + told[0])
        os.close(heard)

    if os.name != "posix":
        return None
    heard, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    threading.Thread(target=watch, daemon=True).start()
    return wake


def _heed() -> None:
    if _asked is not None:
        raise _asked


@cache
def _watched() -> Console:
    """Return the one console of all progress bars, which stand below one another while several run."""
    from descend.report.layout import Visible

    return Visible(stderr=True)


@contextmanager
def progress(key: str, total: int | None) -> Iterator[OnEpoch]:
    """Yield a callback (done, loss) that shows a progress bar after half a second; nothing without a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, value: _heed()
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    lang = speak()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=_watched(), transient=True)
    task = bar.add_task(say(f"report.{key}", lang), total=total, loss="")
    started, shown = monotonic(), [False, 0.0]

    def update(done: int, value: float) -> None:
        _heed()
        now = monotonic()
        if now - started < PATIENCE or now - float(shown[1]) < 0.05:
            return
        if not shown[0]:
            bar.start()
        shown[:] = [True, now]
        told = f"{say('report.loss', lang)} {value:.6g}" if key == "fitting" else f"{done}/{value:.0f}"
        bar.update(task, completed=done, total=total if key == "fitting" else value, loss=told)

    try:
        yield update
    finally:
        if shown[0]:
            bar.stop()


@contextmanager
def reading_progress(rows: Any) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a callback (what, rows, bytes) that shows the progress, the speed and the time left of a scan."""
    total = int(getattr(rows, "rows", 0))
    if not sys.stderr.isatty() or not hasattr(rows, "parts"):
        yield lambda what, done, size: _heed()
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    lang = speak()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"), TimeRemainingColumn())
    bar = Progress(*columns, console=_watched(), transient=True)
    task = bar.add_task("", total=total, told="")
    begun: dict[str, tuple[float, int]] = {}  # the time when each reading began, and the rows before
    last = monotonic()

    def update(what: str, done: int, size: int) -> None:
        nonlocal last
        _heed()
        now = monotonic()
        if what not in begun:
            begun[what] = (last, 0) if now - last > PATIENCE else (now, done)
            bar.reset(task, total=total, completed=begun[what][1], description=say(f"report.{what}", lang))
            bar.start()
        started, before = begun[what]
        rate = (done - before) / (now - started) if now > started else 0.0
        told = say("report.read-so-far", lang, rows=done, size=size / 1e6, rate=rate)
        bar.update(task, completed=done, told=told)
        last = now
        if done >= total:
            bar.stop()
            begun.pop(what)  # the file may be read again

    try:
        yield update
    finally:
        bar.stop()
