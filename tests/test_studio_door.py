"""The studio's door: who is let in, what is taken in, and what is left behind. Real servers, real sockets."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from conftest import called
from hypothesis import example, given
from hypothesis import strategies as st
from studio_fixtures import running_studio

from descend.base.errors import DescendError

pytest.importorskip("nicegui", reason="the studio is not installed: pip install -e '.[studio]'")

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from descend.studio.guard import Guard, is_loopback
from descend.studio.uploads import MEGABYTE, Uploads, safe_name

pytestmark = pytest.mark.slow

SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"


def ask(port, path="/", method="GET", body=None, **headers):
    """Send a request with exactly these headers (and Host, if it is not among them); returns status, headers, body."""
    headers = {key.replace("_", "-"): value for key, value in headers.items()}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()


def shake(port, path=SOCKET, **headers):
    """Ask for a websocket by hand; returns the status, 101 where it is granted."""
    lines = [
        f"GET {path} HTTP/1.1",
        *(f"{key.replace('_', '-')}: {value}" for key, value in ({"Host": f"127.0.0.1:{port}"} | headers).items()),
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        line.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(line.recv(4096).split()[1])


# who is let in


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_loopbacks_own_names_are_answered(studio_server, name):
    assert ask(studio_server.port, Host=f"{name}:{studio_server.port}")[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:{port}",
        "localhost.evil.example:{port}",
        "127.0.0.1.evil.example:{port}",
        "evil.example",
        "127.0.0.1",
        "localhost:80",
        "127.0.0.1:1{port}",
        "127.0.0.1:{port}@evil.example",
        "evil.example:{port}, 127.0.0.1:{port}",
        "192.0.2.7:{port}",
        "127.1:{port}",
        "localhost.:{port}",
        "[::1:{port}",
        "",
    ],
)
def test_a_name_that_points_here_but_is_not_ours_is_not_answered(studio_server, host):
    host = host.format(port=studio_server.port)
    status, headers, body = ask(studio_server.port, Host=host)
    assert (status, headers.get_content_type()) == (421, "text/plain")
    assert "does not answer under this address" in body
    assert shake(studio_server.port, Host=host, Origin=f"http://{host}") == 403


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:1{port}",
        "https://127.0.0.1:{port}",
        "http://localhost:{port}",
        "http://127.0.0.1:{port}.evil.example",
        "http://127.0.0.1:{port} http://evil.example",
    ],
)
def test_a_page_from_elsewhere_can_ask_for_nothing(studio_server, origin):
    port = studio_server.port
    origin = origin.format(port=port)
    host = f"127.0.0.1:{port}"
    assert ask(port, Host=host, Origin=origin)[0] == 403
    assert ask(port, "/upload/x", "POST", b"", Host=host, Origin=origin)[0] == 403
    assert shake(port, Origin=origin) == 403


def test_the_pages_own_requests_pass(studio_server):
    port = studio_server.port
    host = f"127.0.0.1:{port}"
    assert ask(port, Host=host, Origin=f"http://{host}", Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="cors")[0] == 200
    assert shake(port, Origin=f"http://{host}") == 101


def test_a_websocket_must_say_where_it_comes_from(studio_server):
    assert shake(studio_server.port) == 403


def test_a_link_from_elsewhere_may_be_followed_but_nothing_embedded(studio_server):
    def from_elsewhere(mode, dest, site="cross-site"):
        return ask(studio_server.port, Sec_Fetch_Site=site, Sec_Fetch_Mode=mode, Sec_Fetch_Dest=dest)[0]

    assert from_elsewhere("navigate", "document") == 200
    assert from_elsewhere("navigate", "iframe") == 403
    assert from_elsewhere("no-cors", "script") == 403
    assert from_elsewhere("no-cors", "image", site="same-site") == 403  # another port of this computer


def test_every_answer_says_what_a_page_may_do(studio_server):
    for path, host in (("/", None), ("/nowhere", None), ("/", "evil.example")):
        headers = ask(studio_server.port, path, **({"Host": host} if host else {}))[1]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "evil" not in str(headers)
        assert "server" not in headers


def test_the_programming_interface_is_not_laid_open(studio_server):
    assert {ask(studio_server.port, path)[0] for path in ("/docs", "/redoc", "/openapi.json")} == {404}


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        *((name, True) for name in ("127.0.0.1", "127.8.9.1", "::1", "[::1]", "Localhost")),
        *((name, False) for name in ("0.0.0.0", "::", "192.0.2.1", "localhost.example", "")),
    ],
)
def test_loopback_is_told_from_what_others_reach(host, alone):
    assert is_loopback(host) is alone


def test_no_guard_without_a_token_stands_before_what_others_reach():
    with pytest.raises(ValueError, match="token"):
        Guard(Starlette(), host="0.0.0.0", port=1)


def pretended(folder):
    """Return a browser that only notes the address which it is given, and where it notes it."""
    script, noted = folder / "browser", folder / "noted"
    script.write_text(f'#!/bin/sh\nprintf %s "$1" > {noted}.part && mv {noted}.part {noted}\n')
    script.chmod(0o755)
    return f"{script} %s", noted


def read_when_there(path):
    while not path.exists():
        threading.Event().wait(0.01)
    return path.read_text()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A studio that others could reach, its port and its token, and the address that the browser was given."""
    command, noted = pretended(tmp_path_factory.mktemp("browser"))
    options = ["--host", "0.0.0.0", "--browser"]
    with running_studio(tmp_path_factory.mktemp("shared"), *options, BROWSER=command) as studio:
        studio.opened = read_when_there(noted)
        yield studio, studio.port, parse_qs(urlsplit(studio.address).query)["token"][0]


