"""Databases for tests: a PostgreSQL server that is started for them, and SQLite files."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

PASSWORD = "s3cret-w0rd"
TYPES = {
    "postgresql": {"int": "bigint", "real": "float8", "text": "text", "bool": "boolean"},
    "sqlite": {"int": "integer", "real": "real", "text": "text", "bool": "integer"},
}


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass
class Place:
    """A database that a test may fill; ``address`` is what descend is given."""

    dialect: str
    address: str

    def connect(self):
        if self.dialect == "sqlite":
            return contextlib.closing(sqlite3.connect(self.address))
        return psycopg.connect(self.address)

    def run(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def fill(self, table: str, types: dict[str, str], rows: list[tuple]) -> None:
        """Create a table; ``types`` are those above, or the database's own."""
        kinds = TYPES[self.dialect]
        columns = ", ".join(f"{quoted(name)} {kinds.get(kind, kind)}" for name, kind in types.items())
        mark = "?" if self.dialect == "sqlite" else "%s"
        with self.connect() as connection:
            connection.execute(f"create table {quoted(table)} ({columns})")
            marks = ", ".join([mark] * len(types))
            connection.cursor().executemany(f"insert into {quoted(table)} values ({marks})", rows)
            connection.commit()

    def ask(self, query: str) -> list[tuple]:
        with self.connect() as connection:
            return connection.execute(query).fetchall()


def _binary(name: str) -> str | None:
    places = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: float(place.parent.name))[::-1]]
    found = [str(place / name) for place in places if (place / name).exists()]
    return found[0] if found else shutil.which(name)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def postgresql_server():
    """Start a PostgreSQL server in a folder of its own; it listens on 127.0.0.1, where it asks for the password."""
    initdb, postgres = _binary("initdb"), _binary("postgres")
    if initdb is None or postgres is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="descend-postgresql-"))
    secret = folder / "password"
    secret.write_text(PASSWORD)
    as_other = []
    if os.getuid() == 0:  # as root the server refuses to run
        as_other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        for path in (folder, secret):
            shutil.chown(path, "postgres", "postgres")
    port = _free_port()
    making = [initdb, "-D", folder / "data", "-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256"]
    making += [f"--pwfile={secret}", "--no-sync", "--locale=C", "--encoding=UTF8"]
    subprocess.run([*as_other, *making], check=True, capture_output=True, cwd="/", timeout=60)
    options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder, "fsync": "off"}
    options |= {"shared_buffers": "16MB", "max_connections": 20}
    running = [postgres, "-D", folder / "data", *(f"--{name}={value}" for name, value in options.items())]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*as_other, *running], stdout=log, stderr=log, cwd="/")
    try:
        address = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"
        for _ in range(300):
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(address).close()
                break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield Place("postgresql", address)
    finally:
        process.send_signal(2)  # SIGINT: connections are ended
        process.wait(timeout=30)
        shutil.rmtree(folder)


@pytest.fixture
def postgresql(postgresql_server):
    """Return the server, with nothing in its database."""
    postgresql_server.run("drop schema public cascade", "create schema public")
    return postgresql_server


@pytest.fixture
def sqlite(tmp_path):
    """Return an SQLite file with nothing in it."""
    place = Place("sqlite", str(tmp_path / "school.db"))
    place.run("pragma user_version = 1")
    return place


@pytest.fixture(params=["postgresql", "sqlite"])
def place(request):
    """Return a database of each kind."""
    return request.getfixturevalue(request.param)
