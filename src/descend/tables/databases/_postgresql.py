"""A query on a PostgreSQL server: read by server-side cursors in one transaction that sees one state of the data."""

from __future__ import annotations

import weakref
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import polars as pl

from descend.base.errors import TableError
from descend.tables.databases.scan import Cells, checked, checked_names, numbered
from descend.tables.databases.sql import Dialect, name_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import psycopg

SCHEMES = ("postgresql://", "postgres://")
# the same plan, and so the same order, for every reading; and no end to a session that waits while a model is fitted
SETTINGS = {
    "synchronize_seqscans": "off", "max_parallel_workers_per_gather": "0", "cursor_tuple_fraction": "1.0",
    "jit": "off", "standard_conforming_strings": "on", "timezone": "UTC", "idle_in_transaction_session_timeout": "0",
}  # fmt: skip
WHOLE, FLOATS, TRUTH = (20, 21, 23, 26), (700, 701, 1700), 16
NUMERIC, FLOAT_DIGITS, DECIMAL_DIGITS = 1700, 15, 38  # digits that a float holds, and a decimal
DATE, MOMENTS = 1082, (1114, 1184)
FIRST, LAST = "0001-01-01", "9999-12-31"  # the days that Python has
PATIENCE = 30  # seconds that a server has to answer
LOST = ("08", "57P")
MULTIPLE = "multiple commands"
MODIFYING = "data-modifying"
NOT_LET_IN = ("authentication failed", "no password supplied", "pg_hba.conf", "role ")


class PostgreSQL:
    """A query on a server; see ``Database``."""

    dialect: Dialect = "postgresql"

    def __init__(self, address: str, query: str) -> None:
        """Connect and have the query checked; raises TableError, which never shows a password."""
        known = _known(address)
        self.address = _without_password(known)
        self.name = _shown(known)
        query = checked(query, self.name)
        self._connection = _connected(address, known, self.name)
        self._end = weakref.finalize(self, self._connection.close)
        self._names = (f"descend_{number}" for number in count(1))
        self.query = query
        try:
            self._look()
        except BaseException:
            self.close()
            raise

    def _look(self) -> None:
        """Let the server describe the query's columns."""
        with self._told():
            for setting, value in SETTINGS.items():
                self._connection.execute(f"set local {setting} = '{value}'".encode())
        types = self._described(self.query)
        names = [name for name, _, _ in types]
        self.columns = {
            called: _cells(name, oid, size)
            for called, (name, oid, size) in zip(checked_names(names, self.name), types, strict=True)
        }
        every = ", ".join(f"q.{name_sql(name)} is null" for name in names)
        self.row, self.source = numbered(self.query, names, f"coalesce({every}) is not null")

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a select; where it fails, the transaction is rolled back to before it and goes on."""
        with self._told(), self._connection.transaction():
            return self._connection.execute(sql.encode(), binary=True).fetchall()

    def frames(self, cells: Mapping[str, Cells], size: int, where: str = "true") -> Iterator[pl.DataFrame]:
        """Yield the rows that meet a condition, from a cursor of the server's."""
        listed = ", ".join(cell.value for cell in cells.values())
        with self._told():
            cursor = self._connection.cursor(next(self._names), binary=True)
        try:
            with self._told():
                cursor.execute(f"select {listed} from {self.source} where {where}".encode())
            while True:
                with self._told():
                    rows = cursor.fetchmany(size)
                if not rows:
                    return
                made = zip(cells.items(), zip(*rows, strict=True), strict=True)
                yield pl.DataFrame([pl.Series(name, values, cell.dtype) for (name, cell), values in made])
        finally:
            import psycopg

            with suppress(psycopg.Error):
                cursor.close()

    def series(self, column: str, values: Sequence[Any]) -> pl.Series:
        """Return cells of a column as a frame has them."""
        return pl.Series(column, values, self.columns[column].dtype)

    def count(self) -> int:
        """Return how many rows there are."""
        return int(self.ask(f"select count(*) from (\n{self.query}\n) as q")[0][0])

    def close(self) -> None:
        """End the transaction and the connection."""
        self._end()

    def _described(self, query: str) -> list[tuple[str, int, int]]:
        """Return the names, types and declared sizes of a query's columns; the server does not run it."""
        from psycopg.pq import DiagnosticField as Field
        from psycopg.pq import ExecStatus

        connection = self._connection.pgconn
        if "\0" in query:
            raise TableError("table.query", file=self.name, reason="U+0000")
        with self._told():
            result = connection.prepare(b"", query.encode())
            if result.status == ExecStatus.COMMAND_OK:
                result = connection.describe_prepared(b"")
        if result.status != ExecStatus.COMMAND_OK:
            code, message, place = (
                (result.error_field(field) or b"").decode(errors="replace")
                for field in (Field.SQLSTATE, Field.MESSAGE_PRIMARY, Field.STATEMENT_POSITION)
            )
            before = query[: int(place) - 1] if place else None
            raise self._error(code, message or result.error_message.decode(errors="replace"), before)
        if result.nparams:
            raise TableError("table.query", file=self.name, reason="there is no parameter $1")
        return [((result.fname(i) or b"").decode(), result.ftype(i), result.fmod(i)) for i in range(result.nfields)]

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Raise errors of the server and of the connection as TableError."""
        import psycopg

        try:
            yield
        except UnicodeError as error:
            raise TableError("table.query", file=self.name, reason=str(error)) from error
        except psycopg.Error as error:
            message = error.diag.message_primary or _lines(error)
            raise self._error(error.sqlstate or "", message) from error

    def _error(self, code: str, message: str, before: str | None = None) -> TableError:
        """Return the error for a message; ``before`` is the text of the query before the place that it names."""
        if self._connection.closed or code.startswith(LOST):
            return TableError("table.query-lost", file=self.name, reason=message)
        if code == "25006" or MODIFYING in message:
            return TableError("table.query-changes", file=self.name, reason=message)
        if MULTIPLE in message:
            return TableError("table.query-several", file=self.name)
        if before is None:
            return TableError("table.query", file=self.name, reason=message)
        line, character = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        return TableError("table.query-at", file=self.name, reason=message, line=line, character=character)


def _known(address: str) -> dict[str, Any]:
    """Return the parts of an address; raises TableError, and shows none of it, where a password may be among them."""
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as error:  # the package, or the library that it stands on
        raise TableError("table.needs-extra", file="PostgreSQL", extra="sql") from error
    try:
        known = dict(conninfo_to_dict(address))
    except ProgrammingError:
        raise TableError("table.query-address") from None
    place = address.partition("://")[2].partition("?")[0]
    before, at, after = place.partition("@")
    ports = str(known.get("port", "")).replace(",", "")
    if "@" in after or (at and "/" in before) or not (ports.isdigit() or not ports):
        raise TableError("table.query-address")  # a password with such a sign in it is taken apart there
    return known


def _connected(address: str, known: dict[str, Any], name: str) -> psycopg.Connection[tuple[Any, ...]]:
    """Return a connection that reads one state of the data and changes nothing."""
    import psycopg

    wanted: dict[str, Any] = {"client_encoding": "utf8", "fallback_application_name": "descend"}
    if "connect_timeout" not in known:
        wanted["connect_timeout"] = PATIENCE
    try:
        connection: psycopg.Connection[tuple[Any, ...]] = psycopg.connect(address, **wanted)
    except psycopg.Error as error:
        reason = _lines(error)
        code = "table.query-login" if any(words in reason for words in NOT_LET_IN) else "table.query-connect"
        raise TableError(code, file=name, reason=reason) from error
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    return connection


def _lines(error: Exception) -> str:
    """Return an error's lines as one."""
    lines = "; ".join(line.strip() for line in str(error).split("\n") if line.strip())
    return lines.removeprefix("connection failed: ")[:300]