def test_a_studio_that_others_reach_prints_its_token_once_and_a_warning(shared):
    studio, _, token = shared
    assert studio.output.count(token) == 1
    assert len(token) >= 43
    assert "whoever has the address" in studio.output


def test_without_the_token_there_is_nothing_but_what_to_do_in_both_languages(shared):
    _, port, token = shared
    for path in ("/", "/?token=", "/?token=wrong", f"/?token={token}x", "/?token=%ff", "/_nicegui_ws/socket.io/"):
        status, headers, body = ask(port, path, Cookie=f"descend-{port}=wrong; descend-1={token}")
        assert (status, headers["Set-Cookie"]) == (401, None), path
        assert "terminal" in body
        assert "터미널" in body
    assert ask(port, "/upload/x", "POST", b"")[0] == 401
    assert shake(port, Origin=f"http://127.0.0.1:{port}") == 403
    assert shake(port, f"{SOCKET}&token={token}", Origin=f"http://127.0.0.1:{port}") == 403


def test_the_token_becomes_a_cookie_that_no_script_reads_and_no_other_page_sends(shared):
    _, port, token = shared
    status, headers, body = ask(port, f"/?token={token}")
    assert status == 200
    assert 'content="0; url=/"' in body
    assert token not in body
    cookie, *traits = headers["Set-Cookie"].split("; ")
    assert {trait.lower() for trait in traits} == {"httponly", "path=/", "samesite=strict"}
    assert ask(port, Cookie=f"a=b; {cookie}")[0] == 200
    assert shake(port, Cookie=cookie, Origin=f"http://127.0.0.1:{port}") == 101


def test_a_shared_studio_knows_its_addresses_and_its_name_but_no_other_name(shared):
    _, port, token = shared
    cookie = f"descend-{port}={token}"
    for host in ("127.0.0.1", "localhost", "192.0.2.7", "[2001:db8::7]", socket.gethostname()):
        assert ask(port, Host=f"{host}:{port}", Cookie=cookie)[0] == 200, host
    for host in ("evil.example", "192.0.2.7.evil.example"):
        assert ask(port, Host=f"{host}:{port}", Cookie=cookie)[0] == 421, host
        assert ask(port, f"/?token={token}", Host=f"{host}:{port}")[0] == 421, host


