"""The studio as a person meets it: the real server in a process of its own, and a real Chromium before it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import descend

DEADLINE = 60  # seconds to come up or to end; a bound for the hopeless, nothing that is measured
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@dataclass
class RunningStudio:
    """A studio's process; ``temporary`` is where it makes its folder, ``output`` is all that it has said."""

    process: subprocess.Popen
    temporary: Path
    lines: list[str] = field(default_factory=list)
    address: str = ""

    @property
    def url(self) -> str:
        """The address as far as the port, without a slash."""
        return f"http://{urlsplit(self.address).netloc}"

    @property
    def port(self) -> int:
        return urlsplit(self.address).port

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def end(self, by=signal.SIGINT) -> int:
        """End it by a signal, as a person or a service manager does; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(by)
        return self.process.wait(DEADLINE)


@contextmanager
def running_studio(temporary: Path, *arguments: object, **environment: str):
    """Run ``descend studio`` on a free port until the block ends."""
    temporary.mkdir(exist_ok=True)
    paths = os.pathsep.join([str(Path(descend.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", "from descend.cli import main; raise SystemExit(main())"),
            *("studio", "--no-browser", *([] if "--port" in arguments else ["--port", "0"]), *map(str, arguments)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        cwd=temporary,
        env={**os.environ, "DESCEND_LANG": "", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
        | {"TMPDIR": str(temporary), "PYTHONPATH": paths.rstrip(os.pathsep)}
        | environment,
    )
    studio = RunningStudio(process, temporary)
    up = threading.Event()

    def listen() -> None:
        for line in process.stdout:
            studio.lines.append(line)
            found = re.search(r"http://\S+", line)
            if found and not studio.address:
                studio.address = found[0]
                up.set()
        up.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        up.wait(DEADLINE)
        assert studio.address, f"the studio did not come up:\n{studio.output}"
        yield studio
    finally:
        try:
            studio.end()
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the studio did not end:\n{studio.output}") from None
        finally:
            listener.join(DEADLINE)
            process.stdout.close()


@pytest.fixture(scope="module")
def _module_studio(tmp_path_factory):
    with running_studio(tmp_path_factory.mktemp("studio")) as studio:
        yield studio


@pytest.fixture
def studio_server(_module_studio):
    """A studio that the tests of a file share, each with tabs of its own; what it says stands with a failure."""
    said = len(_module_studio.lines)
    yield _module_studio
    print("".join(_module_studio.lines[said:]), end="")


@pytest.fixture(scope="module")
def browser():
    """Chromium, headless.

    Not for the whole session: while it lives, its driver's event loop counts as running in this thread, and tests of
    other files could not run one of their own.
    """
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _without("Playwright is not installed: pip install -e '.[test]'")
    if path is None:
        _without("Chromium is not installed: apt install chromium fonts-noto-cjk, or the like")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


def _without(reason: str) -> None:
    (pytest.fail if os.environ.get("DESCEND_BROWSER") == "required" else pytest.skip)(reason)


@pytest.fixture
def open_tab(browser):
    """Open a tab in a context of its own: ``open_tab(viewport=..., color_scheme="dark", locale="ko-KR")``.

    At the end nothing may have been asked of another host, no script failed and nothing was against the page's policy.
    """
    contexts, asked, faults = [], [], []

    def heard(message) -> None:
        if "Content Security Policy" in message.text:
            faults.append(message.text)

    def watch(page) -> None:
        page.on("websocket", lambda websocket: asked.append(websocket.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", heard)

    def tab(**options):
        context = browser.new_context(**options)
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        context.on("page", watch)
        return context.new_page()

    tab.asked, tab.faults = asked, faults
    yield tab
    for context in contexts:
        context.close()
    elsewhere = [url for url in asked if not _stays(url)]
    assert not elsewhere, f"asked of another host: {elsewhere}"
    assert not faults, f"what the browser complained of: {faults}"


def _stays(url: str) -> bool:
    return urlsplit(url).scheme in ("data", "blob", "about") or urlsplit(url).hostname == "127.0.0.1"


@pytest.fixture
def page(open_tab):
    """A tab of 1366x768 in light colours and English."""
    return open_tab(viewport={"width": 1366, "height": 768}, color_scheme="light", locale="en-GB")