def _without_password(known: dict[str, Any]) -> str:
    """Return what tells a server and a database from others."""
    return repr([(part, str(known[part])) for part in ("host", "hostaddr", "port", "dbname", "user") if part in known])


def _shown(known: dict[str, Any]) -> str:
    """Return what a person calls a database: its server, unless that is this machine's own, and its name."""
    host, port = str(known.get("host", "")), str(known.get("port", ""))
    host = "" if host.startswith("/") else host
    return f"postgresql://{host}{f':{port}' if host and port else ''}/{quote(str(known.get('dbname', '')))}"


def _exact(size: int) -> pl.Decimal | None:
    """Return the type that holds all numbers of a declared numeric(digits, scale), None where float64 does."""
    digits, scale = (size - 4) >> 16, (size - 4) & 0x7FF
    return pl.Decimal(digits, scale) if FLOAT_DIGITS < digits <= DECIMAL_DIGITS and scale <= digits else None


def _cells(name: str, oid: int, size: int) -> Cells:
    """Return how a column of a type is read; what is neither a number, true or false, nor a date is text."""
    column = f"q.{name_sql(name)}"
    if oid == NUMERIC and size >= 0 and (exact := _exact(size)) is not None:
        return Cells(f"nullif({column}, 'NaN')", exact)
    if oid in WHOLE:
        return Cells(f"{column}::int8", pl.Int64)
    if oid in FLOATS:
        return Cells(f"{column}::float8", pl.Float64)
    if oid == TRUTH:
        return Cells(column, pl.Boolean)
    if oid == DATE or oid in MOMENTS:
        kind, last = ("date", LAST) if oid == DATE else ("timestamp", f"{LAST} 23:59:59.999999")
        moment = f"{column}::{kind}"
        value = f"case when {moment} between '{FIRST}' and '{last}' then {moment} end"
        return Cells(value, pl.Date if oid == DATE else pl.Datetime)
    return Cells(f"{column}::text", pl.String)