def test_the_browser_is_given_a_ticket_that_opens_once_and_not_the_token(shared):
    """Whoever lists this computer's processes reads a browser's arguments; a ticket that is used up says nothing."""
    studio, port, token = shared
    opened = urlsplit(studio.opened)
    assert opened.netloc == urlsplit(studio.address).netloc
    assert token not in studio.opened
    assert [ask(port, f"/?{opened.query}")[0] for _ in range(2)] == [200, 401]


# what is taken in


class Diary:
    """A receiver that writes down what it is told."""

    def __init__(self):
        self.told, self.heads, self.ended = [], [], threading.Event()

    async def began(self, name, size):
        self.told.append(("began", name, size))

    async def moved(self, received):
        self.told.append(("moved", received))

    async def head(self, path):
        self.heads.append(path.stat().st_size)

    async def done(self, path):
        self.told.append(("done", path))
        self.ended.set()

    async def failed(self, error):
        self.told.append(("failed", error))
        self.ended.set()

    @property
    def last(self):
        return self.told[-1]


@contextmanager
def post_box(folder):
    """Uploads of at most 3 MB behind a guard, at a port of its own."""
    uploads = Uploads(folder, 3 * MEGABYTE)
    app = Starlette(routes=[Route("/upload/{key}", uploads.receive, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    uploads.port = listener.getsockname()[1]
    guard = Guard(app, host="127.0.0.1", port=uploads.port)
    server = uvicorn.Server(uvicorn.Config(guard, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield uploads
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    with post_box(tmp_path_factory.mktemp("uploads")) as uploads:
        yield uploads


@pytest.fixture
def tab(box):
    """A diary, and how to send to it under its key."""
    diary = Diary()
    diary.key = box.expect(diary)
    diary.send = lambda body, name="a.csv", **more: ask(
        box.port, f"/upload/{diary.key}", "POST", body, X_File_Name=quote(name, safe=""), **more
    )
    yield diary
    box.forget(diary.key)
    assert list(box.folder.iterdir()) == []


def test_a_file_comes_whole_and_its_head_is_seen_before_the_rest(tab):
    body = os.urandom(5 * MEGABYTE // 2)
    assert tab.send(body, "점수 표.csv")[0] == 204
    assert tab.told[0] == ("began", "점수 표.csv", len(body))
    assert ("moved", len(body)) in tab.told
    kind, path = tab.last
    assert (kind, path.name, path.read_bytes()) == ("done", "점수 표.csv", body)
    assert len(tab.heads) == 1
    assert tab.heads[0] >= MEGABYTE


@pytest.mark.parametrize("body", [b"", b"x,y\n1,2\n"])
def test_a_small_file_is_its_own_head(tab, body):
    assert tab.send(body)[0] == 204
    assert tab.heads == [len(body)]
    assert tab.last[1].read_bytes() == body


def test_a_file_of_unknown_size_comes_too(tab):
    assert tab.send(iter([b"x,y\n", b"1,2\n"]))[0] == 204
    assert tab.told[0] == ("began", "a.csv", None)
    assert tab.last[1].read_bytes() == b"x,y\n1,2\n"


def test_what_is_too_large_is_refused_before_it_is_read(box, tab):
    with socket.create_connection(("127.0.0.1", box.port), timeout=60) as line:
        request = f"POST /upload/{tab.key} HTTP/1.1\r\nHost: 127.0.0.1:{box.port}\r\nX-File-Name: big.csv\r\n"
        line.sendall(f"{request}Content-Length: {10**12}\r\n\r\nx,y".encode())  # the rest never comes
        answer = line.makefile("rb").read().decode()
    assert answer.startswith("HTTP/1.1 413")
    kind, error = tab.last
    assert (kind, error.code) == ("failed", "studio.upload-too-large")
    assert "big.csv is larger than 3 MB" in error.tell()
    assert "--max-upload" in error.hint()


def test_what_turns_out_too_large_is_refused_and_removed(box, tab):
    endless = (b"x" * MEGABYTE for _ in range(6))
    try:
        assert tab.send(endless)[0] == 413
    except OSError:  # the server hung up while we were still sending, as it may
        tab.ended.wait(60)
    assert tab.last[1].code == "studio.upload-too-large"
    assert list(box.folder.iterdir()) == []


def test_an_upload_that_breaks_off_leaves_nothing(box, tab):
    with socket.create_connection(("127.0.0.1", box.port), timeout=60) as line:
        request = f"POST /upload/{tab.key} HTTP/1.1\r\nHost: 127.0.0.1:{box.port}\r\nX-File-Name: a.csv\r\n"
        line.sendall(f"{request}Content-Length: {2 * MEGABYTE}\r\n\r\n".encode() + b"x" * (MEGABYTE + 9))
    assert tab.ended.wait(60)
    kind, error = tab.last
    assert (kind, error.code) == ("failed", "studio.upload-broken")
    assert list(box.folder.iterdir()) == []


def test_an_upload_that_the_end_of_the_studio_cuts_off_leaves_nothing(tmp_path):
    with ExitStack() as lines, post_box(tmp_path) as box:
        line = lines.enter_context(socket.create_connection(("127.0.0.1", box.port), timeout=60))
        diary = Diary()
        request = f"POST /upload/{box.expect(diary)} HTTP/1.1\r\nHost: 127.0.0.1:{box.port}\r\n"
        line.sendall(f"{request}Content-Length: {2 * MEGABYTE}\r\n\r\n".encode() + b"x" * (MEGABYTE + 9))
        while not diary.heads:
            threading.Event().wait(0.01)
        assert list(tmp_path.glob("*/table"))
    assert list(tmp_path.iterdir()) == []


def test_another_file_of_the_same_tab_takes_the_place_of_one_still_coming(box, tab):
    with socket.create_connection(("127.0.0.1", box.port), timeout=60) as line:
        request = f"POST /upload/{tab.key} HTTP/1.1\r\nHost: 127.0.0.1:{box.port}\r\nX-File-Name: old.csv\r\n"
        line.sendall(f"{request}Content-Length: {MEGABYTE}\r\n\r\nx".encode())
        while not tab.told:
            threading.Event().wait(0.01)
        assert tab.send(b"x,y\n1,2\n", "new.csv")[0] == 204
        line.sendall(b"x" * (MEGABYTE - 1))
        assert line.makefile("rb").readline().startswith(b"HTTP/1.1 409")
    assert [what for what, *_ in tab.told if what != "moved"] == ["began", "began", "done"]
    assert [path.name for path in box.folder.glob("*/*")] == ["new.csv"]


def test_a_tab_keeps_two_files_at_most_and_none_once_it_is_forgotten(box, tab):
    for name in ("a.csv", "b.csv", "c.csv"):
        assert tab.send(b"x", name)[0] == 204
    assert sorted(path.name for path in box.folder.glob("*/*")) == ["b.csv", "c.csv"]
    box.forget(tab.key)
    assert list(box.folder.iterdir()) == []
    assert tab.send(b"x")[0] == 404


def test_nobody_sends_under_a_key_that_was_not_given_out(box, tab):
    status, _, body = ask(box.port, "/upload/guessed", "POST", b"x", X_File_Name="a.csv")
    assert (status, json.loads(body)) == (404, {"error": "studio.upload-unknown"})
    assert tab.told == []


def test_a_disk_that_takes_no_more_is_told_and_nothing_stays(box, tab, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("builtins.open", full)
    status = tab.send(b"x")[0]
    monkeypatch.undo()
    assert status == 400
    assert "a.csv cannot be kept: No space left on device" in str(tab.last[1])
    assert list(box.folder.iterdir()) == []


def test_a_tab_is_told_every_failure_in_both_languages(tab):
    for code, values in {
        "studio.upload-too-large": {"file": "가.csv", "most": 4096.0},
        "studio.upload-broken": {"file": "가.csv"},
        "studio.upload-not-kept": {"file": "가.csv", "reason": "full", "folder": "/tmp"},
    }.items():
        for lang in ("en", "ko"):
            assert "가.csv" in DescendError(code, **values).tell(lang)
            assert DescendError(code, **values).hint(lang)


@given(st.text(max_size=300) | st.from_regex(r"([./\\:~%\x00-\x1f]|\.\.|CON|가|[a-z]){1,40}", fullmatch=True))
@example("../../etc/passwd")
@example("..\\..\\boot.ini")
@example("C:\\data\\a.csv")
@example(".bashrc")
@example("a.csv/..")
@example("가" * 300 + ".parquet")
@example("a." + "가" * 300)
@example("‮vsc.exe")
def test_a_name_never_leads_out_of_its_folder(tmp_path_factory, name):
    safe = safe_name(name)
    home = tmp_path_factory.getbasetemp() / "home"
    home.mkdir(exist_ok=True)
    path = home / safe
    assert path.resolve().parent == home.resolve()
    assert 1 <= len(safe) <= 120
    assert not set(safe) & set('/\\:*?"<>|')
    assert not safe.startswith(".")
    assert ".." not in safe
    assert all(letter.isspace() or letter.isprintable() for letter in safe)
    path.write_bytes(b"")  # the disk takes it
    path.unlink()
    assert safe_name(safe) == safe


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("scores.csv", "scores.csv"),
        ("/home/me/성적 2024.xlsx", "성적 2024.xlsx"),
        ("C:\\Users\\me\\a.parquet", "a.parquet"),
        ("\u1109\u1165\u11bc\u110c\u1165\u11a8.csv", "성적.csv"),
        ("book.xlsx::Sheet1", "book.xlsx_Sheet1"),
        ("..", "table"),
        ("", "table"),
        ("...csv", "csv"),
        ("a\x00b\n.csv", "ab.csv"),
        ("x" * 200 + ".csv.gz", "x" * 113 + ".csv.gz"),
        ("가" * 200 + ".csv", "가" * 78 + ".csv"),
    ],
)
def test_a_name_stays_readable(name, safe):
    assert safe_name(name) == safe


def test_a_name_in_the_request_cannot_choose_where_it_lies(box, tab):
    for name in ("../../../escaped.csv", "..\\escaped.csv", "/tmp/escaped.csv", "%2e%2e%2fescaped.csv"):
        assert tab.send(b"x", name)[0] == 204
        path = tab.last[1]
        assert path.parent.parent == box.folder
        assert path.name.endswith("escaped.csv")


# what is left behind


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_studio_that_is_ended_with_a_page_open_leaves_no_folder_and_no_process(tmp_path, by):
    with running_studio(tmp_path / "here") as studio:
        assert ask(studio.port)[0] == 200
        assert [path.name[:15] for path in studio.temporary.iterdir()] == ["descend-studio-"]
        children = _children(studio.process.pid)
        with socket.create_connection(("127.0.0.1", studio.port), timeout=60) as line:
            head = f"GET {SOCKET} HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\nOrigin: {studio.url}\r\n"
            upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            line.sendall(f"{head}{upgrade}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
            assert b" 101 " in line.recv(4096)
            assert studio.end(by) == 0
    assert re.fullmatch(r"the studio is open at http://127\.0\.0\.1:\d+/ \(Ctrl-C ends it\)\n", studio.output)
    assert list(studio.temporary.iterdir()) == []
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []


def _children(pid):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout.split()


def test_a_studio_ends_though_its_worker_does_not_answer(tmp_path, scores, open_tab):
    with running_studio(tmp_path / "here", scores) as studio:
        page = open_tab()
        page.goto(studio.url)
        page.locator(".equation").filter(has_text="score").wait_for()
        children = [int(pid) for pid in _children(studio.process.pid)]
        workers = [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)  # which no request, and no SIGTERM, gets past
        assert workers
        ends = [os.pidfd_open(pid) for pid in children]
        assert studio.end() == 0
    for end in ends:
        assert select.select([end], [], [], 60)[0]  # readable once the process is no more
        os.close(end)
    assert list(studio.temporary.iterdir()) == []


def elsewhere(work):
    """Return what comes of work in a thread of its own: in this one the browser's driver has its event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def test_the_end_waits_for_no_task_that_refuses_to_end(monkeypatch):
    from descend.studio import server

    refused = []

    async def stubborn():
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                refused.append(True)

    async def serving():
        asyncio.get_running_loop().stubborn = asyncio.create_task(stubborn())
        await asyncio.sleep(0)

    monkeypatch.setattr(server, "GRACE", 0.01)
    elsewhere(lambda: server._until_done(serving(), asyncio.new_event_loop))
    assert refused == [True]


# how much there may be at once


def test_a_request_without_a_socket_starts_no_process(tmp_path, scores):
    with running_studio(tmp_path / "here", scores) as studio:
        for _ in range(20):
            assert ask(studio.port)[0] == 200
        assert _children(studio.process.pid) == []


@contextmanager
def bounded_box(http, **bounds):
    """A server that answers every request, whose connections are held to bounds."""
    from descend.studio.connections import Bounds, bounded_protocol

    async def answer(request):
        return PlainTextResponse("here")

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(Starlette(routes=[Route("/", answer)]), log_level="critical", http=http)
    config.load()
    config.http_protocol_class = bounded_protocol(config.http_protocol_class, Bounds("en", **bounds))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("http", ["h11", "auto"])
@pytest.mark.parametrize(
    "begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: 127", b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHo"]
)
def test_a_request_that_does_not_come_to_an_end_is_given_up(http, begun):
    with bounded_box(http, head=0.2) as port, socket.create_connection(("127.0.0.1", port), 60) as line:
        line.sendall(begun.replace(b"\r\n\r\n", b"\r\nHost: x\r\n\r\n"))
        said = b"".join(iter(lambda: line.recv(4096), b""))
    assert said.count(b"200 OK") == begun.count(b"\r\n\r\n")
    assert b"408 Request Timeout" in said
    assert said.endswith(b"no whole request came within 0.2 seconds")


def test_one_connection_too_many_is_refused_and_told_once(capsys):
    with bounded_box("auto", most=3) as port, ExitStack() as lines:
        for _ in range(3):
            lines.enter_context(socket.create_connection(("127.0.0.1", port), 60))
        for _ in range(4):
            status, _, said = ask(port)
            assert (status, said) == (503, "3 connections are open already: load this page again in a moment")
        lines.close()
        while ask(port)[0] != 200:
            threading.Event().wait(0.01)  # until the server has seen that they are closed
    assert capsys.readouterr().err.count("3 connections are open, and one more was refused") == 1


class Leaf:
    closed = False

    async def close(self):
        self.closed = True


def test_pages_that_nobody_comes_back_to_give_way_to_newer_ones():
    from descend.studio.tabs import WAITING, Tabs

    tabs, given_up = Tabs(2, "en"), []
    for number in range(WAITING + 3):
        tabs.expect(str(number), Leaf(), lambda number=number: given_up.append(number))
    assert given_up == [0, 1, 2]
    assert not tabs.enter("0")
    assert tabs.enter("3")


def test_one_tab_too_many_is_refused_and_told_once_until_there_is_room(capsys):
    from descend.studio.tabs import Tabs

    async def come_and_go():
        tabs, leaves = Tabs(2, "en"), [Leaf() for _ in range(5)]
        for number, leaf in enumerate(leaves):
            tabs.expect(str(number), leaf, lambda: None)
        assert [tabs.enter(str(number)) for number in range(5)] == [True, True, False, False, False]
        await tabs.leave("4")
        await tabs.leave("0")
        assert not tabs.full
        assert tabs.enter("2")
        assert not tabs.enter("3")
        await tabs.close()
        return [leaf.closed for leaf in leaves]

    assert elsewhere(lambda: asyncio.run(come_and_go())) == [True] * 5
    assert capsys.readouterr().err.count("2 tabs are open, and one more was refused") == 2


def test_a_port_that_is_asked_for_and_taken_is_an_error(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = called(capsys, "studio", "--no-browser", "--port", port)
    assert (code, out) == (2, "")
    assert f"[studio.port-taken] port {port} is taken" in err
    assert "--port 0" in err


def test_the_usual_port_gives_way_to_the_next_free_one(monkeypatch):
    from descend.studio import server

    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(server, "PORT", taken.getsockname()[1])
        with server._listening("127.0.0.1", None) as listener:
            assert listener.getsockname()[1] != taken.getsockname()[1]


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nowhere.csv"], 1, "table.not-found"),
        (["--port", "70000"], 2, "studio.port"),
        (["--host", "192.0.2.1"], 2, "studio.cannot-listen"),
        (["--host", "no such host"], 2, "studio.cannot-listen"),
        (["--max-upload", "0"], 2, "option.count"),
        (["--max-rows", "-1"], 2, "option.count"),
    ],
)
def test_what_cannot_be_is_told_before_anything_starts(capsys, arguments, code, told, lang):
    found, out, err = called(capsys, "studio", "--no-browser", *arguments, "--lang", lang)
    assert (found, out) == (code, "")
    assert f"[{told}]" in err


def test_without_nicegui_the_studio_says_what_to_install():
    script = "import sys; sys.modules['nicegui'] = None; from descend.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", script, "studio", "--no-browser"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert "[studio.needs-extra] the studio needs NiceGUI" in done.stderr
    assert 'pip install -e ".[studio]"' in done.stderr


def test_help_comes_without_loading_what_serves():
    script = (
        "import sys; from descend.cli import main; main(['studio', '--help']);"
        "raise SystemExit(bool({'nicegui', 'uvicorn', 'starlette', 'polars'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0
    assert "--max-upload" in done.stdout


def test_the_studio_opens_the_browser_and_speaks_korean_where_it_is_asked_to(tmp_path, scores):
    command, noted = pretended(tmp_path)
    with running_studio(tmp_path / "here", scores, "--lang", "ko", "--browser", BROWSER=command) as studio:
        assert read_when_there(noted) == studio.address
        assert f"{studio.address} 주소에 열려 있습니다" in studio.output
        assert "descend가 출력한 주소" in ask(studio.port, Host="evil.example")[2]


# the page itself


def test_the_page_opens_in_chromium_and_nothing_leaves_this_computer(studio_server, page, open_tab):
    page.goto(studio_server.url)
    page.get_by_role("heading").first.wait_for()
    page.wait_for_function("window.socket?.connected")
    assert page.title() == "descend"
    assert any(url.startswith("ws://127.0.0.1:") for url in open_tab.asked)


def test_the_token_opens_the_page_in_chromium_and_leaves_the_address(shared, open_tab):
    _, port, token = shared
    page = open_tab()
    page.goto(f"http://127.0.0.1:{port}/?token={token}")
    page.wait_for_url(f"http://127.0.0.1:{port}/")
    page.get_by_role("heading").first.wait_for()
    page.wait_for_function("window.socket?.connected")
    assert page.evaluate("document.cookie") == ""


def test_the_policy_lets_the_page_ask_no_other_address(studio_server, page, open_tab):
    page.goto(studio_server.url)
    ask_elsewhere = "url => fetch(url, {mode: 'no-cors'}).then(() => 'sent', () => 'refused')"
    for url in ("http://127.0.0.1:9/", "https://example.org/"):
        assert page.evaluate(ask_elsewhere, url) == "refused"
    directives = [fault for fault in open_tab.faults if "connect-src" in fault]
    assert len(directives) == 2
    open_tab.faults.clear()  # they were meant
